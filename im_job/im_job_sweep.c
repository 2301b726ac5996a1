/*
 * Copyright (C) The im authors
 *
 * Routes of dead workers.
 *
 * A PUBLISH that nobody got makes its worker a suspect.  When an entry names a
 * suspect, the route's value is read, then the worker's lease, and if that is
 * over the route goes, unless it has been written since, and the workers that
 * are left are told.  A message is never kept from anybody for it.
 */

#include <sys/time.h>

#include "im_job.h"
#include "im_control.h"
#include "im_record.h"
#include "im_daemon_log.h"


#define IM_JOB_SWEEPS        64        /* under way */
#define IM_JOB_SWEEP_QUEUE   "10000"   /* then nobody is told */


typedef struct {
    im_job_t  *job;
    uint16_t   p;
    im_str_t   topic;      /* these three behind the struct or allocated */
    im_str_t   worker;
    im_str_t   value;
} im_job_sweep_t;


static im_int_t im_job_sweep_find(const im_job_t *job, im_str_t worker);
static void im_job_sweep_start(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t worker);
static void im_job_sweep_value(const im_daemon_reply_t *reply, void *data);
static void im_job_sweep_ask(im_job_sweep_t *sweep);
static void im_job_sweep_lease(const im_daemon_reply_t *reply, void *data);
static im_int_t im_job_sweep_run(im_job_sweep_t *sweep);
static void im_job_sweep_done(const im_daemon_reply_t *reply, void *data);
static void im_job_sweep_tell(im_job_sweep_t *sweep);
static void im_job_sweep_free(im_job_sweep_t *sweep);


void
im_job_sweep_heard(im_job_t *job, im_str_t worker, int receivers)
{
    im_int_t  i;

    i = im_job_sweep_find(job, worker);

    if (receivers != 0) {

        if (i >= 0) {
            im_free(job->suspects[i].data);
            job->suspects[i] = job->suspects[--job->nsuspects];
        }

        return;
    }

    if (i >= 0 || job->nsuspects == IM_JOB_SUSPECTS) {
        return;
    }

    i = (im_int_t) job->nsuspects;

    job->suspects[i].data = im_alloc(worker.len);
    if (job->suspects[i].data == NULL) {
        return;
    }

    memcpy(job->suspects[i].data, worker.data, worker.len);
    job->suspects[i].len = worker.len;
    job->nsuspects++;
}


void
im_job_sweep_entry(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t workers)
{
    size_t     len;
    u_char    *space;
    im_str_t   worker;

    if (job->nsuspects == 0) {
        return;
    }

    while (workers.len != 0) {
        space = memchr(workers.data, ' ', workers.len);
        len = space != NULL ? (size_t) (space - workers.data) : workers.len;

        worker = im_str_set(workers.data, len);

        if (len != 0 && im_job_sweep_find(job, worker) >= 0
            && job->nsweeps < IM_JOB_SWEEPS)
        {
            im_job_sweep_start(job, p, topic, worker);
        }

        len += space != NULL;
        workers.data += len;
        workers.len -= len;
    }
}


void
im_job_sweep_cleanup(im_job_t *job)
{
    while (job->nsuspects != 0) {
        im_free(job->suspects[--job->nsuspects].data);
    }
}


static im_int_t
im_job_sweep_find(const im_job_t *job, im_str_t worker)
{
    im_uint_t  i;

    for (i = 0; i < job->nsuspects; i++) {
        if (im_str_eq(job->suspects[i], worker)) {
            return (im_int_t) i;
        }
    }

    return -1;
}


static void
im_job_sweep_start(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t worker)
{
    u_char          *dst;
    im_buf_t         key;
    im_str_t         args[3];
    im_job_sweep_t  *sweep;

    sweep = im_calloc(sizeof(im_job_sweep_t) + topic.len + worker.len);
    if (sweep == NULL) {
        return;
    }

    dst = (u_char *) (sweep + 1);
    memcpy(dst, topic.data, topic.len);
    memcpy(dst + topic.len, worker.data, worker.len);

    sweep->job = job;
    sweep->p = p;
    sweep->topic = im_str_set(dst, topic.len);
    sweep->worker = im_str_set(dst + topic.len, worker.len);

    job->nsweeps++;

    im_buf_init(&key, 2048);
    im_key_topic(&key, job->redis.prefix, p, topic, IM_KEY_ROUTES);

    args[0] = im_str_z("HGET");
    args[1] = im_buf_str(&key);
    args[2] = sweep->worker;

    if (key.failed
        || im_daemon_redis_command(job->link, p, args, 3, im_job_sweep_value,
                                   sweep)
           != IM_OK)
    {
        im_job_sweep_free(sweep);
    }

    im_buf_cleanup(&key);
}


static void
im_job_sweep_value(const im_daemon_reply_t *reply, void *data)
{
    im_str_t         value;
    im_job_sweep_t  *sweep = data;

    value = im_daemon_reply_str(reply);

    if (value.len == 0 || im_daemon_reply_is_error(reply)) {
        im_job_sweep_free(sweep);
        return;
    }

    sweep->value.data = im_alloc(value.len);

    if (sweep->value.data == NULL) {
        im_job_sweep_free(sweep);
        return;
    }

    memcpy(sweep->value.data, value.data, value.len);
    sweep->value.len = value.len;

    im_job_sweep_ask(sweep);
}


/*
 * Clock and lease are read as one.  Who renews it behind that had let it lapse:
 * such a worker writes all of its routes again, with other values.
 */
static void
im_job_sweep_ask(im_job_sweep_t *sweep)
{
    im_buf_t  key;
    im_str_t  args[4];

    im_buf_init(&key, 256);
    im_key_nodes(&key, sweep->job->redis.prefix);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z(im_text(IM_LEASE_WORKER));
    args[2] = sweep->worker;
    args[3] = im_str_z("1");

    if (key.failed
        || im_daemon_redis_script(sweep->job->link, IM_PARTITION_REG,
                                  &im_script_live, args, 4, 1,
                                  im_job_sweep_lease, sweep)
           != IM_OK)
    {
        im_job_sweep_free(sweep);
    }

    im_buf_cleanup(&key);
}


static void
im_job_sweep_lease(const im_daemon_reply_t *reply, void *data)
{
    im_job_sweep_t  *sweep = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)
        || im_daemon_reply_len(reply) != 0
        || im_job_sweep_run(sweep) != IM_OK)
    {
        im_job_sweep_free(sweep);
    }
}


static im_int_t
im_job_sweep_run(im_job_sweep_t *sweep)
{
    size_t     routes;
    im_buf_t   keys;
    im_int_t   rc;
    im_str_t   args[4];
    im_job_t  *job;

    job = sweep->job;

    im_buf_init(&keys, 4096);
    im_key_topic(&keys, job->redis.prefix, sweep->p, sweep->topic,
                 IM_KEY_ROUTES);
    routes = keys.len;
    im_key_members(&keys, job->redis.prefix, sweep->p, sweep->topic,
                   sweep->worker);

    args[0] = im_str_set(keys.data, routes);
    args[1] = im_str_set(keys.data + routes, keys.len - routes);
    args[2] = sweep->worker;
    args[3] = sweep->value;

    rc = keys.failed ? IM_ERROR
         : im_daemon_redis_script(job->link, sweep->p, &im_script_sweep, args,
                                  4, 2, im_job_sweep_done, sweep);

    im_buf_cleanup(&keys);

    return rc;
}


static void
im_job_sweep_done(const im_daemon_reply_t *reply, void *data)
{
    im_job_sweep_t  *sweep = data;

    if (im_daemon_reply_int(reply, 0) == 1) {
        im_daemon_log(IM_LOG_INFO, "route of the dead worker \"%.*s\" "
                      "removed", (int) sweep->worker.len,
                      (char *) sweep->worker.data);

        if (sweep->topic.data[0] == 'r') {
            im_job_sweep_tell(sweep);
        }
    }

    im_job_sweep_free(sweep);
}


static void
im_job_sweep_tell(im_job_sweep_t *sweep)
{
    size_t          queue, routes;
    im_buf_t        b;
    im_str_t        args[6];
    im_job_t       *job;
    im_control_t    control;
    struct timeval  tv;

    job = sweep->job;

    (void) gettimeofday(&tv, NULL);

    im_control_init(&control, IM_CONTROL_CHANGES);

    im_buf_init(&b, 4096);
    im_key_queue(&b, job->redis.prefix, sweep->p);
    queue = b.len;
    im_key_topic(&b, job->redis.prefix, sweep->p, sweep->topic,
                 IM_KEY_ROUTES);
    routes = b.len;
    im_control_encode(&b, &control, (uint64_t) tv.tv_sec * 1000
                                    + (uint64_t) tv.tv_usec / 1000);

    args[0] = im_str_set(b.data, queue);
    args[1] = im_str_set(b.data + queue, routes - queue);
    args[2] = sweep->topic;
    args[3] = im_str_set(b.data + routes, b.len - routes);
    args[4] = im_str_z(IM_JOB_SWEEP_QUEUE);
    args[5] = im_str_z("");

    if (!b.failed) {
        (void) im_daemon_redis_script(job->link, sweep->p, &im_script_control,
                                      args, 6, 2, NULL, NULL);
    }

    im_buf_cleanup(&b);
}


static void
im_job_sweep_free(im_job_sweep_t *sweep)
{
    sweep->job->nsweeps--;

    im_free(sweep->value.data);
    im_free(sweep);
}
