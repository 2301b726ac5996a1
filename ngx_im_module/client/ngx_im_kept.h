/*
 * Copyright (C) The im authors
 *
 * Requests that sessions keep: of connections that have others too, HTTP/2 and
 * HTTP/3.  Output goes through nginx's filters.
 */

#ifndef NGX_IM_KEPT_H
#define NGX_IM_KEPT_H


#include "ngx_im_session.h"


#define NGX_IM_KEPT_MAX  16384           /* bytes under way */


/* In the request's pool. */
struct ngx_im_kept_s {
    ngx_http_request_t *request;
    ngx_im_session_t   *session;         /* NULL: it has ended, or not begun */
    u_char             *data;            /* under way, or NULL */
    ngx_buf_t           buf;
    unsigned            ended:1;         /* the body may end */
};


/* NGX_ERROR: no memory; the session and the request end each by itself. */
ngx_int_t ngx_im_kept_begin(ngx_im_session_t *s, ngx_im_kept_t *kept,
    ngx_http_request_t *r);

/* Takes some bytes, once those before have gone. */
ngx_int_t ngx_im_kept_send(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent);

/* The filters may go on.  NGX_AGAIN: bytes are still under way. */
ngx_int_t ngx_im_kept_flush(ngx_im_session_t *s);

/* All is sent: the session closes, and then the body ends. */
void ngx_im_kept_end(ngx_im_session_t *s);

/* The request goes, at once unless the body may end. */
void ngx_im_kept_close(ngx_im_session_t *s);

/* The request's pool goes, and with it the session if it is there. */
void ngx_im_kept_cleanup(ngx_im_kept_t *kept);

/* Each second while there are some: nothing else says that the worker ends. */
void ngx_im_kept_watch(ngx_event_t *ev);


#endif /* NGX_IM_KEPT_H */
