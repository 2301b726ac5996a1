/*
 * Copyright (C) The im authors
 *
 * The addresses that have sessions at this worker, and which holds most.
 *
 * Peers without a budget share one host: those of unix sockets and of except=.
 */

#ifndef NGX_IM_HOST_H
#define NGX_IM_HOST_H


#include "ngx_im_worker.h"


/* Places of a worker that are short: all of them, and those not signed in. */
typedef enum {
    NGX_IM_POOL_SESSIONS = 0,
    NGX_IM_POOL_PENDING,
    NGX_IM_POOLS
} ngx_im_pool_e;


/* Its rank among the hosts of the worker. */
typedef struct {
    ngx_rbtree_node_t   node;            /* key: places; in the tree if any */
    im_list_t           list;            /* the caller's, the oldest first */
} ngx_im_rank_t;


/* From worker->hosts_slab. */
typedef struct {
    uint32_t            free;            /* im_slab_t's */
    uint32_t            index;
    im_hash_node_t      node;            /* in worker->hosts */
    ngx_im_zone_key_t   key;
    ngx_im_share_t     *share;           /* NULL: the zone was full */
    ngx_im_rank_t       ranks[NGX_IM_POOLS];
    ngx_uint_t          nrooms;          /* that its guests brought */
} ngx_im_host_t;


#define ngx_im_host(w, index)                                                 \
    ((ngx_im_host_t *) im_slab_get(&(w)->hosts_slab, index))

/* Sessions that have no budget. */
#define ngx_im_host_exempt(host)  ((host)->key.family == AF_UNSPEC)

#define ngx_im_host_places(host, pool)  ((host)->ranks[pool].node.key)


ngx_int_t ngx_im_host_init(ngx_im_worker_t *w);

/* NULL: it has no session here. */
ngx_im_host_t *ngx_im_host_find(ngx_im_worker_t *w,
    const ngx_im_zone_key_t *key);

/* The same, made if it isn't there.  NULL: no memory. */
ngx_im_host_t *ngx_im_host_get(ngx_im_worker_t *w,
    const ngx_im_zone_key_t *key);

/*
 * One place more in a pool, and one less.  Either counts in the zone as well.
 * NGX_BUSY: the address has max of them already, at all workers; 0: no limit.
 * A host that holds nothing after either of them is freed.
 */
ngx_int_t ngx_im_host_hold(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_pool_e pool, ngx_uint_t max);

/* taken: the zone counts it at another worker. */
void ngx_im_host_release(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_pool_e pool, ngx_uint_t taken);

/*
 * One more that another worker has until now.  The zone counts it there until
 * ngx_im_host_taken().
 */
void ngx_im_host_take(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_pool_e pool);

/* The zone counts it here, and not at worker pid; 0: one of another zone. */
void ngx_im_host_taken(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_pool_e pool, ngx_pid_t pid);

/* The same for a room that a guest has brought; pid 0: just now. */
void ngx_im_host_hold_room(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_pid_t pid);
void ngx_im_host_release_room(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_uint_t taken);

/* That which holds most of a pool, but no exempt one; NULL: there is none. */
ngx_im_host_t *ngx_im_host_most(ngx_im_worker_t *w, ngx_im_pool_e pool);


#endif /* NGX_IM_HOST_H */
