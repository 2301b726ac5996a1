/*
 * Copyright (C) The im authors
 *
 * Handlers of questions: users, sessions and histories, and what a token is.
 */

#ifndef IM_LOGIC_WHO_H
#define IM_LOGIC_WHO_H


#include "im_logic_request.h"


void im_logic_online_handler(im_daemon_request_t *r);
void im_logic_health_handler(im_daemon_request_t *r);
void im_logic_nodes_handler(im_daemon_request_t *r);
void im_logic_rooms_handler(im_daemon_request_t *r);
void im_logic_bans_handler(im_daemon_request_t *r);
void im_logic_room_handler(im_daemon_request_t *r);
void im_logic_room_history_handler(im_daemon_request_t *r);
void im_logic_user_handler(im_daemon_request_t *r);

/* A part of im_logic_call_handler(). */
void im_logic_connect(im_daemon_request_t *r, im_str_t token);


#endif /* IM_LOGIC_WHO_H */
