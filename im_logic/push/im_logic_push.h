/*
 * Copyright (C) The im authors
 *
 * Handlers of what changes something: pushes, calls of clients, kicks.
 */

#ifndef IM_LOGIC_PUSH_H
#define IM_LOGIC_PUSH_H


#include "im_logic.h"


void im_logic_push(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_call(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);

/* DELETE of a user's sessions, or one */
void im_logic_kick_user(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_kick_session(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);


#endif /* IM_LOGIC_PUSH_H */
