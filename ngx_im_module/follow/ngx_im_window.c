/*
 * Copyright (C) The im authors
 *
 * Windows: the recent messages of topics that clients resume, read once for
 * all of them.
 *
 * A window begins at head with the first client that asks for more, and what
 * is missing before it is read backwards, some entries at a time, until the
 * oldest place asked for is there, history has no more, or the window is as
 * long as a client may be behind.
 */

#include "ngx_im_sync.h"


#define NGX_IM_WINDOW_IDLE  60000      /* ms */
#define NGX_IM_WINDOW_READ  (1024 * 1024)


static ngx_im_window_t *ngx_im_window_get(ngx_im_route_t *route);
static void ngx_im_window_bound(ngx_im_window_t *win);
static ngx_int_t ngx_im_window_load(ngx_im_route_t *route, uint64_t since);
static void ngx_im_window_handler(const im_link_reply_t *reply, void *data);
static void ngx_im_window_reply(ngx_im_route_t *route,
    const im_link_reply_t *reply);
static void ngx_im_window_entries(ngx_im_window_t *win,
    const im_link_reply_t *entries);


ngx_int_t
ngx_im_follow_window(im_topic_t *topic, uint64_t seq)
{
    ngx_im_route_t   *route;
    ngx_im_window_t  *win;

    route = topic->data;
    win = ngx_im_window_get(route);
    if (win == NULL) {
        return NGX_DECLINED;
    }

    if (im_window_covers(&win->window, seq)) {
        return NGX_OK;
    }

    if (seq < win->floor
        || win->window.bytes >= route->sync->worker->conf->recovery_bytes)
    {
        return NGX_DECLINED;
    }

    return NGX_AGAIN;
}


im_str_t
ngx_im_follow_envelope(im_topic_t *topic, uint64_t seq)
{
    ngx_im_route_t  *route;

    route = topic->data;

    return im_window_get(&route->window->window, seq);
}


/* Up to the topic's head, and used now.  NULL: no memory. */
static ngx_im_window_t *
ngx_im_window_get(ngx_im_route_t *route)
{
    uint64_t          seq;
    ngx_im_sync_t    *sync;
    const im_rule_t  *rule;
    ngx_im_window_t  *win;

    sync = route->sync;
    win = route->window;
    seq = route->topic->seq;

    if (win == NULL) {
        win = im_calloc(sizeof(ngx_im_window_t));
        if (win == NULL) {
            return NULL;
        }

        im_window_init(&win->window, &sync->windows_bytes, seq);
        im_list_init(&win->link);

        rule = ngx_im_route_rule(route);

        win->route = route;
        win->max = rule != NULL ? rule->history : 0;
        route->window = win;
    }

    if (im_window_top(&win->window) != seq) {
        ngx_im_window_restart(route, seq);
    }

    win->used = ngx_current_msec;

    im_list_remove(&win->link);
    im_list_insert_tail(&sync->windows, &win->link);

    return win;
}


void
ngx_im_window_restart(ngx_im_route_t *route, uint64_t seq)
{
    ngx_im_window_t  *win;

    win = route->window;

    if (win == NULL) {
        return;
    }

    im_window_reset(&win->window, seq);

    if (win->floor > seq) {
        win->floor = 0;
    }
}


/* The history was emptied up to seq; nor is what is being read any good. */
void
ngx_im_follow_forget(im_topic_t *topic, uint64_t seq)
{
    uint64_t          top;
    ngx_im_window_t  *win;

    win = ((ngx_im_route_t *) topic->data)->window;

    if (win == NULL) {
        return;
    }

    top = im_window_top(&win->window);

    im_window_trim(&win->window, SIZE_MAX, top > seq ? top - seq : 0);

    win->floor = ngx_max(win->floor, ngx_min(seq, top));
    win->before = UINT64_MAX;
}


void
ngx_im_window_append(ngx_im_route_t *route, const im_entry_t *entry)
{
    ngx_im_window_t  *win;

    win = route->window;

    (void) im_window_append(&win->window, entry->seq, entry->envelope);

    im_window_trim(&win->window, route->sync->worker->conf->recovery_bytes,
                   win->max);

    ngx_im_window_bound(win);
}


/*
 * All windows together are too long: those not used for longest go first.  Who
 * was to be served from one of them has it loaded again.
 */
static void
ngx_im_window_bound(ngx_im_window_t *win)
{
    size_t            max;
    im_list_t        *q;
    ngx_im_sync_t    *sync;
    ngx_im_window_t  *old;

    sync = win->route->sync;
    max = sync->worker->conf->windows_bytes;

    q = im_list_first(&sync->windows);

    while (sync->windows_bytes.bytes > max
           && q != im_list_sentinel(&sync->windows))
    {
        old = im_list_data(q, ngx_im_window_t, link);
        q = im_list_next(q);

        if (old != win && !old->wanted) {
            ngx_im_window_destroy(old->route);
        }
    }

    if (sync->windows_bytes.bytes > max) {
        im_window_trim(&win->window, win->window.bytes / 2, win->max);
        win->floor = ngx_max(win->floor, win->window.from);
    }
}


void
ngx_im_window_destroy(ngx_im_route_t *route)
{
    ngx_im_window_t  *win;

    win = route->window;

    if (win == NULL) {
        return;
    }

    route->window = NULL;

    im_list_remove(&win->link);
    im_window_cleanup(&win->window);
    im_free(win);
}


void
ngx_im_window_tick(ngx_im_sync_t *sync)
{
    ngx_im_window_t  *win;

    while (!im_list_empty(&sync->windows)) {
        win = im_list_data(im_list_first(&sync->windows), ngx_im_window_t,
                           link);

        if (ngx_current_msec - win->used < NGX_IM_WINDOW_IDLE) {
            break;
        }

        ngx_im_window_destroy(win->route);
    }

    sync->worker->counters->window_bytes = sync->windows_bytes.bytes;
}


void
ngx_im_follow_load(im_topic_t *topic, uint64_t since)
{
    ngx_im_route_t  *route;

    route = topic->data;

    if (route->window != NULL) {
        route->window->wanted = 1;
    }

    if (!route->loading && !route->healing
        && ngx_im_window_load(route, since) != NGX_OK)
    {
        ngx_im_route_watch(route);
    }
}


static ngx_int_t
ngx_im_window_load(ngx_im_route_t *route, uint64_t since)
{
    size_t            left;
    im_topic_t       *topic;
    ngx_im_sync_t    *sync;
    im_link_call_t   *call;
    ngx_im_window_t  *win;

    sync = route->sync;
    topic = route->topic;
    win = route->window;

    if (win == NULL || since >= win->window.from || !sync->up) {
        return NGX_ERROR;
    }

    left = sync->worker->conf->recovery_bytes;
    left -= ngx_min(left, win->window.bytes);

    call = im_link_script(sync->worker->link, &im_script_page);

    im_key_topic(&call->bytes, ngx_im_sync_prefix(sync), topic->partition,
                 im_topic_name(topic), IM_KEY_META);
    im_link_call_key(call);

    im_key_topic(&call->bytes, ngx_im_sync_prefix(sync), topic->partition,
                 im_topic_name(topic), IM_KEY_HISTORY);
    im_link_call_key(call);

    im_link_call_z(call, "1");
    im_link_call_uint(call, win->window.from + 1);
    im_link_call_uint(call, ngx_min(win->window.from - since,
                                    NGX_IM_HEAL_LIMIT));
    im_link_call_uint(call, ngx_min(left, NGX_IM_WINDOW_READ));

    if (im_link_send(sync->worker->link, ngx_im_window_handler, route)
        != IM_OK)
    {
        return NGX_ERROR;
    }

    route->loading = 1;
    win->before = win->window.from;

    return NGX_OK;
}


static void
ngx_im_window_handler(const im_link_reply_t *reply, void *data)
{
    ngx_im_route_t  *route;

    route = data;

    route->loading = 0;

    if (route->topic == NULL || route->sync->exiting) {
        ngx_im_route_pin(route);
        ngx_im_route_unpin(route);
        return;
    }

    if (!im_link_reply_is_array(reply, 4)
        || !im_link_reply_is_array(im_link_reply_at(reply, 3), 0))
    {
        ngx_im_link_complain(route->sync->worker->log, reply, "page");
        ngx_im_route_watch(route);
        return;
    }

    ngx_im_window_reply(route, reply);

    ngx_im_route_history(route, NGX_IM_HISTORY_READ);
}


static void
ngx_im_window_reply(ngx_im_route_t *route, const im_link_reply_t *reply)
{
    im_str_t          epoch;
    im_topic_t       *topic;
    ngx_im_window_t  *win;

    topic = route->topic;
    win = route->window;

    epoch = im_str_set(topic->epoch.data, topic->epoch.len);

    /* another epoch has begun, which isn't known here yet */

    if (!im_str_eq(im_link_reply_str_at(reply, 0), epoch)) {
        ngx_im_heal_start(route);
        return;
    }

    if (win == NULL || win->window.from != win->before) {
        return;
    }

    ngx_im_window_entries(win, im_link_reply_at(reply, 3));
    ngx_im_window_bound(win);
}


/* A jump in history is where the window begins. */
static void
ngx_im_window_entries(ngx_im_window_t *win, const im_link_reply_t *entries)
{
    size_t      i, max;
    im_entry_t  entry;

    max = win->route->sync->worker->conf->recovery_bytes;

    for (i = 0;
         i < im_link_reply_len(entries) && win->window.bytes < max;
         i++)
    {
        if (ngx_im_heal_entry(im_link_reply_at(entries, i), &entry) != NGX_OK
            || im_window_prepend(&win->window, entry.seq, entry.envelope)
               != IM_OK)
        {
            win->floor = win->window.from;
            return;
        }
    }

    if (im_link_reply_len(entries) == 0) {
        win->floor = win->window.from;
    }
}
