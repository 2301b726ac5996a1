/*
 * Copyright (C) The im authors
 *
 * Routes of workers that have gone without a leave.
 *
 * Those of topics that get messages are found by im_job_sweep.c.  No message
 * names the others: so when the workers that live are others than before, all
 * routes are looked at, and those of workers that don't live are swept.  The
 * process that should own the first partition does it.
 */

#include "im_job.h"
#include "im_key_kind.h"
#include "im_link_leases.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


#define IM_JOB_ORPHAN_PAUSE    5000      /* ms, between two walks */
#define IM_JOB_ORPHAN_WORKERS  100000


/* The workers of one topic. */
typedef struct {
    im_job_t  *job;
    uint16_t   p;
    im_str_t   topic;      /* stored after the struct */
} im_job_orphan_t;


/* Names of workers, each with a space before and behind. */
static int
im_job_orphan_lives(im_job_t *job, im_str_t worker)
{
    int        lives;
    im_buf_t   name;

    im_buf_init(&name, IM_WORKER_MAX + 2);
    im_buf_add(&name, " ", 1);
    im_buf_add_str(&name, worker);
    im_buf_add(&name, " ", 1);

    lives = name.failed
            || memmem(job->workers.data, job->workers.len, name.data, name.len)
               != NULL;

    im_buf_cleanup(&name);

    return lives;
}


static void
im_job_orphan_workers(const im_link_reply_t *reply, void *data)
{
    im_str_t          worker;
    im_job_t         *job;
    im_uint_t         i;
    im_job_orphan_t  *orphan = data;

    job = orphan->job;

    if (reply == NULL) {
        im_job_walk_stop(&job->orphans);
    }

    for (i = 0; i < im_link_reply_len(reply); i++) {
        worker = im_link_reply_str_at(reply, i);

        if (!im_job_orphan_lives(job, worker)) {
            job->counters.orphans++;
            im_job_sweep_start(job, orphan->p, orphan->topic, worker);
        }
    }

    im_free(orphan);
    im_job_walk_release(&job->orphans);
}


static void
im_job_orphan_key(im_job_t *job, im_str_t key)
{
    uint16_t          p;
    im_str_t          topic;
    im_link_call_t   *call;
    im_job_orphan_t  *orphan;

    if (im_key_kind(im_link_keys(job->link), key, &p, &topic)
        != IM_KIND_ROUTES)
    {
        return;
    }

    orphan = im_alloc(sizeof(im_job_orphan_t) + topic.len);
    if (orphan == NULL) {
        im_job_walk_stop(&job->orphans);
        return;
    }

    orphan->job = job;
    orphan->p = p;
    orphan->topic = im_str_set((u_char *) (orphan + 1), topic.len);
    im_copy(orphan->topic.data, topic.data, topic.len);

    call = im_link_command(job->link, "HKEYS");

    im_buf_add_str(&call->bytes, key);
    im_link_call_key(call);

    if (im_job_walk_call(&job->orphans, im_job_orphan_workers, orphan)
        != IM_OK)
    {
        im_free(orphan);
        im_job_walk_stop(&job->orphans);
    }
}


/* A walk that was broken off begins again. */
static void
im_job_orphan_end(im_job_t *job, int whole)
{
    if (!whole) {
        job->changed = 1;
    }
}


const im_job_walk_events_t  im_job_orphan_events = {
    im_job_orphan_key,
    im_job_orphan_end
};


/* The sum doesn't depend on the order. */
static void
im_job_orphan_live(const im_link_reply_t *reply, void *data)
{
    im_str_t         worker;
    uint64_t         sum;
    im_job_t        *job = data;
    im_uint_t        i, n;

    static uint64_t  seed[2];

    n = im_link_reply_len(reply);

    if (!im_link_reply_is_array(reply, 0) || n >= IM_JOB_ORPHAN_WORKERS
        || job->orphans.state != IM_JOB_WALK_NONE)
    {
        return;
    }

    im_buf_reset(&job->workers, job->workers.max);
    im_buf_add(&job->workers, " ", 1);

    for (i = 0, sum = n; i < n; i++) {
        worker = im_link_reply_str_at(reply, i);
        sum += im_siphash(seed, worker.data, worker.len);

        im_buf_add_str(&job->workers, worker);
        im_buf_add(&job->workers, " ", 1);
    }

    job->changed |= sum != job->live || job->workers.failed;
    job->live = sum;

    if (job->changed && !job->workers.failed
        && im_daemon_now() - job->orphans.ended >= IM_JOB_ORPHAN_PAUSE)
    {
        job->changed = 0;
        job->counters.walks++;
        im_job_walk_start(&job->orphans, 0, im_link_servers(job->link));
    }
}


void
im_job_orphan_tick(im_job_t *job)
{
    uint32_t  p;

    if (job->npartitions == 0 || job->orphans.state != IM_JOB_WALK_NONE
        || !job->partitions[0].wanted)
    {
        return;
    }

    /* a walk that can't be whole would begin again and again */

    for (p = 0; p < job->npartitions; p++) {
        if (!im_link_ready(job->link, p)) {
            return;
        }
    }

    if (job->orphans.match.len == 0) {
        im_key_glob_routes(&job->orphans.match, im_link_keys(job->link));
    }

    (void) im_link_leases_sure(job->link, IM_LINK_WORKERS,
                               IM_JOB_ORPHAN_WORKERS);
    (void) im_link_send(job->link, im_job_orphan_live, job);
}
