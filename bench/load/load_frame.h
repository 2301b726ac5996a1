/*
 * Copyright (C) The im authors
 *
 * Reads what servers send: the head of the handshake's answer, frames of
 * WebSocket, events of SSE, and packets of goim.
 */

#ifndef LOAD_FRAME_H
#define LOAD_FRAME_H


#include "load_proto.h"


#define LOAD_FRAME_MAX  (16 * 1024 * 1024)

#define LOAD_FRAME_CLOSE  0x8
#define LOAD_FRAME_PING   0x9
#define LOAD_FRAME_PONG   0xa


typedef struct {
    unsigned  opcode;               /* of goim: the operation */
    im_str_t  payload;
} load_frame_t;


/*
 * The answer to a handshake from *p on.  IM_OK: it is a good one and *p is
 * behind it; IM_AGAIN: the head isn't complete; IM_ERROR: *status says why, 101
 * if it lacks the right key.
 */
im_int_t load_frame_handshake(load_wire_e wire, u_char **p, u_char *end,
    unsigned *status);

/*
 * IM_AGAIN: the frame isn't complete; IM_ERROR: it can't be one.  An event of
 * SSE has the opcode 1, and that of a ping if it is a comment.
 */
im_int_t load_frame_decode(load_wire_e wire, u_char **p, u_char *end,
    load_frame_t *frame);

/* Of the payload of a close frame; 1005 if it has none. */
unsigned load_frame_code(im_str_t payload);


#endif /* LOAD_FRAME_H */
