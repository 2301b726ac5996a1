/*
 * Copyright (C) The im authors
 *
 * The processes of a run.
 */

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load_child.h"
#include "load_loop.h"
#include "load_process.h"


#define LOAD_PROCESSES_LOOK  (100 * LOAD_MILLISECOND)


int
load_processes_start(load_processes_t *p, const load_options_t *options,
    load_shared_t *shared)
{
    pid_t     parent;
    unsigned  i;

    memset(p, 0, sizeof(load_processes_t));
    p->options = options;
    p->shared = shared;
    parent = getpid();
    p->pids[0] = parent;

    for (i = 1; i < options->processes; i++) {
        p->pids[i] = fork();

        if (p->pids[i] == -1) {
            p->pids[i] = 0;
            return -1;
        }

        if (p->pids[i] == 0) {
            /* none outlives the first one */
            if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent) {
                _exit(1);
            }

            _exit(load_child_main(options, shared, i));
        }
    }

    return 0;
}


void
load_processes_end(load_processes_t *p)
{
    unsigned  i;

    for (i = 1; i < p->options->processes; i++) {
        if (p->pids[i] != 0) {
            (void) kill(p->pids[i], SIGKILL);
            (void) waitpid(p->pids[i], NULL, 0);
            p->pids[i] = 0;
        }
    }
}


const char *
load_processes_look(load_processes_t *p, uint64_t now)
{
    unsigned  i;

    if (now < p->looked + LOAD_PROCESSES_LOOK) {
        return NULL;
    }

    p->looked = now;

    for (i = 1; i < p->options->processes; i++) {
        if (p->pids[i] == 0 || waitpid(p->pids[i], NULL, WNOHANG) <= 0) {
            continue;
        }

        p->pids[i] = 0;

        if (!atomic_load(&p->shared->blocks[i].ended)) {
            return p->shared->blocks[i].error;
        }
    }

    return NULL;
}


double
load_processes_cpu(const load_processes_t *p)
{
    double           sum;
    unsigned         i;
    clockid_t        clock;
    struct timespec  t;

    for (i = 0, sum = 0; i < p->options->processes; i++) {
        if (p->pids[i] != 0 && clock_getcpuclockid(p->pids[i], &clock) == 0
            && clock_gettime(clock, &t) == 0)
        {
            sum += (double) t.tv_sec + (double) t.tv_nsec / 1e9;
        }
    }

    return sum;
}
