/*
 * Copyright (C) The im authors
 *
 * Paced output: logs wait in worker->paced until they are due, and some of
 * their followers get theirs each time that the timer fires.
 *
 * A follower that gets something else meanwhile gets this with it, as one send
 * costs less than two, unless it has many topics.
 */

#include "ngx_im_pace.h"
#include "ngx_im_flush.h"
#include "ngx_im_send.h"


#define NGX_IM_PACE_EACH  10         /* ms */


/* Its next flush is like that of any log. */
static void
ngx_im_pace_end(ngx_im_worker_t *w, im_open_t *open)
{
    open->rate = 0;
    open->due = 0;

    if (!im_list_empty(&open->link)) {
        im_list_remove(&open->link);
        im_list_insert_tail(&w->flush, &open->link);
    }
}


void
ngx_im_pace_topic(ngx_im_worker_t *w, im_topic_t *topic, ngx_uint_t batch,
    ngx_uint_t speed)
{
    uint32_t    now;
    im_log_t   *log;
    im_open_t  *open;

    now = (uint32_t) ngx_current_msec;

    for (log = topic->logs; log; log = log->next) {

        if (batch == 0 && speed == 0) {
            open = log->open;

            if (open != NULL && (open->rate != 0 || open->due != 0)) {
                ngx_im_pace_end(w, open);
            }

            continue;
        }

        open = im_log_open(&w->hub.logs, log);
        if (open == NULL) {
            continue;
        }

        if (im_list_empty(&open->link)) {
            open->due = now + (uint32_t) batch;
            open->due += open->due == 0;
        }

        open->rate = (uint32_t) speed;
    }

    if ((batch != 0 || speed != 0) && !w->pace_event.timer_set) {
        ngx_add_timer(&w->pace_event, NGX_IM_PACE_EACH);
    }
}


/* due says up to when its followers had their turns; the log may end. */
static void
ngx_im_pace_some(ngx_im_worker_t *w, im_open_t *open, uint32_t now)
{
    uint64_t   n;
    im_list_t  alone;

    n = (uint64_t) (now - open->due) * open->rate / 1000;

    if (n == 0) {
        return;
    }

    open->due += (uint32_t) (n * 1000 / open->rate);
    open->due += open->due == 0;

    im_list_init(&alone);
    im_list_remove(&open->link);
    im_list_insert_tail(&alone, &open->link);

    if (!ngx_im_flush_turn(w, &alone, ngx_min(n, w->conf->budget))) {
        im_list_splice(&w->paced, &alone);
    }
}


/* A log that has become long does not wait. */
void
ngx_im_pace_handler(ngx_event_t *ev)
{
    uint32_t          now;
    im_list_t         logs;
    im_open_t        *open;
    ngx_im_worker_t  *w;

    w = ev->data;
    now = (uint32_t) ngx_current_msec;

    im_list_init(&logs);
    im_list_splice(&logs, &w->paced);

    while (!im_list_empty(&logs)) {
        open = im_list_data(im_list_first(&logs), im_open_t, link);

        im_list_remove(&open->link);
        im_list_insert_tail(&w->paced, &open->link);

        if (open->bytes > w->conf->log_bytes
            || (open->rate == 0 && (int32_t) (now - open->due) >= 0))
        {
            ngx_im_pace_end(w, open);

        } else if (open->rate != 0) {
            ngx_im_pace_some(w, open, now);
        }
    }

    if (!im_list_empty(&w->paced)) {
        ngx_add_timer(ev, NGX_IM_PACE_EACH);
    }

    ngx_im_flush(w);
}
