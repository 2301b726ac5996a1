/*
 * Copyright (C) The im authors
 *
 * Emulation: bodies of requests, names of sessions, entries.
 */

#include "test.h"
#include "copy.h"
#include "im_emulation.h"
#include "im_json.h"
#include "im_push.h"


static im_buf_t  arena;


static im_int_t
decode(const char *body, im_emulation_t *e, const char **why)
{
    im_int_t  rc;
    im_str_t  copy;

    im_buf_cleanup(&arena);
    im_buf_init(&arena, 65536);

    *why = NULL;

    copy = copy_of(im_str_z(body));
    rc = im_emulation_decode(im_str_z("application/json"), copy, &arena, e,
                             why);
    free(copy.data);

    assert_true((rc == IM_OK) == (*why == NULL));

    if (rc != IM_OK) {
        im_buf_cleanup(&arena);
    }

    return rc;
}


static void
test_good(void **state)
{
    const char      *why;
    im_emulation_t   e;

    (void) state;

    assert_int_equal(decode("{\"session\":\"s\",\"node\":\"n\",\"data\":"
                            "\"{\\\"id\\\":1}\\n{}\"}", &e, &why), IM_OK);
    assert_true(im_str_eq(e.session, im_str_z("s")));
    assert_true(im_str_eq(e.node, im_str_z("n")));
    assert_true(im_str_eq(e.data, im_str_z("{\"id\":1}\n{}")));

    /* in any order, with members that are not known, without data */

    assert_int_equal(decode(" {\"x\":[1],\"data\":\"\",\"node\":\"n\","
                            "\"session\":\"\\u0073\"} ", &e, &why), IM_OK);
    assert_true(im_str_eq(e.session, im_str_z("s")));
    assert_int_equal(e.data.len, 0);

    assert_int_equal(decode("{\"node\":\"n\",\"session\":\"s\"}", &e, &why),
                     IM_OK);
    assert_int_equal(e.data.len, 0);

    im_buf_cleanup(&arena);
}


/* In Protobuf, as a client has sent it, and with faults. */
static void
test_binary(void **state)
{
    size_t           i;
    im_str_t         body, copy;
    const char      *why;
    im_emulation_t   e;

    static const struct {
        im_str_t     body;
        const char  *why;
    } cases[] = {
        { im_str("\x12\x01s\x1a\x01\x00"), "no node" },
        { im_str("\x0a\x01n\x1a\x01\x00"), "no session" },
        { im_str("\x0a\x01n\x12\x02s"), "parent stream too short" },
        { im_str("\x08\x01\x12\x01s"), "wrong wire type" },
        { im_str("{}"), "invalid wire_type" },
        { im_str(""), "no session" }
    };

    (void) state;

    body = im_str_z(IM_EMULATION_BINARY);

    copy = copy_of(im_str_set("\x0a\x01n\x12\x01s\x1a\x0b\x0a\x08\x03\x4a\x06"
                              "\x0a\x04test", 19));
    assert_int_equal(im_emulation_decode(body, copy, &arena, &e, &why), IM_OK);
    test_str(e.node, "n");
    test_str(e.session, "s");
    assert_int_equal(e.data.len, 11);
    assert_ptr_equal(e.data.data, copy.data + 8);
    free(copy.data);

    for (i = 0; i < test_count(cases); i++) {
        copy = copy_of(cases[i].body);
        assert_int_equal(im_emulation_decode(body, copy, &arena, &e, &why),
                         IM_ERROR);
        assert_string_equal(why, cases[i].why);
        free(copy.data);
    }
}


static void
test_bad(void **state)
{
    size_t           i;
    const char      *why;
    im_emulation_t   e;

    static const struct {
        const char  *body;
        const char  *why;
    } cases[] = {
        { "", NULL },
        { "null", NULL },
        { "[]", NULL },
        { "{", NULL },
        { "{}", "no session" },
        { "{}{}", NULL },
        { "{\"session\":\"s\"}", "no node" },
        { "{\"session\":null,\"node\":\"n\",\"data\":\"{}\"}", "no session" },
        { "{\"session\":\"s\",\"node\":\"\",\"data\":\"{}\"}", "no node" },
        { "{\"session\":1,\"node\":\"n\",\"data\":\"{}\"}", NULL },
        { "{\"session\":\"s\",\"node\":\"n\",\"data\":{}}", NULL },
        { "{\"session\":\"s\",\"node\":\"n\",\"data\":\"\xff\"}", NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(decode(cases[i].body, &e, &why), IM_ERROR);

        if (cases[i].why != NULL) {
            assert_string_equal(why, cases[i].why);
        }
    }
}


static void
test_no_memory(void **state)
{
    const char      *why;
    im_emulation_t   e;

    (void) state;

    alloc_fail_at(1);
    assert_int_equal(decode("{\"session\":\"s\",\"node\":\"n\"}", &e, &why),
                     IM_ERROR);
    alloc_fail_at(0);

    assert_ptr_equal(why, im_json_no_memory);
}


static const im_emulation_keys_t  keys = { { { 1, 2 }, { 3, 4 } } };


static void
test_session(void **state)
{
    size_t               i;
    u_char               c;
    u_char               id[16], got[16], text[IM_EMULATION_SESSION];
    im_str_t             s;
    im_emulation_keys_t  other;

    (void) state;

    for (i = 0; i < 16; i++) {
        id[i] = (u_char) (i * 17);
    }

    im_emulation_session(&keys, id, text);
    s = copy_of(im_str_set(text, sizeof(text)));

    assert_int_equal(im_emulation_session_decode(&keys, s, got), IM_OK);
    assert_memory_equal(got, id, 16);

    /* any byte counts, and so does the length */

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        s.data[i] = c == '0' ? '1' : '0';
        assert_int_equal(im_emulation_session_decode(&keys, s, got),
                         IM_DECLINED);

        s.data[i] = c >= 'a' ? (u_char) (c - 'a' + 'A') : 'g';
        assert_int_equal(im_emulation_session_decode(&keys, s, got),
                         IM_DECLINED);

        s.data[i] = c;
    }

    s.len--;
    assert_int_equal(im_emulation_session_decode(&keys, s, got), IM_DECLINED);
    s.len = 0;
    assert_int_equal(im_emulation_session_decode(&keys, s, got), IM_DECLINED);
    s.len = IM_EMULATION_SESSION;

    /* of another worker */

    other = keys;
    other.keys[1][1]++;
    assert_int_equal(im_emulation_session_decode(&other, s, got), IM_DECLINED);

    other = keys;
    other.keys[0][0]++;
    assert_int_equal(im_emulation_session_decode(&other, s, got), IM_DECLINED);

    /* half of the secret doesn't tell the other half */

    assert_memory_not_equal(text + 32, text + 48, 16);

    free(s.data);
}


static void
test_entry(void **state)
{
    im_buf_t        b;
    im_entry_t      entry;
    im_reader_t     r;
    im_emulation_t  e;

    static const u_char  bytes[] =
        "\0\0\0\x0f" "\2" "\1s" "\0" "\0\0\0\0\0\0\1\2" "{}\n";

    (void) state;

    e.session = im_str_z("s");
    e.node = im_str_z("n");
    e.data = im_str_z("{}\n");

    im_buf_init(&b, 1000);
    im_emulation_entry(&entry, &e, 0x102);
    im_entry_encode(&b, &entry);

    assert_false(b.failed);
    assert_int_equal(b.len, sizeof(bytes) - 1);
    assert_memory_equal(b.data, bytes, b.len);

    im_reader_init(&r, im_buf_str(&b));

    assert_int_equal(im_entry_decode(&r, &entry), IM_OK);
    assert_int_equal(entry.kind, IM_PUSH_INPUT);
    assert_true(im_str_eq(entry.topic, e.session));
    assert_int_equal(entry.seq, 0x102);
    assert_true(im_str_eq(entry.envelope, e.data));
    assert_int_equal(im_entry_decode(&r, &entry), IM_DECLINED);

    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_good),
    alloc_test(test_binary),
    alloc_test(test_bad),
    alloc_test(test_no_memory),
    alloc_test(test_session),
    alloc_test(test_entry)
};

test_main(tests)
