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

#include <ngx_sha1.h>


#define NGX_IM_DETACH_TRIES  50       /* of 100 ms */


/* Headers of an upgrade that nginx does not parse. */
typedef struct {
    ngx_table_elt_t  *key;
    ngx_table_elt_t  *version;
    ngx_table_elt_t  *origin;
    ngx_table_elt_t  *protocol;
    ngx_uint_t        upgrade;
    ngx_uint_t        connection;
} ngx_im_headers_t;


/* In the request's pool; the peer first, with its id for $im_session. */
typedef struct {
    ngx_im_peer_t     peer;
    ngx_im_opening_t *opening;     /* until it is the session's */
    ngx_im_place_t    place;         /* not yet the session's */
    ngx_uint_t        tries;
} ngx_im_ctx_t;


/* A comma-separated list has this token, in any case. */
static ngx_uint_t
ngx_im_handshake_token(ngx_str_t *value, const char *token)
{
    size_t   len;
    u_char  *p, *last, *end;

    len = ngx_strlen(token);
    p = value->data;
    end = value->data + value->len;

    while (p < end) {
        last = ngx_strlchr(p, end, ',');

        if (last == NULL) {
            last = end;
        }

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if ((size_t) (last - p) >= len
            && ngx_strncasecmp(p, (u_char *) token, len) == 0)
        {
            p += len;

            while (p < last && (*p == ' ' || *p == '\t')) {
                p++;
            }

            if (p == last) {
                return 1;
            }
        }

        p = last + 1;
    }

    return 0;
}


static void
ngx_im_handshake_headers(ngx_http_request_t *r, ngx_im_headers_t *h)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *elt;

    ngx_memzero(h, sizeof(ngx_im_headers_t));

    part = &r->headers_in.headers.part;
    elt = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return;
            }

            part = part->next;
            elt = part->elts;
            i = 0;
        }

        if (ngx_strcasecmp(elt[i].key.data, (u_char *) "Upgrade") == 0) {
            h->upgrade |= ngx_im_handshake_token(&elt[i].value, "websocket");

        } else if (ngx_strcasecmp(elt[i].key.data, (u_char *) "Connection")
                   == 0)
        {
            h->connection |= ngx_im_handshake_token(&elt[i].value, "upgrade");

        } else if (ngx_strcasecmp(elt[i].key.data,
                                  (u_char *) "Sec-WebSocket-Key") == 0)
        {
            h->key = &elt[i];

        } else if (ngx_strcasecmp(elt[i].key.data,
                                  (u_char *) "Sec-WebSocket-Version") == 0)
        {
            h->version = &elt[i];

        } else if (ngx_strcasecmp(elt[i].key.data, (u_char *) "Origin") == 0) {
            h->origin = &elt[i];

        } else if (ngx_strcasecmp(elt[i].key.data,
                                  (u_char *) "Sec-WebSocket-Protocol") == 0)
        {
            h->protocol = &elt[i];
        }
    }
}


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


static ngx_int_t
ngx_im_handshake_refuse(ngx_http_request_t *r, ngx_int_t status,
    const char *name, const char *value, const char *why)
{
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "im: handshake refused with %i: %s", status, why);

    if (name != NULL
        && ngx_im_handshake_header(r, name, (u_char *) value,
                                   ngx_strlen(value)) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    if (status != 426) {
        return status;
    }

    /* nginx has no page for 426 */

    r->headers_out.status = status;
    r->headers_out.content_length_n = 0;
    ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");
    r->header_only = 1;

    return ngx_http_send_header(r);
}


/* 16 bytes in base64. */
static ngx_uint_t
ngx_im_handshake_key(ngx_str_t *key)
{
    u_char     buf[32];
    ngx_str_t  decoded;

    if (key->len != 24 || key->data[23] != '=' || key->data[22] != '=') {
        return 0;
    }

    decoded.data = buf;

    return ngx_decode_base64(&decoded, key) == NGX_OK && decoded.len == 16;
}


/* A client that asks for no subprotocol gets the one that the protocol has. */
static ngx_uint_t
ngx_im_handshake_form(ngx_http_request_t *r, const im_proto_t *proto,
    ngx_table_elt_t *protocol)
{
    size_t           len;
    ngx_str_t        value;
    const im_arg_t  *arg;

    for (arg = proto->unserved; arg != NULL && arg->name != NULL; arg++) {
        len = ngx_strlen(arg->value);

        if (ngx_http_arg(r, (u_char *) arg->name, ngx_strlen(arg->name),
                         &value)
            == NGX_OK
            && value.len == len && ngx_memcmp(value.data, arg->value, len) == 0)
        {
            return 0;
        }
    }

    return proto->subprotocol == NULL || protocol == NULL
           || ngx_im_handshake_token(&protocol->value, proto->subprotocol);
}


/* Only browsers send an origin, so a request without one is not of a page. */
static ngx_uint_t
ngx_im_handshake_origin(ngx_im_loc_conf_t *ilcf, ngx_table_elt_t *origin)
{
    ngx_str_t   *allowed;
    ngx_uint_t   i;

    if (ilcf->origins == NULL || origin == NULL) {
        return 1;
    }

    allowed = ilcf->origins->elts;

    for (i = 0; i < ilcf->origins->nelts; i++) {

        if (allowed[i].len == 1 && allowed[i].data[0] == '*') {
            return 1;
        }

        if (allowed[i].len == origin->value.len
            && ngx_strncasecmp(allowed[i].data, origin->value.data,
                               allowed[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: the upgrade is valid; else the status of the refusal. */
static ngx_int_t
ngx_im_handshake_check(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_headers_t *h)
{
    if (r != r->main || ilcf->proto == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_GET) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_NOT_ALLOWED, "Allow", "GET",
                                       "method is not GET");
    }

    if (r->http_version != NGX_HTTP_VERSION_11) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, NULL, NULL,
                                       "not HTTP/1.1");
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, NULL, NULL,
                                       "upgrade with a body");
    }

    if (!h->upgrade || !h->connection) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, "Upgrade",
                                       "websocket", "no upgrade to websocket");
    }

    if (h->version == NULL || h->version->value.len != 2
        || ngx_memcmp(h->version->value.data, "13", 2) != 0)
    {
        return ngx_im_handshake_refuse(r, 426, "Sec-WebSocket-Version", "13",
                                       "websocket version is not 13");
    }

    if (h->key == NULL || !ngx_im_handshake_key(&h->key->value)) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, NULL, NULL,
                                       "invalid Sec-WebSocket-Key");
    }

    if (!ngx_im_handshake_form(r, ilcf->proto, h->protocol)) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, NULL, NULL,
                                       "subprotocol is not served");
    }

    if (ngx_im_opening_host(r).len > NGX_IM_HOST_MAX) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_BAD_REQUEST, NULL, NULL,
                                       "Host is too long");
    }

    if (!ngx_im_handshake_origin(ilcf, h->origin)) {
        return ngx_im_handshake_refuse(r, NGX_HTTP_FORBIDDEN, NULL, NULL,
                                       "origin is not allowed");
    }

    return NGX_DECLINED;
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

    if (why == NULL && r->count != 1) {
        why = "mirror and other background requests are not possible here";
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

    ngx_im_opening_unref(ngx_im_worker, ctx->opening);
    ngx_im_admit_cancel(ngx_im_worker, &ctx->place);
}


static ngx_im_ctx_t *
ngx_im_handshake_ctx(ngx_http_request_t *r)
{
    ngx_im_ctx_t        *ctx;
    ngx_im_peer_t       *peer;
    struct sockaddr     *sa;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_im_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_im_ctx_t));

    cln->handler = ngx_im_handshake_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_im_module);

    peer = &ctx->peer;
    ngx_im_random(peer->id);

    /* the address after realip, where that is on */

    sa = r->connection->sockaddr;
    peer->family = (u_char) sa->sa_family;

    switch (peer->family) {

    case AF_INET:
        ngx_memcpy(peer->addr, &((struct sockaddr_in *) sa)->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        ngx_memcpy(peer->addr, &((struct sockaddr_in6 *) sa)->sin6_addr, 16);
        break;
#endif

    default:
        peer->family = AF_UNIX;
    }

    ctx->opening = ngx_im_opening_get(ngx_im_worker, r);

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
                                   ngx_im_budget_limit(why));
}


static ngx_int_t
ngx_im_handshake_accept(ngx_http_request_t *r, ngx_str_t *key,
    const char *subprotocol)
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
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, guid, sizeof(guid) - 1);
    ngx_sha1_final(digest, &sha1);

    src.data = digest;
    src.len = 20;

    ngx_encode_base64(&dst, &src);

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;
    r->keepalive = 0;

    /* nginx writes "Connection: upgrade" itself */

    if (ngx_im_handshake_header(r, "Upgrade", (u_char *) "websocket", 9)
        != NGX_OK
        || ngx_im_handshake_header(r, "Sec-WebSocket-Accept", dst.data,
                                   dst.len)
           != NGX_OK
        || (subprotocol != NULL
            && ngx_im_handshake_header(r, "Sec-WebSocket-Protocol",
                                       (u_char *) subprotocol,
                                       ngx_strlen(subprotocol))
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
ngx_im_detach_handler(ngx_event_t *rev)
{
    ngx_im_ctx_t        *ctx;
    ngx_connection_t    *c;
    ngx_im_session_t    *s;
    ngx_im_loc_conf_t   *ilcf;
    ngx_http_request_t  *r;

    c = rev->data;
    r = c->data;
    ctx = ngx_http_get_module_ctx(r, ngx_im_module);
    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    if (c->close || ngx_terminate || c->error) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (r->count != 1 || r->blocked || r->postponed || r->buffered
        || c->buffered)
    {
        if (ctx->tries++ < NGX_IM_DETACH_TRIES) {
            ngx_add_timer(rev, 100);
            return;
        }

        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "im: request is still in use 5 s after its upgrade");
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    s = ngx_im_session_create(ngx_im_worker, c, ilcf, &im_transport_ws,
                              &ctx->peer, ctx->place.host);
    if (s == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    s->opening = ctx->opening;

    ctx->opening = NULL;
    ctx->place.held = 0;

    ngx_im_detach(r, s);
}


ngx_int_t
ngx_im_handshake_handler(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_im_ctx_t       *ctx;
    ngx_im_headers_t    h;
    ngx_connection_t   *c;
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    ngx_im_handshake_headers(r, &h);

    rc = ngx_im_handshake_check(r, ilcf, &h);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_im_handshake_ready(r, ilcf);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_im_handshake_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_im_handshake_admit(r, ilcf, ctx);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_im_handshake_accept(r, &h.key->value,
                                 h.protocol != NULL ? ilcf->proto->subprotocol
                                                    : NULL);
    if (rc != NGX_OK) {
        return rc;
    }

    /*
     * NGX_AGAIN: an earlier response is still on its way.  This is rare: the
     * client may come again.
     */

    if (r->connection->buffered || r->buffered) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "im: client doesn't read the answer to its upgrade");
        return NGX_ERROR;
    }

    c = r->connection;

    r->main->count++;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    c->read->handler = ngx_im_detach_handler;
    c->write->handler = ngx_http_empty_handler;

    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_DONE;
}
