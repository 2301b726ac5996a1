/*
 * Copyright (C) The im authors
 *
 * WebSocket frames: the same input whole and in pieces says the same, and
 * what is said keeps its contract.  The first byte is the size of the pieces,
 * the second one the limit of a message, in units of 16 bytes.
 */

#include <stdlib.h>

#include "im_ws.h"


#define WS_MAX_INPUT  65536


/* What a decoder said, summed up so that cuts don't show. */
typedef struct {
    uint64_t  hash;
    uint64_t  message;
    unsigned  control;
    uint16_t  close_code;
} ws_said_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ws_decode(const uint8_t *data, size_t size, size_t piece,
    uint64_t max, ws_said_t *said);
static void ws_event(const im_ws_event_t *ev, uint64_t max, ws_said_t *said);
static void ws_mix(ws_said_t *said, uint8_t byte);
static void ws_close(const uint8_t *data, size_t size);
static void ws_must(int condition);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ws_said_t  whole, bytes, pieces;
    uint64_t   max;

    if (size < 2 || size > WS_MAX_INPUT) {
        return 0;
    }

    max = (uint64_t) data[1] * 16;

    ws_decode(data + 2, size - 2, size, max, &whole);
    ws_decode(data + 2, size - 2, 1, max, &bytes);
    ws_decode(data + 2, size - 2, 1 + data[0], max, &pieces);

    ws_must(whole.close_code == bytes.close_code);
    ws_must(whole.close_code == pieces.close_code);

    /* Bad text ends a bigger piece earlier than a smaller one. */

    if (whole.close_code != IM_WS_CLOSE_INVALID) {
        ws_must(whole.hash == bytes.hash);
        ws_must(whole.hash == pieces.hash);
    }

    ws_close(data, size);

    return 0;
}


static void
ws_decode(const uint8_t *data, size_t size, size_t piece, uint64_t max,
    ws_said_t *said)
{
    u_char         *copy, *p, *end;
    size_t          n;
    im_ws_t         ws;
    im_int_t        rc;
    im_ws_event_t   ev;

    memset(said, 0, sizeof(ws_said_t));
    im_ws_init(&ws);

    rc = IM_AGAIN;

    for ( /* void */ ; size > 0 && rc != IM_ERROR; size -= n) {
        n = im_min(piece, size);

        copy = malloc(n);
        ws_must(copy != NULL);
        memcpy(copy, data, n);
        data += n;

        p = copy;
        end = copy + n;

        do {
            rc = im_ws_decode(&ws, &p, end, max, &ev);
            ws_must(p >= copy && p <= end);

            if (rc == IM_OK) {
                ws_event(&ev, max, said);
            }

        } while (rc == IM_OK);

        ws_must(rc == IM_ERROR || p == end);
        free(copy);
    }

    if (rc == IM_ERROR) {
        ws_must(ev.reason != NULL && strlen(ev.reason) <= 100);
        said->close_code = ev.close_code;

        p = NULL;
        ws_must(im_ws_decode(&ws, &p, p, max, &ev) == IM_ERROR);
        ws_must(ev.close_code == said->close_code);
    }
}


static void
ws_event(const im_ws_event_t *ev, uint64_t max, ws_said_t *said)
{
    size_t  i;

    ws_must(ev->opcode == IM_WS_TEXT || ev->opcode == IM_WS_BINARY
            || ev->opcode == IM_WS_CLOSE || ev->opcode == IM_WS_PING
            || ev->opcode == IM_WS_PONG);

    if (ev->type == IM_WS_EVENT_DATA) {
        ws_must(ev->data.len > 0);

        for (i = 0; i < ev->data.len; i++) {
            ws_mix(said, ev->opcode);
            ws_mix(said, ev->data.data[i]);
        }
    }

    if (ev->opcode >= IM_WS_CLOSE) {
        said->control += ev->data.len;
        ws_must(said->control <= IM_WS_MAX_CONTROL);

    } else {
        said->message += ev->data.len;
        ws_must(said->message <= max);
    }

    if (ev->type != IM_WS_EVENT_END) {
        return;
    }

    ws_mix(said, 0xff);
    ws_mix(said, ev->opcode);

    if (ev->opcode >= IM_WS_CLOSE) {
        said->control = 0;

    } else {
        said->message = 0;
    }
}


static void
ws_mix(ws_said_t *said, uint8_t byte)
{
    said->hash = (said->hash ^ byte) * 0x100000001b3 + 1;
}


/* A close frame that was decoded can be said back. */
static void
ws_close(const uint8_t *data, size_t size)
{
    char       text[IM_WS_MAX_CONTROL];
    u_char     frame[2 + IM_WS_MAX_CONTROL];
    size_t     len;
    im_str_t   reason, payload;
    uint16_t   code, again;

    payload = im_str_set(data, size);

    if (im_ws_close_decode(payload, &code, &reason) != IM_OK) {
        ws_must(code == IM_WS_CLOSE_PROTOCOL || code == IM_WS_CLOSE_INVALID);
        return;
    }

    if (memchr(reason.data, '\0', reason.len) != NULL) {
        return;
    }

    memcpy(text, reason.data, reason.len);
    text[reason.len] = '\0';

    len = im_ws_close(frame, code, text);
    ws_must(len == 2 + size);

    payload = im_str_set(frame + 2, len - 2);
    ws_must(im_ws_close_decode(payload, &again, &reason) == IM_OK);
    ws_must(again == code);
}


static void
ws_must(int condition)
{
    if (!condition) {
        abort();
    }
}
