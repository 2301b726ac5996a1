/*
 * Copyright (C) The im authors
 *
 * From a request to a session: checks the upgrade (RFC 6455 section 4.2),
 * answers 101 and detaches the connection from the request.
 *
 * A request can not be freed while its handler runs, so a posted event does
 * it.  It copies what the session needs, frees the request and its pools, and
 * for plain connections the pool of the connection too.
 */

#include "ngx_im_admit.h"
#include "ngx_im_follow.h"
#include "ngx_im_client.h"
#include "ngx_im_opening.h"
#include "ngx_im_send.h"
#include "ngx_im_upgrade.h"

#include <ngx_sha1.h>


#define NGX_IM_DETACH_EACH   20       /* ms between two looks */
#define NGX_IM_DETACH_LONG   120000   /* ms */


/* In the request's pool; the peer first, with its id for $im_session. */
typedef struct {
    ngx_im_peer_t     peer;
    ngx_im_opening_t *opening;     /* until it is the session's */
    const im_proto_t *proto;
    const im_transport_t *transport;
    ngx_im_place_t    place;         /* not yet the session's */
    ngx_event_t       detach;
    ngx_msec_t        start;
} ngx_im_ctx_t;


static ngx_int_t
ngx_im_handshake_header(ngx_http_request_t *r, const char *name,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = value;
    h->value.len = len;

    return NGX_OK;
}


/* The operator's own page for this status. */
static ngx_uint_t
ngx_im_handshake_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *pages;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return 0;
    }

    pages = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (pages[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


/* In words, since people open the address in a browser. */
static ngx_int_t
ngx_im_handshake_text(ngx_http_request_t *r, ngx_uint_t status,
    const char *why)
{
    size_t                    size;
    ngx_str_t                 type;
    ngx_http_complex_value_t  text;

    static const char  intro[] = "This is a WebSocket address, for clients "
                                 "that connect with the scheme ws or wss.";

    ngx_memzero(&text, sizeof(ngx_http_complex_value_t));
    ngx_str_set(&type, "text/plain");

    size = sizeof(intro) + NGX_INT_T_LEN + ngx_strlen(why) + 4;

    text.value.data = ngx_pnalloc(r->pool, size);
    if (text.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.value.len = ngx_snprintf(text.value.data, size, "%s\n%ui: %s\n",
                                  intro, status, why)
                     - text.value.data;

    /* nginx has no words for these */

    if (status == NGX_IM_UPGRADE_REQUIRED) {
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");

    } else if (status == NGX_IM_HEADERS_TOO_LARGE) {
        ngx_str_set(&r->headers_out.status_line,
                    "431 Request Header Fields Too Large");
    }

    return ngx_http_send_response(r, status, &type, &text);
}


static ngx_int_t
ngx_im_handshake_refuse(ngx_http_request_t *r, ngx_int_t status,
    const char *name, const char *value, const char *why)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "im: handshake refused with %i: %s", status, why);

    if ((name != NULL
         && ngx_im_handshake_header(r, name, (u_char *) value,
                                    ngx_strlen(value)) != NGX_OK)
        || (status == NGX_IM_UPGRADE_REQUIRED
            && ngx_im_handshake_header(r, "Upgrade", (u_char *) "websocket", 9)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK
        || status == NGX_HTTP_BAD_REQUEST)
    {
        r->keepalive = 0;
    }

    return ngx_im_handshake_page(r, status)
           ? status : ngx_im_handshake_text(r, status, why);
}


/* NGX_DECLINED: this worker takes sessions; else the status of the refusal. */
static ngx_int_t
ngx_im_handshake_ready(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf)
{
    const char       *why;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    why = NULL;

    if (w == NULL || w->draining || ngx_exiting || ngx_terminate) {
        why = "this worker ends";

    } else if (ilcf->proto->topics) {
        why = ngx_im_follow_unready(w);
    }

    if (why == NULL) {
        return NGX_DECLINED;
    }

    if (w != NULL) {
        w->counters->refused++;
    }

    return ngx_im_handshake_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "Retry-After", "2", why);
}


/* The request ended before it became a session. */
static void
ngx_im_handshake_cleanup(void *data)
{
    ngx_im_ctx_t  *ctx = data;

    if (ctx->detach.timer_set) {
        ngx_del_timer(&ctx->detach);
    }

    if (ctx->detach.posted) {
        ngx_delete_posted_event(&ctx->detach);
    }

    ngx_im_opening_unref(ngx_im_worker, ctx->opening);
    ngx_im_admit_cancel(ngx_im_worker, &ctx->place);
}


static ngx_im_ctx_t *
ngx_im_handshake_ctx(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    const ngx_im_refused_t **no)
{
    ngx_im_ctx_t        *ctx;
    ngx_pool_cleanup_t  *cln;

    *no = NULL;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_im_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_im_ctx_t));

    cln->handler = ngx_im_handshake_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_im_module);

    ngx_im_peer_init(&ctx->peer, r->connection);
    ngx_im_random(ctx->peer.id);

    ctx->opening = ngx_im_opening_get(ngx_im_worker, r, ilcf, no);

    return ctx->opening != NULL ? ctx : NULL;
}


/* NGX_DECLINED: it has a place; else the status of the refusal. */
static ngx_int_t
ngx_im_handshake_admit(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_ctx_t *ctx)
{
    u_char            *retry;
    ngx_int_t          rc;
    ngx_im_worker_t   *w;
    ngx_im_refusal_e   why;

    w = ngx_im_worker;

    rc = ngx_im_admit(w, ilcf, &ctx->peer, &ctx->place, &why);
    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    w->counters->refused++;

    retry = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
    if (retry == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *ngx_sprintf(retry, "%ui", ngx_im_admit_retry(w, &ctx->peer, why)) = '\0';

    return ngx_im_handshake_refuse(r, rc, "Retry-After", (char *) retry,
                                   ngx_im_budget_text(why));
}


/*
 * What an answer before an internal redirect (X-Accel-Redirect, error_page) has
 * left.  limit_rate is for responses: it could hold a part of ours.
 */
static void
ngx_im_handshake_clean(ngx_http_request_t *r)
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
}


static ngx_int_t
ngx_im_handshake_accept(ngx_http_request_t *r, const ngx_im_upgrade_t *u)
{
    u_char      digest[20];
    ngx_int_t   rc;
    ngx_str_t   src, dst;
    ngx_sha1_t  sha1;

    static const char  guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    dst.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(20));
    if (dst.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, u->key.data, u->key.len);
    ngx_sha1_update(&sha1, guid, sizeof(guid) - 1);
    ngx_sha1_final(digest, &sha1);

    src.data = digest;
    src.len = 20;

    ngx_encode_base64(&dst, &src);

    ngx_im_handshake_clean(r);

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    /* nginx writes "Connection: upgrade" itself */

    if (ngx_im_handshake_header(r, "Upgrade", (u_char *) "websocket", 9)
        != NGX_OK
        || ngx_im_handshake_header(r, "Sec-WebSocket-Accept", dst.data,
                                   dst.len)
           != NGX_OK
        || (u->subprotocol != NULL
            && ngx_im_handshake_header(r, "Sec-WebSocket-Protocol",
                                       (u_char *) u->subprotocol,
                                       ngx_strlen(u->subprotocol))
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK
        || ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR)
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


static void
ngx_im_detach(ngx_http_request_t *r, ngx_im_session_t *s)
{
    size_t                  len;
    u_char                 *early;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = r->connection;
    hc = r->http_connection;
    early = NULL;

    /* frames that came with the upgrade */

    len = r->header_in->last - r->header_in->pos;

    if (len > 0) {
        early = im_alloc(len);
        if (early != NULL) {
            ngx_memcpy(early, r->header_in->pos, len);
        }
    }

    ngx_http_free_request(r, 0);

    c->destroyed = 0;
    c->data = s;
    c->idle = 1;
    c->log->action = "in a websocket session";

    ngx_im_detach_buffers(c, hc);

    ngx_im_detach_connection(c);

    c->read->handler = ngx_im_recv_handler;
    c->write->handler = ngx_im_send_handler;

    if (ngx_tcp_nodelay(c) != NGX_OK
        || ngx_handle_read_event(c->read, 0) != NGX_OK
        || (len > 0 && early == NULL))
    {
        im_free(early);
        ngx_im_session_close(s, IM_REASON_LOST, "no memory or socket error");
        return;
    }

    ngx_im_recv_start(s, early, len);

    im_free(early);
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


static void
ngx_im_detach_session(ngx_http_request_t *r, ngx_im_ctx_t *ctx)
{
    ngx_im_session_t   *s;
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    s = ngx_im_session_create(ngx_im_worker, r->connection, ilcf,
                              ctx->proto, ctx->transport, &ctx->peer,
                              ctx->place.host);
    if (s == NULL) {
        ngx_im_detach_end(r);
        return;
    }

    s->opening = ctx->opening;

    ctx->opening = NULL;
    ctx->place.held = 0;

    ngx_im_detach(r, s);

    /* it came too late for the drain */

    if (ngx_exiting) {
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
    ngx_im_ctx_t        *ctx;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ev->data;
    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_im_module);

    rc = c->close || ngx_terminate || c->error ? NGX_ERROR
                                               : ngx_im_detach_ready(r);
    if (rc == NGX_OK) {
        ngx_im_detach_session(r, ctx);
        return;
    }

    if (rc == NGX_AGAIN
        && ngx_current_msec - ctx->start < NGX_IM_DETACH_LONG)
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


static void
ngx_im_detach_start(ngx_http_request_t *r, ngx_im_ctx_t *ctx)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->main->count++;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    c->read->handler = ngx_im_detach_socket;
    c->write->handler = ngx_im_detach_socket;

    ctx->start = ngx_current_msec;
    ctx->detach.handler = ngx_im_detach_handler;
    ctx->detach.data = r;
    ctx->detach.log = c->log;

    ngx_post_event(&ctx->detach, &ngx_posted_events);
}


ngx_int_t
ngx_im_handshake_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_im_ctx_t            *ctx;
    ngx_im_upgrade_t         u;
    ngx_im_loc_conf_t       *ilcf;
    const ngx_im_refused_t  *no;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    if (r != r->main || ilcf->proto == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    no = ngx_im_upgrade_check(r, ilcf, &u);
    if (no != NULL) {
        return ngx_im_handshake_refuse(r, no->status, no->header, no->value,
                                       no->why);
    }

    rc = ngx_im_handshake_ready(r, ilcf);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_im_handshake_ctx(r, ilcf, &no);

    if (no != NULL) {
        return ngx_im_handshake_refuse(r, no->status, no->header, no->value,
                                       no->why);
    }

    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_im_handshake_admit(r, ilcf, ctx);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx->proto = u.proto;
    ctx->transport = &im_transport_ws;

    rc = ngx_im_handshake_accept(r, &u);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_im_detach_start(r, ctx);

    return NGX_DONE;
}
