/*
 * Copyright (C) The im authors
 *
 * Which page a browser asks for: Origin (RFC 6454) against Host.
 */

#include <arpa/inet.h>
#include <strings.h>

#include "im_logic_origin.h"


#define IM_ORIGIN_NAME   256
#define IM_ORIGIN_HTTP   80
#define IM_ORIGIN_HTTPS  443


typedef struct {
    u_char           name[IM_ORIGIN_NAME];   /* lower case */
    size_t           len;
    struct in6_addr  in6;
    unsigned         literal:1;              /* in6 is it */
    im_uint_t        port;                   /* 0: none is given */
} im_logic_origin_t;


static im_int_t
im_logic_origin_port(im_str_t s, im_uint_t *port)
{
    size_t  i;

    *port = 0;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return IM_ERROR;
        }

        *port = *port * 10 + s.data[i] - '0';

        if (*port > 65535) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* "NAME", "NAME:PORT", "[V6]", "[V6]:PORT" */
static im_int_t
im_logic_origin_host(im_str_t s, im_logic_origin_t *o)
{
    char       text[IM_ORIGIN_NAME];
    size_t     i, n;
    u_char     c;
    u_char    *end;

    memset(o, 0, sizeof(im_logic_origin_t));

    o->literal = s.len != 0 && s.data[0] == '[';
    end = s.len != 0 ? memchr(s.data, o->literal ? ']' : ':', s.len) : NULL;

    if (o->literal && end == NULL) {
        return IM_ERROR;
    }

    n = end != NULL ? (size_t) (end - s.data) + o->literal : s.len;

    if (n == 0 || n >= IM_ORIGIN_NAME || (n < s.len && s.data[n] != ':')) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        c = s.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("/?#@\\,", c) != NULL) {
            return IM_ERROR;
        }

        o->name[i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }

    o->len = n;

    if (o->literal) {
        memcpy(text, s.data + 1, n - 2);
        text[n - 2] = '\0';

        if (inet_pton(AF_INET6, text, &o->in6) != 1) {
            return IM_ERROR;
        }
    }

    return n == s.len ? IM_OK
           : im_logic_origin_port(im_str_set(s.data + n + 1, s.len - n - 1),
                                  &o->port);
}


static int
im_logic_origin_eq(const im_logic_origin_t *a, const im_logic_origin_t *b)
{
    if (a->literal || b->literal) {
        return a->literal && b->literal
               && memcmp(&a->in6, &b->in6, sizeof(struct in6_addr)) == 0;
    }

    return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}


int
im_logic_origin_same(im_str_t origin, im_str_t host, int https)
{
    im_uint_t          port;
    im_logic_origin_t  page, asked;

    if (origin.len > 8
        && strncasecmp((char *) origin.data, "https://", 8) == 0)
    {
        port = IM_ORIGIN_HTTPS;
        origin = im_str_set(origin.data + 8, origin.len - 8);

    } else if (origin.len > 7
               && strncasecmp((char *) origin.data, "http://", 7) == 0)
    {
        port = IM_ORIGIN_HTTP;
        origin = im_str_set(origin.data + 7, origin.len - 7);

    } else {
        return 0;
    }

    if (im_logic_origin_host(origin, &page) != IM_OK
        || im_logic_origin_host(host, &asked) != IM_OK)
    {
        return 0;
    }

    if (https && port != IM_ORIGIN_HTTPS) {
        return 0;
    }

    return im_logic_origin_eq(&page, &asked)
           && (page.port != 0 ? page.port : port)
              == (asked.port != 0 ? asked.port : port);
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
    im_str_t  word;

    while (list != NULL && im_logic_origin_word(&list, &word)) {
        if (word.len == value.len
            && strncasecmp((char *) word.data, (char *) value.data, word.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


int
im_logic_host_listed(const char *list, im_str_t host)
{
    im_str_t           word;
    im_logic_origin_t  asked, listed;

    if (im_logic_origin_host(host, &asked) != IM_OK) {
        return 0;
    }

    while (im_logic_origin_word(&list, &word)) {
        if (im_logic_origin_host(word, &listed) == IM_OK
            && im_logic_origin_eq(&listed, &asked)
            && (listed.port == 0 || listed.port == asked.port))
        {
            return 1;
        }
    }

    return 0;
}
