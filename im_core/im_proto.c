/*
 * Copyright (C) The im authors
 *
 * The client protocols and wire formats there are, and what they share.
 */

#include "im_proto.h"
#include "im_ws.h"


const im_wire_t  im_wires[IM_WIRE_MAX] = {
    { .name = "im",
      .encode = im_proto_im_encode },

    { .name = "im-seq",
      .encode = im_proto_im_encode_seq },

    { .name = "centrifuge",
      .encode = im_proto_centrifuge_encode },

    { .name = "centrifuge-join",
      .encode = im_proto_centrifuge_encode,
      .push = im_proto_centrifuge_reply }
};


const im_proto_t  im_protos[] = {

    { .name = "im",
      .wire = IM_WIRE_IM,
      .wire_positions = IM_WIRE_IM_SEQ,
      .wire_join = IM_WIRE_IM,
      .topics = 1,
      .connects = 1,
      .close_drain = IM_WS_CLOSE_RESTART,
      .close_slow = IM_WS_CLOSE_TRY_LATER,
      .close_expired = IM_WS_CLOSE_POLICY,
      .close_stale = IM_WS_CLOSE_POLICY,
      .close_busy = IM_WS_CLOSE_TRY_LATER,
      .close_refused = IM_WS_CLOSE_POLICY,
      .close_limit = IM_WS_CLOSE_TRY_LATER,
      .close_kicked = IM_WS_CLOSE_POLICY,
      .decode = im_proto_im_decode,
      .reply = im_proto_im_reply },

    { .name = "centrifuge",
      .subprotocol = "centrifuge-json",
      .wire = IM_WIRE_CENTRIFUGE,
      .wire_positions = IM_WIRE_CENTRIFUGE,
      .wire_join = IM_WIRE_CENTRIFUGE_JOIN,
      .topics = 1,
      .connects = 1,
      .pings = 1,
      .webhooks = 1,
      .close_drain = IM_CLOSE_SHUTDOWN,
      .close_slow = IM_CLOSE_SLOW,
      .close_expired = IM_CLOSE_EXPIRED,
      .close_stale = IM_CLOSE_STALE,
      .close_busy = IM_CLOSE_INTERNAL,
      .close_refused = IM_CLOSE_PERMISSION,
      .close_token = IM_CLOSE_TOKEN,
      .close_pong = IM_CLOSE_NO_PONG,
      .close_limit = IM_CLOSE_CONNECTIONS,
      .close_kicked = IM_CLOSE_FORCED,
      .decode = im_proto_centrifuge_decode,
      .reply = im_proto_centrifuge_reply },

    { .name = "echo",
      .wire = IM_WIRE_IM,                  /* unused: it has no topics */
      .wire_positions = IM_WIRE_IM,
      .wire_join = IM_WIRE_IM,
      .topics = 0,
      .connects = 0,
      .close_drain = IM_WS_CLOSE_RESTART,
      .close_slow = IM_WS_CLOSE_TRY_LATER,
      .close_expired = IM_WS_CLOSE_POLICY,
      .close_stale = IM_WS_CLOSE_POLICY,
      .close_busy = IM_WS_CLOSE_TRY_LATER,
      .close_refused = IM_WS_CLOSE_POLICY,
      .close_limit = IM_WS_CLOSE_TRY_LATER,
      .close_kicked = IM_WS_CLOSE_POLICY,
      .decode = im_proto_echo_decode },

    { .name = NULL }
};


const im_proto_t *
im_proto_find(im_str_t name)
{
    const im_proto_t  *proto;

    for (proto = im_protos; proto->name != NULL; proto++) {
        if (im_str_eq(im_str_z(proto->name), name)) {
            return proto;
        }
    }

    return NULL;
}


size_t
im_proto_frame_start(im_buf_t *b)
{
    size_t  start;

    start = b->len;
    (void) im_buf_reserve(b, IM_WS_MAX_HEADER);

    return start;
}


void
im_proto_frame_end(im_buf_t *b, size_t start)
{
    size_t   len, header;
    u_char  *p;

    if (b->failed) {
        return;
    }

    p = b->data + start;
    len = b->len - start - IM_WS_MAX_HEADER;
    header = im_ws_header(p, IM_WS_TEXT, len);

    memmove(p + header, p + IM_WS_MAX_HEADER, len);
    b->len = start + header + len;
}


void
im_proto_add_base64(im_buf_t *b, im_str_t data)
{
    size_t     i, n;
    u_char    *p;
    uint32_t   bits;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    im_buf_add_z(b, "\"");

    p = im_buf_reserve(b, (data.len + 2) / 3 * 4);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < data.len; i += 3) {
        n = im_min(data.len - i, 3);

        bits = (uint32_t) data.data[i] << 16;
        bits |= n > 1 ? (uint32_t) data.data[i + 1] << 8 : 0;
        bits |= n > 2 ? data.data[i + 2] : 0;

        *p++ = (u_char) digits[bits >> 18];
        *p++ = (u_char) digits[bits >> 12 & 0x3f];
        *p++ = (u_char) (n > 1 ? digits[bits >> 6 & 0x3f] : '=');
        *p++ = (u_char) (n > 2 ? digits[bits & 0x3f] : '=');
    }

    im_buf_add_z(b, "\"");
}
