/*
 * Copyright (C) The im authors
 *
 * Centrifugo's server API, and its methods.
 */

#ifndef IM_LOGIC_API_H
#define IM_LOGIC_API_H


#include "im_logic_command.h"


void im_logic_api_handler(im_daemon_request_t *r);

void im_logic_api_publish(im_logic_command_t *c);
void im_logic_api_broadcast(im_logic_command_t *c);

void im_logic_api_subscribe(im_logic_command_t *c);
void im_logic_api_unsubscribe(im_logic_command_t *c);
void im_logic_api_disconnect(im_logic_command_t *c);
void im_logic_api_refresh(im_logic_command_t *c);

void im_logic_api_presence(im_logic_command_t *c);
void im_logic_api_presence_stats(im_logic_command_t *c);
void im_logic_api_history(im_logic_command_t *c);
void im_logic_api_history_remove(im_logic_command_t *c);
void im_logic_api_channels(im_logic_command_t *c);
void im_logic_api_info(im_logic_command_t *c);


#endif /* IM_LOGIC_API_H */
