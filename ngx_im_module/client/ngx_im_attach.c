/*
 * Copyright (C) The im authors
 *
 * A session that keeps its request: events of the request become the session's.
 */

#include "ngx_im_attach.h"
#include "ngx_im_client.h"
#include "ngx_im_send.h"


ngx_uint_t
ngx_im_attach_needed(ngx_http_request_t *r)
{
    return r->http_version > NGX_HTTP_VERSION_11;
}


static ngx_im_session_t *
ngx_im_attach_session(ngx_http_request_t *r)
{
    ngx_im_handshake_t  *hs;

    hs = ngx_http_get_module_ctx(r, ngx_im_module);

    return hs->kept.session;
}


/* The client has reset the stream, or the connection is lost. */
static ngx_uint_t
ngx_im_attach_lost(ngx_http_request_t *r)
{
    return r->connection->error || r->connection->read->error;
}


static void
ngx_im_attach_read(ngx_http_request_t *r)
{
    ngx_im_recv_held_only(ngx_im_attach_session(r), ngx_im_attach_lost(r));
}


static void
ngx_im_attach_write(ngx_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_im_session_t  *s;

    s = ngx_im_attach_session(r);

    rc = ngx_im_attach_lost(r) ? NGX_ERROR : ngx_im_kept_flush(s);

    if (rc == NGX_ERROR) {
        ngx_im_recv_held_only(s, 1);

    } else if (rc == NGX_OK) {
        ngx_im_send_ready(s);
    }
}


void
ngx_im_attach(ngx_http_request_t *r, ngx_im_session_t *s,
    ngx_im_handshake_t *hs)
{
    r->connection->log->action = "in a session";

    r->read_event_handler = ngx_im_attach_read;
    r->write_event_handler = ngx_im_attach_write;

    ngx_im_recv_first(s, hs->first);

    if (ngx_exiting) {
        ngx_im_worker->events->quit(ngx_im_worker);
    }
}
