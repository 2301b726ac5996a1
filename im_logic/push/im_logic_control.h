/*
 * Copyright (C) The im authors
 *
 * Control entries: what workers do besides delivering messages.
 */

#ifndef IM_LOGIC_CONTROL_H
#define IM_LOGIC_CONTROL_H


#include "im_control.h"
#include "im_logic_request.h"


/* status 200: it is queued; 503: msg says why not. */
typedef void (*im_logic_control_pt)(void *data, im_uint_t status,
    const char *msg);


/*
 * Queues a control entry.  The handler is called once, perhaps before this
 * returns.
 */
void im_logic_control(im_daemon_request_t *r, const im_control_t *control,
    im_logic_control_pt handler, void *data);


#endif /* IM_LOGIC_CONTROL_H */
