/*
 * Copyright (C) The im authors
 *
 * A session opens: its identity is known, and the topics that come with it are
 * joined.
 */

#include "ngx_im_identity.h"
#include "ngx_im_admit.h"
#include "ngx_im_client.h"
#include "ngx_im_expiry.h"
#include "ngx_im_opening.h"
#include "ngx_im_reply.h"
#include "ngx_im_resume.h"
#include "ngx_im_revoke.h"
#include "ngx_im_sub.h"
#include "im_ask.h"
#include "im_key.h"
#include "im_utf8.h"


const char *
ngx_im_identity_room(ngx_im_session_t *s, const ngx_im_identity_t *id,
    im_str_t room, im_reason_e *reason)
{
    const im_rule_t  *rule;

    *reason = IM_REASON_BAD_REQUEST;

    rule = im_name_valid(room)
           ? im_rules_room(&s->class->conf->main->rules, room) : NULL;

    if (rule == NULL) {
        return "no such room";
    }

    *reason = IM_REASON_FORBIDDEN;

    if (room.data[0] == '$' || rule->join == IM_RULE_JOIN_TOKEN) {
        return "the room is for clients with a token for it";
    }

    if (rule->join == IM_RULE_JOIN_USER && id->user.len == 0) {
        return "the room is for signed-in users";
    }

    if (!im_ask_room_allowed(id->rooms, room)) {
        return "the room is not allowed";
    }

    return NULL;
}


/*
 * Why the client can't have the rooms that it brought; NULL: it can, or does
 * without those that it may not join.
 */
static const char *
ngx_im_identity_rooms(ngx_im_session_t *s, const ngx_im_identity_t *id,
    im_reason_e *reason)
{
    ngx_uint_t    i;
    const char   *why;
    im_resume_t  *resume;

    why = id->room.len > 0 ? ngx_im_identity_room(s, id, id->room, reason)
                           : NULL;

    for (i = 0; s->ext != NULL && why == NULL && i < s->ext->nresumes; i++) {
        resume = &s->ext->resumes[i];

        if (resume->topic.len < 2 || resume->topic.data[0] != 'r') {
            resume->join = 0;
        }

        if (!resume->join) {
            continue;
        }

        why = ngx_im_identity_room(s, id,
                                   im_str_set(resume->topic.data + 2,
                                              resume->topic.len - 2),
                                   reason);

        if (why != NULL && *reason == IM_REASON_FORBIDDEN
            && s->class->proto->partial)
        {
            resume->join = 0;
            why = NULL;
        }
    }

    return why;
}


/*
 * Room for one more session of the user at this worker.  Sessions that end hold
 * no place.
 */
static ngx_int_t
ngx_im_identity_place(ngx_im_session_t *s, im_user_t *u)
{
    im_list_t         *q;
    ngx_uint_t         n, max;
    ngx_im_session_t  *other;

    max = s->class->conf->main->max_sessions_per_user;

    if (u == NULL || max == 0 || u->nsessions < max) {
        return NGX_OK;
    }

    n = 0;

    im_list_each(q, &u->sessions) {
        other = ngx_im_session_linked(q);
        n += other->phase == NGX_IM_OPEN;
    }

    if (n < max) {
        return NGX_OK;
    }

    if (s->class->conf->policy != NGX_IM_POLICY_NEWEST) {
        return NGX_BUSY;
    }

    /* they stand in the order in which they opened */

    im_list_each(q, &u->sessions) {
        other = ngx_im_session_linked(q);

        if (other->phase == NGX_IM_OPEN) {
            (void) ngx_im_session_close(other, IM_REASON_REPLACED,
                                        "replaced by a newer session");
            if (n-- == max) {
                break;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_identity_user(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    int               first;
    ngx_im_known_t   *known;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (ngx_im_identity_place(s, im_hub_user(&w->hub, id->user)) != NGX_OK) {
        return NGX_BUSY;
    }

    known = ngx_im_session_known_as(s, im_utf8_cut(id->name, 255),
                                    id->login.len == IM_ASK_LOGIN
                                        ? id->login : im_str_set("", 0));
    if (known == NULL) {
        return NGX_ERROR;
    }

    known->user = im_hub_user_add(&w->hub, id->user, &known->link, &first);

    if (known->user == NULL) {
        return NGX_ERROR;
    }

    if (first) {
        w->nusers++;
        w->counters->users = w->nusers;
    }

    return NGX_OK;
}


/* What only clients with answers need is kept for no other. */
static ngx_int_t
ngx_im_identity_keep(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    ngx_im_about_t  *about;

    if (s->ext != NULL
        && (id->info.len > 0 || id->meta.len > 0 || id->rooms.len > 0))
    {
        about = ngx_im_session_about(s);

        if (about == NULL
            || ngx_im_session_keep(&about->info, id->info) != NGX_OK
            || ngx_im_session_keep(&about->meta, id->meta) != NGX_OK
            || ngx_im_session_keep(&about->rooms, id->rooms) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (id->expires) {
        ngx_im_expiry_session(s, id->expires);
    }

    return s->ext == NULL || id->data.len == 0
           ? NGX_OK : ngx_im_session_copy(&s->ext->data, id->data);
}


/* "u:" is the inbox of any user. */
static const im_resume_t *
ngx_im_identity_resume(ngx_im_session_t *s, im_str_t topic)
{
    im_str_t       name;
    ngx_uint_t     i;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    for (i = 0; i < ext->nresumes; i++) {
        name = ext->resumes[i].topic;

        if (im_str_eq(name, topic)
            || (name.len == 2 && topic.data[0] == 'u' && name.data[0] == 'u'))
        {
            return &ext->resumes[i];
        }
    }

    return NULL;
}


/* How it begins for a client that hears of it; NULL: no memory. */
static ngx_im_join_t *
ngx_im_identity_join(ngx_im_session_t *s, im_str_t topic,
    const im_jwt_sub_t *as)
{
    ngx_im_ext_t       *ext;
    ngx_im_join_t      *join;
    const im_resume_t  *resume;

    ext = s->ext;

    join = ngx_im_sub_create_join(ext->connecting ? NGX_IM_JOIN_CONNECT
                                                  : NGX_IM_JOIN_COMMAND,
                                  as != NULL ? as->data : im_str_set("", 0));
    if (join == NULL) {
        return NULL;
    }

    resume = ngx_im_identity_resume(s, topic);

    if (resume != NULL) {
        join->last = resume->last;
    }

    if (resume != NULL && resume->recover) {
        ngx_im_sub_since(join, &resume->since);
    }

    ext->nsubs += ext->connecting;

    return join;
}


/*
 * Joins a topic for the client; as: what a token says of it, or NULL.
 * NGX_DECLINED: it follows too many.
 */
static ngx_int_t
ngx_im_identity_follow(ngx_im_session_t *s, im_str_t topic,
    const im_jwt_sub_t *as)
{
    im_sub_t       *sub;
    ngx_im_ext_t   *ext;
    ngx_im_join_t  *join;

    if (s->phase != NGX_IM_OPEN
        || ngx_im_session_find_sub(s, topic) != NULL)
    {
        return NGX_OK;
    }

    if (topic.len > 1 && ngx_im_session_full(s)) {
        return NGX_DECLINED;
    }

    if (ngx_im_admit_room(s, topic) != NGX_OK) {
        return NGX_ERROR;
    }

    join = NULL;
    ext = s->ext;

    if (ext != NULL && (ext->connecting || ext->begins)) {
        join = ngx_im_identity_join(s, topic, as);
        if (join == NULL) {
            return NGX_ERROR;
        }
    }

    sub = ngx_im_sub_join(s, topic, join,
                          NGX_IM_SUB_SERVER|NGX_IM_SUB_CONNECT
                          | (as != NULL ? ngx_im_sub_override(as->override)
                                        : 0));

    if (sub == NULL) {
        return NGX_ERROR;
    }

    if (as != NULL) {
        ngx_im_session_set_sub_info(sub, as->info);
    }

    return NGX_OK;
}


/* A key is of one session: those that had it end. */
static void
ngx_im_identity_replace(im_topic_t *topic)
{
    im_sub_t   *sub;
    im_logs_t  *logs;

    logs = &ngx_im_worker->hub.logs;

    for (sub = im_topic_next_sub(logs, topic, NULL);
         sub != NULL;
         sub = im_topic_next_sub(logs, topic, sub))
    {
        (void) ngx_im_session_close(ngx_im_sub_session(sub), IM_REASON_REPLACED,
                                    "replaced by a session with the same key");
    }
}


static ngx_int_t
ngx_im_identity_key(ngx_im_session_t *s, im_buf_t *b)
{
    im_topic_t  *topic;

    if (s->ext == NULL || s->ext->key.len == 0) {
        return NGX_OK;
    }

    im_buf_reset(b, b->size);
    im_topic_key(b, s->ext->key);

    topic = im_hub_topic(&ngx_im_worker->hub, im_buf_str(b));

    if (topic != NULL) {
        ngx_im_identity_replace(topic);
    }

    (void) ngx_im_session_copy(&s->ext->key, im_str_set(NULL, 0));

    return ngx_im_identity_follow(s, im_buf_str(b), NULL);
}


static ngx_uint_t
ngx_im_identity_history(ngx_im_session_t *s, im_str_t topic)
{
    const im_rule_t  *rule;

    rule = im_rules_topic(&s->class->conf->main->rules, topic);

    return rule != NULL && rule->history > 0;
}


/*
 * Messages have their positions where no topic but the first room has a
 * history.  Else one message can't say where the client is.
 */
static void
ngx_im_identity_positions(ngx_im_session_t *s)
{
    ngx_uint_t     i;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (ext == NULL || !(s->class->proto->ids & s->class->transport->kind)) {
        return;
    }

    s->positions =
        !ngx_im_identity_history(s, im_str_z("b"))
        && (ngx_im_session_user(s) == NULL
            || !ngx_im_identity_history(s, im_str_z("u:")));

    for (i = 1; i < ext->nresumes; i++) {
        if (ext->resumes[i].join
            && ngx_im_identity_history(s, ext->resumes[i].topic))
        {
            s->positions = 0;
        }
    }

    if (!s->positions && s->class->transport->fields != NULL) {
        ext->mark = NGX_IM_MARK_DUE;
    }
}


static ngx_int_t
ngx_im_identity_topics(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    im_buf_t       b;
    ngx_int_t      rc;
    ngx_uint_t     i;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    ngx_im_identity_positions(s);

    im_buf_init(&b, IM_TOPIC_MAX);

    rc = NGX_OK;

    if (s->class->conf->main->rules.has_broadcast) {
        rc = ngx_im_identity_follow(s, im_str_z("b"), NULL);
    }

    if (rc == NGX_OK && ngx_im_session_user(s) != NULL) {
        im_topic_user(&b, id->user);
        rc = ngx_im_identity_follow(s, im_buf_str(&b), NULL);
    }

    if (rc == NGX_OK && id->room.len > 0) {
        im_buf_reset(&b, b.size);
        im_topic_room(&b, id->room);
        rc = ngx_im_identity_follow(s, im_buf_str(&b), NULL);
    }

    if (rc == NGX_OK) {
        rc = ngx_im_identity_key(s, &b);
    }

    for (i = 0; rc == NGX_OK && i < id->nsubs; i++) {
        im_buf_reset(&b, b.size);
        im_topic_room(&b, id->subs[i].channel);
        rc = ngx_im_identity_follow(s, im_buf_str(&b), &id->subs[i]);
    }

    for (i = 0; rc == NGX_OK && ext != NULL && i < ext->nresumes; i++) {
        if (ext->resumes[i].join) {
            rc = ngx_im_identity_follow(s, ext->resumes[i].topic, NULL);
        }
    }

    im_buf_cleanup(&b);

    return rc;
}


/* Why it may not be, or NULL; then the session is among those of its user. */
static const char *
ngx_im_identity_enter(ngx_im_session_t *s, const ngx_im_identity_t *id,
    im_reason_e *reason)
{
    const char  *why;

    why = ngx_im_identity_rooms(s, id, reason);

    if (why != NULL) {
        return why;
    }

    if (id->user.len && ngx_im_revoked(ngx_im_worker, id->user)) {
        *reason = IM_REASON_KICKED;
        return "the user is kept out";
    }

    if (id->user.len && ngx_im_identity_user(s, id) != NGX_OK) {
        *reason = IM_REASON_LIMIT;
        return "too many sessions of this user";
    }

    return NULL;
}


void
ngx_im_identity_open(ngx_im_session_t *s, const ngx_im_identity_t *id)
{
    ngx_int_t    rc;
    const char  *why;
    im_reason_e  reason;

    why = ngx_im_identity_enter(s, id, &reason);

    if (why != NULL) {
        ngx_im_session_close(s, reason, why);
        return;
    }

    ngx_im_session_phase(s, NGX_IM_OPEN);

    if (s->ext != NULL && s->ext->connecting) {
        ngx_im_session_deadline(s, ngx_im_session_patience(s->class->conf));

    } else {
        ngx_im_ping_start(s);
    }

    rc = ngx_im_identity_keep(s, id);

    if (rc == NGX_OK) {
        rc = ngx_im_identity_topics(s, id);
    }

    if (rc == NGX_DECLINED) {
        ngx_im_session_close(s, IM_REASON_FORBIDDEN, "too many topics");
        return;
    }

    if (rc != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_BUSY, "can't join now");
        return;
    }

    if (s->ext != NULL && !s->ext->connecting) {
        ngx_im_session_resumed(s);
    }

    /* without commands there are no more questions about it */

    if (!s->class->proto->commands) {
        ngx_im_opening_unref(ngx_im_worker, s->opening);
        s->opening = NULL;
    }

    ngx_im_session_spare(s);

    ngx_im_resume_apart_session(s);
    ngx_im_resume_opened(s);
}


/*
 * Why it may not stay in a room; NULL: it may.  Whether it had a token for it
 * isn't known any more.
 */
static const char *
ngx_im_identity_left_out(ngx_im_session_t *s, im_str_t room,
    im_reason_e *reason)
{
    const im_rule_t  *rule;

    rule = im_rules_room(&s->class->conf->main->rules, room);

    if (rule == NULL) {
        *reason = IM_REASON_BAD_REQUEST;
        return "no such room";
    }

    if (rule->join == IM_RULE_JOIN_USER && ngx_im_session_user(s) == NULL) {
        *reason = IM_REASON_FORBIDDEN;
        return "the room is for signed-in users";
    }

    return NULL;
}


/* NGX_AGAIN: other subscriptions are to be looked at anew. */
static ngx_int_t
ngx_im_identity_stay(ngx_im_session_t *s, im_sub_t *sub)
{
    im_str_t      topic;
    const char   *why;
    im_reason_e   reason;

    topic = im_topic_name(sub->log->topic);

    if (topic.data[0] == 'b' && !s->class->conf->main->rules.has_broadcast) {
        ngx_im_sub_leave(s, sub);
        return NGX_AGAIN;
    }

    why = topic.data[0] == 'r'
          ? ngx_im_identity_left_out(s, im_str_set(topic.data + 2,
                                                   topic.len - 2), &reason)
          : NULL;

    if (why == NULL) {
        return NGX_OK;
    }

    if (sub->flags & NGX_IM_SUB_SERVER || !s->class->proto->commands) {
        return ngx_im_session_close(s, reason, why);
    }

    return ngx_im_reply_unsubscribe(s, sub, IM_UNSUBSCRIBED_SERVER,
                                    im_str_z(why)) == NGX_OK
           ? NGX_AGAIN : NGX_ERROR;
}


void
ngx_im_identity_adopted(ngx_im_session_t *s)
{
    im_sub_t            *sub;
    ngx_int_t            rc;
    const im_rules_t    *rules;

    if (!s->class->proto->topics || s->phase != NGX_IM_OPEN) {
        return;
    }

    rules = &s->class->conf->main->rules;
    sub = s->subs;

    while (sub != NULL) {
        rc = ngx_im_identity_stay(s, sub);

        if (rc == NGX_ERROR) {
            return;
        }

        sub = rc == NGX_AGAIN ? s->subs : ngx_im_sub_next(sub);
    }

    if (s->nsubs > s->class->conf->main->topics_per_session
                   + rules->has_broadcast)
    {
        ngx_im_session_close(s, IM_REASON_FORBIDDEN, "too many topics");
        return;
    }

    if (rules->has_broadcast
        && ngx_im_session_find_sub(s, im_str_z("b")) == NULL
        && ngx_im_sub_join(s, im_str_z("b"), NULL,
                           NGX_IM_SUB_SERVER|NGX_IM_SUB_CONNECT)
           == NULL)
    {
        ngx_im_session_close(s, IM_REASON_BUSY, "can't join now");
    }
}


int
ngx_im_identity_may(ngx_im_session_t *s, im_str_t room)
{
    return s->known == NULL
           || im_ask_room_allowed(ngx_im_session_said(s, rooms), room);
}
