/*
 * Copyright (C) The im authors
 *
 * Values of HTTP headers.
 */

#include "test.h"
#include "im_header.h"


static void
test_lists(void **state)
{
    size_t  i;

    static const struct {
        const char  *value;
        int          result;
    } cases[] = {
        { "websocket", 1 },
        { "WebSocket", 1 },
        { "h2c, websocket", 1 },
        { "h2c,websocket,", 1 },
        { " \twebsocket\t ", 1 },
        { ",, websocket", 1 },
        { "", 0 },
        { ",", 0 },
        { "websocket/13", 0 },
        { "web socket", 0 },
        { "websockets", 0 },
        { "xwebsocket", 0 },
        { "\"websocket\"", 0 },
        { "web,socket", 0 }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        if (im_header_lists(im_str_z(cases[i].value), im_str_z("websocket"))
            != cases[i].result)
        {
            fail_msg("\"%s\"", cases[i].value);
        }
    }
}


static void
test_trim(void **state)
{
    (void) state;

    test_str(im_header_trim(im_str_z(" \t13 \t ")), "13");
    test_str(im_header_trim(im_str_z("")), "");
    test_str(im_header_trim(im_str_z(" \t")), "");
    test_str(im_header_trim(im_str_z("a b")), "a b");
}


static void
test_extensions(void **state)
{
    size_t  i;

    static const char  *good[] = {
        "", " ", ",", "foo", "foo,bar", "foo , bar", ",foo,,bar,",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=15, x-webkit",
        "a;b=\"c\"", "a ; b = c", "a;b=\"\\c\"", "a;b;c;d=1"
    };
    static const char  *bad[] = {
        ";", ";;;", "a;", "a;;b", "a b", "a;b=", "a;=b", "a;b=\"", "a;b=\"c",
        "a;b=\"\"", "a;b=\"c d\"", "a;b=\"c\"d", "=", "a=b", "a@", "(a)",
        "a;b==c", "a, ;", "a;b=\"\\"
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        if (!im_header_extensions(im_str_z(good[i]))) {
            fail_msg("\"%s\" is good", good[i]);
        }
    }

    for (i = 0; i < test_count(bad); i++) {
        if (im_header_extensions(im_str_z(bad[i]))) {
            fail_msg("\"%s\" is bad", bad[i]);
        }
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_lists),
    cmocka_unit_test(test_trim),
    cmocka_unit_test(test_extensions)
};


test_main(tests)
