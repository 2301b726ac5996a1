/*
 * Copyright (C) The im authors
 *
 * Topics whose sessions go to another worker, or come from it.
 */

#include "im_route.h"


#define IM_PIN_FENCES  (1ull << 32)      /* apart; meta.lua has it, too */


/* Stops the topic of a route if nothing needs it. */
static void
im_pin_check(im_follow_t *follow, im_route_t *route)
{
    if (im_route_unused(route)) {
        im_follow_stop(follow, route->topic);
    }
}


im_topic_t *
im_follow_pin(im_follow_t *follow, im_str_t name)
{
    int               first, last;
    im_topic_t       *topic;
    im_route_work_t  *work;

    topic = im_hub_pin(follow->hub, name, &first);
    if (topic == NULL) {
        return NULL;
    }

    if (first && im_follow_start(follow, topic) != IM_OK) {
        im_hub_unpin(topic, &last);
        im_follow_stop(follow, topic);
        return NULL;
    }

    work = im_route_work(topic->data);

    if (work == NULL) {
        im_pin_check(follow, topic->data);
        return NULL;
    }

    if (work->npins++ == 0) {
        im_history_pinned(topic->data);
        im_late_begin(topic->data);
    }

    return topic;
}


void
im_follow_unpin(im_follow_t *follow, im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (--route->work->npins == 0) {
        im_history_unpinned(route);
        im_late_end(route);
    }

    im_route_rest(route);
    im_pin_check(follow, route);
}


im_int_t
im_follow_hold(im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (route->hold == IM_HOLD_NONE) {
        route->hold = IM_HOLD_COUNTED;
        (void) im_route_unused(route);
        im_late_begin(route);
    }

    if (im_route_work(route) == NULL || !im_follow_settled(topic)
        || !im_route_open(route))
    {
        return IM_DECLINED;
    }

    if (route->call != IM_CALL_NONE) {
        return IM_AGAIN;
    }

    if (route->due == IM_DUE_NOTHING && im_route_nchanges(route) == 0) {
        return im_late_ready(route) ? IM_OK : IM_AGAIN;
    }

    im_route_hurry(route);

    return IM_AGAIN;
}


uint64_t
im_follow_fence(const im_follow_t *follow)
{
    return (follow->version / IM_PIN_FENCES + 1) * IM_PIN_FENCES;
}


void
im_follow_pass(im_follow_t *follow, uint64_t fence)
{
    follow->version = im_max(follow->version, fence);
}


/* Without memory all members are due. */
static void
im_pin_lost(im_route_t *route, im_sub_t *sub)
{
    im_int_t      rc;
    im_follow_t  *follow;
    im_change_t  *change;

    follow = route->follow;
    rc = follow->commands->change(follow->ctx, sub, 0, &change);

    if (rc == IM_OK) {
        change->quiet = 1;
        im_list_insert_tail(&route->work->lost, &change->link);

    } else if (rc == IM_ERROR) {
        route->due = IM_DUE_ALL;
    }
}


void
im_follow_going(im_sub_t *sub, int goes)
{
    im_route_t  *route;

    route = sub->log->topic->data;

    if (goes) {
        route->work->ngoing++;

    } else {
        route->work->ngoing--;
        im_follow_resume(route);
    }
}


void
im_follow_gone(im_follow_t *follow, im_sub_t *sub, int lost)
{
    im_route_t  *route;

    route = sub->log->topic->data;
    route->work->ngoing--;

    if (im_route_broadcast(route)) {
        return;
    }

    route->work->ngone++;

    if (lost) {
        im_pin_lost(route, sub);
    }
}


im_int_t
im_follow_freeze(im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (route->hold == IM_HOLD_COUNTED) {

        if (!im_follow_settled(topic)) {
            return IM_AGAIN;
        }

        route->hold = IM_HOLD_FROZEN;
    }

    return route->call == IM_CALL_NONE ? IM_OK : IM_AGAIN;
}


/* Some followers that are here count as members. */
static int
im_pin_members(im_follow_t *follow, im_topic_t *topic)
{
    im_int_t      rc;
    im_sub_t     *sub;
    im_logs_t    *logs;
    im_change_t  *change;

    logs = &follow->hub->logs;

    for (sub = im_topic_next_sub(logs, topic, NULL);
         sub != NULL;
         sub = im_topic_next_sub(logs, topic, sub))
    {
        rc = follow->commands->change(follow->ctx, sub, 1, &change);

        if (rc == IM_OK) {
            im_free(change);
        }

        if (rc != IM_DECLINED) {
            return 1;
        }
    }

    return 0;
}


/* Members that were lost leave as others do. */
static void
im_pin_leave(im_route_t *route)
{
    im_list_t        *q;
    im_route_work_t  *work;

    work = route->work;

    while (!im_list_empty(&work->lost)) {
        q = im_list_first(&work->lost);

        im_list_remove(q);
        im_list_insert_tail(&work->changes, q);
        work->nchanges++;
    }
}


/*
 * All that Redis knew of may have gone: then only the route is left, and its
 * leave says nothing of members.
 */
void
im_follow_release(im_follow_t *follow, im_topic_t *topic, int moved)
{
    uint32_t     ngone;
    im_route_t  *route;

    route = topic->data;

    if (route->hold == IM_HOLD_NONE) {
        return;
    }

    ngone = 0;
    route->hold = IM_HOLD_NONE;

    if (route->work != NULL) {
        ngone = route->work->ngone;
        route->work->ngone = 0;
        im_pin_leave(route);
    }

    if (ngone > 0) {
        route->due = im_max(route->due, moved ? IM_DUE_COUNT : IM_DUE_ALL);
    }

    if (moved && ngone > 0 && route->due != IM_DUE_ALL
        && im_route_nchanges(route) == 0 && !im_pin_members(follow, topic))
    {
        route->known = im_min(route->known, IM_KNOWN_ROUTE);
    }

    im_late_end(route);
    im_follow_resume(route);
    im_route_rest(route);

    if (im_route_unused(route)) {
        im_follow_stop(follow, topic);

    } else if (!im_follow_settled(topic)) {
        im_route_ready(follow, &follow->partitions[route->partition]);
        follow->commands->wake(follow->ctx);
    }
}


int
im_follow_late(im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (im_late_due(route)) {
        return 1;
    }

    im_late_tell(route);

    return 0;
}


im_int_t
im_follow_ready(im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (im_late_ready(route)) {
        return IM_OK;
    }

    if (route->call == IM_CALL_NONE && im_route_open(route)
        && im_route_nchanges(route) > route->work->nlate)
    {
        im_route_hurry(route);
    }

    return IM_AGAIN;
}


/* One that has ended has a route, which is not in the hub, or not for long. */
int
im_follow_left(const im_follow_t *follow)
{
    return follow->routes.used + follow->nleaving <= follow->hub->topics.count;
}
