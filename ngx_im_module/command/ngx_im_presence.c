/*
 * Copyright (C) The im authors
 *
 * Joins and leaves of a room, pushed to followers that asked for them, if the
 * rule of the room has presence.
 *
 * Sessions of this worker hear at once of each other.  Other workers get a
 * control entry with the change of members, some time later.  While sessions
 * move, those of this worker hear of each other by that entry, too.
 *
 * n clients that come to a room at once would make n * n pushes: above
 * im_limit joins= some changes are left out.
 */

#include "ngx_im_presence.h"
#include "ngx_im_budget.h"
#include "ngx_im_topic.h"
#include "ngx_im_reply.h"
#include "ngx_im_send.h"
#include "im_id.h"


#define NGX_IM_PRESENCE_LEAST  200    /* changes a second, of a room, go */


/* Followers that asked for joins and leaves. */
static ngx_uint_t
ngx_im_presence_wanted(im_topic_t *topic)
{
    im_log_t    *log;
    ngx_uint_t   n;

    n = 0;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (im_wire(log->wire).form->presence != NULL) {
            n += log->nsubs;
        }
    }

    return n;
}


static ngx_uint_t
ngx_im_presence_allowed(ngx_im_worker_t *w, ngx_im_topic_t *t)
{
    ngx_uint_t  max, n;

    max = w->conf->joins;

    if (max > 0) {
        n = ngx_im_presence_wanted(t->topic);
        max /= ngx_max(n, 1);
        max = ngx_max(max, NGX_IM_PRESENCE_LEAST);
    }

    if (ngx_im_rate_take(&t->pushes, max)) {
        return 1;
    }

    ngx_im_budget_refused(w, NULL, NGX_IM_REFUSED_JOINS);

    return 0;
}


/* Appends it for clients of a wire. */
static void
ngx_im_presence_encode(im_buf_t *b, im_topic_t *topic, im_wire_t wire,
    const im_member_t *m, int joined)
{
    im_reply_t  reply;

    ngx_im_reply_init(&reply, joined ? IM_REPLY_PUSH_JOIN
                                     : IM_REPLY_PUSH_LEAVE, 0);
    reply.topic = im_topic_name(topic);
    reply.clients = m;
    reply.nclients = 1;

    wire.form->presence(b, wire.transport, &reply);
}


/* It may be called during a walk over sessions: the flush comes later. */
static void
ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_member_t *m, int joined)
{
    im_buf_t        *b;
    im_log_t        *log;
    im_wire_t        wire;
    ngx_im_topic_t  *t;

    t = ngx_im_topic_get(topic);

    if (t == NULL || !ngx_im_presence_allowed(w, t)) {
        return;
    }

    for (log = topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->presence == NULL) {
            continue;
        }

        b = ngx_im_send_buffer(w, &w->deflate.shared);
        ngx_im_presence_encode(b, topic, wire, m, joined);

        if (!b->failed) {
            (void) ngx_im_send_log(w, log, im_buf_str(b), 0);
        }
    }

    if (!w->flush_event.posted) {
        ngx_post_event(&w->flush_event, &ngx_posted_events);
    }
}


static void
ngx_im_presence_sub(ngx_im_worker_t *w, im_sub_t *sub, int joined)
{
    u_char        id[IM_UUID_LEN];
    im_topic_t   *topic;
    im_member_t   m;

    topic = sub->log->topic;

    if ((sub->flags & NGX_IM_SUB_QUIET) || !im_followed(topic)->presence
        || !ngx_im_presence_wanted(topic))
    {
        return;
    }

    ngx_im_session_member(ngx_im_sub_session(sub), sub, id, &m);
    ngx_im_presence_push(w, topic, &m, joined);
}


void
ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined)
{
    if (joined ? !sub->said : !im_follow_late(sub->log->topic)) {
        ngx_im_presence_sub(w, sub, joined);
    }
}


void
ngx_im_presence_joins(void *ctx, im_sub_t *sub)
{
    ngx_im_presence_sub(ctx, sub, 1);
}


void
ngx_im_presence_late(void *ctx, im_topic_t *topic, const im_change_t *change)
{
    u_char       id[IM_UUID_LEN];
    im_buf_t     arena;
    im_member_t  m;

    if (change->quiet || !ngx_im_presence_wanted(topic)) {
        return;
    }

    im_buf_init(&arena, 2 * change->len + 1);

    if (im_member_decode(im_str_set((u_char *) change->member, change->len),
                         &arena, &m)
        == IM_OK)
    {
        im_id_uuid(id, change->id);
        m.session = im_str_set(id, IM_UUID_LEN);

        ngx_im_presence_push(ctx, topic, &m, change->joined);
    }

    im_buf_cleanup(&arena);
}


void
ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control, ngx_uint_t own)
{
    im_buf_t              arena;
    im_str_t              json;
    ngx_uint_t            i;
    im_control_change_t   change;

    if (!ngx_im_presence_wanted(topic)) {
        return;
    }

    for (i = 0; i < control->changes.n; i++) {
        json = control->changes.elts[i];

        im_buf_init(&arena, 2 * json.len);

        if (im_control_change_decode(json, &arena, &change) == IM_OK
            && (!own || change.late))
        {
            ngx_im_presence_push(w, topic, &change.member, change.joined);
        }

        im_buf_cleanup(&arena);
    }
}


void
ngx_im_presence_missed(ngx_im_worker_t *w, im_sub_t *sub, im_str_t envelope,
    im_buf_t *b)
{
    im_buf_t              arena;
    im_str_t              json;
    im_topic_t           *topic;
    ngx_uint_t            i;
    const char           *why;
    im_control_t          control;
    im_control_change_t   change;

    topic = sub->log->topic;

    if (im_wire(sub->log->wire).form->presence == NULL
        || im_control_decode(im_topic_name(topic), envelope, &control, &why)
           != IM_OK)
    {
        return;
    }

    for (i = 0; i < control.changes.n; i++) {
        json = control.changes.elts[i];

        im_buf_init(&arena, 2 * json.len);

        if (im_control_change_decode(json, &arena, &change) == IM_OK) {
            ngx_im_presence_encode(b, topic, im_wire(sub->log->wire),
                                   &change.member, change.joined);
        }

        im_buf_cleanup(&arena);
    }

    im_control_cleanup(&control);
}
