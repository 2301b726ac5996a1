/*
 * Copyright (C) The im authors
 *
 * Base64: what is written, what is read, and what is not.
 */

#include "test.h"
#include "copy.h"
#include "im_base64.h"


static im_buf_t  b;


static im_int_t
decode(const char *text, im_uint_t flags, im_str_t *bytes)
{
    im_int_t  rc;
    im_str_t  copy;

    im_buf_cleanup(&b);
    im_buf_init(&b, 64);
    im_buf_add_z(&b, "x");

    copy = copy_of(im_str_z(text));
    rc = im_base64_decode(&b, copy, flags, bytes);
    free(copy.data);

    if (rc != IM_OK) {
        assert_int_equal(b.len, 1);
    }

    return rc;
}


static void
test_good(void **state)
{
    size_t    i;
    im_str_t  bytes;

    static const struct {
        const char  *text;
        const char  *url;
        const char  *bytes;
    } cases[] = {
        { "", "", "" },
        { "Zg==", "Zg", "f" },
        { "Zm8=", "Zm8", "fo" },
        { "Zm9v", "Zm9v", "foo" },
        { "Zm9vYg==", "Zm9vYg", "foob" },
        { "Zm9vYmE=", "Zm9vYmE", "fooba" },
        { "Zm9vYmFy", "Zm9vYmFy", "foobar" },
        { "+/+/", "-_-_", "\xfb\xff\xbf" },
        { "/w==", "_w", "\xff" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        assert_int_equal(decode(cases[i].text, 0, &bytes), IM_OK);
        test_str(bytes, cases[i].bytes);
        assert_int_equal(decode(cases[i].url, IM_BASE64_URL, &bytes), IM_OK);
        test_str(bytes, cases[i].bytes);
        assert_int_equal(b.len, 1 + bytes.len);

        im_buf_reset(&b, 64);
        im_base64_encode(&b, im_str_z(cases[i].bytes), 0);
        test_str(im_buf_str(&b), cases[i].text);
    }

    im_buf_cleanup(&b);
}


static void
test_bad(void **state)
{
    size_t    i;
    im_str_t  bytes;

    static const char *const  bad[] = {
        "=", "==", "===", "====", "Z", "Z===", "Zg", "Zg=", "Zg===", "Zm8",
        "Zh==", "Zm9=", "Zm-v", "Zm_v", "Zm9v\n", " Zm9v", "Zg==Zg==",
        "Zm9v====", "Z=g=", "Zm9v\xc3\xa4zz", "Zm@v", "Zm[v", "Zm`v", "Zm{v"
    };

    static const char *const  bad_url[] = {
        "=", "Z", "Zg=", "Zg==", "Zm8=", "Zh", "Zm9", "Zm+v", "Zm/v",
        "Zm9vZ", "Zm9 ", "Zm9v.", "Zm\xff" "v"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(decode(bad[i], 0, &bytes), IM_DECLINED);
    }

    for (i = 0; i < test_count(bad_url); i++) {
        assert_int_equal(decode(bad_url[i], IM_BASE64_URL, &bytes),
                         IM_DECLINED);
    }

    im_buf_cleanup(&b);
}


/* Of all texts with four digits, each sequence of bytes has one. */
static void
test_all_bytes(void **state)
{
    int       n;
    char      text[5];
    u_char    digits[65];
    im_str_t  bytes;

    (void) state;

    memcpy(digits, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                   "0123456789-_", 65);
    text[2] = '\0';

    for (n = 0; n < 64 * 64; n++) {
        text[0] = (char) digits[n >> 6];
        text[1] = (char) digits[n & 63];

        if (n & 0x0f) {
            assert_int_equal(decode(text, IM_BASE64_URL, &bytes), IM_DECLINED);
            continue;
        }

        assert_int_equal(decode(text, IM_BASE64_URL, &bytes), IM_OK);
        assert_int_equal(bytes.len, 1);
        assert_int_equal(bytes.data[0], n >> 4);
    }

    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    im_buf_t  small;
    im_str_t  bytes;

    (void) state;

    im_buf_init(&small, 2);
    assert_int_equal(im_base64_decode(&small, im_str_z("Zm9v"), 0, &bytes),
                     IM_ERROR);
    im_buf_cleanup(&small);

    im_buf_init(&small, 64);
    alloc_fail_at(1);
    assert_int_equal(im_base64_decode(&small, im_str_z("Zm9v"), 0, &bytes),
                     IM_ERROR);
    alloc_fail_at(0);
    im_buf_cleanup(&small);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_good),
    alloc_test(test_bad),
    alloc_test(test_all_bytes),
    alloc_test(test_no_memory)
};

test_main(tests)
