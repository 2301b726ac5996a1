/*
 * Copyright (C) The im authors
 *
 * From a request to a session.
 */

#ifndef NGX_IM_HANDSHAKE_H
#define NGX_IM_HANDSHAKE_H


#include "ngx_im_conf.h"


ngx_int_t ngx_im_handshake_handler(ngx_http_request_t *r);


#endif /* NGX_IM_HANDSHAKE_H */
