/*
 * Copyright (C) The im authors
 *
 * The tables of protocols and transports, above all of them.
 */

#include "im_wire.h"
#include "im_header.h"
#include "im_offer.h"


#define im_wire_count(table)  (sizeof(table) / sizeof((table)[0]))


static const im_proto_t *const  im_protos[] = {
    &im_proto_im,
    &im_proto_centrifuge,
    &im_proto_centrifuge_pb,
    &im_proto_uni,
    &im_proto_goim,
    &im_proto_plain,
    &im_proto_plain_meta,
    &im_proto_echo
};


static const im_transport_t *const  im_transports[] = {
    &im_transport_ws,
    &im_transport_ws_deflate,
    &im_transport_ws_deflate_small,
    &im_transport_sse,
    &im_transport_stream,
    &im_transport_tcp
};


_Static_assert(im_wire_count(im_protos) * im_wire_count(im_transports)
               * IM_FORMS <= UINT16_MAX, "the rest is for filters");

_Static_assert(im_wire_count(im_protos) == IM_PROTOS, "a row each");


const im_proto_t *
im_proto_find(im_str_t name)
{
    im_uint_t  i;

    for (i = 0; i < im_wire_count(im_protos); i++) {
        if (im_str_eq(im_str_z(im_protos[i]->name), name)) {
            return im_protos[i];
        }
    }

    return NULL;
}


const im_proto_t *
im_proto_row(im_str_t name, im_str_t subprotocol)
{
    im_uint_t          i;
    const im_proto_t  *proto;

    for (i = 0; i < im_wire_count(im_protos); i++) {
        proto = im_protos[i];

        if (im_str_eq(im_str_z(proto->name), name)
            && im_str_eq(im_str_z(proto->subprotocol != NULL
                                      ? proto->subprotocol : ""),
                         subprotocol))
        {
            return proto;
        }
    }

    return NULL;
}


im_uint_t
im_proto_number(const im_proto_t *proto)
{
    im_uint_t  i;

    for (i = 0; i < IM_PROTOS - 1; i++) {
        if (strcmp(im_protos[i]->name, proto->name) == 0) {
            break;
        }
    }

    return i;
}


const char *
im_proto_name(im_uint_t number)
{
    return im_proto_number(im_protos[number]) == number
           ? im_protos[number]->name : NULL;
}


im_uint_t
im_proto_kinds(im_uint_t number)
{
    im_uint_t  i, kinds;

    for (i = 0, kinds = 0; i < IM_PROTOS; i++) {
        if (im_proto_number(im_protos[i]) == number) {
            kinds |= im_protos[i]->transports;
        }
    }

    return kinds;
}


/* Not a variant, which has the name of a row above it. */
static int
im_proto_listable(const im_proto_t *proto, int commands, im_uint_t transports)
{
    return im_proto_find(im_str_z(proto->name)) == proto
           && (!commands || proto->commands)
           && (transports == 0 || (proto->transports & transports));
}


void
im_proto_names(im_buf_t *b, int commands, im_uint_t transports)
{
    im_uint_t  i, last;

    last = im_wire_count(im_protos) - 1;

    while (last > 0
           && !im_proto_listable(im_protos[last], commands, transports))
    {
        last--;
    }

    for (i = 0; i <= last; i++) {
        if (im_proto_listable(im_protos[i], commands, transports)) {
            im_buf_add_z(b, b->len == 0 ? "" : i == last ? " or " : ", ");
            im_buf_add_z(b, "protocol=");
            im_buf_add_z(b, im_protos[i]->name);
        }
    }
}


const im_transport_t *
im_transport_of(im_transport_e kind)
{
    im_uint_t  i;

    for (i = 0; i < im_wire_count(im_transports); i++) {
        if (im_transports[i]->kind == kind) {
            return im_transports[i];
        }
    }

    return NULL;
}


/* Other rows of a kind have no name to ask for. */
const im_transport_t *
im_transport_find(im_str_t name)
{
    im_uint_t              i;
    const im_transport_t  *transport;

    for (i = 0; i < im_wire_count(im_transports); i++) {
        transport = im_transports[i];

        if (im_str_eq(im_str_z(transport->name), name)
            && im_transport_of(transport->kind) == transport)
        {
            return transport;
        }
    }

    return NULL;
}


const im_transport_t *
im_transport_row(im_str_t name, unsigned window)
{
    im_uint_t  i;

    for (i = 0; i < im_wire_count(im_transports); i++) {
        if (im_transports[i]->window == window
            && im_str_eq(im_str_z(im_transports[i]->name), name))
        {
            return im_transports[i];
        }
    }

    return NULL;
}


void
im_transport_names(im_buf_t *b, im_uint_t kinds)
{
    im_uint_t              i;
    const im_transport_t  *transport;

    for (i = 0; i < im_wire_count(im_transports); i++) {
        transport = im_transports[i];

        if (!(kinds & transport->kind)
            || im_transport_of(transport->kind) != transport)
        {
            continue;
        }

        im_buf_add_z(b, transport->name);

        kinds &= ~(im_uint_t) transport->kind;

        im_buf_add_z(b, kinds == 0 ? ""
                        : (kinds & (kinds - 1)) == 0 ? " or " : ", ");
    }
}


static int
im_proto_named(const im_proto_t *proto, im_str_t subprotocol)
{
    return proto->subprotocol != NULL
           && im_header_lists(subprotocol, im_str_z(proto->subprotocol));
}


const im_proto_t *
im_proto_listed(const im_proto_t *proto, im_str_t list)
{
    im_str_t                  item;
    const im_proto_t *const  *v;

    while (im_header_next(&list, &item)) {

        if (im_proto_named(proto, item)) {
            return proto;
        }

        for (v = proto->variants; v != NULL && *v != NULL; v++) {
            if (im_proto_named(*v, item)) {
                return *v;
            }
        }
    }

    return NULL;
}


const im_proto_t *
im_proto_typed(const im_proto_t *proto, im_str_t type, im_transport_e kind)
{
    const im_proto_t *const  *v;

    for (v = proto->variants; v != NULL && *v != NULL; v++) {
        if ((*v)->type != NULL && ((*v)->transports & kind)
            && im_str_eq(im_str_z((*v)->type), type))
        {
            return *v;
        }
    }

    return proto;
}


const im_proto_t *
im_proto_asked(const im_proto_t *proto,
    int (*has)(void *data, const im_arg_t *arg), void *data)
{
    const im_arg_t           *arg;
    const im_proto_t *const  *v;

    for (v = proto->variants; v != NULL && *v != NULL; v++) {
        for (arg = (*v)->args; arg != NULL && arg->name != NULL; arg++) {
            if (has(data, arg)) {
                return *v;
            }
        }
    }

    return NULL;
}


/* The row with the largest window that is not larger; or NULL. */
static const im_transport_t *
im_transport_window(unsigned window)
{
    im_uint_t              t;
    const im_transport_t  *found;

    found = NULL;

    for (t = 0; t < im_wire_count(im_transports); t++) {
        if (im_transports[t]->window > 0 && im_transports[t]->window <= window
            && (found == NULL || found->window < im_transports[t]->window))
        {
            found = im_transports[t];
        }
    }

    return found;
}


static unsigned
im_transport_least_window(void)
{
    unsigned               least;
    im_uint_t              t;

    least = IM_OFFER_WINDOW_MAX;

    for (t = 0; t < im_wire_count(im_transports); t++) {
        if (im_transports[t]->window > 0) {
            least = im_min(least, im_transports[t]->window);
        }
    }

    return least;
}


const im_transport_t *
im_transport_extended(im_str_t offers, im_buf_t *answer)
{
    int                    asked;
    unsigned               window;
    const im_transport_t  *transport;

    if (!im_offer_deflate(offers, im_transport_least_window(), &window,
                          &asked))
    {
        return NULL;
    }

    transport = im_transport_window(window);

    if (transport == NULL) {
        return NULL;
    }

    im_buf_add_z(answer, "permessage-deflate; server_no_context_takeover; "
                 "client_no_context_takeover");

    if (asked) {
        im_buf_add_z(answer, "; server_max_window_bits=");
        im_buf_add_uint(answer, transport->window);
    }

    return transport;
}


im_wire_id_t
im_wire_id(const im_proto_t *proto, im_form_e form,
    const im_transport_t *transport)
{
    im_uint_t  p, t, f;

    for (p = 0; p < im_wire_count(im_protos); p++) {
        if (im_protos[p] == proto) {
            break;
        }
    }

    for (t = 0; t < im_wire_count(im_transports); t++) {
        if (im_transports[t] == transport) {
            break;
        }
    }

    for (f = 0; proto->forms[f] != proto->forms[form]; f++) { /* void */ }

    return (im_wire_id_t) ((t * im_wire_count(im_protos) + p) * IM_FORMS + f);
}


im_wire_t
im_wire(im_wire_id_t id)
{
    im_uint_t  row;
    im_wire_t  wire;

    id &= UINT16_MAX;
    row = id / IM_FORMS;

    wire.form = im_protos[row % im_wire_count(im_protos)]->forms[id % IM_FORMS];
    wire.transport = im_transports[row / im_wire_count(im_protos)];

    return wire;
}
