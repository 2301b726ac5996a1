/*
 * Copyright (C) The im authors
 *
 * How much waits in the queues of partitions.
 */

#include <stdio.h>

#include "im_daemon_queue.h"
#include "im_key.h"


void
im_daemon_queues_cleanup(im_daemon_queues_t *q)
{
    im_free(q->queues);
    memset(q, 0, sizeof(im_daemon_queues_t));
}


static void
im_daemon_queue_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t            owner;
    im_daemon_queue_t  *queue = data;

    queue->out = 0;
    queue->known = im_link_reply_is_array(reply, 3);

    if (queue->known) {
        queue->entries = (uint64_t) im_link_reply_int_at(reply, 0, 0);
        queue->age = (uint64_t) im_link_reply_int_at(reply, 1, 0);

        owner = im_link_reply_str_at(reply, 2);
        queue->owner_len = im_min(owner.len, IM_DAEMON_OWNER);
        im_copy(queue->owner, owner.data, queue->owner_len);
    }
}


void
im_daemon_queue_ask(im_daemon_queues_t *q, im_link_t *link, uint32_t p)
{
    im_link_call_t     *call;
    im_daemon_queue_t  *queue;

    if (q->queues == NULL) {
        q->n = im_link_partitions(link);
        q->queues = im_calloc(im_max(q->n, 1) * sizeof(im_daemon_queue_t));
    }

    if (q->queues == NULL || p >= q->n || q->queues[p].out) {
        return;
    }

    queue = &q->queues[p];

    call = im_link_script(link, &im_script_backlog);

    im_key_queue(&call->bytes, im_link_keys(link), (uint16_t) p);
    im_link_call_key(call);
    im_key_owner(&call->bytes, im_link_keys(link), (uint16_t) p);
    im_link_call_key(call);

    queue->out = 1;

    if (im_link_send(link, im_daemon_queue_handler, queue) != IM_OK) {
        im_daemon_queue_handler(NULL, queue);
    }
}


void
im_daemon_queue_forget(im_daemon_queues_t *q, uint32_t p)
{
    if (p < q->n) {
        q->queues[p].known = 0;
    }
}


/* member: the offset of a number in im_daemon_queue_t. */
static void
im_daemon_queues_metric(const im_daemon_queues_t *q, im_buf_t *b,
    const im_metric_t *m, size_t member)
{
    char             name[sizeof("4294967295")];
    uint32_t         p;
    im_str_t         value;
    const uint64_t  *n;

    im_metric_head(b, m);

    for (p = 0; p < q->n; p++) {
        if (!q->queues[p].known) {
            continue;
        }

        (void) snprintf(name, sizeof(name), "%u", (unsigned) p);
        value = im_str_z(name);
        n = (const void *) ((const u_char *) &q->queues[p] + member);

        im_metric_add(b, m, &value, *n);
    }
}


void
im_daemon_queues_metrics(const im_daemon_queues_t *q, im_buf_t *b,
    const im_metric_t *entries, const im_metric_t *age)
{
    im_daemon_queues_metric(q, b, entries,
                            offsetof(im_daemon_queue_t, entries));
    im_daemon_queues_metric(q, b, age, offsetof(im_daemon_queue_t, age));
}


im_int_t
im_daemon_queues_older(const im_daemon_queues_t *q, uint64_t age, uint32_t *p)
{
    uint32_t  i;
    im_int_t  rc;

    rc = IM_DECLINED;

    for (i = 0; i < q->n; i++) {
        if (q->queues[i].known && q->queues[i].age >= age) {
            age = q->queues[i].age;
            *p = i;
            rc = IM_OK;
        }
    }

    return rc;
}
