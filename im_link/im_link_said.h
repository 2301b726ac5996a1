/*
 * Copyright (C) The im authors
 *
 * What a sentinel says of a master: the answers to SENTINEL MASTER and SENTINEL
 * GET-MASTER-ADDR-BY-NAME.
 *
 * A sentinel that promotes a replica has the new config-epoch in SENTINEL
 * MASTER before the new address, but SENTINEL GET-MASTER-ADDR-BY-NAME has both
 * at once.  So the epoch is asked for first, and the address behind it: an
 * address may be newer than its epoch, never older.
 */

#ifndef IM_LINK_SAID_H
#define IM_LINK_SAID_H


#include "im_addr.h"
#include "im_link_reply.h"


#define IM_LINK_SAID_ADDR  (IM_ADDR_MAX_NAME + sizeof(":65535"))
#define IM_LINK_SAID_WHY   200


/* 0: not known. */
typedef struct {
    uint64_t  epoch;
    uint64_t  sentinels;       /* that watch the master, with itself */
    uint64_t  quorum;
    uint64_t  replicas;
    uint64_t  down_after;      /* ms */
    char      addr[IM_LINK_SAID_ADDR];     /* HOST:PORT, [IPV6]:PORT */
} im_link_said_t;


/* All but the address; other fields of the reply are ignored. */
void im_link_said_master(im_link_said_t *said, const im_link_reply_t *reply);

/* IM_ERROR: the reply has no valid address. */
im_int_t im_link_said_addr(im_link_said_t *said, const im_link_reply_t *reply);

/* What an error means, and what cures it; master is the name asked for. */
void im_link_said_error(const im_link_reply_t *reply, im_str_t master,
    char *why);


#endif /* IM_LINK_SAID_H */
