/*
 * Copyright (C) The im authors
 *
 * Numbers in Prometheus' text format, compared with texts written by hand.
 */

#include "test.h"
#include "im_metric.h"


static const im_metric_t  sessions = {
    "im_sessions", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL, "Sessions now."
};

static const im_metric_t  refused = {
    "im_refused_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "reason where",
    "Back\\slash, \"quotes\",\nand two lines."
};

static const im_metric_t  wait = {
    "im_wait_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_US, NULL, "Wait."
};

static const im_metric_t  wait_of = {
    "im_wait_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_MS, "of", "Wait."
};


static void
assert_text(im_buf_t *b, const char *text)
{
    assert_false(b->failed);
    im_buf_add(b, "", 1);
    assert_string_equal((char *) b->data, text);
    im_buf_reset(b, 0);
}


static void
test_family(void **state)
{
    im_buf_t  b;
    im_str_t  values[2];

    im_buf_init(&b, 4096);

    im_metric_one(&b, &sessions, 0);
    assert_text(&b, "# HELP im_sessions Sessions now.\n"
                    "# TYPE im_sessions gauge\n"
                    "im_sessions 0\n");

    im_metric_one(&b, &sessions, UINT64_MAX);
    assert_text(&b, "# HELP im_sessions Sessions now.\n"
                    "# TYPE im_sessions gauge\n"
                    "im_sessions 18446744073709551615\n");

    values[0] = im_str_z("a\\b\"c\nd");
    values[1] = im_str_z("");

    im_metric_head(&b, &refused);
    im_metric_add(&b, &refused, values, 7);
    assert_text(&b, "# HELP im_refused_total Back\\\\slash, \"quotes\",\\nand "
                    "two lines.\n"
                    "# TYPE im_refused_total counter\n"
                    "im_refused_total{reason=\"a\\\\b\\\"c\\nd\",where=\"\"} "
                    "7\n");

    im_buf_cleanup(&b);
}


static void
test_each(void **state)
{
    im_buf_t  b;

    static const char *const  names[] = { "x", "y" };
    static const uint64_t     counts[] = { 3, 0 };
    static const im_metric_t  m = {
        "im_n_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "of", "N."
    };

    im_buf_init(&b, 4096);

    im_metric_each(&b, &m, names, counts, 2);
    assert_text(&b, "# HELP im_n_total N.\n"
                    "# TYPE im_n_total counter\n"
                    "im_n_total{of=\"x\"} 3\n"
                    "im_n_total{of=\"y\"} 0\n");

    im_buf_cleanup(&b);
}


static void
test_seconds(void **state)
{
    unsigned     i;
    im_buf_t     b;
    im_metric_t  m;

    static const struct {
        im_metric_unit_e   unit;
        uint64_t           n;
        const char        *text;
    } t[] = {
        { IM_METRIC_MS, 0, "m 0\n" },
        { IM_METRIC_MS, 1, "m 0.001\n" },
        { IM_METRIC_MS, 1500, "m 1.5\n" },
        { IM_METRIC_MS, 2000, "m 2\n" },
        { IM_METRIC_MS, 10010, "m 10.01\n" },
        { IM_METRIC_US, 1, "m 0.000001\n" },
        { IM_METRIC_US, 100200, "m 0.1002\n" },
        { IM_METRIC_US, 999999, "m 0.999999\n" },
        { IM_METRIC_US, 60000000, "m 60\n" }
    };

    im_buf_init(&b, 4096);

    memset(&m, 0, sizeof(m));
    m.name = "m";

    for (i = 0; i < test_count(t); i++) {
        m.unit = t[i].unit;
        im_metric_add(&b, &m, NULL, t[i].n);
        assert_text(&b, t[i].text);
    }

    im_buf_cleanup(&b);
}


static void
test_histogram(void **state)
{
    im_buf_t               b;
    im_str_t               value;
    im_metric_histogram_t  h;

    static const uint64_t             bounds[] = { 100, 1000, 2500000 };
    static const im_metric_buckets_t  buckets = { 3, bounds };

    im_buf_init(&b, 4096);
    memset(&h, 0, sizeof(h));

    im_metric_observe(&h, &buckets, 0);
    im_metric_observe(&h, &buckets, 100);
    im_metric_observe(&h, &buckets, 101);
    im_metric_observe(&h, &buckets, 2500000);
    im_metric_observe(&h, &buckets, 2500001);

    im_metric_histogram(&b, &wait, NULL, &buckets, h.counts, h.sum);
    assert_text(&b, "im_wait_seconds_bucket{le=\"0.0001\"} 2\n"
                    "im_wait_seconds_bucket{le=\"0.001\"} 3\n"
                    "im_wait_seconds_bucket{le=\"2.5\"} 4\n"
                    "im_wait_seconds_bucket{le=\"+Inf\"} 5\n"
                    "im_wait_seconds_sum 5.000202\n"
                    "im_wait_seconds_count 5\n");

    value = im_str_z("r");

    im_metric_histogram(&b, &wait_of, &value, &buckets, h.counts, 1);
    assert_text(&b, "im_wait_seconds_bucket{of=\"r\",le=\"0.1\"} 2\n"
                    "im_wait_seconds_bucket{of=\"r\",le=\"1\"} 3\n"
                    "im_wait_seconds_bucket{of=\"r\",le=\"2500\"} 4\n"
                    "im_wait_seconds_bucket{of=\"r\",le=\"+Inf\"} 5\n"
                    "im_wait_seconds_sum{of=\"r\"} 0.001\n"
                    "im_wait_seconds_count{of=\"r\"} 5\n");

    im_buf_cleanup(&b);
}


static void
test_buckets(void **state)
{
    unsigned   i;
    uint64_t   value;
    im_uint_t  j, n;

    static const im_metric_buckets_t  *all[] = {
        &im_metric_us, &im_metric_ms, &im_metric_sizes
    };

    for (i = 0; i < test_count(all); i++) {
        assert_in_range(all[i]->n, 1, IM_METRIC_BUCKETS);

        for (value = 0; value < 20000; value++) {

            for (j = 0, n = 0; j < all[i]->n; j++) {
                n += value > all[i]->bounds[j];
            }

            assert_int_equal(im_metric_bucket(all[i], value), n);
        }

        assert_int_equal(im_metric_bucket(all[i], UINT64_MAX), all[i]->n);
    }
}


/* A buffer that is full stays one that has failed. */
static void
test_full(void **state)
{
    size_t                 max;
    im_buf_t               b;
    im_metric_histogram_t  h;

    memset(&h, 0, sizeof(h));

    for (max = 0; ; max++) {
        im_buf_init(&b, max);

        im_metric_head(&b, &wait);
        im_metric_histogram(&b, &wait, NULL, &im_metric_us, h.counts, h.sum);

        assert_true(b.len <= max);

        if (!b.failed) {
            break;
        }

        im_buf_cleanup(&b);
    }

    assert_int_equal(b.len, max);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_family),
    cmocka_unit_test(test_each),
    cmocka_unit_test(test_seconds),
    cmocka_unit_test(test_histogram),
    cmocka_unit_test(test_buckets),
    cmocka_unit_test(test_full)
};

test_main(tests)
