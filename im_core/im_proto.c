/*
 * Copyright (C) The im authors
 *
 * The client protocols and wire formats there are.
 */

#include "im_proto.h"
#include "im_ws.h"


const im_wire_t  im_wires[IM_WIRE_MAX] = {
    { "im", im_proto_im_encode }                        /* IM_WIRE_IM */
};


const im_proto_t  im_protos[] = {

    { .name = "im",
      .wire = IM_WIRE_IM,
      .topics = 1,
      .connects = 1,
      .close_drain = IM_WS_CLOSE_RESTART,
      .close_slow = IM_WS_CLOSE_TRY_LATER,
      .decode = im_proto_im_decode },

    { .name = "echo",
      .wire = IM_WIRE_IM,                  /* unused: it has no topics */
      .topics = 0,
      .connects = 0,
      .close_drain = IM_WS_CLOSE_RESTART,
      .close_slow = IM_WS_CLOSE_TRY_LATER,
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
