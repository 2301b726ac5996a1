/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol (JSON): what its two files share, and the objects
 * that the server API has too.
 */

#ifndef IM_PROTO_CENTRIFUGE_H
#define IM_PROTO_CENTRIFUGE_H


#include "im_proto.h"


void im_centrifuge_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m);
im_int_t im_centrifuge_moved(im_buf_t *b,
    const im_transport_t *transport, const im_subscribed_t *sub);
void im_centrifuge_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply);

/* One publication, one client. */
void im_centrifuge_add_message(im_buf_t *b, const im_message_t *m);
void im_centrifuge_add_client(im_buf_t *b, const im_member_t *client);


#endif /* IM_PROTO_CENTRIFUGE_H */
