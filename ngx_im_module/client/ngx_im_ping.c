/*
 * Copyright (C) The im authors
 *
 * Deadlines of sessions: the first frame, the identity, pings, the end.
 */

#include "ngx_im_client.h"
#include "ngx_im_reply.h"
#include "ngx_im_send.h"


/*
 * The ping of a protocol is a message, and the pong must come in time.  A
 * client whose input is held can't answer: nothing is read from it.  It gets
 * pings all the same, and its answers are counted.
 */
static void
ngx_im_ping_message(ngx_im_session_t *s)
{
    im_reply_t     reply;
    ngx_uint_t     ping, wait;
    ngx_im_ext_t  *ext;

    ext = s->ext;

    if (s->pinged && !ngx_im_session_stopped(s)
        && (ext == NULL || ext->held == NULL))
    {
        ngx_im_session_close(s, IM_REASON_NO_PONG, "no answer to ping");
        return;
    }

    ping = ngx_max(s->class->conf->ping / 1000, 1);
    wait = ngx_min((s->class->conf->pong - s->class->conf->ping) / 1000, ping);

    if (s->pong_due) {
        s->pong_due = 0;
        ngx_im_session_deadline(s, ping - wait);
        return;
    }

    s->pong_due = wait < ping;

    if (s->pinged == NGX_IM_PINGS) {
        ngx_im_session_deadline(s, wait);
        return;
    }

    ngx_im_reply_init(&reply, IM_REPLY_PING, 0);
    s->pinged++;

    if (ngx_im_reply_send(s, &reply) == NGX_OK
        && s->phase == NGX_IM_OPEN)
    {
        ngx_im_session_deadline(s, wait);
    }
}


/*
 * The ping of the protocol, and that of a transport whose clients answer it or
 * get no other one.
 */
static ngx_int_t
ngx_im_ping_send(ngx_im_session_t *s)
{
    im_buf_t    *b;
    im_reply_t   reply;

    b = &ngx_im_worker->scratch;

    im_buf_reset(b, 65536);

    if (s->class->proto->reply != NULL) {
        ngx_im_reply_init(&reply, IM_REPLY_PING, 0);
        s->class->proto->reply(b, s->class->transport, &reply);
    }

    if (s->class->transport->ping != NULL
        && (b->len == 0 || s->class->transport->decode != NULL))
    {
        s->class->transport->ping(b);
    }

    if (b->failed) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
    }

    return b->len > 0 ? ngx_im_send_reply(s, im_buf_str(b)) : NGX_OK;
}


/* Any bytes of the client are an answer, where it can send some. */
static void
ngx_im_ping_frame(ngx_im_session_t *s)
{
    ngx_uint_t  silent, ping, pong;

    silent = ngx_im_worker->wheel.time - s->seen;
    ping = s->class->conf->ping / 1000;
    pong = s->class->conf->pong / 1000;

    if (s->class->transport->decode == NULL) {
        silent = ping;

    } else if (ngx_im_session_stopped(s)) {

        /* its answer may be among what is not read */

        silent = ngx_min(silent, ping);

    } else if (silent >= pong) {
        ngx_im_session_close(s, IM_REASON_NO_PONG, "no answer to ping");
        return;
    }

    if (silent < ping) {
        ngx_im_session_deadline(s, ping - silent);
        return;
    }

    if (ngx_im_ping_send(s) == NGX_OK) {
        ngx_im_session_deadline(s, s->class->transport->decode == NULL
                                   ? ping : ngx_min(pong - silent, ping));
    }
}


/* Clients that connect together do not all get their first pings together. */
void
ngx_im_ping_start(ngx_im_session_t *s)
{
    ngx_uint_t  seconds;

    seconds = s->class->conf->ping / 1000;

    if (s->class->proto->pings) {
        seconds -= (ngx_uint_t) ngx_random() % (seconds / 2 + 1);
    }

    ngx_im_session_deadline(s, seconds);
}


void
ngx_im_ping_due(ngx_im_timer_t *timer)
{
    ngx_im_session_t  *s;

    s = im_list_data(timer, ngx_im_session_t, deadline);

    switch (s->phase) {

    case NGX_IM_CONNECTING:
        if (ngx_im_session_stopped(s)) {
            ngx_im_session_close(s, IM_REASON_BUSY,
                                 "too much is read for this address");

        } else {
            ngx_im_session_close(s, IM_REASON_STALE, "no first frame in time");
        }

        break;

    case NGX_IM_AUTHENTICATING:
        ngx_im_session_close(s, IM_REASON_BUSY,
                             "identity is not known in time");
        break;

    case NGX_IM_OPEN:
        ngx_im_session_spare(s);

        if (ngx_im_session_expires(s) && ngx_im_session_left(s) == 0) {
            ngx_im_session_close(s, IM_REASON_EXPIRED, "the token has expired");

        } else if (s->ext != NULL && s->ext->connecting) {
            ngx_im_session_close(s, IM_REASON_BUSY,
                                 "topics are not ready in time");

        } else if (s->class->proto->pings) {
            ngx_im_ping_message(s);

        } else {
            ngx_im_ping_frame(s);
        }

        break;

    default:
        ngx_im_session_close(s, IM_REASON_LOST, s->why);
    }
}
