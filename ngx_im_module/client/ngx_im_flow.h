/*
 * Copyright (C) The im authors
 *
 * What clients may send: frames and bytes.
 */

#ifndef NGX_IM_FLOW_H
#define NGX_IM_FLOW_H


#include "ngx_im_session.h"


/*
 * So many frames are paid for together, and are read before other sessions have
 * their turn; 0: there is no limit.
 */
ngx_uint_t ngx_im_flow_block(ngx_im_worker_t *w);

/*
 * A new session of an address that owes frames pays for its first ones before
 * they are read.  Results as of ngx_im_flow_frames().
 */
ngx_int_t ngx_im_flow_begin(ngx_im_session_t *s);

/*
 * Pays for s->frames.  NGX_AGAIN: input waits; NGX_ERROR: the session is
 * closed.
 */
ngx_int_t ngx_im_flow_frames(ngx_im_session_t *s);

/*
 * Pays for n bytes that were read.  NGX_AGAIN: input has to wait, once they are
 * used.
 */
ngx_int_t ngx_im_flow_bytes(ngx_im_session_t *s, size_t n);

/*
 * Pays for a message of n bytes that was unpacked, as far as cost is more.
 * Results as of ngx_im_flow_bytes().
 */
ngx_int_t ngx_im_flow_unpacked(ngx_im_session_t *s, size_t n, size_t cost);

/*
 * Nothing more is read until there is credit.  NGX_AGAIN, or NGX_ERROR: the
 * session is closed.
 */
ngx_int_t ngx_im_flow_wait(ngx_im_session_t *s, ngx_im_wait_e why);

/*
 * Credit for a command that may read from Redis, once, until ext->credit is
 * taken back.  NGX_AGAIN: there is none.
 */
ngx_int_t ngx_im_flow_credit(ngx_im_session_t *s);

/* What a session that ends has not paid for yet. */
void ngx_im_flow_end(ngx_im_session_t *s);

/* Wakes a session of worker->throttled if there is credit. */
ngx_int_t ngx_im_flow_serve(im_list_t *q, void *data);


#endif /* NGX_IM_FLOW_H */
