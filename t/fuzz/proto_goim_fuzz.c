/*
 * Copyright (C) The im authors
 *
 * The goim protocol: a TCP stream, whole and in pieces, gives the same packets;
 * and what any packet makes of it, before and behind AUTH.  The first byte is
 * the size of the pieces.
 */

#include <stdlib.h>

#include "im_accept.h"
#include "im_proto.h"


#define GOIM_MAX  4112


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void goim_stream(const uint8_t *data, size_t size, size_t piece,
    im_buf_t *packets);
static void goim_packet(im_str_t message, int connected);
static void goim_answer(const im_command_t *command);
static void goim_must(int condition);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t  whole, bytes, pieces;

    if (size < 1 || size > 65536) {
        return 0;
    }

    im_buf_init(&whole, 1 << 24);
    im_buf_init(&bytes, 1 << 24);
    im_buf_init(&pieces, 1 << 24);

    goim_stream(data + 1, size - 1, size, &whole);
    goim_stream(data + 1, size - 1, 1, &bytes);
    goim_stream(data + 1, size - 1, 1 + data[0], &pieces);

    goim_must(im_str_eq(im_buf_str(&whole), im_buf_str(&bytes)));
    goim_must(im_str_eq(im_buf_str(&whole), im_buf_str(&pieces)));

    im_buf_cleanup(&whole);
    im_buf_cleanup(&bytes);
    im_buf_cleanup(&pieces);

    /* a message of a WebSocket may be anything */

    goim_packet(im_str_set(data + 1, size - 1), 0);
    goim_packet(im_str_set(data + 1, size - 1), 1);

    return 0;
}


/* Appends the packets that are complete. */
static void
goim_stream(const uint8_t *data, size_t size, size_t piece, im_buf_t *packets)
{
    u_char            *copy, *p;
    size_t             n;
    im_int_t           rc;
    im_buf_t           message;
    im_input_t         input;
    im_input_event_t   ev;

    memset(&input, 0, sizeof(im_input_t));
    im_buf_init(&message, GOIM_MAX);

    rc = IM_AGAIN;

    for ( /* void */ ; size > 0 && rc != IM_ERROR; size -= n) {
        n = im_min(piece, size);

        copy = malloc(n);
        goim_must(copy != NULL);
        memcpy(copy, data, n);
        data += n;
        p = copy;

        while ((rc = im_transport_tcp.decode(&input, &p, copy + n, GOIM_MAX,
                                             &ev))
               == IM_OK)
        {
            if (ev.type == IM_INPUT_PIECE) {
                im_buf_add_str(&message, ev.data);
                goim_must(!message.failed);
                continue;
            }

            goim_must(message.len >= 16);
            goim_packet(im_buf_str(&message), packets->len == 0);
            im_buf_add_str(packets, im_buf_str(&message));
            im_buf_reset(&message, GOIM_MAX);
        }

        goim_must(rc == IM_ERROR || p == copy + n);
        free(copy);
    }

    goim_must(input.failed == (rc == IM_ERROR));

    im_buf_cleanup(&message);
    im_input_cleanup(&input);
}


static void
goim_packet(im_str_t message, int connected)
{
    im_buf_t      arena;
    im_command_t  command;

    im_buf_init(&arena, 1 << 20);
    im_proto_goim.decode(&message, connected, &arena, &command);

    goim_must(message.len == 0 && !arena.failed);

    switch (command.type) {

    case IM_COMMAND_NONE:
        goim_must(!connected);
        break;

    case IM_COMMAND_FAULT:
        goim_must(command.why != NULL);
        break;

    case IM_COMMAND_CONNECT:
        goim_must(!connected && command.nops <= IM_ACCEPT_OPS);
        goim_answer(&command);
        break;

    default:
        goim_must(connected);
        goim_answer(&command);
    }

    im_buf_cleanup(&arena);
}


/* One packet, as long as it says. */
static void
goim_answer(const im_command_t *command)
{
    im_buf_t     out;
    im_reply_t   reply;
    im_reader_t  reader;

    memset(&reply, 0, sizeof(im_reply_t));
    reply.type = command->type == IM_COMMAND_COUNT ? IM_REPLY_COUNT
                                                   : IM_REPLY_ANSWER;
    reply.data = command->answer;

    im_buf_init(&out, 1 << 20);
    im_proto_goim.reply(&out, &im_transport_tcp, &reply);

    if (out.len > 0) {
        im_reader_init(&reader, im_buf_str(&out));
        goim_must(im_reader_u32(&reader) == out.len);
        goim_must(im_reader_u16(&reader) == 16);
    }

    goim_must(!out.failed);
    im_buf_cleanup(&out);
}


static void
goim_must(int condition)
{
    if (!condition) {
        abort();
    }
}
