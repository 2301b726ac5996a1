/*
 * Copyright (C) The im authors
 *
 * The clients of a process: how fast they connect, and what became of them.
 */

#include <stdlib.h>

#include "load_clients.h"


#define LOAD_CLIENTS_INPUT  (256 * 1024)
#define LOAD_CLIENTS_BURST  64      /* connects in a turn */
#define LOAD_CLIENTS_QUIET  (300 * LOAD_MILLISECOND)
#define LOAD_CLIENTS_LATER  (100 * LOAD_MILLISECOND)


int
load_clients_init(load_clients_t *c, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared, unsigned process)
{
    uint32_t  i, nstreams;

    memset(c, 0, sizeof(load_clients_t));
    c->loop = loop;
    c->options = options;
    c->shared = shared;
    c->block = &shared->blocks[process];
    c->counts = &c->block->warm;
    c->first = load_options_first(options, process);
    c->n = load_options_first(options, process + 1) - c->first;
    c->run = shared->run;

    loop->client = load_client_handler;
    loop->data = c;

    nstreams = c->n * options->lanes + LOAD_PROBE_LANES;
    c->clients = calloc(c->n + 1, sizeof(load_client_t));
    c->size = LOAD_CLIENTS_INPUT + 4 * (size_t) options->size;
    c->input = malloc(c->size);

    if (c->clients == NULL || c->input == NULL
        || load_check_init(&c->check, nstreams) != 0)
    {
        return -1;
    }

    for (i = 0; i < c->n; i++) {
        c->clients[i].fd = -1;
        c->clients[i].topic = load_options_topic(options, c->first + i);
    }

    c->clients[c->n].fd = -1;
    c->clients[c->n].topic = options->topics;
    c->block->memory = c->n * sizeof(load_client_t)
                       + nstreams * sizeof(uint32_t);

    return 0;
}


uint64_t
load_clients_tick(load_clients_t *c, uint64_t now)
{
    unsigned  burst;
    uint64_t  each, due;

    if (c->next == c->n || c->under_way >= c->options->parallel) {
        return now + LOAD_CLIENTS_LATER;
    }

    each = c->options->rate == 0 ? 0
           : LOAD_SECOND * c->options->processes / c->options->rate;

    for (burst = 0; burst < LOAD_CLIENTS_BURST; burst++) {
        due = c->shared->connect_begin + c->next * each;

        if (due > now) {
            return due;
        }

        load_client_connect(c, &c->clients[c->next++], now);

        if (c->next == c->n || c->under_way >= c->options->parallel) {
            return now + LOAD_CLIENTS_LATER;
        }
    }

    return now;
}


void
load_clients_probe(load_clients_t *c)
{
    load_client_connect(c, &c->clients[c->n], load_now());
}


int
load_clients_probe_ready(const load_clients_t *c)
{
    return c->clients[c->n].state == LOAD_CLIENT_OPEN;
}


void
load_clients_resume(load_clients_t *c)
{
    uint32_t  i;

    for (i = 0; i < c->n; i++) {
        if (c->clients[i].state == LOAD_CLIENT_STALLED) {
            c->clients[i].state = LOAD_CLIENT_COLLECTED;
            (void) load_loop_add_client(c->loop, c->clients[i].fd, EPOLLIN, i);
        }
    }

    c->heard = load_now();
}


int
load_clients_resumed(load_clients_t *c, uint64_t now)
{
    return c->stalled == 0 || now > c->heard + LOAD_CLIENTS_QUIET;
}


/* Have all followers of a topic got its messages in one order? */
static void
load_clients_compare(load_clients_t *c, const load_client_t *cl)
{
    uint64_t  first, order;

    first = 0;
    order = 1ULL << 32 | cl->u.order;

    if (!atomic_compare_exchange_strong(&c->shared->orders[cl->topic], &first,
                                        order)
        && first != order)
    {
        c->block->other_order++;
    }
}


void
load_clients_report(load_clients_t *c)
{
    uint32_t         i, lane, stream;
    const uint32_t  *seqs;

    for (i = 0; i < c->n; i++) {
        if (c->clients[i].state != LOAD_CLIENT_OPEN) {
            continue;
        }

        if (c->options->churn == 0) {
            load_clients_compare(c, &c->clients[i]);
        }

        stream = i * c->options->lanes;
        seqs = &c->shared->seqs[(size_t) c->clients[i].topic
                                * c->options->lanes];

        for (lane = 0; lane < c->options->lanes; lane++) {
            load_check_end(&c->check, stream + lane, seqs[lane]);
        }
    }

    c->block->stalled_open = c->stalled;
    c->block->lost = c->check.lost;
    c->block->duplicated = c->check.duplicated;
    c->block->reordered = c->check.reordered;
    c->block->unknown = c->check.unknown;
    c->block->foreign = c->foreign;
}
