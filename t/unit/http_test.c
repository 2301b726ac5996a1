/*
 * Copyright (C) The im authors
 *
 * HTTP/1.1 of im_logic.
 */

#include "test.h"
#include "im_daemon_http.h"


#define HOST  "Host: a\r\n"


static im_int_t
feed(im_daemon_http_t *h, const char *data, size_t len)
{
    const u_char  *p = (const u_char *) data;

    return im_daemon_http_decode(h, &p, p + len);
}


/* However a request is cut, it has this fault, or this body. */
static void
check(const char *text, size_t len, im_uint_t fault, const char *body)
{
    size_t            cut, i;
    im_int_t          rc;
    im_daemon_http_t  h;

    for (cut = 0; cut <= len; cut++) {
        im_daemon_http_init(&h, 100);

        if (cut == 0) {
            for (i = 0, rc = IM_AGAIN; i < len && rc == IM_AGAIN; i++) {
                rc = feed(&h, text + i, 1);
            }

        } else {
            rc = feed(&h, text, cut);

            if (rc == IM_AGAIN) {
                rc = feed(&h, text + cut, len - cut);
            }
        }

        assert_int_equal(rc, IM_OK);
        assert_int_equal(h.fault, fault);

        if (fault != 0) {
            assert_non_null(h.why);
            assert_false(h.keep);

        } else {
            test_str(im_buf_str(&h.body), body);
        }

        im_daemon_http_cleanup(&h);
    }
}


#define good(text, body)   check(text, sizeof(text) - 1, 0, body)
#define bad(text, fault)   check(text, sizeof(text) - 1, fault, NULL)


static void
test_requests(void **state)
{
    (void) state;

    good("GET / HTTP/1.1\r\n" HOST "\r\n", "");
    good("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", "");
    good("GET / HTTP/1.0\r\n\r\n", "");
    good("GET http://b/x HTTP/1.1\r\n" HOST "\r\n", "");
    good("PATCH /a?b HTTP/1.1\r\n" HOST "\r\n", "");
    good("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
         "hello");
    good("POST / HTTP/1.1\r\n" HOST "content-LENGTH:\t005 \r\n\r\nhello",
         "hello");
    good("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "");
    good("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "3\r\nhel\r\n2;a=\"b\"\r\nlo\r\n0\r\n\r\n", "hello");
    good("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
         "00003\r\nhel\r\n0\r\nTrailer: x\r\n\r\n", "hel");
}


static void
test_lines(void **state)
{
    (void) state;

    bad("GET /\r\n", 400);
    bad("GET / HTTP/1.1\n", 400);
    bad("GET  / HTTP/1.1\r\n", 400);
    bad("GET / HTTP/1.1 \r\n", 400);
    bad("GET / x HTTP/1.1\r\n", 400);
    bad(" GET / HTTP/1.1\r\n", 400);
    bad("GET / http/1.1\r\n", 400);
    bad("GET / HTTP/1\r\n", 400);
    bad("GET / HTTP/2.0\r\n", 505);
    bad("GET * HTTP/1.1\r\n", 400);
    bad("GET a HTTP/1.1\r\n", 400);
    bad("GET http:/// HTTP/1.1\r\n", 400);
    bad("GET ftp://a/ HTTP/1.1\r\n", 400);
    bad("CONNECT a:80 HTTP/1.1\r\n", 400);
    bad("G(T / HTTP/1.1\r\n", 400);
    bad("GET /\0 HTTP/1.1\r\n", 400);
    bad("GET /\t HTTP/1.1\r\n", 400);
    bad("\x16\x03\x01\n", 400);
}


static void
test_headers(void **state)
{
    (void) state;

    bad("GET / HTTP/1.1\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X: a\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb: c\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400);
    bad("GET / HTTP/1.1\r\n" HOST "Expect: cheese\r\n\r\n", 417);
}


static void
test_lengths(void **state)
{
    (void) state;

#define POST  "POST / HTTP/1.1\r\n" HOST

    bad(POST "Content-Length: -1\r\n\r\n", 400);
    bad(POST "Content-Length: +5\r\n\r\nhello", 400);
    bad(POST "Content-Length: 0x5\r\n\r\nhello", 400);
    bad(POST "Content-Length: 5 5\r\n\r\nhello", 400);
    bad(POST "Content-Length: 5, 5\r\n\r\nhello", 400);
    bad(POST "Content-Length: 5.0\r\n\r\nhello", 400);
    bad(POST "Content-Length: \r\n\r\nhello", 400);
    bad(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400);
    bad(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400);
    bad(POST "Content-Length: 101\r\n\r\n", 413);
    bad(POST "Content-Length: 18446744073709551621\r\n\r\nhello", 413);
    bad(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n", 400);
    bad(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        "0\r\n\r\n", 400);
    bad(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400);
    bad(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501);
    bad(POST "Transfer-Encoding: xchunked\r\n\r\n", 501);
    bad(POST "Transfer-Encoding: \r\n\r\n", 501);
    bad("POST / HTTP/1.0\r\n" "Transfer-Encoding: chunked\r\n\r\n", 400);

    bad(POST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n3\nhel", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n 3\r\nhel", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n3 \r\nhel", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n-3\r\nhel", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nhel", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n", 400);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\n", 413);
    bad(POST "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n63\r\n", 413);
}


static void
test_limits(void **state)
{
    char              name[8];
    im_int_t          rc;
    im_uint_t         i;
    im_daemon_http_t  h;

    (void) state;

    im_daemon_http_init(&h, 100);
    rc = feed(&h, "GET / HTTP/1.1\r\nX: ", 19);

    for (i = 0; i < IM_HTTP_MAX_HEAD && rc == IM_AGAIN; i++) {
        rc = feed(&h, "x", 1);
    }

    assert_int_equal(rc, IM_OK);
    assert_int_equal(h.fault, 431);
    assert_true(h.head.size <= IM_HTTP_MAX_HEAD);
    im_daemon_http_cleanup(&h);

    im_daemon_http_init(&h, 100);
    rc = feed(&h, "GET / HTTP/1.1\r\nHost: a\r\n", 25);

    for (i = 0; i < IM_HTTP_MAX_HEADERS; i++) {
        (void) snprintf(name, sizeof(name), "x%u:\r\n", (unsigned) i);
        rc = feed(&h, name, strlen(name));
        assert_int_equal(rc, IM_AGAIN);
    }

    assert_int_equal(feed(&h, "\r\n", 2), IM_OK);
    assert_int_equal(h.fault, 431);
    im_daemon_http_cleanup(&h);

    im_daemon_http_init(&h, 100);
    rc = feed(&h, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
              "\r\n\r\n0\r\n", 58);

    for (i = 0; i < 10000 && rc == IM_AGAIN; i++) {
        rc = feed(&h, "x: y\r\n", 6);
    }

    assert_int_equal(rc, IM_OK);
    assert_int_equal(h.fault, 400);
    im_daemon_http_cleanup(&h);
}


static void
test_parts(void **state)
{
    size_t            at;
    im_str_t          name, value;
    const u_char     *p, *end;
    im_daemon_http_t  h;

    static const char  two[] =
        "POST http://b:1/x?y HTTP/1.1\r\nHost: a\r\nX:  v w\t\r\n"
        "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\nab"
        "GET /z HTTP/1.1\r\nHost: c\r\nConnection: x, Close\r\n\r\n";

    (void) state;

    p = (const u_char *) two;
    end = p + sizeof(two) - 1;

    im_daemon_http_init(&h, 100);
    assert_true(im_daemon_http_idle(&h));
    assert_int_equal(im_daemon_http_decode(&h, &p, p + 92), IM_AGAIN);
    assert_false(im_daemon_http_idle(&h));
    assert_true(h.expects);
    assert_int_equal(im_daemon_http_decode(&h, &p, end), IM_OK);

    test_str(h.method, "POST");
    test_str(h.target, "/x?y");
    test_str(h.host, "b:1");
    test_str(im_buf_str(&h.body), "ab");
    assert_true(h.keep);

    at = 0;
    assert_int_equal(im_daemon_http_header(&h, &at, &name, &value), IM_OK);
    test_str(name, "Host");
    test_str(value, "a");
    assert_int_equal(im_daemon_http_header(&h, &at, &name, &value), IM_OK);
    test_str(name, "X");
    test_str(value, "v w");
    assert_int_equal(im_daemon_http_header(&h, &at, &name, &value), IM_OK);
    assert_int_equal(im_daemon_http_header(&h, &at, &name, &value), IM_OK);
    assert_int_equal(im_daemon_http_header(&h, &at, &name, &value),
                     IM_DECLINED);

    im_daemon_http_next(&h);
    assert_true(im_daemon_http_idle(&h));
    assert_int_equal(im_daemon_http_decode(&h, &p, end), IM_OK);
    assert_ptr_equal(p, end);
    test_str(h.target, "/z");
    test_str(h.host, "");
    assert_false(h.keep);
    assert_false(h.expects);

    im_daemon_http_cleanup(&h);
}


/* Whatever memory is missing, the request has a fault, and nothing leaks. */
static void
test_memory(void **state)
{
    im_int_t          rc;
    im_uint_t         n;
    im_daemon_http_t  h;

    static const char  text[] = "POST / HTTP/1.1\r\n" HOST
                                "Transfer-Encoding: chunked\r\n\r\n"
                                "3\r\nhel\r\n0\r\n\r\n";

    (void) state;

    for (n = 0; n < 4; n++) {
        im_daemon_http_init(&h, 100);
        alloc_fail_at(n + 1);
        rc = feed(&h, text, sizeof(text) - 1);
        alloc_fail_at(0);

        assert_int_equal(rc, IM_OK);
        assert_true(n == 3 || h.fault != 0);
        im_daemon_http_cleanup(&h);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_requests),
    cmocka_unit_test(test_lines),
    cmocka_unit_test(test_headers),
    cmocka_unit_test(test_lengths),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_parts),
    cmocka_unit_test(test_memory)
};

test_main(tests)
