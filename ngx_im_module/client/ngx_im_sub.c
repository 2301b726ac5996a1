/*
 * Copyright (C) The im authors
 *
 * Subscriptions of sessions: they join topics and leave them.
 */

#include "ngx_im_sub.h"
#include "ngx_im_follow.h"
#include "ngx_im_send.h"
#include "im_override.h"


#define NGX_IM_SUB_WALK  16              /* topics of a session without index */


static const struct {
    uint8_t     bit;                     /* im_override_e */
    ngx_uint_t  on;
    ngx_uint_t  off;
} ngx_im_sub_overrides[] = {
    { IM_OVERRIDE_PRESENCE, 0, NGX_IM_SUB_HIDDEN|NGX_IM_SUB_QUIET },
    { IM_OVERRIDE_JOIN_LEAVE, 0, NGX_IM_SUB_QUIET },
    { IM_OVERRIDE_PUSH_JOINS, NGX_IM_SUB_JOINS_ON, NGX_IM_SUB_JOINS_OFF },
    { IM_OVERRIDE_RECOVERY, 0, NGX_IM_SUB_NO_RECOVERY },
    { IM_OVERRIDE_POSITIONING, 0, NGX_IM_SUB_NO_POSITION },
    { 0, 0, 0 }
};


ngx_uint_t
ngx_im_sub_override(im_str_t json)
{
    ngx_uint_t     i, flags;
    im_override_t  o;

    if (im_override_decode(json, &o) != IM_OK) {
        return 0;
    }

    flags = 0;

    for (i = 0; ngx_im_sub_overrides[i].bit != 0; i++) {
        if (o.on & ngx_im_sub_overrides[i].bit) {
            flags |= ngx_im_sub_overrides[i].on;
        }

        if (o.off & ngx_im_sub_overrides[i].bit) {
            flags |= ngx_im_sub_overrides[i].off;
        }
    }

    return flags;
}


ngx_im_join_t *
ngx_im_sub_create_join(ngx_im_join_e kind, im_str_t data)
{
    ngx_im_join_t  *join;

    join = im_calloc(sizeof(ngx_im_join_t) + data.len);
    if (join == NULL) {
        return NULL;
    }

    join->kind = kind;
    join->data = im_str_set(join + 1, data.len);

    if (data.len > 0) {
        im_copy(join->data.data, data.data, data.len);
    }

    return join;
}


void
ngx_im_sub_since(ngx_im_join_t *join, const im_position_t *since)
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
        im_copy(join->epoch.data, since->epoch.data, since->epoch.len);
    }
}


/* The broadcast counts for no limit. */
static im_sub_t *
ngx_im_sub_create(ngx_im_session_t *s, im_str_t topic)
{
    im_sub_t  *sub;

    if (topic.len > 1 && ngx_im_session_full(s)) {
        return NULL;
    }

    sub = im_sub_create(&ngx_im_worker->hub.logs);

    if (sub != NULL) {
        sub->session = s->index;
    }

    return sub;
}


/* Rooms have no filter. */
static im_wire_id_t
ngx_im_sub_wire(ngx_im_session_t *s, im_str_t topic, ngx_uint_t flags)
{
    im_form_e     form;
    im_wire_id_t  wire;

    form = s->positions ? IM_FORM_POSITIONS : IM_FORM_PLAIN;

    if (flags & NGX_IM_SUB_JOIN_LEAVE) {
        form = IM_FORM_JOINS;
    }

    wire = im_wire_id(s->class->proto, form, s->class->transport);

    return topic.data[0] != 'r' ? im_wire_filtered(wire, s->accept) : wire;
}


/*
 * Joins and leaves of others: clients that may see members may ask for them,
 * and by the rule all followers get them.  Nothing of a history that clients
 * may not read, but for what one that comes back has missed.
 */
static ngx_uint_t
ngx_im_sub_allowed(ngx_im_session_t *s, im_str_t topic, ngx_im_join_t *join,
    ngx_uint_t flags)
{
    const im_rule_t  *rule;

    rule = im_rules_topic(&s->class->conf->main->rules, topic);

    if (join != NULL && rule != NULL) {
        join->last = rule->history_for == IM_RULE_NONE ? 0 : join->last;
        join->recover |= rule->recovery == IM_RULE_LATEST;
    }

    if (rule == NULL || !rule->presence || (flags & NGX_IM_SUB_JOINS_OFF)
        || s->class->proto->forms[IM_FORM_JOINS] == NULL)
    {
        return flags & ~(ngx_uint_t) NGX_IM_SUB_JOIN_LEAVE;
    }

    if (rule->joins_all || (flags & NGX_IM_SUB_JOINS_ON)) {
        return flags | NGX_IM_SUB_JOIN_LEAVE;
    }

    return rule->presence_for == IM_RULE_NONE
           ? flags & ~(ngx_uint_t) NGX_IM_SUB_JOIN_LEAVE : flags;
}


static void
ngx_im_sub_unindex(ngx_im_session_t *s)
{
    im_hub_t  *hub;
    im_sub_t  *sub;

    hub = &ngx_im_worker->hub;

    for (sub = s->subs; sub != NULL; sub = ngx_im_sub_next(sub)) {

        if (im_sub_index_find(&hub->index, &hub->logs, s->index,
                              sub->log->topic)
            != NULL)
        {
            im_sub_index_remove(&hub->index, &hub->logs, sub);
        }
    }

    s->lookup = NGX_IM_LOOKUP_WALK;
}


/*
 * The first one is new.  Where there is no memory, those of the session are
 * found by a walk.
 */
static void
ngx_im_sub_index(ngx_im_session_t *s)
{
    im_hub_t  *hub;
    im_sub_t  *sub;

    if (s->nsubs <= NGX_IM_SUB_WALK && s->lookup == NGX_IM_LOOKUP_WALK) {
        return;
    }

    hub = &ngx_im_worker->hub;
    sub = s->subs;

    do {
        if (im_sub_index_add(&hub->index, &hub->logs, sub) != IM_OK) {
            ngx_im_sub_unindex(s);
            return;
        }

        sub = s->lookup == NGX_IM_LOOKUP_WALK ? ngx_im_sub_next(sub) : NULL;

    } while (sub != NULL);

    s->lookup = NGX_IM_LOOKUP_INDEX;
}


/* It is the first one of the session. */
static void
ngx_im_sub_list(ngx_im_session_t *s, im_sub_t *sub)
{
    sub->next = IM_SLAB_NONE;
    sub->prev = IM_SLAB_NONE;

    if (s->subs != NULL) {
        sub->next = s->subs->index;
        s->subs->prev = sub->index;
    }

    s->subs = sub;
    s->nsubs++;

    ngx_im_sub_index(s);
}


void
ngx_im_sub_unlist(ngx_im_session_t *s, im_sub_t *sub)
{
    im_hub_t   *hub;
    im_sub_t   *next, *prev;

    hub = &ngx_im_worker->hub;

    if (s->lookup == NGX_IM_LOOKUP_INDEX) {
        im_sub_index_remove(&hub->index, &hub->logs, sub);
        s->lookup = s->nsubs > 1 ? NGX_IM_LOOKUP_INDEX : NGX_IM_LOOKUP_WALK;
    }

    next = ngx_im_sub_next(sub);

    if (next != NULL) {
        next->prev = sub->prev;
    }

    if (s->subs == sub) {
        s->subs = next;

    } else {
        prev = im_slab_object(&hub->logs.subs, sub->prev);
        prev->next = sub->next;
    }

    s->nsubs--;
}


/* *first: of its topic.  NULL: the join is freed. */
static im_sub_t *
ngx_im_sub_begin(ngx_im_session_t *s, im_str_t topic, ngx_im_join_t *join,
    ngx_uint_t flags, int *first)
{
    im_sub_t  *sub;

    sub = ngx_im_sub_create(s, topic);
    if (sub == NULL) {
        im_free(join);
        return NULL;
    }

    flags = ngx_im_sub_allowed(s, topic, join, flags);

    if (ngx_im_session_set_join(sub, join) != NGX_OK
        || im_hub_join(&ngx_im_worker->hub, topic,
                       ngx_im_sub_wire(s, topic, flags), sub, first)
           == NULL)
    {
        ngx_im_session_sub_free(sub);
        im_free(join);
        return NULL;
    }

    sub->flags = (uint8_t) flags;

    if (join != NULL) {
        im_list_init(&join->link);
        join->sub = sub;
    }

    return sub;
}


im_sub_t *
ngx_im_sub_join(ngx_im_session_t *s, im_str_t topic, ngx_im_join_t *join,
    ngx_uint_t flags)
{
    int               first;
    im_sub_t         *sub;
    im_topic_t       *t;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    sub = ngx_im_sub_begin(s, topic, join, flags, &first);
    if (sub == NULL) {
        return NULL;
    }

    t = sub->log->topic;

    ngx_im_sub_list(s, sub);

    if (first) {
        w->counters->topics = w->hub.topics.count;

        if (im_follow_start(w->follow, t) != NGX_OK) {
            ngx_im_sub_leave(s, sub);
            return NULL;
        }
    }

    if (topic.data[0] == 'r') {
        s->nrooms++;

        if (first && ngx_im_session_user(s) == NULL) {
            sub->flags |= NGX_IM_SUB_GUEST_ROOM;
            ngx_im_host_hold_room(w, ngx_im_host(w, s->host), 0);
        }
    }

    im_follow_member(w->follow, sub, 1);

    if (t->state != IM_TOPIC_NEW) {
        w->events->joined(s, sub);
    }

    return sub;
}


im_sub_t *
ngx_im_sub_adopt(ngx_im_session_t *s, im_topic_t *topic, ngx_uint_t flags)
{
    int               first;
    im_sub_t         *sub;
    im_str_t          name;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    name = im_topic_name(topic);

    sub = im_sub_create(&w->hub.logs);
    if (sub == NULL) {
        return NULL;
    }

    sub->session = s->index;
    flags = ngx_im_sub_allowed(s, name, NULL, flags);

    if (im_hub_join(&w->hub, name, ngx_im_sub_wire(s, name, flags), sub, &first)
        == NULL)
    {
        ngx_im_session_sub_free(sub);
        return NULL;
    }

    sub->flags = (uint8_t) flags;

    ngx_im_sub_list(s, sub);

    return sub;
}


static im_sub_t *
ngx_im_sub_filtered(im_sub_t *sub)
{
    while (sub != NULL && im_wire_filter(sub->log->wire) == 0) {
        sub = ngx_im_sub_next(sub);
    }

    return sub;
}


ngx_int_t
ngx_im_sub_filter(ngx_im_session_t *s, uint16_t filter)
{
    im_sub_t      *sub;
    ngx_int_t      rc;
    im_wire_id_t   wire;

    for (sub = ngx_im_sub_filtered(s->subs); sub != NULL;
         sub = ngx_im_sub_filtered(ngx_im_sub_next(sub)))
    {
        wire = im_wire_filtered(sub->log->wire, filter);

        if (im_topic_prepare(sub->log->topic, wire) != IM_OK) {
            return NGX_DECLINED;
        }
    }

    rc = NGX_OK;

    for (sub = ngx_im_sub_filtered(s->subs); sub != NULL;
         sub = ngx_im_sub_filtered(ngx_im_sub_next(sub)))
    {
        if (rc == NGX_OK) {
            rc = ngx_im_send_move(s, sub);
        }

        im_topic_move(&ngx_im_worker->hub.logs, sub,
                      im_wire_filtered(sub->log->wire, filter));
    }

    return rc;
}


void
ngx_im_sub_leave(ngx_im_session_t *s, im_sub_t *sub)
{
    int                last;
    im_topic_t        *topic;
    ngx_im_worker_t   *w;

    w = ngx_im_worker;

    ngx_im_sub_unlist(s, sub);
    ngx_im_send_leave(s, sub);

    if (sub->flags & NGX_IM_SUB_GUEST_ROOM) {
        ngx_im_host_release_room(w, ngx_im_host(w, s->host), 0);
    }

    w->events->left(s, sub);

    if (sub->log->topic->data != NULL
        && im_followed(sub->log->topic)->presence)
    {
        s->left = 1;
    }

    im_follow_member(w->follow, sub, 0);

    topic = im_hub_leave(&w->hub, sub, &last);

    ngx_im_session_sub_free(sub);

    if (last) {
        im_follow_stop(w->follow, topic);
        w->counters->topics = w->hub.topics.count;
    }
}
