/*
 * Copyright (C) The im authors
 *
 * Replies of Redis, of each type and of none.
 */

#include <hiredis/hiredis.h>

#include "test.h"
#include "im_link_reply.h"


static redisReply *
parse(const char *text)
{
    void         *reply;
    redisReader  *reader;

    reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);

    return reply;
}


static void
test_none(void **state)
{
    (void) state;

    assert_false(im_link_reply_is_error(NULL));
    assert_false(im_link_reply_is_nil(NULL));
    assert_false(im_link_reply_is_array(NULL, 0));
    test_str(im_link_reply_str(NULL), "");
    assert_int_equal(im_link_reply_int(NULL, 7), 7);
    assert_int_equal(im_link_reply_len(NULL), 0);
    assert_null(im_link_reply_at(NULL, 0));
    test_str(im_link_reply_str_at(NULL, 0), "");
    assert_int_equal(im_link_reply_int_at(NULL, 0, 7), 7);
    assert_int_equal(im_link_reply_time(NULL), 0);
}


static void
test_scalars(void **state)
{
    size_t       i;
    redisReply  *reply;

    static const struct {
        const char  *text;
        const char  *str;
        int64_t      n;
        int          error;
        int          nil;
    } rows[] = {
        { ":-12\r\n", "", -12, 0, 0 },
        { "$2\r\n42\r\n", "42", 42, 0, 0 },
        { "+42\r\n", "42", 42, 0, 0 },
        { "$3\r\n-42\r\n", "-42", -42, 0, 0 },
        { "$0\r\n\r\n", "", 7, 0, 0 },
        { "$1\r\n-\r\n", "-", 7, 0, 0 },
        { "$3\r\n 42\r\n", " 42", 7, 0, 0 },
        { "$3\r\n42a\r\n", "42a", 7, 0, 0 },
        { "$3\r\n4/2\r\n", "4/2", 7, 0, 0 },
        { "$18\r\n999999999999999999\r\n", "999999999999999999",
          999999999999999999, 0, 0 },
        { "$19\r\n1000000000000000000\r\n", "1000000000000000000", 7, 0, 0 },
        { "-NOSCRIPT no\r\n", "NOSCRIPT no", 7, 1, 0 },
        { "$-1\r\n", "", 7, 0, 1 },
        { "*-1\r\n", "", 7, 0, 1 },
        { "*0\r\n", "", 7, 0, 0 }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        reply = parse(rows[i].text);

        test_str(im_link_reply_str(reply), rows[i].str);
        assert_int_equal(im_link_reply_int(reply, 7), rows[i].n);
        assert_int_equal(im_link_reply_is_error(reply), rows[i].error);
        assert_int_equal(im_link_reply_is_nil(reply), rows[i].nil);
        assert_int_equal(im_link_reply_len(reply), 0);
        assert_null(im_link_reply_at(reply, 0));
        assert_false(im_link_reply_is_array(reply, 1));
        assert_int_equal(im_link_reply_time(reply), 0);

        freeReplyObject(reply);
    }
}


static void
test_arrays(void **state)
{
    redisReply  *reply;

    (void) state;

    reply = parse("*3\r\n$1\r\na\r\n:5\r\n*1\r\n$1\r\nb\r\n");

    assert_true(im_link_reply_is_array(reply, 3));
    assert_false(im_link_reply_is_array(reply, 4));
    assert_int_equal(im_link_reply_len(reply), 3);
    test_str(im_link_reply_str(reply), "");
    test_str(im_link_reply_str_at(reply, 0), "a");
    assert_int_equal(im_link_reply_int_at(reply, 1, 0), 5);
    test_str(im_link_reply_str_at(im_link_reply_at(reply, 2), 0), "b");
    assert_null(im_link_reply_at(reply, 3));
    assert_int_equal(im_link_reply_int_at(reply, 3, 7), 7);

    freeReplyObject(reply);
}


static void
test_time(void **state)
{
    redisReply  *reply;

    (void) state;

    reply = parse("*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
    assert_int_equal(im_link_reply_time(reply), 1700000000123);
    freeReplyObject(reply);

    reply = parse("*2\r\n$10\r\n1700000000\r\n$2\r\n-1\r\n");
    assert_int_equal(im_link_reply_time(reply), 0);
    freeReplyObject(reply);
}


static uint64_t
entry(const char *bytes)
{
    uint64_t     seq;
    im_str_t     value;
    redisReply  *reply;

    reply = parse(bytes);
    seq = im_link_reply_entry(reply, &value);

    if (seq != 0) {
        test_str(value, "v");
    }

    freeReplyObject(reply);

    return seq;
}


static void
test_entry(void **state)
{
    im_str_t  value;

    (void) state;

    assert_int_equal(entry("*2\r\n$4\r\n17-1\r\n*2\r\n$1\r\nd\r\n$1\r\nv\r\n"),
                     17);
    assert_int_equal(entry("*2\r\n$4\r\nx7-1\r\n*2\r\n$1\r\nd\r\n$1\r\nv\r\n"),
                     0);
    assert_int_equal(entry("*2\r\n$2\r\n17\r\n*2\r\n$1\r\nd\r\n$1\r\nv\r\n"),
                     0);
    assert_int_equal(entry("*2\r\n$4\r\n17-1\r\n*1\r\n$1\r\nd\r\n"), 0);
    assert_int_equal(entry("*1\r\n$4\r\n17-1\r\n"), 0);
    assert_int_equal(entry(":7\r\n"), 0);
    assert_int_equal(im_link_reply_entry(NULL, &value), 0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_none),
    alloc_test(test_scalars),
    alloc_test(test_arrays),
    alloc_test(test_time),
    alloc_test(test_entry)
};


test_main(tests)
