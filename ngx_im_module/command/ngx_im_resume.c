/*
 * Copyright (C) The im authors
 *
 * How subscriptions begin: with an answer, and if the client names a position,
 * with the messages behind it; and how followers hear of a hole.
 *
 * Going live and the answer are one step, so that no message is missing or
 * comes twice between them.  The steps are served in turns: many clients at
 * once do not stall the worker.
 */

#include "ngx_im_follow.h"
#include "ngx_im_resume.h"
#include "ngx_im_client.h"
#include "ngx_im_read.h"
#include "ngx_im_topic.h"
#include "ngx_im_presence.h"
#include "ngx_im_info.h"
#include "ngx_im_emulation.h"
#include "ngx_im_expiry.h"
#include "ngx_im_reply.h"
#include "ngx_im_flush.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"
#include "im_id.h"


#define NGX_IM_RESUME_PAYERS  64     /* joins that are asked in a turn */
#define NGX_IM_RESUME_BOUND   (1024 * 1024)      /* of a page, about */


static void ngx_im_resume_connect(ngx_im_session_t *s);


void
ngx_im_resume_opened(ngx_im_session_t *s)
{
    im_sub_t       *sub;
    ngx_im_join_t  *join;
    ngx_im_ext_t   *ext;

    ext = s->ext;

    if (ext == NULL || !ext->connecting || s->phase != NGX_IM_OPEN
        || --ext->nsubs > 0)
    {
        return;
    }

    /* one of them stands for all */

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        join = ngx_im_sub_joining(sub);

        if (join != NULL) {
            ngx_im_turn_add(&ngx_im_worker->ready, &join->link);
            return;
        }
    }

    /* it follows nothing */

    ngx_im_resume_connect(s);
}


/*
 * NGX_OK: the position that the client names is known; NGX_BUSY: Redis may know
 * it by now; NGX_DECLINED: something behind it is lost.
 */
static ngx_int_t
ngx_im_resume_known(ngx_im_join_t *join)
{
    im_topic_t  *topic;
    im_epoch_t  *epoch;

    topic = join->sub->log->topic;

    /* a position without an epoch is of the current one */

    epoch = join->epoch.len > 0 ? &join->epoch : &topic->epoch;

    if (im_topic_continues(topic, im_str_set(epoch->data, epoch->len),
                           join->seq))
    {
        return NGX_OK;
    }

    return im_followed(topic)->numbered && join->asked != NGX_IM_ANSWERED
           ? NGX_BUSY : NGX_DECLINED;
}


/* As ngx_im_resume_judge(), of the position that a client names. */
static ngx_int_t
ngx_im_resume_since(ngx_im_join_t *join)
{
    ngx_int_t    rc;
    im_topic_t  *topic;

    topic = join->sub->log->topic;

    rc = ngx_im_resume_known(join);

    if (rc != NGX_OK || join->seq == topic->seq) {
        return rc;
    }

    return im_followed(topic)->numbered ? im_follow_window(topic, join->seq)
                                        : NGX_DECLINED;
}


/* The same where the last message says all: a client that has it needs none. */
static ngx_int_t
ngx_im_resume_cached(ngx_im_join_t *join, uint64_t *seq)
{
    ngx_int_t    rc;
    im_topic_t  *topic;

    topic = join->sub->log->topic;
    *seq = topic->seq;

    rc = ngx_im_resume_known(join);

    if (rc == NGX_BUSY
        || (rc == NGX_OK && join->seq == topic->seq && join->seq > 0))
    {
        return rc;
    }

    if (im_follow_last(topic, 1, seq) == IM_AGAIN) {
        return NGX_AGAIN;
    }

    return *seq < topic->seq ? NGX_OK : NGX_DECLINED;
}


/*
 * The subscription begins with the messages behind *seq.  NGX_OK: they are
 * here; NGX_DECLINED: they are, but there is a hole before them; NGX_AGAIN:
 * history must be read; NGX_BUSY: this worker does not know the position, but
 * Redis may know it by now.
 */
static ngx_int_t
ngx_im_resume_judge(ngx_im_join_t *join, uint64_t *seq)
{
    ngx_int_t    rc;
    im_topic_t  *topic;

    rc = NGX_OK;
    topic = join->sub->log->topic;

    if (join->recover && im_followed(topic)->cached) {
        return ngx_im_resume_cached(join, seq);
    }

    if (join->recover) {
        *seq = join->seq;
        rc = ngx_im_resume_since(join);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    *seq = topic->seq;

    if (join->last > 0 && im_followed(topic)->numbered
        && im_follow_last(topic, join->last, seq) == IM_AGAIN)
    {
        return NGX_AGAIN;
    }

    return rc;
}


static ngx_im_peer_t *
ngx_im_resume_peer(ngx_im_join_t *join)
{
    ngx_im_session_t  *s;

    s = ngx_im_sub_session(join->sub);

    return &s->peer;
}


/* One question for all that wait; those that come later wait for another. */
static void
ngx_im_resume_ask(ngx_im_topic_t *t)
{
    im_list_t      *q;
    ngx_im_peer_t  *peer;
    ngx_im_join_t  *join;

    if (im_follow_ask(t->topic) != NGX_OK) {
        return;
    }

    peer = NULL;

    im_list_each(q, &t->joins) {
        join = im_list_data(q, ngx_im_join_t, link);

        if (join->asked == NGX_IM_NOT_ASKED) {
            join->asked = NGX_IM_ASKED;
            peer = ngx_im_resume_peer(join);
        }
    }

    if (peer != NULL) {
        ngx_im_read_charge_call(peer);
    }
}


/*
 * A page is read once for all who wait, and one of them pays: the first one
 * whose address has credit and not too many calls out.
 */
static ngx_int_t
ngx_im_resume_payer(ngx_im_worker_t *w, ngx_im_topic_t *t)
{
    im_list_t      *q;
    ngx_uint_t      i;
    ngx_im_peer_t  *peer;

    for (i = 0; i < NGX_IM_RESUME_PAYERS; i++) {
        q = im_list_first(&t->joins);

        if (q == im_list_sentinel(&t->joins)) {
            break;
        }

        peer = ngx_im_resume_peer(im_list_data(q, ngx_im_join_t, link));

        if (!ngx_im_read_owes(peer)
            && ngx_im_read_begin(w, &t->read, peer) == NGX_OK)
        {
            return NGX_OK;
        }

        im_list_remove(q);
        im_list_insert_tail(&t->joins, q);
    }

    return NGX_BUSY;
}


/* The page was read, or it was not asked for after all. */
static void
ngx_im_resume_loaded(ngx_im_topic_t *t)
{
    size_t  bytes;

    if (im_list_empty(&t->read.link) || im_follow_loading(t->topic)) {
        return;
    }

    bytes = im_follow_window_bytes(t->topic);

    if (bytes > t->read_from) {
        ngx_im_read_charge(&t->read.peer, bytes - t->read_from);
    }

    ngx_im_read_end(ngx_im_worker, &t->read);
}


/* Messages behind seq are read now, or when there is credit. */
static void
ngx_im_resume_load(ngx_im_topic_t *t, uint64_t seq)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (im_list_empty(&t->read.link)
        && ngx_im_resume_payer(w, t) != NGX_OK)
    {
        ngx_im_turn_later(&w->loads, &t->load_link);
        return;
    }

    t->read_from = im_follow_window_bytes(t->topic);

    im_follow_load(t->topic, seq);
    ngx_im_resume_loaded(t);
}


/* NGX_OK: it waits for history or for the position. */
static ngx_int_t
ngx_im_resume_again(ngx_im_join_t *join)
{
    uint64_t         seq;
    ngx_int_t        rc;
    ngx_im_topic_t  *t;

    rc = ngx_im_resume_judge(join, &seq);

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    t = ngx_im_topic_get(join->sub->log->topic);
    if (t == NULL) {
        return NGX_DECLINED;
    }

    im_list_remove(&join->link);
    im_list_insert_tail(&t->joins, &join->link);

    if (rc == NGX_BUSY) {
        ngx_im_resume_ask(t);

    } else {
        ngx_im_resume_load(t, seq);
    }

    return NGX_OK;
}


static void
ngx_im_resume_ready(ngx_im_join_t *join)
{
    join->ready = 1;

    im_list_remove(&join->link);

    if (join->kind == NGX_IM_JOIN_CONNECT) {
        ngx_im_resume_opened(ngx_im_sub_session(join->sub));
        return;
    }

    ngx_im_turn_add(&ngx_im_worker->ready, &join->link);
}


/* Other members get a join, and the session gets the room info. */
static void
ngx_im_resume_announce(ngx_im_session_t *s, im_sub_t *sub)
{
    im_topic_t  *topic;

    topic = sub->log->topic;

    if (topic->name[0] != 'r') {
        return;
    }

    ngx_im_presence_tell(ngx_im_worker, sub, 1);

    if (im_wire(sub->log->wire).form->room_info != NULL) {
        ngx_im_info_session(topic, s);
    }
}


void
ngx_im_resume_joined(ngx_im_session_t *s, im_sub_t *sub)
{
    ngx_im_join_t  *join;

    join = ngx_im_sub_joining(sub);

    if (join != NULL) {
        if (!join->ready && ngx_im_resume_again(join) != NGX_OK) {
            ngx_im_resume_ready(join);
        }

        return;
    }

    im_sub_live(&ngx_im_worker->hub.logs, sub);

    ngx_im_resume_announce(s, sub);
}


static void
ngx_im_resume_run(ngx_im_topic_t *t)
{
    uint64_t        seq, since;
    im_list_t       joins;
    ngx_int_t       rc;
    ngx_uint_t      ask;
    ngx_im_join_t  *join;

    im_list_init(&joins);
    im_list_splice(&joins, &t->joins);

    since = UINT64_MAX;
    ask = 0;

    while (!im_list_empty(&joins)) {
        join = im_list_data(im_list_first(&joins), ngx_im_join_t, link);

        rc = ngx_im_resume_judge(join, &seq);

        if (rc == NGX_OK || rc == NGX_DECLINED) {
            ngx_im_resume_ready(join);
            continue;
        }

        im_list_remove(&join->link);
        im_list_insert_tail(&t->joins, &join->link);

        if (rc == NGX_BUSY) {
            ask = 1;

        } else {
            since = ngx_min(since, seq);
        }
    }

    if (ask) {
        ngx_im_resume_ask(t);
    }

    if (since != UINT64_MAX) {
        ngx_im_resume_load(t, since);
    }
}


ngx_int_t
ngx_im_resume_serve_load(im_list_t *q, void *data)
{
    ngx_im_topic_t  *t;

    t = im_list_data(q, ngx_im_topic_t, load_link);

    ngx_im_resume_run(t);

    return NGX_OK;
}


void
ngx_im_resume_history(void *ctx, im_topic_t *topic, im_follow_history_e why)
{
    im_list_t       *q;
    ngx_im_join_t   *join;
    ngx_im_topic_t  *t;

    t = im_followed(topic)->data;

    if (t == NULL) {
        return;
    }

    ngx_im_resume_loaded(t);

    if (im_list_empty(&t->joins)) {
        return;
    }

    for (q = im_list_first(&t->joins);
         why == IM_HISTORY_POSITION && q != im_list_sentinel(&t->joins);
         q = im_list_next(q))
    {
        join = im_list_data(q, ngx_im_join_t, link);

        if (join->asked == NGX_IM_ASKED) {
            join->asked = NGX_IM_ANSWERED;
        }
    }

    ngx_im_resume_run(t);
}


/* sub is not joining any more. */
static void
ngx_im_resume_forget(im_sub_t *sub)
{
    ngx_im_join_t     *join;
    ngx_im_session_t  *s;

    join = ngx_im_sub_joining(sub);

    if (join == NULL) {
        return;
    }

    (void) ngx_im_session_set_join(sub, NULL);

    im_list_remove(&join->link);

    /* connect may have waited for it alone */

    if (join->kind == NGX_IM_JOIN_CONNECT) {
        s = ngx_im_sub_session(sub);

        if (join->ready && s->ext->connecting) {
            s->ext->nsubs++;
        }

        ngx_im_resume_opened(s);
    }

    im_free(join);
}


void
ngx_im_resume_left(ngx_im_session_t *s, im_sub_t *sub)
{
    if (im_sub_state(sub) != IM_SUB_JOINING || sub->said) {
        ngx_im_presence_tell(ngx_im_worker, sub, 0);
    }

    ngx_im_resume_forget(sub);
}


/* Its topic is not there in time for the answer to connect. */
static ngx_uint_t
ngx_im_resume_late(ngx_im_join_t *join)
{
    im_topic_t  *topic;

    topic = join->sub->log->topic;

    join->late = join->late
                 && (topic->state == IM_TOPIC_NEW
                     || ngx_im_follow_apart(ngx_im_worker,
                                            im_topic_name(topic)));

    return join->late;
}


/* NGX_OK: some of them wait again. */
static ngx_int_t
ngx_im_resume_all_again(ngx_im_session_t *s)
{
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        join = ngx_im_sub_joining(sub);

        im_list_remove(&join->link);

        if (ngx_im_resume_late(join)) {
            continue;
        }

        if (ngx_im_resume_again(join) == NGX_OK) {
            join->ready = 0;
            s->ext->nsubs++;
        }
    }

    return s->ext->nsubs > 0 ? NGX_OK : NGX_DECLINED;
}


static void
ngx_im_resume_position(im_subscribed_t *begin, im_topic_t *topic,
    im_str_t epoch, uint64_t seq)
{
    ngx_memzero(begin, sizeof(im_subscribed_t));

    begin->topic = im_topic_name(topic);
    begin->at.epoch = epoch;
    begin->at.seq = seq;
    begin->recoverable = im_followed(topic)->numbered;
    begin->positioned = begin->recoverable;
}


/* The same of a subscription, which may have less. */
static void
ngx_im_resume_place(im_subscribed_t *begin, im_sub_t *sub, im_str_t epoch,
    uint64_t seq)
{
    ngx_im_resume_position(begin, sub->log->topic, epoch, seq);

    if (sub->flags & NGX_IM_SUB_NO_RECOVERY) {
        begin->recoverable = 0;
    }

    if (sub->flags & NGX_IM_SUB_NO_POSITION) {
        begin->positioned = 0;
    }
}


/* An answer is bounded: the number before the first message that it has. */
static uint64_t
ngx_im_resume_fit(im_topic_t *topic, uint64_t seq, size_t left)
{
    size_t    len;
    uint64_t  n;

    for (n = topic->seq; n > seq; n--) {
        len = im_follow_envelope(topic, n).len;

        if (len > left) {
            break;
        }

        left -= len;
    }

    return n;
}


/* The position where the client begins. */
static void
ngx_im_resume_begin(ngx_im_join_t *join, im_subscribed_t *begin, size_t *left)
{
    uint64_t     seq, fit;
    ngx_int_t    rc;
    im_topic_t  *topic;

    topic = join->sub->log->topic;

    ngx_im_resume_place(begin, join->sub,
                        im_str_set(topic->epoch.data, topic->epoch.len),
                        topic->seq);
    begin->ttl = ngx_im_expiry_sub_ttl(ngx_im_sub_session(join->sub),
                                       join->sub);

    rc = ngx_im_resume_judge(join, &seq);

    /* it can't wait for them: there was no memory */

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        seq = topic->seq;
    }

    fit = ngx_im_resume_fit(topic, seq, *left);

    if (join->recover) {
        begin->recovering = 1;
        begin->recovered = rc == NGX_OK && fit == seq;

        if (begin->recovered) {
            ngx_im_worker->counters->recovered++;

        } else {
            ngx_im_worker->counters->unrecovered++;
        }
    }

    if (!begin->recovered) {
        fit = ngx_max(fit, topic->seq - ngx_min(join->last, topic->seq));
    }

    begin->at.seq = fit;
    begin->nmessages = topic->seq - fit;

    for (seq = fit; seq < topic->seq; seq++) {
        *left -= im_follow_envelope(topic, seq + 1).len;
    }
}


/* A client that named its place keeps it: what it has missed comes later. */
static void
ngx_im_resume_as_it_was(ngx_im_join_t *join, im_subscribed_t *begin)
{
    ngx_im_resume_place(begin, join->sub,
                        im_str_set(join->epoch.data, join->epoch.len),
                        join->seq);

    begin->recovering = 1;
    begin->recovered = 1;
}


/* Room for an answer of each subscription, and behind them for their data. */
static im_subscribed_t *
ngx_im_resume_subs_alloc(ngx_im_session_t *s)
{
    size_t          len;
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    len = (s->nsubs + 1) * sizeof(im_subscribed_t);

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        join = ngx_im_sub_joining(sub);
        len += join->data.len;
    }

    return im_calloc(len);
}


static im_subscribed_t *
ngx_im_resume_subs(ngx_im_session_t *s, ngx_uint_t *n)
{
    u_char           *p;
    size_t            left;
    im_sub_t         *sub;
    ngx_im_join_t    *join;
    ngx_im_worker_t  *w;
    im_subscribed_t  *subs;

    w = ngx_im_worker;

    subs = ngx_im_resume_subs_alloc(s);
    if (subs == NULL) {
        return NULL;
    }

    p = (u_char *) (subs + s->nsubs + 1);
    left = w->conf->recovery_bytes;

    for (*n = 0, sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        join = ngx_im_sub_joining(sub);

        if (!join->late) {
            ngx_im_resume_begin(join, &subs[*n], &left);

            /* the join ends before the answer is sent */

            if (join->data.len > 0) {
                subs[*n].data = im_str_set(p, join->data.len);
                p = ngx_cpymem(p, join->data.data, join->data.len);
            }

            (*n)++;

        } else if (join->recover && join->epoch.len > 1) {
            ngx_im_resume_as_it_was(join, &subs[(*n)++]);
        }
    }

    ngx_im_read_charge(&s->peer, w->conf->recovery_bytes - left);

    if (ngx_im_resume_messages(w, subs, *n) != NGX_OK) {
        im_free(subs);
        return NULL;
    }

    return subs;
}


/* A topic that is late follows the answer to connect, as a push. */
static ngx_uint_t
ngx_im_resume_follows(im_sub_t *sub)
{
    ngx_im_join_t  *join;

    join = ngx_im_sub_joining(sub);

    if (!join->late) {
        return 0;
    }

    join->kind = NGX_IM_JOIN_PUSH;
    join->late = 0;
    join->ready = 0;

    return 1;
}


/* Those that the answer doesn't wait for are live. */
static void
ngx_im_resume_live(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (ngx_im_resume_follows(sub)) {
            continue;
        }

        ngx_im_resume_forget(sub);
        im_sub_live(&ngx_im_worker->hub.logs, sub);
    }
}


/* The client knows that it is connected: others hear of it. */
static void
ngx_im_resume_connected(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    ngx_im_ping_start(s);

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_state(sub) != IM_SUB_JOINING) {
            ngx_im_presence_tell(ngx_im_worker, sub, 1);

        } else if (sub->log->topic->state != IM_TOPIC_NEW) {
            ngx_im_resume_joined(s, sub);
        }
    }
}


static void
ngx_im_resume_connect(ngx_im_session_t *s)
{
    u_char               id[IM_UUID_LEN];
    im_reply_t           reply;
    ngx_uint_t           n;
    ngx_im_ext_t        *ext;
    im_subscribed_t     *subs;
    ngx_im_emulation_t   names;

    ext = s->ext;

    if (ngx_im_resume_all_again(s) == NGX_OK) {
        return;
    }

    subs = ngx_im_resume_subs(s, &n);

    if (subs == NULL) {
        ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
        return;
    }

    ngx_im_session_uuid(s, id);

    ngx_im_reply_init(&reply, IM_REPLY_CONNECT, ext->connect);
    reply.session = im_str_set(id, IM_UUID_LEN);
    reply.data = ext->data;
    reply.ping = s->class->conf->ping / 1000;
    reply.pong = 1;
    reply.ttl = ngx_im_expiry_ttl(s);
    reply.positions = s->positions;
    reply.subs = subs;
    reply.nsubs = n;

    if (ngx_im_emulation_name(s, &names) == NGX_OK) {
        reply.secret = im_str_set(names.session, IM_EMULATION_SESSION);
        reply.node = im_str_set(names.node, IM_UUID_LEN);
    }

    ext->connecting = 0;

    ngx_im_resume_live(s);

    if (ngx_im_reply_send(s, &reply) == NGX_OK) {
        ngx_im_resume_connected(s);
    }

    im_free(subs);

    ngx_im_session_resumed(s);

    (void) ngx_im_session_copy(&ext->data, im_str_set(NULL, 0));

    ngx_im_session_spare(s);
}


/* A push can not contain messages: they follow it. */
static ngx_int_t
ngx_im_resume_push(ngx_im_session_t *s, im_reply_t *reply,
    im_subscribed_t *begin)
{
    im_buf_t          b;
    ngx_int_t         rc;
    ngx_uint_t        i, n;
    const im_form_t  *form;

    n = begin->nmessages;

    begin->nmessages = 0;
    begin->recovering = 0;
    begin->recovered = 0;

    reply->type = IM_REPLY_PUSH_SUBSCRIBE;

    rc = ngx_im_reply_send(s, reply);

    if (rc != NGX_OK || n == 0) {
        return rc;
    }

    form = s->class->proto->forms[s->positions ? IM_FORM_POSITIONS
                                               : IM_FORM_PLAIN];

    im_buf_init(&b, n * (IM_PUSH_MAX_DATA + 65536));
    b.codec = &ngx_im_worker->deflate.single;

    for (i = 0; i < n; i++) {
        form->message(&b, s->class->transport, &begin->messages[i]);
    }

    rc = b.failed ? ngx_im_session_close(s, IM_REASON_BUSY, "no memory")
                  : ngx_im_send_history(s, im_buf_str(&b));

    im_buf_cleanup(&b);

    return rc;
}


static ngx_int_t
ngx_im_resume_answer(ngx_im_session_t *s, ngx_im_join_t *join,
    im_subscribed_t *begin)
{
    u_char      uuid[IM_UUID_LEN];
    im_reply_t  reply;

    ngx_im_session_uuid(s, uuid);

    ngx_im_reply_init(&reply, IM_REPLY_SUBSCRIBE, join->id);
    reply.session = im_str_set(uuid, IM_UUID_LEN);
    reply.topic = begin->topic;
    reply.subs = begin;
    reply.nsubs = 1;

    begin->data = join->data;

    return join->kind == NGX_IM_JOIN_PUSH
           ? ngx_im_resume_push(s, &reply, begin)
           : ngx_im_reply_send(s, &reply);
}


static void
ngx_im_resume_subscribe(ngx_im_session_t *s, ngx_im_join_t *join)
{
    size_t            left;
    im_sub_t         *sub;
    uint32_t          id;
    im_subscribed_t   begin;

    sub = join->sub;
    left = ngx_im_worker->conf->recovery_bytes;

    ngx_im_resume_begin(join, &begin, &left);

    if (join->strict && begin.recovering && !begin.recovered) {
        id = join->id;
        ngx_im_sub_leave(s, sub);
        (void) ngx_im_reply_error(s, id, IM_ERROR_POSITION);
        return;
    }

    /* a push can't say that something is missing: another connect can */

    if (join->kind == NGX_IM_JOIN_PUSH && (sub->flags & NGX_IM_SUB_CONNECT)
        && begin.recovering && !begin.recovered)
    {
        ngx_im_session_close(s, IM_REASON_STATE, "insufficient state");
        return;
    }

    ngx_im_read_charge(&s->peer, ngx_im_worker->conf->recovery_bytes - left);

    if (ngx_im_resume_messages(ngx_im_worker, &begin, 1) != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
        return;
    }

    /* the subscription is live before the answer; the join goes behind it */

    (void) ngx_im_session_set_join(sub, NULL);
    im_sub_live(&ngx_im_worker->hub.logs, sub);

    if (ngx_im_resume_answer(s, join, &begin) == NGX_OK) {
        ngx_im_resume_announce(s, sub);
    }

    im_free(join);
}


/* It gets messages again, and its address owes earlier ones. */
static ngx_uint_t
ngx_im_resume_owes(ngx_im_session_t *s, ngx_im_join_t *join)
{
    if (join->kind == NGX_IM_JOIN_CONNECT
        ? s->ext->nresumes == 0
        : join->last == 0
          && (!join->recover || join->seq == join->sub->log->topic->seq))
    {
        return 0;
    }

    return ngx_im_read_owes(&s->peer);
}


/*
 * NGX_AGAIN: the client, or other clients, must first read what is queued, or
 * the address has no credit.
 */
ngx_int_t
ngx_im_resume_serve(im_list_t *q, void *data)
{
    ngx_im_join_t     *join;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    w = data;
    join = im_list_data(q, ngx_im_join_t, link);
    s = ngx_im_sub_session(join->sub);

    if (s->phase != NGX_IM_OPEN) {
        return NGX_OK;
    }

    if (ngx_im_send_waiting(s) > s->class->conf->max_replies
        || ((join->recover || join->last > 0)
            && w->reply_bytes > w->conf->logs_bytes)
        || ngx_im_resume_owes(s, join))
    {
        return NGX_AGAIN;
    }

    if (join->kind == NGX_IM_JOIN_CONNECT) {
        ngx_im_resume_connect(s);

    } else if (ngx_im_resume_again(join) != NGX_OK) {
        ngx_im_resume_subscribe(s, join);

    } else {
        join->ready = 0;
        return NGX_OK;
    }

    ngx_im_session_continue(s);

    return NGX_OK;
}


/* The first one that a client waits for and whose topic is away, or NULL. */
static im_sub_t *
ngx_im_resume_apart_sub(ngx_im_session_t *s)
{
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        join = ngx_im_sub_joining(sub);

        if (join != NULL && !join->ready
            && (join->kind == NGX_IM_JOIN_CONNECT
                || (join->kind == NGX_IM_JOIN_COMMAND && join->id != 0))
            && ngx_im_follow_apart(ngx_im_worker,
                                   im_topic_name(sub->log->topic)))
        {
            return sub;
        }
    }

    return NULL;
}


/*
 * The server of a topic is away, perhaps for longer than clients wait: their
 * subscriptions get a temporary error, and connect is answered without it.
 */
void
ngx_im_resume_apart_session(ngx_im_session_t *s)
{
    uint32_t        id;
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    if (ngx_im_follow_away(ngx_im_worker) == 0) {
        return;
    }

    while (s->phase == NGX_IM_OPEN
           && (sub = ngx_im_resume_apart_sub(s)) != NULL)
    {
        join = ngx_im_sub_joining(sub);

        if (join->kind == NGX_IM_JOIN_CONNECT) {
            im_list_remove(&join->link);

            join->late = 1;
            join->ready = 1;

            ngx_im_resume_opened(s);
            continue;
        }

        id = join->id;
        ngx_im_sub_leave(s, sub);

        if (ngx_im_reply_error(s, id, IM_ERROR_INTERNAL) == NGX_OK) {
            ngx_im_session_continue(s);
        }
    }
}


void
ngx_im_resume_apart(ngx_im_worker_t *w)
{
    uint32_t           index;
    ngx_im_session_t  *s;

    index = 0;

    while ((s = ngx_im_session_next(w, &index)) != NULL) {
        ngx_im_resume_apart_session(s);
    }

    ngx_im_flush(w);
}


/* Malformed messages are skipped, as they were when they came. */
static ngx_uint_t
ngx_im_resume_decode(im_subscribed_t *sub, im_topic_t *topic,
    im_message_t *m, im_envelope_t *envelope)
{
    im_str_t    bytes;
    uint64_t    seq, end;
    ngx_uint_t  n;

    n = 0;
    end = sub->at.seq + sub->nmessages;

    for (seq = sub->at.seq + 1; seq <= end; seq++) {

        bytes = im_follow_envelope(topic, seq);

        if (im_envelope_decode(bytes, &envelope[n]) != IM_OK) {
            continue;
        }

        m[n].topic = sub->topic;
        m[n].epoch = sub->at.epoch;
        m[n].seq = seq;
        m[n].envelope = &envelope[n];
        m[n].numbered = 1;
        n++;
    }

    return n;
}


ngx_int_t
ngx_im_resume_messages(ngx_im_worker_t *w, im_subscribed_t *subs,
    ngx_uint_t n)
{
    u_char         *p;
    im_topic_t     *topic;
    ngx_uint_t      i, all;
    im_message_t   *m;
    im_envelope_t  *envelope;

    for (all = 0, i = 0; i < n; i++) {
        all += subs[i].nmessages;
    }

    if (all == 0) {
        return NGX_OK;
    }

    im_buf_reset(&w->recovery, 65536);

    p = im_buf_reserve(&w->recovery,
                       all * (sizeof(im_message_t) + sizeof(im_envelope_t)));
    if (p == NULL) {
        return NGX_ERROR;
    }

    m = (im_message_t *) p;
    envelope = (im_envelope_t *) (m + all);

    for (i = 0; i < n; i++) {
        if (subs[i].nmessages == 0) {
            continue;
        }

        topic = im_hub_topic(&w->hub, subs[i].topic);
        subs[i].messages = m;

        subs[i].nmessages = ngx_im_resume_decode(&subs[i], topic, m, envelope);
        m += subs[i].nmessages;
        envelope += subs[i].nmessages;
    }

    return NGX_OK;
}


/*
 * Tells followers with a position that the topic goes on at (epoch, seq):
 * without a loss if continues.  A protocol says so by a frame in the log.  If
 * it can not, the log is cut: a client that has read up to there subscribes or
 * connects again.  NGX_ERROR: no memory; frames that were appended are true all
 * the same.
 */
ngx_int_t
ngx_im_resume_moved(void *ctx, im_topic_t *topic, im_str_t epoch,
    uint64_t seq, int continues)
{
    im_buf_t         *b;
    im_log_t         *log;
    im_wire_t         wire;
    im_subscribed_t   begin;
    ngx_im_worker_t  *w;

    w = ctx;

    ngx_im_resume_position(&begin, topic, epoch, seq);

    begin.recovering = 1;
    begin.recovered = continues;

    for (log = topic->logs; log; log = log->next) {
        wire = im_wire(log->wire);

        if (wire.form->moved == NULL) {
            continue;
        }

        b = ngx_im_send_buffer(w, &w->deflate.shared);

        if (wire.form->moved(b, wire.transport, &begin) == IM_DECLINED) {
            if (im_log_cut(&w->hub.logs, log) != IM_OK) {
                return NGX_ERROR;
            }

            ngx_im_send_flushed(w, log);
            continue;
        }

        if (b->failed
            || (b->len > 0
                && ngx_im_send_log(w, log, im_buf_str(b), 0) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A page that is out is paid for as if it were full. */
void
ngx_im_resume_ended(ngx_im_topic_t *t)
{
    if (!im_list_empty(&t->read.link)) {
        ngx_im_read_charge(&t->read.peer, NGX_IM_RESUME_BOUND);
        ngx_im_read_end(ngx_im_worker, &t->read);
    }

    im_list_remove(&t->load_link);
}


void
ngx_im_resume_cut(ngx_im_session_t *s, im_sub_t *sub)
{
    if (sub->flags & NGX_IM_SUB_SERVER) {
        ngx_im_session_close(s, IM_REASON_STATE, "insufficient state");
        return;
    }

    (void) ngx_im_reply_unsubscribe(s, sub, IM_UNSUBSCRIBED_STATE,
                                    im_str_z("insufficient state"));
}
