/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#ifndef IM_LOGIC_REVOKED_H
#define IM_LOGIC_REVOKED_H


#include "im_logic.h"


/* Whether anybody is kept out: about once a second. */
void im_logic_revoked_look(im_logic_t *logic);

/* revoked: the user is kept out; -1: Redis is away. */
typedef void (*im_logic_revoked_pt)(void *data, int revoked);

/* fn is called once, at once where nobody is kept out. */
void im_logic_revoked(im_logic_t *logic, im_str_t user,
    im_logic_revoked_pt fn, void *data);


#endif /* IM_LOGIC_REVOKED_H */
