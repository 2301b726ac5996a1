/*
 * Copyright (C) The im authors
 *
 * The record of a topic that this worker follows.
 */

#include "im_route.h"


#define IM_ROUTE_HELD_MAX   (1024 * 1024)
#define IM_ROUTE_CALLS      256       /* reports at once, of all partitions */
#define IM_ROUTE_CALLS_MIN  2         /* of each */


im_route_t *
im_route_create(im_follow_t *follow, im_topic_t *topic)
{
    uint32_t          index;
    im_route_t       *route;
    const im_rule_t  *rule;

    route = im_slab_alloc(&follow->routes, &index);
    if (route == NULL) {
        return NULL;
    }

    memset(route, 0, sizeof(im_route_t));

    rule = im_rules_topic(follow->rules, im_topic_name(topic));

    route->follow = follow;
    route->topic = topic;
    route->rule = rule;
    route->index = index;
    route->partition = topic->partition;
    route->queue = IM_QUEUE_NONE;
    route->upper.numbered = rule != NULL && rule->history > 0;
    route->upper.presence = rule != NULL && rule->presence;
    route->upper.cached = route->upper.numbered
                          && rule->recovery != IM_RULE_STREAM;
    route->upper.batch = rule != NULL ? (uint16_t) rule->batch : 0;

    im_ring_link_init(&route->link);
    im_ring_link_init(&route->polls);

    return route;
}


static void
im_route_forget_list(im_list_t *list)
{
    im_change_t  *change;

    while (!im_list_empty(list)) {
        change = im_list_data(im_list_first(list), im_change_t, link);
        im_list_remove(&change->link);
        im_free(change);
    }
}


void
im_route_destroy(im_route_t *route)
{
    im_route_work_t  *work;

    im_route_queue(route, IM_QUEUE_NONE);
    im_route_poll_off(route);

    im_route_forget(route, im_route_nchanges(route));

    work = route->work;

    if (work != NULL) {
        im_route_forget_list(&work->lost);
        im_route_forget_list(&work->out);
        im_route_forget_list(&work->past);
        im_buf_cleanup(&work->held);
        im_free(work);
    }

    if (im_route_ended(route)) {
        im_topic_destroy(&route->follow->hub->logs, route->topic);
    }

    route->topic = NULL;

    im_slab_free(&route->follow->routes, route->index);
}


im_route_t *
im_route_get(im_follow_t *follow, uint32_t index)
{
    im_route_t  *route;

    route = im_slab_get(&follow->routes, index);

    return route != NULL && route->topic != NULL ? route : NULL;
}


im_route_work_t *
im_route_work(im_route_t *route)
{
    im_route_work_t  *work;

    if (route->work != NULL) {
        return route->work;
    }

    work = im_calloc(sizeof(im_route_work_t));
    if (work == NULL) {
        return NULL;
    }

    im_list_init(&work->changes);
    im_list_init(&work->lost);
    im_list_init(&work->out);
    im_list_init(&work->past);
    im_list_init(&work->takes);
    im_list_init(&work->kept);
    im_buf_init(&work->held, IM_ROUTE_HELD_MAX);

    route->work = work;

    return work;
}


void
im_route_rest(im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    if (work == NULL || work->nchanges > 0 || work->held.len > 0
        || work->recent != NULL || work->expect != 0 || work->lacks != 0
        || work->npins > 0 || work->own != 0 || !im_list_empty(&work->out)
        || !im_list_empty(&work->past)
        || !im_list_empty(&work->takes) || route->hold != IM_HOLD_NONE)
    {
        return;
    }

    im_buf_cleanup(&work->held);
    im_free(work);

    route->work = NULL;
}


int
im_route_unused(im_route_t *route)
{
    int               last;
    im_route_work_t  *work;

    work = route->work;

    if (route->hold != IM_HOLD_NONE
        || (work != NULL && (work->npins > 0 || !im_list_empty(&work->takes))))
    {
        route->topic->pinned = 1;
        return 0;
    }

    im_hub_unpin(route->topic, &last);

    return last;
}


/* Each has its share, so that a server that hangs has no other one's calls. */
im_uint_t
im_route_room(const im_follow_t *follow, const im_follow_partition_t *part)
{
    im_uint_t  most;

    most = im_max(IM_ROUTE_CALLS / im_max(follow->hub->npartitions, 1),
                  IM_ROUTE_CALLS_MIN);

    return part->up && part->ncalls < most ? most - part->ncalls : 0;
}


void
im_route_ready(im_follow_t *follow, im_follow_partition_t *part)
{
    if (im_route_room(follow, part) > 0 && im_list_empty(&part->link)
        && (!im_list_empty(&part->takes)
            || !im_ring_empty(&part->queues[IM_QUEUE_URGENT])
            || !im_ring_empty(&part->queues[IM_QUEUE_DUE])))
    {
        im_list_insert_tail(&follow->ready, &part->link);
    }
}


int
im_route_up(const im_route_t *route)
{
    return im_follow_is_up(route->follow, route->partition);
}


/* That of its partition, or of all. */
static im_ring_t *
im_route_ring(const im_route_t *route, im_queue_e queue)
{
    im_follow_t  *follow;

    follow = route->follow;

    switch (queue) {

    case IM_QUEUE_URGENT:
    case IM_QUEUE_DUE:
        return &follow->partitions[route->partition].queues[queue];

    default:
        return &follow->queues[queue];
    }
}


void
im_route_queue(im_route_t *route, im_queue_e queue)
{
    im_follow_t  *follow;

    follow = route->follow;

    if (route->queue != IM_QUEUE_NONE) {
        im_ring_remove(&follow->queued,
                       im_route_ring(route, (im_queue_e) route->queue),
                       route->index);
    }

    route->queue = (uint8_t) queue;

    if (queue == IM_QUEUE_NONE) {
        return;
    }

    im_ring_insert(&follow->queued, im_route_ring(route, queue), route->index);

    if (queue < IM_QUEUE_CHANGED) {
        im_route_ready(follow, &follow->partitions[route->partition]);
    }
}


void
im_route_place(im_route_t *route, uint16_t partition)
{
    im_queue_e  queue;

    queue = (im_queue_e) route->queue;

    im_route_queue(route, IM_QUEUE_NONE);
    route->partition = partition;
    im_route_queue(route, queue);
}


im_route_t *
im_route_next(im_follow_t *follow, im_ring_t *queue)
{
    im_route_t  *route;

    if (im_ring_empty(queue)) {
        return NULL;
    }

    route = im_slab_object(&follow->routes, queue->first);
    im_route_queue(route, IM_QUEUE_NONE);

    return route;
}


void
im_route_poll_off(im_route_t *route)
{
    im_follow_t  *follow;

    follow = route->follow;

    if (route->poll == IM_POLL_NONE) {
        return;
    }

    im_ring_remove(&follow->polled, &follow->polls[route->poll - IM_POLL_EVEN],
                   route->index);
    route->poll = IM_POLL_NONE;
}


void
im_route_poll(im_route_t *route)
{
    im_follow_t  *follow;

    follow = route->follow;

    im_route_poll_off(route);

    route->poll = follow->odd ? IM_POLL_ODD : IM_POLL_EVEN;

    im_ring_insert(&follow->polled, &follow->polls[follow->odd], route->index);
}


void
im_route_again(im_route_t *route)
{
    route->due = IM_DUE_ALL;
    route->compare = 1;

    if (route->call == IM_CALL_NONE) {
        im_route_queue(route, IM_QUEUE_URGENT);
        route->follow->commands->wake(route->follow->ctx);
    }
}


void
im_route_hurry(im_route_t *route)
{
    route->hurried = 1;

    im_route_queue(route, IM_QUEUE_URGENT);
    route->follow->commands->wake(route->follow->ctx);
}


int
im_route_reading(const im_route_t *route)
{
    return route->history == IM_HISTORY_READING
           || route->load == IM_LOAD_READING;
}


void
im_route_end(im_route_t *route)
{
    if (route->call != IM_CALL_NONE) {
        return;
    }

    im_route_queue(route, IM_QUEUE_ENDED);
    route->follow->commands->wake(route->follow->ctx);
}


im_int_t
im_route_change(im_route_t *route, im_sub_t *sub, int joined, im_word_e word)
{
    im_int_t          rc;
    im_change_t      *change;
    im_follow_t      *follow;
    im_route_work_t  *work;

    follow = route->follow;

    rc = follow->commands->change(follow->ctx, sub, joined, &change);

    if (rc == IM_DECLINED) {
        return IM_OK;
    }

    if (rc == IM_ERROR) {
        goto failed;
    }

    work = im_route_work(route);

    if (work == NULL) {
        im_free(change);
        goto failed;
    }

    change->late = word == IM_WORD_LATE;
    change->quiet |= word == IM_WORD_NONE;

    im_list_insert_tail(&work->changes, &change->link);
    work->nchanges++;
    work->nlate += change->late;

    return IM_OK;

failed:

    route->due = IM_DUE_ALL;

    return IM_ERROR;
}


/* Takes the first one out of the list. */
static im_change_t *
im_route_shift(im_route_work_t *work)
{
    im_change_t  *change;

    change = im_list_data(im_list_first(&work->changes), im_change_t, link);

    im_list_remove(&change->link);
    work->nchanges--;
    work->nlate -= change->late;

    return change;
}


void
im_route_forget(im_route_t *route, im_uint_t n)
{
    while (n-- > 0) {
        im_free(im_route_shift(route->work));
    }
}


int
im_route_sent(im_route_t *route, im_uint_t n)
{
    int           joined;
    im_change_t  *change;

    joined = 0;

    while (n-- > 0) {
        change = im_route_shift(route->work);
        joined |= change->joined;

        if (change->late) {
            im_list_insert_tail(&route->work->out, &change->link);

        } else {
            im_free(change);
        }
    }

    return joined;
}


void
im_route_forget_out(im_route_t *route)
{
    im_route_forget_list(&route->work->out);
}


void
im_route_inherit(im_route_t *route, im_route_t *ended)
{
    im_route_work_t  *work;

    if (im_route_nchanges(ended) == 0 || route->topic->state != IM_TOPIC_NEW
        || route->due != IM_DUE_ALL || route->call != IM_CALL_NONE)
    {
        return;
    }

    work = im_route_work(route);

    if (work != NULL) {
        im_list_splice(&work->past, &ended->work->changes);
        ended->work->nchanges = 0;
        ended->work->nlate = 0;
    }
}


void
im_route_past(im_route_t *route)
{
    im_list_t        *q;
    im_route_work_t  *work;

    work = route->work;

    if (work == NULL) {
        return;
    }

    while (!im_list_empty(&work->past)) {
        q = im_list_first(&work->past);

        im_list_remove(q);
        im_list_insert_tail(&work->changes, q);

        work->nchanges++;
        work->nlate += im_list_data(q, im_change_t, link)->late;
    }
}
