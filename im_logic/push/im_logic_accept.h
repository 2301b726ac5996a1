/*
 * Copyright (C) The im authors
 *
 * Messages on their way to Redis.  Those that one turn of the loop brings for a
 * partition go there in one call of pub.lua, whatever requests they are of.
 */

#ifndef IM_LOGIC_ACCEPT_H
#define IM_LOGIC_ACCEPT_H


#include "im_logic_publish.h"


/* IM_ERROR: no memory. */
im_int_t im_logic_accept_init(im_logic_t *logic);

/* Before the links are destroyed. */
void im_logic_accept_cleanup(im_logic_t *logic);

/*
 * Sends the message to one topic, by a link that was ready.  Its done() is
 * called once: later, with status, msg, epoch and number.
 */
void im_logic_accept(im_logic_target_t *t);


#endif /* IM_LOGIC_ACCEPT_H */
