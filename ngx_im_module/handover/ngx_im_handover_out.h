/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends.
 */

#ifndef NGX_IM_HANDOVER_OUT_H
#define NGX_IM_HANDOVER_OUT_H


#include "ngx_im_from.h"
#include "ngx_im_worker.h"
#include "ngx_im_session.h"
#include "im_push.h"


typedef struct ngx_im_handover_out_s  ngx_im_handover_out_t;


typedef struct {

    /* A session stays here for good. */
    void  (*stays)(ngx_im_worker_t *w, ngx_im_session_t *s);

    /* All others have moved, and no event comes any more. */
    void  (*done)(ngx_im_worker_t *w);

} ngx_im_handover_events_t;


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

/* Applies one.  IM_ERROR: it is malformed. */
im_int_t ngx_im_handover_apply(ngx_im_worker_t *w, im_str_t bytes,
    const ngx_im_reach_t *reach);

/* The session stays for good. */
ngx_uint_t ngx_im_handover_stays(ngx_im_worker_t *w, ngx_im_session_t *s);


#endif /* NGX_IM_HANDOVER_OUT_H */
