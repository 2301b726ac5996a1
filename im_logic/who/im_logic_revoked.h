/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#ifndef IM_LOGIC_REVOKED_H
#define IM_LOGIC_REVOKED_H


#include "im_logic_request.h"


/* Asks whether any user is kept out; called about once a second. */
void im_logic_revoked_poll(im_logic_t *logic);

/*
 * Asks whether the user is kept out; the handler reads 1, 0, or -1: Redis is
 * away.  IM_DECLINED: no user is, so the handler won't be called.
 */
im_int_t im_logic_revoked(im_logic_t *logic, im_str_t user,
    im_link_reply_pt handler, void *data);
int im_logic_revoked_read(const im_link_reply_t *reply);


#endif /* IM_LOGIC_REVOKED_H */
