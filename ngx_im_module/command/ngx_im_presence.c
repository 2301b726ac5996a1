/*
 * Copyright (C) The im authors
 *
 * Joins and leaves of a room, pushed to followers that asked for them, if the
 * rule of the room has presence.
 *
 * Sessions of this worker hear at once of each other.  Other workers get a
 * control entry with the change of members, some time later.  A session that
 * comes from another worker meanwhile gets those that have not gone out.
 * Pushes are hints: of very many changes some are dropped.
 */

#include "ngx_im_presence.h"
#include "ngx_im_topic.h"
#include "ngx_im_reply.h"
#include "ngx_im_send.h"
#include "im_follow.h"
#include "im_id.h"


#define NGX_IM_PRESENCE_RATE  200            /* pushes a second, of a room */


/* A follower that came from another worker. */
typedef struct {
    ngx_im_session_t  *session;
    im_sub_t          *sub;
} ngx_im_presence_t;


/* Some followers asked for joins and leaves. */
static int
ngx_im_presence_wanted(im_topic_t *topic)
{
    im_log_t  *log;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (log->nsubs > 0 && im_wire(log->wire).form->presence != NULL) {
            return 1;
        }
    }

    return 0;
}


/* It may be called during a walk over sessions: the flush comes later. */
static void
ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_member_t *m, int joined)
{
    im_buf_t        *b;
    im_log_t        *log;
    im_wire_t        wire;
    im_reply_t       reply;
    ngx_im_topic_t  *t;

    t = ngx_im_topic_get(topic);

    if (t == NULL || !ngx_im_rate_take(&t->pushes, NGX_IM_PRESENCE_RATE)) {
        return;
    }

    ngx_im_reply_init(&reply, joined ? IM_REPLY_PUSH_JOIN
                                     : IM_REPLY_PUSH_LEAVE, 0);
    reply.topic = im_topic_name(topic);
    reply.clients = m;
    reply.nclients = 1;

    for (log = topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->presence == NULL) {
            continue;
        }

        b = ngx_im_send_buffer(w, &w->deflate.shared);
        wire.form->presence(b, wire.transport, &reply);

        if (!b->failed) {
            (void) ngx_im_send_log(w, log, im_buf_str(b), 0);
        }
    }

    if (!w->flush_event.posted) {
        ngx_post_event(&w->flush_event, &ngx_posted_events);
    }
}


void
ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined)
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


/* NGX_DECLINED: it has left meanwhile. */
static ngx_int_t
ngx_im_presence_joined(const im_change_t *change, im_topic_t *topic,
    u_char *id, im_member_t *m)
{
    im_sub_t          *sub;
    ngx_im_session_t  *s;

    s = ngx_im_session_find(ngx_im_worker, change->session);
    sub = s != NULL ? ngx_im_session_find_sub(s, im_topic_name(topic)) : NULL;

    if (sub == NULL) {
        return NGX_DECLINED;
    }

    ngx_im_session_member(s, sub, id, m);

    return NGX_OK;
}


static void
ngx_im_presence_missed(void *data, const im_change_t *change, int joined)
{
    u_char              id[IM_UUID_LEN];
    im_buf_t            arena, *b;
    im_wire_t           wire;
    im_reply_t          reply;
    im_member_t         m;
    ngx_int_t           rc;
    ngx_im_presence_t  *p;

    p = data;

    if (change->quiet || p->session->phase >= NGX_IM_ENDING) {
        return;
    }

    im_buf_init(&arena, 2 * change->len + 1);

    if (joined) {
        rc = ngx_im_presence_joined(change, p->sub->log->topic, id, &m);

    } else {
        rc = im_member_decode(im_str_set((u_char *) change->member,
                                         change->len), &arena, &m);
        im_id_uuid(id, change->id);
        m.session = im_str_set(id, IM_UUID_LEN);
    }

    if (rc == NGX_OK) {
        wire = im_wire(p->sub->log->wire);

        ngx_im_reply_init(&reply, joined ? IM_REPLY_PUSH_JOIN
                                         : IM_REPLY_PUSH_LEAVE, 0);
        reply.topic = im_topic_name(p->sub->log->topic);
        reply.clients = &m;
        reply.nclients = 1;

        b = ngx_im_send_buffer(ngx_im_worker, &ngx_im_worker->deflate.single);
        wire.form->presence(b, wire.transport, &reply);

        if (!b->failed) {
            (void) ngx_im_send_reply(p->session, im_buf_str(b));
        }
    }

    im_buf_cleanup(&arena);
}


void
ngx_im_presence_adopted(ngx_im_session_t *s)
{
    ngx_im_presence_t  p;

    p.session = s;

    for (p.sub = s->subs; p.sub; p.sub = ngx_im_sub_next(p.sub)) {

        if (im_followed(p.sub->log->topic)->presence
            && im_wire(p.sub->log->wire).form->presence != NULL)
        {
            im_follow_each_change(p.sub->log->topic, ngx_im_presence_missed,
                                  &p);
        }
    }
}


void
ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control)
{
    int          joined;
    im_buf_t     arena;
    im_str_t     json;
    ngx_uint_t   i;
    im_member_t  m;

    if (!ngx_im_presence_wanted(topic)) {
        return;
    }

    for (i = 0; i < control->changes.n; i++) {
        json = control->changes.elts[i];

        im_buf_init(&arena, 2 * json.len);

        if (im_control_change_decode(json, &arena, &joined, &m) == IM_OK) {
            ngx_im_presence_push(w, topic, &m, joined);
        }

        im_buf_cleanup(&arena);
    }
}
