/*
 * Copyright (C) The im authors
 *
 * UTF-8: every code point and every sequence of up to 3 bytes, compared with
 * a decoder that computes, in every cut.
 */

#include "test.h"
#include "im_utf8.h"


/* The length of the character at p, or 0. */
static size_t
model_char(const u_char *p, size_t len)
{
    size_t    i, n;
    uint32_t  code;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        return 1;
    }

    n = p[0] >= 0xf8 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3
        : p[0] >= 0xc0 ? 2 : 0;

    if (n == 0 || n > len) {
        return 0;
    }

    code = p[0] & (0xff >> (n + 1));

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    return code < least[n] || code > 0x10ffff
           || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}


static int
model_valid(const u_char *p, size_t len)
{
    size_t  n;

    while (len > 0) {
        n = model_char(p, len);
        if (n == 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


static int
valid_in_pieces(const u_char *p, size_t len, size_t first, size_t each)
{
    size_t     n;
    im_utf8_t  s;

    s = 0;

    for (n = first; len > 0; n = each) {
        n = im_min(n, len);

        if (im_utf8_feed(&s, p, n) != IM_OK) {

            /* The error sticks. */

            assert_int_equal(im_utf8_feed(&s, (u_char *) "a", 1), IM_ERROR);
            assert_int_equal(im_utf8_feed(&s, NULL, 0), IM_ERROR);
            return 0;
        }

        p += n;
        len -= n;
    }

    return s == 0;
}


static void
check(const u_char *p, size_t len)
{
    int     valid;
    size_t  cut;

    valid = model_valid(p, len);

    assert_int_equal(im_utf8_valid(im_str_set(p, len)), valid);
    assert_int_equal(valid_in_pieces(p, len, 1, 1), valid);

    for (cut = 0; cut <= len; cut++) {
        assert_int_equal(valid_in_pieces(p, len, cut, len), valid);
    }
}


static void
test_code_points(void **state)
{
    u_char    p[4];
    size_t    n;
    uint32_t  code;

    (void) state;

    for (code = 0; code < 0x200000; code++) {

        if (code < 0x80) {
            p[0] = code;
            n = 1;

        } else if (code < 0x800) {
            p[0] = 0xc0 | code >> 6;
            p[1] = 0x80 | (code & 0x3f);
            n = 2;

        } else if (code < 0x10000) {
            p[0] = 0xe0 | code >> 12;
            p[1] = 0x80 | (code >> 6 & 0x3f);
            p[2] = 0x80 | (code & 0x3f);
            n = 3;

        } else {
            p[0] = 0xf0 | code >> 18;
            p[1] = 0x80 | (code >> 12 & 0x3f);
            p[2] = 0x80 | (code >> 6 & 0x3f);
            p[3] = 0x80 | (code & 0x3f);
            n = 4;
        }

        if (im_utf8_valid(im_str_set(p, n))
            != (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)))
        {
            fail_msg("code point %x", code);
        }
    }
}


static void
test_sequences(void **state)
{
    u_char    p[3];
    uint32_t  i;

    (void) state;

    for (i = 0; i < 0x1000000; i++) {
        p[0] = i >> 16;
        p[1] = i >> 8;
        p[2] = i;

        if (p[0] < 0x7f && p[0] != 0) {
            continue;
        }

        if (im_utf8_valid(im_str_set(p, 3)) != model_valid(p, 3)) {
            fail_msg("bytes %06x", i);
        }
    }
}


static void
test_cuts(void **state)
{
    unsigned  i;

    static const char  *texts[] = {
        "", "plain", "plain text, longer than one word of eight bytes",
        "\xc3\xa9", "\xe2\x82\xac uro", "\xf0\x9f\x98\x80",
        "12345678\xf0\x9f\x98\x80" "12345678\xe2\x82\xac",
        "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xee\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\x80", "a\xbf",
        "12345678\xc3", "12345678\xe2\x82", "12345678\xf0\x9f\x98",
        "1234567\xc3" "8", "1234567\x80"
    };

    (void) state;

    for (i = 0; i < test_count(texts); i++) {
        check((const u_char *) texts[i], strlen(texts[i]));
    }
}


static void
test_random(void **state)
{
    u_char    p[40];
    size_t    i, len;
    random_t  r;
    unsigned  n;

    static const u_char  bytes[] = {
        'a', 'b', 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xe1, 0xed,
        0xf0, 0xf4
    };

    (void) state;

    random_init(&r, 41);

    for (n = 0; n < 20000; n++) {
        len = random_below(&r, sizeof(p));

        for (i = 0; i < len; i++) {
            p[i] = random_below(&r, 3) ? 'x'
                   : bytes[random_below(&r, sizeof(bytes))];
        }

        check(p, len);
    }
}


static void
test_characters(void **state)
{
    (void) state;

    assert_int_equal(im_utf8_count(im_str_z("")), 0);
    assert_int_equal(im_utf8_count(im_str_z("abc")), 3);
    assert_int_equal(im_utf8_count(im_str_z("\xc3\xa9x\xe4\xb8\x96")), 3);
    assert_int_equal(im_utf8_count(im_str_z("\xf0\x9f\x98\x80")), 1);
}


static void
test_cut(void **state)
{
    im_str_t  s;

    (void) state;

    s = im_str_z("a\xc3\xa9\xf0\x9f\x98\x80");

    assert_int_equal(im_utf8_cut(s, 0).len, 0);
    assert_int_equal(im_utf8_cut(s, 1).len, 1);
    assert_int_equal(im_utf8_cut(s, 2).len, 1);
    assert_int_equal(im_utf8_cut(s, 3).len, 3);
    assert_int_equal(im_utf8_cut(s, 6).len, 3);
    assert_int_equal(im_utf8_cut(s, 7).len, 7);
    assert_int_equal(im_utf8_cut(s, 100).len, 7);
}


/* The states that valid text goes through, and no other number. */
static void
test_states(void **state)
{
    im_utf8_t  s;

    (void) state;

    s = 0;
    assert_true(im_utf8_state(s));
    assert_int_equal(im_utf8_feed(&s, (const u_char *) "\xf4", 1), IM_OK);
    assert_true(im_utf8_state(s));
    assert_int_equal(im_utf8_feed(&s, (const u_char *) "\xff", 1), IM_ERROR);
    assert_false(im_utf8_state(s));
    assert_false(im_utf8_state(255));
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_code_points),
    alloc_test(test_sequences),
    alloc_test(test_cuts),
    alloc_test(test_random),
    cmocka_unit_test(test_characters),
    cmocka_unit_test(test_cut),
    cmocka_unit_test(test_states)
};

test_main(tests)
