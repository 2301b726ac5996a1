/*
 * Copyright (C) The im authors
 *
 * The answer to a handshake that is refused.
 */

#ifndef NGX_IM_REFUSED_H
#define NGX_IM_REFUSED_H


#include "ngx_im_worker.h"


#define NGX_IM_UPGRADE_REQUIRED   426
#define NGX_IM_HEADERS_TOO_LARGE  431


/* Why it is refused, and a header of the answer or NULL. */
typedef struct {
    ngx_im_refusal_e  reason;        /* for metrics */
    ngx_uint_t        status;
    const char       *header;
    const char       *value;
    const char       *why;           /* for the log and the client */
} ngx_im_refused_t;


/* Of a handshake that gets another answer, or none. */
void ngx_im_refused_count(ngx_im_worker_t *w, ngx_im_refusal_e why);


/* For the handler of the request to return. */
ngx_int_t ngx_im_refused_answer(ngx_http_request_t *r,
    const ngx_im_refused_t *no);


#endif /* NGX_IM_REFUSED_H */
