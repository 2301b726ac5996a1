/*
 * Copyright (C) The im authors
 *
 * Records of opening handshakes, shared and counted.
 *
 * A record is the user and the name of im_user, each with its length in a byte
 * before it, and a string of headers: the length of a name in a byte, the name
 * in lower case, the length of its value in two bytes, the value and a NUL.
 */

#include "ngx_im_opening.h"
#include "im_key.h"
#include "im_utf8.h"


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


static const ngx_im_refused_t  ngx_im_opening_bad_user = {
    NGX_IM_REFUSED_USER,
    NGX_HTTP_FORBIDDEN, NULL, NULL, "im_user gives no valid user"
};


static const ngx_im_refused_t  ngx_im_opening_too_large = {
    NGX_IM_REFUSED_TOO_BIG,
    NGX_IM_HEADERS_TOO_LARGE, NULL, NULL, "headers of im_forward are too large"
};


static void
ngx_im_opening_add(im_buf_t *b, im_str_t name, ngx_str_t *value)
{
    im_buf_add_u8(b, name.len);
    im_buf_add_str(b, name);
    im_buf_add_u16(b, value->len);
    im_buf_add(b, value->data, value->len);
    im_buf_add_u8(b, 0);
}


/* A name that is too long ends before a character; one that is none is "". */
static void
ngx_im_opening_cut(ngx_str_t *name)
{
    name->len = im_utf8_cut(ngx_im_str(*name), NGX_IM_NAME_MAX).len;

    if (!im_name_valid(ngx_im_str(*name))) {
        name->len = 0;
    }
}


/* NGX_DECLINED: the user is none. */
static ngx_int_t
ngx_im_opening_identity(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_str_t *user, ngx_str_t *name)
{
    ngx_str_null(user);
    ngx_str_null(name);

    if (ilcf->user == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, ilcf->user, user) != NGX_OK
        || (ilcf->user_name != NULL
            && ngx_http_complex_value(r, ilcf->user_name, name) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (user->len == 0) {
        name->len = 0;
        return NGX_OK;
    }

    ngx_im_opening_cut(name);

    return im_name_valid(ngx_im_str(*user)) ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_im_opening_forwarded(ngx_array_t *forward, ngx_table_elt_t *h)
{
    ngx_str_t   *names;
    ngx_uint_t   i;

    names = forward->elts;

    for (i = 0; i < forward->nelts; i++) {
        if (names[i].len == h->key.len
            && ngx_strncmp(names[i].data, h->lowcase_key, h->key.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Each line of a header that came in several ones.  NGX_DECLINED: too much. */
static ngx_int_t
ngx_im_opening_forward(ngx_http_request_t *r, ngx_array_t *forward,
    im_buf_t *b)
{
    size_t            start;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    start = b->len;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (!ngx_im_opening_forwarded(forward, &h[i])) {
                continue;
            }

            if (++n > NGX_IM_FORWARD_LINES
                || b->len - start + h[i].key.len + h[i].value.len
                   > NGX_IM_FORWARD_MAX)
            {
                return NGX_DECLINED;
            }

            ngx_im_opening_add(b, im_str_set(h[i].lowcase_key, h[i].key.len),
                               &h[i].value);
        }
    }

    return NGX_OK;
}


static ngx_im_opening_t *
ngx_im_opening_create(ngx_im_worker_t *w, im_str_t headers)
{
    im_hash_node_t    *node;
    ngx_im_opening_t  *o;

    node = im_hash_find(&w->openings, headers);

    if (node != NULL) {
        o = im_list_data(node, ngx_im_opening_t, node);
        o->refs++;

        return o;
    }

    o = im_alloc(sizeof(ngx_im_opening_t) + headers.len);
    if (o == NULL) {
        return NULL;
    }

    o->refs = 1;
    o->len = headers.len;
    im_copy(o->bytes, headers.data, headers.len);

    im_hash_add(&w->openings, &o->node);

    return o;
}


ngx_im_opening_t *
ngx_im_opening_get(ngx_im_worker_t *w, ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, const ngx_im_refused_t **why)
{
    im_buf_t   *b;
    ngx_int_t   rc;
    ngx_str_t   host, user, name;

    *why = NULL;

    rc = ngx_im_opening_identity(r, ilcf, &user, &name);

    if (rc != NGX_OK) {
        *why = rc == NGX_DECLINED ? &ngx_im_opening_bad_user : NULL;
        return NULL;
    }

    b = &w->scratch;
    host = ngx_im_opening_host(r);

    im_buf_reset(b, 65536);

    im_buf_add_u8(b, user.len);
    im_buf_add(b, user.data, user.len);
    im_buf_add_u8(b, name.len);
    im_buf_add(b, name.data, name.len);

    ngx_im_opening_add(b, im_str_z("host"), &host);

    if (ilcf->forward != NULL
        && ngx_im_opening_forward(r, ilcf->forward, b) != NGX_OK)
    {
        *why = &ngx_im_opening_too_large;
        return NULL;
    }

    return b->failed ? NULL : ngx_im_opening_create(w, im_buf_str(b));
}


/* The rest is headers. */
static void
ngx_im_opening_reader(im_reader_t *reader, im_str_t bytes, im_str_t *user,
    im_str_t *name)
{
    im_reader_init(reader, bytes);

    *user = im_reader_bytes(reader, im_reader_u8(reader));
    *name = im_reader_bytes(reader, im_reader_u8(reader));
}


void
ngx_im_opening_user(const ngx_im_opening_t *o, im_str_t *user, im_str_t *name)
{
    im_reader_t  reader;

    ngx_im_opening_reader(&reader,
                          o != NULL ? im_str_set(o->bytes, o->len)
                                    : im_str_set("", 0),
                          user, name);
}


im_str_t
ngx_im_opening_bytes(const ngx_im_opening_t *o)
{
    return o != NULL ? im_str_set(o->bytes, o->len) : im_str_set("", 0);
}


/* The user and its name are there, and the lines of headers are whole. */
static ngx_uint_t
ngx_im_opening_valid(im_str_t bytes)
{
    im_str_t     user, name;
    im_reader_t  reader;

    ngx_im_opening_reader(&reader, bytes, &user, &name);

    if (reader.failed || (user.len > 0 && !im_name_valid(user))
        || (name.len > 0 && !im_name_valid(name)))
    {
        return 0;
    }

    while (reader.p < reader.end) {
        (void) im_reader_bytes(&reader, im_reader_u8(&reader));
        (void) im_reader_bytes(&reader, im_reader_u16(&reader));

        if (im_reader_u8(&reader) != 0 || reader.failed) {
            return 0;
        }
    }

    return !reader.failed;
}


ngx_int_t
ngx_im_opening_restore(ngx_im_worker_t *w, im_str_t bytes,
    ngx_im_opening_t **o)
{
    *o = NULL;

    if (bytes.len == 0) {
        return NGX_OK;
    }

    if (!ngx_im_opening_valid(bytes)) {
        return NGX_DECLINED;
    }

    *o = ngx_im_opening_create(w, bytes);

    return *o != NULL ? NGX_OK : NGX_ERROR;
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


/*
 * As ngx_http_process_request_headers() does, so that $http_cookie and the like
 * are what they are in the handshake.
 */
static ngx_int_t
ngx_im_opening_header(ngx_http_request_t *r, im_str_t name, im_str_t value)
{
    ngx_table_elt_t            *h;
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = name.data;
    h->key.len = name.len;
    h->lowcase_key = name.data;
    h->hash = ngx_hash_key(name.data, name.len);
    h->value.data = value.data;
    h->value.len = value.len;

    /* the first one */

    if (r->headers_in.host == NULL) {
        r->headers_in.host = h;
        return ngx_im_opening_server(r, &h->value);
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    return hh != NULL ? hh->handler(r, h, hh->offset) : NGX_OK;
}


ngx_int_t
ngx_im_opening_headers(const ngx_im_opening_t *o, ngx_http_request_t *r)
{
    u_char       *p;
    im_str_t      name, value;
    im_reader_t   reader;

    if (o == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, o->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, o->bytes, o->len);
    ngx_im_opening_reader(&reader, im_str_set(p, o->len), &name, &value);

    while (reader.p < reader.end) {
        name = im_reader_bytes(&reader, im_reader_u8(&reader));
        value = im_reader_bytes(&reader, im_reader_u16(&reader));
        reader.p++;

        if (ngx_im_opening_header(r, name, value) != NGX_OK) {
            return NGX_ERROR;
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
