/*
 * Copyright (C) The im authors
 *
 * What the files of this folder share: the worker's side of Redis.
 *
 *   ngx_im_follow.c   events of the link, batches, timers
 *   ngx_im_lease.c    the lease and its record
 *   ngx_im_report.c   what im_follow wants of Redis, and the replies
 */

#ifndef NGX_IM_SYNC_H
#define NGX_IM_SYNC_H


#include "ngx_im_follow.h"
#include "ngx_im_link.h"
#include "im_key.h"
#include "im_link_watch.h"
#include "im_script.h"


#define NGX_IM_RENEW_MS    3000
#define NGX_IM_DEAD_MAX    64
#define NGX_IM_RECORD_MAX  (4 * 1024 * 1024)


struct ngx_im_sync_s {
    im_follow_t       follow;
    ngx_im_worker_t  *worker;
    const ngx_im_follow_events_t  *events;
    ngx_msec_t        begun;
    ngx_uint_t        nsilent;     /* partitions without heartbeat */
    ngx_uint_t        nrenewals;
    ngx_msec_t        tokens;      /* when a second token was first seen */
    ngx_event_t       tick;        /* 1 s */
    ngx_event_t       renew;
    ngx_event_t       pump;        /* posted, or some ms behind the last */
    ngx_msec_t        pumped;
    ngx_uint_t        nchecks;     /* calls that are out */
    ngx_event_t       apart;       /* posted */
    uint64_t          dead[NGX_IM_DEAD_MAX];   /* hashes of workers */
    ngx_uint_t        ndead;
    im_buf_t          users;       /* im_sketch_t, encoded */
    im_link_watch_t  *watch;       /* NULL: another worker watches */
    uint64_t          redis_ms;    /* Redis' clock at redis_at */
    ngx_msec_t        redis_at;
    uint64_t          asked;       /* us: the lease is out since then; 0: not */
    im_list_t         moves;       /* from other workers' records */
    im_list_t         lends;       /* what other workers got from this one */
    uint64_t          nmoves;
    uint64_t          fence;       /* of the last channel to another worker */
    ngx_uint_t        ncounts;     /* renewals with counts that are out */
    ngx_msec_t        held_at;     /* the last time, or the end of it */
    unsigned          ready:1;     /* the registry was up once, */
    unsigned          registry:1;  /* it is, */
    unsigned          first:1;     /* and hasn't answered since */
    unsigned          tokens_told:1;
    unsigned          whole:1;     /* all partitions take calls */
    unsigned          held:1;      /* the counts of the record stay */
    u_char            silent[IM_PARTITIONS_MAX];
    uint64_t          heard[IM_PARTITIONS_MAX];
};


/* ngx_im_lease.c */

/* full: with the fields that never change; all is reported behind it. */
void ngx_im_lease_renew(ngx_im_sync_t *sync, int full);
void ngx_im_lease_give_up(ngx_im_sync_t *sync);
void ngx_im_lease_cleanup(ngx_im_sync_t *sync);


/* ngx_im_report.c */
extern const im_follow_commands_t  ngx_im_report_commands;


#endif /* NGX_IM_SYNC_H */
