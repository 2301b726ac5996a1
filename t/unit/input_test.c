/*
 * Copyright (C) The im authors
 *
 * The state of decoders as bytes: a decoder that another process continues, at
 * any byte, says the same as one that was never cut; a state that no decoder
 * comes to is refused.
 */

#include "test.h"
#include "copy.h"
#include "im_transport.h"


#define INPUT_MAX  4096      /* of a message */


static random_t  rnd;

static const im_transport_t *const  rows[] = {
    &im_transport_ws, &im_transport_ws_deflate, &im_transport_tcp
};


/* A frame as a client sends it. */
static void
frame(im_buf_t *b, u_char first, size_t len)
{
    size_t  i;
    u_char  mask[4];

    im_buf_add_u8(b, first);

    if (len < 126) {
        im_buf_add_u8(b, 0x80 | len);

    } else if (len <= 0xffff) {
        im_buf_add_u8(b, 0x80 | 126);
        im_buf_add_u16(b, len);

    } else {
        im_buf_add_u8(b, 0x80 | 127);
        im_buf_add_u64(b, len);
    }

    for (i = 0; i < 4; i++) {
        mask[i] = (u_char) random_below(&rnd, 256);
        im_buf_add_u8(b, mask[i]);
    }

    /* "é", whatever the message */

    for (i = 0; i < len; i++) {
        im_buf_add_u8(b, (i & 1 ? 0xa9 : 0xc3) ^ mask[i & 3]);
    }
}


/* Messages in some frames each, with pings between them. */
static void
frames(im_buf_t *b, int deflate)
{
    u_char  opcode, first;
    size_t  i, n, len;

    opcode = random_below(&rnd, 2) ? IM_WS_TEXT : IM_WS_BINARY;
    n = 1 + random_below(&rnd, 3);

    for (i = 0; i < n; i++) {
        if (random_below(&rnd, 2)) {
            frame(b, 0x80 | IM_WS_PING, random_below(&rnd, 126));
        }

        first = i == 0 ? opcode : IM_WS_CONT;
        first |= i == n - 1 ? 0x80 : 0;
        first |= i == 0 && deflate && random_below(&rnd, 2) ? IM_WS_RSV1 : 0;

        len = random_below(&rnd, 4) ? random_below(&rnd, 8)
                                    : random_below(&rnd, 200);
        frame(b, first, 2 * len);
    }
}


static void
packets(im_buf_t *b)
{
    size_t  i, len;

    len = 16 + random_below(&rnd, 40);
    im_buf_add_u32(b, len);

    for (i = 4; i < len; i++) {
        im_buf_add_u8(b, i);
    }
}


static void
stream(im_buf_t *b, const im_transport_t *row)
{
    size_t  i, n;

    n = 1 + random_below(&rnd, 3);

    for (i = 0; i < n; i++) {
        if (row == &im_transport_tcp) {
            packets(b);

        } else {
            frames(b, row->window > 0);
        }
    }
}


/* Everything that a decoder says of the bytes, so that cuts don't show. */
static void
feed(const im_transport_t *row, im_input_t *input, im_str_t bytes,
    im_buf_t *said)
{
    u_char            *p;
    im_int_t           rc;
    im_str_t           copy;
    im_input_event_t   ev;

    copy = copy_of(bytes);
    p = copy.data;

    do {
        rc = row->decode(input, &p, copy.data + copy.len, INPUT_MAX, &ev);

        if (rc == IM_OK) {
            im_buf_add_str(said, ev.data);

            if (ev.type != IM_INPUT_PIECE) {
                im_buf_add_u8(said, ev.type);
                im_buf_add_u8(said, ev.kind);
                im_buf_add_u8(said, ev.packed);
            }
        }

    } while (rc == IM_OK);

    assert_int_equal(rc, IM_AGAIN);
    free(copy.data);
}


/* To another process and back. */
static void
move(const im_transport_t *row, im_input_t *input)
{
    im_buf_t    b;
    im_str_t    copy;
    im_input_t  moved;

    im_buf_init(&b, 1024);
    input->frames = 0;
    im_input_encode(&b, row, input);
    assert_false(b.failed);

    copy = copy_of(im_buf_str(&b));

    assert_int_equal(im_input_decode(copy, row, &moved), IM_OK);
    assert_int_equal(row->given(&moved), row->given(input));
    assert_int_equal(row->idle(&moved), row->idle(input));
    assert_int_equal(im_input_keep(&moved), IM_OK);

    free(copy.data);
    im_input_cleanup(input);
    *input = moved;

    im_buf_cleanup(&b);
}


static void
test_moves(void **state)
{
    size_t                 i, t, at;
    im_buf_t               bytes, whole, cut;
    im_input_t             input;
    const im_transport_t  *row;

    (void) state;

    random_init(&rnd, 7);

    for (i = 0; i < 150; i++) {
        for (t = 0; t < test_count(rows); t++) {
            row = rows[t];

            im_buf_init(&bytes, 65536);
            im_buf_init(&whole, 65536);
            stream(&bytes, row);

            memset(&input, 0, sizeof(im_input_t));
            feed(row, &input, im_buf_str(&bytes), &whole);
            im_input_cleanup(&input);

            for (at = 0; at <= bytes.len; at += 1 + at / 64) {
                im_buf_init(&cut, 65536);
                memset(&input, 0, sizeof(im_input_t));

                feed(row, &input, im_str_set(bytes.data, at), &cut);
                move(row, &input);
                move(row, &input);
                feed(row, &input, im_str_set(bytes.data + at, bytes.len - at),
                     &cut);

                assert_int_equal(cut.len, whole.len);
                assert_memory_equal(cut.data, whole.data, cut.len);

                im_input_cleanup(&input);
                im_buf_cleanup(&cut);
            }

            im_buf_cleanup(&bytes);
            im_buf_cleanup(&whole);
        }
    }
}


/* A state that was read says the same again, and bears any bytes. */
static void
harmless(const im_transport_t *row, im_str_t bytes)
{
    size_t             i;
    u_char             junk[300], *p;
    im_buf_t           b;
    im_int_t           rc;
    im_str_t           copy;
    im_input_t         input;
    im_input_event_t   ev;

    copy = copy_of(bytes);

    if (im_input_decode(copy, row, &input) != IM_OK) {
        free(copy.data);
        return;
    }

    im_buf_init(&b, 1024);
    im_input_encode(&b, row, &input);
    assert_true(im_str_eq(im_buf_str(&b), copy));
    im_buf_cleanup(&b);

    assert_int_equal(im_input_keep(&input), IM_OK);
    free(copy.data);

    for (i = 0; i < sizeof(junk); i++) {
        junk[i] = (u_char) random_below(&rnd, 256);
    }

    p = junk;

    do {
        rc = row->decode(&input, &p, junk + sizeof(junk), INPUT_MAX, &ev);
        assert_true(p <= junk + sizeof(junk));
        assert_true(ev.data.len <= sizeof(junk));
    } while (rc == IM_OK);

    im_input_cleanup(&input);
}


static void
test_bad(void **state)
{
    size_t                 i, t, at, bit;
    im_buf_t               bytes, said, b;
    im_input_t             input;
    const im_transport_t  *row;

    (void) state;

    random_init(&rnd, 11);

    for (i = 0; i < 200; i++) {
        row = rows[i % test_count(rows)];

        im_buf_init(&bytes, 65536);
        im_buf_init(&said, 65536);
        im_buf_init(&b, 1024);
        stream(&bytes, row);

        memset(&input, 0, sizeof(im_input_t));
        at = random_below(&rnd, (uint32_t) bytes.len);
        feed(row, &input, im_str_set(bytes.data, at), &said);
        im_input_encode(&b, row, &input);
        im_input_cleanup(&input);

        for (t = 0; t < b.len; t++) {
            assert_int_equal(im_input_decode(im_str_set(b.data, t), row,
                                             &input),
                             IM_ERROR);

            for (bit = 0; bit < 8; bit++) {
                b.data[t] ^= 1 << bit;
                harmless(row, im_buf_str(&b));
                b.data[t] ^= 1 << bit;
            }
        }

        im_buf_add_u8(&b, 0);
        assert_int_equal(im_input_decode(im_buf_str(&b), row, &input),
                         IM_ERROR);

        im_buf_cleanup(&bytes);
        im_buf_cleanup(&said);
        im_buf_cleanup(&b);
    }
}


typedef struct {
    const im_transport_t  *row;
    const char            *bytes;
    size_t                 len;
} state_t;

#define bad(row, s)  { &im_transport_##row, s, sizeof(s) - 1 }

#define N  "\0\0\0\0\0\0\0"      /* seven bytes */

/*
 * u8 opcode, u8 packed, u64 message, u8 header, u8 in_payload, u64 left,
 * u8 utf8, u8 control
 */
static const state_t  impossible[] = {
    /* bytes of a message that hasn't begun, a packed one of a plain row */
    bad(ws, "\0\0" N "\1" "\0" "\0" N "\0" "\0" "\0"),
    bad(ws, "\1\1" N "\1" "\0" "\0" N "\0" "\0" "\0"),
    bad(ws_deflate, "\0\1" N "\0" "\0" "\0" N "\0" "\0" "\0"),
    /* an opcode that is none */
    bad(ws, "\3\0" N "\1" "\0" "\0" N "\0" "\0" "\0"),
    bad(ws, "\x89\0" N "\1" "\0" "\0" N "\0" "\0" "\0"),
    /* a whole header without a payload, and the other way round */
    bad(ws, "\0\0" N "\0" "\6\x81\x81" "mask" "\0" N "\0" "\0" "\0"),
    bad(ws, "\0\0" N "\0" "\2\x81\x81" "\1" N "\1" "\0" "\0"),
    bad(ws, "\0\0" N "\0" "\0" "\1" N "\0" "\0" "\0"),
    /* more than the frame has */
    bad(ws, "\0\0" N "\0" "\6\x81\x81" "mask" "\1" N "\2" "\0" "\0"),
    bad(ws, "\0\0" N "\0" "\0" "\0" N "\1" "\0" "\0"),
    /* a header that is refused: no mask, a message inside another one */
    bad(ws, "\0\0" N "\0" "\6\x81\x01" "mask" "\1" N "\1" "\0" "\0"),
    bad(ws, "\1\0" N "\1" "\6\x81\x81" "mask" "\1" N "\1" "\0" "\0"),
    bad(ws, "\0\0" N "\0" "\1\xc1" "\0" N "\0" "\0" "\0"),
    /* behind the header */
    bad(ws, "\0\0" N "\0" "\7\x81\x81" "mask+" "\1" N "\1" "\0" "\0"),
    /* within a character: of a binary message, of none, of no state */
    bad(ws, "\2\0" N "\1" "\0" "\0" N "\0" "\1" "\0"),
    bad(ws, "\0\0" N "\0" "\0" "\0" N "\0" "\1" "\0"),
    bad(ws, "\1\0" N "\1" "\0" "\0" N "\0" "\x08" "\0"),
    bad(ws, "\1\0" N "\0" "\0" "\0" N "\0" "\1" "\0"),
    /* a control frame: none is under way, another part of it */
    bad(ws, "\0\0" N "\0" "\0" "\0" N "\0" "\0" "\1x"),
    bad(ws, "\0\0" N "\0" "\6\x89\x82" "mask" "\1" N "\1" "\0" "\2xy"),
    bad(ws, "\0\0" N "\0" "\6\x89\x82" "mask" "\1" N "\1" "\0" "\0"),
    /* a length: of bytes that didn't come, too short, negative, passed */
    bad(tcp, "\0\0\0\0" "\0\0\0\1"),
    bad(tcp, "\0\0\0\1" "\0\0\1\0"),
    bad(tcp, "\0\0\0\4" "\0\0\0\x0f"),
    bad(tcp, "\0\0\0\4" "\x80\0\0\0"),
    bad(tcp, "\0\0\0\x11" "\0\0\0\x10")
};


static void
test_impossible(void **state)
{
    size_t      i;
    im_buf_t    b;
    im_input_t  input;

    (void) state;

    for (i = 0; i < test_count(impossible); i++) {
        if (im_input_decode(im_str_set(impossible[i].bytes, impossible[i].len),
                            impossible[i].row, &input)
            != IM_ERROR)
        {
            fail_msg("state %zu", i);
        }
    }

    /* transports without a decoder, and a decoder that has failed */

    memset(&input, 0, sizeof(im_input_t));
    im_buf_init(&b, 1024);

    assert_int_equal(im_input_decode(im_str_set("", 0), &im_transport_sse,
                                     &input),
                     IM_ERROR);

    im_input_encode(&b, &im_transport_sse, &input);
    assert_true(b.failed);

    im_buf_reset(&b, 0);
    input.failed = 1;
    im_input_encode(&b, &im_transport_tcp, &input);
    assert_true(b.failed);

    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    u_char      control[3] = "abc";
    im_input_t  input;

    (void) state;

    memset(&input, 0, sizeof(im_input_t));
    assert_int_equal(im_input_keep(&input), IM_OK);

    input.control = control;
    input.ncontrol = 3;

    alloc_fail_at(1);
    assert_int_equal(im_input_keep(&input), IM_ERROR);
    alloc_fail_at(0);

    assert_null(input.control);
    im_input_cleanup(&input);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_moves),
    alloc_test(test_bad),
    alloc_test(test_impossible),
    alloc_test(test_no_memory)
};

test_main(tests)
