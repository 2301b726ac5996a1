/*
 * Copyright (C) The im authors
 *
 * Identifiers as text.
 */

#include <ctype.h>

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
    u_char      id[16];
    u_char     *p;
    im_uint_t   i;

    memcpy(id, random, 16);

    id[6] = (u_char) ((id[6] & 0x0f) | 0x40);     /* version 4 */
    id[8] = (u_char) ((id[8] & 0x3f) | 0x80);     /* RFC 4122 */

    p = text;

    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        *p++ = (u_char) "0123456789abcdef"[id[i] >> 4];
        *p++ = (u_char) "0123456789abcdef"[id[i] & 0x0f];
    }
}


im_int_t
im_id_uuid_decode(im_str_t text, u_char id[16])
{
    u_char     c;
    im_uint_t  i, n;

    if (text.len != IM_UUID_LEN) {
        return IM_ERROR;
    }

    for (i = 0, n = 0; i < IM_UUID_LEN; i++) {
        c = text.data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return IM_ERROR;
            }

            continue;
        }

        if (!isxdigit(c)) {
            return IM_ERROR;
        }

        /* letters are 0x41.. and 0x61.. */

        c = (u_char) ((c & 0x0f) + (c >> 6) * 9);
        id[n / 2] = (u_char) (n % 2 == 0 ? c << 4 : id[n / 2] | c);
        n++;
    }

    return IM_OK;
}
