/*
 * Copyright (C) The im authors
 *
 * The token bucket: compared with a count of thousandths of tokens.
 */

#include "test.h"
#include "im_bucket.h"


#define NSTEPS  20000
#define NOW     1000000          /* ms */


static unsigned
drain(im_bucket_t *b, uint64_t rate, uint64_t size, uint64_t now)
{
    unsigned  n;

    for (n = 0; im_bucket_take(b, rate, size, now, 1) == IM_OK; n++) {
        assert_true(n < 100000);
    }

    return n;
}


static void
test_size(void **state)
{
    unsigned     i;
    im_bucket_t  b;

    static const uint64_t  rates[] = { 1, 3, 7, 500, 1000, 4096, 99999 };

    for (i = 0; i < test_count(rates); i++) {
        memset(&b, 0, sizeof(b));

        assert_int_equal(drain(&b, rates[i], 2000, NOW), 2000);
        assert_false(im_bucket_full(&b, NOW));
        assert_int_equal(drain(&b, rates[i], 2000, NOW), 0);

        /* long after it is full, and no more than full */
        assert_true(im_bucket_full(&b, NOW + 2001000));
        assert_int_equal(drain(&b, rates[i], 2000, NOW + 90000000), 2000);
    }
}


/* No step at a full second: each ms brings its part. */
static void
test_smooth(void **state)
{
    unsigned     i, n, all;
    im_bucket_t  b;

    memset(&b, 0, sizeof(b));

    (void) drain(&b, 500, 2000, NOW);

    for (i = 1, all = 0; i <= 3000; i++) {
        n = drain(&b, 500, 2000, NOW + i);
        assert_true(n <= 1);
        all += n;
    }

    assert_true(all >= 1499 && all <= 1500);
}


static void
test_debt(void **state)
{
    im_bucket_t  b;

    memset(&b, 0, sizeof(b));

    /* the last token is enough for 10,000 */
    assert_int_equal(im_bucket_take(&b, 1000, 100, NOW, 99), IM_OK);
    assert_int_equal(im_bucket_take(&b, 1000, 100, NOW, 10000), IM_OK);
    assert_int_equal(im_bucket_take(&b, 1000, 100, NOW, 1), IM_AGAIN);
    assert_int_equal(im_bucket_take(&b, 1000, 100, NOW + 9998, 1), IM_AGAIN);
    assert_int_equal(im_bucket_wait(&b, 1000, 100, NOW + 9998), 2);
    assert_int_equal(im_bucket_take(&b, 1000, 100, NOW + 10000, 1), IM_OK);

    /* what is charged in any case is owed as well */
    im_bucket_charge(&b, 1000, 100, NOW + 10000, 500);
    im_bucket_charge(&b, 1000, 100, NOW + 10000, 500);
    assert_int_equal(im_bucket_wait(&b, 1000, 100, NOW + 10000), 1001);
}


static void
test_low(void **state)
{
    im_bucket_t  b;

    memset(&b, 0, sizeof(b));

    im_bucket_charge(&b, 10, 100, NOW, 50);
    assert_false(im_bucket_low(&b, 10, 100, NOW));
    im_bucket_charge(&b, 10, 100, NOW, 1);
    assert_true(im_bucket_low(&b, 10, 100, NOW));
    assert_false(im_bucket_low(&b, 10, 100, NOW + 100));
    assert_false(im_bucket_low(&b, 0, 0, NOW));
}


static void
test_no_limit(void **state)
{
    im_bucket_t  b;

    memset(&b, 0, sizeof(b));

    assert_int_equal(im_bucket_take(&b, 0, 0, NOW, UINT64_MAX), IM_OK);
    assert_int_equal(im_bucket_wait(&b, 0, 0, NOW), 0);
    assert_true(im_bucket_full(&b, NOW));
}


/* Another rate or size holds at once. */
static void
test_change(void **state)
{
    im_bucket_t  b;

    memset(&b, 0, sizeof(b));

    (void) drain(&b, 10, 100, NOW);

    assert_int_equal(im_bucket_take(&b, 10, 200, NOW, 1), IM_OK);
    assert_int_equal(im_bucket_take(&b, 0, 100, NOW, 1), IM_OK);
    assert_int_equal(im_bucket_take(&b, 10, 10, NOW, 1), IM_AGAIN);
    assert_int_equal(im_bucket_take(&b, 1000, 100000, NOW, 1), IM_OK);
}


/* Neither big numbers nor a clock that jumps make a wrong answer for long. */
static void
test_extremes(void **state)
{
    unsigned     i, k;
    im_bucket_t  b;

    static const uint64_t  n[] = {
        0, 1, (uint64_t) 1 << 31, UINT32_MAX, (uint64_t) 1 << 33,
        ((uint64_t) 1 << 33) + 1, (uint64_t) 1 << 53, UINT64_MAX
    };

    for (i = 0; i < test_count(n); i++) {
        for (k = 1; k < test_count(n); k++) {
            memset(&b, 0, sizeof(b));

            im_bucket_charge(&b, n[k], 1000, NOW, n[i]);
            im_bucket_charge(&b, n[k], 1000, NOW, n[i]);

            assert_int_equal(im_bucket_wait(&b, n[k], 1000, UINT64_MAX), 0);
            assert_true(im_bucket_wait(&b, n[k], 1000, NOW)
                        <= IM_BUCKET_DEBT_MAX + 1);
        }
    }

    /* back to 1970 and on from there */

    memset(&b, 0, sizeof(b));
    (void) drain(&b, 10, 10, (uint64_t) 1 << 41);

    assert_int_equal(im_bucket_take(&b, 10, 10, 5, 1), IM_AGAIN);
    im_bucket_charge(&b, 10, 10, 5, 1);
    assert_int_equal(im_bucket_take(&b, 10, 10, 5 + IM_BUCKET_DEBT_MAX + 200,
                                    1), IM_OK);

    /* workers' clocks differ by some ms: nothing is gained by that */

    memset(&b, 0, sizeof(b));
    (void) drain(&b, 100, 100, NOW + 5);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(drain(&b, 100, 100, NOW + i % 6), 0);
    }
}


static void
test_model(void **state)
{
    int64_t      credit;
    unsigned     i;
    uint64_t     now, n;
    im_int_t     rc;
    random_t     rnd;
    im_bucket_t  b;

    /* rates whose tokens are worth whole ms, so that both are exact */

    memset(&b, 0, sizeof(b));
    random_init(&rnd, 8);

    now = NOW;
    credit = 300 * 1000;

    for (i = 0; i < NSTEPS; i++) {
        n = random_below(&rnd, 100) == 0 ? 1000 : random_below(&rnd, 20);

        rc = im_bucket_take(&b, 125, 300, now, n);
        assert_int_equal(rc, credit > 0 ? IM_OK : IM_AGAIN);

        if (rc == IM_OK) {
            credit -= (int64_t) n * 1000;
        }

        assert_int_equal(im_bucket_wait(&b, 125, 300, now),
                         credit > 0 ? 0 : -credit / 125 + 1);

        n = random_below(&rnd, 150);
        now += n;
        credit = im_min(credit + (int64_t) n * 125, 300 * 1000);
    }
}


/* A bucket goes on by another clock. */
static void
test_moved(void **state)
{
    uint64_t     owed;
    im_bucket_t  b, other;

    (void) state;

    memset(&b, 0, sizeof(b));
    assert_int_equal(im_bucket_owed(&b, NOW), 0);

    im_bucket_owe(&other, 5, 0);
    assert_int_equal(other.full, 0);

    (void) drain(&b, 10, 100, NOW);
    im_bucket_charge(&b, 10, 100, NOW, 50);

    owed = im_bucket_owed(&b, NOW + 1000);
    im_bucket_owe(&other, 7, owed);

    assert_int_equal(im_bucket_wait(&other, 10, 100, 7),
                     im_bucket_wait(&b, 10, 100, NOW + 1000));
    assert_int_equal(im_bucket_owed(&other, 7), owed);
    assert_true(im_bucket_full(&other, 14008));
    assert_false(im_bucket_full(&other, 14000));

    /* whatever another process says, the debt is bounded */

    im_bucket_owe(&other, UINT64_MAX, UINT64_MAX);
    (void) im_bucket_wait(&other, 10, 100, UINT64_MAX);
    im_bucket_owe(&other, NOW, UINT64_MAX);
    assert_true(im_bucket_wait(&other, 10, 100, NOW) <= IM_BUCKET_DEBT_MAX + 1);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_size),
    cmocka_unit_test(test_smooth),
    cmocka_unit_test(test_debt),
    cmocka_unit_test(test_low),
    cmocka_unit_test(test_no_limit),
    cmocka_unit_test(test_change),
    cmocka_unit_test(test_extremes),
    cmocka_unit_test(test_model),
    cmocka_unit_test(test_moved)
};

test_main(tests)
