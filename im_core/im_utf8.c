/*
 * Copyright (C) The im authors
 *
 * UTF-8 by a table of states: the class of a byte and the current state give
 * the next state.
 */

#include "im_utf8.h"


enum {
    IM_UTF8_OK = 0,        /* at a boundary */
    IM_UTF8_1,             /* one more continuation byte */
    IM_UTF8_2,             /* two more */
    IM_UTF8_3,             /* three more */
    IM_UTF8_E0,            /* two more, not overlong */
    IM_UTF8_ED,            /* two more, not a surrogate */
    IM_UTF8_F0,            /* three more, not overlong */
    IM_UTF8_F4,            /* three more, not above U+10FFFF */
    IM_UTF8_BAD,
    IM_UTF8_STATES
};


/* E0..F4 need three classes of continuation bytes. */
enum {
    IM_UTF8_ASCII = 0,
    IM_UTF8_80,
    IM_UTF8_90,
    IM_UTF8_A0,
    IM_UTF8_LEAD_2,
    IM_UTF8_LEAD_E0,
    IM_UTF8_LEAD_3,
    IM_UTF8_LEAD_ED,
    IM_UTF8_LEAD_F0,
    IM_UTF8_LEAD_4,
    IM_UTF8_LEAD_F4,
    IM_UTF8_NEVER,
    IM_UTF8_CLASSES
};


static const uint8_t  im_utf8_classes[256] = {
    [0x00 ... 0x7f] = IM_UTF8_ASCII,
    [0x80 ... 0x8f] = IM_UTF8_80,
    [0x90 ... 0x9f] = IM_UTF8_90,
    [0xa0 ... 0xbf] = IM_UTF8_A0,
    [0xc0 ... 0xc1] = IM_UTF8_NEVER,
    [0xc2 ... 0xdf] = IM_UTF8_LEAD_2,
    [0xe0]          = IM_UTF8_LEAD_E0,
    [0xe1 ... 0xec] = IM_UTF8_LEAD_3,
    [0xed]          = IM_UTF8_LEAD_ED,
    [0xee ... 0xef] = IM_UTF8_LEAD_3,
    [0xf0]          = IM_UTF8_LEAD_F0,
    [0xf1 ... 0xf3] = IM_UTF8_LEAD_4,
    [0xf4]          = IM_UTF8_LEAD_F4,
    [0xf5 ... 0xff] = IM_UTF8_NEVER
};


#define B  IM_UTF8_BAD

static const uint8_t  im_utf8_next[IM_UTF8_STATES][IM_UTF8_CLASSES] = {
    /*             ascii 80 90 a0 2  e0          3  ed          f0          4
                   f4          never */
    [IM_UTF8_OK] = { 0,  B, B, B, 1, IM_UTF8_E0, 2, IM_UTF8_ED, IM_UTF8_F0, 3,
                     IM_UTF8_F4, B },
    [IM_UTF8_1]  = { B,  0, 0, 0, B, B, B, B, B, B, B, B },
    [IM_UTF8_2]  = { B,  1, 1, 1, B, B, B, B, B, B, B, B },
    [IM_UTF8_3]  = { B,  2, 2, 2, B, B, B, B, B, B, B, B },
    [IM_UTF8_E0] = { B,  B, B, 1, B, B, B, B, B, B, B, B },
    [IM_UTF8_ED] = { B,  1, 1, B, B, B, B, B, B, B, B, B },
    [IM_UTF8_F0] = { B,  B, 2, 2, B, B, B, B, B, B, B, B },
    [IM_UTF8_F4] = { B,  2, B, B, B, B, B, B, B, B, B, B },
    [IM_UTF8_BAD] = { B,  B, B, B, B, B, B, B, B, B, B, B }
};

#undef B


im_int_t
im_utf8_feed(im_utf8_t *state, const u_char *p, size_t len)
{
    uint8_t        s;
    uint64_t       word;
    const u_char  *end;

    s = *state;
    end = p + len;

    while (p < end && s != IM_UTF8_BAD) {

        if (s == IM_UTF8_OK && end - p >= 8) {
            memcpy(&word, p, 8);

            if ((word & 0x8080808080808080) == 0) {
                p += 8;
                continue;
            }
        }

        s = im_utf8_next[s][im_utf8_classes[*p++]];
    }

    *state = s;

    return s == IM_UTF8_BAD ? IM_ERROR : IM_OK;
}


int
im_utf8_state(im_utf8_t state)
{
    return state < IM_UTF8_BAD;
}


int
im_utf8_valid(im_str_t s)
{
    im_utf8_t  state;

    state = IM_UTF8_OK;

    return im_utf8_feed(&state, s.data, s.len) == IM_OK
           && state == IM_UTF8_OK;
}


im_str_t
im_utf8_cut(im_str_t s, size_t max)
{
    if (s.len > max) {
        s.len = max;

        while (s.len > 0 && (s.data[s.len] & 0xc0) == 0x80) {
            s.len--;
        }
    }

    return s;
}


size_t
im_utf8_count(im_str_t s)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < s.len; i++) {
        n += (s.data[i] & 0xc0) != 0x80;
    }

    return n;
}
