/*
 * Copyright (C) The im authors
 *
 * Connections that become sessions without a request: those of im_listen.
 */

#ifndef NGX_IM_ACCEPT_H
#define NGX_IM_ACCEPT_H


#include "ngx_im_conf.h"


/* For ngx_listening_t, whose servers is an ngx_im_listen_t. */
void ngx_im_accept_handler(ngx_connection_t *c);


#endif /* NGX_IM_ACCEPT_H */
