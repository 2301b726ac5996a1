/*
 * Copyright (C) The im authors
 *
 * Members of topics: out, in, and what a decoder takes.
 */

#include "test.h"
#include "copy.h"
#include "im_json.h"
#include "im_member.h"


#define WHOLE  "{\"user\":\"u\\\"1\",\"name\":\"Ann\",\"info\":{\"a\":1},"    \
               "\"room_info\":[2],\"ip\":\"::1\",\"protocol\":\"im\","   \
               "\"since\":17}"


static im_member_t  m;
static im_buf_t     arena;


static im_int_t
decode(im_str_t json)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, json.len);

    return im_member_decode(json, &arena, &m);
}


static void
encoded(const char *wanted)
{
    im_buf_t  b;

    im_buf_init(&b, 4096);
    im_member_encode(&b, &m);
    test_str(im_buf_str(&b), wanted);
    im_buf_cleanup(&b);
}


static void
test_encode(void **state)
{
    (void) state;

    im_member_init(&m);
    encoded("{}");

    m.user = im_str_z("");
    m.name = im_str_z("");
    encoded("{\"user\":\"\",\"name\":\"\"}");

    m.since = 0;
    m.info = im_str_z("null");
    m.session = im_str_z("not a part of it");
    encoded("{\"user\":\"\",\"name\":\"\",\"info\":null,\"since\":0}");

    m.info = im_str_z("x");
    m.room_info = im_str_z("\xff");
    encoded("{\"user\":\"\",\"name\":\"\",\"b64info\":\"eA==\","
            "\"b64room_info\":\"/w==\",\"since\":0}");

    assert_int_equal(decode(im_str_z("{\"b64info\":\"eA==\","
                                     "\"b64room_info\":\"?\"}")),
                     IM_OK);
    test_str(m.info, "x");
    assert_int_equal(m.room_info.len, 0);
    im_buf_cleanup(&arena);
}


static void
test_whole(void **state)
{
    (void) state;

    assert_int_equal(decode(im_str_z(WHOLE)), IM_OK);

    test_str(m.user, "u\"1");
    test_str(m.name, "Ann");
    test_str(m.info, "{\"a\":1}");
    test_str(m.room_info, "[2]");
    test_str(m.ip, "::1");
    assert_int_equal(m.since, 17);
    assert_int_equal(m.session.len, 0);
    encoded(WHOLE);

    im_buf_cleanup(&arena);
}


/* Of another version: less, more, and other types. */
static void
test_lax(void **state)
{
    (void) state;

    assert_int_equal(decode(im_str_z("{}")), IM_OK);
    assert_int_equal(m.user.len, 0);
    assert_int_equal(m.since, -1);

    assert_int_equal(decode(im_str_z("{\"user\":1,\"name\":[],\"ip\":{},"
                                     "\"since\":\"x\",\"new\":[{}]}")),
                     IM_OK);
    assert_int_equal(m.user.len, 0);
    assert_int_equal(m.name.len, 0);
    assert_int_equal(m.ip.len, 0);
    assert_int_equal(m.since, -1);

    assert_int_equal(decode(im_str_z("[]")), IM_ERROR);
    assert_int_equal(decode(im_str_z("")), IM_ERROR);

    im_buf_cleanup(&arena);
}


static void
test_cut(void **state)
{
    size_t    i;
    im_str_t  copy, whole;

    (void) state;

    whole = im_str_z(WHOLE);

    for (i = 0; i < whole.len; i++) {
        copy = copy_of(im_str_set(whole.data, i));
        assert_int_equal(decode(copy), IM_ERROR);
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
        im_buf_init(&arena, sizeof(WHOLE));

        alloc_fail_at(n);
        rc = im_member_decode(im_str_z(WHOLE), &arena, &m);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
    }

    alloc_fail_at(0);
    assert_int_equal(rc, IM_OK);
    im_buf_cleanup(&arena);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_encode),
    alloc_test(test_whole),
    alloc_test(test_lax),
    alloc_test(test_cut),
    alloc_test(test_no_memory)
};

test_main(tests)
