/*
 * Copyright (C) The im authors
 *
 * The byte buffer and the reader.
 */

#include "test.h"
#include "im_buf.h"


static void
test_numbers(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 1000);

    im_buf_add_int(&b, 0);
    im_buf_add_z(&b, " ");
    im_buf_add_int(&b, INT64_MIN);
    im_buf_add_z(&b, " ");
    im_buf_add_int(&b, INT64_MAX);
    im_buf_add_z(&b, " ");
    im_buf_add_int(&b, -1);
    im_buf_add_z(&b, " ");
    im_buf_add_uint(&b, UINT64_MAX);
    im_buf_add_str(&b, im_str_z("!"));

    test_str(im_buf_str(&b), "0 -9223372036854775808 9223372036854775807 -1 "
                             "18446744073709551615!");

    im_buf_cleanup(&b);
}


static void
test_big_endian(void **state)
{
    im_buf_t     b;
    im_str_t     s;
    im_reader_t  r;

    static const u_char  bytes[] = {
        1, 2, 3, 4, 5, 6, 7, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88
    };

    (void) state;

    im_buf_init(&b, 1000);

    im_buf_add_u8(&b, 1);
    im_buf_add_u16(&b, 0x0203);
    im_buf_add_u32(&b, 0x04050607);
    im_buf_add_u64(&b, 0xffeeddccbbaa9988);

    assert_int_equal(b.len, sizeof(bytes));
    assert_memory_equal(b.data, bytes, sizeof(bytes));

    im_reader_init(&r, im_buf_str(&b));

    assert_int_equal(im_reader_u8(&r), 1);
    assert_int_equal(im_reader_u16(&r), 0x0203);
    assert_int_equal(im_reader_u32(&r), 0x04050607);
    assert_true(im_reader_u64(&r) == 0xffeeddccbbaa9988);

    s = im_reader_bytes(&r, 0);
    assert_int_equal(s.len, 0);
    assert_false(r.failed);
    assert_ptr_equal(r.p, r.end);

    im_buf_cleanup(&b);
}


/* Cut at every point: what is whole is read, then the error sticks. */
static void
test_reader_cut(void **state)
{
    size_t       cut;
    u_char      *copy;
    im_str_t     s;
    im_reader_t  r;

    static u_char  bytes[] = { 9, 0, 7, 0, 0, 0, 3, 'a', 'b', 'c' };

    (void) state;

    for (cut = 0; cut <= sizeof(bytes); cut++) {

        /* A block of its own, so that a read beyond it is found. */

        copy = malloc(cut > 0 ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);

        im_reader_init(&r, im_str_set(copy, cut));

        assert_int_equal(im_reader_u8(&r), cut >= 1 ? 9 : 0);
        assert_int_equal(im_reader_u16(&r), cut >= 3 ? 7 : 0);
        assert_int_equal(im_reader_u32(&r), cut >= 7 ? 3 : 0);

        s = im_reader_bytes(&r, 3);
        assert_int_equal(s.len, cut >= 10 ? 3 : 0);
        assert_int_equal(r.failed, cut < 10);

        if (r.failed) {
            assert_int_equal(im_reader_u8(&r), 0);
            assert_int_equal(im_reader_bytes(&r, 0).len, 0);
            assert_true(r.failed);
        }

        free(copy);
    }
}


static void
test_reader_huge(void **state)
{
    im_reader_t  r;

    (void) state;

    im_reader_init(&r, im_str_z("ab"));
    assert_int_equal(im_reader_bytes(&r, SIZE_MAX).len, 0);
    assert_true(r.failed);

    im_reader_init(&r, im_str_set(NULL, 0));
    assert_int_equal(im_reader_u8(&r), 0);
    assert_true(r.failed);
}


static void
test_limit(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 5);

    im_buf_add_z(&b, "abc");
    im_buf_add_z(&b, "de");
    assert_false(b.failed);

    im_buf_add(&b, NULL, 0);
    assert_false(b.failed);

    im_buf_add_z(&b, "f");
    assert_true(b.failed);

    im_buf_reset(&b, 1000);
    assert_false(b.failed);
    assert_int_equal(b.len, 0);
    assert_true(b.size > 0);

    im_buf_add_z(&b, "abcdef");
    assert_true(b.failed);
    im_buf_add_z(&b, "a");
    assert_int_equal(b.len, 0);
    assert_null(im_buf_reserve(&b, 0));

    im_buf_reset(&b, 0);
    assert_int_equal(b.size, 0);
    assert_int_equal(alloc_live(), 0);

    assert_null(im_buf_reserve(&b, SIZE_MAX));

    im_buf_cleanup(&b);
}


static void
test_unlimited(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, SIZE_MAX);

    im_buf_add_z(&b, "abc");
    assert_false(b.failed);
    assert_non_null(im_buf_reserve(&b, 0));

    alloc_fail_all();
    assert_null(im_buf_reserve(&b, SIZE_MAX - 3));
    assert_true(b.failed);

    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    im_buf_t       b;
    unsigned       i;
    unsigned long  n, count;

    (void) state;

    count = 0;

    for (n = 0; n <= count; n++) {
        im_buf_init(&b, 100000);
        alloc_fail_at(n);

        for (i = 0; i < 5000; i++) {
            im_buf_add_u32(&b, i);
        }

        if (n == 0) {
            assert_false(b.failed);
            assert_int_equal(b.len, 20000);
            count = alloc_count();
            assert_true(count > 3);

        } else {
            assert_true(b.failed);
            assert_true(b.len < 20000);
        }

        im_buf_cleanup(&b);
    }
}


static void
test_random(void **state)
{
    size_t    len, n;
    u_char    model[4096], piece[200];
    im_buf_t  b;
    random_t  r;
    unsigned  i, failed;

    (void) state;

    random_init(&r, 11);
    im_buf_init(&b, sizeof(model));

    len = 0;
    failed = 0;

    for (i = 0; i < 20000; i++) {
        n = random_below(&r, sizeof(piece));
        memset(piece, i & 0xff, n);

        im_buf_add(&b, piece, n);

        if (n > 0 && (failed || len + n > sizeof(model))) {
            failed = 1;

        } else if (n > 0) {
            memcpy(model + len, piece, n);
            len += n;
        }

        assert_int_equal(b.failed, failed);
        assert_int_equal(b.len, len);
        assert_true(b.size <= sizeof(model));

        if (len > 0) {
            assert_memory_equal(b.data, model, len);
        }

        if (random_below(&r, 40) == 0) {
            im_buf_reset(&b, random_below(&r, 2) * 1024);
            len = 0;
            failed = 0;
        }
    }

    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_numbers),
    alloc_test(test_big_endian),
    alloc_test(test_reader_cut),
    alloc_test(test_reader_huge),
    alloc_test(test_limit),
    alloc_test(test_unlimited),
    alloc_test(test_no_memory),
    alloc_test(test_random)
};

test_main(tests)
