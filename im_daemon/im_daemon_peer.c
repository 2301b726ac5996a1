/*
 * Copyright (C) The im authors
 *
 * Who holds how many connections, and which one gives way.
 */

#include <netinet/in.h>

#include "im_daemon_peer.h"


#define IM_PEER_NETWORK  8        /* bytes of an IPv6 address */


typedef struct {
    const im_daemon_group_t  *group;
    im_daemon_peer_t         *worst;
} im_daemon_victim_t;


static im_str_t
im_daemon_peer_name(const im_hash_node_t *node)
{
    const im_daemon_peer_t  *peer;

    peer = (const im_daemon_peer_t *) node;

    return im_str_set(&peer->key, sizeof(im_daemon_peer_key_t));
}


static im_str_t
im_daemon_group_name(const im_hash_node_t *node)
{
    const im_daemon_group_t  *group;

    group = (const im_daemon_group_t *) node;

    return im_str_set(group->key, sizeof(group->key));
}


im_int_t
im_daemon_peers_init(im_daemon_peers_t *peers, const uint64_t seed[2])
{
    memset(peers, 0, sizeof(im_daemon_peers_t));

    if (im_hash_init(&peers->peers, im_daemon_peer_name, seed) != IM_OK) {
        return IM_ERROR;
    }

    if (im_hash_init(&peers->groups, im_daemon_group_name, seed) != IM_OK) {
        im_hash_cleanup(&peers->peers);
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_daemon_peers_free(im_hash_node_t *node, void *data)
{
    im_free(node);

    return IM_OK;
}


void
im_daemon_peers_cleanup(im_daemon_peers_t *peers)
{
    if (peers->peers.table == NULL) {
        return;
    }

    (void) im_hash_each(&peers->peers, im_daemon_peers_free, NULL);
    (void) im_hash_each(&peers->groups, im_daemon_peers_free, NULL);

    im_hash_cleanup(&peers->peers);
    im_hash_cleanup(&peers->groups);
}


static void
im_daemon_peer_key_in6(im_daemon_peer_key_t *key, const struct in6_addr *in6)
{
    if (IN6_IS_ADDR_V4MAPPED(in6)) {
        key->group[0] = AF_INET;
        memcpy(key->group + 4, in6->s6_addr + 12, 4);
        return;
    }

    memcpy(key->group + 4, in6->s6_addr, IM_PEER_NETWORK);
}


void
im_daemon_peer_key(im_daemon_peer_key_t *key, int fd, const struct sockaddr *sa)
{
    socklen_t     len;
    struct ucred  cred;

    memset(key, 0, sizeof(im_daemon_peer_key_t));

    key->group[0] = (uint8_t) sa->sa_family;

    switch (sa->sa_family) {

    case AF_INET:
        memcpy(key->group + 4, &((const struct sockaddr_in *) sa)->sin_addr, 4);
        return;

    case AF_INET6:
        im_daemon_peer_key_in6(key,
                               &((const struct sockaddr_in6 *) sa)->sin6_addr);
        return;

    default:
        break;
    }

    len = sizeof(struct ucred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
        key->group[0] = AF_UNIX;
        memcpy(key->group + 4, &cred.uid, sizeof(key->process));
        memcpy(key->process, &cred.pid, sizeof(key->process));
    }
}


static im_daemon_group_t *
im_daemon_peers_group(im_daemon_peers_t *peers, const im_daemon_peer_key_t *key)
{
    im_hash_node_t     *node;
    im_daemon_group_t  *group;

    node = im_hash_find(&peers->groups, im_str_set(key->group,
                                                   sizeof(key->group)));
    if (node != NULL) {
        return (im_daemon_group_t *) node;
    }

    group = im_calloc(sizeof(im_daemon_group_t));

    if (group != NULL) {
        memcpy(group->key, key->group, sizeof(group->key));
        im_hash_add(&peers->groups, &group->node);
    }

    return group;
}


static void
im_daemon_peers_drop(im_daemon_peers_t *peers, im_daemon_group_t *group)
{
    if (group->n == 0) {
        im_hash_remove(&peers->groups, &group->node);
        im_free(group);
    }
}


im_daemon_peer_t *
im_daemon_peers_add(im_daemon_peers_t *peers, const im_daemon_peer_key_t *key)
{
    im_hash_node_t     *node;
    im_daemon_peer_t   *peer;
    im_daemon_group_t  *group;

    group = im_daemon_peers_group(peers, key);
    if (group == NULL) {
        return NULL;
    }

    node = im_hash_find(&peers->peers, im_str_set(key, sizeof(*key)));
    peer = (im_daemon_peer_t *) node;

    if (peer == NULL) {
        peer = im_calloc(sizeof(im_daemon_peer_t));

        if (peer == NULL) {
            im_daemon_peers_drop(peers, group);
            return NULL;
        }

        peer->key = *key;
        peer->group = group;

        im_list_init(&peer->waiting);
        im_hash_add(&peers->peers, &peer->node);
    }

    peer->n++;
    group->n++;
    peers->n++;

    return peer;
}


void
im_daemon_peers_remove(im_daemon_peers_t *peers, im_daemon_peer_t *peer)
{
    peers->n--;
    peer->group->n--;
    peer->n--;

    im_daemon_peers_drop(peers, peer->group);

    if (peer->n == 0) {
        im_hash_remove(&peers->peers, &peer->node);
        im_free(peer);
    }
}


static im_int_t
im_daemon_peers_compare(im_hash_node_t *node, void *data)
{
    im_daemon_peer_t    *peer, *worst;
    im_daemon_victim_t  *victim = data;

    peer = (im_daemon_peer_t *) node;
    worst = victim->worst;

    if (im_list_empty(&peer->waiting)
        || (victim->group != NULL && peer->group != victim->group))
    {
        return IM_OK;
    }

    if (worst == NULL || peer->group->n > worst->group->n
        || (peer->group->n == worst->group->n && peer->n > worst->n))
    {
        victim->worst = peer;
    }

    return IM_OK;
}


im_list_t *
im_daemon_peers_victim(im_daemon_peers_t *peers, const im_daemon_group_t *group)
{
    im_daemon_victim_t  victim;

    victim.group = group;
    victim.worst = NULL;

    (void) im_hash_each(&peers->peers, im_daemon_peers_compare, &victim);

    return victim.worst != NULL ? im_list_first(&victim.worst->waiting) : NULL;
}
