/*
 * Copyright (C) The im authors
 *
 * The queues: one call of backlog.lua for each partition.
 */

#include "im_logic_queues.h"


static void
im_logic_queues_replied(im_logic_queues_t *queues)
{
    if (--queues->left == 0) {
        queues->handler(queues, queues->data);
    }
}


static void
im_logic_queues_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_queue_t   *queue = data;
    im_logic_queues_t  *queues;

    queues = queue->queues;

    if (im_logic_fault(reply, "backlog.lua") != NULL
        || !im_link_reply_is_array(reply, 3))
    {
        queue->away = 1;

    } else {
        queue->length = (uint64_t) im_link_reply_int_at(reply, 0, 0);
        queue->age = (uint64_t) im_link_reply_int_at(reply, 1, 0);
        queue->owner = im_daemon_copy(queues->r,
                                      im_link_reply_str_at(reply, 2));

        queues->length += queue->length;
        queues->age = im_max(queues->age, queue->age);
    }

    im_logic_queues_replied(queues);
}


static void
im_logic_queues_ask(im_logic_queue_t *queue, uint16_t p)
{
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = queue->queues->r->data;
    call = im_link_script(logic->link, &im_script_backlog);

    im_key_queue(&call->bytes, im_link_keys(logic->link), p);
    im_link_call_key(call);
    im_key_owner(&call->bytes, im_link_keys(logic->link), p);
    im_link_call_key(call);

    im_logic_send(logic, im_logic_queues_handler, queue);
}


void
im_logic_queues(im_daemon_request_t *r, im_logic_queues_pt handler,
    void *data)
{
    im_uint_t           i;
    im_logic_t         *logic;
    im_logic_queues_t  *queues;

    logic = r->data;
    queues = im_daemon_alloc(r, sizeof(im_logic_queues_t));

    if (queues != NULL) {
        queues->n = im_link_partitions(logic->link);
        queues->elts = im_daemon_alloc(r, im_max(queues->n, 1)
                                          * sizeof(im_logic_queue_t));
    }

    if (queues == NULL || queues->elts == NULL) {
        handler(NULL, data);
        return;
    }

    queues->r = r;
    queues->handler = handler;
    queues->data = data;

    /* one more, so that it doesn't finish before all are asked */
    queues->left = queues->n + 1;

    for (i = 0; i < queues->n; i++) {
        queues->elts[i].queues = queues;
        im_logic_queues_ask(&queues->elts[i], (uint16_t) i);
    }

    im_logic_queues_replied(queues);
}
