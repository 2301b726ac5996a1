/*
 * Copyright (C) The im authors
 *
 * Whether a user follows a room now.
 */

#ifndef IM_LOGIC_FOLLOWS_H
#define IM_LOGIC_FOLLOWS_H


#include "im_logic_request.h"


/* 1, 0, or -1: Redis is away, or there is no memory. */
typedef void (*im_logic_follows_pt)(int follows, void *data);


/* The handler is called once, maybe before this returns. */
void im_logic_follows(im_daemon_request_t *r, im_str_t user, im_str_t room,
    im_logic_follows_pt handler, void *data);


#endif /* IM_LOGIC_FOLLOWS_H */
