/*
 * Copyright (C) The im authors
 *
 * Names and values out of URLs.
 */

#include "test.h"
#include "im_logic_url.h"


static void
check_decode(const char *in, int plus, const char *out, size_t len)
{
    im_buf_t  b;

    im_buf_init(&b, 256);
    im_logic_url_decode(&b, im_str_z(in), plus);

    assert_false(b.failed);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data != NULL ? b.data : (u_char *) "", out, len);

    im_buf_cleanup(&b);
}


static void
test_decode(void **state)
{
    (void) state;

    check_decode("", 1, "", 0);
    check_decode("a+b", 1, "a b", 3);
    check_decode("a+b", 0, "a+b", 3);
    check_decode("%41%2f%2F", 1, "A//", 3);
    check_decode("%00x", 1, "\0x", 2);
    check_decode("%", 1, "%", 1);
    check_decode("%4", 1, "%4", 2);
    check_decode("%4g%zz", 1, "%4g%zz", 6);
    check_decode("%%41", 1, "%A", 2);
}


static void
check_find(const char *query, const char *name, const char *value)
{
    im_buf_t  b;
    im_int_t  rc;

    im_buf_init(&b, 256);

    rc = im_logic_url_find(im_str_z(query), name, &b);

    assert_int_equal(rc, value != NULL ? IM_OK : IM_DECLINED);
    test_str(im_buf_str(&b), value != NULL ? value : "");

    im_buf_cleanup(&b);
}


static void
test_find(void **state)
{
    (void) state;

    check_find("", "a", NULL);
    check_find("&&&", "a", NULL);
    check_find("a=1", "a", "1");
    check_find("b=2&a=1&a=3", "a", "1");
    check_find("a=&a=3", "a", "");
    check_find("a", "a", "");
    check_find("aa=1&b", "a", NULL);
    check_find("a=x%3D%26&b=1", "a", "x=&");
    check_find("&&a=b=c&&", "a", "b=c");
    check_find("A=1", "a", NULL);
}


static void
test_limit(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 3);
    assert_int_equal(im_logic_url_find(im_str_z("a=1234"), "a", &b), IM_OK);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static void
test_valid(void **state)
{
    (void) state;

    assert_true(im_logic_url_valid(im_str_z("")));
    assert_true(im_logic_url_valid(im_str_z("a%41%2f%2F")));
    assert_false(im_logic_url_valid(im_str_z("%")));
    assert_false(im_logic_url_valid(im_str_z("%4")));
    assert_false(im_logic_url_valid(im_str_z("a%4g")));
    assert_false(im_logic_url_valid(im_str_z("%%41")));
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_decode),
    cmocka_unit_test(test_find),
    cmocka_unit_test(test_limit),
    cmocka_unit_test(test_valid)
};

test_main(tests)
