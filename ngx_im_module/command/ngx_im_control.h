/*
 * Copyright (C) The im authors
 *
 * Control entries: requests besides delivering messages.
 */

#ifndef NGX_IM_CONTROL_H
#define NGX_IM_CONTROL_H


#include "ngx_im_from.h"
#include "im_push.h"


/* Gives whether it was about sessions: these may have moved. */
ngx_uint_t ngx_im_control_entry(ngx_im_worker_t *w, const im_entry_t *entry,
    const ngx_im_reach_t *reach);


#endif /* NGX_IM_CONTROL_H */
