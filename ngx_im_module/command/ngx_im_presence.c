/*
 * Copyright (C) The im authors
 *
 * Who comes to a room and goes, told to those who asked for it, where the
 * room's rule has presence.
 *
 * Sessions of this worker are told of one another at once, other workers by
 * the control entry that goes with the change of members.  It is a hint: of
 * very many changes not all are told.
 */

#include "ngx_im_sync.h"


#define NGX_IM_PRESENCE_RATE  200            /* pushes a second, of a room */


static size_t ngx_im_presence_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change);
static void ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_member_t *m, int joined);
static int ngx_im_presence_wanted(im_topic_t *topic);
static int ngx_im_presence_allowed(ngx_im_route_t *route);


void
ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined)
{
    u_char             id[IM_UUID_LEN];
    im_topic_t        *topic;
    im_member_t        m;
    ngx_im_route_t    *route;
    ngx_im_session_t  *s;

    s = sub->session;
    topic = sub->log->topic;
    route = topic->data;

    if (route == NULL || !route->presence || !ngx_im_presence_wanted(topic)) {
        return;
    }

    ngx_im_session_member(s, sub, id, &m);
    ngx_im_presence_push(w, topic, &m, joined);
}


/* Some log of the topic is of who asked for it. */
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


/* It may be called amid a walk over sessions: the flush comes later. */
static void
ngx_im_presence_push(ngx_im_worker_t *w, im_topic_t *topic,
    const im_member_t *m, int joined)
{
    im_log_t    *log;
    im_wire_t    wire;
    im_reply_t   reply;

    if (!ngx_im_presence_allowed(topic->data)) {
        return;
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = joined ? IM_REPLY_PUSH_JOIN : IM_REPLY_PUSH_LEAVE;
    reply.topic = im_topic_name(topic);
    reply.clients = m;
    reply.nclients = 1;

    for (log = topic->logs; log != NULL; log = log->next) {

        wire = im_wire(log->wire);

        if (log->nsubs == 0 || wire.form->presence == NULL) {
            continue;
        }

        im_buf_reset(&w->scratch, 65536);
        wire.form->presence(&w->scratch, wire.transport, &reply);

        if (!w->scratch.failed) {
            (void) ngx_im_send_log(w, log, im_buf_str(&w->scratch), 0);
        }
    }

    if (!w->flush_event.posted) {
        ngx_post_event(&w->flush_event, &ngx_posted_events);
    }
}


static int
ngx_im_presence_allowed(ngx_im_route_t *route)
{
    if (route->push_time != ngx_time()) {
        route->push_time = ngx_time();
        route->npushes = 0;
    }

    return route->npushes++ < NGX_IM_PRESENCE_RATE;
}


/* Appends a control entry; without changes where there is too much to tell. */
void
ngx_im_presence_encode(im_buf_t *b, ngx_im_route_t *route)
{
    size_t         len;
    u_char        *p;
    im_buf_t       bytes;
    im_str_t       changes[IM_CONTROL_CHANGES_MAX];
    im_list_t     *q;
    ngx_uint_t     i, n;
    ngx_time_t    *now;
    im_control_t   control;

    now = ngx_timeofday();

    im_control_init(&control, IM_CONTROL_CHANGES);
    im_buf_init(&bytes, NGX_IM_CHANGE_BYTES);

    if (route->presence && route->nchanges <= IM_CONTROL_CHANGES_MAX
        && (!route->assert || !route->told))
    {
        n = 0;

        for (q = im_list_first(&route->changes);
             q != im_list_sentinel(&route->changes);
             q = im_list_next(q))
        {
            len = ngx_im_presence_one(&bytes, route,
                                      im_list_data(q, ngx_im_change_t, link));
            if (len > 0) {
                changes[n++].len = len;
            }
        }

        for (i = 0, p = bytes.data; i < n; p += changes[i++].len) {
            changes[i].data = p;
        }

        control.changes.elts = changes;
        control.changes.n = bytes.failed ? 0 : n;
    }

    im_control_encode(b, &control, (uint64_t) now->sec * 1000 + now->msec);

    im_buf_cleanup(&bytes);
}


/*
 * Appends a change; its length.  A session that left before others knew of it
 * has never been there.
 */
static size_t
ngx_im_presence_one(im_buf_t *b, ngx_im_route_t *route,
    ngx_im_change_t *change)
{
    u_char     id[IM_UUID_LEN];
    size_t     start;
    im_buf_t   member;
    im_sub_t  *sub;

    start = b->len;

    im_buf_init(&member, NGX_IM_CHANGE_BYTES);

    if (change->joined) {
        sub = ngx_im_route_joined(route, change);

        if (sub != NULL) {
            ngx_im_route_describe(&member, route, sub);
        }

    } else {
        im_buf_add(&member, change->member, change->len);
    }

    if (member.failed) {
        b->failed = 1;

    } else if (member.len > 0) {
        im_id_uuid(id, change->id);
        im_control_change_encode(b, change->joined,
                                 im_str_set(id, IM_UUID_LEN),
                                 im_buf_str(&member));
    }

    im_buf_cleanup(&member);

    return b->len - start;
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
