/*
 * Copyright (C) The im authors
 *
 * Control entries: what workers do besides delivering messages.
 */

#ifndef IM_LOGIC_CONTROL_H
#define IM_LOGIC_CONTROL_H


#include "im_control.h"
#include "im_logic_request.h"


/* Sends a control entry; the handler reads NULL, or why it can't be sent. */
void im_logic_control(im_daemon_request_t *r, const im_control_t *control,
    im_link_reply_pt handler, void *data);
const char *im_logic_control_read(const im_link_reply_t *reply);


#endif /* IM_LOGIC_CONTROL_H */
