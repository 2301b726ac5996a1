/*
 * Copyright (C) The im authors
 *
 * What one address may cost this node: im_per_address.
 *
 * Addresses of IPv6 count by their /64, those that stand for one of IPv4 as
 * that one.  Peers of unix sockets and addresses of except= have no budget: all
 * of these functions let them pass.
 */

#ifndef NGX_IM_BUDGET_H
#define NGX_IM_BUDGET_H


#include "ngx_im_worker.h"


/* The client, as the handshake saw it. */
typedef struct {
    u_char              addr[16];
    u_char              family;          /* AF_INET, AF_INET6, AF_UNIX */
} ngx_im_peer_t;


/* The address after realip, where that is on. */
void ngx_im_peer_init(ngx_im_peer_t *peer, ngx_connection_t *c);


/*
 * A token bucket per address in the node's zone, over all workers, kept over
 * reconnects and reloads, refilled smoothly.  NGX_OK: there was credit; all of
 * n is taken, also where that leaves a debt.  NGX_BUSY: there is none (or a
 * debt); nothing is taken.
 *
 * It takes the zone's mutex: what comes often is taken in larger pieces.
 */
ngx_int_t ngx_im_budget_take(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, uint32_t n);

/*
 * Takes n in any case: what has been spent already.  ms until there is credit.
 */
ngx_msec_t ngx_im_budget_charge(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, uint32_t n);

/* What it may cost a second; 0: any number. */
ngx_uint_t ngx_im_budget_per_second(ngx_im_worker_t *w,
    const ngx_im_peer_t *peer, ngx_im_cost_e cost);

/* ms until there is credit; 0: there is. */
ngx_msec_t ngx_im_budget_wait(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost);

/* Less than half of its bucket is left. */
ngx_uint_t ngx_im_budget_low(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost);

/*
 * Counts that a limit is reached (im_status shows it by reason) and logs one
 * line per reason in 10 s, with the address and how many were not logged.
 * peer NULL: it concerns no address.
 */
void ngx_im_budget_refused(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e why);

/* The name of a reason in im_status, and what it says in words. */
const char *ngx_im_budget_reason(ngx_im_refusal_e why);
const char *ngx_im_budget_text(ngx_im_refusal_e why);

/* Of the family AF_UNSPEC: the peer has no budget. */
void ngx_im_budget_key(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_zone_key_t *key);


#endif /* NGX_IM_BUDGET_H */
