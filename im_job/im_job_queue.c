/*
 * Copyright (C) The im authors
 *
 * The queue of a partition that is ours: each entry goes to the workers of its
 * route snapshot, in the order of the queue.
 *
 * Nothing blocks.  A script that appends an entry to a short queue rings for
 * it, with the queue's length before.  Where that is the number of entries
 * that were taken and are still there, the entry is the next one, and the bell
 * has it.  In any other case the queue is read.
 *
 * What was taken is published first and trimmed behind that, on one
 * connection: whatever dies, the next owner finds in the queue what was not
 * published, and perhaps a little more, which workers drop by its number.  A
 * control entry has no number, so it is trimmed at once.
 */

#include <time.h>

#include "im_job.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


#define IM_JOB_PACE          1000     /* us between two batches */
#define IM_JOB_TRIM          100      /* ms between two trims of a queue, .. */
#define IM_JOB_TRIM_COUNT    (IM_JOB_RINGS / 2)        /* .. or so much */
#define IM_JOB_TRIM_BYTES    (64 * 1024)
#define IM_JOB_COUNT         256      /* entries of one read */
#define IM_JOB_COUNT_FIRST   16
#define IM_JOB_READ_BYTES    (4 * 1024 * 1024)


static void im_job_queue_read(im_job_partition_t *jp);
static void im_job_queue_got(const im_link_reply_t *reply, void *data);
static void im_job_queue_decode(const im_link_reply_t *reply,
    im_job_entry_t *e);
static im_int_t im_job_queue_take(im_job_partition_t *jp,
    const im_job_entry_t *e);
static void im_job_queue_flush_soon(im_job_t *job);
static void im_job_queue_flush(im_job_t *job);
static void im_job_queue_trim(im_job_partition_t *jp);
static uint64_t im_job_queue_us(void);


void
im_job_queue_init(im_job_t *job, im_job_partition_t *jp, uint16_t p)
{
    jp->job = job;
    jp->p = p;
    jp->count = IM_JOB_COUNT_FIRST;
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
    im_key_queue(&key, im_link_prefix(link), jp->p);

    if (is) {
        jp->held = 0;
        jp->bytes = 0;
        jp->entries = 0;
        memset(&jp->last, 0, sizeof(im_job_id_t));

        /* without its channel it is read by each tick */
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


void
im_job_queue_subscribed(im_job_partition_t *jp)
{
    if (im_job_queue_owned(jp)) {
        im_job_queue_read(jp);
    }
}


void
im_job_queue_bell(im_job_partition_t *jp, im_str_t bell)
{
    im_int_t        rc;
    uint64_t        n;
    im_job_entry_t  e;

    if (jp->state != IM_JOB_READING && jp->state != IM_JOB_FOLLOWING) {
        return;
    }

    rc = im_job_bell_decode(bell, &n, &e);

    if (rc == IM_ERROR) {
        im_daemon_log(IM_LOG_ERROR, "partition %u: a bell is malformed",
                      jp->p);
        return;
    }

    if (jp->state == IM_JOB_READING) {

        if (im_job_id_compare(e.id, jp->heard) > 0) {
            jp->heard = e.id;
        }

        return;
    }

    /* a bell that a read overtook */

    if (im_job_id_compare(e.id, jp->last) <= 0) {
        return;
    }

    if (rc == IM_OK && n == jp->held && im_daemon_now() < jp->lease_end) {
        if (im_job_queue_take(jp, &e) == IM_OK) {
            im_job_queue_flush_soon(jp->job);
        }

        return;
    }

    im_job_queue_read(jp);
}


void
im_job_queue_lost(im_job_t *job)
{
    uint32_t             p;
    im_job_partition_t  *jp;

    im_job_batch_flush(&job->batch, NULL, NULL);
    job->unsent = 0;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (im_job_queue_owned(jp)) {
            im_job_queue_state(jp, IM_JOB_WAITING);

            jp->held = 0;
            jp->bytes = 0;
            memset(&jp->last, 0, sizeof(im_job_id_t));
        }
    }
}


/* A lost bell costs a second, never a message. */
void
im_job_queue_tick(im_job_t *job)
{
    uint32_t             p;
    im_job_partition_t  *jp;

    im_job_queue_flush(job);

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
    im_job_queue_flush(jp->job);

    if (jp->held != 0) {
        im_job_queue_trim(jp);
    }

    im_job_queue_state(jp, IM_JOB_LEAVING);
}


static void
im_job_queue_read(im_job_partition_t *jp)
{
    im_link_t       *link;
    im_link_call_t  *call;

    /* after a stall the lease may be another's */

    if (im_daemon_now() >= jp->lease_end || !im_link_ready(jp->job->link)) {
        im_job_queue_state(jp, IM_JOB_WAITING);
        return;
    }

    im_job_queue_state(jp, IM_JOB_READING);
    memset(&jp->heard, 0, sizeof(im_job_id_t));

    link = jp->job->link;
    call = im_link_command(link, "XRANGE");

    im_key_queue(&call->bytes, im_link_prefix(link), jp->p);
    im_link_call_key(call);

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

    if (im_link_send(link, im_job_queue_got, jp) != IM_OK) {
        im_job_queue_state(jp, IM_JOB_WAITING);
        return;
    }

    jp->reads++;
}


static void
im_job_queue_got(const im_link_reply_t *reply, void *data)
{
    uint64_t             full, bytes;
    im_str_t             why;
    im_uint_t            i, n;
    im_job_entry_t       e;
    im_job_partition_t  *jp = data;

    if (--jp->reads != 0 || jp->state != IM_JOB_READING || reply == NULL) {
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

    full = n >= jp->count;

    /* the next read is as long as memory allows */

    if (bytes > IM_JOB_READ_BYTES) {
        jp->count = im_max(jp->count / 2, 1);

    } else if (full) {
        jp->count = im_min(jp->count * 2, IM_JOB_COUNT);
    }

    if (full) {
        im_job_queue_flush(jp->job);
        return;
    }

    /* else it is read again behind the next batch */

    if (jp->held < IM_JOB_RINGS
        && im_job_id_compare(jp->heard, jp->last) <= 0)
    {
        im_job_queue_state(jp, IM_JOB_FOLLOWING);
    }

    im_job_queue_flush_soon(jp->job);
}


/* {id, {name, value, ..}}.  What isn't there is empty. */
static void
im_job_queue_decode(const im_link_reply_t *reply, im_job_entry_t *e)
{
    im_str_t                name, value;
    im_uint_t               i;
    const im_link_reply_t  *fields;

    memset(e, 0, sizeof(im_job_entry_t));

    (void) im_job_id_decode(im_link_reply_str_at(reply, 0), &e->id);

    fields = im_link_reply_at(reply, 1);

    for (i = 0; i + 1 < im_link_reply_len(fields); i += 2) {
        name = im_link_reply_str_at(fields, i);
        value = im_link_reply_str_at(fields, i + 1);

        switch (name.len == 1 ? name.data[0] : 0) {

        case 't':
            e->topic = value;
            break;

        case 'i':
            e->position = value;
            break;

        case 'w':
            e->workers = value;
            break;

        case 'd':
            e->envelope = value;
            break;
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
    jp->bytes += e->envelope.len + e->workers.len;
    jp->entries++;

    if (im_job_entry_push(e, &push) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "partition %u: entry is not a push, "
                      "skipped", jp->p);
        return IM_OK;
    }

    if (push.kind == IM_PUSH_CONTROL) {
        jp->bytes += IM_JOB_TRIM_BYTES;
    }

    im_job_sweep_entry(job, jp->p, push.topic, e->workers);

    if (im_job_batch_add(&job->batch, jp->p, e->workers, &push,
                         im_job_publish, job)
        != IM_OK)
    {
        im_link_break(job->link, "no memory");
        return IM_ERROR;
    }

    return IM_OK;
}


/* A lone entry goes at once; under load those of a millisecond go together. */
static void
im_job_queue_flush_soon(im_job_t *job)
{
    uint64_t        since;
    struct timeval  tv = { 0, 0 };

    if (job->due) {
        return;
    }

    job->due = 1;
    since = im_job_queue_us() - job->flushed;

    if (since >= IM_JOB_PACE) {
        event_active(job->flush, EV_TIMEOUT, 0);
        return;
    }

    tv.tv_usec = IM_JOB_PACE - since;
    evtimer_add(job->flush, &tv);
}


void
im_job_queue_flush_handler(evutil_socket_t fd, short what, void *data)
{
    (void) fd;
    (void) what;

    im_job_queue_flush(data);
}


/* Publishes the batch, then trims queues and goes on with reads. */
static void
im_job_queue_flush(im_job_t *job)
{
    uint32_t             p;
    uint64_t             now, held;
    struct timeval       tv = { 0, IM_JOB_TRIM * 1000 };
    im_job_partition_t  *jp;

    evtimer_del(job->flush);
    job->due = 0;
    job->flushed = im_job_queue_us();

    im_job_batch_flush(&job->batch, im_job_publish, job);

    if (job->unsent) {
        im_link_break(job->link, "no memory");
        return;
    }

    now = job->flushed / 1000;
    held = 0;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (!im_job_queue_owned(jp)) {
            continue;
        }

        if (jp->held >= IM_JOB_TRIM_COUNT || jp->bytes >= IM_JOB_TRIM_BYTES
            || (jp->held != 0 && now - jp->trimmed >= IM_JOB_TRIM))
        {
            jp->trimmed = now;
            im_job_queue_trim(jp);
        }

        if (jp->state == IM_JOB_READING && jp->reads == 0) {
            im_job_queue_read(jp);
        }

        held += jp->held;
    }

    if (held != 0 && !job->due) {
        evtimer_add(job->flush, &tv);
    }
}


static void
im_job_queue_trim(im_job_partition_t *jp)
{
    im_link_t       *link;
    im_link_call_t  *call;

    link = jp->job->link;
    call = im_link_command(link, "XTRIM");

    im_key_queue(&call->bytes, im_link_prefix(link), jp->p);
    im_link_call_key(call);
    im_link_call_z(call, "MINID");
    im_buf_add_uint(&call->bytes, jp->last.ms);
    im_buf_add_z(&call->bytes, "-");
    im_buf_add_uint(&call->bytes, jp->last.n + 1);
    im_link_call_arg(call);

    if (im_link_send(link, NULL, NULL) != IM_OK) {
        return;
    }

    /* so long a queue didn't ring */

    if (jp->held >= IM_JOB_RINGS) {
        im_job_queue_state(jp, IM_JOB_READING);
    }

    jp->held = 0;
    jp->bytes = 0;
}


static uint64_t
im_job_queue_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}
