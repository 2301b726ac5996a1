/*
 * Copyright (C) The im authors
 *
 * Clients that come and go: one after the other leaves, once it has a message,
 * and comes again at once.
 */

#ifndef LOAD_CHURN_H
#define LOAD_CHURN_H


#include "load_clients.h"


typedef struct {
    load_clients_t  *clients;
    unsigned         running;
    uint64_t         began;         /* ns */
    uint64_t         due;           /* so many have been looked at */
    uint32_t         next;          /* client */
    unsigned         kind;          /* of the next end */
} load_churn_t;


void load_churn_init(load_churn_t *churn, load_clients_t *clients);
void load_churn_start(load_churn_t *churn, uint64_t now);

/* None leaves any more.  All come again that are away. */
void load_churn_stop(load_churn_t *churn);

/* Does what is due; when to call it again, ns. */
uint64_t load_churn_tick(load_churn_t *churn, uint64_t now);


#endif /* LOAD_CHURN_H */
