/*
 * Copyright (C) The im authors
 *
 * The protocols and transports there are, and the wires: a wire is a form of a
 * protocol on a transport.  A topic has a log for each wire in use.
 */

#ifndef IM_WIRE_H
#define IM_WIRE_H


#include "im_proto.h"
#include "im_transport.h"


typedef struct {
    const im_form_t       *form;
    const im_transport_t  *transport;
} im_wire_t;


/* NULL: there is none. */
const im_proto_t *im_proto_find(im_str_t name);

/* "protocol=im, protocol=centrifuge or protocol=echo"; if commands, such. */
void im_proto_names(im_buf_t *b, int commands);

/* Forms that are the same in a protocol have the same number. */
uint8_t im_wire_id(const im_proto_t *proto, im_form_e form,
    const im_transport_t *transport);
im_wire_t im_wire(uint8_t id);

/* The code to close with; 0: without a close frame. */
static inline uint16_t
im_wire_code(const im_proto_t *proto, const im_transport_t *transport,
    im_reason_e reason)
{
    return (proto->codes != NULL ? proto->codes : transport->codes)[reason];
}


#endif /* IM_WIRE_H */
