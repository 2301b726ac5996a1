/*
 * Copyright (C) The im authors
 *
 * Counting distinct users.
 *
 *   encoded: u8 form; exact: u16 n, n ascending hashes of u64
 *                     registers: IM_SKETCH_REGISTERS bytes
 */

#include "im_sketch.h"
#include "im_hash.h"


#define IM_SKETCH_FORM_EXACT      1
#define IM_SKETCH_FORM_REGISTERS  2

#define IM_SKETCH_BITS            12      /* of a hash: the register */
#define IM_SKETCH_RANK_MAX        (64 - IM_SKETCH_BITS + 1)

#define IM_SKETCH_LN2             0.69314718055994530942


/* Fixed: all workers and im_logic processes must give equal hashes. */
static const uint64_t  im_sketch_seed[2] = {
    0x75736572732d7065ull, 0x722d776f726b6572ull
};


void
im_sketch_init(im_sketch_t *s)
{
    memset(s, 0, sizeof(im_sketch_t));
}


void
im_sketch_cleanup(im_sketch_t *s)
{
    im_free(s->hashes);
    im_free(s->registers);

    im_sketch_init(s);
}


/* A register holds 1 plus the longest run of zeros in the other bits. */
static void
im_sketch_register(im_sketch_t *s, uint64_t hash)
{
    uint8_t    rank;
    uint64_t   rest;
    im_uint_t  i;

    i = hash >> (64 - IM_SKETCH_BITS);
    rest = hash << IM_SKETCH_BITS;

    rank = (uint8_t) (rest == 0 ? IM_SKETCH_RANK_MAX
                                : __builtin_clzll(rest) + 1);

    s->registers[i] = im_max(s->registers[i], rank);
}


/* Converts hashes to registers. */
static im_int_t
im_sketch_spread(im_sketch_t *s)
{
    im_uint_t  i;

    s->registers = im_calloc(IM_SKETCH_REGISTERS);
    if (s->registers == NULL) {
        return IM_ERROR;
    }

    for (i = 0; i < s->n; i++) {
        im_sketch_register(s, s->hashes[i]);
    }

    im_free(s->hashes);
    s->hashes = NULL;
    s->n = 0;

    return IM_OK;
}


/* Makes room for one more hash; the whole array is small: allocate it once. */
static im_int_t
im_sketch_room(im_sketch_t *s)
{
    if (s->hashes != NULL) {
        return IM_OK;
    }

    s->hashes = im_alloc(IM_SKETCH_EXACT * sizeof(uint64_t));

    return s->hashes == NULL ? IM_ERROR : IM_OK;
}


static im_int_t
im_sketch_add_hash(im_sketch_t *s, uint64_t hash)
{
    im_uint_t  low, high, middle;

    low = 0;
    high = s->n;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (s->hashes[middle] < hash) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low < s->n && s->hashes[low] == hash) {
        return IM_OK;
    }

    if (s->registers != NULL || s->n == IM_SKETCH_EXACT) {

        if (s->registers == NULL && im_sketch_spread(s) != IM_OK) {
            return IM_ERROR;
        }

        im_sketch_register(s, hash);

        return IM_OK;
    }

    if (im_sketch_room(s) != IM_OK) {
        return IM_ERROR;
    }

    memmove(s->hashes + low + 1, s->hashes + low,
            (s->n - low) * sizeof(uint64_t));
    s->hashes[low] = hash;
    s->n++;

    return IM_OK;
}


im_int_t
im_sketch_add(im_sketch_t *s, im_str_t user)
{
    return im_sketch_add_hash(s, im_siphash(im_sketch_seed, user.data,
                                            user.len));
}


im_int_t
im_sketch_merge(im_sketch_t *into, const im_sketch_t *from)
{
    im_uint_t  i;

    if (from->registers == NULL) {
        for (i = 0; i < from->n; i++) {
            if (im_sketch_add_hash(into, from->hashes[i]) != IM_OK) {
                return IM_ERROR;
            }
        }

        return IM_OK;
    }

    if (into->registers == NULL && im_sketch_spread(into) != IM_OK) {
        return IM_ERROR;
    }

    for (i = 0; i < IM_SKETCH_REGISTERS; i++) {
        into->registers[i] = im_max(into->registers[i], from->registers[i]);
    }

    return IM_OK;
}


/* Ertl's estimator (2017): unbiased, and it needs no table. */
uint64_t
im_sketch_count(const im_sketch_t *s)
{
    double     x, y, z, before;
    uint32_t   ranks[IM_SKETCH_RANK_MAX + 1];
    im_uint_t  i;

    if (s->registers == NULL) {
        return s->n;
    }

    memset(ranks, 0, sizeof(ranks));

    for (i = 0; i < IM_SKETCH_REGISTERS; i++) {
        ranks[s->registers[i]]++;
    }

    if (ranks[0] == IM_SKETCH_REGISTERS) {
        return 0;
    }

    /* x + sum of x^(2^k) * 2^(k-1), x < 1: the share of empty registers */

    x = (double) ranks[0] / IM_SKETCH_REGISTERS;
    y = 1;
    z = x;

    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z > before);

    z *= IM_SKETCH_REGISTERS;
    x = 0;

    for (i = IM_SKETCH_RANK_MAX; i > 0; i--) {
        x = 0.5 * (x + ranks[i]);
    }

    z += x;

    z = (double) IM_SKETCH_REGISTERS * IM_SKETCH_REGISTERS
        / (2 * IM_SKETCH_LN2 * z);

    /* a larger register value can only come from outside */
    return z < 1e18 ? (uint64_t) (z + 0.5) : (uint64_t) 1e18;
}


void
im_sketch_encode(im_buf_t *b, const im_sketch_t *s)
{
    im_uint_t  i;

    if (s->registers != NULL) {
        im_buf_add_u8(b, IM_SKETCH_FORM_REGISTERS);
        im_buf_add(b, s->registers, IM_SKETCH_REGISTERS);
        return;
    }

    im_buf_add_u8(b, IM_SKETCH_FORM_EXACT);
    im_buf_add_u16(b, (uint16_t) s->n);

    for (i = 0; i < s->n; i++) {
        im_buf_add_u64(b, s->hashes[i]);
    }
}


static im_int_t
im_sketch_decode_exact(im_reader_t *r, im_sketch_t *s)
{
    im_uint_t  n;

    n = im_reader_u16(r);

    if (n > IM_SKETCH_EXACT || (n > 0 && im_sketch_room(s) != IM_OK)) {
        return IM_ERROR;
    }

    for (s->n = 0; s->n < n; s->n++) {
        s->hashes[s->n] = im_reader_u64(r);

        if (s->n > 0 && s->hashes[s->n] <= s->hashes[s->n - 1]) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


static im_int_t
im_sketch_decode_registers(im_reader_t *r, im_sketch_t *s)
{
    im_str_t   bytes;
    im_uint_t  i;

    bytes = im_reader_bytes(r, IM_SKETCH_REGISTERS);

    for (i = 0; i < bytes.len; i++) {
        if (bytes.data[i] > IM_SKETCH_RANK_MAX) {
            return IM_ERROR;
        }
    }

    s->registers = im_alloc(IM_SKETCH_REGISTERS);
    if (s->registers == NULL || r->failed) {
        return IM_ERROR;
    }

    memcpy(s->registers, bytes.data, IM_SKETCH_REGISTERS);

    return IM_OK;
}


im_int_t
im_sketch_decode(im_str_t bytes, im_sketch_t *s)
{
    uint8_t      form;
    im_int_t     rc;
    im_reader_t  r;

    im_sketch_init(s);
    im_reader_init(&r, bytes);

    rc = IM_ERROR;
    form = im_reader_u8(&r);

    if (form == IM_SKETCH_FORM_EXACT) {
        rc = im_sketch_decode_exact(&r, s);

    } else if (form == IM_SKETCH_FORM_REGISTERS) {
        rc = im_sketch_decode_registers(&r, s);
    }

    if (rc != IM_OK || r.failed || r.p != r.end) {
        im_sketch_cleanup(s);
        return IM_ERROR;
    }

    return IM_OK;
}
