/*
 * Copyright (C) The im authors
 *
 * Reports of topics and members, and their replies.
 *
 * The first follower of a topic and the leave of its last one go out at once,
 * other changes once a second.
 */

#include "im_route.h"
#include "im_control.h"
#include "im_key.h"


#define IM_FOLLOW_REPEATED   100     /* old ones in a second, and 1 % */
#define IM_FOLLOW_STALE_MAX  100     /* a second */
#define IM_FOLLOW_CHECK      200     /* topics of one call */
#define IM_FOLLOW_CHECKED    5000    /* in a second, at most */
#define IM_FOLLOW_MEMBERS    64      /* of one call, about */
#define IM_FOLLOW_ROUND      4       /* s until all are checked, at least */
#define IM_FOLLOW_RECORDS    50000   /* looked at in a second, free ones too */
#define IM_FOLLOW_BLOCK      256     /* records */


void
im_follow_init(im_follow_t *follow, uint64_t now)
{
    im_uint_t               i;
    im_follow_partition_t  *part;

    im_slab_init(&follow->routes, sizeof(im_route_t), IM_FOLLOW_BLOCK);

    follow->queued.slab = &follow->routes;
    follow->queued.offset = offsetof(im_route_t, link);
    follow->polled.slab = &follow->routes;
    follow->polled.offset = offsetof(im_route_t, polls);

    for (i = 0; i < IM_QUEUES; i++) {
        im_ring_init(&follow->queues[i]);
    }

    im_ring_init(&follow->polls[0]);
    im_ring_init(&follow->polls[1]);

    memset(follow->partitions, 0, sizeof(follow->partitions));

    for (i = 0; i < IM_PARTITIONS_MAX; i++) {
        part = &follow->partitions[i];

        part->most = UINT32_MAX;

        im_list_init(&part->link);
        im_list_init(&part->takes);
        im_ring_init(&part->queues[IM_QUEUE_URGENT]);
        im_ring_init(&part->queues[IM_QUEUE_DUE]);
    }

    im_list_init(&follow->none);
    im_list_init(&follow->ready);
    im_list_init(&follow->windows);
    im_list_init(&follow->sources);

    follow->now = now;
    follow->version = 0;
    follow->bytes.bytes = 0;
    follow->nstale = 0;
    follow->nup = 0;
    follow->nleaving = 0;
    follow->walk = 0;
    follow->odd = 0;
    follow->visited = 0;
    follow->renewed = 0;
}


/* Topics that have not ended are the hub's. */
void
im_follow_cleanup(im_follow_t *follow)
{
    uint32_t     i;
    im_route_t  *route;

    im_take_cleanup(follow);

    for (i = 0; i < follow->routes.given; i++) {
        route = im_route_get(follow, i);

        if (route != NULL && im_route_ended(route)) {
            im_route_destroy(route);
        }
    }

    im_slab_cleanup(&follow->routes);
}


void
im_follow_partitions(im_follow_t *follow, uint32_t n)
{
    uint32_t     i;
    im_route_t  *route;

    im_hub_partitions(follow->hub, n);

    for (i = 0; i < follow->routes.given; i++) {
        route = im_route_get(follow, i);

        if (route != NULL) {
            im_route_place(route, im_partition(im_topic_name(route->topic), n));
        }
    }
}


static im_int_t
im_follow_again(im_topic_t *topic, void *data)
{
    im_route_t             *route;
    im_follow_t            *follow;
    im_follow_partition_t  *part;

    follow = data;
    route = topic->data;
    part = &follow->partitions[topic->partition];

    if (route == NULL || !part->up || !part->compare) {
        return IM_OK;
    }

    route->compare = 1;

    if (part->assert) {
        route->due = IM_DUE_ALL;
    }

    follow->events->members(follow->ctx, topic, IM_MEMBERS_SUSPECT);

    if (route->call == IM_CALL_NONE) {
        im_route_queue(route, topic->state == IM_TOPIC_NEW ? IM_QUEUE_URGENT
                                                           : IM_QUEUE_DUE);
    }

    return IM_OK;
}


/* Partitions of a server come together: one walk over topics is for all. */
static void
im_follow_walk(im_follow_t *follow)
{
    im_uint_t               i;
    im_follow_partition_t  *part;

    if (!follow->walk) {
        return;
    }

    follow->walk = 0;

    (void) im_hub_each_topic(follow->hub, im_follow_again, follow);

    for (i = 0; i < IM_PARTITIONS_MAX; i++) {
        part = &follow->partitions[i];

        if (part->up) {
            part->compare = 0;
            part->assert = 0;
        }
    }
}


static void
im_follow_compare_one(im_follow_t *follow, im_uint_t p, int assert)
{
    im_follow_partition_t  *part;

    part = &follow->partitions[p];

    part->compare = 1;
    part->assert |= assert != 0;

    if (part->up && !follow->walk) {
        follow->walk = 1;
        follow->commands->wake(follow->ctx);
    }
}


void
im_follow_compare(im_follow_t *follow, int partition, int assert)
{
    im_uint_t  p;

    if (partition >= 0) {
        im_follow_compare_one(follow, (im_uint_t) partition, assert);
        return;
    }

    for (p = 0; p < follow->hub->npartitions; p++) {
        im_follow_compare_one(follow, p, assert);
    }
}


void
im_follow_up(im_follow_t *follow, im_uint_t partition, int anew)
{
    im_follow_partition_t  *part;

    part = &follow->partitions[partition];

    follow->nup += !part->up;
    part->up = 1;

    im_follow_compare_one(follow, partition, anew);
    im_route_ready(follow, part);
}


void
im_follow_down(im_follow_t *follow, im_uint_t partition)
{
    im_follow_partition_t  *part;

    part = &follow->partitions[partition];

    follow->nup -= part->up;
    part->up = 0;

    im_list_remove(&part->link);
}


im_int_t
im_follow_start(im_follow_t *follow, im_topic_t *topic)
{
    im_route_t  *route;

    route = im_route_create(follow, topic);
    if (route == NULL) {
        return IM_ERROR;
    }

    topic->data = route;
    route->due = IM_DUE_ALL;

    /* it goes out in a later turn, with the members that this one brings */

    im_route_queue(route, IM_QUEUE_URGENT);

    if (im_route_up(route)) {
        follow->commands->wake(follow->ctx);
    }

    return IM_OK;
}


/*
 * Others hear of a leave before they hear of who joins next, and the call that
 * is out doesn't say it: the topic stays until that is answered.
 */
static int
im_follow_leaving(im_route_t *route)
{
    if (route->call == IM_CALL_NONE || im_route_nchanges(route) == 0
        || !route->upper.presence)
    {
        return 0;
    }

    route->follow->nleaving += !route->leaving;
    route->leaving = 1;
    route->topic->pinned = 1;

    return 1;
}


void
im_follow_stop(im_follow_t *follow, im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    if (route == NULL) {
        im_hub_topic_destroy(follow->hub, topic);
        return;
    }

    if (im_follow_leaving(route)) {
        return;
    }

    if (route->upper.data != NULL) {
        follow->events->ended(follow->ctx, route->upper.data);
        route->upper.data = NULL;
    }

    im_history_end(route);

    /* the route owns it from now on */

    topic->data = NULL;
    im_hub_topic_end(follow->hub, topic);

    /* other workers are notified of members that left a room with presence */

    if (!route->upper.presence) {
        im_route_forget(route, im_route_nchanges(route));
    }

    im_route_queue(route, IM_QUEUE_NONE);
    im_route_poll_off(route);
    im_route_rest(route);

    im_route_end(route);
}


/* Its call goes out with the next tick, if not before. */
static void
im_follow_later(im_route_t *route)
{
    if (route->call == IM_CALL_NONE && route->queue == IM_QUEUE_NONE) {
        im_route_queue(route, IM_QUEUE_CHANGED);
    }
}


static void
im_follow_changed(im_route_t *route)
{
    route->due = im_max(route->due, IM_DUE_COUNT);

    im_follow_later(route);
}


void
im_follow_member(im_follow_t *follow, im_sub_t *sub, int joined)
{
    int          late;
    im_route_t  *route;

    route = sub->log->topic->data;

    if (route == NULL || im_route_broadcast(route)) {
        return;
    }

    late = im_late_due(route)
           && (joined || sub->said || im_sub_state(sub) != IM_SUB_JOINING);

    if (joined) {
        sub->late = late;
        sub->said = late;
    }

    if (sub->taken) {
        im_take_leave(route, sub);
    }

    if (!im_route_up(route)) {
        route->due = IM_DUE_ALL;
        return;
    }

    if (route->due != IM_DUE_ALL) {
        (void) im_route_change(route, sub, joined,
                               late ? IM_WORD_LATE : IM_WORD_SAID);
    }

    im_follow_changed(route);
}


void
im_follow_entry(im_follow_t *follow, const im_entry_t *entry)
{
    im_entry_t   e;
    im_topic_t  *topic;

    topic = im_hub_topic(follow->hub, entry->topic);

    if (topic == NULL || topic->data == NULL) {
        im_follow_stale(follow, entry->topic);
        return;
    }

    e = *entry;

    if (e.kind == IM_PUSH_CONTROL) {
        e.seq = 0;                           /* it was the time */
    }

    im_history_put(topic->data, &e, IM_FROM_QUEUE);
    im_route_rest(topic->data);
}


void
im_follow_stale(im_follow_t *follow, im_str_t name)
{
    uint16_t     p;
    im_topic_t  *topic;
    im_route_t  *route;

    p = im_partition(name, follow->hub->npartitions);

    if (name.len < 2 || follow->nstale == IM_FOLLOW_STALE_MAX
        || !im_follow_is_up(follow, p))
    {
        return;
    }

    follow->nstale++;

    /* a topic of its own, which has ended already */

    topic = im_topic_create(name, p);
    if (topic == NULL) {
        return;
    }

    route = im_route_create(follow, topic);
    if (route == NULL) {
        im_topic_destroy(&follow->hub->logs, topic);
        return;
    }

    im_topic_end(&follow->hub->logs, topic);

    route->known = IM_KNOWN_ROUTE;
    im_route_end(route);
}


im_int_t
im_follow_report(im_topic_t *topic, int now)
{
    im_route_t  *route;

    route = topic->data;

    if (route->call != IM_CALL_NONE || route->hurried) {
        return IM_AGAIN;
    }

    if (im_route_nchanges(route) == 0 && route->due != IM_DUE_ALL) {
        return IM_OK;
    }

    if (now) {
        im_route_hurry(route);
    }

    return IM_DECLINED;
}


/*
 * The topic has no follower, and Redis needn't know of it.  Where it is
 * followed again, by another route, that one says which members have left, and
 * leaves in the end.
 */
static int
im_follow_over(im_route_t *route)
{
    im_topic_t  *topic;
    im_route_t  *other;

    topic = im_hub_topic(route->follow->hub, im_topic_name(route->topic));

    if (topic == NULL || topic->data == NULL) {
        if (route->known != IM_KNOWN_NOTHING) {
            return 0;
        }

        return route->notify == IM_NOTIFY_DONE;
    }

    other = topic->data;

    if (route->known != IM_KNOWN_NOTHING) {
        other->known = im_max(other->known, IM_KNOWN_ROUTE);
    }

    if (route->known == IM_KNOWN_MEMBERS || im_route_nchanges(route) > 0
        || route->notify != IM_NOTIFY_DONE)
    {
        if (other->notify == IM_NOTIFY_DONE) {
            other->notify = IM_NOTIFY_AGAIN;
        }

        im_route_inherit(other, route);
        im_follow_changed(other);
    }

    route->known = IM_KNOWN_NOTHING;
    route->notify = IM_NOTIFY_DONE;
    im_route_forget(route, im_route_nchanges(route));

    return 1;
}


/* A page that is on its way ends it again. */
static void
im_follow_free(im_route_t *route)
{
    if (!im_route_reading(route)) {
        im_route_destroy(route);
    }
}


static int
im_follow_wants(const im_route_t *route)
{
    return route->compare
           || (im_route_open(route) && (route->due != IM_DUE_NOTHING
                                        || im_route_nchanges(route) > 0));
}


void
im_follow_resume(im_route_t *route)
{
    if (!im_follow_wants(route)) {
        return;
    }

    if (route->hurried) {
        im_route_hurry(route);

    } else {
        im_follow_changed(route);
    }
}


static im_int_t
im_follow_list_all(im_route_t *route)
{
    int         known;
    im_sub_t   *sub;
    im_logs_t  *logs;
    im_word_e   word;

    known = route->known == IM_KNOWN_MEMBERS;

    if (known) {
        im_late_tell(route);
    }

    im_route_forget(route, im_route_nchanges(route));
    im_route_past(route);

    if (im_route_broadcast(route)) {
        return IM_OK;
    }

    logs = &route->follow->hub->logs;

    for (sub = im_topic_next_sub(logs, route->topic, NULL);
         sub != NULL;
         sub = im_topic_next_sub(logs, route->topic, sub))
    {
        word = known ? IM_WORD_NONE : sub->late ? IM_WORD_LATE : IM_WORD_SAID;

        if (!sub->taken && im_route_change(route, sub, 1, word) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* What Redis has of it is to be renewed. */
static int
im_follow_old(const im_route_t *route)
{
    return route->follow->now - route->reported_at * 1000ull
           >= route->follow->limits.refresh;
}


static void
im_follow_fill(im_route_t *route, im_report_t *report, im_call_e call)
{
    int        all;
    im_uint_t  nchanges;

    all = route->due == IM_DUE_ALL;
    nchanges = im_route_nchanges(route);

    memset(report, 0, sizeof(im_report_t));

    report->topic = im_topic_name(route->topic);
    report->rule = route->rule;
    report->partition = route->partition;
    report->version = ++route->follow->version;
    report->ask = call == IM_CALL_ASK;
    report->leave = call == IM_CALL_LEAVE;
    report->changes = route->work != NULL ? &route->work->changes
                                          : &route->follow->none;

    if (call == IM_CALL_ASK) {
        return;
    }

    if (call == IM_CALL_REPORT) {
        report->count = im_route_count(route);
        report->all = all;
        report->renew = all || im_follow_old(route);
    }

    report->nchanges = nchanges;
    report->most = IM_FOLLOW_CHANGES;

    report->notify = route->topic->name[0] == 'r'
                     && (nchanges > 0
                         || route->notify == IM_NOTIFY_AGAIN
                         || ((all || call == IM_CALL_LEAVE)
                             && route->known == IM_KNOWN_MEMBERS));

    report->each = route->upper.presence;
}


static void
im_follow_sent(im_route_t *route, const im_report_t *report, im_call_e call)
{
    int  joined;

    route->call = call;
    route->follow->partitions[route->partition].ncalls++;

    route->comparing = route->compare;
    route->compare = 0;

    if (call == IM_CALL_ASK) {
        return;
    }

    joined = im_route_sent(route, report->nsent) && call == IM_CALL_REPORT;

    if (report->renew) {
        route->reported_at = (uint32_t) (route->follow->now / 1000);
    }

    if (report->all) {
        route->known = IM_KNOWN_ROUTE;
    }

    route->known = im_max(route->known, joined ? IM_KNOWN_MEMBERS
                                               : IM_KNOWN_ROUTE);
    route->due = im_route_nchanges(route) > 0 ? IM_DUE_COUNT : IM_DUE_NOTHING;
    route->notify = report->notify ? IM_NOTIFY_OUT : IM_NOTIFY_DONE;
}


static im_call_e
im_follow_call(const im_route_t *route)
{
    if (im_route_ended(route)) {
        return IM_CALL_LEAVE;
    }

    return !im_route_open(route)
           || (route->due == IM_DUE_NOTHING && im_route_nchanges(route) == 0)
           ? IM_CALL_ASK : IM_CALL_REPORT;
}


/* Those that could not be sent are due with the next tick. */
static void
im_follow_send(im_follow_t *follow, im_route_t **routes, im_uint_t n)
{
    im_int_t      rc;
    im_call_e     call;
    im_uint_t     i, ready;
    im_route_t   *route;
    im_report_t   reports[IM_FOLLOW_REPORTS];

    for (i = 0, ready = 0; i < n; i++) {
        route = routes[i];
        call = im_follow_call(route);

        if (call == IM_CALL_REPORT && route->due == IM_DUE_ALL
            && im_follow_list_all(route) != IM_OK)
        {
            im_route_queue(route, IM_QUEUE_CHANGED);
            continue;
        }

        route->hurried = 0;
        im_follow_fill(route, &reports[ready], call);
        routes[ready++] = route;
    }

    if (ready == 0) {
        return;
    }

    rc = follow->commands->report(follow->ctx, routes, reports, ready);

    for (i = 0; i < ready; i++) {
        route = routes[i];
        call = im_follow_call(route);

        if (rc == IM_OK) {
            im_follow_sent(route, &reports[i], call);
            continue;
        }

        if (call != IM_CALL_ASK) {
            route->due = IM_DUE_ALL;
        }

        im_route_queue(route, IM_QUEUE_CHANGED);
    }
}


/* The next one that has something to say, or NULL. */
static im_route_t *
im_follow_next_route(im_follow_t *follow, im_follow_partition_t *part)
{
    im_route_t  *route;

    for ( ;; ) {
        route = im_route_next(follow, &part->queues[IM_QUEUE_URGENT]);

        if (route == NULL) {
            route = im_route_next(follow, &part->queues[IM_QUEUE_DUE]);
        }

        if (route == NULL) {
            return NULL;
        }

        if (im_route_ended(route)) {
            if (!im_follow_over(route)) {
                return route;
            }

            im_follow_free(route);

        } else if (route->call == IM_CALL_NONE && im_follow_wants(route)) {
            return route;
        }
    }
}


/* Up to the share of the partition; members of large topics go alone. */
static im_uint_t
im_follow_pick(im_follow_t *follow, im_follow_partition_t *part,
    im_route_t **routes)
{
    im_uint_t    n, most, members;
    im_route_t  *route;

    most = im_min(im_route_room(follow, part), IM_FOLLOW_REPORTS);

    for (n = 0, members = 0; n < most && members < IM_FOLLOW_MEMBERS; n++) {
        route = im_follow_next_route(follow, part);

        if (route == NULL) {
            break;
        }

        members += route->due == IM_DUE_ALL ? route->topic->nsubs
                                            : im_route_nchanges(route);
        routes[n] = route;
    }

    return n;
}


/*
 * Partitions take turns, with what waits of each as one call.  Only here routes
 * are freed.
 */
void
im_follow_pump(im_follow_t *follow)
{
    im_uint_t               n, ntakes;
    im_ring_t              *ended;
    im_route_t             *route, *routes[IM_FOLLOW_REPORTS];
    im_follow_partition_t  *part;

    im_follow_walk(follow);

    ended = &follow->queues[IM_QUEUE_ENDED];

    while ((route = im_route_next(follow, ended)) != NULL) {

        if (im_follow_over(route)) {
            im_follow_free(route);

        } else {

            /* before the report of one that follows the topic again */

            im_route_queue(route, im_route_nchanges(route) > 0
                                  ? IM_QUEUE_URGENT : IM_QUEUE_DUE);
        }
    }

    while (!im_list_empty(&follow->ready)) {
        part = im_list_data(im_list_first(&follow->ready),
                            im_follow_partition_t, link);
        im_list_remove(&part->link);

        ntakes = im_take_send(follow, part);
        n = im_follow_pick(follow, part, routes);

        if (n > 0) {
            im_follow_send(follow, routes, n);
        }

        if (n + ntakes > 0) {
            im_route_ready(follow, part);
        }
    }
}


/* The call is answered.  True: the topic has been stopped. */
static int
im_follow_stopped(im_route_t *route)
{
    im_follow_t  *follow;

    follow = route->follow;

    if (!route->leaving) {
        return 0;
    }

    route->leaving = 0;
    follow->nleaving--;

    if (!im_route_unused(route)) {
        return 0;
    }

    im_follow_stop(follow, route->topic);

    return 1;
}


static void
im_follow_failed(im_route_t *route)
{
    route->call = IM_CALL_NONE;

    if (route->notify == IM_NOTIFY_OUT) {
        route->notify = IM_NOTIFY_AGAIN;
    }

    route->due = IM_DUE_ALL;
    im_late_answered(route, NULL);

    if (im_route_ended(route)) {
        im_route_end(route);

    } else if (im_follow_stopped(route)) {
        return;

    } else if (im_route_open(route)) {
        im_follow_changed(route);

    } else {
        route->follow->events->reported(route->follow->ctx, route->topic);
    }
}


/* Other workers know of the change, or will with the next report. */
static void
im_follow_notified(im_route_t *route, int notified)
{
    im_follow_t  *follow;

    follow = route->follow;

    route->notify = notified ? IM_NOTIFY_DONE : IM_NOTIFY_AGAIN;

    if (!notified) {
        route->due = im_max(route->due, IM_DUE_COUNT);
    }

    if (!im_route_ended(route)) {
        follow->events->members(follow->ctx, route->topic, IM_MEMBERS_CHANGED);
    }
}


static void
im_follow_begin(im_route_t *route, const im_reported_t *reply)
{
    im_follow_t  *follow;

    follow = route->follow;

    if (im_topic_position(route->topic, reply->epoch, reply->top, reply->past)
        != IM_OK)
    {
        route->due = IM_DUE_ALL;
        return;
    }

    im_history_marked(route, reply->mark);

    follow->events->live(follow->ctx, route->topic);

    im_late_begin(route);
    im_history_release(route);

    follow->events->flush(follow->ctx);
}


/*
 * Most likely these messages are on their way: it looks again in a second.  A
 * topic that still waits for earlier ones doesn't begin anew.  Without memory,
 * the position is asked for again, and what is missing then is read.
 */
static void
im_follow_expect(im_route_t *route, uint64_t top)
{
    im_route_work_t  *work;

    work = im_route_work(route);

    if (work == NULL) {
        route->compare = 1;
        im_follow_later(route);
        return;
    }

    if (work->expect <= route->topic->seq) {
        route->waited = 0;
    }

    work->expect = top;
    im_route_poll(route);
}


/*
 * Each reply has the topic's position: it is compared with ours.  Where Redis
 * knows nothing of a topic that is followed, all of it is reported again, once
 * it may be.
 */
static void
im_follow_position(im_route_t *route, const im_reported_t *reply)
{
    im_topic_t  *topic;

    topic = route->topic;

    if (reply->epoch.len == 0) {
        route->due = IM_DUE_ALL;

        if (im_route_open(route)) {
            im_route_again(route);
        }

        return;
    }

    if (topic->state == IM_TOPIC_NEW) {

        /* else its messages don't come here */

        if (reply->applied) {
            im_follow_begin(route, reply);
        }

        return;
    }

    im_history_lacks(route, reply->mark);

    if (!im_str_eq(im_str_set(topic->epoch.data, topic->epoch.len),
                   reply->epoch))
    {
        im_history_heal(route);
        return;
    }

    if (reply->top <= topic->seq) {
        return;
    }

    if (route->comparing) {
        im_history_heal(route);
        return;
    }

    im_follow_expect(route, reply->top);
}


/* What is left to report, and upper layers that wait for the report. */
static void
im_follow_next(im_route_t *route)
{
    im_uint_t     most;
    im_follow_t  *follow;

    follow = route->follow;
    most = route->upper.presence ? IM_CONTROL_CHANGES_MAX : IM_FOLLOW_CHANGES;

    if (route->compare
        || (im_route_open(route) && im_route_nchanges(route) >= most))
    {
        im_route_queue(route, IM_QUEUE_URGENT);
        return;
    }

    follow->events->reported(follow->ctx, route->topic);

    im_follow_resume(route);
}


/*
 * The call stands until all is done that the reply brings: upper layers that
 * ask for a report meanwhile share the one that follows.
 */
void
im_follow_reported(im_route_t *route, const im_reported_t *reply)
{
    im_follow_t            *follow;
    im_follow_partition_t  *part;

    follow = route->follow;
    part = &follow->partitions[route->partition];

    part->ncalls--;
    im_route_ready(follow, part);

    if (reply == NULL) {
        im_follow_failed(route);
        return;
    }

    if (route->call != IM_CALL_ASK && !reply->applied) {

        /* Redis has a later version of ours: go on above it */

        follow->version = im_max(follow->version, reply->stored);
        route->due = IM_DUE_ALL;

        if (route->notify == IM_NOTIFY_OUT) {
            route->notify = IM_NOTIFY_AGAIN;
        }

    } else if (route->call == IM_CALL_LEAVE) {

        /* changes that are left go with another leave */

        route->known = im_route_nchanges(route) > 0 ? IM_KNOWN_ROUTE
                                                    : IM_KNOWN_NOTHING;
        route->notify = IM_NOTIFY_DONE;

    } else if (route->notify == IM_NOTIFY_OUT) {
        im_follow_notified(route, reply->notified);
    }

    if (!im_route_ended(route)) {
        im_follow_position(route, reply);
        im_history_lacks(route, reply->own);
    }

    im_late_answered(route, reply);

    route->call = IM_CALL_NONE;

    if (im_route_ended(route)) {
        im_route_end(route);

    } else if (!im_follow_stopped(route)) {
        im_follow_next(route);
    }

    im_route_rest(route);

    if (!im_list_empty(&follow->ready)) {
        follow->commands->wake(follow->ctx);
    }
}


void
im_follow_taken(im_route_t *route, im_int_t rc, uint64_t stored)
{
    im_follow_t            *follow;
    im_source_t            *source;
    im_follow_partition_t  *part;

    follow = route->follow;
    part = &follow->partitions[route->partition];

    part->ncalls--;
    im_route_ready(follow, part);

    source = im_take_answered(route, rc, stored);

    route->call = IM_CALL_NONE;

    if (im_route_unused(route)) {
        im_follow_stop(follow, route->topic);

    } else {
        im_follow_next(route);
        im_route_rest(route);
    }

    if (source != NULL) {
        follow->events->taken(follow->ctx,
                              im_str_set(source->id, source->len));
        im_free(source);
    }

    if (!im_list_empty(&follow->ready)) {
        follow->commands->wake(follow->ctx);
    }
}


/*
 * Old reports are repeated, some in each second: so they don't expire, and
 * what went wrong without a sign is right again.  So is one that is due and in
 * no queue.
 */
static im_uint_t
im_follow_refresh(im_route_t *route)
{
    im_follow_t  *follow;

    follow = route->follow;

    /* one that is away is compared when it is back */

    if ((!im_follow_old(route) && !im_follow_wants(route))
        || route->call != IM_CALL_NONE || route->queue != IM_QUEUE_NONE
        || !im_route_open(route) || !im_route_up(route))
    {
        return 0;
    }

    im_follow_changed(route);

    follow->events->members(follow->ctx, route->topic, IM_MEMBERS_SUSPECT);

    return 1;
}


/*
 * What a call that is out reports anyway needs no check, and of a topic that is
 * frozen nothing is reported.  Another worker takes members of one that is
 * held, and one that is pinned may have none.
 */
static int
im_follow_check_one(im_route_t *route, im_check_t *check)
{
    im_topic_t  *topic;

    topic = route->topic;

    if (topic->state != IM_TOPIC_LIVE || route->call != IM_CALL_NONE
        || im_follow_wants(route) || !im_route_up(route)
        || route->hold == IM_HOLD_FROZEN)
    {
        return 0;
    }

    check->topic = im_topic_name(topic);
    check->epoch = im_str_set(topic->epoch.data, topic->epoch.len);
    check->seq = topic->seq;
    check->partition = topic->partition;
    check->members = route->known == IM_KNOWN_MEMBERS
                     && route->hold == IM_HOLD_NONE && !im_route_pinned(route);

    return 1;
}


/* The next topic of a round, or NULL: so many records were looked at. */
static im_route_t *
im_follow_visit(im_follow_t *follow, uint32_t *next, im_uint_t *records)
{
    im_route_t  *route;

    while (*records > 0) {
        (*records)--;

        if (*next >= follow->routes.given) {
            *next = 0;
        }

        route = im_route_get(follow, (*next)++);

        if (route != NULL && !im_route_ended(route)) {
            return route;
        }
    }

    return NULL;
}


/* Redis is too slow for more checks, but what it has must not expire. */
static void
im_follow_renew(im_follow_t *follow, im_uint_t repeats)
{
    im_uint_t    left, records;
    im_route_t  *route;

    records = im_min(follow->routes.given, IM_FOLLOW_RECORDS);

    for (left = IM_FOLLOW_CHECKED; left > 0 && repeats > 0; left--) {
        route = im_follow_visit(follow, &follow->renewed, &records);

        if (route == NULL) {
            return;
        }

        repeats -= im_follow_refresh(route);
    }
}


/*
 * Others may have deleted keys of Redis, or have put back earlier ones: some
 * topics are checked in each second, so that all have been in some seconds.
 * Where the check can't be sent, these topics stay the next ones.  Where no
 * other one can be, the next second goes on behind them.
 */
static void
im_follow_round(im_follow_t *follow)
{
    im_int_t     rc;
    uint32_t     start;
    im_uint_t    n, left, records, repeats;
    im_check_t   checks[IM_FOLLOW_CHECK];
    im_route_t  *route;

    left = im_min(follow->hub->topics.count / IM_FOLLOW_ROUND + 1,
                  IM_FOLLOW_CHECKED);
    records = im_min(follow->routes.given, IM_FOLLOW_RECORDS);
    repeats = IM_FOLLOW_REPEATED
              + follow->hub->topics.count / IM_FOLLOW_REPEATED;

    do {
        start = follow->visited;

        for (n = 0; n < IM_FOLLOW_CHECK && left > 0; left--) {
            route = im_follow_visit(follow, &follow->visited, &records);

            if (route == NULL) {
                break;
            }

            if (repeats > 0) {
                repeats -= im_follow_refresh(route);
            }

            n += im_follow_check_one(route, &checks[n]);
        }

        rc = n > 0 ? follow->commands->check(follow->ctx, checks, n) : IM_OK;

        if (rc != IM_OK) {
            follow->visited = rc == IM_DECLINED ? start : follow->visited;
            im_follow_renew(follow, repeats);
            return;
        }

    } while (left > 0 && records > 0);
}


void
im_follow_checked(im_follow_t *follow, im_str_t name, im_check_e what,
    uint64_t top)
{
    im_topic_t  *topic;
    im_route_t  *route;

    topic = im_hub_topic(follow->hub, name);

    if (topic == NULL || topic->data == NULL
        || topic->state != IM_TOPIC_LIVE)
    {
        return;
    }

    route = topic->data;

    if (what == IM_CHECK_GONE && im_route_parted(route)) {
        im_follow_changed(route);

    } else if (what == IM_CHECK_GONE) {
        im_route_again(route);

    } else if (what == IM_CHECK_AHEAD) {
        im_history_heal(route);

    } else if (top > topic->seq) {
        im_follow_expect(route, top);
    }

    im_route_rest(route);
}


/* What waits for a partition that is away waits on. */
static void
im_follow_poll(im_follow_t *follow)
{
    im_ring_t   *polls;
    im_route_t  *route;

    polls = &follow->polls[follow->odd];
    follow->odd ^= 1;

    while (!im_ring_empty(polls)) {
        route = im_slab_object(&follow->routes, polls->first);

        if (im_route_up(route)) {
            im_route_poll_off(route);
            im_history_poll(route);

        } else {
            im_route_poll(route);
        }
    }
}


void
im_follow_tick(im_follow_t *follow, uint64_t now)
{
    im_ring_t  *changed;

    follow->now = now;
    follow->nstale = 0;

    im_history_tick(follow, now);

    if (follow->nup == 0) {
        return;
    }

    im_follow_round(follow);

    changed = &follow->queues[IM_QUEUE_CHANGED];

    while (!im_ring_empty(changed)) {
        im_route_queue(im_slab_object(&follow->routes, changed->first),
                       IM_QUEUE_DUE);
    }

    im_take_tick(follow);
    im_follow_poll(follow);
    im_follow_pump(follow);
}
