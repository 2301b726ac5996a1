/*
 * Copyright (C) The im authors
 *
 * Clients that come and go.  Half of them end in order, a fourth is cut, and
 * the next connection of another fourth is cut before it has joined.
 */

#include "load_churn.h"


#define LOAD_CHURN_LATER  (100 * LOAD_MILLISECOND)


typedef struct {
    int  in_order;
    int  hasty;                     /* its next connection */
} load_churn_kind_t;


static const load_churn_kind_t  load_churn_kinds[] = {
    { 1, 0 }, { 0, 0 }, { 1, 0 }, { 0, 1 }
};


void
load_churn_init(load_churn_t *churn, load_clients_t *clients)
{
    memset(churn, 0, sizeof(load_churn_t));
    churn->clients = clients;
}


void
load_churn_start(load_churn_t *churn, uint64_t now)
{
    churn->clients->churns = 1;
    churn->running = 1;
    churn->began = now;
}


void
load_churn_stop(load_churn_t *churn)
{
    churn->running = 0;
}


/* One that has no message, or hasn't joined, has some seconds. */
static void
load_churn_wait(load_clients_t *c, load_client_t *cl, uint64_t now)
{
    uint64_t  us;

    us = load_client_us(c, now) - cl->u.began;

    if (us * 1000 < c->options->drain * LOAD_SECOND) {
        return;
    }

    c->block->churned.silent++;
    load_client_end(c, cl, 0);
}


static void
load_churn_client(load_churn_t *churn, load_client_t *cl, uint64_t now)
{
    load_clients_t           *c;
    const load_churn_kind_t  *kind;

    c = churn->clients;

    if (churn->running && cl->state == LOAD_CLIENT_OPEN && cl->greeted) {
        kind = &load_churn_kinds[churn->kind++ % 4];

        cl->hasty = (uint8_t) kind->hasty;
        load_client_end(c, cl, kind->in_order);

        if (kind->in_order) {
            c->block->churned.left++;

        } else {
            c->block->churned.cut++;
        }
    }

    if (cl->state == LOAD_CLIENT_ENDED) {
        load_client_connect(c, cl, now);

    } else if (cl->state != LOAD_CLIENT_OPEN || !cl->greeted) {
        load_churn_wait(c, cl, now);
    }
}


uint64_t
load_churn_tick(load_churn_t *churn, uint64_t now)
{
    uint64_t         due;
    load_clients_t  *c;

    c = churn->clients;

    while (c->churns) {
        due = churn->began + churn->due * LOAD_SECOND / c->options->churn;

        if (due > now) {
            return due;
        }

        churn->due++;
        load_churn_client(churn, &c->clients[churn->next], now);
        churn->next = (churn->next + 1) % c->n;
    }

    return now + LOAD_CHURN_LATER;
}
