/*
 * Copyright (C) The im authors
 *
 * Where a server is.
 */

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>

#include "im_link_peer.h"


#define IM_LINK_LOOKUP  1000       /* ms, then known addresses are tried */


typedef enum {
    IM_LOOKUP_RUNS = 0,
    IM_LOOKUP_DONE,          /* the peer takes it and frees it */
    IM_LOOKUP_LEFT           /* the thread frees it */
} im_link_lookup_e;


struct im_link_lookup_s {
    int                 state;      /* im_link_lookup_e, atomic */
    int                 rc;         /* of getaddrinfo() */
    im_uint_t           n;
    im_link_address_t   list[IM_LINK_PEER_MAX];
    char                port[sizeof("65535")];
    char                host[IM_ADDR_MAX_NAME + 2];
};


/* Whoever comes second to the end has it. */
static int
im_link_lookup_leave(im_link_lookup_t *lookup, im_link_lookup_e state)
{
    int  runs;

    runs = IM_LOOKUP_RUNS;

    return __atomic_compare_exchange_n(&lookup->state, &runs, state, 0,
                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}


static void *
im_link_lookup_thread(void *data)
{
    struct addrinfo    hints, *res, *ai;
    im_link_lookup_t  *lookup = data;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    lookup->rc = getaddrinfo(lookup->host, lookup->port, &hints, &res);

    if (lookup->rc == 0) {
        for (ai = res; ai != NULL && lookup->n < IM_LINK_PEER_MAX;
             ai = ai->ai_next)
        {
            memcpy(&lookup->list[lookup->n].sockaddr, ai->ai_addr,
                   ai->ai_addrlen);
            lookup->list[lookup->n++].len = ai->ai_addrlen;
        }

        freeaddrinfo(res);
    }

    if (!im_link_lookup_leave(lookup, IM_LOOKUP_DONE)) {
        im_free(lookup);
    }

    return NULL;
}


/* The thread takes no signal: those are for the loop.  NULL: none. */
static im_link_lookup_t *
im_link_lookup_start(const im_addr_t *addr)
{
    int                rc;
    sigset_t           all, before;
    pthread_t          thread;
    pthread_attr_t     attr;
    im_link_lookup_t  *lookup;

    lookup = im_calloc(sizeof(im_link_lookup_t));
    if (lookup == NULL) {
        return NULL;
    }

    (void) snprintf(lookup->host, sizeof(lookup->host), "%.*s",
                    (int) addr->host.len, (char *) addr->host.data);
    (void) snprintf(lookup->port, sizeof(lookup->port), "%u",
                    (unsigned) addr->port);

    if (pthread_attr_init(&attr) != 0) {
        im_free(lookup);
        return NULL;
    }

    (void) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &before);

    rc = pthread_create(&thread, &attr, im_link_lookup_thread, lookup);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void) pthread_attr_destroy(&attr);

    if (rc != 0) {
        im_free(lookup);
        return NULL;
    }

    return lookup;
}


/* Of an address that needs no lookup. */
static void
im_link_peer_known(im_link_peer_t *peer)
{
    im_addr_t            *addr;
    struct sockaddr_in   *sin;
    struct sockaddr_un   *sun;
    struct sockaddr_in6  *sin6;

    addr = &peer->addr;

    switch (addr->type) {

    case IM_ADDR_IPV4:
        sin = (struct sockaddr_in *) &peer->list[0].sockaddr;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(addr->port);
        memcpy(&sin->sin_addr, addr->ip, sizeof(sin->sin_addr));
        peer->list[0].len = sizeof(struct sockaddr_in);
        break;

    case IM_ADDR_IPV6:
        sin6 = (struct sockaddr_in6 *) &peer->list[0].sockaddr;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(addr->port);
        memcpy(&sin6->sin6_addr, addr->ip, sizeof(sin6->sin6_addr));
        peer->list[0].len = sizeof(struct sockaddr_in6);
        break;

    case IM_ADDR_UNIX:
        sun = (struct sockaddr_un *) &peer->list[0].sockaddr;
        sun->sun_family = AF_UNIX;

        if (addr->host.len > 0) {
            memcpy(sun->sun_path, addr->host.data, addr->host.len);
        }

        peer->list[0].len = sizeof(struct sockaddr_un);
        break;

    default:
        break;
    }
}


void
im_link_peer_init(im_link_peer_t *peer, const im_addr_t *addr)
{
    memset(peer, 0, sizeof(im_link_peer_t));

    peer->addr = *addr;

    im_link_peer_known(peer);
}


void
im_link_peer_cleanup(im_link_peer_t *peer)
{
    if (peer->lookup != NULL
        && !im_link_lookup_leave(peer->lookup, IM_LOOKUP_LEFT))
    {
        im_free(peer->lookup);
    }

    peer->lookup = NULL;
}


/*
 * While the resolver is away, the addresses that the name had last are tried
 * again.
 */
static im_int_t
im_link_peer_found(im_link_peer_t *peer, const char **why)
{
    im_link_lookup_t  *lookup;

    lookup = peer->lookup;
    peer->lookup = NULL;
    peer->next = 0;

    if (lookup->rc == 0) {
        peer->n = lookup->n;
        memcpy(peer->list, lookup->list, sizeof(peer->list));

    } else if (lookup->rc != EAI_AGAIN) {
        peer->n = 0;
    }

    *why = lookup->rc != 0 ? gai_strerror(lookup->rc)
                           : "the name has no address";

    im_free(lookup);

    return peer->n > 0 ? IM_OK : IM_ERROR;
}


im_int_t
im_link_peer_next(im_link_peer_t *peer, const char **why)
{
    if (peer->addr.type != IM_ADDR_NAME) {
        return IM_OK;
    }

    if (!im_link_peer_more(peer)) {

        if (peer->lookup == NULL) {
            peer->lookup = im_link_lookup_start(&peer->addr);

            if (peer->lookup == NULL) {
                *why = "no thread to look its name up";
                return IM_ERROR;
            }
        }

        if (__atomic_load_n(&peer->lookup->state, __ATOMIC_ACQUIRE)
            == IM_LOOKUP_RUNS)
        {
            return IM_AGAIN;
        }

        if (im_link_peer_found(peer, why) != IM_OK) {
            return IM_ERROR;
        }
    }

    peer->current = peer->next++;

    return IM_OK;
}


/* A lookup that is under way would be old when it is wanted. */
void
im_link_peer_good(im_link_peer_t *peer)
{
    im_link_peer_cleanup(peer);

    peer->next = peer->n;
}


int
im_link_peer_rewind(im_link_peer_t *peer)
{
    peer->next = 0;

    return peer->n > 0;
}


im_int_t
im_link_peer_try(im_link_peer_t *peer, uint64_t now, uint64_t timeout,
    const char **why)
{
    im_int_t  rc;

    *why = NULL;
    rc = im_link_peer_next(peer, why);

    if (rc != IM_AGAIN) {
        peer->since = 0;

    } else if (peer->since == 0) {
        peer->since = now;

    } else if (now - peer->since > IM_LINK_LOOKUP
               && im_link_peer_rewind(peer))
    {
        peer->since = 0;
        rc = im_link_peer_next(peer, why);

    } else if (now - peer->since > timeout) {
        peer->since = now;
        *why = "its name could not be looked up in time";
    }

    return rc;
}


const char *
im_link_peer_text(const im_link_peer_t *peer, char *text)
{
    const void               *ip;
    const im_link_address_t  *to;

    to = im_link_peer_current(peer);
    text[0] = '\0';

    if (peer->addr.type != IM_ADDR_NAME || peer->n == 0) {
        return text;
    }

    ip = to->sockaddr.ss_family == AF_INET
         ? (const void *) &((const struct sockaddr_in *) &to->sockaddr)
                          ->sin_addr
         : (const void *) &((const struct sockaddr_in6 *) &to->sockaddr)
                          ->sin6_addr;

    (void) inet_ntop(to->sockaddr.ss_family, ip, text, IM_LINK_PEER_TEXT);

    return text;
}
