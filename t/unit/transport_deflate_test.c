/*
 * Copyright (C) The im authors
 *
 * The rows of WebSocket with permessage-deflate: which frames may be compressed
 * ones, and which ones are.  deflate_test.c tests the codec.
 */

#include "test.h"
#include "im_transport.h"
#include "im_deflate.h"


#define MAX_TEXT   1024
#define MAX_INPUT  100


static im_buf_t    b;
static im_codec_t  codec;


/* A client's frame of a short payload, with a mask of zeros. */
static void
client_frame(u_char first, const char *payload, size_t len)
{
    im_buf_add_u8(&b, first);
    im_buf_add_u8(&b, (uint8_t) (0x80 | len));
    im_buf_add_u32(&b, 0);
    im_buf_add(&b, payload, len);
}


/* Messages in brackets, pings as they are, a fault by its code. */
static im_int_t
read_all(im_input_t *input, u_char *p, u_char *end, im_buf_t *message,
    im_buf_t *text)
{
    size_t            cost;
    im_int_t          rc;
    im_str_t          whole;
    im_input_event_t  ev;

    for ( ;; ) {
        rc = im_transport_ws_deflate.decode(input, &p, end, MAX_INPUT, &ev);

        if (rc == IM_AGAIN) {
            return rc;
        }

        if (rc == IM_OK && ev.type == IM_INPUT_PIECE) {
            im_buf_add_str(message, ev.data);
            continue;
        }

        if (rc == IM_OK && ev.type == IM_INPUT_PING) {
            im_buf_add_str(text, ev.data);
            continue;
        }

        whole = im_buf_str(message);

        if (rc == IM_OK && ev.packed) {
            rc = im_transport_ws_deflate.unpack(codec.deflate, &whole,
                                                MAX_INPUT, &cost, &ev);
        }

        if (rc == IM_ERROR) {
            im_buf_add_uint(text, ev.code);
            return rc;
        }

        im_buf_add_z(text, ev.kind == IM_KIND_TEXT ? "<" : "[");
        im_buf_add_str(text, whole);
        im_buf_add_z(text, ev.kind == IM_KIND_TEXT ? ">" : "]");
        im_buf_reset(message, MAX_TEXT);
    }
}


/* In two reads, cut at each point. */
static void
expect(const char *wanted)
{
    size_t      at;
    u_char      copy[MAX_TEXT];
    im_int_t    rc;
    im_buf_t    text, message;
    im_input_t  input;

    codec.deflate = im_deflate_create(6, 1);

    for (at = 0; at <= b.len; at++) {
        memcpy(copy, b.data, b.len);
        memset(&input, 0, sizeof(im_input_t));
        im_buf_init(&text, MAX_TEXT);
        im_buf_init(&message, im_ws_packed_max(MAX_INPUT));

        rc = read_all(&input, copy, copy + at, &message, &text);

        if (rc == IM_AGAIN) {
            (void) read_all(&input, copy + at, copy + b.len, &message, &text);
        }

        test_str(im_buf_str(&text), wanted);

        im_buf_cleanup(&text);
        im_buf_cleanup(&message);
        im_input_cleanup(&input);
    }

    im_deflate_destroy(codec.deflate);
    im_buf_cleanup(&b);
}


#define HELLO      "\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_LEN  7


static void
test_messages(void **state)
{
    (void) state;

    im_buf_init(&b, MAX_TEXT);

    client_frame(0xc1, HELLO, HELLO_LEN);
    client_frame(0x81, "plain", 5);
    client_frame(0xc2, HELLO, HELLO_LEN);
    client_frame(0x82, "plain", 5);

    /* the first fragment says that a message is compressed */

    client_frame(0x41, HELLO, 3);
    client_frame(0x89, "ping", 4);
    client_frame(0x00, HELLO + 3, 2);
    client_frame(0x00, "", 0);
    client_frame(0x80, HELLO + 5, 2);
    client_frame(0x01, "pl", 2);
    client_frame(0x80, "ain", 3);
    client_frame(0x41, "", 0);
    client_frame(0x80, HELLO, HELLO_LEN);
    client_frame(0xc1, "\0", 1);
    client_frame(0xc1, "", 0);

    expect("<Hello><plain>[Hello][plain]ping<Hello><plain><Hello><><>");
}


static void
test_bits(void **state)
{
    size_t  i;

    static const u_char  bad[] = {
        0xa1, 0x91, 0xe1, 0xd1, 0xf1,    /* RSV2, RSV3 */
        0xc9, 0xca, 0xc8, 0xa9, 0x99,    /* control frames */
        0xc0, 0x40,                      /* continuation without a message */
        0xc3, 0xcb                       /* unknown opcodes */
    };

    (void) state;

    for (i = 0; i < sizeof(bad); i++) {
        im_buf_init(&b, MAX_TEXT);
        client_frame(0x81, "good", 4);
        client_frame(bad[i], "", 0);
        expect("<good>1002");
    }

    /* on a continuation frame */

    im_buf_init(&b, MAX_TEXT);
    client_frame(0x41, HELLO, 3);
    client_frame(0xc0, HELLO + 3, 4);
    expect("1002");

    im_buf_init(&b, MAX_TEXT);
    client_frame(0x01, "pl", 2);
    client_frame(0xc0, "ain", 3);
    expect("1002");
}


static void
test_faults(void **state)
{
    char  noise[127];

    (void) state;

    im_buf_init(&b, MAX_TEXT);
    client_frame(0xc1, "\x07", 1);
    expect("1007");

    /* stored, and not UTF-8: as text a fault, as binary none */

    client_frame(0xc2, "\x00\x02\x00\xfd\xff\xc3\x28\x00", 8);
    client_frame(0xc1, "\x00\x02\x00\xfd\xff\xc3\x28\x00", 8);
    expect("[\xc3\x28]1007");

    /* cut in the middle of a character */

    client_frame(0x41, "\x00\x02\x00\xfd\xff\xc3", 6);
    client_frame(0x80, "\xa9\x00", 2);
    client_frame(0xc1, "\x00\x01\x00\xfe\xff\xc3\x00", 7);
    expect("<\xc3\xa9>1007");

    /* a hundred bytes may come as a few more, 101 may not */

    memset(noise, 'x', sizeof(noise));
    memcpy(noise, "\x00\x64\x00\x9b\xff", 5);
    noise[105] = '\0';
    client_frame(0xc2, noise, 106);
    noise[1] = 0x65;
    noise[3] = (char) 0x9a;
    noise[106] = '\0';
    noise[105] = 'x';
    client_frame(0xc2, noise, 107);

    noise[1] = 'x';
    noise[3] = 'x';
    noise[0] = 'x';
    noise[2] = 'x';
    noise[4] = 'x';

    expect("[xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]1009");

    /* a longer one is refused by its header, in many fragments too */

    client_frame(0x42, noise, 100);
    client_frame(0x00, noise, 70);
    client_frame(0x00, "x", 1);
    expect("1009");
}


/* A frame of len bytes of text, behind a word. */
static size_t
server_frame(const im_transport_t *transport, const u_char *bytes, size_t len,
    im_kind_e kind)
{
    size_t  start;

    im_buf_reset(&b, 0);
    im_buf_add_z(&b, "before");

    start = im_frame_start(&b, transport);
    im_buf_add(&b, bytes, len);
    im_frame_end(&b, transport, start, kind);

    assert_memory_equal(b.data, "before", 6);

    return b.len - start;
}


static void
test_frames(void **state)
{
    size_t    i, len, cost, header;
    u_char   *p, text[80000];
    im_str_t  message;

    im_input_event_t  ev;

    static const size_t  sizes[] = { 64, 100, 126, 1000, 65536, 80000 };

    static const im_transport_t *const  rows[] = {
        &im_transport_ws_deflate, &im_transport_ws_deflate_small
    };

    (void) state;

    codec.deflate = im_deflate_create(6, 64);
    codec.credit = NULL;
    im_buf_init(&b, 1 << 20);
    memset(&ev, 0, sizeof(im_input_event_t));

    for (i = 0; i < sizeof(text); i++) {
        text[i] = "the quick brown fox, "[i % 21];
    }

    /* a buffer without a codec; a message that is short */

    assert_int_equal(server_frame(rows[0], text, 100, IM_KIND_TEXT), 102);
    assert_int_equal(b.data[6], 0x81);

    b.codec = &codec;

    assert_int_equal(server_frame(rows[0], text, 63, IM_KIND_TEXT), 65);
    assert_int_equal(b.data[6], 0x81);

    for (i = 0; i < 2 * test_count(sizes); i++) {
        len = server_frame(rows[i & 1], text, sizes[i / 2],
                           i & 1 ? IM_KIND_BINARY : IM_KIND_TEXT);
        p = b.data + 6;

        assert_int_equal(p[0], i & 1 ? 0xc2 : 0xc1);
        assert_true(len < sizes[i / 2]);

        header = p[1] < 126 ? 2 : 4;
        message = im_str_set(p + header, len - header);
        assert_int_equal(header == 2 ? p[1] : p[2] * 256 + p[3], message.len);

        ev.kind = IM_KIND_TEXT;
        assert_int_equal(rows[i & 1]->unpack(codec.deflate, &message, 1 << 20,
                                             &cost, &ev),
                         IM_OK);
        assert_int_equal(message.len, sizes[i / 2]);
        assert_memory_equal(message.data, text, message.len);
        assert_true(cost >= message.len);
    }

    /* the other frames never */

    im_buf_reset(&b, 0);
    rows[0]->ping(&b);
    rows[0]->pong(&b, im_str_set(text, 120));
    rows[0]->close(&b, 1008, im_str_set(text, 120));
    assert_int_equal(b.data[0], 0x89);
    assert_int_equal(b.data[2], 0x8a);
    assert_int_equal(b.data[2 + 122], 0x88);

    im_buf_cleanup(&b);
    im_deflate_destroy(codec.deflate);
}


/* What a session has of its decoder. */
static void
test_size(void **state)
{
    (void) state;

    assert_int_equal(sizeof(im_input_t), 56);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_messages),
    alloc_test(test_bits),
    alloc_test(test_faults),
    alloc_test(test_frames),
    alloc_test(test_size)
};

test_main(tests)
