/*
 * Copyright (C) The im authors
 *
 * Where the bytes of a session go: a socket, TLS, the filters of a request.
 */

#ifndef NGX_IM_OUTPUT_H
#define NGX_IM_OUTPUT_H


#include "ngx_im_session.h"


#define NGX_IM_PIECES  64            /* the most of a call */


typedef struct {
    size_t       max;            /* the most bytes of a call */
    unsigned     repeats:1;      /* bytes that were refused must come again */
    unsigned     batched:1;      /* send() of its socket is all that it does */
    /* NGX_OK: it took the first sent bytes; NGX_AGAIN: none can go now. */
    ngx_int_t  (*send)(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
                   size_t *sent);
    /* All is sent: the client may hang up. */
    void       (*end)(ngx_im_session_t *s);
    /* The connection is not used any more. */
    void       (*close)(ngx_im_session_t *s);
} ngx_im_output_t;


const ngx_im_output_t *ngx_im_output(ngx_im_session_t *s);

/*
 * The send of a batched output was done otherwise.  result of len bytes: bytes,
 * or -errno.  As send() of the output.
 */
ngx_int_t ngx_im_output_sent(ngx_im_session_t *s, size_t len, int result,
    size_t *sent);


#endif /* NGX_IM_OUTPUT_H */
