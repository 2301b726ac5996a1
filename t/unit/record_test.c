/*
 * Copyright (C) The im authors
 *
 * Lease records: values out and in, and what other versions write.
 */

#include "test.h"
#include "copy.h"
#include "im_record.h"


static im_buf_t     b;
static im_str_t     values[IM_RECORD_FIELDS];
static im_record_t  record;


static void
encode(void)
{
    im_buf_cleanup(&b);
    im_buf_init(&b, 4096);
    im_record_encode(&b, &record, values);
}


/* The value of a field by its name. */
static im_str_t *
value(const char *name)
{
    size_t  i;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        if (im_str_eq(im_record_fields[i].name, im_str_z(name))) {
            return &values[i];
        }
    }

    fail_msg("no field %s", name);

    return NULL;
}


static void
test_whole(void **state)
{
    (void) state;

    record.node = im_str_z("n");
    record.rules = im_str_z("{}");
    record.users = im_str_z("sketch");
    record.rooms = im_str_z("");
    record.sessions = 0;
    record.topics = 1234567890123;
    record.subs = 7;
    record.draining = 1;
    record.addresses = 3;
    record.version = im_str_z("0.1.0");
    record.protocols = im_str_z("im 3,goim 1");
    record.time = 1795527128123;
    record.messages_out = 9;

    encode();
    assert_false(b.failed);

    test_str(*value("node"), "n");
    test_str(*value("rules"), "{}");
    test_str(*value("users"), "sketch");
    test_str(*value("rooms"), "");
    assert_non_null(value("rooms")->data);
    test_str(*value("sessions"), "0");
    test_str(*value("topics"), "1234567890123");
    test_str(*value("subs"), "7");
    test_str(*value("draining"), "1");
    test_str(*value("addresses"), "3");
    test_str(*value("version"), "0.1.0");
    test_str(*value("time"), "1795527128123");
    test_str(*value("messages_out"), "9");
    test_str(*value("away"), "0");

    memset(&record, 0xa5, sizeof(im_record_t));
    im_record_decode(values, &record);

    test_str(record.node, "n");
    test_str(record.rules, "{}");
    test_str(record.users, "sketch");
    test_str(record.rooms, "");
    assert_int_equal(record.sessions, 0);
    assert_int_equal(record.topics, 1234567890123);
    assert_int_equal(record.subs, 7);
    assert_int_equal(record.draining, 1);
    test_str(record.protocols, "im 3,goim 1");
    assert_int_equal(record.time, 1795527128123);
    assert_int_equal(record.messages_out, 9);

    im_buf_cleanup(&b);
}


/* A string without data leaves what Redis has. */
static void
test_absent(void **state)
{
    (void) state;

    memset(&record, 0, sizeof(im_record_t));
    encode();

    assert_null(value("node")->data);
    assert_null(value("rules")->data);
    assert_non_null(value("sessions")->data);

    im_buf_cleanup(&b);
}


/* Of another version, or not ours: missing, or no number. */
static void
test_lax(void **state)
{
    size_t    i;
    im_str_t  copy;
    uint64_t  n;

    static const char *const  bad[] = {
        "-1", "x", "1x", " 1", "1234567890123456789", "99999999999999999999"
    };

    (void) state;

    memset(values, 0, sizeof(values));
    im_record_decode(values, &record);
    assert_int_equal(record.node.len, 0);
    assert_int_equal(record.sessions, 0);
    assert_int_equal(record.draining, 0);

    for (i = 0; i < test_count(bad); i++) {
        copy = copy_of(im_str_z(bad[i]));
        *value("subs") = copy;
        im_record_decode(values, &record);
        assert_int_equal(record.subs, 0);
        free(copy.data);
    }

    copy = copy_of(im_str_z("123456789012345678"));

    for (i = 0, n = 0; i <= copy.len; i++) {
        *value("sessions") = im_str_set(copy.data, i);
        im_record_decode(values, &record);
        assert_int_equal(record.sessions, n);
        n = n * 10 + (i + 1) % 10;
    }

    assert_int_equal(record.sessions, 123456789012345678);
    free(copy.data);
}


static void
test_no_memory(void **state)
{
    (void) state;

    memset(&record, 0, sizeof(im_record_t));

    alloc_fail_at(1);
    encode();
    alloc_fail_at(0);

    assert_true(b.failed);
    im_buf_cleanup(&b);
}


/* What moves with sessions. */
static void
test_counts(void **state)
{
    size_t     i, n;
    im_str_t   counts[IM_COUNTS];

    static const char *const  moving[] = {
        "users", "rooms", "protocols", "sessions", "subs", "addresses"
    };

    (void) state;

    memset(&record, 0, sizeof(im_record_t));
    record.topics = 9;
    record.sessions = 1;

    counts[IM_COUNT_SESSIONS] = im_str_z("12");
    counts[IM_COUNT_SUBS] = im_str_z("34");
    counts[IM_COUNT_ADDRESSES] = im_str_z("odd");
    counts[IM_COUNT_PROTOCOLS] = im_str_z("im 12");
    im_record_count(counts, &record);

    assert_int_equal(record.sessions, 12);
    assert_int_equal(record.subs, 34);
    assert_int_equal(record.addresses, 0);
    test_str(record.protocols, "im 12");
    assert_int_equal(record.topics, 9);

    for (i = 0, n = 0; i < IM_RECORD_FIELDS; i++) {
        n += im_record_moves(i);
    }

    assert_int_equal(n, test_count(moving));

    for (i = 0; i < test_count(moving); i++) {
        assert_true(im_record_moves((im_uint_t) (value(moving[i]) - values)));
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_whole),
    alloc_test(test_counts),
    alloc_test(test_absent),
    alloc_test(test_lax),
    alloc_test(test_no_memory)
};

test_main(tests)
