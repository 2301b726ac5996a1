/*
 * Copyright (C) The im authors
 *
 * Base64, both ways.
 */

#include "im_base64.h"


#define IM_BASE64_BAD  64


void
im_base64_encode(im_buf_t *b, im_str_t bytes, im_uint_t flags)
{
    size_t       i, n;
    u_char      *p;
    uint32_t     bits;
    const char  *digits;

#define IM_BASE64_DIGITS  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"                        \
                          "abcdefghijklmnopqrstuvwxyz0123456789"

    digits = flags & IM_BASE64_URL ? IM_BASE64_DIGITS "-_"
                                   : IM_BASE64_DIGITS "+/";

    p = im_buf_reserve(b, (bytes.len + 2) / 3 * 4);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < bytes.len; i += 3) {
        n = im_min(bytes.len - i, 3);

        bits = (uint32_t) bytes.data[i] << 16;
        bits |= n > 1 ? (uint32_t) bytes.data[i + 1] << 8 : 0;
        bits |= n > 2 ? bytes.data[i + 2] : 0;

        *p++ = (u_char) digits[bits >> 18];
        *p++ = (u_char) digits[bits >> 12 & 0x3f];
        *p++ = (u_char) (n > 1 ? digits[bits >> 6 & 0x3f] : '=');
        *p++ = (u_char) (n > 2 ? digits[bits & 0x3f] : '=');
    }

    if (flags & IM_BASE64_URL) {
        b->len -= (3 - bytes.len % 3) % 3;
    }
}


static u_char
im_base64_digit(u_char c, im_uint_t flags)
{
    if (c >= 'A' && c <= 'Z') {
        return (u_char) (c - 'A');
    }

    if (c >= 'a' && c <= 'z') {
        return (u_char) (c - 'a' + 26);
    }

    if (c >= '0' && c <= '9') {
        return (u_char) (c - '0' + 52);
    }

    if (c == (flags & IM_BASE64_URL ? '-' : '+')) {
        return 62;
    }

    if (c == (flags & IM_BASE64_URL ? '_' : '/')) {
        return 63;
    }

    return IM_BASE64_BAD;
}


im_int_t
im_base64_decode(im_buf_t *b, im_str_t text, im_uint_t flags, im_str_t *bytes)
{
    size_t     i, len;
    u_char     digit, bad;
    u_char    *start, *p;
    uint32_t   bits;

    if (!(flags & IM_BASE64_URL)) {
        if (text.len % 4 != 0) {
            return IM_DECLINED;
        }

        for (i = 0; i < 2 && text.len && text.data[text.len - 1] == '='; i++) {
            text.len--;
        }
    }

    if (text.len % 4 == 1) {
        return IM_DECLINED;
    }

    len = text.len / 4 * 3 + text.len % 4 * 3 / 4;

    start = im_buf_reserve(b, len);
    if (start == NULL) {
        return IM_ERROR;
    }

    p = start;
    bits = 0;
    bad = 0;

    for (i = 0; i < text.len; i++) {
        digit = im_base64_digit(text.data[i], flags);
        bad |= digit;
        bits = bits << 6 | (digit & 0x3f);

        if (i % 4 != 0) {
            *p++ = (u_char) (bits >> (6 - i % 4 * 2));
        }
    }

    /* bits left over behind the last byte must be zero */

    if ((bad & IM_BASE64_BAD)
        || (text.len % 4 == 2 && (bits & 0x0f))
        || (text.len % 4 == 3 && (bits & 0x03)))
    {
        b->len -= len;
        return IM_DECLINED;
    }

    *bytes = im_str_set(start, len);

    return IM_OK;
}
