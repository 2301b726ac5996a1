/*
 * Copyright (C) The im authors
 *
 * How subscriptions begin: with an answer, and where the client names a place,
 * with what came behind that.
 *
 * Going live and the answer are one step, so that nothing is missing or twice
 * between them.  The steps are paced: many clients at once don't stall the
 * worker.
 */

#include "ngx_im.h"


#define NGX_IM_RESUME_TURN   5       /* ms */
#define NGX_IM_RESUME_RETRY  50      /* ms */


static void ngx_im_resume_ready(ngx_im_join_t *join);
static void ngx_im_resume_post(ngx_im_worker_t *w);
static ngx_int_t ngx_im_resume_serve(ngx_im_join_t *join);
static void ngx_im_resume_connect(ngx_im_session_t *s);
static void ngx_im_resume_subscribe(ngx_im_session_t *s, ngx_im_join_t *join);
static void ngx_im_resume_begin(ngx_im_join_t *join, im_subscribed_t *begin);
static void ngx_im_resume_live(im_sub_t *sub);
static uint64_t ngx_im_resume_now(void);


void
ngx_im_join_since(ngx_im_join_t *join, const im_position_t *since)
{
    join->recover = 1;
    join->seq = since->seq;

    if (since->epoch.len > IM_EPOCH_MAX) {
        join->epoch.len = 1;
        join->epoch.data[0] = ' ';
        return;
    }

    join->epoch.len = since->epoch.len;

    if (since->epoch.len > 0) {
        ngx_memcpy(join->epoch.data, since->epoch.data, since->epoch.len);
    }
}


void
ngx_im_resume_opened(ngx_im_session_t *s)
{
    ngx_im_join_t  *join;
    ngx_im_more_t  *more;

    more = s->more;
    join = s->everybody.data;

    if (more == NULL || !more->connecting || join == NULL
        || s->phase != NGX_IM_OPEN || --more->nsubs > 0)
    {
        return;
    }

    im_list_insert_tail(&ngx_im_worker->ready, &join->link);
    ngx_im_resume_post(ngx_im_worker);
}


void
ngx_im_resume_add(im_sub_t *sub)
{
    ngx_im_resume_ready(sub->data);
}


static void
ngx_im_resume_ready(ngx_im_join_t *join)
{
    if (join->ready) {
        return;
    }

    join->ready = 1;

    if (join->connect) {
        ngx_im_resume_opened(join->sub->session);
        return;
    }

    im_list_remove(&join->link);
    im_list_insert_tail(&ngx_im_worker->ready, &join->link);
    ngx_im_resume_post(ngx_im_worker);
}


static void
ngx_im_resume_post(ngx_im_worker_t *w)
{
    if (!w->resume_event.posted) {
        ngx_post_event(&w->resume_event, &ngx_posted_events);
    }
}


void
ngx_im_resume_forget(im_sub_t *sub)
{
    ngx_im_join_t  *join;

    join = sub->data;

    if (join == NULL) {
        return;
    }

    sub->data = NULL;

    im_list_remove(&join->link);
    im_free(join);
}


/* Some milliseconds of them, the others in later turns. */
void
ngx_im_resume_handler(ngx_event_t *ev)
{
    uint64_t          end;
    im_list_t         later, *q;
    ngx_im_worker_t  *w;

    w = ev->data;
    end = ngx_im_resume_now() + NGX_IM_RESUME_TURN * 1000;

    im_list_init(&later);

    while (!im_list_empty(&w->ready)) {
        q = im_list_first(&w->ready);

        im_list_remove(q);
        im_list_insert_tail(&later, q);

        if (ngx_im_resume_serve(im_list_data(q, ngx_im_join_t, link))
            == NGX_AGAIN)
        {
            continue;
        }

        if (ngx_im_resume_now() >= end) {
            break;
        }
    }

    if (!im_list_empty(&w->ready)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }

    if (!im_list_empty(&later)) {
        im_list_splice(&w->ready, &later);

        if (!ev->posted) {
            ngx_add_timer(ev, NGX_IM_RESUME_RETRY);
        }
    }
}


/* NGX_AGAIN: the client has to read first what is queued for it. */
static ngx_int_t
ngx_im_resume_serve(ngx_im_join_t *join)
{
    ngx_im_session_t  *s;

    s = join->sub->session;

    if (ngx_im_send_crowded(s)) {
        return NGX_AGAIN;
    }

    if (join->connect) {
        ngx_im_resume_connect(s);

    } else {
        ngx_im_resume_subscribe(s, join);
    }

    if (s->phase == NGX_IM_OPEN) {
        ngx_im_recv_continue(s);
    }

    return NGX_OK;
}


static void
ngx_im_resume_connect(ngx_im_session_t *s)
{
    u_char            id[IM_UUID_LEN];
    im_sub_t         *sub;
    im_reply_t        reply;
    ngx_uint_t        n;
    ngx_im_more_t    *more;
    im_subscribed_t  *subs;

    more = s->more;

    for (n = 0, sub = s->subs; sub; sub = sub->next) {
        n++;
    }

    subs = im_calloc(n * sizeof(im_subscribed_t));

    if (subs == NULL) {
        ngx_im_session_close(s, s->conf->proto->close_busy, "no memory");
        return;
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    for (sub = s->subs; sub; sub = sub->next) {
        ngx_im_resume_begin(sub->data, &subs[reply.nsubs++]);
    }

    im_id_uuid(id, s->peer.id);

    reply.type = IM_REPLY_CONNECT;
    reply.id = more->connect;
    reply.session = im_str_set(id, IM_UUID_LEN);
    reply.data = im_str_set(more->data, more->data_len);
    reply.ping = s->conf->ping / 1000;
    reply.pong = 1;
    reply.subs = subs;

    reply.ttl = ngx_im_session_ttl(s);

    more->connecting = 0;

    for (sub = s->subs; sub; sub = sub->next) {
        ngx_im_resume_live(sub);
    }

    (void) ngx_im_command_reply(s, &reply);

    im_free(subs);

    im_free(more->resumes);
    im_free(more->data);
    more->resumes = NULL;
    more->nresumes = 0;
    more->data = NULL;
}


static void
ngx_im_resume_subscribe(ngx_im_session_t *s, ngx_im_join_t *join)
{
    im_sub_t         *sub;
    im_reply_t        reply;
    im_subscribed_t   begin;

    sub = join->sub;

    ngx_memzero(&reply, sizeof(im_reply_t));
    ngx_memzero(&begin, sizeof(im_subscribed_t));

    ngx_im_resume_begin(join, &begin);

    if (join->strict && begin.recovering && !begin.recovered) {
        reply.id = join->id;
        ngx_im_session_leave(s, sub);
        (void) ngx_im_command_error(s, reply.id, IM_ERROR_POSITION);
        return;
    }

    reply.type = IM_REPLY_SUBSCRIBE;
    reply.id = join->id;
    reply.subs = &begin;
    reply.nsubs = 1;

    ngx_im_resume_live(sub);

    if (ngx_im_command_reply(s, &reply) == NGX_OK && s->phase == NGX_IM_OPEN) {
        ngx_im_session_joined(s, sub);
    }
}


/* What the client is told of the place where it begins. */
static void
ngx_im_resume_begin(ngx_im_join_t *join, im_subscribed_t *begin)
{
    im_str_t          epoch;
    im_topic_t       *topic;
    const im_rule_t  *rule;

    topic = join->sub->log->topic;
    rule = im_rules_topic(&ngx_im_worker->conf->rules, im_topic_name(topic));

    begin->topic = im_topic_name(topic);
    begin->at.epoch = im_str_set(topic->epoch.data, topic->epoch.len);
    begin->at.seq = topic->seq;

    if (rule != NULL && rule->history > 0) {
        begin->recoverable = 1;
        begin->positioned = 1;
    }

    if (!join->recover) {
        return;
    }

    begin->recovering = 1;

    epoch = im_str_set(join->epoch.data, join->epoch.len);

    begin->recovered = join->seq == topic->seq
                       && im_topic_continues(topic, epoch, join->seq);
}


static void
ngx_im_resume_live(im_sub_t *sub)
{
    ngx_im_resume_forget(sub);
    im_sub_live(sub);
}


static uint64_t
ngx_im_resume_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
