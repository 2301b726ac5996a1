/*
 * Copyright (C) The im authors
 *
 * Messages compressed one by one, by zlib.
 */

#include "im_deflate.h"
#include "im_buf.h"

#define ZLIB_CONST

#include <limits.h>
#include <zlib.h>


#define IM_DEFLATE_KEEP      65536   /* bytes of a buffer between two calls */
#define IM_DEFLATE_ROOM      1024
#define IM_DEFLATE_DISTANCE  32768   /* the most that a block refers back */
#define IM_DEFLATE_TAIL      4       /* 00 00 ff ff: not sent */

/* z_stream.data_type while inflating */
#define IM_DEFLATE_BITS    0x3f      /* of a byte, not used yet */
#define IM_DEFLATE_FINAL   0x40      /* in or behind the final block */
#define IM_DEFLATE_BEHIND  0x80      /* behind a block */

/*
 * An honest block has 128 symbols or more, but for those that a client flushes.
 * One of few bytes costs about as much as this many bytes.
 */
#define IM_DEFLATE_BLOCKS      1024
#define IM_DEFLATE_BLOCK       64
#define IM_DEFLATE_BLOCK_COST  128


typedef struct {
    z_stream   z;
    int        ready;
} im_deflate_stream_t;


struct im_deflate_s {
    int                  level;
    size_t               min;
    im_deflate_stream_t  large;
    im_deflate_stream_t  small;
    im_deflate_stream_t  in;
    im_buf_t             packed;
    im_buf_t             message;
    im_deflate_stats_t   stats;
};


/* Of a message that is being inflated. */
typedef struct {
    z_stream  *z;
    im_buf_t  *b;
    uint64_t   max;
    uint64_t   blocks;
    int        tail;         /* its last four bytes are being read */
} im_deflate_reader_t;


static void *
im_deflate_alloc(void *opaque, uInt n, uInt size)
{
    return im_alloc((size_t) n * size);
}


static void
im_deflate_free(void *opaque, void *p)
{
    im_free(p);
}


im_deflate_t *
im_deflate_create(int level, size_t min)
{
    im_deflate_t  *d;

    d = im_calloc(sizeof(im_deflate_t));
    if (d == NULL) {
        return NULL;
    }

    d->level = level;
    d->min = min;

    im_buf_init(&d->packed, UINT_MAX);
    im_buf_init(&d->message, UINT_MAX);

    return d;
}


void
im_deflate_destroy(im_deflate_t *d)
{
    if (d == NULL) {
        return;
    }

    if (d->large.ready) {
        (void) deflateEnd(&d->large.z);
    }

    if (d->small.ready) {
        (void) deflateEnd(&d->small.z);
    }

    if (d->in.ready) {
        (void) inflateEnd(&d->in.z);
    }

    im_buf_cleanup(&d->packed);
    im_buf_cleanup(&d->message);
    im_free(d);
}


void
im_deflate_trim(im_deflate_t *d)
{
    im_buf_reset(&d->packed, IM_DEFLATE_KEEP);
    im_buf_reset(&d->message, IM_DEFLATE_KEEP);
}


const im_deflate_stats_t *
im_deflate_stats(const im_deflate_t *d)
{
    return &d->stats;
}


/* The stream that compresses, at its beginning; NULL: no memory. */
static z_stream *
im_deflate_begin(im_deflate_t *d, unsigned window)
{
    im_deflate_stream_t  *stream;

    stream = window == IM_DEFLATE_WINDOW ? &d->large : &d->small;

    if (stream->ready) {
        (void) deflateReset(&stream->z);
        return &stream->z;
    }

    stream->z.zalloc = im_deflate_alloc;
    stream->z.zfree = im_deflate_free;

    if (deflateInit2(&stream->z, d->level, Z_DEFLATED, -(int) window,
                     (int) window - 6, Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NULL;
    }

    stream->ready = 1;

    return &stream->z;
}


im_str_t
im_deflate_pack(const im_codec_t *codec, unsigned window, im_str_t message)
{
    size_t         room;
    u_char        *out;
    z_stream      *z;
    im_deflate_t  *d;

    d = codec->deflate;
    room = message.len + IM_DEFLATE_TAIL;

    if (message.len < d->min || message.len == 0 || room > INT_MAX) {
        return im_str_set(NULL, 0);
    }

    if (codec->credit != NULL) {
        if (*codec->credit < (int64_t) message.len) {
            return im_str_set(NULL, 0);
        }

        *codec->credit -= (int64_t) message.len;
    }

    im_buf_reset(&d->packed, IM_DEFLATE_KEEP);

    out = im_buf_reserve(&d->packed, room);
    z = im_deflate_begin(d, window);

    if (out == NULL || z == NULL) {
        return im_str_set(NULL, 0);
    }

    z->next_in = message.data;
    z->avail_in = (uInt) message.len;
    z->next_out = out;
    z->avail_out = (uInt) room;

    /* with its tail it must be shorter than the room */

    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0) {
        return im_str_set(NULL, 0);
    }

    room -= z->avail_out + IM_DEFLATE_TAIL;

    d->stats.packed++;
    d->stats.saved += message.len - room;

    return im_str_set(out, room);
}


static z_stream *
im_deflate_begin_reading(im_deflate_t *d)
{
    if (d->in.ready) {
        (void) inflateReset(&d->in.z);
        return &d->in.z;
    }

    d->in.z.zalloc = im_deflate_alloc;
    d->in.z.zfree = im_deflate_free;

    if (inflateInit2(&d->in.z, -MAX_WBITS) != Z_OK) {
        return NULL;
    }

    d->in.ready = 1;

    return &d->in.z;
}


/* The bytes that are there already. */
static size_t
im_deflate_length(const im_deflate_reader_t *r)
{
    return r->b->len - r->z->avail_out;
}


/* More room for the message, and for one byte that is too much. */
static im_int_t
im_deflate_grow(im_deflate_reader_t *r, size_t more, im_deflate_fault_e *fault)
{
    u_char  *p;

    more = im_max(more, IM_DEFLATE_ROOM);
    more = im_min(more, r->max + 1 - r->b->len);

    if (more == 0) {
        *fault = IM_DEFLATE_TOO_BIG;
        return IM_ERROR;
    }

    p = im_buf_reserve(r->b, more);

    if (p == NULL) {
        *fault = IM_DEFLATE_NO_MEMORY;
        return IM_ERROR;
    }

    r->z->next_out = p;
    r->z->avail_out = (uInt) more;

    return IM_OK;
}


/*
 * A final block (BFINAL) ends zlib's stream, not the message: blocks go on at
 * the next byte, with the same window (RFC 7692, section 7.2.3.4).  Some
 * clients end a message with it.  IM_OK: this one ends.
 */
static im_int_t
im_deflate_final(im_deflate_reader_t *r)
{
    size_t  len, n;

    if (r->z->avail_in == 0) {
        return IM_OK;
    }

    if (r->tail || inflateReset(r->z) != Z_OK) {
        return IM_ERROR;
    }

    len = im_deflate_length(r);
    n = im_min(len, IM_DEFLATE_DISTANCE);

    if (n > 0
        && inflateSetDictionary(r->z, r->b->data + len - n, (uInt) n) != Z_OK)
    {
        return IM_ERROR;
    }

    return IM_AGAIN;
}


/* All input is used.  IM_OK: the message is complete. */
static im_int_t
im_deflate_end(im_deflate_reader_t *r)
{
    int  place;

    static const u_char  tail[IM_DEFLATE_TAIL] = { 0, 0, 0xff, 0xff };

    /* a final block may end it: see above */

    place = r->z->data_type;

    if (!r->tail) {
        if ((place & IM_DEFLATE_BEHIND) && (place & IM_DEFLATE_FINAL)) {
            return IM_OK;
        }

        r->tail = 1;
        r->z->next_in = tail;
        r->z->avail_in = sizeof(tail);

        return IM_AGAIN;
    }

    return (place & IM_DEFLATE_BEHIND) && (place & IM_DEFLATE_BITS) == 0
           ? IM_OK : IM_ERROR;
}


/* A block, or as much of it as there is input and room for. */
static im_int_t
im_deflate_step(im_deflate_reader_t *r, im_deflate_fault_e *fault)
{
    int  rc;

    *fault = IM_DEFLATE_INVALID;

    rc = inflate(r->z, Z_BLOCK);

    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        *fault = rc == Z_MEM_ERROR ? IM_DEFLATE_NO_MEMORY : IM_DEFLATE_INVALID;
        return IM_ERROR;
    }

    if (im_deflate_length(r) > r->max) {
        *fault = IM_DEFLATE_TOO_BIG;
        return IM_ERROR;
    }

    /* behind a block; final ones are reported twice */

    if (rc != Z_STREAM_END && (r->z->data_type & IM_DEFLATE_BEHIND)) {
        r->blocks++;

        if (r->blocks > IM_DEFLATE_BLOCKS
                        + im_deflate_length(r) / IM_DEFLATE_BLOCK)
        {
            *fault = IM_DEFLATE_TOO_COSTLY;
            return IM_ERROR;
        }
    }

    if (rc == Z_STREAM_END) {
        return im_deflate_final(r);
    }

    if (r->z->avail_out == 0) {
        return im_deflate_grow(r, r->b->len, fault) == IM_OK ? IM_AGAIN
                                                             : IM_ERROR;
    }

    return r->z->avail_in == 0 ? im_deflate_end(r) : IM_AGAIN;
}


im_int_t
im_deflate_unpack(im_deflate_t *d, im_str_t packed, uint64_t max,
    im_str_t *message, size_t *cost, im_deflate_fault_e *fault)
{
    im_int_t             rc;
    im_deflate_reader_t  r;

    *cost = 0;
    *message = im_str_set("", 0);

    if (packed.len == 0) {
        return IM_OK;
    }

    im_buf_reset(&d->message, IM_DEFLATE_KEEP);

    r.z = im_deflate_begin_reading(d);
    r.b = &d->message;
    r.max = im_min(max, INT_MAX);
    r.blocks = 0;
    r.tail = 0;

    if (r.z == NULL) {
        *fault = IM_DEFLATE_NO_MEMORY;
        return IM_ERROR;
    }

    r.z->next_in = packed.data;
    r.z->avail_in = (uInt) packed.len;

    if (im_deflate_grow(&r, packed.len * 4, fault) != IM_OK) {
        return IM_ERROR;
    }

    do {
        rc = im_deflate_step(&r, fault);
    } while (rc == IM_AGAIN);

    *message = im_str_set(d->message.data, im_deflate_length(&r));
    *cost = im_max(message->len, r.blocks * IM_DEFLATE_BLOCK_COST);

    d->stats.unpacked++;

    return rc;
}
