/*
 * Copyright (C) The im authors
 *
 * Sessions go to the other worker, once it has all messages behind their
 * positions: many in a message, and at most IM_HANDOVER_FLIGHT in flight.
 */

#include "ngx_im_out_sessions.h"
#include "ngx_im_adopted.h"
#include "ngx_im_info.h"
#include "ngx_im_out_stay.h"
#include "ngx_im_out_topics.h"
#include "ngx_im_pack.h"


/* A message of sessions that is being made. */
typedef struct {
    im_buf_t            body;
    ngx_socket_t        fds[IM_HANDOVER_SESSIONS_MAX];
    ngx_uint_t          nfds;
    uint32_t            first;           /* number */
} ngx_im_out_batch_t;


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


/* Which lists of users its client has. */
static void
ngx_im_out_heard(ngx_im_session_t *s, im_handover_session_t *record)
{
    im_sub_t           *sub;
    im_handover_sub_t  *to;

    to = record->subs;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        to->heard = ngx_im_info_known(sub);
        to++;
    }
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
    ngx_im_out_heard(s, &record);

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


ngx_int_t
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
