/*
 * Copyright (C) The im authors
 *
 * The echo protocol sends each message back to its sender, with its kind.  It
 * helps to test proxies and load balancers.
 */

#include "im_proto.h"


static void
im_proto_echo_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    memset(command, 0, sizeof(im_command_t));
    command->type = IM_COMMAND_ECHO;
    rest->len = 0;
}


const im_proto_t  im_proto_echo = {
    .name = "echo",
    .transports = IM_TRANSPORT_WEBSOCKET,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .decode = im_proto_echo_decode
};
