/*
 * Copyright (C) The im authors
 *
 * io_uring: one system call for many sends.
 *
 * A send completes within the call that submits it, whether the socket takes
 * the bytes or is full, so nothing is in flight between two calls.
 */

#ifndef NGX_IM_URING_H
#define NGX_IM_URING_H


#include "ngx_im_conf.h"
#include "im_types.h"


#define NGX_IM_URING_SENDS  256          /* the most of a call */


typedef struct ngx_im_uring_s  ngx_im_uring_t;


typedef struct {
    ngx_socket_t  fd;
    int           result;    /* bytes, or -errno; -ECANCELED: not tried */
    im_str_t      bytes;
} ngx_im_uring_send_t;


/* NULL: it can't be used here, and *err and *why say the reason. */
ngx_im_uring_t *ngx_im_uring_create(ngx_err_t *err, const char **why);
void ngx_im_uring_destroy(ngx_im_uring_t *uring);

/*
 * Sets the result of each send.  NGX_ERROR: the kernel did not take all of
 * them, and the ring is to be destroyed.
 */
ngx_int_t ngx_im_uring_send(ngx_im_uring_t *uring, ngx_im_uring_send_t *sends,
    ngx_uint_t n, ngx_err_t *err);


#endif /* NGX_IM_URING_H */
