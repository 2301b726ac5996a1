/*
 * Copyright (C) The im authors
 *
 * What one address may cost this node.
 *
 * The worker has a table of the addresses of its sessions, so that these have
 * their share of the zone's account at hand.  For other addresses the zone is
 * searched.
 */

#include "ngx_im_budget.h"


#define NGX_IM_BUDGET_QUIET  10000   /* ms between two lines of one reason */

/* RFC 6052: addresses of IPv4 behind a translator */
#define NGX_IM_BUDGET_NAT64  "\0\x64\xff\x9b\0\0\0\0\0\0\0\0"


struct ngx_im_host_s {
    im_hash_node_t      node;            /* in worker->hosts */
    ngx_im_zone_key_t   key;
    ngx_im_share_t     *share;           /* NULL: has no budget */
    ngx_uint_t          nplaces;
};


/* By ngx_im_cost_e: a bucket has so many seconds of its rate. */
static const struct {
    size_t              offset;
    ngx_uint_t          seconds;
} ngx_im_budget_costs[NGX_IM_COSTS] = {
    { offsetof(ngx_im_per_address_t, handshakes), 4 },
    { offsetof(ngx_im_per_address_t, rooms), 20 },
    { offsetof(ngx_im_per_address_t, failures), 50 },
    { offsetof(ngx_im_per_address_t, read), 64 },
    { offsetof(ngx_im_per_address_t, frames), 4 },
    { offsetof(ngx_im_per_address_t, bytes), 16 }
};


/* By ngx_im_refusal_e. */
static const struct {
    const char         *name;
    const char         *text;
} ngx_im_budget_reasons[NGX_IM_REFUSALS] = {
    { "address_handshakes", "im_per_address handshakes=" },
    { "address_rooms", "im_per_address rooms=" },
    { "address_failures", "im_per_address failures=" },
    { "address_read", "im_per_address read=" },
    { "address_frames", "im_per_address frames=" },
    { "address_bytes", "im_per_address bytes=" },
    { "address_sessions", "im_per_address sessions=" },
    { "address_pending", "im_per_address pending=" },
    { "address_guest_rooms", "im_per_address guest_rooms=" },
    { "sessions", "im_limit sessions=" },
    { "unauthenticated", "im_limit unauthenticated=" },
    { "handshakes", "im_limit handshakes=" },
    { "connections", "worker_connections" },
    { "rooms", "im_limit new_rooms=" },
    { "guest_rooms", "im_limit guest_rooms=" },
    { "signatures", "im_limit signatures=" },
    { "evicted", "a place that a client of another address needs" }
};


const char *
ngx_im_budget_reason(ngx_im_refusal_e why)
{
    return ngx_im_budget_reasons[why].name;
}


static im_str_t
ngx_im_budget_name(const im_hash_node_t *node)
{
    return im_str_set(&im_list_data(node, ngx_im_host_t, node)->key,
                      sizeof(ngx_im_zone_key_t));
}


ngx_int_t
ngx_im_budget_init(ngx_im_worker_t *w)
{
    uint64_t  seed[2];

    ngx_im_random((u_char *) seed);

    return im_hash_init(&w->hosts, ngx_im_budget_name, seed);
}


/* Where the peer's IPv4 address is, or NULL. */
static const u_char *
ngx_im_budget_inet(const ngx_im_peer_t *peer)
{
    static const u_char  mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (peer->family == AF_INET) {
        return peer->addr;
    }

    return ngx_memcmp(peer->addr, mapped, 12) == 0
           || ngx_memcmp(peer->addr, NGX_IM_BUDGET_NAT64, 12) == 0
           ? peer->addr + 12 : NULL;
}


static ngx_uint_t
ngx_im_budget_exempt(const ngx_im_per_address_t *conf,
    const ngx_im_peer_t *peer)
{
    const u_char         *inet;
    struct sockaddr_in    sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6   sin6;
#endif

    if (conf->except == NULL) {
        return 0;
    }

    inet = ngx_im_budget_inet(peer);

    if (inet != NULL) {
        ngx_memzero(&sin, sizeof(sin));
        sin.sin_family = AF_INET;
        ngx_memcpy(&sin.sin_addr, inet, 4);

        if (ngx_cidr_match((struct sockaddr *) &sin, conf->except) == NGX_OK) {
            return 1;
        }
    }

#if (NGX_HAVE_INET6)

    if (peer->family == AF_INET6) {
        ngx_memzero(&sin6, sizeof(sin6));
        sin6.sin6_family = AF_INET6;
        ngx_memcpy(&sin6.sin6_addr, peer->addr, 16);

        return ngx_cidr_match((struct sockaddr *) &sin6, conf->except)
               == NGX_OK;
    }

#endif

    return 0;
}


/* NGX_DECLINED: the peer has no budget. */
static ngx_int_t
ngx_im_budget_key(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_zone_key_t *key)
{
    const u_char                *inet;
    const ngx_im_per_address_t  *conf;

    conf = &w->conf->per_address;

    if (conf->off || peer->family == AF_UNIX
        || ngx_im_budget_exempt(conf, peer))
    {
        return NGX_DECLINED;
    }

    inet = ngx_im_budget_inet(peer);

    key->addr = 0;
    key->family = inet != NULL ? AF_INET : AF_INET6;

    /* one host usually has a whole IPv6 /64 */

    ngx_memcpy(&key->addr, inet != NULL ? inet : peer->addr,
               inet != NULL ? 4 : 8);

    return NGX_OK;
}


static ngx_im_host_t *
ngx_im_budget_find(ngx_im_worker_t *w, const ngx_im_zone_key_t *key)
{
    im_hash_node_t  *node;

    node = im_hash_find(&w->hosts, im_str_set(key, sizeof(*key)));

    return node != NULL ? im_list_data(node, ngx_im_host_t, node) : NULL;
}


/* Where the address has its account, and its rate; 0: it has no budget. */
static ngx_uint_t
ngx_im_budget_rate(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, ngx_im_zone_key_t *key, ngx_im_share_t **share)
{
    ngx_uint_t      rate;
    ngx_im_host_t  *host;

    rate = *(ngx_uint_t *) ((u_char *) &w->conf->per_address
                            + ngx_im_budget_costs[cost].offset);

    if (rate == 0 || ngx_im_budget_key(w, peer, key) != NGX_OK) {
        return 0;
    }

    host = ngx_im_budget_find(w, key);
    *share = host != NULL ? host->share : NULL;

    return rate;
}


ngx_int_t
ngx_im_budget_take(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, uint32_t n)
{
    ngx_uint_t          rate;
    ngx_im_share_t     *share;
    ngx_im_zone_key_t   key;

    rate = ngx_im_budget_rate(w, peer, cost, &key, &share);

    return rate > 0
           ? ngx_im_zone_take(w, share, &key, cost, rate,
                              rate * ngx_im_budget_costs[cost].seconds, n)
           : NGX_OK;
}


ngx_msec_t
ngx_im_budget_wait(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost)
{
    ngx_uint_t          rate;
    ngx_im_share_t     *share;
    ngx_im_zone_key_t   key;

    rate = ngx_im_budget_rate(w, peer, cost, &key, &share);

    return rate > 0
           ? ngx_im_zone_wait(w, share, &key, cost, rate,
                              rate * ngx_im_budget_costs[cost].seconds)
           : 0;
}


void
ngx_im_budget_refused(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e why)
{
    size_t            len;
    u_char            addr[NGX_SOCKADDR_STRLEN];
    ngx_im_silence_t *silence;

    w->counters->refusals[why]++;

    silence = &w->refusals[why];

    if (silence->started && ngx_current_msec - silence->start
                            < NGX_IM_BUDGET_QUIET)
    {
        silence->n++;
        return;
    }

    len = peer == NULL || peer->family == AF_UNIX
          ? (size_t) (ngx_sprintf(addr, peer == NULL ? "a client" : "unix:")
                      - addr)
          : ngx_inet_ntop(peer->family, (void *) peer->addr, addr,
                          NGX_SOCKADDR_STRLEN);

    ngx_log_error(NGX_LOG_WARN, w->log, 0,
                  "im: %*s is refused: %s is reached; %ui more since the last "
                  "line of this kind", len, addr,
                  ngx_im_budget_reasons[why].text, silence->n);

    silence->started = 1;
    silence->start = ngx_current_msec;
    silence->n = 0;
}


static void
ngx_im_budget_free(ngx_im_worker_t *w, ngx_im_host_t *host)
{
    im_hash_remove(&w->hosts, &host->node);

    if (host->share != NULL) {
        ngx_im_zone_unshare(w, host->share);
    }

    im_free(host);
}


ngx_int_t
ngx_im_budget_enter(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e *why)
{
    ngx_im_host_t      *host;
    ngx_im_zone_key_t   key;

    if (ngx_im_budget_key(w, peer, &key) != NGX_OK) {
        return NGX_OK;
    }

    if (ngx_im_budget_take(w, peer, NGX_IM_COST_HANDSHAKE, 1) != NGX_OK) {
        *why = NGX_IM_REFUSED_HANDSHAKES;
        return NGX_BUSY;
    }

    host = ngx_im_budget_find(w, &key);

    if (host == NULL) {
        host = im_calloc(sizeof(ngx_im_host_t));
        if (host == NULL) {
            return NGX_OK;
        }

        host->key = key;
        host->share = ngx_im_zone_share(w, &key);

        im_hash_add(&w->hosts, &host->node);
    }

    if (host->share != NULL
        && ngx_im_zone_hold(w, host->share, NGX_IM_HELD_SESSIONS,
                            w->conf->per_address.sessions, 0)
           != NGX_OK)
    {
        if (host->nplaces == 0) {
            ngx_im_budget_free(w, host);
        }

        *why = NGX_IM_REFUSED_SESSIONS;
        return NGX_BUSY;
    }

    host->nplaces++;

    return NGX_OK;
}


void
ngx_im_budget_leave(ngx_im_worker_t *w, const ngx_im_peer_t *peer)
{
    ngx_im_host_t      *host;
    ngx_im_zone_key_t   key;

    if (ngx_im_budget_key(w, peer, &key) != NGX_OK) {
        return;
    }

    host = ngx_im_budget_find(w, &key);

    if (host == NULL) {
        return;
    }

    if (host->share != NULL) {
        ngx_im_zone_release(w, host->share, NGX_IM_HELD_SESSIONS);
    }

    if (--host->nplaces == 0) {
        ngx_im_budget_free(w, host);
    }
}
