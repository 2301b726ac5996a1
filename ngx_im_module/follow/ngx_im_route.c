/*
 * Copyright (C) The im authors
 *
 * Routes: what Redis is told of the topics that this worker follows.
 *
 * The first follower of a topic and the leave of its last one go out at once,
 * other changes once a second.  A topic has one call under way.  A worker's
 * versions only grow and Redis takes no older one, so a call that is lost or
 * late does no harm: what failed is told again, whole.
 */

#include "ngx_im_sync.h"


typedef struct {
    ngx_im_sync_t  *sync;
    uint16_t        partition;
    unsigned        all:1;
    unsigned        assert:1;
} ngx_im_route_walk_t;


static ngx_int_t ngx_im_route_send(ngx_im_route_t *route);
static void ngx_im_route_keys(ngx_im_route_t *route, im_link_call_t *call);
static void ngx_im_route_tell(ngx_im_route_t *route, im_link_call_t *call);
static void ngx_im_route_members(ngx_im_route_t *route,
    im_link_call_t *call);
static void ngx_im_route_all_members(ngx_im_route_t *route);
static void ngx_im_route_list_members(ngx_im_route_t *route, im_list_t *subs);
static void ngx_im_route_member(ngx_im_route_t *route, im_link_call_t *call,
    ngx_im_change_t *change);
static void ngx_im_route_change(ngx_im_route_t *route, im_sub_t *sub,
    int joined);
static void ngx_im_route_forget_changes(ngx_im_route_t *route);
static void ngx_im_route_handler(const im_link_reply_t *reply, void *data);
static void ngx_im_route_told(ngx_im_route_t *route, ngx_uint_t told);
static void ngx_im_route_refused(ngx_im_route_t *route, im_str_t stored);
static void ngx_im_route_position(ngx_im_route_t *route,
    const im_link_reply_t *reply);
static void ngx_im_route_next(ngx_im_route_t *route);
static int ngx_im_route_wants(ngx_im_route_t *route);
static void ngx_im_route_settle(ngx_im_route_t *route);
static void ngx_im_route_to(ngx_im_route_t *route, im_list_t *list);
static im_int_t ngx_im_route_again(im_topic_t *topic, void *data);
static void ngx_im_route_refresh(ngx_im_sync_t *sync);
static void ngx_im_route_look(ngx_im_route_t *route);
static void ngx_im_route_changes(im_buf_t *b, ngx_im_route_t *route);
static size_t ngx_im_route_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change);
static im_sub_t *ngx_im_route_joined(ngx_im_route_t *route,
    ngx_im_change_t *change);
static void ngx_im_route_describe(im_buf_t *b, ngx_im_route_t *route,
    const ngx_im_followed_t *f);


ngx_int_t
ngx_im_follow_start(ngx_im_worker_t *w, im_topic_t *topic)
{
    ngx_im_route_t  *route;

    route = ngx_im_route_create(w->sync, im_topic_name(topic),
                                topic->partition);
    if (route == NULL) {
        return NGX_ERROR;
    }

    route->topic = topic;
    route->assert = 1;
    topic->data = route;

    if (w->sync->up) {
        ngx_im_route_to(route, &w->sync->urgent);

        /* once its first member, and what else this turn brings, is there */

        ngx_post_event(&w->sync->pump, &ngx_posted_events);
    }

    return NGX_OK;
}


void
ngx_im_follow_stop(ngx_im_worker_t *w, im_topic_t *topic)
{
    ngx_im_route_t  *route;

    route = topic->data;

    if (route != NULL && route->data != NULL) {
        w->sync->events->ended(w, topic, route->data);
        route->data = NULL;
    }

    topic->data = NULL;

    im_hub_topic_destroy(&w->hub, topic);

    if (route == NULL) {
        return;
    }

    route->topic = NULL;

    if (route->paused) {
        route->paused = 0;
        route->healing = 0;
    }

    /* others are told who was here */

    if (!route->presence) {
        ngx_im_route_forget_changes(route);
    }

    ngx_im_window_destroy(route);
    im_buf_cleanup(&route->held);
    im_list_remove(&route->watch);
    im_list_remove(&route->link);

    ngx_im_route_settle(route);

    ngx_post_event(&w->sync->pump, &ngx_posted_events);
}


void
ngx_im_follow_member(ngx_im_worker_t *w, im_sub_t *sub, int joined)
{
    ngx_im_sync_t   *sync;
    ngx_im_route_t  *route;

    sync = w->sync;
    route = sub->log->topic->data;

    if (route == NULL || route->broadcast) {
        return;
    }

    route->dirty = 1;

    if (!route->assert) {
        ngx_im_route_change(route, sub, joined);
    }

    if (!sync->up) {
        route->assert = 1;
        ngx_im_route_forget_changes(route);

    } else if (!route->busy && im_list_empty(&route->link)) {
        ngx_im_route_to(route, &sync->changed);
    }
}


void **
ngx_im_follow_data(im_topic_t *topic)
{
    return &((ngx_im_route_t *) topic->data)->data;
}


ngx_uint_t
ngx_im_follow_numbered(im_topic_t *topic)
{
    return ((ngx_im_route_t *) topic->data)->numbered;
}


ngx_uint_t
ngx_im_follow_presence(im_topic_t *topic)
{
    return ((ngx_im_route_t *) topic->data)->presence;
}


ngx_im_report_e
ngx_im_follow_reported(im_topic_t *topic)
{
    ngx_im_route_t  *route;

    route = topic->data;

    if (route->busy || route->joining || route->urged) {
        return NGX_IM_REPORT_BUSY;
    }

    return route->nchanges > 0 || route->assert ? NGX_IM_REPORT_DUE
                                                : NGX_IM_REPORT_DONE;
}


void
ngx_im_follow_report(im_topic_t *topic)
{
    ngx_im_route_t  *route;

    route = topic->data;
    route->urged = 1;

    ngx_im_route_to(route, &route->sync->urgent);
    ngx_post_event(&route->sync->pump, &ngx_posted_events);
}


void
ngx_im_follow_poll(im_topic_t *topic)
{
    ngx_im_route_watch(topic->data);
}


ngx_im_route_t *
ngx_im_route_create(ngx_im_sync_t *sync, im_str_t name, uint16_t partition)
{
    ngx_im_route_t   *route;
    const im_rule_t  *rule;

    route = im_calloc(sizeof(ngx_im_route_t) + name.len);
    if (route == NULL) {
        return NULL;
    }

    route->sync = sync;
    route->partition = partition;
    route->broadcast = (name.len == 1 && name.data[0] == 'b');
    route->name_len = name.len;
    ngx_memcpy(route->name, name.data, name.len);

    rule = ngx_im_route_rule(route);
    route->numbered = rule != NULL && rule->history > 0;
    route->presence = rule != NULL && rule->presence;

    im_list_init(&route->link);
    im_list_init(&route->watch);
    im_list_init(&route->aged);
    im_list_init(&route->changes);
    im_buf_init(&route->held, NGX_IM_HELD_MAX);

    return route;
}


void
ngx_im_route_destroy(ngx_im_route_t *route)
{
    im_list_remove(&route->link);
    im_list_remove(&route->watch);
    im_list_remove(&route->aged);

    ngx_im_route_forget_changes(route);
    im_buf_cleanup(&route->held);
    im_free(route);
}


void
ngx_im_route_pin(ngx_im_route_t *route)
{
    route->pins++;
}


void
ngx_im_route_unpin(ngx_im_route_t *route)
{
    route->pins--;

    if (route->topic == NULL) {
        ngx_im_route_settle(route);
    }
}


void
ngx_im_route_history(ngx_im_route_t *route, ngx_im_history_e why)
{
    ngx_im_worker_t  *w;

    w = route->sync->worker;

    if (route->window != NULL) {
        route->window->wanted = 0;
    }

    w->sync->events->history(w, route->topic, why);
}


/* Nobody follows the topic: Redis is told, or the route ends here. */
static void
ngx_im_route_settle(ngx_im_route_t *route)
{
    ngx_im_sync_t  *sync;

    sync = route->sync;

    if (route->busy || route->healing || route->loading || route->pins > 0) {
        return;
    }

    im_list_remove(&route->link);

    if (!route->told || route->broadcast || sync->exiting
        || im_hub_topic(&sync->worker->hub, ngx_im_route_name(route)) != NULL)
    {
        ngx_im_route_destroy(route);
        return;
    }

    ngx_im_route_to(route, sync->up ? &sync->urgent : &sync->left);
}


im_str_t
ngx_im_route_name(ngx_im_route_t *route)
{
    return im_str_set(route->name, route->name_len);
}


const im_rule_t *
ngx_im_route_rule(ngx_im_route_t *route)
{
    return im_rules_topic(&route->sync->worker->conf->rules,
                          ngx_im_route_name(route));
}


static void
ngx_im_route_to(ngx_im_route_t *route, im_list_t *list)
{
    im_list_remove(&route->link);
    im_list_insert_tail(list, &route->link);
}


void
ngx_im_route_watch(ngx_im_route_t *route)
{
    im_list_remove(&route->watch);
    im_list_insert_tail(&route->sync->watch, &route->watch);
}


/* After the link came up: positions are compared, and all told if assert. */
void
ngx_im_route_all(ngx_im_sync_t *sync, int assert)
{
    im_list_t             left;
    ngx_im_route_t       *route;
    ngx_im_route_walk_t   walk;

    walk.sync = sync;
    walk.partition = 0;
    walk.all = 1;
    walk.assert = assert;

    (void) im_hub_each_topic(&sync->worker->hub, ngx_im_route_again, &walk);

    im_list_init(&left);
    im_list_splice(&left, &sync->left);

    while (!im_list_empty(&left)) {
        route = im_list_data(im_list_first(&left), ngx_im_route_t, link);
        im_list_remove(&route->link);
        ngx_im_route_settle(route);
    }
}


void
ngx_im_route_partition(ngx_im_sync_t *sync, uint16_t partition)
{
    ngx_im_route_walk_t  walk;

    walk.sync = sync;
    walk.partition = partition;
    walk.all = 0;
    walk.assert = 0;

    (void) im_hub_each_topic(&sync->worker->hub, ngx_im_route_again, &walk);
}


static im_int_t
ngx_im_route_again(im_topic_t *topic, void *data)
{
    ngx_im_route_t       *route;
    ngx_im_route_walk_t  *walk;

    route = topic->data;
    walk = data;

    if (route == NULL
        || (!walk->all && topic->partition != walk->partition))
    {
        return IM_OK;
    }

    route->ask = 1;

    if (walk->assert) {
        route->assert = 1;
    }

    walk->sync->events->members(walk->sync->worker, topic,
                                NGX_IM_MEMBERS_SUSPECT);

    if (!route->busy) {
        ngx_im_route_to(route, topic->state == IM_TOPIC_NEW
                               ? &walk->sync->urgent : &walk->sync->due);
    }

    return IM_OK;
}


void
ngx_im_follow_stale(ngx_im_worker_t *w, im_str_t topic, uint16_t partition)
{
    ngx_im_sync_t   *sync;
    ngx_im_route_t  *route;

    sync = w->sync;

    if (topic.len < 2 || sync->nstale == NGX_IM_STALE_MAX || !sync->up) {
        return;
    }

    sync->nstale++;

    route = ngx_im_route_create(sync, topic, partition);
    if (route == NULL) {
        return;
    }

    route->told = 1;
    ngx_im_route_settle(route);
    ngx_im_route_pump(sync);
}


void
ngx_im_route_pump(ngx_im_sync_t *sync)
{
    im_list_t       *list;
    ngx_im_route_t  *route;

    while (sync->up && sync->ninflight < NGX_IM_ROUTE_WINDOW) {

        list = im_list_empty(&sync->urgent) ? &sync->due : &sync->urgent;

        if (im_list_empty(list)) {
            return;
        }

        route = im_list_data(im_list_first(list), ngx_im_route_t, link);
        im_list_remove(&route->link);

        if (route->busy || (route->topic != NULL && !ngx_im_route_wants(route)))
        {
            continue;
        }

        if (ngx_im_route_send(route) != NGX_OK) {
            ngx_im_route_to(route, &sync->changed);
            return;
        }
    }
}


static int
ngx_im_route_wants(ngx_im_route_t *route)
{
    return route->assert || route->dirty || route->ask || route->nchanges > 0;
}


static ngx_int_t
ngx_im_route_send(ngx_im_route_t *route)
{
    ngx_im_sync_t    *sync;
    im_link_call_t   *call;
    const im_rule_t  *rule;

    sync = route->sync;

    if (route->topic != NULL) {
        route->partition = route->topic->partition;
    }

    route->urged = 0;
    route->leaving = route->topic == NULL;
    route->asking = route->broadcast
                    || (route->topic != NULL && !route->assert
                        && !route->dirty && route->nchanges == 0);

    call = im_link_script(sync->worker->link, &im_script_route);
    ngx_im_route_keys(route, call);

    im_link_call_str(call, route->asking ? im_str_set("", 0)
                                         : ngx_im_sync_id(sync));
    im_link_call_uint(call, route->leaving ? 0 : route->topic->nsubs);
    im_link_call_uint(call, ++sync->version);
    im_link_call_z(call, NGX_IM_ROUTE_TTL);

    rule = ngx_im_route_rule(route);
    im_link_call_uint(call, rule != NULL ? im_rule_meta_ttl(rule)
                                         : NGX_IM_META_TTL);
    im_link_call_generation(call);
    im_link_call_str(call, ngx_im_route_name(route));

    if (!route->asking && !route->leaving && route->assert) {
        ngx_im_route_all_members(route);
    }

    ngx_im_route_tell(route, call);

    if (!route->asking && !route->leaving) {
        ngx_im_route_members(route, call);
    }

    if (im_link_send(sync->worker->link, ngx_im_route_handler, route)
        != IM_OK)
    {
        route->assert = !route->asking;
        return NGX_ERROR;
    }

    route->comparing = route->ask;
    route->ask = 0;
    route->busy = 1;
    sync->ninflight++;

    if (!route->asking) {
        route->told = 1;
        route->assert = 0;
        route->dirty = route->nchanges > 0;
    }

    if (route->broadcast) {
        route->assert = 0;
        route->dirty = 0;
    }

    return NGX_OK;
}


static void
ngx_im_route_keys(ngx_im_route_t *route, im_link_call_t *call)
{
    uint16_t        p;
    im_str_t        name, prefix, worker;
    ngx_im_sync_t  *sync;

    sync = route->sync;
    p = route->partition;
    name = ngx_im_route_name(route);
    prefix = ngx_im_sync_prefix(sync);
    worker = ngx_im_sync_id(sync);

    im_key_topic(&call->bytes, prefix, p, name, IM_KEY_ROUTES);
    im_link_call_key(call);

    im_key_members(&call->bytes, prefix, p, name, worker);
    im_link_call_key(call);

    im_key_topic(&call->bytes, prefix, p, name, IM_KEY_META);
    im_link_call_key(call);

    im_key_topic(&call->bytes, prefix, p, name, IM_KEY_HISTORY);
    im_link_call_key(call);

    im_key_left(&call->bytes, prefix, p, name, worker);
    im_link_call_key(call);

    im_key_queue(&call->bytes, prefix, p);
    im_link_call_key(call);
}


/* What the other workers are told where members of a room change. */
static void
ngx_im_route_tell(ngx_im_route_t *route, im_link_call_t *call)
{
    route->telling = !route->asking && route->name[0] == 'r'
                     && (route->nchanges > 0 || route->untold
                         || ((route->assert || route->leaving)
                             && route->members));

    if (route->telling) {
        ngx_im_route_changes(&call->bytes, route);
    }

    im_link_call_arg(call);

    im_link_call_z(call, NGX_IM_ROUTE_QUEUE);
}


/* Appends a control entry; without changes where they are too many. */
static void
ngx_im_route_changes(im_buf_t *b, ngx_im_route_t *route)
{
    size_t         len;
    u_char        *p;
    im_buf_t       bytes;
    im_str_t       changes[IM_CONTROL_CHANGES_MAX];
    im_list_t     *q;
    ngx_uint_t     i, n;
    ngx_time_t    *now;
    im_control_t   control;

    now = ngx_timeofday();

    im_control_init(&control, IM_CONTROL_CHANGES);
    im_buf_init(&bytes, NGX_IM_CHANGE_BYTES);

    if (route->presence && route->nchanges <= IM_CONTROL_CHANGES_MAX
        && (!route->assert || !route->told))
    {
        n = 0;

        for (q = im_list_first(&route->changes);
             q != im_list_sentinel(&route->changes);
             q = im_list_next(q))
        {
            len = ngx_im_route_one(&bytes, route,
                                   im_list_data(q, ngx_im_change_t, link));
            if (len > 0) {
                changes[n++].len = len;
            }
        }

        for (i = 0, p = bytes.data; i < n; p += changes[i++].len) {
            changes[i].data = p;
        }

        control.changes.elts = changes;
        control.changes.n = bytes.failed ? 0 : n;
    }

    im_control_encode(b, &control, (uint64_t) now->sec * 1000 + now->msec);

    im_buf_cleanup(&bytes);
}


/*
 * Appends a change; its length.  A session that left before others knew of it
 * has never been there.
 */
static size_t
ngx_im_route_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change)
{
    u_char              id[IM_UUID_LEN];
    size_t              start;
    im_buf_t            member;
    im_sub_t           *sub;
    ngx_im_followed_t   f;

    start = b->len;

    im_buf_init(&member, NGX_IM_CHANGE_BYTES);

    if (change->joined) {
        sub = ngx_im_route_joined(route, change);

        if (sub != NULL) {
            route->sync->events->describe(sub, &f);
            ngx_im_route_describe(&member, route, &f);
        }

    } else {
        im_buf_add(&member, change->member, change->len);
    }

    if (member.failed) {
        b->failed = 1;

    } else if (member.len > 0) {
        im_id_uuid(id, change->id);
        im_control_change_encode(b, change->joined,
                                 im_str_set(id, IM_UUID_LEN),
                                 im_buf_str(&member));
    }

    im_buf_cleanup(&member);

    return b->len - start;
}


/* What has changed, or a new start with all of them; some in each call. */
static void
ngx_im_route_members(ngx_im_route_t *route, im_link_call_t *call)
{
    ngx_uint_t        n;
    ngx_im_change_t  *change;

    if (route->assert) {
        route->members = 0;

        im_link_call_z(call, "=");
        im_link_call_z(call, "");
    }

    for (n = 0;
         n < NGX_IM_ROUTE_CHANGES && !im_list_empty(&route->changes)
         && call->bytes.len < IM_LINK_CALL_MAX_BYTES / 4;
         n++)
    {
        change = im_list_data(im_list_first(&route->changes), ngx_im_change_t,
                              link);

        im_list_remove(&change->link);
        route->nchanges--;
        route->members = 1;

        ngx_im_route_member(route, call, change);
        im_free(change);
    }
}


static void
ngx_im_route_all_members(ngx_im_route_t *route)
{
    im_log_t  *log;

    ngx_im_route_forget_changes(route);

    for (log = route->topic->logs; log != NULL; log = log->next) {
        ngx_im_route_list_members(route, &log->joining);
        ngx_im_route_list_members(route, &log->idle);
        ngx_im_route_list_members(route, &log->pending);
        ngx_im_route_list_members(route, &log->blocked);
    }
}


static void
ngx_im_route_list_members(ngx_im_route_t *route, im_list_t *subs)
{
    im_sub_t   *sub;
    im_list_t  *q;

    for (q = im_list_first(subs);
         q != im_list_sentinel(subs);
         q = im_list_next(q))
    {
        sub = im_list_data(q, im_sub_t, link);

        ngx_im_route_change(route, sub, 1);
    }
}


/* A pair of arguments: who, and what others may know of him. */
static void
ngx_im_route_member(ngx_im_route_t *route, im_link_call_t *call,
    ngx_im_change_t *change)
{
    u_char              id[IM_UUID_LEN];
    im_buf_t           *b;
    im_sub_t           *sub;
    ngx_im_followed_t   f;

    b = &call->bytes;
    sub = NULL;

    if (change->joined) {
        sub = ngx_im_route_joined(route, change);

        if (sub == NULL) {
            return;
        }
    }

    im_id_uuid(id, change->id);

    im_buf_add_z(b, sub != NULL ? "+" : "-");
    im_buf_add(b, id, IM_UUID_LEN);
    im_link_call_arg(call);

    if (sub != NULL) {
        route->sync->events->describe(sub, &f);
        ngx_im_route_describe(b, route, &f);
    }

    im_link_call_arg(call);
}


static im_sub_t *
ngx_im_route_joined(ngx_im_route_t *route, ngx_im_change_t *change)
{
    ngx_im_sync_t  *sync;

    sync = route->sync;

    return sync->events->find(sync->worker, change->session,
                              ngx_im_route_name(route));
}


static void
ngx_im_route_describe(im_buf_t *b, ngx_im_route_t *route,
    const ngx_im_followed_t *f)
{
    im_member_t  m;

    m = f->member;

    if (!route->presence) {
        m.info.len = 0;
        m.room_info.len = 0;
    }

    im_member_encode(b, &m);
}


/* Guests are members where clients may ask for the presence. */
static void
ngx_im_route_change(ngx_im_route_t *route, im_sub_t *sub, int joined)
{
    im_buf_t            b;
    ngx_im_change_t    *change;
    ngx_im_followed_t   f;

    route->sync->events->describe(sub, &f);

    if (f.member.user.len == 0 && !route->presence) {
        return;
    }

    im_buf_init(&b, NGX_IM_CHANGE_BYTES);

    if (route->presence && !joined) {
        ngx_im_route_describe(&b, route, &f);
    }

    change = im_alloc(sizeof(ngx_im_change_t) + b.len);

    if (change == NULL || b.failed) {
        im_buf_cleanup(&b);
        im_free(change);
        route->assert = 1;
        return;
    }

    change->session = f.session;
    change->joined = joined;
    change->len = b.len;
    ngx_memcpy(change->id, f.id, sizeof(change->id));

    if (b.len > 0) {
        ngx_memcpy(change->member, b.data, b.len);
    }

    im_buf_cleanup(&b);

    im_list_insert_tail(&route->changes, &change->link);
    route->nchanges++;
}


static void
ngx_im_route_forget_changes(ngx_im_route_t *route)
{
    ngx_im_change_t  *change;

    while (!im_list_empty(&route->changes)) {
        change = im_list_data(im_list_first(&route->changes), ngx_im_change_t,
                              link);
        im_list_remove(&change->link);
        im_free(change);
    }

    route->nchanges = 0;
}


static void
ngx_im_route_handler(const im_link_reply_t *reply, void *data)
{
    ngx_im_sync_t   *sync;
    ngx_im_route_t  *route;

    route = data;
    sync = route->sync;

    route->busy = 0;
    sync->ninflight--;

    if (sync->exiting || !im_link_reply_is_array(reply, 6)) {

        route->assert = 1;

        ngx_im_link_complain(sync->worker->log, reply, "route");

        if (route->topic == NULL) {
            ngx_im_route_settle(route);

        } else if (reply != NULL && sync->up) {
            ngx_im_route_to(route, &sync->changed);
        }

        return;
    }

    /* what this reply brings shares one question of room info */

    route->joining = 1;

    if (!route->asking && im_link_reply_int_at(reply, 0, 0) == 0) {
        ngx_im_route_refused(route, im_link_reply_str_at(reply, 4));

    } else if (route->leaving) {
        route->told = 0;

    } else if (route->telling) {
        ngx_im_route_told(route, im_link_reply_int_at(reply, 5, 0));
    }

    if (route->topic == NULL) {
        ngx_im_route_settle(route);
        ngx_im_route_pump(sync);
        return;
    }

    route->told_at = ngx_current_msec;
    im_list_remove(&route->aged);
    im_list_insert_tail(&sync->aged, &route->aged);

    ngx_im_route_pin(route);

    ngx_im_route_position(route, reply);
    route->joining = 0;

    if (route->topic != NULL) {
        ngx_im_route_next(route);
    }

    ngx_im_route_unpin(route);

    ngx_im_route_pump(sync);
}


/* Others know of the change, or will with the next tick; now it's our turn. */
static void
ngx_im_route_told(ngx_im_route_t *route, ngx_uint_t told)
{
    ngx_im_sync_t  *sync;

    sync = route->sync;

    route->untold = !told;

    if (!told) {
        route->dirty = 1;
    }

    if (route->topic != NULL) {
        sync->events->members(sync->worker, route->topic,
                              NGX_IM_MEMBERS_CHANGED);
    }
}


/* Redis has a later version of ours: go on above it. */
static void
ngx_im_route_refused(ngx_im_route_t *route, im_str_t stored)
{
    u_char     *p;
    ngx_int_t   version;

    route->assert = 1;

    p = memchr(stored.data, ':', stored.len);
    if (p == NULL) {
        return;
    }

    p++;
    version = ngx_atoi(p, stored.data + stored.len - p);

    if (version > 0) {
        route->sync->version = ngx_max(route->sync->version,
                                       (uint64_t) version);
    }
}


/* What is left to tell, and room info for who waits for it. */
static void
ngx_im_route_next(ngx_im_route_t *route)
{
    ngx_im_sync_t  *sync;

    sync = route->sync;

    if (route->ask || route->nchanges >= NGX_IM_ROUTE_CHANGES) {
        ngx_im_route_to(route, &sync->urgent);
        return;
    }

    sync->events->reported(sync->worker, route->topic);

    if (ngx_im_route_wants(route) && im_list_empty(&route->link)) {
        ngx_im_route_to(route, &sync->changed);
    }
}


/* Each reply has the topic's position: it is compared with ours. */
static void
ngx_im_route_position(ngx_im_route_t *route, const im_link_reply_t *reply)
{
    uint64_t     top;
    im_str_t     epoch, past, ours;
    im_topic_t  *topic;

    topic = route->topic;

    epoch = im_link_reply_str_at(reply, 1);
    top = im_link_reply_int_at(reply, 2, 0);
    past = im_link_reply_str_at(reply, 3);

    if (topic->state == IM_TOPIC_NEW) {

        if (im_topic_position(topic, epoch, top, past) != IM_OK) {
            ngx_log_error(NGX_LOG_ERR, route->sync->worker->log, 0,
                          "im: the position of topic \"%*s\" is no good",
                          (size_t) topic->name_len, topic->name);
            route->assert = 1;
            return;
        }

        route->sync->events->live(route->sync->worker, topic);

        ngx_im_heal_release(route);
        route->sync->events->flush(route->sync->worker);

        return;
    }

    ours = im_str_set(topic->epoch.data, topic->epoch.len);

    if (!im_str_eq(ours, epoch)) {
        ngx_im_heal_start(route);
        return;
    }

    if (top <= topic->seq) {
        return;
    }

    if (route->comparing) {
        ngx_im_heal_start(route);
        return;
    }

    /*
     * Most likely these are on their way: look again in a second.  Who still
     * waits for earlier ones doesn't begin anew.
     */

    if (route->expect <= topic->seq) {
        route->waited = 0;
    }

    route->expect = top;
    ngx_im_route_watch(route);
}


void
ngx_im_route_tick(ngx_im_sync_t *sync)
{
    im_list_t        watch;
    ngx_im_route_t  *route;

    ngx_im_route_refresh(sync);

    im_list_splice(&sync->due, &sync->changed);

    im_list_init(&watch);
    im_list_splice(&watch, &sync->watch);

    while (!im_list_empty(&watch)) {
        route = im_list_data(im_list_first(&watch), ngx_im_route_t, watch);
        im_list_remove(&route->watch);

        if (route->topic != NULL) {
            ngx_im_route_look(route);
        }
    }
}


/*
 * What was told long ago is told again, some in each second: so it doesn't
 * expire, and what went wrong without a sign is right again.
 */
static void
ngx_im_route_refresh(ngx_im_sync_t *sync)
{
    ngx_uint_t       n, idle;
    ngx_im_route_t  *route;

    if (!sync->up) {
        return;
    }

    for (n = NGX_IM_ROUTE_AGED + sync->worker->ntopics / NGX_IM_ROUTE_AGED;
         n > 0 && !im_list_empty(&sync->aged);
         n--)
    {
        route = im_list_data(im_list_first(&sync->aged), ngx_im_route_t, aged);

        if (ngx_current_msec - route->told_at
            < sync->worker->conf->redis.refresh)
        {
            return;
        }

        idle = !route->busy && im_list_empty(&route->link);

        im_list_remove(&route->aged);

        if (route->topic == NULL) {
            continue;
        }

        route->dirty = 1;

        if (idle) {
            ngx_im_route_to(route, &sync->changed);
        }

        sync->events->members(sync->worker, route->topic,
                              NGX_IM_MEMBERS_SUSPECT);
    }
}


static void
ngx_im_route_look(ngx_im_route_t *route)
{
    ngx_im_route_history(route, NGX_IM_HISTORY_POLLED);

    if (route->paused) {
        route->paused = 0;
        route->healing = 0;
        ngx_im_heal_start(route);
        return;
    }

    if (route->heal) {
        ngx_im_heal_start(route);
        return;
    }

    if (route->expect <= route->topic->seq) {
        return;
    }

    if (!route->waited) {
        route->waited = 1;
        ngx_im_route_watch(route);
        return;
    }

    route->expect = 0;
    ngx_im_heal_start(route);
}
