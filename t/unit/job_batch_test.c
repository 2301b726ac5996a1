/*
 * Copyright (C) The im authors
 *
 * Batches: what each worker gets, whole and in order.
 */

#include "test.h"
#include "im_job_batch.h"


#define WORKERS  5
#define ENTRIES  400


/* What was published, by worker; the last is for all. */
typedef struct {
    im_buf_t    bytes[WORKERS + 1];
    im_uint_t   n;              /* PUBLISHes */
    im_uint_t   max;            /* then publish refuses; 0: never */
    size_t      longest;
    int         p;              /* of the first */
} published_t;


static const uint64_t  seed[2] = { 1, 2 };
static u_char          big[IM_PUSH_MAX_BATCH];


static void
published_init(published_t *out)
{
    size_t  i;

    memset(out, 0, sizeof(published_t));
    out->p = -1;

    for (i = 0; i <= WORKERS; i++) {
        im_buf_init(&out->bytes[i], 64 * 1024 * 1024);
    }
}


static void
published_cleanup(published_t *out)
{
    size_t  i;

    for (i = 0; i <= WORKERS; i++) {
        im_buf_cleanup(&out->bytes[i]);
    }
}


static im_int_t
publish(void *data, uint16_t p, im_str_t worker, im_str_t bytes)
{
    published_t  *out = data;

    assert_true(bytes.len > 0);

    if (out->max != 0 && out->n == out->max) {
        return IM_AGAIN;
    }

    out->n++;
    out->longest = im_max(out->longest, bytes.len);

    if (out->p == -1) {
        out->p = p;
    }

    im_buf_add_str(&out->bytes[worker.len == 0 ? WORKERS
                                               : worker.data[1] - '0'], bytes);

    return IM_OK;
}


static im_entry_t
entry(const char *topic, uint64_t seq, size_t len)
{
    im_entry_t  e;

    memset(&e, 0, sizeof(im_entry_t));
    e.topic = im_str_z(topic);
    e.epoch = im_str_z("e");
    e.seq = seq;
    e.envelope = im_str_set(big, len);

    return e;
}


/* Each worker gets the entries that name it, in the order of arrival. */
static void
test_model(void **state)
{
    char            names[64];
    size_t          i, w, len;
    random_t        r;
    im_entry_t      e;
    published_t     out, model;
    im_job_batch_t  b;

    (void) state;

    random_init(&r, 7);
    published_init(&out);
    published_init(&model);
    assert_int_equal(im_job_batch_init(&b, seed), IM_OK);

    for (i = 0; i < ENTRIES; i++) {
        len = random_below(&r, 20) == 0 ? random_below(&r, sizeof(big)) : 50;
        e = entry(i % 7 == 0 ? "b" : "r:1", i, len + 1);
        names[0] = '\0';

        for (w = 0; w < WORKERS; w++) {
            if (random_below(&r, 2)) {
                snprintf(names + strlen(names), 8, "%sw%c",
                         names[0] ? " " : "", (int) ('0' + w));

                if (i % 7 != 0) {
                    im_entry_encode(&model.bytes[w], &e);
                }
            }
        }

        if (i % 7 == 0) {
            im_entry_encode(&model.bytes[WORKERS], &e);
        }

        assert_int_equal(im_job_batch_add(&b, 3, im_str_z(names), &e), IM_OK);

        if (random_below(&r, 30) == 0) {
            assert_int_equal(im_job_batch_flush(&b, publish, &out), IM_OK);
            assert_int_equal(b.n, 0);
        }
    }

    im_job_batch_flush(&b, publish, &out);

    for (w = 0; w <= WORKERS; w++) {
        assert_true(im_str_eq(im_buf_str(&out.bytes[w]),
                              im_buf_str(&model.bytes[w])));
    }

    assert_true(out.longest <= 2 * IM_PUSH_MAX_BATCH);

    im_job_batch_cleanup(&b);
    published_cleanup(&out);
    published_cleanup(&model);
}


/* Entries of several partitions: one PUBLISH, on the first one's channel. */
static void
test_partitions(void **state)
{
    im_entry_t      e;
    published_t     out;
    im_job_batch_t  b;

    (void) state;

    published_init(&out);
    assert_int_equal(im_job_batch_init(&b, seed), IM_OK);

    e = entry("r:1", 1, 10);
    assert_int_equal(im_job_batch_add(&b, 9, im_str_z("w1"), &e), IM_OK);
    e = entry("r:2", 1, 10);
    assert_int_equal(im_job_batch_add(&b, 4, im_str_z("w1"), &e), IM_OK);

    assert_int_equal(out.n, 0);
    im_job_batch_flush(&b, publish, &out);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.p, 9);

    im_job_batch_cleanup(&b);
    published_cleanup(&out);
}


/* "*" is all workers; extra blanks name no worker; a batch can be reset. */
static void
test_names(void **state)
{
    im_entry_t      e;
    published_t     out;
    im_job_batch_t  b;

    (void) state;

    published_init(&out);
    assert_int_equal(im_job_batch_init(&b, seed), IM_OK);

    e = entry("u:1", 1, 10);
    assert_int_equal(im_job_batch_add(&b, 0, im_str_z("*"), &e), IM_OK);
    assert_int_equal(im_job_batch_add(&b, 0, im_str_z("  w2  "), &e), IM_OK);
    assert_int_equal(im_job_batch_add(&b, 0, im_str_z(""), &e), IM_OK);
    assert_int_equal(b.n, 2);

    im_job_batch_flush(&b, publish, &out);
    assert_int_equal(out.n, 2);
    assert_true(out.bytes[WORKERS].len > 0 && out.bytes[2].len > 0);

    assert_int_equal(im_job_batch_add(&b, 0, im_str_z("w1"), &e), IM_OK);
    im_job_batch_clear(&b);
    im_job_batch_flush(&b, publish, &out);
    assert_int_equal(out.n, 2);

    /* what is left goes with the batch */

    assert_int_equal(im_job_batch_add(&b, 0, im_str_z("w1"), &e), IM_OK);
    im_job_batch_cleanup(&b);
    published_cleanup(&out);
}


/* What publish refuses stays, in order, and takes more. */
static void
test_refused(void **state)
{
    im_uint_t       i;
    im_entry_t      e;
    published_t     out, model;
    im_job_batch_t  b;

    (void) state;

    published_init(&out);
    published_init(&model);
    assert_int_equal(im_job_batch_init(&b, seed), IM_OK);

    for (i = 1; i <= 40; i++) {
        e = entry("r:1", i, i % 5 ? 10 : IM_PUSH_MAX_BATCH - 100);
        im_entry_encode(&model.bytes[1], &e);
        im_entry_encode(&model.bytes[2], &e);

        assert_int_equal(im_job_batch_add(&b, 0, im_str_z("w1 w2"), &e), IM_OK);

        out.max = i / 4 + 1;
        assert_int_equal(im_job_batch_flush(&b, publish, &out),
                         b.n ? IM_AGAIN : IM_OK);
    }

    out.max = 0;
    assert_int_equal(im_job_batch_flush(&b, publish, &out), IM_OK);

    assert_true(im_str_eq(im_buf_str(&out.bytes[1]),
                          im_buf_str(&model.bytes[1])));
    assert_true(im_str_eq(im_buf_str(&out.bytes[2]),
                          im_buf_str(&model.bytes[2])));

    im_job_batch_cleanup(&b);
    published_cleanup(&out);
    published_cleanup(&model);
}


static void
test_no_memory(void **state)
{
    int             failed;
    im_int_t        rc;
    im_entry_t      e;
    published_t     out;
    im_job_batch_t  b;
    unsigned long   n;

    (void) state;

    for (n = 1; n < 100; n++) {
        published_init(&out);
        e = entry("r:1", 1, 100);

        alloc_fail_at(n);
        rc = im_job_batch_init(&b, seed);

        if (rc == IM_OK) {
            rc = im_job_batch_add(&b, 0, im_str_z("w1 w2"), &e);
            im_job_batch_cleanup(&b);
        }

        failed = alloc_failed();
        alloc_fail_at(0);

        assert_int_equal(rc != IM_OK, failed);
        published_cleanup(&out);

        if (rc == IM_OK) {
            break;
        }
    }

    assert_true(n > 3 && n < 100);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_model),
    alloc_test(test_partitions),
    alloc_test(test_names),
    alloc_test(test_refused),
    alloc_test(test_no_memory)
};

test_main(tests)
