/*
 * Copyright (C) The im authors
 *
 * Routes of dead workers.
 *
 * A PUBLISH without a receiver makes its worker a suspect.  When an entry names
 * a suspect, the route's value is read, then the worker's lease.  If that is
 * over, the route is removed, unless the worker has written it since, and the
 * other workers of the topic get a control entry.  A suspect still gets all of
 * its messages.
 */

#include <sys/time.h>

#include "im_job.h"
#include "im_control.h"
#include "im_link_leases.h"
#include "im_daemon_log.h"


#define IM_JOB_SWEEPS       64        /* under way */
#define IM_JOB_SWEEP_QUEUE  10000     /* longer: no control entry */
#define IM_JOB_SWEEP_VALUE  64        /* bytes of a route */


typedef struct {
    im_job_t  *job;
    uint16_t   p;
    im_str_t   topic;      /* the three are stored after the struct */
    im_str_t   worker;
    im_str_t   value;
} im_job_sweep_t;


static im_int_t
im_job_sweep_find(const im_job_t *job, im_str_t worker)
{
    im_uint_t  i;

    for (i = 0; i < job->nsuspects; i++) {
        if (im_str_eq(worker, im_str_set(job->suspects[i].name,
                                         job->suspects[i].len)))
        {
            return (im_int_t) i;
        }
    }

    return -1;
}


void
im_job_sweep_heard(im_job_t *job, im_str_t worker, int receivers)
{
    im_int_t           i;
    im_job_suspect_t  *suspect;

    i = im_job_sweep_find(job, worker);

    if (receivers != 0 && i >= 0) {
        job->suspects[i] = job->suspects[--job->nsuspects];
        return;
    }

    /* dead workers stay suspects: the oldest ones make room */

    if (receivers == 0 && i < 0 && worker.len <= IM_WORKER_MAX) {
        i = job->nsuspects < IM_JOB_SUSPECTS
            ? job->nsuspects++ : job->replaced++ % IM_JOB_SUSPECTS;

        suspect = &job->suspects[i];
        suspect->len = worker.len;
        im_copy(suspect->name, worker.data, worker.len);
    }
}


/* The routes of the topic. */
static void
im_job_sweep_key(im_job_sweep_t *sweep, im_link_call_t *call)
{
    im_key_topic(&call->bytes, im_link_keys(sweep->job->link), sweep->p,
                 sweep->topic, IM_KEY_ROUTES);
    im_link_call_key(call);
}


static void
im_job_sweep_free(im_job_sweep_t *sweep)
{
    sweep->job->nsweeps--;
    im_free(sweep);
}


static void
im_job_sweep_send(im_job_sweep_t *sweep, im_link_reply_pt handler)
{
    if (im_link_send(sweep->job->link, handler, sweep) != IM_OK) {
        im_job_sweep_free(sweep);
    }
}


static void
im_job_sweep_done(const im_link_reply_t *reply, void *data)
{
    im_link_t       *link;
    im_control_t     control;
    struct timeval   tv;
    im_job_sweep_t  *sweep = data;
    im_link_call_t  *call;

    link = sweep->job->link;

    if (im_link_reply_int(reply, 0) == 1) {
        sweep->job->counters.removed++;
        im_daemon_log(IM_LOG_INFO, "route of the dead worker \"%.*s\" "
                      "removed", (int) sweep->worker.len,
                      (char *) sweep->worker.data);

        /* the other workers of a room forget its members */

        if (sweep->topic.data[0] == 'r') {
            (void) gettimeofday(&tv, NULL);

            im_control_init(&control, IM_CONTROL_CHANGES);

            call = im_link_script(link, &im_script_control);

            im_key_queue(&call->bytes, im_link_keys(link), sweep->p);
            im_link_call_key(call);
            im_job_sweep_key(sweep, call);
            im_link_call_channels(call, im_link_keys(link), sweep->p);
            im_link_call_str(call, sweep->topic);
            im_control_encode(&call->bytes, &control,
                              (uint64_t) tv.tv_sec * 1000
                              + (uint64_t) tv.tv_usec / 1000);
            im_link_call_arg(call);
            im_link_call_uint(call, IM_JOB_SWEEP_QUEUE);
            im_link_call_z(call, "");

            (void) im_link_send(link, NULL, NULL);
        }
    }

    im_job_sweep_free(sweep);
}


static void
im_job_sweep_lease(const im_link_reply_t *reply, void *data)
{
    im_job_sweep_t  *sweep = data;
    im_link_call_t  *call;

    if (reply == NULL || im_link_reply_is_error(reply)
        || im_link_reply_len(reply) != 0)
    {
        im_job_sweep_free(sweep);
        return;
    }

    call = im_link_script(sweep->job->link, &im_script_sweep);

    im_job_sweep_key(sweep, call);
    im_key_members(&call->bytes, im_link_keys(sweep->job->link), sweep->p,
                   sweep->topic, sweep->worker);
    im_link_call_key(call);
    im_key_topic(&call->bytes, im_link_keys(sweep->job->link), sweep->p,
                 sweep->topic, IM_KEY_META);
    im_link_call_key(call);
    im_link_call_str(call, sweep->worker);
    im_link_call_str(call, sweep->value);

    im_job_sweep_send(sweep, im_job_sweep_done);
}


/*
 * live.lua reads clock and lease as one.  A worker that renews its lease after
 * that had let it lapse: it writes all of its routes again, with other values.
 */
static void
im_job_sweep_value(const im_link_reply_t *reply, void *data)
{
    im_str_t         value;
    im_job_sweep_t  *sweep = data;

    value = im_link_reply_str(reply);

    if (value.len == 0 || value.len > IM_JOB_SWEEP_VALUE
        || im_link_reply_is_error(reply))
    {
        im_job_sweep_free(sweep);
        return;
    }

    im_copy(sweep->value.data, value.data, value.len);
    sweep->value.len = value.len;

    (void) im_link_leases_live(sweep->job->link, IM_LINK_WORKERS,
                               sweep->worker, 1);

    im_job_sweep_send(sweep, im_job_sweep_lease);
}


void
im_job_sweep_start(im_job_t *job, uint16_t p, im_str_t topic, im_str_t worker)
{
    u_char          *dst;
    im_job_sweep_t  *sweep;
    im_link_call_t  *call;

    sweep = im_calloc(sizeof(im_job_sweep_t) + topic.len + worker.len
                      + IM_JOB_SWEEP_VALUE);
    if (sweep == NULL) {
        return;
    }

    dst = (u_char *) (sweep + 1);
    im_copy(dst, topic.data, topic.len);
    im_copy(dst + topic.len, worker.data, worker.len);

    sweep->job = job;
    sweep->p = p;
    sweep->topic = im_str_set(dst, topic.len);
    sweep->worker = im_str_set(dst + topic.len, worker.len);
    sweep->value = im_str_set(dst + topic.len + worker.len, 0);

    job->nsweeps++;
    job->counters.sweeps++;

    call = im_link_command(job->link, "HGET");

    im_job_sweep_key(sweep, call);
    im_link_call_str(call, sweep->worker);

    im_job_sweep_send(sweep, im_job_sweep_value);
}


void
im_job_sweep_entry(im_job_t *job, uint16_t p, im_str_t topic, im_str_t workers)
{
    im_str_t  worker;

    if (job->nsuspects == 0) {
        return;
    }

    for ( ;; ) {
        worker = im_job_name_next(&workers);

        if (worker.len == 0 || job->nsweeps >= IM_JOB_SWEEPS) {
            return;
        }

        if (im_job_sweep_find(job, worker) >= 0) {
            im_job_sweep_start(job, p, topic, worker);
        }
    }
}
