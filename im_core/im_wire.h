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


/* Rows of protocols. */
#define IM_PROTOS  8

/* NULL: there is none. */
const im_proto_t *im_proto_find(im_str_t name);

/*
 * The number of a protocol, below IM_PROTOS: that of the first row that has its
 * name.  Back to the name; NULL: the row is one more of a protocol.
 */
im_uint_t im_proto_number(const im_proto_t *proto);
const char *im_proto_name(im_uint_t number);

/* The transports of all rows with that number: im_transport_e bits. */
im_uint_t im_proto_kinds(im_uint_t number);

/*
 * "protocol=im, protocol=centrifuge or protocol=echo": those with commands, if
 * commands, that one of these transports can have; 0: any.
 */
void im_proto_names(im_buf_t *b, int commands, im_uint_t transports);

/*
 * Rows by what they are called in another binary, whose tables may have others
 * and in another order: a protocol's name and its subprotocol, "" none; a
 * transport's name and its window.  NULL: there is none.
 */
const im_proto_t *im_proto_row(im_str_t name, im_str_t subprotocol);
const im_transport_t *im_transport_row(im_str_t name, unsigned window);

/* A transport that HTTP clients can ask for; NULL: there is none. */
const im_transport_t *im_transport_find(im_str_t name);

/* The first row of a kind. */
const im_transport_t *im_transport_of(im_transport_e kind);

/* Kinds of this mask: "websocket, sse or http_stream". */
void im_transport_names(im_buf_t *b, im_uint_t kinds);

/*
 * The row of a location's protocol whose subprotocol comes first in a list of
 * the client's; NULL: none.
 */
const im_proto_t *im_proto_listed(const im_proto_t *proto, im_str_t list);

/*
 * The row of a location's protocol for messages of a type, on a kind of
 * transport.
 */
const im_proto_t *im_proto_typed(const im_proto_t *proto, im_str_t type,
    im_transport_e kind);

/*
 * The variant that a client asks for by an argument; NULL: none.  has says
 * whether the request has that argument with that value.
 */
const im_proto_t *im_proto_asked(const im_proto_t *proto,
    int (*has)(void *data, const im_arg_t *arg), void *data);

/*
 * The transport for a WebSocket client with these offers of extensions, and
 * Sec-WebSocket-Extensions of the answer.  NULL: none can be accepted.
 */
const im_transport_t *im_transport_extended(im_str_t offers, im_buf_t *answer);

/* The most bytes of that answer. */
#define IM_TRANSPORT_ANSWER_MAX  128

/*
 * The number of a wire: the low 16 bits say protocol, form and transport; the
 * high ones are a filter of the caller's, here 0.  Forms that are the same in a
 * protocol have the same number.
 */
im_wire_id_t im_wire_id(const im_proto_t *proto, im_form_e form,
    const im_transport_t *transport);
im_wire_t im_wire(im_wire_id_t id);

/* 0: none */
static inline uint16_t
im_wire_filter(im_wire_id_t id)
{
    return (uint16_t) (id >> 16);
}


/* The wire alone, or with another filter. */
static inline im_wire_id_t
im_wire_filtered(im_wire_id_t id, uint16_t filter)
{
    return (id & UINT16_MAX) | (im_wire_id_t) filter << 16;
}


/* The code to close with; 0: without a close frame. */
static inline uint16_t
im_wire_code(const im_proto_t *proto, const im_transport_t *transport,
    im_reason_e reason)
{
    return (proto->codes != NULL ? proto->codes : transport->codes)[reason];
}


#endif /* IM_WIRE_H */
