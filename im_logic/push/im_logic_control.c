/*
 * Copyright (C) The im authors
 *
 * Control entries go in the order of their partition's pushes: what
 * concerns a room comes behind the messages that were accepted before it.
 */

#include "im_logic_control.h"


void
im_logic_control(im_daemon_request_t *r, const im_control_t *control,
    im_link_reply_pt handler, void *data)
{
    im_buf_t        *b;
    uint16_t         p;
    im_str_t         topic;
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = r->data;
    b = im_daemon_buf(r, IM_NAME_MAX + 2);

    im_control_queue(b, control);

    topic = im_buf_str(b);
    p = im_logic_partition(logic, topic);
    call = im_link_script(logic->link, &im_script_control);

    im_key_queue(&call->bytes, im_link_keys(logic->link), p);
    im_link_call_key(call);
    im_logic_key(logic, call, topic, IM_KEY_ROUTES);
    im_link_call_channels(call, im_link_keys(logic->link), p);
    im_link_call_str(call, topic);
    im_control_encode(&call->bytes, control, im_logic_time());
    im_link_call_arg(call);
    im_link_call_uint(call, logic->conf.queue_cap);
    im_link_call_z(call, im_control_everywhere(control) ? "*" : "");

    if (b->failed) {
        call->bytes.failed = 1;
    }

    im_logic_send(logic, handler, data);
}


const char *
im_logic_control_read(const im_link_reply_t *reply)
{
    const char  *why;

    why = im_logic_fault(reply, "control.lua");

    if (why == NULL && im_link_reply_int_at(reply, 0, -1) != 0) {
        why = "the queue is full";
    }

    return why;
}
