/*
 * Copyright (C) The im authors
 *
 * Work for later: wheels of timers, and lists that are served in turns.
 */

#include "ngx_im_timer.h"


#define NGX_IM_TURN  5000            /* us */


ngx_uint_t
ngx_im_rate_take(ngx_im_rate_t *rate, ngx_uint_t max)
{
    uint32_t  now;

    now = ngx_time();

    if (rate->second != now) {
        rate->second = now;
        rate->n = 0;
    }

    if (max > 0 && rate->n >= max) {
        return 0;
    }

    rate->n++;

    return 1;
}


static uint64_t
ngx_im_turn_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
ngx_im_turn_handler(ngx_event_t *ev)
{
    uint64_t        end;
    im_list_t       later, *q;
    ngx_int_t       rc;
    ngx_im_turn_t  *turn;

    turn = ev->data;
    end = ngx_im_turn_clock() + NGX_IM_TURN;
    rc = NGX_OK;

    im_list_init(&later);

    while (!im_list_empty(&turn->list) && rc != NGX_BUSY) {
        q = im_list_first(&turn->list);
        im_list_remove(q);

        rc = turn->serve(q, turn->data);

        if (rc != NGX_OK) {
            im_list_insert_tail(&later, q);

        } else if (ngx_im_turn_clock() >= end) {
            break;
        }
    }

    if (!im_list_empty(&turn->list) && rc != NGX_BUSY && !ev->posted) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }

    im_list_splice(&turn->list, &later);

    if (!im_list_empty(&turn->list) && !ev->posted) {
        ngx_add_timer(ev, turn->retry);
    }
}


void
ngx_im_turn_init(ngx_im_turn_t *turn, ngx_im_turn_pt serve, void *data,
    ngx_msec_t retry, ngx_log_t *log)
{
    ngx_memzero(turn, sizeof(ngx_im_turn_t));

    im_list_init(&turn->list);

    turn->serve = serve;
    turn->data = data;
    turn->retry = retry;
    turn->event.handler = ngx_im_turn_handler;
    turn->event.data = turn;
    turn->event.log = log;
    turn->event.cancelable = 1;
}


void
ngx_im_turn_add(ngx_im_turn_t *turn, im_list_t *q)
{
    im_list_remove(q);
    im_list_insert_tail(&turn->list, q);

    if (!turn->event.posted) {
        ngx_post_event(&turn->event, &ngx_posted_events);
    }
}


void
ngx_im_turn_later(ngx_im_turn_t *turn, im_list_t *q)
{
    im_list_remove(q);
    im_list_insert_tail(&turn->list, q);

    if (!turn->event.posted && !turn->event.timer_set) {
        ngx_add_timer(&turn->event, turn->retry);
    }
}


/* A timer beyond one revolution waits for another one. */
static ngx_int_t
ngx_im_wheel_serve(im_list_t *q, void *data)
{
    ngx_im_timer_t  *timer;
    ngx_im_wheel_t  *wheel;

    wheel = data;
    timer = im_list_data(q, ngx_im_timer_t, link);

    if (timer->at > wheel->time) {
        ngx_im_timer_set(wheel, timer, timer->at);

    } else {
        wheel->handler(timer);
    }

    return NGX_OK;
}


void
ngx_im_wheel_init(ngx_im_wheel_t *wheel, ngx_im_timer_pt handler,
    ngx_log_t *log)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_IM_WHEEL_SLOTS; i++) {
        im_list_init(&wheel->slots[i]);
    }

    wheel->handler = handler;

    ngx_im_turn_init(&wheel->due, ngx_im_wheel_serve, wheel, 0, log);
}


void
ngx_im_wheel_advance(ngx_im_wheel_t *wheel, uint32_t now)
{
    if (now - wheel->time > NGX_IM_WHEEL_SLOTS) {
        wheel->time = now - NGX_IM_WHEEL_SLOTS;
    }

    while (wheel->time != now) {
        wheel->time++;
        im_list_splice(&wheel->due.list,
                       &wheel->slots[wheel->time % NGX_IM_WHEEL_SLOTS]);
    }

    if (!im_list_empty(&wheel->due.list) && !wheel->due.event.posted) {
        ngx_post_event(&wheel->due.event, &ngx_posted_events);
    }
}


void
ngx_im_timer_set(ngx_im_wheel_t *wheel, ngx_im_timer_t *timer, uint32_t at)
{
    timer->at = at;

    im_list_remove(&timer->link);
    im_list_insert_tail(&wheel->slots[at % NGX_IM_WHEEL_SLOTS], &timer->link);
}
