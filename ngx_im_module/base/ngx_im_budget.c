/*
 * Copyright (C) The im authors
 *
 * What one address may cost this node.
 */

#include "ngx_im_budget.h"
#include "ngx_im_host.h"


#define NGX_IM_BUDGET_QUIET  10000   /* ms between two lines of one reason */

/* RFC 6052: addresses of IPv4 behind a translator */
#define NGX_IM_BUDGET_NAT64  "\0\x64\xff\x9b\0\0\0\0\0\0\0\0"


/* By ngx_im_cost_e: a bucket has so many seconds of its rate. */
static const struct {
    size_t              offset;
    ngx_uint_t          seconds;
} ngx_im_budget_costs[NGX_IM_COSTS] = {
    { offsetof(ngx_im_per_address_t, handshakes), 4 },
    { offsetof(ngx_im_per_address_t, rooms), 40 },
    { offsetof(ngx_im_per_address_t, failures), 50 },
    { offsetof(ngx_im_per_address_t, read), 16 },
    { offsetof(ngx_im_per_address_t, frames), 4 },
    { offsetof(ngx_im_per_address_t, bytes), 16 }
};


/* By ngx_im_refusal_e: the name for metrics, the text for logs and clients. */
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
    { "session_rooms", "two times im_limit topics= new rooms in 10 s" },
    { "signatures", "im_limit signatures=" },
    { "joins", "im_limit joins=" },
    { "closed_for_others",
      "loses its oldest session to a client of another address" },
    { "draining", "this worker ends" },
    { "redis_unusable", "Redis can't be used" },
    { "redis_unreached", "Redis has not been reached yet" },
    { "method", "the method is not one for this address" },
    { "bad_request", "the request is malformed" },
    { "no_upgrade", "no upgrade to websocket" },
    { "origin", "pages of this origin are not allowed here (im_allow_origin)" },
    { "too_big", "the request is too large" },
    { "room", "the room is not one for this client" },
    { "no_token", "no token (im_auth)" },
    { "user", "im_user gives no valid user" },
    { "kept_out", "the user is kept out" },
    { "no_memory", "no memory" }
};


void
ngx_im_peer_init(ngx_im_peer_t *peer, ngx_connection_t *c)
{
    struct sockaddr  *sa;

    sa = c->sockaddr;

    ngx_memzero(peer, sizeof(ngx_im_peer_t));
    peer->family = (u_char) sa->sa_family;

    switch (peer->family) {

    case AF_INET:
        ngx_memcpy(peer->addr, &((struct sockaddr_in *) sa)->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        ngx_memcpy(peer->addr, &((struct sockaddr_in6 *) sa)->sin6_addr, 16);
        break;
#endif

    default:
        peer->family = AF_UNIX;
    }
}


const char *
ngx_im_budget_reason(ngx_im_refusal_e why)
{
    return ngx_im_budget_reasons[why].name;
}


const char *
ngx_im_budget_text(ngx_im_refusal_e why)
{
    return ngx_im_budget_reasons[why].text;
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


void
ngx_im_budget_key(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_zone_key_t *key)
{
    const u_char                *inet;
    const ngx_im_per_address_t  *conf;

    conf = &w->conf->per_address;

    key->addr = 0;
    key->family = AF_UNSPEC;

    if (conf->off || peer->family == AF_UNIX
        || ngx_im_budget_exempt(conf, peer))
    {
        return;
    }

    inet = ngx_im_budget_inet(peer);

    key->family = inet != NULL ? AF_INET : AF_INET6;

    /* one host usually has a whole IPv6 /64 */

    ngx_memcpy(&key->addr, inet != NULL ? inet : peer->addr,
               inet != NULL ? 4 : 8);
}


/* Where the address has its account, and its rate; 0: no limit. */
static ngx_uint_t
ngx_im_budget_rate(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, ngx_im_zone_key_t *key, ngx_im_share_t **share)
{
    ngx_uint_t      rate;
    ngx_im_host_t  *host;

    rate = *(ngx_uint_t *) ((u_char *) &w->conf->per_address
                            + ngx_im_budget_costs[cost].offset);

    if (rate == 0) {
        return 0;
    }

    ngx_im_budget_key(w, peer, key);

    if (key->family == AF_UNSPEC) {
        return 0;
    }

    host = ngx_im_host_find(w, key);
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
ngx_im_budget_charge(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost, uint32_t n)
{
    ngx_uint_t          rate;
    ngx_im_share_t     *share;
    ngx_im_zone_key_t   key;

    rate = ngx_im_budget_rate(w, peer, cost, &key, &share);

    return rate > 0
           ? ngx_im_zone_charge(w, share, &key, cost, rate,
                                rate * ngx_im_budget_costs[cost].seconds, n)
           : 0;
}


ngx_uint_t
ngx_im_budget_per_second(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost)
{
    ngx_im_share_t     *share;
    ngx_im_zone_key_t   key;

    return ngx_im_budget_rate(w, peer, cost, &key, &share);
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


ngx_uint_t
ngx_im_budget_low(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_cost_e cost)
{
    ngx_uint_t          rate;
    ngx_im_share_t     *share;
    ngx_im_zone_key_t   key;

    rate = ngx_im_budget_rate(w, peer, cost, &key, &share);

    return rate > 0
           && ngx_im_zone_low(w, share, &key, cost, rate,
                              rate * ngx_im_budget_costs[cost].seconds);
}


void
ngx_im_budget_refused(ngx_im_worker_t *w, const ngx_im_peer_t *peer,
    ngx_im_refusal_e why)
{
    size_t            len;
    u_char            addr[NGX_SOCKADDR_STRLEN];
    const char       *what;
    ngx_uint_t        evicted;
    ngx_im_silence_t *silence;

    w->counters->limits[why]++;

    silence = &w->refusals[why];

    if (silence->started && ngx_current_msec - silence->start
                            < NGX_IM_BUDGET_QUIET)
    {
        silence->n++;
        return;
    }

    len = peer == NULL || peer->family == AF_UNIX
          ? (size_t) (ngx_sprintf(addr, why == NGX_IM_REFUSED_JOINS
                                        ? "some joins or leaves"
                                        : peer == NULL ? "a client" : "unix:")
                      - addr)
          : ngx_inet_ntop(peer->family, (void *) peer->addr, addr,
                          NGX_SOCKADDR_STRLEN);

    evicted = (why == NGX_IM_REFUSED_EVICTED);
    what = evicted ? "" : why == NGX_IM_REFUSED_JOINS ? "are left out: "
                                                      : "is refused: ";

    ngx_log_error(NGX_LOG_WARN, w->log, 0,
                  "im: %*s %s%s%s; %ui more since the last line of this kind",
                  len, addr, what,
                  ngx_im_budget_reasons[why].text,
                  evicted ? "" : " is reached", silence->n);

    silence->started = 1;
    silence->start = ngx_current_msec;
    silence->n = 0;
}
