/*
 * Copyright (C) The im authors
 *
 * The metrics of a node: all workers summed, those that have ended too.
 *
 * Most are numbers of ngx_im_counters_t, and a row of a table.  Labels have few
 * values, and each of them is there from the begin: a counter that appears with
 * its first event would hide that event from rate().
 */

#include "ngx_im_metrics.h"
#include "ngx_im_budget.h"
#include "ngx_im_follow.h"
#include "im_link.h"

#include <nginx.h>


/* A family of one number. */
typedef struct {
    im_metric_t  metric;
    size_t       offset;
} ngx_im_metric_t;

#define ngx_im_metrics_row(type, unit, name, f, help)                         \
    { { name, IM_METRIC_##type, IM_METRIC_##unit, NULL, help },               \
      offsetof(ngx_im_counters_t, f) }

#define ngx_im_metrics_row_null  { { NULL, 0, 0, NULL, NULL }, 0 }


/* What living workers have, summed. */
static const ngx_im_metric_t  ngx_im_metrics_gauges[] = {
    ngx_im_metrics_row(GAUGE, ONE, "im_workers_draining", draining,
        "Workers that end and close their sessions."),
    ngx_im_metrics_row(GAUGE, ONE, "im_connections", connections,
        "Connections in use, of im_connections_limit."),
    ngx_im_metrics_row(GAUGE, ONE, "im_connections_limit", connections_limit,
        "worker_connections of all workers."),
    ngx_im_metrics_row(GAUGE, ONE, "im_io_uring_workers", io_uring,
        "Workers that send by io_uring."),
    ngx_im_metrics_row(GAUGE, ONE, "im_users", users,
        "Users with sessions, once for each worker that has one."),
    ngx_im_metrics_row(GAUGE, ONE, "im_topics", topics,
        "Rooms and inboxes with followers, once for each worker."),
    ngx_im_metrics_row(GAUGE, ONE, "im_log_bytes", log_bytes,
        "Memory of messages that wait to be sent."),
    ngx_im_metrics_row(GAUGE, ONE, "im_reply_bytes", reply_bytes,
        "Memory of replies that wait to be sent."),
    ngx_im_metrics_row(GAUGE, ONE, "im_window_bytes", window_bytes,
        "Memory of recent messages, from which clients recover."),
    ngx_im_metrics_row(GAUGE, ONE, "im_redis_reads", reads,
        "Reads of history and presence that are under way for clients."),
    ngx_im_metrics_row_null
};


/* What has happened since nginx started. */
static const ngx_im_metric_t  ngx_im_metrics_counters[] = {
    ngx_im_metrics_row(COUNTER, ONE, "im_workers_lost_total", lost,
        "Workers that were killed or crashed."),
    ngx_im_metrics_row(COUNTER, ONE, "im_slow_closes_total", slow,
        "Sessions closed since they read too slowly."),
    ngx_im_metrics_row(COUNTER, ONE, "im_messages_received_total", messages_in,
        "Messages from clients."),
    ngx_im_metrics_row(COUNTER, ONE, "im_messages_sent_total", messages_out,
        "Messages queued for clients, once for each follower."),
    ngx_im_metrics_row(COUNTER, ONE, "im_messages_encoded_total", framed,
        "Messages encoded, once for each encoding in use."),
    ngx_im_metrics_row(COUNTER, ONE, "im_received_bytes_total", bytes_in,
        "Bytes from clients."),
    ngx_im_metrics_row(COUNTER, ONE, "im_sent_bytes_total", bytes_out,
        "Bytes that sockets took."),
    ngx_im_metrics_row(COUNTER, ONE, "im_sends_total", sends,
        "Sends to clients."),
    ngx_im_metrics_row(COUNTER, ONE, "im_send_batches_total", submits,
        "System calls of io_uring, each for many sends."),
    ngx_im_metrics_row(COUNTER, ONE, "im_deflated_messages_total", deflated,
        "Messages that were compressed."),
    ngx_im_metrics_row(COUNTER, ONE, "im_deflate_saved_bytes_total",
        deflate_saved,
        "Bytes that compression saved, once for each encoding."),
    ngx_im_metrics_row(COUNTER, ONE, "im_inflated_messages_total", inflated,
        "Compressed messages from clients."),
    ngx_im_metrics_row(COUNTER, ONE, "im_entries_received_total", pushes,
        "Messages and commands received from Redis."),
    ngx_im_metrics_row(COUNTER, ONE, "im_entries_healed_total", healed,
        "Messages that were missed, and read from history."),
    ngx_im_metrics_row(COUNTER, ONE, "im_holes_total", holes,
        "Times that messages were lost: history did not have them."),
    ngx_im_metrics_row(COUNTER, ONE, "im_subscriptions_recovered_total",
        recovered,
        "Subscriptions that went on without a gap."),
    ngx_im_metrics_row(COUNTER, ONE, "im_subscriptions_unrecovered_total",
        unrecovered,
        "Subscriptions that could not go on without a gap."),
    ngx_im_metrics_row(COUNTER, ONE, "im_sessions_moved_in_total", moved_in,
        "Sessions that came from a worker that ends."),
    ngx_im_metrics_row(COUNTER, ONE, "im_sessions_moved_out_total", moved_out,
        "Sessions that workers that end have given to the next ones."),
    ngx_im_metrics_row(COUNTER, ONE, "im_link_losses_total", link_losses,
        "Times that a worker lost Redis, or a part of it."),
    ngx_im_metrics_row_null
};


static const im_metric_t  ngx_im_metrics_build = {
    "im_build_info", IM_METRIC_GAUGE, IM_METRIC_ONE, "version nginx",
    "The versions of im and nginx."
};

static const im_metric_t  ngx_im_metrics_start = {
    "im_start_time_seconds", IM_METRIC_GAUGE, IM_METRIC_MS, NULL,
    "When nginx started, in seconds since 1970.  A reload keeps it."
};

static const im_metric_t  ngx_im_metrics_workers = {
    "im_workers", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL, "Workers that live."
};

static const im_metric_t  ngx_im_metrics_draining = {
    "im_draining_sessions", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL,
    "Sessions that workers that end have yet to close."
};

static const im_metric_t  ngx_im_metrics_drain = {
    "im_drain_seconds", IM_METRIC_GAUGE, IM_METRIC_MS, NULL,
    "Time until all sessions of workers that end are closed."
};

static const im_metric_t  ngx_im_metrics_fullest = {
    "im_connections_used_ratio", IM_METRIC_GAUGE, IM_METRIC_MS, NULL,
    "Connections in use of worker_connections, of the fullest worker, 0 to 1."
};

static const im_metric_t  ngx_im_metrics_addresses = {
    "im_zone_addresses", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL,
    "Addresses of clients in the zone, of im_zone_addresses_limit."
};

static const im_metric_t  ngx_im_metrics_addresses_limit = {
    "im_zone_addresses_limit", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL,
    "Addresses for which the zone has room: zone= of im_per_address."
};

static const im_metric_t  ngx_im_metrics_sessions = {
    "im_sessions", IM_METRIC_GAUGE, IM_METRIC_ONE, "protocol transport state",
    "Sessions."
};

static const im_metric_t  ngx_im_metrics_handshakes = {
    "im_handshakes_total", IM_METRIC_COUNTER, IM_METRIC_ONE,
    "protocol transport", "Handshakes that opened a session."
};

static const im_metric_t  ngx_im_metrics_refused = {
    "im_handshakes_refused_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "reason",
    "Handshakes that were refused."
};

static const im_metric_t  ngx_im_metrics_limits = {
    "im_limits_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "limit",
    "Times that a limit was reached."
};

static const im_metric_t  ngx_im_metrics_closed = {
    "im_sessions_closed_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "reason",
    "Sessions that have ended."
};

static const im_metric_t  ngx_im_metrics_stayed = {
    "im_sessions_stayed_total", IM_METRIC_COUNTER, IM_METRIC_ONE, "reason",
    "Sessions that could not move to the next worker."
};

static const im_metric_t  ngx_im_metrics_flush = {
    "im_flush_sessions", IM_METRIC_HISTOGRAM, IM_METRIC_ONE, NULL,
    "Sessions that one turn of a flush sent to."
};

static const im_metric_t  ngx_im_metrics_lag = {
    "im_push_to_send_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_MS, NULL,
    "From the acceptance of a message by im_logic until all sockets that could "
    "take it had it, once for each encoding."
};

static const im_metric_t  ngx_im_metrics_links = {
    "im_link_workers", IM_METRIC_GAUGE, IM_METRIC_ONE, "state",
    "Workers whose link to Redis is up, degraded or down."
};

static const im_metric_t  ngx_im_metrics_away = {
    "im_partitions_away", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL,
    "Partitions that take no calls, at the worker that lacks most."
};

static const im_metric_t  ngx_im_metrics_silent = {
    "im_partitions_silent", IM_METRIC_GAUGE, IM_METRIC_ONE, NULL,
    "Partitions without heartbeats of im_job, at the worker that lacks most."
};

static const im_metric_t  ngx_im_metrics_server = {
    "im_redis_server_up", IM_METRIC_GAUGE, IM_METRIC_ONE, "server role",
    "Whether a server of Redis takes calls of the worker that answers."
};

static const im_metric_t  ngx_im_metrics_round_trip = {
    "im_redis_round_trip_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_US, NULL,
    "From a call to Redis to its answer, of each worker every 3 seconds."
};

static const im_metric_t  ngx_im_metrics_asked = {
    "im_backend_requests_total", IM_METRIC_COUNTER, IM_METRIC_ONE,
    "hook result", "Questions to backends, of im_connect and im_webhook."
};

static const im_metric_t  ngx_im_metrics_answers = {
    "im_backend_request_seconds", IM_METRIC_HISTOGRAM, IM_METRIC_MS, "hook",
    "From a question to a backend to its answer."
};


static void
ngx_im_metrics_rows(im_buf_t *b, const ngx_im_metric_t *row,
    const ngx_im_counters_t *total)
{
    for ( /* void */ ; row->metric.name != NULL; row++) {
        im_metric_one(b, &row->metric, ngx_im_counter(total, row->offset));
    }
}


static void
ngx_im_metrics_histogram(im_buf_t *b, const im_metric_t *m,
    const im_metric_buckets_t *buckets, const im_metric_histogram_t *h)
{
    im_metric_head(b, m);
    im_metric_histogram(b, m, NULL, buckets, h->counts, h->sum);
}


static void
ngx_im_metrics_node(im_buf_t *b, const ngx_im_node_t *node)
{
    uint64_t                  ratio, left, sessions, n;
    im_str_t                  values[2];
    ngx_uint_t                i;
    const ngx_im_counters_t  *c;

    ratio = 0;
    left = 0;
    sessions = 0;

    for (i = 0; i < node->nworkers; i++) {
        c = &node->workers[i];
        n = c->connections * 1000 / ngx_max(c->connections_limit, 1);

        ratio = ngx_max(ratio, n);
        left = ngx_max(left, c->drain_left);
        sessions += c->draining ? c->sessions : 0;
    }

    values[0] = im_str_z(IM_VERSION);
    values[1] = im_str_z(NGINX_VERSION);

    im_metric_head(b, &ngx_im_metrics_build);
    im_metric_add(b, &ngx_im_metrics_build, values, 1);

    im_metric_one(b, &ngx_im_metrics_start, node->start);
    im_metric_one(b, &ngx_im_metrics_workers, node->nworkers);
    im_metric_one(b, &ngx_im_metrics_addresses, node->addresses);
    im_metric_one(b, &ngx_im_metrics_addresses_limit, node->max_addresses);
    im_metric_one(b, &ngx_im_metrics_draining, sessions);
    im_metric_one(b, &ngx_im_metrics_drain, left);
    im_metric_one(b, &ngx_im_metrics_fullest, ratio);
}


/* By protocol and transport, and then n numbers by the last label. */
static void
ngx_im_metrics_kinds(im_buf_t *b, const im_metric_t *m, const uint64_t *numbers,
    const char *const *states, ngx_uint_t n)
{
    im_str_t    values[3];
    ngx_uint_t  p, k, i;

    im_metric_head(b, m);

    for (p = 0; p < IM_PROTOS; p++) {
        for (k = 0; k < NGX_IM_KINDS; k++) {

            if (!(im_proto_kinds(p) & (1 << k))) {
                continue;
            }

            values[0] = im_str_z(im_proto_name(p));
            values[1] = im_str_z(im_transport_of(1 << k)->name);

            for (i = 0; i < n; i++) {
                values[2] = im_str_z(states[i]);
                im_metric_add(b, m, values,
                              numbers[(p * NGX_IM_KINDS + k) * n + i]);
            }
        }
    }
}


static void
ngx_im_metrics_live(im_buf_t *b, const ngx_im_counters_t *total)
{
    /* by ngx_im_live_e */

    static const char *const  states[NGX_IM_LIVE] = {
        "connecting", "authenticating", "open", "closing"
    };

    static const char *const  none[] = { "" };

    ngx_im_metrics_kinds(b, &ngx_im_metrics_sessions, &total->live[0][0][0],
                         states, NGX_IM_LIVE);
    ngx_im_metrics_kinds(b, &ngx_im_metrics_handshakes, &total->opened[0][0],
                         none, 1);
}


static void
ngx_im_metrics_reasons(im_buf_t *b, const ngx_im_counters_t *total)
{
    ngx_uint_t   i;
    const char  *names[NGX_IM_REFUSALS];

    for (i = 0; i < NGX_IM_REFUSALS; i++) {
        names[i] = ngx_im_budget_reason(i);
    }

    im_metric_each(b, &ngx_im_metrics_refused, names, total->refusals,
                   NGX_IM_REFUSALS);
    im_metric_each(b, &ngx_im_metrics_limits, names, total->limits,
                   NGX_IM_LIMITS);
    im_metric_each(b, &ngx_im_metrics_closed, im_reason_names, total->closes,
                   IM_REASONS);
    im_metric_each(b, &ngx_im_metrics_stayed, ngx_im_stayed_names,
                   total->stayed, NGX_IM_STAYED);
}


static void
ngx_im_metrics_servers(im_buf_t *b)
{
    ngx_uint_t             i;
    im_str_t               values[2];
    im_link_server_info_t  info;

    static const char  *roles[] = { "unknown", "master", "replica" };

    if (ngx_im_worker->link == NULL) {
        return;
    }

    im_metric_head(b, &ngx_im_metrics_server);

    for (i = 0; i < im_link_servers(ngx_im_worker->link); i++) {
        im_link_server_info(ngx_im_worker->link, i, &info);

        values[0] = info.name;
        values[1] = im_str_z(roles[info.role]);

        im_metric_add(b, &ngx_im_metrics_server, values,
                      info.state == IM_LINK_SERVER_READY);
    }
}


static void
ngx_im_metrics_redis(im_buf_t *b, const ngx_im_node_t *node)
{
    uint64_t                  states[3], away, silent;
    ngx_uint_t                i;
    const ngx_im_counters_t  *c;

    /* by ngx_im_link_e */

    static const char  *names[] = { "down", "up", "degraded" };

    ngx_memzero(states, sizeof(states));

    away = 0;
    silent = 0;

    for (i = 0; i < node->nworkers; i++) {
        c = &node->workers[i];

        states[ngx_min(c->link, NGX_IM_LINK_DEGRADED)]++;
        away = ngx_max(away, c->away);
        silent = ngx_max(silent, c->silent);
    }

    im_metric_each(b, &ngx_im_metrics_links, names, states, 3);
    im_metric_one(b, &ngx_im_metrics_away, away);
    im_metric_one(b, &ngx_im_metrics_silent, silent);
    ngx_im_metrics_servers(b);
    ngx_im_metrics_histogram(b, &ngx_im_metrics_round_trip, &im_metric_us,
                             &node->total.round_trip);
}


static im_str_t
ngx_im_metrics_hook(ngx_uint_t hook)
{
    return hook == NGX_IM_HOOK_CONNECT ? im_str_z("im_connect")
                                       : im_webhook_names[hook];
}


static void
ngx_im_metrics_backends(im_buf_t *b, const ngx_im_counters_t *total)
{
    im_str_t    values[2];
    ngx_uint_t  i, k;

    /* by ngx_im_result_e */

    static const char  *results[NGX_IM_RESULTS] = {
        "ok", "refused", "error", "timeout", "unanswered", "busy"
    };

    im_metric_head(b, &ngx_im_metrics_asked);

    for (i = 0; i < NGX_IM_HOOKS; i++) {
        values[0] = ngx_im_metrics_hook(i);

        for (k = 0; k < NGX_IM_RESULTS; k++) {
            values[1] = im_str_z(results[k]);
            im_metric_add(b, &ngx_im_metrics_asked, values,
                          total->asked[i][k]);
        }
    }

    im_metric_head(b, &ngx_im_metrics_answers);

    for (i = 0; i < NGX_IM_HOOKS; i++) {
        values[0] = ngx_im_metrics_hook(i);
        im_metric_histogram(b, &ngx_im_metrics_answers, values, &im_metric_ms,
                            total->answers[i].counts, total->answers[i].sum);
    }
}


void
ngx_im_metrics(im_buf_t *b, ngx_im_node_t *node)
{
    const ngx_im_counters_t  *total;

    total = &node->total;

    ngx_im_metrics_node(b, node);
    ngx_im_metrics_rows(b, ngx_im_metrics_gauges, total);
    ngx_im_metrics_live(b, total);
    ngx_im_metrics_reasons(b, total);
    ngx_im_metrics_rows(b, ngx_im_metrics_counters, total);
    ngx_im_metrics_histogram(b, &ngx_im_metrics_flush, &im_metric_sizes,
                             &total->flush);
    ngx_im_metrics_histogram(b, &ngx_im_metrics_lag, &im_metric_ms,
                             &total->lag);
    ngx_im_metrics_redis(b, node);
    ngx_im_metrics_backends(b, total);
}
