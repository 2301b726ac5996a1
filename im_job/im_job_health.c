/*
 * Copyright (C) The im authors
 *
 * GET /health: 200, or 503 with the reasons.
 */

#include <stdio.h>

#include "im_job.h"
#include "im_json.h"
#include "im_link_show.h"
#include "im_daemon_time.h"


#define IM_JOB_HEALTH  (IM_LINK_SHOW_MAX + 8192)     /* bytes of an answer */
#define IM_JOB_LACKED  (2 * IM_JOB_LEASE)
#define IM_JOB_REASON  640                           /* bytes */


/* What is wrong. */
typedef struct {
    im_job_t   *job;
    int         near;                     /* the client may know all */
    im_buf_t    list;                     /* a list of JSON strings */
    char        first[IM_JOB_REASON];
    im_uint_t   n;
} im_job_reasons_t;


static void
im_job_reasons_add(im_job_reasons_t *reasons, const char *text)
{
    if (reasons->n++ == 0) {
        (void) snprintf(reasons->first, sizeof(reasons->first), "%s", text);

    } else {
        im_buf_add_z(&reasons->list, ",");
    }

    im_json_add_string(&reasons->list, im_str_z(text));
}


/* Those whose server is away can't be served: that is another reason. */
static void
im_job_reasons_lacked(im_job_reasons_t *reasons)
{
    char                       text[IM_JOB_REASON];
    uint32_t                   p;
    uint64_t                   now;
    im_job_t                  *job;
    im_uint_t                  n;
    const im_job_partition_t  *jp, *first;

    job = reasons->job;
    now = im_daemon_now();
    first = NULL;

    for (p = 0, n = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (jp->lacked != 0 && now - jp->lacked >= IM_JOB_LACKED) {
            first = n++ == 0 ? jp : first;
        }
    }

    if (n == 0) {
        return;
    }

    (void) snprintf(text, sizeof(text), "%u partition%s should be served "
                    "here, and %s not: partition %u for %llu s", (unsigned) n,
                    n == 1 ? "" : "s", n == 1 ? "is" : "are", first->p,
                    (unsigned long long) (now - first->lacked) / 1000);

    im_job_reasons_add(reasons, text);
}


static void
im_job_reasons_queue(im_job_reasons_t *reasons)
{
    char       text[IM_JOB_REASON];
    uint32_t   p;
    im_job_t  *job;

    job = reasons->job;

    if (im_daemon_queues_older(&job->queues, job->queue_age, &p) != IM_OK) {
        return;
    }

    (void) snprintf(text, sizeof(text), "the queue of partition %u has %llu "
                    "entries, the oldest waits for %llu s (--queue-age=%llu)",
                    (unsigned) p,
                    (unsigned long long) job->queues.queues[p].entries,
                    (unsigned long long) job->queues.queues[p].age / 1000,
                    (unsigned long long) job->queue_age / 1000);

    im_job_reasons_add(reasons, text);
}


static void
im_job_reasons_find(im_job_reasons_t *reasons)
{
    char       text[IM_JOB_REASON];
    im_job_t  *job;

    job = reasons->job;

    if (job->stop) {
        im_job_reasons_add(reasons, "im_job is stopping");
    }

    if (im_link_unserved(job->link) == IM_LINK_SLOTS) {
        (void) snprintf(text, sizeof(text), "%s", reasons->near
                        ? im_link_why(job->link, IM_LINK_REGISTRY)
                        : "redis is away");
        im_job_reasons_add(reasons, text);
        return;
    }

    im_job_reasons_lacked(reasons);
    im_job_reasons_queue(reasons);
}


static void
im_job_health_number(im_buf_t *b, const char *member, uint64_t n)
{
    im_buf_add_z(b, member);
    im_buf_add_uint(b, n);
}


static void
im_job_health_data(im_job_t *job, im_buf_t *b, int near)
{
    im_uint_t       held, wanted;
    im_link_show_e  what;

    what = near ? IM_LINK_SHOW_ALL : IM_LINK_SHOW_STATES;
    held = im_job_queue_served(job, &wanted);

    im_buf_add_z(b, im_link_unserved(job->link) > 0 ? "\"redis\":\"degraded\""
                                                    : "\"redis\":\"up\"");
    im_job_health_number(b, ",\"partitions\":", job->npartitions);
    im_job_health_number(b, ",\"wanted\":", wanted);
    im_job_health_number(b, ",\"held\":", held);
    im_job_health_number(b, ",\"jobs\":", job->njobs);

    im_buf_add_z(b, ",\"link\":");
    im_link_show(b, job->link, job->conf, im_daemon_now(), what);

    if (im_link_unserved(job->link) > 0) {
        im_buf_add_z(b, ",\"away\":");
        im_link_show_reasons(b, job->link, what);
    }
}


void
im_job_health_handler(im_daemon_request_t *r)
{
    im_buf_t          *b;
    im_uint_t          status;
    im_job_reasons_t   reasons;

    reasons.job = r->data;
    reasons.near = im_daemon_near(r);
    reasons.n = 0;
    im_buf_init(&reasons.list, IM_JOB_HEALTH);

    im_job_reasons_find(&reasons);

    b = im_daemon_buf(r, IM_JOB_HEALTH);

    if (reasons.n == 0) {
        status = 200;
        im_buf_add_z(b, "{\"code\":0,\"msg\":\"success\",\"data\":{");
        im_job_health_data(r->data, b, reasons.near);

    } else {
        status = 503;
        im_buf_add_z(b, "{\"code\":503,\"msg\":");
        im_json_add_string(b, im_str_z(reasons.first));
        im_buf_add_z(b, ",\"data\":{\"reasons\":[");
        im_buf_add_str(b, im_buf_str(&reasons.list));
        im_buf_add_z(b, "]");
    }

    im_buf_add_z(b, "}}\n");

    if (b->failed || reasons.list.failed) {
        status = 503;
    }

    im_buf_cleanup(&reasons.list);
    r->reply(r, status, im_buf_str(b));
}
