/*
 * Copyright (C) The im authors
 *
 * The load generator's histogram: compared with sorted samples.
 */

#include "test.h"
#include "load_hist.h"


#define NSAMPLES  5000


static int
compare(const void *one, const void *two)
{
    const uint64_t  *a = one, *b = two;

    return *a < *b ? -1 : *a > *b;
}


static void
test_empty(void **state)
{
    static load_hist_t  h;

    assert_int_equal(load_hist_percentile(&h, 500), 0);
    assert_int_equal(load_hist_mean(&h), 0);
}


/* Values that have a bucket each are exact. */
static void
test_small(void **state)
{
    uint64_t  n;

    static load_hist_t  h;

    for (n = 0; n < LOAD_HIST_SUB; n++) {
        load_hist_add(&h, n);
    }

    assert_int_equal(h.count, LOAD_HIST_SUB);
    assert_int_equal(h.max, LOAD_HIST_SUB - 1);
    assert_int_equal(load_hist_percentile(&h, 0), 0);
    assert_int_equal(load_hist_percentile(&h, 500), LOAD_HIST_SUB / 2 - 1);
    assert_int_equal(load_hist_percentile(&h, 1000), LOAD_HIST_SUB - 1);
}


static void
test_percentiles(void **state)
{
    size_t    i, rank;
    unsigned  p;
    uint64_t  got, want, sum;
    random_t  r;

    static load_hist_t  h;
    static uint64_t     samples[NSAMPLES];

    random_init(&r, 1);

    for (i = 0, sum = 0; i < NSAMPLES; i++) {
        samples[i] = (uint64_t) random_below(&r, UINT32_MAX)
                     << random_below(&r, 9) >> random_below(&r, 32);
        sum += samples[i];
        load_hist_add(&h, samples[i]);
    }

    qsort(samples, NSAMPLES, sizeof(uint64_t), compare);
    assert_int_equal(h.max, samples[NSAMPLES - 1]);
    assert_int_equal(load_hist_mean(&h), sum / NSAMPLES);

    for (p = 1; p <= 1000; p++) {
        rank = (NSAMPLES * p + 999) / 1000;
        want = samples[rank - 1];
        got = load_hist_percentile(&h, p);

        assert_true(got <= want + want / 60 && got + got / 60 >= want);
    }
}


/* Two that are merged are one of all samples; the longest has a bucket. */
static void
test_merge(void **state)
{
    unsigned  i;
    random_t  r;
    uint64_t  ns;

    static load_hist_t  a, b, all;

    random_init(&r, 2);

    for (i = 0; i < NSAMPLES; i++) {
        ns = random_below(&r, UINT32_MAX);
        load_hist_add(i % 3 == 0 ? &a : &b, ns);
        load_hist_add(&all, ns);
    }

    load_hist_add(&b, UINT64_MAX / 2);
    load_hist_add(&all, UINT64_MAX / 2);
    load_hist_merge(&a, &b);

    assert_memory_equal(&a, &all, sizeof(load_hist_t));
    assert_int_equal(a.max, UINT64_MAX / 2);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_empty),
    cmocka_unit_test(test_small),
    cmocka_unit_test(test_percentiles),
    cmocka_unit_test(test_merge)
};

test_main(tests)
