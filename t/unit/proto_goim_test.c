/*
 * Copyright (C) The im authors
 *
 * The goim protocol byte by byte, and the packets of a TCP stream that is cut
 * anywhere.
 */

#include "test.h"
#include "im_accept.h"
#include "im_proto.h"
#include "im_wire.h"


#define MAX_BYTES  8192


static im_buf_t      arena, out;
static im_command_t  command;
static u_char        bytes[MAX_BYTES];


/* A packet in bytes; its length. */
static size_t
packet(int32_t op, uint16_t version, uint32_t seq, const char *body)
{
    im_buf_t  b;

    im_buf_fixed(&b, bytes, sizeof(bytes));
    im_buf_add_u32(&b, 16 + strlen(body));
    im_buf_add_u16(&b, 16);
    im_buf_add_u16(&b, version);
    im_buf_add_u32(&b, (uint32_t) op);
    im_buf_add_u32(&b, seq);
    im_buf_add_z(&b, body);

    return b.len;
}


static void
decode_bytes(size_t len, int connected)
{
    im_str_t  rest;

    im_buf_reset(&arena, arena.max);
    memset(&command, 0xa5, sizeof(im_command_t));

    rest = im_str_set(bytes, len);
    im_proto_goim.decode(&rest, connected, &arena, &command);

    assert_int_equal(rest.len, 0);
}


static void
decode(int32_t op, const char *body, int connected)
{
    decode_bytes(packet(op, 3, 0x01020304, body), connected);
}


/* The answer is a packet of that operation and body. */
static void
expect_answer(int32_t op, const char *body)
{
    size_t  len;

    len = packet(op, 3, 0x01020304, body);

    assert_true(im_str_eq(command.answer, im_str_set(bytes, len)));
}


static int
setup(void **state)
{
    im_buf_init(&arena, 1 << 20);
    im_buf_init(&out, 1 << 20);

    return alloc_setup(state);
}


static int
teardown(void **state)
{
    im_buf_cleanup(&arena);
    im_buf_cleanup(&out);

    return alloc_teardown(state);
}


static void
test_auth(void **state)
{
    (void) state;

    decode(7, "{\"mid\":123, \"room_id\":\"live://1000\", "
              "\"platform\":\"web\", \"accepts\":[1000,1001,-7], \"x\":{}}",
           0);

    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    test_str(command.user, "123");
    test_str(command.room, "live://1000");
    test_str(command.key, "");
    assert_int_equal(command.id, 0);
    assert_int_equal(command.token.data[0], '{');
    assert_int_equal(command.nops, 3);
    assert_int_equal(command.ops[0], 1000);
    assert_int_equal(command.ops[1], 1001);
    assert_int_equal(command.ops[2], -7);
    expect_answer(8, "");

    /* as Go has it: names in any case, null is nothing */
    decode(7, "{\"Mid\":0,\"KEY\":\"k\\u00e9y\",\"room_id\":\"\","
              "\"accepts\":null,\"token\":\"secret\"}", 0);

    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    assert_int_equal(command.user.len, 0);
    test_str(command.key, "k\xc3\xa9y");
    test_str(command.token, "secret");
    assert_int_equal(command.room.len, 0);
    assert_int_equal(command.nops, 0);
    assert_non_null(command.ops);

    decode(7, "{}", 0);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    test_str(command.token, "{}");

    decode(7, "{\"mid\":-4}", 0);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    assert_int_equal(command.user.len, 0);

    decode(7, "{\"mid\":9223372036854775807}", 0);
    test_str(command.user, "9223372036854775807");
}


static void
test_auth_faults(void **state)
{
    size_t  i;

    static const char *const  bodies[] = {
        "", "null", "[]", "{", "\xff", "{\"mid\":\"1\"}", "{\"mid\":1.5}",
        "{\"mid\":9223372036854775808}", "{\"accepts\":1000}",
        "{\"accepts\":[\"1000\"]}", "{\"accepts\":[1.5]}",
        "{\"accepts\":[2147483648]}", "{\"accepts\":[-2147483649]}",
        "{\"accepts\":[null]}", "{\"key\":\"a\\nb\"}", "{\"key\":7}",
        "{\"room_id\":7}"
    };

    (void) state;

    for (i = 0; i < test_count(bodies); i++) {
        decode(7, bodies[i], 0);

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_BAD_REQUEST);
        assert_non_null(command.why);
    }
}


/* As many operations as a set may have, and one more. */
static void
test_auth_many(void **state)
{
    char      body[MAX_BYTES / 2];
    size_t    i, n;
    im_buf_t  b;

    (void) state;

    for (n = IM_ACCEPT_OPS; n <= IM_ACCEPT_OPS + 1; n++) {
        im_buf_fixed(&b, (u_char *) body, sizeof(body) - 1);
        im_buf_add_z(&b, "{\"accepts\":[");

        for (i = 0; i < n; i++) {
            im_buf_add_z(&b, i == 0 ? "" : ",");
            im_buf_add_uint(&b, i);
        }

        im_buf_add_z(&b, "]}");
        body[b.len] = '\0';

        decode(7, body, 0);
        assert_int_equal(command.type, n > IM_ACCEPT_OPS ? IM_COMMAND_FAULT
                                                         : IM_COMMAND_CONNECT);
    }
}


/* Before AUTH only AUTH counts, and behind it there is no other. */
static void
test_order(void **state)
{
    int32_t  op;

    (void) state;

    for (op = -1; op < 20; op++) {
        if (op != 7) {
            decode(op, "1", 0);
            assert_int_equal(command.type, IM_COMMAND_NONE);
        }
    }

    decode(7, "{}", 1);
    assert_int_equal(command.type, IM_COMMAND_ANSWER);
    expect_answer(7, "");
}


static void
test_requests(void **state)
{
    (void) state;

    decode(2, "whatever", 1);
    assert_int_equal(command.type, IM_COMMAND_COUNT);
    assert_int_equal(command.answer.len, 16);

    decode(12, "live://1", 1);
    assert_int_equal(command.type, IM_COMMAND_MOVE);
    test_str(command.room, "live://1");
    expect_answer(13, "live://1");

    decode(12, "", 1);
    assert_int_equal(command.type, IM_COMMAND_MOVE);
    assert_int_equal(command.room.len, 0);
    expect_answer(13, "");

    decode(14, "1000,-1,+5,007", 1);
    assert_int_equal(command.type, IM_COMMAND_ACCEPT);
    assert_int_equal(command.nops, 4);
    assert_int_equal(command.ops[0], 1000);
    assert_int_equal(command.ops[1], -1);
    assert_int_equal(command.ops[2], 5);
    assert_int_equal(command.ops[3], 7);
    expect_answer(15, "1000,-1,+5,007");

    decode(16, "-2147483648,2147483647", 1);
    assert_int_equal(command.type, IM_COMMAND_REJECT);
    assert_int_equal(command.nops, 2);
    assert_int_equal(command.ops[0], INT32_MIN);
    assert_int_equal(command.ops[1], INT32_MAX);
    expect_answer(17, "-2147483648,2147483647");

    decode(14, "", 1);
    assert_int_equal(command.type, IM_COMMAND_ACCEPT);
    assert_int_equal(command.nops, 0);

    decode(1000, "body", 1);
    assert_int_equal(command.type, IM_COMMAND_ANSWER);
    expect_answer(1000, "");

    decode(-9, "body", 1);
    expect_answer(-9, "");
}


/* A list that is none changes nothing and is answered. */
static void
test_lists(void **state)
{
    size_t  i;

    static const char *const  lists[] = {
        ",", "1,", ",1", "1,,2", "1 ,2", "1, 2", "a", "-", "+", "1.0",
        "2147483648", "-2147483649", "99999999999999999999", "--1"
    };

    (void) state;

    for (i = 0; i < test_count(lists); i++) {
        decode(14, lists[i], 1);
        assert_int_equal(command.type, IM_COMMAND_ANSWER);
        expect_answer(15, lists[i]);
    }
}


static void
test_long_list(void **state)
{
    size_t  i;
    char    body[4097];

    (void) state;

    for (i = 0; i < 4096; i++) {
        body[i] = i & 1 ? ',' : '1';
    }

    body[4095] = '1';
    body[4096] = '\0';

    decode(14, body, 1);
    assert_int_equal(command.type, IM_COMMAND_ACCEPT);
    assert_int_equal(command.nops, 2048);
    expect_answer(15, body);
}


static void
fault(size_t len)
{
    decode_bytes(len, 1);

    assert_int_equal(command.type, IM_COMMAND_FAULT);
    assert_int_equal(command.fault, IM_REASON_BAD_REQUEST);
}


static void
test_packets(void **state)
{
    char    body[4098];
    size_t  len;

    (void) state;

    /* shorter than a header; another length than it says */
    len = packet(2, 1, 1, "");

    for (len = 0; len < 16; len++) {
        fault(len);
    }

    len = packet(2, 1, 1, "abc");
    fault(len - 1);
    fault(len + 1);

    /* a length of the header or less is one without a body */
    (void) packet(2, 1, 1, "");
    bytes[3] = 0;
    decode_bytes(16, 1);
    assert_int_equal(command.type, IM_COMMAND_COUNT);
    bytes[0] = 0xff;
    decode_bytes(16, 1);
    assert_int_equal(command.type, IM_COMMAND_COUNT);
    fault(17);

    /* a header of another length */
    (void) packet(2, 1, 1, "");
    bytes[5] = 17;
    fault(16);
    bytes[5] = 0;
    fault(16);

    /* the longest packet, and one byte more */
    memset(body, 'x', 4097);
    body[4097] = '\0';
    fault(packet(1000, 1, 1, body));
    body[4096] = '\0';
    decode_bytes(packet(1000, 1, 1, body), 1);
    assert_int_equal(command.type, IM_COMMAND_ANSWER);
}


static void
test_no_memory(void **state)
{
    unsigned long  n;

    (void) state;

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        im_buf_init(&arena, 1 << 20);

        alloc_fail_at(n);
        decode(7, "{\"mid\":1,\"accepts\":[1,2,3],\"key\":\"a\"}", 0);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_BUSY);
    }

    alloc_fail_at(0);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);
}


static void
expect_out(const char *wanted, size_t len)
{
    assert_int_equal(out.failed, 0);
    assert_true(im_str_eq(im_buf_str(&out), im_str_set(wanted, len)));
    im_buf_reset(&out, out.max);
}


static void
test_replies(void **state)
{
    im_reply_t       reply;
    im_subscribed_t  sub;

    (void) state;

    memset(&reply, 0, sizeof(im_reply_t));
    memset(&sub, 0, sizeof(im_subscribed_t));

    decode(2, "", 1);
    reply.type = IM_REPLY_COUNT;
    reply.data = command.answer;
    reply.nclients = 258;

    im_proto_goim.reply(&out, &im_transport_ws, &reply);
    expect_out("\x82\x14\0\0\0\x14\0\x10\0\x03\0\0\0\x03\1\2\3\4\0\0\1\2", 22);
    im_proto_goim.reply(&out, &im_transport_tcp, &reply);
    expect_out("\0\0\0\x14\0\x10\0\x03\0\0\0\x03\1\2\3\4\0\0\1\2", 20);

    decode(12, "r", 1);
    reply.type = IM_REPLY_SUBSCRIBE;
    reply.subs = &sub;
    sub.data = command.answer;

    im_proto_goim.reply(&out, &im_transport_tcp, &reply);
    expect_out("\0\0\0\x11\0\x10\0\x03\0\0\0\x0d\1\2\3\4r", 17);

    /* a packet of pushes without any */
    decode(9, "", 1);
    reply.type = IM_REPLY_ANSWER;
    reply.data = command.answer;

    im_proto_goim.reply(&out, &im_transport_tcp, &reply);
    assert_int_equal(out.len, 0);
    im_proto_goim.reply(&out, &im_transport_ws, &reply);
    expect_out("\x82\x10\0\0\0\x10\0\x10\0\x03\0\0\0\x09\1\2\3\4", 18);

    /* the protocol has nothing of that kind */
    reply.type = IM_REPLY_ERROR;
    im_proto_goim.reply(&out, &im_transport_ws, &reply);
    reply.type = IM_REPLY_PUSH_SUBSCRIBE;
    im_proto_goim.reply(&out, &im_transport_ws, &reply);
    assert_int_equal(out.len, 0);
}


static void
test_pushes(void **state)
{
    im_wire_t      wire;
    im_message_t   m;
    im_envelope_t  e;

    (void) state;

    memset(&m, 0, sizeof(im_message_t));
    memset(&e, 0, sizeof(im_envelope_t));
    m.envelope = &e;
    m.seq = 7;
    e.operation = 1000;
    e.data = im_str_set("a\0b", 3);

    wire = im_wire(im_wire_id(&im_proto_goim, IM_FORM_PLAIN,
                              &im_transport_ws));
    wire.form->message(&out, wire.transport, &m);
    expect_out("\x82\x23"
               "\0\0\0\x23\0\x10\0\1\0\0\0\x09\0\0\0\0"
               "\0\0\0\x13\0\x10\0\1\0\0\3\xe8\0\0\0\0a\0b", 37);

    wire = im_wire(im_wire_id(&im_proto_goim, IM_FORM_PLAIN,
                              &im_transport_tcp));
    wire.form->message(&out, wire.transport, &m);
    expect_out("\0\0\0\x13\0\x10\0\1\0\0\3\xe8\0\0\0\0a\0b", 19);
}


/* Pieces as they are, "|" at the end of a message; "!" for an error. */
static void
read_stream(im_input_t *input, u_char *p, u_char *end, im_buf_t *text)
{
    im_int_t          rc;
    im_input_event_t  ev;

    while ((rc = im_transport_tcp.decode(input, &p, end, 24, &ev)) == IM_OK) {
        assert_int_equal(ev.kind, IM_KIND_BINARY);

        if (ev.type == IM_INPUT_PIECE) {
            assert_true(ev.data.len > 0);
            im_buf_add_str(text, ev.data);

        } else {
            assert_int_equal(ev.type, IM_INPUT_MESSAGE);
            im_buf_add_z(text, "|");
        }
    }

    if (rc == IM_ERROR) {
        assert_int_equal(ev.code, 1009);
        assert_non_null(ev.why);

        if (text->data[text->len - 1] != '!') {
            im_buf_add_z(text, "!");
        }

    } else {
        assert_true(p == end);
    }
}


static void
test_stream(void **state)
{
    size_t      i, at, len;
    im_buf_t    text;
    im_str_t    wanted;
    im_input_t  input;

    static u_char  stream[] =
        "\0\0\0\x11zzzzzzzzzzzza"        /* 17 bytes */
        "\0\0\0\x10zzzzzzzzzzzz"
        "\0\0\0\0zzzzzzzzzzzz"           /* 16, whatever it says */
        "\xff\0\0\0zzzzzzzzzzzz"
        "\0\0\0\x18zzzzzzzzzzzz12345678"
        "\0\0\0\x19zzzzzzzzzzzz123456789";

    static const char  out_of_it[] =
        "\0\0\0\x11zzzzzzzzzzzza|"
        "\0\0\0\x10zzzzzzzzzzzz|"
        "\0\0\0\0zzzzzzzzzzzz|"
        "\xff\0\0\0zzzzzzzzzzzz|"
        "\0\0\0\x18zzzzzzzzzzzz12345678|"
        "\0\0\0!";

    (void) state;

    len = sizeof(stream) - 1;
    wanted = im_str_set(out_of_it, sizeof(out_of_it) - 1);

    for (i = 0; i <= len + 1; i++) {
        memset(&input, 0, sizeof(im_input_t));
        im_buf_init(&text, MAX_BYTES);

        /* in two reads, and at last byte by byte */

        for (at = 0; i > len && at < len; at++) {
            read_stream(&input, stream + at, stream + at + 1, &text);
        }

        if (i <= len) {
            read_stream(&input, stream, stream + i, &text);
            read_stream(&input, stream + i, stream + len, &text);
        }

        /* of the last one so much came out as was there before its length */

        assert_true(text.len >= wanted.len - 4 && text.len <= wanted.len);
        assert_memory_equal(text.data, wanted.data, wanted.len - 4);
        assert_int_equal(text.data[text.len - 1], '!');
        assert_int_equal(input.frames, 6);
        assert_true(input.failed);

        im_buf_cleanup(&text);
        im_input_cleanup(&input);
    }
}


#define test_row(fn)  cmocka_unit_test_setup_teardown(fn, setup, teardown)

static const struct CMUnitTest  tests[] = {
    test_row(test_auth),
    test_row(test_auth_faults),
    test_row(test_auth_many),
    test_row(test_order),
    test_row(test_requests),
    test_row(test_lists),
    test_row(test_long_list),
    test_row(test_packets),
    test_row(test_no_memory),
    test_row(test_replies),
    test_row(test_pushes),
    test_row(test_stream)
};

test_main(tests)
