/*
 * Copyright (C) The im authors
 *
 * Calls that wait.  They are few, and for a moment: a slot moves, a server is
 * asked whether it still is a master.
 */

#include "im_link_hold.h"


#define IM_LINK_HOLD_CALLS  65536
#define IM_LINK_HOLD_BYTES  (32 * 1024 * 1024)


void
im_link_hold_init(im_link_hold_t *hold)
{
    im_uint_t  i;

    im_list_init(&hold->queues);

    for (i = 0; i < IM_LINK_HOLD_BUCKETS; i++) {
        im_list_init(&hold->buckets[i]);
    }
}


im_link_queue_t *
im_link_hold_find(im_link_hold_t *hold, im_uint_t slot)
{
    im_list_t        *q, *bucket;
    im_link_queue_t  *queue;

    bucket = &hold->buckets[slot % IM_LINK_HOLD_BUCKETS];

    im_list_each (q, bucket) {
        queue = im_list_data(q, im_link_queue_t, bucket);

        if (queue->slot == slot) {
            return queue;
        }
    }

    return NULL;
}


static im_link_queue_t *
im_link_hold_queue(im_link_hold_t *hold, im_uint_t slot)
{
    im_link_queue_t  *queue;

    queue = im_alloc(sizeof(im_link_queue_t));
    if (queue == NULL) {
        return NULL;
    }

    queue->slot = slot;
    queue->retry = 0;
    queue->narrow = 1;

    im_list_init(&queue->calls);
    im_list_insert_tail(&hold->queues, &queue->link);
    im_list_insert_tail(&hold->buckets[slot % IM_LINK_HOLD_BUCKETS],
                        &queue->bucket);

    return queue;
}


/* Replies come late: a call that was sent before others stays before them. */
static void
im_link_queue_insert(im_link_queue_t *queue, im_link_kept_t *kept)
{
    im_list_t  *q;

    for (q = im_list_last(&queue->calls); q != &queue->calls; q = q->prev) {
        if (im_list_data(q, im_link_kept_t, link)->number < kept->number) {
            break;
        }
    }

    im_list_insert_head(q, &kept->link);
}


im_int_t
im_link_hold_add(im_link_hold_t *hold, im_link_kept_t *kept, uint64_t retry,
    int narrow)
{
    size_t            size;
    im_link_queue_t  *queue;

    size = sizeof(im_link_kept_t) + kept->len;

    if (hold->ncalls == IM_LINK_HOLD_CALLS
        || hold->bytes + size > IM_LINK_HOLD_BYTES)
    {
        return IM_ERROR;
    }

    queue = im_link_hold_find(hold, kept->slot);

    if (queue == NULL) {
        queue = im_link_hold_queue(hold, kept->slot);

        if (queue == NULL) {
            return IM_ERROR;
        }
    }

    queue->retry = im_max(queue->retry, retry);
    queue->narrow = queue->narrow && narrow;

    im_link_queue_insert(queue, kept);

    hold->ncalls++;
    hold->bytes += size;

    return IM_OK;
}


im_link_kept_t *
im_link_hold_take(im_link_hold_t *hold, im_link_queue_t *queue)
{
    im_link_kept_t  *kept;

    kept = im_link_queue_first(queue);

    im_list_remove(&kept->link);

    hold->ncalls--;
    hold->bytes -= sizeof(im_link_kept_t) + kept->len;

    if (im_list_empty(&queue->calls)) {
        im_list_remove(&queue->link);
        im_list_remove(&queue->bucket);
        im_free(queue);
    }

    return kept;
}
