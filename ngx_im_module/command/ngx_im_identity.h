/*
 * Copyright (C) The im authors
 *
 * Who a client is and what it may.
 */

#ifndef NGX_IM_IDENTITY_H
#define NGX_IM_IDENTITY_H


#include "ngx_im_session.h"
#include "im_jwt.h"


/* Strings are borrowed. */
typedef struct {
    im_str_t             user;       /* "": a guest */
    im_str_t             name;
    im_str_t             info;       /* JSON for others; "" none */
    im_str_t             rooms;      /* as im_ask_identity_t has it */
    im_str_t             login;      /* as im_ask_identity_t has it */
    im_str_t             room;       /* to be joined; "" none */
    im_str_t             data;       /* JSON for the client */
    im_str_t             meta;       /* JSON for webhooks */
    const im_jwt_sub_t  *subs;       /* more rooms to be joined */
    ngx_uint_t           nsubs;
    int64_t              expires;    /* s; 0: never */
} ngx_im_identity_t;


/* Opens the session, or closes it. */
void ngx_im_identity_open(ngx_im_session_t *s, const ngx_im_identity_t *id);

/*
 * The session comes from another worker: what it follows ends where the rules
 * don't allow it any more, with the code that this has for new sessions.
 */
void ngx_im_identity_adopted(ngx_im_session_t *s);

/* Why the client can't join the room, static text; NULL: it can. */
const char *ngx_im_identity_room(ngx_im_session_t *s,
    const ngx_im_identity_t *id, im_str_t room, im_reason_e *reason);

/* The session may join that room. */
int ngx_im_identity_may(ngx_im_session_t *s, im_str_t room);


#endif /* NGX_IM_IDENTITY_H */
