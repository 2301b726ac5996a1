/*
 * Copyright (C) The im authors
 *
 * TCP as a transport of packets that say their own length: four bytes,
 * big-endian and signed, which count themselves, at the beginning of a header
 * of fixed size.  So frames need nothing of the transport, and there are no
 * control frames: the codes of an end are for the log.
 */

#include "im_transport.h"


#define IM_TCP_LENGTH  4         /* bytes */
#define IM_TCP_HEADER  16        /* the least that a packet has */


static void
im_transport_tcp_frame(im_buf_t *b, size_t start, im_kind_e kind)
{
}


/* Takes the bytes of the length that are here; IM_DECLINED: it is too large. */
static im_int_t
im_transport_tcp_length(im_packet_t *packet, const u_char *p, size_t n,
    uint64_t max)
{
    int32_t  length;

    while (n-- > 0 && packet->got < IM_TCP_LENGTH) {
        packet->length = packet->length << 8 | *p++;
        packet->got++;
    }

    if (packet->got < IM_TCP_LENGTH) {
        return IM_AGAIN;
    }

    length = (int32_t) packet->length;

    if (length > 0 && (uint64_t) length > max) {
        return IM_DECLINED;
    }

    packet->length = (uint32_t) im_max(length, IM_TCP_HEADER);

    return IM_OK;
}


static im_int_t
im_transport_tcp_fail(im_input_t *input, im_input_event_t *ev)
{
    input->failed = 1;
    ev->code = IM_WS_CLOSE_TOO_BIG;
    ev->why = "packet is too long";

    return IM_ERROR;
}


static im_int_t
im_transport_tcp_decode(im_input_t *input, u_char **p, u_char *end,
    uint64_t max, im_input_event_t *ev)
{
    size_t        n, had;
    im_packet_t  *packet;

    memset(ev, 0, sizeof(im_input_event_t));
    ev->kind = IM_KIND_BINARY;

    packet = &input->packet;

    if (input->failed) {
        return im_transport_tcp_fail(input, ev);
    }

    if (packet->got >= IM_TCP_LENGTH && packet->got == packet->length) {
        memset(packet, 0, sizeof(im_packet_t));
        ev->type = IM_INPUT_MESSAGE;

        return IM_OK;
    }

    n = end - *p;

    if (n == 0) {
        return IM_AGAIN;
    }

    had = packet->got;
    input->frames += had == 0;

    if (had < IM_TCP_LENGTH) {
        if (im_transport_tcp_length(packet, *p, n, max) == IM_DECLINED) {
            return im_transport_tcp_fail(input, ev);
        }

        n = packet->got < IM_TCP_LENGTH ? n
                                        : im_min(n, packet->length - had);

    } else {
        n = im_min(n, packet->length - had);
    }

    packet->got = (uint32_t) (had + n);

    ev->type = IM_INPUT_PIECE;
    ev->data = im_str_set(*p, n);
    *p += n;

    return IM_OK;
}


static int
im_transport_tcp_idle(const im_input_t *input)
{
    return !input->failed && input->packet.got == 0;
}


static void
im_transport_tcp_save(im_buf_t *b, const im_input_t *input)
{
    im_buf_add_u32(b, input->packet.got);
    im_buf_add_u32(b, input->packet.length);
}


static im_int_t
im_transport_tcp_load(im_reader_t *r, im_input_t *input)
{
    im_packet_t  *packet;

    packet = &input->packet;

    packet->got = im_reader_u32(r);
    packet->length = im_reader_u32(r);

    if (packet->got < IM_TCP_LENGTH) {
        return packet->length >> 8 * packet->got == 0 ? IM_OK : IM_ERROR;
    }

    return packet->length >= IM_TCP_HEADER && packet->length <= INT32_MAX
           && packet->got <= packet->length
           ? IM_OK : IM_ERROR;
}


static uint64_t
im_transport_tcp_given(const im_input_t *input)
{
    return input->packet.got;
}


const im_transport_t  im_transport_tcp = {
    .name = "tcp",
    .kind = IM_TRANSPORT_TCP,
    .codes = im_transport_codes,
    .bare = 1,
    .frame = im_transport_tcp_frame,
    .decode = im_transport_tcp_decode,
    .idle = im_transport_tcp_idle,
    .save = im_transport_tcp_save,
    .load = im_transport_tcp_load,
    .given = im_transport_tcp_given
};
