/*
 * Copyright (C) The im authors
 *
 * JSON by a pattern.
 */

#include "test.h"
#include "im_logic_print.h"


static void
test_print(void **state)
{
    im_buf_t   b;
    im_str_t   s = im_str("a\"b"), none = im_null_str;
    im_uint_t  n;

    (void) state;

    im_buf_init(&b, 1000);

    im_logic_print(&b, "");
    assert_int_equal(b.len, 0);

    n = 7;
    im_logic_print(&b, "{\"a\":%j,\"b\":%J,\"c\":%s,\"d\":%z,\"e\":%u,\"f\":%d,"
                   "\"g\":%u}", s, "c\nd", s, "x\"", UINT64_MAX, INT64_MIN, n);
    test_str(im_buf_str(&b), "{\"a\":\"a\\\"b\",\"b\":\"c\\u000ad\",\"c\":a\"b,"
             "\"d\":x\",\"e\":18446744073709551615,"
             "\"f\":-9223372036854775808,\"g\":7}");

    im_buf_reset(&b, 0);
    im_logic_print(&b, "%j%s%z", none, none, "");
    test_str(im_buf_str(&b), "\"\"");

    im_buf_reset(&b, 0);
    im_logic_print(&b, "%u%", n);
    assert_true(b.failed);

    im_buf_cleanup(&b);
}


static void
test_failed(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 4);
    im_logic_print(&b, "%z", "12345");
    assert_true(b.failed);
    im_buf_cleanup(&b);

    im_buf_init(&b, 100);
    alloc_fail_all();
    im_logic_print(&b, "%J", "text");
    alloc_fail_at(0);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_print),
    alloc_test(test_failed)
};

test_main(tests)
