/*
 * Copyright (C) The im authors
 *
 * A run.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load_run.h"


#define LOAD_RUN_LATER  (100 * LOAD_MILLISECOND)
#define LOAD_RUN_LINES  600         /* seconds until a line must come */
#define LOAD_RUN_PROBE  10          /* seconds until the probe is there */


/* What a phase waits for. */
typedef int (*load_run_done_pt)(load_run_t *run);


static int
load_run_fault(load_run_t *run, const char *what, const char *why)
{
    if (!run->broken) {
        run->broken = 1;
        fprintf(stderr, "im_load: %s: %s\n", what, why);
    }

    return -1;
}


static void
load_run_woken(load_event_t *ev, uint32_t events)
{
    uint64_t     n;
    load_run_t  *run;

    run = ev->data;

    if (read(run->shared->wake, &n, sizeof(n)) == -1) {
        return;                     /* nothing there any more */
    }
}


static void
load_run_line(load_event_t *ev, uint32_t events)
{
    char         piece[256];
    ssize_t      i, n;
    load_run_t  *run;

    run = ev->data;
    n = read(STDIN_FILENO, piece, sizeof(piece));

    if (n <= 0) {
        run->ended = 1;
        load_loop_remove(&run->loop, STDIN_FILENO);
        return;
    }

    for (i = 0; i < n; i++) {
        run->lines += piece[i] == '\n';
    }
}


static uint64_t
load_run_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}


static void
load_run_turn(load_run_t *run, uint64_t deadline)
{
    uint64_t  now, until;

    now = load_now();
    until = load_run_earlier(now + LOAD_RUN_LATER, deadline);

    if (atomic_load(&run->shared->phase) == LOAD_PHASE_CONNECT) {
        until = load_run_earlier(until, load_clients_tick(&run->clients, now));
    }

    until = load_run_earlier(until, load_publisher_tick(&run->publisher, now));
    until = load_run_earlier(until, load_greet_tick(&run->greet, now));
    until = load_run_earlier(until, load_probe_tick(&run->probe, now));
    until = load_run_earlier(until, load_churn_tick(&run->churn, now));

    load_loop_turn(&run->loop, until);
}


/* 0: done; 1: the time is over; -1: broken. */
static int
load_run_until(load_run_t *run, load_run_done_pt done, uint64_t deadline)
{
    uint64_t     now;
    const char  *error;

    while (!done(run)) {
        now = load_now();

        if (now >= deadline) {
            return 1;
        }

        error = load_processes_look(&run->processes, now);

        if (error != NULL) {
            /* its clients are gone */
            return load_run_fault(run, "a process has ended", error);
        }

        load_run_turn(run, deadline);
    }

    return 0;
}


static int
load_run_never(load_run_t *run)
{
    return 0;
}


static int
load_run_told(load_run_t *run)
{
    return run->lines >= run->marks || run->ended;
}


static int
load_run_probe_there(load_run_t *run)
{
    return load_clients_probe_ready(&run->clients)
           || atomic_load(&run->shared->blocks[0].failed) != 0;
}


static int
load_run_joined(load_run_t *run)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < run->options->processes; i++) {
        n += atomic_load(&run->shared->blocks[i].ready)
             + atomic_load(&run->shared->blocks[i].failed);
    }

    return n >= run->options->clients;
}


static int
load_run_greeted(load_run_t *run)
{
    if (load_greet_missing(&run->greet) != 0 && !run->greet.refused) {
        return 0;
    }

    load_greet_stop(&run->greet);

    return load_greet_done(&run->greet);
}


static int
load_run_published(load_run_t *run)
{
    return load_publisher_done(&run->publisher) && !run->bulk.http.busy;
}


static int
load_run_measured(load_run_t *run)
{
    return run->options->probe == 0 || load_probe_measures(&run->probe);
}


static int
load_run_probed(load_run_t *run)
{
    return load_probe_done(&run->probe);
}


static int
load_run_collected(load_run_t *run)
{
    unsigned  i;

    for (i = 1; i < run->options->processes; i++) {
        if (!atomic_load(&run->shared->blocks[i].collected)) {
            return 0;
        }
    }

    return load_clients_resumed(&run->clients, load_now());
}


static int
load_run_reported(load_run_t *run)
{
    unsigned  i;

    for (i = 1; i < run->options->processes; i++) {
        if (!atomic_load(&run->shared->blocks[i].ended)) {
            return 0;
        }
    }

    return 1;
}


/* Prints a line, which has begun; goes on when there is an answer. */
static int
load_run_mark(load_run_t *run, load_mark_e mark)
{
    printf("}\n");
    (void) fflush(stdout);
    run->times[mark] = load_now();
    run->cpu[mark] = load_processes_cpu(&run->processes);

    if (!run->options->wait) {
        return 0;
    }

    run->marks++;

    switch (load_run_until(run, load_run_told,
                           load_now() + LOAD_RUN_LINES * LOAD_SECOND))
    {

    case 0:
        if (run->lines >= run->marks) {
            /* what comes from here on belongs to the next phase */
            run->times[mark] = load_now();
            run->cpu[mark] = load_processes_cpu(&run->processes);
            return 0;
        }

        return load_run_fault(run, "--wait", "standard input has ended");

    case 1:
        return load_run_fault(run, "--wait", "no line came for 600 seconds");

    default:
        return -1;
    }
}


static void
load_run_mark_begin(const char *name)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_REALTIME, &t);
    printf("{\"mark\":\"%s\",\"time\":%.6f", name,
           (double) t.tv_sec + (double) t.tv_nsec / 1e9);
}


static int
load_run_init(load_run_t *run, const load_options_t *options)
{
    memset(run, 0, sizeof(load_run_t));
    run->options = options;
    run->shared = load_shared_create(options);

    if (run->shared == NULL) {
        return load_run_fault(run, "shared memory", strerror(errno));
    }

    if (load_processes_start(&run->processes, options, run->shared) == -1) {
        return load_run_fault(run, "fork() failed", strerror(errno));
    }

    run->woken.handler = load_run_woken;
    run->woken.data = run;
    run->line.handler = load_run_line;
    run->line.data = run;

    if (load_loop_init(&run->loop, options->spin) == -1
        || load_loop_add(&run->loop, run->shared->wake, EPOLLIN, &run->woken)
           == -1
        || load_clients_init(&run->clients, &run->loop, options, run->shared,
                             0) == -1
        || load_publisher_init(&run->publisher, &run->loop, options,
                               run->shared) == -1)
    {
        return load_run_fault(run, "memory", strerror(errno));
    }

    if (options->wait
        && load_loop_add(&run->loop, STDIN_FILENO, EPOLLIN, &run->line) == -1)
    {
        return load_run_fault(run, "--wait: standard input must be a pipe or "
                              "a terminal", strerror(errno));
    }

    load_probe_init(&run->probe, &run->loop, options, run->shared);
    load_greet_init(&run->greet, &run->loop, options, run->shared);
    load_bulk_init(&run->bulk, &run->loop, options);
    load_churn_init(&run->churn, &run->clients);
    run->clients.probed = load_probe_received;
    run->clients.data = &run->probe;

    return 0;
}


/* The probe is there before anything else, and publishes from then on. */
static int
load_run_start(load_run_t *run)
{
    unsigned  i;

    run->shared->connect_begin = load_now();

    if (run->options->probe != 0) {
        load_clients_probe(&run->clients);

        if (load_run_until(run, load_run_probe_there,
                           load_now() + LOAD_RUN_PROBE * LOAD_SECOND) != 0
            || !load_clients_probe_ready(&run->clients))
        {
            return load_run_fault(run, "the probe can't join",
                                  run->shared->blocks[0].error[0] != '\0'
                                  ? run->shared->blocks[0].error
                                  : "no answer in 10 seconds");
        }

        load_probe_start(&run->probe, load_now());
    }

    load_run_mark_begin("start");
    printf(",\"pids\":[%d", (int) run->processes.pids[0]);

    for (i = 1; i < run->options->processes; i++) {
        printf(",%d", (int) run->processes.pids[i]);
    }

    printf("]");

    return load_run_mark(run, LOAD_MARK_START);
}


static unsigned
load_run_count(const load_run_t *run, unsigned *failed)
{
    unsigned  i, n;

    *failed = 0;

    for (i = 0, n = 0; i < run->options->processes; i++) {
        n += atomic_load(&run->shared->blocks[i].ready);
        *failed += atomic_load(&run->shared->blocks[i].failed);
    }

    return n;
}


static const char *
load_run_error(const load_run_t *run)
{
    unsigned  i;

    for (i = 0; i < run->options->processes; i++) {
        if (run->shared->blocks[i].error[0] != '\0') {
            return run->shared->blocks[i].error;
        }
    }

    return "no answer in time (--connect-timeout)";
}


static int
load_run_connect(load_run_t *run)
{
    unsigned  ready, failed;

    run->shared->connect_begin = load_now();
    load_shared_phase(run->shared, run->options, LOAD_PHASE_CONNECT);

    if (load_run_until(run, load_run_joined,
                       load_now() + run->options->connect_timeout * LOAD_SECOND)
        == -1)
    {
        return -1;
    }

    load_shared_phase(run->shared, run->options, LOAD_PHASE_WARM);
    ready = load_run_count(run, &failed);

    if (ready == 0 && run->options->clients != 0) {
        return load_run_fault(run, "no client could connect",
                              load_run_error(run));
    }

    load_run_mark_begin("connected");
    printf(",\"clients\":%u,\"failed\":%u", ready,
           run->options->clients - ready);

    return load_run_mark(run, LOAD_MARK_CONNECTED);
}


/* Each client follows its topic before anything counts. */
static int
load_run_greet(load_run_t *run)
{
    char  text[64];

    if (run->options->connections == 0 || run->options->ungreeted) {
        return 0;
    }

    load_greet_start(&run->greet);

    switch (load_run_until(run, load_run_greeted, load_now()
                           + run->options->connect_timeout * LOAD_SECOND))
    {

    case 0:
        if (!run->greet.refused) {
            return 0;
        }

        /* fall through */

    case 1:
        (void) snprintf(text, sizeof(text), "%u clients get no messages",
                        load_greet_missing(&run->greet));

        return load_run_fault(run, text, load_run_error(run));

    default:
        return -1;
    }
}


/* Publishes for so long, and until all have what was published. */
static int
load_run_publish(load_run_t *run, unsigned ms)
{
    const load_options_t  *o;

    o = run->options;
    load_publisher_start(&run->publisher, load_now());

    if (o->bulk != 0) {
        load_bulk_start(&run->bulk);
    }

    if (load_run_until(run, load_run_never,
                       load_now() + ms * (LOAD_SECOND / 1000))
        == -1)
    {
        return -1;
    }

    load_publisher_stop(&run->publisher);
    load_bulk_stop(&run->bulk);

    return load_run_until(run, load_run_published,
                          load_now() + (o->drain + 1) * LOAD_SECOND) == -1
           ? -1 : 0;
}


static int
load_run_measure(load_run_t *run)
{
    unsigned  i;
    uint64_t  deliveries;

    load_publisher_open(&run->publisher);

    if (load_run_greet(run) != 0) {
        return -1;
    }

    if (run->options->churn != 0) {
        load_churn_start(&run->churn, load_now());
    }

    if (run->options->warm_ms != 0
        && load_run_publish(run, run->options->warm_ms) != 0)
    {
        return -1;
    }

    load_shared_phase(run->shared, run->options, LOAD_PHASE_MEASURE);
    load_run_mark_begin("begin");

    if (load_run_mark(run, LOAD_MARK_BEGIN) != 0) {
        return -1;
    }

    load_probe_measure(&run->probe, load_now());

    if (load_run_publish(run, run->options->measured_ms) != 0) {
        return -1;
    }

    run->seconds = (double) (load_now() - run->times[LOAD_MARK_BEGIN]) / 1e9;
    run->cpu_end = load_processes_cpu(&run->processes);
    load_run_mark_begin("end");

    for (i = 0, deliveries = 0; i < run->options->processes; i++) {
        deliveries += run->shared->blocks[i].measured.deliveries;
    }

    load_churn_stop(&run->churn);
    printf(",\"seconds\":%.3f,\"published\":%llu,\"deliveries\":%llu",
           run->seconds,
           (unsigned long long) run->publisher.counts.published,
           (unsigned long long) deliveries);

    return load_run_mark(run, LOAD_MARK_END);
}


static int
load_run_collect(load_run_t *run)
{
    uint64_t  drain;

    drain = run->options->drain * LOAD_SECOND;

    /* all of its connections may have waited for answers until now */
    if (load_run_until(run, load_run_measured, load_now() + drain) == -1) {
        return -1;
    }

    load_probe_stop(&run->probe);

    if (load_run_until(run, load_run_probed, load_now() + drain) == -1) {
        return -1;
    }

    if (run->options->stalled != 0) {
        load_clients_resume(&run->clients);
        load_shared_phase(run->shared, run->options, LOAD_PHASE_COLLECT);

        if (load_run_until(run, load_run_collected, load_now() + drain) == -1) {
            return -1;
        }
    }

    load_shared_phase(run->shared, run->options, LOAD_PHASE_REPORT);
    load_clients_report(&run->clients);

    if (load_run_until(run, load_run_reported, load_now() + drain) != 0) {
        return load_run_fault(run, "a process", "gives no report");
    }

    return 0;
}


int
load_run(load_run_t *run, const load_options_t *options)
{
    int  rc;

    rc = load_run_init(run, options) != 0
         || load_run_start(run) != 0
         || load_run_connect(run) != 0
         || load_run_measure(run) != 0
         || load_run_collect(run) != 0 ? -1 : 0;

    if (run->processes.options != NULL) {
        load_processes_end(&run->processes);
    }

    return rc;
}
