/*
 * Copyright (C) The im authors
 *
 * A member of a topic: a session, as the worker that has it describes it to
 * the others.  It is JSON, in Redis under the session's id.
 */

#ifndef IM_MEMBER_H
#define IM_MEMBER_H


#include "im_types.h"
#include "im_buf.h"


typedef struct {
    im_str_t  session;       /* UUID; not in the JSON */
    im_str_t  worker;        /* that has it; not in the JSON */
    im_str_t  user;          /* "": a guest */
    im_str_t  name;
    im_str_t  info;          /* of the connection: bytes, mostly JSON */
    im_str_t  room_info;     /* of the subscription, the same */
    im_str_t  ip;            /* of a member of an inbox */
    im_str_t  protocol;      /* the same */
    int64_t   since;         /* the same: s since 1970; -1: not said */
} im_member_t;


/* An empty member. */
void im_member_init(im_member_t *m);

void im_member_encode(im_buf_t *b, const im_member_t *m);

/*
 * Initializes m.  Strings are in the arena, which must take json.len bytes, or
 * borrow from json.  A field of a wrong type reads as not there.  IM_ERROR:
 * not an object, or no memory.
 */
im_int_t im_member_decode(im_str_t json, im_buf_t *arena, im_member_t *m);


#endif /* IM_MEMBER_H */
