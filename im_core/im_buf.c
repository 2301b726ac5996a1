/*
 * Copyright (C) The im authors
 *
 * The byte buffer and the reader.
 */

#include "im_buf.h"


#define IM_BUF_SIZE      64      /* the least that is allocated */
#define IM_BUF_DECIMAL   20      /* digits of the largest uint64_t */


void
im_buf_init(im_buf_t *b, size_t max)
{
    memset(b, 0, sizeof(im_buf_t));

    b->max = max;
}


void
im_buf_fixed(im_buf_t *b, u_char *data, size_t size)
{
    im_buf_init(b, size);

    b->data = data;
    b->size = size;
}


void
im_buf_cleanup(im_buf_t *b)
{
    im_free(b->data);

    im_buf_init(b, b->max);
}


void
im_buf_reset(im_buf_t *b, size_t keep)
{
    b->len = 0;
    b->failed = 0;

    if (b->size > keep) {
        im_free(b->data);

        b->data = NULL;
        b->size = 0;
    }
}


u_char *
im_buf_reserve(im_buf_t *b, size_t len)
{
    size_t   size;
    u_char  *p;

    if (b->failed) {
        return NULL;
    }

    if (len > b->max - b->len) {
        b->failed = 1;
        return NULL;
    }

    /* doubles, up to the limit: a full buffer has exactly that size */

    if (b->data == NULL || len > b->size - b->len) {
        size = b->size > b->max / 2 ? b->max : b->size * 2;
        size = im_max(size, b->len + len);
        size = im_max(size, IM_BUF_SIZE);

        p = im_realloc(b->data, size);
        if (p == NULL) {
            b->failed = 1;
            return NULL;
        }

        b->data = p;
        b->size = size;
    }

    p = b->data + b->len;
    b->len += len;

    return p;
}


void
im_buf_add(im_buf_t *b, const void *data, size_t len)
{
    u_char  *p;

    p = len != 0 ? im_buf_reserve(b, len) : NULL;

    if (p != NULL) {
        memcpy(p, data, len);
    }
}


void
im_buf_add_str(im_buf_t *b, im_str_t s)
{
    im_buf_add(b, s.data, s.len);
}


void
im_buf_add_z(im_buf_t *b, const char *z)
{
    im_buf_add(b, z, strlen(z));
}


void
im_buf_add_int(im_buf_t *b, int64_t n)
{
    if (n >= 0) {
        im_buf_add_uint(b, n);
        return;
    }

    im_buf_add_u8(b, '-');

    /* INT64_MIN has no positive counterpart. */
    im_buf_add_uint(b, -(uint64_t) n);
}


void
im_buf_add_uint(im_buf_t *b, uint64_t n)
{
    u_char  *p, digits[IM_BUF_DECIMAL];

    p = digits + IM_BUF_DECIMAL;

    do {
        *--p = '0' + n % 10;
        n /= 10;
    } while (n != 0);

    im_buf_add(b, p, digits + IM_BUF_DECIMAL - p);
}


void
im_buf_add_be(im_buf_t *b, uint64_t n, size_t len)
{
    u_char  *p;

    p = im_buf_reserve(b, len);

    while (p != NULL && len > 0) {
        p[--len] = (u_char) n;
        n >>= 8;
    }
}


im_str_t
im_buf_str(const im_buf_t *b)
{
    return im_str_set(b->data, b->len);
}


void
im_reader_init(im_reader_t *r, im_str_t s)
{
    static const u_char  none[1];

    r->p = s.data != NULL ? s.data : none;
    r->end = r->p + s.len;
    r->failed = 0;
}


uint64_t
im_reader_be(im_reader_t *r, size_t len)
{
    size_t    i;
    uint64_t  n;
    im_str_t  bytes;

    n = 0;
    bytes = im_reader_bytes(r, len);

    for (i = 0; i < bytes.len; i++) {
        n = n << 8 | bytes.data[i];
    }

    return n;
}


im_str_t
im_reader_bytes(im_reader_t *r, size_t len)
{
    im_str_t  bytes;

    if (r->failed || len > (size_t) (r->end - r->p)) {
        r->failed = 1;
        return im_str_set(r->p, 0);
    }

    bytes = im_str_set(r->p, len);
    r->p += len;

    return bytes;
}


im_int_t
im_decimal_decode(im_str_t s, uint64_t *n)
{
    size_t    i;
    uint64_t  digit;

    *n = 0;

    for (i = 0; i < s.len; i++) {
        digit = (uint64_t) s.data[i] - '0';

        if (digit > 9 || *n > (UINT64_MAX - digit) / 10) {
            return IM_ERROR;
        }

        *n = *n * 10 + digit;
    }

    return s.len > 0 ? IM_OK : IM_ERROR;
}
