/*
 * Copyright (C) The im authors
 *
 * The flush: sends to the followers of topics that have news, some in a turn
 * of the event loop.  Slow sessions.
 *
 * Where io_uring is used, sessions whose next bytes are one piece are collected
 * in a batch, which one system call sends.  They are blocked until it has: so
 * their logs keep the bytes.
 */

#include "ngx_im_flush.h"
#include "ngx_im_send.h"
#include "ngx_im_uring.h"


#define NGX_IM_FLUSH_SLOW   5000         /* ms in which a socket took nothing */
#define NGX_IM_FLUSH_CLOSES 256          /* slow sessions that a tick closes */
#define NGX_IM_FLUSH_TURN   5            /* ms, about */
#define NGX_IM_FLUSH_CHECK  32           /* sessions, then the clock */
#define NGX_IM_FLUSH_BATCH  131072       /* bytes that fill a batch */
#define NGX_IM_FLUSH_FEW    8            /* topics of a session */
#define NGX_IM_FLUSH_AGAIN  256          /* the same, in its second turn */
#define NGX_IM_FLUSH_LOOKS  128          /* at topics, for the cost of a send */


/* Sends of one system call, of a session each. */
typedef struct {
    im_list_t            logs;           /* wait for them */
    im_list_t            sessions;
    ngx_uint_t           n;
    size_t               bytes;
    im_sub_t            *subs[NGX_IM_URING_SENDS];
    ngx_im_uring_send_t  sends[NGX_IM_URING_SENDS];
} ngx_im_batch_t;


/* How far it is behind, in the topic where that is most. */
static uint64_t
ngx_im_flush_behind(ngx_im_session_t *s)
{
    uint64_t   behind;
    im_sub_t  *sub;

    behind = 0;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_state(sub) != IM_SUB_JOINING) {
            behind = ngx_max(behind, im_sub_behind(sub));
        }
    }

    return behind;
}


/* A closed session gets nothing more: logs keep nothing for it. */
static void
ngx_im_flush_drop(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    im_sub_t  *sub;

    s->unfinished = NULL;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_state(sub) != IM_SUB_JOINING) {
            im_sub_advance(sub, im_sub_behind(sub));
            im_log_trim(&w->hub.logs, sub->log, 1);
        }
    }
}


/*
 * All sessions had their turn: what the logs keep is for full sockets.  If that
 * is too much for the worker, the session that is furthest behind is closed,
 * and with it those that are nearly as far behind: else a long list would be
 * searched very often.
 */
static void
ngx_im_flush_relieve(ngx_im_worker_t *w)
{
    uint64_t           behind, most;
    im_list_t         *q;
    ngx_im_session_t  *s;

    while (w->hub.logs.bytes > w->conf->logs_bytes
           && !im_list_empty(&w->blocked))
    {
        most = 0;

        im_list_each(q, &w->blocked) {
            s = im_list_data(q, ngx_im_session_t, blocked);
            behind = ngx_im_flush_behind(s);
            most = ngx_max(most, behind);
        }

        q = im_list_first(&w->blocked);

        while (q != im_list_sentinel(&w->blocked)
               && w->hub.logs.bytes > w->conf->logs_bytes)
        {
            s = im_list_data(q, ngx_im_session_t, blocked);
            q = im_list_next(q);

            if (ngx_im_flush_behind(s) >= most - most / 8) {
                ngx_im_send_slow(s, IM_REASON_LOST);
                ngx_im_flush_drop(w, s);
            }
        }
    }
}


/* nginx's time is that of the turn's begin. */
static ngx_uint_t
ngx_im_flush_late(ngx_uint_t n, uint64_t *end)
{
    uint64_t         now;
    struct timespec  ts;

    if (n % NGX_IM_FLUSH_CHECK != 0) {
        return 0;
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    if (*end == 0) {
        *end = now + NGX_IM_FLUSH_TURN;
    }

    return now >= *end;
}


static void
ngx_im_batch_init(ngx_im_batch_t *batch)
{
    im_list_init(&batch->logs);
    im_list_init(&batch->sessions);
    batch->n = 0;
    batch->bytes = 0;
}


static void
ngx_im_batch_send(ngx_im_worker_t *w, ngx_im_batch_t *batch, im_list_t *logs)
{
    ngx_err_t          err;
    ngx_uint_t         i;
    ngx_im_session_t  *s;

    if (batch->n == 0) {
        return;
    }

    if (ngx_im_uring_send(w->uring, batch->sends, batch->n, &err) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, w->log, err, "im: io_uring failed, it is "
                      "not used any more by this worker");

        ngx_im_uring_destroy(w->uring);
        w->uring = NULL;
        w->counters->io_uring = 0;
    }

    w->counters->submits++;

    for (i = 0; i < batch->n; i++) {
        s = im_list_data(im_list_first(&batch->sessions), ngx_im_session_t,
                         blocked);
        ngx_im_send_finish(s, batch->subs[i], batch->sends[i].bytes.len,
                           batch->sends[i].result);
    }

    im_list_splice(logs, &batch->logs);
    batch->n = 0;
    batch->bytes = 0;
}


/* NGX_DECLINED: it is to send by itself. */
static ngx_int_t
ngx_im_batch_add(ngx_im_worker_t *w, ngx_im_batch_t *batch, ngx_im_session_t *s,
    im_sub_t *only)
{
    ngx_im_uring_send_t  *send;

    send = &batch->sends[batch->n];

    if (w->uring == NULL
        || ngx_im_send_begin(s, only, &batch->subs[batch->n], &send->bytes)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    send->fd = s->connection->fd;
    im_list_insert_tail(&batch->sessions, &s->blocked);
    batch->n++;
    batch->bytes += send->bytes.len;

    return NGX_OK;
}


/*
 * From the acceptance of messages to their sends, by the clock of the wall.
 * The clock is read once for many.
 */
static void
ngx_im_flush_lags(ngx_im_worker_t *w)
{
    int32_t                 ms;
    uint64_t                now;
    ngx_uint_t              i, n;
    struct timespec         ts;
    im_metric_histogram_t  *h;

    h = &w->counters->lag;

    if (w->lags.n == 0) {
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    now = (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    for (i = 0; i < w->lags.n; i++) {
        ms = (int32_t) ((uint32_t) now - w->lags.since[i]);

        ms = ngx_max(ms, 0);
        n = w->lags.nmessages[i];

        h->counts[im_metric_bucket(&im_metric_ms, ms)] += n;
        h->sum += (uint64_t) ms * n;
    }

    w->lags.n = 0;
}


/* All that can take it have it; what a push is to slow down doesn't count. */
static void
ngx_im_flush_sent(ngx_im_worker_t *w, const im_open_t *open)
{
    if (open->nmessages == 0 || open->rate != 0) {
        return;
    }

    if (w->lags.n == NGX_IM_LAGS) {
        ngx_im_flush_lags(w);
    }

    w->lags.since[w->lags.n] = open->since;
    w->lags.nmessages[w->lags.n++] = open->nmessages;
}


/* The next to be sent to, or NULL; logs without any leave their list. */
static im_sub_t *
ngx_im_flush_next(ngx_im_worker_t *w, im_list_t *logs, ngx_im_batch_t *batch)
{
    im_log_t   *log;
    im_sub_t   *sub;
    im_open_t  *open;

    for ( ;; ) {
        if (im_list_empty(logs)) {
            ngx_im_batch_send(w, batch, logs);

            if (im_list_empty(logs)) {
                return NULL;
            }
        }

        open = im_list_data(im_list_first(logs), im_open_t, link);
        sub = im_log_pending(open->log);

        if (sub != NULL) {
            return sub;
        }

        if (batch->n > 0) {
            im_list_remove(&open->link);
            im_list_insert_tail(&batch->logs, &open->link);
            continue;
        }

        log = open->log;
        im_log_trim(&w->hub.logs, log, im_log_bytes(log) > w->conf->log_bytes);
        ngx_im_flush_sent(w, open);
        im_log_flushed(log);
    }
}


/*
 * So many of all topics have news that a look at those of a session is worth
 * it, however many it has: what is found saves a send.
 */
static ngx_uint_t
ngx_im_flush_many(const ngx_im_worker_t *w, const im_list_t *logs)
{
    size_t      looks;
    im_list_t  *q;

    looks = 0;
    q = im_list_first(logs);

    while (q != im_list_last(logs) && looks < w->hub.topics.count) {
        looks += NGX_IM_FLUSH_LOOKS;
        q = im_list_next(q);
    }

    return looks > 0 && looks >= w->hub.topics.count;
}


/*
 * What a session lacks goes out together.  Nothing else is to be found where no
 * other log waits.  One that has a second turn in a flush may have several
 * more.  NULL: all of its topics are to be looked at.
 */
static im_sub_t *
ngx_im_flush_only(const ngx_im_worker_t *w, const im_list_t *logs,
    ngx_uint_t many, im_sub_t *sub)
{
    const ngx_im_session_t  *s;

    s = ngx_im_sub_session(sub);

    if (im_list_first(logs) == im_list_last(logs) && im_list_empty(&w->paced)) {
        return sub;
    }

    if (s->nsubs <= NGX_IM_FLUSH_FEW || many) {
        return NULL;
    }

    return s->flush == w->nflushes && s->nsubs <= NGX_IM_FLUSH_AGAIN ? NULL
                                                                      : sub;
}


static void
ngx_im_flush_count(ngx_im_worker_t *w, ngx_uint_t sessions)
{
    if (sessions > 0) {
        im_metric_observe(&w->counters->flush, &im_metric_sizes, sessions);
    }

    ngx_im_flush_lags(w);
}


/* many: of ngx_im_flush_many(). */
static void
ngx_im_flush_sub(ngx_im_worker_t *w, im_list_t *logs, ngx_uint_t many,
    im_sub_t *sub, ngx_im_batch_t *batch)
{
    im_sub_t          *only;
    ngx_im_session_t  *s;

    s = ngx_im_sub_session(sub);

    if (s->phase == NGX_IM_CLOSED || !im_list_empty(&s->blocked)) {
        ngx_im_send_later(s, sub);
        return;
    }

    only = ngx_im_flush_only(w, logs, many, sub);
    s->flush = w->nflushes;

    if (ngx_im_batch_add(w, batch, s, only) != NGX_OK) {
        ngx_im_send_turn(s, sub, only);
    }

    /* nothing comes behind a cut: it is not asked again until it leaves */

    if (s->phase >= NGX_IM_ENDING) {
        ngx_im_send_later(s, sub);
    }
}


/*
 * A log may end in a turn, and leaves its list then.  One that has more to send
 * than fits a turn goes behind the others.
 */
ngx_uint_t
ngx_im_flush_turn(ngx_im_worker_t *w, im_list_t *logs, ngx_uint_t n)
{
    uint64_t         end;
    im_sub_t        *sub;
    im_open_t       *open;
    ngx_uint_t       most, many;
    ngx_im_batch_t   batch;

    end = 0;
    most = n;
    many = ngx_im_flush_many(w, logs);
    w->nflushes++;
    ngx_im_batch_init(&batch);

    for ( ;; ) {
        sub = ngx_im_flush_next(w, logs, &batch);

        if (sub == NULL) {
            ngx_im_flush_count(w, most - n);
            return 1;
        }

        if (n == 0 || ngx_im_flush_late(n, &end)) {
            break;
        }

        n--;

        ngx_im_flush_sub(w, logs, many, sub, &batch);

        if (batch.n == NGX_IM_URING_SENDS
            || batch.bytes >= NGX_IM_FLUSH_BATCH)
        {
            ngx_im_batch_send(w, &batch, logs);
        }
    }

    open = sub->log->open;
    im_list_remove(&open->link);
    im_list_insert_tail(logs, &open->link);

    ngx_im_batch_send(w, &batch, logs);
    ngx_im_flush_count(w, most - n);

    return 0;
}


void
ngx_im_flush_handler(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ev->data;

    if (!ngx_im_flush_turn(w, &w->flush, w->conf->budget)) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    ngx_im_flush_relieve(w);
}


void
ngx_im_flush(ngx_im_worker_t *w)
{
    if (!w->flush_event.posted) {
        ngx_im_flush_handler(&w->flush_event);
    }
}


/*
 * A socket may be full for a moment, and a moment may bring more than a log
 * keeps.  So a session that is behind by more than that is closed only if its
 * socket has not taken a byte for a while.  Where the replies of all sessions
 * are too long, so is a session that leaves many of them unread.
 */
void
ngx_im_flush_tick(ngx_im_worker_t *w)
{
    im_list_t         *q;
    ngx_uint_t         n;
    ngx_im_session_t  *s;

    n = 0;
    q = im_list_first(&w->blocked);

    while (q != im_list_sentinel(&w->blocked)) {
        s = im_list_data(q, ngx_im_session_t, blocked);
        q = im_list_next(q);

        if ((uint32_t) ngx_current_msec - s->stuck < NGX_IM_FLUSH_SLOW) {
            break;
        }

        if (s->phase >= NGX_IM_ENDING) {
            continue;
        }

        if (ngx_im_flush_behind(s) > w->conf->log_bytes
            || (w->reply_bytes > w->conf->logs_bytes
                && ngx_im_send_waiting(s) > s->class->conf->max_replies))
        {
            ngx_im_send_slow(s, IM_REASON_SLOW);

            if (++n == NGX_IM_FLUSH_CLOSES) {
                break;
            }
        }
    }
}
