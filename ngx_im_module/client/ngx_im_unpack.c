/*
 * Copyright (C) The im authors
 *
 * From a record to a session.
 *
 * What may be wrong is looked at first.  Then the session is built without a
 * word, its topics are joined, and the messages that came while it was in
 * flight follow the bytes that it brings.  It gets its place in the zone, and
 * Redis' count of it moves, when nothing can fail any more.
 */

#include "ngx_im_unpack.h"
#include "ngx_im_client.h"
#include "ngx_im_detach.h"
#include "ngx_im_emulation.h"
#include "ngx_im_expiry.h"
#include "ngx_im_follow.h"
#include "ngx_im_opening.h"
#include "ngx_im_place.h"
#include "ngx_im_reserve.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"
#include "im_key.h"


/* What follows from a record, here. */
typedef struct {
    ngx_im_worker_t              *w;
    const im_handover_session_t  *in;
    im_topic_t                  **topics;
    ngx_im_from_t                *from;
    ngx_socket_t                  fd;
    ngx_im_loc_conf_t            *conf;
    ngx_im_peer_t                 peer;
} ngx_im_unpack_t;


static ngx_uint_t
ngx_im_unpack_variant(const im_proto_t *proto, const im_proto_t *of)
{
    const im_proto_t *const  *v;

    for (v = of->variants; v != NULL && *v != NULL; v++) {
        if (*v == proto) {
            return 1;
        }
    }

    return proto == of;
}


static im_handover_verdict_e
ngx_im_unpack_place(ngx_im_unpack_t *u)
{
    const im_handover_session_t  *in;

    in = u->in;

    u->conf = ngx_im_place_find(u->w->conf, in->place);

    return u->conf != NULL && in->proto != NULL && in->transport != NULL
           && ngx_im_unpack_variant(in->proto, u->conf->proto)
           && (u->conf->transports & in->transport->kind)
           ? IM_HANDOVER_MOVED : IM_HANDOVER_PLACE;
}


/* Room for one more. */
static im_handover_verdict_e
ngx_im_unpack_limits(ngx_im_unpack_t *u)
{
    im_user_t            *user;
    ngx_im_main_conf_t   *imcf;

    imcf = u->w->conf;

    if (ngx_im_reserve_short() || ngx_cycle->free_connection_n == 0
        || !ngx_im_send_affords(u->w, u->in->output.bytes.len)
        || (imcf->max_sessions
            && u->w->places[NGX_IM_POOL_SESSIONS] >= imcf->max_sessions))
    {
        return IM_HANDOVER_LIMIT;
    }

    if (u->in->known.user.len == 0) {
        return IM_HANDOVER_MOVED;
    }

    if (u->w->events->kept_out(u->w, u->in->known.user)) {
        return IM_HANDOVER_KEPT_OUT;
    }

    user = im_hub_user(&u->w->hub, u->in->known.user);

    return user != NULL && imcf->max_sessions_per_user
           && user->nsessions >= imcf->max_sessions_per_user
           ? IM_HANDOVER_LIMIT : IM_HANDOVER_MOVED;
}


/* All behind the position is there. */
static ngx_uint_t
ngx_im_unpack_behind(im_topic_t *topic, const im_handover_sub_t *sub)
{
    uint64_t  seq, mark;

    if (topic->state == IM_TOPIC_NEW || topic->state == IM_TOPIC_ENDED
        || topic->seq < sub->seq || im_follow_mark(topic) < sub->mark
        || !im_str_eq(im_str_set(topic->epoch.data, topic->epoch.len),
                      im_str_set(sub->epoch.data, sub->epoch.len)))
    {
        return 0;
    }

    return im_follow_kept(topic, &seq, &mark) == IM_OK && mark <= sub->mark
           && (topic->seq == sub->seq
               || im_follow_window(topic, sub->seq) == IM_OK);
}


static int
ngx_im_unpack_order(const void *one, const void *two)
{
    const im_topic_t *const  *a = one;
    const im_topic_t *const  *b = two;

    return *a < *b ? -1 : *a > *b;
}


/* Each topic is there once. */
static im_handover_verdict_e
ngx_im_unpack_once(ngx_im_unpack_t *u)
{
    ngx_uint_t               i, n;
    im_topic_t             **topics;
    im_handover_verdict_e    verdict;

    n = u->in->nsubs;

    if (n < 2) {
        return IM_HANDOVER_MOVED;
    }

    topics = im_alloc(n * sizeof(im_topic_t *));
    if (topics == NULL) {
        return IM_HANDOVER_LIMIT;
    }

    ngx_memcpy(topics, u->topics, n * sizeof(im_topic_t *));
    qsort(topics, n, sizeof(im_topic_t *), ngx_im_unpack_order);

    verdict = IM_HANDOVER_MOVED;

    for (i = 1; i < n; i++) {
        if (topics[i] == topics[i - 1]) {
            verdict = IM_HANDOVER_RECORD;
        }
    }

    im_free(topics);

    return verdict;
}


/* Redis is there, and so are all messages behind each position. */
static im_handover_verdict_e
ngx_im_unpack_topics(ngx_im_unpack_t *u)
{
    ngx_uint_t  i;

    if (u->in->proto->topics && ngx_im_follow_unready(u->w) != NGX_IM_REFUSALS)
    {
        return IM_HANDOVER_AGAIN;
    }

    for (i = 0; i < u->in->nsubs; i++) {
        if (!ngx_im_unpack_behind(u->topics[i], &u->in->subs[i])) {
            return IM_HANDOVER_AGAIN;
        }
    }

    return ngx_im_unpack_once(u);
}


static void
ngx_im_unpack_peer(ngx_im_unpack_t *u)
{
    ngx_memzero(&u->peer, sizeof(ngx_im_peer_t));

    u->peer.family = u->in->addr.len == 4 ? AF_INET
                     : u->in->addr.len == 16 ? AF_INET6 : AF_UNIX;

    im_copy(u->peer.addr, u->in->addr.data, u->in->addr.len);
}


static im_handover_verdict_e
ngx_im_unpack_check(ngx_im_unpack_t *u)
{
    im_handover_verdict_e  verdict;

    if (u->w->draining || ngx_exiting || ngx_terminate) {
        return IM_HANDOVER_ELSEWHERE;
    }

    if (ngx_im_session_by_id(u->w, u->in->id) != NULL) {
        return IM_HANDOVER_RECORD;
    }

    verdict = ngx_im_unpack_place(u);

    if (verdict == IM_HANDOVER_MOVED) {
        verdict = ngx_im_unpack_limits(u);
    }

    if (verdict == IM_HANDOVER_MOVED) {
        verdict = ngx_im_unpack_topics(u);
    }

    return verdict;
}


/*
 * As nginx does with one that it has accepted; its options stay.  One that
 * blocks would hold up the worker.
 */
static ngx_int_t
ngx_im_unpack_connection(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_connection_t  *c;

    if (ngx_nonblocking(u->fd) == -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(u->fd, u->w->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    s->connection = c;

    c->data = s;
    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->log = u->w->log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->tcp_nodelay = NGX_TCP_NODELAY_SET;
    c->idle = 1;

    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_im_recv_handler;
    c->write->handler = ngx_im_send_handler;
    c->write->ready = 1;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return NGX_OK;
}


/* The descriptor is the caller's again. */
static void
ngx_im_unpack_release(ngx_connection_t *c)
{
    if (c->read->active || c->write->active) {
        if (ngx_del_conn) {
            (void) ngx_del_conn(c, 0);

        } else {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


static ngx_int_t
ngx_im_unpack_known(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    int                         first;
    ngx_im_known_t             *known;
    ngx_im_about_t             *about;
    const im_handover_known_t  *in;

    if (!(u->in->has & IM_HANDOVER_HAS_KNOWN)) {
        return NGX_OK;
    }

    in = &u->in->known;

    known = ngx_im_session_known_as(s, in->name, in->login);
    if (known == NULL) {
        return NGX_ERROR;
    }

    known->expires = in->expires;

    if (in->info.len > 0 || in->rooms.len > 0 || in->meta.len > 0
        || in->refresh > 0)
    {
        about = ngx_im_session_about(s);

        if (about == NULL
            || ngx_im_session_keep(&about->info, in->info) != NGX_OK
            || ngx_im_session_keep(&about->rooms, in->rooms) != NGX_OK
            || ngx_im_session_keep(&about->meta, in->meta) != NGX_OK)
        {
            return NGX_ERROR;
        }

        about->refresh = in->refresh;
    }

    if (in->user.len == 0) {
        return NGX_OK;
    }

    known->user = im_hub_user_add(&u->w->hub, in->user, &known->link, &first);

    if (known->user == NULL) {
        return NGX_ERROR;
    }

    u->w->nusers += first ? 1 : 0;
    u->w->counters->users = u->w->nusers;

    return NGX_OK;
}


/* One block, strings behind the array, as connect makes it. */
static ngx_int_t
ngx_im_unpack_resumes(ngx_im_unpack_t *u, ngx_im_ext_t *ext)
{
    u_char       *p;
    size_t        len;
    ngx_uint_t    i;
    im_resume_t  *to, *in;

    if (u->in->nresumes == 0) {
        return NGX_OK;
    }

    in = u->in->resumes;
    len = u->in->nresumes * sizeof(im_resume_t);

    for (i = 0; i < u->in->nresumes; i++) {
        len += in[i].topic.len + in[i].since.epoch.len;
    }

    ext->resumes = im_alloc(len);
    if (ext->resumes == NULL) {
        return NGX_ERROR;
    }

    ext->nresumes = u->in->nresumes;
    p = (u_char *) (ext->resumes + ext->nresumes);

    for (i = 0; i < ext->nresumes; i++) {
        to = &ext->resumes[i];
        *to = in[i];

        to->topic.data = p;
        p = im_copy(p, in[i].topic.data, in[i].topic.len);
        to->since.epoch.data = p;
        p = im_copy(p, in[i].since.epoch.data, in[i].since.epoch.len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_unpack_held(ngx_im_unpack_t *u, ngx_im_ext_t *ext)
{
    u_char                    *p;
    ngx_im_held_t             *held;
    const im_handover_held_t  *in;

    if (!(u->in->has & IM_HANDOVER_HAS_HELD)) {
        return NGX_OK;
    }

    in = &u->in->held;

    held = im_alloc(sizeof(ngx_im_held_t) + in->message.len + in->rest.len
                    + in->pong.len);
    if (held == NULL) {
        return NGX_ERROR;
    }

    held->kind = in->kind;
    held->len = in->message.len;
    held->rest = in->rest.len;
    held->pong = in->pong.len;

    p = im_copy(held->bytes, in->message.data, in->message.len);
    p = im_copy(p, in->rest.data, in->rest.len);
    im_copy(p, in->pong.data, in->pong.len);

    ext->held = held;

    return NGX_OK;
}


static ngx_int_t
ngx_im_unpack_partial(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    size_t     max;
    im_buf_t  *message;
    im_str_t   in;

    if (!(u->in->has & IM_HANDOVER_HAS_PARTIAL)) {
        return NGX_OK;
    }

    s->partial = im_calloc(sizeof(ngx_im_partial_t));
    if (s->partial == NULL) {
        return NGX_ERROR;
    }

    s->partial->decoder = u->in->partial.decoder;

    if (im_input_keep(&s->partial->decoder) != IM_OK) {
        return NGX_ERROR;
    }

    in = u->in->partial.message;

    if (in.len == 0) {
        return NGX_OK;
    }

    message = im_alloc(sizeof(im_buf_t));
    if (message == NULL) {
        return NGX_ERROR;
    }

    max = im_ws_packed_max(u->conf->max_message);

    im_buf_init(message, ngx_max(max, in.len));
    s->partial->message = message;

    im_buf_add_str(message, in);

    return message->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_im_unpack_ext(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_im_ext_t                 *ext;
    const im_handover_session_t  *in;

    in = u->in;

    ext = ngx_im_session_ext(s);
    if (ext == NULL) {
        return NGX_ERROR;
    }

    ext->failed = in->failed ? 1 : 0;
    ext->prepaid = in->prepaid ? 1 : 0;
    ext->credit = in->credit ? 1 : 0;
    ext->nbad = in->nbad;
    ext->mark = in->mark;

    return ngx_im_unpack_resumes(u, ext) == NGX_OK
           && ngx_im_unpack_held(u, ext) == NGX_OK
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_im_unpack_plain(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_im_worker_t              *w;
    const im_handover_session_t  *in;

    w = u->w;
    in = u->in;

    s->pinged = in->pinged;
    s->pong_due = in->pong_due ? 1 : 0;
    s->positions = in->positions ? 1 : 0;
    s->nrooms = in->nrooms;
    s->nnew = in->nnew;
    s->new_time = (uint32_t) ngx_time() - in->new_time;
    s->start = in->start;
    s->bytes_in = in->bytes_in;
    s->bytes_out = in->bytes_out;
    s->frames = in->frames;

    /* where the new time is shorter, the client was not pinged for it */

    s->seen = w->wheel.time - (in->seen < u->conf->pong / 1000
                               ? in->seen : (uint32_t) u->conf->ping / 1000);

    im_bucket_owe(&s->commands, ngx_current_msec, in->commands);
    ngx_im_session_flow(s) = (uint32_t) ngx_current_msec + in->flow;
}


/* NGX_ERROR: no memory, or this worker has as many sets as it may. */
static ngx_int_t
ngx_im_unpack_accept(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    if (!(u->in->has & IM_HANDOVER_HAS_ACCEPT)) {
        return NGX_OK;
    }

    s->accept = im_accepts_get(&u->w->accepts, 0, u->in->ops, u->in->nops, 1);

    return s->accept != 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_im_unpack_id(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_im_adopted_t               *a;
    ngx_im_earlier_t               *e;
    const im_handover_emulation_t  *in;

    e = NULL;
    in = &u->in->emulation;

    if ((u->in->has & IM_HANDOVER_HAS_EMULATION) && ngx_im_emulation_used(s)
        && u->w->link != NULL)
    {
        e = ngx_im_earlier_get(u->w, in->node, &in->keys);
        if (e == NULL) {
            return NGX_ERROR;
        }
    }

    a = ngx_im_adopted_add(u->w, s->index, u->in->id, e, u->from);

    if (a == NULL) {
        ngx_im_earlier_unref(u->w, e);
        return NGX_ERROR;
    }

    a->number = u->in->number;
    s->adopted = 1;

    return NGX_OK;
}


/* A message that it sent itself to its inbox is not for it. */
static ngx_uint_t
ngx_im_unpack_wants(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub,
    const im_envelope_t *envelope)
{
    u_char    id[IM_UUID_LEN];
    uint16_t  filter;

    filter = im_wire_filter(sub->log->wire);

    if (filter != 0
        && !im_accepts_has(&u->w->accepts, filter, envelope->operation))
    {
        return 0;
    }

    if (envelope->session.len == 0 || sub->log->topic->name[0] != 'u') {
        return 1;
    }

    im_id_uuid(id, u->in->id);

    return !im_str_eq(envelope->session, im_str_set(id, IM_UUID_LEN));
}


/* A message, framed as those of its log are; seq 0: it has no number. */
static ngx_int_t
ngx_im_unpack_message(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub,
    uint64_t seq, im_str_t bytes)
{
    im_buf_t       *b;
    im_wire_t       wire;
    im_topic_t     *topic;
    im_message_t    m;
    im_envelope_t   envelope;

    topic = sub->log->topic;
    wire = im_wire(sub->log->wire);

    if (im_envelope_decode(bytes, &envelope) != IM_OK
        || !ngx_im_unpack_wants(u, s, sub, &envelope))
    {
        return NGX_OK;
    }

    ngx_memzero(&m, sizeof(im_message_t));

    m.topic = im_topic_name(topic);
    m.epoch = im_str_set(topic->epoch.data, topic->epoch.len);
    m.seq = seq;
    m.envelope = &envelope;
    m.numbered = seq > 0 && im_followed(topic)->numbered;

    b = ngx_im_send_buffer(u->w, &u->w->deflate.single);
    wire.form->message(b, wire.transport, &m);

    return !b->failed
           && (b->len == 0
               || ngx_im_send_queue_history(s, im_buf_str(b)) == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


/* What has a mark. */
static ngx_int_t
ngx_im_unpack_kept(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub,
    const im_kept_t *kept)
{
    im_buf_t  *b;
    im_str_t   envelope;

    envelope = im_str_set((u_char *) kept->envelope, kept->len);

    if (kept->kind != IM_PUSH_CONTROL) {
        return ngx_im_unpack_message(u, s, sub, 0, envelope);
    }

    b = ngx_im_send_buffer(u->w, &u->w->deflate.single);
    u->w->events->missed(u->w, sub, envelope, b);

    return !b->failed
           && (b->len == 0
               || ngx_im_send_queue_history(s, im_buf_str(b)) == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


/* The messages with a number behind *seq up to that one, which *seq is then. */
static ngx_int_t
ngx_im_unpack_upto(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub,
    uint64_t *seq, uint64_t last)
{
    im_topic_t  *topic;

    topic = sub->log->topic;

    while (*seq < last) {
        (*seq)++;

        if (ngx_im_unpack_message(u, s, sub, *seq,
                                  im_follow_envelope(topic, *seq))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What came behind its position, in the order in which it came. */
static ngx_int_t
ngx_im_unpack_missed(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub,
    const im_handover_sub_t *in)
{
    uint64_t          seq;
    im_topic_t       *topic;
    const im_kept_t  *kept;

    seq = in->seq;
    topic = sub->log->topic;

    for (kept = im_follow_first_kept(topic, in->mark);
         kept != NULL;
         kept = im_follow_next_kept(topic, kept))
    {
        if (ngx_im_unpack_upto(u, s, sub, &seq, kept->seq) != NGX_OK
            || ngx_im_unpack_kept(u, s, sub, kept) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_im_unpack_upto(u, s, sub, &seq, topic->seq);
}


/* A session has the last one first. */
static ngx_int_t
ngx_im_unpack_subs(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    im_sub_t                 *sub;
    ngx_uint_t                i;
    const im_handover_sub_t  *in;

    for (i = u->in->nsubs; i > 0; i--) {
        in = &u->in->subs[i - 1];

        sub = ngx_im_sub_adopt(s, u->topics[i - 1], in->flags);

        if (sub == NULL
            || ngx_im_session_set_sub_expires(sub, in->expires) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_im_session_set_sub_info(sub, in->info);
    }

    /* in the order in which bytes of its topics are sent */

    for (i = 0, sub = s->subs; sub; i++, sub = ngx_im_sub_next(sub)) {
        if (ngx_im_unpack_missed(u, s, sub, &u->in->subs[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_unpack_build(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    const im_handover_output_t  *out;

    out = &u->in->output;

    ngx_im_unpack_plain(u, s);

    return ngx_im_unpack_id(u, s) == NGX_OK
           && ngx_im_opening_restore(u->w, u->in->opening, &s->opening)
              == NGX_OK
           && ngx_im_unpack_accept(u, s) == NGX_OK
           && ngx_im_unpack_known(u, s) == NGX_OK
           && ngx_im_unpack_ext(u, s) == NGX_OK
           && ngx_im_unpack_partial(u, s) == NGX_OK
           && ngx_im_send_restore(s, out->bytes, out->urgent, out->history)
              == NGX_OK
           && ngx_im_unpack_subs(u, s) == NGX_OK
           && ngx_handle_read_event(s->connection->read, 0) == NGX_OK
           ? NGX_OK : NGX_ERROR;
}


/* Nothing was said of it yet. */
static void
ngx_im_unpack_drop(ngx_im_session_t *s)
{
    int               last;
    im_sub_t         *sub;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (s->connection != &ngx_im_session_lost) {
        ngx_im_unpack_release(s->connection);
        s->connection = &ngx_im_session_lost;
    }

    while (s->subs != NULL) {
        sub = s->subs;
        ngx_im_sub_unlist(s, sub);

        (void) im_hub_leave(&w->hub, sub, &last);
        ngx_im_session_sub_free(sub);
    }

    ngx_im_session_phase(s, NGX_IM_CLOSED);
    ngx_im_close_gone(s, 1);
}


/* NULL: no memory. */
static ngx_im_session_t *
ngx_im_unpack_session(ngx_im_unpack_t *u)
{
    ngx_im_host_t         *host;
    ngx_im_session_t      *s;
    ngx_im_zone_key_t      key;
    const ngx_im_class_t  *class;

    ngx_im_budget_key(u->w, &u->peer, &key);

    class = ngx_im_session_class(u->w, u->conf, u->in->proto,
                                 u->in->transport);
    host = class != NULL ? ngx_im_host_get(u->w, &key) : NULL;

    if (host == NULL) {
        return NULL;
    }

    ngx_im_host_take(u->w, host, NGX_IM_POOL_SESSIONS);

    s = ngx_im_session_adopt(u->w, class, &u->peer, host->index);

    if (s == NULL) {
        ngx_im_host_release(u->w, host, NGX_IM_POOL_SESSIONS, 1);
        return NULL;
    }

    if (ngx_im_unpack_connection(u, s) == NGX_OK
        && ngx_im_unpack_build(u, s) == NGX_OK)
    {
        return s;
    }

    ngx_im_unpack_drop(s);

    return NULL;
}


/* It is counted here, by worker and zone, as what it is. */
static void
ngx_im_unpack_places(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_im_host_t  *host;

    host = ngx_im_host(u->w, s->host);

    ngx_im_host_taken(u->w, host, NGX_IM_POOL_SESSIONS, u->from->pid);

    if (u->in->phase == IM_HANDOVER_CONNECTING) {
        ngx_im_host_take(u->w, host, NGX_IM_POOL_PENDING);
        ngx_im_host_taken(u->w, host, NGX_IM_POOL_PENDING, u->from->pid);

        ngx_im_session_phase(s, NGX_IM_CONNECTING);
    }
}


/* What the new settings say of pings and the first message. */
static void
ngx_im_unpack_deadline(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    ngx_uint_t  most;

    most = s->phase == NGX_IM_OPEN ? u->conf->ping / 1000
                                   : ngx_im_session_patience(u->conf);

    ngx_im_session_deadline(s, ngx_min(u->in->deadline, ngx_max(most, 1)));
    ngx_im_detach_patience(s);

    if (s->class->proto->pings) {
        ngx_im_expiry_schedule(s);
    }
}


static void
ngx_im_unpack_live(ngx_im_unpack_t *u, ngx_im_session_t *s, im_sub_t *sub)
{
    if (sub->flags & NGX_IM_SUB_GUEST_ROOM) {
        ngx_im_host_hold_room(u->w, ngx_im_host(u->w, s->host), u->from->pid);
    }

    im_sub_live(&u->w->hub.logs, sub);

    if (im_follow_take(u->w->follow, sub, u->from->id, u->from->fence)
        != IM_OK)
    {
        im_follow_member(u->w->follow, sub, 1);
    }
}


static void
ngx_im_unpack_begin(ngx_im_unpack_t *u, ngx_im_session_t *s)
{
    im_sub_t  *sub;

    ngx_im_unpack_places(u, s);

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        ngx_im_unpack_live(u, s, sub);
    }

    ngx_im_unpack_deadline(u, s);

    ngx_im_send_due(s);

    if (!im_list_empty(&s->blocked) && u->in->stuck > 0) {
        s->stuck = (uint32_t) ngx_current_msec - u->in->stuck;
    }

    if (s->phase < NGX_IM_ENDING) {
        u->w->events->adopted(s);
    }

    if (s->phase < NGX_IM_ENDING) {
        ngx_im_session_continue(s);
    }
}


im_handover_verdict_e
ngx_im_unpack(ngx_im_worker_t *w, ngx_socket_t fd,
    const im_handover_session_t *in, im_topic_t **topics, ngx_im_from_t *from,
    ngx_im_session_t **s)
{
    ngx_im_unpack_t        u;
    im_handover_verdict_e  verdict;

    u.w = w;
    u.in = in;
    u.topics = topics;
    u.from = from;
    u.fd = fd;

    verdict = ngx_im_unpack_check(&u);

    if (verdict != IM_HANDOVER_MOVED) {
        return verdict;
    }

    ngx_im_unpack_peer(&u);

    *s = ngx_im_unpack_session(&u);

    if (*s == NULL) {
        return IM_HANDOVER_LIMIT;
    }

    ngx_im_unpack_begin(&u, *s);

    return IM_HANDOVER_MOVED;
}


void
ngx_im_unpack_late(ngx_im_session_t *s, const im_handover_late_t *late)
{
    ngx_im_ext_t  *ext;

    if (!late->closes) {
        (void) ngx_im_send_reply(s, late->bytes);
        return;
    }

    ext = ngx_im_session_ext(s);

    if (ext != NULL && ext->why == NULL) {
        ext->why = im_alloc(late->why.len + 1);

        if (ext->why != NULL) {
            *im_copy(ext->why, late->why.data, late->why.len) = '\0';
        }
    }

    ngx_im_session_close_code(s, late->reason, late->code, late->text,
                              ext != NULL && ext->why != NULL
                                  ? ext->why : "its earlier worker closed it");
}
