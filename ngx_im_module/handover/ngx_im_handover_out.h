/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends.
 */

#ifndef NGX_IM_HANDOVER_OUT_H
#define NGX_IM_HANDOVER_OUT_H


#include "ngx_im_out.h"
#include "im_push.h"


/*
 * The worker ends.  NGX_DECLINED: no worker comes after it, and no event
 * follows.
 */
ngx_int_t ngx_im_handover_out(ngx_im_worker_t *w,
    const ngx_im_handover_events_t *events);

/* Topics have moved on, or Redis has answered: what waits may go. */
void ngx_im_handover_out_look(ngx_im_worker_t *w);

/* An entry for sessions came by pub/sub. */
void ngx_im_handover_out_entry(ngx_im_worker_t *w, const im_entry_t *entry);


#endif /* NGX_IM_HANDOVER_OUT_H */
