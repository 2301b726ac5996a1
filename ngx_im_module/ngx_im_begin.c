/*
 * Copyright (C) The im authors
 *
 * The begin of a worker.
 *
 * Until it has reached Redis, a worker refuses clients, and of a cluster those
 * of the rooms of a server.  In a reload those that come before it still accept
 * for 100 ms.  So this one leaves connections to them, and then to the queue of
 * the kernel, until it has reached all of Redis.  If that can't be reached, it
 * accepts and refuses them.
 *
 * With accept_mutex nginx adds and deletes the events of shared sockets itself,
 * and counts down a number of turns in which it doesn't.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_follow.h"


#define NGX_IM_BEGIN_STEP  2         /* ms */
#define NGX_IM_BEGIN_TURNS NGX_MAX_INT32_VALUE


static ngx_event_t  ngx_im_begin_event;


/* A listening socket whose connections nginx takes for this worker alone. */
static ngx_connection_t *
ngx_im_begin_listening(ngx_cycle_t *cycle, ngx_uint_t i)
{
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;

    return ls[i].type == SOCK_STREAM ? ls[i].connection : NULL;
}


static void
ngx_im_begin_pause(ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    for (i = 0; i < cycle->listening.nelts; i++) {
        c = ngx_im_begin_listening(cycle, i);

        if (c != NULL && c->read->active) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_DISABLE_EVENT);
        }
    }

    ngx_accept_disabled = NGX_IM_BEGIN_TURNS;
}


/* nginx has no event for it as long as another worker has the mutex. */
static ngx_uint_t
ngx_im_begin_shared(ngx_cycle_t *cycle, ngx_uint_t i)
{
#if (NGX_HAVE_REUSEPORT)
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;

    if (ls[i].reuseport) {
        return 0;
    }
#endif

    return ngx_use_accept_mutex;
}


static void
ngx_im_begin_accept(ngx_cycle_t *cycle, ngx_log_t *log)
{
    ngx_uint_t         i, flags;
    ngx_connection_t  *c;

    flags = 0;
    ngx_accept_disabled = 0;

#if (NGX_HAVE_EPOLLEXCLUSIVE)
    if (ngx_use_exclusive_accept) {
        flags = NGX_EXCLUSIVE_EVENT;
    }
#endif

    for (i = 0; i < cycle->listening.nelts; i++) {
        c = ngx_im_begin_listening(cycle, i);

        if (c != NULL && !c->read->active && !ngx_im_begin_shared(cycle, i)
            && ngx_add_event(c->read, NGX_READ_EVENT, flags) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ALERT, log, 0,
                          "im: no event for a listening socket");
        }
    }
}


static void
ngx_im_begin_handler(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ev->data;

    if (ngx_exiting) {
        return;
    }

    if (ngx_im_follow_begins(w)) {
        ngx_add_timer(ev, NGX_IM_BEGIN_STEP);
        return;
    }

    ngx_im_begin_accept((ngx_cycle_t *) ngx_cycle, w->log);
}


void
ngx_im_begin(ngx_im_worker_t *w, ngx_cycle_t *cycle)
{
    if (!w->conf->enabled || !(ngx_event_flags & NGX_USE_EPOLL_EVENT)) {
        return;
    }

    ngx_im_begin_pause(cycle);

    ngx_im_begin_event.handler = ngx_im_begin_handler;
    ngx_im_begin_event.data = w;
    ngx_im_begin_event.log = w->log;
    ngx_im_begin_event.cancelable = 1;

    ngx_add_timer(&ngx_im_begin_event, NGX_IM_BEGIN_STEP);
}
