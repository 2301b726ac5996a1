/*
 * Copyright (C) The im authors
 *
 * A histogram of latencies.  Values below 32 have a bucket each; others have
 * the bucket of their power of two and of the five bits behind the highest one.
 */

#include "load_hist.h"


#define LOAD_HIST_BITS  5           /* of LOAD_HIST_SUB */


static unsigned
load_hist_bucket(uint64_t ns)
{
    unsigned  shift, bucket;

    if (ns < LOAD_HIST_SUB) {
        return (unsigned) ns;
    }

    shift = 63 - (unsigned) __builtin_clzll(ns) - LOAD_HIST_BITS;
    bucket = (shift + 1) * LOAD_HIST_SUB
             + (unsigned) ((ns >> shift) & (LOAD_HIST_SUB - 1));

    return bucket < LOAD_HIST_BUCKETS ? bucket : LOAD_HIST_BUCKETS - 1;
}


static uint64_t
load_hist_middle(unsigned bucket)
{
    unsigned  shift;
    uint64_t  low;

    if (bucket < LOAD_HIST_SUB) {
        return bucket;
    }

    shift = bucket / LOAD_HIST_SUB - 1;
    low = (uint64_t) (LOAD_HIST_SUB + bucket % LOAD_HIST_SUB) << shift;

    return low + (1ULL << shift) / 2;
}


void
load_hist_add(load_hist_t *h, uint64_t ns)
{
    h->count++;
    h->sum += ns;
    h->buckets[load_hist_bucket(ns)]++;

    if (ns > h->max) {
        h->max = ns;
    }
}


void
load_hist_merge(load_hist_t *to, const load_hist_t *from)
{
    unsigned  i;

    to->count += from->count;
    to->sum += from->sum;

    if (from->max > to->max) {
        to->max = from->max;
    }

    for (i = 0; i < LOAD_HIST_BUCKETS; i++) {
        to->buckets[i] += from->buckets[i];
    }
}


uint64_t
load_hist_percentile(const load_hist_t *h, unsigned thousandths)
{
    unsigned  i;
    uint64_t  rank, seen, ns;

    if (h->count == 0) {
        return 0;
    }

    rank = (h->count * thousandths + 999) / 1000;
    seen = 0;

    for (i = 0; i < LOAD_HIST_BUCKETS - 1; i++) {
        seen += h->buckets[i];

        if (seen >= rank && seen != 0) {
            break;
        }
    }

    ns = load_hist_middle(i);

    return ns < h->max ? ns : h->max;
}


uint64_t
load_hist_mean(const load_hist_t *h)
{
    return h->count == 0 ? 0 : h->sum / h->count;
}
