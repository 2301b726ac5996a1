/*
 * Copyright (C) The im authors
 *
 * Requests whose answers are streams: one rule after the other, the message
 * that comes with them, and the head of the answer.
 *
 * What the message says is for the protocol: its errors come in the stream.
 */

#include "ngx_im_stream.h"
#include "ngx_im_cors.h"
#include "ngx_im_detach.h"
#include "im_header.h"
#include "im_query.h"
#include "im_wire.h"


#define NGX_IM_STREAM_WHY  128


typedef struct {
    ngx_http_request_t *request;
    ngx_im_loc_conf_t  *conf;
    ngx_im_handshake_t *handshake;
    im_str_t            origin;
    ngx_uint_t          norigins;
    ngx_uint_t          allowed;     /* the page may come in */
} ngx_im_stream_t;


static ngx_uint_t
ngx_im_stream_one_origin(ngx_im_stream_t *st)
{
    return st->norigins <= 1;
}


static ngx_uint_t
ngx_im_stream_allowed(ngx_im_stream_t *st)
{
    return st->allowed;
}


/* A body has the first message, or an argument where the transport allows. */
static ngx_uint_t
ngx_im_stream_get(ngx_im_stream_t *st)
{
    return st->handshake->proto->first.name != NULL
           || st->request->method == NGX_HTTP_GET;
}


static ngx_uint_t
ngx_im_stream_post(ngx_im_stream_t *st)
{
    return st->handshake->proto->first.name == NULL
           || st->handshake->transport->args
           || st->request->method == NGX_HTTP_POST;
}


static ngx_uint_t
ngx_im_stream_get_or_post(ngx_im_stream_t *st)
{
    return st->request->method == NGX_HTTP_GET
           || st->request->method == NGX_HTTP_POST;
}


static ngx_uint_t
ngx_im_stream_http(ngx_im_stream_t *st)
{
    return st->request->http_version >= NGX_HTTP_VERSION_10;
}


/* An upgrade comes here where no WebSocket is served. */
static ngx_uint_t
ngx_im_stream_no_upgrade(ngx_im_stream_t *st)
{
    ngx_table_elt_t  *h;

    h = st->request->headers_in.upgrade;

    return h == NULL
           || !im_header_lists(ngx_im_str(h->value), im_str_z("websocket"));
}


static ngx_uint_t
ngx_im_stream_body(ngx_im_stream_t *st)
{
    return st->request->method == NGX_HTTP_POST
           || (st->request->headers_in.content_length_n <= 0
               && !st->request->headers_in.chunked);
}


static ngx_uint_t
ngx_im_stream_size(ngx_im_stream_t *st)
{
    return st->request->headers_in.content_length_n
           <= (off_t) st->conf->max_message;
}


static ngx_uint_t
ngx_im_stream_host(ngx_im_stream_t *st)
{
    return ngx_im_opening_host(st->request).len <= NGX_IM_HOST_MAX;
}


static const struct {
    ngx_uint_t        (*good)(ngx_im_stream_t *st);
    ngx_im_refused_t    refused;
} ngx_im_stream_rules[] = {

    { ngx_im_stream_one_origin,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "more than one Origin" } },

    { ngx_im_stream_allowed,
      { NGX_IM_REFUSED_ORIGIN,
        NGX_HTTP_FORBIDDEN, "Vary", "Origin",
        "pages of this origin are not allowed here (im_allow_origin)" } },

    { ngx_im_stream_get,
      { NGX_IM_REFUSED_METHOD,
        NGX_HTTP_NOT_ALLOWED, "Allow", "GET", "the method is not GET" } },

    { ngx_im_stream_post,
      { NGX_IM_REFUSED_METHOD,
        NGX_HTTP_NOT_ALLOWED, "Allow", "POST, OPTIONS",
        "the method is not POST" } },

    { ngx_im_stream_get_or_post,
      { NGX_IM_REFUSED_METHOD,
        NGX_HTTP_NOT_ALLOWED, "Allow", "GET, POST",
        "the method is neither GET nor POST" } },

    { ngx_im_stream_http,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "HTTP/0.9" } },

    { ngx_im_stream_no_upgrade,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL,
        "WebSocket is not served here (im_comet transport=)" } },

    { ngx_im_stream_body,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "a body without POST" } },

    { ngx_im_stream_size,
      { NGX_IM_REFUSED_TOO_BIG,
        NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NULL, NULL,
        "the body is too long (im_limit message=)" } },

    { ngx_im_stream_host,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "Host is too long" } },

    { NULL, { 0, 0, NULL, NULL, NULL } }
};


static const ngx_im_refused_t  ngx_im_stream_no_memory = {
    NGX_IM_REFUSED_MEMORY,
    NGX_HTTP_INTERNAL_SERVER_ERROR, NULL, NULL, "no memory"
};


static const ngx_im_refused_t  ngx_im_stream_long = {
    NGX_IM_REFUSED_TOO_BIG,
    NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NULL, NULL,
    "the first message is too long (im_limit message=)"
};


im_str_t
ngx_im_stream_type(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.content_type;

    return h != NULL ? ngx_im_str(h->value) : im_str_set(NULL, 0);
}


const ngx_im_refused_t *
ngx_im_stream_check(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    ngx_uint_t       i;
    ngx_im_stream_t  st;

    hs->proto = im_proto_typed(ilcf->proto, ngx_im_stream_type(r),
                               hs->transport->kind);

    st.request = r;
    st.conf = ilcf;
    st.handshake = hs;
    st.norigins = ngx_im_cors_origin(r, &st.origin);
    st.allowed = st.norigins <= 1 && ngx_im_cors_allowed(r, ilcf, st.origin);

    /* the page may read refusals, too */

    if (st.allowed && ngx_im_cors_answer(r, st.origin) != NGX_OK) {
        return &ngx_im_stream_no_memory;
    }

    for (i = 0; ngx_im_stream_rules[i].good != NULL; i++) {
        if (!ngx_im_stream_rules[i].good(&st)) {
            return &ngx_im_stream_rules[i].refused;
        }
    }

    return NULL;
}


/* name: of the argument that has the first message; NULL: it is the body. */
static const ngx_im_refused_t *
ngx_im_stream_bad(ngx_http_request_t *r, const char *name, const char *what)
{
    u_char            *why;
    ngx_im_refused_t  *no;

    no = ngx_pcalloc(r->pool, sizeof(ngx_im_refused_t));
    why = ngx_pcalloc(r->pool, NGX_IM_STREAM_WHY);

    if (no == NULL || why == NULL) {
        return &ngx_im_stream_no_memory;
    }

    if (name != NULL) {
        (void) ngx_snprintf(why, NGX_IM_STREAM_WHY - 1,
                            "the argument \"%s\", which has the first "
                            "message, %s", name, what);

    } else {
        (void) ngx_snprintf(why, NGX_IM_STREAM_WHY - 1,
                            "invalid connect request: %s", what);
    }

    no->reason = NGX_IM_REFUSED_REQUEST;
    no->status = NGX_HTTP_BAD_REQUEST;
    no->why = (char *) why;

    return no;
}


static const ngx_im_refused_t *
ngx_im_stream_arg(ngx_http_request_t *r, ngx_im_handshake_t *hs)
{
    u_char          *p;
    im_buf_t         value;
    im_int_t         rc;
    const im_arg_t  *first;

    first = &hs->proto->first;

    p = ngx_pnalloc(r->pool, r->args.len + 1);
    if (p == NULL) {
        return &ngx_im_stream_no_memory;
    }

    im_buf_fixed(&value, p, r->args.len);

    rc = im_query_arg(ngx_im_str(r->args), im_str_z(first->name), &value);

    if (rc == IM_ERROR) {
        return ngx_im_stream_bad(r, first->name,
                                 "has a % without two hexadecimal digits");
    }

    if (value.len > 0) {
        hs->first = im_str_set(p, value.len);

    } else if (hs->transport->kind != IM_TRANSPORT_WEBSOCKET) {
        if (first->value == NULL) {
            return ngx_im_stream_bad(r, first->name, "is missing");
        }

        hs->first = im_str_z(first->value);
    }

    return NULL;
}


/* It may be in memory, in a file, or both. */
static const ngx_im_refused_t *
ngx_im_stream_read(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    off_t         size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *bufs;

    bufs = r->request_body != NULL ? r->request_body->bufs : NULL;
    size = 0;

    for (cl = bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > (off_t) ilcf->max_message) {
        return &ngx_im_stream_long;
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return &ngx_im_stream_no_memory;
    }

    hs->first = im_str_set(p, size);

    for (cl = bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (!b->in_file) {
            p = im_copy(p, b->pos, size);
            continue;
        }

        if (ngx_read_file(b->file, p, size, b->file_pos) != (ssize_t) size) {
            return &ngx_im_stream_no_memory;
        }

        p += size;
    }

    return NULL;
}


const ngx_im_refused_t *
ngx_im_stream_first(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    const char              *why;
    const ngx_im_refused_t  *no;

    /* an upgrade may have it where a client says nothing else */

    if (hs->proto->first.name == NULL
        || (hs->transport->kind == IM_TRANSPORT_WEBSOCKET
            && hs->proto->commands != IM_COMMANDS_CONNECT))
    {
        return NULL;
    }

    no = r->method == NGX_HTTP_POST ? ngx_im_stream_read(r, ilcf, hs)
                                    : ngx_im_stream_arg(r, hs);

    if (no == NULL && hs->first.len > ilcf->max_message) {
        return &ngx_im_stream_long;
    }

    if (no != NULL || hs->first.data == NULL || hs->proto->check == NULL) {
        return no;
    }

    why = hs->proto->check(hs->first);

    return why != NULL ? ngx_im_stream_bad(r, NULL, why) : NULL;
}


ngx_int_t
ngx_im_stream_accept(ngx_http_request_t *r, ngx_im_handshake_t *hs)
{
    const char  *type;

    /* proxies must not keep it or hold it back */

    if (ngx_im_cors_header(r, "Cache-Control",
                           im_str_z("private, no-cache, no-store, "
                                    "must-revalidate, max-age=0"))
        != NGX_OK
        || ngx_im_cors_header(r, "Pragma", im_str_z("no-cache")) != NGX_OK
        || ngx_im_cors_header(r, "X-Accel-Buffering", im_str_z("no"))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    type = hs->transport->type != NULL ? hs->transport->type : hs->proto->type;

    if (type == NULL) {
        type = "text/plain; charset=utf-8";
    }

    r->headers_out.status = NGX_HTTP_OK;

    return ngx_im_detach_head(r, type, hs->transport->begin);
}
