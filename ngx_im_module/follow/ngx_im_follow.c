/*
 * Copyright (C) The im authors
 *
 * The worker's side of Redis: events of the link, batches of messages, and
 * timers.
 */

#include "ngx_im_sync.h"
#include "im_link_history.h"
#include "im_link_members.h"


#define NGX_IM_FOLLOW_PART  4        /* of the time that Redis has */


ngx_int_t
ngx_im_follow_input(ngx_im_worker_t *w, const u_char name[16], ngx_uint_t on)
{
    u_char      text[IM_UUID_LEN];
    im_buf_t    b;
    im_int_t    rc;
    im_str_t    node;
    ngx_uint_t  p;

    im_id_uuid(text, name);
    node = im_str_set(text, IM_UUID_LEN);
    p = im_partition(node, im_link_partitions(w->link));

    im_buf_init(&b, IM_PREFIX_MAX + IM_WORKER_MAX + 64);
    im_key_channel_input(&b, im_link_keys(w->link), p, node);

    rc = b.failed ? IM_ERROR : IM_OK;

    if (rc == IM_OK && on) {
        rc = im_link_subscribe(w->link, im_buf_str(&b), p, 0);

    } else if (rc == IM_OK) {
        im_link_unsubscribe(w->link, im_buf_str(&b));
    }

    im_buf_cleanup(&b);

    return rc;
}


/*
 * One of this worker for each partition, one with the heartbeats, and one for
 * input.
 */
static void
ngx_im_follow_ready(void *data)
{
    im_buf_t          b;
    im_int_t          rc;
    ngx_uint_t        p;
    const im_keys_t  *keys;
    ngx_im_worker_t  *w;

    w = data;
    rc = IM_OK;
    keys = im_link_keys(w->link);

    im_follow_partitions(w->follow, im_link_partitions(w->link));
    im_buf_init(&b, IM_PREFIX_MAX + IM_WORKER_MAX + 64);

    for (p = 0; p < im_link_partitions(w->link); p++) {
        im_buf_reset(&b, b.max);
        im_key_channel(&b, keys, p, im_buf_str(&w->id));
        rc |= b.failed ? IM_ERROR
                       : im_link_subscribe(w->link, im_buf_str(&b), p, 0);

        im_buf_reset(&b, b.max);
        im_key_channel_all(&b, keys, p);
        rc |= b.failed ? IM_ERROR
                       : im_link_subscribe(w->link, im_buf_str(&b), p, 1);
    }

    rc |= ngx_im_follow_input(w, w->name, 1);

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_link_break(w->link, "no memory");
    }
}


static void
ngx_im_follow_server(void *data, im_uint_t server)
{
    ngx_im_worker_t  *w;

    w = data;

    if (w->sync->watch != NULL) {
        im_link_watch_ready(w->sync->watch, server);
    }
}


/* Heartbeats of a partition are missing, or are heard again. */
static void
ngx_im_follow_hear(ngx_im_sync_t *sync, ngx_uint_t partition,
    ngx_uint_t silent)
{
    sync->nsilent += silent;
    sync->nsilent -= sync->silent[partition];
    sync->silent[partition] = silent;
}


/* Partitions of a server come and go together: one event is for all. */
static void
ngx_im_follow_count(ngx_im_worker_t *w)
{
    ngx_uint_t  whole;

    w->counters->link = ngx_im_follow_link(w);
    w->counters->away = ngx_im_follow_away(w);
    w->counters->silent = w->sync->nsilent;

    whole = w->counters->away == 0;
    w->counters->link_losses += w->sync->whole && !whole;
    w->sync->whole = whole;

    if (w->counters->away > 0 && w->follow->nup > 0
        && !w->sync->apart.posted)
    {
        ngx_post_event(&w->sync->apart, &ngx_posted_events);
    }
}


/*
 * The lease goes first: routes of a worker without one are removed.  Those that
 * are not asserted now may have been: the reply says so.
 */
static void
ngx_im_follow_up(void *data, im_uint_t partition, int anew)
{
    int               full;
    ngx_im_sync_t    *sync;
    ngx_im_worker_t  *w;

    w = data;
    sync = w->sync;

    if (partition == IM_LINK_REGISTRY) {
        full = !sync->ready || (anew && sync->follow.nup == 0);

        sync->ready = 1;
        sync->registry = 1;
        sync->first = 1;

        ngx_im_lease_renew(sync, full);

    } else {
        ngx_im_follow_hear(sync, partition, 0);
        im_follow_up(&sync->follow, partition, anew);
    }

    ngx_im_follow_count(w);
}


static void
ngx_im_follow_down(void *data, im_uint_t partition)
{
    ngx_im_sync_t    *sync;
    ngx_im_worker_t  *w;

    w = data;
    sync = w->sync;

    if (partition == IM_LINK_REGISTRY) {
        sync->registry = 0;

    } else {
        ngx_im_follow_hear(sync, partition, 0);
        im_follow_down(&sync->follow, partition);
    }

    ngx_im_follow_count(w);
}


static void
ngx_im_follow_control(ngx_im_worker_t *w, const im_entry_t *entry)
{
    w->sync->events->control(w, entry);

    w->sync->heard[im_partition(entry->topic, w->hub.npartitions)] = entry->seq;
}


static void
ngx_im_follow_message(void *data, im_uint_t partition, im_str_t batch)
{
    im_int_t          rc;
    im_entry_t        entry;
    im_reader_t       reader;
    ngx_im_worker_t  *w;

    w = data;

    im_reader_init(&reader, batch);

    while ((rc = im_entry_decode(&reader, &entry)) == IM_OK) {
        w->counters->pushes++;

        switch (entry.kind) {

        case IM_PUSH_MESSAGE:
            im_follow_entry(w->follow, &entry);
            break;

        case IM_PUSH_INPUT:
            w->sync->events->input(w, &entry);
            break;

        default:
            if (im_entry_mark(&entry) > 0) {
                im_follow_entry(w->follow, &entry);

            } else {
                ngx_im_follow_control(w, &entry);
            }
        }
    }

    if (rc == IM_ERROR) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: malformed batch of partition %ui", partition);
    }
}


/* Messages that came together go to sessions together. */
static void
ngx_im_follow_read(void *data)
{
    ngx_im_worker_t  *w;

    w = data;

    w->sync->events->topics.flush(w);
}


/* Job is away or back.  What it had published meanwhile may be lost. */
static void
ngx_im_follow_heartbeat(void *data, im_uint_t partition, int lost)
{
    ngx_im_sync_t    *sync;
    ngx_im_worker_t  *w;

    w = data;
    sync = w->sync;

    if (lost) {
        ngx_im_follow_hear(sync, partition, 1);

        if (sync->nsilent == 1) {
            ngx_log_error(NGX_LOG_WARN, w->log, 0,
                          "im: no heartbeat of partition %ui: "
                          "is im_job running?", partition);
        }

    } else if (sync->silent[partition]) {
        ngx_im_follow_hear(sync, partition, 0);

        if (sync->nsilent == 0) {
            ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                          "im: all partitions have heartbeats");
        }

        im_follow_compare(&sync->follow, partition, 0);
    }

    ngx_im_follow_count(w);
}


static const im_link_events_t  ngx_im_follow_events = {
    ngx_im_follow_ready,
    ngx_im_follow_server,
    ngx_im_follow_up,
    ngx_im_follow_down,
    NULL,
    ngx_im_follow_message,
    ngx_im_follow_heartbeat,
    NULL
};


/* One worker watches for all of its nginx. */
static void
ngx_im_follow_watched(void *data, const char *text, int warning)
{
    ngx_uint_t        level;
    ngx_im_worker_t  *w;

    w = data;
    level = warning ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(level, w->log, 0, "im: %s", text);
}


static void
ngx_im_follow_core(ngx_im_sync_t *sync)
{
    im_follow_t         *follow;
    ngx_im_main_conf_t  *conf;

    follow = &sync->follow;
    conf = sync->worker->conf;

    follow->hub = &sync->worker->hub;
    follow->rules = &conf->rules;
    follow->commands = &ngx_im_report_commands;
    follow->events = &sync->events->topics;
    follow->ctx = sync->worker;

    follow->limits.log_bytes = conf->log_bytes;
    follow->limits.recovery_bytes = conf->recovery_bytes;
    follow->limits.windows_bytes = conf->windows_bytes;
    follow->limits.refresh = conf->redis.refresh;

    im_follow_init(follow, ngx_current_msec);
}


static void
ngx_im_follow_event(ngx_im_sync_t *sync, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = sync;
    ev->log = sync->worker->log;
    ev->cancelable = 1;
}


static void
ngx_im_follow_tick_handler(ngx_event_t *ev)
{
    ngx_im_sync_t  *sync;

    sync = ev->data;

    ngx_add_timer(ev, 1000);

    im_follow_tick(&sync->follow, ngx_current_msec);
    im_link_members_tick(sync->worker->members, ngx_current_msec);

    if (sync->watch != NULL) {
        im_link_watch_tick(sync->watch, ngx_current_msec);
    }

    sync->worker->counters->window_bytes = sync->follow.bytes.bytes;
}


static void
ngx_im_follow_renew_handler(ngx_event_t *ev)
{
    ngx_im_sync_t  *sync;

    sync = ev->data;

    ngx_add_timer(ev, NGX_IM_RENEW_MS);

    if (sync->registry) {
        ngx_im_lease_renew(sync, 0);
    }
}


static void
ngx_im_follow_pump_handler(ngx_event_t *ev)
{
    ngx_im_sync_t  *sync;

    sync = ev->data;
    sync->pumped = ngx_current_msec;

    im_follow_pump(&sync->follow);
}


static void
ngx_im_follow_apart_handler(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ((ngx_im_sync_t *) ev->data)->worker;

    if (ngx_im_follow_away(w) > 0 && w->follow->nup > 0) {
        w->sync->events->apart(w);
    }
}


/* Never used again: the time it started is part of it. */
static ngx_int_t
ngx_im_follow_id(ngx_im_worker_t *w)
{
    uint64_t     start;
    ngx_time_t  *now;

    now = ngx_timeofday();
    start = (uint64_t) now->sec * 1000 + now->msec;

    im_buf_init(&w->id, IM_WORKER_MAX);
    im_worker_id(&w->id, im_str_set(w->conf->node.data, w->conf->node.len),
                 ngx_worker, start);

    return w->id.failed ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_im_follow_init(ngx_im_worker_t *w, const ngx_im_follow_events_t *events)
{
    ngx_im_sync_t  *sync;

    sync = im_calloc(sizeof(ngx_im_sync_t));
    if (sync == NULL) {
        return NGX_ERROR;
    }

    sync->worker = w;
    sync->events = events;
    sync->begun = ngx_current_msec;

    ngx_im_follow_core(sync);

    im_buf_init(&sync->users, NGX_IM_RECORD_MAX);
    im_list_init(&sync->moves);
    im_list_init(&sync->lends);

    ngx_im_follow_event(sync, &sync->tick, ngx_im_follow_tick_handler);
    ngx_im_follow_event(sync, &sync->renew, ngx_im_follow_renew_handler);
    ngx_im_follow_event(sync, &sync->pump, ngx_im_follow_pump_handler);
    ngx_im_follow_event(sync, &sync->apart, ngx_im_follow_apart_handler);

    w->sync = sync;
    w->follow = &sync->follow;

    if (ngx_im_follow_id(w) == NGX_OK) {
        w->link = ngx_im_link_create(&w->conf->redis.link, w->log,
                                     &ngx_im_follow_events, ngx_im_follow_read,
                                     w);
    }

    if (w->link != NULL) {
        w->members = im_link_members_create(w->link);
        w->history = im_link_history_create(w->link);
    }

    if (w->history != NULL && ngx_worker == 0) {
        sync->watch = im_link_watch_create(w->link, ngx_im_follow_watched, w);
    }

    if (w->members == NULL || w->history == NULL
        || (sync->watch == NULL && ngx_worker == 0))
    {
        ngx_im_follow_exit(w);
        return NGX_ERROR;
    }

    ngx_add_timer(&sync->tick, 1000);
    ngx_add_timer(&sync->renew, NGX_IM_RENEW_MS);

    return NGX_OK;
}


void
ngx_im_follow_exit(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (sync == NULL) {
        return;
    }

    if (sync->registry) {
        ngx_im_lease_give_up(sync);
    }

    if (w->link != NULL) {
        ngx_im_link_destroy(w->link);
        w->link = NULL;
    }

    im_link_members_destroy(w->members);
    w->members = NULL;

    im_link_history_destroy(w->history);
    w->history = NULL;

    im_link_watch_destroy(sync->watch);

    ngx_im_lease_cleanup(sync);
    im_follow_cleanup(&sync->follow);

    if (sync->tick.timer_set) {
        ngx_del_timer(&sync->tick);
    }

    if (sync->renew.timer_set) {
        ngx_del_timer(&sync->renew);
    }

    if (sync->pump.posted) {
        ngx_delete_posted_event(&sync->pump);
    }

    if (sync->pump.timer_set) {
        ngx_del_timer(&sync->pump);
    }

    if (sync->apart.posted) {
        ngx_delete_posted_event(&sync->apart);
    }

    im_buf_cleanup(&w->id);
    im_buf_cleanup(&sync->users);
    im_free(sync);

    w->sync = NULL;
    w->follow = NULL;
}


ngx_im_refusal_e
ngx_im_follow_unready(ngx_im_worker_t *w)
{
    if (w->sync != NULL && im_link_unusable(w->link)) {
        return NGX_IM_REFUSED_UNUSABLE;
    }

    if (w->sync == NULL || !w->sync->ready) {
        return NGX_IM_REFUSED_UNREACHED;
    }

    return NGX_IM_REFUSALS;
}


ngx_uint_t
ngx_im_follow_silent(ngx_im_worker_t *w)
{
    return w->sync != NULL ? w->sync->nsilent : 0;
}


uint64_t
ngx_im_follow_heard(ngx_im_worker_t *w, ngx_uint_t partition)
{
    return w->sync->heard[partition];
}


ngx_uint_t
ngx_im_follow_away(ngx_im_worker_t *w)
{
    return w->sync != NULL
           ? im_link_partitions(w->link) - w->sync->follow.nup : 0;
}


ngx_uint_t
ngx_im_follow_begins(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    return sync != NULL
           && (sync->follow.nup == 0 || !sync->registry
               || ngx_im_follow_away(w) > 0)
           && !im_link_failing(w->link)
           && ngx_current_msec - sync->begun
              < w->conf->redis.link.timeout / NGX_IM_FOLLOW_PART;
}


ngx_im_link_e
ngx_im_follow_link(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (sync == NULL || sync->follow.nup == 0) {
        return NGX_IM_LINK_DOWN;
    }

    return sync->nsilent > 0 || !sync->registry || ngx_im_follow_away(w) > 0
           ? NGX_IM_LINK_DEGRADED : NGX_IM_LINK_UP;
}


ngx_uint_t
ngx_im_follow_apart(ngx_im_worker_t *w, im_str_t topic)
{
    return ngx_im_follow_away(w) > 0 && w->follow->nup > 0
           && !im_follow_is_up(w->follow,
                               im_partition(topic, w->hub.npartitions));
}


ngx_uint_t
ngx_im_follow_slow(ngx_im_worker_t *w)
{
    ngx_uint_t  p;

    if (w->link == NULL) {
        return 0;
    }

    for (p = 0; p < im_link_partitions(w->link); p++) {
        if (im_link_slow(w->link, p)) {
            return 1;
        }
    }

    return im_link_slow(w->link, IM_LINK_REGISTRY);
}


void
ngx_im_follow_draining(ngx_im_worker_t *w)
{
    if (w->sync != NULL && w->sync->registry) {
        ngx_im_lease_renew(w->sync, 0);
    }
}


uint64_t
ngx_im_follow_clock(ngx_im_worker_t *w)
{
    ngx_im_sync_t  *sync;

    sync = w->sync;

    if (sync->redis_ms == 0) {
        return 0;
    }

    return sync->redis_ms + (ngx_current_msec - sync->redis_at);
}
