/*
 * Copyright (C) The im authors
 *
 * Arguments of requests.
 */

#include "im_query.h"


/* -1: not a digit. */
static int
im_query_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* plus: what a '+' is. */
static im_int_t
im_query_decode(im_str_t text, u_char plus, im_buf_t *value)
{
    int            high, low;
    u_char        *dst;
    const u_char  *p, *end;

    if (text.len == 0) {
        return IM_OK;
    }

    dst = im_buf_reserve(value, text.len);
    if (dst == NULL) {
        return IM_OK;
    }

    p = text.data;
    end = p + text.len;

    for ( /* void */ ; p < end; p++) {

        if (*p != '%') {
            *dst++ = *p == '+' ? plus : *p;
            continue;
        }

        high = end - p > 2 ? im_query_hex(p[1]) : -1;
        low = end - p > 2 ? im_query_hex(p[2]) : -1;

        if (high < 0 || low < 0) {
            value->len -= text.len;
            return IM_ERROR;
        }

        *dst++ = (u_char) (high * 16 + low);
        p += 2;
    }

    value->len = (size_t) (dst - value->data);

    return IM_OK;
}


im_int_t
im_query_percent(im_str_t text, im_buf_t *value)
{
    return im_query_decode(text, '+', value);
}


im_int_t
im_query_arg(im_str_t query, im_str_t name, im_buf_t *value)
{
    u_char    *last;
    im_str_t   arg;

    while (query.len > 0) {
        last = im_str_chr(query, '&');

        arg = last != NULL ? im_str_set(query.data, last - query.data) : query;

        query.len -= arg.len + (last != NULL);
        query.data += arg.len + (last != NULL);

        if (arg.len > name.len && im_str_begins(arg, name)
            && arg.data[name.len] == '=')
        {
            return im_query_decode(im_str_set(arg.data + name.len + 1,
                                              arg.len - name.len - 1),
                                   ' ', value);
        }
    }

    return IM_DECLINED;
}
