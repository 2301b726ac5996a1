/*
 * Copyright (C) The im authors
 *
 * What both daemons tell of themselves: version, start, link to Redis,
 * listeners.
 */

#ifndef IM_DAEMON_METRICS_H
#define IM_DAEMON_METRICS_H


#include "im_metric.h"
#include "im_link_watch.h"
#include "im_daemon_server.h"


/* Their names begin with that of the program. */
typedef struct {
    im_metric_t  build;
    im_metric_t  start;
    im_metric_t  up;
    im_metric_t  losses;
    im_metric_t  away;
    im_metric_t  server;
    im_metric_t  used;
    im_metric_t  max;
    im_metric_t  warnings;
    im_metric_t  trip;
    im_metric_t  connections;
    im_metric_t  limit;
    im_metric_t  accepted;
    im_metric_t  gave_way;
} im_daemon_metrics_names_t;


typedef struct {
    uint64_t               started;     /* ms since 1970 */
    uint64_t               losses;      /* of the registry's connections */
    uint64_t               asked;       /* us; 0: no call is being measured */
    im_metric_histogram_t  trips;       /* us */
} im_daemon_metrics_t;


#define im_daemon_metrics_gauge(name, labels, help)                           \
    { name, IM_METRIC_GAUGE, IM_METRIC_ONE, labels, help }

#define im_daemon_metrics_counter(name, labels, help)                         \
    { name, IM_METRIC_COUNTER, IM_METRIC_ONE, labels, help }

/* The names of a program. */
#define im_daemon_metrics_of(p)                                               \
    {                                                                         \
        im_daemon_metrics_gauge(p "_build_info", "version",                   \
            "1; the label is the version."),                                  \
        { p "_start_time_seconds", IM_METRIC_GAUGE, IM_METRIC_MS, NULL,       \
            "When the process began, in seconds since 1970." },               \
        im_daemon_metrics_gauge(p "_link_up", NULL,                           \
            "1 while Redis takes calls about workers and leases, else 0."),   \
        im_daemon_metrics_counter(p "_link_losses_total", NULL,               \
            "How often that link was lost."),                                 \
        im_daemon_metrics_gauge(p "_partitions_away", NULL,                   \
            "Partitions whose server takes no calls."),                       \
        im_daemon_metrics_gauge(p "_redis_server_up", "server",               \
            "1 for each server of Redis that takes calls, else 0."),          \
        im_daemon_metrics_gauge(p "_redis_memory_used_bytes", NULL,           \
            "Memory in use at the fullest server of Redis."),                 \
        im_daemon_metrics_gauge(p "_redis_memory_max_bytes", NULL,            \
            "maxmemory of that server, 0: no limit."),                        \
        im_daemon_metrics_gauge(p "_redis_warnings", NULL,                    \
            "Settings of Redis that /health or the log warns of."),           \
        { p "_redis_round_trip_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_US,   \
            NULL, "Time of the call to Redis that each second brings." },     \
        im_daemon_metrics_gauge(p "_connections", "listener",                 \
            "Connections that are open."),                                    \
        im_daemon_metrics_gauge(p "_connections_limit", "listener",           \
            "How many may be open."),                                         \
        im_daemon_metrics_counter(p "_connections_total", "listener",         \
            "Connections that were accepted."),                               \
        im_daemon_metrics_counter(p "_connections_gave_way_total",            \
            "listener", "Connections that were closed for newer ones.")       \
    }


void im_daemon_metrics_init(im_daemon_metrics_t *m);

/*
 * Around a call to Redis: its time counts, unless there was no reply.  A call
 * that is sent while another one is being measured is not.
 */
void im_daemon_metrics_ask(im_daemon_metrics_t *m);
void im_daemon_metrics_answer(im_daemon_metrics_t *m,
    const im_link_reply_t *reply);

/* Version, start and link.  near: with the names of servers. */
void im_daemon_metrics_write(const im_daemon_metrics_t *m, im_buf_t *b,
    const im_daemon_metrics_names_t *names, const im_link_t *link,
    const im_link_watch_t *watch, int near);

/* servers[i] has the name listeners[i]; those that are NULL are left out. */
void im_daemon_metrics_servers(im_buf_t *b,
    const im_daemon_metrics_names_t *names,
    im_daemon_server_t *const *servers, const char *const *listeners,
    im_uint_t n);


#endif /* IM_DAEMON_METRICS_H */
