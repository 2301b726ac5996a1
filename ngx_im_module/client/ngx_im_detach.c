/*
 * Copyright (C) The im authors
 *
 * A connection leaves its request.
 *
 * A request can not be freed while its handler runs, so a posted event does
 * it.  It copies what the session needs, frees the request and its pools, and
 * for plain connections the pool of the connection too.
 */

#include "ngx_im_detach.h"
#include "ngx_im_attach.h"
#include "ngx_im_client.h"
#include "ngx_im_send.h"


#define NGX_IM_DETACH_EACH   20       /* ms between two looks */
#define NGX_IM_DETACH_LONG   120000   /* ms */


/*
 * What an answer before an internal redirect (X-Accel-Redirect, error_page) has
 * left.  limit_rate is for responses: it could hold a part of ours.
 */
static void
ngx_im_detach_clean(ngx_http_request_t *r)
{
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    ngx_str_null(&r->headers_out.content_type);
    r->headers_out.content_type_len = 0;

    r->err_status = 0;
    r->keepalive = 0;
    r->limit_rate = 0;
    r->limit_rate_set = 1;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif
}


static void
ngx_im_detach_type(ngx_http_request_t *r, const char *type)
{
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = strcspn(type, ";");
    r->headers_out.content_type_lowcase = NULL;
}


/* The body ends with the connection: no chunks, and nothing is compressed. */
static ngx_int_t
ngx_im_detach_send_header(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_uint_t  version;

    version = r->http_version;

    if (r->headers_out.status == NGX_HTTP_OK && !ngx_im_attach_needed(r)) {
        r->http_version = NGX_HTTP_VERSION_10;
    }

    rc = ngx_http_send_header(r);

    r->http_version = version;

    return rc;
}


static ngx_int_t
ngx_im_detach_begin(ngx_http_request_t *r, const char *begin)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    if (begin == NULL) {
        return ngx_http_send_special(r, NGX_HTTP_FLUSH);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) begin;
    b->last = b->pos + ngx_strlen(begin);
    b->memory = 1;
    b->flush = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_im_detach_head(ngx_http_request_t *r, const char *type, const char *begin)
{
    ngx_int_t  rc;

    ngx_im_detach_clean(r);

    if (type != NULL) {
        ngx_im_detach_type(r, type);
    }

    rc = ngx_im_detach_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK
        || ngx_im_detach_begin(r, begin) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* As ngx_http_set_keepalive() does. */
static void
ngx_im_detach_buffers(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    ngx_chain_t  *cl, *next;

    if (c->buffer != NULL) {
        (void) ngx_pfree(c->pool, c->buffer->start);
        c->buffer->start = NULL;
    }

    for (cl = hc->free; cl; cl = next) {
        next = cl->next;
        (void) ngx_pfree(c->pool, cl->buf->start);
    }

    hc->free = NULL;

    for (cl = hc->busy; cl; cl = next) {
        next = cl->next;
        (void) ngx_pfree(c->pool, cl->buf->start);
    }

    hc->busy = NULL;
    hc->nbusy = 0;
}


/*
 * A plain connection needs nothing of its pool: without it a client takes half
 * a kilobyte less.  TLS keeps ngx_ssl_connection_t there.
 */
static void
ngx_im_detach_connection(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_HTTP_SSL)

    /*
     * Bytes that TLS refused are offered again from the replies of the session:
     * from another address, and with more bytes behind them.
     */

    if (c->ssl != NULL) {
        ngx_ssl_free_buffer(c);

        (void) SSL_set_mode(c->ssl->connection,
                            SSL_MODE_ENABLE_PARTIAL_WRITE
                            |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        return;
    }

#endif

    pool = c->pool;

    c->log = ngx_im_worker->log;
    c->read->log = c->log;
    c->write->log = c->log;

    c->pool = NULL;
    c->sockaddr = NULL;
    c->socklen = 0;
    c->local_sockaddr = NULL;
    c->local_socklen = 0;
    c->buffer = NULL;
    c->proxy_protocol = NULL;
    ngx_str_null(&c->addr_text);

    ngx_destroy_pool(pool);
}


void
ngx_im_detach_run(ngx_im_session_t *s, im_str_t first, im_str_t early)
{
    ngx_connection_t  *c;

    c = s->connection;

    c->data = s;
    c->idle = 1;
    c->log->action = "in a session";

    ngx_im_detach_connection(c);

    c->read->handler = ngx_im_recv_handler;
    c->write->handler = ngx_im_send_handler;

    if (s->phase >= NGX_IM_ENDING) {
        return;
    }

    if (ngx_tcp_nodelay(c) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK)
    {
        ngx_im_session_close(s, IM_REASON_LOST, "socket error");
        return;
    }

    ngx_im_recv_start(s, first, early);
}


/* A copy of what came with the request, and of bytes that came behind it. */
static u_char *
ngx_im_detach_copy(ngx_http_request_t *r, im_str_t *first, im_str_t *early)
{
    u_char  *p, *copy;

    early->data = NULL;
    early->len = r->header_in->last - r->header_in->pos;

    copy = im_alloc(first->len + early->len + 1);
    if (copy == NULL) {
        return NULL;
    }

    p = im_copy(copy, first->data, first->len);
    im_copy(p, r->header_in->pos, early->len);

    first->data = first->data != NULL ? copy : NULL;
    early->data = p;

    return copy;
}


static void
ngx_im_detach(ngx_http_request_t *r, ngx_im_session_t *s, im_str_t first)
{
    u_char                 *copy;
    im_str_t                early;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = r->connection;
    hc = r->http_connection;

    early = im_str_set("", 0);
    copy = ngx_im_detach_copy(r, &first, &early);

    ngx_http_free_request(r, 0);

    c->destroyed = 0;

    ngx_im_detach_buffers(c, hc);

    if (copy == NULL) {
        ngx_im_session_close(s, IM_REASON_LOST, "no memory");
    }

    ngx_im_detach_run(s, first, early);

    im_free(copy);
}


static void
ngx_im_detach_end(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


/*
 * NGX_AGAIN: a part of the answer waits for the socket, or others use the
 * request: mirror, and whatever else runs in the background.
 */
static ngx_int_t
ngx_im_detach_ready(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    if (ngx_im_attach_needed(r)) {
        return NGX_OK;
    }

    c = r->connection;

    if ((r->buffered || c->buffered)
        && (ngx_http_output_filter(r, NULL) == NGX_ERROR
            || ngx_handle_write_event(c->write, 0) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return r->count != 1 || r->blocked || r->postponed || r->buffered
           || c->buffered
           ? NGX_AGAIN : NGX_OK;
}


void
ngx_im_detach_patience(ngx_im_session_t *s)
{
#ifdef TCP_USER_TIMEOUT

    unsigned int  ms;

    if (s->class->transport->decode != NULL) {
        return;
    }

    ms = (unsigned int) ngx_min(s->class->conf->pong, NGX_MAX_INT32_VALUE);

    (void) setsockopt(s->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
                      sizeof(ms));

#endif
}


static void
ngx_im_detach_session(ngx_http_request_t *r, ngx_im_handshake_t *hs)
{
    ngx_uint_t          kept;
    ngx_im_session_t   *s;
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    s = ngx_im_session_create(ngx_im_worker, r->connection, ilcf,
                              hs->proto, hs->transport, &hs->peer,
                              hs->place.host);
    if (s == NULL) {
        ngx_im_detach_end(r);
        return;
    }

    kept = ngx_im_attach_needed(r);

    ngx_im_detach_patience(s);

    s->opening = hs->opening;

    hs->opening = NULL;
    hs->place.held = 0;

    ngx_im_access_begin(r, s);

    if (!kept) {
        ngx_im_detach(r, s, hs->first);

    } else if (ngx_im_kept_begin(s, &hs->kept, r) == NGX_OK
               && ngx_im_access_keep(r, &hs->kept) == NGX_OK)
    {
        ngx_im_attach(r, s, hs);

    } else {
        ngx_im_session_close(s, IM_REASON_LOST, "no memory");
        ngx_im_detach_end(r);
        return;
    }

    /* it came too late for the drain, unless it can move */

    if (ngx_exiting && !ngx_im_worker->handing) {
        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
    }
}


/*
 * Its timer is its own: those of the connection belong to whatever still runs
 * for the request.
 */
static void
ngx_im_detach_handler(ngx_event_t *ev)
{
    ngx_int_t            rc;
    ngx_im_handshake_t  *hs;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;
    hs = ngx_http_get_module_ctx(r, ngx_im_module);

    rc = c->close || ngx_terminate || c->error ? NGX_ERROR
                                               : ngx_im_detach_ready(r);
    if (rc == NGX_OK) {
        ngx_im_detach_session(r, hs);
        return;
    }

    if (rc == NGX_AGAIN
        && ngx_current_msec - hs->start < NGX_IM_DETACH_LONG)
    {
        ngx_add_timer(ev, NGX_IM_DETACH_EACH);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "im: a request is still in use %d s after its upgrade, "
                      "by mirror or the like", NGX_IM_DETACH_LONG / 1000);
    }

    ngx_im_detach_end(r);
}


/* Until the request is free, the client's frames wait in the socket. */
static void
ngx_im_detach_socket(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        ngx_im_detach_end(c->data);
        return;
    }

    if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && ev->active
        && ngx_del_event(ev, ev->write ? NGX_WRITE_EVENT : NGX_READ_EVENT, 0)
           != NGX_OK)
    {
        ngx_im_detach_end(c->data);
    }
}


void
ngx_im_detach_start(ngx_http_request_t *r, ngx_im_handshake_t *hs)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->main->count++;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_im_attach_needed(r)) {
        r->read_event_handler = ngx_http_test_reading;

    } else {
        c->read->handler = ngx_im_detach_socket;
        c->write->handler = ngx_im_detach_socket;
    }

    hs->start = ngx_current_msec;
    hs->detach.handler = ngx_im_detach_handler;
    hs->detach.data = r;
    hs->detach.log = c->log;

    ngx_post_event(&hs->detach, &ngx_posted_events);
}
