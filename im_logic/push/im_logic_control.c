/*
 * Copyright (C) The im authors
 *
 * Control entries share the queue of their partition with pushes: what
 * concerns a room comes behind the messages that were accepted before it.
 */

#include "im_logic_control.h"
#include "im_push.h"


/* One that Redis queues. */
typedef struct {
    im_logic_control_pt   handler;
    void                 *data;
} im_logic_control_t;


static void im_logic_control_handler(const im_link_reply_t *reply, void *data);


void
im_logic_control(im_daemon_request_t *r, const im_control_t *control,
    im_logic_control_pt handler, void *data)
{
    im_buf_t            *b, *envelope;
    im_str_t             topic;
    im_logic_t          *logic;
    im_link_call_t      *call;
    im_logic_control_t  *c;

    logic = r->data;

    if (!im_link_ready(logic->link)) {
        handler(data, 503, im_link_why(logic->link));
        return;
    }

    c = im_daemon_alloc(r, sizeof(im_logic_control_t));
    b = im_daemon_buf(r, IM_NAME_MAX + 2);
    envelope = im_daemon_buf(r, 2 * IM_PUSH_MAX_DATA);

    im_control_queue(b, control);
    im_control_encode(envelope, control, im_logic_time());

    if (c == NULL || b->failed || envelope->failed) {
        handler(data, 503, "no memory");
        return;
    }

    c->handler = handler;
    c->data = data;

    topic = im_buf_str(b);
    call = im_link_script(logic->link, &im_script_control);

    im_key_queue(&call->bytes, logic->prefix,
                 im_logic_partition(logic, topic));
    im_link_call_key(call);
    im_logic_key(logic, call, topic, IM_KEY_ROUTES);
    im_link_call_str(call, topic);
    im_link_call_str(call, im_buf_str(envelope));
    im_link_call_uint(call, logic->conf.queue_cap);
    im_link_call_z(call, im_control_everywhere(control) ? "*" : "");

    if (im_link_send(logic->link, im_logic_control_handler, c) != IM_OK) {
        handler(data, 503, "redis is away");
    }
}


static void
im_logic_control_handler(const im_link_reply_t *reply, void *data)
{
    const char          *msg;
    im_logic_control_t  *c = data;

    msg = im_logic_fault(reply, "control.lua");

    if (msg == NULL && im_link_reply_int_at(reply, 0, -1) != 0) {
        msg = "the queue is full";
    }

    c->handler(c->data, msg == NULL ? 200 : 503, msg);
}
