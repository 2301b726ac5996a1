/*
 * Copyright (C) The im authors
 *
 * A request on its way to a session.
 */

#ifndef NGX_IM_HANDSHAKE_H
#define NGX_IM_HANDSHAKE_H


#include "ngx_im_access.h"
#include "ngx_im_admit.h"
#include "ngx_im_kept.h"
#include "ngx_im_opening.h"


/* In the request's pool; what the access log gets to know stands first. */
typedef struct {
    ngx_im_access_t   access;
    ngx_im_peer_t     peer;
    ngx_im_opening_t *opening;       /* until it is the session's */
    const im_proto_t *proto;         /* of the location, or a variant of it */
    const im_transport_t *transport;
    im_str_t          key;           /* of an upgrade */
    im_str_t          extensions;    /* of the answer to it; "": none */
    const char       *subprotocol;   /* NULL: the client has not asked for it */
    im_str_t          first;         /* a message that came with the request */
    ngx_im_place_t    place;         /* not yet the session's */
    ngx_im_kept_t     kept;
    ngx_event_t       detach;
    ngx_msec_t        start;
} ngx_im_handshake_t;


#endif /* NGX_IM_HANDSHAKE_H */
