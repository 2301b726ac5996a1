/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol: commands, replies, pushes.
 */

#include "test.h"
#include "copy.h"
#include "tell.h"
#include "im_proto_centrifuge.h"
#include "im_wire.h"
#include "im_json.h"
#include "im_ws.h"


#define moved  im_proto_centrifuge.forms[IM_FORM_PLAIN]->moved


static im_buf_t  arena;


/* The first command; how much is left. */
static size_t
decode(im_str_t text, int connected, im_command_t *command)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, 1 << 20);

    memset(command, 0xa5, sizeof(im_command_t));

    im_proto_centrifuge.decode(&text, connected, &arena, command);

    return text.len;
}


static void
check(const char *text, int connected, const char *wanted)
{
    im_str_t      s;
    im_command_t  command;

    s = copy_of(im_str_z(text));
    assert_int_equal(decode(s, connected, &command), 0);
    assert_string_equal(tell_command(&command), wanted);
    free(s.data);
}


static void
test_connect(void **state)
{
    size_t  i;

    static const char *const  cases[][2] = {
        { "{\"id\":1,\"connect\":{}}", "connect 1" },
        { "{\"connect\":{\"name\":\"js\"},\"id\":1}", "connect 1 name=js" },
        { "{\"id\":4294967295,\"connect\":{\"token\":\"t\\u0041\","
          "\"data\":{\"a\": [1]},\"name\":\"js\",\"version\":\"5\","
          "\"headers\":{\"a\":\"b\"},\"flag\":1,\"profile\":\"x\"}}",
          "connect 4294967295 token=tA data={\"a\": [1]} name=js version=5" },
        { "{\"id\":1,\"connect\":{\"token\":null,\"subs\":null}}",
          "connect 1" },
        { "{\"id\":1,\"connect\":{\"subs\":{}}}", "connect 1" },
        { "{\"id\":1,\"connect\":{\"token\":\"t\",\"subs\":{"
          "\"#\":{\"recover\":true,\"offset\":7,\"epoch\":\"e1\"},"
          "\"#ann\":{\"recover\":true,\"epoch\":\"e2\"},"
          "\"#bob\":{\"epoch\":\"e3\",\"offset\":1},"
          "\"news\":{\"recover\":true,\"offset\":7,\"epoch\":\"e1\"},"
          "\"#\\u0001\":{\"recover\":true},"
          "\"\":1}}}",
          "connect 1 token=t resume=b at=e1:7 resume=u:ann at=e2:0" },
        /* the first method in the order of the protocol */
        { "{\"id\":1,\"rpc\":{},\"connect\":{}}", "connect 1" },
        { " {\"id\":1,\"connect\":{}} \r", "connect 1" },
        { "{\"id\":1,\"x\":[],\"connect\":{\"y\":null}}\n", "connect 1" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        check(cases[i][0], 0, cases[i][1]);
    }

    im_buf_cleanup(&arena);
}


static void
test_commands(void **state)
{
    size_t  i;

    static const char *const  cases[][2] = {
        { "{}", "pong 0" },
        { "{}\n", "pong 0" },
        { "{\"id\":0}", "pong 0" },
        { "{\"new\":{}}", "pong 0" },
        { "{\"connect\":null}", "pong 0" },
        { "{\"id\":2,\"subscribe\":{\"channel\":\"news\"}}",
          "subscribe 2 topic=r:news" },
        { "{\"subscribe\":{\"channel\":\"test\",\"flag\":1},\"id\":2}",
          "subscribe 2 topic=r:test" },
        { "{\"id\":2,\"subscribe\":{\"channel\":\"$c\",\"token\":\"t\","
          "\"data\":{},\"recover\":true,\"offset\":3,\"epoch\":\"e\","
          "\"recoverable\":true,\"positioned\":true,\"join_leave\":true,"
          "\"flag\":3,\"delta\":\"fossil\",\"tf\":null,\"type\":0}}",
          "subscribe 2 token=t topic=r:$c data={} since=e:3"
          " join_leave strict" },
        { "{\"id\":2,\"subscribe\":{\"channel\":\"r\",\"recover\":true}}",
          "subscribe 2 topic=r:r since=:0" },
        { "{\"id\":2,\"subscribe\":{\"channel\":\"\\u4f60\","
          "\"offset\":9223372036854775807}}", "subscribe 2 topic=r:\u4f60" },
        { "{\"id\":3,\"unsubscribe\":{\"channel\":\"a#b\"}}",
          "unsubscribe 3 topic=r:a#b" },
        { "{\"id\":3,\"unsubscribe\":{\"channel\":\"#\"}}",
          "unsubscribe 3 topic=b" },
        { "{\"id\":4,\"publish\":{\"channel\":\"a\",\"data\":{\"x\":1}}}",
          "publish 4 topic=r:a data={\"x\":1}" },
        { "{\"id\":4,\"publish\":{\"channel\":\"a\",\"data\":null}}",
          "publish 4 topic=r:a data=null" },
        { "{\"id\":5,\"presence\":{\"channel\":\"a\"}}",
          "presence 5 topic=r:a" },
        { "{\"id\":5,\"presence_stats\":{\"channel\":\"a\"}}",
          "presence_stats 5 topic=r:a" },
        { "{\"id\":6,\"history\":{\"channel\":\"a\"}}",
          "history 6 topic=r:a limit=0" },
        { "{\"id\":6,\"history\":{\"channel\":\"#ann\",\"limit\":300}}",
          "history 6 topic=u:ann limit=300" },
        { "{\"id\":6,\"history\":{\"channel\":\"a\",\"limit\":301}}",
          "history 6 topic=r:a limit=300" },
        { "{\"id\":6,\"history\":{\"channel\":\"a\",\"limit\":-1,"
          "\"reverse\":true,\"since\":null}}",
          "history 6 topic=r:a limit=300 reverse" },
        { "{\"id\":6,\"history\":{\"since\":{\"epoch\":\"e\",\"offset\":2},"
          "\"channel\":\"a\",\"limit\":1,\"reverse\":true}}",
          "history 6 topic=r:a since=e:2 limit=1 reverse" },
        { "{\"id\":6,\"history\":{\"channel\":\"a\",\"since\":{}}}",
          "history 6 topic=r:a since=:0 limit=0" },
        { "{\"id\":7,\"rpc\":{\"method\":\"m\",\"data\":[]}}",
          "rpc 7 data=[] method=m" },
        { "{\"id\":7,\"rpc\":{}}", "rpc 7" },
        { "{\"send\":{\"data\":1}}", "send 0 data=1" },
        { "{\"id\":8,\"send\":{\"data\":1}}", "send 8 data=1" },
        { "{\"id\":9,\"refresh\":{\"token\":\"t\"}}", "refresh 9 token=t" },
        { "{\"id\":9,\"sub_refresh\":{\"channel\":\"a\",\"token\":\"t\"}}",
          "sub_refresh 9 token=t topic=r:a" },
        /* the first method in the order of the protocol */
        { "{\"id\":1,\"sub_refresh\":{},\"refresh\":{},\"rpc\":{},"
          "\"publish\":{\"channel\":\"a\",\"data\":1}}",
          "publish 1 topic=r:a data=1" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        check(cases[i][0], 1, cases[i][1]);
    }

    im_buf_cleanup(&arena);
}


/* The connection goes on. */
static void
test_errors(void **state)
{
    size_t  i;
    char    text[512], name[300];

    static const struct {
        const char  *text;
        int          error;
    } cases[] = {
        { "\"subscribe\":{\"channel\":\"#\"}", 103 },
        { "\"subscribe\":{\"channel\":\"#ann\"}", 103 },
        { "\"subscribe\":{\"channel\":\"a\\u0000\"}", 107 },
        { "\"subscribe\":{\"channel\":\"#a\\n\"}", 107 },
        { "\"subscribe\":{\"channel\":\"a\",\"type\":1}", 108 },
        { "\"subscribe\":{\"channel\":\"a\",\"type\":4}", 108 },
        { "\"subscribe\":{\"channel\":\"a\",\"tf\":{\"op\":\"eq\"}}", 107 },
        { "\"publish\":{\"channel\":\"#\",\"data\":1}", 103 },
        { "\"publish\":{\"channel\":\"#ann\",\"data\":1}", 103 },
        { "\"publish\":{\"channel\":\"a\"}", 107 },
        { "\"publish\":{\"channel\":\"a\",\"data\":1,\"type\":1}", 108 },
        { "\"presence\":{\"channel\":\"#ann\"}", 108 },
        { "\"presence_stats\":{\"channel\":\"#\"}", 108 },
        { "\"history\":{\"channel\":\"a\",\"reverse\":true,\"since\":{}}",
          107 },
        { "\"sub_refresh\":{\"channel\":\"#a\",\"token\":\"t\"}", 103 },
        { "\"sub_refresh\":{\"channel\":\"a\"}", 107 },
        { "\"sub_refresh\":{\"channel\":\"a\",\"type\":1}", 108 }
    };
    char  wanted[512];

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        sprintf(text, "{\"id\":5,%s}", cases[i].text);
        sprintf(wanted, "error 5 %d", cases[i].error);
        check(text, 1, wanted);
    }

    /* with "r:" a name must fit a topic */
    for (i = 253; i <= 254; i++) {
        memset(name, 'x', i);
        name[i] = '\0';
        sprintf(text, "{\"id\":5,\"unsubscribe\":{\"channel\":\"%s\"}}", name);
        sprintf(wanted, "unsubscribe 5 topic=r:%s", name);
        check(text, 1, i == 254 ? "error 5 107" : wanted);
    }

    im_buf_cleanup(&arena);
}


static void
test_faults(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const struct {
        im_str_t     text;
        int          connected;
    } cases[] = {
        { im_str(""), 0 },
        { im_str(""), 1 },
        { im_str("\n"), 1 },
        { im_str("\n{}"), 1 },
        { im_str(" "), 1 },
        { im_str("null"), 1 },
        { im_str("[]"), 1 },
        { im_str("{"), 1 },
        { im_str("{}}"), 1 },
        { im_str("{} {}"), 1 },
        { im_str("{}\0"), 1 },
        { im_str("{\"id\":1,\n\"rpc\":{}}"), 1 },
        { im_str("{\"id\":1,\"rpc\":{\"method\":\"\xff\"}}"), 1 },
        /* not connected */
        { im_str("{}"), 0 },
        { im_str("{\"send\":{}}"), 0 },
        { im_str("{\"id\":1,\"subscribe\":{\"channel\":\"a\"}}"), 0 },
        { im_str("{\"id\":1,\"Connect\":{}}"), 0 },
        { im_str("{\"connect\":{}}"), 0 },
        { im_str("{\"id\":1,\"connect\":[]}"), 0 },
        { im_str("{\"id\":1,\"connect\":1}"), 0 },
        { im_str("{\"id\":1,\"connect\":{\"token\":1}}"), 0 },
        { im_str("{\"id\":1,\"connect\":{\"subs\":[]}}"), 0 },
        { im_str("{\"id\":1,\"connect\":{\"subs\":{\"#\":1}}}"), 0 },
        { im_str("{\"id\":1,\"connect\":{\"subs\":{\"#\":{\"recover\":1}}}}"),
          0 },
        { im_str("{\"id\":1,\"connect\":{\"subs\":{\"#\":{\"recover\":true,"
                 "\"offset\":-1}}}}"), 0 },
        /* connected */
        { im_str("{\"id\":1,\"connect\":{}}"), 1 },
        { im_str("{\"id\":1}"), 1 },
        { im_str("{\"id\":1,\"new\":{}}"), 1 },
        { im_str("{\"id\":1,\"ping\":{}}"), 1 },
        { im_str("{\"id\":-1,\"rpc\":{}}"), 1 },
        { im_str("{\"id\":4294967296,\"rpc\":{}}"), 1 },
        { im_str("{\"id\":1.5,\"rpc\":{}}"), 1 },
        { im_str("{\"id\":\"1\",\"rpc\":{}}"), 1 },
        { im_str("{\"rpc\":{}}"), 1 },
        { im_str("{\"id\":0,\"rpc\":{}}"), 1 },
        { im_str("{\"id\":1,\"rpc\":\"x\"}"), 1 },
        { im_str("{\"id\":1,\"subscribe\":{}}"), 1 },
        { im_str("{\"id\":1,\"subscribe\":{\"channel\":\"\"}}"), 1 },
        { im_str("{\"id\":1,\"subscribe\":{\"channel\":null}}"), 1 },
        { im_str("{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"offset\":-1}}"),
          1 },
        { im_str("{\"id\":1,\"subscribe\":{\"channel\":\"a\",\"offset\":"
                 "9223372036854775808}}"), 1 },
        { im_str("{\"id\":1,\"unsubscribe\":{}}"), 1 },
        { im_str("{\"id\":1,\"publish\":{\"data\":1}}"), 1 },
        { im_str("{\"id\":1,\"presence\":{}}"), 1 },
        { im_str("{\"id\":1,\"presence_stats\":{}}"), 1 },
        { im_str("{\"id\":1,\"history\":{}}"), 1 },
        { im_str("{\"id\":1,\"history\":{\"channel\":\"a\",\"since\":1}}"),
          1 },
        { im_str("{\"id\":1,\"history\":{\"channel\":\"a\",\"since\":"
                 "{\"offset\":-2}}}"), 1 },
        { im_str("{\"id\":1,\"sub_refresh\":{\"token\":\"t\"}}"), 1 },
        { im_str("{\"id\":1,\"refresh\":{}}"), 1 }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        s = copy_of(cases[i].text);
        assert_int_equal(decode(s, cases[i].connected, &command), 0);
        free(s.data);

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(im_proto_centrifuge.codes[command.fault], 3501);
        assert_true(strlen(command.why) <= 100);
        assert_true(command.why[0] != '{');
    }

    im_buf_cleanup(&arena);
}


/* One by one; a fault takes what is behind it along. */
static void
test_several(void **state)
{
    size_t        i;
    im_str_t      rest;
    im_command_t  command;

    static const char *const  wanted[] = {
        "connect 1 name=js", "subscribe 2 topic=r:a", "error 3 103", "pong 0",
        "publish 4 topic=r:a data={\"x\":1}"
    };

    (void) state;

    rest = im_str_z("{\"connect\":{\"name\":\"js\"},\"id\":1}\n"
                    "{\"subscribe\":{\"channel\":\"a\"},\"id\":2}\n"
                    "{\"subscribe\":{\"channel\":\"#\"},\"id\":3}\n"
                    "{}\n"
                    "{\"publish\":{\"channel\":\"a\",\"data\":{\"x\":1}},"
                    "\"id\":4}\n");

    im_buf_init(&arena, 1 << 20);

    for (i = 0; rest.len > 0; i++) {
        assert_true(i < test_count(wanted));
        im_buf_reset(&arena, 64);
        im_proto_centrifuge.decode(&rest, i > 0, &arena, &command);
        assert_string_equal(tell_command(&command), wanted[i]);
    }

    assert_int_equal(i, test_count(wanted));

    rest = im_str_z("{\"id\":1,\"rpc\":{}}\n\n{\"id\":2,\"rpc\":{}}");
    im_proto_centrifuge.decode(&rest, 1, &arena, &command);
    assert_int_equal(command.type, IM_COMMAND_RPC);
    assert_true(rest.len > 0);
    im_proto_centrifuge.decode(&rest, 1, &arena, &command);
    assert_int_equal(command.type, IM_COMMAND_FAULT);
    assert_int_equal(rest.len, 0);

    im_buf_cleanup(&arena);
}


static const char  whole[] =
    "{\"id\":12,\"connect\":{\"token\":\"a\\ud83d\\ude00\",\"data\":[null],"
    "\"subs\":{\"#\":{\"recover\":true,\"offset\":1,\"epoch\":\"e\"}}}}";


static void
test_cut(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    (void) state;

    for (i = 0; i < sizeof(whole) - 1; i++) {
        s = copy_of(im_str_set(whole, i));
        assert_int_equal(decode(s, 0, &command), 0);
        free(s.data);

        assert_int_equal(command.type, IM_COMMAND_FAULT);
    }

    check(whole, 0, "connect 12 token=a\xf0\x9f\x98\x80 data=[null] resume=b"
                    " at=e:1");

    im_buf_cleanup(&arena);
}


/* Any byte in any place: no crash, and a fault or a command. */
static void
test_bytes(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const u_char  bytes[] = { 0, '\n', '"', '\\', '{', '}', ',', '#',
                                     ':', '-', '9', 0xff };

    (void) state;

    for (i = 0; i < (sizeof(whole) - 1) * sizeof(bytes); i++) {
        s = copy_of(im_str_z(whole));
        s.data[i / sizeof(bytes)] = bytes[i % sizeof(bytes)];
        (void) decode(s, 0, &command);

        assert_true(command.type == IM_COMMAND_CONNECT
                    || command.type == IM_COMMAND_FAULT);
        (void) tell_command(&command);
        free(s.data);
    }

    im_buf_cleanup(&arena);
}


static void
test_many_subs(void **state)
{
    char         *text;
    size_t        n, i, len;
    im_command_t  command;

    (void) state;

    text = malloc(65536);
    assert_non_null(text);

    for (n = IM_RESUMES_MAX - 1; n <= IM_RESUMES_MAX + 1; n++) {
        len = sprintf(text, "{\"id\":1,\"connect\":{\"subs\":{\"\":0");

        for (i = 0; i < n; i++) {
            len += sprintf(text + len, ",\"#u%03lu\":{\"recover\":true,"
                           "\"epoch\":\"e%lu\"}", i, i);
        }

        len += sprintf(text + len, "}}}");

        (void) decode(im_str_set(text, len), 0, &command);

        if (n > IM_RESUMES_MAX) {
            assert_int_equal(command.type, IM_COMMAND_FAULT);
            continue;
        }

        assert_int_equal(command.type, IM_COMMAND_CONNECT);
        assert_int_equal(command.nresumes, n);
        test_str(command.resumes[0].topic, "u:u000");
        test_str(command.resumes[0].since.epoch, "e0");
        test_str(command.resumes[126].topic, "u:u126");
        test_str(command.resumes[126].since.epoch, "e126");
    }

    free(text);
    im_buf_cleanup(&arena);
}


static void
test_decode_no_memory(void **state)
{
    size_t        n;
    im_command_t  command;

    (void) state;

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        alloc_fail_at(n);
        assert_int_equal(decode(im_str_z(whole), 0, &command), 0);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(im_proto_centrifuge.codes[command.fault], 3004);
        im_buf_cleanup(&arena);
        assert_int_equal(alloc_live(), 0);
    }

    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    assert_true(n > 5);
    im_buf_cleanup(&arena);

    /* an arena that is too small */
    for (n = 0; n < sizeof(whole); n++) {
        im_str_t  rest;

        rest = im_str_z(whole);
        im_buf_init(&arena, n);
        im_proto_centrifuge.decode(&rest, 0, &arena, &command);
        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(im_proto_centrifuge.codes[command.fault], 3004);
        im_buf_cleanup(&arena);
    }
}


static im_buf_t  b;


/* The payload of the one frame that b holds. */
static im_str_t
payload(void)
{
    size_t    header;
    u_char    wanted[IM_WS_MAX_HEADER];
    im_str_t  s;

    assert_false(b.failed);
    assert_true(b.len >= 2);

    header = b.data[1] < 126 ? 2 : b.data[1] == 126 ? 4 : 10;
    assert_true(b.len >= header);

    s = im_str_set(b.data + header, b.len - header);

    assert_int_equal(im_ws_header(wanted, IM_WS_TEXT, s.len), header);
    assert_memory_equal(b.data, wanted, header);
    assert_true(im_json_valid(s));
    assert_null(memchr(s.data, '\n', s.len));
    assert_null(memchr(s.data, '\r', s.len));

    return s;
}


static void
test_message(void **state)
{
    size_t         i;
    im_message_t   m;
    im_envelope_t  e;

    static const struct {
        const char     *topic;
        im_push_data_e  type;
        const char     *data;
        const char     *session;
        const char     *info;
        const char     *tags;
        int             numbered;
        const char     *wanted;
    } cases[] = {
        { "r:news", IM_PUSH_JSON, "{\"a\":1}", "", "", "", 0,
          "\"news\",\"pub\":{\"data\":{\"a\":1}" },
        { "r:news", IM_PUSH_JSON, "{\"a\":1}", "", "", "", 1,
          "\"news\",\"pub\":{\"data\":{\"a\":1},\"offset\":7" },
        { "u:ann", IM_PUSH_JSON, "\r\n{\n\"a\":\n\r1 }\r", "", "", "", 1,
          "\"#ann\",\"pub\":{\"data\":{\"a\":1 },\"offset\":7" },
        { "u:\"", IM_PUSH_JSON, "null", "", "", "", 0,
          "\"#\\\"\",\"pub\":{\"data\":null" },
        { "b", IM_PUSH_TEXT, "a\n\"b\"", "", "", "", 0,
          "\"#\",\"pub\":{\"data\":\"a\\u000a\\\"b\\\"\"" },
        { "r:#x", IM_PUSH_TEXT, "", "", "", "", 0,
          "\"#x\",\"pub\":{\"data\":\"\"" },
        { "b", IM_PUSH_BINARY, "\xfb\xff", "", "", "", 0,
          "\"#\",\"pub\":{\"data\":\"+/8=\"" },
        { "b", IM_PUSH_JSON, "{\"a\":", "", "", "", 0,
          "\"#\",\"pub\":{\"data\":\"{\\\"a\\\":\"" },
        { "b", IM_PUSH_JSON, "", "", "", "", 0,
          "\"#\",\"pub\":{\"data\":\"\"" },
        { "r:a", IM_PUSH_JSON, "1", "s-1", "", "", 0,
          "\"a\",\"pub\":{\"data\":1,\"info\":{\"user\":\"u1\","
          "\"client\":\"s-1\"}" },
        { "r:a", IM_PUSH_JSON, "1", "s-1", "{\"n\":\n1}", "{\"t\":\"v\"}", 1,
          "\"a\",\"pub\":{\"data\":1,\"info\":{\"user\":\"u1\","
          "\"client\":\"s-1\",\"conn_info\":{\"n\":1}},\"offset\":7,"
          "\"tags\":{\"t\":\"v\"}" },
        { "r:a", IM_PUSH_JSON, "1", "s-1", "{\"n\":", "x", 0,
          "\"a\",\"pub\":{\"data\":1,\"info\":{\"user\":\"u1\","
          "\"client\":\"s-1\",\"conn_info\":\"{\\\"n\\\":\"}" },
        { "r:a", IM_PUSH_JSON, "\xff", "s-1", "\xfb\xff", "", 0,
          "\"a\",\"pub\":{\"data\":\"/w==\",\"info\":{\"user\":\"u1\","
          "\"client\":\"s-1\",\"conn_info\":\"+/8=\"}" }
    };
    char  wanted[512];

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(cases); i++) {
        memset(&e, 0, sizeof(im_envelope_t));
        e.type = (uint8_t) cases[i].type;
        e.user = im_str_z("u1");
        e.name = im_str_z("A");
        e.data = im_str_z(cases[i].data);
        e.session = im_str_z(cases[i].session);
        e.info = im_str_z(cases[i].info);
        e.tags = im_str_z(cases[i].tags);

        memset(&m, 0, sizeof(im_message_t));
        m.topic = im_str_z(cases[i].topic);
        m.epoch = im_str_z("e");
        m.seq = 7;
        m.numbered = cases[i].numbered;
        m.envelope = &e;

        im_buf_reset(&b, 1 << 20);
        im_centrifuge_message(&b, &im_transport_ws, &m);
        sprintf(wanted, "{\"push\":{\"channel\":%s}}}", cases[i].wanted);
        test_str(payload(), wanted);
    }

    im_buf_cleanup(&b);
}


static const im_envelope_t  envelopes[] = {
    { .data = im_str("{\"n\":\n1}") },
    { .data = im_str("2"), .session = im_str("s"), .user = im_str("u") }
};

static const im_message_t  messages[] = {
    { .topic = im_str("r:a"), .seq = 8, .numbered = 1,
      .envelope = &envelopes[0] },
    { .topic = im_str("r:a"), .seq = 9, .numbered = 1,
      .envelope = &envelopes[1] }
};

#define PUBLICATIONS                                                          \
    "[{\"data\":{\"n\":1},\"offset\":8},{\"data\":2,\"info\":{\"user\":\"u\"," \
    "\"client\":\"s\"},\"offset\":9}]"

static const im_subscribed_t  subs[] = {
    { .topic = im_str("r:a"), .at = { im_str("ep"), 7 }, .recoverable = 1,
      .positioned = 1, .recovering = 1, .recovered = 1, .messages = messages,
      .nmessages = 2, .data = im_str("{\"d\":1}"), .ttl = 60 },
    { .topic = im_str("u:ann"), .at = { im_str("ep"), 0 }, .recoverable = 1,
      .positioned = 1 },
    { .topic = im_str("b"), .at = { im_str("ep"), 3 } },
    { .topic = im_str("r:x"), .at = { im_str("ep"), 3 }, .recoverable = 1,
      .recovering = 1 },
    { .topic = im_str("r:x"), .at = { im_str("ep"), 3 }, .positioned = 1,
      .recovering = 1, .recovered = 1 }
};

static const im_member_t  clients[] = {
    { .session = im_str("s-1"), .user = im_str("ann"),
      .info = im_str("{\"n\":\n1}"), .room_info = im_str("2") },
    { .session = im_str("s-2"), .user = im_str("") }
};

#define CLIENT_1                                                              \
    "{\"user\":\"ann\",\"client\":\"s-1\",\"conn_info\":{\"n\":1},"           \
    "\"chan_info\":2}"
#define CLIENT_2  "{\"user\":\"\",\"client\":\"s-2\"}"

#define SUB_1                                                                 \
    "{\"expires\":true,\"ttl\":60,\"recoverable\":true,\"epoch\":\"ep\","     \
    "\"offset\":7,\"positioned\":true,\"was_recovering\":true,"               \
    "\"recovered\":true,\"publications\":" PUBLICATIONS ",\"data\":{\"d\":1}}"
#define SUB_2  "{\"recoverable\":true,\"epoch\":\"ep\",\"positioned\":true}"
#define SUB_4                                                                 \
    "{\"recoverable\":true,\"epoch\":\"ep\",\"offset\":3,"                    \
    "\"was_recovering\":true}"
#define SUB_5                                                                 \
    "{\"epoch\":\"ep\",\"offset\":3,\"positioned\":true,"                     \
    "\"was_recovering\":true,\"recovered\":true}"


static const struct {
    im_reply_t   reply;
    const char  *wanted;
} replies[] = {
    { { .type = IM_REPLY_ERROR, .id = 4, .error = IM_ERROR_NOT_AVAILABLE },
      "{\"id\":4,\"error\":{\"code\":108,\"message\":\"not available\"}}" },
    { { .type = IM_REPLY_ERROR, .id = 4, .error = IM_ERROR_INTERNAL },
      "{\"id\":4,\"error\":{\"code\":100,\"message\":\"internal server"
      " error\",\"temporary\":true}}" },
    { { .type = IM_REPLY_ERROR, .id = 4, .error = IM_ERROR_TOO_MANY },
      "{\"id\":4,\"error\":{\"code\":111,\"message\":\"too many requests\","
      "\"temporary\":true}}" },
    { { .type = IM_REPLY_ERROR, .id = 4294967295U, .code = 1000,
        .reason = im_str("a \"b\""), .temporary = 1 },
      "{\"id\":4294967295,\"error\":{\"code\":1000,"
      "\"message\":\"a \\\"b\\\"\",\"temporary\":true}}" },
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str("s"),
        .ping = 25, .pong = 1 },
      "{\"id\":1,\"connect\":{\"client\":\"s\",\"version\":\"im\","
      "\"ping\":25,\"pong\":true}}" },
    { { .type = IM_REPLY_CONNECT, .id = 1, .session = im_str("s"), .ttl = 9,
        .data = im_str("{\n}"), .subs = subs, .nsubs = 3 },
      "{\"id\":1,\"connect\":{\"client\":\"s\",\"version\":\"im\","
      "\"expires\":true,\"ttl\":9,\"data\":{},\"subs\":{\"a\":" SUB_1 ","
      "\"#ann\":" SUB_2 ",\"#\":{}}}}" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = subs, .nsubs = 1 },
      "{\"id\":2,\"subscribe\":" SUB_1 "}" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[1], .nsubs = 1 },
      "{\"id\":2,\"subscribe\":" SUB_2 "}" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[2], .nsubs = 1 },
      "{\"id\":2,\"subscribe\":{}}" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[3], .nsubs = 1 },
      "{\"id\":2,\"subscribe\":" SUB_4 "}" },
    { { .type = IM_REPLY_SUBSCRIBE, .id = 2, .subs = &subs[4], .nsubs = 1 },
      "{\"id\":2,\"subscribe\":" SUB_5 "}" },
    { { .type = IM_REPLY_UNSUBSCRIBE, .id = 3 },
      "{\"id\":3,\"unsubscribe\":{}}" },
    { { .type = IM_REPLY_PUBLISH, .id = 3 }, "{\"id\":3,\"publish\":{}}" },
    { { .type = IM_REPLY_PRESENCE, .id = 3 },
      "{\"id\":3,\"presence\":{\"presence\":{}}}" },
    { { .type = IM_REPLY_PRESENCE, .id = 3, .clients = clients,
        .nclients = 2 },
      "{\"id\":3,\"presence\":{\"presence\":{\"s-1\":" CLIENT_1 ","
      "\"s-2\":" CLIENT_2 "}}}" },
    { { .type = IM_REPLY_PRESENCE_STATS, .id = 3 },
      "{\"id\":3,\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}" },
    { { .type = IM_REPLY_PRESENCE_STATS, .id = 3, .nclients = 3, .nusers = 2 },
      "{\"id\":3,\"presence_stats\":{\"num_clients\":3,\"num_users\":2}}" },
    { { .type = IM_REPLY_HISTORY, .id = 3, .subs = &subs[1], .nsubs = 1 },
      "{\"id\":3,\"history\":{\"publications\":[],\"epoch\":\"ep\","
      "\"offset\":0}}" },
    { { .type = IM_REPLY_HISTORY, .id = 3, .subs = &subs[0], .nsubs = 1 },
      "{\"id\":3,\"history\":{\"publications\":" PUBLICATIONS ","
      "\"epoch\":\"ep\",\"offset\":7}}" },
    { { .type = IM_REPLY_RPC, .id = 3 }, "{\"id\":3,\"rpc\":{}}" },
    { { .type = IM_REPLY_RPC, .id = 3, .data = im_str("[1,\n2]") },
      "{\"id\":3,\"rpc\":{\"data\":[1,2]}}" },
    { { .type = IM_REPLY_REFRESH, .id = 3, .session = im_str("s"), .ttl = 5 },
      "{\"id\":3,\"refresh\":{\"client\":\"s\",\"version\":\"im\","
      "\"expires\":true,\"ttl\":5}}" },
    { { .type = IM_REPLY_SUB_REFRESH, .id = 3, .ttl = 5 },
      "{\"id\":3,\"sub_refresh\":{\"expires\":true,\"ttl\":5}}" },
    { { .type = IM_REPLY_SUB_REFRESH, .id = 3 },
      "{\"id\":3,\"sub_refresh\":{}}" },
    { { .type = IM_REPLY_PING }, "{}" },
    { { .type = IM_REPLY_PUSH_JOIN, .topic = im_str("r:a"),
        .clients = clients, .nclients = 1 },
      "{\"push\":{\"channel\":\"a\",\"join\":{\"info\":" CLIENT_1 "}}}" },
    { { .type = IM_REPLY_PUSH_LEAVE, .topic = im_str("r:a"),
        .clients = &clients[1], .nclients = 1 },
      "{\"push\":{\"channel\":\"a\",\"leave\":{\"info\":" CLIENT_2 "}}}" },
    { { .type = IM_REPLY_PUSH_SUBSCRIBE, .topic = im_str("r:a"),
        .subs = &subs[1], .nsubs = 1 },
      "{\"push\":{\"channel\":\"a\",\"subscribe\":" SUB_2 "}}" },
    { { .type = IM_REPLY_PUSH_UNSUBSCRIBE, .topic = im_str("r:a"),
        .code = IM_UNSUBSCRIBED_STATE, .reason = im_str("insufficient") },
      "{\"push\":{\"channel\":\"a\",\"unsubscribe\":{\"code\":2500,"
      "\"reason\":\"insufficient\"}}}" },
    { { .type = IM_REPLY_PUSH_REFRESH, .ttl = 7 },
      "{\"push\":{\"refresh\":{\"expires\":true,\"ttl\":7}}}" },
    { { .type = IM_REPLY_DISCONNECT, .code = 3012, .reason = im_str("gone") },
      "{\"push\":{\"disconnect\":{\"code\":3012,\"reason\":\"gone\"}}}" }
};


static void
test_reply(void **state)
{
    size_t  i, len;

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(replies); i++) {
        im_buf_reset(&b, 1 << 20);
        im_centrifuge_reply(&b, &im_transport_ws, &replies[i].reply);
        test_str(payload(), replies[i].wanted);
    }

    /* behind what is in the buffer already */
    im_buf_reset(&b, 1 << 20);
    im_centrifuge_reply(&b, &im_transport_ws, &replies[5].reply);
    len = b.len;
    im_centrifuge_reply(&b, &im_transport_ws, &replies[5].reply);
    assert_int_equal(b.len, 2 * len);
    assert_memory_equal(b.data, b.data + len, len);

    im_buf_cleanup(&b);
}


/* Each error of the protocol has its message. */
static void
test_reply_errors(void **state)
{
    uint16_t    error;
    im_reply_t  reply;

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (error = IM_ERROR_INTERNAL; error <= IM_ERROR_POSITION; error++) {
        memset(&reply, 0, sizeof(im_reply_t));
        reply.type = IM_REPLY_ERROR;
        reply.id = 1;
        reply.error = error;

        im_buf_reset(&b, 1 << 20);
        im_centrifuge_reply(&b, &im_transport_ws, &reply);
        assert_non_null(strstr((char *) payload().data, "\"message\":\""));
    }

    im_buf_cleanup(&b);
}


static void
test_encode_no_memory(void **state)
{
    size_t  n, failed;

    (void) state;

    failed = 0;

    for (n = 0; n < 2 * 200; n++) {
        im_buf_init(&b, 1 << 20);
        alloc_fail_at(n % 200 + 1);

        if (n < 200) {
            im_centrifuge_reply(&b, &im_transport_ws, &replies[5].reply);

        } else {
            im_centrifuge_message(&b, &im_transport_ws, &messages[1]);
        }

        assert_int_equal(b.failed, alloc_failed());
        failed += b.failed;
        alloc_fail_at(0);

        if (!b.failed) {
            (void) payload();
        }

        im_buf_cleanup(&b);
        assert_int_equal(alloc_live(), 0);
    }

    assert_true(failed > 10);
}


static void
test_encode_limit(void **state)
{
    size_t  i, len, max;

    (void) state;

    for (i = 0; i < test_count(replies); i++) {
        im_buf_init(&b, 1 << 20);
        im_centrifuge_reply(&b, &im_transport_ws, &replies[i].reply);
        len = payload().len;
        im_buf_cleanup(&b);

        for (max = 0; max < len; max++) {
            im_buf_init(&b, max);
            im_centrifuge_reply(&b, &im_transport_ws, &replies[i].reply);
            assert_true(b.failed);
            im_buf_cleanup(&b);
        }
    }
}


/* A room is subscribed to again; what the server has subscribed goes on. */
static void
test_moved(void **state)
{
    im_subscribed_t  sub;

    (void) state;

    memset(&sub, 0, sizeof(im_subscribed_t));
    sub.topic = im_str_z("u:1");
    sub.at.epoch = im_str_z("e");
    sub.at.seq = 7;
    sub.recovering = 1;
    sub.recovered = 1;

    im_buf_init(&b, 1024);

    assert_int_equal(moved(&b, &im_transport_ws, &sub), IM_OK);
    assert_int_equal(b.len, 0);

    sub.recoverable = 1;
    sub.positioned = 1;

    assert_int_equal(moved(&b, &im_transport_ws, &sub), IM_OK);
    test_str(payload(), "{\"push\":{\"channel\":\"#1\",\"subscribe\":{"
                        "\"recoverable\":true,\"epoch\":\"e\",\"offset\":7,"
                        "\"positioned\":true}}}");

    sub.topic = im_str_z("r:1");
    assert_int_equal(moved(&b, &im_transport_ws, &sub), IM_DECLINED);

    sub.topic = im_str_z("u:1");
    sub.recovered = 0;
    assert_int_equal(moved(&b, &im_transport_ws, &sub), IM_DECLINED);

    im_buf_cleanup(&b);
}


static void
test_row(void **state)
{
    im_buf_t           bytes;
    const im_proto_t  *proto;

    (void) state;

    proto = im_proto_find(im_str_z("centrifuge"));

    assert_non_null(proto);
    assert_true(proto->pings && proto->topics && proto->connects);
    assert_int_equal(proto->codes[IM_REASON_DRAIN], 3001);
    assert_int_equal(proto->codes[IM_REASON_SLOW], 3008);
    assert_ptr_equal(proto->reply, im_centrifuge_reply);

    im_buf_init(&bytes, 1024);
    im_buf_init(&b, 1024);
    proto->forms[IM_FORM_PLAIN]->message(&bytes, &im_transport_ws,
                                         &messages[0]);
    im_centrifuge_message(&b, &im_transport_ws, &messages[0]);
    assert_true(im_str_eq(im_buf_str(&bytes), im_buf_str(&b)));
    im_buf_cleanup(&bytes);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_connect),
    alloc_test(test_commands),
    alloc_test(test_errors),
    alloc_test(test_faults),
    alloc_test(test_several),
    alloc_test(test_cut),
    alloc_test(test_bytes),
    alloc_test(test_many_subs),
    alloc_test(test_decode_no_memory),
    alloc_test(test_message),
    alloc_test(test_reply),
    alloc_test(test_reply_errors),
    alloc_test(test_encode_no_memory),
    alloc_test(test_encode_limit),
    alloc_test(test_moved),
    alloc_test(test_row)
};

test_main(tests)
