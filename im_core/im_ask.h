/*
 * Copyright (C) The im authors
 *
 * Questions of a worker to logic, or to another program at that location
 * (docs/api.md), and the answers: JSON both ways.
 */

#ifndef IM_ASK_H
#define IM_ASK_H


#include "im_types.h"
#include "im_buf.h"


#define IM_ASK_ROOMS_MAX  64     /* patterns of an identity */
#define IM_ASK_LOGIN      8      /* bytes that tell logins of a user apart */


typedef enum {
    IM_ASK_CONNECT = 0,      /* protocol, token, room, ip, node, mid, key */
    IM_ASK_PUBLISH           /* room, and id and the rest */
} im_ask_e;


typedef struct {
    im_ask_e  kind;
    im_str_t  call;          /* set by the decoder: the name of the kind */
    im_str_t  protocol;
    im_str_t  token;
    im_str_t  room;
    im_str_t  ip;
    im_str_t  node;
    im_str_t  mid;           /* who the client says it is, and */
    im_str_t  key;           /* its key, where the protocol has them */
    im_str_t  id;            /* of idempotency */
    im_str_t  tags;          /* JSON object, "" none */
    im_str_t  session;       /* of the sender, as what follows */
    im_str_t  user;
    im_str_t  name;
    im_str_t  info;          /* bytes, as data: JSON or anything */
    im_str_t  data;
    int       skip_history;  /* 1: the message has no place in a history */
} im_ask_t;


/* Strings without data (NULL) are left out, but room. */
void im_ask_encode(im_buf_t *b, const im_ask_t *ask);

/*
 * Strings are in the arena, which must take json.len bytes, or borrow.
 * IM_DECLINED: of a kind that this version doesn't know; IM_ERROR: *why is
 * static text.
 */
im_int_t im_ask_decode(im_str_t json, im_buf_t *arena, im_ask_t *ask,
    const char **why);


/* The user of a token. */
typedef struct {
    im_str_t  user;          /* "": a guest */
    im_str_t  name;
    im_str_t  info;          /* JSON object, "" none */
    im_str_t  rooms;         /* JSON list of at most IM_ASK_ROOMS_MAX patterns
                                of what may be joined; "": everything */
    im_str_t  login;         /* which of the user's; IM_ASK_LOGIN bytes */
} im_ask_identity_t;


/*
 * Only the data of an answer: logic has one form for all answers.  user and
 * name are written in any case.
 */
void im_ask_identity_encode(im_buf_t *b, const im_ask_identity_t *identity);

/* As above, with an arena for json.len bytes. */
im_int_t im_ask_identity_decode(im_str_t json, im_buf_t *arena,
    im_ask_identity_t *identity, const char **why);

/* rooms of an identity: a name that ends in '*' matches what begins so. */
int im_ask_room_allowed(im_str_t rooms, im_str_t room);

/*
 * The code of an answer, 0: it was done; data is its object, borrowed.  -1: not
 * an answer.
 */
int64_t im_ask_answer_decode(im_str_t json, im_str_t *data);


#endif /* IM_ASK_H */
