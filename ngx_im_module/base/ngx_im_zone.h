/*
 * Copyright (C) The im authors
 *
 * The node's shared memory: counters of each worker, what each address holds
 * and what it has used up.
 */

#ifndef NGX_IM_ZONE_H
#define NGX_IM_ZONE_H


#include "ngx_im_counters.h"
#include "im_bucket.h"


/* What an address holds for as long as its sessions want. */
typedef enum {
    NGX_IM_HELD_SESSIONS = 0,
    NGX_IM_HELD_PENDING,                 /* not signed in yet */
    NGX_IM_HELD_ROOMS,                   /* brought into being by guests */
    NGX_IM_HELD
} ngx_im_held_e;


/* An address; of IPv6 its /64. */
typedef struct {
    uint64_t            addr;
    uint64_t            family;          /* AF_INET, AF_INET6 */
} ngx_im_zone_key_t;


/* An address in the zone. */
typedef struct ngx_im_account_s {
    struct ngx_im_account_s *next;       /* in its chain */
    ngx_queue_t         idle;            /* while no worker has a share */
    im_bucket_t         buckets[NGX_IM_COSTS];
    uint32_t            held[NGX_IM_HELD];
    struct ngx_im_share_s *shares;       /* NULL: it is idle */
    ngx_im_zone_key_t   key;
} ngx_im_account_t;


/* What one worker holds of it; while it does, the account stays. */
typedef struct ngx_im_share_s {
    ngx_queue_t         link;            /* in counters->shares */
    struct ngx_im_share_s *next;         /* of the account */
    ngx_im_counters_t  *counters;        /* of the worker */
    ngx_im_account_t   *account;
    uint32_t            held[NGX_IM_HELD];
} ngx_im_share_t;


/* 16 random bytes, or as random as this system has them. */
void ngx_im_random(u_char *bytes);

ngx_int_t ngx_im_zone_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf);

/*
 * A binary that takes over from this one (USR2) is the same instance: it gets
 * the token by the environment.
 */
ngx_int_t ngx_im_zone_bequeath(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf);

/*
 * Counters for this worker.  They are its own if the zone is full: it works,
 * but isn't in the status.
 */
ngx_int_t ngx_im_zone_attach(ngx_im_worker_t *w);

/* What the worker holds is given back. */
void ngx_im_zone_detach(ngx_im_worker_t *w);

/* A share of that address.  NULL: the zone is full. */
ngx_im_share_t *ngx_im_zone_share(ngx_im_worker_t *w,
    const ngx_im_zone_key_t *key);
void ngx_im_zone_unshare(ngx_im_worker_t *w, ngx_im_share_t *share);

/*
 * One more of what an address holds.  NGX_BUSY: it has max already; 0: any
 * number.
 */
ngx_int_t ngx_im_zone_hold(ngx_im_worker_t *w, ngx_im_share_t *share,
    ngx_im_held_e what, ngx_uint_t max);
void ngx_im_zone_release(ngx_im_worker_t *w, ngx_im_share_t *share,
    ngx_im_held_e what);

/*
 * One more that another worker of this zone holds until now; where that one has
 * none, or pid is 0, it is new.  No limit is asked.
 */
void ngx_im_zone_move(ngx_im_worker_t *w, ngx_im_share_t *share,
    ngx_im_held_e what, ngx_pid_t pid);

/* Tells zones apart; 0: this worker isn't in it. */
uint64_t ngx_im_zone_id(ngx_im_worker_t *w);

/* What an address holds at all workers; NULL: all addresses together. */
ngx_uint_t ngx_im_zone_held(ngx_im_worker_t *w, ngx_im_share_t *share,
    ngx_im_held_e what);

/*
 * Takes n tokens of an address, which has a share, or else is found by its key.
 * NGX_BUSY: there is none.
 */
ngx_int_t ngx_im_zone_take(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size, uint32_t n);

/* Takes n tokens in any case; ms until there is one again. */
ngx_msec_t ngx_im_zone_charge(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size, uint32_t n);

/* ms until there is a token. */
ngx_msec_t ngx_im_zone_wait(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size);

/* Less than half of the tokens are left. */
ngx_uint_t ngx_im_zone_low(ngx_im_worker_t *w, ngx_im_share_t *share,
    const ngx_im_zone_key_t *key, ngx_im_cost_e cost, ngx_uint_t rate,
    ngx_uint_t size);


/* The node as it is now: copies, in memory of a pool. */
typedef struct {
    uint64_t            start;           /* ms: of nginx, not of a reload */
    ngx_uint_t          addresses;       /* in the zone, */
    ngx_uint_t          max_addresses;   /* of so many */
    ngx_uint_t          nworkers;
    ngx_im_counters_t  *workers;         /* those that live */
    ngx_im_counters_t   total;           /* with those that have ended */
} ngx_im_node_t;

ngx_int_t ngx_im_zone_node(ngx_im_main_conf_t *imcf, ngx_pool_t *pool,
    ngx_im_node_t *node);


#endif /* NGX_IM_ZONE_H */
