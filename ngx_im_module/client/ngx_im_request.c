/*
 * Copyright (C) The im authors
 *
 * Requests of the module's own.
 *
 * A detached session has no request, so a question brings one: an in-memory
 * subrequest, whose parent never sends anything.  It has a connection of its
 * own, with a socket to which no peer writes, so that whatever nginx and its
 * modules do with a connection is right: waiting for events, delays, the end of
 * a request in the middle of its work.
 *
 * It starts behind the rewrite phase of the server, whose rules are for
 * clients, with the variables that the server sets.  It carries what the
 * client's handshake had: server, scheme, host and addresses.
 */

#include "ngx_im_request.h"
#include "ngx_im_nginx.h"
#include "ngx_im_opening.h"
#include "ngx_im_server_set.h"


#define NGX_IM_REQUEST_POOL  4096


/* In the pool of the connection. */
typedef struct {
    ngx_http_connection_t    hc;
    ngx_log_t                log;
    ngx_http_log_ctx_t       log_ctx;
    ngx_buf_t                header;     /* empty */
    ngx_buf_t                buf;
    ngx_chain_t              chain;
    ngx_http_request_body_t  body;
    ngx_http_post_subrequest_t post;
    ngx_sockaddr_t           peer;
    ngx_sockaddr_t           local;
    u_char                   addr[NGX_SOCKADDR_STRLEN];
    u_char                   length[NGX_SIZE_T_LEN];
} ngx_im_request_ctx_t;


static ssize_t
ngx_im_request_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    c->read->ready = 0;

    return NGX_AGAIN;
}


static ssize_t
ngx_im_request_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    return size;
}


static ngx_chain_t *
ngx_im_request_sink(ngx_connection_t *c, ngx_chain_t *in, off_t limit)
{
    for ( /* void */ ; in != NULL; in = in->next) {
        c->sent += ngx_buf_size(in->buf);
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    return NULL;
}


/* As ngx_http_request_handler() does. */
static void
ngx_im_request_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    if (c->close) {
        ngx_http_finalize_request(r->main, NGX_ERROR);
        ngx_http_run_posted_requests(c);
        return;
    }

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * The address of the client; its port, unless the address is one that realip
 * has set.
 */
static void
ngx_im_request_peer(ngx_im_request_ctx_t *ctx, ngx_connection_t *c,
    ngx_im_session_t *s)
{
    socklen_t            len;
    ngx_sockaddr_t       sa;
    struct sockaddr_in  *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6 *sin6;
#endif

    len = sizeof(ngx_sockaddr_t);
    ngx_memzero(&sa, sizeof(ngx_sockaddr_t));
    (void) getpeername(s->connection->fd, &sa.sockaddr, &len);

    ctx->peer.sockaddr.sa_family = s->peer.family;
    c->sockaddr = &ctx->peer.sockaddr;
    c->socklen = offsetof(struct sockaddr, sa_data);

    if (s->peer.family == AF_INET) {
        sin = &ctx->peer.sockaddr_in;
        ngx_memcpy(&sin->sin_addr, s->peer.addr, 4);
        c->socklen = sizeof(struct sockaddr_in);

        if (sa.sockaddr.sa_family == AF_INET
            && ngx_memcmp(&sa.sockaddr_in.sin_addr, s->peer.addr, 4) == 0)
        {
            sin->sin_port = sa.sockaddr_in.sin_port;
        }
    }

#if (NGX_HAVE_INET6)
    if (s->peer.family == AF_INET6) {
        sin6 = &ctx->peer.sockaddr_in6;
        ngx_memcpy(&sin6->sin6_addr, s->peer.addr, 16);
        c->socklen = sizeof(struct sockaddr_in6);

        if (sa.sockaddr.sa_family == AF_INET6
            && ngx_memcmp(&sa.sockaddr_in6.sin6_addr, s->peer.addr, 16) == 0)
        {
            sin6->sin6_port = sa.sockaddr_in6.sin6_port;
        }
    }
#endif

    c->addr_text.len = ngx_im_session_addr(s, ctx->addr);
    c->addr_text.data = ctx->addr;
}


static void
ngx_im_request_local(ngx_im_request_ctx_t *ctx, ngx_connection_t *c,
    ngx_im_session_t *s)
{
    c->local_sockaddr = &ctx->local.sockaddr;
    c->local_socklen = sizeof(ngx_sockaddr_t);

    if (getsockname(s->connection->fd, c->local_sockaddr, &c->local_socklen)
        == -1)
    {
        ctx->local.sockaddr.sa_family = AF_UNIX;
        c->local_socklen = offsetof(struct sockaddr, sa_data);
    }
}


#if (NGX_HTTP_SSL)

/* The connection of the client may close it at any time: both hold it. */
static void
ngx_im_request_tls(ngx_connection_t *c, ngx_connection_t *client)
{
    if (client->ssl == NULL) {
        return;
    }

    c->ssl = ngx_palloc(c->pool, sizeof(ngx_ssl_connection_t));

    if (c->ssl != NULL) {
        *c->ssl = *client->ssl;
        (void) SSL_up_ref(c->ssl->connection);
    }
}

#endif


/* nginx must not say goodbye to the client when it closes our connection. */
static void
ngx_im_request_tls_free(void *data)
{
#if (NGX_HTTP_SSL)
    ngx_connection_t  *c = data;

    if (c->ssl != NULL) {
        SSL_free(c->ssl->connection);
        c->ssl = NULL;
    }
#endif
}


static void
ngx_im_request_ended(void *data)
{
    ngx_im_request_t  *rq = data;

    if (rq->request != NULL) {
        rq->request = NULL;
        rq->events->ended(rq);
    }
}


static ngx_connection_t *
ngx_im_request_socket(void)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    fd = ngx_socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_im_worker->log, ngx_socket_errno,
                      "im: " ngx_socket_n " failed");
        return NULL;
    }

    c = ngx_get_connection(fd, ngx_im_worker->log);
    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return NULL;
    }

    c->pool = ngx_create_pool(NGX_IM_REQUEST_POOL, ngx_im_worker->log);
    if (c->pool == NULL) {
        ngx_close_connection(c);
        return NULL;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;
}


/* What the connection of the client has. */
static ngx_int_t
ngx_im_request_fill(ngx_connection_t *c, ngx_im_session_t *s)
{
    ngx_im_request_ctx_t  *ctx;

    ctx = ngx_pcalloc(c->pool, sizeof(ngx_im_request_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->log = *ngx_im_worker->log;
    ctx->log.handler = ngx_im_nginx_log;
    ctx->log.data = &ctx->log_ctx;
    ctx->log.action = "asking a backend";
    ctx->log.connection = s->connection->number;
    ctx->log_ctx.connection = c;

    c->log = &ctx->log;
    c->pool->log = c->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_im_request_handler;
    c->write->handler = ngx_im_request_handler;
    c->write->ready = 1;
    c->recv = ngx_im_request_recv;
    c->send = ngx_im_request_send;
    c->send_chain = ngx_im_request_sink;
    c->number = s->connection->number;
    c->start_time = ngx_current_msec;
    c->type = SOCK_STREAM;
    c->buffer = &ctx->header;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    ngx_im_request_peer(ctx, c, s);
    ngx_im_request_local(ctx, c, s);

#if (NGX_HTTP_SSL)
    ngx_im_request_tls(c, s->connection);
#endif

    ctx->hc.conf_ctx = s->class->conf->cscf->ctx;
    c->data = &ctx->hc;

    return NGX_OK;
}


/* NULL: nothing is left of it. */
static ngx_connection_t *
ngx_im_request_connection(ngx_im_request_t *rq, ngx_im_session_t *s)
{
    ngx_connection_t    *c;
    ngx_pool_cleanup_t  *cln;

    c = ngx_im_request_socket();
    if (c == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(c->pool, 0);

    if (cln == NULL || ngx_im_request_fill(c, s) != NGX_OK) {
        ngx_http_close_connection(c);
        return NULL;
    }

    cln->handler = ngx_im_request_ended;
    cln->data = rq;

    return c;
}


static ngx_table_elt_t *
ngx_im_request_header(ngx_http_request_t *r, const char *name,
    const char *lowcase, u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = (u_char *) lowcase;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value.data = value;
    h->value.len = len;

    return h;
}


static ngx_int_t
ngx_im_request_headers(ngx_http_request_t *r, ngx_im_request_ctx_t *ctx,
    ngx_im_session_t *s, size_t length)
{
    static u_char  json[] = "application/json";

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.server = s->class->conf->cscf->server_name;
    r->headers_in.content_length_n = length;

    r->headers_in.content_length =
        ngx_im_request_header(r, "Content-Length", "content-length",
                              ctx->length,
                              ngx_sprintf(ctx->length, "%uz", length)
                              - ctx->length);

    r->headers_in.content_type =
        ngx_im_request_header(r, "Content-Type", "content-type", json,
                              sizeof(json) - 1);

    if (r->headers_in.content_length == NULL
        || r->headers_in.content_type == NULL)
    {
        return NGX_ERROR;
    }

    return ngx_im_opening_headers(s->opening, r);
}


static void
ngx_im_request_body(ngx_http_request_t *r, ngx_im_request_ctx_t *ctx,
    im_str_t body)
{
    ngx_buf_t  *b;

    b = &ctx->buf;
    b->start = body.data;
    b->pos = b->start;
    b->last = b->start + body.len;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = 1;

    ctx->chain.buf = b;
    ctx->body.bufs = &ctx->chain;
    r->request_body = &ctx->body;
}


/* It counts as one that is answered, and is no request of a client's. */
static void
ngx_im_request_set(ngx_http_request_t *r, const ngx_str_t *uri)
{
#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    r->stat_reading = 0;
    (void) ngx_atomic_fetch_add(ngx_stat_writing, 1);
    r->stat_writing = 1;
#endif

    r->method = NGX_HTTP_POST;
    ngx_str_set(&r->method_name, "POST");
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->uri = *uri;
    r->unparsed_uri = r->uri;
    r->http_state = NGX_HTTP_PROCESS_REQUEST_STATE;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;
    r->logged = 1;

    /* post_action of the server is for clients */

    r->post_action = 1;
    r->uri_changes = 0;
}


static ngx_http_request_t *
ngx_im_request_create(ngx_im_request_t *rq, ngx_connection_t *c,
    ngx_im_session_t *s)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_request_t    *r;
    ngx_im_request_ctx_t  *ctx;

    ctx = c->data;      /* hc is its first member */

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NULL;
    }

    c->data = r;

    ngx_im_request_set(r, rq->uri);
    ngx_im_request_body(r, ctx, rq->body);

    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (cln == NULL
        || ngx_im_request_headers(r, ctx, s, rq->body.len) != NGX_OK)
    {
        ngx_http_free_request(r, 0);
        return NULL;
    }

    cln->handler = ngx_im_request_tls_free;
    cln->data = c;

    return r;
}


/*
 * An error is given back, so that nginx treats it as it always does: error_page
 * may have another answer, which is the next call.
 */
static ngx_int_t
ngx_im_request_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_buf_t         *b;
    im_str_t           body;
    ngx_im_request_t  *rq;

    rq = data;

    if (rq->done) {
        return rc;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_HTTP_CREATED
        || rc == NGX_HTTP_NO_CONTENT)
    {
        rq->status = rc;
        return rc;
    }

    if (rc == NGX_ERROR || r->connection->error || r->buffered
        || r->postponed != NULL)
    {
        return rc;
    }

    body = im_str_set("", 0);

    if (r->out != NULL && r->out->buf != NULL) {
        b = r->out->buf;
        body = im_str_set(b->pos, b->last - b->pos);
    }

    rq->done = 1;
    rq->events->answered(rq, r->headers_out.status, body);

    return rc;
}


/* In the place of ngx_http_handler(). */
static void
ngx_im_request_location(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_im_main_conf_t         *imcf;
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = cmcf->phase_engine.handlers;

    for (i = 0; ph[i].checker != NULL; i++) {
        if (ph[i].checker == ngx_http_core_find_config_phase) {
            break;
        }
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_im_module);

    ngx_im_server_set(r, imcf);

    r->phase_handler = i;
    r->valid_location = 1;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


ngx_int_t
ngx_im_request_start(ngx_im_request_t *rq, ngx_im_session_t *s)
{
    ngx_str_t              uri;
    ngx_connection_t      *c;
    ngx_http_request_t    *r, *sr;
    ngx_im_request_ctx_t  *ctx;

    c = ngx_im_request_connection(rq, s);
    if (c == NULL) {
        return NGX_ERROR;
    }

    ctx = c->data;
    ctx->post.handler = ngx_im_request_done;
    ctx->post.data = rq;

    r = ngx_im_request_create(rq, c, s);

    if (r == NULL) {
        ngx_im_request_tls_free(c);
        ngx_http_close_connection(c);
        return NGX_ERROR;
    }

    uri = *rq->uri;

    if (ngx_http_subrequest(r, &uri, NULL, &sr, &ctx->post,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY)
        != NGX_OK)
    {
        ngx_http_free_request(r, 0);
        ngx_http_close_connection(c);
        return NGX_ERROR;
    }

    sr->method = r->method;
    sr->method_name = r->method_name;
    sr->write_event_handler = ngx_im_request_location;

    rq->request = r;

    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


/* Nothing is read or sent: its events are there for code that looks at them. */
static ngx_connection_t *
ngx_im_request_memory(ngx_im_session_t *s)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    pool = ngx_create_pool(NGX_IM_REQUEST_POOL, ngx_im_worker->log);
    if (pool == NULL) {
        return NULL;
    }

    c = ngx_pcalloc(pool, sizeof(ngx_connection_t));

    if (c != NULL) {
        c->read = ngx_pcalloc(pool, sizeof(ngx_event_t));
        c->write = ngx_pcalloc(pool, sizeof(ngx_event_t));
    }

    if (c == NULL || c->read == NULL || c->write == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    c->pool = pool;
    c->fd = s->connection->fd;

    if (ngx_im_request_fill(c, s) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return c;
}


static void
ngx_im_request_times(ngx_http_request_t *r, ngx_im_session_t *s)
{
    r->start_sec = s->start;
    r->start_msec = 0;
    r->request_length = s->bytes_in;
    r->connection->sent = s->bytes_out;

    r->headers_out.status = s->class->transport->kind == IM_TRANSPORT_WEBSOCKET
                            ? NGX_HTTP_SWITCHING_PROTOCOLS : NGX_HTTP_OK;
}


void
ngx_im_request_past_end(ngx_http_request_t *r, ngx_uint_t logged)
{
    ngx_connection_t  *c;

    c = r->connection;
    r->logged = !logged;

    ngx_http_free_request(r, 0);

    ngx_im_request_tls_free(c);
    ngx_destroy_pool(c->pool);
}


ngx_http_request_t *
ngx_im_request_past(ngx_im_session_t *s)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ngx_im_request_memory(s);
    if (c == NULL) {
        return NULL;
    }

    r = ngx_http_create_request(c);

    if (r == NULL) {
        ngx_im_request_tls_free(c);
        ngx_destroy_pool(c->pool);
        return NULL;
    }

    c->data = r;

    ngx_im_request_set(r, &s->class->conf->clcf->name);
    ngx_im_request_times(r, s);

    r->method = NGX_HTTP_GET;
    ngx_str_set(&r->method_name, "GET");
    r->headers_in.server = s->class->conf->cscf->server_name;

    /* the server itself has none: im_listen */

    if (s->class->conf->clcf->loc_conf != NULL) {
        r->loc_conf = s->class->conf->clcf->loc_conf;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
#endif

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK
        || ngx_im_opening_headers(s->opening, r) != NGX_OK)
    {
        ngx_im_request_past_end(r, 0);
        return NULL;
    }

    return r;
}


/*
 * What still runs in the background behind an answer, such as a mirror, comes
 * to its end.  All else ends now.
 */
void
ngx_im_request_end(ngx_im_request_t *rq)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = rq->request;

    if (r == NULL) {
        return;
    }

    c = r->connection;

    ngx_im_request_tls_free(c);

    ngx_http_finalize_request(r, rq->done && r->count > 1 ? NGX_DONE
                                                          : NGX_ERROR);
    ngx_http_run_posted_requests(c);
}
