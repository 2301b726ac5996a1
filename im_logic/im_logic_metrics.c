/*
 * Copyright (C) The im authors
 *
 * GET /metrics: what im_logic has counted.
 *
 * Nothing is asked while Prometheus waits: numbers of workers and queues are
 * those of the last second or seconds.
 */

#include "im_logic_metrics.h"
#include "im_logic_nodes.h"
#include "im_logic_pool.h"
#include "im_logic_v1.h"


#define IM_METRICS_QUEUES  5          /* s between questions about a queue */

#define im_logic_gauge(name, labels, help)                                    \
    { "im_logic_" name, IM_METRIC_GAUGE, IM_METRIC_ONE, labels, help }
#define im_logic_counter(name, labels, help)                                  \
    { "im_logic_" name, IM_METRIC_COUNTER, IM_METRIC_ONE, labels, help }


/* A number of im_logic_counters_t. */
typedef struct {
    im_metric_t  m;
    size_t       offset;
} im_logic_metric_t;


static const im_daemon_metrics_names_t  im_logic_metrics_common =
    im_daemon_metrics_of("im_logic");

static const char *const  im_logic_metrics_listeners[IM_LISTENERS] = {
    "fcgi", "http"
};

static const char *const  im_logic_metrics_results[IM_RESULTS] = {
    "ok", "refused", "failed"
};

static const char *const  im_logic_metrics_refused[IM_REFUSALS] = {
    "bad_request", "no_rule", "id_reused", "too_large", "queue_full",
    "redis_away", "redis_error", "no_worker", "unconfirmed", "stopping",
    "no_memory"
};

static const char *const  im_logic_metrics_hits[IM_HITS] = {
    "requests", "hash_queue", "logins_of_address", "logins_of_name",
    "logins_of_network", "logins_of_trusted", "accounts_of_address"
};


static const im_metric_t  im_logic_metrics_requests =
    im_logic_counter("requests_total", "route result",
        "Requests that were answered: ok (2xx), refused (4xx), failed (5xx).");
static const im_metric_t  im_logic_metrics_active =
    im_logic_gauge("requests_active", NULL, "Requests under way.");
static const im_metric_t  im_logic_metrics_limit =
    im_logic_gauge("requests_limit", NULL,
        "How many may be under way: --max-requests.");
static const im_metric_t  im_logic_metrics_accounts =
    im_logic_counter("accounts_total", "route result",
        "Answers about accounts, such as logins and registrations.");
static const im_metric_t  im_logic_metrics_pushes_refused =
    im_logic_counter("pushes_refused_total", "reason",
        "Pushes of which no topic has accepted the message.");
static const im_metric_t  im_logic_metrics_messages_refused =
    im_logic_counter("messages_refused_total", "reason",
        "Messages that were not accepted: one for each topic of a push.");
static const im_metric_t  im_logic_metrics_calls = {
    "im_logic_script_messages", IM_METRIC_HISTOGRAM, IM_METRIC_ONE, NULL,
    "Messages of a call of pub.lua; the count is that of the calls."
};
static const im_metric_t  im_logic_metrics_limits =
    im_logic_counter("limits_total", "limit",
        "How often a limit refused something.");
static const im_metric_t  im_logic_metrics_entries =
    im_logic_gauge("queue_entries", "partition",
        "Entries that wait for im_job, as read each 5 seconds.");
static const im_metric_t  im_logic_metrics_age = {
    "im_logic_queue_age_seconds", IM_METRIC_GAUGE, IM_METRIC_MS, "partition",
    "How long the oldest entry has waited, as read each 5 seconds."
};
static const im_metric_t  im_logic_metrics_workers =
    im_logic_gauge("workers", NULL, "Workers of nginx that live.");
static const im_metric_t  im_logic_metrics_jobs =
    im_logic_gauge("jobs", NULL, "Processes of im_job that live.");
static const im_metric_t  im_logic_metrics_sessions =
    im_logic_gauge("sessions", NULL, "Sessions of all workers that live.");


static const im_logic_metric_t  im_logic_metrics_numbers[] = {
    { im_logic_counter("pushes_accepted_total", NULL,
          "Pushes of which at least one topic has accepted the message."),
      offsetof(im_logic_counters_t, pushes) },
    { im_logic_counter("messages_accepted_total", NULL,
          "Messages that Redis has accepted: one for each topic of a push."),
      offsetof(im_logic_counters_t, messages) },
    { im_logic_counter("messages_repeated_total", NULL,
          "Of those: the id was accepted before, nothing is sent again."),
      offsetof(im_logic_counters_t, repeated) },
    { im_logic_counter("message_bytes_total", NULL,
          "Bytes of data in messages that were accepted."),
      offsetof(im_logic_counters_t, bytes) },
    { im_logic_counter("durability_waits_total", NULL,
          "Calls whose messages waited for replicas."),
      offsetof(im_logic_counters_t, waits) },
    { im_logic_counter("durability_unconfirmed_total", NULL,
          "Messages that are stored, but that replicas did not confirm."),
      offsetof(im_logic_counters_t, unconfirmed) }
};


static void
im_logic_metrics_routes(im_buf_t *b, const im_logic_counters_t *c)
{
    im_str_t   values[2];
    im_uint_t  i, k;

    im_metric_head(b, &im_logic_metrics_requests);

    for (i = 0; i < c->nroutes; i++) {

        /* the first row of a path counts for all */

        if (i > 0 && strcmp(c->routes[i].path, c->routes[i - 1].path) == 0) {
            continue;
        }

        for (k = 0; k < IM_RESULTS; k++) {
            values[0] = im_str_z(c->routes[i].path);
            values[1] = im_str_z(im_logic_metrics_results[k]);
            im_metric_add(b, &im_logic_metrics_requests, values,
                          c->routes[i].results[k]);
        }
    }
}


/* Of the paths of accounts alone. */
static void
im_logic_metrics_codes(im_buf_t *b, const im_logic_counters_t *c)
{
    im_str_t   path, values[2];
    im_uint_t  i, k;

    im_metric_head(b, &im_logic_metrics_accounts);

    for (i = 0; i < c->nroutes; i++) {
        path = im_str_z(c->routes[i].path);

        if (!im_str_begins(path, im_str_z("/v1/user/"))) {
            continue;
        }

        for (k = 0; k < IM_LOGIC_CODES; k++) {
            values[0] = path;
            values[1] = im_str_z(im_logic_account_result(k));
            im_metric_add(b, &im_logic_metrics_accounts, values,
                          c->routes[i].codes[k]);
        }
    }
}


static void
im_logic_metrics_push(im_buf_t *b, const im_logic_counters_t *c)
{
    im_uint_t                 i;
    const uint64_t           *n;
    const im_logic_metric_t  *row;

    for (i = 0; i < sizeof(im_logic_metrics_numbers)
                    / sizeof(im_logic_metric_t); i++)
    {
        row = &im_logic_metrics_numbers[i];
        n = (const void *) ((const u_char *) c + row->offset);
        im_metric_one(b, &row->m, *n);
    }

    im_metric_each(b, &im_logic_metrics_pushes_refused,
                   im_logic_metrics_refused, c->pushes_refused, IM_REFUSALS);
    im_metric_each(b, &im_logic_metrics_messages_refused,
                   im_logic_metrics_refused, c->messages_refused, IM_REFUSALS);

    im_metric_head(b, &im_logic_metrics_calls);
    im_metric_histogram(b, &im_logic_metrics_calls, NULL, &im_metric_sizes,
                        c->calls.counts, c->calls.sum);
}


/* Where the registry can't be read they are left out, not 0. */
static void
im_logic_metrics_nodes(im_buf_t *b, const im_logic_t *logic)
{
    if (im_logic_unknown(logic) == NULL) {
        im_metric_one(b, &im_logic_metrics_workers, logic->nodes->nworkers);
        im_metric_one(b, &im_logic_metrics_jobs, logic->nodes->jobs);
        im_metric_one(b, &im_logic_metrics_sessions, logic->nodes->sessions);
    }
}


void
im_logic_metrics_handler(im_daemon_request_t *r)
{
    im_buf_t                   *b;
    im_logic_t                 *logic;
    const im_logic_counters_t  *c;

    logic = r->data;
    c = &logic->counters;
    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);

    im_daemon_metrics_write(&logic->metrics, b, &im_logic_metrics_common,
                            logic->link, logic->watch, im_daemon_near(r));
    im_daemon_metrics_servers(b, &im_logic_metrics_common, logic->servers,
                              im_logic_metrics_listeners, IM_LISTENERS);

    im_logic_metrics_nodes(b, logic);
    im_daemon_queues_metrics(&logic->queues, b, &im_logic_metrics_entries,
                             &im_logic_metrics_age);

    im_logic_metrics_push(b, c);
    im_logic_metrics_routes(b, c);
    im_logic_metrics_codes(b, c);

    /* this request does not count */

    im_metric_one(b, &im_logic_metrics_active, logic->nrequests - 1);
    im_metric_one(b, &im_logic_metrics_limit, logic->conf.max_requests);
    im_metric_each(b, &im_logic_metrics_limits, im_logic_metrics_hits, c->hits,
                   IM_HITS);

    r->form = IM_METRIC_FORM;
    im_logic_reply(r, 200, b);
}


/* A fifth of the queues each second. */
void
im_logic_metrics_tick(im_logic_t *logic)
{
    uint32_t  p, n;

    n = im_link_partitions(logic->link);
    logic->seconds++;

    for (p = logic->seconds % IM_METRICS_QUEUES; p < n; p += IM_METRICS_QUEUES)
    {
        if (im_link_ready(logic->link, p)) {
            im_daemon_queue_ask(&logic->queues, logic->link, p);

        } else {
            im_daemon_queue_forget(&logic->queues, p);
        }
    }
}
