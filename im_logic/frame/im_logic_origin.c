/*
 * Copyright (C) The im authors
 *
 * Which page a browser asks for: Origin against Host, ports included.
 */

#include "im_logic_origin.h"
#include "im_buf.h"
#include "im_origin.h"


#define IM_HOST_MAX  (IM_ORIGIN_SCHEME + IM_ORIGIN_HOST + sizeof("://[]:65535"))


static int
im_logic_origin_is(const im_origin_t *o, const char *scheme)
{
    return im_str_eq(im_str_set(o->scheme, o->scheme_len), im_str_z(scheme));
}


static int
im_logic_origin_host_eq(const im_origin_t *a, const im_origin_t *b)
{
    return im_str_eq(im_str_set(a->host, a->host_len),
                     im_str_set(b->host, b->host_len));
}


/* "NAME", "NAME:PORT", "[V6]" or "[V6]:PORT", as the origin of a page. */
static im_int_t
im_logic_origin_host(im_str_t scheme, im_str_t host, im_origin_t *o)
{
    u_char    text[IM_HOST_MAX];
    im_buf_t  b;

    im_buf_fixed(&b, text, IM_HOST_MAX);
    im_buf_add_str(&b, scheme);
    im_buf_add_z(&b, "://");
    im_buf_add_str(&b, host);

    return b.failed ? IM_ERROR : im_origin_decode(im_buf_str(&b), o);
}


int
im_logic_origin_same(im_str_t origin, im_str_t host, int https)
{
    im_origin_t  page, asked;

    if (im_origin_decode(origin, &page) != IM_OK
        || page.kind == IM_ORIGIN_NULL
        || (!im_logic_origin_is(&page, "https")
            && (https || !im_logic_origin_is(&page, "http")))
        || im_logic_origin_host(im_str_set(page.scheme, page.scheme_len), host,
                                &asked)
           != IM_OK)
    {
        return 0;
    }

    return page.port == asked.port && im_logic_origin_host_eq(&page, &asked);
}


/* The next word of the list; 0: no more. */
static int
im_logic_origin_word(const char **list, im_str_t *word)
{
    size_t  len;

    *list += strspn(*list, " ,");
    len = strcspn(*list, " ,");

    *word = im_str_set(*list, len);
    *list += len;

    return len != 0;
}


int
im_logic_origin_listed(const char *list, im_str_t value)
{
    im_str_t      word, none = im_null_str;
    const char   *why;
    im_origin_t   page, pattern;

    if (list == NULL || im_origin_decode(value, &page) != IM_OK) {
        return 0;
    }

    while (im_logic_origin_word(&list, &word)) {
        if (im_origin_pattern(word, &pattern, &why) == IM_OK
            && im_origin_match(&pattern, &page, none))
        {
            return 1;
        }
    }

    return 0;
}


/* A port stands behind the host. */
static int
im_logic_host_port(im_str_t host)
{
    size_t  i;

    for (i = host.len; i > 0 && host.data[i - 1] != ']'; i--) {
        if (host.data[i - 1] == ':') {
            return 1;
        }
    }

    return 0;
}


int
im_logic_host_listed(const char *list, im_str_t host)
{
    im_str_t     word, http = im_str("http");
    im_origin_t  asked, listed;

    if (im_logic_origin_host(http, host, &asked) != IM_OK) {
        return 0;
    }

    while (im_logic_origin_word(&list, &word)) {
        if (im_logic_origin_host(http, word, &listed) == IM_OK
            && im_logic_origin_host_eq(&listed, &asked)
            && (!im_logic_host_port(word) || listed.port == asked.port))
        {
            return 1;
        }
    }

    return 0;
}


const char *
im_logic_origin_check(const char *list)
{
    im_str_t      word;
    im_uint_t     n;
    const char   *why;
    im_origin_t   pattern;

    for (n = 0; im_logic_origin_word(&list, &word); n++) {
        if (im_origin_pattern(word, &pattern, &why) != IM_OK) {
            return why;
        }
    }

    return n != 0 ? NULL : "holds no origin: leave the option out, or write "
                           "https://HOST";
}


const char *
im_logic_host_check(const char *list)
{
    im_str_t     word, http = im_str("http");
    im_uint_t    n;
    im_origin_t  host;

    for (n = 0; im_logic_origin_word(&list, &word); n++) {
        if (im_logic_origin_host(http, word, &host) != IM_OK) {
            return "is no list of hosts: write NAME, NAME:PORT or [IPV6], with "
                   "commas between";
        }
    }

    return n != 0 ? NULL : "holds no host: leave the option out, or write NAME";
}


const char *
im_logic_header_check(const char *name)
{
    size_t  len;

    len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789-_");

    return len != 0 && name[len] == '\0'
           ? NULL : "is no name of a header: write one as X-Real-IP";
}
