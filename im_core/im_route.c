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
im_route_create(im_follow_t *follow, im_str_t name, uint16_t partition)
{
    im_route_t  *route;

    route = im_calloc(sizeof(im_route_t) + name.len);
    if (route == NULL) {
        return NULL;
    }

    route->follow = follow;
    route->rule = im_rules_topic(follow->rules, name);
    route->partition = partition;
    route->upper.numbered = route->rule != NULL && route->rule->history > 0;
    route->upper.presence = route->rule != NULL && route->rule->presence;
    route->upper.cached = route->upper.numbered
                          && route->rule->recovery != IM_RULE_STREAM;
    route->upper.batch = route->rule != NULL
                         ? (uint16_t) route->rule->batch : 0;
    route->name_len = (uint8_t) name.len;
    im_copy(route->name, name.data, name.len);

    im_list_init(&route->link);
    im_list_init(&route->poll);
    im_list_init(&route->aged);
    im_list_init(&route->check);
    im_list_init(&route->changes);
    im_buf_init(&route->held, IM_ROUTE_HELD_MAX);

    return route;
}


void
im_route_destroy(im_route_t *route)
{
    im_list_remove(&route->link);
    im_list_remove(&route->poll);
    im_list_remove(&route->aged);
    im_list_remove(&route->check);

    im_route_forget(route, route->nchanges);
    im_buf_cleanup(&route->held);
    im_free(route);
}


/* Each has its share, so that a server that hangs has no other one's calls. */
void
im_route_ready(im_follow_t *follow, im_follow_partition_t *part)
{
    im_uint_t  most;

    most = im_max(IM_ROUTE_CALLS / im_max(follow->hub->npartitions, 1),
                  IM_ROUTE_CALLS_MIN);

    if (part->up && part->ncalls < most && im_list_empty(&part->link)
        && (!im_list_empty(&part->queues[IM_QUEUE_URGENT])
            || !im_list_empty(&part->queues[IM_QUEUE_DUE])))
    {
        im_list_insert_tail(&follow->ready, &part->link);
    }
}


int
im_route_up(const im_route_t *route)
{
    return im_follow_is_up(route->follow, route->partition);
}


void
im_route_queue(im_route_t *route, im_queue_e queue)
{
    im_follow_t            *follow;
    im_follow_partition_t  *part;

    follow = route->follow;

    im_list_remove(&route->link);

    if (queue < IM_QUEUE_CHANGED) {
        part = &follow->partitions[route->partition];

        im_list_insert_tail(&part->queues[queue], &route->link);
        im_route_ready(follow, part);
        return;
    }

    im_list_insert_tail(&follow->queues[queue], &route->link);
}


void
im_route_poll(im_route_t *route)
{
    im_list_remove(&route->poll);
    im_list_insert_tail(&route->follow->poll, &route->poll);
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
im_route_end(im_route_t *route)
{
    if (route->call != IM_CALL_NONE || route->history == IM_HISTORY_READING
        || route->load == IM_LOAD_READING)
    {
        return;
    }

    im_route_queue(route, IM_QUEUE_ENDED);
    route->follow->commands->wake(route->follow->ctx);
}


void
im_route_change(im_route_t *route, im_sub_t *sub, int joined)
{
    im_int_t      rc;
    im_change_t  *change;
    im_follow_t  *follow;

    follow = route->follow;

    rc = follow->commands->change(follow->ctx, sub, joined, &change);

    if (rc == IM_ERROR) {
        route->due = IM_DUE_ALL;
        return;
    }

    if (rc == IM_OK) {
        im_list_insert_tail(&route->changes, &change->link);
        route->nchanges++;
    }
}


void
im_route_forget(im_route_t *route, im_uint_t n)
{
    im_change_t  *change;

    while (n-- > 0) {
        change = im_list_data(im_list_first(&route->changes), im_change_t,
                              link);
        im_list_remove(&change->link);
        im_free(change);
        route->nchanges--;
    }
}
