/*
 * Copyright (C) The im authors
 *
 * One partition: as long as the lease is ours, entries are read, published to
 * the workers of their route snapshot, and acknowledged.
 *
 *     free -> asked -> owned -> claiming -> reading -> leaving -> free
 *
 * An entry is acknowledged behind its PUBLISH on the same connection.  What
 * was read and not acknowledged, whoever died, is claimed by the next owner;
 * workers drop by seq what they have seen.
 */

#include <stdio.h>

#include "im_job.h"
#include "im_daemon_log.h"


#define IM_JOB_RETRY      500      /* ms after an error */
#define IM_JOB_MAX_ARGS   (3 + IM_JOB_COUNT)


/* Whose PUBLISH is under way. */
typedef struct {
    im_job_t  *job;
    im_str_t   worker;      /* behind the struct */
} im_job_sent_t;


static void im_job_partition_ask(im_job_partition_t *jp, uint64_t length);
static void im_job_partition_asked(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_start(im_job_partition_t *jp);
static void im_job_partition_up(void *data);
static void im_job_partition_down(void *data);
static void im_job_partition_fatal(void *data, const char *why);
static void im_job_partition_grouped(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_claim(im_job_partition_t *jp);
static void im_job_partition_claimed(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_look(im_job_partition_t *jp);
static void im_job_partition_next(im_job_partition_t *jp);
static void im_job_partition_read(im_job_partition_t *jp);
static void im_job_partition_got(const im_daemon_reply_t *reply, void *data);
static void im_job_partition_fault(im_job_partition_t *jp,
    const im_daemon_reply_t *reply, const char *what);
static void im_job_partition_retry(evutil_socket_t fd, short what,
    void *data);
static im_int_t im_job_partition_publish(im_job_partition_t *jp,
    const im_daemon_reply_t *entries);
static im_int_t im_job_partition_entry(im_job_partition_t *jp,
    const im_daemon_reply_t *entry, uint64_t *bytes);
static uint64_t im_job_partition_time(const im_daemon_reply_t *id);
static void im_job_partition_send(void *data, im_str_t worker,
    im_str_t bytes);
static void im_job_partition_sent(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_pending(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_trim(im_job_partition_t *jp, im_str_t id,
    int behind);
static void im_job_partition_leave(im_job_partition_t *jp);
static void im_job_partition_leaving(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_consumers(const im_daemon_reply_t *reply,
    void *data);
static void im_job_partition_forget(im_job_partition_t *jp,
    im_str_t consumer);
static void im_job_partition_left(const im_daemon_reply_t *reply, void *data);


static const im_daemon_redis_events_t  im_job_partition_events = {
    im_job_partition_up,
    im_job_partition_down,
    im_job_partition_fatal
};


void
im_job_partition_init(im_job_t *job, im_job_partition_t *jp, uint16_t p)
{
    jp->job = job;
    jp->p = p;
    jp->count = 16;
    jp->retry = evtimer_new(job->base, im_job_partition_retry, jp);
}


void
im_job_partition_want(im_job_partition_t *jp, int mine)
{
    if (mine && jp->state == IM_JOB_FREE) {
        jp->state = IM_JOB_ASKED;
        im_job_partition_ask(jp, IM_JOB_LEASE);
        return;
    }

    if (!mine && jp->state >= IM_JOB_OWNED && jp->state < IM_JOB_LEAVING) {
        jp->state = IM_JOB_LEAVING;

        if (!jp->reading) {
            im_job_partition_leave(jp);
        }
    }
}


void
im_job_partition_tick(im_job_partition_t *jp)
{
    /* one that leaves must not take the lease again behind its back */

    if (jp->state < IM_JOB_OWNED || jp->state == IM_JOB_LEAVING) {
        return;
    }

    if (im_daemon_now() >= jp->lease_end) {
        im_daemon_log(IM_LOG_WARN, "partition %u: the lease is over, it could "
                      "not be renewed", jp->p);
        im_job_partition_stop(jp);
        return;
    }

    if (!jp->renewing) {
        im_job_partition_ask(jp, IM_JOB_LEASE);
    }
}


/* Asks for the lease, renews it, or (length 0) gives it up. */
static void
im_job_partition_ask(im_job_partition_t *jp, uint64_t length)
{
    char       ms[24];
    im_buf_t   key;
    im_int_t   rc;
    im_str_t   args[3];
    im_job_t  *job;

    job = jp->job;

    snprintf(ms, sizeof(ms), "%llu", (unsigned long long) length);

    im_buf_init(&key, 256);
    im_key_owner(&key, job->redis.prefix, jp->p);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z(job->id);
    args[2] = im_str_z(ms);

    /* it lasts from now at the least: Redis gets the request later */

    if (length) {
        jp->asked_at = im_daemon_now();
    }

    rc = im_daemon_redis_script(job->link, jp->p, &im_script_own, args, 3, 1,
                                length ? im_job_partition_asked : NULL, jp);

    jp->renewing = length && rc == IM_OK;

    if (rc != IM_OK && jp->state == IM_JOB_ASKED) {
        jp->state = IM_JOB_FREE;
    }

    im_buf_cleanup(&key);
}


static void
im_job_partition_asked(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    jp->renewing = 0;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {

        /* the lease goes on until its end, then tick() stops */

        if (jp->state == IM_JOB_ASKED) {
            jp->state = IM_JOB_FREE;

        } else if (jp->state == IM_JOB_LEAVING && !jp->reading) {
            im_job_partition_leave(jp);
        }

        return;
    }

    if (im_daemon_reply_int(reply, 0) != 1) {

        if (jp->state >= IM_JOB_OWNED) {
            im_daemon_log(IM_LOG_WARN, "partition %u: another process has "
                          "taken it over", jp->p);
            im_job_partition_stop(jp);
        }

        jp->state = IM_JOB_FREE;
        return;
    }

    jp->lease_end = jp->asked_at + IM_JOB_LEASE;

    if (jp->state == IM_JOB_ASKED) {
        im_job_partition_start(jp);

    } else if (jp->state == IM_JOB_LEAVING && !jp->reading) {
        im_job_partition_leave(jp);
    }
}


static void
im_job_partition_start(im_job_partition_t *jp)
{
    jp->state = IM_JOB_OWNED;
    jp->reading = 0;
    jp->entries = 0;

    jp->link = im_daemon_redis_create(jp->job->base, &jp->job->redis,
                                      &im_job_partition_events, jp);

    if (jp->link == NULL
        || im_job_batch_init(&jp->batch, jp->job->seed) != IM_OK)
    {
        im_daemon_log(IM_LOG_ERROR, "partition %u: no memory", jp->p);
        im_job_partition_stop(jp);
        return;
    }

    im_daemon_log(IM_LOG_INFO, "partition %u: is ours", jp->p);
}


void
im_job_partition_stop(im_job_partition_t *jp)
{
    im_daemon_redis_t  *link;

    link = jp->link;

    jp->link = NULL;
    jp->state = IM_JOB_FREE;
    jp->reading = 0;

    evtimer_del(jp->retry);

    if (link != NULL) {
        im_daemon_redis_destroy(link);
        im_job_batch_cleanup(&jp->batch);
    }
}


int
im_job_partition_idle(const im_job_partition_t *jp)
{
    return jp->state == IM_JOB_FREE;
}


static void
im_job_partition_fatal(void *data, const char *why)
{
    im_job_partition_t *jp = data;

    im_daemon_log(IM_LOG_ERROR, "partition %u: %s", jp->p, why);

    jp->job->rc = 1;
    event_base_loopbreak(jp->job->base);
}


static void
im_job_partition_down(void *data)
{
    im_job_partition_t *jp = data;

    jp->reading = 0;

    if (jp->state > IM_JOB_OWNED && jp->state != IM_JOB_LEAVING) {
        jp->state = IM_JOB_OWNED;
    }
}


/* A queue without its group (new, or flushed) gets one from its start. */
static void
im_job_partition_up(void *data)
{
    im_job_partition_t *jp = data;

    im_buf_t  key;
    im_str_t  args[6];

    if (jp->state == IM_JOB_LEAVING) {
        im_job_partition_leave(jp);
        return;
    }

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XGROUP");
    args[1] = im_str_z("CREATE");
    args[2] = im_buf_str(&key);
    args[3] = im_str_z(IM_QUEUE_GROUP);
    args[4] = im_str_z("0");
    args[5] = im_str_z("MKSTREAM");

    jp->state = IM_JOB_OWNED;
    jp->claimed = 0;
    jp->claim_again = 0;
    jp->last[0] = '\0';

    (void) im_daemon_redis_command(jp->link, jp->p, args, 6,
                                   im_job_partition_grouped, jp);

    im_buf_cleanup(&key);
}


static void
im_job_partition_grouped(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    im_str_t  why;

    if (reply == NULL || jp->link == NULL) {
        return;
    }

    why = im_daemon_reply_str(reply);

    if (im_daemon_reply_is_error(reply)
        && (why.len < 9 || memcmp(why.data, "BUSYGROUP", 9) != 0))
    {
        im_job_partition_fault(jp, reply, "XGROUP CREATE");
        return;
    }

    snprintf(jp->cursor, sizeof(jp->cursor), "0-0");
    im_job_partition_claim(jp);
}


/* Entries that were read and not acknowledged by whoever was the owner. */
static void
im_job_partition_claim(im_job_partition_t *jp)
{
    char      count[24];
    im_buf_t  key;
    im_str_t  args[8];

    jp->state = IM_JOB_CLAIMING;

    snprintf(count, sizeof(count), "%llu", (unsigned long long) jp->count);

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XAUTOCLAIM");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z(IM_QUEUE_GROUP);
    args[3] = im_str_z(jp->job->id);
    args[4] = im_str_z("0");
    args[5] = im_str_z(jp->cursor);
    args[6] = im_str_z("COUNT");
    args[7] = im_str_z(count);

    jp->reading = im_daemon_redis_command(jp->link, jp->p, args, 8,
                                          im_job_partition_claimed, jp)
                  == IM_OK;

    im_buf_cleanup(&key);
}


static void
im_job_partition_claimed(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    im_str_t  next;

    if (jp->link == NULL) {
        return;
    }

    jp->reading = 0;

    if (reply == NULL) {
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        im_job_partition_fault(jp, reply, "XAUTOCLAIM");
        return;
    }

    if (im_job_partition_publish(jp, im_daemon_reply_at(reply, 1)) != IM_OK) {
        return;
    }

    next = im_daemon_reply_str(im_daemon_reply_at(reply, 0));

    snprintf(jp->cursor, sizeof(jp->cursor), "%.*s",
             (int) im_min(next.len, sizeof(jp->cursor) - 1), next.data);

    if (strcmp(jp->cursor, "0-0") != 0) {
        if (jp->state == IM_JOB_LEAVING) {
            im_job_partition_leave(jp);
            return;
        }

        im_job_partition_claim(jp);
        return;
    }

    /*
     * A read of the last owner may still be blocked in Redis and steal entries
     * for a moment: what it got is claimed once more, a BLOCK later.
     */

    if (jp->claim_again == 0) {
        jp->claim_again = im_daemon_now() + IM_JOB_BLOCK + 100;

    } else {
        jp->claimed = 1;
        im_job_partition_look(jp);
    }

    im_job_partition_next(jp);
}


static void
im_job_partition_look(im_job_partition_t *jp)
{
    im_buf_t  key;
    im_str_t  args[4];

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XINFO");
    args[1] = im_str_z("CONSUMERS");
    args[2] = im_buf_str(&key);
    args[3] = im_str_z(IM_QUEUE_GROUP);

    (void) im_daemon_redis_command(jp->link, jp->p, args, 4,
                                   im_job_partition_consumers, jp);

    im_buf_cleanup(&key);
}


static void
im_job_partition_next(im_job_partition_t *jp)
{
    if (jp->state == IM_JOB_LEAVING) {
        im_job_partition_leave(jp);
        return;
    }

    /* after a stall the lease may be another's: not one read more */

    if (im_daemon_now() >= jp->lease_end) {
        im_daemon_log(IM_LOG_WARN, "partition %u: the lease is over after a "
                      "stall", jp->p);
        im_job_partition_stop(jp);
        return;
    }

    if (!jp->claimed && im_daemon_now() >= jp->claim_again) {
        im_job_partition_claim(jp);
        return;
    }

    im_job_partition_read(jp);
}


static void
im_job_partition_read(im_job_partition_t *jp)
{
    char      count[24], block[24];
    im_buf_t  key;
    im_str_t  args[11];

    jp->state = IM_JOB_READING;

    snprintf(count, sizeof(count), "%llu", (unsigned long long) jp->count);
    snprintf(block, sizeof(block), "%d", IM_JOB_BLOCK);

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XREADGROUP");
    args[1] = im_str_z("GROUP");
    args[2] = im_str_z(IM_QUEUE_GROUP);
    args[3] = im_str_z(jp->job->id);
    args[4] = im_str_z("COUNT");
    args[5] = im_str_z(count);
    args[6] = im_str_z("BLOCK");
    args[7] = im_str_z(block);
    args[8] = im_str_z("STREAMS");
    args[9] = im_buf_str(&key);
    args[10] = im_str_z(">");

    jp->reading = im_daemon_redis_blocking(jp->link, jp->p, args, 11,
                                           IM_JOB_BLOCK, im_job_partition_got,
                                           jp)
                  == IM_OK;

    im_buf_cleanup(&key);
}


static void
im_job_partition_got(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    const im_daemon_reply_t  *stream;

    if (jp->link == NULL) {
        return;
    }

    jp->reading = 0;

    if (reply == NULL) {
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        im_job_partition_fault(jp, reply, "XREADGROUP");
        return;
    }

    /* nil: nothing came within BLOCK */

    stream = im_daemon_reply_at(reply, 0);

    if (stream != NULL
        && im_job_partition_publish(jp, im_daemon_reply_at(stream, 1))
           != IM_OK)
    {
        return;
    }

    im_job_partition_next(jp);
}


/* NOGROUP after a FLUSHALL, LOADING, OOM: start over from the group. */
static void
im_job_partition_fault(im_job_partition_t *jp, const im_daemon_reply_t *reply,
    const char *what)
{
    im_str_t        why;
    struct timeval  tv = { 0, IM_JOB_RETRY * 1000 };

    why = im_daemon_reply_str(reply);

    im_daemon_log(IM_LOG_WARN, "partition %u: %s: %.*s", jp->p, what,
                  (int) why.len, why.data);

    evtimer_add(jp->retry, &tv);
}


static void
im_job_partition_retry(evutil_socket_t fd, short what, void *data)
{
    im_job_partition_t *jp = data;

    (void) fd;
    (void) what;

    if (jp->link != NULL && im_daemon_redis_ready(jp->link) && !jp->reading) {
        im_job_partition_up(jp);
    }
}


/*
 * All in one write: the PUBLISHes, the XACK behind them, and what tells how far
 * the queue may be trimmed.  The read that follows joins them.
 */
static im_int_t
im_job_partition_publish(im_job_partition_t *jp,
    const im_daemon_reply_t *entries)
{
    im_buf_t                  key;
    im_str_t                  args[IM_JOB_MAX_ARGS], id;
    uint64_t                  bytes;
    im_uint_t                 i, n;
    const im_daemon_reply_t  *entry;

    n = im_daemon_reply_len(entries);

    if (n == 0) {
        return IM_OK;
    }

    for (i = 0, bytes = 0; i < n && i < IM_JOB_COUNT; i++) {
        entry = im_daemon_reply_at(entries, i);
        args[3 + i] = im_daemon_reply_str(im_daemon_reply_at(entry, 0));

        if (im_job_partition_entry(jp, entry, &bytes) != IM_OK) {
            im_daemon_log(IM_LOG_ERROR, "partition %u: no memory", jp->p);
            im_daemon_redis_break(jp->link, "no memory");
            return IM_ERROR;
        }
    }

    n = i;
    im_job_batch_flush(&jp->batch, im_job_partition_send, jp);

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XACK");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z(IM_QUEUE_GROUP);

    (void) im_daemon_redis_command(jp->link, jp->p, args, 3 + n, NULL, NULL);

    id = args[3 + n - 1];
    snprintf(jp->last, sizeof(jp->last), "%.*s",
             (int) im_min(id.len, sizeof(jp->last) - 1), id.data);

    args[0] = im_str_z("XPENDING");

    (void) im_daemon_redis_command(jp->link, jp->p, args, 3,
                                   im_job_partition_pending, jp);

    im_buf_cleanup(&key);

    jp->entries += n;

    /* the next read is as long as memory allows */

    if (bytes > IM_JOB_BATCH_BYTES) {
        jp->count = im_max(jp->count / 2, 1);

    } else if (n == jp->count) {
        jp->count = im_min(jp->count * 2, IM_JOB_COUNT);
    }

    return IM_OK;
}


/* One entry of the queue: fields t, i, w, d of pub.lua or control.lua. */
static im_int_t
im_job_partition_entry(im_job_partition_t *jp, const im_daemon_reply_t *entry,
    uint64_t *bytes)
{
    im_str_t                  name, workers, position, *dst;
    im_entry_t                e;
    im_uint_t                 i;
    const im_daemon_reply_t  *fields;

    memset(&e, 0, sizeof(im_entry_t));
    workers = im_str_set("", 0);
    position = workers;

    e.kind = IM_PUSH_MESSAGE;
    fields = im_daemon_reply_at(entry, 1);

    for (i = 0; i + 1 < im_daemon_reply_len(fields); i += 2) {
        name = im_daemon_reply_str(im_daemon_reply_at(fields, i));

        switch (name.len == 1 ? name.data[0] : 0) {

        case 't':
            dst = &e.topic;
            break;

        case 'i':
            dst = &position;
            break;

        case 'w':
            dst = &workers;
            break;

        case 'd':
            dst = &e.envelope;
            break;

        default:
            continue;
        }

        *dst = im_daemon_reply_str(im_daemon_reply_at(fields, i + 1));
    }

    if (position.len == 0) {
        e.kind = IM_PUSH_CONTROL;
        e.seq = im_job_partition_time(im_daemon_reply_at(entry, 0));
    }

    /* deleted between read and claim, or not made by our scripts */

    if (e.topic.len == 0 || e.topic.len > UINT8_MAX || e.envelope.len == 0
        || (e.kind == IM_PUSH_MESSAGE
            && im_position_decode(position, &e.epoch, &e.seq) != IM_OK))
    {
        im_daemon_log(IM_LOG_ERROR, "partition %u: entry is not a push, "
                      "skipped", jp->p);
        return IM_OK;
    }

    *bytes += e.envelope.len + workers.len;

    im_job_sweep_entry(jp->job, jp->p, e.topic, workers);

    return im_job_batch_add(&jp->batch, workers, &e, im_job_partition_send,
                            jp);
}


/* When it was queued, ms by Redis' clock: the first part of its id. */
static uint64_t
im_job_partition_time(const im_daemon_reply_t *id)
{
    im_str_t   s;
    uint64_t   ms;
    im_uint_t  i;

    s = im_daemon_reply_str(id);
    ms = 0;

    for (i = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++) {
        ms = ms * 10 + s.data[i] - '0';
    }

    return ms;
}


static void
im_job_partition_send(void *data, im_str_t worker, im_str_t bytes)
{
    im_buf_t             channel;
    im_str_t             args[3];
    im_job_sent_t       *sent;
    im_job_partition_t  *jp = data;

    sent = NULL;

    im_buf_init(&channel, 1024);

    if (worker.len == 0) {
        im_key_channel_all(&channel, jp->job->redis.prefix, jp->p);

    } else {
        im_key_channel(&channel, jp->job->redis.prefix, jp->p, worker);
    }

    args[0] = im_str_z("PUBLISH");
    args[1] = im_buf_str(&channel);
    args[2] = bytes;

    if (worker.len != 0) {
        sent = im_alloc(sizeof(im_job_sent_t) + worker.len);

        if (sent != NULL) {
            sent->job = jp->job;
            sent->worker = im_str_set(sent + 1, worker.len);
            memcpy(sent + 1, worker.data, worker.len);
        }
    }

    if (channel.failed
        || im_daemon_redis_command(jp->link, jp->p, args, 3,
                                   sent != NULL ? im_job_partition_sent : NULL,
                                   sent)
           != IM_OK)
    {
        im_free(sent);
    }

    im_buf_cleanup(&channel);
}


static void
im_job_partition_sent(const im_daemon_reply_t *reply, void *data)
{
    im_str_t        why;
    im_job_sent_t  *sent = data;

    if (im_daemon_reply_is_error(reply)) {
        why = im_daemon_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "PUBLISH: %.*s", (int) why.len,
                      (char *) why.data);

    } else if (reply != NULL) {
        im_job_sweep_heard(sent->job, sent->worker,
                           im_daemon_reply_int(reply, 0) > 0);
    }

    im_free(sent);
}


/* {n, smallest, greatest, consumers}: the smallest and what follows is kept. */
static void
im_job_partition_pending(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    im_str_t  id;

    if (jp->link == NULL || reply == NULL || im_daemon_reply_is_error(reply)) {
        return;
    }

    id = im_daemon_reply_str(im_daemon_reply_at(reply, 1));

    if (id.len > 0) {
        im_job_partition_trim(jp, id, 0);

    } else {
        im_job_partition_trim(jp, im_str_z(jp->last), 1);
    }
}


/* On the other link: this one may be held by a blocked read. */
static void
im_job_partition_trim(im_job_partition_t *jp, im_str_t id, int behind)
{
    char                min[IM_JOB_ENTRY_ID_MAX];
    im_buf_t            key;
    im_str_t            args[4];
    unsigned long long  ms, n;

    snprintf(min, sizeof(min), "%.*s", (int) im_min(id.len, sizeof(min) - 1),
             id.data);

    if (sscanf(min, "%llu-%llu", &ms, &n) != 2) {
        return;
    }

    snprintf(min, sizeof(min), "%llu-%llu", ms, behind ? n + 1 : n);

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XTRIM");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z("MINID");
    args[3] = im_str_z(min);

    (void) im_daemon_redis_command(jp->job->link, jp->p, args, 4, NULL, NULL);

    im_buf_cleanup(&key);
}


void
im_job_partition_heartbeat(im_job_partition_t *jp)
{
    im_buf_t  channel;
    im_str_t  args[3];

    if (jp->state < IM_JOB_CLAIMING) {
        return;
    }

    im_buf_init(&channel, 256);
    im_key_channel_all(&channel, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("PUBLISH");
    args[1] = im_buf_str(&channel);
    args[2] = im_str_z("");

    (void) im_daemon_redis_command(jp->job->link, jp->p, args, 3, NULL, NULL);

    im_buf_cleanup(&channel);
}


/*
 * All that was read is acknowledged: the next owner starts at once.  The last
 * batch may still be on its way on the partition's link, so what is asked here
 * and the lease that is given up come behind it there.
 */
static void
im_job_partition_leave(im_job_partition_t *jp)
{
    im_buf_t  key;
    im_str_t  args[7];

    /* a renewal under way could arrive behind: its reply comes back here */

    if (jp->renewing || jp->reading) {
        return;
    }

    if (!im_daemon_redis_ready(jp->link)) {
        im_job_partition_stop(jp);
        return;
    }

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XPENDING");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z(IM_QUEUE_GROUP);
    args[3] = im_str_z("-");
    args[4] = im_str_z("+");
    args[5] = im_str_z("1");
    args[6] = im_str_z(jp->job->id);

    jp->reading = im_daemon_redis_command(jp->link, jp->p, args, 7,
                                          im_job_partition_leaving, jp)
                  == IM_OK;

    if (!jp->reading) {
        im_job_partition_stop(jp);
    }

    im_buf_cleanup(&key);
}


/* A consumer that has nothing pending goes; else the next owner claims. */
static void
im_job_partition_leaving(const im_daemon_reply_t *reply, void *data)
{
    im_buf_t             key;
    im_str_t             args[3];
    im_job_partition_t  *jp = data;

    if (jp->link == NULL) {
        return;
    }

    jp->reading = 0;

    if (reply == NULL) {
        return;
    }

    if (!im_daemon_reply_is_error(reply) && im_daemon_reply_len(reply) == 0) {
        im_job_partition_forget(jp, im_str_z(jp->job->id));
    }

    im_buf_init(&key, 256);
    im_key_owner(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z(jp->job->id);
    args[2] = im_str_z("0");

    if (im_daemon_redis_script(jp->link, jp->p, &im_script_own, args, 3, 1,
                               im_job_partition_left, jp)
        != IM_OK)
    {
        im_job_partition_stop(jp);
    }

    im_buf_cleanup(&key);
}


/* Killed processes leave consumers behind, which nobody else removes. */
static void
im_job_partition_consumers(const im_daemon_reply_t *reply, void *data)
{
    int64_t                   pending, idle;
    im_str_t                  field, name, s[] = { im_str("name"),
                                                   im_str("pending"),
                                                   im_str("idle") };
    im_uint_t                 i, j;
    im_job_partition_t       *jp = data;
    const im_daemon_reply_t  *consumer, *value;

    for (i = 0; i < im_daemon_reply_len(reply) && jp->link != NULL; i++) {
        consumer = im_daemon_reply_at(reply, i);
        name = im_str_set("", 0);
        pending = 1;
        idle = 0;

        for (j = 0; j + 1 < im_daemon_reply_len(consumer); j += 2) {
            field = im_daemon_reply_str(im_daemon_reply_at(consumer, j));
            value = im_daemon_reply_at(consumer, j + 1);

            if (im_str_eq(field, s[0])) {
                name = im_daemon_reply_str(value);

            } else if (im_str_eq(field, s[1])) {
                pending = im_daemon_reply_int(value, 1);

            } else if (im_str_eq(field, s[2])) {
                idle = im_daemon_reply_int(value, 0);
            }
        }

        if (pending == 0 && idle > IM_JOB_GONE && name.len != 0
            && !im_str_eq(name, im_str_z(jp->job->id)))
        {
            im_job_partition_forget(jp, name);
        }
    }
}


static void
im_job_partition_forget(im_job_partition_t *jp, im_str_t consumer)
{
    im_buf_t  key;
    im_str_t  args[5];

    im_buf_init(&key, 256);
    im_key_queue(&key, jp->job->redis.prefix, jp->p);

    args[0] = im_str_z("XGROUP");
    args[1] = im_str_z("DELCONSUMER");
    args[2] = im_buf_str(&key);
    args[3] = im_str_z(IM_QUEUE_GROUP);
    args[4] = consumer;

    (void) im_daemon_redis_command(jp->link, jp->p, args, 5, NULL, NULL);

    im_buf_cleanup(&key);
}


static void
im_job_partition_left(const im_daemon_reply_t *reply, void *data)
{
    im_job_partition_t *jp = data;

    (void) reply;

    if (jp->link == NULL) {
        return;
    }

    im_daemon_log(IM_LOG_INFO, "partition %u: handed over after %llu entries",
                  jp->p, (unsigned long long) jp->entries);

    im_job_partition_stop(jp);
}
