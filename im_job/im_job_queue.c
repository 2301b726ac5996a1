/*
 * Copyright (C) The im authors
 *
 * The queue of a partition that is ours: each entry goes to the workers of its
 * route snapshot, in the order of the queue.
 *
 * Nothing blocks.  A script that appends an entry to a short queue rings for
 * it: the bell carries the queue's length before, and the entry.  If that
 * length is the number of entries that were taken and not trimmed yet, the
 * entry is the next one and is taken from the bell.  Otherwise the queue is
 * read.
 *
 * Entries that were taken are published and then trimmed, in one write on one
 * connection, so that a queue is empty as soon as all of it is out: scripts
 * publish by themselves while it is.  If a process or Redis dies, the next
 * owner finds in the queue all entries that were not published, and at most a
 * few more; workers drop those by their numbers.
 *
 * While Redis has not answered a batch the next one gathers: a lone entry goes
 * at once, and those of a round trip go together.
 */

#include "im_job.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


#define IM_JOB_RETRY         10       /* ms, after a batch that wasn't sent */
#define IM_JOB_COUNT         256      /* entries of one read */
#define IM_JOB_READ_BYTES    (4 * 1024 * 1024)


static void im_job_queue_got(const im_link_reply_t *reply, void *data);


im_int_t
im_job_queue_init(im_job_t *job, uint32_t npartitions)
{
    uint32_t             p;
    im_job_partition_t  *jp;

    job->partitions = im_calloc(npartitions * sizeof(im_job_partition_t));

    if (job->partitions == NULL
        || (job->shared
            && im_job_batch_init(&job->batch, job->seed) != IM_OK))
    {
        return IM_ERROR;
    }

    for (p = 0; p < npartitions; p++) {
        jp = &job->partitions[p];

        jp->job = job;
        jp->p = p;
        jp->count = IM_JOB_COUNT_FIRST;

        if (!job->shared && im_job_batch_init(&jp->batch, job->seed) != IM_OK) {
            return IM_ERROR;
        }

        job->npartitions++;
    }

    return IM_OK;
}


void
im_job_queue_cleanup(im_job_t *job)
{
    uint32_t  p;

    for (p = 0; p < job->npartitions && !job->shared; p++) {
        im_job_batch_cleanup(&job->partitions[p].batch);
    }

    if (job->npartitions > 0 && job->shared) {
        im_job_batch_cleanup(&job->batch);
    }

    im_free(job->partitions);
}


/* Entries that were taken are taken again. */
static void
im_job_queue_forget(im_job_partition_t *jp)
{
    jp->held = 0;
    memset(&jp->last, 0, sizeof(im_job_id_t));
}


/* The bell's channel is subscribed while the lease is ours. */
void
im_job_queue_state(im_job_partition_t *jp, im_job_state_e state)
{
    int         was, is;
    im_buf_t    key;
    im_link_t  *link;

    was = im_job_queue_owned(jp);
    jp->state = state;
    is = im_job_queue_owned(jp);

    if (was == is) {
        return;
    }

    link = jp->job->link;

    im_buf_init(&key, 256);
    im_key_queue(&key, im_link_keys(link), jp->p);

    if (is) {
        jp->entries = 0;
        im_job_queue_forget(jp);

        /* without a channel it is read by each tick */
        (void) im_link_subscribe(link, im_buf_str(&key), jp->p, 0);

    } else {
        im_link_unsubscribe(link, im_buf_str(&key));
    }

    im_buf_cleanup(&key);
}


int
im_job_queue_owned(const im_job_partition_t *jp)
{
    return jp->state >= IM_JOB_WAITING && jp->state <= IM_JOB_FOLLOWING;
}


im_uint_t
im_job_queue_served(const im_job_t *job, im_uint_t *wanted)
{
    uint32_t   p;
    im_uint_t  n;

    *wanted = 0;

    for (p = 0, n = 0; p < job->npartitions; p++) {
        n += im_job_serves(&job->partitions[p]);
        *wanted += job->partitions[p].wanted;
    }

    return n;
}


/* {id, {name, value, ..}}.  What isn't there is empty. */
static void
im_job_queue_decode(const im_link_reply_t *reply, im_job_entry_t *e)
{
    im_str_t                name;
    im_uint_t               i, k;
    const im_link_reply_t  *fields;

    im_str_t  *values[] = { &e->topic, &e->position, &e->workers,
                            &e->envelope };

    memset(e, 0, sizeof(im_job_entry_t));

    (void) im_job_id_decode(im_link_reply_str_at(reply, 0), &e->id);

    fields = im_link_reply_at(reply, 1);

    for (i = 0; i + 1 < im_link_reply_len(fields); i += 2) {
        name = im_link_reply_str_at(fields, i);

        for (k = 0; k < 4; k++) {
            if (name.len == 1 && name.data[0] == "tiwd"[k]) {
                *values[k] = im_link_reply_str_at(fields, i + 1);
            }
        }
    }
}


static im_int_t
im_job_queue_take(im_job_partition_t *jp, const im_job_entry_t *e)
{
    im_job_t    *job;
    im_entry_t   push;

    job = jp->job;

    jp->last = e->id;
    jp->held++;
    jp->entries++;
    job->counters.entries++;

    if (im_job_entry_push(e, &push) != IM_OK) {
        job->counters.malformed++;
        im_daemon_log(IM_LOG_ERROR, "partition %u: entry is not a push, "
                      "skipped", jp->p);
        return IM_OK;
    }

    im_job_sweep_entry(job, jp->p, push.topic, e->workers);

    if (im_job_batch_add(im_job_batch_of(jp), jp->p, e->workers, &push)
        != IM_OK)
    {
        im_daemon_log(IM_LOG_ERROR, "partition %u: no memory", jp->p);
        im_job_queue_reset(jp);
        return IM_ERROR;
    }

    return IM_OK;
}


im_link_call_t *
im_job_queue_call(im_job_partition_t *jp, const char *word)
{
    im_link_t       *link;
    im_link_call_t  *call;

    link = jp->job->link;
    call = im_link_command(link, word);

    im_key_queue(&call->bytes, im_link_keys(link), jp->p);
    im_link_call_key(call);

    return call;
}


/* After a stall the lease may be another's: then it waits for the tick. */
static void
im_job_queue_read(im_job_partition_t *jp)
{
    im_link_call_t  *call;

    im_job_queue_state(jp, IM_JOB_READING);
    memset(&jp->heard, 0, sizeof(im_job_id_t));

    call = im_job_queue_call(jp, "XRANGE");

    if (jp->held == 0) {
        im_link_call_z(call, "-");

    } else {
        im_buf_add_z(&call->bytes, "(");
        im_buf_add_uint(&call->bytes, jp->last.ms);
        im_buf_add_z(&call->bytes, "-");
        im_buf_add_uint(&call->bytes, jp->last.n);
        im_link_call_arg(call);
    }

    im_link_call_z(call, "+");
    im_link_call_z(call, "COUNT");
    im_link_call_uint(call, jp->count);

    if (im_daemon_now() >= jp->lease_end
        || im_link_send(jp->job->link, im_job_queue_got, jp) != IM_OK)
    {
        im_job_queue_state(jp, IM_JOB_WAITING);
        return;
    }

    jp->reads++;
}


static void
im_job_queue_trim(im_job_partition_t *jp)
{
    im_link_call_t  *call;

    call = im_job_queue_call(jp, "XTRIM");

    im_link_call_z(call, "MINID");
    im_buf_add_uint(&call->bytes, jp->last.ms);
    im_buf_add_z(&call->bytes, "-");
    im_buf_add_uint(&call->bytes, jp->last.n + 1);
    im_link_call_arg(call);

    if (im_daemon_now() >= jp->lease_end
        || im_link_send(jp->job->link, NULL, NULL) != IM_OK)
    {
        return;
    }

    /* so long a queue didn't ring */

    if (jp->held >= IM_JOB_RINGS) {
        im_job_queue_state(jp, IM_JOB_READING);
    }

    jp->held = 0;
}


/* Trims the queue behind what was published, and goes on with reads. */
static void
im_job_queue_go_on(im_job_partition_t *jp)
{
    if (jp->held != 0) {
        im_job_queue_trim(jp);
    }

    if (jp->state == IM_JOB_READING && jp->reads == 0) {
        im_job_queue_read(jp);
    }
}


/*
 * Publishes what was taken, and goes on behind it.  gather: not while Redis has
 * a batch.  One that could not be sent holds up its own partitions only.
 */
static void
im_job_queue_flush(im_job_t *job, int gather)
{
    int                  failed;
    im_int_t             rc;
    uint32_t             p;
    struct timeval       tv = { 0, IM_JOB_RETRY * 1000 };
    im_job_batch_t      *batch;
    im_job_partition_t  *jp;

    rc = IM_OK;
    failed = 0;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];
        batch = im_job_batch_of(jp);

        if (p == 0 || !job->shared) {
            rc = gather && batch->out > 0
                 ? IM_AGAIN : im_job_batch_flush(batch, im_job_publish, job);
        }

        if (rc == IM_OK && im_job_queue_owned(jp)) {
            im_job_queue_go_on(jp);
        }

        failed |= rc == IM_ERROR;
    }

    if (failed) {
        (void) evtimer_add(job->flush, &tv);
    }
}


void
im_job_queue_flush_handler(evutil_socket_t fd, short what, void *data)
{
    im_job_queue_flush(data, 1);
}


static void
im_job_queue_got(const im_link_reply_t *reply, void *data)
{
    uint64_t             bytes;
    im_str_t             why;
    im_uint_t            i, n;
    im_job_entry_t       e;
    im_job_partition_t  *jp = data;

    if (--jp->reads != 0 || jp->state != IM_JOB_READING) {
        return;
    }

    /* a call that could not be sent in time comes back without a loss */

    if (reply == NULL) {
        im_job_queue_state(jp, IM_JOB_WAITING);
        return;
    }

    if (im_link_reply_is_error(reply)) {
        why = im_link_reply_str(reply);
        im_daemon_log(IM_LOG_WARN, "partition %u: XRANGE: %.*s", jp->p,
                      (int) why.len, (char *) why.data);
        im_job_queue_state(jp, IM_JOB_WAITING);
        return;
    }

    n = im_link_reply_len(reply);
    bytes = 0;

    for (i = 0; i < n; i++) {
        im_job_queue_decode(im_link_reply_at(reply, i), &e);
        bytes += e.envelope.len + e.workers.len;

        if (im_job_queue_take(jp, &e) != IM_OK) {
            return;
        }
    }

    /* where there may be more it is read again, after the batch */

    if (n < jp->count) {

        if (im_job_id_compare(jp->heard, jp->last) <= 0) {
            im_job_queue_state(jp, IM_JOB_FOLLOWING);
        }

        im_job_flush_soon(jp->job);
        return;
    }

    /* the next read is as long as memory allows */

    jp->count = bytes > IM_JOB_READ_BYTES
                ? im_max(jp->count / 2, 1)
                : im_min(jp->count * 2, IM_JOB_COUNT);

    im_job_queue_flush(jp->job, 0);
}


void
im_job_queue_subscribed(void *data, im_uint_t p)
{
    im_job_partition_t  *jp;

    jp = &((im_job_t *) data)->partitions[p];

    if (im_job_queue_owned(jp)) {
        im_job_queue_read(jp);
    }
}


void
im_job_queue_bell(void *data, im_uint_t p, im_str_t bell)
{
    im_int_t             rc;
    uint64_t             n;
    im_job_entry_t       e;
    im_job_partition_t  *jp;

    jp = &((im_job_t *) data)->partitions[p];

    if (!im_job_serves(jp)) {
        return;
    }

    rc = im_job_bell_decode(bell, &n, &e);

    if (rc == IM_ERROR) {
        im_daemon_log(IM_LOG_ERROR, "partition %u: a bell is malformed", jp->p);
        return;
    }

    if (jp->state == IM_JOB_READING) {

        if (im_job_id_compare(e.id, jp->heard) > 0) {
            jp->heard = e.id;
        }

        return;
    }

    /* a read may overtake a bell */

    if (im_job_id_compare(e.id, jp->last) <= 0) {
        return;
    }

    if (rc != IM_OK || n != jp->held || im_daemon_now() >= jp->lease_end) {
        im_job_queue_read(jp);
        return;
    }

    if (im_job_queue_take(jp, &e) == IM_OK) {
        im_job_flush_soon(jp->job);
    }
}


static void
im_job_queue_again(im_job_partition_t *jp)
{
    if (im_job_queue_owned(jp)) {
        im_job_queue_state(jp, IM_JOB_WAITING);
        im_job_queue_forget(jp);
    }
}


void
im_job_queue_reset(im_job_partition_t *jp)
{
    uint32_t   p;
    im_job_t  *job;

    job = jp->job;

    im_job_batch_clear(im_job_batch_of(jp));

    if (!job->shared) {
        im_job_queue_again(jp);
        return;
    }

    for (p = 0; p < job->npartitions; p++) {
        im_job_queue_again(&job->partitions[p]);
    }
}


void
im_job_queue_tick(im_job_t *job)
{
    uint32_t             p;
    im_job_partition_t  *jp;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (im_job_queue_owned(jp) && jp->state != IM_JOB_READING) {
            im_job_queue_read(jp);
        }
    }
}


void
im_job_queue_finish(im_job_partition_t *jp)
{
    im_job_queue_flush(jp->job, 0);
    im_job_queue_state(jp, IM_JOB_LEAVING);
}
