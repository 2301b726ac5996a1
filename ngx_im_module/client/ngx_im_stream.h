/*
 * Copyright (C) The im authors
 *
 * Requests whose answers are streams: server-sent events, HTTP streaming.
 */

#ifndef NGX_IM_STREAM_H
#define NGX_IM_STREAM_H


#include "ngx_im_handshake.h"
#include "ngx_im_refused.h"


/* Of the request's body; "" if it doesn't say. */
im_str_t ngx_im_stream_type(ngx_http_request_t *r);

/* NULL: the request is good, and hs has the protocol. */
const ngx_im_refused_t *ngx_im_stream_check(ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, ngx_im_handshake_t *hs);

/*
 * Sets hs->first, also of an upgrade; the body has been read.  NULL: it is
 * good.
 */
const ngx_im_refused_t *ngx_im_stream_first(ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, ngx_im_handshake_t *hs);

/* Sends the head and the first bytes of the body. */
ngx_int_t ngx_im_stream_accept(ngx_http_request_t *r, ngx_im_handshake_t *hs);


#endif /* NGX_IM_STREAM_H */
