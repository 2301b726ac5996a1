/*
 * Copyright (C) The im authors
 *
 * Control entries: what workers are told to do besides delivering messages.
 */

#ifndef IM_LOGIC_CONTROL_H
#define IM_LOGIC_CONTROL_H


#include "im_logic.h"
#include "im_push.h"


/*
 * status 200: queued for so many workers, 0 where nobody holds the topic;
 * 503: msg says why not.
 */
typedef void (*im_logic_control_pt)(void *data, im_uint_t status,
    const char *msg, im_uint_t workers);

/*
 * Queues a control entry (im_control_e) for the workers that hold the topic,
 * or everywhere: then the topic, "u:USER" or "s:SESSION", only says in which
 * partition.  Its kind, time and type are filled in.  The handler is called
 * once, perhaps before this returns.
 */
void im_logic_control(im_logic_t *logic, im_str_t topic,
    const im_envelope_t *e, int everywhere, im_logic_control_pt handler,
    void *data);


#endif /* IM_LOGIC_CONTROL_H */
