/*
 * Copyright (C) The im authors
 *
 * Handlers of client connections: from the handshake to the end.
 */

#ifndef NGX_IM_CLIENT_H
#define NGX_IM_CLIENT_H


#include "ngx_im_session.h"


ngx_int_t ngx_im_handshake_handler(ngx_http_request_t *r);

/*
 * Runs the message that came with the request (data NULL: none), reads the
 * bytes that came behind it, then from the socket.
 */
void ngx_im_recv_start(ngx_im_session_t *s, im_str_t first, im_str_t early);
void ngx_im_recv_handler(ngx_event_t *rev);

/*
 * The same for a session that keeps its request: the message that came with it,
 * and a read event, which may say that the client is lost.
 */
void ngx_im_recv_first(ngx_im_session_t *s, im_str_t first);
void ngx_im_recv_held_only(ngx_im_session_t *s, ngx_uint_t lost);

/*
 * A message that came by another way than the socket: transports without decode
 * have no other.  It waits behind earlier ones, up to what im_limit message=
 * allows.
 */
void ngx_im_recv_input(ngx_im_session_t *s, im_str_t message);

/* It is open: its deadlines are those of pings from now on. */
void ngx_im_ping_start(ngx_im_session_t *s);

/* The deadline of a session has come. */
void ngx_im_ping_due(ngx_im_timer_t *timer);

/*
 * A session without subscriptions goes without a word: it lives elsewhere.
 * taken: its place in the zone, too.
 */
void ngx_im_close_gone(ngx_im_session_t *s, ngx_uint_t taken);

/* Ends the sessions that were closed in this turn. */
void ngx_im_close_handler(ngx_event_t *ev);


#endif /* NGX_IM_CLIENT_H */
