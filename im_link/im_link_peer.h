/*
 * Copyright (C) The im authors
 *
 * Where a server is: the addresses of its name, one after the other.
 *
 * A name is looked up by a thread, since getaddrinfo() alone knows all that a
 * machine knows of names (/etc/hosts, DNS, nsswitch.conf) and blocks.
 */

#ifndef IM_LINK_PEER_H
#define IM_LINK_PEER_H


#include <netinet/in.h>

#include "im_addr.h"


#define IM_LINK_PEER_MAX   16       /* addresses of a name that are tried */
#define IM_LINK_PEER_TEXT  (IM_ADDR_MAX_IP + 1)


typedef struct im_link_lookup_s  im_link_lookup_t;


typedef struct {
    socklen_t                len;
    struct sockaddr_storage  sockaddr;
} im_link_address_t;


/* The strings of addr are borrowed. */
typedef struct {
    im_addr_t           addr;
    im_link_lookup_t   *lookup;     /* under way, or NULL */
    uint64_t            since;      /* ms; 0: the caller waits for none */
    im_uint_t           n;
    im_uint_t           next;       /* the first one that is untried */
    im_uint_t           current;
    im_link_address_t   list[IM_LINK_PEER_MAX];
} im_link_peer_t;


void im_link_peer_init(im_link_peer_t *peer, const im_addr_t *addr);

/* A thread that is at work ends later, by itself. */
void im_link_peer_cleanup(im_link_peer_t *peer);

/*
 * Goes to the next address.  IM_OK: im_link_peer_current() has it; IM_AGAIN:
 * the name is being looked up, ask again; IM_ERROR: *why is static text.
 */
im_int_t im_link_peer_next(im_link_peer_t *peer, const char **why);

/*
 * The same at the time now, of monotonic ms.  A lookup that takes its time does
 * not keep the caller from addresses that are known.  IM_AGAIN: *why is set if
 * the lookup takes longer than timeout ms.
 */
im_int_t im_link_peer_try(im_link_peer_t *peer, uint64_t now,
    uint64_t timeout, const char **why);

/* A lookup is waited for. */
#define im_link_peer_waits(peer)    ((peer)->since != 0)

#define im_link_peer_current(peer)  (&(peer)->list[(peer)->current])

/* The current one is good: after it the name is looked up again. */
void im_link_peer_good(im_link_peer_t *peer);

/* The addresses of the last lookup again; 0: there are none. */
int im_link_peer_rewind(im_link_peer_t *peer);

/* Some addresses of the last lookup are untried. */
#define im_link_peer_more(peer)  ((peer)->next < (peer)->n)

/* The current address of a name as text; "" where there is no name. */
const char *im_link_peer_text(const im_link_peer_t *peer, char *text);


#endif /* IM_LINK_PEER_H */
