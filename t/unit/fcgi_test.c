/*
 * Copyright (C) The im authors
 *
 * FastCGI records and URL decoding of im_logic.
 */

#include "test.h"
#include "im_daemon_fcgi.h"
#include "im_logic_url.h"


#define test_begin  "\1\1\0\1\0\10\0\0" "\0\1\1\0\0\0\0\0"
#define test_params "\1\4\0\1\0\10\2\0" "\1\5abcdef" "zz"
#define test_last   "\1\4\0\1\0\0\0\0"
#define test_stdin  "\1\5\0\1\0\5\3\0" "hello" "zzz"
#define test_end    "\1\5\0\1\0\0\0\0"


/* One name of one byte and a value of five, padding, a body of five bytes. */
static const char  request[] = test_begin test_params test_last test_stdin
                               test_end;


static void
check(const im_daemon_fcgi_t *f)
{
    size_t    at;
    im_str_t  params, name, value;

    at = 0;
    params = im_buf_str(&f->params);

    assert_int_equal(im_daemon_fcgi_param(params, &at, &name, &value), IM_OK);
    test_str(name, "a");
    test_str(value, "bcdef");
    assert_int_equal(im_daemon_fcgi_param(params, &at, &name, &value),
                     IM_DECLINED);

    test_str(im_buf_str(&f->body), "hello");
    assert_int_equal(f->id, 1);
    assert_true(f->keep);
    assert_false(f->too_large);
}


static im_int_t
feed(im_daemon_fcgi_t *f, const void *data, size_t len)
{
    im_int_t       rc;
    const u_char  *p = data;

    rc = im_daemon_fcgi_decode(f, &p, p + len);

    if (rc == IM_AGAIN) {
        assert_ptr_equal(p, (const u_char *) data + len);
    }

    return rc;
}


static void
test_whole(void **state)
{
    im_uint_t         i;
    im_daemon_fcgi_t  f;

    (void) state;

    im_daemon_fcgi_init(&f, 100);

    for (i = 0; i < 3; i++) {
        assert_true(im_daemon_fcgi_idle(&f));
        assert_int_equal(feed(&f, request, sizeof(request) - 1), IM_OK);
        check(&f);
        im_daemon_fcgi_next(&f);
    }

    im_daemon_fcgi_cleanup(&f);
}


static void
test_cut(void **state)
{
    size_t            cut, i, len;
    im_daemon_fcgi_t  f;

    (void) state;

    len = sizeof(request) - 1;

    for (cut = 1; cut < len; cut++) {
        im_daemon_fcgi_init(&f, 100);
        assert_int_equal(feed(&f, request, cut), IM_AGAIN);
        assert_false(im_daemon_fcgi_idle(&f));
        assert_int_equal(feed(&f, request + cut, len - cut), IM_OK);
        check(&f);
        im_daemon_fcgi_cleanup(&f);
    }

    im_daemon_fcgi_init(&f, 100);

    for (i = 0; i < len; i++) {
        assert_int_equal(feed(&f, request + i, 1),
                         i == len - 1 ? IM_OK : IM_AGAIN);
    }

    check(&f);
    im_daemon_fcgi_cleanup(&f);
}


static void
test_limits(void **state)
{
    im_uint_t         i;
    u_char            record[8 + 65535];
    im_daemon_fcgi_t  f;

    (void) state;

    /* it drops the body and reports that; the next request is normal */
    im_daemon_fcgi_init(&f, 4);
    assert_int_equal(feed(&f, request, sizeof(request) - 1), IM_OK);
    assert_true(f.too_large);
    assert_int_equal(f.body.len, 0);
    im_daemon_fcgi_next(&f);
    assert_false(f.too_large);
    im_daemon_fcgi_cleanup(&f);

    /* parameters: no more is read */
    memset(record, 0, sizeof(record));
    memcpy(record, "\1\4\0\1\377\377\0\0", 8);

    im_daemon_fcgi_init(&f, 4);
    assert_int_equal(feed(&f, test_begin, 16), IM_AGAIN);

    for (i = 0; i < 2; i++) {
        if (feed(&f, record, sizeof(record)) == IM_ERROR) {
            break;
        }
    }

    assert_int_equal(i, 1);
    assert_true(f.params.size <= IM_FCGI_MAX_PARAMS);
    im_daemon_fcgi_cleanup(&f);
}


static void
test_faults(void **state)
{
    im_uint_t         i;
    im_daemon_fcgi_t  f;

    static const struct {
        const char  *data;
        size_t       len;
    } faults[] = {
        { "\2\1\0\1\0\10\0\0", 8 },                       /* version */
        { "\1\1\0\0\0\10\0\0", 8 },                       /* id 0 */
        { "\1\1\0\1\0\7\0\0", 8 },                        /* length */
        { "\1\4\0\1\0\0\0\0", 8 },                        /* no begin */
        { "\1\11\0\0\0\0\0\0", 8 },                       /* management */
        { "\1\1\0\1\0\10\0\0" "\0\2\0\0\0\0\0\0", 16 },   /* role */
        { test_begin "\1\2\0\1\0\0\0\0", 24 },            /* abort */
        { test_begin "\1\1\0\1\0\10\0\0", 24 },           /* begin again */
        { test_begin "\1\4\0\2\0\0\0\0", 24 },            /* another id */
        { test_begin "\1\5\0\1\0\0\0\0", 24 },            /* body first */
        { test_begin test_last test_last, 32 }            /* after the end */
    };

    (void) state;

    for (i = 0; i < test_count(faults); i++) {
        im_daemon_fcgi_init(&f, 100);
        assert_int_equal(feed(&f, faults[i].data, faults[i].len), IM_ERROR);
        im_daemon_fcgi_cleanup(&f);
    }
}


static void
test_params_faults(void **state)
{
    size_t    at, i;
    im_str_t  params, name, value;

    static const char  *const bad[] = { "a", "\5", "\2\2abc", "\200", "\1\1a" };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        at = 0;
        params = im_str_z(bad[i]);
        assert_int_equal(im_daemon_fcgi_param(params, &at, &name, &value),
                         IM_ERROR);
    }

    /* lengths of four bytes, the greatest one too */
    at = 0;
    params = im_str_set("\200\0\0\1\200\0\0\2abc", 11);
    assert_int_equal(im_daemon_fcgi_param(params, &at, &name, &value), IM_OK);
    test_str(name, "a");
    test_str(value, "bc");

    at = 0;
    params = im_str_set("\377\377\377\377\377\377\377\377abc", 11);
    assert_int_equal(im_daemon_fcgi_param(params, &at, &name, &value),
                     IM_ERROR);
}


static void
test_encode(void **state)
{
    im_buf_t  b;
    im_str_t  body;

    static u_char  bytes[70000];

    (void) state;

    im_buf_init(&b, 100000);
    im_daemon_fcgi_encode(&b, 258, im_str_z("H"), im_str_z("body"));
    assert_int_equal(b.len, 9 + 12 + 8 + 16);
    assert_memory_equal(b.data, "\1\6\1\2\0\1\0\0H\1\6\1\2\0\4\0\0body"
                        "\1\6\1\2\0\0\0\0\1\3\1\2\0\10\0\0\0\0\0\0\0\0\0\0",
                        b.len);

    /* more than a record holds */
    body = im_str_set(bytes, sizeof(bytes));
    im_buf_reset(&b, 0);
    im_daemon_fcgi_encode(&b, 1, im_str_z("H"), body);
    assert_false(b.failed);
    assert_int_equal(b.len, 9 + 8 + 65528 + 8 + (70000 - 65528) + 8 + 16);
    im_buf_cleanup(&b);

    im_buf_init(&b, 100);
    im_daemon_fcgi_encode(&b, 1, im_str_z("H"), body);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static void
test_url(void **state)
{
    size_t     at, i;
    im_buf_t   b;
    im_str_t   name, value, query;

    static const struct {
        const char  *from;
        const char  *plain;
        const char  *plus;
    } cases[] = {
        { "", "", "" },
        { "a+b", "a+b", "a b" },
        { "a%2Fb%2fc", "a/b/c", "a/b/c" },
        { "%", "%", "%" },
        { "%4", "%4", "%4" },
        { "%zz%41", "%zzA", "%zzA" },
        { "%2541", "%41", "%41" },
        { "%2B", "+", "+" }
    };

    (void) state;

    im_buf_init(&b, 100);

    for (i = 0; i < test_count(cases); i++) {
        im_buf_reset(&b, 100);
        im_logic_url_decode(&b, im_str_z(cases[i].from), 0);
        test_str(im_buf_str(&b), cases[i].plain);

        im_buf_reset(&b, 100);
        im_logic_url_decode(&b, im_str_z(cases[i].from), 1);
        test_str(im_buf_str(&b), cases[i].plus);
    }

    im_buf_cleanup(&b);

    at = 0;
    query = im_str_z("&&a=1&b&=c&d==&");
    assert_int_equal(im_logic_url_arg(query, &at, &name, &value), IM_OK);
    test_str(name, "a");
    test_str(value, "1");
    assert_int_equal(im_logic_url_arg(query, &at, &name, &value), IM_OK);
    test_str(name, "b");
    test_str(value, "");
    assert_int_equal(im_logic_url_arg(query, &at, &name, &value), IM_OK);
    test_str(name, "");
    test_str(value, "c");
    assert_int_equal(im_logic_url_arg(query, &at, &name, &value), IM_OK);
    test_str(name, "d");
    test_str(value, "=");
    assert_int_equal(im_logic_url_arg(query, &at, &name, &value),
                     IM_DECLINED);
}


/* Whatever memory is missing, a decoder refuses and leaks nothing. */
static void
test_memory(void **state)
{
    im_int_t          rc;
    im_uint_t         n;
    im_daemon_fcgi_t  f;

    (void) state;

    for (n = 0; n < 10; n++) {
        im_daemon_fcgi_init(&f, 100);
        alloc_fail_at(n + 1);
        rc = feed(&f, request, sizeof(request) - 1);
        alloc_fail_at(0);
        im_daemon_fcgi_cleanup(&f);

        if (rc == IM_OK) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
    }

    assert_in_range(n, 1, 9);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_whole),
    alloc_test(test_cut),
    alloc_test(test_limits),
    alloc_test(test_faults),
    alloc_test(test_params_faults),
    alloc_test(test_encode),
    alloc_test(test_url),
    alloc_test(test_memory)
};

test_main(tests)
