/*
 * Copyright (C) The im authors
 *
 * Each process but the first.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "load_child.h"
#include "load_clients.h"


#define LOAD_CHILD_LATER  (100 * LOAD_MILLISECOND)


static void
load_child_woken(load_event_t *ev, uint32_t events)
{
    uint64_t       n;
    const int     *fd;

    fd = ev->data;

    if (read(*fd, &n, sizeof(n)) == -1) {
        return;                     /* nothing there any more */
    }
}


/* Tells the first process what it may wait for. */
static void
load_child_tell(load_clients_t *c, uint32_t *told)
{
    uint32_t  n;
    uint64_t  one;

    one = 1;
    n = atomic_load(&c->block->ready) + atomic_load(&c->block->failed);

    if (c->completed == 0 && (n == *told || n != c->n)) {
        return;
    }

    c->completed = 0;
    *told = n;

    if (write(c->shared->wake, &one, sizeof(one)) == -1) {
        return;                     /* it has been woken already */
    }
}


static void
load_child_turn(load_clients_t *c, load_phase_e phase)
{
    uint64_t  now, until;

    now = load_now();
    until = now + LOAD_CHILD_LATER;

    if (phase == LOAD_PHASE_CONNECT) {
        until = load_clients_tick(c, now);

    } else if (phase == LOAD_PHASE_COLLECT && load_clients_resumed(c, now)) {
        atomic_store(&c->block->collected, 1);
    }

    load_loop_turn(c->loop, until);
}


int
load_child_main(const load_options_t *options, load_shared_t *shared,
    unsigned process)
{
    uint32_t        told;
    load_event_t    woken;
    load_phase_e    phase, next;
    load_loop_t     loop;
    load_clients_t  c;

    woken.handler = load_child_woken;
    woken.data = &shared->wakes[process];

    if (load_loop_init(&loop, options->spin) == -1
        || load_loop_add(&loop, shared->wakes[process], EPOLLIN, &woken) == -1
        || load_clients_init(&c, &loop, options, shared, process) == -1)
    {
        load_shared_error(&shared->blocks[process], "process %u: %s", process,
                          strerror(errno));
        return 1;
    }

    told = 0;
    phase = LOAD_PHASE_START;

    while (phase != LOAD_PHASE_REPORT) {
        load_child_turn(&c, phase);
        load_child_tell(&c, &told);
        next = atomic_load(&shared->phase);

        if (next != phase) {
            phase = next;

            if (phase == LOAD_PHASE_COLLECT) {
                load_clients_resume(&c);
            }
        }
    }

    load_clients_report(&c);
    atomic_store(&c.block->ended, 1);

    return 0;
}
