/*
 * Copyright (C) The im authors
 *
 * Partitions and their hash tags.
 */

#include "test.h"
#include "im_keys.h"


static im_keys_t  keys;


static im_str_t
tag(uint16_t p)
{
    im_buf_t       b;
    static u_char  text[16];

    im_buf_fixed(&b, text, sizeof(text));
    im_keys_tag(&b, &keys, p);
    assert_false(b.failed);

    return im_buf_str(&b);
}


static void
test_partition(void **state)
{
    size_t     i, n;
    u_char     name[16];
    uint16_t   crc;
    im_str_t   s;
    im_uint_t  bit;

    (void) state;

    /* the check value of CRC16-XMODEM, and one from Redis Cluster's page */
    assert_int_equal(im_partition(im_str_z("123456789"), 65536), 0x31c3);
    assert_int_equal(im_partition(im_str_z("foo"), 16384), 12182);
    assert_int_equal(im_partition(im_str_z(""), 16), 0);
    assert_int_equal(im_partition(im_str_z("r:1"), 1), 0);
    assert_int_equal(im_partition(im_str_z("r:1"), 0), 0);

    /* bit by bit */
    for (i = 0; i < 10000; i++) {
        s = im_str_set(name, (size_t) sprintf((char *) name, "r:%zu\xff", i));
        crc = 0;

        for (n = 0; n < s.len; n++) {
            crc = (uint16_t) (crc ^ (s.data[n] << 8));

            for (bit = 0; bit < 8; bit++) {
                crc = (uint16_t) (crc & 0x8000 ? (crc << 1) ^ 0x1021
                                               : crc << 1);
            }
        }

        assert_int_equal(im_partition(s, 65536), crc);
        assert_int_equal(im_partition(s, 16), crc % 16);
    }
}


/* Slots are distinct, and each in the middle half of its range. */
static void
test_even(void **state)
{
    size_t         i;
    double         at, width;
    uint16_t       p, found;
    uint32_t       n, slot;
    static u_char  used[IM_SLOTS];

    static const uint32_t  rows[] = {
        1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 100, 128, 255, 256, 500, 512, 1000,
        1023, 1024
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        n = rows[i];
        width = (double) IM_SLOTS / n;
        memset(used, 0, sizeof(used));

        im_keys_set(&keys, n, IM_TAGS_EVEN);
        assert_int_equal(keys.partitions, n);

        for (p = 0; p < n; p++) {
            slot = im_partition(tag(p), IM_SLOTS);
            at = slot - p * width;

            assert_true(at >= width / 4 && at < width * 3 / 4);
            assert_false(used[slot]);
            used[slot] = 1;

            assert_int_equal(im_keys_find(&keys, tag(p), &found), IM_OK);
            assert_int_equal(found, p);
        }
    }

    im_keys_set(&keys, 64, IM_TAGS_EVEN);
    test_str(tag(0), "0-117");
    test_str(tag(1), "1-42");
    test_str(tag(2), "2-131");
    test_str(tag(3), "3-17");
}


/* Masters with equal ranges have as many partitions, or one more. */
static void
test_spread(void **state)
{
    size_t     i, k;
    uint16_t   p;
    uint32_t   n, masters, slot, m, of[16];

    static const uint32_t  partitions[] = { 16, 64, 128, 256 };
    static const uint32_t  clusters[] = { 3, 5, 6, 7, 9, 12, 16 };

    (void) state;

    for (i = 0; i < test_count(partitions); i++) {
        n = partitions[i];
        im_keys_set(&keys, n, IM_TAGS_EVEN);

        for (k = 0; k < test_count(clusters); k++) {
            masters = clusters[k];
            memset(of, 0, sizeof(of));

            for (p = 0; p < n; p++) {
                slot = im_partition(tag(p), IM_SLOTS);
                of[slot * masters / IM_SLOTS]++;
            }

            for (m = 0; m < masters; m++) {
                assert_in_range(of[m], n / masters,
                                (n + masters - 1) / masters);
            }
        }
    }
}


static void
test_decimal(void **state)
{
    uint16_t  p;

    (void) state;

    im_keys_set(&keys, 1024, IM_TAGS_DECIMAL);
    test_str(tag(0), "0");
    test_str(tag(1023), "1023");

    assert_int_equal(im_keys_find(&keys, im_str_z("1023"), &p), IM_OK);
    assert_int_equal(p, 1023);
}


static void
test_find(void **state)
{
    size_t    i;
    uint16_t  p;

    static const char *const  bad[] = {
        "", "-", "0", "00-117", "0-", "-117", "0-116", "0-0117", "0-117x",
        "x0-117", "0-117-", "64-1", "99999999999999999999-1", "reg",
        "0-1170000000000000000000000000"
    };

    (void) state;

    im_keys_set(&keys, 64, IM_TAGS_EVEN);
    assert_int_equal(im_keys_find(&keys, im_str_z("0-117"), &p), IM_OK);

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_keys_find(&keys, im_str_z(bad[i]), &p),
                         IM_DECLINED);
    }

    im_keys_set(&keys, 64, IM_TAGS_DECIMAL);
    assert_int_equal(im_keys_find(&keys, im_str_z("0-117"), &p), IM_DECLINED);
    assert_int_equal(im_keys_find(&keys, im_str_z("64"), &p), IM_DECLINED);
    assert_int_equal(im_keys_find(&keys, im_str_set("", 0), &p), IM_DECLINED);
}


static void
test_conf(void **state)
{
    size_t     i;
    u_char     text[16];
    uint32_t   n;
    im_buf_t   b;
    im_tags_e  tags;

    static const char *const  good[] = { "1", "16", "16e", "1024", "1024e" };
    static const char *const  bad[] = {
        "", "e", "0", "0e", "1025", "1025e", "16E", "16ee", "16 e", "-1", "x",
        "99999999999999999999e"
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        assert_int_equal(im_keys_decode(im_str_z(good[i]), &n, &tags), IM_OK);

        im_buf_fixed(&b, text, sizeof(text));
        im_keys_encode(&b, n, tags);
        test_str(im_buf_str(&b), good[i]);
    }

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_keys_decode(im_str_z(bad[i]), &n, &tags),
                         IM_ERROR);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_partition),
    alloc_test(test_even),
    alloc_test(test_spread),
    alloc_test(test_decimal),
    alloc_test(test_find),
    alloc_test(test_conf)
};

test_main(tests)
