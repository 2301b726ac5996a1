/*
 * Copyright (C) The im authors
 *
 * The end of a worker: quit, reload and worker_shutdown_timeout.
 *
 * nginx calls the read handler of every idle connection when a worker is to
 * exit.  The first call starts a timer.  It is not cancelable, so it keeps the
 * worker until its sessions have moved to another worker or have been closed:
 * in random order, over the time of im_drain, and slower while Redis is slow,
 * since each client joins its topics again.  Until then a session gets its
 * messages.
 *
 * While sessions move, those alone are closed that stay.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_follow.h"
#include "ngx_im_handover.h"
#include "ngx_im_handover_in.h"
#include "ngx_im_handover_out.h"
#include "ngx_im_out_stay.h"
#include "ngx_im_session.h"


#define NGX_IM_DRAIN_STEP     20      /* ms between two turns */
#define NGX_IM_DRAIN_MIN      256     /* sessions closed in a turn... */
#define NGX_IM_DRAIN_PART     16      /* ... or this part of them */
#define NGX_IM_DRAIN_SLOW     4       /* times as long, if Redis is slow */
#define NGX_IM_DRAIN_BLOCKED  2000    /* ms for sessions with a full socket */


/*
 * A session gets a place among those that are not closed yet.  Without memory
 * for the order all are closed at once.
 */
static void
ngx_im_drain_add(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_uint_t        i, size;
    ngx_im_drain_t   *drain;
    ngx_im_handle_t  *order;

    drain = &w->drain;

    if (drain->n == drain->size) {
        size = ngx_max(drain->size * 2, w->nsessions + 1);

        order = im_realloc(drain->order, size * sizeof(ngx_im_handle_t));
        if (order == NULL) {
            drain->done = w->conf->drain;
            return;
        }

        drain->order = order;
        drain->size = size;
    }

    order = drain->order;
    i = drain->next + (ngx_uint_t) ngx_random() % (drain->n - drain->next + 1);

    order[drain->n++] = order[i];
    order[i] = ngx_im_session_handle(s);
}


/* Time counts less while Redis is slow, but the end is reached. */
static void
ngx_im_drain_clock(ngx_im_worker_t *w)
{
    ngx_msec_t  elapsed;

    elapsed = ngx_current_msec - w->drain.time;
    w->drain.time = ngx_current_msec;

    if (w->drain.done < w->conf->drain && ngx_im_follow_slow(w)) {
        elapsed = (elapsed + NGX_IM_DRAIN_SLOW - 1) / NGX_IM_DRAIN_SLOW;
    }

    w->drain.done += elapsed;

    w->counters->drain_left = w->drain.done < w->conf->drain
                              ? w->conf->drain - w->drain.done : 0;
}


/*
 * Closes sessions whose turn has come.  A full socket takes no close frame: it
 * is closed later.
 */
static void
ngx_im_drain_some(ngx_im_worker_t *w)
{
    ngx_uint_t         due, n;
    ngx_im_session_t  *s;

    due = (uint64_t) w->drain.n * w->drain.done / w->conf->drain;
    n = ngx_max(NGX_IM_DRAIN_MIN, w->drain.n / NGX_IM_DRAIN_PART);

    while (w->drain.next < due && n > 0) {
        s = ngx_im_session_find(w, w->drain.order[w->drain.next++]);

        if (s == NULL || s->phase >= NGX_IM_ENDING
            || !im_list_empty(&s->blocked))
        {
            continue;
        }

        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        n--;
    }
}


/*
 * Closes all other sessions, in turns, and in the end those with a full socket.
 */
static void
ngx_im_drain_rest(ngx_im_worker_t *w)
{
    uint32_t           index;
    ngx_uint_t         n, late;
    ngx_im_session_t  *s;

    n = ngx_max(NGX_IM_DRAIN_MIN, w->nsessions / NGX_IM_DRAIN_PART);
    late = w->drain.done >= w->conf->drain + NGX_IM_DRAIN_BLOCKED;

    index = 0;

    while (n > 0 && (s = ngx_im_session_next(w, &index)) != NULL) {

        if (s->phase >= NGX_IM_ENDING
            || (w->handing && !ngx_im_handover_stays(w, s))
            || (!late && !im_list_empty(&s->blocked)))
        {
            continue;
        }

        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        n--;
    }
}


/*
 * The timer goes on until all sessions have ended: closing waits a moment for
 * the peer.
 */
static void
ngx_im_drain_handler(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ev->data;

    ngx_im_drain_clock(w);

    if (w->drain.done < w->conf->drain) {
        ngx_im_drain_some(w);

    } else {
        ngx_im_drain_rest(w);
    }

    if (w->nsessions > 0 || w->handing) {
        ngx_add_timer(ev, NGX_IM_DRAIN_STEP);
        return;
    }

    im_free(w->drain.order);
    w->drain.order = NULL;
}


static void
ngx_im_drain_rest_begins(ngx_im_worker_t *w, const char *why)
{
    uint32_t           index;
    ngx_im_session_t  *s;

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "im: closing %ui sessions in %M ms, this worker ends%s",
                  w->nsessions, w->conf->drain, why);

    index = 0;

    while (w->conf->drain > 0
           && (s = ngx_im_session_next(w, &index)) != NULL)
    {
        if (!ngx_im_handover_stays(w, s)) {
            ngx_im_drain_add(w, s);
        }
    }
}


static void
ngx_im_drain_stays(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    if (w->conf->drain > 0) {
        ngx_im_drain_add(w, s);
    }
}


static void
ngx_im_drain_moved(ngx_im_worker_t *w)
{
    w->handing = 0;

    if (w->nsessions > 0) {
        ngx_im_drain_rest_begins(w, "");
    }
}


static const ngx_im_handover_events_t  ngx_im_drain_events = {
    ngx_im_drain_stays,
    ngx_im_drain_moved
};


void
ngx_im_drain_start(ngx_im_worker_t *w)
{
    if (w->draining) {
        return;
    }

    w->draining = 1;
    w->counters->draining = 1;
    w->counters->drain_left = w->conf->drain;
    w->drain.time = ngx_current_msec;

    ngx_im_handover_in_quit(w);
    ngx_im_follow_draining(w);

    w->drain.event.handler = ngx_im_drain_handler;
    w->drain.event.data = w;
    w->drain.event.log = w->log;
    w->drain.event.cancelable = 0;

    if (ngx_im_handover_out(w, &ngx_im_drain_events) == NGX_OK) {
        w->handing = 1;

    } else {
        ngx_im_drain_rest_begins(w, ngx_im_handover_none(w->conf));
    }

    ngx_add_timer(&w->drain.event, 1);
}
