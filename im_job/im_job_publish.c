/*
 * Copyright (C) The im authors
 *
 * What goes to the channels of workers: batches and heartbeats.
 */

#include "im_job.h"
#include "im_record.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


/* An SPUBLISH that is under way. */
typedef struct {
    im_job_partition_t  *partition;
    im_str_t             worker;      /* behind the struct */
} im_job_sent_t;


/*
 * Where a server has taken the place of another one, workers subscribe to it at
 * the same time: that they don't hear yet says nothing.
 */
static int
im_job_publish_settled(const im_job_partition_t *jp)
{
    return jp->back == 0 || im_daemon_now() - jp->back > IM_LEASE_WORKER;
}


static void
im_job_publish_sent(const im_link_reply_t *reply, void *data)
{
    int                  heard;
    im_str_t             why;
    im_job_sent_t       *sent = data;
    im_job_partition_t  *jp;

    jp = sent->partition;

    if (--im_job_batch_of(jp)->out == 0) {
        im_job_flush_soon(jp->job);
    }

    heard = im_link_reply_int(reply, 0) > 0;

    if (im_link_reply_is_error(reply)) {
        jp->job->counters.failed++;
        why = im_link_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "SPUBLISH: %.*s", (int) why.len,
                      (char *) why.data);

    } else if (reply != NULL) {
        jp->job->counters.unheard += !heard;

        if (sent->worker.len != 0 && (heard || im_job_publish_settled(jp))) {
            im_job_sweep_heard(jp->job, sent->worker, heard);
        }
    }

    im_free(sent);
}


im_int_t
im_job_publish(void *data, uint16_t p, im_str_t worker, im_str_t bytes)
{
    im_int_t         rc;
    im_job_t        *job = data;
    im_job_sent_t   *sent;
    im_link_call_t  *call;

    sent = im_alloc(sizeof(im_job_sent_t) + worker.len);
    if (sent == NULL) {
        return IM_ERROR;
    }

    sent->partition = &job->partitions[p];
    sent->worker = im_str_set(sent + 1, worker.len);
    im_copy(sent + 1, worker.data, worker.len);

    call = im_link_command(job->link, "SPUBLISH");

    if (worker.len == 0) {
        im_key_channel_all(&call->bytes, im_link_keys(job->link), p);

    } else {
        im_key_channel(&call->bytes, im_link_keys(job->link), p, worker);
    }

    im_link_call_key(call);
    im_link_call_str(call, bytes);

    rc = im_link_send(job->link, im_job_publish_sent, sent);

    if (rc == IM_OK) {
        job->counters.batches++;
        im_job_batch_of(sent->partition)->out++;

    } else {
        im_free(sent);
    }

    return rc;
}


/* Of the partitions that are read: workers know that they miss nothing. */
void
im_job_publish_heartbeats(im_job_t *job)
{
    uint32_t             p;
    im_link_call_t      *call;
    im_job_partition_t  *jp;

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (!im_job_serves(jp)) {
            continue;
        }

        call = im_link_command(job->link, "SPUBLISH");

        im_key_channel_all(&call->bytes, im_link_keys(job->link), p);
        im_link_call_key(call);
        im_link_call_z(call, "");

        job->counters.heartbeats += im_link_send(job->link, NULL, NULL)
                                    == IM_OK;
    }
}
