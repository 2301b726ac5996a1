/*
 * Copyright (C) The im authors
 *
 * The plain protocol: requests that are first messages, payloads, positions.
 */

#include "test.h"
#include "copy.h"
#include "im_key.h"
#include "im_request.h"
#include "im_wire.h"


static char  told[8192];


static void
tell(const char *text, size_t len)
{
    (void) snprintf(told + strlen(told), sizeof(told) - strlen(told), "%.*s",
                    (int) len, text);
}


/* The command that a request makes, as text. */
static const char *
connect(const im_proto_t *proto, const im_request_t *request)
{
    im_buf_t      b, arena;
    im_str_t      rest;
    im_uint_t     i;
    im_resume_t  *resume;
    im_command_t  command;
    char          number[64];

    im_buf_init(&b, 1 << 20);
    im_buf_init(&arena, 1 << 20);

    im_request_encode(&b, request);
    assert_false(b.failed);

    rest = im_buf_str(&b);
    proto->decode(&rest, 0, &arena, &command);

    assert_int_equal(rest.len, 0);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    assert_int_not_equal(command.id, 0);

    told[0] = '\0';
    tell((char *) command.token.data, command.token.len);

    for (i = 0; i < command.nresumes; i++) {
        resume = &command.resumes[i];

        tell(" ", 1);
        tell((char *) resume->topic.data, resume->topic.len);
        tell("+", resume->join);

        if (resume->recover) {
            (void) snprintf(number, sizeof(number), "@%.*s:%lu",
                            (int) resume->since.epoch.len,
                            (char *) resume->since.epoch.data,
                            resume->since.seq);
            tell(number, strlen(number));
        }

        if (resume->last > 0) {
            (void) snprintf(number, sizeof(number), "/%u", resume->last);
            tell(number, strlen(number));
        }
    }

    im_buf_cleanup(&b);
    im_buf_cleanup(&arena);

    return told;
}


static void
test_request(void **state)
{
    im_request_t  request;

    (void) state;

    memset(&request, 0, sizeof(im_request_t));

    request.rooms[0] = im_str_z("a");
    request.rooms[1] = im_str_z("b:c");
    request.nrooms = 2;
    request.position = im_str_z("");
    request.token = im_str_z("T");

    assert_string_equal(connect(&im_proto_plain, &request), "T r:a+ r:b:c+");

    request.last = 7;
    request.position = im_str_z("e:1");
    assert_string_equal(connect(&im_proto_plain, &request),
                        "T r:a+@e:1/7 r:b:c+/7");
    assert_string_equal(connect(&im_proto_plain_meta, &request),
                        "T r:a+@e:1/300 r:b:c+/7");

    request.last = 0;
    request.token = im_str_z("");
    request.position = im_str_z("-,e:2,f:3");
    assert_string_equal(connect(&im_proto_plain, &request),
                        " r:a+ r:b:c+@e:2 u:@f:3");

    request.position = im_str_z(":0,x,,g:4,h:5");
    assert_string_equal(connect(&im_proto_plain, &request),
                        " r:a+@:0 r:b:c+@?:0 u: b@g:4");

    request.position = im_str_z("0:0");
    assert_string_equal(connect(&im_proto_plain, &request), " r:a+ r:b:c+");
}


/* The largest request; no cut of it is one, and memory may be missing. */
static void
test_limits(void **state)
{
    size_t         n;
    u_char         name[IM_NAME_MAX];
    im_buf_t       b, arena;
    im_str_t       s, rest;
    im_uint_t      i, fail;
    im_command_t   command;
    im_request_t   request, other;

    (void) state;

    memset(name, 'x', sizeof(name));
    memset(&request, 0, sizeof(im_request_t));

    for (i = 0; i < IM_REQUEST_ROOMS; i++) {
        request.rooms[i] = im_str_set(name, sizeof(name));
    }

    request.nrooms = IM_REQUEST_ROOMS;
    request.position = im_str_z("e:1");
    request.token = im_str_z("t");
    request.last = IM_HISTORY_MAX;

    im_buf_init(&b, 1 << 20);
    im_request_encode(&b, &request);
    assert_false(b.failed);

    for (n = 0; n < b.len; n++) {
        s = copy_of(im_str_set(b.data, n));
        assert_int_equal(im_request_decode(s, &other), IM_ERROR);
        free(s.data);
    }

    assert_int_equal(im_request_decode(im_buf_str(&b), &other), IM_OK);
    assert_int_equal(other.nrooms, IM_REQUEST_ROOMS);
    test_str(other.token, "t");

    for (fail = 1; ; fail++) {
        im_buf_init(&arena, 1 << 24);
        rest = im_buf_str(&b);

        alloc_fail_at(fail);
        im_proto_plain.decode(&rest, 0, &arena, &command);
        alloc_fail_at(0);

        im_buf_cleanup(&arena);

        if (command.type == IM_COMMAND_CONNECT) {
            break;
        }

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_INTERNAL);
    }

    assert_true(fail > 1);
    assert_int_equal(command.nresumes, IM_REQUEST_ROOMS);

    rest = im_str_z("nothing like it");
    im_buf_init(&arena, 1 << 24);
    im_proto_plain.decode(&rest, 0, &arena, &command);
    assert_int_equal(command.type, IM_COMMAND_FAULT);

    /* a room that is no name, and too many of last */

    b.len = 0;
    request.nrooms = 1;
    request.rooms[0] = im_str_z("\x01");
    im_request_encode(&b, &request);
    assert_int_equal(im_request_decode(im_buf_str(&b), &other), IM_ERROR);

    b.len = 0;
    request.rooms[0] = im_str_z("x");
    request.last = IM_HISTORY_MAX + 1;
    im_request_encode(&b, &request);
    assert_int_equal(im_request_decode(im_buf_str(&b), &other), IM_ERROR);

    b.len = 0;
    request.last = 0;
    request.token.len = UINT16_MAX + 1;
    im_request_encode(&b, &request);
    assert_true(b.failed);

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);
}


static const char *
rooms(const char *list, im_uint_t max)
{
    im_buf_t      arena;
    im_uint_t     i;
    const char   *why;
    im_request_t  request;

    im_buf_init(&arena, 4096);
    memset(&request, 0, sizeof(im_request_t));

    told[0] = '\0';

    if (im_request_rooms(&request, im_str_z(list), max, &arena, &why)
        != IM_OK)
    {
        im_buf_cleanup(&arena);
        return why;
    }

    for (i = 0; i < request.nrooms; i++) {
        tell("|", i > 0);
        tell((char *) request.rooms[i].data, request.rooms[i].len);
    }

    im_buf_cleanup(&arena);

    return told;
}


static void
test_rooms(void **state)
{
    uint16_t  last;

    (void) state;

    assert_string_equal(rooms("", 9), "");
    assert_string_equal(rooms("a", 9), "a");
    assert_string_equal(rooms(",a,, b c ,a", 9), "a|b c");
    assert_string_equal(rooms("a%2Cb,c%3ad+e", 9), "a,b|c:d+e");
    assert_string_equal(rooms("a,b", 1), "too many rooms");
    assert_non_null(strstr(rooms("a%2", 9), "hexadecimal"));
    assert_non_null(strstr(rooms("a%00", 9), "1 to 253 bytes"));
    assert_non_null(strstr(rooms("\xff", 9), "1 to 253 bytes"));

    assert_int_equal(im_request_last(im_str_z("300"), &last), IM_OK);
    assert_int_equal(last, 300);
    assert_int_equal(im_request_last(im_str_z("0"), &last), IM_OK);
    assert_int_equal(im_request_last(im_str_z("301"), &last), IM_ERROR);
    assert_int_equal(im_request_last(im_str_z("-1"), &last), IM_ERROR);
    assert_int_equal(im_request_last(im_str_z(""), &last), IM_ERROR);
}


/* What is sent later is a publish; nothing is nothing. */
static void
test_publish(void **state)
{
    im_buf_t      arena;
    im_str_t      rest;
    im_command_t  command;

    (void) state;

    im_buf_init(&arena, 64);

    rest = im_str_z("any \x01 bytes");
    im_proto_plain.decode(&rest, 1, &arena, &command);
    assert_int_equal(command.type, IM_COMMAND_PUBLISH);
    assert_int_not_equal(command.id, 0);
    assert_int_equal(command.topic.len, 0);
    test_str(command.data, "any \x01 bytes");
    assert_int_equal(rest.len, 0);

    rest = im_str_z("");
    im_proto_plain.decode(&rest, 1, &arena, &command);
    assert_int_equal(command.type, IM_COMMAND_NONE);
}


static void
message(const im_proto_t *proto, im_form_e form,
    const im_transport_t *transport, const im_message_t *m, const char *wanted,
    size_t len)
{
    im_buf_t  b;

    im_buf_init(&b, 65536);
    proto->forms[form]->message(&b, transport, m);

    assert_false(b.failed);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, wanted, len);

    im_buf_cleanup(&b);
}

#define check(proto, form, transport, m, wanted)                              \
    message(&(proto), IM_FORM_##form, &(transport), m, wanted,                \
            sizeof(wanted) - 1)


static void
test_messages(void **state)
{
    im_message_t   m;
    im_envelope_t  e;

    (void) state;

    memset(&m, 0, sizeof(im_message_t));
    memset(&e, 0, sizeof(im_envelope_t));

    m.topic = im_str_z("r:a");
    m.epoch = im_str_z("ep");
    m.seq = 7;
    m.numbered = 1;
    m.envelope = &e;

    e.type = IM_PUSH_TEXT;
    e.data = im_str_z("x\ny");

    check(im_proto_plain, PLAIN, im_transport_ws, &m, "\x81\x03x\ny");
    check(im_proto_plain, PLAIN, im_transport_stream, &m, "x\ny\n");
    check(im_proto_plain, PLAIN, im_transport_sse, &m,
          "data: x\ndata: y\n\n");
    check(im_proto_plain, POSITIONS, im_transport_sse, &m,
          "id: ep:7\ndata: x\ndata: y\n\n");
    check(im_proto_plain_meta, POSITIONS, im_transport_ws, &m,
          "\x81\x0did: ep:7\n\nx\ny");
    check(im_proto_plain_meta, PLAIN, im_transport_ws, &m,
          "\x81\x0cid: 0:0\n\nx\ny");

    e.tags = im_str_z("{\"event\":\"news\",\"a\":1}");
    check(im_proto_plain, POSITIONS, im_transport_sse, &m,
          "id: ep:7\nevent: news\ndata: x\ndata: y\n\n");
    e.tags = im_str_z("{\"event\":\"a\\nid: 1\"}");
    check(im_proto_plain, POSITIONS, im_transport_sse, &m,
          "id: ep:7\ndata: x\ndata: y\n\n");
    e.tags = im_str_z("{\"event\":1}");
    check(im_proto_plain, PLAIN, im_transport_sse, &m,
          "data: x\ndata: y\n\n");
    e.tags.len = 0;

    m.numbered = 0;
    e.type = IM_PUSH_BINARY;
    e.data = im_str_set("\xff\0", 2);

    check(im_proto_plain, PLAIN, im_transport_ws, &m, "\x82\x02\xff\0");
    check(im_proto_plain, PLAIN, im_transport_stream, &m, "\xff\0\n");
    check(im_proto_plain, POSITIONS, im_transport_sse, &m,
          "data: \xff\0\n\n");
    check(im_proto_plain_meta, POSITIONS, im_transport_ws, &m,
          "\x82\x32id: 0:0\ncontent-type: application/octet-stream\n\n"
          "\xff\0");

    e.type = IM_PUSH_JSON;
    e.data = im_str_z("{}");

    check(im_proto_plain, PLAIN, im_transport_ws, &m, "\x81\x02{}");
    check(im_proto_plain_meta, POSITIONS, im_transport_ws, &m,
          "\x81\x2aid: 0:0\ncontent-type: application/json\n\n{}");
}


static void
reply(const im_proto_t *proto, const im_transport_t *transport,
    const im_reply_t *r, const char *wanted)
{
    im_buf_t  b;

    im_buf_init(&b, 65536);
    proto->reply(&b, transport, r);

    assert_false(b.failed);
    test_str(im_buf_str(&b), wanted);

    im_buf_cleanup(&b);
}


static void
test_replies(void **state)
{
    im_reply_t       r;
    im_message_t     m;
    im_envelope_t    e;
    im_subscribed_t  subs[3];

    (void) state;

    memset(&r, 0, sizeof(im_reply_t));
    memset(&m, 0, sizeof(im_message_t));
    memset(&e, 0, sizeof(im_envelope_t));
    memset(subs, 0, sizeof(subs));

    e.type = IM_PUSH_TEXT;
    e.data = im_str_z("x");

    m.epoch = im_str_z("ep");
    m.seq = 8;
    m.numbered = 1;
    m.envelope = &e;

    subs[0].topic = im_str_z("r:a");
    subs[0].at.epoch = im_str_z("ep");
    subs[0].at.seq = 7;
    subs[0].positioned = 1;
    subs[0].recoverable = 1;

    r.type = IM_REPLY_CONNECT;
    r.positions = 1;
    r.subs = subs;
    r.nsubs = 1;

    reply(&im_proto_plain, &im_transport_sse, &r,
          "retry: 2000\n\nid: ep:7\n\n");
    reply(&im_proto_plain, &im_transport_ws, &r, "");
    reply(&im_proto_plain, &im_transport_stream, &r, "");
    reply(&im_proto_plain_meta, &im_transport_ws, &r, "");

    subs[0].recovering = 1;
    subs[0].messages = &m;
    subs[0].nmessages = 1;

    reply(&im_proto_plain, &im_transport_sse, &r,
          "retry: 2000\n\nevent: reset\ndata: {\"reset\":\"messages are "
          "missing\",\"room\":\"a\"}\n\nid: ep:8\ndata: x\n\n");
    reply(&im_proto_plain, &im_transport_stream, &r, "x\n");
    reply(&im_proto_plain_meta, &im_transport_ws, &r,
          "\x81\x0bid: ep:8\n\nx");

    r.positions = 0;
    reply(&im_proto_plain, &im_transport_sse, &r,
          "retry: 2000\n\nevent: reset\ndata: {\"reset\":\"messages are "
          "missing\",\"room\":\"a\"}\n\ndata: x\n\n");

    subs[2] = subs[0];
    r.type = IM_REPLY_POSITIONS;
    r.nsubs = 3;
    reply(&im_proto_plain, &im_transport_sse, &r, "id: ep:7,-,ep:7\n\n");
    r.nsubs = 2;
    reply(&im_proto_plain, &im_transport_sse, &r, "id: ep:7\n\n");
    r.subs = &subs[1];
    r.nsubs = 1;
    reply(&im_proto_plain, &im_transport_sse, &r, "id: 0:0\n\n");
    reply(&im_proto_plain, &im_transport_ws, &r, "");

    memset(&r, 0, sizeof(im_reply_t));
    r.type = IM_REPLY_PING;
    reply(&im_proto_plain, &im_transport_sse, &r, "");
    reply(&im_proto_plain, &im_transport_ws, &r, "");
    reply(&im_proto_plain, &im_transport_stream, &r, "\n");

    r.type = IM_REPLY_DISCONNECT;
    reply(&im_proto_plain, &im_transport_sse, &r, "");
    r.reason = im_str_z("bye\n");
    r.code = IM_WS_CLOSE_RESTART;
    reply(&im_proto_plain, &im_transport_stream, &r, "");
    reply(&im_proto_plain, &im_transport_sse, &r, "event: close\nretry: 1000\n"
          "data: {\"code\":1012,\"reason\":\"bye\\u000a\"}\n\n");
    r.code = IM_WS_CLOSE_TRY_LATER;
    reply(&im_proto_plain, &im_transport_sse, &r, "event: close\n"
          "retry: 10000\ndata: {\"code\":1013,\"reason\":\"bye\\u000a\"}\n\n");
    r.code = IM_WS_CLOSE_POLICY;
    reply(&im_proto_plain, &im_transport_sse, &r, "event: close\n"
          "retry: 60000\ndata: {\"code\":1008,\"reason\":\"bye\\u000a\"}\n\n");

    r.type = IM_REPLY_PUBLISH;
    reply(&im_proto_plain, &im_transport_sse, &r, "");
}


static im_int_t
moved(const im_proto_t *proto, im_form_e form,
    const im_transport_t *transport, int recovered, const char *wanted)
{
    im_buf_t         b;
    im_int_t         rc;
    im_subscribed_t  sub;

    memset(&sub, 0, sizeof(im_subscribed_t));

    sub.topic = im_str_z("b");
    sub.at.epoch = im_str_z("ep");
    sub.at.seq = 9;
    sub.positioned = 1;
    sub.recoverable = 1;
    sub.recovering = 1;
    sub.recovered = recovered;

    im_buf_init(&b, 65536);
    rc = proto->forms[form]->moved(&b, transport, &sub);
    test_str(im_buf_str(&b), wanted);
    im_buf_cleanup(&b);

    return rc;
}


#define RESET  "event: reset\ndata: {\"reset\":\"messages are missing\","     \
               "\"broadcast\":true}\n\n"


static void
test_moved(void **state)
{
    (void) state;

    assert_int_equal(moved(&im_proto_plain, IM_FORM_POSITIONS,
                           &im_transport_sse, 1, "id: ep:9\n\n"), IM_OK);
    assert_int_equal(moved(&im_proto_plain, IM_FORM_POSITIONS,
                           &im_transport_sse, 0, RESET "id: ep:9\n\n"),
                     IM_OK);
    assert_int_equal(moved(&im_proto_plain, IM_FORM_PLAIN, &im_transport_sse,
                           1, ":\n\n"), IM_OK);
    assert_int_equal(moved(&im_proto_plain, IM_FORM_PLAIN, &im_transport_sse,
                           0, RESET), IM_OK);
    assert_int_equal(moved(&im_proto_plain, IM_FORM_PLAIN, &im_transport_ws,
                           1, ""), IM_OK);
    assert_int_equal(moved(&im_proto_plain, IM_FORM_PLAIN, &im_transport_ws,
                           0, ""), IM_DECLINED);
    assert_int_equal(moved(&im_proto_plain_meta, IM_FORM_POSITIONS,
                           &im_transport_ws, 0, ""), IM_DECLINED);
}


/* One log for all sessions where messages have no positions. */
static void
test_wires(void **state)
{
    (void) state;

    assert_ptr_equal(im_proto_listed(&im_proto_plain,
                                     im_str_z("x, ws+meta.nchan")),
                     &im_proto_plain_meta);
    assert_null(im_proto_listed(&im_proto_plain, im_str_z("x")));

    assert_int_not_equal(im_wire_id(&im_proto_plain, IM_FORM_PLAIN,
                                    &im_transport_ws),
                         im_wire_id(&im_proto_plain_meta, IM_FORM_PLAIN,
                                    &im_transport_ws));
    assert_int_equal(im_proto_plain.ids & IM_TRANSPORT_WEBSOCKET, 0);
    assert_int_equal(im_proto_plain.ids & IM_TRANSPORT_STREAM, 0);
    assert_null(im_proto_plain.forms[IM_FORM_JOINS]);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_request),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_rooms),
    cmocka_unit_test(test_publish),
    cmocka_unit_test(test_messages),
    cmocka_unit_test(test_replies),
    cmocka_unit_test(test_moved),
    cmocka_unit_test(test_wires)
};


test_main(tests)
