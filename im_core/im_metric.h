/*
 * Copyright (C) The im authors
 *
 * Numbers in Prometheus' text format, version 0.0.4.
 *
 * A family has a name, a type and a text, which stand once before its samples.
 * A sample is a number with a value for each of the family's labels.  Numbers
 * are integers: seconds are counted in milliseconds or microseconds, and are
 * divided when they are written.
 */

#ifndef IM_METRIC_H
#define IM_METRIC_H


#include "im_types.h"
#include "im_buf.h"


#define IM_METRIC_FORM     "text/plain; version=0.0.4; charset=utf-8"

#define IM_METRIC_BUCKETS  16         /* of a histogram, without that of +Inf */


typedef enum {
    IM_METRIC_COUNTER = 0,
    IM_METRIC_GAUGE,
    IM_METRIC_HISTOGRAM
} im_metric_e;


/* What a number is divided by. */
typedef enum {
    IM_METRIC_ONE = 1,
    IM_METRIC_MS = 1000,              /* written as seconds */
    IM_METRIC_US = 1000000            /* written as seconds */
} im_metric_unit_e;


typedef struct {
    const char        *name;
    im_metric_e        type;
    im_metric_unit_e   unit;
    const char        *labels;        /* names with a space between, or NULL */
    const char        *help;
} im_metric_t;


/* Upper bounds, in rising order, in the unit of the family. */
typedef struct {
    im_uint_t        n;
    const uint64_t  *bounds;
} im_metric_buckets_t;


/* counts[i]: values in bucket i alone; the last one has all that are above. */
typedef struct {
    uint64_t  counts[IM_METRIC_BUCKETS + 1];
    uint64_t  sum;
} im_metric_histogram_t;


/* 100 us to 10 s, in microseconds and in milliseconds (from 1 ms). */
extern const im_metric_buckets_t  im_metric_us;
extern const im_metric_buckets_t  im_metric_ms;

/* 1 to 1000 things. */
extern const im_metric_buckets_t  im_metric_sizes;


/* HELP and TYPE.  The samples of the family follow. */
void im_metric_head(im_buf_t *b, const im_metric_t *m);

/* A sample.  values has one for each label; NULL: there is no label. */
void im_metric_add(im_buf_t *b, const im_metric_t *m, const im_str_t *values,
    uint64_t n);

/* A family with one sample and no label. */
void im_metric_one(im_buf_t *b, const im_metric_t *m, uint64_t n);

/* A family with one label, whose values are names[0] to names[n - 1]. */
void im_metric_each(im_buf_t *b, const im_metric_t *m,
    const char *const *names, const uint64_t *counts, im_uint_t n);

/* The samples of a histogram; counts has buckets->n + 1 numbers. */
void im_metric_histogram(im_buf_t *b, const im_metric_t *m,
    const im_str_t *values, const im_metric_buckets_t *buckets,
    const uint64_t *counts, uint64_t sum);

/* The bucket of a value: 0 to buckets->n. */
im_uint_t im_metric_bucket(const im_metric_buckets_t *buckets, uint64_t value);

/* Counts a value. */
void im_metric_observe(im_metric_histogram_t *h,
    const im_metric_buckets_t *buckets, uint64_t value);


#endif /* IM_METRIC_H */
