/*
 * Copyright (C) The im authors
 *
 * Counting distinct users.
 */

#include "test.h"
#include "copy.h"
#include "im_buf.h"
#include "im_sketch.h"


static void
add(im_sketch_t *s, size_t from, size_t to)
{
    char      name[32];
    im_str_t  user;

    for ( /* void */ ; from < to; from++) {
        user = im_str_set(name, (size_t) sprintf(name, "user-%zu", from));
        assert_int_equal(im_sketch_add(s, user), IM_OK);
    }
}


/* Within 6 %: almost four standard errors. */
static void
assert_about(const im_sketch_t *s, size_t n)
{
    uint64_t  count;

    count = im_sketch_count(s);

    if (count < n - n * 6 / 100 || count > n + n * 6 / 100) {
        print_message("# %llu is not about %zu\n", (unsigned long long) count,
                      n);
        fail();
    }
}


static void
test_exact(void **state)
{
    size_t       n;
    im_sketch_t  s;

    (void) state;

    im_sketch_init(&s);
    assert_int_equal(im_sketch_count(&s), 0);

    for (n = 0; n < IM_SKETCH_EXACT; n++) {
        add(&s, n, n + 1);
        add(&s, n / 2, n / 2 + 1);
        assert_int_equal(im_sketch_count(&s), n + 1);
        assert_null(s.registers);
    }

    /* those there already don't make it inexact */
    add(&s, 0, IM_SKETCH_EXACT);
    assert_null(s.registers);

    add(&s, n, n + 1);
    assert_non_null(s.registers);
    assert_null(s.hashes);
    assert_about(&s, n + 1);

    im_sketch_cleanup(&s);
}


static void
test_estimate(void **state)
{
    size_t       i, n;
    im_sketch_t  s;

    static const size_t  counts[] = {
        513, 1000, 3000, 8000, 12000, 20000, 50000, 200000, 500000
    };

    (void) state;

    im_sketch_init(&s);
    n = 0;

    for (i = 0; i < test_count(counts); i++) {
        add(&s, n, counts[i]);
        n = counts[i];
        assert_about(&s, n);
    }

    im_sketch_cleanup(&s);
}


/* A merge is what one sketch of all users would be, byte for byte. */
static void
test_merge(void **state)
{
    size_t       i, j, a, b;
    im_buf_t     wanted, got;
    im_sketch_t  s, other, all;

    static const size_t  sizes[] = { 0, 1, 100, 300, 512, 513, 2000 };

    (void) state;

    im_buf_init(&wanted, 1 << 16);
    im_buf_init(&got, 1 << 16);

    for (i = 0; i < test_count(sizes); i++) {
        for (j = 0; j < test_count(sizes); j++) {
            a = sizes[i];
            b = sizes[j];

            im_sketch_init(&s);
            im_sketch_init(&other);
            im_sketch_init(&all);

            /* the last half of one is the first half of the other */
            add(&s, 0, a);
            add(&other, a / 2, a / 2 + b);
            add(&all, 0, a);
            add(&all, a / 2, a / 2 + b);

            assert_int_equal(im_sketch_merge(&s, &other), IM_OK);
            assert_true(im_sketch_count(&s) == im_sketch_count(&all));

            im_buf_reset(&wanted, 1 << 16);
            im_buf_reset(&got, 1 << 16);
            im_sketch_encode(&wanted, &all);
            im_sketch_encode(&got, &s);
            assert_true(im_str_eq(im_buf_str(&got), im_buf_str(&wanted)));

            im_sketch_cleanup(&s);
            im_sketch_cleanup(&other);
            im_sketch_cleanup(&all);
        }
    }

    im_buf_cleanup(&wanted);
    im_buf_cleanup(&got);
}


static void
test_encode(void **state)
{
    size_t       i;
    im_buf_t     b, again;
    im_str_t     s;
    im_sketch_t  sketch, back;

    static const size_t  sizes[] = { 0, 1, 2, 511, 512, 513, 5000 };

    (void) state;

    im_buf_init(&b, 1 << 16);
    im_buf_init(&again, 1 << 16);

    for (i = 0; i < test_count(sizes); i++) {
        im_sketch_init(&sketch);
        add(&sketch, 0, sizes[i]);

        im_buf_reset(&b, 1 << 16);
        im_sketch_encode(&b, &sketch);
        assert_false(b.failed);

        s = copy_of(im_buf_str(&b));
        assert_int_equal(im_sketch_decode(s, &back), IM_OK);
        free(s.data);

        assert_true(im_sketch_count(&back) == im_sketch_count(&sketch));

        im_buf_reset(&again, 1 << 16);
        im_sketch_encode(&again, &back);
        assert_true(im_str_eq(im_buf_str(&again), im_buf_str(&b)));

        /* it goes on from there */
        add(&back, 0, 600);
        assert_about(&back, im_max(600, sizes[i]));

        im_sketch_cleanup(&sketch);
        im_sketch_cleanup(&back);
    }

    im_buf_cleanup(&b);
    im_buf_cleanup(&again);
}


static void
test_cut(void **state)
{
    size_t       i, n;
    im_buf_t     b;
    im_str_t     s;
    im_sketch_t  sketch;

    (void) state;

    im_buf_init(&b, 1 << 16);

    for (n = 10; n <= 1000; n += 990) {
        im_sketch_init(&sketch);
        add(&sketch, 0, n);
        im_buf_reset(&b, 1 << 16);
        im_sketch_encode(&b, &sketch);
        im_sketch_cleanup(&sketch);

        for (i = 0; i < b.len; i++) {
            s = copy_of(im_str_set(b.data, i));
            assert_int_equal(im_sketch_decode(s, &sketch), IM_ERROR);
            assert_null(sketch.hashes);
            assert_null(sketch.registers);
            free(s.data);
        }

        im_buf_add_u8(&b, 0);
        assert_int_equal(im_sketch_decode(im_buf_str(&b), &sketch), IM_ERROR);
    }

    im_buf_cleanup(&b);
}


static void
test_malformed(void **state)
{
    size_t       i;
    u_char      *registers;
    im_sketch_t  s;

    static const im_str_t  bad[] = {
        im_str(""), im_str("\0\0\0"), im_str("\3\0\0"), im_str("\1\2\1"),
        im_str("\1\xff\xff"),
        im_str("\1\0\2" "\0\0\0\0\0\0\0\2" "\0\0\0\0\0\0\0\1"),
        im_str("\1\0\2" "\0\0\0\0\0\0\0\2" "\0\0\0\0\0\0\0\2")
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_sketch_decode(bad[i], &s), IM_ERROR);
    }

    registers = malloc(IM_SKETCH_REGISTERS + 1);
    assert_non_null(registers);

    /* the largest rank there is: a number that means nothing, but a number */
    memset(registers, 53, IM_SKETCH_REGISTERS + 1);
    registers[0] = 2;
    assert_int_equal(im_sketch_decode(im_str_set(registers,
                                                 IM_SKETCH_REGISTERS + 1), &s),
                     IM_OK);
    assert_true(im_sketch_count(&s) > 0);
    im_sketch_cleanup(&s);

    registers[IM_SKETCH_REGISTERS] = 54;
    assert_int_equal(im_sketch_decode(im_str_set(registers,
                                                 IM_SKETCH_REGISTERS + 1), &s),
                     IM_ERROR);

    memset(registers + 1, 0, IM_SKETCH_REGISTERS);
    assert_int_equal(im_sketch_decode(im_str_set(registers,
                                                 IM_SKETCH_REGISTERS + 1), &s),
                     IM_OK);
    assert_true(im_sketch_count(&s) == 0);
    im_sketch_cleanup(&s);

    free(registers);
}


static void
test_no_memory(void **state)
{
    im_buf_t     b;
    im_sketch_t  s, from;

    (void) state;

    im_sketch_init(&s);
    alloc_fail_at(1);
    assert_int_equal(im_sketch_add(&s, im_str_z("a")), IM_ERROR);
    assert_int_equal(im_sketch_count(&s), 0);

    alloc_fail_at(0);
    add(&s, 0, IM_SKETCH_EXACT);

    /* as before, and later it works */
    alloc_fail_at(1);
    assert_int_equal(im_sketch_add(&s, im_str_z("a")), IM_ERROR);
    assert_int_equal(im_sketch_count(&s), IM_SKETCH_EXACT);
    assert_int_equal(im_sketch_add(&s, im_str_z("a")), IM_OK);

    im_sketch_init(&from);
    alloc_fail_at(1);
    assert_int_equal(im_sketch_merge(&from, &s), IM_ERROR);

    im_buf_init(&b, 1 << 16);
    im_sketch_encode(&b, &s);
    alloc_fail_at(1);
    assert_int_equal(im_sketch_decode(im_buf_str(&b), &from), IM_ERROR);

    im_sketch_cleanup(&s);
    im_sketch_init(&s);
    add(&s, 0, 2);
    im_buf_reset(&b, 1 << 16);
    im_sketch_encode(&b, &s);
    alloc_fail_at(1);
    assert_int_equal(im_sketch_decode(im_buf_str(&b), &from), IM_ERROR);
    alloc_fail_at(1);
    assert_int_equal(im_sketch_merge(&from, &s), IM_ERROR);

    im_buf_cleanup(&b);
    im_sketch_cleanup(&s);
    im_sketch_cleanup(&from);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_exact),
    alloc_test(test_estimate),
    alloc_test(test_merge),
    alloc_test(test_encode),
    alloc_test(test_cut),
    alloc_test(test_malformed),
    alloc_test(test_no_memory)
};

test_main(tests)
