/*
 * Copyright (C) The im authors
 *
 * What is kept of a session's opening handshake: the user of im_user, and the
 * headers that questions bring, Host first.  Sessions whose handshakes had the
 * same ones share a record.
 */

#ifndef NGX_IM_OPENING_H
#define NGX_IM_OPENING_H


#include "ngx_im_refused.h"
#include "ngx_im_worker.h"


#define NGX_IM_HOST_MAX     300      /* a name of 253 bytes, and a port */
#define NGX_IM_NAME_MAX     253
#define NGX_IM_FORWARD_MAX  8192     /* bytes of headers of im_forward */
#define NGX_IM_FORWARD_LINES  32


typedef struct ngx_im_opening_s  ngx_im_opening_t;


/* "example.com:8080" as the client wrote it, whatever form of request line. */
ngx_str_t ngx_im_opening_host(ngx_http_request_t *r);

/*
 * A reference to the record of a handshake.  NULL: why is set to static text,
 * or, if there is no memory, to NULL.
 */
ngx_im_opening_t *ngx_im_opening_get(ngx_im_worker_t *w,
    ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    const ngx_im_refused_t **why);

/* What im_user says, "" nothing; borrowed.  o may be NULL. */
void ngx_im_opening_user(const ngx_im_opening_t *o, im_str_t *user,
    im_str_t *name);

/* All of it, for another worker; borrowed.  o may be NULL: "". */
im_str_t ngx_im_opening_bytes(const ngx_im_opening_t *o);

/*
 * A reference to the record that has these bytes, *o; "": NULL.  NGX_DECLINED:
 * they are not valid; NGX_ERROR: no memory.
 */
ngx_int_t ngx_im_opening_restore(ngx_im_worker_t *w, im_str_t bytes,
    ngx_im_opening_t **o);

/* o may be NULL. */
void ngx_im_opening_unref(ngx_im_worker_t *w, ngx_im_opening_t *o);

/* Adds copies of the headers to those of a request. */
ngx_int_t ngx_im_opening_headers(const ngx_im_opening_t *o,
    ngx_http_request_t *r);

/* For worker->openings. */
im_str_t ngx_im_opening_name(const im_hash_node_t *node);


#endif /* NGX_IM_OPENING_H */
