/*
 * Copyright (C) The im authors
 *
 * From a session to a record.
 *
 * A log has cursors and no number for each frame.  So all that the session
 * lacks becomes its own bytes first: then it stands at the position of each of
 * its topics, whatever of a frame the socket has taken.
 *
 * A session in flight is in worker->moving by its link `blocked`: so nothing is
 * sent to it, replies queue up, and no slow client is looked for among them.
 */

#include "ngx_im_pack.h"
#include "ngx_im_adopted.h"
#include "ngx_im_client.h"
#include "ngx_im_emulation.h"
#include "ngx_im_expiry.h"
#include "ngx_im_follow.h"
#include "ngx_im_opening.h"
#include "ngx_im_output.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"
#include "im_ask.h"


#define NGX_IM_PACK_UNSENT  (4 * 1024 * 1024)    /* bytes in a record */


/*
 * Not all of them are live and have whole logs, Redis has some at another
 * worker, or too much is not sent.
 */
static ngx_uint_t
ngx_im_pack_subs_wait(ngx_im_session_t *s)
{
    size_t     behind;
    im_sub_t  *sub;

    behind = 0;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {

        if (im_sub_state(sub) == IM_SUB_JOINING
            || (im_sub_behind(sub) > 0 && sub->log->open->ncuts > 0)
            || !im_follow_settled(sub->log->topic))
        {
            return 1;
        }

        behind += im_sub_behind(sub);
    }

    return ngx_im_send_waiting(s) + behind > NGX_IM_PACK_UNSENT
           || !ngx_im_send_affords(ngx_im_worker, behind);
}


ngx_uint_t
ngx_im_pack_stays(ngx_im_session_t *s)
{
    return (s->ext != NULL && s->ext->kept != NULL)
           || s->phase >= NGX_IM_ENDING || s->connection->error
           || ngx_im_tls(s->connection);
}


ngx_uint_t
ngx_im_pack_waits(ngx_im_session_t *s)
{
    ngx_im_ext_t  *ext;

    ext = s->ext;

    return s->phase == NGX_IM_MOVING || s->phase == NGX_IM_AUTHENTICATING
           || (ext != NULL
               && (ext->connecting || ext->busy || ext->nasked > 0))
           || ngx_im_adopted_awaits(s)
           || ngx_im_worker->events->waits(s) || ngx_im_pack_subs_wait(s);
}


/*
 * The other worker's copy keeps the file: closing this one would not take it
 * out of epoll.
 */
static ngx_int_t
ngx_im_pack_quiet(ngx_im_session_t *s)
{
    ngx_event_t       *rev, *wev;
    ngx_connection_t  *c;

    c = s->connection;
    rev = c->read;
    wev = c->write;

    if (ngx_del_conn) {
        if ((rev->active || wev->active) && ngx_del_conn(c, 0) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if ((rev->active && ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK)
               || (wev->active
                   && ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (rev->posted) {
        ngx_delete_posted_event(rev);
    }

    if (wev->posted) {
        ngx_delete_posted_event(wev);
    }

    return NGX_OK;
}


static void
ngx_im_pack_freeze(ngx_im_session_t *s, ngx_im_moving_t *moving)
{
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    moving->phase = s->phase;
    moving->packed = ngx_im_send_waiting(s);
    moving->deadline = s->deadline.at > w->wheel.time
                       ? s->deadline.at - w->wheel.time : 1;
    moving->full = !im_list_empty(&s->blocked);

    s->ext->moving = moving;

    ngx_im_session_phase(s, NGX_IM_MOVING);

    im_list_remove(&s->deadline.link);
    im_list_remove(&s->ext->waiting);

    if (s->known != NULL) {
        im_list_remove(&s->known->expiry.link);
    }

    im_list_remove(&s->blocked);
    im_list_insert_tail(&w->moving, &s->blocked);
}


static void
ngx_im_pack_known(ngx_im_session_t *s, im_handover_session_t *out)
{
    ngx_im_known_t       *known;
    im_handover_known_t  *k;

    known = s->known;
    k = &out->known;

    if (known == NULL) {
        return;
    }

    out->has |= IM_HANDOVER_HAS_KNOWN;

    k->user = ngx_im_session_user_id(s);
    k->name = im_str_set(known->name, known->name_len);
    k->login = im_str_set(known->name + known->name_len,
                          known->login ? IM_ASK_LOGIN : 0);
    k->info = ngx_im_session_said(s, info);
    k->rooms = ngx_im_session_said(s, rooms);
    k->meta = ngx_im_session_said(s, meta);
    k->refresh = known->about != NULL ? known->about->refresh : 0;
    k->expires = known->expires;
}


static void
ngx_im_pack_input(ngx_im_session_t *s, im_handover_session_t *out)
{
    u_char            *p;
    im_buf_t          *message;
    ngx_im_held_t     *held;
    ngx_im_partial_t  *partial;

    held = s->ext->held;
    partial = s->partial;

    if (held != NULL) {
        out->has |= IM_HANDOVER_HAS_HELD;

        p = held->bytes;

        out->held.kind = (uint8_t) held->kind;
        out->held.message = im_str_set(p, held->len);
        out->held.rest = im_str_set(p + held->len, held->rest);
        out->held.pong = im_str_set(p + held->len + held->rest, held->pong);
    }

    if (partial != NULL) {
        out->has |= IM_HANDOVER_HAS_PARTIAL;

        message = partial->message;

        out->partial.decoder = partial->decoder;
        out->partial.message = message != NULL ? im_buf_str(message)
                                               : im_str_set(NULL, 0);
    }
}


static void
ngx_im_pack_output(ngx_im_session_t *s, im_handover_session_t *out)
{
    ngx_im_replies_t  *replies;

    replies = s->replies;

    if (replies == NULL) {
        return;
    }

    out->has |= IM_HANDOVER_HAS_OUTPUT;

    out->output.bytes = im_str_set(replies->data + replies->sent,
                                   replies->len - replies->sent);
    out->output.urgent = replies->urgent > replies->sent
                         ? (uint32_t) (replies->urgent - replies->sent) : 0;
    out->output.history = (uint32_t) replies->history;
}


static void
ngx_im_pack_emulation(ngx_im_session_t *s, im_handover_session_t *out)
{
    ngx_im_adopted_t         *a;
    im_handover_emulation_t  *e;

    if (!ngx_im_emulation_used(s)) {
        return;
    }

    e = &out->emulation;
    out->has |= IM_HANDOVER_HAS_EMULATION;

    a = s->adopted ? ngx_im_adopted_at(ngx_im_worker, s->index) : NULL;

    if (a != NULL && a->earlier != NULL) {
        ngx_memcpy(e->node, a->earlier->name, 16);
        e->keys = a->earlier->secrets;

    } else {
        ngx_memcpy(e->node, ngx_im_worker->name, 16);
        e->keys = ngx_im_worker->secrets;
    }
}


static void
ngx_im_pack_subs(ngx_im_session_t *s, im_handover_session_t *out,
    ngx_im_pack_number_pt number, void *data)
{
    im_sub_t           *sub;
    im_topic_t         *topic;
    ngx_im_sub_more_t  *more;
    im_handover_sub_t  *to;

    to = out->subs;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        topic = sub->log->topic;
        more = sub->more;

        to->topic = number(topic, data);
        to->epoch = topic->epoch;
        to->seq = topic->seq;
        to->mark = im_follow_mark(topic);
        to->expires = ngx_im_sub_expires(sub);
        to->flags = sub->flags;
        to->info = ngx_im_session_kept(more != NULL ? more->info : NULL);
        to++;
    }
}


static void
ngx_im_pack_times(ngx_im_session_t *s, im_handover_session_t *out)
{
    int32_t           ahead;
    uint32_t          now;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    now = (uint32_t) ngx_current_msec;
    ahead = (int32_t) (ngx_im_session_flow(s) - now);

    out->start = s->start;
    out->new_time = (uint32_t) ngx_time() - s->new_time;
    out->commands = im_bucket_owed(&s->commands, ngx_current_msec);
    out->flow = (uint32_t) ngx_max(ahead, 0);
    out->seen = w->wheel.time - s->seen;
    out->deadline = s->ext->moving->deadline;
    out->stuck = s->ext->moving->full ? now - s->stuck : 0;
}


static void
ngx_im_pack_fill(ngx_im_session_t *s, im_handover_session_t *out)
{
    ngx_uint_t     i, n;
    const int32_t *ops;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    out->place = ngx_im_str(s->class->conf->place);
    out->proto = s->class->proto;
    out->transport = s->class->transport;
    out->addr = im_str_set(s->peer.addr, s->peer.family == AF_INET ? 4
                                         : s->peer.family == AF_UNIX ? 0 : 16);
    out->phase = ext->moving->phase == NGX_IM_OPEN ? IM_HANDOVER_OPEN
                                                   : IM_HANDOVER_CONNECTING;
    out->pinged = s->pinged;
    out->pong_due = s->pong_due;
    out->positions = s->positions;
    out->failed = ext->failed;
    out->prepaid = ext->prepaid;
    out->credit = ext->credit;
    out->nbad = ext->nbad;
    out->mark = ext->mark;
    out->nrooms = s->nrooms;
    out->nnew = s->nnew;
    out->bytes_in = s->bytes_in;
    out->bytes_out = s->bytes_out;
    out->frames = s->frames;
    out->opening = ngx_im_opening_bytes(s->opening);

    ngx_im_session_id(s, out->id);

    for (i = 0; i < out->nresumes; i++) {
        out->resumes[i] = ext->resumes[i];
    }

    if (s->accept != 0) {
        out->has |= IM_HANDOVER_HAS_ACCEPT;
        ops = im_accepts_ops(&ngx_im_worker->accepts, s->accept, &n);

        for (i = 0; i < n; i++) {
            out->ops[i] = ops[i];
        }
    }

    ngx_im_pack_times(s, out);
    ngx_im_pack_known(s, out);
    ngx_im_pack_input(s, out);
    ngx_im_pack_output(s, out);
    ngx_im_pack_emulation(s, out);
}


/* All memory that it takes. */
static ngx_im_moving_t *
ngx_im_pack_alloc(ngx_im_session_t *s, im_handover_session_t *out)
{
    ngx_uint_t        nops;
    ngx_im_ext_t     *ext;
    ngx_im_moving_t  *moving;

    ngx_memzero(out, sizeof(im_handover_session_t));

    nops = 0;
    ext = ngx_im_session_ext(s);

    if (s->accept != 0) {
        (void) im_accepts_ops(&ngx_im_worker->accepts, s->accept, &nops);
    }

    if (ext == NULL
        || im_handover_session_reserve(out, s->nsubs, ext->nresumes, nops)
           != IM_OK)
    {
        return NULL;
    }

    moving = im_calloc(sizeof(ngx_im_moving_t));

    if (moving == NULL) {
        im_handover_session_cleanup(out);
    }

    return moving;
}


/* Its topics get to know that it is on its way, or (0) stays. */
static void
ngx_im_pack_going(ngx_im_session_t *s, ngx_uint_t goes)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        im_follow_going(sub, (int) goes);
    }
}


ngx_int_t
ngx_im_pack(ngx_im_session_t *s, im_handover_session_t *out,
    ngx_im_pack_number_pt number, void *data)
{
    ngx_im_moving_t  *moving;

    moving = ngx_im_pack_alloc(s, out);
    if (moving == NULL) {
        return NGX_ERROR;
    }

    if (ngx_im_send_collect(s) != NGX_OK) {
        goto failed;
    }

    if (ngx_im_pack_quiet(s) != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_LOST, "socket error");
        goto failed;
    }

    ngx_im_pack_freeze(s, moving);
    ngx_im_pack_going(s, 1);

    ngx_im_pack_fill(s, out);
    ngx_im_pack_subs(s, out, number, data);

    return NGX_OK;

failed:

    im_handover_session_cleanup(out);
    im_free(moving);

    return NGX_ERROR;
}


/* epoll reports what the socket has when it is added. */
static ngx_int_t
ngx_im_pack_listen(ngx_im_session_t *s)
{
    s->connection->read->ready = 0;

    return ngx_handle_read_event(s->connection->read, 0);
}


void
ngx_im_pack_undo(ngx_im_session_t *s)
{
    uint32_t          stuck;
    ngx_im_worker_t  *w;
    ngx_im_moving_t   moving;

    w = ngx_im_worker;
    stuck = s->stuck;
    moving = *s->ext->moving;

    ngx_im_session_phase(s, moving.phase);
    ngx_im_pack_going(s, 0);

    im_free(s->ext->moving);
    s->ext->moving = NULL;

    ngx_im_timer_set(&w->wheel, &s->deadline, w->wheel.time + moving.deadline);

    if (s->class->proto->pings) {
        ngx_im_expiry_schedule(s);
    }

    if (ngx_im_pack_listen(s) != NGX_OK) {
        s->connection->error = 1;
        ngx_im_session_close(s, IM_REASON_LOST, "socket error");
        return;
    }

    ngx_im_send_ready(s);

    if (moving.full && !im_list_empty(&s->blocked)) {
        s->stuck = stuck;
    }

    if (moving.why != NULL) {
        ngx_im_session_close_code(s, moving.reason, moving.code,
                                  im_str_set("", 0), moving.why);
        return;
    }

    ngx_im_session_continue(s);
}


ngx_int_t
ngx_im_pack_late(ngx_im_session_t *s, im_handover_late_t *late)
{
    size_t            packed;
    ngx_im_moving_t  *moving;

    moving = s->ext->moving;
    packed = moving->packed;

    ngx_memzero(late, sizeof(im_handover_late_t));

    if (ngx_im_send_waiting(s) > packed) {
        late->bytes = im_str_set(s->replies->data + s->replies->sent + packed,
                                 ngx_im_send_waiting(s) - packed);
        moving->packed += late->bytes.len;

        return NGX_OK;
    }

    if (moving->why == NULL || moving->told) {
        return NGX_DECLINED;
    }

    moving->told = 1;

    late->closes = 1;
    late->reason = (uint8_t) moving->reason;
    late->code = (uint16_t) moving->code;
    late->text = s->ext->reason;
    late->why = im_str_z(moving->why);

    return NGX_OK;
}


static void
ngx_im_pack_leave(ngx_im_session_t *s, ngx_uint_t same, ngx_uint_t lost)
{
    int               last;
    im_sub_t         *sub;
    im_topic_t       *topic;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    while (s->subs != NULL) {
        sub = s->subs;
        ngx_im_sub_unlist(s, sub);

        if (sub->flags & NGX_IM_SUB_GUEST_ROOM) {
            ngx_im_host_release_room(w, ngx_im_host(w, s->host), same);
        }

        im_follow_gone(w->follow, sub, (int) lost);

        topic = im_hub_leave(&w->hub, sub, &last);

        ngx_im_session_sub_free(sub);

        if (last) {
            im_follow_stop(w->follow, topic);
        }
    }
}


void
ngx_im_pack_gone(ngx_im_session_t *s, ngx_uint_t same, ngx_uint_t lost)
{
    s->ext->moving->taken = same ? 1 : 0;

    ngx_im_pack_leave(s, same, lost);

    ngx_im_session_phase(s, NGX_IM_CLOSED);
    im_list_remove(&s->blocked);

    ngx_im_close_gone(s, same);
}
