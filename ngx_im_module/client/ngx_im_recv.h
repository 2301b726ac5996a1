/*
 * Copyright (C) The im authors
 *
 * Input of sessions.
 */

#ifndef NGX_IM_RECV_H
#define NGX_IM_RECV_H


#include "ngx_im_session.h"


/* Reads the bytes that came with the upgrade, then from the socket. */
void ngx_im_recv_start(ngx_im_session_t *s, u_char *early, size_t len);
void ngx_im_recv_handler(ngx_event_t *rev);


#endif /* NGX_IM_RECV_H */
