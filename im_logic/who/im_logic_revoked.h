/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#ifndef IM_LOGIC_REVOKED_H
#define IM_LOGIC_REVOKED_H


#include "im_logic_request.h"


/* revoked: the user is kept out; -1: Redis is away. */
typedef void (*im_logic_revoked_pt)(void *data, int revoked);


/* Asks whether any user is kept out; called about once a second. */
void im_logic_revoked_poll(im_logic_t *logic);

/* fn is called once, at once where no user is kept out. */
void im_logic_revoked(im_daemon_request_t *r, im_str_t user,
    im_logic_revoked_pt fn, void *data);


#endif /* IM_LOGIC_REVOKED_H */
