/*
 * Copyright (C) The im authors
 *
 * A session that keeps its request.
 */

#ifndef NGX_IM_ATTACH_H
#define NGX_IM_ATTACH_H


#include "ngx_im_handshake.h"


/* The connection has other requests too. */
ngx_uint_t ngx_im_attach_needed(ngx_http_request_t *r);

/* Begins it. */
void ngx_im_attach(ngx_http_request_t *r, ngx_im_session_t *s,
    ngx_im_handshake_t *hs);


#endif /* NGX_IM_ATTACH_H */
