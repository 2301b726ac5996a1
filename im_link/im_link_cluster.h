/*
 * Copyright (C) The im authors
 *
 * What the nodes of a cluster say: who has which slots (CLUSTER SLOTS), and
 * errors that lead elsewhere.
 *
 * A node is named by its address, HOST:PORT or [IPV6]:PORT.  Nodes that don't
 * know how they are reached announce no host ("", "?" or nil): then the host
 * that was asked is meant.
 */

#ifndef IM_LINK_CLUSTER_H
#define IM_LINK_CLUSTER_H


#include "im_addr.h"
#include "im_buf.h"
#include "im_link_reply.h"
#include "im_link_call.h"


#define IM_LINK_NODES  512                /* masters of a cluster */
#define IM_LINK_NODE   (IM_ADDR_MAX_NAME + sizeof("[]:65535"))


/* Which master has each slot. */
typedef struct {
    im_uint_t  nnodes;
    im_buf_t   names;                     /* each ends in a zero byte */
    uint32_t   at[IM_LINK_NODES];         /* where a name begins */
    uint16_t   slots[IM_LINK_SLOTS];      /* 1 + number of a node; 0: none */
} im_link_map_t;


/* An error's first word. */
typedef enum {
    IM_LINK_OTHER = 0,
    IM_LINK_MOVED,
    IM_LINK_ASK,
    IM_LINK_TRYAGAIN,
    IM_LINK_CLUSTERDOWN,
    IM_LINK_READONLY,
    IM_LINK_UNBLOCKED,
    IM_LINK_LOADING,
    IM_LINK_MASTERDOWN
} im_link_error_e;


void im_link_map_init(im_link_map_t *map);
void im_link_map_cleanup(im_link_map_t *map);

/*
 * Reads what CLUSTER SLOTS has answered; asked is the host.  NULL: done; else
 * why not, and the map is undefined.
 */
const char *im_link_map_read(im_link_map_t *map, const im_link_reply_t *reply,
    im_str_t asked);

/* The name of a node, from 1 on as in slots. */
#define im_link_map_name(map, node)                                           \
    ((const char *) (map)->names.data + (map)->at[(node) - 1])


im_link_error_e im_link_error(const im_link_reply_t *reply);

/*
 * "MOVED SLOT HOST:PORT", "ASK SLOT HOST:PORT"; node has IM_LINK_NODE bytes.
 * IM_ERROR: it is something else.
 */
im_int_t im_link_redirect_read(im_str_t error, im_str_t asked, im_uint_t *slot,
    char *node);


#endif /* IM_LINK_CLUSTER_H */
