/*
 * Copyright (C) The im authors
 *
 * Handlers of what changes something: pushes, calls of nginx, kicks.
 */

#ifndef IM_LOGIC_PUSH_H
#define IM_LOGIC_PUSH_H


#include "im_logic_request.h"


void im_logic_push_handler(im_daemon_request_t *r);
void im_logic_call_handler(im_daemon_request_t *r);
void im_logic_kick_user_handler(im_daemon_request_t *r);
void im_logic_kick_session_handler(im_daemon_request_t *r);


#endif /* IM_LOGIC_PUSH_H */
