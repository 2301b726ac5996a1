/*
 * Copyright (C) The im authors
 *
 * Room info: the followers of a room are told who is there.
 *
 * Who has joined is told as soon as its join is known to Redis.  A change of
 * members, here or elsewhere, is told to all, once a second at the most and
 * less often where that is many bytes.  A question for a room is under way at
 * a time, and who has just got an answer gets the same one only once.
 */

#include "ngx_im_sync.h"


#define NGX_IM_INFO_FRAME   (8 * 1024 * 1024)
#define NGX_IM_INFO_PAUSE   1000        /* ms */
#define NGX_IM_INFO_SOON    100         /* ms */
#define NGX_IM_INFO_RATE    8192        /* bytes a ms, of a room */
#define NGX_IM_INFO_LOOK    5           /* sessions looked at a ms */
#define NGX_IM_INFO_ASKED   20          /* workers' members read a ms, by all */
#define NGX_IM_INFO_TIMER   100         /* ms */
#define NGX_IM_INFO_LAZY    500         /* rooms a second */
#define NGX_IM_INFO_ROUNDS  2


/* A question under way. */
struct ngx_im_info_s {
    ngx_im_route_t   *route;       /* NULL: its topic is gone */
    ngx_im_handle_t  *sessions;
    ngx_uint_t        nsessions;
    im_room_info_t    room;
    const im_form_t  *form;        /* of the frame that is encoded */
    const im_transport_t *transport;
    ngx_uint_t        looked;
    ngx_uint_t        nworkers;
    unsigned          all:1;
    unsigned          force:1;
};


static void ngx_im_info_add(ngx_im_route_t *route, ngx_im_session_t *s);
static ngx_uint_t ngx_im_info_followers(ngx_im_route_t *route);
static int ngx_im_info_log(im_log_t *log);
static int ngx_im_info_changing(ngx_im_route_t *route);
static ngx_msec_t ngx_im_info_due(ngx_im_route_t *route);
static ngx_msec_t ngx_im_info_left(ngx_msec_t at);
static void ngx_im_info_later(ngx_im_route_t *route);
static void ngx_im_info_ask(ngx_im_route_t *route);
static void ngx_im_info_answer(ngx_im_sync_t *sync, void *data,
    ngx_im_members_t *members);
static void ngx_im_info_failed(ngx_im_route_t *route, ngx_im_info_t *info);
static void ngx_im_info_destroy(ngx_im_info_t *info);
static void ngx_im_info_room(ngx_im_info_t *info, ngx_im_members_t *members);
static uint64_t ngx_im_info_hash(ngx_im_info_t *info);
static void ngx_im_info_encode(ngx_im_info_t *info, im_buf_t *b,
    const im_form_t *form, const im_transport_t *transport);
static ngx_uint_t ngx_im_info_users(ngx_im_members_t *members);
static int ngx_libc_cdecl ngx_im_info_compare(const void *one,
    const void *two);
static void ngx_im_info_tell(ngx_im_info_t *info, im_buf_t *b);
static void ngx_im_info_tell_all(ngx_im_info_t *info, im_buf_t *b);
static void ngx_im_info_tell_some(ngx_im_info_t *info, im_buf_t *b);
static im_int_t ngx_im_info_suspect_topic(im_topic_t *topic, void *data);


void
ngx_im_sync_room_info(ngx_im_worker_t *w, im_topic_t *topic,
    ngx_im_session_t *s)
{
    (void) w;

    if (topic->data != NULL) {
        ngx_im_info_add(topic->data, s);
    }
}


/* Where too many wait, all are told. */
static void
ngx_im_info_add(ngx_im_route_t *route, ngx_im_session_t *s)
{
    ngx_uint_t        size;
    ngx_im_handle_t  *waiting;

    if (route->nwaiting == NGX_IM_INFO_WAITING) {
        ngx_im_info_refresh(route, 1);
        return;
    }

    if (route->nwaiting == route->waiting_size) {
        size = ngx_max(route->waiting_size * 2, 4);

        waiting = im_realloc(route->waiting, size * sizeof(ngx_im_handle_t));
        if (waiting == NULL) {
            ngx_im_info_refresh(route, 1);
            return;
        }

        route->waiting = waiting;
        route->waiting_size = size;
    }

    route->waiting[route->nwaiting++] = ngx_im_session_handle(s);
    route->hurry |= s->user == NULL;

    ngx_im_info_start(route);
}


void
ngx_im_info_refresh(ngx_im_route_t *route, int force)
{
    if (ngx_im_info_followers(route) == 0) {
        return;
    }

    route->refresh = 1;
    route->force |= force ? 1 : 0;

    ngx_im_info_start(route);
}


static ngx_uint_t
ngx_im_info_followers(ngx_im_route_t *route)
{
    im_log_t    *log;
    ngx_uint_t   n;

    if (route->topic == NULL || route->name[0] != 'r') {
        return 0;
    }

    n = 0;

    for (log = route->topic->logs; log != NULL; log = log->next) {
        n += ngx_im_info_log(log) ? log->nsubs : 0;
    }

    return n;
}


/* Its followers understand room info. */
static int
ngx_im_info_log(im_log_t *log)
{
    return im_wire(log->wire).form->room_info != NULL;
}


/*
 * Begins where it is time to.  Changes that Redis doesn't know yet go first, in
 * two rounds at most: in a busy room there are always some.
 */
void
ngx_im_info_start(ngx_im_route_t *route)
{
    if (route->info != NULL || route->topic == NULL) {
        return;
    }

    if (route->refresh && ngx_im_info_followers(route) == 0) {
        route->refresh = 0;
        route->force = 0;
    }

    if (!route->refresh && route->nwaiting == 0) {
        return;
    }

    if (ngx_im_info_due(route) > 0 || !route->sync->up) {
        ngx_im_info_later(route);
        return;
    }

    /* with its reply the route comes back here */

    if (route->busy || route->joining || route->urged) {
        return;
    }

    if (ngx_im_info_changing(route) && route->rounds < NGX_IM_INFO_ROUNDS) {
        route->rounds++;
        route->urged = 1;
        ngx_im_route_urgent(route);
        return;
    }

    ngx_im_info_ask(route);
}


static int
ngx_im_info_changing(ngx_im_route_t *route)
{
    return route->nchanges > 0 || route->assert;
}


/*
 * Who waits is told with all others where that is soon: within a
 * second for a user, who is a change, and at once for a guest, who only looks.
 */
static ngx_msec_t
ngx_im_info_due(ngx_im_route_t *route)
{
    ngx_msec_t  all, some;

    all = NGX_MAX_INT32_VALUE;
    some = NGX_MAX_INT32_VALUE;

    if (route->refresh || ngx_im_info_changing(route)) {
        all = ngx_im_info_left(route->info_all);
    }

    if (route->nwaiting > 0
        && all > (route->hurry ? NGX_IM_INFO_SOON : NGX_IM_INFO_PAUSE))
    {
        some = ngx_im_info_left(route->info_some);
    }

    return ngx_min(all, some);
}


static ngx_msec_t
ngx_im_info_left(ngx_msec_t at)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (at - ngx_current_msec);

    return left > 0 ? left : 0;
}


static void
ngx_im_info_later(ngx_im_route_t *route)
{
    ngx_im_sync_t  *sync;

    sync = route->sync;

    im_list_remove(&route->info_link);
    im_list_insert_tail(&sync->infos, &route->info_link);

    if (sync->up && !sync->info.timer_set) {
        ngx_add_timer(&sync->info, NGX_IM_INFO_TIMER);
    }
}


void
ngx_im_info_handler(ngx_event_t *ev)
{
    im_list_t        infos;
    ngx_im_sync_t   *sync;
    ngx_im_route_t  *route;

    sync = ev->data;

    if (!sync->up || sync->exiting) {
        return;
    }

    im_list_init(&infos);
    im_list_splice(&infos, &sync->infos);

    while (!im_list_empty(&infos)) {
        route = im_list_data(im_list_first(&infos), ngx_im_route_t, info_link);
        im_list_remove(&route->info_link);

        ngx_im_info_start(route);
    }

    ngx_im_route_pump(sync);
}


void
ngx_im_info_tick(ngx_im_sync_t *sync)
{
    ngx_uint_t       n;
    ngx_im_route_t  *route;

    for (n = 0; n < NGX_IM_INFO_LAZY && !im_list_empty(&sync->lazy); n++) {
        route = im_list_data(im_list_first(&sync->lazy), ngx_im_route_t,
                             info_link);
        im_list_remove(&route->info_link);

        ngx_im_info_refresh(route, 0);
    }

    if (!im_list_empty(&sync->infos) && !sync->info.timer_set) {
        ngx_add_timer(&sync->info, NGX_IM_INFO_TIMER);
    }
}


void
ngx_im_info_suspect(ngx_im_route_t *route)
{
    if (ngx_im_info_followers(route) == 0) {
        return;
    }

    route->suspect = 1;

    if (im_list_empty(&route->info_link)) {
        im_list_insert_tail(&route->sync->lazy, &route->info_link);
    }
}


/* The first list, after the link came up, is no news. */
void
ngx_im_info_dead(ngx_im_sync_t *sync, redisReply *dead, int news)
{
    size_t      i, j;
    im_str_t    name;
    uint64_t    hashes[NGX_IM_DEAD_MAX];
    ngx_uint_t  n, fresh;

    if (dead->type != REDIS_REPLY_ARRAY) {
        return;
    }

    n = ngx_min(dead->elements, NGX_IM_DEAD_MAX);

    for (i = 0, fresh = 0; i < n; i++) {
        name = ngx_im_reply_str(dead, i);
        hashes[i] = im_siphash(sync->worker->hub.users.seed, name.data,
                               name.len);

        for (j = 0; j < sync->ndead && sync->dead[j] != hashes[i]; j++) {
            /* void */
        }

        fresh += j == sync->ndead;
    }

    ngx_memcpy(sync->dead, hashes, n * sizeof(uint64_t));
    sync->ndead = n;

    if (fresh == 0 || !news) {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, sync->worker->log, 0,
                  "im: %ui workers have died: rooms are looked at", fresh);

    (void) im_hub_each_topic(&sync->worker->hub, ngx_im_info_suspect_topic,
                             NULL);
}


static im_int_t
ngx_im_info_suspect_topic(im_topic_t *topic, void *data)
{
    (void) data;

    if (topic->data != NULL) {
        ngx_im_info_suspect(topic->data);
    }

    return IM_OK;
}


/* The topic is gone; a question under way finds nobody to answer. */
void
ngx_im_info_detach(ngx_im_route_t *route)
{
    if (route->info != NULL) {
        route->info->route = NULL;
        route->info = NULL;
    }

    im_list_remove(&route->info_link);

    route->nwaiting = 0;
    route->refresh = 0;
}


static void
ngx_im_info_ask(ngx_im_route_t *route)
{
    ngx_im_info_t  *info;

    route->rounds = 0;
    im_list_remove(&route->info_link);

    info = im_calloc(sizeof(ngx_im_info_t));

    if (info == NULL
        || ngx_im_members_ask(route->sync, ngx_im_route_name(route),
                              route->topic->partition, 1, ngx_im_info_answer,
                              info)
           != NGX_OK)
    {
        im_free(info);
        ngx_im_info_later(route);
        return;
    }

    info->route = route;
    info->sessions = route->waiting;
    info->nsessions = route->nwaiting;

    route->info = info;
    route->waiting = NULL;
    route->nwaiting = 0;
    route->waiting_size = 0;
    route->hurry = 0;

    route->refresh |= route->suspect;
    route->suspect = 0;

    if (route->refresh && ngx_im_info_left(route->info_all) == 0) {
        info->all = 1;
        info->force = route->force;
        route->refresh = 0;
        route->force = 0;
    }
}


static void
ngx_im_info_answer(ngx_im_sync_t *sync, void *data, ngx_im_members_t *members)
{
    im_buf_t         b;
    ngx_im_info_t   *info;
    ngx_im_route_t  *route;

    info = data;
    route = info->route;

    if (route == NULL || sync->exiting) {
        ngx_im_info_destroy(info);
        return;
    }

    if (members == NULL) {
        ngx_im_info_failed(route, info);
        return;
    }

    ngx_im_route_pin(route);

    im_buf_init(&b, NGX_IM_INFO_FRAME);

    ngx_im_info_room(info, members);
    ngx_im_info_tell(info, &b);

    if (b.failed) {
        ngx_log_error(NGX_LOG_ERR, sync->worker->log, 0,
                      "im: no memory for the room info of \"%*s\"",
                      (size_t) route->name_len, route->name);
    }

    im_buf_cleanup(&b);
    ngx_im_info_destroy(info);

    /* more have come meanwhile */

    ngx_im_info_start(route);

    ngx_im_route_unpin(route);
}


/* Those who wait go on waiting. */
static void
ngx_im_info_failed(ngx_im_route_t *route, ngx_im_info_t *info)
{
    if (info->all || info->nsessions > 0) {

        if (route->waiting == NULL) {
            route->waiting = info->sessions;
            route->nwaiting = info->nsessions;
            route->waiting_size = info->nsessions;
            info->sessions = NULL;

        } else {
            info->all = 1;
        }

        route->refresh |= info->all;
        route->force |= info->force;
    }

    ngx_im_info_destroy(info);

    ngx_im_info_later(route);
}


static void
ngx_im_info_destroy(ngx_im_info_t *info)
{
    if (info->route != NULL) {
        info->route->info = NULL;
    }

    im_free(info->sessions);
    im_free(info);
}


static void
ngx_im_info_room(ngx_im_info_t *info, ngx_im_members_t *members)
{
    ngx_uint_t       n;
    im_room_info_t  *room;

    info->looked = members->n;
    info->nworkers = members->nworkers;

    n = ngx_im_info_users(members);

    room = &info->room;
    room->room = im_str_set(info->route->name + 2, info->route->name_len - 2);
    room->count = n + members->rest;
    room->users = members->elts;
    room->n = ngx_min(n, NGX_IM_INFO_MAX);
}


/* Sorted by user, each once, to the front; their number. */
static ngx_uint_t
ngx_im_info_users(ngx_im_members_t *members)
{
    ngx_uint_t        i, n;
    im_member_t  *m;

    m = members->elts;

    ngx_qsort(m, members->n, sizeof(im_member_t), ngx_im_info_compare);

    for (i = 0, n = 0; i < members->n; i++) {

        if (m[i].user.len == 0
            || (n > 0 && im_str_eq(m[i].user, m[n - 1].user)))
        {
            continue;
        }

        m[n++] = m[i];
    }

    return n;
}


/* By session where the user is the same: the answer is always the same. */
static int ngx_libc_cdecl
ngx_im_info_compare(const void *one, const void *two)
{
    ngx_int_t               rc;
    const im_member_t  *a, *b;

    a = one;
    b = two;

    rc = ngx_memn2cmp(a->user.data, b->user.data, a->user.len, b->user.len);

    if (rc == 0) {
        rc = ngx_memn2cmp(a->session.data, b->session.data, a->session.len,
                          b->session.len);
    }

    return (int) rc;
}


static void
ngx_im_info_tell(ngx_im_info_t *info, im_buf_t *b)
{
    uint64_t         hash;
    ngx_msec_t       all, some, look;
    ngx_im_route_t  *route;

    route = info->route;

    hash = ngx_im_info_hash(info);
    look = info->looked / NGX_IM_INFO_LOOK;

    /* each of them asks for those of each */

    look = ngx_max(look, info->nworkers * info->nworkers / NGX_IM_INFO_ASKED);
    all = 0;
    some = 0;

    if (info->all
        && (info->force || route->mixed || hash != route->info_hash))
    {
        ngx_im_info_tell_all(info, b);

        all = ngx_im_info_followers(route) * b->len / NGX_IM_INFO_RATE;
        route->info_hash = hash;
        route->mixed = 0;

    } else {
        ngx_im_info_tell_some(info, b);

        some = info->nsessions * b->len / NGX_IM_INFO_RATE;

        if (info->nsessions > 0) {
            route->mixed |= route->info_hash != 0 && hash != route->info_hash;
            route->info_hash = hash;
        }
    }

    if (info->all) {
        all = ngx_max(all, look);
        route->info_all = ngx_current_msec + ngx_max(all, NGX_IM_INFO_PAUSE);
    }

    route->info_some = ngx_current_msec + ngx_max(some, look);
}


/* Of what the frames say, in whatever form. */
static uint64_t
ngx_im_info_hash(ngx_im_info_t *info)
{
    uint64_t               hash[2];
    ngx_uint_t             i;
    const im_member_t     *user;

    hash[0] = info->room.count;
    hash[1] = info->route->sync->worker->hub.users.seed[0];

    for (i = 0; i < info->room.n; i++) {
        user = &info->room.users[i];

        hash[0] = im_siphash(hash, user->user.data, user->user.len);
        hash[0] = im_siphash(hash, user->name.data, user->name.len);
    }

    return hash[0] | 1;
}


static void
ngx_im_info_tell_all(ngx_im_info_t *info, im_buf_t *b)
{
    im_log_t         *log;
    im_wire_t         wire;
    ngx_im_worker_t  *w;

    w = info->route->sync->worker;

    for (log = info->route->topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->room_info == NULL) {
            continue;
        }

        ngx_im_info_encode(info, b, wire.form, wire.transport);

        if (b->failed || ngx_im_send_log(w, log, im_buf_str(b), 0) != NGX_OK) {
            b->failed = 1;
            return;
        }
    }

    ngx_im_send_flush(w);
}


static void
ngx_im_info_tell_some(ngx_im_info_t *info, im_buf_t *b)
{
    ngx_uint_t         i;
    const im_form_t   *form;
    ngx_im_session_t  *s;

    for (i = 0; i < info->nsessions; i++) {

        s = ngx_im_session_find(info->route->sync->worker, info->sessions[i]);

        if (s == NULL || s->phase != NGX_IM_OPEN) {
            continue;
        }

        form = s->conf->proto->forms[IM_FORM_PLAIN];

        ngx_im_info_encode(info, b, form, s->transport);

        if (!b->failed) {
            (void) ngx_im_send_reply(s, im_buf_str(b));
        }
    }
}


/* Forms that have the callback in common share a frame. */
static void
ngx_im_info_encode(ngx_im_info_t *info, im_buf_t *b, const im_form_t *form,
    const im_transport_t *transport)
{
    if (info->form != NULL && info->form->room_info == form->room_info
        && info->transport == transport)
    {
        return;
    }

    info->form = form;
    info->transport = transport;

    im_buf_reset(b, b->size);
    form->room_info(b, transport, &info->room);
}
