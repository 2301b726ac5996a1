/*
 * Copyright (C) The im authors
 *
 * What a server does differently for FastCGI and for HTTP.
 */

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "im_daemon_transport.h"
#include "im_daemon_param.h"
#include "im_key.h"
#include "im_push.h"


/* The first line and the headers; it begins with a word of the transport. */
static void
im_daemon_transport_head(im_buf_t *b, const char *word,
    const im_daemon_answer_t *answer)
{
    im_buf_add_z(b, word);
    im_buf_add_uint(b, answer->status);
    im_buf_add_z(b, " ");
    im_buf_add_z(b, answer->reason);
    im_buf_add_z(b, "\r\n");
    im_buf_add_str(b, answer->headers);
}


static void
im_daemon_transport_length(im_buf_t *b, const im_daemon_answer_t *answer)
{
    if (answer->status != 204) {
        im_buf_add_z(b, "Content-Length: ");
        im_buf_add_uint(b, answer->body.len);
        im_buf_add_z(b, "\r\n");
    }
}


/* A HEAD is answered without the body that GET has. */
static int
im_daemon_transport_is_head(im_str_t method)
{
    return im_str_eq(method, im_str_z("HEAD"));
}


static void
im_daemon_fcgi_codec_init(im_daemon_codec_t *c, size_t max_body)
{
    im_daemon_fcgi_init(&c->fcgi, max_body);
}


static void
im_daemon_fcgi_codec_cleanup(im_daemon_codec_t *c)
{
    im_daemon_fcgi_cleanup(&c->fcgi);
}


static im_int_t
im_daemon_fcgi_codec_decode(im_daemon_codec_t *c, const u_char **p,
    const u_char *end)
{
    return im_daemon_fcgi_decode(&c->fcgi, p, end);
}


static im_str_t
im_daemon_fcgi_codec_interim(im_daemon_codec_t *c)
{
    return im_str_set(NULL, 0);
}


static im_int_t
im_daemon_fcgi_codec_fill(im_daemon_codec_t *c, im_daemon_request_t *r,
    im_str_t proxied)
{
    size_t    at;
    im_int_t  rc;
    im_str_t  name, value, params;
    uint64_t  length;

    r->internal = 1;
    r->body = im_buf_str(&c->fcgi.body);

    at = 0;
    params = im_buf_str(&c->fcgi.params);

    while ((rc = im_daemon_fcgi_param(params, &at, &name, &value)) == IM_OK) {
        im_daemon_param(r, name, value);
    }

    if (rc == IM_ERROR) {
        return IM_ERROR;
    }

    im_daemon_param_target(r);

    if (c->fcgi.too_large) {
        im_daemon_param_fault(r, 413, "the body is too large");
        return IM_OK;
    }

    rc = im_daemon_param_length(r->length, &length);

    if (rc == IM_ERROR) {
        im_daemon_param_fault(r, 400, "Content-Length is not a number");

    } else if (rc == IM_OK && length != r->body.len) {
        im_daemon_param_fault(r, 400, "the body is not as long as "
                              "Content-Length says");
    }

    return IM_OK;
}


/* nginx's name of the method is in the parameters, which still are there. */
static void
im_daemon_fcgi_codec_encode(im_daemon_codec_t *c, im_buf_t *b,
    const im_daemon_answer_t *answer)
{
    size_t     at;
    im_str_t   name, value, body;
    im_buf_t   head;

    at = 0;
    body = answer->body;

    while (im_daemon_fcgi_param(im_buf_str(&c->fcgi.params), &at, &name, &value)
           == IM_OK)
    {
        if (im_str_eq(name, im_str_z("REQUEST_METHOD"))
            && im_daemon_transport_is_head(value))
        {
            body = im_str_set(NULL, 0);
        }
    }

    im_buf_init(&head, answer->headers.len + 256);

    im_daemon_transport_head(&head, "Status: ", answer);
    im_daemon_transport_length(&head, answer);
    im_buf_add_z(&head, "\r\n");

    im_daemon_fcgi_encode(b, c->fcgi.id, im_buf_str(&head), body);

    if (head.failed) {
        b->failed = 1;
    }

    im_buf_cleanup(&head);
}


static void
im_daemon_fcgi_codec_next(im_daemon_codec_t *c)
{
    im_daemon_fcgi_next(&c->fcgi);
}


static int
im_daemon_fcgi_codec_idle(const im_daemon_codec_t *c)
{
    return im_daemon_fcgi_idle(&c->fcgi);
}


static int
im_daemon_fcgi_codec_keep(const im_daemon_codec_t *c)
{
    return c->fcgi.keep;
}


static size_t
im_daemon_fcgi_codec_held(const im_daemon_codec_t *c)
{
    return c->fcgi.params.size + c->fcgi.body.size;
}


const im_daemon_transport_t  im_daemon_transport_fcgi = {
    im_daemon_fcgi_codec_init,
    im_daemon_fcgi_codec_cleanup,
    im_daemon_fcgi_codec_decode,
    im_daemon_fcgi_codec_interim,
    im_daemon_fcgi_codec_fill,
    im_daemon_fcgi_codec_encode,
    im_daemon_fcgi_codec_next,
    im_daemon_fcgi_codec_idle,
    im_daemon_fcgi_codec_keep,
    im_daemon_fcgi_codec_held,
    0
};


static void
im_daemon_http_codec_init(im_daemon_codec_t *c, size_t max_body)
{
    im_daemon_http_init(&c->http, max_body);
}


static void
im_daemon_http_codec_cleanup(im_daemon_codec_t *c)
{
    im_daemon_http_cleanup(&c->http);
}


static im_int_t
im_daemon_http_codec_decode(im_daemon_codec_t *c, const u_char **p,
    const u_char *end)
{
    return im_daemon_http_decode(&c->http, p, end);
}


static im_str_t
im_daemon_http_codec_interim(im_daemon_codec_t *c)
{
    if (!c->http.expects || !c->http.parsed) {
        return im_str_set(NULL, 0);
    }

    c->http.expects = 0;

    return im_str_z("HTTP/1.1 100 Continue\r\n\r\n");
}


/* The last one of a list: the one that the nearest proxy has added. */
static im_str_t
im_daemon_http_codec_last(im_str_t list)
{
    u_char  *p;

    p = list.len != 0 ? memrchr(list.data, ',', list.len) : NULL;

    if (p != NULL) {
        list.len -= (size_t) (p + 1 - list.data);
        list.data = p + 1;
    }

    while (list.len != 0 && list.data[0] == ' ') {
        list.data++;
        list.len--;
    }

    return list;
}


static im_int_t
im_daemon_http_codec_fill(im_daemon_codec_t *c, im_daemon_request_t *r,
    im_str_t proxied)
{
    size_t           at;
    im_str_t         name, value;
    im_daemon_http_t  *h;

    h = &c->http;

    if (h->fault != 0) {
        im_daemon_param_fault(r, h->fault, h->why);
    }

    if (!h->parsed) {
        return IM_DECLINED;
    }

    r->method = h->method;
    r->path = h->target;
    r->body = im_buf_str(&h->body);

    at = 0;

    while (im_daemon_http_header(h, &at, &name, &value) == IM_OK) {
        im_daemon_param_header(r, name, value);

        if (proxied.len != 0 && name.len == proxied.len && value.len != 0
            && strncasecmp((char *) name.data, (char *) proxied.data, name.len)
               == 0)
        {
            r->address = im_daemon_http_codec_last(value);
        }
    }

    if (h->host.len != 0) {
        r->host = h->host;
    }

    if (r->id.len > IM_PUSH_MAX_ID
        || (r->id.len != 0 && !im_name_valid(r->id)))
    {
        im_daemon_param_fault(r, 400, "IM-Request-Id has 1 to "
                              im_text(IM_PUSH_MAX_ID) " bytes of UTF-8");
    }

    im_daemon_param_target(r);

    return IM_OK;
}


/* As RFC 9110 has it: strftime() would ask the locale. */
static void
im_daemon_http_codec_date(im_buf_t *b)
{
    char       date[64];
    time_t     now;
    struct tm  tm;

    static const char  days[] = "SunMonTueWedThuFriSat";
    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    now = time(NULL);

    if (gmtime_r(&now, &tm) == NULL) {
        return;
    }

    (void) snprintf(date, sizeof(date),
                    "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                    days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);

    im_buf_add_z(b, date);
}


static void
im_daemon_http_codec_encode(im_daemon_codec_t *c, im_buf_t *b,
    const im_daemon_answer_t *answer)
{
    im_daemon_transport_head(b, "HTTP/1.1 ", answer);
    im_daemon_http_codec_date(b);
    im_daemon_transport_length(b, answer);

    im_buf_add_z(b, answer->last ? "Connection: close\r\n\r\n" : "\r\n");

    if (!c->http.parsed || !im_daemon_transport_is_head(c->http.method)) {
        im_buf_add_str(b, answer->body);
    }
}


static void
im_daemon_http_codec_next(im_daemon_codec_t *c)
{
    im_daemon_http_next(&c->http);
}


static int
im_daemon_http_codec_idle(const im_daemon_codec_t *c)
{
    return im_daemon_http_idle(&c->http);
}


static int
im_daemon_http_codec_keep(const im_daemon_codec_t *c)
{
    return c->http.keep;
}


static size_t
im_daemon_http_codec_held(const im_daemon_codec_t *c)
{
    return c->http.head.size + c->http.line.size + c->http.body.size;
}


const im_daemon_transport_t  im_daemon_transport_http = {
    im_daemon_http_codec_init,
    im_daemon_http_codec_cleanup,
    im_daemon_http_codec_decode,
    im_daemon_http_codec_interim,
    im_daemon_http_codec_fill,
    im_daemon_http_codec_encode,
    im_daemon_http_codec_next,
    im_daemon_http_codec_idle,
    im_daemon_http_codec_keep,
    im_daemon_http_codec_held,
    1
};
