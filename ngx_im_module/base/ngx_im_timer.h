/*
 * Copyright (C) The im authors
 *
 * Work for later: wheels of timers, lists that are served in turns, rates.
 *
 * A turn serves a list for some milliseconds and leaves the rest to the next
 * iteration of the event loop, so that long lists do not stall the worker.
 */

#ifndef NGX_IM_TIMER_H
#define NGX_IM_TIMER_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "im_list.h"


#define NGX_IM_WHEEL_SLOTS  512      /* of one second each */


/* How many of something this second has had. */
typedef struct {
    uint32_t          second;
    uint32_t          n;
} ngx_im_rate_t;


/* NGX_AGAIN: q can't be served now; NGX_BUSY: nor can others of its list. */
typedef ngx_int_t (*ngx_im_turn_pt)(im_list_t *q, void *data);

typedef struct {
    im_list_t         list;
    ngx_im_turn_pt    serve;
    void             *data;          /* for serve */
    ngx_msec_t        retry;         /* ms, when it can't be served */
    ngx_event_t       event;
} ngx_im_turn_t;


typedef struct {
    im_list_t         link;          /* the caller's to init; self: not set */
    uint32_t          at;            /* s of its wheel's time */
    uint32_t          spare;         /* the owner's, for anything */
} ngx_im_timer_t;


typedef void (*ngx_im_timer_pt)(ngx_im_timer_t *timer);

/* Only ngx_im_wheel_advance() moves its time. */
typedef struct {
    im_list_t         slots[NGX_IM_WHEEL_SLOTS];
    uint32_t          time;          /* s, of the last slot that was due */
    ngx_im_timer_pt   handler;
    ngx_im_turn_t     due;
} ngx_im_wheel_t;


/* Counts one more of at most max a second (0: any number); 0: too many. */
ngx_uint_t ngx_im_rate_take(ngx_im_rate_t *rate, ngx_uint_t max);

/* serve gets each link after its removal from the list, and may free it. */
void ngx_im_turn_init(ngx_im_turn_t *turn, ngx_im_turn_pt serve, void *data,
    ngx_msec_t retry, ngx_log_t *log);

/* Moves q from the list that it is in: to be served now, or after retry. */
void ngx_im_turn_add(ngx_im_turn_t *turn, im_list_t *q);
void ngx_im_turn_later(ngx_im_turn_t *turn, im_list_t *q);

void ngx_im_wheel_init(ngx_im_wheel_t *wheel, ngx_im_timer_pt handler,
    ngx_log_t *log);

/* Timers up to now are due.  After a jump of the time all are checked. */
void ngx_im_wheel_advance(ngx_im_wheel_t *wheel, uint32_t now);

/* at is later than the wheel's time. */
void ngx_im_timer_set(ngx_im_wheel_t *wheel, ngx_im_timer_t *timer,
    uint32_t at);


#endif /* NGX_IM_TIMER_H */
