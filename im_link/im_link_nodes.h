/*
 * Copyright (C) The im authors
 *
 * The servers of a link, and which one has a slot: one has all, or each master
 * of a cluster has some.
 *
 * A cluster's slots are read from any of its nodes, which may be behind.  So a
 * server keeps a slot until it says itself that it has it no more, or it can't
 * be reached: then what the others say counts.
 */

#ifndef IM_LINK_NODES_H
#define IM_LINK_NODES_H


#include "im_link_cluster.h"
#include "im_link_server.h"


/* Each may close connections, or end the link. */
typedef struct {
    /* Slots have other servers. */
    void  (*moved)(im_link_context_t *context);

    /* A server has another number than before. */
    void  (*numbered)(im_link_server_t *server);
} im_link_nodes_events_t;


typedef struct im_link_nodes_s  im_link_nodes_t;

struct im_link_nodes_s {
    im_link_context_t             *context;
    const im_link_nodes_events_t  *events;
    im_uint_t                      n;
    im_link_server_t             **list;
    im_link_server_t             **slots;   /* NULL: the only one has all */
    im_link_map_t                 *map;     /* as read last */
    im_link_server_t              *seed;    /* gives the first map */
    im_uint_t                      nseed;
    im_uint_t                      wrong;   /* set of seeds: no nodes */
    im_link_server_t              *asked;   /* for the slots, now */
    im_link_server_t              *source;  /* is to be asked; NULL: any */
    im_link_server_t              *gone;    /* to be freed */
    im_uint_t                      turn;
    uint64_t                       time;    /* one was asked */
    uint64_t                       fine;    /* all slots had their servers */
    uint64_t                       complained;  /* slots have no master; 0 */
    unsigned                       wanted:1;  /* slots have moved */
    unsigned                       next:1;    /* seed is to be tried */
};


/* The caller sets the first two.  IM_ERROR: no memory; to be cleaned up. */
im_int_t im_link_nodes_init(im_link_nodes_t *nodes);
void im_link_nodes_cleanup(im_link_nodes_t *nodes);

/* Closes all; the handlers of calls get NULL. */
void im_link_nodes_close(im_link_nodes_t *nodes);

/* The server of a slot.  NULL: none has it. */
#define im_link_nodes_at(nodes, slot)                                         \
    ((nodes)->slots != NULL ? (nodes)->slots[slot] : (nodes)->list[0])

/* How many slots have no server that takes calls. */
im_uint_t im_link_nodes_unserved(const im_link_nodes_t *nodes);

/* The server of that name, which is new perhaps.  NULL: no memory, or full. */
im_link_server_t *im_link_nodes_find(im_link_nodes_t *nodes, const char *name);

/* NULL: none has the slot. */
void im_link_nodes_give(im_link_nodes_t *nodes, im_uint_t slot,
    im_link_server_t *server);

/* Reads the slots soon, from the source; NULL: from any server. */
void im_link_nodes_want(im_link_nodes_t *nodes, im_link_server_t *source);

/* Of the seed: its connection is open, or lost. */
void im_link_nodes_connected(im_link_nodes_t *nodes);
void im_link_nodes_lost(im_link_nodes_t *nodes);

/* settled: all slots are as they should be. */
void im_link_nodes_tick(im_link_nodes_t *nodes, int settled);

/* No function works for the link: frees servers that have gone. */
void im_link_nodes_sweep(im_link_nodes_t *nodes);


#endif /* IM_LINK_NODES_H */
