/*
 * Copyright (C) The im authors
 *
 * Origins.
 *
 * Patterns and headers are brought to one form, and forms are compared: lower
 * case, letters beyond ASCII in Punycode, default ports written, addresses of
 * IPv6 as numbers.
 */

#include "im_origin.h"
#include "im_buf.h"
#include "im_punycode.h"

#include <arpa/inet.h>


typedef struct {
    const char  *scheme;
    uint32_t     port;
} im_origin_scheme_t;


static const im_origin_scheme_t  im_origin_schemes[] = {
    { "http", 80 },
    { "https", 443 },
    { NULL, 0 }
};


#define im_origin_str(o, member)                                              \
    im_str_set((o)->member, (o)->member##_len)


static im_str_t
im_origin_rest(im_str_t s, size_t n)
{
    return im_str_set(s.data + n, s.len - n);
}


static int
im_origin_word(im_str_t s, const char *word)
{
    size_t  i;

    for (i = 0; i < s.len && word[i] != '\0'; i++) {
        if ((s.data[i] | 0x20) != word[i]) {
            return 0;
        }
    }

    return i == s.len && word[i] == '\0';
}


/* 0: it has none. */
static uint32_t
im_origin_default_port(im_str_t scheme)
{
    const im_origin_scheme_t  *known;

    for (known = im_origin_schemes; known->scheme != NULL; known++) {
        if (im_str_eq(scheme, im_str_z(known->scheme))) {
            return known->port;
        }
    }

    return 0;
}


/* Takes "https://" off s, if it is there. */
static im_int_t
im_origin_scheme(im_str_t *s, im_origin_t *o)
{
    size_t  i;
    u_char  c;

    o->scheme_len = 0;

    for (i = 0; i + 2 < s->len; i++) {
        if (memcmp(s->data + i, "://", 3) == 0) {
            break;
        }
    }

    if (i + 2 >= s->len) {
        return IM_OK;
    }

    if (i == 0 || i > IM_ORIGIN_SCHEME) {
        return IM_ERROR;
    }

    for (o->scheme_len = 0; o->scheme_len < i; o->scheme_len++) {
        c = s->data[o->scheme_len];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if ((c < 'a' || c > 'z')
            && (o->scheme_len == 0
                || ((c < '0' || c > '9') && c != '+' && c != '-' && c != '.')))
        {
            return IM_ERROR;
        }

        o->scheme[o->scheme_len] = c;
    }

    *s = im_origin_rest(*s, i + 3);

    return IM_OK;
}


/* Takes ":8080" off the end of s. */
static im_int_t
im_origin_port(im_str_t *s, uint32_t *port)
{
    size_t    i;
    uint64_t  n;
    im_str_t  digits;

    *port = 0;

    for (i = s->len; i > 0; i--) {
        if (s->data[i - 1] == ':' || s->data[i - 1] == ']') {
            break;
        }
    }

    if (i == 0 || s->data[i - 1] == ']') {
        return IM_OK;
    }

    digits = im_origin_rest(*s, i);
    s->len = i - 1;

    if (digits.len == 1 && digits.data[0] == '*') {
        *port = IM_ORIGIN_ANY_PORT;
        return IM_OK;
    }

    if (digits.len == 0 || digits.len > 5
        || im_decimal_decode(digits, &n) != IM_OK || n == 0 || n > 65535)
    {
        return IM_ERROR;
    }

    *port = (uint32_t) n;

    return IM_OK;
}


static im_int_t
im_origin_ipv6(im_str_t s, im_origin_t *o)
{
    char             text[INET6_ADDRSTRLEN];
    struct in6_addr  addr;

    if (s.len < 2 || s.len > sizeof(text) || s.data[s.len - 1] != ']'
        || o->kind == IM_ORIGIN_BELOW)
    {
        return IM_ERROR;
    }

    memcpy(text, s.data + 1, s.len - 2);
    text[s.len - 2] = '\0';

    if (inet_pton(AF_INET6, text, &addr) != 1
        || inet_ntop(AF_INET6, &addr, text, sizeof(text)) == NULL)
    {
        return IM_ERROR;
    }

    o->host_len = (uint16_t) (strlen(text) + 2);
    o->host[0] = '[';
    memcpy(o->host + 1, text, o->host_len - 2);
    o->host[o->host_len - 1] = ']';

    return IM_OK;
}


/* What ends in a number is an address of IPv4 for a browser. */
static int
im_origin_numeric(const im_origin_t *o)
{
    size_t  i;

    for (i = o->host_len; i > 0 && o->host[i - 1] != '.'; i--) {
        if (o->host[i - 1] < '0' || o->host[i - 1] > '9') {
            return 0;
        }
    }

    return 1;
}


/* Browsers send four numbers, and no names are below an address. */
static im_int_t
im_origin_ipv4(const im_origin_t *o)
{
    char            text[INET_ADDRSTRLEN];
    struct in_addr  addr;

    if (o->kind == IM_ORIGIN_BELOW || o->host_len >= sizeof(text)) {
        return IM_ERROR;
    }

    memcpy(text, o->host, o->host_len);
    text[o->host_len] = '\0';

    return inet_pton(AF_INET, text, &addr) == 1 ? IM_OK : IM_ERROR;
}


/* A name without a star and without empty labels, or an address of IPv4. */
static im_int_t
im_origin_name(im_str_t s, im_origin_t *o)
{
    size_t    i;
    u_char    c;
    im_buf_t  b;
    im_str_t  label;

    im_buf_fixed(&b, o->host, IM_ORIGIN_HOST);

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c < 0x80 && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
            && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_')
        {
            return IM_ERROR;
        }
    }

    while (s.len > 0) {
        for (i = 0; i < s.len && s.data[i] != '.'; i++) { /* void */ }

        label = im_str_set(s.data, i);

        if (i == 0 || im_punycode_label(&b, label) != IM_OK) {
            return IM_ERROR;
        }

        if (i == s.len) {
            break;
        }

        /* the dot of the root says nothing */

        if (i + 1 < s.len) {
            im_buf_add_z(&b, ".");
        }

        s = im_origin_rest(s, i + 1);
    }

    o->host_len = (uint16_t) b.len;

    if (b.failed || b.len == 0) {
        return IM_ERROR;
    }

    return im_origin_numeric(o) ? im_origin_ipv4(o) : IM_OK;
}


/* Of schemes like "app" and "chrome-extension": any text, or none. */
static im_int_t
im_origin_opaque(im_str_t s, im_origin_t *o)
{
    u_char  c;

    if (s.len > IM_ORIGIN_HOST) {
        return IM_ERROR;
    }

    for (o->host_len = 0; o->host_len < s.len; o->host_len++) {
        c = s.data[o->host_len];

        if (c == '*') {
            return IM_ERROR;
        }

        o->host[o->host_len] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }

    return IM_OK;
}


static im_int_t
im_origin_host(im_str_t s, im_origin_t *o)
{
    if (s.len > 0 && s.data[0] == '[') {
        return im_origin_ipv6(s, o);
    }

    return o->scheme_len == 0
           || im_origin_default_port(im_origin_str(o, scheme)) != 0
           ? im_origin_name(s, o) : im_origin_opaque(s, o);
}


/* Bytes that no part of an origin has. */
static int
im_origin_bytes(im_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static int
im_origin_has(im_str_t s, const char *set)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (strchr(set, s.data[i]) != NULL) {
            return 1;
        }
    }

    return 0;
}


im_int_t
im_origin_decode(im_str_t s, im_origin_t *o)
{
    memset(o, 0, sizeof(im_origin_t));

    if (im_origin_word(s, "null")) {
        o->kind = IM_ORIGIN_NULL;
        return IM_OK;
    }

    if (!im_origin_bytes(s) || im_origin_scheme(&s, o) != IM_OK
        || o->scheme_len == 0 || im_origin_has(s, "/?#@\\*")
        || im_origin_port(&s, &o->port) != IM_OK)
    {
        return IM_ERROR;
    }

    if (o->port == 0) {
        o->port = im_origin_default_port(im_origin_str(o, scheme));
    }

    return im_origin_host(s, o);
}


/* "*", "*." and the rest. */
static im_int_t
im_origin_mask(im_str_t *s, im_origin_t *o)
{
    if (s->len == 1 && s->data[0] == '*') {
        o->kind = IM_ORIGIN_HOSTS;
        s->len = 0;

    } else if (s->len > 2 && s->data[0] == '*' && s->data[1] == '.') {
        o->kind = IM_ORIGIN_BELOW;
        *s = im_origin_rest(*s, 2);
    }

    return im_origin_has(*s, "*") ? IM_ERROR : IM_OK;
}


static im_int_t
im_origin_authority(im_str_t s, im_origin_t *o, const char **why)
{
    *why = "has a port that is no number from 1 to 65535, nor *";

    if (im_origin_port(&s, &o->port) != IM_OK) {
        return IM_ERROR;
    }

    if (o->port == 0) {
        o->port = im_origin_default_port(im_origin_str(o, scheme));
    }

    *why = "has a \"*\" that is not the whole first label: write "
           "https://*.example.com";

    if (im_origin_mask(&s, o) != IM_OK) {
        return IM_ERROR;
    }

    *why = "has no valid host: write it like https://example.com, or "
           "https://*.example.com, or http://[::1]:8080";

    return o->kind == IM_ORIGIN_HOSTS ? IM_OK : im_origin_host(s, o);
}


static int
im_origin_special(im_str_t s, im_origin_t *o)
{
    size_t  i;

    static const struct {
        const char   *word;
        im_origin_e   kind;
    } words[] = {
        { "*", IM_ORIGIN_ANY },
        { "null", IM_ORIGIN_NULL },
        { "self", IM_ORIGIN_SELF }
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (im_origin_word(s, words[i].word)
            || im_str_eq(s, im_str_z(words[i].word)))
        {
            o->kind = words[i].kind;
            return 1;
        }
    }

    return 0;
}


im_int_t
im_origin_pattern(im_str_t s, im_origin_t *o, const char **why)
{
    memset(o, 0, sizeof(im_origin_t));

    if (im_origin_special(s, o)) {
        return IM_OK;
    }

    *why = "has blanks or control characters: write origins one by one, "
           "with blanks between them";

    if (!im_origin_bytes(s)) {
        return IM_ERROR;
    }

    *why = "must look like https://example.com, or be self, null or *";

    if (im_origin_scheme(&s, o) != IM_OK || o->scheme_len == 0) {
        return IM_ERROR;
    }

    *why = "has the scheme of the socket: an origin has that of the page, "
           "such as https://example.com";

    if (im_str_eq(im_origin_str(o, scheme), im_str_z("ws"))
        || im_str_eq(im_origin_str(o, scheme), im_str_z("wss")))
    {
        return IM_ERROR;
    }

    *why = "has a path, a query or a user, which no browser sends: write it "
           "like https://example.com";

    while (s.len > 0 && s.data[s.len - 1] == '/') {
        s.len--;
    }

    return im_origin_has(s, "/?#@\\")
           ? IM_ERROR : im_origin_authority(s, o, why);
}


static int
im_origin_same_host(const im_origin_t *o, im_str_t host)
{
    uint32_t     port;
    im_origin_t  own;

    memset(&own, 0, sizeof(im_origin_t));

    return im_origin_default_port(im_origin_str(o, scheme)) != 0
           && im_origin_port(&host, &port) == IM_OK
           && im_origin_host(host, &own) == IM_OK
           && im_str_eq(im_origin_str(o, host), im_origin_str(&own, host));
}


static int
im_origin_match_host(const im_origin_t *pattern, const im_origin_t *o)
{
    size_t  n;

    if (pattern->kind == IM_ORIGIN_HOSTS) {
        return 1;
    }

    if (pattern->kind == IM_ORIGIN_EXACT) {
        return im_str_eq(im_origin_str(pattern, host), im_origin_str(o, host));
    }

    if (o->host_len <= pattern->host_len + 1) {
        return 0;
    }

    n = o->host_len - pattern->host_len;

    return o->host[n - 1] == '.'
           && memcmp(o->host + n, pattern->host, pattern->host_len) == 0;
}


int
im_origin_match(const im_origin_t *pattern, const im_origin_t *o,
    im_str_t host)
{
    if (pattern->kind == IM_ORIGIN_ANY) {
        return 1;
    }

    if (pattern->kind == IM_ORIGIN_NULL || o->kind == IM_ORIGIN_NULL) {
        return pattern->kind == o->kind;
    }

    if (pattern->kind == IM_ORIGIN_SELF) {
        return im_origin_same_host(o, host);
    }

    return im_str_eq(im_origin_str(pattern, scheme), im_origin_str(o, scheme))
           && (pattern->port == IM_ORIGIN_ANY_PORT || pattern->port == o->port)
           && im_origin_match_host(pattern, o);
}
