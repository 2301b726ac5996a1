/*
 * Copyright (C) The im authors
 *
 * The worker that takes sessions: it listens for workers that end.
 *
 * Each of them has a channel, and a state here.  Topics that it names are
 * pinned, so that no message of them is missed.  A session that is ahead of a
 * topic is parked for a moment.  When the last session has come, Redis moves
 * what it counts from the old worker to this one.
 *
 * A worker that ends itself sends those that come to it on, to the workers that
 * come after it.
 */

#include "ngx_im_handover_in.h"
#include "ngx_im_handover.h"
#include "ngx_im_handover_out.h"
#include "ngx_im_in_parked.h"
#include "ngx_im_in_sessions.h"
#include "ngx_im_in_topics.h"


#define NGX_IM_IN_CHANNELS  64
#define NGX_IM_IN_RETRY     100      /* ms: no descriptor was free */


static void
ngx_im_in_free(ngx_im_in_t *from)
{
    im_list_remove(&from->link);

    im_free(from->topics);
    im_free(from->unready);
    im_free(from->sessions);
    im_free(from->subs);
    im_free(from);
}


static void
ngx_im_in_hang_up(ngx_im_in_t *from)
{
    if (from->channel != NULL) {
        ngx_im_channel_close(from->channel);
        from->channel = NULL;
    }
}


static void
ngx_im_in_close(ngx_im_in_t *from)
{
    ngx_im_worker_t  *w;

    w = from->in->worker;

    ngx_im_in_hang_up(from);

    if (from->who != NULL) {
        ngx_im_from_close(from->who);
    }

    ngx_im_in_topics_unpin(from);

    if (from->ntaken > 0 || from->nrefused > 0) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "im: %ui sessions came from worker process %P, "
                      "%ui were refused", from->ntaken, from->pid,
                      from->nrefused);
    }

    ngx_im_in_free(from);

    w->ntaking--;
    ngx_im_handover_out_look(w);
}


/*
 * Redis moves first the topics of the sessions, then what it counts of them.
 * Without a channel that is all.  If none has come, and the other worker knows
 * that, Redis isn't needed.
 */
static void
ngx_im_in_settle(ngx_im_in_t *from)
{
    im_buf_t          b;
    ngx_im_worker_t  *w;

    w = from->in->worker;

    if (from->state == NGX_IM_IN_ENDED
        && (w->follow == NULL
            || im_follow_settle(w->follow, from->who->id, from->who->fence)
               == IM_OK))
    {
        ngx_im_in_state(from, NGX_IM_IN_COUNTING);

        if (w->follow != NULL) {
            ngx_im_in_infos(from);
        }

        if (w->follow != NULL && (from->ntaken > 0 || from->channel == NULL)) {
            ngx_im_lease_settle(w, from->who->id, from->who->fence);
        }
    }

    if (from->state != NGX_IM_IN_COUNTING
        || (w->follow != NULL
            && !ngx_im_lease_settled(w, from->who->id, from->who->fence)))
    {
        return;
    }

    ngx_im_in_state(from, NGX_IM_IN_SETTLED);

    if (from->channel == NULL) {
        ngx_im_in_close(from);
        return;
    }

    im_buf_init(&b, IM_HANDOVER_MAX);
    ngx_im_channel_send(from->channel, IM_HANDOVER_SETTLED, &b, NULL, 0, 0);
}


/* Sessions that have come are this worker's, whatever becomes of the other. */
static void
ngx_im_in_over(ngx_im_in_t *from)
{
    ngx_im_in_hang_up(from);
    ngx_im_in_entries_end(from);

    if (from->who == NULL || from->state == NGX_IM_IN_SETTLED) {
        ngx_im_in_close(from);
        return;
    }

    if (from->state < NGX_IM_IN_ENDED) {
        ngx_im_in_state(from, NGX_IM_IN_ENDED);
        ngx_im_in_settle(from);
    }
}


static void
ngx_im_in_lost(ngx_im_channel_t *ch, const char *why)
{
    ngx_im_in_t  *from;

    from = ch->data;

    if (from->state != NGX_IM_IN_SETTLED) {
        ngx_log_error(NGX_LOG_NOTICE, from->in->worker->log, 0,
                      "im: handover from worker process %P was cut off: %s",
                      from->pid, why);
    }

    /* the other worker has closed what it had sent, or has died */

    if (!im_list_empty(&from->parked)) {
        ngx_im_in_state(from, NGX_IM_IN_LEFT);
        ngx_im_in_hang_up(from);
        ngx_im_in_look(from->in);
        return;
    }

    ngx_im_in_over(from);
}


static void
ngx_im_in_fault(ngx_im_in_t *from, im_handover_type_e type, const char *what)
{
    ngx_log_error(NGX_LOG_ERR, from->in->worker->log, 0,
                  "im: handover from worker process %P was cut off: its "
                  "message \"%s\" %s", from->pid, im_handover_names[type],
                  what);

    ngx_im_in_over(from);
}


static void
ngx_im_in_welcome(ngx_im_in_t *from)
{
    im_buf_t               b;
    ngx_core_conf_t       *ccf;
    ngx_im_worker_t       *w;
    im_handover_hello_t    welcome;

    w = from->in->worker;
    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    ngx_memzero(&welcome, sizeof(im_handover_hello_t));

    welcome.version = IM_HANDOVER_VERSION;
    welcome.pid = (uint32_t) ngx_pid;
    welcome.zone = ngx_im_zone_id(w);
    welcome.workers = (uint32_t) ccf->worker_processes;
    welcome.worker = ngx_im_channel_id(w);

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_hello_encode(&b, &welcome);

    ngx_im_in_state(from, NGX_IM_IN_TAKING);
    ngx_im_channel_send(from->channel, IM_HANDOVER_WELCOME, &b, NULL, 0, 0);

    /* its sessions may wait for what they do */

    ngx_im_channel_asks(from->channel, 0);
}


static const char *
ngx_im_in_hello(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_worker_t      *w;
    im_handover_hello_t   hello;

    w = from->in->worker;

    if (im_handover_hello_decode(body->bytes, &hello) != IM_OK) {
        return "is malformed";
    }

    from->pid = (ngx_pid_t) hello.pid;

    if (hello.version != IM_HANDOVER_VERSION) {
        ngx_log_error(NGX_LOG_WARN, from->in->worker->log, 0,
                      "im: worker process %P offers its sessions in version "
                      "%uD, and this binary has version %d: it closes them "
                      "itself", from->pid, hello.version,
                      IM_HANDOVER_VERSION);

        ngx_im_in_close(from);
        return NULL;
    }

    from->who = ngx_im_from_create(w, hello.worker,
                                   hello.zone == ngx_im_zone_id(w)
                                   ? from->pid : 0, hello.fence);
    if (from->who == NULL) {
        ngx_im_in_close(from);
        return NULL;
    }

    ngx_im_in_welcome(from);

    return NULL;
}


static void
ngx_im_in_look_handler(ngx_event_t *ev)
{
    im_list_t             *q, *next;
    ngx_im_in_t           *from;
    ngx_im_handover_in_t  *in;

    in = ev->data;

    for (q = im_list_first(&in->channels); q != &in->channels; q = next) {
        next = im_list_next(q);
        from = im_list_data(q, ngx_im_in_t, link);

        if (from->state == NGX_IM_IN_TAKING) {
            ngx_im_in_ready(from);
            ngx_im_in_unpark(from);

        } else if (from->state == NGX_IM_IN_LEFT) {
            ngx_im_in_unpark(from);

            if (im_list_empty(&from->parked)) {
                ngx_im_in_over(from);
            }
        }
    }
}


void
ngx_im_handover_in_look(ngx_im_worker_t *w)
{
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in != NULL && in->look.timer_set) {
        ngx_post_event(&in->look, &ngx_posted_events);
    }
}


static const char *
ngx_im_in_heard(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_int_t             rc;
    im_reader_t          r;
    im_handover_heard_t  heard;

    im_reader_init(&r, body->bytes);

    while ((rc = im_handover_heard_decode(&r, &heard)) == IM_OK) {
        from->who->heard[heard.partition] = heard.time;
    }

    ngx_im_from_heard(from->in->worker, from->who);

    return rc == IM_ERROR ? "is malformed" : NULL;
}


static const char *
ngx_im_in_end(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_in_state(from, NGX_IM_IN_ENDED);
    ngx_im_in_settle(from);

    return NULL;
}


void
ngx_im_handover_in_counted(ngx_im_worker_t *w)
{
    im_list_t             *q, *next;
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in == NULL) {
        return;
    }

    for (q = im_list_first(&in->channels); q != &in->channels; q = next) {
        next = im_list_next(q);
        ngx_im_in_settle(im_list_data(q, ngx_im_in_t, link));
    }
}


void
ngx_im_handover_in_taken(ngx_im_worker_t *w, im_str_t id)
{
    ngx_im_handover_in_counted(w);
}


typedef struct {
    ngx_im_in_state_e   state;           /* from which on it may come */
    ngx_im_in_state_e   last;            /* up to this one */

    /* what is wrong with the message, or NULL */
    const char       *(*handler)(ngx_im_in_t *from, ngx_im_in_body_t *body);
} ngx_im_in_row_t;


static const ngx_im_in_row_t  ngx_im_in_rows[IM_HANDOVER_TYPES] = {
    [IM_HANDOVER_HELLO] = { NGX_IM_IN_GREETING, NGX_IM_IN_GREETING,
                            ngx_im_in_hello },
    [IM_HANDOVER_HEARD] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                            ngx_im_in_heard },
    [IM_HANDOVER_TOPICS] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                             ngx_im_in_topics },
    [IM_HANDOVER_SESSIONS] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                               ngx_im_in_sessions },
    [IM_HANDOVER_LATE] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                           ngx_im_in_late },
    [IM_HANDOVER_ENTRIES] = { NGX_IM_IN_TAKING, NGX_IM_IN_SETTLED,
                              ngx_im_in_entries },
    [IM_HANDOVER_END] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                          ngx_im_in_end }
};


static void
ngx_im_in_message(ngx_im_channel_t *ch, im_handover_type_e type, im_str_t body,
    ngx_socket_t *fds, ngx_uint_t nfds)
{
    const char             *fault;
    ngx_im_in_t            *from;
    ngx_im_in_body_t        message;
    const ngx_im_in_row_t  *row;

    from = ch->data;
    row = &ngx_im_in_rows[type];

    if (row->handler == NULL || from->state < row->state
        || from->state > row->last)
    {
        ngx_im_in_fault(from, type, "doesn't belong there");
        return;
    }

    message.bytes = body;
    message.fds = fds;
    message.nfds = nfds;

    fault = row->handler(from, &message);

    if (fault != NULL) {
        ngx_im_in_fault(from, type, fault);
    }
}


static const ngx_im_channel_events_t  ngx_im_in_events = {
    ngx_im_in_message,
    ngx_im_in_lost
};


/* Takes fd over. */
static void
ngx_im_in_accepted(ngx_im_handover_in_t *in, ngx_socket_t fd)
{
    ngx_uid_t     uid;
    ngx_im_in_t  *from;

    if (ngx_im_channel_peer(fd, 0, &uid) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, in->worker->log, 0,
                      "im: a process of user %d wanted to hand sessions over, "
                      "and only those of user %d may",
                      (int) uid, (int) geteuid());

        (void) ngx_close_socket(fd);
        return;
    }

    from = ngx_exiting || in->worker->ntaking >= NGX_IM_IN_CHANNELS
           ? NULL : im_calloc(sizeof(ngx_im_in_t));

    if (from == NULL) {
        (void) ngx_close_socket(fd);
        return;
    }

    from->channel = ngx_im_channel_create(in->worker, fd, &ngx_im_in_events,
                                          from);
    if (from->channel == NULL) {
        im_free(from);
        return;
    }

    from->in = in;
    in->worker->ntaking++;

    im_list_init(&from->parked);

    im_list_insert_tail(&in->channels, &from->link);
}


/* It is tried again.  However long that goes on, it is one line. */
static void
ngx_im_in_accept_failed(ngx_im_handover_in_t *in, ngx_err_t err)
{
    if (in->nfailed++ == 0) {
        in->failed = ngx_current_msec;

        ngx_log_error(NGX_LOG_CRIT, in->worker->log, err,
                      "im: accept() of a handover failed, and is tried again; "
                      "no sessions come until then");
    }

    ngx_add_timer(&in->retry, NGX_IM_IN_RETRY);
}


/* No worker waits. */
static void
ngx_im_in_accept_done(ngx_im_handover_in_t *in)
{
    if (in->nfailed > 0) {
        ngx_log_error(NGX_LOG_NOTICE, in->worker->log, 0,
                      "im: accept() of a handover succeeds again, after %M ms "
                      "and %ui tries", ngx_current_msec - in->failed,
                      in->nfailed);
    }

    in->nfailed = 0;
}


static void
ngx_im_in_accept(ngx_im_handover_in_t *in)
{
    ngx_err_t     err;
    ngx_socket_t  fd;

    for ( ;; ) {
        fd = accept4(in->listening->fd, NULL, NULL,
                     SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd != (ngx_socket_t) -1) {
            ngx_im_in_accepted(in, fd);
            continue;
        }

        err = ngx_errno;

        if (err == NGX_EINTR || err == NGX_ECONNABORTED) {
            continue;
        }

        if (err == NGX_EAGAIN) {
            ngx_im_in_accept_done(in);

        } else {
            ngx_im_in_accept_failed(in, err);
        }

        return;
    }
}


static void
ngx_im_in_retry_handler(ngx_event_t *ev)
{
    ngx_im_handover_in_t  *in;

    in = ev->data;

    if (in->listening != NULL) {
        ngx_im_in_accept(in);
    }
}


/* It is an idle connection to nginx, which says by it that the worker ends. */
static void
ngx_im_in_accept_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_im_handover_in_t  *in;

    c = rev->data;
    in = c->data;

    if (c->close) {
        in->worker->events->quit(in->worker);
        return;
    }

    ngx_im_in_accept(in);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, in->worker->log, 0,
                      "im: no event for the socket of im_handover");
    }
}


ngx_int_t
ngx_im_handover_in_init(ngx_im_worker_t *w)
{
    ngx_socket_t           fd;
    ngx_connection_t      *c;
    ngx_im_handover_in_t  *in;

    fd = ngx_im_handover_socket(w->conf);

    if (fd == (ngx_socket_t) -1) {
        return NGX_OK;
    }

    in = im_calloc(sizeof(ngx_im_handover_in_t));
    c = ngx_get_connection(fd, w->log);

    if (in == NULL || c == NULL) {
        return NGX_ERROR;
    }

    in->worker = w;
    in->listening = c;
    in->retry.handler = ngx_im_in_retry_handler;
    in->retry.data = in;
    in->retry.log = w->log;
    in->retry.cancelable = 1;

    in->look.handler = ngx_im_in_look_handler;
    in->look.data = in;
    in->look.log = w->log;
    in->look.cancelable = 1;

    im_list_init(&in->channels);

    c->data = in;
    c->idle = 1;
    c->read->log = w->log;
    c->write->log = w->log;
    c->read->handler = ngx_im_in_accept_handler;
    c->read->resolver = 1;

    w->handover_in = in;

    return ngx_handle_read_event(c->read, 0);
}


/* Workers that have just come find the next one by the same path. */
void
ngx_im_handover_in_quit(ngx_im_worker_t *w)
{
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in == NULL || in->listening == NULL) {
        return;
    }

    ngx_im_in_accept(in);

    ngx_close_connection(in->listening);
    in->listening = NULL;

    if (in->retry.timer_set) {
        ngx_del_timer(&in->retry);
    }
}
