/*
 * Copyright (C) The im authors
 *
 * Healing: what pub/sub has lost is read from history.
 *
 * Meanwhile the topic's entries are held, as batch bytes and bounded.  A hole
 * that history can't fill is counted, said in the log, and passed over: then
 * delivery goes on with what there is.
 */

#include "ngx_im_sync.h"


static void ngx_im_heal_handler(const im_link_reply_t *reply, void *data);
static void ngx_im_heal_reply(ngx_im_route_t *route,
    const im_link_reply_t *reply);
static ngx_uint_t ngx_im_heal_limit(ngx_im_route_t *route);
static void ngx_im_heal_later(ngx_im_route_t *route);
static void ngx_im_heal_more(ngx_im_route_t *route);
static void ngx_im_heal_entries(ngx_im_route_t *route,
    const im_link_reply_t *entries);
static void ngx_im_heal_hole(ngx_im_route_t *route,
    const im_link_reply_t *reply);
static uint64_t ngx_im_heal_first_held(ngx_im_route_t *route, im_str_t epoch,
    uint64_t top);


ngx_int_t
ngx_im_follow_ask(im_topic_t *topic)
{
    ngx_im_route_t  *route;

    route = topic->data;

    if (route->healing) {
        return NGX_BUSY;
    }

    ngx_im_heal_start(route);

    if (!route->healing) {
        ngx_im_route_watch(route);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_heal_moved(ngx_im_route_t *route, im_str_t epoch, uint64_t seq,
    ngx_uint_t continues)
{
    ngx_im_worker_t  *w;

    w = route->sync->worker;

    if (w->sync->events->moved(w, route->topic, epoch, seq, continues)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!continues) {
        ngx_im_window_restart(route, seq);
    }

    return NGX_OK;
}


void
ngx_im_heal_start(ngx_im_route_t *route)
{
    im_topic_t      *topic;
    ngx_im_sync_t   *sync;
    im_link_call_t  *call;

    sync = route->sync;
    topic = route->topic;

    /* a topic whose join is out hears its position with that reply */

    if (route->healing || topic->state == IM_TOPIC_NEW) {
        return;
    }

    if (!sync->up) {
        return;
    }

    route->heal = 0;

    call = im_link_script(sync->worker->link, &im_script_hist);

    im_key_topic(&call->bytes, ngx_im_sync_prefix(sync), topic->partition,
                 im_topic_name(topic), IM_KEY_META);
    im_link_call_key(call);

    im_key_topic(&call->bytes, ngx_im_sync_prefix(sync), topic->partition,
                 im_topic_name(topic), IM_KEY_HISTORY);
    im_link_call_key(call);

    im_link_call_str(call, im_str_set(topic->epoch.data, topic->epoch.len));
    im_link_call_uint(call, topic->seq);
    im_link_call_uint(call, ngx_im_heal_limit(route));

    if (im_link_send(sync->worker->link, ngx_im_heal_handler, route) != IM_OK)
    {
        ngx_im_heal_later(route);
        return;
    }

    route->healing = 1;
    topic->state = IM_TOPIC_HEALING;
}


/* About 1 MB, judged by the largest message seen. */
static ngx_uint_t
ngx_im_heal_limit(ngx_im_route_t *route)
{
    if (route->largest <= NGX_IM_HEAL_BYTES / NGX_IM_HEAL_LIMIT) {
        return NGX_IM_HEAL_LIMIT;
    }

    return ngx_max(NGX_IM_HEAL_BYTES / route->largest, 1);
}


static void
ngx_im_heal_later(ngx_im_route_t *route)
{
    route->heal = 1;
    ngx_im_route_watch(route);
}


static void
ngx_im_heal_handler(const im_link_reply_t *reply, void *data)
{
    ngx_im_route_t   *route;
    ngx_im_worker_t  *w;

    route = data;
    w = route->sync->worker;

    route->healing = 0;

    if (route->topic == NULL) {
        ngx_im_route_pin(route);
        ngx_im_route_unpin(route);
        return;
    }

    route->topic->state = IM_TOPIC_LIVE;

    if (route->sync->exiting) {
        return;
    }

    if (!im_link_reply_is_array(reply, 5)
        || !im_link_reply_is_array(im_link_reply_at(reply, 4), 0))
    {
        ngx_im_link_complain(w->log, reply, "hist");
        ngx_im_heal_later(route);
        return;
    }

    ngx_im_route_pin(route);
    ngx_im_heal_reply(route, reply);

    if (route->topic != NULL && !route->healing && !route->heal) {
        ngx_im_route_history(route, NGX_IM_HISTORY_POSITION);
    }

    ngx_im_route_unpin(route);

    w->sync->events->flush(w);
}


static void
ngx_im_heal_reply(ngx_im_route_t *route, const im_link_reply_t *reply)
{
    uint64_t     status, before;
    im_str_t     epoch, ours;
    im_topic_t  *topic;

    topic = route->topic;
    status = im_link_reply_int_at(reply, 0, 0);

    if (status > 1) {
        ngx_im_heal_hole(route, reply);
        return;
    }

    before = topic->seq;
    epoch = im_link_reply_str_at(reply, 1);
    ours = im_str_set(topic->epoch.data, topic->epoch.len);

    if ((!im_str_eq(ours, epoch)
         && ngx_im_heal_moved(route, epoch, topic->seq, 1) != NGX_OK)
        || im_topic_position(topic, epoch, topic->seq,
                             im_link_reply_str_at(reply, 3))
           != IM_OK)
    {
        ngx_im_heal_later(route);
        return;
    }

    ngx_im_heal_entries(route, im_link_reply_at(reply, 4));

    if (route->topic == NULL || route->healing) {
        return;
    }

    if (status == 1 && topic->seq > before) {
        ngx_im_heal_more(route);
        return;
    }

    ngx_im_heal_release(route);
}


/* History comes faster than a socket takes it: no session shall fall out. */
static void
ngx_im_heal_more(ngx_im_route_t *route)
{
    im_log_t         *log;
    ngx_im_worker_t  *w;

    w = route->sync->worker;

    w->sync->events->flush(w);

    if (route->topic == NULL || route->healing) {
        return;
    }

    for (log = route->topic->logs; log != NULL; log = log->next) {

        if (log->bytes > w->conf->log_bytes / 2) {
            route->healing = 1;
            route->paused = 1;
            route->topic->state = IM_TOPIC_HEALING;
            ngx_im_route_watch(route);
            return;
        }
    }

    ngx_im_heal_start(route);
}


static void
ngx_im_heal_entries(ngx_im_route_t *route, const im_link_reply_t *entries)
{
    size_t            i;
    im_topic_t       *topic;
    im_entry_t        entry;
    ngx_im_worker_t  *w;

    w = route->sync->worker;
    topic = route->topic;

    for (i = 0; i < im_link_reply_len(entries); i++) {

        if (ngx_im_heal_entry(im_link_reply_at(entries, i), &entry) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, w->log, 0,
                          "im: malformed history of topic \"%*s\"",
                          (size_t) route->name_len, route->name);
            continue;
        }

        entry.topic = ngx_im_route_name(route);
        entry.epoch = im_str_set(topic->epoch.data, topic->epoch.len);

        ngx_im_sync_deliver(route, &entry, 1);

        if (route->topic == NULL || route->healing) {
            return;
        }

        if (topic->seq >= entry.seq) {
            w->counters->healed++;
        }
    }
}


/* One of XRANGE: id "SEQ-1", fields "d" and the envelope. */
ngx_int_t
ngx_im_heal_entry(const im_link_reply_t *reply, im_entry_t *entry)
{
    u_char                 *p;
    im_str_t                id;
    ngx_int_t               seq;
    const im_link_reply_t  *fields;

    if (!im_link_reply_is_array(reply, 2)) {
        return NGX_ERROR;
    }

    id = im_link_reply_str_at(reply, 0);
    fields = im_link_reply_at(reply, 1);

    p = memchr(id.data, '-', id.len);

    if (p == NULL || !im_link_reply_is_array(fields, 2)) {
        return NGX_ERROR;
    }

    seq = ngx_atoi(id.data, p - id.data);

    if (seq < 1) {
        return NGX_ERROR;
    }

    entry->kind = IM_PUSH_MESSAGE;
    entry->seq = seq;
    entry->envelope = im_link_reply_str_at(fields, 1);

    return NGX_OK;
}


/* What is held is still delivered: the hole ends where that begins. */
static void
ngx_im_heal_hole(ngx_im_route_t *route, const im_link_reply_t *reply)
{
    uint64_t          top, next;
    im_topic_t       *topic;
    ngx_im_worker_t  *w;

    w = route->sync->worker;
    topic = route->topic;

    top = im_link_reply_int_at(reply, 2, 0);
    next = ngx_im_heal_first_held(route, im_link_reply_str_at(reply, 1), top);

    w->counters->holes++;

    ngx_log_error(NGX_LOG_WARN, w->log, 0,
                  "im: messages of topic \"%*s\" behind %uL up to %uL "
                  "are not in history", (size_t) topic->name_len, topic->name,
                  topic->seq, next);

    if (ngx_im_heal_moved(route, im_link_reply_str_at(reply, 1), next, 0)
        != NGX_OK
        || im_topic_position(topic, im_link_reply_str_at(reply, 1), next,
                             im_link_reply_str_at(reply, 3))
           != IM_OK)
    {
        ngx_im_heal_later(route);
        return;
    }

    ngx_im_heal_release(route);
}


/*
 * The number before the first held entry that is new to us, at most top.  When
 * Redis itself has lost messages, numbers of the epoch it has now count alone.
 */
static uint64_t
ngx_im_heal_first_held(ngx_im_route_t *route, im_str_t epoch, uint64_t top)
{
    int          lost;
    uint64_t     seq;
    im_entry_t   entry;
    im_reader_t  reader;

    seq = route->topic->seq;
    lost = seq > top;

    im_reader_init(&reader, im_buf_str(&route->held));

    while (im_entry_decode(&reader, &entry) == IM_OK) {

        if (lost ? !im_str_eq(entry.epoch, epoch) : entry.seq <= seq) {
            continue;
        }

        if (entry.seq > 0 && entry.seq <= top) {
            top = entry.seq - 1;
        }
    }

    return top;
}


void
ngx_im_heal_hold(ngx_im_route_t *route, const im_entry_t *entry)
{
    size_t  len;

    len = route->held.len;

    im_entry_encode(&route->held, entry);

    if (route->held.failed) {
        route->held.failed = 0;
        route->held.len = len;
        route->overflow = 1;
    }
}


/* Delivers what was held; the rest of it is held again if that heals anew. */
void
ngx_im_heal_release(ngx_im_route_t *route)
{
    im_buf_t         held;
    im_entry_t       entry;
    im_reader_t      reader;
    ngx_im_worker_t *w;

    w = route->sync->worker;

    held = route->held;
    im_buf_init(&route->held, NGX_IM_HELD_MAX);

    im_reader_init(&reader, im_buf_str(&held));

    while (route->topic != NULL && im_entry_decode(&reader, &entry) == IM_OK) {
        ngx_im_sync_deliver(route, &entry, 0);
    }

    im_buf_cleanup(&held);

    if (route->topic == NULL || w->sync->exiting) {
        return;
    }

    if (route->overflow && !route->healing) {
        route->overflow = 0;
        ngx_im_heal_start(route);
    }
}
