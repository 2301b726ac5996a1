/*
 * Copyright (C) The im authors
 *
 * Who holds how many connections, and which one gives way when a place is
 * wanted.
 *
 * A group is an address (/64 of IPv6), or the user at the other end of a unix
 * socket; a peer is a process of such a user.  The group that holds most gives
 * way, in it the peer that holds most, and of that the connection that has
 * waited longest.
 */

#ifndef IM_DAEMON_PEER_H
#define IM_DAEMON_PEER_H


#include <sys/socket.h>

#include "im_hash.h"
#include "im_list.h"


typedef struct {
    uint8_t    group[20];     /* family and address, or user */
    uint8_t    process[4];
} im_daemon_peer_key_t;


typedef struct {
    im_hash_node_t   node;
    uint8_t          key[20];
    im_uint_t        n;       /* connections */
} im_daemon_group_t;


typedef struct {
    im_hash_node_t        node;
    im_daemon_peer_key_t  key;
    im_daemon_group_t    *group;
    im_uint_t             n;
    im_list_t             waiting;   /* connections, the oldest first */
} im_daemon_peer_t;


typedef struct {
    im_hash_t   peers;
    im_hash_t   groups;
    im_uint_t   n;
} im_daemon_peers_t;


im_int_t im_daemon_peers_init(im_daemon_peers_t *peers, const uint64_t seed[2]);
void im_daemon_peers_cleanup(im_daemon_peers_t *peers);

/* Who is at the other end of an accepted socket. */
void im_daemon_peer_key(im_daemon_peer_key_t *key, int fd,
    const struct sockaddr *sa);

/* One more connection of the peer; NULL: no memory. */
im_daemon_peer_t *im_daemon_peers_add(im_daemon_peers_t *peers,
    const im_daemon_peer_key_t *key);

/* One less.  The last one frees the peer. */
void im_daemon_peers_remove(im_daemon_peers_t *peers, im_daemon_peer_t *peer);

/*
 * The link, in a list of waiting ones, that gives way; of this group alone
 * where it isn't NULL.  NULL: none waits.
 */
im_list_t *im_daemon_peers_victim(im_daemon_peers_t *peers,
    const im_daemon_group_t *group);


#endif /* IM_DAEMON_PEER_H */
