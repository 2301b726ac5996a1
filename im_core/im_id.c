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
