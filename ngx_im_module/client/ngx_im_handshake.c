/*
 * Copyright (C) The im authors
 *
 * From a request to a session: which transport it asks for, whether this worker
 * takes sessions, and a place.  How a request must be, and what the answer is,
 * stand in a file of each: ngx_im_upgrade.c, ngx_im_stream.c.
 */

#include "ngx_im_admit.h"
#include "ngx_im_client.h"
#include "ngx_im_cors.h"
#include "ngx_im_detach.h"
#include "ngx_im_follow.h"
#include "ngx_im_join.h"
#include "ngx_im_stream.h"
#include "ngx_im_upgrade.h"
#include "im_header.h"
#include "im_wire.h"


static ngx_int_t
ngx_im_handshake_refuse(ngx_http_request_t *r, ngx_im_refusal_e reason,
    ngx_uint_t status, const char *retry)
{
    ngx_im_refused_t  no;

    no.reason = reason;
    no.status = status;
    no.header = "Retry-After";
    no.value = retry;
    no.why = ngx_im_budget_text(reason);

    return ngx_im_refused_answer(r, &no);
}


/* NGX_DECLINED: this worker takes sessions; else the status of the refusal. */
static ngx_int_t
ngx_im_handshake_ready(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf)
{
    ngx_im_refusal_e  why;

    why = ngx_im_admit_unready(ngx_im_worker, ilcf);

    if (why == NGX_IM_REFUSALS) {
        return NGX_DECLINED;
    }

    return ngx_im_handshake_refuse(r, why, NGX_HTTP_SERVICE_UNAVAILABLE, "2");
}


/* The request ended before it became a session. */
static void
ngx_im_handshake_cleanup(void *data)
{
    ngx_im_handshake_t  *hs = data;

    if (hs->detach.timer_set) {
        ngx_del_timer(&hs->detach);
    }

    if (hs->detach.posted) {
        ngx_delete_posted_event(&hs->detach);
    }

    ngx_im_kept_cleanup(&hs->kept);
    ngx_im_opening_unref(ngx_im_worker, hs->opening);
    ngx_im_admit_cancel(ngx_im_worker, &hs->place);
}


static ngx_im_handshake_t *
ngx_im_handshake_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    ngx_im_handshake_t  *hs;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_im_handshake_t));
    if (cln == NULL) {
        return NULL;
    }

    hs = cln->data;
    ngx_memzero(hs, sizeof(ngx_im_handshake_t));

    cln->handler = ngx_im_handshake_cleanup;
    ngx_http_set_ctx(r, hs, ngx_im_module);

    ngx_im_peer_init(&hs->peer, r->connection);

    return hs;
}


/* NGX_DECLINED: it has a place; else the status of the refusal. */
static ngx_int_t
ngx_im_handshake_admit(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    u_char            *retry;
    ngx_int_t          rc;
    ngx_im_worker_t   *w;
    ngx_im_refusal_e   why;

    w = ngx_im_worker;

    rc = ngx_im_admit(w, ilcf, &hs->peer, &hs->place, &why);
    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    retry = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
    if (retry == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *ngx_sprintf(retry, "%ui", ngx_im_admit_retry(w, &hs->peer, why)) = '\0';

    return ngx_im_handshake_refuse(r, why, rc, (char *) retry);
}


/* A browser's EventSource asks for events; it can't ask for an upgrade. */
static ngx_uint_t
ngx_im_handshake_asks(ngx_http_request_t *r, const char *name,
    const char *element)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0
                && im_header_lists(ngx_im_str(h[i].value), im_str_z(element)))
            {
                return 1;
            }
        }
    }

    return 0;
}


/*
 * A location that serves both kinds of streams gives events to those that ask
 * for them, and to those that can ask for nothing else.
 */
static im_transport_e
ngx_im_handshake_kind(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf)
{
    ngx_uint_t  kinds, streams;

    kinds = ilcf->transports;
    streams = kinds & (IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM);

    if (streams == 0
        || ((kinds & IM_TRANSPORT_WEBSOCKET)
            && ngx_im_handshake_asks(r, "upgrade", "websocket")))
    {
        return IM_TRANSPORT_WEBSOCKET;
    }

    if (streams == IM_TRANSPORT_SSE || streams == IM_TRANSPORT_STREAM) {
        return streams;
    }

    return ngx_im_handshake_asks(r, "accept", "text/event-stream")
           || (r->method == NGX_HTTP_GET && ilcf->proto->first.name != NULL)
           ? IM_TRANSPORT_SSE : IM_TRANSPORT_STREAM;
}


/* How a request becomes a session. */
typedef struct {
    const ngx_im_refused_t *(*check)(ngx_http_request_t *r,
                                ngx_im_loc_conf_t *ilcf,
                                ngx_im_handshake_t *hs);
    ngx_int_t               (*accept)(ngx_http_request_t *r,
                                ngx_im_handshake_t *hs);
} ngx_im_way_t;


static const ngx_im_way_t  ngx_im_ways[] = {
    { ngx_im_upgrade_check, ngx_im_upgrade_accept },
    { ngx_im_stream_check, ngx_im_stream_accept }
};


static const ngx_im_way_t *
ngx_im_handshake_way(ngx_im_handshake_t *hs)
{
    return &ngx_im_ways[hs->transport->kind != IM_TRANSPORT_WEBSOCKET];
}


/* All that the request brings is here. */
static ngx_int_t
ngx_im_handshake_begin(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_im_loc_conf_t       *ilcf;
    ngx_im_handshake_t      *hs;
    const ngx_im_way_t      *way;
    const ngx_im_refused_t  *no;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);
    hs = ngx_http_get_module_ctx(r, ngx_im_module);
    way = ngx_im_handshake_way(hs);

    rc = ngx_im_handshake_ready(r, ilcf);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    no = ngx_im_stream_first(r, ilcf, hs);

    if (no == NULL) {
        hs->opening = ngx_im_opening_get(ngx_im_worker, r, ilcf, &no);
    }

    if (hs->opening != NULL && hs->proto->request) {
        no = ngx_im_join(r, ilcf, hs);
    }

    if (no != NULL) {
        return ngx_im_refused_answer(r, no);
    }

    if (hs->opening == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_im_handshake_admit(r, ilcf, hs);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = way->accept(r, hs);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_im_detach_start(r, hs);

    return NGX_DONE;
}


static void
ngx_im_handshake_body(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_im_handshake_begin(r));
}


ngx_int_t
ngx_im_handshake_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_im_loc_conf_t       *ilcf;
    ngx_im_handshake_t      *hs;
    const ngx_im_refused_t  *no;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);

    if (r != r->main || ilcf->proto == NULL || ngx_im_worker == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_OPTIONS
        && (ilcf->transports & IM_TRANSPORT_STREAM))
    {
        return ngx_im_cors_preflight(r, ilcf, ilcf->proto->first.name != NULL
                                              ? "POST, OPTIONS"
                                              : "GET, OPTIONS");
    }

    hs = ngx_im_handshake_create(r);
    if (hs == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hs->transport = im_transport_of(ngx_im_handshake_kind(r, ilcf));

    no = ngx_im_handshake_way(hs)->check(r, ilcf, hs);
    if (no != NULL) {
        return ngx_im_refused_answer(r, no);
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_im_handshake_begin(r);
    }

    /* it is looked at again, once the body is here */

    rc = ngx_im_handshake_ready(r, ilcf);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_http_read_client_request_body(r, ngx_im_handshake_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
