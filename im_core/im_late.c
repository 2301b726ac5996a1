/*
 * Copyright (C) The im authors
 *
 * Late changes: joins and leaves while sessions of the topic move.
 *
 * Else followers hear at once of sessions of their own worker, and of those of
 * others by an entry, which has a mark.  A session that moves has a position,
 * its mark, and so must hear all by entries.  Therefore the worker waits with
 * its word until its own entry comes back.  Before the first session moves,
 * what followers have heard at once has come back, too.
 *
 * Late changes are behind the others in the list.  Those of a report that is
 * out are kept, for it may bring no entry.
 */

#include "im_control.h"
#include "im_route.h"


static int
im_late_moving(const im_route_t *route)
{
    return im_route_pinned(route) || route->hold != IM_HOLD_NONE;
}


/* Its changes are told to clients. */
static int
im_late_presence(const im_route_t *route)
{
    return route->upper.presence && route->topic->name[0] == 'r';
}


/* Some have been sent, and their entry hasn't come back. */
static int
im_late_out(const im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    return !im_list_empty(&work->out) || work->late_own > route->mark;
}


void
im_late_begin(im_route_t *route)
{
    uint32_t      index, next;
    im_log_t     *log;
    im_sub_t     *sub;
    im_logs_t    *logs;
    im_follow_t  *follow;

    follow = route->follow;
    logs = &follow->hub->logs;

    if (!im_late_moving(route) || !im_late_presence(route)
        || route->topic->state == IM_TOPIC_NEW)
    {
        return;
    }

    for (log = route->topic->logs; log != NULL; log = log->next) {

        for (index = log->joining.first; index != IM_SLAB_NONE; index = next) {
            next = im_ring_next(&logs->lists, &log->joining, index);
            sub = im_slab_object(&logs->subs, index);

            if (!sub->said) {
                sub->said = 1;
                follow->events->joins(follow->ctx, sub);
            }
        }
    }
}


/* Where all members are due, changes aren't listed, unless none is known. */
int
im_late_due(const im_route_t *route)
{
    if (!im_late_presence(route) || route->work == NULL
        || (!im_late_moving(route) && !im_late_out(route)))
    {
        return 0;
    }

    return route->known != IM_KNOWN_MEMBERS
           || (route->due != IM_DUE_ALL && im_route_up(route));
}


void
im_late_tell(im_route_t *route)
{
    im_list_t    *q;
    im_follow_t  *follow;
    im_change_t  *change;

    follow = route->follow;

    if (route->work == NULL || route->work->nlate == 0) {
        return;
    }

    im_list_each(q, &route->work->changes) {
        change = im_list_data(q, im_change_t, link);

        if (change->late) {
            change->late = 0;
            follow->events->late(follow->ctx, route->topic, change);
        }
    }

    route->work->nlate = 0;
}


/* The report that was out brings no entry. */
static void
im_late_tell_out(im_route_t *route)
{
    im_list_t    *q;
    im_follow_t  *follow;

    follow = route->follow;

    im_list_each(q, &route->work->out) {
        follow->events->late(follow->ctx, route->topic,
                             im_list_data(q, im_change_t, link));
    }
}


void
im_late_answered(im_route_t *route, const im_reported_t *reply)
{
    int               late;
    uint64_t          own;
    im_route_work_t  *work;

    own = reply != NULL && reply->applied ? reply->own : 0;
    work = own > route->mark ? im_route_work(route) : route->work;

    if (work == NULL) {
        return;
    }

    late = !im_list_empty(&work->out);

    if (reply != NULL && own == 0 && !im_route_ended(route)) {
        im_late_tell_out(route);
    }

    im_route_forget_out(route);

    if (own > route->mark) {
        work->own = own;
        work->late_own = late ? own : work->late_own;
    }

    im_late_end(route);
}


int
im_late_ready(const im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    return work == NULL || !im_late_presence(route)
           || (work->nchanges == work->nlate
               && route->call != IM_CALL_REPORT && work->own <= route->mark);
}


void
im_late_end(im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    if (work == NULL || im_route_ended(route)) {
        return;
    }

    work->own = work->own > route->mark ? work->own : 0;
    work->late_own = work->late_own > route->mark ? work->late_own : 0;

    if (!im_late_moving(route) && !im_late_out(route)) {
        im_late_tell(route);
    }
}
