/*
 * Copyright (C) The im authors
 *
 * The processes of a run: the first one starts the others, sees whether they
 * live, and ends them.
 */

#ifndef LOAD_PROCESS_H
#define LOAD_PROCESS_H


#include <sys/types.h>

#include "load_shared.h"


typedef struct {
    const load_options_t  *options;
    load_shared_t         *shared;
    pid_t                  pids[LOAD_MAX_PROCESSES];    /* 0: has ended */
    uint64_t               looked;      /* ns */
} load_processes_t;


/* -1: errno says why; those that were started go on. */
int load_processes_start(load_processes_t *p, const load_options_t *options,
    load_shared_t *shared);
void load_processes_end(load_processes_t *p);

/* The error of a process that ended too early, or NULL. */
const char *load_processes_look(load_processes_t *p, uint64_t now);

/* CPU seconds of all. */
double load_processes_cpu(const load_processes_t *p);


#endif /* LOAD_PROCESS_H */
