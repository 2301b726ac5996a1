/*
 * Copyright (C) The im authors
 *
 * A histogram of latencies in fixed buckets: 32 for each power of two, so that
 * a percentile is at most 1.6 % wrong.  A sample allocates nothing.  All zeros
 * is an empty one.
 */

#ifndef LOAD_HIST_H
#define LOAD_HIST_H


#include <stdint.h>


#define LOAD_HIST_SUB      32
#define LOAD_HIST_OCTAVES  36       /* 2^40 ns are 18 minutes */
#define LOAD_HIST_BUCKETS  (LOAD_HIST_SUB * (LOAD_HIST_OCTAVES + 1))


typedef struct {
    uint64_t  count;
    uint64_t  sum;
    uint64_t  max;
    uint64_t  buckets[LOAD_HIST_BUCKETS];
} load_hist_t;


void load_hist_add(load_hist_t *h, uint64_t ns);
void load_hist_merge(load_hist_t *to, const load_hist_t *from);

/*
 * The middle of the bucket in which the sample of that rank is, and never more
 * than the longest sample.  thousandths: 500 is the median.  0 without samples.
 */
uint64_t load_hist_percentile(const load_hist_t *h, unsigned thousandths);

/* 0 without samples. */
uint64_t load_hist_mean(const load_hist_t *h);


#endif /* LOAD_HIST_H */
