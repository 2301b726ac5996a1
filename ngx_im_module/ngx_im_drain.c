/*
 * Copyright (C) The im authors
 *
 * The end of a worker: quit, reload and worker_shutdown_timeout.
 *
 * nginx calls the read handler of every idle connection when the worker is to
 * exit.  The first call starts a timer that, not being cancelable, keeps the
 * worker until its sessions have been told to reconnect elsewhere.
 */

#include "ngx_im.h"


#define NGX_IM_DRAIN_STEP     20      /* ms between two turns */
#define NGX_IM_DRAIN_MIN      256     /* sessions closed in a turn, at least */
#define NGX_IM_DRAIN_BLOCKED  2000    /* ms for who is just being sent to */


static void ngx_im_drain_handler(ngx_event_t *ev);
static ngx_uint_t ngx_im_drain_waits(ngx_im_worker_t *w, ngx_im_session_t *s);


void
ngx_im_drain_start(ngx_im_worker_t *w)
{
    if (w->draining) {
        return;
    }

    w->draining = 1;
    w->drain_start = ngx_current_msec;
    w->counters->draining = 1;

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "im: closing %ui sessions, this worker ends", w->nsessions);

    ngx_im_sync_draining(w);

    w->drain_event.handler = ngx_im_drain_handler;
    w->drain_event.data = w;
    w->drain_event.log = w->log;
    w->drain_event.cancelable = 0;

    ngx_add_timer(&w->drain_event, 1);
}


/*
 * Sessions go in turns, so that what they still get from the log is sent and
 * no turn is long.  The timer goes on until the last one is gone: closing
 * waits a moment for the peer.
 */
static void
ngx_im_drain_handler(ngx_event_t *ev)
{
    im_list_t         *q;
    ngx_uint_t         n;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = ev->data;
    n = ngx_max(NGX_IM_DRAIN_MIN, w->nsessions / 16);

    q = im_list_first(&w->sessions);

    while (q != im_list_sentinel(&w->sessions) && n > 0) {
        s = im_list_data(q, ngx_im_session_t, all);
        q = im_list_next(q);

        if (s->phase >= NGX_IM_CLOSING || ngx_im_drain_waits(w, s)) {
            continue;
        }

        ngx_im_session_close(s, s->conf->proto->close_drain, "worker ends");
        n--;
    }

    if (w->nsessions > 0) {
        ngx_add_timer(ev, NGX_IM_DRAIN_STEP);
    }
}


/* A full socket takes no close frame: it gets a moment to become empty. */
static ngx_uint_t
ngx_im_drain_waits(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    return !im_list_empty(&s->blocked)
           && ngx_current_msec - w->drain_start < NGX_IM_DRAIN_BLOCKED;
}
