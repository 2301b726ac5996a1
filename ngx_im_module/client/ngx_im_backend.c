/*
 * Copyright (C) The im authors
 *
 * Questions to logic and to backends of the operator: in-memory subrequests to
 * internal locations, so that nginx balances, keeps connections alive, fails
 * over and logs.
 *
 * A detached session has no request, so each question brings one, on a
 * connection without a socket, to which nothing is ever sent.  A question names
 * its session by handle, since the session may end before the answer comes.
 */

#include "ngx_im_backend.h"


#define NGX_IM_BACKEND_ATONCE   256
#define NGX_IM_BACKEND_WAITING  10000
#define NGX_IM_BACKEND_BODY     (2 * IM_PUSH_MAX_DATA)
#define NGX_IM_BACKEND_BYTES    (64 * 1024 * 1024)
#define NGX_IM_BACKEND_POOL     4096
#define NGX_IM_BACKEND_ASK      65536    /* besides the data */


typedef struct {
    im_list_t                    link;       /* waiting, or answered */
    ngx_im_worker_t             *worker;
    ngx_im_loc_conf_t           *conf;
    ngx_str_t                    uri;
    ngx_im_backend_pt            handler;
    ngx_im_handle_t              session;
    void                        *data;       /* the handler's; ours to free */
    ngx_http_request_t          *request;
    ngx_uint_t                   status;
    im_str_t                     answer;
    im_str_t                     body;
    ngx_http_post_subrequest_t   post;
    ngx_http_connection_t        hc;
    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_buf_t                    buf;
    ngx_chain_t                  chain;
    ngx_http_request_body_t      request_body;
    ngx_sockaddr_t               sockaddr;
    u_char                       length_text[NGX_SIZE_T_LEN];
    u_char                       addr[NGX_SOCKADDR_STRLEN];
    u_char                       bytes[1];   /* body */
} ngx_im_backend_call_t;


/* The state of one worker. */
typedef struct ngx_im_backend_s  ngx_im_backend_t;

struct ngx_im_backend_s {
    im_list_t                    waiting;
    im_list_t                    answered;
    ngx_uint_t                   nwaiting;
    ngx_uint_t                   nasked;
    size_t                       bytes;      /* of all bodies */
    ngx_event_t                  event;
};


/* Like ngx_http_core_find_static_location(), which needs a request. */
static ngx_http_core_loc_conf_t *
ngx_im_backend_static(ngx_http_location_tree_node_t *node, ngx_str_t *uri)
{
    size_t                     n, len;
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *found;

    p = uri->data;
    len = uri->len;
    found = NULL;

    while (node != NULL) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(p, node->name, n);

        if (rc != 0) {
            node = rc < 0 ? node->left : node->right;

        } else if (len < (size_t) node->len) {
            node = node->left;

        } else if (len == (size_t) node->len) {
            return node->exact != NULL ? node->exact : node->inclusive;

        } else if (node->inclusive != NULL) {
            found = node->inclusive;

            node = node->tree;
            p += n;
            len -= n;

        } else {
            node = node->right;
        }
    }

    return found;
}


ngx_int_t
ngx_im_backend_location(ngx_http_core_srv_conf_t *cscf, ngx_str_t *uri)
{
    ngx_http_core_loc_conf_t  *clcf, *found;

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    found = NULL;

    do {

#if (NGX_PCRE)
        if (clcf->regex_locations != NULL) {
            return NGX_OK;
        }
#endif

        clcf = ngx_im_backend_static(clcf->static_locations, uri);

        if (clcf != NULL) {
            found = clcf;
        }

    } while (clcf != NULL && !clcf->exact_match);

    /*
     * a location with this very name may do without a handler, by "return" or
     * the like
     */

    return found != NULL
           && (found->handler != NULL || found->name.len == uri->len)
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_im_backend_free(ngx_im_backend_call_t *call)
{
    if (call->request != NULL) {
        call->request->logged = 1;
        ngx_http_free_request(call->request, 0);
    }

    if (call->read.posted) {
        ngx_delete_posted_event(&call->read);
    }

    if (call->write.posted) {
        ngx_delete_posted_event(&call->write);
    }

    if (call->read.timer_set) {
        ngx_del_timer(&call->read);
    }

    if (call->write.timer_set) {
        ngx_del_timer(&call->write);
    }

    if (call->connection.pool != NULL) {
        ngx_destroy_pool(call->connection.pool);
    }

    call->worker->backend->bytes -= call->body.len;

    im_free(call->data);
    im_free(call);
}


static ssize_t
ngx_im_backend_no_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_AGAIN;
}


static ngx_chain_t *
ngx_im_backend_sink(ngx_connection_t *c, ngx_chain_t *in, off_t limit)
{
    for ( /* void */ ; in != NULL; in = in->next) {
        c->sent += ngx_buf_size(in->buf);
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }

    return NULL;
}


/* The address of the client, for $remote_addr. */
static void
ngx_im_backend_address(ngx_im_backend_call_t *call)
{
    ngx_connection_t  *c;
    ngx_im_session_t  *s;

    c = &call->connection;
    s = ngx_im_session_find(call->worker, call->session);

    c->addr_text.len = ngx_im_session_addr(s, call->addr);
    c->addr_text.data = call->addr;

    call->sockaddr.sockaddr.sa_family = s->peer.family;
    c->socklen = sizeof(struct sockaddr);

    if (s->peer.family == AF_INET) {
        ngx_memcpy(&call->sockaddr.sockaddr_in.sin_addr, s->peer.addr, 4);
        c->socklen = sizeof(struct sockaddr_in);
    }

#if (NGX_HAVE_INET6)
    if (s->peer.family == AF_INET6) {
        ngx_memcpy(&call->sockaddr.sockaddr_in6.sin6_addr, s->peer.addr, 16);
        c->socklen = sizeof(struct sockaddr_in6);
    }
#endif

    c->sockaddr = &call->sockaddr.sockaddr;
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
}


/* Both events count as active: nginx does not add the socket -1 to epoll. */
static ngx_int_t
ngx_im_backend_connection(ngx_im_backend_call_t *call)
{
    ngx_connection_t  *c;

    c = &call->connection;

    call->log = *call->worker->log;
    call->log.handler = NULL;
    call->log.data = &call->log_ctx;
    call->log.action = "asking the backend";
    call->log_ctx.connection = c;

    c->fd = (ngx_socket_t) -1;
    c->log = &call->log;
    c->read = &call->read;
    c->write = &call->write;
    c->recv = ngx_im_backend_no_recv;
    c->send = ngx_im_backend_no_recv;
    c->send_chain = ngx_im_backend_sink;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->type = SOCK_STREAM;

    call->log.connection = c->number;

    call->read.data = c;
    call->read.log = c->log;
    call->read.handler = ngx_http_empty_handler;
    call->read.active = 1;

    call->write.data = c;
    call->write.log = c->log;
    call->write.handler = ngx_http_empty_handler;
    call->write.write = 1;
    call->write.active = 1;
    call->write.ready = 1;

    ngx_im_backend_address(call);

    c->pool = ngx_create_pool(NGX_IM_BACKEND_POOL, c->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    call->hc.conf_ctx = call->conf->cscf->ctx;
    c->data = &call->hc;

    return NGX_OK;
}


static ngx_int_t
ngx_im_backend_request(ngx_im_backend_call_t *call)
{
    ngx_buf_t           *b;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = ngx_http_create_request(&call->connection);
    if (r == NULL) {
        return NGX_ERROR;
    }

    call->request = r;
    call->connection.data = r;

    r->logged = 1;
    r->method = NGX_HTTP_POST;
    ngx_str_set(&r->method_name, "POST");
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->uri = call->uri;
    r->unparsed_uri = r->uri;
    r->headers_in.server = call->conf->cscf->server_name;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    ngx_str_set(&h->key, "Content-Length");
    h->lowcase_key = (u_char *) "content-length";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value.data = call->length_text;
    h->value.len = ngx_sprintf(call->length_text, "%uz", call->body.len)
                   - call->length_text;

    r->headers_in.content_length = h;
    r->headers_in.content_length_n = call->body.len;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    ngx_str_set(&h->key, "Content-Type");
    h->lowcase_key = (u_char *) "content-type";
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    ngx_str_set(&h->value, "application/json");

    r->headers_in.content_type = h;

    b = &call->buf;
    b->start = call->body.data;
    b->pos = b->start;
    b->last = b->start + call->body.len;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = 1;

    call->chain.buf = b;
    call->request_body.bufs = &call->chain;
    r->request_body = &call->request_body;

    return NGX_OK;
}


static void
ngx_im_backend_answered(ngx_im_backend_call_t *call)
{
    ngx_im_backend_t  *be;

    be = call->worker->backend;

    im_list_insert_tail(&be->answered, &call->link);

    ngx_post_event(&be->event, &ngx_posted_events);
}


/*
 * Always NGX_OK: an error would close our connection.  So would an error of a
 * filter, such as an answer that is too long: it is taken back.
 */
static ngx_int_t
ngx_im_backend_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_buf_t              *b;
    ngx_im_backend_call_t  *call;

    call = data;

    r->connection->error = 0;

    if (call->status != 0 || !im_list_empty(&call->link)) {
        return NGX_OK;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        call->status = rc;

    } else if (rc == NGX_OK) {
        call->status = r->headers_out.status;
    }

    if (call->status != 0 && r->out != NULL && r->out->buf != NULL) {
        b = r->out->buf;
        call->answer = im_str_set(b->pos, b->last - b->pos);
    }

    ngx_im_backend_answered(call);

    return NGX_OK;
}


static ngx_int_t
ngx_im_backend_start(ngx_im_backend_call_t *call)
{
    ngx_http_request_t  *r, *sr;

    if (ngx_im_backend_connection(call) != NGX_OK
        || ngx_im_backend_request(call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r = call->request;

    call->post.handler = ngx_im_backend_done;
    call->post.data = call;

    if (ngx_http_subrequest(r, &r->uri, NULL, &sr, &call->post,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sr->method = r->method;
    sr->method_name = r->method_name;

    ngx_http_run_posted_requests(&call->connection);

    return NGX_OK;
}


static void
ngx_im_backend_run(ngx_im_backend_t *be)
{
    ngx_im_backend_call_t  *call;

    while (be->nasked < NGX_IM_BACKEND_ATONCE && !im_list_empty(&be->waiting)) {
        call = im_list_data(im_list_first(&be->waiting), ngx_im_backend_call_t,
                            link);
        im_list_remove(&call->link);
        be->nwaiting--;

        /* its session has ended */

        if (ngx_im_session_find(call->worker, call->session) == NULL) {
            ngx_im_backend_free(call);
            continue;
        }

        be->nasked++;

        if (ngx_im_backend_start(call) != NGX_OK) {
            ngx_im_backend_answered(call);
        }
    }
}


/* In a posted event: no caller is called back from within its call. */
static void
ngx_im_backend_handler(ngx_event_t *ev)
{
    im_list_t               answered;
    ngx_im_backend_t       *be;
    ngx_im_backend_call_t  *call;

    be = ev->data;

    im_list_init(&answered);
    im_list_splice(&answered, &be->answered);

    while (!im_list_empty(&answered)) {
        call = im_list_data(im_list_first(&answered), ngx_im_backend_call_t,
                            link);
        im_list_remove(&call->link);
        be->nasked--;

        if (ngx_im_worker == call->worker) {
            call->handler(call->worker, call->session, call->body,
                          call->status, call->answer, call->data);
        }

        ngx_im_backend_free(call);
    }

    ngx_im_backend_run(be);
}


static ngx_im_backend_t *
ngx_im_backend_get(ngx_im_worker_t *w)
{
    ngx_im_backend_t  *be;

    if (w->backend != NULL) {
        return w->backend;
    }

    be = im_calloc(sizeof(ngx_im_backend_t));
    if (be == NULL) {
        return NULL;
    }

    im_list_init(&be->waiting);
    im_list_init(&be->answered);

    be->event.handler = ngx_im_backend_handler;
    be->event.data = be;
    be->event.log = w->log;

    w->backend = be;

    return be;
}


ngx_int_t
ngx_im_backend_ask(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf,
    const ngx_str_t *uri, im_str_t body, ngx_im_backend_pt handler,
    ngx_im_handle_t h, void *data)
{
    ngx_im_backend_t       *be;
    ngx_im_backend_call_t  *call;

    be = ngx_im_backend_get(w);

    if (be == NULL || be->nwaiting == NGX_IM_BACKEND_WAITING
        || body.len > NGX_IM_BACKEND_BODY
        || body.len > NGX_IM_BACKEND_BYTES - be->bytes || uri->len == 0)
    {
        goto failed;
    }

    call = im_calloc(sizeof(ngx_im_backend_call_t) + body.len);
    if (call == NULL) {
        goto failed;
    }

    im_list_init(&call->link);

    call->worker = w;
    call->conf = ilcf;
    call->uri = *uri;
    call->handler = handler;
    call->session = h;
    call->data = data;
    call->body = im_str_set(call->bytes, body.len);
    ngx_memcpy(call->bytes, body.data, body.len);

    im_list_insert_tail(&be->waiting, &call->link);
    be->nwaiting++;
    be->bytes += body.len;

    ngx_post_event(&be->event, &ngx_posted_events);

    return NGX_OK;

failed:

    im_free(data);

    return NGX_ERROR;
}


ngx_int_t
ngx_im_backend_logic(ngx_im_session_t *s, const im_ask_t *ask,
    ngx_im_backend_pt handler)
{
    im_buf_t   b;
    ngx_int_t  rc;

    im_buf_init(&b, ask->data.len + NGX_IM_BACKEND_ASK);
    im_ask_encode(&b, ask);

    rc = b.failed ? NGX_ERROR
                  : ngx_im_backend_ask(ngx_im_worker, s->conf,
                                       &s->conf->connect, im_buf_str(&b),
                                       handler, ngx_im_session_handle(s),
                                       NULL);
    im_buf_cleanup(&b);

    return rc;
}
