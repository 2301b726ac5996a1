/*
 * Copyright (C) The im authors
 *
 * Pages: which of them may come in, by their Origin, and what an answer tells
 * the browser (CORS).
 */

#ifndef NGX_IM_CORS_H
#define NGX_IM_CORS_H


#include "ngx_im_conf.h"


/*
 * The Origin of a request.  Browsers send no empty one, so that counts as none:
 * len 0.  The result is how many there are.
 */
ngx_uint_t ngx_im_cors_origin(ngx_http_request_t *r, im_str_t *origin);

/* A request without one is not of a page.  A refusal is logged. */
ngx_uint_t ngx_im_cors_allowed(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    im_str_t origin);

/* Adds a header to an answer; nothing is copied. */
ngx_int_t ngx_im_cors_header(ngx_http_request_t *r, const char *name,
    im_str_t value);

/* The page may read the answer.  For an origin that is allowed, or none. */
ngx_int_t ngx_im_cors_answer(ngx_http_request_t *r, im_str_t origin);

/*
 * Answers OPTIONS with 204 and these methods; to a page that may not come in,
 * without permission.
 */
ngx_int_t ngx_im_cors_preflight(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    const char *methods);


#endif /* NGX_IM_CORS_H */
