/*
 * Copyright (C) The im authors
 *
 * A walk over all keys of one server after another, in small steps.  The next
 * step starts when the calls of the last one are answered, and pauses are four
 * times as long as steps: however many keys there are, a walk takes no more
 * than a fifth of Redis, and less where Redis is slow.
 */

#include "im_job.h"
#include "im_daemon_time.h"


#define IM_JOB_WALK_PAUSE      5         /* ms, at least */
#define IM_JOB_WALK_PAUSES     4         /* as long as a step */
#define IM_JOB_WALK_PAUSE_MAX  1000


static void
im_job_walk_end(im_job_walk_t *walk, int whole)
{
    walk->state = IM_JOB_WALK_NONE;
    walk->ended = im_daemon_now();
    walk->events->end(walk->job, whole);
}


/* One call of the step is answered; the last one ends it. */
void
im_job_walk_release(im_job_walk_t *walk)
{
    uint64_t        pause;
    struct timeval  tv;

    if (--walk->ncalls > 0) {
        return;
    }

    if (walk->cursor == 0) {
        walk->server++;
    }

    if (walk->state == IM_JOB_WALK_FAILED
        || walk->server >= walk->end)
    {
        im_job_walk_end(walk, walk->state != IM_JOB_WALK_FAILED);
        return;
    }

    pause = (im_daemon_now() - walk->stepped) * IM_JOB_WALK_PAUSES;
    pause = im_min(im_max(pause, IM_JOB_WALK_PAUSE), IM_JOB_WALK_PAUSE_MAX);

    tv.tv_sec = (time_t) (pause / 1000);
    tv.tv_usec = (suseconds_t) (pause % 1000 * 1000);

    (void) event_add(walk->timer, &tv);
}


void
im_job_walk_stop(im_job_walk_t *walk)
{
    walk->state = IM_JOB_WALK_FAILED;
}


void
im_job_walk_finish(im_job_walk_t *walk)
{
    walk->cursor = 0;
    walk->server = walk->end;
}


static void
im_job_walk_keys(const im_link_reply_t *reply, void *data)
{
    im_uint_t               i;
    im_job_walk_t          *walk = data;
    const im_link_reply_t  *keys;

    if (!im_link_reply_is_array(reply, 2)
        || im_link_servers(walk->job->link) != walk->nservers
        || im_decimal_decode(im_link_reply_str_at(reply, 0), &walk->cursor)
           != IM_OK)
    {
        im_job_walk_stop(walk);
    }

    keys = im_link_reply_at(reply, 1);

    for (i = 0;
         i < im_link_reply_len(keys) && walk->state == IM_JOB_WALK_UNDER_WAY;
         i++)
    {
        walk->events->key(walk->job, im_link_reply_str_at(keys, i));
    }

    im_job_walk_release(walk);
}


static void
im_job_walk_step(im_job_walk_t *walk)
{
    im_link_call_t  *call;

    call = im_link_command(walk->job->link, "SCAN");
    im_link_call_uint(call, walk->cursor);

    if (walk->match.len > 0) {
        im_link_call_z(call, "MATCH");
        im_link_call_str(call, im_buf_str(&walk->match));
    }

    im_link_call_z(call, "COUNT");
    im_link_call_uint(call, walk->count);

    walk->stepped = im_daemon_now();

    if (im_link_send_to(walk->job->link, walk->server, im_job_walk_keys, walk)
        != IM_OK)
    {
        im_job_walk_end(walk, 0);
        return;
    }

    walk->ncalls++;
}


im_int_t
im_job_walk_call(im_job_walk_t *walk, im_link_reply_pt handler, void *data)
{
    if (im_link_send(walk->job->link, handler, data) != IM_OK) {
        return IM_ERROR;
    }

    walk->ncalls++;

    return IM_OK;
}


/* What a step has begun besides its calls comes to its end first. */
static void
im_job_walk_handler(evutil_socket_t fd, short what, void *data)
{
    im_job_walk_t   *walk = data;
    struct timeval   tv = { 0, IM_JOB_WALK_PAUSE * 1000 };

    if (walk->job->nsweeps > 0) {
        (void) event_add(walk->timer, &tv);
        return;
    }

    im_job_walk_step(walk);
}


im_int_t
im_job_walk_init(im_job_walk_t *walk, im_job_t *job, im_uint_t count,
    const im_job_walk_events_t *events)
{
    walk->job = job;
    walk->count = count;
    walk->events = events;

    im_buf_init(&walk->match, 2 * IM_PREFIX_MAX + 16);

    walk->timer = evtimer_new(job->base, im_job_walk_handler, walk);

    return walk->timer != NULL ? IM_OK : IM_ERROR;
}


void
im_job_walk_cleanup(im_job_walk_t *walk)
{
    if (walk->timer != NULL) {
        event_free(walk->timer);
    }

    im_buf_cleanup(&walk->match);
}


void
im_job_walk_start(im_job_walk_t *walk, im_uint_t first, im_uint_t end)
{
    walk->state = IM_JOB_WALK_UNDER_WAY;
    walk->cursor = 0;
    walk->server = first;
    walk->end = end;
    walk->nservers = im_link_servers(walk->job->link);

    im_job_walk_step(walk);
}
