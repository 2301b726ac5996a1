/*
 * Copyright (C) The im authors
 *
 * The probe: publishes to a client of its own at a rate while anything else
 * goes on, and how long each takes from the time at which it was due.
 */

#ifndef LOAD_PROBE_H
#define LOAD_PROBE_H


#include "load_http.h"
#include "load_shared.h"


typedef struct {
    uint64_t     sent;
    uint64_t     received;
    load_hist_t  us;
} load_probed_t;


typedef struct {
    const load_options_t  *options;
    uint32_t               run;
    load_http_t            http[LOAD_PROBE_LANES];
    uint32_t               seqs[LOAD_PROBE_LANES];
    unsigned               running;
    uint64_t               began;
    uint64_t               due;         /* the next one's number */
    uint64_t               measured;    /* ns: from here on it is the second
                                           phase, or 0 */
    load_probed_t          phases[2];   /* connects; measured */
    uint64_t               refused;
    char                   error[LOAD_ERROR_SIZE];
} load_probe_t;


void load_probe_init(load_probe_t *p, load_loop_t *loop,
    const load_options_t *options, const load_shared_t *shared);
void load_probe_start(load_probe_t *p, uint64_t now);
void load_probe_measure(load_probe_t *p, uint64_t now);
void load_probe_stop(load_probe_t *p);

/* Publishes what is due; when to call it again, ns. */
uint64_t load_probe_tick(load_probe_t *p, uint64_t now);

/* Its client has a message; of load_clients_t. */
void load_probe_received(void *data, const load_marker_t *m, uint64_t now);

/* One is sent that counts for what is measured. */
int load_probe_measures(const load_probe_t *p);

/* All is received. */
int load_probe_done(const load_probe_t *p);


#endif /* LOAD_PROBE_H */
