/*
 * Copyright (C) The im authors
 *
 * What the access log gets to know of sessions.
 *
 * nginx writes a line when a request ends.  For most sessions that is their
 * handshake, as they take the connection over.  With im_session_log there is
 * one more line at the end of these.  A request that a session keeps has one
 * line, at its end.
 */

#ifndef NGX_IM_ACCESS_H
#define NGX_IM_ACCESS_H


#include "ngx_im_session.h"


/* In the pool of a request, the first member of the module's context. */
typedef struct {
    const im_proto_t     *proto;     /* NULL: there is no session */
    const im_transport_t *transport;
    ngx_str_t             user;      /* "": guest, or not known yet */
    u_char                id[IM_UUID_LEN];
    ngx_uint_t            code;      /* these, if there is a reason */
    const char           *reason;    /* NULL: the session has not ended */
    const char           *why;
    ngx_uint_t            seconds;
    uint64_t              bytes_in;
    uint64_t              bytes_out;
} ngx_im_access_t;


/* The request becomes this session. */
void ngx_im_access_begin(ngx_http_request_t *r, ngx_im_session_t *s);

/*
 * The same of a request that the session keeps: where it goes first, its line
 * says how the session ended.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_im_access_keep(ngx_http_request_t *r, ngx_im_kept_t *kept);

/* It has ended, and is still there. */
void ngx_im_access_end(ngx_im_session_t *s);


#endif /* NGX_IM_ACCESS_H */
