/*
 * Copyright (C) The im authors
 *
 * Control entries: each kind out and in, where it is queued, changes of
 * members.
 */

#include "test.h"
#include "copy.h"
#include "im_control.h"
#include "im_push.h"


static im_buf_t      b;
static im_control_t  c;
static const char   *why;


static void
encode(const im_control_t *control)
{
    im_buf_cleanup(&b);
    im_buf_init(&b, 65536);
    im_control_encode(&b, control, 99);
    assert_false(b.failed);
}


/* The JSON in the envelope. */
static im_str_t
data(void)
{
    im_envelope_t  e;

    assert_int_equal(im_envelope_decode(im_buf_str(&b), &e), IM_OK);
    assert_int_equal(e.kind, IM_PUSH_CONTROL);
    assert_int_equal(e.type, IM_PUSH_JSON);
    assert_int_equal(e.time, 99);

    return e.data;
}


static im_int_t
decode(im_str_t envelope)
{
    return im_control_decode(im_str_z("t"), envelope, &c, &why);
}


/* An envelope of that kind with that data. */
static im_str_t
envelope(int kind, const char *json)
{
    im_envelope_t  e;

    memset(&e, 0, sizeof(im_envelope_t));
    e.kind = IM_PUSH_CONTROL;
    e.operation = kind;
    e.data = im_str_z(json);

    im_buf_cleanup(&b);
    im_buf_init(&b, 65536);
    im_envelope_encode(&b, &e);

    return im_buf_str(&b);
}


static void
test_disconnect(void **state)
{
    im_str_t      except[] = { im_str("s1"), im_str("s\"2") };
    im_control_t  out;

    (void) state;

    im_control_init(&out, IM_CONTROL_DISCONNECT);
    out.user = im_str_z("u");
    out.session = im_str_z("s");
    encode(&out);
    test_str(data(), "{}");

    out.code = 0;
    out.reason = im_str_z("bye");
    out.except.elts = except;
    out.except.n = 2;
    out.seconds = 0;
    encode(&out);
    test_str(data(), "{\"code\":0,\"reason\":\"bye\","
                     "\"except\":[\"s1\",\"s\\\"2\"],\"for\":0}");

    assert_int_equal(decode(im_buf_str(&b)), IM_OK);
    assert_int_equal(c.kind, IM_CONTROL_DISCONNECT);
    test_str(c.topic, "t");
    test_str(c.user, "u");
    test_str(c.session, "s");
    test_str(c.reason, "bye");
    assert_int_equal(c.code, 0);
    assert_int_equal(c.seconds, 0);
    assert_int_equal(c.except.n, 2);
    test_str(c.except.elts[1], "s\"2");
    assert_int_equal(c.seq, -1);
    im_control_cleanup(&c);

    im_buf_cleanup(&b);
}


static void
test_subscribe(void **state)
{
    im_control_t  out;

    (void) state;

    im_control_init(&out, IM_CONTROL_SUBSCRIBE);
    out.room = im_str_z("room");
    out.epoch = im_str_z("e");
    out.seq = 0;
    out.info = im_str_z("{\"i\":1}");
    out.data = im_str_z("[]");
    out.override = im_str_z("{\"presence\":{\"value\":false}}");
    out.expire_at = 5;
    encode(&out);

    assert_int_equal(decode(im_buf_str(&b)), IM_OK);
    test_str(c.topic, "r:room");
    test_str(c.room, "room");
    test_str(c.epoch, "e");
    test_str(c.info, "{\"i\":1}");
    test_str(c.data, "[]");
    assert_int_equal(c.seq, 0);
    test_str(c.override, "{\"presence\":{\"value\":false}}");
    assert_int_equal(c.expire_at, 5);
    assert_int_equal(c.code, -1);
    im_control_cleanup(&c);

    out.kind = IM_CONTROL_REFRESH;
    out.expired = 1;
    encode(&out);
    assert_int_equal(decode(im_buf_str(&b)), IM_OK);
    assert_int_equal(c.expired, 1);
    im_control_cleanup(&c);

    im_buf_cleanup(&b);
}


static void
test_changes(void **state)
{
    size_t                first;
    im_buf_t              list, arena;
    im_str_t              elts[2];
    im_control_t          out;
    im_control_change_t   change;

    (void) state;

    im_buf_init(&list, 4096);
    memset(&change, 0, sizeof(im_control_change_t));
    change.joined = 1;
    change.member.session = im_str_z("s1");
    im_control_change_encode(&list, &change,
                             im_str_z("{\"user\":\"u\\u0031\"}"));
    first = list.len;
    change.joined = 0;
    change.late = 1;
    change.member.session = im_str_z("s2");
    im_control_change_encode(&list, &change, im_str_z("{}"));

    elts[0] = im_str_set(list.data, first);
    elts[1] = im_str_set(list.data + first, list.len - first);

    im_control_init(&out, IM_CONTROL_CHANGES);
    out.changes.elts = elts;
    out.changes.n = 2;
    out.from = im_str_z("w");
    encode(&out);
    im_buf_cleanup(&list);

    test_str(data(), "{\"changes\":[{\"op\":\"+\",\"session\":\"s1\","
                     "\"member\":{\"user\":\"u\\u0031\"}},"
                     "{\"op\":\"-\",\"session\":\"s2\",\"member\":{},"
                     "\"late\":true}],\"from\":\"w\"}");

    assert_int_equal(decode(im_buf_str(&b)), IM_OK);
    test_str(c.topic, "t");
    test_str(c.from, "w");
    assert_int_equal(c.changes.n, 2);

    im_buf_init(&arena, 4096);
    assert_int_equal(im_control_change_decode(c.changes.elts[0], &arena,
                                              &change),
                     IM_OK);
    assert_true(change.joined);
    assert_false(change.late);
    test_str(change.member.session, "s1");
    test_str(change.member.user, "u1");

    assert_int_equal(im_control_change_decode(c.changes.elts[1], &arena,
                                              &change),
                     IM_OK);
    assert_false(change.joined);
    assert_true(change.late);
    test_str(change.member.session, "s2");
    im_buf_cleanup(&arena);

    im_control_cleanup(&c);
    im_buf_cleanup(&b);
}


static void
test_queue(void **state)
{
    im_control_t  out;

    (void) state;

    im_buf_init(&b, 4096);
    im_control_init(&out, IM_CONTROL_DISCONNECT);

    out.session = im_str_z("id");
    im_control_queue(&b, &out);
    test_str(im_buf_str(&b), "s:id");
    assert_true(im_control_everywhere(&out));

    out.user = im_str_z("u");
    im_buf_reset(&b, 4096);
    im_control_queue(&b, &out);
    test_str(im_buf_str(&b), "u:u");
    assert_true(im_control_everywhere(&out));

    out.topic = im_str_z("b");
    assert_true(im_control_everywhere(&out));

    out.topic = im_str_z("r:bb");
    im_buf_reset(&b, 4096);
    im_control_queue(&b, &out);
    test_str(im_buf_str(&b), "r:bb");
    assert_false(im_control_everywhere(&out));

    im_buf_cleanup(&b);
}


static void
test_bad(void **state)
{
    char                  text[2048];
    size_t                i;
    im_buf_t              arena;
    im_control_change_t   change;

    static const char *const  bad[] = {
        "[]", "x", "{\"code\":\"1\"}", "{\"except\":[1]}",
        "{\"room\":\"\\u0001\"}", "{\"changes\":{}}", "{\"expired\":1}"
    };
    static const char *const  changes[] = {
        "", "[]", "{}", "{\"op\":\"+\"}", "{\"op\":\"++\",\"member\":{}}",
        "{\"op\":\"+\",\"member\":[]}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        why = NULL;
        assert_int_equal(decode(envelope(IM_CONTROL_REFRESH, bad[i])),
                         IM_ERROR);
        assert_non_null(why);
    }

    for (i = 0; i < test_count(changes); i++) {
        im_buf_init(&arena, 4096);
        assert_int_equal(im_control_change_decode(im_str_z(changes[i]),
                                                  &arena, &change),
                         IM_ERROR);
        im_buf_cleanup(&arena);
    }

    /* kinds of a later version, and what is no control entry */

    assert_int_equal(decode(envelope(0, "x")), IM_DECLINED);
    assert_int_equal(decode(envelope(IM_CONTROL_FORGET + 1, "x")),
                     IM_DECLINED);

    envelope(IM_CONTROL_FORGET, "{}");
    b.data[1] = IM_PUSH_MESSAGE;
    assert_int_equal(decode(im_buf_str(&b)), IM_ERROR);

    assert_int_equal(decode(envelope(IM_CONTROL_ROOM_INFO, "")), IM_OK);
    im_control_cleanup(&c);

    /* one more than there may be */

    strcpy(text, "{\"except\":[\"a\"");

    for (i = 0; i < IM_CONTROL_EXCEPT_MAX; i++) {
        strcat(text, ",\"a\"");
    }

    strcat(text, "]}");
    assert_int_equal(decode(envelope(IM_CONTROL_DISCONNECT, text)), IM_ERROR);

    im_buf_cleanup(&b);
}


static void
test_cut(void **state)
{
    size_t    i;
    im_str_t  copy, whole;

    (void) state;

    whole = envelope(IM_CONTROL_SUBSCRIBE, "{\"room\":\"room\",\"seq\":1,"
                     "\"data\":{},\"except\":[\"x\"]}");

    for (i = 0; i < whole.len; i++) {
        copy = copy_of(im_str_set(whole.data, i));
        assert_int_equal(decode(copy), IM_ERROR);
        free(copy.data);
    }

    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    im_buf_t       out;
    im_int_t       rc;
    im_str_t       whole;
    unsigned long  n;

    (void) state;

    whole = envelope(IM_CONTROL_SUBSCRIBE, "{\"room\":\"room\",\"seq\":1,"
                     "\"changes\":[{}],\"except\":[\"x\"]}");

    for (n = 1; ; n++) {
        alloc_fail_at(n);
        rc = decode(whole);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(rc, IM_ERROR);
        test_str(im_str_z(why), "no memory");
    }

    alloc_fail_at(0);
    assert_int_equal(rc, IM_OK);

    for (n = 1; ; n++) {
        im_buf_init(&out, 4096);

        alloc_fail_at(n);
        im_control_encode(&out, &c, 1);

        if (!alloc_failed()) {
            break;
        }

        assert_true(out.failed);
        im_buf_cleanup(&out);
    }

    alloc_fail_at(0);
    assert_false(out.failed);
    im_buf_cleanup(&out);

    im_control_cleanup(&c);
    im_buf_cleanup(&b);
}


static void
test_codes(void **state)
{
    assert_true(im_control_code_valid(1000));
    assert_true(im_control_code_valid(3000));
    assert_true(im_control_code_valid(4999));
    assert_false(im_control_code_valid(-1));
    assert_false(im_control_code_valid(1001));
    assert_false(im_control_code_valid(2999));
    assert_false(im_control_code_valid(5000));
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_disconnect),
    alloc_test(test_subscribe),
    alloc_test(test_changes),
    alloc_test(test_queue),
    alloc_test(test_bad),
    alloc_test(test_cut),
    alloc_test(test_no_memory),
    alloc_test(test_codes)
};

test_main(tests)
