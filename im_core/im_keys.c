/*
 * Copyright (C) The im authors
 *
 * The hash tags of partitions.
 */

#include <stdio.h>

#include "im_keys.h"


/* CRC16-XMODEM (polynomial 0x1021, initially 0), as Redis Cluster uses. */
static uint16_t
im_keys_crc(uint16_t crc, im_str_t s)
{
    size_t  i;

    static const uint16_t  table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
    };

    for (i = 0; i < s.len; i++) {
        crc = (uint16_t) (crc << 4 ^ table[crc >> 12 ^ s.data[i] >> 4]);
        crc = (uint16_t) (crc << 4 ^ table[crc >> 12 ^ (s.data[i] & 15)]);
    }

    return crc;
}


uint16_t
im_partition(im_str_t topic, uint32_t n)
{
    return n == 0 ? 0 : (uint16_t) (im_keys_crc(0, topic) % n);
}


/*
 * The middle half of the p-th range: the CRC of "p-s" goes on from that of the
 * digits before the last one.
 */
static uint16_t
im_keys_suffix(uint16_t p, uint32_t n)
{
    char      text[16];
    u_char    digit;
    uint16_t  crc, first, tens;
    uint32_t  suffix, quarter;

    first = im_keys_crc(0, im_str_set(text, snprintf(text, sizeof(text), "%u-",
                                                     (unsigned) p)));
    tens = first;

    for (suffix = 0; suffix < UINT16_MAX; suffix++) {

        if (suffix >= 10 && suffix % 10 == 0) {
            tens = im_keys_crc(first, im_str_set(text, snprintf(text,
                                          sizeof(text), "%u", suffix / 10)));
        }

        digit = (u_char) ('0' + suffix % 10);
        crc = im_keys_crc(tens, im_str_set(&digit, 1));

        /* in quarters of a range */
        quarter = crc % IM_SLOTS * 4 * n;

        if (quarter >= (4u * p + 1) * IM_SLOTS
            && quarter < (4u * p + 3) * IM_SLOTS)
        {
            break;
        }
    }

    return (uint16_t) suffix;
}


void
im_keys_set(im_keys_t *keys, uint32_t n, im_tags_e tags)
{
    uint32_t  p;

    keys->partitions = n;
    keys->tags = tags;

    for (p = 0; p < n && tags == IM_TAGS_EVEN; p++) {
        keys->suffixes[p] = im_keys_suffix((uint16_t) p, n);
    }
}


im_int_t
im_keys_decode(im_str_t text, uint32_t *n, im_tags_e *tags)
{
    uint64_t  value;

    *tags = IM_TAGS_DECIMAL;

    if (text.len > 0 && text.data[text.len - 1] == 'e') {
        *tags = IM_TAGS_EVEN;
        text.len--;
    }

    if (im_decimal_decode(text, &value) != IM_OK
        || value < 1 || value > IM_PARTITIONS_MAX)
    {
        return IM_ERROR;
    }

    *n = (uint32_t) value;

    return IM_OK;
}


void
im_keys_encode(im_buf_t *b, uint32_t n, im_tags_e tags)
{
    im_buf_add_uint(b, n);
    im_buf_add_z(b, tags == IM_TAGS_EVEN ? "e" : "");
}


void
im_keys_tag(im_buf_t *b, const im_keys_t *keys, uint16_t p)
{
    im_buf_add_uint(b, p);

    if (keys->tags == IM_TAGS_EVEN) {
        im_buf_add(b, "-", 1);
        im_buf_add_uint(b, keys->suffixes[p]);
    }
}


im_int_t
im_keys_find(const im_keys_t *keys, im_str_t tag, uint16_t *p)
{
    u_char    *dash, text[16];
    im_buf_t   b;
    im_str_t   number;
    uint64_t   n;

    dash = im_str_chr(tag, '-');
    number = dash != NULL ? im_str_set(tag.data, dash - tag.data) : tag;

    if (im_decimal_decode(number, &n) != IM_OK || n >= keys->partitions) {
        return IM_DECLINED;
    }

    im_buf_fixed(&b, text, sizeof(text));
    im_keys_tag(&b, keys, (uint16_t) n);

    if (!im_str_eq(im_buf_str(&b), tag)) {
        return IM_DECLINED;
    }

    *p = (uint16_t) n;

    return IM_OK;
}
