/*
 * Copyright (C) The im authors
 *
 * Counts and members that came from other workers with their sessions.
 *
 * A subscription that was taken is the other worker's for Redis until a call
 * has moved it: reports of this worker leave it out.  A call that is lost may
 * have been done.  So it is repeated with the same version, which Redis takes
 * once, and nothing else is reported until it is answered.
 */

#include "im_route.h"


#define IM_TAKE_MEMBERS  64       /* of one call, about */
#define IM_TAKE_MOST     500      /* of one topic in a call */


static im_uint_t
im_take_nsubs(const im_take_t *take)
{
    return take->subs.len / sizeof(uint32_t);
}


static uint32_t *
im_take_subs(const im_take_t *take)
{
    return (uint32_t *) take->subs.data;
}


static im_source_t *
im_take_source(im_follow_t *follow, im_str_t id, uint64_t fence)
{
    im_list_t    *q;
    im_source_t  *source;

    for (q = im_list_first(&follow->sources);
         q != im_list_sentinel(&follow->sources);
         q = im_list_next(q))
    {
        source = im_list_data(q, im_source_t, link);

        if (source->fence == fence
            && im_str_eq(im_str_set(source->id, source->len), id))
        {
            return source;
        }
    }

    return NULL;
}


static im_source_t *
im_take_source_get(im_follow_t *follow, im_str_t id, uint64_t fence)
{
    im_source_t  *source;

    source = im_take_source(follow, id, fence);
    if (source != NULL) {
        return source;
    }

    source = im_calloc(sizeof(im_source_t) + id.len);
    if (source == NULL) {
        return NULL;
    }

    im_list_init(&source->takes);
    source->fence = fence;
    source->len = id.len;
    im_copy(source->id, id.data, id.len);

    im_list_insert_tail(&follow->sources, &source->link);

    return source;
}


/* NULL: no memory. */
static im_take_t *
im_take_get(im_route_t *route, im_str_t from, uint64_t fence)
{
    im_list_t        *q;
    im_take_t        *take;
    im_source_t      *source;
    im_route_work_t  *work;

    source = im_take_source_get(route->follow, from, fence);
    work = im_route_work(route);

    if (source == NULL || work == NULL) {
        return NULL;
    }

    for (q = im_list_first(&work->takes);
         q != im_list_sentinel(&work->takes);
         q = im_list_next(q))
    {
        take = im_list_data(q, im_take_t, link);

        if (take->source == source) {
            return take;
        }
    }

    take = im_calloc(sizeof(im_take_t));
    if (take == NULL) {
        return NULL;
    }

    im_buf_init(&take->subs, SIZE_MAX);
    im_list_init(&take->left);
    im_list_init(&take->due);

    take->route = route;
    take->source = source;

    im_list_insert_tail(&work->takes, &take->link);
    im_list_insert_tail(&source->takes, &take->mates);

    return take;
}


/* Frees the first n changes. */
static void
im_take_forget(im_take_t *take, im_uint_t n)
{
    im_change_t  *change;

    while (n-- > 0) {
        change = im_list_data(im_list_first(&take->left), im_change_t, link);
        im_list_remove(&change->link);
        im_free(change);
        take->nleft--;
    }
}


static void
im_take_destroy(im_take_t *take)
{
    im_take_forget(take, take->nleft);

    im_list_remove(&take->link);
    im_list_remove(&take->mates);
    im_list_remove(&take->due);
    im_buf_cleanup(&take->subs);
    im_free(take);
}


/* It has nothing to move. */
static int
im_take_empty(const im_take_t *take)
{
    return take->subs.len == 0 && take->nleft == 0 && take->moved == 0
           && take->version == 0;
}


/* The only setter. */
static void
im_take_set(im_take_t *take, im_take_e state)
{
    im_follow_t            *follow;
    im_follow_partition_t  *part;

    take->state = state;

    im_list_remove(&take->due);

    if (state == IM_TAKE_DUE) {
        follow = take->route->follow;
        part = &follow->partitions[take->route->partition];

        im_list_insert_tail(&part->takes, &take->due);
        im_route_ready(follow, part);
    }
}


/* All of the broadcast are members of nothing, and nobody counts them. */
im_int_t
im_follow_take(im_follow_t *follow, im_sub_t *sub, im_str_t from,
    uint64_t fence)
{
    im_take_t   *take;
    im_route_t  *route;

    route = sub->log->topic->data;

    if (im_route_broadcast(route)) {
        return IM_OK;
    }

    take = im_take_get(route, from, fence);

    if (take != NULL) {
        im_buf_add(&take->subs, &sub->index, sizeof(uint32_t));
    }

    if (take == NULL || take->subs.failed) {
        goto failed;
    }

    sub->taken = 1;
    take->moved++;
    route->work->ntaken++;

    (void) im_route_unused(route);

    if (take->source->settling && take->state == IM_TAKE_OPEN) {
        im_take_set(take, IM_TAKE_DUE);
        follow->commands->wake(follow->ctx);
    }

    return IM_OK;

failed:

    if (take != NULL) {
        take->subs.failed = 0;

        if (im_take_empty(take)) {
            im_take_destroy(take);
        }
    }

    im_route_rest(route);

    return IM_ERROR;
}


im_int_t
im_follow_settle(im_follow_t *follow, im_str_t from, uint64_t fence)
{
    im_list_t    *q;
    im_take_t    *take;
    im_source_t  *source;

    source = im_take_source(follow, from, fence);
    if (source == NULL) {
        return IM_OK;
    }

    if (im_list_empty(&source->takes)) {
        im_list_remove(&source->link);
        im_free(source);
        return IM_OK;
    }

    source->settling = 1;

    for (q = im_list_first(&source->takes);
         q != im_list_sentinel(&source->takes);
         q = im_list_next(q))
    {
        take = im_list_data(q, im_take_t, mates);

        if (take->state == IM_TAKE_OPEN) {
            im_take_set(take, IM_TAKE_DUE);
        }
    }

    follow->commands->wake(follow->ctx);

    return IM_AGAIN;
}


int
im_follow_settled(const im_topic_t *topic)
{
    im_route_t  *route;

    route = topic->data;

    return route->work == NULL || im_list_empty(&route->work->takes);
}


/*
 * The other worker's count and members have it until the call is done.  Others
 * get to know that it has left by a report.  Without memory, nothing names it
 * in the other worker's members: they go when that worker leaves.
 */
static void
im_take_leave_at(im_take_t *take, im_sub_t *sub, im_uint_t i)
{
    im_int_t      rc;
    uint32_t     *subs;
    im_route_t   *route;
    im_change_t  *change;

    route = take->route;
    subs = im_take_subs(take);

    memmove(subs + i, subs + i + 1,
            (im_take_nsubs(take) - i - 1) * sizeof(uint32_t));
    take->subs.len -= sizeof(uint32_t);

    if (i >= take->ncounted) {
        route->work->ntaken--;

    } else {
        take->ncounted--;
    }

    take->nsaid -= i < take->nsaid;

    rc = route->follow->commands->change(route->follow->ctx, sub, 0, &change);

    if (rc == IM_ERROR) {
        route->due = IM_DUE_ALL;

    } else if (rc == IM_OK && i < take->nsent) {
        im_list_insert_head(&take->left, &change->link);
        take->nleft++;
        take->nleft_sent++;

    } else if (rc == IM_OK) {
        im_list_insert_tail(&take->left, &change->link);
        take->nleft++;
    }

    take->nsent -= i < take->nsent;
}


void
im_take_leave(im_route_t *route, im_sub_t *sub)
{
    im_list_t  *q;
    im_uint_t   i;
    im_take_t  *take;

    sub->taken = 0;

    for (q = im_list_first(&route->work->takes);
         q != im_list_sentinel(&route->work->takes);
         q = im_list_next(q))
    {
        take = im_list_data(q, im_take_t, link);

        for (i = 0; i < im_take_nsubs(take); i++) {
            if (im_take_subs(take)[i] == sub->index) {
                im_take_leave_at(take, sub, i);
                return;
            }
        }
    }
}


/*
 * Redis may get to know of it now.  A topic that is frozen has a count that
 * another worker is changing.
 */
static int
im_take_ready(const im_take_t *take)
{
    const im_route_t  *route;

    route = take->route;

    return route->call == IM_CALL_NONE && route->hold != IM_HOLD_FROZEN
           && (!route->work->unsure || take->version != 0);
}


/* Those of one source, up to a share. */
static im_uint_t
im_take_pick(im_follow_t *follow, im_follow_partition_t *part,
    im_take_t **takes)
{
    im_list_t    *q;
    im_uint_t     n, most, members;
    im_take_t    *take;

    most = im_min(im_route_room(follow, part), IM_FOLLOW_REPORTS);

    for (n = 0, members = 0, q = im_list_first(&part->takes);
         n < most && members < IM_TAKE_MEMBERS
         && q != im_list_sentinel(&part->takes);
         q = im_list_next(q))
    {
        take = im_list_data(q, im_take_t, due);

        if (!im_take_ready(take)
            || (n > 0 && take->source != takes[0]->source))
        {
            continue;
        }

        members += im_min(im_take_nsubs(take), IM_TAKE_MOST);
        takes[n++] = take;
    }

    return n;
}


static void
im_take_fill(im_take_t *take, im_taking_t *taking)
{
    im_route_t  *route;

    route = take->route;

    if (take->version == 0) {
        take->version = ++route->follow->version;
        take->told = take->moved;
        take->moved = 0;
        take->nsaid = (uint32_t) im_take_nsubs(take);
        take->nsent = im_min(take->nsaid, IM_TAKE_MOST);
        take->nleft_sent = im_min(take->nleft, IM_TAKE_MOST);
        take->count = im_route_count(route) + take->nsaid - take->ncounted;
    }

    taking->topic = im_topic_name(route->topic);
    taking->partition = route->partition;
    taking->count = take->count;
    taking->version = take->version;
    taking->fence = take->source->fence;
    taking->moved = take->told;
    taking->subs = im_take_subs(take);
    taking->nsubs = take->nsent;
    taking->nmembers = 0;
    taking->left = &take->left;
    taking->nleft = take->nleft_sent;
}


/* The call was not done. */
static void
im_take_undo(im_take_t *take)
{
    take->moved += take->told;
    take->told = 0;
    take->version = 0;
    take->nsent = 0;
    take->nsaid = take->ncounted;
    take->nleft_sent = 0;
}


im_uint_t
im_take_send(im_follow_t *follow, im_follow_partition_t *part)
{
    im_int_t      rc;
    im_uint_t     i, n;
    im_take_t    *takes[IM_FOLLOW_REPORTS];
    im_route_t   *routes[IM_FOLLOW_REPORTS];
    im_taking_t   takings[IM_FOLLOW_REPORTS];
    im_source_t  *source;

    n = im_take_pick(follow, part, takes);

    if (n == 0) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        routes[i] = takes[i]->route;
        im_take_fill(takes[i], &takings[i]);
    }

    source = takes[0]->source;

    rc = follow->commands->take(follow->ctx,
                                im_str_set(source->id, source->len), routes,
                                takings, n);

    for (i = 0; i < n; i++) {

        if (rc != IM_OK) {
            if (!routes[i]->work->unsure) {
                im_take_undo(takes[i]);
            }

            im_take_set(takes[i], IM_TAKE_LATER);
            continue;
        }

        takes[i]->nsent = (uint32_t) takings[i].nsubs;
        takes[i]->members |= takings[i].nmembers > 0;

        im_take_set(takes[i], IM_TAKE_OUT);
        routes[i]->call = IM_CALL_TAKE;
        routes[i]->work->unsure = 1;
        part->ncalls++;
    }

    return n;
}


/* Redis counts them here now, and has the members that were sent. */
static void
im_take_done(im_take_t *take)
{
    uint32_t         *subs;
    im_sub_t         *sub;
    im_uint_t         i, n;
    im_route_t       *route;
    im_route_work_t  *work;

    route = take->route;
    work = route->work;
    subs = im_take_subs(take);
    n = take->nsent;

    for (i = 0; i < n; i++) {
        sub = im_slab_object(&route->follow->hub->logs.subs, subs[i]);
        sub->taken = 0;
    }

    work->ntaken -= take->nsaid - take->ncounted;

    take->subs.len -= n * sizeof(uint32_t);
    memmove(subs, subs + n, take->subs.len);

    take->ncounted = take->nsaid - take->nsent;
    take->nsent = 0;
    take->nsaid = take->ncounted;
    take->told = 0;
    take->version = 0;

    /* others know that they have left, but have found them in Redis */

    if (take->nleft_sent > 0 && route->notify == IM_NOTIFY_DONE) {
        route->notify = IM_NOTIFY_AGAIN;
        route->due = im_max(route->due, IM_DUE_COUNT);
    }

    im_take_forget(take, take->nleft_sent);
    take->nleft_sent = 0;

    route->known = im_max(route->known, take->members ? IM_KNOWN_MEMBERS
                                                      : IM_KNOWN_ROUTE);
    take->members = 0;

    if (im_route_count(route) != take->count) {
        route->due = im_max(route->due, IM_DUE_COUNT);
    }
}


/* The take of a topic whose call is out. */
static im_take_t *
im_take_out(im_route_t *route)
{
    im_list_t  *q;
    im_take_t  *take;

    q = im_list_first(&route->work->takes);

    for ( ;; ) {
        take = im_list_data(q, im_take_t, link);

        if (take->state == IM_TAKE_OUT) {
            return take;
        }

        q = im_list_next(q);
    }
}


im_source_t *
im_take_answered(im_route_t *route, im_int_t rc, uint64_t stored)
{
    im_take_t    *take;
    im_source_t  *source;

    take = im_take_out(route);
    source = take->source;

    if (rc == IM_ERROR) {
        im_take_set(take, IM_TAKE_LATER);
        return NULL;
    }

    route->work->unsure = 0;

    if (rc == IM_DECLINED) {
        route->follow->version = im_max(route->follow->version, stored);
        im_take_undo(take);

    } else {
        im_take_done(take);
    }

    if (!im_take_empty(take)) {
        im_take_set(take, source->settling ? IM_TAKE_DUE : IM_TAKE_OPEN);
        return NULL;
    }

    im_take_destroy(take);

    if (!im_list_empty(&source->takes)) {
        return NULL;
    }

    im_list_remove(&source->link);

    return source;
}


void
im_take_tick(im_follow_t *follow)
{
    im_list_t    *q, *p;
    im_take_t    *take;
    im_source_t  *source;

    for (q = im_list_first(&follow->sources);
         q != im_list_sentinel(&follow->sources);
         q = im_list_next(q))
    {
        source = im_list_data(q, im_source_t, link);

        for (p = im_list_first(&source->takes);
             p != im_list_sentinel(&source->takes);
             p = im_list_next(p))
        {
            take = im_list_data(p, im_take_t, mates);

            if (take->state == IM_TAKE_LATER) {
                im_take_set(take, IM_TAKE_DUE);
            }
        }
    }
}


void
im_take_cleanup(im_follow_t *follow)
{
    im_source_t  *source;

    while (!im_list_empty(&follow->sources)) {
        source = im_list_data(im_list_first(&follow->sources), im_source_t,
                              link);

        while (!im_list_empty(&source->takes)) {
            im_take_destroy(im_list_data(im_list_first(&source->takes),
                                         im_take_t, mates));
        }

        im_list_remove(&source->link);
        im_free(source);
    }
}
