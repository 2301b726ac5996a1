/*
 * Copyright (C) The im authors
 *
 * Control entries: what logic, or another worker, wants done here besides
 * delivering messages.  They are not numbered and arrive at most once.
 */

#include "ngx_im_sync.h"
#include "ngx_im_command.h"
#include "ngx_im_token.h"


#define NGX_IM_CONTROL_EXCEPT  128      /* sessions that are spared */
#define NGX_IM_CONTROL_FOR     3600     /* s */
#define NGX_IM_CONTROL_SLACK   2        /* s */


typedef void (*ngx_im_control_pt)(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);


typedef struct {
    ngx_uint_t          operation;      /* im_control_e */
    ngx_im_control_pt   handler;
} ngx_im_control_t;


/* For each of the sessions that an entry names. */
typedef void (*ngx_im_control_each_pt)(ngx_im_session_t *s, void *data);


typedef struct {
    int64_t             code;
    int64_t             seconds;        /* kept out; -1: not said */
    im_str_t            reason;
    im_json_strings_t   except;
} ngx_im_control_close_t;


typedef struct {
    im_str_t            room;
    im_str_t            epoch;          /* with seq: where it goes on */
    int64_t             seq;
    int64_t             expire_at;      /* s; 0: never */
    im_str_t            info;
    im_str_t            data;
    im_str_t            topic;
} ngx_im_control_join_t;


typedef struct {
    int64_t             code;
    im_str_t            reason;
    im_str_t            room;
    im_str_t            topic;
} ngx_im_control_leave_t;


typedef struct {
    int                 expired;
    int64_t             expire_at;      /* s; 0: never */
    im_str_t            info;
} ngx_im_control_refresh_t;


static void ngx_im_control_members(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static void ngx_im_control_disconnect(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static void ngx_im_control_close(ngx_im_session_t *s, void *data);
static void ngx_im_control_kick_one(ngx_im_session_t *s, void *data);
static void ngx_im_control_subscribe(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static void ngx_im_control_join(ngx_im_session_t *s, void *data);
static void ngx_im_control_unsubscribe(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static void ngx_im_control_leave(ngx_im_session_t *s, void *data);
static void ngx_im_control_refresh(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static void ngx_im_control_renew(ngx_im_session_t *s, void *data);
static void ngx_im_control_forget(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e);
static ngx_int_t ngx_im_control_data(ngx_im_worker_t *w,
    const im_entry_t *entry, const im_envelope_t *e,
    const im_json_field_t *fields, im_buf_t *arena, void *dst);
static void ngx_im_control_each(ngx_im_worker_t *w, const im_entry_t *entry,
    const im_envelope_t *e, ngx_im_control_each_pt fn, void *data);
static ngx_int_t ngx_im_control_age(ngx_im_worker_t *w,
    const im_entry_t *entry);


static const ngx_im_control_t  ngx_im_controls[] = {
    { IM_CONTROL_CHANGES, ngx_im_control_members },
    { IM_CONTROL_ROOM_INFO, ngx_im_control_members },
    { IM_CONTROL_DISCONNECT, ngx_im_control_disconnect },
    { IM_CONTROL_SUBSCRIBE, ngx_im_control_subscribe },
    { IM_CONTROL_UNSUBSCRIBE, ngx_im_control_unsubscribe },
    { IM_CONTROL_REFRESH, ngx_im_control_refresh },
    { IM_CONTROL_FORGET, ngx_im_control_forget },
    { 0, NULL }
};


static const im_json_field_t  ngx_im_control_close_fields[] = {
    { im_str("code"), IM_JSON_INT, offsetof(ngx_im_control_close_t, code) },
    { im_str("reason"), IM_JSON_STRING,
      offsetof(ngx_im_control_close_t, reason) },
    { im_str("except"), IM_JSON_STRINGS,
      offsetof(ngx_im_control_close_t, except) },
    { im_str("for"), IM_JSON_INT, offsetof(ngx_im_control_close_t, seconds) },
    im_json_end
};


static const im_json_field_t  ngx_im_control_join_fields[] = {
    { im_str("room"), IM_JSON_STRING,
      offsetof(ngx_im_control_join_t, room) },
    { im_str("epoch"), IM_JSON_STRING,
      offsetof(ngx_im_control_join_t, epoch) },
    { im_str("seq"), IM_JSON_INT, offsetof(ngx_im_control_join_t, seq) },
    { im_str("expire_at"), IM_JSON_INT,
      offsetof(ngx_im_control_join_t, expire_at) },
    { im_str("info"), IM_JSON_RAW, offsetof(ngx_im_control_join_t, info) },
    { im_str("data"), IM_JSON_RAW, offsetof(ngx_im_control_join_t, data) },
    im_json_end
};


static const im_json_field_t  ngx_im_control_leave_fields[] = {
    { im_str("code"), IM_JSON_INT, offsetof(ngx_im_control_leave_t, code) },
    { im_str("reason"), IM_JSON_STRING,
      offsetof(ngx_im_control_leave_t, reason) },
    { im_str("room"), IM_JSON_STRING,
      offsetof(ngx_im_control_leave_t, room) },
    im_json_end
};


static const im_json_field_t  ngx_im_control_forget_fields[] = {
    { im_str("seq"), IM_JSON_INT, 0 },
    im_json_end
};


static const im_json_field_t  ngx_im_control_refresh_fields[] = {
    { im_str("expired"), IM_JSON_BOOL,
      offsetof(ngx_im_control_refresh_t, expired) },
    { im_str("expire_at"), IM_JSON_INT,
      offsetof(ngx_im_control_refresh_t, expire_at) },
    { im_str("info"), IM_JSON_RAW,
      offsetof(ngx_im_control_refresh_t, info) },
    im_json_end
};


void
ngx_im_control_entry(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry)
{
    im_envelope_t            e;
    const ngx_im_control_t  *control;

    if (im_envelope_decode(entry->envelope, &e) != IM_OK
        || e.kind != IM_PUSH_CONTROL)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: malformed control entry of topic \"%*s\"",
                      entry->topic.len, entry->topic.data);
        return;
    }

    for (control = ngx_im_controls; control->handler != NULL; control++) {
        if (control->operation == (ngx_uint_t) e.operation) {
            control->handler(w, partition, entry, &e);
            return;
        }
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, w->log, 0,
                   "im control of an unknown operation %ui, topic of %uz bytes",
                   (ngx_uint_t) e.operation, entry->topic.len);
}


static void
ngx_im_control_members(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    im_topic_t  *topic;

    topic = im_hub_topic(&w->hub, entry->topic);

    if (topic == NULL || topic->data == NULL) {
        ngx_im_route_ghost(w->sync, entry->topic, partition);
        return;
    }

    if (e->operation == IM_CONTROL_CHANGES) {
        ngx_im_presence_decode(w, topic, e->data);
    }

    ngx_im_info_refresh(topic->data, e->operation == IM_CONTROL_ROOM_INFO);
}


static void
ngx_im_control_disconnect(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    im_buf_t                arena;
    ngx_im_control_close_t  closing;

    (void) partition;

    ngx_memzero(&closing, sizeof(ngx_im_control_close_t));
    closing.except.max = NGX_IM_CONTROL_EXCEPT;
    closing.seconds = -1;

    im_buf_init(&arena, e->data.len + 1);

    if (ngx_im_control_data(w, entry, e, ngx_im_control_close_fields, &arena,
                            &closing)
        == NGX_OK)
    {
        /* before their sessions end: they come back at once */

        if (closing.seconds > 0) {
            closing.seconds -= ngx_im_control_age(w, entry);
        }

        if (e->user.len && closing.seconds >= 0
            && closing.seconds <= NGX_IM_CONTROL_FOR)
        {
            ngx_im_revoke(w, e->user, closing.seconds);
        }

        ngx_im_control_each(w, entry, e, ngx_im_control_close, &closing);
        im_json_strings_free(&closing.except);
    }

    im_buf_cleanup(&arena);
}


/* Arena must hold all of the data. */
static ngx_int_t
ngx_im_control_data(ngx_im_worker_t *w, const im_entry_t *entry,
    const im_envelope_t *e, const im_json_field_t *fields, im_buf_t *arena,
    void *dst)
{
    const char  *why;

    if (im_json_decode(e->data, fields, 0, arena, dst, &why) == IM_OK) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, w->log, 0,
                  "im: control entry %D of topic \"%*s\" is not valid: %s",
                  e->operation, entry->topic.len, entry->topic.data, why);

    return NGX_ERROR;
}


static void
ngx_im_control_close(ngx_im_session_t *s, void *data)
{
    u_char                   id[IM_UUID_LEN];
    ngx_uint_t               i, code;
    ngx_im_control_close_t  *closing;

    closing = data;

    im_id_uuid(id, s->peer.id);

    for (i = 0; i < closing->except.n; i++) {
        if (im_str_eq(closing->except.elts[i], im_str_set(id, IM_UUID_LEN))) {
            return;
        }
    }

    code = closing->code;

    if (code != IM_WS_CLOSE_NORMAL && (code < 3000 || code > 4999)) {
        code = s->conf->proto->close_kicked;
    }

    ngx_im_session_close_reason(s, code, closing->reason,
                                "disconnected by the backend");
}


void
ngx_im_control_kick(ngx_im_worker_t *w, im_str_t user)
{
    im_envelope_t  e;

    ngx_memzero(&e, sizeof(im_envelope_t));
    e.user = user;

    ngx_im_control_each(w, NULL, &e, ngx_im_control_kick_one, NULL);
}


static void
ngx_im_control_kick_one(ngx_im_session_t *s, void *data)
{
    (void) data;

    ngx_im_session_close(s, s->conf->proto->close_kicked,
                         "the user is kept out");
}


static void
ngx_im_control_subscribe(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    im_buf_t               arena, topic;
    ngx_im_control_join_t  join;

    (void) partition;

    ngx_memzero(&join, sizeof(ngx_im_control_join_t));
    join.seq = -1;

    im_buf_init(&arena, e->data.len + 1);
    im_buf_init(&topic, IM_TOPIC_MAX);

    if (ngx_im_control_data(w, entry, e, ngx_im_control_join_fields, &arena,
                            &join)
        == NGX_OK)
    {
        im_topic_room(&topic, join.room);

        if (!topic.failed && im_rules_room(&w->conf->rules, join.room) != NULL)
        {
            join.topic = im_buf_str(&topic);
            ngx_im_control_each(w, entry, e, ngx_im_control_join, &join);
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&topic);
}


/* Only clients that can be told of it; who follows the room already does. */
static void
ngx_im_control_join(ngx_im_session_t *s, void *data)
{
    im_sub_t               *sub;
    im_position_t           since;
    ngx_im_join_t          *join;
    ngx_im_control_join_t  *asked;

    asked = data;

    if (s->phase != NGX_IM_OPEN || !s->conf->proto->pings
        || ngx_im_session_find_sub(s, asked->topic) != NULL
        || ngx_im_session_full(s) || ngx_im_session_ext(s) == NULL
        || s->ext->connecting)
    {
        return;
    }

    join = im_calloc(sizeof(ngx_im_join_t) + asked->data.len);
    if (join == NULL) {
        return;
    }

    join->push = 1;
    join->data = im_str_set(join + 1, asked->data.len);

    if (asked->data.len > 0) {
        ngx_memcpy(join->data.data, asked->data.data, asked->data.len);
    }

    if (asked->seq >= 0) {
        since.epoch = asked->epoch;
        since.seq = asked->seq;
        ngx_im_join_since(join, &since);
    }

    sub = ngx_im_session_join(s, asked->topic, join, NGX_IM_SUB_SERVER);

    if (sub == NULL) {
        return;
    }

    ngx_im_session_set_sub_info(sub, asked->info);

    if (asked->expire_at > 0) {
        ngx_im_token_sub_expires(s, sub, asked->expire_at);
    }
}


static void
ngx_im_control_unsubscribe(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    im_buf_t                arena, topic;
    ngx_im_control_leave_t  leave;

    (void) partition;

    ngx_memzero(&leave, sizeof(ngx_im_control_leave_t));

    im_buf_init(&arena, e->data.len + 1);
    im_buf_init(&topic, IM_TOPIC_MAX);

    if (ngx_im_control_data(w, entry, e, ngx_im_control_leave_fields, &arena,
                            &leave)
        == NGX_OK)
    {
        im_topic_room(&topic, leave.room);

        if (!topic.failed) {
            leave.topic = im_buf_str(&topic);
            ngx_im_control_each(w, entry, e, ngx_im_control_leave, &leave);
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&topic);
}


/* Who still waits for his own subscribe is told that it failed. */
static void
ngx_im_control_leave(ngx_im_session_t *s, void *data)
{
    uint32_t                 id;
    im_sub_t                *sub;
    im_reply_t               reply;
    ngx_im_join_t           *join;
    ngx_im_control_leave_t  *leave;

    leave = data;

    sub = ngx_im_session_find_sub(s, leave->topic);

    if (sub == NULL || s->phase != NGX_IM_OPEN) {
        return;
    }

    join = sub->data;

    if (join != NULL && join->connect) {
        ngx_im_session_close(s, s->conf->proto->close_busy,
                             "a topic of connect was taken away");
        return;
    }

    id = join != NULL ? join->id : 0;

    ngx_im_session_leave(s, sub);

    if (s->phase != NGX_IM_OPEN) {
        return;
    }

    if (id != 0) {
        if (ngx_im_command_error(s, id, IM_ERROR_PERMISSION) == NGX_OK) {
            ngx_im_recv_continue(s);
        }

        return;
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_PUSH_UNSUBSCRIBE;
    reply.topic = leave->topic;
    reply.code = leave->code;
    reply.reason = leave->reason;

    (void) ngx_im_command_reply(s, &reply);
}


static void
ngx_im_control_refresh(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    ngx_im_control_refresh_t  refresh;

    (void) partition;

    ngx_memzero(&refresh, sizeof(ngx_im_control_refresh_t));

    if (ngx_im_control_data(w, entry, e, ngx_im_control_refresh_fields, NULL,
                            &refresh)
        == NGX_OK)
    {
        ngx_im_control_each(w, entry, e, ngx_im_control_renew, &refresh);
    }
}


static void
ngx_im_control_renew(ngx_im_session_t *s, void *data)
{
    im_reply_t                 reply;
    ngx_im_control_refresh_t  *refresh;

    refresh = data;

    if (s->phase != NGX_IM_OPEN) {
        return;
    }

    if (refresh->expired) {
        ngx_im_session_close(s, s->conf->proto->close_expired,
                             "expired by the backend");
        return;
    }

    ngx_im_session_renew(s, refresh->expire_at, refresh->info);

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_PUSH_REFRESH;
    reply.ttl = ngx_im_session_ttl(s);

    (void) ngx_im_command_reply(s, &reply);
}


static void
ngx_im_control_forget(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry, const im_envelope_t *e)
{
    int64_t      seq;
    im_topic_t  *topic;

    seq = 0;
    topic = im_hub_topic(&w->hub, entry->topic);

    if (topic == NULL || topic->data == NULL) {
        ngx_im_route_ghost(w->sync, entry->topic, partition);
        return;
    }

    if (ngx_im_control_data(w, entry, e, ngx_im_control_forget_fields, NULL,
                            &seq)
        == NGX_OK
        && seq > 0)
    {
        ngx_im_window_forget(topic->data, seq);
    }
}


/*
 * The session that is named, where it is the named user's, or all of the
 * user's that were there when that was said.  A session is not freed before
 * the next turn, so fn may close it.
 */
static void
ngx_im_control_each(ngx_im_worker_t *w, const im_entry_t *entry,
    const im_envelope_t *e, ngx_im_control_each_pt fn, void *data)
{
    u_char             id[16];
    im_list_t         *q, *next;
    im_user_t         *user;
    ngx_int_t          age;
    ngx_im_session_t  *s;

    age = ngx_im_control_age(w, entry);
    user = e->user.len ? im_hub_user(&w->hub, e->user) : NULL;

    if (e->session.len) {

        s = im_id_uuid_decode(e->session, id) == IM_OK
            ? ngx_im_session_by_id(w, id) : NULL;

        if (s != NULL
            && (e->user.len == 0 || (user != NULL && s->user == user)))
        {
            fn(s, data);
        }

        return;
    }

    if (user == NULL) {
        return;
    }

    for (q = im_list_first(&user->sessions);
         q != im_list_sentinel(&user->sessions);
         q = next)
    {
        next = im_list_next(q);
        s = im_list_data(q, ngx_im_session_t, user_link);

        if (s->phase != NGX_IM_CLOSED
            && ngx_time() - (time_t) s->start + NGX_IM_CONTROL_SLACK >= age)
        {
            fn(s, data);
        }
    }
}


/* How long it was in the queue, in seconds: im_job may have been away. */
static ngx_int_t
ngx_im_control_age(ngx_im_worker_t *w, const im_entry_t *entry)
{
    uint64_t        now;
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (entry == NULL || entry->seq == 0 || sync->redis_ms == 0) {
        return 0;
    }

    now = sync->redis_ms + (ngx_current_msec - sync->redis_at);

    return now > entry->seq ? (ngx_int_t) ((now - entry->seq) / 1000) : 0;
}
