/*
 * Copyright (C) The im authors
 *
 * The node's shared memory: counters of each worker, sessions of each address.
 */

#ifndef NGX_IM_ZONE_H
#define NGX_IM_ZONE_H


#include "ngx_im_conf.h"


#define NGX_IM_MAX_SLOTS  256        /* worker incarnations in the zone */


/* One worker's counters in the zone; gauges are absolute. */
typedef struct {
    ngx_atomic_t      pid;               /* 0: free */
    ngx_atomic_t      slot;              /* ngx_worker */
    ngx_atomic_t      start;             /* ms */
    ngx_atomic_t      draining;
    ngx_atomic_t      sessions;
    ngx_atomic_t      unauthenticated;
    ngx_atomic_t      users;
    ngx_atomic_t      topics;
    ngx_atomic_t      log_bytes;
    ngx_atomic_t      link;              /* ngx_im_link_e */
    ngx_atomic_t      accepted;          /* handshakes that gave a session */
    ngx_atomic_t      refused;
    ngx_atomic_t      closed;
    ngx_atomic_t      slow;              /* closed since too slow */
    ngx_atomic_t      messages_in;       /* from clients */
    ngx_atomic_t      messages_out;      /* queued, once for each follower */
    ngx_atomic_t      bytes_in;
    ngx_atomic_t      bytes_out;
    ngx_atomic_t      pushes;            /* entries taken from pub/sub */
    ngx_atomic_t      healed;            /* entries read from history */
    ngx_atomic_t      holes;             /* gaps that history couldn't fill */
    ngx_atomic_t      recovered;         /* subscriptions without a hole */
    ngx_atomic_t      unrecovered;       /* subscriptions with a hole */
    ngx_atomic_t      window_bytes;
    ngx_atomic_t      sends;             /* send calls */
} ngx_im_counters_t;


ngx_int_t ngx_im_zone_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf);
ngx_int_t ngx_im_zone_attach(ngx_im_worker_t *w);
void ngx_im_zone_detach(ngx_im_worker_t *w);

/* Counts an address in; NGX_BUSY: over per_ip=; NGX_ERROR: zone is full. */
ngx_int_t ngx_im_zone_ip_add(ngx_im_worker_t *w, ngx_uint_t family,
    const u_char *addr);
void ngx_im_zone_ip_remove(ngx_im_worker_t *w, ngx_uint_t family,
    const u_char *addr);

/* NGX_IM_MAX_SLOTS of them; a slot with pid 0 is free. */
const ngx_im_counters_t *ngx_im_zone_slots(ngx_im_main_conf_t *imcf);


#endif /* NGX_IM_ZONE_H */
