/*
 * Copyright (C) The im authors
 *
 * Room info: followers of a room get the list of its users.
 *
 * A new member gets it as soon as Redis knows its join.  After a change of
 * members, here or elsewhere, all followers get it: once a second at most, and
 * less often where that is many bytes.  A room has one question out at a time.
 * A session that has a list does not get the same one again.
 *
 * A guest is no change: while the worker knows of none since the last answer, a
 * guest gets that one, and Redis is not asked.
 */

#include "ngx_im_topic.h"
#include "ngx_im_info.h"
#include "ngx_im_flush.h"
#include "ngx_im_heard.h"
#include "ngx_im_send.h"
#include "im_link_members.h"


#define NGX_IM_INFO_FRAME   (8 * 1024 * 1024)
#define NGX_IM_INFO_PAUSE   1000        /* ms */
#define NGX_IM_INFO_SOON    100         /* ms */
#define NGX_IM_INFO_RATE    8192        /* bytes a ms, of a room */
#define NGX_IM_INFO_LOOK    5           /* sessions checked a ms */
#define NGX_IM_INFO_ASKED   200         /* keys of workers read a ms, by all */
#define NGX_IM_INFO_SUSPECTS  500       /* rooms a second */
#define NGX_IM_INFO_MAX     1000        /* users of one frame */
#define NGX_IM_INFO_ROUNDS  2
#define NGX_IM_INFO_SHOWN   512         /* bytes of a frame that is kept */
#define NGX_IM_INFO_KEEP    10000       /* ms: so long it counts */


/* The last frame, if it is short. */
struct ngx_im_shown_s {
    void            (*room_info)(im_buf_t *b, const im_transport_t *transport,
                                 const im_room_info_t *info);
    const im_transport_t *transport;
    ngx_msec_t        time;        /* of the answer */
    uint64_t          hash;
    size_t            len;
    u_char            bytes[1];
};


/* A question that is out, and its answer. */
struct ngx_im_info_s {
    ngx_im_topic_t   *topic;       /* NULL: it has ended */
    uint64_t          hash;
    size_t            waiting;     /* bytes of topic->waiting, when asked */
    im_room_info_t    room;
    const im_form_t  *form;        /* of the frame that is encoded */
    const im_transport_t *transport;
    ngx_im_info_want_e  want;      /* of all followers */
};


static void ngx_im_info_start(ngx_im_topic_t *t);


static ngx_uint_t
ngx_im_info_followers(im_topic_t *topic)
{
    im_log_t    *log;
    ngx_uint_t   n;

    if (topic->name[0] != 'r') {
        return 0;
    }

    n = 0;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (im_wire(log->wire).form->room_info != NULL) {
            n += log->nsubs;
        }
    }

    return n;
}


static ngx_msec_t
ngx_im_info_left(ngx_msec_t at)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (at - ngx_current_msec);

    return left > 0 ? left : 0;
}


/*
 * Waiting sessions get the frame together with all followers if that is soon:
 * within a second for a user, whose join is a change, and at once for a guest,
 * whose join is none.
 */
static ngx_msec_t
ngx_im_info_due(ngx_im_topic_t *t)
{
    ngx_msec_t  all, some;

    all = NGX_MAX_INT32_VALUE;
    some = NGX_MAX_INT32_VALUE;

    if (t->want != NGX_IM_INFO_QUIET
        || im_follow_report(t->topic, 0) != IM_OK)
    {
        all = ngx_im_info_left(t->info_all);
    }

    if (t->waiting.len > 0
        && all > (t->hurry ? NGX_IM_INFO_SOON : NGX_IM_INFO_PAUSE))
    {
        some = ngx_im_info_left(t->info_some);
    }

    return ngx_min(all, some);
}


/*
 * Hashes the content of the frames, in any form.  All workers hash alike,
 * since sessions move from one to another.
 */
static uint64_t
ngx_im_info_hash(ngx_im_info_t *info)
{
    uint64_t            hash[2];
    ngx_uint_t          i;
    const im_member_t  *user;

    hash[0] = info->room.count;
    hash[1] = 0;

    for (i = 0; i < info->room.n; i++) {
        user = &info->room.users[i];

        hash[0] = im_siphash(hash, user->user.data, user->user.len);
        hash[0] = im_siphash(hash, user->name.data, user->name.len);
    }

    return hash[0] | 1;
}


/* Forms with the same callback share a frame. */
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


static void
ngx_im_info_send_all(ngx_im_info_t *info, im_buf_t *b)
{
    im_log_t   *log;
    im_wire_t   wire;

    for (log = info->topic->topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->room_info == NULL) {
            continue;
        }

        ngx_im_info_encode(info, b, wire.form, wire.transport);

        if (b->failed
            || ngx_im_send_log(ngx_im_worker, log, im_buf_str(b), 0)
               != NGX_OK)
        {
            b->failed = 1;
            return;
        }
    }
}


/* To those only that have another list. */
static void
ngx_im_info_send_new(ngx_im_info_t *info, im_buf_t *b)
{
    ngx_im_topic_t  *t;

    t = info->topic;

    ngx_im_heard_before(t, info->hash);
    ngx_im_info_send_all(info, b);
    ngx_im_heard_behind(t, info->hash);
}


/* All have it, those too that have come since the question. */
static void
ngx_im_info_sent(ngx_im_info_t *info, im_buf_t *b)
{
    size_t           i;
    im_buf_t        *waiting;
    ngx_im_heard_t  *heard;

    waiting = &info->topic->waiting;
    heard = (ngx_im_heard_t *) waiting->data;

    for (i = info->waiting; i < waiting->len; i += sizeof(ngx_im_heard_t)) {
        heard[i / sizeof(ngx_im_heard_t)].hash = b->failed ? 0 : info->hash;
    }

    ngx_im_heard_all(info->topic, info->hash);
    info->topic->mixed = b->failed;
}


static void
ngx_im_info_send_one(ngx_im_info_t *info, im_buf_t *b, ngx_im_session_t *s)
{
    ngx_im_info_encode(info, b, s->class->proto->forms[IM_FORM_PLAIN],
                       s->class->transport);

    if (!b->failed) {
        (void) ngx_im_send_reply(s, im_buf_str(b));
    }
}


/* Most have the list: to the others; their number. */
static ngx_uint_t
ngx_im_info_send_others(ngx_im_info_t *info, im_buf_t *b)
{
    ngx_uint_t         n, index;
    ngx_im_session_t  *s;

    index = 0;

    for (n = 0; ; n++) {
        s = ngx_im_heard_next(info->topic, info->hash, &index);

        if (s == NULL) {
            return n;
        }

        ngx_im_info_send_one(info, b, s);
    }
}


/* To those that wait; their number. */
static ngx_uint_t
ngx_im_info_send_some(ngx_im_info_t *info, im_buf_t *b)
{
    ngx_uint_t         i, n;
    ngx_im_heard_t    *waiting;
    ngx_im_session_t  *s;

    n = info->waiting / sizeof(ngx_im_heard_t);
    waiting = (ngx_im_heard_t *) info->topic->waiting.data;

    for (i = 0; i < n; i++) {

        s = waiting[i].hash != info->hash
            ? ngx_im_session_find(ngx_im_worker, waiting[i].session) : NULL;

        if (s != NULL && s->phase == NGX_IM_OPEN) {
            ngx_im_info_send_one(info, b, s);
            ngx_im_heard_set(info->topic, s, info->hash);
        }
    }

    return n;
}


static void
ngx_im_info_show(ngx_im_info_t *info, im_buf_t *b)
{
    ngx_im_topic_t  *t;
    ngx_im_shown_t  *shown;

    t = info->topic;

    im_free(t->shown);
    t->shown = NULL;

    if (info->form == NULL || b->failed || b->len > NGX_IM_INFO_SHOWN) {
        return;
    }

    shown = im_alloc(sizeof(ngx_im_shown_t) + b->len);
    if (shown == NULL) {
        return;
    }

    shown->room_info = info->form->room_info;
    shown->transport = info->transport;
    shown->time = ngx_current_msec;
    shown->hash = info->hash;
    shown->len = b->len;
    im_copy(shown->bytes, b->data, b->len);

    t->shown = shown;
}


static void
ngx_im_info_send_due(ngx_im_info_t *info, im_buf_t *b,
    const im_members_t *members)
{
    ngx_uint_t       n;
    ngx_msec_t       all, some, look;
    ngx_im_topic_t  *t;

    t = info->topic;

    info->hash = ngx_im_info_hash(info);
    look = members->n / NGX_IM_INFO_LOOK;

    /* each worker has the members of each read, by one call */

    look = ngx_max(look, members->nworkers * members->nworkers
                         / NGX_IM_INFO_ASKED);
    all = 0;
    some = 0;

    if (info->want == NGX_IM_INFO_FORCED
        || (info->want == NGX_IM_INFO_CHANGED
            && ngx_im_heard_differs(t, info->hash)))
    {
        if (info->want == NGX_IM_INFO_FORCED) {
            ngx_im_info_send_all(info, b);

        } else {
            ngx_im_info_send_new(info, b);
        }

        all = ngx_im_info_followers(t->topic) * b->len / NGX_IM_INFO_RATE;

        ngx_im_info_sent(info, b);

    } else {
        n = info->want == NGX_IM_INFO_CHANGED
            ? ngx_im_info_send_others(info, b) : 0;

        some = (n + ngx_im_info_send_some(info, b)) * b->len
               / NGX_IM_INFO_RATE;
    }

    if (info->want != NGX_IM_INFO_QUIET) {
        all = ngx_max(all, look);
        t->info_all = ngx_current_msec + ngx_max(all, NGX_IM_INFO_PAUSE);
    }

    t->info_some = ngx_current_msec + ngx_max(some, look);
}


static im_int_t
ngx_im_info_send(ngx_im_info_t *info, const im_members_t *members)
{
    im_buf_t         b, *waiting;
    ngx_uint_t       n;
    im_member_t     *users;
    im_room_info_t  *room;

    waiting = &info->topic->waiting;
    info->waiting = ngx_min(info->waiting, waiting->len);

    im_buf_init(&b, NGX_IM_INFO_FRAME);
    b.codec = &ngx_im_worker->deflate.shared;

    n = ngx_min(members->n, NGX_IM_INFO_MAX);
    users = im_alloc((n + 1) * sizeof(im_member_t));

    if (users != NULL) {
        room = &info->room;
        room->room = im_str_set(info->topic->topic->name + 2,
                                info->topic->topic->name_len - 2);
        room->users = users;
        room->count = im_members_users(members->elts, members->n, users, n);
        room->n = ngx_min(room->count, n);
        room->count += members->rest;

        ngx_im_info_send_due(info, &b, members);
        ngx_im_info_show(info, &b);
    }

    if (info->waiting == waiting->len) {
        im_buf_reset(waiting, 0);

    } else {
        waiting->len -= info->waiting;
        ngx_memmove(waiting->data, waiting->data + info->waiting,
                    waiting->len);
    }

    n = users == NULL || b.failed;

    im_buf_cleanup(&b);
    im_free(users);

    return n ? IM_ERROR : IM_OK;
}


static void
ngx_im_info_answer(const im_members_t *members, void *data)
{
    ngx_im_info_t   *info;
    ngx_im_topic_t  *t;

    info = data;
    t = info->topic;

    if (t == NULL) {
        im_free(info);
        return;
    }

    t->info = NULL;

    if (members == NULL) {
        t->want = ngx_max(t->want, info->want);
        ngx_im_turn_later(&ngx_im_worker->infos, &t->info_link);

    } else {
        if (ngx_im_info_send(info, members) != IM_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                          "im: no memory for room info");
        }

        /* more sessions may have come meanwhile */

        ngx_im_info_start(t);
    }

    im_free(info);

    ngx_im_flush(ngx_im_worker);
}


/* NGX_AGAIN: later. */
static ngx_int_t
ngx_im_info_ask(ngx_im_topic_t *t)
{
    ngx_im_info_t  *info;

    t->rounds = 0;
    im_list_remove(&t->info_link);

    info = im_calloc(sizeof(ngx_im_info_t));

    if (info == NULL
        || im_link_members_ask(ngx_im_worker->members,
                               im_topic_name(t->topic), IM_LINK_MEMBERS_FRESH,
                               ngx_current_msec, ngx_im_info_answer, info)
           != IM_OK)
    {
        im_free(info);
        return NGX_AGAIN;
    }

    info->topic = t;
    info->waiting = t->waiting.len;

    t->info = info;
    t->hurry = 0;

    if (t->suspect) {
        t->want = ngx_max(t->want, NGX_IM_INFO_CHANGED);
        t->suspect = 0;
    }

    if (ngx_im_info_left(t->info_all) == 0) {
        info->want = t->want;
        t->want = NGX_IM_INFO_QUIET;
    }

    return NGX_OK;
}


/* NGX_AGAIN: later. */
static ngx_int_t
ngx_im_info_try(ngx_im_topic_t *t)
{
    ngx_int_t  reported;

    if (t->info != NULL) {
        return NGX_OK;
    }

    if (ngx_im_info_followers(t->topic) == 0) {
        t->want = NGX_IM_INFO_QUIET;
    }

    if (t->want == NGX_IM_INFO_QUIET && t->waiting.len == 0) {
        return NGX_OK;
    }

    /* when its server is back, the topic is a suspect */

    if (!im_follow_is_up(ngx_im_worker->follow, t->topic->partition)) {
        return NGX_OK;
    }

    if (ngx_im_info_due(t) > 0
        || ngx_im_follow_link(ngx_im_worker) == NGX_IM_LINK_DOWN)
    {
        return NGX_AGAIN;
    }

    /* with the report the topic comes back here */

    reported = im_follow_report(t->topic, 0);

    if (reported == IM_AGAIN) {
        return NGX_OK;
    }

    if (reported == IM_DECLINED && t->rounds < NGX_IM_INFO_ROUNDS) {
        t->rounds++;
        (void) im_follow_report(t->topic, 1);
        return NGX_OK;
    }

    return ngx_im_info_ask(t);
}


/*
 * Asks for the members when they are due.  Changes that Redis doesn't know yet
 * go first, in two rounds at most: in a busy room there are always some.
 */
static void
ngx_im_info_start(ngx_im_topic_t *t)
{
    if (ngx_im_info_try(t) != NGX_OK) {
        ngx_im_turn_later(&ngx_im_worker->infos, &t->info_link);
    }
}


/* Of a new follower: what earlier ones had is of no use to the first one. */
static ngx_im_topic_t *
ngx_im_info_topic(im_topic_t *topic)
{
    ngx_im_topic_t  *t;

    t = ngx_im_topic_get(topic);

    if (t != NULL && ngx_im_info_followers(topic) == 1) {
        ngx_im_heard_all(t, 0);
    }

    return t;
}


/* The last answer is still right, as far as this worker can know. */
static ngx_uint_t
ngx_im_info_again(ngx_im_topic_t *t, ngx_im_session_t *s)
{
    ngx_im_shown_t  *shown;

    shown = t->shown;

    return shown != NULL && ngx_im_session_user(s) == NULL
           && t->info == NULL && t->waiting.len == 0
           && t->want == NGX_IM_INFO_QUIET && !t->suspect
           && ngx_current_msec - shown->time < NGX_IM_INFO_KEEP
           && shown->room_info
              == s->class->proto->forms[IM_FORM_PLAIN]->room_info
           && shown->transport == s->class->transport
           && im_follow_report(t->topic, 0) == IM_OK
           && ngx_im_follow_link(ngx_im_worker) == NGX_IM_LINK_UP;
}


/* If too many sessions wait, all followers get the frame. */
void
ngx_im_info_session(im_topic_t *topic, ngx_im_session_t *s)
{
    ngx_im_heard_t   heard;
    ngx_im_topic_t  *t;

    t = ngx_im_info_topic(topic);
    if (t == NULL) {
        return;
    }

    ngx_im_heard_forget(t, s);

    if (ngx_im_info_again(t, s)) {
        (void) ngx_im_send_reply(s, im_str_set(t->shown->bytes,
                                               t->shown->len));
        ngx_im_heard_set(t, s, t->shown->hash);
        return;
    }

    heard.session = ngx_im_session_handle(s);
    heard.hash = 0;

    im_buf_add(&t->waiting, &heard, sizeof(ngx_im_heard_t));

    if (t->waiting.failed) {
        im_buf_reset(&t->waiting, 0);
        t->want = NGX_IM_INFO_FORCED;
    }

    t->hurry |= ngx_im_session_user(s) == NULL;

    ngx_im_info_start(t);
}


static void
ngx_im_info_want(ngx_im_topic_t *t, ngx_im_info_want_e want)
{
    t->want = ngx_max(t->want, want);

    ngx_im_info_start(t);
}


void
ngx_im_info_refresh(im_topic_t *topic, int force)
{
    ngx_im_topic_t  *t;

    if (ngx_im_info_followers(topic) == 0) {
        return;
    }

    t = ngx_im_topic_get(topic);

    if (t != NULL) {
        ngx_im_info_want(t, force ? NGX_IM_INFO_FORCED : NGX_IM_INFO_CHANGED);
    }
}


int
ngx_im_info_waits(ngx_im_session_t *s)
{
    im_sub_t        *sub;
    ngx_im_topic_t  *t;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        t = im_followed(sub->log->topic)->data;

        if (t != NULL
            && (t->waiting.len > 0 || t->want == NGX_IM_INFO_FORCED
                || (t->info != NULL && t->info->want == NGX_IM_INFO_FORCED))
            && im_wire(sub->log->wire).form->room_info != NULL)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_im_info_reported(void *ctx, im_topic_t *topic)
{
    void  **data;

    data = &im_followed(topic)->data;

    if (*data != NULL) {
        ngx_im_info_start(*data);
    }
}


ngx_int_t
ngx_im_info_serve(im_list_t *q, void *data)
{
    if (ngx_im_follow_link(data) == NGX_IM_LINK_DOWN) {
        return NGX_BUSY;
    }

    return ngx_im_info_try(im_list_data(q, ngx_im_topic_t, info_link));
}


ngx_int_t
ngx_im_info_serve_suspect(im_list_t *q, void *data)
{
    ngx_im_worker_t  *w;

    w = data;

    if (ngx_im_follow_link(w) == NGX_IM_LINK_DOWN
        || !ngx_im_rate_take(&w->suspected, NGX_IM_INFO_SUSPECTS))
    {
        return NGX_BUSY;
    }

    ngx_im_info_want(im_list_data(q, ngx_im_topic_t, info_link),
                     NGX_IM_INFO_CHANGED);

    return NGX_OK;
}


static im_int_t
ngx_im_info_suspect(im_topic_t *topic, void *data)
{
    ngx_im_topic_t  *t;

    t = ngx_im_info_followers(topic) > 0 ? ngx_im_topic_get(topic) : NULL;

    if (t != NULL) {
        t->suspect = 1;

        if (im_list_empty(&t->info_link)) {
            ngx_im_turn_later(&ngx_im_worker->suspects, &t->info_link);
        }
    }

    return IM_OK;
}


uint64_t
ngx_im_info_known(im_sub_t *sub)
{
    ngx_im_topic_t  *t;

    t = im_followed(sub->log->topic)->data;

    return t != NULL && im_wire(sub->log->wire).form->room_info != NULL
           ? ngx_im_heard(t, ngx_im_sub_session(sub)) : 0;
}


void
ngx_im_info_came(im_sub_t *sub, uint64_t known)
{
    im_topic_t      *topic;
    ngx_im_topic_t  *t;

    topic = sub->log->topic;

    if (im_wire(sub->log->wire).form->room_info == NULL
        || ngx_im_info_followers(topic) == 0)
    {
        return;
    }

    t = ngx_im_info_topic(topic);

    if (t != NULL) {
        ngx_im_heard_set(t, ngx_im_sub_session(sub), known);
    }
}


void
ngx_im_info_look(im_topic_t *topic)
{
    (void) ngx_im_info_suspect(topic, NULL);
}


void
ngx_im_info_members(void *ctx, im_topic_t *topic, im_follow_members_e why)
{
    if (why == IM_MEMBERS_CHANGED) {
        ngx_im_info_refresh(topic, 0);

    } else {
        (void) ngx_im_info_suspect(topic, NULL);
    }
}


void
ngx_im_info_dead(ngx_im_worker_t *w, ngx_uint_t n)
{
    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "im: %ui workers have died: rooms are looked at", n);

    (void) im_hub_each_topic(&w->hub, ngx_im_info_suspect, NULL);
}


/* The topic has ended: the question that is out has no receiver. */
void
ngx_im_info_ended(void *ctx, void *data)
{
    ngx_im_topic_t  *t;

    t = data;

    if (t->info != NULL) {
        t->info->topic = NULL;
    }

    im_list_remove(&t->info_link);
    im_buf_cleanup(&t->waiting);
    im_buf_cleanup(&t->heard);
    im_free(t->shown);
    im_free(t);
}
