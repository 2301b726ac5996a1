/*
 * Copyright (C) The im authors
 *
 * The servers of a link, and which one has a slot.
 */

#include <stdio.h>

#include "im_link_nodes.h"


#define IM_LINK_MAP_GAP      100       /* ms, as all here: between two reads */
#define IM_LINK_MAP_SOON     250       /* while slots have no server, */
#define IM_LINK_MAP_OUTAGE   15000     /* for that long, */
#define IM_LINK_MAP_LATER    1000      /* and then */
#define IM_LINK_MAP_PERIOD   10000
#define IM_LINK_NODE_UNUSED  10000
#define IM_LINK_NODE_DISPUTED  2000


/* Its name, and where it is. */
static void
im_link_nodes_set_seed(im_link_nodes_t *nodes, im_link_server_t *server,
    im_uint_t n)
{
    im_link_seed_t  *seed;

    seed = &nodes->context->conf.seeds[n];

    im_link_server_set(server, seed->name, &seed->addr);
}


static im_link_server_t *
im_link_nodes_add(im_link_nodes_t *nodes)
{
    im_link_server_t  *server, **list;

    if (nodes->n == IM_LINK_NODES) {
        return NULL;
    }

    list = im_realloc(nodes->list, (nodes->n + 1) * sizeof(im_link_server_t *));
    if (list == NULL) {
        return NULL;
    }

    nodes->list = list;

    server = im_link_server_create(nodes->context);
    if (server == NULL) {
        return NULL;
    }

    server->wanted = 1;
    server->index = nodes->n;
    nodes->list[nodes->n++] = server;

    return server;
}


static im_int_t
im_link_nodes_init_cluster(im_link_nodes_t *nodes)
{
    nodes->slots = im_calloc(IM_LINK_SLOTS * sizeof(im_link_server_t *));
    nodes->map = im_calloc(sizeof(im_link_map_t));
    nodes->seed = im_link_server_create(nodes->context);

    if (nodes->slots == NULL || nodes->map == NULL || nodes->seed == NULL) {
        return IM_ERROR;
    }

    im_link_map_init(nodes->map);

    nodes->wanted = 1;
    nodes->seed->probe = 1;
    im_link_nodes_set_seed(nodes, nodes->seed, 0);

    return IM_OK;
}


im_int_t
im_link_nodes_init(im_link_nodes_t *nodes)
{
    im_link_server_t  *server;

    nodes->fine = im_link_time(nodes->context);

    if (nodes->context->conf.kind == IM_LINK_CLUSTER) {
        return im_link_nodes_init_cluster(nodes);
    }

    server = im_link_nodes_add(nodes);
    if (server == NULL) {
        return IM_ERROR;
    }

    server->nslots = IM_LINK_SLOTS;

    if (nodes->context->conf.kind == IM_LINK_ONE) {
        im_link_nodes_set_seed(nodes, server, 0);

    } else {
        server->wanted = 0;
        server->name = nodes->context->conf.master;
    }

    return IM_OK;
}


void
im_link_nodes_cleanup(im_link_nodes_t *nodes)
{
    im_uint_t  i;

    im_link_nodes_sweep(nodes);

    for (i = 0; i < nodes->n; i++) {
        im_link_server_free(nodes->list[i]);
    }

    if (nodes->seed != NULL) {
        im_link_server_free(nodes->seed);
    }

    if (nodes->map != NULL) {
        im_link_map_cleanup(nodes->map);
    }

    im_free(nodes->map);
    im_free(nodes->slots);
    im_free(nodes->list);
}


void
im_link_nodes_close(im_link_nodes_t *nodes)
{
    im_uint_t  i;

    if (nodes->seed != NULL) {
        im_link_server_close(nodes->seed);
    }

    for (i = 0; i < nodes->n; i++) {
        im_link_server_close(nodes->list[i]);
    }
}


void
im_link_nodes_sweep(im_link_nodes_t *nodes)
{
    im_link_server_t  *server;

    while ((server = nodes->gone) != NULL) {
        nodes->gone = server->next;
        im_link_server_free(server);
    }
}


im_uint_t
im_link_nodes_unserved(const im_link_nodes_t *nodes)
{
    im_uint_t  i, n;

    for (i = 0, n = IM_LINK_SLOTS; i < nodes->n; i++) {
        n -= im_link_server_takes(nodes->list[i]) ? nodes->list[i]->nslots : 0;
    }

    return n;
}


im_link_server_t *
im_link_nodes_find(im_link_nodes_t *nodes, const char *name)
{
    im_str_t           s;
    im_uint_t          i;
    im_addr_t          addr;
    im_link_server_t  *server;

    s = im_str_z(name);

    for (i = 0; i < nodes->n; i++) {
        if (im_str_eq(nodes->list[i]->name, s)) {
            return nodes->list[i];
        }
    }

    if (im_addr_parse(&addr, s, IM_ADDR_CONNECT, 0) != NULL) {
        return NULL;
    }

    server = im_link_nodes_add(nodes);

    if (server != NULL) {
        im_link_server_set(server, s, &addr);
        im_link_due(nodes->context, 1);
    }

    return server;
}


void
im_link_nodes_give(im_link_nodes_t *nodes, im_uint_t slot,
    im_link_server_t *server)
{
    if (nodes->slots[slot] != NULL) {
        nodes->slots[slot]->nslots--;
    }

    nodes->slots[slot] = server;

    if (server != NULL) {
        server->nslots++;
    }
}


/* It can be reached, and has not said that its cluster is down. */
static int
im_link_nodes_good(const im_link_nodes_t *nodes, const im_link_server_t *server)
{
    return !server->failed
           && (server->disputed == 0
               || im_link_time(nodes->context) - server->disputed
                  > IM_LINK_NODE_DISPUTED);
}


/* Slots without a master are an error at first and again each minute. */
static void
im_link_nodes_check_owners(im_link_nodes_t *nodes)
{
    char       text[64];
    uint64_t   now;
    im_uint_t  i, n;

    now = im_link_time(nodes->context);

    for (i = 0, n = IM_LINK_SLOTS; i < nodes->n; i++) {
        n -= nodes->list[i]->nslots;
    }

    if (n > 0 && (nodes->complained == 0
                  || now - nodes->complained >= IM_LINK_COMPLAIN))
    {
        nodes->complained = now;
        (void) snprintf(text, sizeof(text), "%u slot%s of Redis %s no "
                        "master", (unsigned) n, n == 1 ? "" : "s",
                        n == 1 ? "has" : "have");
        im_link_say(nodes->context, IM_LINK_LOG_ERROR, text);

    } else if (n == 0 && nodes->complained != 0) {
        nodes->complained = 0;
        im_link_say(nodes->context, IM_LINK_LOG_NOTICE,
                    "all slots of Redis have masters");
    }
}


/* said: the server that gave the map. */
static void
im_link_nodes_apply(im_link_nodes_t *nodes, im_link_server_t *said)
{
    im_uint_t          slot, node;
    im_link_map_t     *map;
    im_link_server_t  *server;

    map = nodes->map;
    node = 0;
    server = NULL;

    for (slot = 0; slot < IM_LINK_SLOTS; slot++) {

        if (nodes->slots[slot] != NULL && nodes->slots[slot] != said
            && im_link_nodes_good(nodes, nodes->slots[slot]))
        {
            continue;
        }

        if (map->slots[slot] != node) {
            node = map->slots[slot];
            server = node != 0
                     ? im_link_nodes_find(nodes, im_link_map_name(map, node))
                     : NULL;
        }

        if (server != nodes->slots[slot]) {
            im_link_nodes_give(nodes, slot, server);
        }
    }

    im_link_nodes_check_owners(nodes);

    nodes->events->moved(nodes->context);
}


/* Each seed that is no node is in the log once.  1: no seed is a node. */
static int
im_link_nodes_wrong(im_link_nodes_t *nodes)
{
    im_uint_t  seed;

    seed = (im_uint_t) 1 << nodes->nseed;

    if (!(nodes->wrong & seed)) {
        nodes->wrong |= seed;
        nodes->seed->trouble = IM_LINK_FINE;
    }

    return nodes->wrong == ((im_uint_t) 1 << nodes->context->conf.nseeds) - 1;
}


/*
 * Of a server that is in use, an answer that can't be used is ignored: the next
 * one is asked.
 */
static void
im_link_nodes_handler(const im_link_reply_t *reply, void *data)
{
    int                single;
    im_str_t           text;
    const char        *why;
    im_link_nodes_t   *nodes;
    im_link_server_t  *server = data;

    nodes = server->context->nodes;
    nodes->asked = NULL;

    if (reply == NULL) {
        return;
    }

    text = im_link_reply_str(reply);
    single = im_str_eq(text, im_str_z("ERR This instance has cluster support "
                                      "disabled"));
    why = single ? IM_LINK_NOT_CLUSTER : NULL;

    if (why == NULL && !im_link_reply_is_error(reply)) {
        why = im_link_map_read(nodes->map, reply, server->peer.addr.host);
    }

    nodes->wanted = 0;

    if (why == NULL && !im_link_reply_is_error(reply)) {
        nodes->wrong &= ~(server->probe ? (im_uint_t) 1 << nodes->nseed : 0);
        im_link_nodes_apply(nodes, server->probe ? NULL : server);

        if (server->probe && !server->context->ended) {
            server->wanted = 0;
            im_link_server_close(server);
        }

    } else if (server->probe) {

        if (im_str_begins(text, im_str_z("ERR unknown command"))) {
            why = "it does not know CLUSTER SLOTS: is it a sentinel?";
        }

        im_link_server_refuse(server, why != NULL ? NULL : reply, why,
                              single && im_link_nodes_wrong(nodes));
    }
}


static void
im_link_nodes_ask(im_link_nodes_t *nodes, im_link_server_t *server)
{
    nodes->time = im_link_time(nodes->context);
    nodes->asked = server;
    nodes->source = NULL;

    im_link_call_start(&nodes->context->own, "CLUSTER SLOTS");

    if (im_link_server_ask(server, im_link_nodes_handler) != IM_OK) {
        nodes->asked = NULL;
    }
}


void
im_link_nodes_connected(im_link_nodes_t *nodes)
{
    im_link_nodes_ask(nodes, nodes->seed);
}


/* All addresses of a seed are tried before the next one is. */
void
im_link_nodes_lost(im_link_nodes_t *nodes)
{
    nodes->next = !im_link_peer_more(&nodes->seed->peer);
}


static void
im_link_nodes_tick_seed(im_link_nodes_t *nodes)
{
    im_link_server_t  *seed;

    seed = nodes->seed;

    if (nodes->next && im_link_time(nodes->context) >= seed->calls.retry) {
        nodes->next = 0;
        nodes->nseed = (nodes->nseed + 1) % nodes->context->conf.nseeds;
        im_link_nodes_set_seed(nodes, seed, nodes->nseed);
    }

    im_link_server_tick(seed);
}


void
im_link_nodes_want(im_link_nodes_t *nodes, im_link_server_t *source)
{
    nodes->wanted = 1;
    nodes->source = source != NULL ? source : nodes->source;

    im_link_due(nodes->context, 1);
}


/* Those that take calls, in turn.  NULL: there is none. */
static im_link_server_t *
im_link_nodes_choose(im_link_nodes_t *nodes)
{
    im_uint_t          i;
    im_link_server_t  *server, *second;

    if (nodes->source != NULL && im_link_server_takes(nodes->source)) {
        return nodes->source;
    }

    second = NULL;

    for (i = 0; i < nodes->n; i++) {
        server = nodes->list[++nodes->turn % nodes->n];

        if (im_link_server_takes(server)) {

            if (im_link_nodes_good(nodes, server)) {
                return server;
            }

            second = server;
        }
    }

    return second;
}


static uint64_t
im_link_nodes_period(im_link_nodes_t *nodes, int settled)
{
    uint64_t  now;

    now = im_link_time(nodes->context);

    if (settled && im_link_nodes_unserved(nodes) == 0) {
        nodes->fine = now;
    }

    if (nodes->wanted) {
        return IM_LINK_MAP_GAP;
    }

    if (nodes->fine == now) {
        return IM_LINK_MAP_PERIOD;
    }

    return now - nodes->fine < IM_LINK_MAP_OUTAGE ? IM_LINK_MAP_SOON
                                                  : IM_LINK_MAP_LATER;
}


/* A server that takes calls knows more than a seed. */
static void
im_link_nodes_refresh(im_link_nodes_t *nodes, int settled)
{
    uint64_t           now, at;
    im_link_server_t  *server;

    server = im_link_nodes_choose(nodes);

    if (nodes->seed->wanted) {

        if (server == NULL) {
            return;
        }

        nodes->seed->wanted = 0;
        im_link_server_close(nodes->seed);
    }

    now = im_link_time(nodes->context);
    at = nodes->time + im_link_nodes_period(nodes, settled);

    if (nodes->asked != NULL) {
        return;
    }

    if (nodes->time != 0 && now < at) {
        im_link_due(nodes->context, at - now);

    } else if (server != NULL) {
        im_link_nodes_ask(nodes, server);

    } else {
        nodes->time = now;
        nodes->seed->wanted = 1;
    }
}


/* A server without slots that has nothing to answer any more. */
static int
im_link_nodes_idle(const im_link_nodes_t *nodes,
    const im_link_server_t *server)
{
    return server->nslots == 0 && server->calls.ncalls == 0
           && server != nodes->asked
           && im_link_time(nodes->context) - server->used
              > IM_LINK_NODE_UNUSED;
}


static void
im_link_nodes_drop(im_link_nodes_t *nodes, im_uint_t i)
{
    im_link_server_t  *server;

    server = nodes->list[i];

    if (nodes->source == server) {
        nodes->source = NULL;
    }

    nodes->n--;
    nodes->list[i] = nodes->list[nodes->n];
    nodes->list[i]->index = i;

    server->wanted = 0;
    server->next = nodes->gone;
    nodes->gone = server;

    im_link_server_close(server);

    if (i < nodes->n && !nodes->context->ended) {
        nodes->events->numbered(nodes->list[i]);
    }
}


/* Back to front: the last one gets the number of one that goes. */
void
im_link_nodes_tick(im_link_nodes_t *nodes, int settled)
{
    im_uint_t  i;

    for (i = nodes->n; i-- > 0 && !nodes->context->ended; ) {

        if (i < nodes->n) {
            im_link_server_tick(nodes->list[i]);
        }
    }

    if (nodes->slots == NULL) {
        return;
    }

    for (i = nodes->n; i-- > 0 && !nodes->context->ended; ) {

        if (i < nodes->n && im_link_nodes_idle(nodes, nodes->list[i])) {
            im_link_nodes_drop(nodes, i);
        }
    }

    if (!nodes->context->ended) {
        im_link_nodes_refresh(nodes, settled);
    }

    if (!nodes->context->ended) {
        im_link_nodes_tick_seed(nodes);
    }
}
