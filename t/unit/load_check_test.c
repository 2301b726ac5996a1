/*
 * Copyright (C) The im authors
 *
 * The load generator's check: faults that are planted are counted, exactly.
 */

#include "test.h"
#include "load_check.h"


#define NSTREAMS   7
#define NMESSAGES  3000


static void
init(load_check_t *c)
{
    assert_int_equal(load_check_init(c, NSTREAMS), 0);
}


static void
counts(const load_check_t *c, uint64_t lost, uint64_t duplicated,
    uint64_t reordered)
{
    assert_int_equal(c->lost, lost);
    assert_int_equal(c->duplicated, duplicated);
    assert_int_equal(c->reordered, reordered);
    assert_int_equal(c->unknown, 0);
}


static void
receive(load_check_t *c, uint32_t stream, uint32_t seq, load_check_e want)
{
    assert_int_equal(load_check_received(c, stream, seq), want);
}


static void
test_good(void **state)
{
    uint32_t      i, n;
    load_check_t  c;

    init(&c);

    for (n = 0; n < NMESSAGES; n++) {
        for (i = 0; i < NSTREAMS; i++) {
            assert_true(load_check_misses(&c, i, n));
            receive(&c, i, n, LOAD_CHECK_FIRST);
            assert_false(load_check_misses(&c, i, n));
        }
    }

    for (i = 0; i < NSTREAMS; i++) {
        load_check_end(&c, i, NMESSAGES);
    }

    counts(&c, 0, 0, 0);
    assert_null(c.gaps);
    load_check_cleanup(&c);
}


static void
test_faults(void **state)
{
    load_check_t  c;

    init(&c);
    receive(&c, 1, 0, LOAD_CHECK_FIRST);
    receive(&c, 1, 0, LOAD_CHECK_AGAIN);
    counts(&c, 0, 1, 0);

    /* 1 and 2 are passed over; 2 is late, and then comes twice */
    receive(&c, 1, 3, LOAD_CHECK_FIRST);
    counts(&c, 2, 1, 0);
    assert_true(load_check_misses(&c, 1, 2));
    receive(&c, 1, 2, LOAD_CHECK_FIRST);
    counts(&c, 1, 1, 1);
    receive(&c, 1, 2, LOAD_CHECK_AGAIN);
    counts(&c, 1, 2, 1);

    /* another stream has nothing to do with it */
    receive(&c, 2, 0, LOAD_CHECK_FIRST);
    counts(&c, 1, 2, 1);

    /* the end: 4 and 5 never came */
    load_check_end(&c, 1, 6);
    load_check_end(&c, 2, 1);
    counts(&c, 3, 2, 1);
    load_check_cleanup(&c);
}


static void
test_forget(void **state)
{
    load_check_t  c;

    init(&c);
    receive(&c, 0, 0, LOAD_CHECK_FIRST);
    load_check_forget(&c, 0);
    load_check_end(&c, 0, NMESSAGES);
    assert_false(load_check_misses(&c, 0, 5));
    counts(&c, 0, 0, 0);
    load_check_cleanup(&c);
}


static void
test_begin(void **state)
{
    load_check_t  c;

    init(&c);
    receive(&c, 0, 0, LOAD_CHECK_FIRST);
    load_check_begin(&c, 0);
    load_check_end(&c, 0, NMESSAGES);
    receive(&c, 0, 7, LOAD_CHECK_FIRST);
    receive(&c, 0, 9, LOAD_CHECK_FIRST);
    receive(&c, 0, 6, LOAD_CHECK_AGAIN);
    counts(&c, 1, 1, 0);
    load_check_cleanup(&c);
}


/* Any order of messages, some of them missing or twice, as a bitmap sees it. */
static void
test_model(void **state)
{
    int           here;
    random_t      r;
    uint32_t      i, seq, stream, next;
    uint64_t      duplicated, reordered, missing;
    load_check_t  c;

    static u_char    got[NSTREAMS][NMESSAGES];
    static uint32_t  top[NSTREAMS];

    init(&c);
    random_init(&r, 3);
    duplicated = 0;
    reordered = 0;

    for (i = 0; i < NSTREAMS * NMESSAGES; i++) {
        stream = random_below(&r, NSTREAMS);
        next = top[stream] + random_below(&r, 4);
        seq = random_below(&r, 4) == 0 ? random_below(&r, next + 1) : next;

        if (seq >= NMESSAGES) {
            continue;
        }

        here = got[stream][seq];
        receive(&c, stream, seq, here ? LOAD_CHECK_AGAIN : LOAD_CHECK_FIRST);
        duplicated += here;
        reordered += !here && seq < top[stream];
        got[stream][seq] = 1;
        top[stream] = seq >= top[stream] ? seq + 1 : top[stream];
    }

    missing = 0;

    for (stream = 0; stream < NSTREAMS; stream++) {
        load_check_end(&c, stream, NMESSAGES);

        for (seq = 0; seq < NMESSAGES; seq++) {
            missing += !got[stream][seq];
        }
    }

    assert_true(missing != 0 && duplicated != 0 && reordered != 0);
    counts(&c, missing, duplicated, reordered);
    load_check_cleanup(&c);
}


/* More gaps than it remembers: what it can't tell is counted as unknown. */
static void
test_too_many(void **state)
{
    load_check_t  c;

    init(&c);
    receive(&c, 0, LOAD_CHECK_MAX_GAPS + 10, LOAD_CHECK_FIRST);
    assert_int_equal(c.ngaps, LOAD_CHECK_MAX_GAPS);
    assert_int_equal(c.lost, LOAD_CHECK_MAX_GAPS + 10);

    receive(&c, 0, LOAD_CHECK_MAX_GAPS + 5, LOAD_CHECK_AGAIN);
    assert_int_equal(c.unknown, 1);
    receive(&c, 0, 5, LOAD_CHECK_FIRST);
    assert_int_equal(c.reordered, 1);
    load_check_cleanup(&c);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_good),
    cmocka_unit_test(test_faults),
    cmocka_unit_test(test_forget),
        cmocka_unit_test(test_begin),
    cmocka_unit_test(test_model),
    cmocka_unit_test(test_too_many)
};

test_main(tests)
