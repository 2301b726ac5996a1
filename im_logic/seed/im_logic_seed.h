/*
 * Copyright (C) The im authors
 *
 * Handlers of the seed system's paths: /api/v1/ and /v1/user/.
 */

#ifndef IM_LOGIC_SEED_H
#define IM_LOGIC_SEED_H


#include "im_logic.h"


void im_logic_v1_push(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_v1_push_room(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_v1_room_info(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);

void im_logic_register(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_login(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_check_auth(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_logout(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);


#endif /* IM_LOGIC_SEED_H */
