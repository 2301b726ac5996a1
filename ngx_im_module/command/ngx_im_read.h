/*
 * Copyright (C) The im authors
 *
 * What is read from Redis for clients, and who pays for it.
 */

#ifndef NGX_IM_READ_H
#define NGX_IM_READ_H


#include "ngx_im_session.h"


/* A call that is out. */
typedef struct {
    im_list_t         link;          /* in worker->reads; self: it isn't */
    ngx_im_peer_t     peer;          /* pays for it */
    ngx_im_zone_key_t key;           /* its address */
} ngx_im_read_t;


/*
 * A command that may read needs credit, once, however often it is tried.
 * NGX_AGAIN: its session waits for credit; NGX_ERROR: it is closed.
 */
ngx_int_t ngx_im_read_pay(ngx_im_session_t *s);

/* The command that was paid for has read. */
void ngx_im_read_paid(ngx_im_session_t *s);

/* So many bytes were read for the client, or sent to it again. */
void ngx_im_read_charge(const ngx_im_peer_t *peer, size_t bytes);

/* A call that isn't counted goes out. */
void ngx_im_read_charge_call(const ngx_im_peer_t *peer);

/* The address has no credit. */
ngx_uint_t ngx_im_read_owes(const ngx_im_peer_t *peer);

/*
 * A call goes out for peer.  NGX_BUSY: too many are out, of this address or of
 * all.
 */
ngx_int_t ngx_im_read_begin(ngx_im_worker_t *w, ngx_im_read_t *read,
    const ngx_im_peer_t *peer);

/* It has its reply, and sessions of worker->queries may ask. */
void ngx_im_read_end(ngx_im_worker_t *w, ngx_im_read_t *read);

/* The session waits in worker->queries until others have their reply. */
void ngx_im_read_wait(ngx_im_session_t *s);

/* Each second: no session waits in worker->queries without reason. */
void ngx_im_read_tick(ngx_im_worker_t *w);


#endif /* NGX_IM_READ_H */
