/*
 * Copyright (C) The im authors
 *
 * Transports: what the WebSocket row makes of input that is cut anywhere, and
 * the frames it writes.  ws_test.c tests the frames themselves.
 */

#include "test.h"
#include "im_transport.h"


#define MAX_TEXT  512


static im_buf_t  b;


/* A client's frame of a short payload, with a mask of zeros. */
static void
client_frame(u_char first, const char *payload, size_t len)
{
    im_buf_add_u8(&b, first);
    im_buf_add_u8(&b, (uint8_t) (0x80 | len));
    im_buf_add_u32(&b, 0);
    im_buf_add(&b, payload, len);
}


/* Pieces of messages as they are, other events by a letter and their data. */
static im_int_t
read_all(im_input_t *input, u_char *p, u_char *end, im_buf_t *text)
{
    im_int_t          rc;
    im_input_event_t  ev;

    static const char  letters[] = "..mpq";

    for ( ;; ) {
        rc = im_transport_ws.decode(input, &p, end, 100, &ev);

        if (rc == IM_ERROR) {
            im_buf_add_z(text, "!");
            im_buf_add_uint(text, ev.code);
            return rc;
        }

        if (rc == IM_AGAIN) {
            assert_true(p == end);
            return rc;
        }

        if (ev.type == IM_INPUT_PIECE) {
            im_buf_add_str(text, ev.data);
            continue;
        }

        if (ev.type == IM_INPUT_CLOSE) {
            im_buf_add_z(text, "<c ");
            im_buf_add_uint(text, ev.code);
            im_buf_add_z(text, " ");
            im_buf_add_z(text, ev.why);
            im_buf_add_z(text, ">");
            continue;
        }

        im_buf_add_z(text, "<");
        im_buf_add(text, letters + ev.type, 1);
        im_buf_add_z(text, ev.kind == IM_KIND_TEXT ? "t" : "");
        im_buf_add_z(text, ev.kind == IM_KIND_BINARY ? "b" : "");
        im_buf_add_str(text, ev.data);
        im_buf_add_z(text, ">");
    }
}


/* In two reads, cut at each point; and byte by byte. */
static void
expect(const char *wanted)
{
    size_t      i, at;
    u_char      copy[MAX_TEXT];
    im_int_t    rc;
    im_buf_t    text;
    im_input_t  input;

    for (at = 0; at <= b.len + 1; at++) {

        memcpy(copy, b.data, b.len);
        memset(&input, 0, sizeof(im_input_t));
        im_buf_init(&text, MAX_TEXT);

        if (at <= b.len) {
            rc = read_all(&input, copy, copy + at, &text);

            if (rc == IM_AGAIN) {
                (void) read_all(&input, copy + at, copy + b.len, &text);
            }

        } else {
            for (i = 0, rc = IM_AGAIN; i < b.len && rc == IM_AGAIN; i++) {
                rc = read_all(&input, copy + i, copy + i + 1, &text);
            }
        }

        test_str(im_buf_str(&text), wanted);
        assert_int_equal(input.failed, strchr(wanted, '!') != NULL);

        im_buf_cleanup(&text);
        im_input_cleanup(&input);
    }

    im_buf_cleanup(&b);
}


static void
test_messages(void **state)
{
    (void) state;

    im_buf_init(&b, MAX_TEXT);

    client_frame(0x81, "hello", 5);
    client_frame(0x82, "", 0);
    client_frame(0x01, "one ", 4);
    client_frame(0x89, "ping", 4);
    client_frame(0x8a, "", 0);
    client_frame(0x80, "message", 7);
    client_frame(0x88, "\x03\xe8" "bye", 5);

    expect("hello<mt><mb>one <pping><q>message<mt><c 1000 closed by client>");
}


/* Empty fragments and control frames count, wherever they are cut. */
static void
test_frame_count(void **state)
{
    size_t       at;
    u_char       copy[MAX_TEXT];
    im_buf_t     text;
    im_input_t   input;

    (void) state;

    im_buf_init(&b, MAX_TEXT);

    client_frame(0x01, "", 0);
    client_frame(0x00, "", 0);
    client_frame(0x89, "", 0);
    client_frame(0x00, "x", 1);
    client_frame(0x8a, "pong", 4);
    client_frame(0x80, "", 0);
    client_frame(0x82, "", 0);

    for (at = 0; at <= b.len; at++) {
        memcpy(copy, b.data, b.len);
        memset(&input, 0, sizeof(im_input_t));
        im_buf_init(&text, MAX_TEXT);

        (void) read_all(&input, copy, copy + at, &text);
        (void) read_all(&input, copy + at, copy + b.len, &text);

        assert_int_equal(input.frames, 7);

        /* the reader takes them off */

        input.frames = -1;
        memcpy(copy, b.data, b.len);
        (void) read_all(&input, copy, copy + b.len, &text);
        assert_int_equal(input.frames, 6);

        im_buf_cleanup(&text);
        im_input_cleanup(&input);
    }

    im_buf_cleanup(&b);
}


static void
test_close(void **state)
{
    (void) state;

    im_buf_init(&b, MAX_TEXT);
    client_frame(0x88, "", 0);
    expect("<c 1005 closed by client>");

    client_frame(0x88, "\x03", 1);
    expect("<c 1002 invalid close frame>");

    client_frame(0x88, "\x03\xed", 2);
    expect("<c 1002 invalid close frame>");
}


static void
test_errors(void **state)
{
    (void) state;

    im_buf_init(&b, MAX_TEXT);
    client_frame(0x81, "hello", 5);
    client_frame(0xc1, "deflated", 8);
    expect("hello<mt>!1002");

    client_frame(0x01, "0123456789012345678901234567890123456789", 40);
    client_frame(0x00, "0123456789012345678901234567890123456789", 40);
    client_frame(0x80, "012345678901234567890", 21);
    expect("0123456789012345678901234567890123456789"
           "0123456789012345678901234567890123456789!1009");
}


/* A control frame that is cut needs memory, and without it nothing goes on. */
static void
test_no_memory(void **state)
{
    im_buf_t    text;
    im_input_t  input;

    (void) state;

    im_buf_init(&b, MAX_TEXT);
    im_buf_init(&text, MAX_TEXT);
    memset(&input, 0, sizeof(im_input_t));

    client_frame(0x89, "ping", 4);
    (void) im_buf_reserve(&text, MAX_TEXT / 2);
    im_buf_reset(&text, MAX_TEXT);

    alloc_fail_at(1);
    assert_int_equal(read_all(&input, b.data, b.data + 8, &text), IM_ERROR);
    assert_true(alloc_failed());
    assert_int_equal(read_all(&input, b.data + 8, b.data + b.len, &text),
                     IM_ERROR);
    test_str(im_buf_str(&text), "!1011!1011");
    assert_true(input.failed);

    im_input_cleanup(&input);
    im_buf_cleanup(&text);
    im_buf_cleanup(&b);
}


static void
test_frames(void **state)
{
    size_t  i, start;

    static const size_t  sizes[] = { 0, 5, 125, 126, 65535, 65536 };

    (void) state;

    im_buf_init(&b, 1 << 20);

    for (i = 0; i < test_count(sizes); i++) {
        im_buf_reset(&b, 0);
        im_buf_add_z(&b, "before");

        start = im_frame_start(&b, &im_transport_ws);
        (void) im_buf_reserve(&b, sizes[i]);
        memset(b.data + b.len - sizes[i], 'x', sizes[i]);
        im_frame_end(&b, &im_transport_ws, start,
                     i & 1 ? IM_KIND_BINARY : IM_KIND_TEXT);

        assert_memory_equal(b.data, "before", 6);
        assert_int_equal(b.data[6], i & 1 ? 0x82 : 0x81);
        assert_int_equal(b.len, 6 + sizes[i] + (sizes[i] < 126 ? 2
                                                : sizes[i] < 65536 ? 4 : 10));
        assert_true(sizes[i] == 0 || b.data[b.len - 1] == 'x');
    }

    im_buf_cleanup(&b);
}


static void
test_control_frames(void **state)
{
    char  why[200];

    (void) state;

    memset(why, 'w', sizeof(why));
    im_buf_init(&b, MAX_TEXT);

    im_transport_ws.ping(&b);
    im_transport_ws.pong(&b, im_str_z("x"));
    im_transport_ws.close(&b, 1008, im_str_z("no"));
    im_transport_ws.close(&b, 1000, im_str_set(NULL, 0));
    im_transport_ws.close(&b, IM_WS_CLOSE_NO_STATUS, im_str_set(NULL, 0));

    assert_int_equal(b.len, 2 + 3 + 6 + 4 + 2);
    assert_memory_equal(b.data, "\x89\x00\x8a\x01x\x88\x04\x03\xf0no"
                        "\x88\x02\x03\xe8\x88\x00", b.len);

    im_buf_reset(&b, MAX_TEXT);
    im_transport_ws.close(&b, 1008, im_str_set(why, sizeof(why)));
    assert_int_equal(b.len, 2 + IM_WS_MAX_CONTROL);

    im_buf_cleanup(&b);
}


static void
test_frames_no_memory(void **state)
{
    size_t  start;

    (void) state;

    im_buf_init(&b, 4);
    start = im_frame_start(&b, &im_transport_ws);
    im_frame_end(&b, &im_transport_ws, start, IM_KIND_TEXT);
    im_transport_ws.close(&b, 1000, im_str_z("x"));
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_messages),
    alloc_test(test_frame_count),
    alloc_test(test_close),
    alloc_test(test_errors),
    alloc_test(test_no_memory),
    alloc_test(test_frames),
    alloc_test(test_control_frames),
    alloc_test(test_frames_no_memory)
};

test_main(tests)
