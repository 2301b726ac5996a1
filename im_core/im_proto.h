/*
 * Copyright (C) The im authors
 *
 * Client protocols as tables: adding one is one file and one row.
 */

#ifndef IM_PROTO_H
#define IM_PROTO_H


#include "im_types.h"
#include "im_buf.h"
#include "im_push.h"


/* A form in which a topic's messages are framed; index of im_wires[]. */
typedef enum {
    IM_WIRE_IM = 0,
    IM_WIRE_MAX
} im_wire_e;


/* What is framed: one message at its place in a topic. */
typedef struct {
    im_str_t              topic;
    im_str_t              epoch;
    uint64_t              seq;
    const im_envelope_t  *envelope;
} im_message_t;


typedef struct {
    const char  *name;
    /* Appends the whole frame, ready for the wire. */
    void       (*encode)(im_buf_t *b, const im_message_t *m);
} im_wire_t;

extern const im_wire_t  im_wires[IM_WIRE_MAX];


typedef enum {
    IM_COMMAND_NONE = 0,     /* nothing to do */
    IM_COMMAND_CONNECT,      /* the first frame: token, room */
    IM_COMMAND_ECHO,         /* send the message back */
    IM_COMMAND_FAULT         /* close with close_code and reason */
} im_command_e;


typedef struct {
    im_command_e  type;
    im_str_t      token;     /* "" none; in the arena */
    im_str_t      room;      /* name; "" none; in the arena */
    uint16_t      close_code;
    const char   *reason;
} im_command_t;


typedef struct {
    const char  *name;       /* of im_comet protocol= */
    uint8_t      wire;
    unsigned     topics:1;   /* has rooms, inbox, broadcast */
    unsigned     connects:1; /* must send CONNECT before it is open */
    uint16_t     close_drain;    /* reload, quit: reconnect */
    uint16_t     close_slow;
    /*
     * One whole client message (opcode IM_WS_TEXT or BINARY); connected: after
     * CONNECT was accepted.  arena is reset by the caller.
     */
    void       (*decode)(im_str_t message, uint8_t opcode, int connected,
                    im_buf_t *arena, im_command_t *command);
} im_proto_t;

extern const im_proto_t  im_protos[];      /* ended by name NULL */

const im_proto_t *im_proto_find(im_str_t name);


/* What the rows of im_wires[] and im_protos[] point to. */
void im_proto_im_encode(im_buf_t *b, const im_message_t *m);
void im_proto_im_decode(im_str_t message, uint8_t opcode, int connected,
    im_buf_t *arena, im_command_t *command);
void im_proto_echo_decode(im_str_t message, uint8_t opcode, int connected,
    im_buf_t *arena, im_command_t *command);


/* im: op 4 (protocol page). members: count pairs of user id and name. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
} im_member_t;

/*
 * Whole frame.  room is the name, without "r:"; roomId is -1 when that is not
 * a decimal int32.  Members in any order; of equal users the last one counts.
 */
void im_proto_im_room_info(im_buf_t *b, im_str_t room, uint64_t count,
    const im_member_t *members, im_uint_t n);


#endif /* IM_PROTO_H */
