/*
 * Copyright (C) The im authors
 *
 * Origins and patterns of them.
 */

#include "test.h"
#include "im_origin.h"


static int
matches(const char *pattern, const char *header, const char *host)
{
    const char   *why;
    im_origin_t   p, o;

    why = NULL;

    if (im_origin_pattern(im_str_z(pattern), &p, &why) != IM_OK) {
        fail_msg("\"%s\" %s", pattern, why);
    }

    if (im_origin_decode(im_str_z(header), &o) != IM_OK) {
        return p.kind == IM_ORIGIN_ANY;
    }

    return im_origin_match(&p, &o, im_str_z(host));
}


static void
test_matches(void **state)
{
    size_t  i;

    static const struct {
        const char  *pattern;
        const char  *header;
        int          result;
    } cases[] = {
        { "*", "https://a.example", 1 },
        { "*", "nonsense", 1 },
        { "*", "null", 1 },
        { "null", "null", 1 },
        { "NULL", "null", 1 },
        { "null", "https://a.example", 0 },
        { "https://a.example", "null", 0 },
        { "https://a.example", "https://a.example", 1 },
        { "https://a.example/", "https://a.example", 1 },
        { "HTTPS://A.Example", "https://a.example", 1 },
        { "https://a.example", "HTTPS://A.EXAMPLE", 1 },
        { "https://a.example:443", "https://a.example", 1 },
        { "https://a.example", "https://a.example:443", 1 },
        { "http://a.example:80/", "http://a.example", 1 },
        { "https://a.example:80", "https://a.example", 0 },
        { "https://a.example", "https://a.example:8443", 0 },
        { "https://a.example", "http://a.example", 0 },
        { "https://a.example", "https://a.example.evil.com", 0 },
        { "https://a.example", "https://a.example/", 0 },
        { "https://a.example", "https://a.example/x", 0 },
        { "https://a.example", "https://u@a.example", 0 },
        { "https://a.example", "a.example", 0 },
        { "https://a.example", "", 0 },
        { "https://a.example.", "https://a.example", 1 },
        { "https://a.example", "https://a.example.", 1 },
        { "http://localhost:*", "http://localhost:3000", 1 },
        { "http://localhost:*", "http://localhost", 1 },
        { "http://localhost:*", "https://localhost:3000", 0 },
        { "https://*.example.com", "https://a.example.com", 1 },
        { "https://*.example.com", "https://a.b.example.com", 1 },
        { "https://*.example.com/", "https://A.Example.com", 1 },
        { "https://*.example.com", "https://example.com", 0 },
        { "https://*.example.com", "https://.example.com", 0 },
        { "https://*.example.com", "https://evilexample.com", 0 },
        { "https://*.example.com", "https://a.example.com.evil.net", 0 },
        { "https://*.example.com", "https://*.example.com", 0 },
        { "https://*.example.com", "https://a.example.com:8443", 0 },
        { "https://*.example.com:8443", "https://a.example.com:8443", 1 },
        { "https://*.example.com:*", "https://a.example.com:1", 1 },
        { "https://*", "https://any.thing", 1 },
        { "https://*", "http://any.thing", 0 },
        { "https://*:8443", "https://any.thing:8443", 1 },
        { "https://b\xc3\xbc""cher.example",
          "https://xn--bcher-kva.example", 1 },
        { "https://B\xc3\x9c""CHER.example",
          "https://xn--bcher-kva.example", 1 },
        { "https://XN--Bcher-KVA.example", "https://xn--bcher-kva.example", 1 },
        { "https://\xd0\x9f\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.test",
          "https://xn--e1afmkfd.test", 1 },
        { "https://*.\xe4\xbe\x8b\xe3\x81\x88.jp",
          "https://a.xn--r8jz45g.jp", 1 },
        { "http://[::1]", "http://[::1]", 1 },
        { "http://[::1]:8080/", "http://[::1]:8080", 1 },
        { "http://[0:0:0:0:0:0:0:1]", "http://[::1]", 1 },
        { "http://[2001:DB8::1]:*", "http://[2001:db8::1]:99", 1 },
        { "http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]", 1 },
        { "http://[::1]", "http://[::2]", 0 },
        { "http://127.0.0.1:8080", "http://127.0.0.1:8080", 1 },
        { "https://1.example", "https://1.example", 1 },
        { "https://*.1a", "https://a.1a", 1 },
        { "file://", "file://", 1 },
        { "file:///", "file://", 1 },
        { "file://", "null", 0 },
        { "app://.", "app://.", 1 },
        { "app://-", "app://-", 1 },
        { "capacitor://localhost", "capacitor://localhost", 1 },
        { "ionic://localhost/", "ionic://localhost", 1 },
        { "tauri://localhost", "http://localhost", 0 },
        { "chrome-extension://abcdefghijklmnop",
          "chrome-extension://abcdefghijklmnop", 1 },
        { "chrome-extension://*", "chrome-extension://abcdefghijklmnop", 1 },
        { "safari-web-extension://E6B6-77",
          "safari-web-extension://E6B6-77", 1 },
        { "moz-extension://1-2", "moz-extension://1-3", 0 },
        { "vscode-webview://0ab", "vscode-webview://0ab", 1 },
        { "self", "http://own.example", 1 },
        { "SELF", "https://own.example:444", 1 },
        { "self", "https://OWN.example.", 1 },
        { "self", "https://other.example", 0 },
        { "self", "https://a.own.example", 0 },
        { "self", "https://own.example.evil.com", 0 },
        { "self", "capacitor://own.example", 0 },
        { "self", "null", 0 },
        { "self", "own.example", 0 }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        if (matches(cases[i].pattern, cases[i].header, "own.Example:8080")
            != cases[i].result)
        {
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].header);
        }
    }
}


static void
test_self(void **state)
{
    (void) state;

    assert_true(matches("self", "http://[::1]:3000", "[::1]:8080"));
    assert_true(matches("self", "http://[::1]", "[0:0::1]"));
    assert_true(matches("self", "https://a.example", "a.example."));
    assert_true(matches("self", "http://127.0.0.1:99", "127.0.0.1"));
    assert_false(matches("self", "http://127.0.0.1", "127.0.0.2"));
    assert_false(matches("self", "http://a.example", ""));
    assert_false(matches("self", "http://a.example", ":80"));
    assert_false(matches("self", "http://a.example", "a.example:x"));
    assert_false(matches("self", "http://*", "*"));
    assert_false(matches("self", "http://", ""));
}


static void
test_refused(void **state)
{
    size_t       i;
    const char  *why;
    im_origin_t  o;

    static const char  *cases[] = {
        "", "a.example", "a.example:80", "localhost", "none", "off", "any",
        "https://", "http://:80", "https:///", "https:/a.example", "://a",
        "https:a.example", "//a.example", "1http://a.example",
        "https://a.example/x", "https://a.example/x/", "https://a.example?x",
        "https://a.example#x", "https://u:p@a.example", "https://@a.example",
        "https://a b.example", " https://a.example", "https://a.example\t",
        "https://a.example,https://b.example", "https://a.example;",
        "https://a.*.example", "https://*a.example", "https://a.example*",
        "https://*.*.example", "https://**", "https://*.", "*://a.example",
        "*.example.com", "https://a.example:", "https://a.example:0",
        "https://a.example:65536", "https://a.example:8a",
        "https://a.example:8*", "wss://a.example", "WS://a.example",
        "http://[::1", "http://[]", "http://[x]", "http://::1",
        "http://[*::1]", "http://\xff.example", "http://a.example\\x",
        "app://a*", "http://a%20b.example", "https://a\"b",
        "https://.a.example", "https://a..example", "https://*..a.example",
        "https://*.127.0.0.1", "https://*.[::1]", "https://127.1",
        "https://256.1.1.1", "https://1.2.3.4.5", "https://1.2.3.04",
        "https://*.1", "https://a.1"
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        why = NULL;

        if (im_origin_pattern(im_str_z(cases[i]), &o, &why) == IM_OK
            || why == NULL)
        {
            fail_msg("\"%s\" is taken", cases[i]);
        }
    }
}


static void
test_long(void **state)
{
    char         text[1024];
    size_t       n;
    const char  *why;
    im_origin_t  o;

    (void) state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);

    for (n = 8; n < sizeof(text); n++) {
        assert_int_equal(im_origin_pattern(im_str_set(text, n), &o, &why)
                         == IM_OK,
                         n > 8 && n <= 8 + 63);
        assert_int_equal(im_origin_decode(im_str_set(text, n), &o) == IM_OK,
                         n > 8 && n <= 8 + 63);
    }

    for (n = 8 + 50; n < sizeof(text); n += 51) {
        text[n] = '.';
    }

    for (n = 9; n < sizeof(text); n++) {
        (void) im_origin_pattern(im_str_set(text, n), &o, &why);
        assert_true(o.host_len <= IM_ORIGIN_HOST);
    }

    memcpy(text, "app+app", 7);
    memcpy(text + 300, "://", 3);

    assert_int_equal(im_origin_pattern(im_str_set(text, 310), &o, &why),
                     IM_ERROR);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_matches),
    cmocka_unit_test(test_self),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_long)
};


test_main(tests)
