/*
 * Copyright (C) The im authors
 *
 * Arguments of a query string: which one is meant, and its decoded value.
 */

#include "test.h"
#include "im_query.h"


static im_int_t
arg(const char *query, const char *name, const char *wanted)
{
    im_buf_t  b;
    im_int_t  rc;

    im_buf_init(&b, 64);
    im_buf_add_z(&b, "<");

    rc = im_query_arg(im_str_z(query), im_str_z(name), &b);

    im_buf_add_z(&b, ">");
    test_str(im_buf_str(&b), wanted);
    im_buf_cleanup(&b);

    return rc;
}


static void
test_find(void **state)
{
    (void) state;

    assert_int_equal(arg("a=1", "a", "<1>"), IM_OK);
    assert_int_equal(arg("b=2&a=1", "a", "<1>"), IM_OK);
    assert_int_equal(arg("&&a=1&", "a", "<1>"), IM_OK);
    assert_int_equal(arg("a=1&a=2", "a", "<1>"), IM_OK);
    assert_int_equal(arg("aa=1&a=2", "a", "<2>"), IM_OK);
    assert_int_equal(arg("a=b=c", "a", "<b=c>"), IM_OK);
    assert_int_equal(arg("a=", "a", "<>"), IM_OK);
    assert_int_equal(arg("A=1", "a", "<>"), IM_DECLINED);
    assert_int_equal(arg("a", "a", "<>"), IM_DECLINED);
    assert_int_equal(arg("b=a=1", "a", "<>"), IM_DECLINED);
    assert_int_equal(arg("", "a", "<>"), IM_DECLINED);
}


static void
test_decode(void **state)
{
    (void) state;

    assert_int_equal(arg("a=%7B%22x%22:+1%7d", "a", "<{\"x\": 1}>"), IM_OK);
    assert_int_equal(arg("a=%2B%26%3D", "a", "<+&=>"), IM_OK);
    assert_int_equal(arg("a=%c3%A4", "a", "<\xc3\xa4>"), IM_OK);
    assert_int_equal(arg("a=%", "a", "<>"), IM_ERROR);
    assert_int_equal(arg("a=x%4", "a", "<>"), IM_ERROR);
    assert_int_equal(arg("a=x%4&b=1", "a", "<>"), IM_ERROR);
    assert_int_equal(arg("a=%g0", "a", "<>"), IM_ERROR);
    assert_int_equal(arg("a=%0g", "a", "<>"), IM_ERROR);
    assert_int_equal(arg("b=%&a=1", "a", "<1>"), IM_OK);
}


static void
test_limit(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 4);
    assert_int_equal(im_query_arg(im_str_z("a=12345"), im_str_z("a"), &b),
                     IM_OK);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_find),
    alloc_test(test_decode),
    alloc_test(test_limit)
};

test_main(tests)
