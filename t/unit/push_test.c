/*
 * Copyright (C) The im authors
 *
 * Envelopes, batches and positions.
 */

#include "test.h"
#include "copy.h"
#include "im_push.h"


static u_char  bytes[70000];


static im_str_t
random_str(random_t *r, size_t max)
{
    size_t  start, len;

    len = random_below(r, (uint32_t) max + 1);
    start = random_below(r, (uint32_t) (sizeof(bytes) - len));

    return im_str_set(bytes + start, len);
}


static void
random_envelope(random_t *r, im_envelope_t *e)
{
    size_t  i;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (u_char) (i * 31 + (i >> 8));
    }

    e->kind = (uint8_t) random_below(r, 2);
    e->type = (uint8_t) random_below(r, 3);
    e->operation = (int32_t) random_below(r, UINT32_MAX);
    e->speed = random_below(r, 2) * random_below(r, UINT32_MAX);
    e->time = (uint64_t) random_below(r, UINT32_MAX) << 12;
    e->id = random_str(r, IM_PUSH_MAX_ID);
    e->user = random_str(r, 255);
    e->name = random_str(r, 255);
    e->session = random_str(r, 36);
    e->info = random_str(r, 100);
    e->tags = random_str(r, random_below(r, 20) == 0 ? 65535 : 100);
    e->data = random_str(r, 2000);
}


static void
assert_envelope(const im_envelope_t *a, const im_envelope_t *e)
{
    assert_int_equal(a->kind, e->kind);
    assert_int_equal(a->type, e->type);
    assert_int_equal(a->operation, e->operation);
    assert_int_equal(a->speed, e->speed);
    assert_true(a->time == e->time);
    assert_true(im_str_eq(a->id, e->id));
    assert_true(im_str_eq(a->user, e->user));
    assert_true(im_str_eq(a->name, e->name));
    assert_true(im_str_eq(a->session, e->session));
    assert_true(im_str_eq(a->info, e->info));
    assert_true(im_str_eq(a->tags, e->tags));
    assert_true(im_str_eq(a->data, e->data));
}


static void
plain_envelope(im_envelope_t *e)
{
    memset(e, 0, sizeof(im_envelope_t));

    e->type = IM_PUSH_TEXT;
    e->operation = -2;
    e->time = 0x0102030405060708ull;
    e->id = im_str_z("I");
    e->user = im_str_z("us");
    e->name = im_str_z("n");
    e->session = im_str_z("s");
    e->info = im_str_z("{}");
    e->tags = im_str_z("t");
    e->data = im_str_z("data");
}


static void
test_bytes(void **state)
{
    im_buf_t       b;
    im_envelope_t  e;

    static const u_char  wanted[] =
        "\x01\x00" "\x01I" "\x01\x02\x03\x04\x05\x06\x07\x08" "\x02us" "\x01n"
        "\x01s" "\x00\x02{}" "\xff\xff\xff\xfe" "\x00\x01t" "\x01"
        "\x00\x00\x00\x04" "data";

    (void) state;

    plain_envelope(&e);
    im_buf_init(&b, 1024);
    im_envelope_encode(&b, &e);

    assert_true(im_str_eq(im_buf_str(&b),
                          im_str_set(wanted, sizeof(wanted) - 1)));

    /* only a push with a speed is longer than before */

    e.speed = 0x01020304;
    im_buf_reset(&b, 1024);
    im_envelope_encode(&b, &e);

    assert_int_equal(b.len, sizeof(wanted) - 1 + 4);
    assert_memory_equal(b.data, wanted, sizeof(wanted) - 1);
    assert_memory_equal(b.data + sizeof(wanted) - 1, "\x01\x02\x03\x04", 4);

    im_buf_cleanup(&b);
}


static void
test_random(void **state)
{
    size_t         i;
    im_buf_t       b;
    im_str_t       s;
    random_t       r;
    im_envelope_t  e, back;

    (void) state;

    random_init(&r, 1);
    im_buf_init(&b, 200000);

    for (i = 0; i < 500; i++) {
        random_envelope(&r, &e);
        im_buf_reset(&b, 200000);
        im_envelope_encode(&b, &e);
        assert_false(b.failed);

        s = copy_of(im_buf_str(&b));
        assert_int_equal(im_envelope_decode(s, &back), IM_OK);
        assert_envelope(&back, &e);
        free(s.data);
    }

    im_buf_cleanup(&b);
}


static void
test_cut(void **state)
{
    size_t         i;
    im_buf_t       b;
    im_str_t       s;
    im_envelope_t  e;

    (void) state;

    plain_envelope(&e);
    im_buf_init(&b, 1024);
    im_envelope_encode(&b, &e);

    for (i = 0; i < b.len; i++) {
        s = copy_of(im_str_set(b.data, i));
        assert_int_equal(im_envelope_decode(s, &e), IM_ERROR);
        free(s.data);
    }

    im_buf_add_u8(&b, 0);
    assert_int_equal(im_envelope_decode(im_buf_str(&b), &e), IM_ERROR);

    im_buf_cleanup(&b);
}


static void
test_bad_values(void **state)
{
    im_buf_t       b;
    im_envelope_t  e, back;

    (void) state;

    plain_envelope(&e);
    im_buf_init(&b, 1024);
    im_envelope_encode(&b, &e);

    b.data[0] = 2;
    assert_int_equal(im_envelope_decode(im_buf_str(&b), &back), IM_ERROR);
    b.data[0] = 1;
    assert_int_equal(im_envelope_decode(im_buf_str(&b), &back), IM_OK);
    b.data[1] = 2;
    assert_int_equal(im_envelope_decode(im_buf_str(&b), &back), IM_ERROR);

    e.type = 3;
    im_buf_reset(&b, 1024);
    im_envelope_encode(&b, &e);
    assert_int_equal(im_envelope_decode(im_buf_str(&b), &back), IM_ERROR);

    im_buf_cleanup(&b);
}


static void
test_too_long(void **state)
{
    size_t          i;
    u_char         *big;
    im_buf_t        b;
    im_envelope_t   e;

    static const struct {
        size_t  offset;
        size_t  max;
    } fields[] = {
        { offsetof(im_envelope_t, id), IM_PUSH_MAX_ID },
        { offsetof(im_envelope_t, user), 255 },
        { offsetof(im_envelope_t, name), 255 },
        { offsetof(im_envelope_t, session), 255 },
        { offsetof(im_envelope_t, info), 65535 },
        { offsetof(im_envelope_t, tags), 65535 },
        { offsetof(im_envelope_t, data), IM_PUSH_MAX_DATA }
    };

    (void) state;

    big = calloc(1, IM_PUSH_MAX_DATA + 1);
    assert_non_null(big);
    im_buf_init(&b, 2 * IM_PUSH_MAX_DATA);

    for (i = 0; i < test_count(fields); i++) {
        plain_envelope(&e);
        *(im_str_t *) ((u_char *) &e + fields[i].offset)
            = im_str_set(big, fields[i].max);

        im_buf_reset(&b, 0);
        im_envelope_encode(&b, &e);
        assert_false(b.failed);
        assert_int_equal(im_envelope_decode(im_buf_str(&b), &e), IM_OK);

        ((im_str_t *) ((u_char *) &e + fields[i].offset))->len++;
        im_buf_reset(&b, 0);
        im_envelope_encode(&b, &e);
        assert_true(b.failed);
        assert_int_equal(b.len, 0);
    }

    free(big);
    im_buf_cleanup(&b);
}


static void
hash_of(const im_envelope_t *e, u_char hash[IM_PUSH_HASH])
{
    size_t  i;

    im_envelope_hash(e, hash);

    for (i = 0; i < IM_PUSH_HASH; i++) {
        assert_non_null(memchr("0123456789abcdef", hash[i], 16));
    }
}


static void
test_hash(void **state)
{
    size_t         i;
    u_char         a[IM_PUSH_HASH], b[IM_PUSH_HASH];
    im_envelope_t  e, other[9];

    (void) state;

    plain_envelope(&e);
    hash_of(&e, a);

    /* a repeated push */
    e.id = im_str_z("other");
    e.time = 0;
    hash_of(&e, b);
    assert_memory_equal(a, b, IM_PUSH_HASH);

    for (i = 0; i < 9; i++) {
        other[i] = e;
    }

    other[0].kind = IM_PUSH_CONTROL;
    other[1].type = IM_PUSH_JSON;
    other[2].operation = 2;
    other[3].user = im_str_z("u");
    other[3].name = im_str_z("sn");
    other[4].session = im_str_z("");
    other[5].tags = im_str_z("td");
    other[5].data = im_str_z("ata");
    other[6].data = im_str_z("datb");
    other[7].name = im_str_z("us");
    other[7].user = im_str_z("n");
    other[8].info = im_str_z("");

    for (i = 0; i < 9; i++) {
        hash_of(&other[i], b);
        assert_memory_not_equal(a, b, IM_PUSH_HASH);
    }
}


static void
test_batch(void **state)
{
    size_t       i, n;
    im_buf_t     b;
    random_t     r;
    im_entry_t   e, entries[50];
    im_reader_t  in;

    (void) state;

    random_init(&r, 2);
    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(entries); i++) {
        entries[i].kind = (uint8_t) random_below(&r, 2);
        entries[i].topic = random_str(&r, 254);
        entries[i].topic.len++;
        entries[i].epoch = random_str(&r, 23);
        entries[i].seq = random_below(&r, UINT32_MAX);
        entries[i].envelope = random_str(&r, 3000);

        im_entry_encode(&b, &entries[i]);
    }

    assert_false(b.failed);
    im_reader_init(&in, im_buf_str(&b));

    for (n = 0; im_entry_decode(&in, &e) == IM_OK; n++) {
        assert_int_equal(e.kind, entries[n].kind);
        assert_true(im_str_eq(e.topic, entries[n].topic));
        assert_true(im_str_eq(e.epoch, entries[n].epoch));
        assert_true(e.seq == entries[n].seq);
        assert_true(im_str_eq(e.envelope, entries[n].envelope));
    }

    assert_int_equal(n, test_count(entries));
    assert_int_equal(im_entry_decode(&in, &e), IM_DECLINED);

    /* a heartbeat */
    im_reader_init(&in, im_str_z(""));
    assert_int_equal(im_entry_decode(&in, &e), IM_DECLINED);

    im_buf_cleanup(&b);
}


static void
test_batch_cut(void **state)
{
    size_t       i, n, first;
    im_buf_t     b;
    im_int_t     rc;
    im_str_t     s;
    im_entry_t   e;
    im_reader_t  in;

    (void) state;

    e.kind = IM_PUSH_MESSAGE;
    e.topic = im_str_z("r:1");
    e.epoch = im_str_z("e");
    e.seq = 1;
    e.envelope = im_str_z("xyz");

    im_buf_init(&b, 1024);
    im_entry_encode(&b, &e);
    first = b.len;
    im_entry_encode(&b, &e);

    for (i = 0; i <= b.len; i++) {
        s = copy_of(im_str_set(b.data, i));
        im_reader_init(&in, s);

        for (n = 0; (rc = im_entry_decode(&in, &e)) == IM_OK; n++) {
            assert_true(im_str_eq(e.envelope, im_str_z("xyz")));
        }

        assert_int_equal(n, i / first);
        assert_int_equal(rc, i % first == 0 ? IM_DECLINED : IM_ERROR);

        /* and again: the error sticks */
        assert_int_equal(im_entry_decode(&in, &e), rc);
        free(s.data);
    }

    im_buf_cleanup(&b);
}


static void
test_batch_malformed(void **state)
{
    size_t       i;
    im_entry_t   e;
    im_reader_t  in;

    static const im_str_t  bad[] = {
        im_str("\xff\xff\xff\xff\0\1b\0\0\0\0\0\0\0\0\1"),
        im_str("\0\0\0\0"),                            /* no fields */
        im_str("\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\1"),    /* no topic */
        im_str("\0\0\0\x0c\0\xff" "b\0\0\0\0\0\0\0\0\1"),
        im_str("\0\0\0\x0b\0\1b\0\0\0\0\0\0\0\1")      /* seq is cut */
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        im_reader_init(&in, bad[i]);
        assert_int_equal(im_entry_decode(&in, &e), IM_ERROR);
    }
}


static void
test_position(void **state)
{
    size_t    i;
    im_str_t  epoch;
    uint64_t  seq;

    static const struct {
        const char  *text;
        const char  *epoch;
        uint64_t     seq;
    } good[] = {
        { "e:0", "e", 0 },
        { "abc:1", "abc", 1 },
        { "a:b:12", "a:b", 12 },
        { "e:18446744073709551615", "e", UINT64_MAX }
    };
    static const char *const  bad[] = {
        "", ":", "e", "e:", ":1", "e:-1", "e:+1", "e: 1", "e:1 ", "e:01",
        "e:1x", "e:18446744073709551616", "e:99999999999999999999", "1"
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        assert_int_equal(im_position_decode(im_str_z(good[i].text), &epoch,
                                            &seq),
                         IM_OK);
        test_str(epoch, good[i].epoch);
        assert_true(seq == good[i].seq);
    }

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_position_decode(im_str_z(bad[i]), &epoch, &seq),
                         IM_ERROR);
    }
}


static void
test_mark(void **state)
{
    size_t      i;
    im_entry_t  entry;

    static const struct {
        const char  *epoch;
        uint64_t     mark;
    } marks[] = {
        { "", 0 }, { "-", 0 }, { "e1", 0 }, { "1", 0 }, { "-x", 0 },
        { "-1x", 0 }, { "--1", 0 }, { "-18446744073709551616", 0 },
        { "-1", 1 }, { "-1764388800000000", 1764388800000000 },
        { "-18446744073709551615", UINT64_MAX }
    };

    (void) state;

    memset(&entry, 0, sizeof(im_entry_t));

    for (i = 0; i < test_count(marks); i++) {
        entry.epoch = im_str_z(marks[i].epoch);
        assert_true(im_entry_mark(&entry) == marks[i].mark);
    }
}


static void
test_no_memory(void **state)
{
    size_t         n;
    im_buf_t       b;
    im_entry_t     entry;
    im_envelope_t  e;

    (void) state;

    plain_envelope(&e);
    e.data = im_str_set(bytes, 5000);

    memset(&entry, 0, sizeof(im_entry_t));
    entry.topic = im_str_z("b");
    entry.envelope = e.data;

    for (n = 1; ; n++) {
        im_buf_init(&b, 1 << 20);
        alloc_fail_at(n);
        im_envelope_encode(&b, &e);
        im_entry_encode(&b, &entry);
        assert_int_equal(b.failed, alloc_failed());
        im_buf_cleanup(&b);

        if (!alloc_failed()) {
            break;
        }
    }

    assert_true(n > 2);
}


static void
test_classify(void **state)
{
    size_t    i;
    uint8_t   type;
    im_buf_t  b;

    static const struct {
        const char      *data;
        im_push_data_e   type;
        const char      *value;
    } cases[] = {
        { "{\"a\":1}", IM_PUSH_JSON, "{\"a\":1}" },
        { " 1\n", IM_PUSH_JSON, " 1\n" },
        { "\"a\"", IM_PUSH_JSON, "\"a\"" },
        { "", IM_PUSH_TEXT, "\"\"" },
        { "{\"a\":", IM_PUSH_TEXT, "\"{\\\"a\\\":\"" },
        { "h\xc3\xa4", IM_PUSH_TEXT, "\"h\xc3\xa4\"" },
        { "\xc3", IM_PUSH_BINARY, "\"ww==\"" },
        { "\"\xff\"", IM_PUSH_BINARY, "\"Iv8i\"" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        type = 99;
        assert_int_equal(im_push_classify(im_str_z(cases[i].data), &type),
                         IM_OK);
        assert_int_equal(type, cases[i].type);

        im_buf_init(&b, 64);
        im_push_add_value(&b, type, im_str_z(cases[i].data));
        test_str(im_buf_str(&b), cases[i].value);
        im_buf_cleanup(&b);
    }

    alloc_fail_all();
    assert_int_equal(im_push_classify(im_str_z("1"), &type), IM_ERROR);
    alloc_fail_at(0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_classify),
    alloc_test(test_bytes),
    alloc_test(test_random),
    alloc_test(test_cut),
    alloc_test(test_bad_values),
    alloc_test(test_too_long),
    alloc_test(test_hash),
    alloc_test(test_batch),
    alloc_test(test_batch_cut),
    alloc_test(test_batch_malformed),
    alloc_test(test_position),
    alloc_test(test_mark),
    alloc_test(test_no_memory)
};

test_main(tests)
