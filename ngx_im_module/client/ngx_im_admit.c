/*
 * Copyright (C) The im authors
 *
 * Who gets in.
 *
 * What an address may have is asked first.  The pools of a worker come next: a
 * stranger who fills one loses his own places to others.
 */

#include "ngx_im_admit.h"
#include "ngx_im_follow.h"
#include "ngx_im_reserve.h"


#define NGX_IM_ADMIT_SHARE   8       /* of a pool: more makes way for a peer
                                        without a budget */
#define NGX_IM_ADMIT_PERIOD  10      /* s: topics= new rooms in it */
#define NGX_IM_ADMIT_BURST   4       /* s of new_rooms=, at once: clients come
                                        back together */


/* Of the two lists of a host. */
static ngx_im_session_t *
ngx_im_admit_oldest(ngx_im_host_t *host, ngx_im_pool_e pool)
{
    im_list_t         *list;
    ngx_uint_t         i;
    ngx_im_session_t  *s, *oldest;

    oldest = NULL;

    for (i = pool; i < NGX_IM_POOLS; i++) {
        list = &host->ranks[i].list;

        if (im_list_empty(list)) {
            continue;
        }

        s = im_list_data(im_list_first(list), ngx_im_session_t, place);

        if (s->phase == NGX_IM_CLOSING) {
            return s;
        }

        if (oldest == NULL || s->start < oldest->start) {
            oldest = s;
        }
    }

    return oldest;
}


/* NGX_BUSY: there is no better place to give up than that of the newcomer. */
static ngx_int_t
ngx_im_admit_evict(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_im_pool_e pool)
{
    ngx_uint_t         mine, others;
    ngx_im_host_t     *most;
    ngx_im_session_t  *s;

    most = ngx_im_host_most(w, pool);

    if (most == NULL || most == host) {
        return NGX_BUSY;
    }

    others = ngx_im_host_places(most, pool);
    mine = ngx_im_host_exempt(host) ? w->places[pool] / NGX_IM_ADMIT_SHARE
                                    : ngx_im_host_places(host, pool);

    /* where both hold the same, an open session stays */

    if (others < mine || (others == mine && pool == NGX_IM_POOL_SESSIONS)) {
        return NGX_BUSY;
    }

    s = ngx_im_admit_oldest(most, pool);
    if (s == NULL) {
        return NGX_BUSY;
    }

    ngx_im_budget_refused(w, &s->peer, NGX_IM_REFUSED_EVICTED);
    ngx_im_session_evict(s);

    return NGX_OK;
}


/* The newcomer is in the pools already. */
static ngx_int_t
ngx_im_admit_pools(ngx_im_worker_t *w, ngx_im_host_t *host, ngx_uint_t pending,
    ngx_im_refusal_e *why)
{
    ngx_uint_t           full;
    ngx_im_main_conf_t  *imcf;

    imcf = w->conf;

    full = imcf->max_sessions
           && w->places[NGX_IM_POOL_SESSIONS] > imcf->max_sessions;

    if ((full || ngx_im_reserve_short())
        && ngx_im_admit_evict(w, host, NGX_IM_POOL_SESSIONS) != NGX_OK)
    {
        *why = full ? NGX_IM_REFUSED_ALL_SESSIONS : NGX_IM_REFUSED_CONNECTIONS;
        return NGX_BUSY;
    }

    if (pending && imcf->max_unauthenticated
        && w->places[NGX_IM_POOL_PENDING] > imcf->max_unauthenticated
        && ngx_im_admit_evict(w, host, NGX_IM_POOL_PENDING) != NGX_OK)
    {
        *why = NGX_IM_REFUSED_ALL_PENDING;
        return NGX_BUSY;
    }

    return NGX_OK;
}


/* What the address and the worker may have in a time. */
static ngx_int_t
ngx_im_admit_rate(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e *why)
{
    ngx_uint_t  max;

    max = w->conf->handshakes;

    if (ngx_im_budget_take(w, peer, NGX_IM_COST_HANDSHAKE, 1) != NGX_OK) {
        *why = NGX_IM_REFUSED_HANDSHAKES;
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }

    if (im_bucket_take(&w->handshakes, max, max, ngx_current_msec, 1)
        != IM_OK)
    {
        *why = NGX_IM_REFUSED_ALL_HANDSHAKES;
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return NGX_OK;
}


/* What the address holds. */
static ngx_int_t
ngx_im_admit_hold(ngx_im_worker_t *w, ngx_im_host_t *host,
    ngx_im_place_t *place, ngx_im_refusal_e *why)
{
    ngx_im_per_address_t  none, *conf;

    conf = &w->conf->per_address;

    if (ngx_im_host_exempt(host)) {
        ngx_memzero(&none, sizeof(ngx_im_per_address_t));
        conf = &none;
    }

    if (ngx_im_host_hold(w, host, NGX_IM_POOL_SESSIONS, conf->sessions)
        != NGX_OK)
    {
        *why = NGX_IM_REFUSED_SESSIONS;
        return NGX_BUSY;
    }

    if (place->pending
        && ngx_im_host_hold(w, host, NGX_IM_POOL_PENDING, conf->pending)
           != NGX_OK)
    {
        ngx_im_host_release(w, host, NGX_IM_POOL_SESSIONS, 0);

        *why = NGX_IM_REFUSED_PENDING;
        return NGX_BUSY;
    }

    place->held = 1;
    place->host = host->index;

    return NGX_OK;
}


void
ngx_im_admit_cancel(ngx_im_worker_t *w, ngx_im_place_t *place)
{
    ngx_im_host_t  *host;

    if (!place->held) {
        return;
    }

    place->held = 0;
    host = ngx_im_host(w, place->host);

    if (place->pending) {
        ngx_im_host_release(w, host, NGX_IM_POOL_PENDING, 0);
    }

    ngx_im_host_release(w, host, NGX_IM_POOL_SESSIONS, 0);
}


static ngx_int_t
ngx_im_admit_place(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_place_t *place, ngx_im_refusal_e *why)
{
    ngx_im_host_t      *host;
    ngx_im_zone_key_t   key;

    ngx_im_budget_key(w, peer, &key);

    host = ngx_im_host_get(w, &key);

    if (host == NULL) {
        *why = NGX_IM_REFUSED_ALL_SESSIONS;
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (ngx_im_admit_hold(w, host, place, why) != NGX_OK) {
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }

    if (ngx_im_admit_pools(w, host, place->pending, why) != NGX_OK) {
        ngx_im_admit_cancel(w, place);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    return NGX_OK;
}


ngx_im_refusal_e
ngx_im_admit_unready(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf)
{
    if ((w->draining || ngx_exiting || ngx_terminate) && !w->opening) {
        return NGX_IM_REFUSED_DRAINING;
    }

    return ilcf->proto->topics ? ngx_im_follow_unready(w) : NGX_IM_REFUSALS;
}


ngx_int_t
ngx_im_admit(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf,
    const ngx_im_peer_t *peer, ngx_im_place_t *place, ngx_im_refusal_e *why)
{
    ngx_int_t  rc;

    ngx_memzero(place, sizeof(ngx_im_place_t));
    place->pending = ilcf->proto->connects;

    rc = ngx_im_admit_rate(w, peer, why);

    if (rc == NGX_OK) {
        rc = ngx_im_admit_place(w, peer, place, why);
    }

    if (rc != NGX_OK) {
        ngx_im_budget_refused(w, peer, *why);
    }

    return rc;
}


ngx_uint_t
ngx_im_admit_retry(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e why)
{
    switch (why) {

    case NGX_IM_REFUSED_HANDSHAKES:
        return 1 + ngx_im_budget_wait(w, peer, NGX_IM_COST_HANDSHAKE) / 1000;

    case NGX_IM_REFUSED_SESSIONS:
    case NGX_IM_REFUSED_PENDING:
        return 5;

    default:
        return 2;
    }
}


/* NGX_IM_REFUSALS: guests may have one more room. */
static ngx_im_refusal_e
ngx_im_admit_guest_room(ngx_im_worker_t *w, ngx_im_host_t *host)
{
    ngx_im_main_conf_t  *imcf;

    imcf = w->conf;

    if (imcf->guest_rooms
        && ngx_im_zone_held(w, NULL, NGX_IM_HELD_ROOMS) >= imcf->guest_rooms)
    {
        return NGX_IM_REFUSED_ALL_GUEST_ROOMS;
    }

    if (imcf->per_address.guest_rooms && host->share != NULL
        && !ngx_im_host_exempt(host)
        && ngx_im_zone_held(w, host->share, NGX_IM_HELD_ROOMS)
           >= imcf->per_address.guest_rooms)
    {
        return NGX_IM_REFUSED_GUEST_ROOMS;
    }

    return NGX_IM_REFUSALS;
}


/* NGX_IM_REFUSALS: all is well. */
static ngx_im_refusal_e
ngx_im_admit_new_room(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_uint_t        max;
    ngx_im_refusal_e  why;

    max = w->conf->new_rooms;

    if (ngx_im_session_user(s) == NULL) {
        why = ngx_im_admit_guest_room(w, ngx_im_host(w, s->host));

        if (why != NGX_IM_REFUSALS) {
            return why;
        }
    }

    if (ngx_im_budget_take(w, &s->peer, NGX_IM_COST_ROOM, 1) != NGX_OK) {
        return NGX_IM_REFUSED_ROOMS;
    }

    if (im_bucket_take(&w->new_rooms, max, NGX_IM_ADMIT_BURST * max,
                       ngx_current_msec, 1)
        != IM_OK)
    {
        return NGX_IM_REFUSED_ALL_ROOMS;
    }

    return NGX_IM_REFUSALS;
}


ngx_int_t
ngx_im_admit_room(ngx_im_session_t *s, im_str_t topic)
{
    uint32_t          now;
    ngx_im_worker_t  *w;
    ngx_im_refusal_e  why;

    w = ngx_im_worker;

    if (topic.data[0] != 'r' || im_hub_topic(&w->hub, topic) != NULL) {
        return NGX_OK;
    }

    now = ngx_time();

    if (now - s->new_time >= NGX_IM_ADMIT_PERIOD) {
        s->new_time = now;
        s->nnew = 0;
    }

    why = w->conf->new_rooms && s->nnew >= 2 * w->conf->topics_per_session
          ? NGX_IM_REFUSED_SESSION_ROOMS : ngx_im_admit_new_room(w, s);

    if (why != NGX_IM_REFUSALS) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "im: room \"%*s\" is refused: too many new ones (%s)",
                      topic.len - 2, topic.data + 2,
                      why == NGX_IM_REFUSED_SESSION_ROOMS
                          ? "one session" : ngx_im_budget_text(why));
        ngx_im_budget_refused(w, &s->peer, why);

        return NGX_BUSY;
    }

    s->nnew++;

    return NGX_OK;
}
