/*
 * Copyright (C) The im authors
 *
 * A connection leaves its request and becomes a session.
 */

#ifndef NGX_IM_DETACH_H
#define NGX_IM_DETACH_H


#include "ngx_im_handshake.h"


/*
 * Sends the head of an answer whose status is set, and the first bytes of its
 * body.  type and begin may be NULL.
 */
ngx_int_t ngx_im_detach_head(ngx_http_request_t *r, const char *type,
    const char *begin);

/*
 * After that.  The caller returns NGX_DONE, or finalizes the request with it;
 * the session begins in a later event.
 */
void ngx_im_detach_start(ngx_http_request_t *r, ngx_im_handshake_t *hs);

/*
 * A client that answers no pings is gone if it doesn't acknowledge bytes for as
 * long as another one may be silent.  It has no effect on unix sockets.
 */
void ngx_im_detach_patience(ngx_im_session_t *s);

/*
 * The session has its connection: what came already is used, and then comes
 * what the socket has.
 */
void ngx_im_detach_run(ngx_im_session_t *s, im_str_t first, im_str_t early);


#endif /* NGX_IM_DETACH_H */
