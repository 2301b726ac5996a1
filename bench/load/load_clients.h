/*
 * Copyright (C) The im authors
 *
 * The clients of a process: how fast they connect, and what became of them.
 */

#ifndef LOAD_CLIENTS_H
#define LOAD_CLIENTS_H


#include "load_client.h"


/* Process 0 has the probe, too.  -1: errno says why. */
int load_clients_init(load_clients_t *c, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared, unsigned process);

/* Begins to connect what is due; when to call it again, ns. */
uint64_t load_clients_tick(load_clients_t *c, uint64_t now);

/* The probe connects; is it ready? */
void load_clients_probe(load_clients_t *c);
int load_clients_probe_ready(const load_clients_t *c);

/* Those that had stopped read again; have they got all? */
void load_clients_resume(load_clients_t *c);
int load_clients_resumed(load_clients_t *c, uint64_t now);

/* Counts what was lost and who is still there, in the block. */
void load_clients_report(load_clients_t *c);


#endif /* LOAD_CLIENTS_H */
