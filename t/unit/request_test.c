/*
 * Copyright (C) The im authors
 *
 * The memory of a request.
 */

#include "test.h"
#include "im_daemon_request.h"


static int  order[4];
static int  norder;


static void
note(void *data)
{
    order[norder++] = *(int *) data;
}


static void
test_alloc(void **state)
{
    size_t                i, j, size;
    u_char               *p, *all[400];
    size_t                sizes[400];
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));

    for (i = 0; i < test_count(all); i++) {
        size = i % 40 == 39 ? 10000 : i;
        p = im_daemon_alloc(&r, size);

        assert_non_null(p);
        assert_int_equal((uintptr_t) p % 16, 0);

        for (j = 0; j < size; j++) {
            assert_int_equal(p[j], 0);
        }

        memset(p, (int) i, size);
        all[i] = p;
        sizes[i] = size;
    }

    for (i = 0; i < test_count(all); i++) {
        for (j = 0; j < sizes[i]; j++) {
            assert_int_equal(all[i][j], i & 0xff);
        }
    }

    im_daemon_end(&r);
    assert_null(r.blocks);

    assert_non_null(im_daemon_alloc(&r, 1));
    im_daemon_end(&r);
    im_daemon_end(&r);
}


static void
test_copy(void **state)
{
    im_str_t              s;
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));

    s = im_daemon_copy(&r, im_str_z("some text"));
    test_str(s, "some text");

    s = im_daemon_copy(&r, im_str_set(NULL, 0));
    assert_non_null(s.data);
    assert_int_equal(s.len, 0);

    im_daemon_end(&r);
}


static void
test_buf(void **state)
{
    int                   i;
    im_buf_t             *b, *other;
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));

    b = im_daemon_buf(&r, 100000);
    other = im_daemon_buf(&r, 4);

    for (i = 0; i < 10000; i++) {
        im_buf_add_z(b, "0123456789");
    }

    assert_int_equal(b->len, 100000);
    assert_false(b->failed);

    im_buf_add_z(b, "x");
    assert_true(b->failed);

    im_buf_add_z(other, "1234");
    test_str(im_buf_str(other), "1234");
    assert_false(other->failed);

    im_daemon_end(&r);
}


static void
test_cleanup(void **state)
{
    int                   one, two, three;
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));

    one = 1;
    two = 2;
    three = 3;
    norder = 0;

    assert_int_equal(im_daemon_cleanup(&r, note, &one), IM_OK);
    assert_int_equal(im_daemon_cleanup(&r, note, &two), IM_OK);
    assert_int_equal(im_daemon_cleanup(&r, note, &three), IM_OK);
    assert_int_equal(norder, 0);

    im_daemon_end(&r);

    assert_int_equal(norder, 3);
    assert_int_equal(order[0], 3);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 1);

    im_daemon_end(&r);
    assert_int_equal(norder, 3);
}


static void
test_limit(void **state)
{
    size_t                n;
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));

    assert_null(im_daemon_alloc(&r, IM_REQUEST_MEMORY + 1));
    assert_null(im_daemon_alloc(&r, SIZE_MAX));

    for (n = 0; im_daemon_alloc(&r, 1024 * 1024) != NULL; n++) {
        assert_true(n < IM_REQUEST_MEMORY / (1024 * 1024));
    }

    assert_int_equal(n, IM_REQUEST_MEMORY / (1024 * 1024));

    im_daemon_end(&r);
    assert_non_null(im_daemon_alloc(&r, 1024 * 1024));
    im_daemon_end(&r);
}


/* Each allocation fails once: nothing leaks, and the rest can be used. */
static void
test_no_memory(void **state)
{
    int                   one;
    im_buf_t             *b;
    im_str_t              s;
    unsigned long         n;
    im_daemon_request_t   r;

    (void) state;

    memset(&r, 0, sizeof(im_daemon_request_t));
    one = 1;

    for (n = 1; ; n++) {
        alloc_fail_at(n);
        norder = 0;

        b = im_daemon_buf(&r, 100);
        im_buf_add_z(b, "text");
        s = im_daemon_copy(&r, im_str_z("text"));

        if (im_daemon_cleanup(&r, note, &one) != IM_OK) {
            assert_int_equal(norder, 1);
        }

        assert_true(s.data == NULL || s.len == 4);

        if (!alloc_failed()) {
            break;
        }

        assert_true(b->failed || s.data == NULL || norder == 1);

        alloc_fail_at(0);
        im_daemon_end(&r);
        assert_int_equal(norder, 1);
    }

    alloc_fail_at(0);
    assert_false(b->failed);
    im_daemon_end(&r);

    /* one that failed for want of memory fails for ever */

    alloc_fail_all();
    b = im_daemon_buf(&r, 100);
    alloc_fail_at(0);

    im_buf_add_z(b, "text");
    assert_true(b->failed);

    im_daemon_end(&r);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_alloc),
    alloc_test(test_copy),
    alloc_test(test_buf),
    alloc_test(test_cleanup),
    alloc_test(test_limit),
    alloc_test(test_no_memory)
};

test_main(tests)
