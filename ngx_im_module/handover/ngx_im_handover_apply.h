/*
 * Copyright (C) The im authors
 *
 * An entry for sessions takes effect.
 */

#ifndef NGX_IM_HANDOVER_APPLY_H
#define NGX_IM_HANDOVER_APPLY_H


#include "ngx_im_from.h"


/* IM_ERROR: it is malformed. */
im_int_t ngx_im_handover_apply(ngx_im_worker_t *w, im_str_t bytes,
    const ngx_im_reach_t *reach);


#endif /* NGX_IM_HANDOVER_APPLY_H */
