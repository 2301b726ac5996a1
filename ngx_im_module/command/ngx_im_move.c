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
#include "ngx_im_follow.h"
#include "ngx_im_identity.h"
#include "ngx_im_reply.h"
#include "ngx_im_sub.h"
#include "ngx_im_topic.h"
#include "im_key.h"
#include "im_link_members.h"


#define NGX_IM_MOVE_COUNT  10000     /* ms: a count is as old at most */
#define NGX_IM_MOVE_RATE   200       /* rooms that are counted in a second */


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


/* The topic may have ended meanwhile. */
static void
ngx_im_move_counted(const im_members_t *members, void *data)
{
    im_buf_t        *name;
    im_topic_t      *topic;
    ngx_im_topic_t  *t;

    name = data;
    topic = im_hub_topic(&ngx_im_worker->hub, im_buf_str(name));
    t = topic != NULL && members != NULL ? ngx_im_topic_get(topic) : NULL;

    if (t != NULL) {
        t->others = members->count > topic->nsubs
                    ? members->count - topic->nsubs : 0;
    }

    im_buf_cleanup(name);
    im_free(name);
}


static void
ngx_im_move_ask(ngx_im_worker_t *w, im_topic_t *topic)
{
    im_buf_t  *name;

    name = im_alloc(sizeof(im_buf_t));
    if (name == NULL) {
        return;
    }

    im_buf_init(name, IM_TOPIC_MAX);
    im_buf_add_str(name, im_topic_name(topic));

    if (name->failed
        || im_link_members_ask(w->members, im_topic_name(topic),
                               IM_LINK_MEMBERS_COUNTS, ngx_current_msec,
                               ngx_im_move_counted, name)
           != IM_OK)
    {
        im_buf_cleanup(name);
        im_free(name);
    }
}


/*
 * Followers here are counted as they are; those elsewhere are asked for now and
 * then, once Redis knows those here.
 */
static uint64_t
ngx_im_move_followers(ngx_im_worker_t *w, im_topic_t *topic)
{
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
            ngx_im_move_ask(w, topic);
        }
    }

    return t->others + topic->nsubs;
}


ngx_int_t
ngx_im_move_count(ngx_im_session_t *s, const im_command_t *command)
{
    im_sub_t    *sub;
    im_reply_t   reply;

    ngx_im_reply_init(&reply, IM_REPLY_COUNT, 0);
    reply.data = command->answer;

    sub = ngx_im_move_room(s);

    if (sub != NULL) {
        reply.nclients = ngx_im_move_followers(ngx_im_worker,
                                               sub->log->topic);
    }

    return ngx_im_reply_send(s, &reply);
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
