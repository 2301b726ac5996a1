/*
 * Copyright (C) The im authors
 *
 * Which job processes live, and which of them should own a partition: the one
 * with the highest hash of both (rendezvous hashing), so that a process that
 * comes or goes moves only its share.
 */

#include "im_job.h"
#include "im_record.h"


/* On the set of processes. */
static im_link_call_t *
im_job_registry_call(im_job_t *job, const char *word)
{
    im_link_call_t  *call;

    call = im_link_command(job->link, word);

    im_key_jobs(&call->bytes, im_link_prefix(job->link));
    im_link_call_key(call);

    return call;
}


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

    if (reply == NULL || im_link_reply_is_error(reply) || job->stop) {
        return;
    }

    n = im_link_reply_len(reply);

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


static void
im_job_registry_time(const im_link_reply_t *reply, void *data)
{
    uint64_t         now;
    im_job_t        *job = data;
    im_link_call_t  *call;

    now = im_link_reply_time(reply);

    if (now == 0 || job->stop) {
        return;
    }

    call = im_job_registry_call(job, "ZADD");
    im_link_call_uint(call, now + IM_LEASE_JOB);
    im_link_call_z(call, job->id);
    (void) im_link_send(job->link, NULL, NULL);

    call = im_job_registry_call(job, "ZREMRANGEBYSCORE");
    im_link_call_z(call, "-inf");
    im_link_call_uint(call, now);
    (void) im_link_send(job->link, NULL, NULL);

    call = im_job_registry_call(job, "ZRANGE");
    im_link_call_z(call, "0");
    im_link_call_z(call, "-1");
    (void) im_link_send(job->link, im_job_registry_live, job);
}


void
im_job_registry_tick(void *data)
{
    im_job_t  *job = data;

    (void) im_link_command(job->link, "TIME");
    (void) im_link_send(job->link, im_job_registry_time, job);
}


void
im_job_registry_leave(im_job_t *job)
{
    im_link_call_t  *call;

    call = im_job_registry_call(job, "ZREM");
    im_link_call_z(call, job->id);

    (void) im_link_send(job->link, NULL, NULL);
}
