/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#ifndef IM_LOGIC_REVOKED_H
#define IM_LOGIC_REVOKED_H


#include "im_logic_request.h"


/*
 * Asks whether the user is kept out; the handler reads 1, 0, or -1: Redis is
 * away.
 */
void im_logic_revoked(im_logic_t *logic, im_str_t user,
    im_link_reply_pt handler, void *data);
int im_logic_revoked_read(const im_link_reply_t *reply);


#endif /* IM_LOGIC_REVOKED_H */
