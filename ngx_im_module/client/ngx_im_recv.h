/*
 * Copyright (C) The im authors
 *
 * In: what a session gets from its socket.
 */

#ifndef NGX_IM_RECV_H
#define NGX_IM_RECV_H


#include "ngx_im_session.h"


/* Bytes that came with the upgrade, then what the socket has. */
void ngx_im_recv_start(ngx_im_session_t *s, u_char *early, size_t len);
void ngx_im_recv_handler(ngx_event_t *rev);


#endif /* NGX_IM_RECV_H */
