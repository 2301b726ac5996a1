/*
 * Copyright (C) The im authors
 *
 * Identifiers as text.
 */

#include "im_id.h"


#define IM_BASE36_LEN  13      /* of 2^64 - 1 */


void
im_id_add_base36(im_buf_t *b, uint64_t n)
{
    u_char   text[IM_BASE36_LEN];
    u_char  *p;

    p = text + IM_BASE36_LEN;

    do {
        *--p = (u_char) "0123456789abcdefghijklmnopqrstuvwxyz"[n % 36];
        n /= 36;
    } while (n != 0);

    im_buf_add(b, p, (size_t) (text + IM_BASE36_LEN - p));
}


void
im_id_uuid(u_char text[IM_UUID_LEN], const u_char random[16])
{
    u_char      byte;
    u_char     *p;
    im_uint_t   i;

    p = text;

    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        byte = random[i];

        if (i == 6) {
            byte = (u_char) ((byte & 0x0f) | 0x40);     /* version 4 */
        }

        if (i == 8) {
            byte = (u_char) ((byte & 0x3f) | 0x80);     /* RFC 4122 */
        }

        *p++ = (u_char) "0123456789abcdef"[byte >> 4];
        *p++ = (u_char) "0123456789abcdef"[byte & 0x0f];
    }
}


im_int_t
im_id_uuid_decode(im_str_t text, u_char id[16])
{
    u_char     c, digit;
    im_uint_t  i, n;

    if (text.len != IM_UUID_LEN) {
        return IM_ERROR;
    }

    memset(id, 0, 16);

    for (i = 0, n = 0; i < IM_UUID_LEN; i++) {
        c = text.data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return IM_ERROR;
            }

            continue;
        }

        if (c >= '0' && c <= '9') {
            digit = (u_char) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (u_char) ((c | 0x20) - 'a' + 10);

        } else {
            return IM_ERROR;
        }

        id[n / 2] = (u_char) (id[n / 2] << 4 | digit);
        n++;
    }

    return IM_OK;
}
