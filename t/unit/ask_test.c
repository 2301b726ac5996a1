/*
 * Copyright (C) The im authors
 *
 * Questions to logic and its answers; which rooms an identity may join.
 */

#include "test.h"
#include "copy.h"
#include "im_ask.h"
#include "im_json.h"


#define PUBLISH                                                               \
    "{\"call\":\"publish\",\"room\":\"1\",\"id\":\"k\","                   \
    "\"tags\":{\"t\":\"1\"},"                                               \
    "\"session\":\"s\",\"user\":\"u\\\\\",\"name\":\"n\",\"info\":[1],"       \
    "\"data\":{\"msg\":\"hi\"}}"

#define IDENTITY                                                              \
    "{\"user\":\"u\",\"name\":\"n\",\"info\":{\"a\":1},"                      \
    "\"rooms\":[\"a\",\"b*\"]}"


static im_buf_t            arena;
static im_ask_t            ask;
static im_ask_identity_t   identity;
static const char         *why;


static im_int_t
decode(im_str_t json)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, json.len);
    why = NULL;

    return im_ask_decode(json, &arena, &ask, &why);
}


static im_int_t
decode_identity(im_str_t json)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, json.len);
    why = NULL;

    return im_ask_identity_decode(json, &arena, &identity, &why);
}


static void
encoded(const char *wanted)
{
    im_buf_t  b;

    im_buf_init(&b, 4096);
    im_ask_encode(&b, &ask);
    test_str(im_buf_str(&b), wanted);
    im_buf_cleanup(&b);
}


static void
test_connect(void **state)
{
    (void) state;

    memset(&ask, 0, sizeof(im_ask_t));
    ask.protocol = im_str_z("im");
    ask.token = im_str_z("t\"");
    ask.ip = im_str_z("::1");
    ask.node = im_str_z("n");
    encoded("{\"protocol\":\"im\",\"token\":\"t\\\"\",\"room\":\"\","
            "\"ip\":\"::1\",\"node\":\"n\"}");

    ask.room = im_str_z("1");
    encoded("{\"protocol\":\"im\",\"token\":\"t\\\"\",\"room\":\"1\","
            "\"ip\":\"::1\",\"node\":\"n\"}");

    assert_int_equal(decode(im_str_z("{\"token\":\"t\",\"room\":\"1\"}")),
                     IM_OK);
    assert_int_equal(ask.kind, IM_ASK_CONNECT);
    test_str(ask.token, "t");
    test_str(ask.room, "1");

    assert_int_equal(decode(im_str_z("{\"call\":\"connect\"}")), IM_OK);
    assert_int_equal(ask.kind, IM_ASK_CONNECT);
    assert_int_equal(decode(im_str_z("{\"call\":\"later\"}")), IM_DECLINED);
    assert_int_equal(decode(im_str_z("{\"token\":1}")), IM_ERROR);
    assert_non_null(why);

    im_buf_cleanup(&arena);
}


static void
test_publish(void **state)
{
    (void) state;

    assert_int_equal(decode(im_str_z(PUBLISH)), IM_OK);
    assert_int_equal(ask.kind, IM_ASK_PUBLISH);
    test_str(ask.user, "u\\");
    test_str(ask.info, "[1]");
    test_str(ask.data, "{\"msg\":\"hi\"}");
    encoded(PUBLISH);

    assert_int_equal(decode(im_str_z("{\"call\":\"publish\",\"info\":null,"
                                     "\"data\":null}")),
                     IM_OK);
    assert_int_equal(ask.info.len, 0);
    test_str(ask.data, "null");
    encoded("{\"call\":\"publish\",\"room\":\"\",\"data\":null}");

    ask.info = im_str_z("x");
    ask.data = im_str_z(" 1");
    encoded("{\"call\":\"publish\",\"room\":\"\",\"b64info\":\"eA==\","
            "\"b64data\":\"IDE=\"}");

    assert_int_equal(decode(im_str_z("{\"call\":\"publish\","
                                     "\"b64info\":\"eA==\","
                                     "\"b64data\":\"/w\\u003d=\"}")),
                     IM_OK);
    test_str(ask.info, "x");
    test_str(ask.data, "\xff");

    assert_int_equal(decode(im_str_z("{\"b64data\":\"?\"}")), IM_ERROR);
    assert_int_equal(decode(im_str_z("{\"b64data\":1}")), IM_ERROR);

    im_buf_cleanup(&arena);
}


static void
test_identity(void **state)
{
    im_buf_t  b;

    (void) state;

    assert_int_equal(decode_identity(im_str_z(IDENTITY)), IM_OK);
    test_str(identity.user, "u");
    test_str(identity.name, "n");
    test_str(identity.info, "{\"a\":1}");

    im_buf_init(&b, 4096);
    im_ask_identity_encode(&b, &identity);
    test_str(im_buf_str(&b), IDENTITY);
    im_buf_cleanup(&b);

    assert_int_equal(decode_identity(im_str_z("{\"login\":\"01234567\"}")),
                     IM_OK);
    test_str(identity.login, "01234567");

    assert_int_equal(decode_identity(im_str_z("{\"rooms\":null}")), IM_OK);
    assert_int_equal(identity.rooms.len, 0);
    assert_int_equal(decode_identity(im_str_z("{}")), IM_OK);
    assert_int_equal(identity.rooms.len, 0);
    assert_int_equal(decode_identity(im_str_z("{\"rooms\":[]}")), IM_OK);
    test_str(identity.rooms, "[]");

    im_buf_cleanup(&arena);
}


static void
test_bad_identity(void **state)
{
    char    text[1024];
    size_t  i;

    static const char *const  bad[] = {
        "", "[]", "{\"user\":1}", "{\"info\":[]}", "{\"rooms\":\"*\"}",
        "{\"rooms\":{}}", "{\"rooms\":[1]}", "{\"rooms\":[\"a\",null]}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        if (decode_identity(im_str_z(bad[i])) != IM_ERROR) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_non_null(why);
    }

    strcpy(text, "{\"rooms\":[\"a\"");

    for (i = 1; i < IM_ASK_ROOMS_MAX; i++) {
        strcat(text, ",\"a\"");
    }

    i = strlen(text);
    strcpy(text + i, "]}");
    assert_int_equal(decode_identity(im_str_z(text)), IM_OK);
    strcpy(text + i, ",\"a\"]}");
    assert_int_equal(decode_identity(im_str_z(text)), IM_ERROR);

    im_buf_cleanup(&arena);
}


static void
test_rooms(void **state)
{
    size_t  i;

    static const struct {
        const char  *rooms;
        const char  *room;
        int          allowed;
    } rows[] = {
        { "", "a", 1 }, { "[]", "a", 0 }, { "[\"*\"]", "a", 1 },
        { "[\"*\"]", "", 1 }, { "[\"a\"]", "a", 1 }, { "[\"a\"]", "ab", 0 },
        { "[\"a*\"]", "a", 1 }, { "[\"a*\"]", "ab", 1 },
        { "[\"ab*\"]", "a", 0 }, { "[\"a*\"]", "ba", 0 },
        { "[ \"x\" , \"\\u0061\" ]", "a", 1 }, { "[\"*a\"]", "ba", 0 },
        { "[\"\"]", "a", 0 }, { "[\"a*\"]", "a*", 1 }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        if (im_ask_room_allowed(im_str_z(rows[i].rooms),
                                im_str_z(rows[i].room))
            != rows[i].allowed)
        {
            fail_msg("%s %s", rows[i].rooms, rows[i].room);
        }
    }
}


static void
test_answer(void **state)
{
    im_str_t  data;

    (void) state;

    assert_int_equal(im_ask_answer_decode(
                         im_str_z("{\"code\":0,\"msg\":\"success\","
                                  "\"data\":{\"user\":\"\"}}"), &data),
                     0);
    test_str(data, "{\"user\":\"\"}");

    assert_int_equal(im_ask_answer_decode(im_str_z("{\"code\":403}"), &data),
                     403);
    assert_int_equal(data.len, 0);
    assert_int_equal(im_ask_answer_decode(im_str_z("{}"), &data), 0);
    assert_int_equal(im_ask_answer_decode(im_str_z("<html>"), &data), -1);
    assert_int_equal(im_ask_answer_decode(im_str_z("{\"data\":1}"), &data),
                     -1);
}


static void
test_cut(void **state)
{
    size_t    i;
    im_str_t  copy, whole;

    (void) state;

    whole = im_str_z(PUBLISH);

    for (i = 0; i < whole.len; i++) {
        copy = copy_of(im_str_set(whole.data, i));
        assert_int_equal(decode(copy), IM_ERROR);
        free(copy.data);
    }

    whole = im_str_z(IDENTITY);

    for (i = 0; i < whole.len; i++) {
        copy = copy_of(im_str_set(whole.data, i));
        assert_int_equal(decode_identity(copy), IM_ERROR);
        free(copy.data);
    }

    im_buf_cleanup(&arena);
}


static void
test_no_memory(void **state)
{
    im_int_t       rc;
    unsigned long  n;

    (void) state;

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        alloc_fail_at(n);
        rc = decode(im_str_z(PUBLISH));

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        assert_ptr_equal(why, im_json_no_memory);
    }

    assert_int_equal(rc, IM_OK);

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        alloc_fail_at(n);
        rc = decode_identity(im_str_z(IDENTITY));

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        assert_non_null(why);
    }

    assert_int_equal(rc, IM_OK);

    alloc_fail_at(1);
    assert_false(im_ask_room_allowed(im_str_z("[\"a\"]"), im_str_z("a")));
    alloc_fail_at(0);

    im_buf_cleanup(&arena);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_connect),
    alloc_test(test_publish),
    alloc_test(test_identity),
    alloc_test(test_bad_identity),
    alloc_test(test_rooms),
    alloc_test(test_answer),
    alloc_test(test_cut),
    alloc_test(test_no_memory)
};

test_main(tests)
