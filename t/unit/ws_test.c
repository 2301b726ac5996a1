/*
 * Copyright (C) The im authors
 *
 * WebSocket frames: every input whole, byte by byte, in pieces of each size
 * and cut in two at each point.
 */

#include "test.h"
#include "im_ws.h"


#define MAX_STREAM  (256 * 1024)
#define NO_LIMIT    UINT64_MAX


/* What should come out, or came out: opcode and byte in turn, ends marked. */
typedef struct {
    size_t       len;
    uint16_t     close_code;
    u_char       data[MAX_STREAM * 2];
} said_t;


/* Frames to decode. */
typedef struct {
    size_t       len;
    u_char       data[MAX_STREAM];
} stream_t;


static stream_t  stream, copy;
static said_t    expected, said;


static void
say(said_t *s, const void *data, size_t len)
{
    assert_true(s->len + len <= sizeof(s->data));

    memcpy(s->data + s->len, data, len);
    s->len += len;
}


/* A client's frame; the mask changes with each. */
static void
frame(u_char first, const void *data, size_t len)
{
    size_t   i, n;
    u_char  *p, mask[4];

    p = stream.data + stream.len;
    assert_true(stream.len + len + 14 <= sizeof(stream.data));

    for (i = 0; i < 4; i++) {
        mask[i] = stream.len * 31 + i * 77 + 5;
    }

    *p++ = first;
    n = len < 126 ? 0 : len < 65536 ? 2 : 8;
    *p++ = 0x80 | (n == 0 ? len : n == 2 ? 126 : 127);

    for (i = n; i > 0; i--) {
        *p++ = (uint64_t) len >> (8 * (i - 1));
    }

    memcpy(p, mask, 4);
    p += 4;

    for (i = 0; i < len; i++) {
        p[i] = ((const u_char *) data)[i] ^ mask[i & 3];
    }

    stream.len = p + len - stream.data;
}


static void
frame_z(u_char first, const char *text)
{
    frame(first, text, strlen(text));
}


static void
raw(const void *data, size_t len)
{
    assert_true(stream.len + len <= sizeof(stream.data));

    memcpy(stream.data + stream.len, data, len);
    stream.len += len;
}


static void
begin(void)
{
    stream.len = 0;
    expected.len = 0;
    expected.close_code = 0;
}


/* A control frame's payload or a piece of a message, as expected. */
static void
expect(u_char opcode, const void *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        say(&expected, &opcode, 1);
        say(&expected, (const u_char *) data + i, 1);
    }
}


static void
expect_end(u_char opcode)
{
    say(&expected, "\xff", 1);
    say(&expected, &opcode, 1);
}


static void
expect_z(u_char opcode, const char *text)
{
    expect(opcode, text, strlen(text));
    expect_end(opcode);
}


static void
told(const im_ws_event_t *ev)
{
    size_t  i;

    if (ev->type == IM_WS_EVENT_END) {
        assert_int_equal(ev->data.len, 0);
        say(&said, "\xff", 1);
        say(&said, &ev->opcode, 1);
        return;
    }

    assert_int_equal(ev->type, IM_WS_EVENT_DATA);
    assert_true(ev->data.len > 0);

    for (i = 0; i < ev->data.len; i++) {
        say(&said, &ev->opcode, 1);
        say(&said, ev->data.data + i, 1);
    }
}


/* In pieces: the first of one size, all others of another. */
static void
decode(size_t first, size_t each, uint64_t max)
{
    u_char         *p, *end;
    size_t          at, n;
    im_ws_t         ws;
    im_int_t        rc;
    im_ws_event_t   ev;

    memcpy(copy.data, stream.data, stream.len);
    said.len = 0;
    said.close_code = 0;

    im_ws_init(&ws);
    assert_true(im_ws_idle(&ws));

    n = first;

    for (at = 0; at < stream.len; at += n, n = each) {
        n = im_min(n, stream.len - at);
        p = copy.data + at;
        end = p + n;

        while ((rc = im_ws_decode(&ws, &p, end, max, &ev)) == IM_OK) {
            told(&ev);
        }

        if (rc == IM_ERROR) {
            said.close_code = ev.close_code;
            assert_non_null(ev.reason);
            assert_true(strlen(ev.reason) <= 100);

            assert_int_equal(im_ws_decode(&ws, &p, end, max, &ev), IM_ERROR);
            assert_int_equal(ev.close_code, said.close_code);
            return;
        }

        assert_int_equal(rc, IM_AGAIN);
        assert_ptr_equal(p, end);
    }
}


static void
check_said(void)
{
    assert_int_equal(said.close_code, expected.close_code);
    assert_int_equal(said.len, expected.len);
    assert_memory_equal(said.data, expected.data, said.len);
}


static void
check_max(uint64_t max)
{
    size_t  i, step;

    step = stream.len > 2000 ? stream.len / 200 : 1;

    decode(stream.len, 1, max);
    check_said();

    for (i = 1; i <= im_min(stream.len, 40); i++) {
        decode(i, i, max);
        check_said();
    }

    for (i = 1; i < stream.len; i += step) {
        decode(i, stream.len, max);
        check_said();
    }
}


static void
check(void)
{
    check_max(NO_LIMIT);
}


/* The last of the stream breaks the protocol. */
static void
check_fault(uint16_t code)
{
    expected.close_code = code;
    check();
}


static void
test_lengths(void **state)
{
    size_t    i, len;
    unsigned  n;

    static u_char        data[70000];
    static const size_t  lens[] = {
        0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 124, 125, 126, 127, 128, 1000, 65534,
        65535, 65536, 65537, 70000
    };

    (void) state;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = i * 7 + i / 256;
    }

    for (n = 0; n < test_count(lens); n++) {
        len = lens[n];

        begin();
        frame(0x82, data, len);
        frame_z(0x81, "next");
        expect(IM_WS_BINARY, data, len);
        expect_end(IM_WS_BINARY);
        expect_z(IM_WS_TEXT, "next");

        check_max(im_max(len, 4));

        if (len > 4) {
            expected.len = 0;
            expected.close_code = IM_WS_CLOSE_TOO_BIG;
            check_max(len - 1);
        }
    }
}


static void
test_fragments(void **state)
{
    (void) state;

    begin();
    frame_z(0x01, "caf\xc3");
    frame_z(0x89, "ping");
    frame_z(0x00, "\xa9 ");
    frame_z(0x00, "");
    frame_z(0x8a, "");
    frame_z(0x80, "end\xe2\x82\xac");
    frame_z(0x82, "\xff\xfe");
    frame_z(0x88, "\x03\xe8" "bye");

    expect(IM_WS_TEXT, "caf\xc3", 4);
    expect_z(IM_WS_PING, "ping");
    expect(IM_WS_TEXT, "\xa9 ", 2);
    expect_z(IM_WS_PONG, "");
    expect_z(IM_WS_TEXT, "end\xe2\x82\xac");
    expect_z(IM_WS_BINARY, "\xff\xfe");
    expect_z(IM_WS_CLOSE, "\x03\xe8" "bye");
    check();

    begin();
    frame_z(0x02, "");
    frame_z(0x00, "");
    frame_z(0x80, "");
    frame_z(0x81, "");
    expect_z(IM_WS_BINARY, "");
    expect_z(IM_WS_TEXT, "");
    check_max(0);

    begin();
    frame_z(0x02, "12345");
    frame_z(0x00, "67890");
    frame_z(0x80, "x");
    expect(IM_WS_BINARY, "1234567890", 10);
    expected.close_code = IM_WS_CLOSE_TOO_BIG;
    check_max(10);
}


/* A bad text is refused as soon as it can't become good. */
static void
test_text(void **state)
{
    u_char         *p;
    im_ws_t         ws;
    im_ws_event_t   ev;

    (void) state;

    begin();
    frame_z(0x81, "\xed\xa0\x80");
    decode(stream.len, 1, NO_LIMIT);
    assert_int_equal(said.close_code, IM_WS_CLOSE_INVALID);

    /* At the second byte: six of header, two of text. */

    im_ws_init(&ws);
    p = stream.data;
    assert_int_equal(im_ws_decode(&ws, &p, p + 7, 100, &ev), IM_OK);
    assert_int_equal(im_ws_decode(&ws, &p, p, 100, &ev), IM_AGAIN);
    assert_int_equal(im_ws_decode(&ws, &p, p + 1, 100, &ev), IM_ERROR);
    assert_int_equal(ev.close_code, IM_WS_CLOSE_INVALID);

    begin();
    frame_z(0x81, "ab\xe2\x82");
    expect(IM_WS_TEXT, "ab\xe2\x82", 4);
    check_fault(IM_WS_CLOSE_INVALID);

    begin();
    frame_z(0x01, "ab\xe2");
    frame_z(0x80, "\x82");
    expect(IM_WS_TEXT, "ab\xe2\x82", 4);
    check_fault(IM_WS_CLOSE_INVALID);

    begin();
    frame_z(0x01, "ab\xe2");
    frame_z(0x80, "");
    expect(IM_WS_TEXT, "ab\xe2", 3);
    check_fault(IM_WS_CLOSE_INVALID);
}


static void
test_faults(void **state)
{
    unsigned  i;
    u_char    big[200];

    (void) state;

    memset(big, 'x', sizeof(big));

    for (i = 0; i < 256; i++) {
        if ((i & 0x70) == 0 && ((i & 0x0f) == 1 || (i & 0x0f) == 2)) {
            continue;
        }

        if (i == 0x88 || i == 0x89 || i == 0x8a) {
            continue;
        }

        begin();
        frame_z(0x81, "ok");
        frame(i, "x", 1);
        expect_z(IM_WS_TEXT, "ok");
        check_fault(IM_WS_CLOSE_PROTOCOL);
    }

    for (i = 1; i <= 2; i++) {
        begin();
        frame_z(0x01, "x");
        frame_z(0x80 | i, "y");
        expect(IM_WS_TEXT, "x", 1);
        check_fault(IM_WS_CLOSE_PROTOCOL);
    }

    /* A message that has ended can't be continued. */

    begin();
    frame_z(0x81, "x");
    frame_z(0x80, "y");
    expect_z(IM_WS_TEXT, "x");
    check_fault(IM_WS_CLOSE_PROTOCOL);

    begin();
    frame(0x89, big, 125);
    frame(0x8a, big, 126);
    expect(IM_WS_PING, big, 125);
    expect_end(IM_WS_PING);
    check_fault(IM_WS_CLOSE_PROTOCOL);

    begin();
    raw("\x81\x02hi", 4);
    check_fault(IM_WS_CLOSE_PROTOCOL);

    begin();
    raw("\x81\xfe\x00\x7dmaskx", 9);
    check_fault(IM_WS_CLOSE_PROTOCOL);

    begin();
    raw("\x81\xff\0\0\0\0\0\0\xff\xffmaskx", 15);
    check_fault(IM_WS_CLOSE_PROTOCOL);

    begin();
    raw("\x81\xff\x80\0\0\0\0\0\xff\xffmaskx", 15);
    check_fault(IM_WS_CLOSE_PROTOCOL);
}


/* Lengths near 2^63 neither wrap around nor are waited for. */
static void
test_huge(void **state)
{
    (void) state;

    begin();
    raw("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmaskx", 15);
    expected.close_code = IM_WS_CLOSE_TOO_BIG;
    check_max(1000);

    begin();
    frame_z(0x02, "12345");
    raw("\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xffmaskx", 15);
    expect(IM_WS_BINARY, "12345", 5);
    expected.close_code = IM_WS_CLOSE_TOO_BIG;
    check_max((uint64_t) INT64_MAX);

    /* The limit may change under a message. */

    begin();
    frame_z(0x82, "12345");
    expected.close_code = IM_WS_CLOSE_TOO_BIG;
    check_max(0);
}


static void
test_idle(void **state)
{
    u_char         *p;
    size_t          i;
    im_ws_t         ws;
    im_int_t        rc;
    im_ws_event_t   ev;

    (void) state;

    begin();
    frame_z(0x01, "a");
    frame_z(0x89, "");
    frame_z(0x80, "b");

    im_ws_init(&ws);

    for (i = 0; i < stream.len; i++) {
        p = stream.data + i;

        do {
            rc = im_ws_decode(&ws, &p, stream.data + i + 1, 10, &ev);
        } while (rc == IM_OK);

        assert_int_equal(rc, IM_AGAIN);
        assert_int_equal(im_ws_idle(&ws), i == stream.len - 1);
    }
}


static void
test_close_decode(void **state)
{
    unsigned  i;
    int       good;
    u_char    payload[200];
    uint16_t  code;
    im_str_t  reason;

    (void) state;

    assert_int_equal(im_ws_close_decode(im_str_z(""), &code, &reason), IM_OK);
    assert_int_equal(code, IM_WS_CLOSE_NO_STATUS);
    assert_int_equal(reason.len, 0);

    assert_int_equal(im_ws_close_decode(im_str_z("\x03"), &code, &reason),
                     IM_ERROR);
    assert_int_equal(code, IM_WS_CLOSE_PROTOCOL);

    memcpy(payload + 2, "why", 3);

    for (i = 0; i < 65536; i++) {
        payload[0] = i >> 8;
        payload[1] = i;

        good = (i >= 1000 && i <= 1003) || (i >= 1007 && i <= 1014)
               || (i >= 3000 && i <= 4999);

        assert_int_equal(im_ws_close_decode(im_str_set(payload, 5), &code,
                                            &reason),
                         good ? IM_OK : IM_ERROR);
        assert_int_equal(code, good ? i : IM_WS_CLOSE_PROTOCOL);

        if (good) {
            test_str(reason, "why");
        }
    }

    assert_int_equal(im_ws_close_decode(im_str_z("\x03\xe8\xc3"), &code,
                                        &reason),
                     IM_ERROR);
    assert_int_equal(code, IM_WS_CLOSE_INVALID);
    assert_int_equal(reason.len, 0);

    memset(payload, 'x', sizeof(payload));
    memcpy(payload, "\x03\xe8", 2);
    assert_int_equal(im_ws_close_decode(im_str_set(payload, 125), &code,
                                        &reason),
                     IM_OK);
    assert_int_equal(reason.len, 123);
    assert_int_equal(im_ws_close_decode(im_str_set(payload, 126), &code,
                                        &reason),
                     IM_ERROR);
}


static void
test_header(void **state)
{
    u_char  p[IM_WS_MAX_HEADER];

    (void) state;

    assert_int_equal(im_ws_header(p, IM_WS_TEXT, 0), 2);
    assert_memory_equal(p, "\x81\x00", 2);
    assert_int_equal(im_ws_header(p, IM_WS_BINARY, 125), 2);
    assert_memory_equal(p, "\x82\x7d", 2);
    assert_int_equal(im_ws_header(p, IM_WS_TEXT, 126), 4);
    assert_memory_equal(p, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(im_ws_header(p, IM_WS_TEXT, 65535), 4);
    assert_memory_equal(p, "\x81\x7e\xff\xff", 4);
    assert_int_equal(im_ws_header(p, IM_WS_TEXT, 65536), 10);
    assert_memory_equal(p, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    assert_int_equal(im_ws_header(p, IM_WS_PONG, 0x0102030405060708), 10);
    assert_memory_equal(p, "\x8a\x7f\x01\x02\x03\x04\x05\x06\x07\x08", 10);
}


static void
test_close(void **state)
{
    size_t    i, len;
    u_char    p[127];
    char      text[200];
    uint16_t  code;
    im_str_t  reason;

    (void) state;

    assert_int_equal(im_ws_close(p, 1000, "bye"), 7);
    assert_memory_equal(p, "\x88\x05\x03\xe8" "bye", 7);
    assert_int_equal(im_ws_close(p, 1012, NULL), 4);
    assert_memory_equal(p, "\x88\x02\x03\xf4", 4);
    assert_int_equal(im_ws_close(p, IM_WS_CLOSE_NO_STATUS, "no"), 2);
    assert_memory_equal(p, "\x88\x00", 2);

    /* The limit inside each byte of a character of four. */

    for (i = 117; i < 126; i++) {
        memset(text, 'x', sizeof(text));
        memcpy(text + i, "\xf0\x9f\x98\x80", 5);

        len = im_ws_close(p, 3000, text);
        assert_int_equal(len, 4 + (i + 4 <= 123 ? i + 4 : im_min(i, 123)));
        assert_int_equal(p[1], len - 2);

        assert_int_equal(im_ws_close_decode(im_str_set(p + 2, len - 2), &code,
                                            &reason),
                         IM_OK);
        assert_int_equal(code, 3000);
    }
}


/* Random streams of good frames, in random cuts. */
static void
test_random(void **state)
{
    u_char    data[300];
    size_t    len, i;
    random_t  r;
    unsigned  round, n, opcode, control;

    (void) state;

    random_init(&r, 51);

    for (round = 0; round < 300; round++) {
        begin();
        opcode = 0;

        for (n = 0; n < 12; n++) {
            len = random_below(&r, random_below(&r, 2) ? 20 : sizeof(data));

            for (i = 0; i < len; i++) {
                data[i] = random_below(&r, 128);
            }

            if (random_below(&r, 4) == 0) {
                len = im_min(len, IM_WS_MAX_CONTROL);
                control = IM_WS_CLOSE + random_below(&r, 3);
                frame(0x80 | control, data, len);
                expect(control, data, len);
                expect_end(control);
                continue;
            }

            i = random_below(&r, 2);

            if (opcode == 0) {
                opcode = IM_WS_TEXT + random_below(&r, 2);
                frame((i ? 0x80 : 0) | opcode, data, len);

            } else {
                frame(i ? 0x80 : 0, data, len);
            }

            expect(opcode, data, len);

            if (i) {
                expect_end(opcode);
                opcode = 0;
            }
        }

        for (n = 0; n < 20; n++) {
            decode(1 + random_below(&r, 50), 1 + random_below(&r, 200),
                   NO_LIMIT);
            check_said();
        }
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_lengths),
    alloc_test(test_fragments),
    alloc_test(test_text),
    alloc_test(test_faults),
    alloc_test(test_huge),
    alloc_test(test_idle),
    alloc_test(test_close_decode),
    alloc_test(test_header),
    alloc_test(test_close),
    alloc_test(test_random)
};

test_main(tests)
