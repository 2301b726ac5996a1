/*
 * Copyright (C) The im authors
 *
 * What a token is: a user, a name, and rooms.
 *
 * All that asks who somebody is by a token asks here, so a user that is kept
 * out is so everywhere.
 */

#ifndef IM_LOGIC_TOKEN_H
#define IM_LOGIC_TOKEN_H


#include "im_logic_request.h"
#include "im_logic_secret.h"


#define IM_TOKEN_MAX    8192


typedef enum {
    IM_LOGIN_FOUND = 0,
    IM_LOGIN_NONE,           /* no login has the token */
    IM_LOGIN_KEPT_OUT,       /* the user is kept out for now */
    IM_LOGIN_AWAY            /* Redis is */
} im_login_e;


/* Empty where there is none; lives as long as the request. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
    im_str_t  rooms;      /* patterns; data NULL: all */
} im_logic_login_t;


/*
 * The token that a request shows: in its head, else in the argument "auth".
 * IM_DECLINED: none; IM_ERROR: it is too long.
 */
im_int_t im_logic_token_shown(im_daemon_request_t *r, im_str_t *token);

/* The login is there where rc is IM_LOGIN_FOUND. */
typedef void (*im_logic_token_pt)(im_login_e rc, const im_logic_login_t *login,
    void *data);

/*
 * Appends the key of a token by its hash, which is in hex; or that of a token
 * which stands in Redis as it is: other programs write those.
 */
void im_logic_token_key(im_logic_t *logic, im_link_call_t *call,
    im_str_t hash);
void im_logic_token_plain(im_link_call_t *call, im_str_t token);

/* Asks for the login of a valid token that lives as long as the request. */
void im_logic_token_find(im_daemon_request_t *r, im_str_t token,
    im_logic_token_pt handler, void *data);

int im_logic_token_valid(im_str_t token);

/* The next pattern of rooms, which gets shorter; IM_DECLINED: no more. */
im_int_t im_logic_token_pattern(im_str_t *rooms, im_str_t *pattern);
/* The login may be in the room. */
int im_logic_token_room(im_str_t rooms, im_str_t room);


#endif /* IM_LOGIC_TOKEN_H */
