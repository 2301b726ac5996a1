/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol in Protobuf: bytes that Centrifugo and its clients
 * have exchanged, what a decoder takes, and what it costs.
 */

#include "test.h"
#include "copy.h"
#include "tell.h"
#include "im_wire.h"
#include "im_json.h"
#include "im_ws.h"


#define UUID   "01234567-89ab-cdef-0123-456789abcdef"
#define EPOCH  "AfZryFsA"
#define proto  im_proto_centrifuge_pb


static im_buf_t  arena;
static im_buf_t  b;
static u_char    bytes[1 << 16];


/* Pairs of hex digits and texts in ''; U is a UUID. */
static im_str_t
hex(const char *p)
{
    size_t  n;
    u_int   byte;

    n = 0;

    while (*p != '\0') {
        if (*p == ' ') {
            p++;

        } else if (*p == '\'') {
            for (p++; *p != '\''; p++) {
                bytes[n++] = (u_char) *p;
            }

            p++;

        } else if (*p == 'U') {
            memcpy(&bytes[n], UUID, 36);
            n += 36;
            p++;

        } else {
            assert_int_equal(sscanf(p, "%2x", &byte), 1);
            bytes[n++] = (u_char) byte;
            p += 2;
        }
    }

    return im_str_set(bytes, n);
}


/* All commands of a message, one a line. */
static void
check_bytes(im_str_t message, int connected, const char *wanted)
{
    char          all[8192];
    im_str_t      s, rest;
    im_command_t  command;

    s = copy_of(message);
    rest = s;
    all[0] = '\0';

    do {
        im_buf_cleanup(&arena);
        im_buf_init(&arena, 1 << 20);
        memset(&command, 0xa5, sizeof(im_command_t));

        proto.decode(&rest, connected, &arena, &command);

        if (all[0] != '\0') {
            strcat(all, "\n");
        }

        strcat(all, tell_command(&command));
        connected = 1;
    } while (rest.len > 0);

    assert_string_equal(all, wanted);

    free(s.data);
    im_buf_cleanup(&arena);
}


static void
check(const char *text, int connected, const char *wanted)
{
    check_bytes(hex(text), connected, wanted);
}


/* From clients. */
static void
test_recorded_in(void **state)
{
    size_t  i;

    static const struct {
        const char  *bytes;
        int          connected;
        const char  *wanted;
    } cases[] = {
        { "11 08 01 22 0d 12 07 7b 22 61 22 3a 31 7d 22 02 6a 73"
          "17 08 02 2a 13 0a 04 74 65 73 74 42 07 7b 22 73 22 3a 31 7d 58 01"
          "70 01", 0,
          "connect 1 data={\"a\":1} name=js\n"
          "subscribe 2 topic=r:test data={\"s\":1} join_leave" },
        { "04 08 01 22 00", 0, "connect 1" },
        { "08 08 01 22 04 22 02 6a 73", 0, "connect 1 name=js" },
        { "0c 08 02 2a 08 0a 04 74 65 73 74 70 01", 1,
          "subscribe 2 topic=r:test" },
        { "19 08 03 3a 15 0a 04 74 65 73 74 12 0d"
          "7b 22 6d 79 22 3a 22 64 61 74 61 22 7d", 1,
          "publish 3 topic=r:test data={\"my\":\"data\"}" },
        { "00", 1, "pong 0" },
        { "0a 08 04 4a 06 0a 04 74 65 73 74"
          "0c 08 05 52 08 0a 04 74 65 73 74 38 00", 1,
          "presence_stats 4 topic=r:test\nhistory 5 topic=r:test limit=0" },
        { "10 08 07 52 0c 0a 04 74 65 73 74 38 0a 42 02 08 00", 1,
          "history 7 topic=r:test since=:0 limit=10" },
        { "0a 08 05 42 06 0a 04 74 65 73 74", 1, "presence 5 topic=r:test" },
        { "0b 08 08 6a 07 0a 02 7b 7d 12 01 6d", 1, "rpc 8 data={} method=m" },
        { "0a 08 0a 32 06 0a 04 74 65 73 74", 1,
          "unsubscribe 10 topic=r:test" },
        { "0a 08 03 4a 06 0a 04 74 65 73 74", 1,
          "presence_stats 3 topic=r:test" },
        /* a pong among commands; ids in any place */
        { "00 04 6a 00 08 07 00", 1, "pong 0\nrpc 7\npong 0" },
        /* the rest, and what is ignored */
        { "31 08 01 22 2d 0a 01 't' 1a 0c 0a 01 '#' 12 07 18 01 32 01 'e' 38 07"
          "1a 08 0a 02 '#a' 12 02 18 01 1a 04 0a 02 '#b'"
          "1a 03 0a 01 'n' 2a 01 '5' 38 01 42 00", 0,
          "connect 1 token=t version=5 resume=b at=e:7 resume=u:a at=:0" },
        { "1c 08 02 2a 18 0a 02 '$c' 12 01 't' 18 01 32 01 'e' 38 03 48 01"
          "50 01 58 01 70 03 62 00", 1,
          "subscribe 2 token=t topic=r:$c since=e:3 join_leave strict" },
        { "05 62 03 0a 01 '1'", 1, "send 0 data=1" },
        { "07 08 09 72 03 0a 01 't'", 1, "refresh 9 token=t" },
        { "0a 08 09 7a 06 0a 01 'a' 12 01 't'", 1,
          "sub_refresh 9 token=t topic=r:a" },
        /* presence_stats comes before history, publish before all of these */
        { "0e 08 04 52 03 0a 01 'a' 4a 03 0a 01 'b' 60 00", 1,
          "fault 3501 wrong wire type" },
        { "0c 08 04 52 03 0a 01 'a' 4a 03 0a 01 'b'", 1,
          "presence_stats 4 topic=r:b" },
        { "06 08 01 2a 00 22 00", 0, "connect 1" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        check(cases[i].bytes, cases[i].connected, cases[i].wanted);
    }
}


/* What a decoder must take, and what it must refuse. */
static void
test_rules(void **state)
{
    size_t  i;

    static const char *const  cases[][2] = {
        /* default values, twice, non-minimal, 32 bits */
        { "06 08 00 62 00 18 00", "send 0" },
        { "06 08 01 08 02 6a 00", "rpc 2" },
        { "06 08 82 80 00 6a 00", "rpc 2" },
        { "86 00 08 82 80 00 6a 00", "rpc 2" },
        { "08 08 ff ff ff ff 0f 6a 00", "rpc 4294967295" },
        { "08 08 85 80 80 80 10 6a 00",
          "fault 3501 id is not a 32-bit number" },
        { "0d 08 ff ff ff ff ff ff ff ff ff 01 6a 00",
          "fault 3501 id is not a 32-bit number" },
        { "0e 08 ff ff ff ff ff ff ff ff ff ff 01 6a 00",
          "fault 3501 varint overflow" },
        /* a message twice is merged */
        { "0f 08 01 2a 05 0a 01 'a' 18 01 2a 04 0a 02 'bb'",
          "subscribe 1 topic=r:bb since=:0" },
        { "0d 08 01 2a 04 0a 02 'bb' 2a 03 58 80 01",
          "subscribe 1 topic=r:bb join_leave" },
        { "14 08 01 52 07 0a 01 'a' 42 02 08 05 52 07 42 05 12 03 'eee'",
          "history 1 topic=r:a since=eee:5 limit=0" },
        /* numbers */
        { "09 08 01 2a 05 0a 01 'a' 18 02", "subscribe 1 topic=r:a since=:0" },
        { "0a 08 01 2a 06 0a 01 'a' 18 80 00", "subscribe 1 topic=r:a" },
        { "12 08 01 52 0e 0a 01 'a' 38 ff ff ff ff ff ff ff ff ff 01",
          "history 1 topic=r:a limit=300" },
        { "0d 08 01 52 09 0a 01 'a' 38 81 80 80 80 10",
          "history 1 topic=r:a limit=1" },
        { "14 08 01 2a 10 0a 01 'a' 38 ff ff ff ff ff ff ff ff ff 01 18 01",
          "subscribe 1 topic=r:a since=:18446744073709551615" },
        { "09 08 01 2a 05 0a 01 'a' 70 02", "subscribe 1 topic=r:a strict" },
        { "09 08 01 2a 05 0a 01 'a' 78 01", "error 1 108" },
        { "09 08 01 2a 05 0a 01 'a' 6a 01 78", "fault 3501 "
          "parent stream too short" },
        { "0a 08 01 2a 06 0a 01 'a' 6a 01 78", "error 1 107" },
        { "09 08 01 3a 05 0a 01 'a' 18 01", "error 1 108" },
        { "0c 08 01 3a 08 0a 01 'a' 12 01 '1' 18 01", "error 1 108" },
        { "07 08 01 3a 03 0a 01 'a'", "error 1 107" },
        { "0d 08 01 52 09 0a 01 'a' 42 02 12 00 48 01", "error 1 107" },
        /* unknown fields are skipped, but for groups */
        { "07 08 01 6a 00 c0 3e 01", "rpc 1" },
        { "0e 08 01 6a 00 c1 3e 01 02 03 04 05 06 07 08", "rpc 1" },
        { "08 08 01 6a 00 c2 3e 01 02", "rpc 1" },
        { "0a 08 01 6a 00 c5 3e 01 02 03 04", "rpc 1" },
        { "08 08 01 6a 00 c3 3e c4 3e", "fault 3501 invalid wire_type" },
        { "06 08 01 6a 00 c4 3e", "fault 3501 invalid wire_type" },
        { "07 08 01 6a 00 c6 3e 00", "fault 3501 invalid wire_type" },
        { "07 08 01 6a 00 c7 3e 00", "fault 3501 invalid wire_type" },
        { "06 08 01 6a 00 00 01", "fault 3501 zero tag" },
        { "06 08 01 6a 00 02 00", "fault 3501 zero tag" },
        /* wrong wire types of known fields */
        { "05 0a 01 01 6a 00", "fault 3501 wrong wire type" },
        { "07 0d 01 00 00 00 6a 00", "fault 3501 wrong wire type" },
        { "04 08 01 68 00", "fault 3501 wrong wire type" },
        { "06 08 01 6a 02 08 01", "fault 3501 wrong wire type" },
        { "06 08 01 6a 02 10 01", "fault 3501 wrong wire type" },
        { "0b 08 01 6a 07 15 01 00 00 00 0a 00",
          "fault 3501 wrong wire type" },
        { "08 08 01 2a 04 1a 02 18 01", "fault 3501 wrong wire type" },
        /* what is cut, at each level */
        { "00 01", "pong 0\nfault 3501 a command is cut" },
        { "80", "fault 3501 a length is cut" },
        { "05 08 01 6a 00", "fault 3501 a command is cut" },
        { "06 08 01 6a 05 0a 00", "fault 3501 parent stream too short" },
        { "06 08 01 6a 02 0a 05", "fault 3501 parent stream too short" },
        { "02 08 80", "fault 3501 end-of-stream" },
        { "01 80", "fault 3501 end-of-stream" },
        { "05 6a 00 c1 3e 01", "fault 3501 end-of-stream" },
        { "ff ff ff ff 0f 08 01", "fault 3501 a command is cut" },
        { "ff ff ff ff ff ff ff ff ff 01 08",
          "fault 3501 a command is cut" },
        { "ff ff ff ff ff ff ff ff ff 02 08",
          "fault 3501 a length is too long" },
        { "80 80 80 80 80 80 80 80 80 80 00",
          "fault 3501 a length is too long" },
        { "", "fault 3501 an empty message" },
        /* strings */
        { "09 08 01 2a 05 0a 03 'r' 00 'x'", "error 1 107" },
        { "08 08 01 2a 04 0a 02 ff fe", "error 1 107" },
        { "06 08 01 2a 02 0a 00", "fault 3501 no channel" },
        { "04 08 01 2a 00", "fault 3501 no channel" },
        { "08 08 01 6a 04 12 02 ff fe", "fault 3501 a string is not UTF-8" },
        { "08 08 01 72 04 0a 02 c3 28", "fault 3501 a string is not UTF-8" },
        { "08 08 01 6a 04 0a 02 ff fe", "rpc 1 data=\xff\xfe" },
        /* the rules of JSON */
        { "04 08 01 5a 00", "fault 3501 ping is not a command" },
        { "02 08 01", "fault 3501 no method" },
        { "02 6a 00", "fault 3501 no id" },
        { "04 08 01 22 00", "fault 3501 connected already" },
        { "04 08 01 72 00", "fault 3501 no token" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        check(cases[i][0], 1, cases[i][1]);
    }

    check("04 08 01 6a 00", 0, "fault 3501 the first command is not connect");
    check("00", 0, "fault 3501 the first command is not connect");

    /* in the map of connect */
    check("0a 08 01 22 06 1a 04 12 02 18 01", 0, "connect 1");
    check("06 08 01 22 02 18 01", 0, "fault 3501 wrong wire type");
    check("08 08 01 22 04 1a 02 10 01", 0, "fault 3501 wrong wire type");
    check("0c 08 01 22 08 1a 06 12 04 32 02 ff fe", 0,
          "fault 3501 a string is not UTF-8");
}


/* Cut at each place, a message is a fault or fewer commands. */
static void
test_cut(void **state)
{
    size_t        i;
    im_str_t      whole, s, rest;
    im_command_t  command;

    (void) state;

    for (i = 0; i < 49; i++) {
        whole = hex("11 08 01 22 0d 12 07 7b 22 61 22 3a 31 7d 22 02 6a 73"
                    "17 08 02 2a 13 0a 04 74 65 73 74 42 07 7b 22 73 22 3a 31"
                    "7d 58 01 70 01 05 08 01 6a 01 0a");
        assert_int_equal(whole.len, 48);

        s = copy_of(im_str_set(whole.data, i));
        rest = s;

        do {
            im_buf_init(&arena, 1 << 20);
            proto.decode(&rest, rest.data != s.data, &arena, &command);
            im_buf_cleanup(&arena);
        } while (rest.len > 0);

        assert_int_equal(command.type,
                         i == 18 ? IM_COMMAND_CONNECT
                         : i == 42 ? IM_COMMAND_SUBSCRIBE : IM_COMMAND_FAULT);
        free(s.data);
    }
}


/* However small the parts of a message are, they cost no memory. */
static void
test_memory(void **state)
{
    size_t         i, n, most;
    u_char        *p;
    im_str_t       rest;
    im_uint_t      nresumes;
    im_command_t   command;

    static const char *const  parts[] = {
        "1a 00", "1a 02 12 00", "1a 07 0a 01 '#' 12 02 18 01", "38 00", "0a 00"
    };

    (void) state;

    for (i = 0; i < test_count(parts); i++) {
        n = hex(parts[i]).len;
        p = malloc(65536);
        assert_non_null(p);

        most = 0;

        while (most + n <= 65000) {
            memcpy(p + 9 + most, bytes, n);
            most += n;
        }

        /* lengths of three bytes, the outer one with the inner's six */
        p[0] = (u_char) ((most + 6) | 0x80);
        p[1] = (u_char) ((most + 6) >> 7 | 0x80);
        p[2] = (u_char) ((most + 6) >> 14);
        p[3] = 0x08;
        p[4] = 0x01;
        p[5] = 0x22;
        p[6] = (u_char) (most | 0x80);
        p[7] = (u_char) (most >> 7 | 0x80);
        p[8] = (u_char) (most >> 14);

        rest = im_str_set(p, most + 9);
        im_buf_init(&arena, 1 << 20);
        proto.decode(&rest, 0, &arena, &command);

        nresumes = i == 2 ? IM_RESUMES_MAX : 0;
        assert_int_equal(command.type, i == 2 ? IM_COMMAND_FAULT
                                              : IM_COMMAND_CONNECT);
        assert_int_equal(command.nresumes, nresumes);
        assert_true(arena.size < 2 * 65536);

        im_buf_cleanup(&arena);
        free(p);
    }
}


static void
test_many(void **state)
{
    size_t        i, n;
    u_char        many[1000 * 6];
    im_str_t      rest;
    im_command_t  command;

    (void) state;

    for (i = 0; i < 1000; i++) {
        memcpy(&many[6 * i], hex("05 08 81 00 6a 00").data, 6);
    }

    rest = im_str_set(many, sizeof(many));
    im_buf_init(&arena, 1 << 20);

    for (n = 0; rest.len > 0; n++) {
        im_buf_reset(&arena, 65536);
        proto.decode(&rest, 1, &arena, &command);
        assert_int_equal(command.type, IM_COMMAND_RPC);
    }

    assert_int_equal(n, 1000);
    im_buf_cleanup(&arena);
}


/* The message of the frame in b. */
static im_str_t
payload(void)
{
    size_t    header;
    u_char    wanted[IM_WS_MAX_HEADER];
    im_str_t  s;

    assert_false(b.failed);
    assert_true(b.len >= 2);

    header = b.data[1] < 126 ? 2 : b.data[1] == 126 ? 4 : 10;
    s = im_str_set(b.data + header, b.len - header);

    assert_int_equal(im_ws_header(wanted, IM_WS_BINARY, s.len), header);
    assert_memory_equal(b.data, wanted, header);

    return s;
}


static const im_envelope_t  envelopes[] = {
    { .type = IM_PUSH_JSON, .data = im_str("hello"), .session = im_str(UUID) },
    { .type = IM_PUSH_JSON, .data = im_str("{\"my\":\"data\"}"),
      .session = im_str(UUID) },
    { .type = IM_PUSH_JSON, .data = im_str("{\"api\": 1}") },
    { .type = IM_PUSH_BINARY, .data = im_str("\x01\x02\xff") },
    { .type = IM_PUSH_JSON, .data = im_str("1"),
      .tags = im_str("{\"a\": \"b\" , \"k\":\"\\u0076\"}") },
    { .type = IM_PUSH_TEXT, .data = im_str("t"), .user = im_str("42"),
      .session = im_str("s"), .info = im_str("\xff"),
      .tags = im_str("{\"\":\"\"}") },
    { .type = IM_PUSH_TEXT, .data = im_str("t"), .tags = im_str("[1]") }
};

static const im_message_t  messages[] = {
    { .topic = im_str("r:test"), .seq = 4, .numbered = 1,
      .envelope = &envelopes[0] },
    { .topic = im_str("r:test"), .seq = 1, .numbered = 1,
      .envelope = &envelopes[1] },
    { .topic = im_str("r:jl:a"), .seq = 9, .envelope = &envelopes[2] },
    { .topic = im_str("r:jl:a"), .envelope = &envelopes[3] },
    { .topic = im_str("r:jl:a"), .envelope = &envelopes[4] },
    { .topic = im_str("u:ann"), .envelope = &envelopes[5] },
    { .topic = im_str("b"), .envelope = &envelopes[6] }
};


static void
test_message(void **state)
{
    size_t    i;
    im_str_t  s;

    /* what Centrifugo sent, but for the epoch of its first publication */
    static const char *const  wanted[] = {
        "3b 22 39 12 04 'test' 22 31 22 05 'hello' 2a 26 12 24 U 30 04",
        "43 22 41 12 04 'test' 22 39 22 0d 7b 22 6d 79 22 3a 22 64 61 74 61"
        "22 7d 2a 26 12 24 U 30 01",
        "16 22 14 12 04 6a 6c 3a 61 22 0c 22 0a 7b 22 61 70 69 22 3a 20 31 7d",
        "0f 22 0d 12 04 6a 6c 3a 61 22 05 22 03 01 02 ff",
        "1d 22 1b 12 04 6a 6c 3a 61 22 13 22 01 31 3a 06 0a 01 61 12 01 62"
        "3a 06 0a 01 6b 12 01 76",
        "1f 22 1d 12 04 '#ann' 22 15 22 01 't' 2a 0a 0a 02 '42' 12 01 's'"
        "1a 01 ff 3a 04 0a 00 12 00",
        "0a 22 08 12 01 '#' 22 03 22 01 't'"
    };

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(wanted); i++) {
        im_buf_reset(&b, 1 << 20);
        proto.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws,
                                            &messages[i]);
        s = hex(wanted[i]);

        if (!im_str_eq(payload(), s)) {
            fail_msg("message %zu", i);
        }
    }

    im_buf_cleanup(&b);
}


static const im_subscribed_t  subs[] = {
    { .topic = im_str("r:test"), .at = { im_str(EPOCH), 0 }, .recoverable = 1,
      .positioned = 1 },
    { .topic = im_str("r:test"), .at = { im_str(EPOCH), 2 }, .recoverable = 1,
      .positioned = 1 },
    { .topic = im_str("r:jl:s"), .at = { im_str(EPOCH), 2 },
      .data = im_str("{\"d\": 1}") },
    { .topic = im_str("r:test"), .at = { im_str(EPOCH), 3 }, .recoverable = 1,
      .positioned = 1, .recovering = 1, .recovered = 1, .messages = messages,
      .nmessages = 1 },
    { .topic = im_str("r:test"), .at = { im_str(EPOCH), 4 }, .recoverable = 1,
      .positioned = 1, .recovering = 1, .messages = messages, .nmessages = 1 },
    { .topic = im_str("r:test2"), .at = { im_str(EPOCH), 0 }, .recoverable = 1,
      .positioned = 1 },
    { .topic = im_str("r:test3"), .at = { im_str(EPOCH), 0 }, .recoverable = 1,
      .positioned = 1, .data = im_str("{\"z\": 1}") },
    { .topic = im_str("r:test"), .at = { im_str(EPOCH), 3 } }
};

static const im_member_t  clients[] = {
    { .session = im_str(UUID) },
    { .session = im_str(UUID), .user = im_str("42"),
      .info = im_str("{\"n\": \"x\"}") },
    { .session = im_str("s"), .user = im_str("u"),
      .room_info = im_str("{}") }
};


/* Where Centrifugo sends its version, ours is "im". */
static const struct {
    im_reply_t   reply;
    const char  *wanted;
} replies[] = {
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str(UUID), .ping = 4,
        .pong = 1 },
      "32 08 01 2a 2e 0a 24 U 12 02 'im' 38 04 40 01" },
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str(UUID), .ping = 4,
        .pong = 1, .secret = im_str(UUID), .node = im_str(UUID) },
      "7e 08 01 2a 7a 0a 24 U 12 02 'im' 38 04 40 01 4a 24 U 52 24 U" },
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str("s"), .ttl = 60,
        .data = im_str("d"), .subs = &subs[2], .nsubs = 1 },
      "26 08 01 2a 22 0a 01 's' 12 02 'im' 18 01 20 3c 2a 01 'd'"
      "32 12 0a 04 'jl:s' 12 0a 5a 08 '{\"d\": 1}'" },
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str("s"),
        .subs = &subs[5], .nsubs = 1 },
      "24 08 01 2a 20 0a 01 's' 12 02 'im'"
      "32 17 0a 05 'test2' 12 0e 18 01 32 08 '" EPOCH "' 50 01" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[0], .nsubs = 1 },
      "12 08 02 32 0e 18 01 32 08 41 66 5a 72 79 46 73 41 50 01" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[1], .nsubs = 1 },
      "14 08 02 32 10 18 01 32 08 41 66 5a 72 79 46 73 41 48 02 50 01" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[7], .nsubs = 1 },
      "04 08 02 32 00" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[3], .nsubs = 1 },
      "4b 08 02 32 47 18 01 32 08 '" EPOCH "' 3a 31 22 05 'hello' 2a 26 12 24"
      "U 30 04 40 01 48 03 50 01 60 01" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[4], .nsubs = 1 },
      "16 08 02 32 12 18 01 32 08 '" EPOCH "' 48 04 50 01 60 01" },
    { { .type = IM_REPLY_PUBLISH, .id = 3 }, "04 08 03 42 00" },
    { { .type = IM_REPLY_PING }, "00" },
    { { .type = IM_REPLY_PRESENCE_STATS, .id = 4 }, "04 08 04 52 00" },
    { { .type = IM_REPLY_HISTORY, .id = 5, .subs = &subs[7], .nsubs = 1 },
      "10 08 05 5a 0c 12 08 41 66 5a 72 79 46 73 41 18 03" },
    { { .type = IM_REPLY_PRESENCE, .id = 5, .clients = clients,
        .nclients = 1 },
      "54 08 05 4a 50 0a 4e 0a 24 U 12 26 12 24 U" },
    { { .type = IM_REPLY_PRESENCE, .id = 5, .clients = &clients[2],
        .nclients = 1 },
      "15 08 05 4a 11 0a 0f 0a 01 's' 12 0a 0a 01 'u' 12 01 's' 22 02 '{}'" },
    { { .type = IM_REPLY_PRESENCE, .id = 5 }, "04 08 05 4a 00" },
    { { .type = IM_REPLY_PRESENCE_STATS, .id = 6, .nclients = 1, .nusers = 1 },
      "08 08 06 52 04 08 01 10 01" },
    { { .type = IM_REPLY_RPC, .id = 8, .data = im_str("{}") },
      "08 08 08 6a 04 0a 02 7b 7d" },
    { { .type = IM_REPLY_ERROR, .id = 8, .error = IM_ERROR_NOT_AVAILABLE },
      "15 08 08 12 11 08 6c 12 0d 6e 6f 74 20 61 76 61 69 6c 61 62 6c 65" },
    { { .type = IM_REPLY_ERROR, .id = 9, .error = IM_ERROR_UNKNOWN_CHANNEL },
      "17 08 09 12 13 08 66 12 0f 'unknown channel'" },
    { { .type = IM_REPLY_ERROR, .id = 1, .error = IM_ERROR_TOKEN_EXPIRED },
      "15 08 01 12 11 08 6d 12 0d 'token expired'" },
    { { .type = IM_REPLY_ERROR, .id = 1, .error = IM_ERROR_INTERNAL },
      "1f 08 01 12 1b 08 64 12 15 'internal server error' 18 01" },
    { { .type = IM_REPLY_ERROR, .id = 1, .code = 1000, .reason = im_str("x"),
        .temporary = 1 },
      "0c 08 01 12 08 08 e8 07 12 01 'x' 18 01" },
    { { .type = IM_REPLY_UNSUBSCRIBE, .id = 10 }, "04 08 0a 3a 00" },
    { { .type = IM_REPLY_PUSH_JOIN, .topic = im_str("r:jl:a"),
        .clients = clients, .nclients = 1 },
      "32 22 30 12 04 'jl:a' 2a 28 0a 26 12 24 U" },
    { { .type = IM_REPLY_PUSH_LEAVE, .topic = im_str("r:jl:a"),
        .clients = clients, .nclients = 1 },
      "32 22 30 12 04 'jl:a' 32 28 0a 26 12 24 U" },
    { { .type = IM_REPLY_PUSH_JOIN, .topic = im_str("r:jl:a"),
        .clients = &clients[1], .nclients = 1 },
      "42 22 40 12 04 'jl:a' 2a 38 0a 36 0a 02 '42' 12 24 U 1a 0a"
      "'{\"n\": \"x\"}'" },
    { { .type = IM_REPLY_PUSH_UNSUBSCRIBE, .topic = im_str("r:jl:a"),
        .code = IM_UNSUBSCRIBED_SERVER,
        .reason = im_str("server unsubscribe") },
      "21 22 1f 12 04 6a 6c 3a 61 3a 17 10 d0 0f 1a 12 'server unsubscribe'" },
    { { .type = IM_REPLY_PUSH_SUBSCRIBE, .topic = im_str("r:test3"),
        .subs = &subs[6], .nsubs = 1 },
      "23 22 21 12 05 'test3' 4a 18 08 01 22 08 '" EPOCH "' 30 01"
      "3a 08 '{\"z\": 1}'" },
    { { .type = IM_REPLY_PUSH_REFRESH, .ttl = 1000 },
      "09 22 07 62 05 08 01 10 e8 07" },
    { { .type = IM_REPLY_REFRESH, .id = 4, .ttl = 99,
        .session = im_str(UUID) },
      "08 08 04 72 04 18 01 20 63" },
    { { .type = IM_REPLY_SUB_REFRESH, .id = 4, .ttl = 100 },
      "08 08 04 7a 04 08 01 10 64" },
    { { .type = IM_REPLY_DISCONNECT, .code = 3503,
        .reason = im_str("force disconnect") },
      "19 22 17 5a 15 08 af 1b 12 10 'force disconnect'" }
};


static void
test_reply(void **state)
{
    size_t    i;
    im_str_t  s;

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(replies); i++) {
        im_buf_reset(&b, 1 << 20);
        proto.reply(&b, &im_transport_ws, &replies[i].reply);
        s = hex(replies[i].wanted);

        if (!im_str_eq(payload(), s)) {
            fail_msg("reply %zu", i);
        }
    }

    im_buf_cleanup(&b);
}


/* Lengths of one, two and three bytes. */
static void
test_long(void **state)
{
    size_t        i;
    u_char       *data;
    im_str_t      s;
    im_reply_t    reply;

    static const struct {
        size_t       len;
        const char  *head;
    } cases[] = {
        { 120, "7e 08 01 6a 7a 0a 78" },
        { 122, "80 01 08 01 6a 7c 0a 7a" },
        { 16000, "88 7d 08 01 6a 83 7d 0a 80 7d" },
        { 1000000, "ca 84 3d 08 01 6a c4 84 3d 0a c0 84 3d" }
    };

    (void) state;

    data = malloc(1000000);
    assert_non_null(data);
    memset(data, 'x', 1000000);

    for (i = 0; i < test_count(cases); i++) {
        memset(&reply, 0, sizeof(im_reply_t));
        reply.type = IM_REPLY_RPC;
        reply.id = 1;
        reply.data = im_str_set(data, cases[i].len);

        im_buf_init(&b, 1 << 20);
        proto.reply(&b, &im_transport_ws, &reply);

        s = hex(cases[i].head);
        assert_int_equal(payload().len, s.len + cases[i].len);
        assert_memory_equal(payload().data, s.data, s.len);
        assert_memory_equal(payload().data + s.len, data, cases[i].len);
        im_buf_cleanup(&b);
    }

    free(data);
}


static void
test_moved(void **state)
{
    im_str_t         s;
    im_subscribed_t  sub;

    (void) state;

    memset(&sub, 0, sizeof(im_subscribed_t));
    sub.topic = im_str_z("u:1");
    sub.at.epoch = im_str_z("e");
    sub.at.seq = 7;
    sub.recoverable = 1;
    sub.recovering = 1;
    sub.recovered = 1;

    im_buf_init(&b, 1024);

    assert_int_equal(proto.forms[IM_FORM_PLAIN]->moved(&b, &im_transport_ws,
                                                       &sub), IM_OK);
    s = hex("0f 22 0d 12 02 '#1' 4a 07 08 01 22 01 'e' 28 07");
    assert_true(im_str_eq(payload(), s));

    sub.topic = im_str_z("r:1");
    assert_int_equal(proto.forms[IM_FORM_PLAIN]->moved(&b, &im_transport_ws,
                                                       &sub), IM_DECLINED);
    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    size_t        n, failed;
    im_str_t      rest;
    im_command_t  command;

    (void) state;

    failed = 0;

    for (n = 1; n < 200; n++) {
        im_buf_init(&b, 1 << 20);
        alloc_fail_at(n);

        if (n % 2) {
            proto.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws,
                                                &messages[4]);

        } else {
            proto.reply(&b, &im_transport_ws, &replies[7].reply);
        }

        assert_int_equal(b.failed, alloc_failed());
        failed += b.failed;
        alloc_fail_at(0);
        im_buf_cleanup(&b);
        assert_int_equal(alloc_live(), 0);
    }

    assert_true(failed > 2);

    rest = hex("04 08 01 22 00");
    im_buf_init(&arena, 1 << 20);
    alloc_fail_all();
    proto.decode(&rest, 0, &arena, &command);
    alloc_fail_at(0);
    assert_int_equal(command.type, IM_COMMAND_FAULT);
    assert_int_equal(command.fault, IM_REASON_BUSY);
    im_buf_cleanup(&arena);

    /* no more than a limit */

    for (n = 0; n < 77; n++) {
        im_buf_init(&b, n);
        proto.reply(&b, &im_transport_ws, &replies[7].reply);
        assert_true(b.failed);
        im_buf_cleanup(&b);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_recorded_in),
    alloc_test(test_rules),
    alloc_test(test_cut),
    alloc_test(test_memory),
    alloc_test(test_many),
    alloc_test(test_message),
    alloc_test(test_reply),
    alloc_test(test_long),
    alloc_test(test_moved),
    alloc_test(test_no_memory)
};

test_main(tests)
