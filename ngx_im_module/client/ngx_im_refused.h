/*
 * Copyright (C) The im authors
 *
 * The answer to a handshake that is refused.
 */

#ifndef NGX_IM_REFUSED_H
#define NGX_IM_REFUSED_H


#include "ngx_im_conf.h"


#define NGX_IM_UPGRADE_REQUIRED   426
#define NGX_IM_HEADERS_TOO_LARGE  431


/* Why it is refused, and a header of the answer or NULL. */
typedef struct {
    ngx_uint_t   status;
    const char  *header;
    const char  *value;
    const char  *why;                /* for the log and the client */
} ngx_im_refused_t;


/* For the handler of the request to return. */
ngx_int_t ngx_im_refused_answer(ngx_http_request_t *r,
    const ngx_im_refused_t *no);


#endif /* NGX_IM_REFUSED_H */
