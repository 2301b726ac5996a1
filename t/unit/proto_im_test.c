/*
 * Copyright (C) The im authors
 *
 * The im protocol: frames of a push, room info, the first frame of a client.
 */

#include "test.h"
#include "copy.h"
#include "im_proto.h"
#include "im_json.h"
#include "im_ws.h"


#define BAD_POSITION  "inbox and broadcast have seq, an integer from 0 on, " \
                      "epoch, a string, and last, an integer from 1 to 300"


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

    return s;
}


static void
encode(const char *topic, im_push_data_e type, im_str_t data)
{
    im_message_t   m;
    im_envelope_t  e;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = (uint8_t) type;
    e.data = data;
    e.user = im_str_z("u1");
    e.name = im_str_z("\"A\"");

    memset(&m, 0, sizeof(im_message_t));
    m.topic = im_str_z(topic);
    m.epoch = im_str_z("e");
    m.seq = 1;
    m.envelope = &e;

    im_buf_reset(&b, 1 << 20);
    im_proto_im.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);
}


static void
test_encode(void **state)
{
    char    wanted[256];
    size_t  i;

    static const struct {
        im_push_data_e  type;
        const char     *data;
        const char     *code;
        const char     *msg;
    } cases[] = {
        { IM_PUSH_JSON, "{\"msg\":\"hi\"}", "0", "\"hi\"" },
        { IM_PUSH_JSON, "{\"code\":7, \"msg\" : [1, 2] ,\"x\":1}", "7",
          "[1, 2]" },
        { IM_PUSH_JSON, "{\"code\":\"7\",\"msg\":null}", "0", "null" },
        { IM_PUSH_JSON, "{\"code\":1.5,\"msg\":{\"code\":3}}", "0",
          "{\"code\":3}" },
        { IM_PUSH_JSON, "{\"code\":-1}", "0", "{\"code\":-1}" },
        { IM_PUSH_JSON, "{\"code\":5,\"Msg\":1}", "0",
          "{\"code\":5,\"Msg\":1}" },
        { IM_PUSH_JSON, "{}", "0", "{}" },
        { IM_PUSH_JSON, "[1,{\"msg\":2}]", "0", "[1,{\"msg\":2}]" },
        { IM_PUSH_JSON, "\"text\"", "0", "\"text\"" },
        { IM_PUSH_JSON, "12", "0", "12" },
        { IM_PUSH_JSON, "null", "0", "null" },
        { IM_PUSH_JSON, "not \"JSON\"", "0", "\"not \\\"JSON\\\"\"" },
        { IM_PUSH_JSON, "{\"msg\":1", "0", "\"{\\\"msg\\\":1\"" },
        { IM_PUSH_JSON, "", "0", "\"\"" },
        { IM_PUSH_TEXT, "{\"msg\":1}", "0", "\"{\\\"msg\\\":1}\"" },
        { IM_PUSH_TEXT, "line\n", "0", "\"line\\u000a\"" },
        { IM_PUSH_TEXT, "", "0", "\"\"" },
        { IM_PUSH_TEXT, "\xff", "0", "\"\xef\xbf\xbd\"" },
        { IM_PUSH_BINARY, "", "0", "\"\"" },
        { IM_PUSH_BINARY, "f", "0", "\"Zg==\"" },
        { IM_PUSH_BINARY, "fo", "0", "\"Zm8=\"" },
        { IM_PUSH_BINARY, "foo", "0", "\"Zm9v\"" },
        { IM_PUSH_BINARY, "\xfb\xff\xfe", "0", "\"+//+\"" },
        { IM_PUSH_BINARY, "foobar", "0", "\"Zm9vYmFy\"" }
    };

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(cases); i++) {
        sprintf(wanted, "{\"code\":%s,\"msg\":%s,\"fuid\":\"u1\","
                "\"fname\":\"\\\"A\\\"\",\"op\":3}", cases[i].code,
                cases[i].msg);

        encode("r:1", cases[i].type, im_str_z(cases[i].data));
        test_str(payload(), wanted);
    }

    im_buf_cleanup(&b);
}


static void
test_encode_op(void **state)
{
    size_t  i;

    static const struct {
        const char  *topic;
        u_char       op;
    } cases[] = {
        { "u:ann", '2' }, { "r:1", '3' }, { "r:u:1", '3' }, { "b", '3' }
    };

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(cases); i++) {
        encode(cases[i].topic, IM_PUSH_TEXT, im_str_z("x"));
        (void) payload();
        assert_int_equal(b.data[b.len - 2], cases[i].op);
    }

    im_buf_cleanup(&b);
}


/* All three lengths of a header, behind what is in the buffer already. */
static void
test_encode_lengths(void **state)
{
    size_t         i, len;
    u_char        *text;
    im_message_t   m;
    im_envelope_t  e;

    static const size_t  lens[] = {
        1, 60, 70, 80, 90, 65000, 65470, 65480, 65490, 65500, 200000
    };

    (void) state;

    text = malloc(200000);
    assert_non_null(text);
    memset(text, 'x', 200000);

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(lens); i++) {
        encode("r:1", IM_PUSH_TEXT, im_str_set(text, lens[i]));
        assert_true(payload().len > lens[i]);
    }

    /* two frames, one behind the other */
    memset(&e, 0, sizeof(im_envelope_t));
    e.type = IM_PUSH_TEXT;
    memset(&m, 0, sizeof(im_message_t));
    m.topic = im_str_z("b");
    m.envelope = &e;

    im_buf_reset(&b, 1 << 20);
    im_proto_im.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);
    len = b.len;
    im_proto_im.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);
    assert_int_equal(b.len, 2 * len);
    assert_memory_equal(b.data, b.data + len, len);

    free(text);
    im_buf_cleanup(&b);
}


static void
test_encode_no_memory(void **state)
{
    size_t    n;
    im_str_t  data;

    static const char *const  texts[] = {
        "{\"code\":1,\"msg\":\"x\"}", "[1,2,3]", "not JSON"
    };

    (void) state;

    for (n = 0; n < 3 * 40; n++) {
        data = im_str_z(texts[n / 40]);

        im_buf_init(&b, 1 << 20);
        alloc_fail_at(n % 40 + 1);
        encode("r:1", IM_PUSH_JSON, data);
        assert_int_equal(b.failed, alloc_failed());
        alloc_fail_at(0);

        if (!b.failed) {
            (void) payload();
        }

        im_buf_cleanup(&b);
        assert_int_equal(alloc_live(), 0);
    }
}


static void
test_encode_limit(void **state)
{
    size_t  max;

    (void) state;

    for (max = 0; max < 64; max++) {
        im_buf_init(&b, max);
        encode("r:1", IM_PUSH_BINARY, im_str_z("0123456789"));
        assert_true(b.failed);
        im_buf_cleanup(&b);
    }
}


static void
room_info(const char *room, uint64_t count, const im_member_t *users,
    im_uint_t n)
{
    im_room_info_t  info;

    info.room = im_str_z(room);
    info.count = count;
    info.users = users;
    info.n = n;

    im_proto_im.forms[IM_FORM_PLAIN]->room_info(&b, &im_transport_ws, &info);
}


static void
test_room_info(void **state)
{
    size_t  i;

    static const im_member_t  members[] = {
        { .user = im_str("a"), .name = im_str("Ann") },
        { .user = im_str("ab"), .name = im_str("\"") },
        { .user = im_str("b"), .name = im_str("Bob") }
    };
    static const struct {
        const char  *room;
        const char  *id;
    } ids[] = {
        { "1", "1" }, { "0", "0" }, { "-2", "-2" },
        { "2147483647", "2147483647" }, { "-2147483648", "-2147483648" }
    };
    static const char  *const  names[] = {
        "-1", "2147483648", "-2147483649", "01", "-0", "+1", "", "-", "1a",
        "99999999999999999999999", "chat", "r:1", "99999999999"
    };
    char  wanted[128];

    (void) state;

    im_buf_init(&b, 4096);

    room_info("1", 5, members, 3);
    test_str(payload(), "{\"op\":4,\"roomId\":1,\"count\":5,\"roomUserInfo\":"
                        "{\"a\":\"Ann\",\"ab\":\"\\\"\",\"b\":\"Bob\"}}");

    for (i = 0; i < test_count(ids); i++) {
        im_buf_reset(&b, 4096);
        room_info(ids[i].room, 0, NULL, 0);
        sprintf(wanted, "{\"op\":4,\"roomId\":%s,\"count\":0,"
                "\"roomUserInfo\":{}}", ids[i].id);
        test_str(payload(), wanted);
    }

    for (i = 0; i < test_count(names); i++) {
        im_buf_reset(&b, 4096);
        room_info(names[i], 0, NULL, 0);
        sprintf(wanted, "{\"op\":4,\"roomId\":-1,\"room\":\"%s\","
                "\"count\":0,\"roomUserInfo\":{}}", names[i]);
        test_str(payload(), wanted);
    }

    im_buf_cleanup(&b);
}


static void
test_room_info_no_memory(void **state)
{
    size_t          n;
    im_member_t  members[40];

    (void) state;

    for (n = 0; n < test_count(members); n++) {
        members[n].user = im_str_set("0123456789abcdefghijklmnopqrstuvwxyz,.-+"
                                     + n, 1);
        members[n].name = im_str_z("name");
    }

    for (n = 1; ; n++) {
        im_buf_init(&b, 4096);
        alloc_fail_at(n);
        room_info("1", 40, members, 40);
        assert_int_equal(b.failed, alloc_failed());

        if (!b.failed) {
            break;
        }

        im_buf_cleanup(&b);
    }

    alloc_fail_at(0);
    (void) payload();
    im_buf_cleanup(&b);
}


static im_buf_t  arena;


static void
decode(im_str_t text, im_command_t *command)
{
    im_buf_cleanup(&arena);
    im_buf_init(&arena, 1 << 20);
    memset(command, 0xa5, sizeof(im_command_t));
    im_proto_im.decode(&text, 0, &arena, command);
    assert_int_equal(text.len, 0);
}


static void
test_first(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const struct {
        const char  *text;
        const char  *token;
        const char  *room;
    } cases[] = {
        { "{\"auth\":\"t\",\"roomId\":1}", "t", "1" },
        { "{\"Auth\":\"t\",\"RoomId\":12}", "t", "12" },
        { "{\"AUTH\":\"t\",\"ROOMID\":-1}", "t", "" },
        { "{\"auth\":null,\"roomId\":1}", "", "1" },
        { "{}", "", "0" },
        { "{\"auth\":\"\"}", "", "0" },
        { "{\"roomId\":0}", "", "0" },
        { "{\"roomId\":null}", "", "0" },
        { "{\"roomId\":-0}", "", "0" },
        { "{\"roomId\":-5}", "", "-5" },
        { "{\"roomId\":2147483647}", "", "2147483647" },
        { "{\"roomId\":-2147483648}", "", "-2147483648" },
        { "{\"auth\":null,\"roomId\":null,\"seq\":null,\"epoch\":null,"
          "\"inbox\":null,\"broadcast\":null}", "", "0" },
        { "{\"serverId\":9,\"x\":[1],\"auth\":\"\\u0074\",\"roomId\":3}",
          "t", "3" },
        { "{\"auth\":\"a\",\"auth\":\"b\",\"roomId\":1,\"roomId\":2}", "b",
          "2" },
        { "{\"room\":\"chat:a\"}", "", "chat:a" },
        { "{\"ROOM\":\"\\u0061\",\"roomId\":5}", "", "a" },
        { "{\"room\":\"a\",\"roomId\":-1}", "", "a" },
        { "{\"room\":\"\",\"roomId\":5}", "", "5" },
        { "{\"room\":null,\"roomId\":-1}", "", "" },
        { "{\"room\":\"5\"}", "", "5" },
        { " {\"auth\" : \"\\ud83d\\ude00\" } \n", "\xf0\x9f\x98\x80", "0" }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        s = copy_of(im_str_z(cases[i].text));
        decode(s, &command);
        free(s.data);

        assert_int_equal(command.type, IM_COMMAND_CONNECT);
        test_str(command.token, cases[i].token);
        test_str(command.room, cases[i].room);
    }

    im_buf_cleanup(&arena);
}


static void
test_first_bad(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const im_str_t  bad[] = {
        im_str(""), im_str(" "), im_str("null"), im_str("1"),
        im_str("\"auth\""), im_str("[]"), im_str("[{\"auth\":\"t\"}]"),
        im_str("{"), im_str("{\"auth\":\"t\""), im_str("{\"auth\":t}"),
        im_str("{} {}"), im_str("{\"auth\":\"\xff\"}"), im_str("{}\0"),
        im_str("hello"), im_str("{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[")
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        s = copy_of(bad[i]);
        decode(s, &command);
        free(s.data);

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_BAD_REQUEST);
        assert_string_equal(command.why,
                            "first frame is not a JSON object");
    }

    im_buf_cleanup(&arena);
}


/* The names are known in any case, and the last of equal ones counts. */
static void
test_first_wrong(void **state)
{
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const struct {
        const char  *text;
        const char  *why;
    } cases[] = {
        { "\"auth\":1", "auth must be a string" },
        { "\"auth\":true,\"roomId\":3", "auth must be a string" },
        { "\"auth\":{\"a\":[]},\"roomId\":3", "auth must be a string" },
        { "\"Auth\":[\"t\"]", "auth must be a string" },
        { "\"auth\":\"t\",\"AUTH\":5", "auth must be a string" },
        { "\"roomId\":\"1\"", "roomId must be a 32-bit integer" },
        { "\"roomId\":\"\"", "roomId must be a 32-bit integer" },
        { "\"ROOMID\":\"1\"", "roomId must be a 32-bit integer" },
        { "\"auth\":\"t\",\"roomId\":1.5",
          "roomId must be a 32-bit integer" },
        { "\"roomId\":1.0", "roomId must be a 32-bit integer" },
        { "\"roomId\":1e3", "roomId must be a 32-bit integer" },
        { "\"roomId\":true", "roomId must be a 32-bit integer" },
        { "\"roomId\":[1]", "roomId must be a 32-bit integer" },
        { "\"roomId\":{}", "roomId must be a 32-bit integer" },
        { "\"roomId\":2147483648", "roomId must be a 32-bit integer" },
        { "\"roomId\":-2147483649", "roomId must be a 32-bit integer" },
        { "\"roomId\":99999999999999999999",
          "roomId must be a 32-bit integer" },
        { "\"roomId\":1,\"roomId\":\"2\"",
          "roomId must be a 32-bit integer" },
        { "\"room\":1", "room must be a string" },
        { "\"room\":{}", "room must be a string" },
        { "\"seq\":\"1\"", "seq must be an integer from 0 on" },
        { "\"seq\":1.5", "seq must be an integer from 0 on" },
        { "\"seq\":-1", "seq must be an integer from 0 on" },
        { "\"seq\":-9223372036854775807", "seq must be an integer from 0 on" },
        { "\"seq\":9223372036854775808", "seq must be an integer from 0 on" },
        { "\"epoch\":7", "epoch must be a string" },
        { "\"inbox\":[]", "inbox must be an object" },
        { "\"inbox\":\"x\"", "inbox must be an object" },
        { "\"broadcast\":1", "broadcast must be an object" },
        { "\"last\":0", "last must be an integer from 1 to 300" },
        { "\"Last\":301", "last must be an integer from 1 to 300" },
        { "\"last\":-1", "last must be an integer from 1 to 300" },
        { "\"last\":65537", "last must be an integer from 1 to 300" },
        { "\"last\":-9223372036854775807",
          "last must be an integer from 1 to 300" },
        { "\"last\":1.5", "last must be an integer from 1 to 300" },
        { "\"last\":\"5\"", "last must be an integer from 1 to 300" },
        { "\"last\":true", "last must be an integer from 1 to 300" },
        { "\"roomId\":-1,\"last\":301",
          "last must be an integer from 1 to 300" },
        { "\"broadcast\":{\"seq\":-1}", "seq must be an integer from 0 on" },
        { "\"inbox\":{\"last\":0}",
          "last must be an integer from 1 to 300" },
        { "\"inbox\":{\"seq\":\"1\"}", BAD_POSITION },
        { "\"broadcast\":{\"last\":\"1\"}", BAD_POSITION },
        { "\"inbox\":{\"epoch\":1}", BAD_POSITION }
    };
    char  text[256];

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        sprintf(text, "{%s}", cases[i].text);
        s = copy_of(im_str_z(text));
        decode(s, &command);
        free(s.data);

        if (command.type != IM_COMMAND_FAULT) {
            fail_msg("%s is taken", text);
        }

        assert_int_equal(command.fault, IM_REASON_BAD_REQUEST);
        assert_string_equal(command.why, cases[i].why);
    }

    im_buf_cleanup(&arena);
}


static void
test_first_cut(void **state)
{
    size_t        i;
    im_str_t      s, text;
    im_command_t  command;

    (void) state;

    text = im_str_z("{\"auth\":\"\\u0074\\ud83d\\ude00\",\"x\":[{\"y\":null}]"
                    ",\"roomId\":12}");

    for (i = 0; i < text.len; i++) {
        s = copy_of(im_str_set(text.data, i));
        decode(s, &command);
        free(s.data);

        assert_int_equal(command.type, IM_COMMAND_FAULT);
    }

    decode(text, &command);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);

    im_buf_cleanup(&arena);
}


static void
test_first_long(void **state)
{
    char          text[20000];
    size_t        len;
    im_command_t  command;

    (void) state;

    memset(text, ' ', sizeof(text));
    memcpy(text, "{}", 2);

    decode(im_str_set(text, 16384), &command);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    decode(im_str_set(text, 16385), &command);
    assert_int_equal(command.type, IM_COMMAND_FAULT);
    assert_int_equal(command.fault, IM_REASON_TOO_BIG);
    assert_int_equal(arena.size, 0);

    for (len = 8192; len <= 8193; len++) {
        memcpy(text, "{\"auth\":\"", 9);
        memset(text + 9, 'x', len);
        memcpy(text + 9 + len, "\"}", 2);

        decode(im_str_set(text, len + 11), &command);

        if (len == 8192) {
            assert_int_equal(command.type, IM_COMMAND_CONNECT);
            assert_int_equal(command.token.len, 8192);

        } else {
            assert_int_equal(command.type, IM_COMMAND_FAULT);
            assert_int_equal(command.fault, IM_REASON_BAD_REQUEST);
        }
    }

    im_buf_cleanup(&arena);
}


static void
tell_resumes(const im_command_t *command, char *told)
{
    im_uint_t           i;
    const im_resume_t  *r;

    *told = '\0';

    for (i = 0; i < command->nresumes; i++) {
        r = &command->resumes[i];
        told += sprintf(told, "%.*s=", (int) r->topic.len,
                        (char *) r->topic.data);

        if (r->recover) {
            told += sprintf(told, "%.*s:%lu", (int) r->since.epoch.len,
                            (char *) r->since.epoch.data, r->since.seq);
        }

        told += sprintf(told, r->last > 0 ? "+%u " : " ", r->last);
        assert_false(r->join);
    }
}


static void
test_first_positions(void **state)
{
    char          told[1024];
    size_t        i;
    im_str_t      s;
    im_command_t  command;

    static const struct {
        const char  *text;
        int          positions;
        const char  *resumes;
    } cases[] = {
        { "{\"roomId\":1}", 0, "" },
        { "{\"roomId\":1,\"seq\":null,\"epoch\":null}", 0, "" },
        { "{\"roomId\":1,\"seq\":0}", 1, "" },
        { "{\"roomId\":1,\"epoch\":\"\"}", 1, "" },
        { "{\"roomId\":1,\"inbox\":{}}", 1, "" },
        { "{\"roomId\":1,\"broadcast\":{\"seq\":0,\"epoch\":\"\"}}", 1, "" },
        { "{\"roomId\":1,\"seq\":5}", 1, "r:1=:5 " },
        { "{\"roomId\":-7,\"epoch\":\"e\"}", 1, "r:-7=e:0 " },
        { "{\"roomId\":-1,\"epoch\":\"e\",\"seq\":5}", 1, "" },
        { "{\"ROOMID\":12,\"SEQ\":9223372036854775807,\"Epoch\":"
          "\"\\u0065\",\"Inbox\":{\"SEQ\":2,\"Epoch\":\"f\"},"
          "\"broadcast\":{\"seq\":3,\"epoch\":\"g\"}}", 1,
          "r:12=e:9223372036854775807 u:=f:2 b=g:3 " },
        { "{\"inbox\":{\"seq\":null,\"epoch\":\"f\"},\"auth\":\"t\"}", 1,
          "u:=f:0 " },
        { "{\"roomId\":1,\"last\":null}", 0, "" },
        { "{\"roomId\":1,\"last\":1}", 1, "r:1=+1 " },
        { "{\"LAST\":300,\"seq\":0,\"roomId\":1}", 1, "r:1=+300 " },
        { "{\"last\":300,\"seq\":4,\"roomId\":1}", 1, "r:1=:4+300 " },
        { "{\"last\":20,\"roomId\":-1}", 1, "" },
        { "{\"last\":20,\"room\":\"chat:a\",\"roomId\":3}", 1,
          "r:chat:a=+20 " },
        { "{\"roomId\":-1,\"inbox\":{\"last\":5},\"broadcast\":"
          "{\"epoch\":\"g\",\"last\":6}}", 1, "u:=+5 b=g:0+6 " }
    };

    (void) state;

    for (i = 0; i < test_count(cases); i++) {
        s = copy_of(im_str_z(cases[i].text));
        decode(s, &command);

        assert_int_equal(command.type, IM_COMMAND_CONNECT);
        assert_int_equal(command.positions, cases[i].positions);
        assert_int_equal(command.begins, cases[i].positions);
        tell_resumes(&command, told);
        assert_string_equal(told, cases[i].resumes);
        free(s.data);
    }

    im_buf_cleanup(&arena);
}


static void
test_encode_seq(void **state)
{
    size_t         i;
    im_message_t   m;
    im_envelope_t  e;

    static const struct {
        const char  *topic;
        int          numbered;
        const char  *wanted;
    } cases[] = {
        { "r:1", 1, "\"op\":3,\"seq\":7,\"epoch\":\"e\\\"\"}" },
        { "r:1", 0, "\"op\":3}" },
        { "u:ann", 1, "\"op\":2,\"seq\":7,\"epoch\":\"e\\\"\"}" },
        { "b", 1, "\"op\":3,\"seq\":7,\"epoch\":\"e\\\"\","
                  "\"broadcast\":true}" },
        { "b", 0, "\"op\":3,\"broadcast\":true}" }
    };
    char  wanted[256];

    (void) state;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = IM_PUSH_TEXT;
    e.data = im_str_z("x");

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(cases); i++) {
        memset(&m, 0, sizeof(im_message_t));
        m.topic = im_str_z(cases[i].topic);
        m.epoch = im_str_z("e\"");
        m.seq = 7;
        m.numbered = cases[i].numbered;
        m.envelope = &e;

        im_buf_reset(&b, 1 << 20);
        im_proto_im.forms[IM_FORM_POSITIONS]->message(&b, &im_transport_ws, &m);
        sprintf(wanted, "{\"code\":0,\"msg\":\"x\",\"fuid\":\"\","
                "\"fname\":\"\",%s", cases[i].wanted);
        test_str(payload(), wanted);
    }

    im_buf_cleanup(&b);
}


/* A copy of what its sender has sent is for clients that ask for more. */
static void
test_encode_copy(void **state)
{
    size_t         i;
    im_message_t   m;
    im_envelope_t  e;

    static const struct {
        const char  *topic;
        const char  *user;
        const char  *tags;
        const char  *session;
        const char  *copy;       /* NULL: it isn't one */
    } cases[] = {
        { "u:ann", "ann", "{\"to\":\"bob\"}", "", ",\"tuid\":\"bob\"" },
        { "u:ann", "ann", "{\"a\":\"b\", \"to\" : \"\\u0062\\\"\"}", "s1",
          ",\"tuid\":\"\\u0062\\\"\",\"session\":\"s1\"" },
        { "u:ann", "bob", "{\"to\":\"bob\"}", "s", NULL },
        { "u:ann", "", "{\"to\":\"bob\"}", "s", NULL },
        { "u:ann", "ann", "{\"To\":\"bob\"}", "s", NULL },
        { "u:ann", "ann", "{\"to\":7}", "s", NULL },
        { "u:ann", "ann", "{\"to\":null}", "s", NULL },
        { "u:ann", "ann", "{", "s", NULL },
        { "u:ann", "ann", "", "s", NULL },
        { "r:ann", "ann", "{\"to\":\"bob\"}", "s", NULL },
        { "b", "", "{\"to\":\"bob\"}", "s", NULL }
    };
    char  wanted[256];

    (void) state;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = IM_PUSH_TEXT;
    e.data = im_str_z("x");
    e.time = 1700000000123;

    memset(&m, 0, sizeof(im_message_t));
    m.epoch = im_str_z("e");
    m.seq = 7;
    m.numbered = 1;
    m.envelope = &e;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(cases); i++) {
        m.topic = im_str_z(cases[i].topic);
        e.user = im_str_z(cases[i].user);
        e.tags = im_str_z(cases[i].tags);
        e.session = im_str_z(cases[i].session);

        im_buf_reset(&b, 1 << 20);
        im_proto_im.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);

        if (cases[i].copy != NULL) {
            assert_int_equal(b.len, 0);

        } else {
            sprintf(wanted, "{\"code\":0,\"msg\":\"x\",\"fuid\":\"%s\","
                    "\"fname\":\"\",\"op\":%d}", cases[i].user,
                    cases[i].topic[0] == 'u' ? 2 : 3);
            test_str(payload(), wanted);
        }

        im_buf_reset(&b, 1 << 20);
        im_proto_im.forms[IM_FORM_POSITIONS]->message(&b, &im_transport_ws,
                                                      &m);
        sprintf(wanted, "{\"code\":0,\"msg\":\"x\",\"fuid\":\"%s\","
                "\"fname\":\"\",\"op\":%d%s,\"seq\":7,\"epoch\":\"e\"%s,"
                "\"time\":1700000000123}", cases[i].user,
                cases[i].topic[0] == 'u' ? 2 : 3,
                cases[i].copy != NULL ? cases[i].copy : "",
                cases[i].topic[0] == 'b' ? ",\"broadcast\":true" : "");
        test_str(payload(), wanted);
    }

    im_buf_cleanup(&b);
}


/* The frames of b, cut by "\n". */
static void
frames(char *told)
{
    size_t  at, len;

    for (at = 0; at < b.len; at += len) {
        assert_int_equal(b.data[at], 0x80|IM_WS_TEXT);
        assert_true(b.data[at + 1] < 126);
        len = b.data[at + 1];
        at += 2;
        assert_true(at + len <= b.len);
        assert_true(im_json_valid(im_str_set(b.data + at, len)));
        told += sprintf(told, "%.*s\n", (int) len, (char *) b.data + at);
    }
}


static void
test_reply(void **state)
{
    size_t  max;
    char    told[1024];

    static const im_envelope_t  e = { .type = IM_PUSH_TEXT,
                                      .data = im_str("x") };
    static const im_message_t   messages[] = {
        { .topic = im_str("r:7"), .epoch = im_str("e"), .seq = 4,
          .numbered = 1, .envelope = &e },
        { .topic = im_str("r:7"), .epoch = im_str("e"), .seq = 5,
          .numbered = 1, .envelope = &e }
    };
    static const im_subscribed_t  subs[] = {
        { .topic = im_str("r:7"), .at = { im_str("e"), 3 },
          .messages = messages, .nmessages = 2, .recovering = 1,
          .recovered = 1 },
        { .topic = im_str("r:\"x"), .at = { im_str("e"), 0 } },
        { .topic = im_str("u:ann"), .at = { im_str("f"), 9 },
          .recovering = 1 },
        { .topic = im_str("b"), .at = { im_str("g"), 1 } }
    };
    im_reply_t  reply;

    static const char  wanted[] =
        "{\"op\":7,\"roomId\":7,\"room\":\"7\",\"seq\":3,\"epoch\":\"e\","
        "\"recovered\":true}\n"
        "{\"code\":0,\"msg\":\"x\",\"fuid\":\"\",\"fname\":\"\",\"op\":3,"
        "\"seq\":4,\"epoch\":\"e\"}\n"
        "{\"code\":0,\"msg\":\"x\",\"fuid\":\"\",\"fname\":\"\",\"op\":3,"
        "\"seq\":5,\"epoch\":\"e\"}\n"
        "{\"op\":7,\"roomId\":-1,\"room\":\"\\\"x\",\"seq\":0,"
        "\"epoch\":\"e\",\"recovered\":true}\n"
        "{\"op\":7,\"inbox\":true,\"session\":\"s1\",\"seq\":9,"
        "\"epoch\":\"f\",\"recovered\":false}\n"
        "{\"op\":7,\"broadcast\":true,\"seq\":1,\"epoch\":\"g\","
        "\"recovered\":true}\n";

    (void) state;

    memset(&reply, 0, sizeof(im_reply_t));
    reply.type = IM_REPLY_PUSH_SUBSCRIBE;
    reply.session = im_str_z("s1");
    reply.subs = subs;
    reply.nsubs = test_count(subs);

    for (max = 0; max <= sizeof(wanted) + 64; max++) {
        im_buf_init(&b, max);
        im_proto_im.reply(&b, &im_transport_ws, &reply);

        if (!b.failed) {
            frames(told);
            assert_string_equal(told, wanted);
        }

        assert_true(!b.failed || max < sizeof(wanted) + 32);
        im_buf_cleanup(&b);
    }

    /* what the protocol has no frame for */
    reply.type = IM_REPLY_PING;
    reply.nsubs = 0;

    im_buf_init(&b, 64);
    im_proto_im.reply(&b, &im_transport_ws, &reply);
    assert_int_equal(b.len, 0);
    im_buf_cleanup(&b);
}


static void
test_later(void **state)
{
    im_buf_t      none;
    im_str_t      text;
    im_command_t  command;

    (void) state;

    im_buf_init(&none, 1024);

    text = im_str_z("{\"auth\":\"t\",\"roomId\":1}");
    im_proto_im.decode(&text, 1, &none, &command);
    assert_int_equal(command.type, IM_COMMAND_NONE);
    text = im_str_z("\xff");
    im_proto_im.decode(&text, 1, &none, &command);
    assert_int_equal(command.type, IM_COMMAND_NONE);

    /* a binary first frame is like a text one */
    text = im_str_z("{\"auth\":\"t\",\"roomId\":1}");
    im_proto_im.decode(&text, 0, &none, &command);
    assert_int_equal(command.type, IM_COMMAND_CONNECT);

    im_buf_cleanup(&none);
}


static void
test_first_no_memory(void **state)
{
    size_t        n;
    im_command_t  command;

    (void) state;

    for (n = 1; ; n++) {
        im_buf_cleanup(&arena);
        alloc_fail_at(n);
        decode(im_str_z("{\"auth\":\"token\",\"roomId\":1,\"seq\":1,"
                        "\"inbox\":{\"epoch\":\"e\"}}"), &command);

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(command.type, IM_COMMAND_FAULT);
        assert_int_equal(command.fault, IM_REASON_INTERNAL);
        im_buf_cleanup(&arena);
        assert_int_equal(alloc_live(), 0);
    }

    assert_int_equal(command.type, IM_COMMAND_CONNECT);
    assert_true(n > 6);
    assert_int_equal(command.nresumes, 2);
    im_buf_cleanup(&arena);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_encode),
    alloc_test(test_encode_op),
    alloc_test(test_encode_lengths),
    alloc_test(test_encode_no_memory),
    alloc_test(test_encode_limit),
    alloc_test(test_room_info),
    alloc_test(test_room_info_no_memory),
    alloc_test(test_encode_seq),
    alloc_test(test_encode_copy),
    alloc_test(test_reply),
    alloc_test(test_first),
    alloc_test(test_first_bad),
    alloc_test(test_first_wrong),
    alloc_test(test_first_cut),
    alloc_test(test_first_long),
    alloc_test(test_first_positions),
    alloc_test(test_later),
    alloc_test(test_first_no_memory)
};

test_main(tests)
