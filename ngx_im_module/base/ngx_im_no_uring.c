/*
 * Copyright (C) The im authors
 *
 * Builds without liburing.
 */

#include "ngx_im_uring.h"


ngx_im_uring_t *
ngx_im_uring_create(ngx_err_t *err, const char **why)
{
    *err = 0;
    *why = "the module was built without liburing";

    return NULL;
}


void
ngx_im_uring_destroy(ngx_im_uring_t *uring)
{
}


ngx_int_t
ngx_im_uring_send(ngx_im_uring_t *uring, ngx_im_uring_send_t *sends,
    ngx_uint_t n, ngx_err_t *err)
{
    return NGX_ERROR;
}
