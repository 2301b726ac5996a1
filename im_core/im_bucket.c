/*
 * Copyright (C) The im authors
 *
 * A token bucket as one number.
 *
 * A token is worth 1000 / rate ms.  Times are kept in 2^-20 ms, so that rates
 * of bytes lose nothing by rounding.
 */

#include "im_bucket.h"


#define IM_BUCKET_SHIFT   20
#define IM_BUCKET_SECOND  ((uint64_t) 1000 << IM_BUCKET_SHIFT)
#define IM_BUCKET_EXACT   ((uint64_t) 1 << 33)    /* n * SECOND fits */
#define IM_BUCKET_LAST    ((uint64_t) 1 << 62)


/* What n tokens are worth, rounded up. */
static uint64_t
im_bucket_time(uint64_t n, uint64_t rate)
{
    uint64_t  seconds;

    rate = im_min(rate, IM_BUCKET_EXACT);

    if (n <= IM_BUCKET_EXACT) {
        return (n * IM_BUCKET_SECOND + rate - 1) / rate;
    }

    seconds = n / rate + 1;

    return seconds < IM_BUCKET_LAST / IM_BUCKET_SECOND
           ? seconds * IM_BUCKET_SECOND : IM_BUCKET_LAST;
}


static uint64_t
im_bucket_now(uint64_t now)
{
    return im_min(now, IM_BUCKET_LAST >> IM_BUCKET_SHIFT) << IM_BUCKET_SHIFT;
}


/* How long it takes until the bucket is full. */
static uint64_t
im_bucket_level(const im_bucket_t *b, uint64_t now, uint64_t size)
{
    uint64_t  level, most;

    if (b->full <= now) {
        return 0;
    }

    level = b->full - now;
    most = size + ((uint64_t) IM_BUCKET_DEBT_MAX << IM_BUCKET_SHIFT);

    return im_min(level, most);
}


void
im_bucket_charge(im_bucket_t *b, uint64_t rate, uint64_t size, uint64_t now,
    uint64_t n)
{
    if (rate == 0) {
        return;
    }

    now = im_bucket_now(now);
    size = im_bucket_time(size, rate);

    b->full = now + im_bucket_level(b, now, size) + im_bucket_time(n, rate);
    b->full = now + im_bucket_level(b, now, size);
}


im_int_t
im_bucket_take(im_bucket_t *b, uint64_t rate, uint64_t size, uint64_t now,
    uint64_t n)
{
    if (im_bucket_wait(b, rate, size, now) > 0) {
        return IM_AGAIN;
    }

    im_bucket_charge(b, rate, size, now, n);

    return IM_OK;
}


uint64_t
im_bucket_wait(const im_bucket_t *b, uint64_t rate, uint64_t size, uint64_t now)
{
    uint64_t  level;

    if (rate == 0) {
        return 0;
    }

    now = im_bucket_now(now);
    size = im_bucket_time(size, rate);
    level = im_bucket_level(b, now, size);

    return level < size ? 0 : ((level - size) >> IM_BUCKET_SHIFT) + 1;
}


uint64_t
im_bucket_owed(const im_bucket_t *b, uint64_t now)
{
    now = im_bucket_now(now);

    return b->full > now ? b->full - now : 0;
}


void
im_bucket_owe(im_bucket_t *b, uint64_t now, uint64_t owed)
{
    b->full = owed > 0 ? im_bucket_now(now) + im_min(owed, IM_BUCKET_LAST) : 0;
}


int
im_bucket_full(const im_bucket_t *b, uint64_t now)
{
    return b->full <= im_bucket_now(now);
}


int
im_bucket_low(const im_bucket_t *b, uint64_t rate, uint64_t size, uint64_t now)
{
    if (rate == 0) {
        return 0;
    }

    now = im_bucket_now(now);
    size = im_bucket_time(size, rate);

    return im_bucket_level(b, now, size) > size / 2;
}
