/*
 * Copyright (C) The im authors
 *
 * A run: processes are started, clients connect, the publisher publishes, and
 * all that was counted comes together.  The first process goes through the
 * phases, and prints a line at each; it has clients, too.
 */

#ifndef LOAD_RUN_H
#define LOAD_RUN_H


#include "load_bulk.h"
#include "load_churn.h"
#include "load_clients.h"
#include "load_greet.h"
#include "load_probe.h"
#include "load_process.h"
#include "load_publish.h"


/* CPU seconds of all processes, up to each mark. */
typedef enum {
    LOAD_MARK_START = 0,
    LOAD_MARK_CONNECTED,
    LOAD_MARK_BEGIN,
    LOAD_MARK_END,
    LOAD_MARKS
} load_mark_e;


typedef struct {
    const load_options_t  *options;
    load_shared_t         *shared;
    load_loop_t            loop;
    load_clients_t         clients;
    load_publisher_t       publisher;
    load_probe_t           probe;
    load_bulk_t            bulk;
    load_greet_t           greet;
    load_churn_t           churn;
    load_event_t           woken;
    load_event_t           line;        /* of standard input */
    unsigned               lines;       /* so many have come */
    unsigned               marks;       /* and so many are needed */
    unsigned               ended;       /* standard input has */
    load_processes_t       processes;
    uint64_t               times[LOAD_MARKS];
    double                 cpu[LOAD_MARKS];
    double                 seconds;     /* of the measured phase */
    double                 cpu_end;     /* when all was delivered */
    unsigned               broken;      /* what was wrong has been printed */
} load_run_t;


/*
 * 0: it has run, and run->shared has what was counted; -1: it couldn't, and it
 * has printed why.
 */
int load_run(load_run_t *run, const load_options_t *options);


#endif /* LOAD_RUN_H */
