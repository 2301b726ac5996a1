/*
 * Copyright (C) The im authors
 *
 * Numbers in Prometheus' text format.
 */

#include "im_metric.h"


#define im_metric_buckets(bounds)                                             \
    { sizeof(bounds) / sizeof((bounds)[0]), bounds }


static const char *const  im_metric_types[] = {
    "counter", "gauge", "histogram"
};


static const uint64_t  im_metric_us_bounds[] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000, 5000000, 10000000
};

static const uint64_t  im_metric_ms_bounds[] = {
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000
};

static const uint64_t  im_metric_sizes_bounds[] = {
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000
};


const im_metric_buckets_t  im_metric_us =
    im_metric_buckets(im_metric_us_bounds);

const im_metric_buckets_t  im_metric_ms =
    im_metric_buckets(im_metric_ms_bounds);

const im_metric_buckets_t  im_metric_sizes =
    im_metric_buckets(im_metric_sizes_bounds);


/* A text of HELP has '"' as it is. */
static void
im_metric_escape(im_buf_t *b, im_str_t s, int quoted)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] == '\n') {
            im_buf_add_z(b, "\\n");
            continue;
        }

        if (s.data[i] == '\\' || (quoted && s.data[i] == '"')) {
            im_buf_add(b, "\\", 1);
        }

        im_buf_add(b, &s.data[i], 1);
    }
}


void
im_metric_head(im_buf_t *b, const im_metric_t *m)
{
    im_buf_add_z(b, "# HELP ");
    im_buf_add_z(b, m->name);
    im_buf_add(b, " ", 1);
    im_metric_escape(b, im_str_z(m->help), 0);

    im_buf_add_z(b, "\n# TYPE ");
    im_buf_add_z(b, m->name);
    im_buf_add(b, " ", 1);
    im_buf_add_z(b, im_metric_types[m->type]);
    im_buf_add(b, "\n", 1);
}


/* Without zeros at the end: 1500 ms are 1.5. */
static void
im_metric_number(im_buf_t *b, im_metric_unit_e unit, uint64_t n)
{
    uint64_t  rest, digit, part;

    digit = unit;
    im_buf_add_uint(b, n / digit);

    rest = n % digit;

    if (rest == 0) {
        return;
    }

    im_buf_add(b, ".", 1);

    for (digit /= 10; digit > 0 && rest > 0; digit /= 10) {
        part = rest / digit;
        im_buf_add_uint(b, part);
        rest -= part * digit;
    }
}


/* The labels of the family, without the braces.  How many there are. */
static im_uint_t
im_metric_labels(im_buf_t *b, const im_metric_t *m, const im_str_t *values)
{
    size_t       len;
    im_uint_t    n;
    const char  *p;

    if (m->labels == NULL || values == NULL) {
        return 0;
    }

    for (n = 0, p = m->labels; *p != '\0'; p += len + (p[len] == ' ')) {
        len = strcspn(p, " ");

        im_buf_add_z(b, n == 0 ? "{" : ",");
        im_buf_add(b, p, len);
        im_buf_add_z(b, "=\"");
        im_metric_escape(b, values[n++], 1);
        im_buf_add(b, "\"", 1);
    }

    return n;
}


static void
im_metric_end(im_buf_t *b, im_metric_unit_e unit, im_uint_t nlabels, uint64_t n)
{
    im_buf_add_z(b, nlabels > 0 ? "} " : " ");
    im_metric_number(b, unit, n);
    im_buf_add(b, "\n", 1);
}


void
im_metric_add(im_buf_t *b, const im_metric_t *m, const im_str_t *values,
    uint64_t n)
{
    im_buf_add_z(b, m->name);
    im_metric_end(b, m->unit, im_metric_labels(b, m, values), n);
}


void
im_metric_one(im_buf_t *b, const im_metric_t *m, uint64_t n)
{
    im_metric_head(b, m);
    im_metric_add(b, m, NULL, n);
}


void
im_metric_each(im_buf_t *b, const im_metric_t *m, const char *const *names,
    const uint64_t *counts, im_uint_t n)
{
    im_str_t   name;
    im_uint_t  i;

    im_metric_head(b, m);

    for (i = 0; i < n; i++) {
        name = im_str_z(names[i]);
        im_metric_add(b, m, &name, counts[i]);
    }
}


/* bound NULL: +Inf */
static void
im_metric_le(im_buf_t *b, const im_metric_t *m, const im_str_t *values,
    const uint64_t *bound, uint64_t n)
{
    im_buf_add_z(b, m->name);
    im_buf_add_z(b, "_bucket");
    im_buf_add_z(b, im_metric_labels(b, m, values) > 0 ? ",le=\"" : "{le=\"");

    if (bound != NULL) {
        im_metric_number(b, m->unit, *bound);

    } else {
        im_buf_add_z(b, "+Inf");
    }

    im_buf_add(b, "\"", 1);
    im_metric_end(b, IM_METRIC_ONE, 1, n);
}


void
im_metric_histogram(im_buf_t *b, const im_metric_t *m, const im_str_t *values,
    const im_metric_buckets_t *buckets, const uint64_t *counts, uint64_t sum)
{
    uint64_t   n;
    im_uint_t  i;

    for (i = 0, n = 0; i < buckets->n; i++) {
        n += counts[i];
        im_metric_le(b, m, values, &buckets->bounds[i], n);
    }

    n += counts[i];
    im_metric_le(b, m, values, NULL, n);

    im_buf_add_z(b, m->name);
    im_buf_add_z(b, "_sum");
    im_metric_end(b, m->unit, im_metric_labels(b, m, values), sum);

    im_buf_add_z(b, m->name);
    im_buf_add_z(b, "_count");
    im_metric_end(b, IM_METRIC_ONE, im_metric_labels(b, m, values), n);
}


im_uint_t
im_metric_bucket(const im_metric_buckets_t *buckets, uint64_t value)
{
    im_uint_t  i;

    for (i = 0; i < buckets->n; i++) {
        if (value <= buckets->bounds[i]) {
            break;
        }
    }

    return i;
}


void
im_metric_observe(im_metric_histogram_t *h, const im_metric_buckets_t *buckets,
    uint64_t value)
{
    h->counts[im_metric_bucket(buckets, value)]++;
    h->sum += value;
}
