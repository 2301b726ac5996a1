/*
 * Copyright (C) The im authors
 *
 * Sessions of a worker that ends are adopted, or parked, or refused, and it
 * gets a verdict on each of them.
 */

#include "ngx_im_in_sessions.h"
#include "ngx_im_in_parked.h"
#include "ngx_im_info.h"
#include "ngx_im_unpack.h"


#define NGX_IM_IN_PARKED    1000     /* ms */


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

        subs[i] = from->topics[record->subs[i].topic];
    }

    return IM_HANDOVER_MOVED;
}


/* The session is here. */
static void
ngx_im_in_adopted(ngx_im_in_t *from, const im_handover_session_t *record,
    ngx_im_session_t *s, ngx_uint_t nhosts)
{
    im_sub_t           *sub;
    ngx_im_lent_t       lent;
    ngx_im_worker_t    *w;
    im_handover_sub_t  *in;

    w = from->in->worker;

    from->sessions[record->number] = ngx_im_session_handle(s);

    if (w->follow == NULL) {
        return;
    }

    in = record->subs;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        ngx_im_info_came(sub, in->heard);
        in++;
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

    if (verdict == IM_HANDOVER_AGAIN
        && ngx_im_in_park_session(from, bytes, fd) != NGX_OK)
    {
        verdict = IM_HANDOVER_LIMIT;
    }

    if (verdict != IM_HANDOVER_AGAIN) {
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
const char *
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
            return "is malformed";
        }
    }

    ngx_im_in_verdicts_send(from, &verdicts);

    if (!im_list_empty(&from->parked)) {
        ngx_im_in_look(from->in);
    }

    return NULL;
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


void
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


const char *
ngx_im_in_late(ngx_im_in_t *from, ngx_im_in_body_t *body)
{
    ngx_im_session_t    *s;
    im_handover_late_t   late;

    if (im_handover_late_decode(body->bytes, &late) != IM_OK
        || late.session == 0 || late.session >= from->room)
    {
        return "is malformed";
    }

    s = ngx_im_session_find(from->in->worker, from->sessions[late.session]);

    if (s != NULL) {
        ngx_im_unpack_late(s, &late);
    }

    return NULL;
}
