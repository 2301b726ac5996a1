/*
 * Copyright (C) The im authors
 *
 * What a request of im_logic is declared to be: its page, host and type.
 */

#include "test.h"
#include "im_logic_origin.h"
#include "im_logic_type.h"


static void
check(const char *origin, const char *host, int plain, int https)
{
    assert_int_equal(im_logic_origin_same(im_str_z(origin), im_str_z(host), 0),
                     plain);
    assert_int_equal(im_logic_origin_same(im_str_z(origin), im_str_z(host), 1),
                     https);
}


static void
test_origin(void **state)
{
    (void) state;

    check("http://a.example", "a.example", 1, 0);
    check("https://a.example", "a.example", 1, 1);
    check("HTTPS://A.Example", "a.eXAMPLE", 1, 1);
    check("http://a.example:80", "a.example", 1, 0);
    check("http://a.example", "a.example:80", 1, 0);
    check("https://a.example:443", "a.example", 1, 1);
    check("https://a.example", "a.example:443", 1, 1);
    check("http://a.example:8080", "a.example:8080", 1, 0);
    check("http://a.example:08080", "a.example:8080", 1, 0);
    check("https://a.example:80", "a.example:80", 1, 1);
    check("http://a.example:443", "a.example", 0, 0);
    check("https://a.example:80", "a.example", 0, 0);
    check("http://a.example:8080", "a.example", 0, 0);
    check("http://a.example", "a.example:8080", 0, 0);

    check("http://[::1]:8080", "[::1]:8080", 1, 0);
    check("http://[::1]", "[0:0:0:0:0:0:0:1]", 1, 0);
    check("http://[2001:DB8::a]", "[2001:db8:0::A]:80", 1, 0);
    check("http://[::1]", "[::2]", 0, 0);
    check("http://[::1]", "::1", 0, 0);
    check("http://127.0.0.1", "127.0.0.1", 1, 0);
    check("http://127.0.0.1", "localhost", 0, 0);

    check("https://evil.example", "a.example", 0, 0);
    check("https://a.example.evil.example", "a.example", 0, 0);
    check("https://b.a.example", "a.example", 0, 0);
    check("https://example", "a.example", 0, 0);
    check("https://a.example@evil.example", "a.example", 0, 0);
    check("https://a.example/", "a.example", 0, 0);
    check("https://a.example, https://b.example", "a.example", 0, 0);
    check("https://a.example https://b.example", "a.example", 0, 0);
    check("null", "null", 0, 0);
    check("null", "a.example", 0, 0);
    check("", "", 0, 0);
    check("a.example", "a.example", 0, 0);
    check("http://", "", 0, 0);
    check("https://a.example", "", 0, 0);
    check("file://", "a.example", 0, 0);
    check("chrome-extension://a.example", "a.example", 0, 0);
    check("wss://a.example", "a.example", 0, 0);
    check("http://a.example:x", "a.example", 0, 0);
    check("http://a.example:65536", "a.example:65536", 0, 0);
    check("http://a.example:-1", "a.example", 0, 0);
    check("http://[::1", "[::1", 0, 0);
    check("http://[::1]x", "[::1]x", 0, 0);
    check("http://[::g]", "[::g]", 0, 0);
}


static void
test_listed(void **state)
{
    static const char  list[] = "https://a.example,http://b.example:8080";
    static const char  hosts[] = "a.example, b.example:8080 [::1]";

    (void) state;

    assert_true(im_logic_origin_listed(list, im_str_z("https://a.example")));
    assert_true(im_logic_origin_listed(list, im_str_z("HTTPS://a.example")));
    assert_true(im_logic_origin_listed(list,
                                       im_str_z("http://b.example:8080")));
    assert_true(im_logic_origin_listed(list,
                                       im_str_z("https://a.example:443")));
    assert_false(im_logic_origin_listed(list, im_str_z("http://b.example")));
    assert_false(im_logic_origin_listed(list, im_str_z("http://a.example")));
    assert_false(im_logic_origin_listed(list, im_str_z("null")));
    assert_false(im_logic_origin_listed(list, im_str_z("")));
    assert_false(im_logic_origin_listed("", im_str_z("null")));
    assert_true(im_logic_origin_listed("https://*.example",
                                       im_str_z("https://a.example")));
    assert_false(im_logic_origin_listed(NULL, im_str_z("null")));

    assert_true(im_logic_host_listed(hosts, im_str_z("a.example")));
    assert_true(im_logic_host_listed(hosts, im_str_z("A.example:99")));
    assert_true(im_logic_host_listed(hosts, im_str_z("b.example:8080")));
    assert_true(im_logic_host_listed(hosts, im_str_z("[0::1]:80")));
    assert_false(im_logic_host_listed(hosts, im_str_z("b.example")));
    assert_false(im_logic_host_listed(hosts, im_str_z("evil.example")));
    assert_false(im_logic_host_listed(hosts, im_str_z("")));
}


static void
test_options(void **state)
{
    (void) state;

    assert_null(im_logic_origin_check("https://a.example, http://[::1]:8080"));
    assert_non_null(im_logic_origin_check(""));
    assert_non_null(im_logic_origin_check("a.example"));
    assert_null(im_logic_origin_check("https://*.example,null"));
    assert_non_null(im_logic_origin_check("https://a*.example"));
    assert_non_null(im_logic_origin_check("https://a.example/x"));

    assert_null(im_logic_host_check("a.example,[::1]:80 127.0.0.1"));
    assert_non_null(im_logic_host_check(","));
    assert_non_null(im_logic_host_check("http://a.example"));
    assert_non_null(im_logic_host_check("a.example:x"));

    assert_null(im_logic_header_check("X-Real-IP"));
    assert_non_null(im_logic_header_check(""));
    assert_non_null(im_logic_header_check("X-Real-IP:"));
}


static void
test_type(void **state)
{
    (void) state;

    assert_int_equal(im_logic_type(im_str_z("application/json")),
                     IM_TYPE_JSON);
    assert_int_equal(im_logic_type(im_str_z(" Application/JSON ; "
                                            "charset=\"UTF-8\" ")),
                     IM_TYPE_JSON);
    assert_int_equal(im_logic_type(im_str_z("application/json;a=\";\";"
                                            "charset=utf-8")),
                     IM_TYPE_JSON);
    assert_int_equal(im_logic_type(im_str_z("application/vnd.api+json")),
                     IM_TYPE_JSON);
    assert_int_equal(im_logic_type(im_str_z("application/json; x")),
                     IM_TYPE_JSON);
    assert_int_equal(im_logic_type(im_str_z("text/plain")), IM_TYPE_TEXT);
    assert_int_equal(im_logic_type(im_str_z("TEXT/html;charset=us-ascii")),
                     IM_TYPE_TEXT);
    assert_int_equal(im_logic_type(im_str_z("application/Octet-Stream; x=y")),
                     IM_TYPE_BYTES);
    assert_int_equal(im_logic_type(im_str_z("")), IM_TYPE_NONE);
    assert_int_equal(im_logic_type(im_str_z("application/json; "
                                            "charset=utf-16")),
                     IM_TYPE_CHARSET);
    assert_int_equal(im_logic_type(im_str_z("text/plain;Charset=latin1")),
                     IM_TYPE_CHARSET);
    assert_int_equal(im_logic_type(im_str_z("text/plain;a=\"\\\";\";"
                                            "charset=latin1")),
                     IM_TYPE_CHARSET);
    assert_int_equal(im_logic_type(im_str_z("application/x-www-form-"
                                            "urlencoded")),
                     IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z("multipart/form-data; boundary="
                                            "application/json")),
                     IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z("application/jsonx")),
                     IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z("text/plain, application/json")),
                     IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z("application/json,text/plain")),
                     IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z("text/")), IM_TYPE_OTHER);
    assert_int_equal(im_logic_type(im_str_z(";application/json")),
                     IM_TYPE_OTHER);
}


static void
test_body(void **state)
{
    (void) state;

    assert_true(im_logic_type_plain(im_str_z("")));
    assert_true(im_logic_type_plain(im_str_z(" Identity ")));
    assert_false(im_logic_type_plain(im_str_z("gzip")));
    assert_false(im_logic_type_plain(im_str_z("identity, gzip")));

    assert_true(im_logic_type_wide(im_str_set("\xff\xfe{\0", 4)));
    assert_true(im_logic_type_wide(im_str_set("\xfe\xff\0{", 4)));
    assert_true(im_logic_type_wide(im_str_set("{\0", 2)));
    assert_true(im_logic_type_wide(im_str_set("\0{", 2)));
    assert_false(im_logic_type_wide(im_str_z("{}")));
    assert_false(im_logic_type_wide(im_str_z("1")));
    assert_false(im_logic_type_wide(im_str_z("")));
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_origin),
    cmocka_unit_test(test_listed),
    cmocka_unit_test(test_options),
    cmocka_unit_test(test_type),
    cmocka_unit_test(test_body)
};

test_main(tests)
