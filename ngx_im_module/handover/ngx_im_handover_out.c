/*
 * Copyright (C) The im authors
 *
 * The worker that ends: it hands its sessions over to one that comes after it.
 *
 * It connects to the worker of its own slot, or, if there are fewer workers
 * now, to that of its slot modulo their number.  It names its topics, and holds
 * what it would tell Redis of them.  A session goes once the other worker has
 * all messages behind the session's positions.  It is in flight until the other
 * one has answered.  When all have gone, and Redis counts them at the other
 * worker, the topics are left, and the channel is closed.
 *
 * Entries for sessions, which come by pub/sub, are forwarded, whether they were
 * applied here or not: the other worker gets the same ones by pub/sub, too.  A
 * session that comes back from its flight gets those that it missed.
 *
 * When none has moved for 5 s, and the other worker has got no further topic,
 * the rest stays.
 *
 * If the channel breaks, this worker may not know which sessions live there.
 * What it counts of them it counts on until Redis says that the other worker
 * counts all that it has got, or until that one has died.
 */

#include "ngx_im_handover_out.h"
#include "ngx_im_handover.h"
#include "ngx_im_out_flight.h"
#include "ngx_im_out_sessions.h"
#include "ngx_im_out_stay.h"
#include "ngx_im_out_topics.h"


#define NGX_IM_OUT_TRIES    5        /* of a worker that takes none */
#define NGX_IM_OUT_RETRY    20       /* ms */
#define NGX_IM_OUT_LOOK     5        /* ms: what waits is looked at again */
#define NGX_IM_OUT_OPENING  50       /* ms, for requests that are coming */
#define NGX_IM_OUT_LINGER   2000     /* ms, for the last words to Redis */
#define NGX_IM_OUT_OWED     15000    /* ms: longer than a lease */
#define NGX_IM_OUT_ASK      500      /* ms: Redis is asked so often, at least */


static void ngx_im_out_connect(ngx_im_handover_out_t *out);


static void
ngx_im_out_close(ngx_im_handover_out_t *out)
{
    if (out->channel != NULL) {
        ngx_im_channel_close(out->channel);
        out->channel = NULL;
    }
}


static void
ngx_im_out_done(ngx_im_handover_out_t *out)
{
    ngx_im_out_state(out, NGX_IM_OUT_DONE);
    ngx_im_out_close(out);
    ngx_im_entries_clear(&out->entries);

    if (out->event.timer_set) {
        ngx_del_timer(&out->event);
    }

    if (out->turn.posted) {
        ngx_delete_posted_event(&out->turn);
    }

    if (out->worker->follow != NULL) {
        (void) ngx_im_lease_hold(out->worker, 0);
    }

    if (out->pid != 0) {
        ngx_im_out_stay_all(out);
        ngx_im_out_log(out);
    }

    out->events->done(out->worker);
}


static void
ngx_im_out_failed(ngx_im_handover_out_t *out, ngx_err_t err, const char *why)
{
    ngx_log_error(NGX_LOG_NOTICE, out->worker->log, err,
                  "im: sessions can't be handed over to the next worker of "
                  "slot %ui: %s", out->slot, why);

    ngx_im_out_done(out);
}


static void
ngx_im_out_again(ngx_im_handover_out_t *out)
{
    ngx_im_out_state(out, NGX_IM_OUT_CONNECTING);
    ngx_im_out_close(out);
    ngx_im_out_look(out, NGX_IM_OUT_RETRY);
}


/* Redis is asked at once, and then less often. */
static void
ngx_im_out_ask(ngx_im_handover_out_t *out)
{
    if (ngx_current_msec - out->asked < out->pause) {
        return;
    }

    out->asked = ngx_current_msec;
    out->pause = ngx_min(out->pause * 2, NGX_IM_OUT_ASK);

    ngx_im_lease_ask(out->worker);
}


/*
 * What has become of the sessions that went through a channel that has broken.
 * No process has that number any more: nothing comes from it.
 */
static ngx_im_lend_e
ngx_im_out_owed(ngx_im_handover_out_t *out)
{
    if (out->lend == NULL || out->nmoved + out->nlost == out->went) {
        return NGX_IM_LEND_TAKEN;
    }

    if ((kill(out->pid, 0) == -1 && ngx_errno == ESRCH)
        || ngx_current_msec - out->owed >= NGX_IM_OUT_OWED)
    {
        return NGX_IM_LEND_DEAD;
    }

    return ngx_im_lease_lent(out->lend);
}


/* Sessions that can't move any more don't wait for it. */
static void
ngx_im_out_owing(ngx_im_handover_out_t *out)
{
    ngx_im_lend_e  owed;

    owed = ngx_im_out_owed(out);

    if (owed == NGX_IM_LEND_OPEN) {

        if (ngx_im_out_late(out)) {
            ngx_im_out_stay_all(out);
        }

        ngx_im_out_ask(out);
        ngx_im_out_look(out, ngx_min(out->pause, NGX_IM_OUT_STEP / 20));
        return;
    }

    ngx_im_out_release(out, owed == NGX_IM_LEND_TAKEN);

    /* where it was silent for 5 s, a moment of them may be left */

    (void) ngx_im_out_late(out);

    if (++out->tries < NGX_IM_OUT_TRIES
        && out->waited + NGX_IM_OUT_STEP < NGX_IM_OUT_WAVE)
    {
        ngx_im_out_again(out);
        return;
    }

    ngx_im_out_failed(out, 0, out->why);
}


static void
ngx_im_out_lost(ngx_im_channel_t *ch, const char *why)
{
    ngx_uint_t              n;
    ngx_im_handover_out_t  *out;

    out = ch->data;
    n = out->nlost;

    /* all is done that needs it */

    if (out->state == NGX_IM_OUT_LEAVING) {
        ngx_im_out_close(out);
        return;
    }

    ngx_im_out_abandon(out);

    ngx_log_error(NGX_LOG_WARN, out->worker->log, 0,
                  "im: the channel to the next worker of slot %ui is lost: "
                  "%s; %ui sessions were in flight", out->slot, why,
                  out->nlost - n);

    out->why = why;
    out->owed = ngx_current_msec;
    out->asked = ngx_current_msec;
    out->pause = NGX_IM_OUT_LOOK;

    ngx_im_out_state(out, NGX_IM_OUT_OWING);
    ngx_im_out_close(out);
    ngx_im_out_owing(out);
}


/* Redis keeps what it counts of sessions as long as they move. */
static ngx_uint_t
ngx_im_out_lends(ngx_im_handover_out_t *out)
{
    return out->worker->follow == NULL
           || ngx_im_lease_hold(out->worker, 1) == NGX_OK;
}


static void
ngx_im_out_moving(ngx_im_handover_out_t *out)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (!out->quits && !ngx_im_out_late(out)) {
        rc = ngx_im_out_lends(out) ? ngx_im_out_sessions(out) : NGX_AGAIN;
    }

    if (rc == NGX_OK && out->nflights == 0
        && ngx_current_msec - out->begin >= NGX_IM_OUT_OPENING
        && (out->quits || ngx_im_out_late(out)
            || out->worker->ntaking == 0))
    {
        ngx_im_out_state(out, NGX_IM_OUT_FREEZING);
        ngx_im_out_look(out, 1);
        return;
    }

    ngx_im_out_look(out, NGX_IM_OUT_LOOK);
}


static void
ngx_im_out_freezing(ngx_im_handover_out_t *out)
{
    im_buf_t  b;

    if (!ngx_im_out_frozen(out)) {
        ngx_im_out_look(out, NGX_IM_OUT_LOOK);
        return;
    }

    ngx_im_out_state(out, NGX_IM_OUT_ENDING);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);

    im_buf_init(&b, IM_HANDOVER_MAX);
    ngx_im_channel_send(out->channel, IM_HANDOVER_END, &b, NULL, 0, 0);
    ngx_im_channel_asks(out->channel, 1);
}


/* The worker may end: it has told Redis that its topics are left. */
static void
ngx_im_out_leaving(ngx_im_handover_out_t *out)
{
    if (out->worker->follow == NULL || im_follow_left(out->worker->follow)
        || ngx_current_msec - out->left >= NGX_IM_OUT_LINGER)
    {
        ngx_im_out_done(out);
        return;
    }

    ngx_im_out_look(out, NGX_IM_OUT_LOOK);
}


/* WELCOME or SETTLED comes, or the channel is lost. */
static void
ngx_im_out_waiting(ngx_im_handover_out_t *out)
{
    (void) ngx_im_out_late(out);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);
}


static void
ngx_im_out_over(ngx_im_handover_out_t *out)
{
    /* void */
}


/* By ngx_im_out_state_e: some time has passed, or something has changed. */
static void (*const  ngx_im_out_steps[])(ngx_im_handover_out_t *out) = {
    ngx_im_out_connect,
    ngx_im_out_waiting,
    ngx_im_out_moving,
    ngx_im_out_owing,
    ngx_im_out_freezing,
    ngx_im_out_waiting,
    ngx_im_out_leaving,
    ngx_im_out_over
};


static void
ngx_im_out_handler(ngx_event_t *ev)
{
    ngx_im_handover_out_t  *out;

    out = ev->data;

    ngx_im_out_steps[out->state](out);
}


void
ngx_im_handover_out_look(ngx_im_worker_t *w)
{
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    if (out != NULL && out->state > NGX_IM_OUT_GREETING
        && out->state < NGX_IM_OUT_DONE)
    {
        ngx_post_event(&out->turn, &ngx_posted_events);
    }
}


void
ngx_im_handover_out_entry(ngx_im_worker_t *w, const im_entry_t *entry)
{
    im_buf_t                b;
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    if (out == NULL || out->state == NGX_IM_OUT_DONE) {
        return;
    }

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_entry_encode(&b, entry);

    ngx_im_out_keep(out, &b);

    if (out->channel != NULL && out->state >= NGX_IM_OUT_MOVING) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_ENTRIES, &b, NULL, 0, 0);
    }

    im_buf_cleanup(&b);
}


static void
ngx_im_out_welcome(ngx_im_handover_out_t *out, im_str_t body)
{
    ngx_im_worker_t      *w;
    im_handover_hello_t   welcome;

    w = out->worker;

    if (im_handover_hello_decode(body, &welcome) != IM_OK
        || welcome.version != IM_HANDOVER_VERSION || welcome.workers == 0)
    {
        ngx_im_out_failed(out, 0, "its answer can't be read");
        return;
    }

    out->pid = (ngx_pid_t) welcome.pid;

    if (out->slot != ngx_worker % welcome.workers) {
        out->slot = ngx_worker % welcome.workers;
        ngx_im_out_again(out);
        return;
    }

    if (w->follow != NULL) {
        out->lend = ngx_im_lease_lend(w, welcome.worker, out->fence);

        if (out->lend == NULL) {
            ngx_im_out_failed(out, 0, "no memory");
            return;
        }
    }

    out->number = 0;
    out->quits = 0;
    out->same = welcome.zone != 0 && welcome.zone == ngx_im_zone_id(w);

    ngx_im_out_state(out, NGX_IM_OUT_MOVING);

    ngx_im_out_entries_send(out);

    if (w->follow != NULL) {
        ngx_im_out_heard_send(out);
        ngx_im_out_name_all(out);
    }

    ngx_im_out_moving(out);
}


static void
ngx_im_out_readies(ngx_im_handover_out_t *out, im_str_t body)
{
    if (ngx_im_out_topics_ready(out, body) == IM_ERROR) {
        ngx_im_out_lost(out->channel, "its message \"ready\" can't be read");
        return;
    }

    ngx_im_out_progress(out);

    /* topics whose sessions don't move may be the last ones */

    if (out->state == NGX_IM_OUT_MOVING) {
        ngx_im_out_moving(out);
    }
}


static void
ngx_im_out_verdicts(ngx_im_handover_out_t *out, im_str_t body)
{
    im_int_t               rc;
    im_reader_t            r;
    im_handover_verdict_t  v;

    im_reader_init(&r, body);

    while ((rc = im_handover_verdict_decode(&r, &v)) == IM_OK) {
        ngx_im_out_verdict(out, &v);
    }

    if (rc == IM_ERROR) {
        ngx_im_out_lost(out->channel, "its message \"verdicts\" can't be read");
        return;
    }

    if (out->nflights == 0) {
        ngx_im_channel_asks(out->channel, 0);
    }

    ngx_im_out_moving(out);
}


static void
ngx_im_out_settled(ngx_im_handover_out_t *out, im_str_t body)
{
    ngx_im_out_release(out, 1);

    if (out->quits && !ngx_im_out_late(out)) {
        ngx_im_out_again(out);
        return;
    }

    /* entries for sessions that have moved may come until then */

    ngx_im_out_state(out, NGX_IM_OUT_LEAVING);

    out->left = ngx_current_msec;

    ngx_im_out_leaving(out);
}


typedef struct {
    ngx_im_out_state_e  state;           /* from which on it may come */
    ngx_im_out_state_e  last;            /* up to this one */
    void              (*handler)(ngx_im_handover_out_t *out, im_str_t body);
} ngx_im_out_row_t;


static const ngx_im_out_row_t  ngx_im_out_rows[IM_HANDOVER_TYPES] = {
    [IM_HANDOVER_WELCOME] = { NGX_IM_OUT_GREETING, NGX_IM_OUT_GREETING,
                              ngx_im_out_welcome },
    [IM_HANDOVER_READY] = { NGX_IM_OUT_MOVING, NGX_IM_OUT_ENDING,
                            ngx_im_out_readies },
    [IM_HANDOVER_VERDICTS] = { NGX_IM_OUT_MOVING, NGX_IM_OUT_MOVING,
                               ngx_im_out_verdicts },
    [IM_HANDOVER_SETTLED] = { NGX_IM_OUT_ENDING, NGX_IM_OUT_ENDING,
                              ngx_im_out_settled }
};


static void
ngx_im_out_message(ngx_im_channel_t *ch, im_handover_type_e type, im_str_t body,
    ngx_socket_t *fds, ngx_uint_t nfds)
{
    const ngx_im_out_row_t  *row;
    ngx_im_handover_out_t   *out;

    out = ch->data;
    row = &ngx_im_out_rows[type];

    if (row->handler == NULL || out->state < row->state
        || out->state > row->last)
    {
        ngx_im_out_lost(ch, "it sent a message that doesn't belong there");
        return;
    }

    row->handler(out, body);
}


static const ngx_im_channel_events_t  ngx_im_out_events = {
    ngx_im_out_message,
    ngx_im_out_lost
};


static void
ngx_im_out_hello(ngx_im_handover_out_t *out)
{
    im_buf_t             b;
    im_handover_hello_t  hello;

    ngx_memzero(&hello, sizeof(im_handover_hello_t));

    out->lend = NULL;
    out->went = out->nmoved + out->nlost;
    out->fence = out->worker->follow != NULL
                 ? im_follow_fence(out->worker->follow) : 0;

    hello.version = IM_HANDOVER_VERSION;
    hello.pid = (uint32_t) ngx_pid;
    hello.zone = ngx_im_zone_id(out->worker);
    hello.fence = out->fence;
    hello.worker = ngx_im_channel_id(out->worker);

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_hello_encode(&b, &hello);

    ngx_im_out_state(out, NGX_IM_OUT_GREETING);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);
    ngx_im_channel_send(out->channel, IM_HANDOVER_HELLO, &b, NULL, 0, 0);
}


/* The other worker is of this nginx: its master has made the socket. */
static const char *
ngx_im_out_open(ngx_im_handover_out_t *out, struct sockaddr_un *sa)
{
    ngx_uid_t     uid;
    ngx_socket_t  fd;

    fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        return "socket() failed";
    }

    if (connect(fd, (struct sockaddr *) sa, sizeof(struct sockaddr_un)) == -1) {
        (void) ngx_close_socket(fd);
        return "connect() failed";
    }

    if (ngx_im_channel_peer(fd, 1, &uid) != NGX_OK) {
        (void) ngx_close_socket(fd);
        ngx_set_errno(0);
        return "its socket is another user's";
    }

    out->channel = ngx_im_channel_create(out->worker, fd, &ngx_im_out_events,
                                         out);

    return out->channel == NULL ? "no memory or no connection" : NULL;
}


static void
ngx_im_out_connect(ngx_im_handover_out_t *out)
{
    ino_t                ino;
    const char          *why;
    struct sockaddr_un   sa;

    if (ngx_im_out_late(out)) {
        ngx_im_out_failed(out, 0, "none has taken them in 5 s");
        return;
    }

    if (ngx_im_handover_next(out->worker->conf, out->slot, &sa, &ino)
        != NGX_OK)
    {
        ngx_im_out_failed(out, 0, "there is none any more");
        return;
    }

    if (ino != out->ino) {
        out->ino = ino;
        out->tries = 0;
    }

    ngx_set_errno(0);

    why = ngx_im_out_open(out, &sa);

    if (why == NULL) {
        ngx_im_out_hello(out);

    } else if (ngx_errno == NGX_EAGAIN && ++out->tries < NGX_IM_OUT_TRIES) {
        ngx_im_out_again(out);

    } else {
        ngx_im_out_failed(out, ngx_errno, why);
    }
}


ngx_int_t
ngx_im_handover_out(ngx_im_worker_t *w, const ngx_im_handover_events_t *events)
{
    ino_t                   ino;
    ngx_uint_t              slot;
    struct sockaddr_un      sa;
    ngx_im_handover_out_t  *out;

    slot = ngx_worker;

    if (ngx_im_handover_next(w->conf, slot, &sa, &ino) != NGX_OK) {
        slot = 0;

        if (ngx_im_handover_next(w->conf, slot, &sa, &ino) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    out = im_calloc(sizeof(ngx_im_handover_out_t));
    if (out == NULL) {
        return NGX_DECLINED;
    }

    out->worker = w;
    out->events = events;
    out->slot = slot;
    out->begin = ngx_current_msec;
    out->moved = ngx_current_msec;
    out->looked = ngx_current_msec;

    if (ngx_im_out_topics_init(out) != NGX_OK) {
        im_free(out);
        return NGX_DECLINED;
    }

    ngx_im_entries_init(&out->entries);

    out->event.handler = ngx_im_out_handler;
    out->event.data = out;
    out->event.log = w->log;
    out->turn = out->event;

    w->handover_out = out;
    w->opening = 1;

    ngx_add_timer(&out->event, 1);

    return NGX_OK;
}
