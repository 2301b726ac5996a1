/*
 * Copyright (C) The im authors
 *
 * What the load generator reads: an answer to a handshake, frames, events and
 * packets, cut at each byte; and the messages that it finds in them.
 */

#include "test.h"
#include "load_frame.h"
#include "load_proto.h"


#define ANSWER  "HTTP/1.1 101 Switching Protocols\r\n"                         \
                "Upgrade: websocket\r\n"                                      \
                "Sec-WebSocket-Accept: " LOAD_ACCEPT "\r\n\r\n"


static void
test_handshake(void **state)
{
    size_t    i;
    u_char    answer[] = ANSWER "\x81", *p;
    unsigned  status;

    for (i = 0; i < sizeof(ANSWER) - 1; i++) {
        p = answer;
        assert_int_equal(load_frame_handshake(LOAD_WIRE_WEBSOCKET, &p,
                                              answer + i, &status), IM_AGAIN);
        assert_ptr_equal(p, answer);
    }

    assert_int_equal(load_frame_handshake(LOAD_WIRE_WEBSOCKET, &p,
                                          answer + sizeof(answer) - 1,
                                          &status), IM_OK);
    assert_int_equal(*p, 0x81);
}


static void
refused(load_wire_e wire, const char *answer, unsigned want)
{
    u_char    bytes[256], *p;
    unsigned  status;

    memcpy(bytes, answer, strlen(answer));
    p = bytes;
    assert_int_equal(load_frame_handshake(wire, &p, bytes + strlen(answer),
                                          &status), IM_ERROR);
    assert_int_equal(status, want);
}


static void
test_refused(void **state)
{
    static const char  late[] =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n";

    refused(LOAD_WIRE_WEBSOCKET, late, 503);
    refused(LOAD_WIRE_SSE, late, 503);
    refused(LOAD_WIRE_WEBSOCKET, "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            101);
    refused(LOAD_WIRE_SSE, ANSWER, 101);
    refused(LOAD_WIRE_WEBSOCKET, "hello\r\n\r\n", 0);
}


/* A frame of any length, cut anywhere, with another one behind it. */
static void
test_frames(void **state)
{
    size_t        i, head, cut;
    u_char       *p;
    load_frame_t  frame;

    static u_char         bytes[70000];
    static const size_t   lengths[] = { 0, 1, 125, 126, 300, 65535, 65536 };

    for (i = 0; i < test_count(lengths); i++) {
        head = lengths[i] < 126 ? 2 : lengths[i] < 65536 ? 4 : 10;
        memset(bytes, 'x', sizeof(bytes));
        memset(bytes, 0, head);
        bytes[0] = 0x81;
        bytes[1] = head == 2 ? lengths[i] : head == 4 ? 126 : 127;

        if (head > 2) {
            bytes[head - 1] = lengths[i] & 0xff;
            bytes[head - 2] = lengths[i] >> 8 & 0xff;
            bytes[head - 3] = head == 10 ? lengths[i] >> 16 : bytes[1];
        }

        for (cut = 0; cut < head + lengths[i]; cut += cut < 16 ? 1 : 997) {
            p = bytes;
            assert_int_equal(load_frame_decode(LOAD_WIRE_WEBSOCKET, &p,
                                               bytes + cut, &frame), IM_AGAIN);
            assert_ptr_equal(p, bytes);
        }

        assert_int_equal(load_frame_decode(LOAD_WIRE_WEBSOCKET, &p,
                                           bytes + sizeof(bytes), &frame),
                         IM_OK);
        assert_int_equal(frame.opcode, 1);
        assert_int_equal(frame.payload.len, lengths[i]);
        assert_ptr_equal(frame.payload.data, bytes + head);
        assert_ptr_equal(p, bytes + head + lengths[i]);
    }
}


static void
test_bad_frames(void **state)
{
    u_char        masked[] = { 0x81, 0x80, 0, 0, 0, 0 };
    u_char        long_one[] = { 0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0 };
    u_char       *p;
    im_str_t      code = im_str("\x03\xf5slow");
    im_str_t      none = im_null_str;
    load_frame_t  frame;

    p = masked;
    assert_int_equal(load_frame_decode(LOAD_WIRE_WEBSOCKET, &p,
                                       masked + sizeof(masked), &frame),
                     IM_ERROR);
    p = long_one;
    assert_int_equal(load_frame_decode(LOAD_WIRE_WEBSOCKET, &p,
                                       long_one + sizeof(long_one), &frame),
                     IM_ERROR);
    assert_int_equal(load_frame_code(code), 1013);
    assert_int_equal(load_frame_code(none), 1005);
}


/* Cut anywhere, each of them is the one that is expected. */
static void
pieces(load_wire_e wire, u_char *bytes, size_t len, unsigned opcode,
    const char *want)
{
    size_t        cut;
    u_char       *p;
    load_frame_t  frame;

    for (cut = 0; cut < len; cut++) {
        p = bytes;
        assert_int_equal(load_frame_decode(wire, &p, bytes + cut, &frame),
                         IM_AGAIN);
        assert_ptr_equal(p, bytes);
    }

    assert_int_equal(load_frame_decode(wire, &p, bytes + len, &frame), IM_OK);
    assert_int_equal(frame.opcode, opcode);
    assert_int_equal(frame.payload.len, strlen(want));
    assert_memory_equal(frame.payload.data, want, strlen(want));
    assert_ptr_equal(p, bytes + len);
}


static void
test_events(void **state)
{
    u_char  event[] = "id: 1\ndata: a\n\n";
    u_char  comment[] = ":\n\n";

    pieces(LOAD_WIRE_SSE, event, sizeof(event) - 1, 1, "id: 1\ndata: a");
    pieces(LOAD_WIRE_SSE, comment, sizeof(comment) - 1, LOAD_FRAME_PONG, ":");
}


static void
test_packets(void **state)
{
    u_char        head[LOAD_GOIM_HEAD] = { 0, 0, 0, 15 };
    u_char       *p;
    im_buf_t      b;
    load_frame_t  frame;

    im_buf_init(&b, 1024);
    load_proto_packet(&b, LOAD_GOIM_AUTH, im_str_z("{}"));
    pieces(LOAD_WIRE_GOIM, b.data, b.len, LOAD_GOIM_AUTH, "{}");
    im_buf_cleanup(&b);

    p = head;
    assert_int_equal(load_frame_decode(LOAD_WIRE_GOIM, &p, head + sizeof(head),
                                       &frame), IM_ERROR);
}


/* Several messages in one frame, with anything around them. */
static void
test_markers(void **state)
{
    size_t          i, len;
    im_buf_t        b;
    const u_char   *p, *end;
    load_marker_t   m, got;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < 100; i++) {
        memset(&m, 0, sizeof(m));
        m.slot = 0xabcd0000 + (uint32_t) i;
        m.topic = (uint32_t) i * 1000;
        m.lane = (uint32_t) i;
        m.seq = 0xffffff00 + (uint32_t) i;
        m.sent = 0x0123456789abcdefULL + i;

        im_buf_add_z(&b, "{\"channel\":\"~im\",\"pub\":{\"data\":");
        len = b.len;
        load_marker_encode(&b, &m, LOAD_MIN_SIZE + i);
        assert_int_equal(b.len - len, LOAD_MIN_SIZE + i);
        im_buf_add_z(&b, "}}\n");
    }

    /* a marker of which the end is missing is none */
    im_buf_add_z(&b, LOAD_MARKER "0000");
    p = b.data;
    end = b.data + b.len;

    for (i = 0; i < 100; i++) {
        assert_true(load_marker_decode(&p, end, &got));
        assert_int_equal(got.slot, 0xabcd0000 + i);
        assert_int_equal(got.topic, i * 1000);
        assert_int_equal(got.lane, i);
        assert_int_equal(got.seq, 0xffffff00 + i);
        assert_true(got.sent == 0x0123456789abcdefULL + i);
    }

    assert_false(load_marker_decode(&p, end, &got));
    assert_ptr_equal(p, end);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_handshake),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_frames),
    cmocka_unit_test(test_bad_frames),
    cmocka_unit_test(test_events),
    cmocka_unit_test(test_packets),
    alloc_test(test_markers)
};

test_main(tests)
