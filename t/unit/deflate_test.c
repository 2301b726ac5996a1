/*
 * Copyright (C) The im authors
 *
 * The codec of permessage-deflate: RFC 7692's examples, what clients may make
 * of a message, and what must not harm.
 */

#include "test.h"
#include "im_buf.h"
#include "im_deflate.h"

#include <zlib.h>


#define MAX  (1 << 20)


static u_char         bytes[MAX], packed[MAX + 1024];
static im_deflate_t  *d;
static random_t       seed = { .state = 7692 };


static uint32_t
rnd(void)
{
    return random_below(&seed, INT32_MAX);
}


static void
expect(const char *hex, size_t len, const char *wanted)
{
    size_t              cost;
    im_str_t            message;
    im_deflate_fault_e  fault;

    assert_int_equal(im_deflate_unpack(d, im_str_set(hex, len), MAX, &message,
                                       &cost, &fault),
                     IM_OK);
    test_str(message, wanted);
    assert_true(cost >= message.len);
}


static void
refuse(im_str_t data, uint64_t max, im_deflate_fault_e wanted)
{
    size_t              cost;
    im_str_t            message;
    im_deflate_fault_e  fault;

    assert_int_equal(im_deflate_unpack(d, data, max, &message, &cost, &fault),
                     IM_ERROR);
    assert_int_equal(fault, wanted);
}


/* As a client does; flush and final are zlib's. */
static size_t
client_pack(size_t len, int level, int window, int mem, size_t flush,
    int last)
{
    size_t    n, at;
    z_stream  z;

    memset(&z, 0, sizeof(z_stream));
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -window, mem,
                                  Z_DEFAULT_STRATEGY), Z_OK);

    z.next_out = packed;
    z.avail_out = sizeof(packed);
    z.next_in = bytes;

    for (at = 0; flush > 0 && at + flush < len; at += flush) {
        z.avail_in = flush;
        assert_int_equal(deflate(&z, Z_FULL_FLUSH), Z_OK);
    }

    z.avail_in = len - at;
    (void) deflate(&z, last);
    assert_int_equal(z.avail_in, 0);

    n = sizeof(packed) - z.avail_out;
    deflateEnd(&z);

    if (last == Z_FINISH) {
        packed[n++] = 0;
        return n;
    }

    assert_memory_equal(packed + n - 4, "\0\0\xff\xff", 4);

    return n - 4;
}


/* Text of a few words, or noise. */
static void
fill(size_t len, int noise)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        bytes[i] = noise ? (u_char) rnd()
                         : (u_char) "the quick brown fox "[(rnd() % 4 + i)
                                                           % 20];
    }
}


static void
test_examples(void **state)
{
    (void) state;

    d = im_deflate_create(6, 1);

    /* RFC 7692, section 7.2.3 */

    expect("\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
    expect("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello");
    expect("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello");
    expect("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13,
           "Hello");

    /* empty: one octet, none, and an empty fragment's */

    expect("\x00", 1, "");
    expect("", 0, "");
    expect("\x02\x00", 2, "");

    /* a final block ends the data, without the octet behind it */

    expect("\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");

    /* blocks behind a final one refer back to it */

    expect("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00", 12,
           "HelloHello");

    /* a message can't refer to an earlier one */

    refuse(im_str_set("\xf2\x00\x11\x00\x00", 5), MAX, IM_DEFLATE_INVALID);

    im_deflate_destroy(d);
}


/* What zlib makes of all sizes, levels, windows, flushes and ends. */
static void
test_clients(void **state)
{
    int                 last;
    size_t              i, len, n, cost;
    im_str_t            message;
    im_deflate_fault_e  fault;

    static const size_t  sizes[] = {
        1, 2, 100, 1024, 4096, 65535, 65536, 131072
    };

    (void) state;

    d = im_deflate_create(6, 1);

    for (i = 0; i < 200; i++) {
        len = sizes[rnd() % test_count(sizes)];
        last = rnd() % 2 ? Z_SYNC_FLUSH : Z_FINISH;

        fill(len, rnd() % 4 == 0);
        n = client_pack(len, rnd() % 10, 9 + rnd() % 7,
                        1 + rnd() % 9, rnd() % 2 * 4096, last);

        assert_int_equal(im_deflate_unpack(d, im_str_set(packed, n), len,
                                           &message, &cost, &fault),
                         IM_OK);
        assert_int_equal(message.len, len);
        assert_memory_equal(message.data, bytes, len);
        assert_true(cost >= len && cost < len * 2 + 8192);

        /* one byte less is allowed */

        refuse(im_str_set(packed, n), len - 1, IM_DEFLATE_TOO_BIG);
    }

    im_deflate_destroy(d);
}


static void
test_invalid(void **state)
{
    (void) state;

    d = im_deflate_create(6, 1);

    refuse(im_str_z("\x07"), MAX, IM_DEFLATE_INVALID);
    refuse(im_str_z("\xff\xff\xff"), MAX, IM_DEFLATE_INVALID);
    refuse(im_str_z("Hello"), MAX, IM_DEFLATE_INVALID);

    /* the four bytes that are not sent, sent; a stored block that is cut */

    refuse(im_str_set("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", 11), MAX,
           IM_DEFLATE_INVALID);
    refuse(im_str_set("\x00\x05\x00\xfa\xff\x48\x65", 7), MAX,
           IM_DEFLATE_INVALID);

    /* and the codec goes on */

    expect("\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");

    im_deflate_destroy(d);
}


/* A thousand times larger than what was sent: no more memory than the limit. */
static void
test_bombs(void **state)
{
    size_t              n, cost;
    im_str_t            message;
    im_deflate_fault_e  fault;

    (void) state;

    d = im_deflate_create(6, 1);

    memset(bytes, 'x', MAX);
    n = client_pack(MAX, 9, 15, 9, 0, Z_SYNC_FLUSH);
    assert_true(n < 2000);

    assert_int_equal(im_deflate_unpack(d, im_str_set(packed, n), 65536,
                                       &message, &cost, &fault),
                     IM_ERROR);
    assert_int_equal(fault, IM_DEFLATE_TOO_BIG);
    assert_int_equal(cost, 65537);

    /* empty blocks make nothing, and each has its cost */

    memset(packed, 0, sizeof(packed));

    for (n = 0; n < 5 * 1000; n += 5) {
        memcpy(packed + n, "\0\0\0\xff\xff", 5);
    }

    assert_int_equal(im_deflate_unpack(d, im_str_set(packed, n + 1), 65536,
                                       &message, &cost, &fault),
                     IM_OK);
    assert_int_equal(message.len, 0);
    assert_int_equal(cost, 1001 * 128);

    for (n = 0; n < 5 * 2000; n += 5) {
        memcpy(packed + n, "\0\0\0\xff\xff", 5);
    }

    refuse(im_str_set(packed, n + 1), 65536, IM_DEFLATE_TOO_COSTLY);

    im_deflate_destroy(d);
}


static void
test_pack(void **state)
{
    size_t                     i, n, len, cost, saved;
    int64_t                    credit;
    unsigned                   window;
    im_str_t                   message, out;
    im_codec_t                 codec;
    im_deflate_fault_e         fault;
    const im_deflate_stats_t  *stats;

    static u_char  copy[MAX];

    (void) state;

    d = im_deflate_create(6, 64);
    stats = im_deflate_stats(d);

    codec.deflate = d;
    codec.credit = NULL;

    for (i = 0, saved = 0; i < 200; i++) {
        len = 64 + rnd() % 20000;
        window = i & 1 ? IM_DEFLATE_WINDOW : IM_DEFLATE_WINDOW_SMALL;
        fill(len, 0);

        out = im_deflate_pack(&codec, window, im_str_set(bytes, len));
        assert_true(out.len > 0 && out.len < len);
        saved += len - out.len;
        memcpy(copy, out.data, out.len);

        assert_int_equal(im_deflate_unpack(d, im_str_set(copy, out.len), len,
                                           &message, &cost, &fault),
                         IM_OK);
        assert_int_equal(message.len, len);
        assert_memory_equal(message.data, bytes, len);
    }

    assert_int_equal(stats->packed, 200);
    assert_int_equal(stats->saved, saved);
    assert_int_equal(stats->unpacked, 200);

    /* too short; not smaller */

    out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW, im_str_set(bytes, 63));
    assert_int_equal(out.len, 0);

    for (len = 64; len < 5000; len += 100) {
        fill(len, 1);
        out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW,
                              im_str_set(bytes, len));
        assert_int_equal(out.len, 0);
    }

    /* what a long message has needed is freed */

    fill(MAX / 2, 0);
    n = alloc_live();
    out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW,
                          im_str_set(bytes, MAX / 2));
    assert_true(out.len > 0);
    im_deflate_trim(d);
    assert_true(alloc_live() < n);
    out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW, im_str_set(bytes, 1000));
    assert_true(out.len > 0);

    /* for one session, as long as there is credit */

    fill(1000, 0);
    message = im_str_set(bytes, 1000);
    credit = 2500;
    codec.credit = &credit;

    for (i = 0; i < 3; i++) {
        out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW, message);
        assert_int_equal(out.len > 0, i < 2);
    }

    assert_int_equal(credit, 500);

    im_deflate_destroy(d);
}


/* A client with a window of 2^9 bytes is sent nothing that is further back. */
static void
test_windows(void **state)
{
    size_t      i;
    u_char      out[MAX / 8];
    im_str_t    p;
    unsigned    window;
    z_stream    z;
    im_codec_t  codec;

    (void) state;

    d = im_deflate_create(9, 1);
    codec.deflate = d;
    codec.credit = NULL;

    for (i = 0; i < 50; i++) {
        fill(MAX / 8, 0);
        memcpy(bytes + MAX / 16, bytes, MAX / 16);

        window = i & 1 ? IM_DEFLATE_WINDOW : IM_DEFLATE_WINDOW_SMALL;
        p = im_deflate_pack(&codec, window, im_str_set(bytes, MAX / 8));
        assert_true(p.len > 0);

        memset(&z, 0, sizeof(z_stream));
        assert_int_equal(inflateInit2(&z, -(int) window), Z_OK);

        /* in pieces, so that only the window is there to refer to */

        z.next_in = p.data;
        z.avail_in = p.len;

        while (z.total_out < sizeof(out)) {
            z.next_out = out;
            z.avail_out = 300;
            assert_int_equal(inflate(&z, Z_NO_FLUSH), Z_OK);
            assert_memory_equal(out, bytes + z.total_out - (300 - z.avail_out),
                                300 - z.avail_out);
        }

        inflateEnd(&z);
    }

    im_deflate_destroy(d);
}


/* Without memory messages go as they are, and a client's is refused. */
static void
test_no_memory(void **state)
{
    size_t              i, n, cost;
    im_int_t            rc;
    im_str_t            message, out;
    im_codec_t          codec;
    im_deflate_fault_e  fault;

    (void) state;

    alloc_fail_at(1);
    assert_null(im_deflate_create(6, 1));

    fill(70000, 0);
    n = client_pack(70000, 6, 15, 8, 0, Z_SYNC_FLUSH);

    for (i = 1; i < 12; i++) {
        alloc_fail_at(0);
        d = im_deflate_create(6, 1);
        codec.deflate = d;
        codec.credit = NULL;

        alloc_fail_at(i);
        out = im_deflate_pack(&codec, IM_DEFLATE_WINDOW,
                              im_str_set(bytes, 70000));
        assert_int_equal(out.len == 0, alloc_failed());

        alloc_fail_at(i);
        rc = im_deflate_unpack(d, im_str_set(packed, n), MAX, &message, &cost,
                               &fault);

        assert_int_equal(rc == IM_ERROR, alloc_failed());
        assert_true(rc == IM_OK || fault == IM_DEFLATE_NO_MEMORY);

        alloc_fail_at(0);
        assert_int_equal(im_deflate_unpack(d, im_str_set(packed, n), MAX,
                                           &message, &cost, &fault),
                         IM_OK);
        assert_memory_equal(message.data, bytes, 70000);

        im_deflate_destroy(d);
    }

    alloc_fail_at(0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_examples),
    alloc_test(test_clients),
    alloc_test(test_invalid),
    alloc_test(test_bombs),
    alloc_test(test_pack),
    alloc_test(test_windows),
    alloc_test(test_no_memory)
};

test_main(tests)
