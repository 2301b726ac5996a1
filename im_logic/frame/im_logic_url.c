/*
 * Copyright (C) The im authors
 *
 * URL decoding.
 */

#include "im_logic_url.h"


static int
im_logic_url_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return -1;
}


int
im_logic_url_valid(im_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '%'
            && (s.len - i < 3 || im_logic_url_hex(s.data[i + 1]) < 0
                || im_logic_url_hex(s.data[i + 2]) < 0))
        {
            return 0;
        }
    }

    return 1;
}


void
im_logic_url_decode(im_buf_t *b, im_str_t s, int plus)
{
    int      hi, lo;
    size_t   i;
    u_char   c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c == '%' && s.len - i > 2) {
            hi = im_logic_url_hex(s.data[i + 1]);
            lo = im_logic_url_hex(s.data[i + 2]);

            if (hi >= 0 && lo >= 0) {
                c = (u_char) (hi << 4 | lo);
                i += 2;
            }

        } else if (c == '+' && plus) {
            c = ' ';
        }

        im_buf_add_u8(b, c);
    }
}


im_int_t
im_logic_url_arg(im_str_t query, size_t *at, im_str_t *name, im_str_t *value)
{
    size_t         len, nlen;
    const u_char  *p, *eq;

    while (*at < query.len && query.data[*at] == '&') {
        (*at)++;
    }

    if (*at >= query.len) {
        return IM_DECLINED;
    }

    p = query.data + *at;
    len = query.len - *at;

    eq = memchr(p, '&', len);

    if (eq != NULL) {
        len = (size_t) (eq - p);
    }

    *at += len;

    eq = memchr(p, '=', len);

    nlen = eq != NULL ? (size_t) (eq - p) : len;

    *name = im_str_set(p, nlen);
    nlen += eq != NULL;
    *value = im_str_set(p + nlen, len - nlen);

    return IM_OK;
}


im_int_t
im_logic_url_find(im_str_t query, const char *name, im_buf_t *b)
{
    size_t    at;
    im_str_t  n, value;

    at = 0;

    while (im_logic_url_arg(query, &at, &n, &value) == IM_OK) {
        if (im_str_eq(n, im_str_z(name))) {
            im_logic_url_decode(b, value, 1);
            return IM_OK;
        }
    }

    return IM_DECLINED;
}
