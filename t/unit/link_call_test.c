/*
 * Copyright (C) The im authors
 *
 * Redis commands under construction.
 */

#include "test.h"
#include "im_key.h"
#include "im_link_call.h"


static const im_script_t  script = {
    "own", "0123456789012345678901234567890123456789", im_str("return 1")
};


static void
check(const im_link_call_t *call, const char *wanted)
{
    im_buf_t         out;
    im_link_place_t  place;

    im_buf_init(&out, 4096);
    im_link_call_encode(call, &out, im_str_z("generation"), &place);

    assert_false(out.failed);
    test_str(im_buf_str(&out), wanted);

    im_buf_cleanup(&out);
}


/* Once more, by its text. */
static void
check_text(const im_link_call_t *call, const char *wanted)
{
    im_buf_t         out, text;
    im_link_place_t  place;

    im_buf_init(&out, 4096);
    im_buf_init(&text, 4096);
    im_link_call_encode(call, &out, im_str_z("generation"), &place);
    im_link_call_encode_text(call->script, call->nargs,
                             im_str_set(out.data + place.tail,
                                        out.len - place.tail),
                             &text);

    assert_false(text.failed);
    test_str(im_buf_str(&text), wanted);

    im_buf_cleanup(&out);
    im_buf_cleanup(&text);
}


static void
test_command(void **state)
{
    im_link_call_t  call;

    (void) state;

    im_link_call_init(&call);

    im_link_call_start(&call, "PING");
    check(&call, "*1\r\n$4\r\nPING\r\n");
    assert_int_equal(call.slot, 0);

    /* another one begins anew */
    im_link_call_start(&call, "CONFIG GET");
    im_link_call_z(&call, "a b");
    im_link_call_uint(&call, 1234567890123);
    im_link_call_str(&call, im_str_set(NULL, 0));
    check(&call, "*5\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$3\r\na b\r\n"
                    "$13\r\n1234567890123\r\n$0\r\n\r\n");

    im_link_call_start(&call, "XREAD COUNT");
    im_link_call_uint(&call, 0);
    im_link_call_z(&call, "STREAMS");
    im_buf_add_z(&call.bytes, "im:");
    im_buf_add_z(&call.bytes, "{3}:q");
    im_link_call_key(&call);
    im_link_call_generation(&call);
    check(&call, "*6\r\n$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$1\r\n0\r\n"
                    "$7\r\nSTREAMS\r\n$8\r\nim:{3}:q\r\n"
                    "$10\r\ngeneration\r\n");
    assert_int_equal(call.slot, im_link_slot(im_str_z("3")));

    im_link_call_cleanup(&call);
}


static void
test_script(void **state)
{
    im_link_call_t  call;

    (void) state;

    im_link_call_init(&call);

    im_link_call_start_script(&call, &script);
    im_buf_add_z(&call.bytes, "a{x}");
    im_link_call_key(&call);
    im_buf_add_z(&call.bytes, "b{y}");
    im_link_call_key(&call);
    im_link_call_z(&call, "1");
    im_link_call_generation(&call);
    im_link_call_z(&call, "2");

    assert_int_equal(call.slot, im_link_slot(im_str_z("x")));

    check(&call, "*8\r\n$7\r\nEVALSHA\r\n"
                    "$40\r\n0123456789012345678901234567890123456789\r\n"
                    "$1\r\n2\r\n$4\r\na{x}\r\n$4\r\nb{y}\r\n$1\r\n1\r\n"
                    "$10\r\ngeneration\r\n$1\r\n2\r\n");
    check_text(&call, "*8\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n"
                    "$1\r\n2\r\n$4\r\na{x}\r\n$4\r\nb{y}\r\n$1\r\n1\r\n"
                    "$10\r\ngeneration\r\n$1\r\n2\r\n");

    /* none at all */
    im_link_call_start_script(&call, &script);
    check_text(&call, "*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n");

    im_link_call_cleanup(&call);
}


static void
test_many(void **state)
{
    char            *p, wanted[64];
    im_buf_t         out;
    im_uint_t        i;
    im_link_call_t   call;
    im_link_place_t  place;

    (void) state;

    im_link_call_init(&call);
    im_buf_init(&out, 1024 * 1024);

    im_link_call_start_script(&call, &script);

    for (i = 0; i < 1234; i++) {
        im_buf_add_uint(&call.bytes, i);
        im_link_call_key(&call);
    }

    im_link_call_encode(&call, &out, im_str_z(""), &place);
    assert_false(out.failed);

    snprintf(wanted, sizeof(wanted), "\r\n$4\r\n1234\r\n$1\r\n0\r\n");
    im_buf_add_u8(&out, 0);
    p = strstr((char *) out.data, "\r\n$4\r\n1234");
    assert_non_null(p);
    assert_memory_equal(p, wanted, strlen(wanted));

    im_link_call_cleanup(&call);
    im_buf_cleanup(&out);
}


static void
test_limits(void **state)
{
    im_buf_t         out;
    im_uint_t        i;
    im_link_call_t   call;
    im_link_place_t  place;

    (void) state;

    im_link_call_init(&call);
    im_buf_init(&out, 16 * 1024 * 1024);

    im_link_call_start(&call, "DEL");

    for (i = 1; i < IM_LINK_CALL_MAX_ARGS; i++) {
        im_link_call_z(&call, "k");
    }

    im_link_call_encode(&call, &out, im_str_z(""), &place);
    assert_false(out.failed);

    im_link_call_z(&call, "k");
    im_link_call_generation(&call);
    im_link_call_encode(&call, &out, im_str_z(""), &place);
    assert_true(out.failed);
    assert_int_equal(call.slot, 0);

    /* the error ends with the call */
    im_buf_reset(&out, 0);
    im_link_call_start(&call, "SET");
    assert_non_null(im_buf_reserve(&call.bytes, IM_LINK_CALL_MAX_BYTES - 3));
    im_link_call_key(&call);
    im_link_call_encode(&call, &out, im_str_z(""), &place);
    assert_false(out.failed);

    im_link_call_z(&call, "v");
    im_link_call_encode(&call, &out, im_str_z(""), &place);
    assert_true(out.failed);

    im_link_call_cleanup(&call);
    im_buf_cleanup(&out);
}


static void
test_no_memory(void **state)
{
    unsigned long    n;
    im_buf_t         out;
    im_link_call_t   call;
    im_link_place_t  place;

    (void) state;

    for (n = 1; /* void */ ; n++) {
        im_link_call_init(&call);
        im_buf_init(&out, 4096);

        alloc_fail_at(n);
        im_link_call_start(&call, "SET");
        im_link_call_z(&call, "key");
        im_link_call_generation(&call);
        im_link_call_encode(&call, &out, im_str_z("g"), &place);

        assert_true(!!alloc_failed() == out.failed);
        im_link_call_cleanup(&call);
        im_buf_cleanup(&out);

        if (!alloc_failed()) {
            break;
        }
    }

    assert_true(n > 2);
}


/* What redis-cli CLUSTER KEYSLOT says. */
static void
test_slot(void **state)
{
    (void) state;

    assert_int_equal(im_link_slot(im_str_z("123456789")), 12739);
    assert_int_equal(im_link_slot(im_str_z("foo")), 12182);
    assert_int_equal(im_link_slot(im_str_z("")), 0);
    assert_int_equal(im_link_slot(im_str_z("im:{foo}:q")), 12182);
    assert_int_equal(im_link_slot(im_str_z("{foo}{bar}")), 12182);
    assert_int_equal(im_link_slot(im_str_z("im:{reg}:nodes")), 7926);

    /* without a tag all of it counts */
    assert_int_equal(im_link_slot(im_str_z("foo{}{bar}")), 8363);
    assert_int_equal(im_link_slot(im_str_z("{foo")), im_partition(
                                           im_str_z("{foo"), 16384));
    assert_int_equal(im_link_slot(im_str_z("foo}")), im_partition(
                                           im_str_z("foo}"), 16384));
    assert_int_equal(im_link_slot(im_str_z("{")), im_partition(
                                           im_str_z("{"), 16384));
    assert_int_equal(im_link_slot(im_str_z("}{foo}")), 12182);
    assert_int_equal(im_link_slot(im_str_z("a{{b}}")),
                     im_link_slot(im_str_z("{b")));
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_command),
    alloc_test(test_script),
    alloc_test(test_many),
    alloc_test(test_limits),
    alloc_test(test_no_memory),
    alloc_test(test_slot)
};


test_main(tests)
