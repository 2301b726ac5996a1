/*
 * Copyright (C) The im authors
 *
 * Connections that this worker keeps for itself.
 *
 * The worker takes them from nginx's free list when it starts, each with a file
 * descriptor, so that clients can't take the last ones.  A link gives one back
 * to the list right before it connects, and takes one again when it has closed.
 */

#ifndef NGX_IM_RESERVE_H
#define NGX_IM_RESERVE_H


#include "ngx_im_worker.h"


#define NGX_IM_RESERVE_MIN  64       /* that sessions leave to others */


/* Connections that sessions leave to all else by default. */
ngx_uint_t ngx_im_reserve_default(ngx_uint_t connections);

/* There are so few free connections that no handshake may take one. */
ngx_uint_t ngx_im_reserve_short(void);

/* For a link: one of the free connections is its own now. */
void ngx_im_reserve_give(ngx_im_worker_t *w);

/* It has closed it, or didn't get it. */
void ngx_im_reserve_take(ngx_im_worker_t *w);

/*
 * At the start, for n sockets, as far as the worker has as many; and in each
 * tick: what was short before.
 */
void ngx_im_reserve_fill(ngx_im_worker_t *w, ngx_uint_t n);


#endif /* NGX_IM_RESERVE_H */
