/*
 * Copyright (C) The im authors
 *
 * What a token is: a user, a name, and rooms.
 */

#ifndef IM_LOGIC_TOKEN_H
#define IM_LOGIC_TOKEN_H


#include "im_logic_request.h"


#define IM_TOKEN_MAX    128
#define IM_TOKEN_MARK   "Im"      /* field of the tokens made here */


/* Empty where there is none; lives as long as the request. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
    im_str_t  rooms;      /* patterns; data NULL: all */
} im_logic_login_t;


/* Appends the key of a token, which must be valid. */
void im_logic_token_key(im_link_call_t *call, im_str_t token);

/*
 * Asks for the login of a valid token; the handler reads it from the reply.
 * IM_OK; IM_DECLINED: no login has the token; IM_ERROR: Redis is away.
 */
void im_logic_token_find(im_daemon_request_t *r, im_str_t token,
    im_link_reply_pt handler, void *data);
im_int_t im_logic_token_read(im_daemon_request_t *r,
    const im_link_reply_t *reply, im_logic_login_t *login);

int im_logic_token_valid(im_str_t token);

/* The next pattern of rooms, which gets shorter; IM_DECLINED: no more. */
im_int_t im_logic_token_pattern(im_str_t *rooms, im_str_t *pattern);
/* The login may be in the room. */
int im_logic_token_room(im_str_t rooms, im_str_t room);


#endif /* IM_LOGIC_TOKEN_H */
