/*
 * Copyright (C) The im authors
 *
 * The opening handshake as RFC 6455, section 4.2, has it: one rule after the
 * other, and the answer.
 *
 * A list may be in several headers.  Key, version and origin stand alone.
 */

#include "ngx_im_upgrade.h"
#include "ngx_im_cors.h"
#include "ngx_im_detach.h"
#include "im_header.h"
#include "im_wire.h"

#include <ngx_sha1.h>


/* Headers of which each handshake has at most one, and how many it has. */
typedef struct {
    im_str_t            value;
    ngx_uint_t          n;
} ngx_im_single_t;


typedef struct {
    ngx_http_request_t *request;
    ngx_im_loc_conf_t  *conf;
    ngx_im_single_t     key;
    ngx_im_single_t     version;
    ngx_im_single_t     origin;
    ngx_uint_t          upgrade;     /* to websocket */
    ngx_uint_t          connection;  /* lists it */
    const im_proto_t   *listed;      /* by its subprotocol, or NULL */
    ngx_uint_t          malformed;   /* extensions */
    const im_transport_t *extended;  /* by extensions, or NULL */
    im_str_t            extensions;  /* of the answer */
} ngx_im_headers_t;


typedef void (*ngx_im_header_pt)(ngx_im_headers_t *h, im_str_t value);


static void
ngx_im_upgrade_single(ngx_im_single_t *single, im_str_t value)
{
    single->value = value;
    single->n++;
}


static void
ngx_im_upgrade_upgrade(ngx_im_headers_t *h, im_str_t value)
{
    h->upgrade |= im_header_lists(value, im_str_z("websocket"));
}


static void
ngx_im_upgrade_connection(ngx_im_headers_t *h, im_str_t value)
{
    h->connection |= im_header_lists(value, im_str_z("upgrade"));
}


static void
ngx_im_upgrade_key(ngx_im_headers_t *h, im_str_t value)
{
    ngx_im_upgrade_single(&h->key, value);
}


static void
ngx_im_upgrade_version(ngx_im_headers_t *h, im_str_t value)
{
    ngx_im_upgrade_single(&h->version, value);
}


/* Browsers send no empty one: it is as if there were none. */
static void
ngx_im_upgrade_origin(ngx_im_headers_t *h, im_str_t value)
{
    if (value.len > 0) {
        ngx_im_upgrade_single(&h->origin, value);
    }
}


static void
ngx_im_upgrade_protocol(ngx_im_headers_t *h, im_str_t value)
{
    if (h->listed == NULL) {
        h->listed = im_proto_listed(h->conf->proto, value);
    }
}


static void
ngx_im_upgrade_extensions(ngx_im_headers_t *h, im_str_t value)
{
    u_char    *p;
    im_buf_t   b;

    h->malformed |= !im_header_extensions(value);

    if (!h->conf->deflate || h->extended != NULL) {
        return;
    }

    p = ngx_pnalloc(h->request->pool, IM_TRANSPORT_ANSWER_MAX);

    if (p != NULL) {
        im_buf_fixed(&b, p, IM_TRANSPORT_ANSWER_MAX);

        h->extended = im_transport_extended(value, &b);
        h->extensions = im_buf_str(&b);
    }
}


static const struct {
    ngx_str_t         name;
    ngx_im_header_pt  handler;
} ngx_im_upgrade_headers[] = {
    { ngx_string("upgrade"), ngx_im_upgrade_upgrade },
    { ngx_string("connection"), ngx_im_upgrade_connection },
    { ngx_string("sec-websocket-key"), ngx_im_upgrade_key },
    { ngx_string("sec-websocket-version"), ngx_im_upgrade_version },
    { ngx_string("origin"), ngx_im_upgrade_origin },
    { ngx_string("sec-websocket-protocol"), ngx_im_upgrade_protocol },
    { ngx_string("sec-websocket-extensions"), ngx_im_upgrade_extensions },
    { ngx_null_string, NULL }
};


static void
ngx_im_upgrade_read(ngx_im_headers_t *h)
{
    ngx_uint_t        i, k;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *elt;

    for (part = &h->request->headers_in.headers.part; part; part = part->next) {
        elt = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; ngx_im_upgrade_headers[k].handler != NULL; k++) {

                if (elt[i].key.len == ngx_im_upgrade_headers[k].name.len
                    && ngx_strncasecmp(elt[i].key.data,
                                       ngx_im_upgrade_headers[k].name.data,
                                       elt[i].key.len)
                       == 0)
                {
                    ngx_im_upgrade_headers[k].handler(
                        h, im_header_trim(ngx_im_str(elt[i].value)));
                    break;
                }
            }
        }
    }
}


static ngx_uint_t
ngx_im_upgrade_method(ngx_im_headers_t *h)
{
    return h->request->method == NGX_HTTP_GET;
}


static ngx_uint_t
ngx_im_upgrade_http(ngx_im_headers_t *h)
{
    return h->request->http_version == NGX_HTTP_VERSION_11;
}


static ngx_uint_t
ngx_im_upgrade_body(ngx_im_headers_t *h)
{
    return h->request->headers_in.content_length_n <= 0
           && !h->request->headers_in.chunked;
}


static ngx_uint_t
ngx_im_upgrade_asked(ngx_im_headers_t *h)
{
    return h->upgrade && h->connection;
}


static ngx_uint_t
ngx_im_upgrade_one_version(ngx_im_headers_t *h)
{
    return h->version.n <= 1;
}


static ngx_uint_t
ngx_im_upgrade_13(ngx_im_headers_t *h)
{
    return im_str_eq(h->version.value, im_str_z("13"));
}


/* One, of 16 bytes in base64. */
static ngx_uint_t
ngx_im_upgrade_key_valid(ngx_im_headers_t *h)
{
    u_char     buf[32];
    ngx_str_t  key, decoded;

    key.data = h->key.value.data;
    key.len = h->key.value.len;
    decoded.data = buf;

    return h->key.n == 1 && key.len == 24
           && key.data[23] == '=' && key.data[22] == '='
           && ngx_decode_base64(&decoded, &key) == NGX_OK && decoded.len == 16;
}


static ngx_uint_t
ngx_im_upgrade_extended(ngx_im_headers_t *h)
{
    return !h->malformed;
}


static int
ngx_im_upgrade_arg(void *data, const im_arg_t *arg)
{
    ngx_str_t  value;

    return ngx_http_arg(data, (u_char *) arg->name, ngx_strlen(arg->name),
                        &value)
           == NGX_OK
           && im_str_eq(ngx_im_str(value), im_str_z(arg->value));
}


/* An encoding that is asked for in either way is meant. */
static const im_proto_t *
ngx_im_upgrade_proto(ngx_im_headers_t *h)
{
    const im_proto_t  *proto;

    if (h->listed != NULL && h->listed != h->conf->proto) {
        return h->listed;
    }

    proto = im_proto_asked(h->conf->proto, ngx_im_upgrade_arg, h->request);

    return proto != NULL ? proto : h->conf->proto;
}


static ngx_uint_t
ngx_im_upgrade_host(ngx_im_headers_t *h)
{
    return ngx_im_opening_host(h->request).len <= NGX_IM_HOST_MAX;
}


static ngx_uint_t
ngx_im_upgrade_one_origin(ngx_im_headers_t *h)
{
    return h->origin.n <= 1;
}


static ngx_uint_t
ngx_im_upgrade_origin_allowed(ngx_im_headers_t *h)
{
    return ngx_im_cors_allowed(h->request, h->conf, h->origin.value);
}


static const struct {
    ngx_uint_t        (*good)(ngx_im_headers_t *h);
    ngx_im_refused_t    refused;
} ngx_im_upgrade_rules[] = {

    { ngx_im_upgrade_method,
      { NGX_IM_REFUSED_METHOD,
        NGX_HTTP_NOT_ALLOWED, "Allow", "GET", "the method is not GET" } },

    { ngx_im_upgrade_http,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "not HTTP/1.1" } },

    { ngx_im_upgrade_body,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "upgrade with a body" } },

    { ngx_im_upgrade_asked,
      { NGX_IM_REFUSED_UPGRADE,
        NGX_HTTP_BAD_REQUEST, "Upgrade", "websocket",
        "no upgrade to websocket" } },

    { ngx_im_upgrade_one_version,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL,
        "more than one Sec-WebSocket-Version" } },

    { ngx_im_upgrade_13,
      { NGX_IM_REFUSED_REQUEST,
        NGX_IM_UPGRADE_REQUIRED, "Sec-WebSocket-Version", "13",
        "websocket version is not 13" } },

    { ngx_im_upgrade_key_valid,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "invalid Sec-WebSocket-Key" } },

    { ngx_im_upgrade_extended,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL,
        "malformed Sec-WebSocket-Extensions" } },

    { ngx_im_upgrade_host,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "Host is too long" } },

    { ngx_im_upgrade_one_origin,
      { NGX_IM_REFUSED_REQUEST,
        NGX_HTTP_BAD_REQUEST, NULL, NULL, "more than one Origin" } },

    { ngx_im_upgrade_origin_allowed,
      { NGX_IM_REFUSED_ORIGIN,
        NGX_HTTP_FORBIDDEN, NULL, NULL,
        "pages of this origin are not allowed here (im_allow_origin)" } },

    { NULL, { 0, 0, NULL, NULL, NULL } }
};


const ngx_im_refused_t *
ngx_im_upgrade_check(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    ngx_uint_t        i;
    ngx_im_headers_t  h;

    ngx_memzero(&h, sizeof(ngx_im_headers_t));

    h.request = r;
    h.conf = ilcf;

    ngx_im_upgrade_read(&h);

    for (i = 0; ngx_im_upgrade_rules[i].good != NULL; i++) {
        if (!ngx_im_upgrade_rules[i].good(&h)) {
            return &ngx_im_upgrade_rules[i].refused;
        }
    }

    hs->key = h.key.value;
    hs->subprotocol = h.listed != NULL ? h.listed->subprotocol : NULL;
    hs->proto = ngx_im_upgrade_proto(&h);
    hs->extensions = h.extensions;

    if (h.extended != NULL) {
        hs->transport = h.extended;
    }

    return NULL;
}


ngx_int_t
ngx_im_upgrade_accept(ngx_http_request_t *r, ngx_im_handshake_t *hs)
{
    u_char      digest[20];
    ngx_str_t   src, dst;
    ngx_sha1_t  sha1;

    static const char  guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    dst.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(20));
    if (dst.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, hs->key.data, hs->key.len);
    ngx_sha1_update(&sha1, guid, sizeof(guid) - 1);
    ngx_sha1_final(digest, &sha1);

    src.data = digest;
    src.len = 20;

    ngx_encode_base64(&dst, &src);

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    /* nginx writes "Connection: upgrade" itself */

    if (ngx_im_cors_header(r, "Upgrade", im_str_z("websocket")) != NGX_OK
        || ngx_im_cors_header(r, "Sec-WebSocket-Accept", ngx_im_str(dst))
           != NGX_OK
        || (hs->subprotocol != NULL
            && ngx_im_cors_header(r, "Sec-WebSocket-Protocol",
                                  im_str_z(hs->subprotocol))
               != NGX_OK)
        || (hs->extensions.len > 0
            && ngx_im_cors_header(r, "Sec-WebSocket-Extensions",
                                  hs->extensions)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_im_detach_head(r, NULL, NULL);
}
