/*
 * Copyright (C) The im authors
 *
 * io_uring, by liburing.
 */

#include "ngx_im_uring.h"
#include <liburing.h>


struct ngx_im_uring_s {
    struct io_uring  ring;
};


/* Flags of newer kernels first: they save interrupts of the worker. */
static const unsigned  ngx_im_uring_flags[] = {
    IORING_SETUP_SINGLE_ISSUER|IORING_SETUP_DEFER_TASKRUN, 0
};


static int
ngx_im_uring_init(struct io_uring *ring)
{
    int         rc;
    ngx_uint_t  i;

    rc = -EINVAL;

    for (i = 0; rc == -EINVAL && i < 2; i++) {
        rc = io_uring_queue_init(NGX_IM_URING_SENDS, ring,
                                 ngx_im_uring_flags[i]);
    }

    return rc;
}


static void
ngx_im_uring_prepare(ngx_im_uring_t *uring, ngx_im_uring_send_t *sends,
    ngx_uint_t n)
{
    ngx_uint_t            i;
    struct io_uring_sqe  *sqe;

    for (i = 0; i < n; i++) {
        sqe = io_uring_get_sqe(&uring->ring);

        io_uring_prep_send(sqe, sends[i].fd, sends[i].bytes.data,
                           sends[i].bytes.len, MSG_DONTWAIT|MSG_NOSIGNAL);
        sqe->user_data = i;
        sends[i].result = -ECANCELED;
    }
}


/* The number of sends that have completed. */
static ngx_uint_t
ngx_im_uring_reap(ngx_im_uring_t *uring, ngx_im_uring_send_t *sends)
{
    unsigned              head, n;
    struct io_uring_cqe  *cqe;

    n = 0;

    io_uring_for_each_cqe(&uring->ring, head, cqe) {
        sends[cqe->user_data].result = cqe->res;
        n++;
    }

    io_uring_cq_advance(&uring->ring, n);

    return n;
}


ngx_int_t
ngx_im_uring_send(ngx_im_uring_t *uring, ngx_im_uring_send_t *sends,
    ngx_uint_t n, ngx_err_t *err)
{
    int         rc;
    ngx_uint_t  done;

    ngx_im_uring_prepare(uring, sends, n);

    done = 0;

    do {
        rc = io_uring_submit_and_wait(&uring->ring, n - done);
        done += ngx_im_uring_reap(uring, sends);
    } while (done < n && (rc > 0 || rc == -EINTR));

    if (done == n) {
        return NGX_OK;
    }

    /* buffers of sends that the kernel has taken are its own until they end */

    *err = -rc;

    while (done + io_uring_sq_ready(&uring->ring) < n
           && io_uring_submit_and_wait(&uring->ring, 1) != -EBADF)
    {
        done += ngx_im_uring_reap(uring, sends);
    }

    return NGX_ERROR;
}


/* A full socket has to say so at once. */
static ngx_int_t
ngx_im_uring_try(ngx_im_uring_t *uring, const int pair[2], ngx_err_t *err)
{
    u_char               bytes[4096];
    ngx_im_uring_send_t  sends[2];

    ngx_memzero(bytes, sizeof(bytes));

    sends[0].fd = pair[0];
    sends[0].bytes = im_str_set(bytes, 1);
    sends[1].fd = pair[1];
    sends[1].bytes = im_str_set(bytes, sizeof(bytes));

    while (send(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
        /* void */
    }

    ngx_im_uring_prepare(uring, sends, 2);

    *err = ENOTSUP;

    if (io_uring_submit(&uring->ring) != 2) {
        return NGX_ERROR;
    }

    if (ngx_im_uring_reap(uring, sends) != 2) {
        return NGX_ERROR;
    }

    if (sends[0].result != 1) {
        *err = -sends[0].result;
        return NGX_ERROR;
    }

    return sends[1].result == -EAGAIN ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_im_uring_probe(ngx_im_uring_t *uring, ngx_err_t *err)
{
    int        pair[2];
    ngx_int_t  rc;

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, pair) == -1) {
        *err = ngx_errno;
        return NGX_ERROR;
    }

    rc = ngx_im_uring_try(uring, pair, err);

    (void) close(pair[0]);
    (void) close(pair[1]);

    return rc;
}


ngx_im_uring_t *
ngx_im_uring_create(ngx_err_t *err, const char **why)
{
    int              rc;
    ngx_im_uring_t  *uring;

    *why = "io_uring_setup() failed";

    uring = im_calloc(sizeof(ngx_im_uring_t));
    if (uring == NULL) {
        *err = ENOMEM;
        return NULL;
    }

    rc = ngx_im_uring_init(&uring->ring);

    if (rc < 0) {
        *err = -rc;
        im_free(uring);
        return NULL;
    }

    if (ngx_im_uring_probe(uring, err) != NGX_OK) {
        *why = "a send by io_uring failed";
        ngx_im_uring_destroy(uring);
        return NULL;
    }

    return uring;
}


void
ngx_im_uring_destroy(ngx_im_uring_t *uring)
{
    io_uring_queue_exit(&uring->ring);
    im_free(uring);
}
