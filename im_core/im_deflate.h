/*
 * Copyright (C) The im authors
 *
 * Messages compressed one by one (RFC 7692): the only file that uses zlib.
 *
 * There is no state between two messages, so one codec serves all sessions of
 * a worker.  It takes memory for zlib when it is first used.
 */

#ifndef IM_DEFLATE_H
#define IM_DEFLATE_H


#include "im_types.h"


/*
 * Bits of the windows that messages are compressed with.  A larger window
 * makes chat no smaller, and messages of 17 KB by 1 % of their size.  zlib has
 * no raw deflate of 8 bits.
 */
#define IM_DEFLATE_WINDOW        12
#define IM_DEFLATE_WINDOW_SMALL  9


typedef struct im_deflate_s  im_deflate_t;


/* Counted since the codec was created. */
typedef struct {
    uint64_t  packed;        /* messages that were compressed */
    uint64_t  saved;         /* bytes of them */
    uint64_t  unpacked;
} im_deflate_stats_t;


/*
 * What a buffer has in which frames are compressed.  Messages for one session
 * alone have a limit, in bytes; they go as they are where it is used up.
 */
typedef struct im_codec_s {
    im_deflate_t  *deflate;
    int64_t       *credit;       /* NULL: no limit */
} im_codec_t;


typedef enum {
    IM_DEFLATE_INVALID = 0,
    IM_DEFLATE_TOO_BIG,
    IM_DEFLATE_TOO_COSTLY,       /* very many blocks */
    IM_DEFLATE_NO_MEMORY
} im_deflate_fault_e;


/* level: 1 to 9; messages shorter than min aren't compressed. */
im_deflate_t *im_deflate_create(int level, size_t min);
void im_deflate_destroy(im_deflate_t *d);

/* Frees what a long message has needed; nothing that was borrowed is used. */
void im_deflate_trim(im_deflate_t *d);

const im_deflate_stats_t *im_deflate_stats(const im_deflate_t *d);

/*
 * The message compressed, without its last four bytes; borrowed until the next
 * call.  Empty: it goes as it is, since it is short or would not get smaller,
 * or there is no credit or memory.
 */
im_str_t im_deflate_pack(const im_codec_t *codec, unsigned window,
    im_str_t message);

/*
 * The message that a client has compressed, at most max bytes, borrowed until
 * the next call.  cost: what it is worth in bytes, at least its length; if it
 * fails, too.
 */
im_int_t im_deflate_unpack(im_deflate_t *d, im_str_t packed, uint64_t max,
    im_str_t *message, size_t *cost, im_deflate_fault_e *fault);


#endif /* IM_DEFLATE_H */
