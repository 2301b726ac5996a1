/*
 * Copyright (C) The im authors
 *
 * The WebSocket rows of the transports: the same input whole and in pieces
 * gives the same messages and control frames.  The first byte is the size of
 * the pieces, the second one the limit of a message, in units of 16 bytes.
 */

#include <stdlib.h>

#include "im_transport.h"


#define TRANSPORT_MAX_INPUT  65536


/* What a decoder gave out, summed up so that cuts don't show. */
typedef struct {
    uint64_t  hash;
    uint64_t  message;
    uint16_t  code;
} transport_said_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void transport_row(const im_transport_t *row, const uint8_t *data,
    size_t size);
static void transport_decode(const im_transport_t *row, const uint8_t *data,
    size_t size, size_t piece, uint64_t max, transport_said_t *said);
static void transport_event(const im_input_event_t *ev, uint64_t max,
    transport_said_t *said);
static void transport_mix(transport_said_t *said, uint8_t byte);
static void transport_must(int condition);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > TRANSPORT_MAX_INPUT) {
        return 0;
    }

    transport_row(&im_transport_ws, data, size);
    transport_row(&im_transport_ws_deflate, data, size);

    return 0;
}


static void
transport_row(const im_transport_t *row, const uint8_t *data, size_t size)
{
    uint64_t          max;
    transport_said_t  whole, bytes, pieces;

    max = (uint64_t) data[1] * 16;

    transport_decode(row, data + 2, size - 2, size, max, &whole);
    transport_decode(row, data + 2, size - 2, 1, max, &bytes);
    transport_decode(row, data + 2, size - 2, 1 + data[0], max, &pieces);

    transport_must(whole.code == bytes.code && whole.code == pieces.code);

    /* invalid text ends a bigger piece earlier than a smaller one */

    if (whole.code != IM_WS_CLOSE_INVALID) {
        transport_must(whole.hash == bytes.hash && whole.hash == pieces.hash);
    }
}


static void
transport_decode(const im_transport_t *row, const uint8_t *data, size_t size,
    size_t piece, uint64_t max, transport_said_t *said)
{
    u_char            *copy, *p;
    size_t             n;
    im_int_t           rc;
    im_input_t         input;
    im_input_event_t   ev;

    memset(said, 0, sizeof(transport_said_t));
    memset(&input, 0, sizeof(im_input_t));

    rc = IM_AGAIN;

    for ( /* void */ ; size > 0 && rc != IM_ERROR; size -= n) {
        n = im_min(piece, size);

        copy = malloc(n);
        transport_must(copy != NULL);
        memcpy(copy, data, n);
        data += n;
        p = copy;

        do {
            rc = row->decode(&input, &p, copy + n, max, &ev);
            transport_must(p >= copy && p <= copy + n);

            if (rc == IM_OK) {
                transport_must(!ev.packed || row->unpack != NULL);
                transport_event(&ev, row->unpack == NULL
                                         ? max : im_ws_packed_max(max), said);
            }

        } while (rc == IM_OK);

        transport_must(rc == IM_ERROR || p == copy + n);
        free(copy);
    }

    transport_must(input.failed == (rc == IM_ERROR));

    if (rc == IM_ERROR) {
        transport_must(ev.why != NULL);
        said->code = ev.code;
    }

    im_input_cleanup(&input);
}


static void
transport_event(const im_input_event_t *ev, uint64_t max,
    transport_said_t *said)
{
    size_t  i;

    transport_must(ev->type >= IM_INPUT_PIECE && ev->type <= IM_INPUT_CLOSE);

    for (i = 0; i < ev->data.len; i++) {
        transport_mix(said, ev->data.data[i]);
    }

    if (ev->type == IM_INPUT_PIECE) {
        said->message += ev->data.len;
        transport_must(ev->data.len > 0 && said->message <= max);
        return;
    }

    transport_mix(said, ev->type);
    transport_mix(said, (uint8_t) ev->kind);
    transport_mix(said, (uint8_t) ev->code);

    if (ev->type == IM_INPUT_MESSAGE) {
        said->message = 0;

    } else {
        transport_must(ev->data.len <= IM_WS_MAX_CONTROL);
        transport_must(ev->type != IM_INPUT_CLOSE || ev->why != NULL);
    }
}


static void
transport_mix(transport_said_t *said, uint8_t byte)
{
    said->hash = (said->hash ^ byte) * 0x100000001b3 + 1;
}


static void
transport_must(int condition)
{
    if (!condition) {
        abort();
    }
}
