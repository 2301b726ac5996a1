/*
 * Copyright (C) The im authors
 *
 * GET /metrics: what im_job has counted, as Prometheus reads it.
 *
 * Nothing is asked while Prometheus waits: lengths of queues are those of the
 * last second.
 */

#include "im_job.h"


#define IM_JOB_METRICS  (1024 * 1024)     /* bytes of an answer */

#define im_job_gauge(name, help)                                              \
    { "im_job_" name, IM_METRIC_GAUGE, IM_METRIC_ONE, NULL, help }
#define im_job_counter(name, help)                                            \
    { "im_job_" name, IM_METRIC_COUNTER, IM_METRIC_ONE, NULL, help }


/* A number of im_job_counters_t. */
typedef struct {
    im_metric_t  m;
    size_t       offset;
} im_job_metric_t;


static const im_daemon_metrics_names_t  im_job_metrics_common =
    im_daemon_metrics_of("im_job");

static const char *const  im_job_metrics_listeners[] = { "http" };

static const im_metric_t  im_job_metrics_partitions =
    im_job_gauge("partitions", "Partitions of this Redis.");
static const im_metric_t  im_job_metrics_wanted =
    im_job_gauge("partitions_wanted",
        "Partitions that should be this process's.");
static const im_metric_t  im_job_metrics_held =
    im_job_gauge("partitions_held", "Partitions that this process serves.");
static const im_metric_t  im_job_metrics_jobs =
    im_job_gauge("processes", "Processes of im_job that live.");
static const im_metric_t  im_job_metrics_suspects =
    im_job_gauge("workers_suspected",
        "Workers that did not hear what was published to them last.");
static const im_metric_t  im_job_metrics_entries = {
    "im_job_queue_entries", IM_METRIC_GAUGE, IM_METRIC_ONE, "partition",
    "Entries in the queues of partitions that this process serves."
};
static const im_metric_t  im_job_metrics_age = {
    "im_job_queue_age_seconds", IM_METRIC_GAUGE, IM_METRIC_MS, "partition",
    "How long the oldest entry of such a queue has waited."
};


static const im_job_metric_t  im_job_metrics_numbers[] = {
    { im_job_counter("entries_total",
          "Entries taken from queues; what Redis delivered at once is not in "
          "them."),
      offsetof(im_job_counters_t, entries) },
    { im_job_counter("entries_malformed_total",
          "Entries of these that are no message and were skipped."),
      offsetof(im_job_counters_t, malformed) },
    { im_job_counter("batches_total", "Batches published to workers."),
      offsetof(im_job_counters_t, batches) },
    { im_job_counter("batches_unheard_total",
          "Batches of these that no worker heard."),
      offsetof(im_job_counters_t, unheard) },
    { im_job_counter("batches_failed_total",
          "Batches of these that Redis refused."),
      offsetof(im_job_counters_t, failed) },
    { im_job_counter("heartbeats_total", "Heartbeats sent to workers."),
      offsetof(im_job_counters_t, heartbeats) },
    { im_job_counter("partitions_taken_total",
          "How often a partition became this process's."),
      offsetof(im_job_counters_t, taken) },
    { im_job_counter("partitions_lost_total",
          "How often one was lost: its lease ended, or another process had "
          "it."),
      offsetof(im_job_counters_t, lost) },
    { im_job_counter("sweeps_total",
          "How often it was looked whether the worker of a route lives."),
      offsetof(im_job_counters_t, sweeps) },
    { im_job_counter("dead_routes_removed_total",
          "Routes of dead workers that were removed."),
      offsetof(im_job_counters_t, removed) },
    { im_job_counter("orphans_total",
          "Routes without a live worker, found by a walk over all keys."),
      offsetof(im_job_counters_t, orphans) },
    { im_job_counter("orphan_walks_total", "Walks of that kind."),
      offsetof(im_job_counters_t, walks) }
};


static void
im_job_metrics_state(im_job_t *job, im_buf_t *b)
{
    im_uint_t  held, wanted;

    held = im_job_queue_served(job, &wanted);

    im_metric_one(b, &im_job_metrics_partitions, job->npartitions);
    im_metric_one(b, &im_job_metrics_wanted, wanted);
    im_metric_one(b, &im_job_metrics_held, held);
    im_metric_one(b, &im_job_metrics_jobs, job->njobs);
    im_metric_one(b, &im_job_metrics_suspects, job->nsuspects);
}


void
im_job_metrics_handler(im_daemon_request_t *r)
{
    im_buf_t               *b;
    im_job_t               *job;
    im_uint_t               i;
    const uint64_t         *n;
    const im_job_metric_t  *row;

    job = r->data;
    b = im_daemon_buf(r, IM_JOB_METRICS);

    im_daemon_metrics_write(&job->metrics, b, &im_job_metrics_common,
                            job->link, job->watch, im_daemon_near(r));
    im_daemon_metrics_servers(b, &im_job_metrics_common, &job->http,
                              im_job_metrics_listeners, 1);

    im_job_metrics_state(job, b);
    im_daemon_queues_metrics(&job->queues, b, &im_job_metrics_entries,
                             &im_job_metrics_age);

    for (i = 0; i < sizeof(im_job_metrics_numbers) / sizeof(im_job_metric_t);
         i++)
    {
        row = &im_job_metrics_numbers[i];
        n = (const void *) ((const u_char *) &job->counters + row->offset);
        im_metric_one(b, &row->m, *n);
    }

    r->form = IM_METRIC_FORM;
    r->reply(r, b->failed ? 503 : 200, im_buf_str(b));
}
