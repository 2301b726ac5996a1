/*
 * Copyright (C) The im authors
 *
 * Sets of operations: compared with a table of which session accepts what.
 */

#include "test.h"
#include "im_accept.h"


#define NSESSIONS  40
#define NOPS       12
#define NSTEPS     20000


static const uint64_t  seed[2] = { 1, 2 };


static void
test_shared(void **state)
{
    uint16_t       a, b, c, none;
    im_uint_t      n;
    im_accepts_t   accepts;
    const int32_t *ops;

    static const int32_t  one[] = { 1000, -5, 1001, 1000 };
    static const int32_t  two[] = { 1001, 1000, -5 };

    (void) state;

    assert_int_equal(im_accepts_init(&accepts, seed), IM_OK);

    a = im_accepts_get(&accepts, 0, one, 4, 1);
    b = im_accepts_get(&accepts, 0, two, 3, 1);
    none = im_accepts_get(&accepts, 0, NULL, 0, 1);

    assert_true(a > 0 && none > 0 && a != none);
    assert_int_equal(a, b);
    assert_int_equal(accepts.n, 2);

    assert_true(im_accepts_has(&accepts, a, 1000));
    assert_true(im_accepts_has(&accepts, a, -5));
    assert_false(im_accepts_has(&accepts, a, 1002));
    assert_false(im_accepts_has(&accepts, none, 1000));

    ops = im_accepts_ops(&accepts, a, &n);
    assert_int_equal(n, 3);
    assert_int_equal(ops[0], -5);
    assert_int_equal(ops[2], 1001);
    assert_int_equal(im_accepts_get(&accepts, 0, ops, n, 1), a);
    im_accepts_unref(&accepts, a);

    (void) im_accepts_ops(&accepts, none, &n);
    assert_int_equal(n, 0);

    /* less, and what isn't there */
    c = im_accepts_get(&accepts, a, one, 2, 0);
    assert_int_equal(im_accepts_get(&accepts, 0, two, 1, 1), c);
    assert_int_equal(im_accepts_get(&accepts, c, one, 1, 0), c);
    assert_int_equal(im_accepts_get(&accepts, c, two, 3, 0), none);

    im_accepts_unref(&accepts, a);
    assert_int_equal(accepts.n, 3);
    im_accepts_unref(&accepts, b);
    assert_int_equal(accepts.n, 2);
    im_accepts_unref(&accepts, 0);

    /* its number is free again */
    assert_int_equal(im_accepts_get(&accepts, 0, one, 1, 1), a);

    im_accepts_cleanup(&accepts);
}


static void
test_limits(void **state)
{
    int32_t       i, ops[IM_ACCEPT_OPS + 1];
    uint16_t      id;
    im_accepts_t  accepts;

    (void) state;

    assert_int_equal(im_accepts_init(&accepts, seed), IM_OK);

    for (i = 0; i <= IM_ACCEPT_OPS; i++) {
        ops[i] = i;
    }

    assert_int_equal(im_accepts_get(&accepts, 0, ops, IM_ACCEPT_OPS + 1, 1), 0);

    id = im_accepts_get(&accepts, 0, ops, IM_ACCEPT_OPS, 1);
    assert_true(id > 0);
    assert_int_equal(im_accepts_get(&accepts, id, ops, IM_ACCEPT_OPS, 1), id);
    assert_int_equal(im_accepts_get(&accepts, id, &ops[IM_ACCEPT_OPS], 1, 1),
                     0);

    for (i = 1; i < IM_ACCEPT_SETS; i++) {
        assert_true(im_accepts_get(&accepts, 0, &i, 1, 1) > 0);
    }

    assert_int_equal(accepts.n, IM_ACCEPT_SETS);
    assert_int_equal(im_accepts_get(&accepts, 0, &i, 1, 1), 0);

    /* those that are there can still be had */
    i = 7;
    assert_true(im_accepts_get(&accepts, 0, &i, 1, 1) > 0);

    im_accepts_cleanup(&accepts);
}


static void
test_no_memory(void **state)
{
    int32_t        op;
    uint16_t       id;
    unsigned long  n;
    im_accepts_t   accepts;

    (void) state;

    for (n = 1; ; n++) {
        alloc_fail_at(n);
        id = 0;

        if (im_accepts_init(&accepts, seed) == IM_OK) {
            for (op = 0; op < 40; op++) {
                id = im_accepts_get(&accepts, 0, &op, 1, 1);

                if (id == 0) {
                    break;
                }
            }

            im_accepts_cleanup(&accepts);
        }

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(alloc_live(), 0);
    }

    alloc_fail_at(0);
    assert_true(id > 0);
}


/* Sessions add and drop operations; all of them are compared at each step. */
static void
test_model(void **state)
{
    int           add, wants[NSESSIONS][NOPS];
    int32_t       ops[NOPS];
    uint16_t      was, id[NSESSIONS];
    unsigned      step, i, k, n;
    random_t      r;
    im_accepts_t  accepts;

    (void) state;

    random_init(&r, 20);
    memset(wants, 0, sizeof(wants));

    assert_int_equal(im_accepts_init(&accepts, seed), IM_OK);

    for (i = 0; i < NSESSIONS; i++) {
        id[i] = im_accepts_get(&accepts, 0, NULL, 0, 1);
    }

    for (step = 0; step < NSTEPS; step++) {
        i = random_below(&r, NSESSIONS);
        n = random_below(&r, 4);
        add = (int) random_below(&r, 2);
        was = id[i];

        for (k = 0; k < n; k++) {
            ops[k] = (int32_t) random_below(&r, NOPS);
            wants[i][ops[k]] = add;
        }

        id[i] = im_accepts_get(&accepts, was, ops, n, add);
        assert_true(id[i] > 0);
        im_accepts_unref(&accepts, was);

        for (k = 0; k < NOPS; k++) {
            assert_int_equal(im_accepts_has(&accepts, id[i], (int32_t) k),
                             wants[i][k]);
        }

        for (k = 0; k < NSESSIONS; k++) {
            assert_int_equal(id[i] == id[k],
                             memcmp(wants[i], wants[k], sizeof(wants[i]))
                             == 0);
        }
    }

    for (i = 0; i < NSESSIONS; i++) {
        im_accepts_unref(&accepts, id[i]);
    }

    assert_int_equal(accepts.n, 0);
    im_accepts_cleanup(&accepts);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_shared),
    alloc_test(test_limits),
    alloc_test(test_no_memory),
    alloc_test(test_model)
};

test_main(tests)
