/*
 * Copyright (C) The im authors
 *
 * A growing byte buffer with a limit, for encoders.
 *
 * Errors stick: after one failed append (no memory, or over the limit) all
 * later ones fail too, so an encoder checks once, at its end.
 */

#ifndef IM_BUF_H
#define IM_BUF_H


#include "im_types.h"


typedef struct {
    u_char    *data;
    size_t     len;
    size_t     size;       /* allocated */
    size_t     max;        /* limit of len */
    /* compresses frames, on transports that do that; or NULL */
    const struct im_codec_s  *codec;
    unsigned   failed:1;
} im_buf_t;


/* Allocates nothing. */
void im_buf_init(im_buf_t *b, size_t max);

/* Appends to the caller's memory and no further; there is no cleanup. */
void im_buf_fixed(im_buf_t *b, u_char *data, size_t size);
void im_buf_cleanup(im_buf_t *b);

/* Clears the bytes and the error; keeps up to `keep` bytes of memory. */
void im_buf_reset(im_buf_t *b, size_t keep);

/* Appends len bytes for the caller to fill in; NULL: failed. */
u_char *im_buf_reserve(im_buf_t *b, size_t len);

void im_buf_add(im_buf_t *b, const void *data, size_t len);
void im_buf_add_str(im_buf_t *b, im_str_t s);
void im_buf_add_z(im_buf_t *b, const char *z);
void im_buf_add_int(im_buf_t *b, int64_t n);            /* decimal */
void im_buf_add_uint(im_buf_t *b, uint64_t n);          /* decimal */

/* Big-endian integers of 1, 2, 4 and 8 bytes. */
void im_buf_add_be(im_buf_t *b, uint64_t n, size_t len);

#define im_buf_add_u8(b, n)   im_buf_add_be(b, n, 1)
#define im_buf_add_u16(b, n)  im_buf_add_be(b, n, 2)
#define im_buf_add_u32(b, n)  im_buf_add_be(b, n, 4)
#define im_buf_add_u64(b, n)  im_buf_add_be(b, n, 8)

/* Borrowed; valid until the next call on b. */
im_str_t im_buf_str(const im_buf_t *b);


/*
 * Reads big-endian formats.  Errors stick here too: a read beyond the end gives
 * 0 or an empty string and sets failed.
 */
typedef struct {
    const u_char  *p;
    const u_char  *end;
    unsigned       failed:1;
} im_reader_t;


void im_reader_init(im_reader_t *r, im_str_t s);
im_str_t im_reader_bytes(im_reader_t *r, size_t len);   /* borrowed */
uint64_t im_reader_be(im_reader_t *r, size_t len);

#define im_reader_u8(r)   ((uint8_t) im_reader_be(r, 1))
#define im_reader_u16(r)  ((uint16_t) im_reader_be(r, 2))
#define im_reader_u32(r)  ((uint32_t) im_reader_be(r, 4))
#define im_reader_u64(r)  im_reader_be(r, 8)

/* The whole of s is decimal digits.  IM_ERROR: it isn't, or n overflows. */
im_int_t im_decimal_decode(im_str_t s, uint64_t *n);


#endif /* IM_BUF_H */
