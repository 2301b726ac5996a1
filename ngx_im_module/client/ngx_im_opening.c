/*
 * Copyright (C) The im authors
 *
 * Records of opening handshakes, shared and counted.
 *
 * A record is a string of headers: the length of a name in a byte, the name in
 * lower case, the length of its value in two bytes, the value.
 */

#include "ngx_im_opening.h"


struct ngx_im_opening_s {
    im_hash_node_t  node;            /* in worker->openings */
    uint32_t        refs;
    uint32_t        len;
    u_char          bytes[1];
};


ngx_str_t
ngx_im_opening_host(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   host;

    /* RFC 7230, section 5.4: a host in the request line goes first */

    if (r->host_start != NULL && r->host_end != NULL) {
        p = r->host_end;

        if (*p == ':') {
            do {
                p++;
            } while (*p >= '0' && *p <= '9');
        }

        host.data = r->host_start;
        host.len = p - r->host_start;

    } else if (r->headers_in.host != NULL) {
        host = r->headers_in.host->value;

    } else {
        ngx_str_null(&host);
    }

    return host;
}


static ngx_int_t
ngx_im_opening_add(im_buf_t *b, const char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (len > UINT8_MAX || value->len > UINT16_MAX) {
        return NGX_ERROR;
    }

    im_buf_add_u8(b, len);
    im_buf_add(b, name, len);
    im_buf_add_u16(b, value->len);
    im_buf_add(b, value->data, value->len);

    return b->failed ? NGX_ERROR : NGX_OK;
}


static ngx_im_opening_t *
ngx_im_opening_create(ngx_im_worker_t *w, im_str_t headers)
{
    im_hash_node_t    *node;
    ngx_im_opening_t  *o;

    node = im_hash_find(&w->openings, headers);

    if (node != NULL) {
        return ngx_im_opening_ref(im_list_data(node, ngx_im_opening_t, node));
    }

    o = im_alloc(sizeof(ngx_im_opening_t) + headers.len);
    if (o == NULL) {
        return NULL;
    }

    o->refs = 1;
    o->len = headers.len;
    ngx_memcpy(o->bytes, headers.data, headers.len);

    im_hash_add(&w->openings, &o->node);

    return o;
}


ngx_im_opening_t *
ngx_im_opening_get(ngx_im_worker_t *w, ngx_http_request_t *r)
{
    im_buf_t   *b;
    ngx_str_t   host;

    b = &w->scratch;
    host = ngx_im_opening_host(r);

    im_buf_reset(b, 65536);

    if (ngx_im_opening_add(b, "host", &host) != NGX_OK) {
        return NULL;
    }

    return ngx_im_opening_create(w, im_buf_str(b));
}


ngx_im_opening_t *
ngx_im_opening_ref(ngx_im_opening_t *o)
{
    if (o != NULL) {
        o->refs++;
    }

    return o;
}


void
ngx_im_opening_unref(ngx_im_worker_t *w, ngx_im_opening_t *o)
{
    if (o == NULL || --o->refs > 0) {
        return;
    }

    im_hash_remove(&w->openings, &o->node);
    im_free(o);
}


/* $host: in lower case, without a port and the dot of the root. */
static ngx_int_t
ngx_im_opening_server(ngx_http_request_t *r, ngx_str_t *host)
{
    u_char     *p;
    ngx_str_t  *server;

    server = &r->headers_in.server;

    server->data = ngx_pnalloc(r->pool, host->len);
    if (server->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(server->data, host->data, host->len);
    server->len = host->len;

    p = server->data;
    p = server->len > 0 && *p == '['
        ? ngx_strlchr(p, p + server->len, ']')
        : ngx_strlchr(p, p + server->len, ':');

    if (p != NULL) {
        server->len = p - server->data + (*p == ']');
    }

    if (server->len > 1 && server->data[server->len - 1] == '.') {
        server->len--;
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_opening_headers(const ngx_im_opening_t *o, ngx_http_request_t *r)
{
    u_char           *p;
    im_str_t          s;
    im_reader_t       reader;
    ngx_table_elt_t  *h;

    if (o == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, o->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, o->bytes, o->len);
    im_reader_init(&reader, im_str_set(p, o->len));

    while (reader.p < reader.end) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        s = im_reader_bytes(&reader, im_reader_u8(&reader));
        h->key.data = s.data;
        h->key.len = s.len;
        h->lowcase_key = s.data;
        h->hash = ngx_hash_key(s.data, s.len);

        s = im_reader_bytes(&reader, im_reader_u16(&reader));
        h->value.data = s.data;
        h->value.len = s.len;

        /* the first one */

        if (r->headers_in.host == NULL) {
            r->headers_in.host = h;

            if (ngx_im_opening_server(r, &h->value) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


im_str_t
ngx_im_opening_name(const im_hash_node_t *node)
{
    ngx_im_opening_t  *o;

    o = im_list_data(node, ngx_im_opening_t, node);

    return im_str_set(o->bytes, o->len);
}
