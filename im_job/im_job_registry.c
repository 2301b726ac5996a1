/*
 * Copyright (C) The im authors
 *
 * Which job processes live, and which of them should own a partition: the one
 * with the highest hash of both (rendezvous hashing), so that a process that
 * comes or goes moves only its share.
 */

#include "im_job.h"
#include "im_link_leases.h"
#include "im_record.h"


/* Every process must come to the same result: no secret seed. */
static uint64_t
im_job_registry_weight(im_str_t id, uint16_t p)
{
    uint64_t  seed[2] = { p, 0 };

    return im_siphash(seed, id.data, id.len);
}


static void
im_job_registry_live(const im_link_reply_t *reply, void *data)
{
    uint32_t   p;
    uint64_t   mine;
    im_job_t  *job = data;
    im_uint_t  i, n;

    im_daemon_metrics_answer(&job->metrics, reply);

    if (reply == NULL || im_link_reply_is_error(reply) || job->stop) {
        return;
    }

    n = im_link_reply_len(reply);
    job->njobs = n;

    for (p = 0; p < job->npartitions; p++) {
        mine = im_job_registry_weight(im_str_z(job->id), p);

        for (i = 0; i < n; i++) {
            if (im_job_registry_weight(im_link_reply_str_at(reply, i), p)
                > mine)
            {
                break;
            }
        }

        im_job_partition_want(&job->partitions[p], i == n);
    }
}


/* length 0 gives the lease up. */
static void
im_job_registry_renew(im_job_t *job, uint64_t length, im_link_reply_pt handler)
{
    im_link_call_t  *call;

    call = im_link_script(job->link, &im_script_jobs);

    im_link_leases_key(job->link, call, IM_LINK_JOBS);
    im_link_leases_seen(job->link, call, IM_LINK_JOBS);
    im_link_call_z(call, job->id);
    im_link_call_uint(call, length);
    im_link_call_generation(call);

    if (im_link_send(job->link, handler, job) != IM_OK) {
        im_daemon_metrics_answer(&job->metrics, NULL);
    }
}


void
im_job_registry_tick(void *data)
{
    im_job_t  *job = data;

    im_daemon_metrics_ask(&job->metrics);
    im_job_registry_renew(job, IM_LEASE_JOB, im_job_registry_live);
}


void
im_job_registry_leave(im_job_t *job)
{
    im_job_registry_renew(job, 0, NULL);
}
