/*
 * Copyright (C) The im authors
 *
 * Calls of pub.lua, for many messages each.
 *
 * A call is one step of Redis, during which it serves nothing else: so its
 * messages and their bytes are bounded.  What is more goes with the next one.
 */

#include <stdio.h>

#include <event2/event.h>

#include "im_logic_accept.h"
#include "im_logic_durable.h"
#include "im_logic_print.h"


#define IM_ACCEPT_MAX        32               /* messages of a call, .. */
#define IM_ACCEPT_MAX_BYTES  IM_PUSH_MAX_BATCH  /* .. but for a longer one */


/* Messages that share a link and a call: in order, for the next one. */
typedef struct {
    im_list_t         due;                    /* in accept->due */
    im_list_t         targets;
    im_uint_t         n;
    size_t            bytes;
} im_logic_accept_batch_t;


/* A call that is out. */
typedef struct {
    im_logic_t        *logic;
    im_link_t         *link;
    im_uint_t          n;
    im_logic_target_t *targets[1];
} im_logic_accept_call_t;


struct im_logic_accept_s {
    struct event             *turn;
    im_list_t                 due;
    im_uint_t                 nbatches;
    im_logic_accept_batch_t  *batches;        /* a pair of each */
};


static void
im_logic_accept_no_memory(im_logic_target_t *t)
{
    t->reason = IM_REFUSED_NO_MEMORY;
    t->status = 503;
    t->msg = "no memory";
    t->publish->done(t);
}


/* why is NULL: what was stored has reached the replicas. */
static void
im_logic_accept_confirmed(const char *why, void *data)
{
    im_uint_t                i;
    im_logic_target_t       *t;
    im_logic_accept_call_t  *call = data;

    im_logic_durable_log(call->logic, why);

    for (i = 0; i < call->n; i++) {
        t = call->targets[i];

        if (t->status == 200 && why != NULL) {
            call->logic->counters.unconfirmed++;
            t->reason = IM_REFUSED_UNCONFIRMED;
            t->status = IM_LOGIC_UNCONFIRMED;
            t->msg = im_logic_text(t->publish->r, "stored, not confirmed; "
                                   "repeat with the same id: %s",
                                   im_str_z(why));
        }

        t->publish->done(t);
    }

    im_free(call);
}


/* What became of one message; nonsense is logged. */
static void
im_logic_accept_read(im_logic_target_t *t, const im_link_reply_t *reply,
    im_uint_t i)
{
    int64_t      status;
    im_str_t     s;
    const char  *why;

    s = im_link_reply_str_at(reply, i + 1);

    t->reason = IM_REFUSED_REDIS_ERROR;
    t->status = 503;
    t->msg = "redis answered nonsense";

    status = im_link_reply_int_at(reply, i, -1);

    switch (status) {

    case 0:
    case 1:
        s.len = im_min(s.len, sizeof(t->position));
        im_copy(t->position, s.data, s.len);
        s.data = (u_char *) t->position;

        if (im_position_decode(s, &t->epoch, &t->seq) == IM_OK) {
            t->publish->logic->counters.repeated += status == 1;
            t->status = 200;
            t->msg = NULL;
            return;
        }

        why = "unknown position";
        break;

    case 2:
        t->reason = IM_REFUSED_QUEUE_FULL;
        t->msg = "the queue is full";
        return;

    case 3:
        t->reason = IM_REFUSED_ID_REUSED;
        t->status = 409;
        t->msg = "the id was used for another message";
        return;

    case 4:
        im_daemon_log(IM_LOG_ERROR, "pub.lua failed: %.*s", (int) s.len,
                      (char *) s.data);
        t->msg = "redis refused it";
        return;

    default:
        why = "unknown reply";
    }

    im_daemon_log(IM_LOG_ERROR, "pub.lua: %s", why);
}


static void
im_logic_accept_handler(const im_link_reply_t *reply, void *data)
{
    char                     excuse[256];
    im_uint_t                i, stored;
    const char              *why;
    im_logic_target_t       *t;
    im_logic_accept_call_t  *call = data;

    why = im_logic_fault(reply, "pub.lua");

    if (reply == NULL) {
        (void) snprintf(excuse, sizeof(excuse), "%s",
                        im_link_excuse(call->link));
        why = excuse;
    }

    stored = 0;

    for (i = 0; i < call->n; i++) {
        t = call->targets[i];

        if (why == NULL) {
            im_logic_accept_read(t, reply, 3 * i);

        } else {
            t->reason = reply == NULL ? IM_REFUSED_REDIS_AWAY
                                      : IM_REFUSED_REDIS_ERROR;
            t->status = 503;
            t->msg = im_logic_text(t->publish->r, "%s", im_str_z(why));
        }

        stored += t->status == 200;
    }

    if (stored > 0 && call->link != call->logic->link) {
        call->logic->counters.waits++;

        if (im_link_confirm(call->link, im_logic_accept_confirmed, call)
            != IM_OK)
        {
            im_logic_accept_confirmed("no memory", call);
        }

        return;
    }

    for (i = 0; i < call->n; i++) {
        call->targets[i]->publish->done(call->targets[i]);
    }

    im_free(call);
}


static void
im_logic_accept_keys(im_logic_accept_call_t *sent, im_link_call_t *call)
{
    uint16_t                   p;
    im_uint_t                  i;
    const im_keys_t           *keys;
    const im_logic_target_t   *t;
    const im_logic_publish_t  *publish;

    keys = im_link_keys(sent->logic->link);

    for (i = 0; i < sent->n; i++) {
        t = sent->targets[i];
        publish = t->publish;
        p = im_logic_partition(sent->logic, t->topic);

        im_key_topic(&call->bytes, keys, p, t->topic, IM_KEY_META);
        im_link_call_key(call);
        im_key_topic(&call->bytes, keys, p, t->topic, IM_KEY_HISTORY);
        im_link_call_key(call);
        im_key_queue(&call->bytes, keys, p);
        im_link_call_key(call);

        if (publish->id.len > 0) {
            im_key_idem(&call->bytes, keys, p, t->topic, publish->id);

        } else {
            im_key_queue(&call->bytes, keys, p);
        }

        im_link_call_key(call);
        im_key_topic(&call->bytes, keys, p, t->topic, IM_KEY_ROUTES);
        im_link_call_key(call);
    }

    /* those of one partition: a worker hears all that share a server */

    p = im_logic_partition(sent->logic, sent->targets[0]->topic);
    im_link_call_channels(call, keys, p);
}


static void
im_logic_accept_args(im_logic_accept_call_t *sent, im_link_call_t *call,
    im_uint_t i)
{
    const im_logic_target_t   *t;
    const im_logic_publish_t  *publish;

    t = sent->targets[i];
    publish = t->publish;

    im_link_call_str(call, t->topic);
    im_link_call_str(call, im_buf_str(publish->envelope));
    im_link_call_str(call, im_str_set(publish->hash, IM_PUSH_HASH));

    if (i == 0) {
        im_link_call_generation(call);

    } else {
        im_link_call_z(call, "");
    }

    if (t->numbered || t->history == 0) {
        im_link_call_uint(call, t->history);

    } else {
        im_link_call_z(call, "");
    }

    im_link_call_uint(call, t->ttl);
    im_link_call_uint(call, t->meta_ttl);
    im_link_call_uint(call, publish->life);
    im_link_call_uint(call, sent->logic->conf.queue_cap);
}


static im_logic_target_t *
im_logic_accept_next(im_logic_accept_batch_t *b)
{
    im_list_t  *q;

    q = im_list_first(&b->targets);
    im_list_remove(q);

    return im_list_data(q, im_logic_target_t, link);
}


static void
im_logic_accept_send(im_logic_accept_batch_t *b)
{
    im_uint_t                i;
    im_link_call_t          *call;
    im_logic_accept_call_t  *sent;

    sent = im_alloc(sizeof(im_logic_accept_call_t)
                    + b->n * sizeof(im_logic_target_t *));

    im_list_remove(&b->due);
    b->bytes = 0;

    if (sent == NULL) {
        for ( /* void */ ; b->n > 0; b->n--) {
            im_logic_accept_no_memory(im_logic_accept_next(b));
        }

        return;
    }

    sent->n = b->n;
    b->n = 0;

    for (i = 0; i < sent->n; i++) {
        sent->targets[i] = im_logic_accept_next(b);
    }

    sent->logic = sent->targets[0]->publish->logic;
    im_metric_observe(&sent->logic->counters.calls, &im_metric_sizes, sent->n);

    sent->link = sent->targets[0]->on;

    call = im_link_script(sent->link, &im_script_pub);
    im_logic_accept_keys(sent, call);

    for (i = 0; i < sent->n; i++) {
        im_logic_accept_args(sent, call, i);
    }

    if (im_link_send(sent->link, im_logic_accept_handler, sent) != IM_OK) {
        im_logic_accept_handler(NULL, sent);
    }
}


static void
im_logic_accept_flush(im_logic_accept_t *a)
{
    while (!im_list_empty(&a->due)) {
        im_logic_accept_send(im_list_data(im_list_first(&a->due),
                                          im_logic_accept_batch_t, due));
    }
}


/* Behind all events of this turn, and before what is sent is written. */
static void
im_logic_accept_turn_handler(evutil_socket_t fd, short what, void *data)
{
    im_logic_accept_flush(data);
}


im_int_t
im_logic_accept_init(im_logic_t *logic)
{
    im_logic_accept_t  *a;

    a = im_calloc(sizeof(im_logic_accept_t));
    if (a == NULL) {
        return IM_ERROR;
    }

    logic->accept = a;
    im_list_init(&a->due);
    a->turn = event_new(logic->base, -1, 0, im_logic_accept_turn_handler, a);

    return a->turn != NULL ? IM_OK : IM_ERROR;
}


void
im_logic_accept_cleanup(im_logic_t *logic)
{
    im_logic_accept_t  *a;

    a = logic->accept;

    if (a == NULL) {
        return;
    }

    im_logic_accept_flush(a);

    if (a->turn != NULL) {
        event_free(a->turn);
    }

    im_free(a->batches);
    im_free(a);

    logic->accept = NULL;
}


/*
 * Partitions that share a server share their calls.  The number of partitions
 * is known once a link is ready.
 */
static im_logic_accept_batch_t *
im_logic_accept_batch(im_logic_accept_t *a, const im_logic_target_t *t)
{
    uint16_t     p;
    im_uint_t    i;
    im_logic_t  *logic;

    logic = t->publish->logic;
    p = im_logic_partition(logic, t->topic);

    if (a->batches == NULL) {
        a->nbatches = 2 * (im_uint_t) im_link_partitions(logic->link);
        a->batches = im_calloc(a->nbatches * sizeof(im_logic_accept_batch_t));

        if (a->batches == NULL) {
            return NULL;
        }

        for (i = 0; i < a->nbatches; i++) {
            im_list_init(&a->batches[i].due);
            im_list_init(&a->batches[i].targets);
        }
    }

    if (im_link_shared(logic->link)) {
        p = t->on == logic->link ? 0 : p % IM_DURABLE_LINKS;
    }

    return &a->batches[2 * p + (t->on != logic->link)];
}


void
im_logic_accept(im_logic_target_t *t)
{
    size_t                    len;
    im_logic_accept_t        *a;
    im_logic_accept_batch_t  *b;

    a = t->publish->logic->accept;
    b = im_logic_accept_batch(a, t);

    if (b == NULL) {
        im_logic_accept_no_memory(t);
        return;
    }

    len = t->publish->envelope->len;

    if (b->n > 0 && b->bytes + len > IM_ACCEPT_MAX_BYTES) {
        im_logic_accept_send(b);
    }

    im_list_insert_tail(&b->targets, &t->link);
    b->n++;
    b->bytes += len;

    if (b->n == 1) {
        im_list_insert_tail(&a->due, &b->due);
        event_active(a->turn, EV_TIMEOUT, 0);
    }

    if (b->n == IM_ACCEPT_MAX) {
        im_logic_accept_send(b);
    }
}
