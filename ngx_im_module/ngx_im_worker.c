/*
 * Copyright (C) The im authors
 *
 * The life of a worker: its begin, its tick, its end.
 */

#include "ngx_im_worker.h"
#include "ngx_im_adopted.h"
#include "ngx_im_client.h"
#include "ngx_im_flow.h"
#include "ngx_im_follow.h"
#include "ngx_im_handover_in.h"
#include "ngx_im_hooks.h"
#include "ngx_im_info.h"
#include "ngx_im_jwt.h"
#include "ngx_im_kept.h"
#include "ngx_im_link.h"
#include "ngx_im_opening.h"
#include "ngx_im_pace.h"
#include "ngx_im_read.h"
#include "ngx_im_reserve.h"
#include "ngx_im_resume.h"
#include "ngx_im_flush.h"
#include "ngx_im_send.h"
#include "ngx_im_token.h"
#include "ngx_im_uring.h"
#include "im_key.h"


#define NGX_IM_SESSIONS_BLOCK  256
#define NGX_IM_CHUNK_SIZE      16384
#define NGX_IM_READ_SIZE       65536
#define NGX_IM_SCRATCH_MAX     (1024 * 1024 * 1024)
#define NGX_IM_RESUME_RETRY    50       /* ms */
#define NGX_IM_FLOW_RETRY      50       /* ms */
#define NGX_IM_INFO_RETRY      100      /* ms */
#define NGX_IM_DEFLATE_SINGLE  (4 * 1024 * 1024)    /* bytes a tick */


ngx_im_worker_t  *ngx_im_worker;


static ngx_int_t
ngx_im_worker_memory(ngx_im_worker_t *w)
{
    uint64_t    seed[2];
    ngx_uint_t  partitions;

    im_list_init(&w->closed);
    im_list_init(&w->spare);
    im_list_init(&w->blocked);
    im_list_init(&w->moving);
    im_list_init(&w->flush);
    im_list_init(&w->paced);
    im_list_init(&w->queries);
    im_list_init(&w->reads);

    im_slab_init(&w->sessions_slab, sizeof(ngx_im_session_t),
                 NGX_IM_SESSIONS_BLOCK);
    im_buf_init(&w->scratch, NGX_IM_SCRATCH_MAX);
    im_buf_init(&w->arena, NGX_IM_SCRATCH_MAX);
    im_buf_init(&w->recovery, NGX_IM_SCRATCH_MAX);

    w->in = im_alloc(NGX_IM_READ_SIZE);
    w->in_size = NGX_IM_READ_SIZE;

    if (w->in == NULL) {
        return NGX_ERROR;
    }

    ngx_im_random((u_char *) seed);
    ngx_im_random(w->name);
    ngx_im_random((u_char *) w->ids[0]);
    ngx_im_random((u_char *) w->ids[1]);
    ngx_im_random((u_char *) w->secrets.keys[0]);
    ngx_im_random((u_char *) w->secrets.keys[1]);

    if (im_hash_init(&w->openings, ngx_im_opening_name, seed) != IM_OK
        || im_hash_init(&w->classes, ngx_im_session_class_name, seed) != IM_OK
        || im_accepts_init(&w->accepts, seed) != IM_OK
        || ngx_im_adopted_init(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    partitions = w->conf->redis.link.partitions;

    return im_hub_init(&w->hub, seed, partitions ? partitions : IM_PARTITIONS,
                       NGX_IM_CHUNK_SIZE);
}


static ngx_int_t
ngx_im_worker_deflate(ngx_im_worker_t *w)
{
    im_deflate_t  *deflate;

    deflate = im_deflate_create((int) w->conf->deflate_level,
                                w->conf->deflate_min);
    if (deflate == NULL) {
        return NGX_ERROR;
    }

    w->deflate.credit = NGX_IM_DEFLATE_SINGLE;
    w->deflate.shared.deflate = deflate;
    w->deflate.single.deflate = deflate;
    w->deflate.single.credit = &w->deflate.credit;

    return NGX_OK;
}


/* A worker that can't use it sends to one session after the other. */
static void
ngx_im_worker_uring(ngx_im_worker_t *w)
{
    ngx_err_t    err;
    ngx_uint_t   level;
    const char  *why;

    if (w->conf->io_uring == NGX_IM_URING_OFF) {
        return;
    }

    w->uring = ngx_im_uring_create(&err, &why);

    if (w->uring != NULL) {
        w->counters->io_uring = 1;
        return;
    }

    level = w->conf->io_uring == NGX_IM_URING_ON ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, w->log, err, "im: io_uring is not used: %s; "
                  "im_io_uring needs Linux 5.7 or later, "
                  "kernel.io_uring_disabled=0 and a seccomp filter that "
                  "allows io_uring_setup and io_uring_enter, "
                  "or set \"im_io_uring off\"", why);
}


static void
ngx_im_worker_event(ngx_im_worker_t *w, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = w;
    ev->log = w->log;
}


static void
ngx_im_worker_deflate_tick(ngx_im_worker_t *w)
{
    const im_deflate_stats_t  *stats;

    im_deflate_trim(w->deflate.shared.deflate);

    stats = im_deflate_stats(w->deflate.shared.deflate);

    w->counters->deflated = stats->packed;
    w->counters->deflate_saved = stats->saved;
    w->counters->inflated = stats->unpacked;

    w->deflate.credit = NGX_IM_DEFLATE_SINGLE;
}


static void
ngx_im_worker_gauges(ngx_im_worker_t *w)
{
    w->counters->topics = w->hub.topics.count;
    w->counters->log_bytes = w->hub.logs.bytes;
    w->counters->reply_bytes = w->reply_bytes;
    w->counters->link = ngx_im_follow_link(w);
    w->counters->connections_limit = ngx_cycle->connection_n;
    w->counters->connections = ngx_cycle->connection_n
                               - ngx_cycle->free_connection_n;
}


static void
ngx_im_worker_tick(ngx_event_t *ev)
{
    ngx_im_worker_t  *w;

    w = ev->data;

    ngx_im_wheel_advance(&w->wheel, w->wheel.time + 1);
    ngx_im_wheel_advance(&w->expiry, ngx_time());

    ngx_im_reserve_fill(w, 0);
    ngx_im_read_tick(w);
    ngx_im_flush_tick(w);
    ngx_im_jwt_tick(w);
    ngx_im_worker_deflate_tick(w);

    ngx_im_worker_gauges(w);

    if (!ngx_exiting || w->nsessions) {
        ngx_add_timer(ev, 1000);
    }
}


static void
ngx_im_worker_turns(ngx_im_worker_t *w)
{
    ngx_im_wheel_init(&w->wheel, ngx_im_ping_due, w->log);
    ngx_im_wheel_init(&w->expiry, ngx_im_token_due, w->log);

    ngx_im_turn_init(&w->ready, ngx_im_resume_serve, w, NGX_IM_RESUME_RETRY,
                     w->log);
    ngx_im_turn_init(&w->loads, ngx_im_resume_serve_load, w,
                     NGX_IM_FLOW_RETRY, w->log);
    ngx_im_turn_init(&w->throttled, ngx_im_flow_serve, w, NGX_IM_FLOW_RETRY,
                     w->log);
    ngx_im_turn_init(&w->infos, ngx_im_info_serve, w, NGX_IM_INFO_RETRY,
                     w->log);
    ngx_im_turn_init(&w->suspects, ngx_im_info_serve_suspect, w,
                     NGX_IM_INFO_RETRY, w->log);
}


ngx_int_t
ngx_im_worker_init(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf)
{
    ngx_im_worker_t  *w;

    w = im_calloc(sizeof(ngx_im_worker_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->conf = imcf;
    w->log = cycle->log;

    if (ngx_im_worker_memory(w) != NGX_OK
        || ngx_im_worker_deflate(w) != NGX_OK || ngx_im_zone_attach(w) != NGX_OK
        || ngx_im_host_init(w) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_im_worker_uring(w);
    ngx_im_worker_turns(w);

    ngx_im_worker_event(w, &w->flush_event, ngx_im_flush_handler);
    ngx_im_worker_event(w, &w->pace_event, ngx_im_pace_handler);
    w->pace_event.cancelable = 1;

    ngx_im_worker_event(w, &w->close_event, ngx_im_close_handler);
    ngx_im_worker_event(w, &w->spare_event, ngx_im_session_spare_handler);
    ngx_im_worker_event(w, &w->tick, ngx_im_worker_tick);
    ngx_im_worker_event(w, &w->kept, ngx_im_kept_watch);

    w->tick.cancelable = 1;
    ngx_add_timer(&w->tick, 1000);
    ngx_im_worker_gauges(w);

    ngx_im_worker = w;

    if (imcf->enabled) {
        ngx_im_reserve_fill(w, ngx_im_link_conns(&imcf->redis.link));
    }

    if (ngx_im_events_init(w) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_im_begin(w, cycle);

    return ngx_im_handover_in_init(w);
}


void
ngx_im_worker_exit(ngx_cycle_t *cycle)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (w == NULL) {
        return;
    }

    ngx_im_events_exit(w);
    ngx_im_zone_detach(w);

    ngx_im_worker = NULL;
}
