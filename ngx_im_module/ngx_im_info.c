/*
 * Copyright (C) The im authors
 *
 * Room info: who is in a room, for those who have just joined it.
 *
 * One question for a topic is under way at a time and answers all who waited
 * when it began.  It reads the routes, then the members that each live worker
 * has written, and counts a user once however many sessions he has.
 */

#include "ngx_im_sync.h"


#define NGX_IM_INFO_BYTES    (1024 * 1024)
#define NGX_IM_INFO_WORKERS  256
#define NGX_IM_INFO_VALUE    4096


typedef struct {
    size_t            user;        /* places in bytes */
    size_t            user_len;
    size_t            name;
    size_t            name_len;
} ngx_im_info_member_t;


/* Owned by the calls that are under way: the last one frees it. */
struct ngx_im_info_s {
    ngx_im_sync_t    *sync;
    ngx_im_route_t   *route;       /* NULL: its topic is gone */
    ngx_im_handle_t  *sessions;
    ngx_uint_t        nsessions;
    ngx_uint_t        ncalls;
    im_buf_t          bytes;
    im_buf_t          members;     /* of ngx_im_info_member_t */
    im_buf_t          arena;
    uint16_t          partition;
    unsigned          failed:1;
    uint8_t           name_len;
    u_char            name[1];
};


typedef struct {
    im_str_t          user;
    im_str_t          name;
} ngx_im_info_value_t;


static const im_json_field_t  ngx_im_info_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(ngx_im_info_value_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(ngx_im_info_value_t, name) },
    im_json_end
};


static ngx_im_info_t *ngx_im_info_create(ngx_im_route_t *route);
static void ngx_im_info_destroy(ngx_im_info_t *info);
static ngx_int_t ngx_im_info_live(ngx_im_info_t *info);
static void ngx_im_info_live_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static ngx_int_t ngx_im_info_routes(ngx_im_info_t *info);
static void ngx_im_info_routes_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static int ngx_im_info_is_live(ngx_im_sync_t *sync, im_str_t worker);
static ngx_int_t ngx_im_info_members(ngx_im_info_t *info, im_str_t worker);
static void ngx_im_info_members_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static void ngx_im_info_member(ngx_im_info_t *info, redisReply *value);
static void ngx_im_info_done(ngx_im_info_t *info);
static void ngx_im_info_retry(ngx_im_info_t *info);
static ngx_uint_t ngx_im_info_sort(ngx_im_info_t *info, im_member_t *members,
    ngx_uint_t n);
static int ngx_libc_cdecl ngx_im_info_compare(const void *one,
    const void *two);
static void ngx_im_info_send(ngx_im_info_t *info, im_member_t *members,
    ngx_uint_t n);


void
ngx_im_sync_room_info(ngx_im_worker_t *w, im_topic_t *topic,
    ngx_im_session_t *s)
{
    (void) w;

    if (topic->data != NULL) {
        ngx_im_info_add(topic->data, s);
    }
}


void
ngx_im_info_add(ngx_im_route_t *route, ngx_im_session_t *s)
{
    ngx_uint_t        size;
    ngx_im_handle_t  *waiting;

    if (route->nwaiting == NGX_IM_INFO_WAITING) {
        return;
    }

    if (route->nwaiting == route->waiting_size) {
        size = ngx_max(route->waiting_size * 2, 4);

        waiting = im_realloc(route->waiting, size * sizeof(ngx_im_handle_t));
        if (waiting == NULL) {
            return;
        }

        route->waiting = waiting;
        route->waiting_size = size;
    }

    route->waiting[route->nwaiting++] = ngx_im_session_handle(s);

    /* with its reply the route goes on to start it */

    if (route->busy) {
        return;
    }

    if (route->dirty || route->assert || route->nchanges > 0) {
        ngx_im_route_urgent(route);
        return;
    }

    ngx_im_info_start(route);
}


/* Members of big rooms are read once a second at most. */
void
ngx_im_info_start(ngx_im_route_t *route)
{
    ngx_im_info_t  *info;

    if (route->info != NULL || route->nwaiting == 0 || !route->sync->up) {
        return;
    }

    if (route->info_big && ngx_current_msec - route->info_time < 1000) {
        ngx_im_route_watch(route);
        return;
    }

    info = ngx_im_info_create(route);
    if (info == NULL) {
        return;
    }

    route->info = info;
    route->info_time = ngx_current_msec;

    if (ngx_im_info_live(info) != NGX_OK
        || ngx_im_info_routes(info) != NGX_OK)
    {
        info->failed = 1;
    }

    if (info->ncalls == 0) {
        ngx_im_info_done(info);
    }
}


/* The topic is gone; a question under way finds nobody to answer. */
void
ngx_im_info_detach(ngx_im_route_t *route)
{
    if (route->info != NULL) {
        route->info->route = NULL;
        route->info = NULL;
    }

    route->nwaiting = 0;
}


static ngx_im_info_t *
ngx_im_info_create(ngx_im_route_t *route)
{
    ngx_im_info_t  *info;

    info = im_calloc(sizeof(ngx_im_info_t) + route->name_len);
    if (info == NULL) {
        return NULL;
    }

    info->sync = route->sync;
    info->route = route;
    info->partition = route->topic->partition;
    info->sessions = route->waiting;
    info->nsessions = route->nwaiting;
    info->name_len = route->name_len;
    ngx_memcpy(info->name, route->name, route->name_len);

    im_buf_init(&info->bytes, NGX_IM_INFO_BYTES);
    im_buf_init(&info->members, NGX_IM_INFO_BYTES);
    im_buf_init(&info->arena, NGX_IM_INFO_VALUE);

    route->waiting = NULL;
    route->nwaiting = 0;
    route->waiting_size = 0;

    return info;
}


static void
ngx_im_info_destroy(ngx_im_info_t *info)
{
    if (info->route != NULL) {
        info->route->info = NULL;
    }

    im_buf_cleanup(&info->bytes);
    im_buf_cleanup(&info->members);
    im_buf_cleanup(&info->arena);
    im_free(info->sessions);
    im_free(info);
}


/* Which workers are alive, by Redis' clock, where that isn't known yet. */
static ngx_int_t
ngx_im_info_live(ngx_im_info_t *info)
{
    uint64_t        now;
    ngx_uint_t      n;
    ngx_im_sync_t  *sync;

    sync = info->sync;

    if (sync->live_time != 0
        && ngx_current_msec - sync->live_time < NGX_IM_LIVE_FRESH)
    {
        return NGX_OK;
    }

    if (sync->redis_ms == 0) {
        return NGX_ERROR;
    }

    now = sync->redis_ms + (ngx_current_msec - sync->redis_at);

    ngx_im_args_start(sync);
    ngx_im_args_add(sync, im_str_z("ZRANGEBYSCORE"));

    im_key_nodes(&sync->args, ngx_im_sync_prefix(sync));
    ngx_im_args_end(sync);

    im_buf_add_z(&sync->args, "(");
    im_buf_add_uint(&sync->args, now);
    ngx_im_args_end(sync);

    /* our idea of its clock may be a little behind */

    im_buf_add_uint(&sync->args, now + NGX_IM_LEASE_MS + 1000);
    ngx_im_args_end(sync);

    ngx_im_args_add(sync, im_str_z("LIMIT"));
    ngx_im_args_add(sync, im_str_z("0"));
    im_buf_add_uint(&sync->args, NGX_IM_LIVE_MAX);
    ngx_im_args_end(sync);

    n = ngx_im_args_done(sync);

    if (n == 0
        || ngx_im_redis_command(sync->worker->redis, IM_PARTITIONS_MAX,
                                ngx_im_info_live_handler, info, n, sync->argv)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sync->live_time = ngx_current_msec;
    info->ncalls++;

    return NGX_OK;
}


static void
ngx_im_info_live_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    size_t          i;
    redisReply     *reply;
    ngx_im_info_t  *info;
    ngx_im_sync_t  *sync;

    reply = data;
    info = ctx;
    sync = info->sync;

    (void) w;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        sync->live_time = 0;
        info->failed = 1;

    } else {
        im_buf_reset(&sync->live, 65536);

        for (i = 0; i < reply->elements; i++) {
            im_buf_add_str(&sync->live, ngx_im_reply_str(reply, i));
            im_buf_add_u8(&sync->live, 0);
        }
    }

    if (--info->ncalls == 0) {
        ngx_im_info_done(info);
    }
}


static ngx_int_t
ngx_im_info_routes(ngx_im_info_t *info)
{
    ngx_uint_t      n;
    ngx_im_sync_t  *sync;

    sync = info->sync;

    ngx_im_args_start(sync);
    ngx_im_args_add(sync, im_str_z("HGETALL"));

    im_key_topic(&sync->args, ngx_im_sync_prefix(sync), info->partition,
                 im_str_set(info->name, info->name_len), IM_KEY_ROUTES);
    ngx_im_args_end(sync);

    n = ngx_im_args_done(sync);

    if (n == 0
        || ngx_im_redis_command(sync->worker->redis, info->partition,
                                ngx_im_info_routes_handler, info, n,
                                sync->argv)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    info->ncalls++;

    return NGX_OK;
}


static void
ngx_im_info_routes_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    size_t          i;
    im_str_t        worker;
    ngx_uint_t      n;
    redisReply     *reply;
    ngx_im_info_t  *info;

    reply = data;
    info = ctx;

    (void) w;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        info->failed = 1;
        goto done;
    }

    n = 0;

    for (i = 0; i + 1 < reply->elements && n < NGX_IM_INFO_WORKERS; i += 2) {

        worker = ngx_im_reply_str(reply, i);

        if (!ngx_im_info_is_live(info->sync, worker)) {
            continue;
        }

        n++;

        if (ngx_im_info_members(info, worker) != NGX_OK) {
            info->failed = 1;
            break;
        }
    }

done:

    if (--info->ncalls == 0) {
        ngx_im_info_done(info);
    }
}


static int
ngx_im_info_is_live(ngx_im_sync_t *sync, im_str_t worker)
{
    u_char  *p, *end;

    if (im_str_eq(worker, ngx_im_sync_id(sync))) {
        return 1;
    }

    p = sync->live.data;
    end = p + sync->live.len;

    while (p < end) {

        if (im_str_eq(worker, im_str_z((char *) p))) {
            return 1;
        }

        p += ngx_strlen(p) + 1;
    }

    return 0;
}


/* Of a big hash HSCAN gives a part, and that is as much as is shown. */
static ngx_int_t
ngx_im_info_members(ngx_im_info_t *info, im_str_t worker)
{
    ngx_uint_t      n;
    ngx_im_sync_t  *sync;

    sync = info->sync;

    ngx_im_args_start(sync);
    ngx_im_args_add(sync, im_str_z("HSCAN"));

    im_key_members(&sync->args, ngx_im_sync_prefix(sync), info->partition,
                   im_str_set(info->name, info->name_len), worker);
    ngx_im_args_end(sync);

    ngx_im_args_add(sync, im_str_z("0"));
    ngx_im_args_add(sync, im_str_z("COUNT"));
    im_buf_add_uint(&sync->args, NGX_IM_INFO_MAX);
    ngx_im_args_end(sync);

    n = ngx_im_args_done(sync);

    if (n == 0
        || ngx_im_redis_command(sync->worker->redis, info->partition,
                                ngx_im_info_members_handler, info, n,
                                sync->argv)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    info->ncalls++;

    return NGX_OK;
}


static void
ngx_im_info_members_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    size_t          i;
    redisReply     *reply, *pairs;
    ngx_im_info_t  *info;

    reply = data;
    info = ctx;

    (void) w;

    if (reply == NULL || !ngx_im_reply_array(reply, 2)
        || reply->element[1]->type != REDIS_REPLY_ARRAY)
    {
        info->failed = 1;

    } else {
        pairs = reply->element[1];

        for (i = 1; i < pairs->elements; i += 2) {
            ngx_im_info_member(info, pairs->element[i]);
        }
    }

    if (--info->ncalls == 0) {
        ngx_im_info_done(info);
    }
}


static void
ngx_im_info_member(ngx_im_info_t *info, redisReply *value)
{
    const char            *why;
    ngx_im_info_value_t    v;
    ngx_im_info_member_t   member;

    if (value->type != REDIS_REPLY_STRING || value->len > NGX_IM_INFO_VALUE) {
        return;
    }

    ngx_memzero(&v, sizeof(ngx_im_info_value_t));
    im_buf_reset(&info->arena, NGX_IM_INFO_VALUE);

    if (im_json_decode(im_str_set(value->str, value->len), ngx_im_info_fields,
                       IM_JSON_LAX, &info->arena, &v, &why)
        != IM_OK
        || v.user.len == 0)
    {
        return;
    }

    member.user = info->bytes.len;
    member.user_len = v.user.len;
    im_buf_add_str(&info->bytes, v.user);

    member.name = info->bytes.len;
    member.name_len = v.name.len;
    im_buf_add_str(&info->bytes, v.name);

    if (!info->bytes.failed) {
        im_buf_add(&info->members, &member, sizeof(member));
    }
}


static void
ngx_im_info_done(ngx_im_info_t *info)
{
    im_member_t           *members;
    ngx_uint_t             n, i;
    ngx_im_route_t        *route;
    ngx_im_info_member_t  *m;

    route = info->route;

    if (route == NULL || info->sync->exiting) {
        ngx_im_info_destroy(info);
        return;
    }

    if (info->failed) {
        ngx_im_info_retry(info);
        return;
    }

    n = info->members.len / sizeof(ngx_im_info_member_t);

    members = im_alloc((n + 1) * sizeof(im_member_t));

    if (members != NULL) {
        m = (ngx_im_info_member_t *) info->members.data;

        for (i = 0; i < n; i++) {
            members[i].user = im_str_set(info->bytes.data + m[i].user,
                                         m[i].user_len);
            members[i].name = im_str_set(info->bytes.data + m[i].name,
                                         m[i].name_len);
        }

        route->info_big = n > NGX_IM_INFO_BIG;

        ngx_im_route_pin(route);

        ngx_im_info_send(info, members, ngx_im_info_sort(info, members, n));
        im_free(members);
    }

    ngx_im_info_destroy(info);

    if (members != NULL) {

        /* more have come meanwhile */

        if (route->topic != NULL && !route->busy) {
            ngx_im_info_start(route);
        }

        ngx_im_route_unpin(route);
    }
}


/* Those who wait go on waiting, with the next tick. */
static void
ngx_im_info_retry(ngx_im_info_t *info)
{
    ngx_im_route_t  *route;

    route = info->route;

    if (route->waiting == NULL) {
        route->waiting = info->sessions;
        route->nwaiting = info->nsessions;
        route->waiting_size = info->nsessions;
        info->sessions = NULL;
    }

    ngx_im_info_destroy(info);

    ngx_im_route_watch(route);
}


/* Sorted by user, each once. */
static ngx_uint_t
ngx_im_info_sort(ngx_im_info_t *info, im_member_t *members, ngx_uint_t n)
{
    ngx_uint_t  i, last;

    (void) info;

    if (n == 0) {
        return 0;
    }

    ngx_qsort(members, n, sizeof(im_member_t), ngx_im_info_compare);

    last = 0;

    for (i = 1; i < n; i++) {
        if (!im_str_eq(members[i].user, members[last].user)) {
            members[++last] = members[i];
        }
    }

    return last + 1;
}


static int ngx_libc_cdecl
ngx_im_info_compare(const void *one, const void *two)
{
    const im_member_t  *a, *b;

    a = one;
    b = two;

    return (int) ngx_memn2cmp(a->user.data, b->user.data, a->user.len,
                              b->user.len);
}


static void
ngx_im_info_send(ngx_im_info_t *info, im_member_t *members, ngx_uint_t n)
{
    im_buf_t           frame;
    im_str_t           room;
    ngx_uint_t         i;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = info->sync->worker;
    room = im_str_set(info->name + 2, info->name_len - 2);

    im_buf_init(&frame, NGX_IM_INFO_BYTES * 4);

    im_proto_im_room_info(&frame, room, n, members,
                          ngx_min(n, NGX_IM_INFO_MAX));

    for (i = 0; !frame.failed && i < info->nsessions; i++) {

        s = ngx_im_session_find(w, info->sessions[i]);

        if (s != NULL && s->phase == NGX_IM_OPEN) {
            (void) ngx_im_send_reply(s, im_buf_str(&frame));
        }
    }

    im_buf_cleanup(&frame);
}
