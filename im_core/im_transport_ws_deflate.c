/*
 * Copyright (C) The im authors
 *
 * WebSocket with permessage-deflate (RFC 7692): a row for each window that
 * clients may ask for.  No message refers to another one, so that all followers
 * of a topic share what is compressed, and no session keeps a state of zlib.
 */

#include "im_transport.h"
#include "im_deflate.h"
#include "im_utf8.h"
#include "im_ws.h"


static const struct {
    uint16_t     code;
    const char  *why;
} im_transport_ws_deflate_faults[] = {
    [IM_DEFLATE_INVALID] =
        { IM_WS_CLOSE_INVALID, "compressed data is invalid" },
    [IM_DEFLATE_TOO_BIG] =
        { IM_WS_CLOSE_TOO_BIG, "message too big" },
    [IM_DEFLATE_TOO_COSTLY] =
        { IM_WS_CLOSE_POLICY, "too many blocks of compressed data" },
    [IM_DEFLATE_NO_MEMORY] =
        { IM_WS_CLOSE_INTERNAL, "no memory" }
};


static void
im_transport_ws_deflate_pack(im_buf_t *b, size_t start, im_kind_e kind,
    unsigned window)
{
    size_t     at;
    u_char    *p;
    uint8_t    opcode;
    im_str_t   message, packed;

    at = start + IM_WS_MAX_HEADER;
    message = im_str_set(b->data + at, b->len - at);
    packed = im_str_set(NULL, 0);

    if (b->codec != NULL) {
        packed = im_deflate_pack(b->codec, window, message);
    }

    if (packed.len == 0) {
        im_transport_ws.frame(b, start, kind);
        return;
    }

    p = b->data + start;
    opcode = kind == IM_KIND_TEXT ? IM_WS_TEXT : IM_WS_BINARY;

    p += im_ws_header(p, IM_WS_RSV1 | opcode, packed.len);
    p = im_copy(p, packed.data, packed.len);

    b->len = p - b->data;
}


static void
im_transport_ws_deflate_frame(im_buf_t *b, size_t start, im_kind_e kind)
{
    im_transport_ws_deflate_pack(b, start, kind, IM_DEFLATE_WINDOW);
}


static void
im_transport_ws_deflate_frame_small(im_buf_t *b, size_t start, im_kind_e kind)
{
    im_transport_ws_deflate_pack(b, start, kind, IM_DEFLATE_WINDOW_SMALL);
}


static im_int_t
im_transport_ws_deflate_decode(im_input_t *input, u_char **p, u_char *end,
    uint64_t max, im_input_event_t *ev)
{
    input->ws.deflate = 1;

    return im_transport_ws.decode(input, p, end, max, ev);
}


static im_int_t
im_transport_ws_deflate_load(im_reader_t *r, im_input_t *input)
{
    input->ws.deflate = 1;

    return im_transport_ws_load(r, input);
}


static im_int_t
im_transport_ws_deflate_unpack(im_deflate_t *deflate, im_str_t *message,
    uint64_t max, size_t *cost, im_input_event_t *ev)
{
    im_deflate_fault_e  fault;

    if (im_deflate_unpack(deflate, *message, max, message, cost, &fault)
        != IM_OK)
    {
        ev->code = im_transport_ws_deflate_faults[fault].code;
        ev->why = im_transport_ws_deflate_faults[fault].why;

        return IM_ERROR;
    }

    if (ev->kind == IM_KIND_TEXT && !im_utf8_valid(*message)) {
        ev->code = IM_WS_CLOSE_INVALID;
        ev->why = "text is not UTF-8";

        return IM_ERROR;
    }

    return IM_OK;
}


const im_transport_t  im_transport_ws_deflate = {
    .name = "websocket",
    .kind = IM_TRANSPORT_WEBSOCKET,
    .window = IM_DEFLATE_WINDOW,
    .codes = im_transport_codes,
    .header = IM_WS_MAX_HEADER,
    .frame = im_transport_ws_deflate_frame,
    .decode = im_transport_ws_deflate_decode,
    .idle = im_transport_ws_idle,
    .save = im_transport_ws_save,
    .load = im_transport_ws_deflate_load,
    .given = im_transport_ws_given,
    .unpack = im_transport_ws_deflate_unpack,
    .close = im_transport_ws_close,
    .ping = im_transport_ws_ping,
    .pong = im_transport_ws_pong
};


const im_transport_t  im_transport_ws_deflate_small = {
    .name = "websocket",
    .kind = IM_TRANSPORT_WEBSOCKET,
    .window = IM_DEFLATE_WINDOW_SMALL,
    .codes = im_transport_codes,
    .header = IM_WS_MAX_HEADER,
    .frame = im_transport_ws_deflate_frame_small,
    .decode = im_transport_ws_deflate_decode,
    .idle = im_transport_ws_idle,
    .save = im_transport_ws_save,
    .load = im_transport_ws_deflate_load,
    .given = im_transport_ws_given,
    .unpack = im_transport_ws_deflate_unpack,
    .close = im_transport_ws_close,
    .ping = im_transport_ws_ping,
    .pong = im_transport_ws_pong
};
