/*
 * Copyright (C) The im authors
 *
 * A token bucket: size tokens at most, refilled smoothly by rate tokens a
 * second.
 *
 * It is one number, the time when the bucket will be full, so that a zeroed
 * bucket is full and buckets of all rates look alike.  Who may take the last
 * token may take more than there are: the debt is carried on.  A change of rate
 * or size holds from the next call on.
 */

#ifndef IM_BUCKET_H
#define IM_BUCKET_H


#include "im_types.h"


/* A debt never lasts longer, so that a clock that jumps back does no harm. */
#define IM_BUCKET_DEBT_MAX  3600000    /* ms */


typedef struct {
    uint64_t  full;          /* in 2^-20 ms; 0: never used */
} im_bucket_t;


/*
 * Takes n tokens at now (ms).  IM_OK: there was one at least, or rate is 0,
 * which means no limit.  IM_AGAIN: there is none, and nothing is taken.
 */
im_int_t im_bucket_take(im_bucket_t *b, uint64_t rate, uint64_t size,
    uint64_t now, uint64_t n);

/* Takes n tokens in any case. */
void im_bucket_charge(im_bucket_t *b, uint64_t rate, uint64_t size,
    uint64_t now, uint64_t n);

/* ms until there is a token; 0: there is one. */
uint64_t im_bucket_wait(const im_bucket_t *b, uint64_t rate, uint64_t size,
    uint64_t now);

/*
 * What it lacks to be full, for a bucket of another process with another clock;
 * and a bucket that lacks so much.
 */
uint64_t im_bucket_owed(const im_bucket_t *b, uint64_t now);
void im_bucket_owe(im_bucket_t *b, uint64_t now, uint64_t owed);

/* It is as if it had never been used. */
int im_bucket_full(const im_bucket_t *b, uint64_t now);

/* Less than half of its tokens are left. */
int im_bucket_low(const im_bucket_t *b, uint64_t rate, uint64_t size,
    uint64_t now);


#endif /* IM_BUCKET_H */
