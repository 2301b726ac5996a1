/*
 * Copyright (C) The im authors
 *
 * DER.
 */

#include "im_der.h"


/* Of a length above 0x7f: the bytes that it takes. */
static size_t
im_der_length_len(size_t len)
{
    return len > 0xffff ? 3 : len > 0xff ? 2 : 1;
}


void
im_der_add_head(im_buf_t *b, u_char tag, size_t len)
{
    size_t  n;

    im_buf_add_u8(b, tag);

    if (len <= 0x7f) {
        im_buf_add_u8(b, len);
        return;
    }

    n = im_der_length_len(len);

    im_buf_add_u8(b, 0x80 | n);
    im_buf_add_be(b, len, n);
}


size_t
im_der_size(size_t len)
{
    return 2 + (len > 0x7f ? im_der_length_len(len) : 0) + len;
}


static im_str_t
im_der_strip(im_str_t number)
{
    while (number.len > 1 && number.data[0] == 0) {
        number.data++;
        number.len--;
    }

    return number;
}


size_t
im_der_number_len(im_str_t number)
{
    number = im_der_strip(number);

    return number.len + (number.data[0] > 0x7f);
}


/* No leading zeros, except one that keeps the number positive. */
void
im_der_add_number(im_buf_t *b, im_str_t number)
{
    number = im_der_strip(number);

    im_der_add_head(b, IM_DER_INTEGER, im_der_number_len(number));

    if (number.data[0] > 0x7f) {
        im_buf_add_u8(b, 0);
    }

    im_buf_add_str(b, number);
}
