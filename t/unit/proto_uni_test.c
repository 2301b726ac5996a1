/*
 * Copyright (C) The im authors
 *
 * The unidirectional form of the centrifuge protocol: the request, and bare
 * pushes.
 */

#include "test.h"
#include "copy.h"
#include "im_json.h"
#include "im_wire.h"


static im_buf_t  arena;
static char      told[4096];


static void
tell_resume(const im_resume_t *resume)
{
    size_t  n;

    n = strlen(told);

    (void) snprintf(told + n, sizeof(told) - n, " %.*s%s",
                    (int) resume->topic.len, (char *) resume->topic.data,
                    resume->join ? "+" : "");

    n = strlen(told);

    if (resume->recover) {
        (void) snprintf(told + n, sizeof(told) - n, "@%.*s:%lu",
                        (int) resume->since.epoch.len,
                        (char *) resume->since.epoch.data, resume->since.seq);
    }
}


/* What the request says, as text; the fault, if it is one. */
static const char *
request(const char *text, int connected)
{
    im_str_t      s, rest;
    im_uint_t     i;
    im_command_t  command;

    im_buf_cleanup(&arena);
    im_buf_init(&arena, 1 << 20);
    memset(&command, 0xa5, sizeof(im_command_t));

    s = copy_of(im_str_z(text));
    rest = s;

    im_proto_uni.decode(&rest, connected, &arena, &command);
    assert_int_equal(rest.len, 0);

    if (command.type == IM_COMMAND_FAULT) {
        (void) snprintf(told, sizeof(told), "%s", command.why);

    } else if (command.type == IM_COMMAND_NONE) {
        (void) snprintf(told, sizeof(told), "none");

    } else {
        assert_int_equal(command.type, IM_COMMAND_CONNECT);
        assert_true(command.id != 0);

        (void) snprintf(told, sizeof(told), "t=%.*s d=%.*s n=%.*s v=%.*s",
                        (int) command.token.len, (char *) command.token.data,
                        (int) command.data.len, (char *) command.data.data,
                        (int) command.name.len, (char *) command.name.data,
                        (int) command.version.len,
                        (char *) command.version.data);

        for (i = 0; i < command.nresumes; i++) {
            tell_resume(&command.resumes[i]);
        }
    }

    if (!connected) {
        assert_true((im_proto_uni.check(s) == NULL)
                    == (command.type == IM_COMMAND_CONNECT));
    }

    free(s.data);
    im_buf_cleanup(&arena);

    return told;
}


static void
test_request(void **state)
{
    size_t  i;

    static const struct {
        const char  *text;
        const char  *command;
    } cases[] = {
        { "{}", "t= d= n= v=" },
        { "null", "t= d= n= v=" },
        { " null\r\n", "t= d= n= v=" },
        { "{\"token\":\"T\",\"data\":{\"a\":1},\"name\":\"js\","
          "\"version\":\"2\",\"headers\":{\"a\":\"b\"},\"what\":[]}",
          "t=T d={\"a\":1} n=js v=2" },
        { "{\"subs\":{\"a\":{},\"b\":{\"recover\":true,\"offset\":7,"
          "\"epoch\":\"E\"}}}", "t= d= n= v= r:a+ r:b+@E:7" },
        { "{\"subs\":{\"#\":{},\"#u\":{\"recover\":true,\"epoch\":\"E\"}}}",
          "t= d= n= v= u:u@E:0" },
        { "{\"subs\":{\"#\":{\"recover\":true,\"offset\":2}}}",
          "t= d= n= v= b@:2" },
        { "{\"subs\":null}", "t= d= n= v=" },
        { "{\"subs\":{\"\":{}}}", "t= d= n= v=" },
        { "", "a field has the wrong type" },
        { "{", "a field has the wrong type" },
        { "[]", "a field has the wrong type" },
        { "{} {}", "a field has the wrong type" },
        { "{\"token\":1}", "a field has the wrong type" },
        { "{\"subs\":[]}", "subs is not an object" },
        { "{\"subs\":{\"a\":1}}", "a field has the wrong type" },
        { "{\"subs\":{\"a\":{\"offset\":-1}}}", "offset is negative" },
        { "{\"subs\":{\"\\u0001\":{}}}", "a channel is not a valid name" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        assert_string_equal(request(cases[i].text, 0), cases[i].command);
    }
}


static void
test_ignored(void **state)
{
    (void) state;

    assert_string_equal(request("{\"token\":\"T\"}", 1), "none");
    assert_string_equal(request("anything", 1), "none");
    assert_string_equal(request("", 1), "none");
}


static void
test_too_many_subs(void **state)
{
    im_buf_t   b;
    im_uint_t  n, i;

    (void) state;

    for (n = IM_RESUMES_MAX; n <= IM_RESUMES_MAX + 1; n++) {
        im_buf_init(&b, 65536);
        im_buf_add_z(&b, "{\"subs\":{");

        for (i = 0; i < n; i++) {
            im_buf_add_z(&b, i > 0 ? ",\"r" : "\"r");
            im_buf_add_uint(&b, i);
            im_buf_add_z(&b, "\":{}");
        }

        im_buf_add_z(&b, "}}");
        im_buf_add_u8(&b, 0);

        if (n > IM_RESUMES_MAX) {
            assert_string_equal(request((char *) b.data, 0), "too many subs");

        } else {
            assert_non_null(strstr(request((char *) b.data, 0), " r:r127+"));
        }

        im_buf_cleanup(&b);
    }
}


static void
test_no_memory(void **state)
{
    im_str_t       rest;
    unsigned long  n;
    im_command_t   command;

    (void) state;

    for (n = 1; ; n++) {
        im_buf_init(&arena, 1 << 20);
        rest = im_str_z("{\"token\":\"T\",\"subs\":{\"a\":{}}}");

        alloc_fail_at(n);
        im_proto_uni.decode(&rest, 0, &arena, &command);

        if (!alloc_failed()) {
            assert_int_equal(command.type, IM_COMMAND_CONNECT);
            break;
        }

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_BUSY);
        im_buf_cleanup(&arena);
    }

    alloc_fail_at(0);
    im_buf_cleanup(&arena);
}


static void
check_reply(const im_reply_t *reply, const char *wanted)
{
    im_buf_t  b;

    im_buf_init(&b, 65536);
    im_proto_uni.reply(&b, &im_transport_stream, reply);

    assert_false(b.failed);
    test_str(im_buf_str(&b), wanted);

    im_buf_cleanup(&b);
}


static void
test_connect(void **state)
{
    im_reply_t       reply;
    im_message_t     m;
    im_envelope_t    e;
    im_subscribed_t  subs[2];

    (void) state;

    memset(&reply, 0, sizeof(im_reply_t));
    memset(&e, 0, sizeof(im_envelope_t));
    memset(&m, 0, sizeof(im_message_t));
    memset(subs, 0, sizeof(subs));

    e.data = im_str_z("{\"p\":\n2}");
    m.topic = im_str_z("r:b");
    m.seq = 2;
    m.envelope = &e;
    m.numbered = 1;

    subs[0].topic = im_str_z("b");
    subs[1].topic = im_str_z("r:b");
    subs[1].at.epoch = im_str_z("E");
    subs[1].at.seq = 1;
    subs[1].messages = &m;
    subs[1].nmessages = 1;
    subs[1].recoverable = 1;
    subs[1].positioned = 1;
    subs[1].recovering = 1;
    subs[1].recovered = 1;

    reply.type = IM_REPLY_CONNECT;
    reply.id = 1;
    reply.session = im_str_z("C");
    reply.secret = im_str_z("S");
    reply.node = im_str_z("N");
    reply.ping = 25;
    reply.pong = 1;
    reply.subs = subs;
    reply.nsubs = 2;

    check_reply(&reply, "{\"connect\":{\"client\":\"C\",\"version\":\"im\","
                        "\"subs\":{\"#\":{},\"b\":{\"recoverable\":true,"
                        "\"epoch\":\"E\",\"offset\":1,\"positioned\":true,"
                        "\"was_recovering\":true,\"recovered\":true,"
                        "\"publications\":[{\"data\":{\"p\":2},\"offset\":2}]}"
                        "},\"ping\":25,\"session\":\"S\"}}\n");
}


static void
test_pushes(void **state)
{
    im_reply_t       reply;
    im_member_t      client;
    im_subscribed_t  sub;

    (void) state;

    memset(&reply, 0, sizeof(im_reply_t));
    memset(&client, 0, sizeof(im_member_t));
    memset(&sub, 0, sizeof(im_subscribed_t));

    reply.type = IM_REPLY_PING;
    check_reply(&reply, "{}\n");

    reply.type = IM_REPLY_DISCONNECT;
    reply.code = 3503;
    reply.reason = im_str_z("go");
    check_reply(&reply, "{\"disconnect\":{\"code\":3503,\"reason\":\"go\"}}\n");

    reply.topic = im_str_z("r:a");

    reply.type = IM_REPLY_PUSH_UNSUBSCRIBE;
    reply.code = 2000;
    check_reply(&reply, "{\"channel\":\"a\",\"unsubscribe\":{\"code\":2000,"
                        "\"reason\":\"go\"}}\n");

    client.user = im_str_z("u");
    client.session = im_str_z("C");
    reply.type = IM_REPLY_PUSH_JOIN;
    reply.clients = &client;
    reply.nclients = 1;
    check_reply(&reply, "{\"channel\":\"a\",\"join\":{\"info\":{\"user\":\"u\","
                        "\"client\":\"C\"}}}\n");

    reply.type = IM_REPLY_PUSH_LEAVE;
    check_reply(&reply, "{\"channel\":\"a\",\"leave\":{\"info\":{\"user\":\"u\""
                        ",\"client\":\"C\"}}}\n");

    reply.type = IM_REPLY_PUSH_SUBSCRIBE;
    reply.subs = &sub;
    reply.nsubs = 1;
    check_reply(&reply, "{\"channel\":\"a\",\"subscribe\":{}}\n");

    reply.topic.len = 0;
    reply.type = IM_REPLY_PUSH_REFRESH;
    reply.ttl = 9;
    check_reply(&reply, "{\"refresh\":{\"expires\":true,\"ttl\":9}}\n");
}


/* No client has asked: there are no answers. */
static void
test_silent(void **state)
{
    im_reply_t  reply;

    (void) state;

    memset(&reply, 0, sizeof(im_reply_t));

    for (reply.type = 0; reply.type < IM_REPLY_PING; reply.type++) {
        if (reply.type != IM_REPLY_CONNECT) {
            check_reply(&reply, "");
        }
    }
}


static void
test_message(void **state)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    (void) state;

    memset(&e, 0, sizeof(im_envelope_t));
    memset(&m, 0, sizeof(im_message_t));

    e.data = im_str_z("{\"a\":1}");
    m.topic = im_str_z("u:ann");
    m.seq = 3;
    m.envelope = &e;

    im_buf_init(&b, 65536);
    im_proto_uni.forms[IM_FORM_PLAIN]->message(&b, &im_transport_sse, &m);
    test_str(im_buf_str(&b), "data: {\"channel\":\"#ann\",\"pub\":{\"data\":"
                             "{\"a\":1}}}\n\n");
    im_buf_cleanup(&b);
}


static void
test_moved(void **state)
{
    im_buf_t         b;
    im_subscribed_t  sub;

    (void) state;

    memset(&sub, 0, sizeof(im_subscribed_t));

    sub.topic = im_str_z("b");
    sub.at.epoch = im_str_z("F");
    sub.recoverable = 1;
    sub.positioned = 1;
    sub.recovering = 1;
    sub.recovered = 1;

    im_buf_init(&b, 65536);

    assert_int_equal(im_proto_uni.forms[IM_FORM_PLAIN]->moved(&b,
                         &im_transport_stream, &sub), IM_OK);
    test_str(im_buf_str(&b), "{\"channel\":\"#\",\"subscribe\":{\"recoverable\""
                             ":true,\"epoch\":\"F\",\"positioned\":true}}\n");

    sub.recovered = 0;
    assert_int_equal(im_proto_uni.forms[IM_FORM_PLAIN]->moved(&b,
                         &im_transport_stream, &sub), IM_DECLINED);

    im_buf_cleanup(&b);
}


static void
test_refusals(void **state)
{
    size_t               i;
    const im_refusal_t  *row;

    static const struct {
        im_error_e  error;
        uint16_t    code;
    } cases[] = {
        { IM_ERROR_PERMISSION, 3507 },
        { IM_ERROR_TOKEN_EXPIRED, 3005 },
        { IM_ERROR_EXPIRED, 3005 },
        { IM_ERROR_TOO_MANY, 3013 },
        { IM_ERROR_INTERNAL, 3004 },
        { IM_ERROR_LIMIT, 3004 }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        row = im_proto_uni.refusals;

        while (row->error != 0 && row->error != cases[i].error) {
            row++;
        }

        assert_int_equal(im_wire_code(&im_proto_uni, &im_transport_sse,
                                      row->reason), cases[i].code);
        assert_non_null(row->why);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_request),
    alloc_test(test_ignored),
    alloc_test(test_too_many_subs),
    alloc_test(test_no_memory),
    alloc_test(test_connect),
    alloc_test(test_pushes),
    alloc_test(test_silent),
    alloc_test(test_message),
    alloc_test(test_moved),
    alloc_test(test_refusals)
};

test_main(tests)
