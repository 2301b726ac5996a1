/*
 * Copyright (C) The im authors
 *
 * The worker that takes sessions: it listens for workers that end.
 *
 * Each of them has a channel, and a state here.  Topics that it names are
 * pinned, so that no message of them is missed.  A session that is ahead of a
 * topic is parked for a moment.  When the last session has come, Redis moves
 * what it counts from the old worker to this one.
 *
 * A worker that ends itself sends those that come to it on, to the workers that
 * come after it.
 */

#include "ngx_im_handover_in.h"
#include "ngx_im_adopted.h"
#include "ngx_im_channel.h"
#include "ngx_im_follow.h"
#include "ngx_im_handover.h"
#include "ngx_im_handover_out.h"
#include "ngx_im_info.h"
#include "ngx_im_session.h"
#include "ngx_im_unpack.h"


#define NGX_IM_IN_CHANNELS  64
#define NGX_IM_IN_RETRY     100      /* ms: no descriptor was free */
#define NGX_IM_IN_LOOK      5        /* ms: what waits is looked at again */
#define NGX_IM_IN_PARKED    1000     /* ms */
#define NGX_IM_IN_TOPICS    4096     /* that are looked at, at a time */
#define NGX_IM_IN_BYTES     (64 * 1024 * 1024)    /* of what is parked */


typedef enum {
    NGX_IM_IN_GREETING = 0,      /* its HELLO comes */
    NGX_IM_IN_TAKING,            /* its sessions come */
    NGX_IM_IN_LEFT,              /* it is gone; parked sessions still come */
    /* these are without a channel, too: the other worker asks Redis then */
    NGX_IM_IN_ENDED,             /* no more come; Redis moves their topics */
    NGX_IM_IN_COUNTING,          /* Redis moves what it counts of them */
    NGX_IM_IN_SETTLED            /* the other end closes the channel */
} ngx_im_in_state_e;


struct ngx_im_handover_in_s {
    ngx_im_worker_t    *worker;
    ngx_connection_t   *listening;       /* NULL: no worker may come */
    ngx_event_t         retry;
    ngx_event_t         look;            /* cancelable, or posted */
    im_list_t           channels;        /* of ngx_im_in_t */
};


typedef struct {
    im_topic_t         *topic;           /* pinned */
    uint64_t            info;            /* what followers know of members */
} ngx_im_in_topic_t;


/* A session that is ahead of a topic, or an entry that came behind one. */
typedef struct {
    im_list_t           link;            /* in from->parked */
    ngx_msec_t          since;
    ngx_uint_t          entry;           /* it is one */
    uint32_t            last;            /* for sessions up to this number */
    ngx_socket_t        fd;
    size_t              len;
    u_char              bytes[1];        /* the record, or the entry */
} ngx_im_in_parked_t;


/* A worker that ends. */
typedef struct {
    im_list_t           link;            /* in handover_in->channels */
    ngx_im_handover_in_t *in;
    ngx_im_channel_t   *channel;         /* NULL: closed */
    ngx_im_in_state_e   state;
    ngx_im_from_t      *who;             /* NULL until it has greeted */
    ngx_pid_t           pid;
    ngx_im_in_topic_t  *topics;          /* by its numbers */
    ngx_uint_t          ntopics;
    ngx_uint_t          size;            /* of topics */
    uint32_t           *unready;         /* topics without a position */
    ngx_uint_t          nunready;
    ngx_uint_t          at;              /* in unready: the next look */
    ngx_im_handle_t    *sessions;        /* by their numbers, from 1 on */
    ngx_uint_t          nsessions;
    ngx_uint_t          room;            /* in sessions */
    im_list_t           parked;          /* a session is the first one */
    size_t              nbytes;          /* of them */
    im_topic_t        **subs;            /* of a session */
    ngx_uint_t          ntaken;
    ngx_uint_t          nrefused;
} ngx_im_in_t;


/* A message. */
typedef struct {
    im_str_t            bytes;
    ngx_socket_t       *fds;
    ngx_uint_t          nfds;
} ngx_im_in_body_t;


/* The only setter of state. */
static void
ngx_im_in_state(ngx_im_in_t *from, ngx_im_in_state_e state)
{
    from->state = state;
}


static void
ngx_im_in_parked_free(ngx_im_in_t *from, ngx_im_in_parked_t *parked)
{
    from->nbytes -= parked->len;

    if (parked->fd != (ngx_socket_t) -1) {
        (void) ngx_close_socket(parked->fd);
    }

    im_list_remove(&parked->link);
    im_free(parked);
}


static ngx_im_in_parked_t *
ngx_im_in_first(ngx_im_in_t *from)
{
    return im_list_data(im_list_first(&from->parked), ngx_im_in_parked_t, link);
}


static void
ngx_im_in_free(ngx_im_in_t *from)
{
    im_list_remove(&from->link);

    im_free(from->topics);
    im_free(from->unready);
    im_free(from->sessions);
    im_free(from->subs);
    im_free(from);
}


static void
ngx_im_in_hang_up(ngx_im_in_t *from)
{
    if (from->channel != NULL) {
        ngx_im_channel_close(from->channel);
        from->channel = NULL;
    }
}


/* For sessions that the other worker had when it came there. */
static void
ngx_im_in_entry(ngx_im_in_t *from, im_str_t bytes, uint32_t last)
{
    ngx_im_reach_t  reach;

    reach.only = NULL;
    reach.from = from->who;
    reach.last = last;

    (void) ngx_im_handover_apply(from->in->worker, bytes, &reach);
}


static void
ngx_im_in_parked_entry(ngx_im_in_t *from, ngx_im_in_parked_t *parked)
{
    ngx_im_in_entry(from, im_str_set(parked->bytes, parked->len),
                    parked->last);

    ngx_im_in_parked_free(from, parked);
}


/*
 * Sessions that have come get what the other worker has forwarded, and then
 * what came here and not there.
 */
static void
ngx_im_in_entries_end(ngx_im_in_t *from)
{
    ngx_im_copy_t       *copy;
    ngx_im_in_parked_t  *parked;

    while (!im_list_empty(&from->parked)) {
        parked = ngx_im_in_first(from);

        if (parked->entry) {
            ngx_im_in_parked_entry(from, parked);

        } else {
            ngx_im_in_parked_free(from, parked);
        }
    }

    if (from->who == NULL) {
        return;
    }

    ngx_im_from_end(from->who);

    for (copy = ngx_im_entries_first(&from->who->here);
         copy != NULL;
         copy = ngx_im_entries_next(&from->who->here, copy))
    {
        ngx_im_in_entry(from, im_str_set(copy->bytes, copy->len), UINT32_MAX);
    }

    ngx_im_entries_clear(&from->who->here);
}


static void
ngx_im_in_close(ngx_im_in_t *from)
{
    ngx_uint_t        i;
    ngx_im_worker_t  *w;

    w = from->in->worker;

    ngx_im_in_hang_up(from);

    if (from->who != NULL) {
        ngx_im_from_close(from->who);
    }

    for (i = 0; i < from->ntopics; i++) {
        im_follow_unpin(w->follow, from->topics[i].topic);
    }

    if (from->ntaken > 0 || from->nrefused > 0) {
        ngx_log_error(NGX_LOG_INFO, w->log, 0,
                      "im: %ui sessions came from worker process %P, "
                      "%ui were refused", from->ntaken, from->pid,
                      from->nrefused);
    }

    ngx_im_in_free(from);

    w->ntaking--;
    ngx_im_handover_out_look(w);
}


/* Followers of these topics know what they knew at the other worker. */
static void
ngx_im_in_infos(ngx_im_in_t *from)
{
    ngx_uint_t  i;

    for (i = 0; i < from->ntopics; i++) {
        ngx_im_info_came(from->topics[i].topic, from->topics[i].info);
    }
}


/*
 * Redis moves first the topics of the sessions, then what it counts of them.
 * Without a channel that is all.  If none has come, and the other worker knows
 * that, Redis isn't needed.
 */
static void
ngx_im_in_settle(ngx_im_in_t *from)
{
    im_buf_t          b;
    ngx_im_worker_t  *w;

    w = from->in->worker;

    if (from->state == NGX_IM_IN_ENDED
        && (w->follow == NULL
            || im_follow_settle(w->follow, from->who->id, from->who->fence)
               == IM_OK))
    {
        ngx_im_in_state(from, NGX_IM_IN_COUNTING);

        if (w->follow != NULL) {
            ngx_im_in_infos(from);
        }

        if (w->follow != NULL && (from->ntaken > 0 || from->channel == NULL)) {
            ngx_im_lease_settle(w, from->who->id, from->who->fence);
        }
    }

    if (from->state != NGX_IM_IN_COUNTING
        || (w->follow != NULL
            && !ngx_im_lease_settled(w, from->who->id, from->who->fence)))
    {
        return;
    }

    ngx_im_in_state(from, NGX_IM_IN_SETTLED);

    if (from->channel == NULL) {
        ngx_im_in_close(from);
        return;
    }

    im_buf_init(&b, IM_HANDOVER_MAX);
    ngx_im_channel_send(from->channel, IM_HANDOVER_SETTLED, &b, NULL, 0, 0);
}


/* Sessions that have come are this worker's, whatever becomes of the other. */
static void
ngx_im_in_over(ngx_im_in_t *from)
{
    ngx_im_in_hang_up(from);
    ngx_im_in_entries_end(from);

    if (from->who == NULL || from->state == NGX_IM_IN_SETTLED) {
        ngx_im_in_close(from);
        return;
    }

    if (from->state < NGX_IM_IN_ENDED) {
        ngx_im_in_state(from, NGX_IM_IN_ENDED);
        ngx_im_in_settle(from);
    }
}


/* What waits is looked at soon. */
static void
ngx_im_in_look(ngx_im_handover_in_t *in)
{
    if (!in->look.timer_set) {
        ngx_add_timer(&in->look, NGX_IM_IN_LOOK);
    }
}


static void
ngx_im_in_lost(ngx_im_channel_t *ch, const char *why)
{
    ngx_im_in_t  *from;

    from = ch->data;

    if (from->state != NGX_IM_IN_SETTLED) {
        ngx_log_error(NGX_LOG_NOTICE, from->in->worker->log, 0,
                      "im: handover from worker process %P was cut off: %s",
                      from->pid, why);
    }

    /* the other worker has closed what it had sent, or has died */

    if (!im_list_empty(&from->parked)) {
        ngx_im_in_state(from, NGX_IM_IN_LEFT);
        ngx_im_in_hang_up(from);
        ngx_im_in_look(from->in);
        return;
    }

    ngx_im_in_over(from);
}


static void
ngx_im_in_fault(ngx_im_in_t *from, im_handover_type_e type, const char *what)
{
    ngx_log_error(NGX_LOG_ERR, from->in->worker->log, 0,
                  "im: handover from worker process %P was cut off: its "
                  "message \"%s\" %s", from->pid, im_handover_names[type],
                  what);

    ngx_im_in_over(from);
}


static void
ngx_im_in_welcome(ngx_im_in_t *from)
{
    im_buf_t               b;
    ngx_core_conf_t       *ccf;
    ngx_im_worker_t       *w;
    im_handover_hello_t    welcome;

    w = from->in->worker;
    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    ngx_memzero(&welcome, sizeof(im_handover_hello_t));

    welcome.version = IM_HANDOVER_VERSION;
    welcome.pid = (uint32_t) ngx_pid;
    welcome.zone = ngx_im_zone_id(w);
    welcome.workers = (uint32_t) ccf->worker_processes;
    welcome.worker = ngx_im_channel_id(w);

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_hello_encode(&b, &welcome);

    ngx_im_in_state(from, NGX_IM_IN_TAKING);
    ngx_im_channel_send(from->channel, IM_HANDOVER_WELCOME, &b, NULL, 0, 0);

    /* its sessions may wait for what they do */

    ngx_im_channel_asks(from->channel, 0);
}


static void
ngx_im_in_hello(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_worker_t      *w;
    im_handover_hello_t   hello;

    w = from->in->worker;

    if (im_handover_hello_decode(body->bytes, &hello) != IM_OK) {
        ngx_im_in_fault(from, IM_HANDOVER_HELLO, "is malformed");
        return;
    }

    from->pid = (ngx_pid_t) hello.pid;

    if (hello.version != IM_HANDOVER_VERSION) {
        ngx_log_error(NGX_LOG_WARN, from->in->worker->log, 0,
                      "im: worker process %P offers its sessions in version "
                      "%uD, and this binary has version %d: it closes them "
                      "itself", from->pid, hello.version,
                      IM_HANDOVER_VERSION);

        ngx_im_in_close(from);
        return;
    }

    from->who = ngx_im_from_create(w, hello.worker,
                                   hello.zone == ngx_im_zone_id(w)
                                   ? from->pid : 0, hello.fence);
    if (from->who == NULL) {
        ngx_im_in_close(from);
        return;
    }

    ngx_im_in_welcome(from);
}


/* NGX_ERROR: no memory. */
static ngx_int_t
ngx_im_in_room(void *array, ngx_uint_t *room, ngx_uint_t n, size_t size)
{
    void       **to;
    u_char      *p;
    ngx_uint_t   more;

    if (n < *room) {
        return NGX_OK;
    }

    to = array;
    more = ngx_max(n + 1, *room * 2);

    p = im_realloc(*to, more * size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(p + *room * size, (more - *room) * size);

    *to = p;
    *room = more;

    return NGX_OK;
}


/* Redis has the lease of this worker, so that others count what it has. */
static ngx_uint_t
ngx_im_in_leased(ngx_im_worker_t *w)
{
    return w->follow == NULL || ngx_im_follow_clock(w) != 0;
}


/* The topic has a position. */
static ngx_uint_t
ngx_im_in_is_ready(ngx_im_in_t *from, uint32_t number,
    im_handover_ready_t *ready)
{
    im_topic_t  *topic;

    topic = from->topics[number].topic;

    ready->number = number;
    ready->epoch = topic->epoch;

    return im_follow_ready(topic) == IM_OK
           && im_follow_kept(topic, &ready->seq, &ready->mark) == IM_OK;
}


/* Says of topics that have a position now where they are. */
static void
ngx_im_in_ready(ngx_im_in_t *from)
{
    im_buf_t             b;
    uint32_t            *unready;
    ngx_uint_t           n;
    im_handover_ready_t  ready;

    unready = from->unready;
    n = ngx_im_in_leased(from->in->worker)
        ? ngx_min(from->nunready, NGX_IM_IN_TOPICS) : 0;

    im_buf_init(&b, IM_HANDOVER_MAX);

    for ( /* void */ ; n > 0; n--) {

        if (from->at >= from->nunready) {
            from->at = 0;
        }

        if (!ngx_im_in_is_ready(from, unready[from->at], &ready)) {
            from->at++;
            continue;
        }

        unready[from->at] = unready[--from->nunready];
        im_handover_ready_encode(&b, &ready);
    }

    if (b.len > 0) {
        ngx_im_channel_send(from->channel, IM_HANDOVER_READY, &b, NULL, 0, 0);
    }

    if (from->nunready > 0) {
        ngx_im_in_look(from->in);
    }

    im_buf_cleanup(&b);
}


/* NGX_ERROR: no memory, or there is no Redis here. */
static ngx_int_t
ngx_im_in_topic(ngx_im_in_t *from, const im_handover_topic_t *name)
{
    ngx_uint_t        room;
    im_topic_t       *topic;
    ngx_im_worker_t  *w;

    w = from->in->worker;
    room = from->size;

    if (w->follow == NULL
        || ngx_im_in_room(&from->unready, &room, from->ntopics,
                          sizeof(uint32_t)) != NGX_OK
        || ngx_im_in_room(&from->topics, &from->size, from->ntopics,
                          sizeof(ngx_im_in_topic_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    topic = im_follow_pin(w->follow, name->name);
    if (topic == NULL) {
        return NGX_ERROR;
    }

    from->unready[from->nunready++] = (uint32_t) from->ntopics;
    from->topics[from->ntopics].topic = topic;
    from->topics[from->ntopics++].info = name->info;

    return NGX_OK;
}


static void
ngx_im_in_topics(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_int_t             rc;
    im_reader_t          r;
    im_handover_topic_t  name;

    im_reader_init(&r, body->bytes);

    while ((rc = im_handover_topic_decode(&r, &name)) == IM_OK) {

        if (name.number != from->ntopics) {
            rc = IM_ERROR;
            break;
        }

        if (ngx_im_in_topic(from, &name) != NGX_OK) {
            ngx_im_in_fault(from, IM_HANDOVER_TOPICS, "has no place here");
            return;
        }
    }

    if (rc == IM_ERROR) {
        ngx_im_in_fault(from, IM_HANDOVER_TOPICS, "is malformed");
        return;
    }

    ngx_im_in_ready(from);
}


static void
ngx_im_in_verdict(ngx_im_in_t *from, im_buf_t *b, uint32_t number,
    im_handover_verdict_e verdict)
{
    im_handover_verdict_t  v;

    v.session = number;
    v.verdict = verdict;

    if (verdict == IM_HANDOVER_MOVED) {
        from->ntaken++;
        from->in->worker->counters->moved_in++;

    } else if (verdict > IM_HANDOVER_ELSEWHERE) {
        from->nrefused++;
    }

    im_handover_verdict_encode(b, &v);
}


/* The topics of its subscriptions. */
static im_handover_verdict_e
ngx_im_in_subs(ngx_im_in_t *from, const im_handover_session_t *record)
{
    uint32_t     i;
    im_topic_t **subs;

    subs = im_realloc(from->subs, (record->nsubs + 1) * sizeof(im_topic_t *));
    if (subs == NULL) {
        return IM_HANDOVER_LIMIT;
    }

    from->subs = subs;

    for (i = 0; i < record->nsubs; i++) {
        if (record->subs[i].topic >= from->ntopics) {
            return IM_HANDOVER_RECORD;
        }

        subs[i] = from->topics[record->subs[i].topic].topic;
    }

    return IM_HANDOVER_MOVED;
}


/* The session is here. */
static void
ngx_im_in_adopted(ngx_im_in_t *from, const im_handover_session_t *record,
    ngx_im_session_t *s, ngx_uint_t nhosts)
{
    ngx_im_lent_t     lent;
    ngx_im_worker_t  *w;

    w = from->in->worker;

    from->sessions[record->number] = ngx_im_session_handle(s);

    if (w->follow == NULL) {
        return;
    }

    lent.proto = im_proto_number(record->proto);
    lent.nsubs = record->nsubs;
    lent.nhosts = w->hosts.count - nhosts;

    if (ngx_im_lease_took(w, from->who->id, from->who->fence, &lent)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: a session that moved is counted twice until the "
                      "worker that had it ends: no memory");
    }
}


/* On MOVED *fd is the session's, and -1 here. */
static im_handover_verdict_e
ngx_im_in_adopt(ngx_im_in_t *from, const im_handover_session_t *record,
    ngx_socket_t *fd)
{
    ngx_uint_t              nhosts;
    ngx_im_worker_t        *w;
    ngx_im_session_t       *s;
    im_handover_verdict_e   verdict;

    w = from->in->worker;
    nhosts = w->hosts.count;

    if (ngx_exiting) {
        return IM_HANDOVER_ELSEWHERE;
    }

    verdict = ngx_im_in_leased(w) ? ngx_im_in_subs(from, record)
                                  : IM_HANDOVER_AGAIN;

    if (verdict == IM_HANDOVER_MOVED
        && ngx_im_in_room(&from->sessions, &from->room, record->number,
                          sizeof(ngx_im_handle_t)) != NGX_OK)
    {
        verdict = IM_HANDOVER_LIMIT;
    }

    if (verdict != IM_HANDOVER_MOVED) {
        return verdict;
    }

    verdict = ngx_im_unpack(w, *fd, record, from->subs, from->who, &s);

    if (verdict == IM_HANDOVER_MOVED) {
        *fd = (ngx_socket_t) -1;
        ngx_im_in_adopted(from, record, s, nhosts);
    }

    return verdict;
}


/* NULL: no memory. */
static ngx_im_in_parked_t *
ngx_im_in_park(ngx_im_in_t *from, im_str_t bytes)
{
    ngx_im_in_parked_t  *parked;

    parked = im_alloc(sizeof(ngx_im_in_parked_t) + bytes.len);
    if (parked == NULL) {
        return NULL;
    }

    parked->since = ngx_current_msec;
    parked->entry = 0;
    parked->last = 0;
    parked->fd = (ngx_socket_t) -1;
    parked->len = bytes.len;

    im_copy(parked->bytes, bytes.data, bytes.len);
    im_list_insert_tail(&from->parked, &parked->link);

    from->nbytes += bytes.len;

    return parked;
}


/* NGX_ERROR: no memory. */
static ngx_int_t
ngx_im_in_park_session(ngx_im_in_t *from, im_str_t bytes, ngx_socket_t *fd)
{
    ngx_im_in_parked_t  *parked;

    parked = ngx_im_in_park(from, bytes);
    if (parked == NULL) {
        return NGX_ERROR;
    }

    parked->fd = *fd;
    *fd = (ngx_socket_t) -1;

    return NGX_OK;
}


/* The same, or there are too many. */
static ngx_int_t
ngx_im_in_park_entry(ngx_im_in_t *from, im_str_t bytes)
{
    ngx_im_in_parked_t  *parked;

    parked = from->nbytes < NGX_IM_IN_BYTES ? ngx_im_in_park(from, bytes)
                                            : NULL;
    if (parked == NULL) {
        return NGX_ERROR;
    }

    parked->entry = 1;
    parked->last = (uint32_t) from->nsessions;

    return NGX_OK;
}


/* A record of a message.  NGX_ERROR: no other one can be read. */
static ngx_int_t
ngx_im_in_session(ngx_im_in_t *from, im_reader_t *r, ngx_socket_t *fd,
    im_buf_t *verdicts)
{
    im_str_t                bytes;
    im_int_t                rc;
    const char             *why;
    im_handover_session_t   record;
    im_handover_verdict_e   verdict;

    bytes.data = (u_char *) r->p;

    rc = im_handover_session_decode(r, &record, &why);

    if (rc != IM_OK && (rc == IM_DECLINED || r->failed)) {
        return NGX_ERROR;
    }

    if (record.number != ++from->nsessions) {
        im_handover_session_cleanup(&record);
        return NGX_ERROR;
    }

    if (rc != IM_OK) {
        ngx_log_error(NGX_LOG_ERR, from->in->worker->log, 0,
                      "im: the record of a session of worker process %P can't "
                      "be read: %s", from->pid, why);

        ngx_im_in_verdict(from, verdicts, record.number, IM_HANDOVER_RECORD);

        return NGX_OK;
    }

    bytes.len = r->p - bytes.data;

    verdict = *fd != (ngx_socket_t) -1 ? ngx_im_in_adopt(from, &record, fd)
                                       : IM_HANDOVER_LIMIT;

    if (verdict != IM_HANDOVER_AGAIN
        || ngx_im_in_park_session(from, bytes, fd) != NGX_OK)
    {
        ngx_im_in_verdict(from, verdicts, record.number, verdict);
    }

    im_handover_session_cleanup(&record);

    return NGX_OK;
}


static void
ngx_im_in_verdicts_send(ngx_im_in_t *from, im_buf_t *verdicts)
{
    if (verdicts->len > 0 && from->channel != NULL) {
        ngx_im_channel_send(from->channel, IM_HANDOVER_VERDICTS, verdicts,
                            NULL, 0, 0);
    }

    im_buf_cleanup(verdicts);
}


/* Descriptors that are missing found no place in this process. */
static void
ngx_im_in_sessions(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_buf_t       verdicts;
    ngx_uint_t     i;
    im_reader_t    r;
    ngx_socket_t   none, *fd;

    im_reader_init(&r, body->bytes);
    im_buf_init(&verdicts, IM_HANDOVER_MAX);

    for (i = 0; r.p < r.end; i++) {
        none = (ngx_socket_t) -1;
        fd = i < body->nfds ? &body->fds[i] : &none;

        if (ngx_im_in_session(from, &r, fd, &verdicts) != NGX_OK) {
            im_buf_cleanup(&verdicts);
            ngx_im_in_fault(from, IM_HANDOVER_SESSIONS, "is malformed");
            return;
        }
    }

    ngx_im_in_verdicts_send(from, &verdicts);

    if (!im_list_empty(&from->parked)) {
        ngx_im_in_look(from->in);
    }
}


/* 1: it is parked no longer. */
static ngx_uint_t
ngx_im_in_parked_session(ngx_im_in_t *from, ngx_im_in_parked_t *parked,
    im_buf_t *verdicts)
{
    ngx_uint_t              done;
    im_reader_t             r;
    const char             *why;
    im_handover_session_t   record;
    im_handover_verdict_e   verdict;

    im_reader_init(&r, im_str_set(parked->bytes, parked->len));

    if (im_handover_session_decode(&r, &record, &why) != IM_OK) {
        return 0;
    }

    verdict = ngx_im_in_adopt(from, &record, &parked->fd);

    done = verdict != IM_HANDOVER_AGAIN
           || ngx_current_msec - parked->since >= NGX_IM_IN_PARKED;

    if (done) {
        ngx_im_in_verdict(from, verdicts, record.number, verdict);
        ngx_im_in_parked_free(from, parked);
    }

    im_handover_session_cleanup(&record);

    return done;
}


/*
 * The topics may have come to where the sessions are.  An entry waits for those
 * before it.
 */
static void
ngx_im_in_unpark(ngx_im_in_t *from)
{
    im_buf_t             verdicts;
    im_list_t           *q, *next;
    ngx_uint_t           waits;
    ngx_im_in_parked_t  *parked;

    waits = 0;

    im_buf_init(&verdicts, IM_HANDOVER_MAX);

    for (q = im_list_first(&from->parked); q != &from->parked; q = next) {
        next = im_list_next(q);
        parked = im_list_data(q, ngx_im_in_parked_t, link);

        if (!parked->entry) {
            waits += !ngx_im_in_parked_session(from, parked, &verdicts);

        } else if (waits == 0) {
            ngx_im_in_parked_entry(from, parked);
        }
    }

    ngx_im_in_verdicts_send(from, &verdicts);

    if (!im_list_empty(&from->parked)) {
        ngx_im_in_look(from->in);
    }
}


static void
ngx_im_in_look_handler(ngx_event_t *ev)
{
    im_list_t             *q, *next;
    ngx_im_in_t           *from;
    ngx_im_handover_in_t  *in;

    in = ev->data;

    for (q = im_list_first(&in->channels); q != &in->channels; q = next) {
        next = im_list_next(q);
        from = im_list_data(q, ngx_im_in_t, link);

        if (from->state == NGX_IM_IN_TAKING) {
            ngx_im_in_ready(from);
            ngx_im_in_unpark(from);

        } else if (from->state == NGX_IM_IN_LEFT) {
            ngx_im_in_unpark(from);

            if (im_list_empty(&from->parked)) {
                ngx_im_in_over(from);
            }
        }
    }
}


void
ngx_im_handover_in_look(ngx_im_worker_t *w)
{
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in != NULL && in->look.timer_set) {
        ngx_post_event(&in->look, &ngx_posted_events);
    }
}


static void
ngx_im_in_late(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_session_t    *s;
    im_handover_late_t   late;

    if (im_handover_late_decode(body->bytes, &late) != IM_OK
        || late.session == 0 || late.session >= from->room)
    {
        ngx_im_in_fault(from, IM_HANDOVER_LATE, "is malformed");
        return;
    }

    s = ngx_im_session_find(from->in->worker, from->sessions[late.session]);

    if (s != NULL) {
        ngx_im_unpack_late(s, &late);
    }
}


/* They may be for sessions that are parked. */
static void
ngx_im_in_entries(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    im_int_t      rc;
    im_str_t      bytes;
    im_entry_t    entry;
    im_reader_t   r;

    im_reader_init(&r, body->bytes);

    for ( ;; ) {
        bytes.data = (u_char *) r.p;

        rc = im_entry_decode(&r, &entry);
        if (rc != IM_OK) {
            break;
        }

        bytes.len = r.p - bytes.data;

        if (im_list_empty(&from->parked)) {
            ngx_im_in_entry(from, bytes, (uint32_t) from->nsessions);

        } else if (ngx_im_in_park_entry(from, bytes) != NGX_OK) {
            ngx_im_in_fault(from, IM_HANDOVER_ENTRIES, "has no place here");
            return;
        }
    }

    if (rc == IM_ERROR) {
        ngx_im_in_fault(from, IM_HANDOVER_ENTRIES, "is malformed");
    }
}


static void
ngx_im_in_end(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_in_state(from, NGX_IM_IN_ENDED);
    ngx_im_in_settle(from);
}


void
ngx_im_handover_in_counted(ngx_im_worker_t *w)
{
    im_list_t             *q, *next;
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in == NULL) {
        return;
    }

    for (q = im_list_first(&in->channels); q != &in->channels; q = next) {
        next = im_list_next(q);
        ngx_im_in_settle(im_list_data(q, ngx_im_in_t, link));
    }
}


void
ngx_im_handover_in_taken(ngx_im_worker_t *w, im_str_t id)
{
    ngx_im_handover_in_counted(w);
}


typedef struct {
    ngx_im_in_state_e   state;           /* from which on it may come */
    ngx_im_in_state_e   last;            /* up to this one */
    void              (*handler)(ngx_im_in_t *from, ngx_im_in_body_t *body);
} ngx_im_in_row_t;


static const ngx_im_in_row_t  ngx_im_in_rows[IM_HANDOVER_TYPES] = {
    [IM_HANDOVER_HELLO] = { NGX_IM_IN_GREETING, NGX_IM_IN_GREETING,
                            ngx_im_in_hello },
    [IM_HANDOVER_TOPICS] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                             ngx_im_in_topics },
    [IM_HANDOVER_SESSIONS] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                               ngx_im_in_sessions },
    [IM_HANDOVER_LATE] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                           ngx_im_in_late },
    [IM_HANDOVER_ENTRIES] = { NGX_IM_IN_TAKING, NGX_IM_IN_SETTLED,
                              ngx_im_in_entries },
    [IM_HANDOVER_END] = { NGX_IM_IN_TAKING, NGX_IM_IN_TAKING,
                          ngx_im_in_end }
};


static void
ngx_im_in_message(ngx_im_channel_t *ch, im_handover_type_e type, im_str_t body,
    ngx_socket_t *fds, ngx_uint_t nfds)
{
    ngx_im_in_t            *from;
    ngx_im_in_body_t        message;
    const ngx_im_in_row_t  *row;

    from = ch->data;
    row = &ngx_im_in_rows[type];

    if (row->handler == NULL || from->state < row->state
        || from->state > row->last)
    {
        ngx_im_in_fault(from, type, "doesn't belong there");
        return;
    }

    message.bytes = body;
    message.fds = fds;
    message.nfds = nfds;

    row->handler(from, &message);
}


static const ngx_im_channel_events_t  ngx_im_in_events = {
    ngx_im_in_message,
    ngx_im_in_lost
};


/* Takes fd over. */
static void
ngx_im_in_accepted(ngx_im_handover_in_t *in, ngx_socket_t fd)
{
    ngx_uid_t     uid;
    ngx_im_in_t  *from;

    if (ngx_im_channel_peer(fd, 0, &uid) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, in->worker->log, 0,
                      "im: a process of user %d wanted to hand sessions over, "
                      "and only those of user %d may",
                      (int) uid, (int) geteuid());

        (void) ngx_close_socket(fd);
        return;
    }

    from = ngx_exiting || in->worker->ntaking >= NGX_IM_IN_CHANNELS
           ? NULL : im_calloc(sizeof(ngx_im_in_t));

    if (from == NULL) {
        (void) ngx_close_socket(fd);
        return;
    }

    from->channel = ngx_im_channel_create(in->worker, fd, &ngx_im_in_events,
                                          from);
    if (from->channel == NULL) {
        im_free(from);
        return;
    }

    from->in = in;
    in->worker->ntaking++;

    im_list_init(&from->parked);

    im_list_insert_tail(&in->channels, &from->link);
}


static void
ngx_im_in_accept(ngx_im_handover_in_t *in)
{
    ngx_err_t     err;
    ngx_socket_t  fd;

    for ( ;; ) {
        fd = accept4(in->listening->fd, NULL, NULL,
                     SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (fd != (ngx_socket_t) -1) {
            ngx_im_in_accepted(in, fd);
            continue;
        }

        err = ngx_errno;

        if (err == NGX_EINTR || err == NGX_ECONNABORTED) {
            continue;
        }

        if (err != NGX_EAGAIN) {
            ngx_log_error(NGX_LOG_CRIT, in->worker->log, err,
                          "im: accept() of a handover failed");
            ngx_add_timer(&in->retry, NGX_IM_IN_RETRY);
        }

        return;
    }
}


static void
ngx_im_in_retry_handler(ngx_event_t *ev)
{
    ngx_im_handover_in_t  *in;

    in = ev->data;

    if (in->listening != NULL) {
        ngx_im_in_accept(in);
    }
}


/* It is an idle connection to nginx, which says by it that the worker ends. */
static void
ngx_im_in_accept_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_im_handover_in_t  *in;

    c = rev->data;
    in = c->data;

    if (c->close) {
        in->worker->events->quit(in->worker);
        return;
    }

    ngx_im_in_accept(in);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, in->worker->log, 0,
                      "im: no event for the socket of im_handover");
    }
}


ngx_int_t
ngx_im_handover_in_init(ngx_im_worker_t *w)
{
    ngx_socket_t           fd;
    ngx_connection_t      *c;
    ngx_im_handover_in_t  *in;

    fd = ngx_im_handover_socket(w->conf);

    if (fd == (ngx_socket_t) -1) {
        return NGX_OK;
    }

    in = im_calloc(sizeof(ngx_im_handover_in_t));
    c = ngx_get_connection(fd, w->log);

    if (in == NULL || c == NULL) {
        return NGX_ERROR;
    }

    in->worker = w;
    in->listening = c;
    in->retry.handler = ngx_im_in_retry_handler;
    in->retry.data = in;
    in->retry.log = w->log;
    in->retry.cancelable = 1;

    in->look.handler = ngx_im_in_look_handler;
    in->look.data = in;
    in->look.log = w->log;
    in->look.cancelable = 1;

    im_list_init(&in->channels);

    c->data = in;
    c->idle = 1;
    c->read->log = w->log;
    c->write->log = w->log;
    c->read->handler = ngx_im_in_accept_handler;
    c->read->resolver = 1;

    w->handover_in = in;

    return ngx_handle_read_event(c->read, 0);
}


/* Workers that have just come find the next one by the same path. */
void
ngx_im_handover_in_quit(ngx_im_worker_t *w)
{
    ngx_im_handover_in_t  *in;

    in = w->handover_in;

    if (in == NULL || in->listening == NULL) {
        return;
    }

    ngx_im_in_accept(in);

    ngx_close_connection(in->listening);
    in->listening = NULL;

    if (in->retry.timer_set) {
        ngx_del_timer(&in->retry);
    }
}
