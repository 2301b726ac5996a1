/*
 * Copyright (C) The im authors
 *
 * Who a token is.
 */

#ifndef IM_LOGIC_TOKEN_H
#define IM_LOGIC_TOKEN_H


#include "im_logic.h"


#define IM_TOKEN_MAX      128
#define IM_TOKEN_MARK     "Im"      /* field of the tokens made here */
#define IM_CONNECT_ROOMS  64        /* patterns of a token */


/* Empty where there is none; good within the call. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
    im_str_t  rooms;      /* patterns; data NULL: all */
} im_logic_login_t;

/* IM_OK; IM_DECLINED: nobody's token; IM_ERROR: Redis is away. */
typedef void (*im_logic_token_pt)(void *data, im_int_t rc,
    const im_logic_login_t *login);

/* The token must be valid.  IM_ERROR: Redis is away, fn won't be called. */
im_int_t im_logic_token_find(im_logic_t *logic, im_str_t token,
    im_logic_token_pt fn, void *data);
int im_logic_token_valid(im_str_t token);

/* The next pattern of rooms, which gets shorter; IM_DECLINED: no more. */
im_int_t im_logic_token_pattern(im_str_t *rooms, im_str_t *pattern);
/* The login may be in the room. */
int im_logic_token_room(im_str_t rooms, im_str_t room);


#endif /* IM_LOGIC_TOKEN_H */
