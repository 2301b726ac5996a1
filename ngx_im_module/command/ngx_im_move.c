/*
 * Copyright (C) The im authors
 *
 * Clients with one room at a time and a set of operations: the way into another
 * room, how many are there, and other operations.
 *
 * All these commands have an answer of their own, which the client gets
 * whatever becomes of them.
 */

#include "ngx_im_command.h"
#include "ngx_im_admit.h"
#include "ngx_im_flush.h"
#include "ngx_im_follow.h"
#include "ngx_im_identity.h"
#include "ngx_im_reply.h"
#include "ngx_im_sub.h"
#include "ngx_im_topic.h"
#include "im_key.h"
#include "im_link_members.h"


#define NGX_IM_MOVE_COUNT  10000     /* ms: a count is as old at most */
#define NGX_IM_MOVE_RATE   200       /* rooms that are counted in a second */


/* A room is counted. */
typedef struct {
    im_buf_t          name;
    im_buf_t          answer;      /* for the session, if one waits */
    ngx_im_handle_t   session;
    unsigned          waits:1;
} ngx_im_move_ask_t;


static ngx_int_t
ngx_im_move_reply(ngx_im_session_t *s, im_str_t answer)
{
    im_reply_t  reply;

    ngx_im_reply_init(&reply, IM_REPLY_ANSWER, 0);
    reply.data = answer;

    return ngx_im_reply_send(s, &reply);
}


ngx_int_t
ngx_im_move_answer(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_move_reply(s, command->answer);
}


/* NULL: it has none. */
static im_sub_t *
ngx_im_move_room(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub != NULL; sub = ngx_im_sub_next(sub)) {
        if (sub->log->topic->name[0] == 'r') {
            return sub;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_im_move_reply_count(ngx_im_session_t *s, im_str_t answer, uint64_t n)
{
    im_reply_t  reply;

    ngx_im_reply_init(&reply, IM_REPLY_COUNT, 0);
    reply.data = answer;
    reply.nclients = n;

    return ngx_im_reply_send(s, &reply);
}


static void
ngx_im_move_ask_free(ngx_im_move_ask_t *ask)
{
    im_buf_cleanup(&ask->name);
    im_buf_cleanup(&ask->answer);
    im_free(ask);
}


/* The topic may have ended meanwhile, and the session, too. */
static void
ngx_im_move_counted(const im_members_t *members, void *data)
{
    im_topic_t         *topic;
    ngx_im_topic_t     *t;
    ngx_im_session_t   *s;
    ngx_im_move_ask_t  *ask;

    ask = data;
    topic = im_hub_topic(&ngx_im_worker->hub, im_buf_str(&ask->name));
    t = topic != NULL ? ngx_im_topic_get(topic) : NULL;

    if (t != NULL && members != NULL) {
        t->total = (uint32_t) ngx_min(members->count, UINT32_MAX);
        t->others = t->total > topic->nsubs ? t->total - topic->nsubs : 0;
    }

    s = ask->waits ? ngx_im_session_find(ngx_im_worker, ask->session) : NULL;

    if (s != NULL) {
        ngx_im_session_answered(s);
    }

    if (s != NULL && s->phase == NGX_IM_OPEN) {
        (void) ngx_im_move_reply_count(s, im_buf_str(&ask->answer),
                                       t != NULL ? t->others + topic->nsubs
                                                 : 0);
        ngx_im_flush(ngx_im_worker);
    }

    ngx_im_move_ask_free(ask);
}


/* s: a session that waits for the answer, or NULL. */
static ngx_int_t
ngx_im_move_ask(ngx_im_worker_t *w, im_topic_t *topic, ngx_im_session_t *s,
    im_str_t answer)
{
    ngx_im_move_ask_t  *ask;

    ask = im_calloc(sizeof(ngx_im_move_ask_t));
    if (ask == NULL) {
        return NGX_ERROR;
    }

    im_buf_init(&ask->name, IM_TOPIC_MAX);
    im_buf_add_str(&ask->name, im_topic_name(topic));
    im_buf_init(&ask->answer, answer.len);
    im_buf_add_str(&ask->answer, answer);

    if (s != NULL) {
        ask->waits = 1;
        ask->session = ngx_im_session_handle(s);
    }

    if (ask->name.failed || ask->answer.failed
        || (s != NULL && ngx_im_session_ext(s) == NULL)
        || im_link_members_ask(w->members, im_topic_name(topic),
                               IM_LINK_MEMBERS_COUNTS, ngx_current_msec,
                               ngx_im_move_counted, ask)
           != IM_OK)
    {
        ngx_im_move_ask_free(ask);
        return NGX_ERROR;
    }

    if (s != NULL) {
        ngx_im_session_asks(s);
    }

    return NGX_OK;
}


/*
 * Followers here are counted as they are; those elsewhere are asked for now and
 * then, once Redis knows those here.  While some move away, all are as many as
 * there were.
 */
static uint64_t
ngx_im_move_followers(ngx_im_worker_t *w, im_topic_t *topic)
{
    uint64_t         n;
    ngx_im_topic_t  *t;

    t = ngx_im_topic_get(topic);
    if (t == NULL) {
        return topic->nsubs;
    }

    if ((t->counted == 0
         || ngx_current_msec - t->counted >= NGX_IM_MOVE_COUNT)
        && im_follow_is_up(w->follow, topic->partition))
    {
        t->late = im_follow_report(topic, 1) != IM_OK && !t->late;

        if (!t->late && ngx_im_rate_take(&w->counts, NGX_IM_MOVE_RATE)) {
            t->counted = ngx_current_msec;
            (void) ngx_im_move_ask(w, topic, NULL, im_str_z(""));
        }
    }

    n = t->others + topic->nsubs;

    return ngx_im_lease_holding(w) ? ngx_max(n, t->total) : n;
}


/* It came from another worker, which had a count: it gets the next one. */
static ngx_int_t
ngx_im_move_count_first(ngx_im_session_t *s, im_topic_t *topic,
    im_str_t answer)
{
    ngx_im_topic_t   *t;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    t = s->adopted ? ngx_im_topic_get(topic) : NULL;

    return t != NULL && t->total == 0
           && im_follow_is_up(w->follow, topic->partition)
           ? ngx_im_move_ask(w, topic, s, answer) : NGX_DECLINED;
}


ngx_int_t
ngx_im_move_count(ngx_im_session_t *s, const im_command_t *command)
{
    im_sub_t  *sub;

    sub = ngx_im_move_room(s);

    if (sub == NULL) {
        return ngx_im_move_reply_count(s, command->answer, 0);
    }

    return ngx_im_move_count_first(s, sub->log->topic, command->answer)
           == NGX_OK
           ? NGX_OK
           : ngx_im_move_reply_count(s, command->answer,
                                     ngx_im_move_followers(ngx_im_worker,
                                                         sub->log->topic));
}


/* A session came from another worker, where it was counted. */
void
ngx_im_move_adopted(ngx_im_session_t *s)
{
    im_sub_t        *sub;
    ngx_im_topic_t  *t;

    for (sub = s->subs; sub != NULL; sub = ngx_im_sub_next(sub)) {
        t = im_followed(sub->log->topic)->data;

        if (t != NULL && t->others > 0) {
            t->others--;
        }
    }
}


/* NGX_AGAIN: the way into it is not answered yet. */
static ngx_int_t
ngx_im_move_leave(ngx_im_session_t *s, im_sub_t *sub)
{
    ngx_int_t       rc;
    ngx_im_join_t  *join;

    join = ngx_im_sub_joining(sub);
    rc = NGX_OK;

    if (join != NULL) {
        if (!ngx_im_follow_apart(ngx_im_worker,
                                 im_topic_name(sub->log->topic)))
        {
            return NGX_AGAIN;
        }

        rc = join->kind == NGX_IM_JOIN_COMMAND
             ? ngx_im_move_reply(s, join->data) : NGX_OK;
    }

    if (rc == NGX_OK) {
        ngx_im_sub_leave(s, sub);
    }

    return rc;
}


/* Why it may not go there; NULL: it may. */
static const char *
ngx_im_move_refused(ngx_im_session_t *s, im_str_t room, im_str_t topic)
{
    const char         *why;
    im_reason_e         reason;
    ngx_im_identity_t   id;

    ngx_memzero(&id, sizeof(ngx_im_identity_t));

    id.user = ngx_im_session_user_id(s);

    id.rooms = ngx_im_session_said(s, rooms);

    why = ngx_im_identity_room(s, &id, room, &reason);

    if (why == NULL && ngx_im_session_full(s)) {
        why = "too many topics";
    }

    if (why == NULL && ngx_im_admit_room(s, topic) != NGX_OK) {
        why = "too many new rooms";
    }

    return why;
}


/*
 * The answer follows when messages of the room arrive; at once where its server
 * is away, for it may be so for long.
 */
static ngx_int_t
ngx_im_move_enter(ngx_im_session_t *s, const im_command_t *command,
    im_str_t topic)
{
    ngx_uint_t      apart;
    const char     *why;
    ngx_im_join_t  *join;

    why = ngx_im_move_refused(s, command->room, topic);

    if (why != NULL) {
        ngx_log_error(NGX_LOG_INFO, ngx_im_worker->log, 0,
                      "im: a client can't go to room \"%*s\": %s",
                      im_name_valid(command->room) ? command->room.len : 0,
                      command->room.data, why);

        return ngx_im_move_reply(s, command->answer);
    }

    apart = ngx_im_follow_apart(ngx_im_worker, topic);
    join = apart ? NULL : ngx_im_sub_create_join(NGX_IM_JOIN_COMMAND,
                                                 command->answer);

    if ((join == NULL && !apart)
        || ngx_im_sub_join(s, topic, join, 0) == NULL)
    {
        return ngx_im_session_close(s, IM_REASON_BUSY, "can't join now");
    }

    return apart ? ngx_im_move_reply(s, command->answer) : NGX_OK;
}


ngx_int_t
ngx_im_move_command(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t    b;
    im_sub_t   *sub;
    ngx_int_t   rc;

    rc = NGX_OK;
    sub = ngx_im_move_room(s);

    im_buf_init(&b, IM_TOPIC_MAX + command->room.len);
    im_topic_room(&b, command->room);

    if (b.failed) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
    }

    if (sub != NULL) {
        rc = im_str_eq(im_topic_name(sub->log->topic), im_buf_str(&b))
             && ngx_im_sub_joining(sub) == NULL
             ? NGX_DONE : ngx_im_move_leave(s, sub);
    }

    if (rc == NGX_DONE || (rc == NGX_OK && command->room.len == 0)) {
        rc = ngx_im_move_reply(s, command->answer);

    } else if (rc == NGX_OK) {
        rc = ngx_im_move_enter(s, command, im_buf_str(&b));
    }

    im_buf_cleanup(&b);

    return rc;
}


/* Too many operations, or sets of them, change nothing. */
ngx_int_t
ngx_im_move_accept(ngx_im_session_t *s, const im_command_t *command)
{
    uint16_t          accept;
    ngx_int_t         rc;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    accept = im_accepts_get(&w->accepts, s->accept, command->ops,
                            command->nops,
                            command->type == IM_COMMAND_ACCEPT);

    rc = accept == 0 || accept == s->accept
         ? NGX_DECLINED : ngx_im_sub_filter(s, accept);

    if (rc == NGX_DECLINED) {
        if (accept == 0) {
            ngx_log_error(NGX_LOG_INFO, w->log, 0,
                          "im: a client's operations stay as they were: too "
                          "many of them, or sets of this worker");
        }

        im_accepts_unref(&w->accepts, accept);

    } else {
        im_accepts_unref(&w->accepts, s->accept);
        s->accept = accept;
    }

    return rc == NGX_ERROR ? NGX_ERROR
                           : ngx_im_move_reply(s, command->answer);
}
