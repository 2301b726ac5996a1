/*
 * Copyright (C) The im authors
 *
 * Following topics: im_follow.h has what upper layers ask of it about a
 * topic, by worker->follow, and this header the rest.  This layer calls upper
 * layers by the table of events only.
 */

#ifndef NGX_IM_FOLLOW_H
#define NGX_IM_FOLLOW_H


#include "ngx_im_worker.h"
#include "im_follow.h"
#include "im_id.h"
#include "im_member.h"


typedef struct ngx_im_sync_s  ngx_im_sync_t;


typedef enum {
    NGX_IM_LINK_DOWN = 0,
    NGX_IM_LINK_UP,
    NGX_IM_LINK_DEGRADED     /* a part of it, or heartbeats, are missing */
} ngx_im_link_e;


/* A session that follows a topic; member borrows from it. */
typedef struct {
    ngx_im_handle_t   session;
    u_char            id[16];      /* its UUID */
    im_member_t       member;
    u_char            text[IM_UUID_LEN + NGX_SOCKADDR_STRLEN];
    unsigned          hidden:1;    /* it doesn't count as a member */
    unsigned          quiet:1;     /* others don't hear of it */
} ngx_im_followed_t;


typedef struct {
    im_follow_events_t  topics;    /* ctx is the worker */

    void  (*control)(ngx_im_worker_t *w, const im_entry_t *entry);

    /* A message of a client, for a session of this worker. */
    void  (*input)(ngx_im_worker_t *w, const im_entry_t *entry);

    /* Some partitions are away while others are there. */
    void  (*apart)(ngx_im_worker_t *w);

    /* So many workers have died since the last time. */
    void  (*dead)(ngx_im_worker_t *w, ngx_uint_t n);

    /* The revision of the list of users that are kept out; with each lease. */
    void  (*revoked)(ngx_im_worker_t *w, im_str_t revision);

    /* This worker's record counts sessions that came from another one. */
    void  (*counted)(ngx_im_worker_t *w);

    /* The subscription of a session; NULL: it doesn't follow that. */
    im_sub_t  *(*find)(ngx_im_worker_t *w, ngx_im_handle_t session,
        im_str_t topic);

    void  (*describe)(im_sub_t *sub, ngx_im_followed_t *f);
} ngx_im_follow_events_t;


/* Sets worker->follow, sync, link and id. */
ngx_int_t ngx_im_follow_init(ngx_im_worker_t *w,
    const ngx_im_follow_events_t *events);
void ngx_im_follow_exit(ngx_im_worker_t *w);

/*
 * What clients send to a worker of that name comes here, too, or (on 0) not any
 * more.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_im_follow_input(ngx_im_worker_t *w, const u_char name[16],
    ngx_uint_t on);

/* Why joins can't be served; NGX_IM_REFUSALS: they can. */
ngx_im_refusal_e ngx_im_follow_unready(ngx_im_worker_t *w);
ngx_im_link_e ngx_im_follow_link(ngx_im_worker_t *w);

/* Partitions without heartbeats of im_job. */
ngx_uint_t ngx_im_follow_silent(ngx_im_worker_t *w);

/* When the last control entry of a partition was sent, ms; 0: none has come. */
uint64_t ngx_im_follow_heard(ngx_im_worker_t *w, ngx_uint_t partition);

/*
 * The worker has just begun, and reaches some of Redis soon: no attempt has
 * failed.  Clients are to wait for that moment.
 */
ngx_uint_t ngx_im_follow_begins(ngx_im_worker_t *w);

/* Partitions that take no calls now. */
ngx_uint_t ngx_im_follow_away(ngx_im_worker_t *w);

/* The topic is on one of them, and others are there: it may take long. */
ngx_uint_t ngx_im_follow_apart(ngx_im_worker_t *w, im_str_t topic);

/* Some of Redis is slow or away: clients should come slowly. */
ngx_uint_t ngx_im_follow_slow(ngx_im_worker_t *w);

/* The worker drains: the lease record says so at once. */
void ngx_im_follow_draining(ngx_im_worker_t *w);

/*
 * Sessions move between workers.  What records count of them moves in the same
 * step of Redis (lease.lua): a worker that takes some says so with its next
 * renewal, and a worker that gives some away writes no counts meanwhile.  Then
 * it names the channel with each renewal: until the record of the other worker
 * has all that came through it, Redis keeps its counts.
 */

/* What a session adds to the counts. */
typedef struct {
    ngx_uint_t  proto;         /* its number, below IM_PROTOS */
    ngx_uint_t  nsubs;
    ngx_uint_t  nhosts;        /* 1: its address had no session here */
} ngx_im_lent_t;

typedef struct ngx_im_lease_lend_s  ngx_im_lease_lend_t;

/* What the other worker counts of it. */
typedef enum {
    NGX_IM_LEND_OPEN = 0,      /* perhaps not all */
    NGX_IM_LEND_TAKEN,         /* all of it, and so do topics */
    NGX_IM_LEND_DEAD           /* it has died: nothing any more */
} ngx_im_lend_e;


/* A session is here now that another worker's record counts. */
ngx_int_t ngx_im_lease_took(ngx_im_worker_t *w, im_str_t from, uint64_t fence,
    const ngx_im_lent_t *lent);

/* No more come through that channel, and Redis has moved their topics. */
void ngx_im_lease_settle(ngx_im_worker_t *w, im_str_t from, uint64_t fence);

/* This worker's record counts all that came through it; see counted(). */
ngx_uint_t ngx_im_lease_settled(ngx_im_worker_t *w, im_str_t from,
    uint64_t fence);

/* What the worker `to` gets through that channel.  NULL: no memory. */
ngx_im_lease_lend_t *ngx_im_lease_lend(ngx_im_worker_t *w, im_str_t to,
    uint64_t fence);

ngx_im_lend_e ngx_im_lease_lent(const ngx_im_lease_lend_t *lend);

/* Renews the lease, so that Redis says it. */
void ngx_im_lease_ask(ngx_im_worker_t *w);

/* The other worker has said it, or has died. */
void ngx_im_lease_repaid(ngx_im_lease_lend_t *lend);

/*
 * Begins (1) or ends (0) to keep the counts of the record as they are.
 * NGX_AGAIN: an earlier renewal, which says some, is on its way.
 */
ngx_int_t ngx_im_lease_hold(ngx_im_worker_t *w, ngx_uint_t hold);

/* It keeps them, or did a moment ago: so old what was read of Redis may be. */
ngx_uint_t ngx_im_lease_holding(ngx_im_worker_t *w);

/* Redis' clock now, ms; 0: not known yet. */
uint64_t ngx_im_follow_clock(ngx_im_worker_t *w);


#endif /* NGX_IM_FOLLOW_H */
