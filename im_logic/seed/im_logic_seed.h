/*
 * Copyright (C) The im authors
 *
 * Handlers of the seed system's paths, /api/v1/ and /v1/user/, and of
 * /im/accounts/.
 */

#ifndef IM_LOGIC_SEED_H
#define IM_LOGIC_SEED_H


#include "im_logic_request.h"


void im_logic_v1_push_handler(im_daemon_request_t *r);
void im_logic_v1_room_handler(im_daemon_request_t *r);
void im_logic_v1_info_handler(im_daemon_request_t *r);
void im_logic_v1_online_handler(im_daemon_request_t *r);

void im_logic_register_handler(im_daemon_request_t *r);
void im_logic_login_handler(im_daemon_request_t *r);
void im_logic_check_auth_handler(im_daemon_request_t *r);
void im_logic_logout_handler(im_daemon_request_t *r);
void im_logic_password_handler(im_daemon_request_t *r);
void im_logic_delete_handler(im_daemon_request_t *r);

void im_logic_admin_show_handler(im_daemon_request_t *r);
void im_logic_admin_set_handler(im_daemon_request_t *r);
void im_logic_admin_remove_handler(im_daemon_request_t *r);


#endif /* IM_LOGIC_SEED_H */
