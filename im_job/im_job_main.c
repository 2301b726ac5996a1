/*
 * Copyright (C) The im authors
 *
 * im_job: takes accepted pushes from the queues and publishes them to the
 * workers.  Several processes share the partitions; SIGTERM hands over.
 */

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "im_job.h"
#include "im_daemon_conf.h"
#include "im_daemon_log.h"
#include "im_daemon_main.h"
#include "im_daemon_notify.h"
#include "im_daemon_time.h"


#define IM_JOB_HEARTBEAT  2000     /* ms */
#define IM_JOB_STOP       8000     /* ms, of a hand-over */

#define IM_JOB_WORKERS_MAX  (16 * 1024 * 1024)


typedef struct {
    im_daemon_conf_t     daemon;
    im_daemon_listen_t   listen;
    char                *http;
    uint64_t             queue_age;       /* s */
} im_job_conf_t;


static const im_daemon_option_t  im_job_options[] = {
    im_daemon_conf_options(im_job_conf_t),
    im_daemon_string("http", im_job_conf_t, http, im_daemon_listen_address,
                     "ADDRESS  listens for plain HTTP with /metrics and "
                     "/health: unix:/PATH, HOST:PORT, [IPV6]:PORT or *:PORT"),
    im_daemon_conf_listen(im_job_conf_t),
    im_daemon_time("queue-age", im_job_conf_t, queue_age, 30, 1, 86400,
                   "TIME  that an entry may wait before /health answers 503"),
    im_daemon_option_end
};


static void
im_job_fatal(void *data, const char *why)
{
    im_job_t  *job = data;

    im_daemon_log(IM_LOG_ERROR, "%s", why);

    job->rc = 1;
    event_base_loopbreak(job->base);
}


static void
im_job_ready(void *data)
{
    im_job_t  *job = data;

    job->shared = im_link_shared(job->link);

    if (im_job_queue_init(job, im_link_partitions(job->link)) != IM_OK) {
        im_job_fatal(job, "no memory");
    }
}


/*
 * What was published over an earlier connection may be lost.  Partitions of
 * this server are not up yet.
 */
static void
im_job_server(void *data, im_uint_t server)
{
    uint32_t   p;
    im_job_t  *job = data;

    im_link_watch_ready(job->watch, server);

    for (p = 0; p < job->npartitions; p++) {
        if (!job->partitions[p].up) {
            im_job_queue_reset(&job->partitions[p]);
        }
    }
}


static void
im_job_up(void *data, im_uint_t partition, int anew)
{
    im_job_t            *job = data;
    im_job_partition_t  *jp;

    if (partition == IM_LINK_REGISTRY) {
        im_job_registry_tick(job);
        return;
    }

    jp = &job->partitions[partition];

    jp->up = 1;
    jp->back = jp->down ? im_daemon_now() : 0;
}


static void
im_job_down(void *data, im_uint_t partition)
{
    im_job_t            *job = data;
    im_job_partition_t  *jp;

    if (partition == IM_LINK_REGISTRY) {
        job->metrics.losses++;
        return;
    }

    jp = &job->partitions[partition];

    jp->up = 0;
    jp->down = 1;

    im_job_queue_reset(jp);
}


static const im_link_events_t  im_job_events = {
    .ready = im_job_ready,
    .server = im_job_server,
    .up = im_job_up,
    .down = im_job_down,
    .subscribed = im_job_queue_subscribed,
    .message = im_job_queue_bell,
    .fatal = im_job_fatal
};


/* Ends when all is handed over that can be, or after a bounded time. */
static void
im_job_stopping(im_job_t *job)
{
    uint32_t  p;

    for (p = 0; p < job->npartitions && im_daemon_now() < job->stop; p++) {
        if (job->partitions[p].state != IM_JOB_FREE
            && im_link_ready(job->link, p))
        {
            return;
        }
    }

    event_base_loopexit(job->base, NULL);
}


static void
im_job_tick(evutil_socket_t fd, short what, void *data)
{
    uint64_t   now;
    im_job_t  *job = data;

    now = im_daemon_now();

    im_daemon_notify_alive();
    im_job_partition_tick(job);
    im_job_queue_tick(job);
    im_job_orphan_tick(job);
    im_link_watch_tick(job->watch, now);
    im_job_memory_tick(job);
    im_job_http_tick(job);

    if (now - job->heartbeat >= IM_JOB_HEARTBEAT) {
        job->heartbeat = now;
        im_job_publish_heartbeats(job);
    }

    if (job->stop) {
        im_job_stopping(job);
        return;
    }

    if (im_link_ready(job->link, IM_LINK_REGISTRY)) {
        im_job_registry_tick(job);

    } else {
        im_job_partition_keep(job);
    }
}


static void
im_job_signal(evutil_socket_t fd, short what, void *data)
{
    uint32_t        p;
    im_job_t       *job = data;
    struct timeval  tv = { 0, 50000 };

    if (job->stop) {
        event_base_loopbreak(job->base);
        return;
    }

    im_daemon_notify_stopping();
    im_daemon_log(IM_LOG_NOTICE, "stopping, hands its partitions over");

    job->stop = im_daemon_now() + IM_JOB_STOP;

    if (job->http != NULL) {
        im_daemon_server_close(job->http);
    }

    im_job_registry_leave(job);

    for (p = 0; p < job->npartitions; p++) {
        im_job_partition_want(&job->partitions[p], 0);
    }

    event_add(job->tick, &tv);
    im_job_stopping(job);
}


static im_int_t
im_job_check(void *data)
{
    im_job_conf_t  *conf = data;

    return im_daemon_conf_init(&conf->daemon);
}


/* What is created is freed by the end of the process where this fails. */
static im_int_t
im_job_init(im_job_t *job, const im_job_conf_t *conf)
{
    uint32_t  nonce[2];

    memset(job, 0, sizeof(im_job_t));

    job->conf = &conf->daemon.link;
    job->queue_age = conf->queue_age * 1000;
    im_daemon_metrics_init(&job->metrics);

    im_daemon_random(job->seed, sizeof(job->seed));
    im_daemon_random(nonce, sizeof(nonce));
    snprintf(job->id, sizeof(job->id), "job-%ld-%08x%08x", (long) getpid(),
             nonce[0], nonce[1]);

    im_buf_init(&job->workers, IM_JOB_WORKERS_MAX);

    job->base = event_base_new();
    if (job->base == NULL) {
        return IM_ERROR;
    }

    job->link = im_daemon_link_create(job->base, &conf->daemon.link,
                                      &im_job_events, job);
    job->tick = event_new(job->base, -1, EV_PERSIST, im_job_tick, job);
    job->flush = evtimer_new(job->base, im_job_queue_flush_handler, job);

    if (job->link == NULL || job->tick == NULL || job->flush == NULL) {
        return IM_ERROR;
    }

    job->watch = im_link_watch_create(job->link, im_daemon_link_watched, NULL);

    if (job->watch == NULL
        || im_job_walk_init(&job->orphans, job, IM_JOB_ORPHAN_KEYS,
                            &im_job_orphan_events)
           != IM_OK)
    {
        return IM_ERROR;
    }

    return im_job_walk_init(&job->memory.walk, job, IM_JOB_MEMORY_STEP,
                            &im_job_memory_events);
}


/* All that im_job_init() has created. */
static void
im_job_cleanup(im_job_t *job)
{
    if (job->http != NULL) {
        im_daemon_server_destroy(job->http);
    }

    im_daemon_link_destroy(job->link);
    im_link_watch_destroy(job->watch);
    im_job_walk_cleanup(&job->orphans);
    im_job_walk_cleanup(&job->memory.walk);
    im_job_queue_cleanup(job);
    im_daemon_queues_cleanup(&job->queues);
    im_buf_cleanup(&job->workers);
    event_free(job->tick);
    event_free(job->flush);

    /* callbacks that are due hold buffers of connections that are gone */
    (void) event_base_loop(job->base, EVLOOP_NONBLOCK);

    event_base_free(job->base);
}


/* Until a signal, or a fault. */
static im_int_t
im_job_serve(im_job_t *job, const im_job_conf_t *conf)
{
    struct event    *term, *intr;
    struct timeval   tv = { IM_JOB_TICK / 1000, 0 };

    if (conf->http != NULL
        && im_job_http_init(job, conf->http, &conf->listen) != IM_OK)
    {
        return IM_ERROR;
    }

    term = evsignal_new(job->base, SIGTERM, im_job_signal, job);
    intr = evsignal_new(job->base, SIGINT, im_job_signal, job);

    if (term == NULL || intr == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    evsignal_add(term, NULL);
    evsignal_add(intr, NULL);
    event_add(job->tick, &tv);

    im_daemon_log(IM_LOG_NOTICE, "im_job %s started as %s", IM_VERSION,
                  job->id);
    im_daemon_notify_ready();

    event_base_dispatch(job->base);

    event_free(term);
    event_free(intr);

    return job->rc ? IM_ERROR : IM_OK;
}


static im_int_t
im_job_run(void *data)
{
    im_int_t        rc;
    im_job_t        job;
    im_job_conf_t  *conf = data;

    if (im_job_init(&job, conf) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return IM_ERROR;
    }

    rc = im_job_serve(&job, conf);
    im_job_cleanup(&job);

    return rc;
}


int
main(int argc, char **argv)
{
    int                  status;
    im_job_conf_t        conf;
    im_daemon_program_t  program = {
        "im_job", "publishes accepted pushes to the workers of nginx",
        im_job_options, NULL, im_job_check, im_job_run, 0
    };

    memset(&conf, 0, sizeof(conf));
    program.conf = &conf;

    status = im_daemon_main(&program, argc, argv);

    im_daemon_conf_cleanup(&conf.daemon);

    return status;
}
