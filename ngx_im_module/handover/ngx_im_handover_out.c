/*
 * Copyright (C) The im authors
 *
 * The worker that ends: it hands its sessions over to one that comes after it.
 *
 * It connects to the worker of its own slot, or, if there are fewer workers
 * now, to that of its slot modulo their number.  It names its topics, and holds
 * what it would tell Redis of them.  A session goes once the other worker has
 * all messages behind the session's positions.  It is in flight until the other
 * one has answered.  When all have gone, and Redis counts them at the other
 * worker, the topics are left, and the channel is closed.
 *
 * Entries for sessions, which come by pub/sub, are forwarded, whether they were
 * applied here or not: the other worker gets the same ones by pub/sub, too.  A
 * session that comes back from its flight gets those that it missed.
 *
 * When none has moved for 5 s, and the other worker has got no further topic,
 * the rest stays.
 *
 * If the channel breaks, this worker may not know which sessions live there.
 * What it counts of them it counts on until Redis says that the other worker
 * counts all that it has got, or until that one has died.
 */

#include "ngx_im_handover_out.h"
#include "ngx_im_adopted.h"
#include "ngx_im_channel.h"
#include "ngx_im_control.h"
#include "ngx_im_emulation.h"
#include "ngx_im_follow.h"
#include "ngx_im_handover.h"
#include "ngx_im_info.h"
#include "ngx_im_pack.h"


#define NGX_IM_OUT_TRIES    5        /* of a worker that takes none */
#define NGX_IM_OUT_RETRY    20       /* ms */
#define NGX_IM_OUT_LOOK     5        /* ms: what waits is looked at again */
#define NGX_IM_OUT_OPENING  50       /* ms, for requests that are coming */
#define NGX_IM_OUT_WAVE     5000     /* ms, without progress */
#define NGX_IM_OUT_STEP     1000     /* ms: of them, at most, at a time */
#define NGX_IM_OUT_LINGER   2000     /* ms, for the last words to Redis */
#define NGX_IM_OUT_OWED     15000    /* ms: longer than a lease */
#define NGX_IM_OUT_ASK      500      /* ms: Redis is asked so often, at least */
#define NGX_IM_OUT_BODY     57344    /* bytes: a packet, if one can be */
#define NGX_IM_OUT_ENTRY    1000     /* ms: an entry is kept, at least */


typedef enum {
    NGX_IM_OUT_CONNECTING = 0,   /* it looks for the other worker */
    NGX_IM_OUT_GREETING,         /* HELLO is out */
    NGX_IM_OUT_MOVING,           /* sessions go */
    NGX_IM_OUT_OWING,            /* the channel has broken */
    NGX_IM_OUT_FREEZING,         /* reports to Redis come to their end */
    NGX_IM_OUT_ENDING,           /* END is out */
    NGX_IM_OUT_LEAVING,          /* the topics are left */
    NGX_IM_OUT_DONE
} ngx_im_out_state_e;


/* A topic that is named.  It stays in the hub while it is held. */
typedef struct {
    im_hash_node_t      node;            /* in out->topics */
    im_topic_t         *topic;
    im_handover_ready_t ready;           /* of the other worker */
    unsigned            is_ready:1;
} ngx_im_out_topic_t;


typedef struct {
    ngx_im_handle_t     session;
    uint64_t            entry;           /* the last one before */
    uint32_t            number;          /* in the channel */
} ngx_im_out_flight_t;


/* A message of sessions that is being made. */
typedef struct {
    im_buf_t            body;
    ngx_socket_t        fds[IM_HANDOVER_SESSIONS_MAX];
    ngx_uint_t          nfds;
    uint32_t            first;           /* number */
} ngx_im_out_batch_t;


struct ngx_im_handover_out_s {
    ngx_im_worker_t    *worker;
    const ngx_im_handover_events_t *events;
    ngx_im_out_state_e  state;
    ngx_uint_t          slot;            /* of the other worker */
    ino_t               ino;             /* of its socket's file */
    ngx_uint_t          tries;
    ngx_im_channel_t   *channel;         /* or NULL */
    ngx_pid_t           pid;             /* of the other worker */
    ngx_im_lease_lend_t *lend;           /* what it gets; NULL: no Redis */
    uint64_t            fence;           /* of the channel, */
    ngx_uint_t          went;            /* and sessions before it */
    ngx_msec_t          owed;            /* since then */
    ngx_msec_t          asked;           /* Redis, then, */
    ngx_msec_t          pause;           /* and again behind this */
    ngx_event_t         event;           /* not cancelable */
    ngx_event_t         turn;            /* posted */
    ngx_msec_t          begin;
    ngx_msec_t          moved;           /* a session, or the begin */
    ngx_msec_t          waited;          /* without progress */
    ngx_msec_t          looked;          /* up to then */
    ngx_msec_t          left;            /* the topics, then */
    im_hash_t           topics;          /* of ngx_im_out_topic_t */
    ngx_im_out_topic_t **numbers;        /* the same by their numbers */
    ngx_uint_t          ntopics;
    ngx_uint_t          size;            /* of numbers */
    im_buf_t            names;           /* of topics, to be sent */
    ngx_im_out_flight_t flights[IM_HANDOVER_FLIGHT];
    ngx_uint_t          nflights;
    ngx_im_entries_t    entries;         /* the last ones, and since flights */
    uint64_t            nentries;
    uint64_t            unkept;          /* number of the last such one */
    uint32_t            number;          /* of the last session */
    uint32_t            cursor;          /* over sessions */
    ngx_uint_t          nmoved;
    ngx_uint_t          nlost;           /* in flight */
    ngx_uint_t          nstayed[NGX_IM_STAYED];
    uint32_t           *stays;           /* generations, by index */
    uint32_t            nstays;
    const char         *why;             /* the channel has broken */
    unsigned            same:1;          /* the other one has the same zone */
    unsigned            quits:1;         /* it ends itself */
};


static void ngx_im_out_connect(ngx_im_handover_out_t *out);


/* The only setter of state. */
static void
ngx_im_out_state(ngx_im_handover_out_t *out, ngx_im_out_state_e state)
{
    out->state = state;
    out->worker->opening = state <= NGX_IM_OUT_OWING;
}


/* What waits is looked at in some ms, and earlier if something has changed. */
static void
ngx_im_out_look(ngx_im_handover_out_t *out, ngx_msec_t ms)
{
    if (out->event.timer_set) {
        ngx_del_timer(&out->event);
    }

    ngx_add_timer(&out->event, ms);
}


static im_str_t
ngx_im_out_topic_name(const im_hash_node_t *node)
{
    return im_topic_name(im_list_data(node, ngx_im_out_topic_t, node)->topic);
}


/* NULL: it isn't named. */
static ngx_im_out_topic_t *
ngx_im_out_topic(ngx_im_handover_out_t *out, im_topic_t *topic)
{
    im_hash_node_t  *node;

    node = im_hash_find(&out->topics, im_topic_name(topic));

    return node != NULL ? im_list_data(node, ngx_im_out_topic_t, node) : NULL;
}


/* Of one that is named. */
static uint32_t
ngx_im_out_number(im_topic_t *topic, void *data)
{
    return ngx_im_out_topic(data, topic)->ready.number;
}


static ngx_int_t
ngx_im_out_room(ngx_im_handover_out_t *out)
{
    ngx_uint_t            size;
    ngx_im_out_topic_t  **numbers;

    if (out->ntopics < out->size) {
        return NGX_OK;
    }

    size = ngx_max(out->size * 2, 64);
    numbers = im_realloc(out->numbers, size * sizeof(ngx_im_out_topic_t *));

    if (numbers == NULL) {
        return NGX_ERROR;
    }

    out->numbers = numbers;
    out->size = size;

    return NGX_OK;
}


static void
ngx_im_out_names_send(ngx_im_handover_out_t *out)
{
    if (out->names.len > 0) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_TOPICS, &out->names,
                            NULL, 0, 0);
    }
}


/* The other worker is to follow it.  Without memory its sessions stay. */
static void
ngx_im_out_name(ngx_im_handover_out_t *out, im_topic_t *topic)
{
    ngx_im_out_topic_t   *t;
    im_handover_topic_t   name;

    if (ngx_im_out_room(out) != NGX_OK) {
        return;
    }

    t = im_calloc(sizeof(ngx_im_out_topic_t));
    if (t == NULL) {
        return;
    }

    (void) im_follow_hold(topic);

    t->topic = topic;
    t->ready.number = (uint32_t) out->ntopics;

    out->numbers[out->ntopics++] = t;
    im_hash_add(&out->topics, &t->node);

    ngx_memzero(&name, sizeof(im_handover_topic_t));

    name.number = t->ready.number;
    name.name = im_topic_name(topic);
    name.info = ngx_im_info_known(topic);

    im_handover_topic_encode(&out->names, &name);

    if (out->names.len >= NGX_IM_OUT_BODY) {
        ngx_im_out_names_send(out);
    }
}


/*
 * Reports go on, or, if all sessions live elsewhere and Redis says so there,
 * the topics are left.
 */
static void
ngx_im_out_release(ngx_im_handover_out_t *out, int moved)
{
    ngx_uint_t           i;
    im_topic_t          *topic;
    ngx_im_out_topic_t  *t;

    if (out->lend != NULL) {
        im_follow_pass(out->worker->follow, out->fence);
        ngx_im_lease_repaid(out->lend);
    }

    for (i = 0; i < out->ntopics; i++) {
        t = out->numbers[i];
        topic = t->topic;

        im_hash_remove(&out->topics, &t->node);
        im_free(t);

        im_follow_release(out->worker->follow, topic, moved);
    }

    out->ntopics = 0;

    im_buf_reset(&out->names, 0);
}


static void
ngx_im_out_close(ngx_im_handover_out_t *out)
{
    if (out->channel != NULL) {
        ngx_im_channel_close(out->channel);
        out->channel = NULL;
    }
}


static ngx_int_t
ngx_im_out_stays_room(ngx_im_handover_out_t *out, uint32_t index)
{
    uint32_t   n, *stays;

    if (index < out->nstays) {
        return NGX_OK;
    }

    n = ngx_max(index + 1, out->nstays * 2);

    stays = im_realloc(out->stays, n * sizeof(uint32_t));
    if (stays == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(stays + out->nstays, (n - out->nstays) * sizeof(uint32_t));

    out->stays = stays;
    out->nstays = n;

    return NGX_OK;
}


ngx_uint_t
ngx_im_handover_stays(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    return out != NULL && s->index < out->nstays
           && out->stays[s->index] == s->generation;
}


/* Without memory it is closed at once. */
static void
ngx_im_out_stay(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    ngx_im_stayed_e why)
{
    out->nstayed[why]++;
    out->worker->counters->stayed[why]++;

    if (ngx_im_out_stays_room(out, s->index) != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        return;
    }

    out->stays[s->index] = s->generation;
    out->events->stays(out->worker, s);
}


/* All that have not moved. */
static void
ngx_im_out_stay_all(ngx_im_handover_out_t *out)
{
    uint32_t           index;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = out->worker;
    index = 0;

    while ((s = ngx_im_session_next(w, &index)) != NULL) {
        if (s->phase < NGX_IM_MOVING && !ngx_im_handover_stays(w, s)) {
            ngx_im_out_stay(out, s, NGX_IM_STAYED_TIME);
        }
    }
}


static void
ngx_im_out_log(ngx_im_handover_out_t *out)
{
    u_char      text[NGX_IM_STAYED * 32], *p, *last;
    ngx_uint_t  i, n;

    p = text;
    last = text + sizeof(text);

    for (i = 0, n = 0; i < NGX_IM_STAYED; i++) {
        if (out->nstayed[i] > 0) {
            p = ngx_slprintf(p, last, "%s%s: %ui", n > 0 ? ", " : " (",
                             ngx_im_stayed_names[i], out->nstayed[i]);
            n += out->nstayed[i];
        }
    }

    if (out->nmoved + out->nlost + n == 0) {
        return;
    }

    p = ngx_slprintf(p, last, "%s", n > 0 ? ")" : "");

    ngx_log_error(NGX_LOG_NOTICE, out->worker->log, 0,
                  "im: %ui sessions moved to worker process %P in %M ms, "
                  "%ui stay%*s",
                  out->nmoved, out->pid, out->moved - out->begin, n,
                  (size_t) (p - text), text);
}


static void
ngx_im_out_done(ngx_im_handover_out_t *out)
{
    ngx_im_out_state(out, NGX_IM_OUT_DONE);
    ngx_im_out_close(out);
    ngx_im_entries_clear(&out->entries);

    if (out->event.timer_set) {
        ngx_del_timer(&out->event);
    }

    if (out->turn.posted) {
        ngx_delete_posted_event(&out->turn);
    }

    if (out->worker->follow != NULL) {
        (void) ngx_im_lease_hold(out->worker, 0);
    }

    if (out->pid != 0) {
        ngx_im_out_stay_all(out);
        ngx_im_out_log(out);
    }

    out->events->done(out->worker);
}


static void
ngx_im_out_failed(ngx_im_handover_out_t *out, ngx_err_t err, const char *why)
{
    ngx_log_error(NGX_LOG_NOTICE, out->worker->log, err,
                  "im: sessions can't be handed over to the next worker of "
                  "slot %ui: %s", out->slot, why);

    ngx_im_out_done(out);
}


static void
ngx_im_out_again(ngx_im_handover_out_t *out)
{
    ngx_im_out_state(out, NGX_IM_OUT_CONNECTING);
    ngx_im_out_close(out);
    ngx_im_out_look(out, NGX_IM_OUT_RETRY);
}


/* Time in which this worker has stood still itself doesn't count. */
static ngx_uint_t
ngx_im_out_late(ngx_im_handover_out_t *out)
{
    out->waited += ngx_min(ngx_current_msec - out->looked, NGX_IM_OUT_STEP);
    out->looked = ngx_current_msec;

    return out->waited >= NGX_IM_OUT_WAVE;
}


static void
ngx_im_out_progress(ngx_im_handover_out_t *out)
{
    out->waited = 0;
    out->looked = ngx_current_msec;
}


im_int_t
ngx_im_handover_apply(ngx_im_worker_t *w, im_str_t bytes,
    const ngx_im_reach_t *reach)
{
    im_int_t      rc;
    im_entry_t    entry;
    im_reader_t   r;

    im_reader_init(&r, bytes);

    rc = im_entry_decode(&r, &entry);

    if (rc == IM_OK && entry.kind == IM_PUSH_INPUT) {
        ngx_im_emulation_input(w, &entry, reach);

    } else if (rc == IM_OK && entry.kind == IM_PUSH_CONTROL) {
        (void) ngx_im_control_entry(w, &entry, reach);
    }

    return rc;
}


/* The session comes back, and gets what came meanwhile. */
static void
ngx_im_out_undo(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    const ngx_im_out_flight_t *flight)
{
    ngx_im_copy_t   *copy;
    ngx_im_reach_t   reach;

    ngx_im_pack_undo(s);

    if (out->unkept > flight->entry) {
        ngx_im_session_close(s, IM_REASON_DRAIN, "worker ends");
        return;
    }

    reach = ngx_im_reach_here;
    reach.only = s;

    for (copy = ngx_im_entries_first(&out->entries);
         copy != NULL;
         copy = ngx_im_entries_next(&out->entries, copy))
    {
        if (copy->number > flight->entry) {
            (void) ngx_im_handover_apply(out->worker,
                                         im_str_set(copy->bytes, copy->len),
                                         &reach);
        }
    }
}


/*
 * The sessions in flight that the other worker may have are its own.  If it has
 * died, their clients come again.
 */
static void
ngx_im_out_abandon(ngx_im_handover_out_t *out)
{
    uint32_t           unsent;
    ngx_uint_t         i;
    ngx_im_session_t  *s;

    unsent = ngx_im_channel_unsent(out->channel);

    for (i = 0; i < out->nflights; i++) {
        s = ngx_im_session_find(out->worker, out->flights[i].session);

        if (s == NULL || s->phase != NGX_IM_MOVING) {
            continue;
        }

        if (unsent != 0 && out->flights[i].number >= unsent) {
            ngx_im_out_undo(out, s, &out->flights[i]);
            continue;
        }

        ngx_im_pack_gone(s, 0, 1);
        out->nlost++;
    }

    out->nflights = 0;
}


/* Redis is asked at once, and then less often. */
static void
ngx_im_out_ask(ngx_im_handover_out_t *out)
{
    if (ngx_current_msec - out->asked < out->pause) {
        return;
    }

    out->asked = ngx_current_msec;
    out->pause = ngx_min(out->pause * 2, NGX_IM_OUT_ASK);

    ngx_im_lease_ask(out->worker);
}


/*
 * What has become of the sessions that went through a channel that has broken.
 * No process has that number any more: nothing comes from it.
 */
static ngx_im_lend_e
ngx_im_out_owed(ngx_im_handover_out_t *out)
{
    if (out->lend == NULL || out->nmoved + out->nlost == out->went) {
        return NGX_IM_LEND_TAKEN;
    }

    if ((kill(out->pid, 0) == -1 && ngx_errno == ESRCH)
        || ngx_current_msec - out->owed >= NGX_IM_OUT_OWED)
    {
        return NGX_IM_LEND_DEAD;
    }

    return ngx_im_lease_lent(out->lend);
}


/* Sessions that can't move any more don't wait for it. */
static void
ngx_im_out_owing(ngx_im_handover_out_t *out)
{
    ngx_im_lend_e  owed;

    owed = ngx_im_out_owed(out);

    if (owed == NGX_IM_LEND_OPEN) {

        if (ngx_im_out_late(out)) {
            ngx_im_out_stay_all(out);
        }

        ngx_im_out_ask(out);
        ngx_im_out_look(out, ngx_min(out->pause, NGX_IM_OUT_STEP / 20));
        return;
    }

    ngx_im_out_release(out, owed == NGX_IM_LEND_TAKEN);

    /* where it was silent for 5 s, a moment of them may be left */

    (void) ngx_im_out_late(out);

    if (++out->tries < NGX_IM_OUT_TRIES
        && out->waited + NGX_IM_OUT_STEP < NGX_IM_OUT_WAVE)
    {
        ngx_im_out_again(out);
        return;
    }

    ngx_im_out_failed(out, 0, out->why);
}


static void
ngx_im_out_lost(ngx_im_channel_t *ch, const char *why)
{
    ngx_uint_t              n;
    ngx_im_handover_out_t  *out;

    out = ch->data;
    n = out->nlost;

    /* all is done that needs it */

    if (out->state == NGX_IM_OUT_LEAVING) {
        ngx_im_out_close(out);
        return;
    }

    ngx_im_out_abandon(out);

    ngx_log_error(NGX_LOG_WARN, out->worker->log, 0,
                  "im: the channel to the next worker of slot %ui is lost: "
                  "%s; %ui sessions were in flight", out->slot, why,
                  out->nlost - n);

    out->why = why;
    out->owed = ngx_current_msec;
    out->asked = ngx_current_msec;
    out->pause = NGX_IM_OUT_LOOK;

    ngx_im_out_state(out, NGX_IM_OUT_OWING);
    ngx_im_out_close(out);
    ngx_im_out_owing(out);
}


static ngx_uint_t
ngx_im_out_epoch(im_topic_t *topic, im_epoch_t *epoch)
{
    return topic->epoch.len == epoch->len
           && ngx_memcmp(topic->epoch.data, epoch->data, epoch->len) == 0;
}


/*
 * Redis knows all that has happened here.  A session that has left a room may
 * join it again at the other worker, and others hear of it in this order.
 */
static ngx_uint_t
ngx_im_out_reported(ngx_im_handover_out_t *out)
{
    ngx_uint_t  i;

    for (i = 0; i < out->ntopics; i++) {
        if (im_follow_hold(out->numbers[i]->topic) != IM_OK) {
            return 0;
        }
    }

    return im_follow_left(out->worker->follow);
}


/*
 * Its topics are known to the other worker, up to where the session is.  New
 * ones come first.
 */
static ngx_uint_t
ngx_im_out_ready(ngx_im_handover_out_t *out, ngx_im_session_t *s)
{
    im_sub_t            *sub;
    ngx_uint_t           ready;
    im_topic_t          *topic;
    ngx_im_out_topic_t  *t;

    ready = 1;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        topic = sub->log->topic;
        t = ngx_im_out_topic(out, topic);

        if (t == NULL) {
            ngx_im_out_name(out, topic);
            ready = 0;

        } else if (!t->is_ready) {
            return 0;

        } else if (im_follow_hold(topic) != IM_OK
                   || topic->seq < t->ready.seq
                   || im_follow_mark(topic) < t->ready.mark
                   || !ngx_im_out_epoch(topic, &t->ready.epoch))
        {
            ready = 0;
        }
    }

    if (ready && s->left) {
        ready = ngx_im_out_reported(out);
        s->left = !ready;
    }

    return ready;
}


static void
ngx_im_out_batch_send(ngx_im_handover_out_t *out, ngx_im_out_batch_t *batch)
{
    if (batch->nfds > 0) {

        if (out->nflights == batch->nfds) {
            ngx_im_channel_asks(out->channel, 1);
        }

        ngx_im_channel_send(out->channel, IM_HANDOVER_SESSIONS, &batch->body,
                            batch->fds, batch->nfds, batch->first);
    }

    batch->nfds = 0;
    batch->first = out->number + 1;
}


/* NGX_DECLINED: it is longer than a message may be. */
static ngx_int_t
ngx_im_out_encode(im_buf_t *body, const im_handover_session_t *record)
{
    size_t  len;

    len = body->len;

    im_handover_session_encode(body, record);

    if (!body->failed) {
        return NGX_OK;
    }

    body->len = len;
    body->failed = 0;

    return NGX_DECLINED;
}


/* The session is in flight then. */
static void
ngx_im_out_pack(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    ngx_im_out_batch_t *batch)
{
    ngx_int_t               rc;
    ngx_im_out_flight_t    *flight;
    im_handover_session_t   record;

    if (ngx_im_pack(s, &record, ngx_im_out_number, out) != NGX_OK) {
        return;
    }

    record.number = out->number + 1;

    rc = ngx_im_out_encode(&batch->body, &record);

    if (rc == NGX_DECLINED && batch->nfds > 0) {
        ngx_im_out_batch_send(out, batch);
        rc = ngx_im_out_encode(&batch->body, &record);
    }

    im_handover_session_cleanup(&record);

    if (rc != NGX_OK) {
        ngx_im_pack_undo(s);
        ngx_im_out_stay(out, s, NGX_IM_STAYED_RECORD);
        return;
    }

    out->number++;

    flight = &out->flights[out->nflights++];
    flight->session = ngx_im_session_handle(s);
    flight->entry = out->nentries;
    flight->number = out->number;

    batch->fds[batch->nfds++] = s->connection->fd;

    if (batch->nfds == IM_HANDOVER_SESSIONS_MAX
        || batch->body.len >= NGX_IM_OUT_BODY)
    {
        ngx_im_out_batch_send(out, batch);
    }
}


/* NGX_OK: it is in flight or stays; NGX_AGAIN: it waits. */
static ngx_int_t
ngx_im_out_session(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    ngx_im_out_batch_t *batch)
{
    if (s->phase >= NGX_IM_MOVING || ngx_im_handover_stays(out->worker, s)) {
        return NGX_OK;
    }

    if (ngx_im_pack_stays(s)) {
        ngx_im_out_stay(out, s, ngx_im_tls(s->connection) ? NGX_IM_STAYED_TLS
                                                    : NGX_IM_STAYED_HTTP);
        return NGX_OK;
    }

    /* that has an end of its own, and then the session moves */

    if (ngx_im_adopted_awaits(s)) {
        ngx_im_out_progress(out);
    }

    if (!ngx_im_out_ready(out, s) || ngx_im_pack_waits(s)) {
        return NGX_AGAIN;
    }

    ngx_im_out_pack(out, s, batch);

    return NGX_OK;
}


/* NGX_OK: none is left; NGX_AGAIN: some are. */
static ngx_int_t
ngx_im_out_sessions(ngx_im_handover_out_t *out)
{
    ngx_int_t            rc;
    ngx_uint_t           n;
    ngx_im_session_t    *s;
    ngx_im_out_batch_t   batch;

    rc = NGX_OK;
    batch.nfds = 0;
    batch.first = out->number + 1;

    im_buf_init(&batch.body, IM_HANDOVER_MAX);

    for (n = 0; n <= out->worker->nsessions + 1; n++) {

        if (out->nflights == IM_HANDOVER_FLIGHT) {
            rc = NGX_AGAIN;
            break;
        }

        s = ngx_im_session_next(out->worker, &out->cursor);

        if (s == NULL) {
            out->cursor = 0;

        } else if (ngx_im_out_session(out, s, &batch) == NGX_AGAIN) {
            rc = NGX_AGAIN;
        }
    }

    ngx_im_out_names_send(out);
    ngx_im_out_batch_send(out, &batch);

    im_buf_cleanup(&batch.body);

    return rc;
}


/* All topics are held still.  Without Redis this never comes. */
static ngx_uint_t
ngx_im_out_frozen(ngx_im_handover_out_t *out)
{
    ngx_uint_t  i, frozen;

    frozen = 1;

    for (i = 0; i < out->ntopics; i++) {
        if (im_follow_freeze(out->numbers[i]->topic) != IM_OK) {
            frozen = 0;
        }
    }

    return frozen;
}


/* Redis keeps what it counts of sessions as long as they move. */
static ngx_uint_t
ngx_im_out_lends(ngx_im_handover_out_t *out)
{
    return out->worker->follow == NULL
           || ngx_im_lease_hold(out->worker, 1) == NGX_OK;
}


static void
ngx_im_out_moving(ngx_im_handover_out_t *out)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    if (!out->quits && !ngx_im_out_late(out)) {
        rc = ngx_im_out_lends(out) ? ngx_im_out_sessions(out) : NGX_AGAIN;
    }

    if (rc == NGX_OK && out->nflights == 0
        && ngx_current_msec - out->begin >= NGX_IM_OUT_OPENING
        && (out->quits || ngx_im_out_late(out)
            || out->worker->ntaking == 0))
    {
        ngx_im_out_state(out, NGX_IM_OUT_FREEZING);
        ngx_im_out_look(out, 1);
        return;
    }

    ngx_im_out_look(out, NGX_IM_OUT_LOOK);
}


static void
ngx_im_out_freezing(ngx_im_handover_out_t *out)
{
    im_buf_t  b;

    if (!ngx_im_out_frozen(out)) {
        ngx_im_out_look(out, NGX_IM_OUT_LOOK);
        return;
    }

    ngx_im_out_state(out, NGX_IM_OUT_ENDING);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);

    im_buf_init(&b, IM_HANDOVER_MAX);
    ngx_im_channel_send(out->channel, IM_HANDOVER_END, &b, NULL, 0, 0);
    ngx_im_channel_asks(out->channel, 1);
}


/* The worker may end: it has told Redis that its topics are left. */
static void
ngx_im_out_leaving(ngx_im_handover_out_t *out)
{
    if (out->worker->follow == NULL || im_follow_left(out->worker->follow)
        || ngx_current_msec - out->left >= NGX_IM_OUT_LINGER)
    {
        ngx_im_out_done(out);
        return;
    }

    ngx_im_out_look(out, NGX_IM_OUT_LOOK);
}


/* WELCOME or SETTLED comes, or the channel is lost. */
static void
ngx_im_out_waiting(ngx_im_handover_out_t *out)
{
    (void) ngx_im_out_late(out);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);
}


static void
ngx_im_out_over(ngx_im_handover_out_t *out)
{
    /* void */
}


/* By ngx_im_out_state_e: some time has passed, or something has changed. */
static void (*const  ngx_im_out_steps[])(ngx_im_handover_out_t *out) = {
    ngx_im_out_connect,
    ngx_im_out_waiting,
    ngx_im_out_moving,
    ngx_im_out_owing,
    ngx_im_out_freezing,
    ngx_im_out_waiting,
    ngx_im_out_leaving,
    ngx_im_out_over
};


static void
ngx_im_out_handler(ngx_event_t *ev)
{
    ngx_im_handover_out_t  *out;

    out = ev->data;

    ngx_im_out_steps[out->state](out);
}


void
ngx_im_handover_out_look(ngx_im_worker_t *w)
{
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    if (out != NULL && out->state > NGX_IM_OUT_GREETING
        && out->state < NGX_IM_OUT_DONE)
    {
        ngx_post_event(&out->turn, &ngx_posted_events);
    }
}


/* Those that no session needs any more, whether it is in flight or will be. */
static void
ngx_im_out_expire(ngx_im_handover_out_t *out)
{
    uint64_t        least;
    ngx_uint_t      i;
    ngx_im_copy_t  *copy;

    least = out->nentries;

    for (i = 0; i < out->nflights; i++) {
        least = ngx_min(least, out->flights[i].entry);
    }

    while ((copy = ngx_im_entries_first(&out->entries)) != NULL
           && copy->number <= least
           && ngx_current_msec - copy->time >= NGX_IM_OUT_ENTRY)
    {
        ngx_im_entries_remove(&out->entries, copy);
    }
}


static void
ngx_im_out_keep(ngx_im_handover_out_t *out, const im_buf_t *b)
{
    ngx_im_copy_t  *copy;

    ngx_im_out_expire(out);

    copy = b->failed ? NULL
                     : ngx_im_entries_add(&out->entries, im_buf_str(b));
    out->nentries++;

    if (copy == NULL) {
        out->unkept = out->nentries;
        return;
    }

    copy->number = out->nentries;
}


void
ngx_im_handover_out_entry(ngx_im_worker_t *w, const im_entry_t *entry)
{
    im_buf_t                b;
    ngx_im_handover_out_t  *out;

    out = w->handover_out;

    if (out == NULL || out->state == NGX_IM_OUT_DONE) {
        return;
    }

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_entry_encode(&b, entry);

    ngx_im_out_keep(out, &b);

    if (out->channel != NULL && out->state >= NGX_IM_OUT_MOVING) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_ENTRIES, &b, NULL, 0, 0);
    }

    im_buf_cleanup(&b);
}


/* They may still be on their way to the other worker. */
static void
ngx_im_out_entries_send(ngx_im_handover_out_t *out)
{
    im_buf_t        b;
    ngx_im_copy_t  *copy;

    im_buf_init(&b, IM_HANDOVER_MAX);

    for (copy = ngx_im_entries_first(&out->entries);
         copy != NULL;
         copy = ngx_im_entries_next(&out->entries, copy))
    {
        im_buf_add_str(&b, im_str_set(copy->bytes, copy->len));
    }

    if (b.len > 0) {
        ngx_im_channel_send(out->channel, IM_HANDOVER_ENTRIES, &b, NULL, 0, 0);
    }

    im_buf_cleanup(&b);
}


static im_int_t
ngx_im_out_each_topic(im_topic_t *topic, void *data)
{
    ngx_im_out_name(data, topic);

    return IM_OK;
}


static void
ngx_im_out_welcome(ngx_im_handover_out_t *out, im_str_t body)
{
    ngx_im_worker_t      *w;
    im_handover_hello_t   welcome;

    w = out->worker;

    if (im_handover_hello_decode(body, &welcome) != IM_OK
        || welcome.version != IM_HANDOVER_VERSION || welcome.workers == 0)
    {
        ngx_im_out_failed(out, 0, "its answer can't be read");
        return;
    }

    out->pid = (ngx_pid_t) welcome.pid;

    if (out->slot != ngx_worker % welcome.workers) {
        out->slot = ngx_worker % welcome.workers;
        ngx_im_out_again(out);
        return;
    }

    if (w->follow != NULL) {
        out->lend = ngx_im_lease_lend(w, welcome.worker, out->fence);

        if (out->lend == NULL) {
            ngx_im_out_failed(out, 0, "no memory");
            return;
        }
    }

    out->number = 0;
    out->quits = 0;
    out->same = welcome.zone != 0 && welcome.zone == ngx_im_zone_id(w);

    ngx_im_out_state(out, NGX_IM_OUT_MOVING);

    ngx_im_out_entries_send(out);

    if (w->follow != NULL) {
        (void) im_hub_each_topic(&w->hub, ngx_im_out_each_topic, out);
    }

    ngx_im_out_moving(out);
}


static void
ngx_im_out_readies(ngx_im_handover_out_t *out, im_str_t body)
{
    im_int_t             rc;
    im_reader_t          r;
    ngx_im_out_topic_t  *t;
    im_handover_ready_t  ready;

    im_reader_init(&r, body);

    while ((rc = im_handover_ready_decode(&r, &ready)) == IM_OK) {

        if (ready.number >= out->ntopics) {
            rc = IM_ERROR;
            break;
        }

        t = out->numbers[ready.number];
        t->ready = ready;
        t->is_ready = 1;

        /* Redis has lost what it knew of it, and this worker doesn't know */

        if (!ngx_im_out_epoch(t->topic, &ready.epoch)) {
            (void) im_follow_ask(t->topic);
        }
    }

    if (rc == IM_ERROR) {
        ngx_im_out_lost(out->channel, "its message \"ready\" can't be read");
        return;
    }

    ngx_im_out_progress(out);

    /* topics whose sessions don't move may be the last ones */

    if (out->state == NGX_IM_OUT_MOVING) {
        ngx_im_out_moving(out);
    }
}


/* NULL: it isn't in flight. */
static ngx_im_session_t *
ngx_im_out_landed(ngx_im_handover_out_t *out, uint32_t number,
    ngx_im_out_flight_t *flight)
{
    ngx_uint_t  i;

    for (i = 0; i < out->nflights; i++) {
        if (out->flights[i].number == number) {
            *flight = out->flights[i];
            out->flights[i] = out->flights[--out->nflights];

            return ngx_im_session_find(out->worker, flight->session);
        }
    }

    return NULL;
}


/* What came up for it in flight follows it. */
static void
ngx_im_out_moved(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    uint32_t number)
{
    im_buf_t            b;
    im_handover_late_t  late;

    while (ngx_im_pack_late(s, &late) == NGX_OK) {
        late.session = number;

        im_buf_init(&b, IM_HANDOVER_MAX);
        im_handover_late_encode(&b, &late);

        ngx_im_channel_send(out->channel, IM_HANDOVER_LATE, &b, NULL, 0, 0);
    }

    ngx_im_pack_gone(s, out->same, 0);

    out->nmoved++;
    out->tries = 0;
    out->moved = ngx_current_msec;
    ngx_im_out_progress(out);
    out->worker->counters->moved_out++;
}


static void
ngx_im_out_verdict(ngx_im_handover_out_t *out, im_handover_verdict_t *v)
{
    ngx_im_session_t     *s;
    ngx_im_out_flight_t   flight;

    s = ngx_im_out_landed(out, v->session, &flight);

    if (s == NULL) {
        return;
    }

    if (v->verdict == IM_HANDOVER_MOVED) {
        ngx_im_out_moved(out, s, v->session);
        return;
    }

    ngx_im_out_undo(out, s, &flight);

    if (v->verdict == IM_HANDOVER_ELSEWHERE) {
        out->quits = 1;

    } else if (v->verdict != IM_HANDOVER_AGAIN) {
        ngx_im_out_stay(out, s, NGX_IM_STAYED_PLACE
                                + v->verdict - IM_HANDOVER_PLACE);
    }
}


static void
ngx_im_out_verdicts(ngx_im_handover_out_t *out, im_str_t body)
{
    im_int_t               rc;
    im_reader_t            r;
    im_handover_verdict_t  v;

    im_reader_init(&r, body);

    while ((rc = im_handover_verdict_decode(&r, &v)) == IM_OK) {
        ngx_im_out_verdict(out, &v);
    }

    if (rc == IM_ERROR) {
        ngx_im_out_lost(out->channel, "its message \"verdicts\" can't be read");
        return;
    }

    if (out->nflights == 0) {
        ngx_im_channel_asks(out->channel, 0);
    }

    ngx_im_out_moving(out);
}


static void
ngx_im_out_settled(ngx_im_handover_out_t *out, im_str_t body)
{
    ngx_im_out_release(out, 1);

    if (out->quits && !ngx_im_out_late(out)) {
        ngx_im_out_again(out);
        return;
    }

    /* entries for sessions that have moved may come until then */

    ngx_im_out_state(out, NGX_IM_OUT_LEAVING);

    out->left = ngx_current_msec;

    ngx_im_out_leaving(out);
}


typedef struct {
    ngx_im_out_state_e  state;           /* from which on it may come */
    ngx_im_out_state_e  last;            /* up to this one */
    void              (*handler)(ngx_im_handover_out_t *out, im_str_t body);
} ngx_im_out_row_t;


static const ngx_im_out_row_t  ngx_im_out_rows[IM_HANDOVER_TYPES] = {
    [IM_HANDOVER_WELCOME] = { NGX_IM_OUT_GREETING, NGX_IM_OUT_GREETING,
                              ngx_im_out_welcome },
    [IM_HANDOVER_READY] = { NGX_IM_OUT_MOVING, NGX_IM_OUT_ENDING,
                            ngx_im_out_readies },
    [IM_HANDOVER_VERDICTS] = { NGX_IM_OUT_MOVING, NGX_IM_OUT_MOVING,
                               ngx_im_out_verdicts },
    [IM_HANDOVER_SETTLED] = { NGX_IM_OUT_ENDING, NGX_IM_OUT_ENDING,
                              ngx_im_out_settled }
};


static void
ngx_im_out_message(ngx_im_channel_t *ch, im_handover_type_e type, im_str_t body,
    ngx_socket_t *fds, ngx_uint_t nfds)
{
    const ngx_im_out_row_t  *row;
    ngx_im_handover_out_t   *out;

    out = ch->data;
    row = &ngx_im_out_rows[type];

    if (row->handler == NULL || out->state < row->state
        || out->state > row->last)
    {
        ngx_im_out_lost(ch, "it sent a message that doesn't belong there");
        return;
    }

    row->handler(out, body);
}


static const ngx_im_channel_events_t  ngx_im_out_events = {
    ngx_im_out_message,
    ngx_im_out_lost
};


static void
ngx_im_out_hello(ngx_im_handover_out_t *out)
{
    im_buf_t             b;
    im_handover_hello_t  hello;

    ngx_memzero(&hello, sizeof(im_handover_hello_t));

    out->lend = NULL;
    out->went = out->nmoved + out->nlost;
    out->fence = out->worker->follow != NULL
                 ? im_follow_fence(out->worker->follow) : 0;

    hello.version = IM_HANDOVER_VERSION;
    hello.pid = (uint32_t) ngx_pid;
    hello.zone = ngx_im_zone_id(out->worker);
    hello.fence = out->fence;
    hello.worker = ngx_im_channel_id(out->worker);

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_hello_encode(&b, &hello);

    ngx_im_out_state(out, NGX_IM_OUT_GREETING);
    ngx_im_out_look(out, NGX_IM_OUT_STEP / 2);
    ngx_im_channel_send(out->channel, IM_HANDOVER_HELLO, &b, NULL, 0, 0);
}


/* The other worker is of this nginx: its master has made the socket. */
static const char *
ngx_im_out_open(ngx_im_handover_out_t *out, struct sockaddr_un *sa)
{
    ngx_uid_t     uid;
    ngx_socket_t  fd;

    fd = socket(AF_UNIX, SOCK_SEQPACKET|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        return "socket() failed";
    }

    if (connect(fd, (struct sockaddr *) sa, sizeof(struct sockaddr_un)) == -1) {
        (void) ngx_close_socket(fd);
        return "connect() failed";
    }

    if (ngx_im_channel_peer(fd, 1, &uid) != NGX_OK) {
        (void) ngx_close_socket(fd);
        ngx_set_errno(0);
        return "its socket is another user's";
    }

    out->channel = ngx_im_channel_create(out->worker, fd, &ngx_im_out_events,
                                         out);

    return out->channel == NULL ? "no memory or no connection" : NULL;
}


static void
ngx_im_out_connect(ngx_im_handover_out_t *out)
{
    ino_t                ino;
    const char          *why;
    struct sockaddr_un   sa;

    if (ngx_im_out_late(out)) {
        ngx_im_out_failed(out, 0, "none has taken them in 5 s");
        return;
    }

    if (ngx_im_handover_next(out->worker->conf, out->slot, &sa, &ino)
        != NGX_OK)
    {
        ngx_im_out_failed(out, 0, "there is none any more");
        return;
    }

    if (ino != out->ino) {
        out->ino = ino;
        out->tries = 0;
    }

    ngx_set_errno(0);

    why = ngx_im_out_open(out, &sa);

    if (why == NULL) {
        ngx_im_out_hello(out);

    } else if (ngx_errno == NGX_EAGAIN && ++out->tries < NGX_IM_OUT_TRIES) {
        ngx_im_out_again(out);

    } else {
        ngx_im_out_failed(out, ngx_errno, why);
    }
}


ngx_int_t
ngx_im_handover_out(ngx_im_worker_t *w, const ngx_im_handover_events_t *events)
{
    ino_t                   ino;
    uint64_t                seed[2];
    ngx_uint_t              slot;
    struct sockaddr_un      sa;
    ngx_im_handover_out_t  *out;

    slot = ngx_worker;

    if (ngx_im_handover_next(w->conf, slot, &sa, &ino) != NGX_OK) {
        slot = 0;

        if (ngx_im_handover_next(w->conf, slot, &sa, &ino) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    out = im_calloc(sizeof(ngx_im_handover_out_t));
    if (out == NULL) {
        return NGX_DECLINED;
    }

    out->worker = w;
    out->events = events;
    out->slot = slot;
    out->begin = ngx_current_msec;
    out->moved = ngx_current_msec;
    out->looked = ngx_current_msec;

    ngx_im_random((u_char *) seed);

    if (im_hash_init(&out->topics, ngx_im_out_topic_name, seed) != IM_OK) {
        im_free(out);
        return NGX_DECLINED;
    }

    im_buf_init(&out->names, IM_HANDOVER_MAX);
    ngx_im_entries_init(&out->entries);

    out->event.handler = ngx_im_out_handler;
    out->event.data = out;
    out->event.log = w->log;
    out->turn = out->event;

    w->handover_out = out;
    w->opening = 1;

    ngx_add_timer(&out->event, 1);

    return NGX_OK;
}
