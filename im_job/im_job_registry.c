/*
 * Copyright (C) The im authors
 *
 * Which job processes live, and which of them should own a partition: the one
 * with the highest hash of both (rendezvous hashing), so that a process that
 * comes or goes moves only its share.
 */

#include <inttypes.h>
#include <stdio.h>

#include "im_job.h"
#include "im_record.h"
#include "im_daemon_log.h"


static void im_job_registry_time(const im_daemon_reply_t *reply, void *data);
static void im_job_registry_live(const im_daemon_reply_t *reply, void *data);
static int im_job_registry_mine(im_job_t *job, uint16_t p,
    const im_daemon_reply_t *live);
static uint64_t im_job_registry_weight(im_str_t id, uint16_t p);


void
im_job_registry_tick(im_job_t *job)
{
    im_str_t  args[1];

    args[0] = im_str_z("TIME");

    (void) im_daemon_redis_command(job->link, IM_PARTITION_REG, args, 1,
                                   im_job_registry_time, job);
}


static void
im_job_registry_time(const im_daemon_reply_t *reply, void *data)
{
    char       end[24], past[24];
    im_buf_t   key;
    im_str_t   args[4];
    im_job_t  *job = data;
    uint64_t   now;

    now = im_daemon_reply_time(reply);

    if (now == 0 || job->stop) {
        return;
    }

    snprintf(end, sizeof(end), "%" PRIu64, now + IM_LEASE_JOB);
    snprintf(past, sizeof(past), "%" PRIu64, now);

    im_buf_init(&key, 256);
    im_key_jobs(&key, job->redis.prefix);

    args[0] = im_str_z("ZADD");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z(end);
    args[3] = im_str_z(job->id);

    (void) im_daemon_redis_command(job->link, IM_PARTITION_REG, args, 4, NULL,
                                   NULL);

    args[0] = im_str_z("ZREMRANGEBYSCORE");
    args[2] = im_str_z("-inf");
    args[3] = im_str_z(past);

    (void) im_daemon_redis_command(job->link, IM_PARTITION_REG, args, 4, NULL,
                                   NULL);

    args[0] = im_str_z("ZRANGE");
    args[2] = im_str_z("0");
    args[3] = im_str_z("-1");

    (void) im_daemon_redis_command(job->link, IM_PARTITION_REG, args, 4,
                                   im_job_registry_live, job);

    im_buf_cleanup(&key);
}


static void
im_job_registry_live(const im_daemon_reply_t *reply, void *data)
{
    uint32_t   p;
    im_job_t  *job = data;

    if (reply == NULL || im_daemon_reply_is_error(reply) || job->stop) {
        return;
    }

    for (p = 0; p < job->npartitions; p++) {
        im_job_partition_want(&job->partitions[p],
                              im_job_registry_mine(job, p, reply));
    }
}


static int
im_job_registry_mine(im_job_t *job, uint16_t p, const im_daemon_reply_t *live)
{
    im_str_t   id;
    uint64_t   mine, other;
    im_uint_t  i;

    mine = im_job_registry_weight(im_str_z(job->id), p);

    for (i = 0; i < im_daemon_reply_len(live); i++) {
        id = im_daemon_reply_str(im_daemon_reply_at(live, i));
        other = im_job_registry_weight(id, p);

        if (other > mine) {
            return 0;
        }
    }

    return 1;
}


/* Every process must come to the same result: no secret seed. */
static uint64_t
im_job_registry_weight(im_str_t id, uint16_t p)
{
    uint64_t  seed[2];

    seed[0] = p;
    seed[1] = 0;

    return im_siphash(seed, id.data, id.len);
}


void
im_job_registry_leave(im_job_t *job)
{
    im_buf_t  key;
    im_str_t  args[3];

    im_buf_init(&key, 256);
    im_key_jobs(&key, job->redis.prefix);

    args[0] = im_str_z("ZREM");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z(job->id);

    (void) im_daemon_redis_command(job->link, IM_PARTITION_REG, args, 3, NULL,
                                   NULL);

    im_buf_cleanup(&key);
}
