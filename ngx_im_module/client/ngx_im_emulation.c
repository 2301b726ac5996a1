/*
 * Copyright (C) The im authors
 *
 * Emulation: a POST brings a message for a session of this worker, or of
 * another one, which gets it over Redis.
 *
 * Each worker subscribes to a channel of its own that has a random name, the
 * "node" of its replies to connect.  One channel keeps the order of messages.
 * The answer says that the message was handed over, not what came of it: that
 * comes down the stream.
 */

#include "ngx_im_emulation.h"
#include "ngx_im_adopted.h"
#include "ngx_im_admit.h"
#include "ngx_im_client.h"
#include "ngx_im_cors.h"
#include "ngx_im_stream.h"
#include "im_json.h"
#include "im_key.h"
#include "im_link.h"


#define NGX_IM_EMULATION_METHODS  "POST, OPTIONS"
#define NGX_IM_EMULATION_ARENA    (16 * 1024 * 1024)


/* A message that was published; its request may end before the reply comes. */
typedef struct {
    ngx_http_request_t *request;     /* NULL: it has ended */
    ngx_pool_cleanup_t *cleanup;
} ngx_im_emulation_call_t;


ngx_uint_t
ngx_im_emulation_used(const ngx_im_session_t *s)
{
    return s->class->transport->decode == NULL
           && s->class->proto->commands == IM_COMMANDS_ALL;
}


ngx_int_t
ngx_im_emulation_name(ngx_im_session_t *s, ngx_im_emulation_t *e)
{
    u_char  id[16];

    if (s->class->transport->decode != NULL) {
        return NGX_DECLINED;
    }

    ngx_im_session_id(s, id);
    im_emulation_session(&ngx_im_worker->secrets, id, e->session);
    im_id_uuid(e->node, ngx_im_worker->name);

    return NGX_OK;
}


/*
 * The id of a session of this worker, or of an earlier one, *e.  NGX_DECLINED:
 * the text is of none.
 */
static ngx_int_t
ngx_im_emulation_id(ngx_im_worker_t *w, im_str_t session, u_char id[16],
    ngx_im_earlier_t **e)
{
    im_list_t  *q;

    *e = NULL;

    if (im_emulation_session_decode(&w->secrets, session, id) == IM_OK) {
        return NGX_OK;
    }

    im_list_each(q, &w->earlier) {
        *e = im_list_data(q, ngx_im_earlier_t, link);

        if (im_emulation_session_decode(&(*e)->secrets, session, id) == IM_OK) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * Sessions that are gone, and texts that are none, get nothing.  One that has
 * moved gets it where it is, and so does one in flight, wherever it lands.
 */
void
ngx_im_emulation_input(ngx_im_worker_t *w, const im_entry_t *entry,
    const ngx_im_reach_t *reach)
{
    u_char             id[16];
    ngx_im_earlier_t  *e;
    ngx_im_session_t  *s;

    if (ngx_im_emulation_id(w, entry->topic, id, &e) != NGX_OK) {
        return;
    }

    if (e != NULL) {
        ngx_im_from_note(w, reach, entry);
    }

    if (reach == &ngx_im_reach_here && w->events->entry != NULL) {
        w->events->entry(w, entry);
    }

    s = ngx_im_session_by_id(w, id);

    if (s != NULL && s->phase != NGX_IM_MOVING
        && s->class->transport->decode == NULL
        && ngx_im_adopted_reach(s, reach))
    {
        ngx_im_recv_input(s, entry->envelope);
    }
}


void
ngx_im_emulation_entry(ngx_im_worker_t *w, const im_entry_t *entry)
{
    ngx_im_emulation_input(w, entry, &ngx_im_reach_here);
}


/* Sends the answer; a refusal says why in its body. */
static ngx_int_t
ngx_im_emulation_answer(ngx_http_request_t *r, ngx_uint_t status,
    const char *why)
{
    size_t                    size;
    ngx_str_t                 type;
    ngx_http_complex_value_t  text;

    if (status == NGX_HTTP_NO_CONTENT) {
        r->headers_out.status = status;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "im: emulation refused with %ui: %s", status, why);

    ngx_memzero(&text, sizeof(ngx_http_complex_value_t));
    ngx_str_set(&type, "text/plain");

    size = NGX_INT_T_LEN + ngx_strlen(why) + 4;

    text.value.data = ngx_pnalloc(r->pool, size);
    if (text.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.value.len = ngx_snprintf(text.value.data, size, "%ui: %s\n", status,
                                  why)
                     - text.value.data;

    return ngx_http_send_response(r, status, &type, &text);
}


static ngx_int_t
ngx_im_emulation_retry(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t seconds, const char *why)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

    if (p == NULL
        || ngx_im_cors_header(r, "Retry-After",
                              im_str_set(p, ngx_sprintf(p, "%ui", seconds) - p))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_im_emulation_answer(r, status, why);
}


static void
ngx_im_emulation_ended(void *data)
{
    ngx_im_emulation_call_t  *call = data;

    call->request = NULL;
}


static void
ngx_im_emulation_published(const im_link_reply_t *reply, void *data)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_im_emulation_call_t  *call = data;

    r = call->request;

    if (r != NULL) {
        call->cleanup->handler = NULL;
    }

    im_free(call);

    if (r == NULL) {
        return;
    }

    c = r->connection;

    if (reply == NULL || im_link_reply_is_error(reply)) {
        rc = ngx_im_emulation_retry(r, NGX_HTTP_SERVICE_UNAVAILABLE, 1,
                                    "Redis is away");

    } else if (im_link_reply_int(reply, 0) == 0) {
        rc = ngx_im_emulation_answer(r, NGX_HTTP_NOT_FOUND, "no such node");

    } else {
        rc = ngx_im_emulation_answer(r, NGX_HTTP_NO_CONTENT, NULL);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* NGX_OK: the request waits for the reply. */
static ngx_int_t
ngx_im_emulation_publish(ngx_http_request_t *r, ngx_im_worker_t *w,
    im_str_t node, const im_entry_t *entry)
{
    im_buf_t                  b;
    im_int_t                  rc;
    ngx_uint_t                partition;
    im_link_call_t           *out;
    ngx_pool_cleanup_t       *cln;
    ngx_im_emulation_call_t  *call;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    call = im_alloc(sizeof(ngx_im_emulation_call_t));

    if (cln == NULL || call == NULL) {
        im_free(call);
        return NGX_ERROR;
    }

    call->request = r;
    call->cleanup = cln;

    partition = im_partition(node, im_link_partitions(w->link));

    im_buf_init(&b, NGX_IM_EMULATION_ARENA);
    im_entry_encode(&b, entry);

    out = im_link_command(w->link, "SPUBLISH");

    im_key_channel_input(&out->bytes, im_link_keys(w->link), partition,
                         node);
    im_link_call_key(out);
    im_link_call_str(out, im_buf_str(&b));

    rc = b.failed ? IM_ERROR
                  : im_link_send(w->link, ngx_im_emulation_published, call);

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_free(call);
        return NGX_ERROR;
    }

    cln->handler = ngx_im_emulation_ended;
    cln->data = call;

    return NGX_OK;
}


/* Of an input; no other worker has the same. */
static uint64_t
ngx_im_emulation_number(ngx_im_worker_t *w)
{
    uint64_t  first;

    ngx_memcpy(&first, w->name, sizeof(uint64_t));

    return first + ++w->ninputs;
}


/* NGX_DONE: the answer comes later. */
static ngx_int_t
ngx_im_emulation_run(ngx_http_request_t *r, const im_emulation_t *e)
{
    u_char            name[IM_UUID_LEN], id[16];
    im_entry_t        entry;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    im_id_uuid(name, w->name);
    im_emulation_entry(&entry, e, ngx_im_emulation_number(w));

    if (im_str_eq(e->node, im_str_set(name, IM_UUID_LEN))) {
        ngx_im_emulation_entry(w, &entry);

        return ngx_im_emulation_answer(r, NGX_HTTP_NO_CONTENT, NULL);
    }

    if (im_id_uuid_decode(e->node, id) != IM_OK) {
        return ngx_im_emulation_answer(r, NGX_HTTP_NOT_FOUND, "no such node");
    }

    /* such a session can't be: there is nothing to hand over */

    if (e->session.len != IM_EMULATION_SESSION) {
        return ngx_im_emulation_answer(r, NGX_HTTP_NO_CONTENT, NULL);
    }

    if (im_link_partitions(w->link) == 0
        || ngx_im_emulation_publish(r, w, e->node, &entry) != NGX_OK)
    {
        return ngx_im_emulation_retry(r, NGX_HTTP_SERVICE_UNAVAILABLE, 1,
                                      "Redis is away");
    }

    return NGX_DONE;
}


/* NGX_ERROR: it is in a file, and so too long, or there is no memory. */
static ngx_int_t
ngx_im_emulation_bytes(ngx_http_request_t *r, im_buf_t *b)
{
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (cl->buf->in_file) {
            return NGX_ERROR;
        }

        im_buf_add(b, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return b->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_im_emulation_body(ngx_http_request_t *r, im_buf_t *body, im_buf_t *arena)
{
    im_str_t            type;
    const char         *why;
    ngx_im_peer_t       peer;
    im_emulation_t      e;
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    if (r->request_body == NULL
        || ngx_im_emulation_bytes(r, body) != NGX_OK
        || body->len > ilcf->max_message)
    {
        return ngx_im_emulation_answer(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       "the body is too long");
    }

    ngx_im_peer_init(&peer, r->connection);

    (void) ngx_im_budget_charge(ngx_im_worker, &peer, NGX_IM_COST_BYTE,
                                body->len);

    type = ngx_im_stream_type(r);

    if (im_emulation_decode(type, im_buf_str(body), arena, &e, &why) != IM_OK) {
        return why == im_json_no_memory
               ? NGX_HTTP_INTERNAL_SERVER_ERROR
               : ngx_im_emulation_answer(r, NGX_HTTP_BAD_REQUEST, why);
    }

    return ngx_im_emulation_run(r, &e);
}


static void
ngx_im_emulation_body_handler(ngx_http_request_t *r)
{
    im_buf_t   body, arena;
    ngx_int_t  rc;

    im_buf_init(&body, NGX_IM_EMULATION_ARENA);
    im_buf_init(&arena, NGX_IM_EMULATION_ARENA);

    rc = ngx_im_emulation_body(r, &body, &arena);

    im_buf_cleanup(&body);
    im_buf_cleanup(&arena);

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
}


/* NGX_DECLINED: the address may send; else the answer was sent. */
static ngx_int_t
ngx_im_emulation_pay(ngx_http_request_t *r)
{
    ngx_im_peer_t     peer;
    ngx_im_worker_t  *w;
    ngx_im_refusal_e  why;

    w = ngx_im_worker;

    ngx_im_peer_init(&peer, r->connection);

    if (ngx_im_budget_wait(w, &peer, NGX_IM_COST_BYTE) > 0) {
        why = NGX_IM_REFUSED_BYTES;

    } else if (ngx_im_budget_take(w, &peer, NGX_IM_COST_FRAME, 1) != NGX_OK) {
        why = NGX_IM_REFUSED_FRAMES;

    } else {
        return NGX_DECLINED;
    }

    ngx_im_budget_refused(w, &peer, why);

    return ngx_im_emulation_retry(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                  ngx_im_admit_retry(w, &peer, why),
                                  ngx_im_budget_text(why));
}


/* Why a request isn't read; 0: it is. */
static ngx_uint_t
ngx_im_emulation_check(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_uint_t norigins, im_str_t origin, const char **why)
{
    if (r->method != NGX_HTTP_POST) {
        *why = "the method is not POST";
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (norigins > 1) {
        *why = "more than one Origin";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!ngx_im_cors_allowed(r, ilcf, origin)) {
        *why = "pages of this origin are not allowed here (im_allow_origin)";
        return NGX_HTTP_FORBIDDEN;
    }

    if (ngx_im_worker == NULL || ngx_terminate) {
        *why = "this worker ends";
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return 0;
}


ngx_int_t
ngx_im_emulation_handler(ngx_http_request_t *r)
{
    im_str_t            origin;
    ngx_int_t           rc;
    ngx_uint_t          n, status;
    const char         *why;
    ngx_im_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_im_cors_preflight(r, ilcf, NGX_IM_EMULATION_METHODS);
    }

    n = ngx_im_cors_origin(r, &origin);
    status = ngx_im_emulation_check(r, ilcf, n, origin, &why);

    if (status == NGX_HTTP_NOT_ALLOWED
        && ngx_im_cors_header(r, "Allow", im_str_z(NGX_IM_EMULATION_METHODS))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a page that may not come in may not know why, either */

    if (status == 0 && ngx_im_cors_answer(r, origin) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status != 0) {
        rc = ngx_http_discard_request_body(r);

        return rc != NGX_OK ? rc : ngx_im_emulation_answer(r, status, why);
    }

    rc = ngx_im_emulation_pay(r);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_read_client_request_body(r, ngx_im_emulation_body_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
