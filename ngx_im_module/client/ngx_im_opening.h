/*
 * Copyright (C) The im authors
 *
 * What questions about a session bring of its opening handshake: headers, Host
 * first.  Sessions whose handshakes had the same ones share a record.
 */

#ifndef NGX_IM_OPENING_H
#define NGX_IM_OPENING_H


#include "ngx_im_worker.h"


#define NGX_IM_HOST_MAX  300         /* a name of 253 bytes, and a port */


typedef struct ngx_im_opening_s  ngx_im_opening_t;


/* "example.com:8080" as the client wrote it, whatever form of request line. */
ngx_str_t ngx_im_opening_host(ngx_http_request_t *r);

/* A reference to the record of a handshake.  NULL: no memory. */
ngx_im_opening_t *ngx_im_opening_get(ngx_im_worker_t *w,
    ngx_http_request_t *r);

/* o may be NULL. */
ngx_im_opening_t *ngx_im_opening_ref(ngx_im_opening_t *o);
void ngx_im_opening_unref(ngx_im_worker_t *w, ngx_im_opening_t *o);

/* Adds copies of the headers to those of a request. */
ngx_int_t ngx_im_opening_headers(const ngx_im_opening_t *o,
    ngx_http_request_t *r);

/* For worker->openings. */
im_str_t ngx_im_opening_name(const im_hash_node_t *node);


#endif /* NGX_IM_OPENING_H */
