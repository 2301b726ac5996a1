/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol: what its encodings (JSON, Protobuf) have in common,
 * and the objects that the server API has too.
 */

#ifndef IM_PROTO_CENTRIFUGE_H
#define IM_PROTO_CENTRIFUGE_H


#include "im_proto.h"
#include "im_emulation.h"


/* If a command has several methods, the first in this order counts. */
typedef enum {
    IM_CENTRIFUGE_CONNECT = 0,
    IM_CENTRIFUGE_PING,
    IM_CENTRIFUGE_SUBSCRIBE,
    IM_CENTRIFUGE_UNSUBSCRIBE,
    IM_CENTRIFUGE_PUBLISH,
    IM_CENTRIFUGE_PRESENCE,
    IM_CENTRIFUGE_PRESENCE_STATS,
    IM_CENTRIFUGE_HISTORY,
    IM_CENTRIFUGE_RPC,
    IM_CENTRIFUGE_SEND,
    IM_CENTRIFUGE_REFRESH,
    IM_CENTRIFUGE_SUB_REFRESH,
    IM_CENTRIFUGE_METHODS
} im_centrifuge_method_e;


/* The parameters of all methods.  "", 0: not given. */
typedef struct {
    im_str_t  channel;
    im_str_t  token;
    im_str_t  name;
    im_str_t  version;
    im_str_t  method;
    im_str_t  epoch;
    im_str_t  data;
    im_str_t  filter;
    int64_t   offset;        /* 64 bits without a sign */
    int64_t   limit;
    int64_t   flag;
    int64_t   type;
    int       recover;       /* of history: since is given */
    int       join;          /* of a subscription of connect: to a room, too */
    int       recoverable;
    int       positioned;
    int       join_leave;
    int       reverse;
} im_centrifuge_params_t;


/* With a code below 3500 a client connects again. */
extern const uint16_t  im_centrifuge_codes[IM_REASON_MAX];


/*
 * A command is decoded in this order by any encoding.  Each returns IM_ERROR
 * where the command is complete as it is: mostly it says what is wrong.
 *
 * begin: the command has the methods of a mask; which one counts?
 * resume: a subscription of connect; room for all is made before.
 * end: the parameters are there.
 */
im_int_t im_centrifuge_begin(im_command_t *command, int64_t id,
    im_uint_t methods, int connected, im_centrifuge_method_e *method);
im_int_t im_centrifuge_resumes(im_buf_t *arena, im_command_t *command);
im_int_t im_centrifuge_resume(im_str_t channel,
    const im_centrifuge_params_t *params, im_buf_t *arena,
    im_command_t *command);
im_int_t im_centrifuge_end(im_centrifuge_method_e method,
    const im_centrifuge_params_t *params, im_buf_t *arena,
    im_command_t *command);

/*
 * The parameters of connect as JSON, alone: the client follows the rooms that
 * subs names.
 */
im_int_t im_centrifuge_request(im_str_t json, im_buf_t *arena,
    im_command_t *command);

/* Bytes that they need in the arena, beside twice those of the message. */
size_t im_centrifuge_room(im_centrifuge_method_e method);

/* IM_ERROR: close for it, as something that can't be understood. */
im_int_t im_centrifuge_fault(im_command_t *command, const char *why);


#define IM_CENTRIFUGE_VERSION  "im"

/* The usual text of an error; *temporary: trying again may help. */
im_str_t im_centrifuge_error_text(im_error_e error, int *temporary);

/*
 * Topic "r:NAME" is the channel NAME, "u:USER" is "#USER", "b" is "#".  *own:
 * '#' comes before what is returned.
 */
im_str_t im_centrifuge_channel(im_str_t topic, int *own);

/* moved of a form, with the reply of its protocol. */
im_int_t im_centrifuge_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub,
    void (*add)(im_buf_t *, const im_transport_t *, const im_reply_t *));


/* A request in Protobuf.  IM_ERROR: *why is static text. */
im_int_t im_centrifuge_emulation(im_str_t body, im_emulation_t *e,
    const char **why);


/* In JSON. */
void im_centrifuge_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m);
void im_centrifuge_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply);

/* Pushes without what is around them: {"channel":"..","pub":{}} */
void im_centrifuge_add_pub(im_buf_t *b, const im_message_t *m);
void im_centrifuge_add_push(im_buf_t *b, const im_reply_t *reply);

/* One publication, one client. */
void im_centrifuge_add_message(im_buf_t *b, const im_message_t *m);
void im_centrifuge_add_client(im_buf_t *b, const im_member_t *client);


#endif /* IM_PROTO_CENTRIFUGE_H */
