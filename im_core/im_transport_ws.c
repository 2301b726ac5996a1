/*
 * Copyright (C) The im authors
 *
 * WebSocket as a transport.  A control frame is given out whole, and copied
 * only if it was cut between two reads.
 */

#include "im_transport.h"
#include "im_ws.h"


static void
im_transport_ws_frame(im_buf_t *b, size_t start, im_kind_e kind)
{
    size_t   len, header;
    u_char  *p;

    p = b->data + start;
    len = b->len - start - IM_WS_MAX_HEADER;
    header = im_ws_header(p, kind == IM_KIND_TEXT ? IM_WS_TEXT : IM_WS_BINARY,
                          len);

    memmove(p + header, p + IM_WS_MAX_HEADER, len);
    b->len = start + header + len;
}


static im_int_t
im_transport_ws_fail(im_input_t *input, uint16_t code, const char *why,
    im_input_event_t *ev)
{
    input->failed = 1;
    ev->code = code;
    ev->why = why;

    return IM_ERROR;
}


/* IM_AGAIN: kept.  The decoder lets no more than IM_WS_MAX_CONTROL through. */
static im_int_t
im_transport_ws_keep(im_input_t *input, im_str_t piece, im_input_event_t *ev)
{
    if (piece.len == 0) {
        return IM_AGAIN;
    }

    if (input->control == NULL) {
        input->control = im_alloc(IM_WS_MAX_CONTROL);

        if (input->control == NULL) {
            return im_transport_ws_fail(input, IM_WS_CLOSE_INTERNAL,
                                        "no memory", ev);
        }
    }

    im_copy(input->control + input->ncontrol, piece.data, piece.len);
    input->ncontrol += piece.len;

    return IM_AGAIN;
}


/* A control frame is complete. */
static im_int_t
im_transport_ws_control(im_input_t *input, uint8_t opcode, im_str_t payload,
    im_input_event_t *ev)
{
    im_str_t  reason;

    if (input->ncontrol > 0) {
        if (im_transport_ws_keep(input, payload, ev) != IM_AGAIN) {
            return IM_ERROR;
        }

        payload = im_str_set(input->control, input->ncontrol);
        input->ncontrol = 0;
    }

    ev->data = payload;

    switch (opcode) {

    case IM_WS_CLOSE:
        ev->type = IM_INPUT_CLOSE;
        ev->why = im_ws_close_decode(payload, &ev->code, &reason) == IM_OK
                      ? "closed by client" : "invalid close frame";
        break;

    case IM_WS_PING:
        ev->type = IM_INPUT_PING;
        break;

    default:
        ev->type = IM_INPUT_PONG;
        break;
    }

    return IM_OK;
}


static im_int_t
im_transport_ws_decode(im_input_t *input, u_char **p, u_char *end,
    uint64_t max, im_input_event_t *ev)
{
    im_int_t       rc;
    im_str_t       piece;
    im_ws_event_t  e;

    memset(ev, 0, sizeof(im_input_event_t));
    piece = im_str_set(NULL, 0);

    if (input->failed && !input->ws.failed) {
        return im_transport_ws_fail(input, IM_WS_CLOSE_INTERNAL, "no memory",
                                    ev);
    }

    for ( ;; ) {
        rc = im_ws_decode(&input->ws, p, end, max, &e);

        input->frames += (int32_t) input->ws.frames;
        input->ws.frames = 0;

        if (rc == IM_ERROR) {
            return im_transport_ws_fail(input, e.close_code, e.reason, ev);
        }

        if (rc == IM_AGAIN) {
            return im_transport_ws_keep(input, piece, ev);
        }

        if (e.opcode == IM_WS_TEXT || e.opcode == IM_WS_BINARY) {
            ev->type = e.type == IM_WS_EVENT_DATA ? IM_INPUT_PIECE
                                                  : IM_INPUT_MESSAGE;
            ev->kind = e.opcode == IM_WS_TEXT ? IM_KIND_TEXT : IM_KIND_BINARY;
            ev->packed = e.packed;
            ev->data = e.data;

            return IM_OK;
        }

        if (e.type == IM_WS_EVENT_END) {
            return im_transport_ws_control(input, e.opcode, piece, ev);
        }

        /* a piece of a control frame: all of it, or all in this read */

        piece = e.data;
    }
}


int
im_transport_ws_idle(const im_input_t *input)
{
    return !input->failed && input->ncontrol == 0 && im_ws_idle(&input->ws);
}


void
im_transport_ws_save(im_buf_t *b, const im_input_t *input)
{
    im_ws_save(b, &input->ws);

    im_buf_add_u8(b, input->ncontrol);
    im_buf_add(b, input->control, input->ncontrol);
}


im_int_t
im_transport_ws_load(im_reader_t *r, im_input_t *input)
{
    im_str_t  control;

    if (im_ws_load(r, &input->ws) != IM_OK) {
        return IM_ERROR;
    }

    control = im_reader_bytes(r, im_reader_u8(r));

    input->control = control.data;
    input->ncontrol = (uint8_t) control.len;

    return control.len == im_ws_control(&input->ws) ? IM_OK : IM_ERROR;
}


uint64_t
im_transport_ws_given(const im_input_t *input)
{
    return im_ws_message(&input->ws);
}


void
im_transport_ws_close(im_buf_t *b, uint16_t code, im_str_t why)
{
    char     text[IM_WS_MAX_CONTROL + 1];
    size_t   len;
    u_char  *p;

    len = im_min(why.len, IM_WS_MAX_CONTROL);

    if (len > 0) {
        memcpy(text, why.data, len);
    }

    text[len] = '\0';

    p = im_buf_reserve(b, 2 + IM_WS_MAX_CONTROL);

    if (p != NULL) {
        b->len += im_ws_close(p, code, text);
        b->len -= 2 + IM_WS_MAX_CONTROL;
    }
}


void
im_transport_ws_ping(im_buf_t *b)
{
    im_buf_add_u8(b, 0x80 | IM_WS_PING);
    im_buf_add_u8(b, 0);
}


void
im_transport_ws_pong(im_buf_t *b, im_str_t data)
{
    im_buf_add_u8(b, 0x80 | IM_WS_PONG);
    im_buf_add_u8(b, (uint8_t) data.len);
    im_buf_add_str(b, data);
}


const im_transport_t  im_transport_ws = {
    .name = "websocket",
    .kind = IM_TRANSPORT_WEBSOCKET,
    .codes = im_transport_codes,
    .header = IM_WS_MAX_HEADER,
    .frame = im_transport_ws_frame,
    .decode = im_transport_ws_decode,
    .idle = im_transport_ws_idle,
    .save = im_transport_ws_save,
    .load = im_transport_ws_load,
    .given = im_transport_ws_given,
    .close = im_transport_ws_close,
    .ping = im_transport_ws_ping,
    .pong = im_transport_ws_pong
};
