/*
 * Copyright (C) The im authors
 *
 * The echo protocol: each message goes back to its sender with its opcode.
 * A tool to test proxies and load balancers.
 */

#include "im_proto.h"


void
im_proto_echo_decode(im_str_t *rest, uint8_t opcode, int connected,
    im_buf_t *arena, im_command_t *command)
{
    (void) opcode;
    (void) connected;
    (void) arena;

    memset(command, 0, sizeof(im_command_t));
    command->type = IM_COMMAND_ECHO;
    rest->len = 0;
}
