/*
 * Copyright (C) The im authors
 *
 * Who is in a topic, over all live workers, as they have written it.
 *
 * The routes are read first, then the members of each live worker, in pages.
 * Of a very big topic some are only counted.
 */

#include "ngx_im_sync.h"
#include "im_record.h"


#define NGX_IM_MEMBERS_BYTES    (16 * 1024 * 1024)
#define NGX_IM_MEMBERS_WORKERS  1024
#define NGX_IM_MEMBERS_LOOK     20000    /* sessions */
#define NGX_IM_MEMBERS_PAGE     1000
#define NGX_IM_MEMBERS_VALUE    65536


/* Strings as places in bytes, which still grow. */
typedef struct {
    size_t              at;
    uint32_t            session;
    uint32_t            user;
    uint32_t            name;
    uint32_t            info;
    uint32_t            room_info;
} ngx_im_members_place_t;


/* Owned by the calls that are under way: the last one frees it. */
typedef struct {
    ngx_im_sync_t      *sync;
    ngx_im_members_pt   handler;
    void               *data;
    ngx_uint_t          ncalls;
    ngx_uint_t          looked;
    ngx_uint_t          nworkers;
    uint64_t            rest;
    im_buf_t            bytes;
    im_buf_t            places;       /* of ngx_im_members_place_t */
    im_buf_t            arena;
    uint16_t            partition;
    unsigned            failed:1;
    unsigned            own:1;        /* this worker's too */
    uint8_t             topic_len;
    u_char              topic[IM_TOPIC_MAX];
} ngx_im_members_call_t;


/* One worker's members, page by page. */
typedef struct {
    ngx_im_members_call_t  *call;
    ngx_uint_t              looked;
    size_t                  worker_len;
    u_char                  worker[1];
} ngx_im_members_page_t;


static ngx_int_t ngx_im_members_live(ngx_im_members_call_t *call);
static void ngx_im_members_live_handler(const im_link_reply_t *reply,
    void *data);
static ngx_int_t ngx_im_members_routes(ngx_im_members_call_t *call);
static void ngx_im_members_routes_handler(const im_link_reply_t *reply,
    void *data);
static int ngx_im_members_wanted(ngx_im_members_call_t *call, im_str_t worker);
static ngx_int_t ngx_im_members_worker(ngx_im_members_call_t *call,
    im_str_t worker);
static ngx_int_t ngx_im_members_page(ngx_im_members_page_t *page,
    im_str_t cursor);
static void ngx_im_members_page_handler(const im_link_reply_t *reply,
    void *data);
static void ngx_im_members_count_handler(const im_link_reply_t *reply,
    void *data);
static void ngx_im_members_add(ngx_im_members_call_t *call, im_str_t session,
    const im_link_reply_t *value);
static void ngx_im_members_done(ngx_im_members_call_t *call);
static void ngx_im_members_answer(ngx_im_members_call_t *call);


ngx_int_t
ngx_im_members_ask(ngx_im_sync_t *sync, im_str_t topic, uint16_t partition,
    ngx_uint_t own, ngx_im_members_pt handler, void *data)
{
    ngx_im_members_call_t  *call;

    call = im_calloc(sizeof(ngx_im_members_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->sync = sync;
    call->handler = handler;
    call->data = data;
    call->partition = partition;
    call->own = own ? 1 : 0;
    call->topic_len = topic.len;
    ngx_memcpy(call->topic, topic.data, topic.len);

    im_buf_init(&call->bytes, NGX_IM_MEMBERS_BYTES);
    im_buf_init(&call->places, NGX_IM_MEMBERS_BYTES);
    im_buf_init(&call->arena, NGX_IM_MEMBERS_VALUE);

    if (ngx_im_members_live(call) != NGX_OK) {
        im_free(call);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Which workers are alive, by Redis' clock, where that isn't known yet. */
static ngx_int_t
ngx_im_members_live(ngx_im_members_call_t *call)
{
    uint64_t         now;
    ngx_im_sync_t   *sync;
    im_link_call_t  *cmd;

    sync = call->sync;

    if (sync->live_time != 0
        && ngx_current_msec - sync->live_time < NGX_IM_LIVE_FRESH)
    {
        return ngx_im_members_routes(call);
    }

    if (sync->redis_ms == 0) {
        return NGX_ERROR;
    }

    now = sync->redis_ms + (ngx_current_msec - sync->redis_at);

    cmd = im_link_command(sync->worker->link, "ZRANGEBYSCORE");

    im_key_nodes(&cmd->bytes, ngx_im_sync_prefix(sync));
    im_link_call_key(cmd);

    im_buf_add_z(&cmd->bytes, "(");
    im_link_call_uint(cmd, now);

    /* our idea of its clock may be a little behind */

    im_link_call_uint(cmd, now + IM_LEASE_WORKER + 1000);
    im_link_call_z(cmd, "LIMIT");
    im_link_call_z(cmd, "0");
    im_link_call_uint(cmd, IM_WORKERS_MAX);

    if (im_link_send(sync->worker->link, ngx_im_members_live_handler, call)
        != IM_OK)
    {
        return NGX_ERROR;
    }

    sync->live_time = ngx_current_msec;
    call->ncalls++;

    return NGX_OK;
}


static void
ngx_im_members_live_handler(const im_link_reply_t *reply, void *data)
{
    size_t                  i;
    ngx_im_sync_t          *sync;
    ngx_im_members_call_t  *call;

    call = data;
    sync = call->sync;

    if (!im_link_reply_is_array(reply, 0)) {
        sync->live_time = 0;
        call->failed = 1;

    } else {
        im_buf_reset(&sync->live, 65536);

        for (i = 0; i < im_link_reply_len(reply); i++) {
            im_buf_add_str(&sync->live, im_link_reply_str_at(reply, i));
            im_buf_add_u8(&sync->live, 0);
        }

        if (ngx_im_members_routes(call) != NGX_OK) {
            call->failed = 1;
        }
    }

    ngx_im_members_done(call);
}


static ngx_int_t
ngx_im_members_routes(ngx_im_members_call_t *call)
{
    ngx_im_sync_t   *sync;
    im_link_call_t  *cmd;

    sync = call->sync;

    cmd = im_link_command(sync->worker->link, "HGETALL");

    im_key_topic(&cmd->bytes, ngx_im_sync_prefix(sync), call->partition,
                 im_str_set(call->topic, call->topic_len), IM_KEY_ROUTES);
    im_link_call_key(cmd);

    if (im_link_send(sync->worker->link, ngx_im_members_routes_handler, call)
        != IM_OK)
    {
        return NGX_ERROR;
    }

    call->ncalls++;

    return NGX_OK;
}


static void
ngx_im_members_routes_handler(const im_link_reply_t *reply, void *data)
{
    size_t                  i;
    im_str_t                worker;
    ngx_im_members_call_t  *call;

    call = data;

    if (!im_link_reply_is_array(reply, 0)) {
        call->failed = 1;
        ngx_im_members_done(call);
        return;
    }

    for (i = 0;
         i + 1 < im_link_reply_len(reply)
         && call->nworkers < NGX_IM_MEMBERS_WORKERS;
         i += 2)
    {
        worker = im_link_reply_str_at(reply, i);

        if (!ngx_im_members_wanted(call, worker)) {
            continue;
        }

        call->nworkers++;

        if (ngx_im_members_worker(call, worker) != NGX_OK) {
            call->failed = 1;
            break;
        }
    }

    ngx_im_members_done(call);
}


static int
ngx_im_members_wanted(ngx_im_members_call_t *call, im_str_t worker)
{
    u_char         *p, *end;
    ngx_im_sync_t  *sync;

    sync = call->sync;

    if (im_str_eq(worker, ngx_im_sync_id(sync))) {
        return call->own;
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


static ngx_int_t
ngx_im_members_worker(ngx_im_members_call_t *call, im_str_t worker)
{
    ngx_im_members_page_t  *page;

    page = im_alloc(sizeof(ngx_im_members_page_t) + worker.len);
    if (page == NULL) {
        return NGX_ERROR;
    }

    page->call = call;
    page->looked = 0;
    page->worker_len = worker.len;
    ngx_memcpy(page->worker, worker.data, worker.len);

    if (ngx_im_members_page(page, im_str_z("0")) != NGX_OK) {
        im_free(page);
        return NGX_ERROR;
    }

    call->ncalls++;

    return NGX_OK;
}


/* cursor: a page of the members from there on; "": only how many they are. */
static ngx_int_t
ngx_im_members_page(ngx_im_members_page_t *page, im_str_t cursor)
{
    ngx_im_sync_t          *sync;
    im_link_call_t         *cmd;
    ngx_im_members_call_t  *call;

    call = page->call;
    sync = call->sync;

    cmd = im_link_command(sync->worker->link, cursor.len ? "HSCAN" : "HLEN");

    im_key_members(&cmd->bytes, ngx_im_sync_prefix(sync), call->partition,
                   im_str_set(call->topic, call->topic_len),
                   im_str_set(page->worker, page->worker_len));
    im_link_call_key(cmd);

    if (cursor.len) {
        im_link_call_str(cmd, cursor);
        im_link_call_z(cmd, "COUNT");
        im_link_call_uint(cmd, NGX_IM_MEMBERS_PAGE);
    }

    return im_link_send(sync->worker->link,
                        cursor.len ? ngx_im_members_page_handler
                                   : ngx_im_members_count_handler,
                        page);
}


static void
ngx_im_members_page_handler(const im_link_reply_t *reply, void *data)
{
    size_t                  i;
    im_str_t                cursor;
    ngx_im_members_page_t  *page;
    ngx_im_members_call_t  *call;
    const im_link_reply_t  *pairs;

    page = data;
    call = page->call;

    if (!im_link_reply_is_array(reply, 2)
        || !im_link_reply_is_array(im_link_reply_at(reply, 1), 0))
    {
        goto failed;
    }

    pairs = im_link_reply_at(reply, 1);

    for (i = 0; i + 1 < im_link_reply_len(pairs); i += 2) {
        ngx_im_members_add(call, im_link_reply_str_at(pairs, i),
                           im_link_reply_at(pairs, i + 1));
        page->looked++;
        call->looked++;
    }

    cursor = im_link_reply_str_at(reply, 0);

    if (im_str_eq(cursor, im_str_z("0"))) {
        goto done;
    }

    if (call->looked >= NGX_IM_MEMBERS_LOOK) {
        cursor = im_str_z("");
    }

    if (ngx_im_members_page(page, cursor) == NGX_OK) {
        return;
    }

failed:

    call->failed = 1;

done:

    im_free(page);
    ngx_im_members_done(call);
}


static void
ngx_im_members_count_handler(const im_link_reply_t *reply, void *data)
{
    int64_t                 n;
    ngx_im_members_page_t  *page;

    page = data;
    n = im_link_reply_int(reply, -1);

    if (n < 0) {
        page->call->failed = 1;

    } else if ((uint64_t) n > page->looked) {
        page->call->rest += n - page->looked;
    }

    ngx_im_members_done(page->call);
    im_free(page);
}


/* Beyond the memory for them members are only counted. */
static void
ngx_im_members_add(ngx_im_members_call_t *call, im_str_t session,
    const im_link_reply_t *value)
{
    im_str_t                 json;
    im_buf_t                *b;
    im_member_t              v;
    ngx_im_members_place_t   place;

    json = im_link_reply_str(value);

    if (json.len == 0 || json.len > NGX_IM_MEMBERS_VALUE) {
        return;
    }

    im_buf_reset(&call->arena, NGX_IM_MEMBERS_VALUE);

    if (im_member_decode(json, &call->arena, &v) != IM_OK) {
        return;
    }

    b = &call->bytes;

    place.at = b->len;
    place.session = session.len;
    place.user = v.user.len;
    place.name = v.name.len;
    place.info = v.info.len;
    place.room_info = v.room_info.len;

    im_buf_add_str(b, session);
    im_buf_add_str(b, v.user);
    im_buf_add_str(b, v.name);
    im_buf_add_str(b, v.info);
    im_buf_add_str(b, v.room_info);

    if (!b->failed) {
        im_buf_add(&call->places, &place, sizeof(place));
    }

    if (b->failed || call->places.failed) {
        call->rest++;
    }
}


static void
ngx_im_members_done(ngx_im_members_call_t *call)
{
    if (--call->ncalls > 0) {
        return;
    }

    if (call->failed) {
        call->handler(call->sync, call->data, NULL);

    } else {
        ngx_im_members_answer(call);
    }

    im_buf_cleanup(&call->bytes);
    im_buf_cleanup(&call->places);
    im_buf_cleanup(&call->arena);
    im_free(call);
}


static void
ngx_im_members_answer(ngx_im_members_call_t *call)
{
    u_char                  *p;
    ngx_uint_t               i;
    im_member_t         *m;
    ngx_im_members_t         members;
    ngx_im_members_place_t  *place;

    members.n = call->places.len / sizeof(ngx_im_members_place_t);
    members.rest = call->rest;
    members.nworkers = call->nworkers;

    m = im_alloc((members.n + 1) * sizeof(im_member_t));
    members.elts = m;

    if (m == NULL) {
        call->handler(call->sync, call->data, NULL);
        return;
    }

    place = (ngx_im_members_place_t *) call->places.data;

    for (i = 0; i < members.n; i++, m++, place++) {
        p = call->bytes.data + place->at;

        im_member_init(m);
        m->session = im_str_set(p, place->session);
        p += place->session;
        m->user = im_str_set(p, place->user);
        p += place->user;
        m->name = im_str_set(p, place->name);
        p += place->name;
        m->info = im_str_set(p, place->info);
        p += place->info;
        m->room_info = im_str_set(p, place->room_info);
    }

    call->handler(call->sync, call->data, &members);

    im_free(members.elts);
}
