/*
 * Copyright (C) The im authors
 *
 * Identifiers: base 36 and UUIDs.
 */

#include <ctype.h>

#include "test.h"
#include "im_buf.h"
#include "im_id.h"


static void
test_base36(void **state)
{
    size_t    i;
    im_buf_t  b;

    static const struct {
        uint64_t     n;
        const char  *text;
    } cases[] = {
        { 0, "0" },
        { 35, "z" },
        { 36, "10" },
        { 1700000000000ull, "loyw3v28" },
        { UINT64_MAX, "3w5e11264sgsf" }
    };

    (void) state;

    im_buf_init(&b, 1024);

    for (i = 0; i < test_count(cases); i++) {
        im_buf_reset(&b, 1024);
        im_id_add_base36(&b, cases[i].n);
        test_str(im_buf_str(&b), cases[i].text);
    }

    im_buf_cleanup(&b);
}


static void
test_base36_reads_back(void **state)
{
    char       text[32];
    size_t     i;
    im_buf_t   b;
    random_t   r;
    uint64_t   n;

    (void) state;

    random_init(&r, 1);
    im_buf_init(&b, sizeof(text) - 1);

    for (i = 0; i < 10000; i++) {
        n = (uint64_t) random_below(&r, UINT32_MAX) << 32
            | random_below(&r, UINT32_MAX);
        n >>= random_below(&r, 64);

        im_buf_reset(&b, 1024);
        im_id_add_base36(&b, n);
        memcpy(text, b.data, b.len);
        text[b.len] = '\0';

        assert_true(strtoull(text, NULL, 36) == n);
    }

    im_buf_cleanup(&b);
}


static void
test_uuid(void **state)
{
    size_t    i, j;
    u_char    random[16], text[IM_UUID_LEN];
    random_t  r;

    (void) state;

    random_init(&r, 2);

    memset(random, 0, 16);
    im_id_uuid(text, random);
    assert_memory_equal(text, "00000000-0000-4000-8000-000000000000", 36);

    memset(random, 0xff, 16);
    im_id_uuid(text, random);
    assert_memory_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff", 36);

    for (i = 0; i < 1000; i++) {
        for (j = 0; j < 16; j++) {
            random[j] = (u_char) random_below(&r, 256);
        }

        im_id_uuid(text, random);

        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
    }
}


static void
test_uuid_reads_back(void **state)
{
    char       text[IM_UUID_LEN], upper[IM_UUID_LEN];
    u_char     random[16], id[16];
    size_t     i, j;
    random_t   r;

    (void) state;

    random_init(&r, 3);

    for (i = 0; i < 1000; i++) {
        for (j = 0; j < 16; j++) {
            random[j] = (u_char) random_below(&r, 256);
        }

        random[6] = (u_char) ((random[6] & 0x0f) | 0x40);
        random[8] = (u_char) ((random[8] & 0x3f) | 0x80);

        im_id_uuid((u_char *) text, random);

        for (j = 0; j < IM_UUID_LEN; j++) {
            upper[j] = (char) toupper(text[j]);
        }

        assert_int_equal(im_id_uuid_decode(im_str_set(text, IM_UUID_LEN), id),
                         IM_OK);
        assert_memory_equal(id, random, 16);

        assert_int_equal(im_id_uuid_decode(im_str_set(upper, IM_UUID_LEN), id),
                         IM_OK);
        assert_memory_equal(id, random, 16);
    }
}


static void
test_uuid_refused(void **state)
{
    char      text[IM_UUID_LEN];
    u_char    id[16];
    size_t    i, j;

    static const char  good[] = "01234567-89ab-4def-8123-456789abcdef";
    static const char  bad[] = { 'g', 'G', '/', ':', '@', '`', ' ', 0 };

    (void) state;

    for (i = 0; i < IM_UUID_LEN; i++) {
        assert_int_equal(im_id_uuid_decode(im_str_set(good, i), id),
                         IM_ERROR);

        for (j = 0; j < test_count(bad); j++) {
            memcpy(text, good, IM_UUID_LEN);
            text[i] = bad[j];
            assert_int_equal(im_id_uuid_decode(im_str_set(text, IM_UUID_LEN),
                                               id),
                             IM_ERROR);
        }
    }

    assert_int_equal(im_id_uuid_decode(im_str_z("01234567-89ab-4def-8123-456"
                                                "789abcdef0"), id),
                     IM_ERROR);
}


static void
test_no_memory(void **state)
{
    im_buf_t  b;

    (void) state;

    im_buf_init(&b, 1024);
    alloc_fail_at(1);
    im_id_add_base36(&b, 1);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_base36),
    alloc_test(test_base36_reads_back),
    alloc_test(test_uuid),
    alloc_test(test_uuid_reads_back),
    alloc_test(test_uuid_refused),
    alloc_test(test_no_memory)
};

test_main(tests)
