/*
 * Copyright (C) The im authors
 *
 * Handlers of questions: who is where, what was said, who a token is.
 */

#ifndef IM_LOGIC_WHO_H
#define IM_LOGIC_WHO_H


#include "im_logic.h"


void im_logic_online(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_health(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_room(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_user(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);

/* IM_DECLINED: the path isn't that of a room's history. */
im_int_t im_logic_room_history(im_logic_t *logic, im_daemon_request_t *r);

/* A part of im_logic_call(). */
void im_logic_connect(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);


#endif /* IM_LOGIC_WHO_H */
