/*
 * Copyright (C) The im authors
 *
 * A guard against a fault of nginx, which would cost all sessions of a worker.
 *
 * nginx answers a faulty head with 400 before it has set what a writable socket
 * means for the request.  If the client resets the connection in that moment,
 * and an earlier request of the connection went to an upstream, then nginx 1.22
 * calls that NULL.  So each answer sets it, where nginx has not.
 */

#include "ngx_im_hooks.h"


static ngx_http_output_header_filter_pt  ngx_im_guard_next;


static ngx_int_t
ngx_im_guard_filter(ngx_http_request_t *r)
{
    if (r->write_event_handler == NULL) {
        r->write_event_handler = ngx_http_request_empty_handler;
    }

    return ngx_im_guard_next(r);
}


void
ngx_im_guard_init(void)
{
    ngx_im_guard_next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_im_guard_filter;
}
