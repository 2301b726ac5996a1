/*
 * Copyright (C) The im authors
 *
 * The lease of a partition.  The process that holds it serves the queue.  An
 * owner that stood still and has lost the lease without knowing publishes
 * entries twice at worst, and trims only entries that it has published.
 */

#include "im_job.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


/* length 0 gives the lease up. */
static im_int_t
im_job_partition_ask(im_job_partition_t *jp, uint64_t length,
    im_link_reply_pt handler)
{
    im_link_t       *link;
    im_link_call_t  *call;

    link = jp->job->link;
    call = im_link_script(link, &im_script_own);

    im_key_owner(&call->bytes, im_link_keys(link), jp->p);
    im_link_call_key(call);
    im_link_call_z(call, jp->job->id);
    im_link_call_uint(call, length);

    return im_link_send(link, handler, jp);
}


static void
im_job_partition_asked(const im_link_reply_t *reply, void *data)
{
    uint64_t             asked_at;
    im_link_call_t      *call;
    im_job_partition_t  *jp = data;

    asked_at = jp->asked_at;
    jp->asked_at = 0;

    if (im_link_reply_int(reply, 0) == 1) {
        jp->lease_end = asked_at + IM_JOB_LEASE;

        if (jp->state == IM_JOB_ASKED) {
            im_daemon_log(IM_LOG_INFO, "partition %u: is ours", jp->p);
            im_job_queue_state(jp, IM_JOB_WAITING);
            jp->job->counters.taken++;

            /* earlier versions had a group, which keeps memory in the stream */

            call = im_job_queue_call(jp, "XGROUP DESTROY");
            im_link_call_z(call, IM_QUEUE_GROUP);
            (void) im_link_send(jp->job->link, NULL, NULL);
        }

        return;
    }

    if (reply != NULL && !im_link_reply_is_error(reply)) {

        if (im_job_queue_owned(jp)) {
            im_daemon_log(IM_LOG_WARN, "partition %u: another process has "
                          "taken it over", jp->p);
            jp->job->counters.lost++;
        }

        im_job_queue_state(jp, IM_JOB_FREE);

    } else if (jp->state == IM_JOB_ASKED) {

        /* a lease goes on until its end, then tick() stops */

        im_job_queue_state(jp, IM_JOB_FREE);
    }
}


/* It lasts from now at the least: Redis gets the request later. */
static void
im_job_partition_renew(im_job_partition_t *jp)
{
    jp->asked_at = im_daemon_now();

    if (im_job_partition_ask(jp, IM_JOB_LEASE, im_job_partition_asked)
        != IM_OK)
    {
        im_job_partition_asked(NULL, jp);
    }
}


/* The lease is given up behind the last batch: the next owner starts now. */
static void
im_job_partition_left(const im_link_reply_t *reply, void *data)
{
    im_job_partition_t  *jp = data;

    if (jp->state == IM_JOB_LEAVING) {
        im_daemon_log(IM_LOG_INFO, "partition %u: handed over after %llu "
                      "entries", jp->p, (unsigned long long) jp->entries);
        im_job_queue_state(jp, IM_JOB_FREE);
    }
}


void
im_job_partition_want(im_job_partition_t *jp, int mine)
{
    jp->wanted = mine != 0;

    if (mine && jp->state == IM_JOB_FREE && jp->asked_at == 0) {
        im_job_queue_state(jp, IM_JOB_ASKED);
        im_job_partition_renew(jp);
        return;
    }

    if (!mine && im_job_queue_owned(jp)) {
        im_job_queue_finish(jp);

        if (im_job_partition_ask(jp, 0, im_job_partition_left) != IM_OK) {
            im_job_queue_state(jp, IM_JOB_FREE);
        }
    }
}


void
im_job_partition_tick(im_job_t *job)
{
    uint32_t             p;
    im_uint_t            nover;
    im_job_partition_t  *jp, *over;

    nover = 0;
    over = NULL;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (!im_job_queue_owned(jp)) {
            continue;
        }

        if (im_daemon_now() >= jp->lease_end) {
            im_job_queue_state(jp, IM_JOB_FREE);
            over = jp;
            nover++;

        } else if (jp->asked_at == 0) {
            im_job_partition_renew(jp);
        }
    }

    job->counters.lost += nover;

    if (nover > 0) {
        im_daemon_log(IM_LOG_WARN, "the leases of %u partitions are over, they "
                      "could not be renewed: the last one is partition %u",
                      (unsigned) nover, over->p);
    }
}


void
im_job_partition_keep(im_job_t *job)
{
    uint32_t             p;
    im_job_partition_t  *jp;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (jp->wanted && jp->state == IM_JOB_FREE
            && im_link_ready(job->link, p))
        {
            im_job_partition_want(jp, 1);
        }
    }
}
