/*
 * Copyright (C) The im authors
 *
 * What answers of backends mean, and what a log may say of them.
 */

#include "test.h"
#include "copy.h"
#include "im_verdict.h"


static void
test_verdicts(void **state)
{
    im_uint_t  status;

    (void) state;

    for (status = 0; status < 700; status++) {
        switch (status) {

        case 200:
            assert_int_equal(im_verdict(status), IM_VERDICT_TAKEN);
            break;

        case 401:
        case 403:
            assert_int_equal(im_verdict(status), IM_VERDICT_REFUSED);
            break;

        case 0:
        case 408:
        case 425:
        case 429:
            assert_int_equal(im_verdict(status), IM_VERDICT_AWAY);
            break;

        default:
            assert_int_equal(im_verdict(status),
                             status >= 500 && status <= 599
                                 ? IM_VERDICT_AWAY : IM_VERDICT_STRANGE);
        }
    }
}


static void
test_excerpt(void **state)
{
    size_t    i;
    im_buf_t  b;
    im_str_t  copy;

    static const struct {
        im_str_t     body;
        const char  *text;
    } cases[] = {
        { im_str(""), "it is empty" },
        { im_str(" \r\n\t"), "it is empty" },
        { im_str("{\"token\":\"secret\"}"), "it looks like JSON" },
        { im_str("\n[1"), "it looks like JSON" },
        { im_str("\"secret\""), "it looks like JSON" },
        { im_str("ok"), "it begins with \"ok\"" },
        { im_str("<html>\r\n<head><title>404 Not Found</title></head>\r\n"
                 "<body>\r\n<center>"),
          "it begins with \"<html>..<head><title>404 Not Found</title></head>"
          "..<body>..<\"" },
        { im_str("a\"b\0\x1b\xff\x7f c"), "it begins with \"a.b.... c\"" },
        { im_str("bad token eyJhbGciOiJIUzI1NiJ9.e30.x"),
          "it begins with \"bad token eyJhbGciOiJIUzI1..\"" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        copy = copy_of(cases[i].body);
        im_buf_init(&b, IM_VERDICT_EXCERPT);

        im_verdict_excerpt(&b, copy);

        assert_false(b.failed);
        test_str(im_buf_str(&b), cases[i].text);

        im_buf_cleanup(&b);
        free(copy.data);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_verdicts),
    alloc_test(test_excerpt)
};

test_main(tests)
