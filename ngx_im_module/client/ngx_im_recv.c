/*
 * Copyright (C) The im authors
 *
 * Input: from the socket to the decoder of the transport, from messages to
 * commands.
 *
 * All sessions of a worker share one read buffer.  A message that lies whole in
 * it is handled there.  Only a message that is cut is kept, and grows as bytes
 * arrive.  While a command waits for its answer, or a client has sent more than
 * it may, the bytes behind are held and nothing more is read.
 */

#include "ngx_im_client.h"
#include "ngx_im_flow.h"
#include "ngx_im_send.h"


#define NGX_IM_READS     4       /* of a buffer each, in one turn */
#define NGX_IM_OPENINGS  64      /* sessions that open in a ms, or a turn */
#define NGX_IM_PONGS     10      /* of a read */


/*
 * Of one read: the part of a message in the buffer, the bytes behind it, and
 * the answer to its pings.
 */
typedef struct {
    im_str_t    message;
    u_char     *p;
    u_char     *end;
    ngx_int_t   credit;          /* NGX_AGAIN: what was unpacked isn't paid */
    im_buf_t    pong;
    ngx_uint_t  npings;
    u_char      bytes[4 * IM_CONTROL_MAX];
} ngx_im_pieces_t;


/* The read buffer serves another session next. */
static ngx_int_t
ngx_im_recv_keep(ngx_im_session_t *s, im_str_t piece)
{
    im_buf_t  *message;

    if (piece.len == 0) {
        return NGX_OK;
    }

    message = s->partial->message;

    if (message == NULL) {
        message = im_alloc(sizeof(im_buf_t));

        if (message == NULL) {
            goto failed;
        }

        im_buf_init(message, im_ws_packed_max(s->class->conf->max_message));
        s->partial->message = message;
    }

    /* one that began at another worker may have had another limit */

    if (piece.len > message->max - message->len) {
        ngx_im_session_close_code(s, IM_REASON_TOO_BIG, IM_WS_CLOSE_TOO_BIG,
                                  im_str_set("", 0), "message too big");
        return NGX_ERROR;
    }

    im_buf_add_str(message, piece);

    if (!message->failed) {
        return NGX_OK;
    }

failed:

    return ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
}


/* The first piece stays in the read buffer; a second one makes a copy. */
static ngx_int_t
ngx_im_recv_piece(ngx_im_session_t *s, im_str_t piece, ngx_im_pieces_t *pieces)
{
    if (s->phase >= NGX_IM_ENDING) {
        return NGX_OK;
    }

    if (s->partial->message == NULL && pieces->message.len == 0) {
        pieces->message = piece;
        return NGX_OK;
    }

    if (ngx_im_recv_keep(s, pieces->message) != NGX_OK) {
        return NGX_ERROR;
    }

    pieces->message.len = 0;

    return ngx_im_recv_keep(s, piece);
}


/* Keeps a message, or none (kind 0), and what is behind it for later. */
static ngx_int_t
ngx_im_recv_hold(ngx_im_session_t *s, im_kind_e kind, im_str_t message,
    im_str_t rest, im_str_t pong)
{
    u_char         *p;
    ngx_im_ext_t   *ext;
    ngx_im_held_t  *held;

    ext = ngx_im_session_ext(s);
    held = im_alloc(sizeof(ngx_im_held_t) + message.len + rest.len + pong.len);

    if (ext == NULL || held == NULL) {
        im_free(held);
        return ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
    }

    held->kind = kind;
    held->len = message.len;
    held->rest = rest.len;
    held->pong = pong.len;

    p = held->bytes;

    p = im_copy(p, message.data, message.len);
    p = im_copy(p, rest.data, rest.len);
    im_copy(p, pong.data, pong.len);

    ext->held = held;

    return NGX_AGAIN;
}


/* p, end: the bytes behind the message. */
static ngx_int_t
ngx_im_recv_message(ngx_im_session_t *s, im_kind_e kind, im_str_t message,
    u_char *p, u_char *end)
{
    ngx_int_t  rc;

    rc = ngx_im_worker->events->message(s, kind, &message);

    if (rc == NGX_AGAIN) {
        return ngx_im_recv_hold(s, kind, message, im_str_set(p, end - p),
                                im_str_set(NULL, 0));
    }

    return rc == NGX_ERROR || s->phase == NGX_IM_CLOSED ? NGX_ERROR : NGX_OK;
}


/* The client broke the protocol, or there is no memory. */
static ngx_int_t
ngx_im_recv_fault(ngx_im_session_t *s, im_input_event_t *ev)
{
    im_reason_e  reason;

    /* a session that ends only waits for the peer to hang up */

    if (s->phase < NGX_IM_ENDING) {
        reason = ev->code == IM_WS_CLOSE_TOO_BIG ? IM_REASON_TOO_BIG
                 : ev->code == IM_WS_CLOSE_INTERNAL ? IM_REASON_INTERNAL
                                                    : IM_REASON_PROTOCOL;

        ngx_im_session_close_code(s, reason, ev->code, im_str_set("", 0),
                                  ev->why);
    }

    return s->phase == NGX_IM_CLOSED ? NGX_ERROR : NGX_OK;
}


/*
 * Some pings of a read are answered each.  Of more the last one is answered,
 * and with it the others (RFC 6455, section 5.5.3).  Answers go out together,
 * before what a message behind them brings.
 */
static void
ngx_im_recv_ping(ngx_im_session_t *s, im_str_t data, ngx_im_pieces_t *pieces)
{
    im_buf_t  *pong;

    pong = &pieces->pong;

    if (++pieces->npings > NGX_IM_PONGS) {
        pong->len = 0;
    }

    s->class->transport->pong(pong, data);

    if (pong->failed) {
        pong->failed = 0;
        pong->len = 0;

        s->class->transport->pong(pong, data);
    }
}


static void
ngx_im_recv_pong(ngx_im_session_t *s, ngx_im_pieces_t *pieces)
{
    im_str_t  pong;

    pong = im_buf_str(&pieces->pong);
    pieces->pong.len = 0;

    if (pong.len > 0) {
        (void) ngx_im_send_reply(s, pong);
    }
}


/* NGX_DECLINED: the session ends, since it can't be unpacked. */
static ngx_int_t
ngx_im_recv_unpack(ngx_im_session_t *s, im_input_event_t *ev, im_str_t *message,
    ngx_im_pieces_t *pieces)
{
    size_t     len, cost;
    im_int_t   rc;

    len = message->len;

    rc = s->class->transport->unpack(ngx_im_worker->deflate.shared.deflate,
                                     message, s->class->conf->max_message,
                                     &cost, ev);

    pieces->credit = ngx_im_flow_unpacked(s, len, cost);

    if (rc == IM_OK) {
        return NGX_OK;
    }

    return ngx_im_recv_fault(s, ev) == NGX_ERROR ? NGX_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_im_recv_end(ngx_im_session_t *s, im_input_event_t *ev,
    ngx_im_pieces_t *pieces)
{
    im_buf_t   *message;
    im_str_t    piece;
    ngx_int_t   rc;

    message = s->partial->message;
    piece = message ? im_buf_str(message) : pieces->message;

    s->partial->message = NULL;
    pieces->message.len = 0;

    rc = NGX_OK;

    ngx_im_recv_pong(s, pieces);

    if (s->phase < NGX_IM_ENDING) {
        ngx_im_worker->counters->messages_in++;

        if (ev->packed) {
            rc = ngx_im_recv_unpack(s, ev, &piece, pieces);
        }

        if (rc == NGX_OK) {
            rc = ngx_im_recv_message(s, ev->kind, piece, pieces->p,
                                     pieces->end);
        }
    }

    if (message != NULL) {
        im_buf_cleanup(message);
        im_free(message);
    }

    return rc == NGX_DECLINED ? NGX_OK : rc;
}


static ngx_int_t
ngx_im_recv_event(ngx_im_session_t *s, im_input_event_t *ev,
    ngx_im_pieces_t *pieces)
{
    switch (ev->type) {

    case IM_INPUT_PIECE:
        return ngx_im_recv_piece(s, ev->data, pieces);

    case IM_INPUT_MESSAGE:
        return ngx_im_recv_end(s, ev, pieces);

    case IM_INPUT_PING:
        ngx_im_recv_ping(s, ev->data, pieces);
        break;

    case IM_INPUT_CLOSE:
        ngx_im_recv_pong(s, pieces);

        s->close_received = 1;
        ngx_im_session_close_code(s, IM_REASON_CLIENT, ev->code,
                                  im_str_set("", 0), ev->why);
        break;

    default:
        break;
    }

    return NGX_OK;
}


/*
 * A block of frames is paid for, or a message that was unpacked, and the bytes
 * behind it wait: for credit, or behind the other sessions.
 */
static ngx_int_t
ngx_im_recv_pause(ngx_im_session_t *s, ngx_im_pieces_t *pieces)
{
    im_str_t   pong, rest;
    ngx_int_t  rc;

    pong = im_str_set(NULL, 0);
    rest = im_str_set(pieces->p, pieces->end - pieces->p);

    rc = pieces->credit == NGX_OK ? ngx_im_flow_frames(s)
                                  : ngx_im_flow_wait(s, NGX_IM_WAIT_BYTES);

    if (rc == NGX_OK) {
        if (rest.len == 0) {
            return NGX_OK;
        }

        pong = im_buf_str(&pieces->pong);
        pieces->pong.len = 0;

        ngx_post_event(s->connection->read, &ngx_posted_next_events);
    }

    if (rc == NGX_ERROR || ngx_im_recv_keep(s, pieces->message) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_im_recv_hold(s, 0, im_str_set(NULL, 0), rest, pong);
}


/* Messages that did not come by the socket, each behind its length. */
static ngx_int_t
ngx_im_recv_messages(ngx_im_session_t *s, u_char *p, u_char *end)
{
    im_str_t          message;
    int32_t           block;
    ngx_int_t         rc;
    im_reader_t       r;
    ngx_im_pieces_t   pieces;

    ngx_memzero(&pieces, sizeof(ngx_im_pieces_t));

    rc = NGX_OK;
    block = ngx_im_flow_block(ngx_im_worker);

    im_reader_init(&r, im_str_set(p, end - p));

    while (rc == NGX_OK && r.p < r.end && s->phase < NGX_IM_ENDING) {
        message = im_reader_bytes(&r, im_reader_u32(&r));

        ngx_im_worker->counters->messages_in++;

        pieces.p = (u_char *) r.p;
        pieces.end = (u_char *) r.end;

        rc = ngx_im_recv_message(s, IM_KIND_TEXT, message, pieces.p,
                                 pieces.end);

        if (rc == NGX_OK && block > 0 && s->frames >= block
            && s->phase < NGX_IM_ENDING)
        {
            rc = ngx_im_recv_pause(s, &pieces);
        }
    }

    return s->phase == NGX_IM_CLOSED ? NGX_ERROR : rc;
}


/* A decoder that is between two frames starts anew with the next bytes. */
static void
ngx_im_recv_rest(ngx_im_session_t *s)
{
    if (s->partial->message == NULL
        && s->class->transport->idle(&s->partial->decoder))
    {
        ngx_im_session_partial_free(s);
    }
}


static ngx_int_t
ngx_im_recv_pieces(ngx_im_session_t *s, u_char *p, u_char *end, im_str_t pong)
{
    int32_t           block;
    ngx_int_t         rc;
    im_input_t       *decoder;
    ngx_im_pieces_t   pieces;
    im_input_event_t  ev;

    decoder = &s->partial->decoder;

    pieces.message = im_str_set(NULL, 0);
    pieces.end = end;
    pieces.credit = NGX_OK;
    pieces.npings = pong.len > 0 ? NGX_IM_PONGS : 0;

    im_buf_fixed(&pieces.pong, pieces.bytes, sizeof(pieces.bytes));
    im_buf_add_str(&pieces.pong, pong);

    block = ngx_im_flow_block(ngx_im_worker);

    if (block == 0) {
        s->frames = 0;
        block = NGX_MAX_INT32_VALUE;
    }

    do {
        rc = s->class->transport->decode(decoder, &p, end,
                                         s->class->conf->max_message, &ev);
        pieces.p = p;

        s->frames += decoder->frames;
        decoder->frames = 0;

        if (rc == IM_AGAIN) {
            rc = ngx_im_recv_keep(s, pieces.message);
            break;
        }

        if (rc == IM_ERROR) {
            ngx_im_recv_pong(s, &pieces);
            return ngx_im_recv_fault(s, &ev);
        }

        rc = ngx_im_recv_event(s, &ev, &pieces);

        if (rc == NGX_OK && s->phase < NGX_IM_ENDING
            && (s->frames >= block || pieces.credit != NGX_OK))
        {
            rc = ngx_im_recv_pause(s, &pieces);
        }

    } while (rc == NGX_OK && s->phase != NGX_IM_CLOSED);

    ngx_im_recv_pong(s, &pieces);

    return s->phase == NGX_IM_CLOSED ? NGX_ERROR : rc;
}


static ngx_int_t
ngx_im_recv_decode(ngx_im_session_t *s, u_char *p, u_char *end, im_str_t pong)
{
    ngx_int_t  rc;

    if (s->class->transport->decode == NULL) {
        return ngx_im_recv_messages(s, p, end);
    }

    if (s->partial == NULL) {
        s->partial = im_calloc(sizeof(ngx_im_partial_t));

        if (s->partial == NULL) {
            return ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
        }
    }

    rc = ngx_im_recv_pieces(s, p, end, pong);

    ngx_im_recv_rest(s);

    return rc;
}


/*
 * NGX_ERROR: the session is closed; NGX_AGAIN: nothing more may be read now.
 * Where bytes mean nothing they cost as much.
 */
static ngx_int_t
ngx_im_recv_bytes(ngx_im_session_t *s, u_char *p, u_char *end)
{
    ngx_int_t  rc, credit;

    s->seen = ngx_im_worker->wheel.time;
    ngx_im_worker->counters->bytes_in += end - p;

    credit = ngx_im_flow_bytes(s, end - p);

    rc = s->class->transport->decode != NULL
         ? ngx_im_recv_decode(s, p, end, im_str_set(NULL, 0)) : NGX_OK;

    return rc == NGX_OK && credit != NGX_OK && s->phase < NGX_IM_ENDING
           ? ngx_im_flow_wait(s, NGX_IM_WAIT_BYTES) : rc;
}


static ngx_int_t
ngx_im_recv_with(ngx_im_session_t *s, im_str_t message)
{
    ngx_im_worker->counters->messages_in++;
    ngx_im_worker->counters->bytes_in += message.len;

    /* what it owes makes later bytes wait */

    (void) ngx_im_flow_bytes(s, message.len);

    return ngx_im_recv_message(s, IM_KIND_TEXT, message, NULL, NULL);
}


/* NGX_AGAIN: what came has to wait. */
static ngx_int_t
ngx_im_recv_early(ngx_im_session_t *s, im_str_t first, im_str_t early)
{
    ngx_int_t  rc;
    im_kind_e  kind;

    rc = ngx_im_flow_begin(s);

    if (rc == NGX_AGAIN && (first.data != NULL || early.len > 0)) {
        kind = first.data != NULL ? IM_KIND_TEXT : 0;
        first.len = first.data != NULL ? first.len : 0;
        early.len = s->class->transport->decode != NULL ? early.len : 0;

        return ngx_im_recv_hold(s, kind, first, early, im_str_set(NULL, 0));
    }

    if (rc == NGX_OK && first.data != NULL) {
        rc = ngx_im_recv_with(s, first);
    }

    if (rc == NGX_OK && early.len > 0) {
        rc = ngx_im_recv_bytes(s, early.data, early.data + early.len);
    }

    return rc;
}


void
ngx_im_recv_first(ngx_im_session_t *s, im_str_t first)
{
    (void) ngx_im_recv_early(s, first, im_str_set(NULL, 0));
}


void
ngx_im_recv_start(ngx_im_session_t *s, im_str_t first, im_str_t early)
{
    if (ngx_im_recv_early(s, first, early) == NGX_ERROR) {
        return;
    }

    /* edge-triggered epoll doesn't report bytes that came during the request */

    if (ngx_exiting) {
        s->connection->close = 1;
    }

    if (s->connection->read->ready || s->connection->close) {
        ngx_im_recv_handler(s->connection->read);
    }
}


static ngx_int_t
ngx_im_recv_held(ngx_im_session_t *s)
{
    u_char         *p;
    im_str_t        message;
    ngx_int_t       rc;
    ngx_im_held_t  *held;

    if (s->ext == NULL || s->ext->held == NULL) {
        return NGX_OK;
    }

    held = s->ext->held;

    if (held->kind != 0 && s->phase < NGX_IM_ENDING
        && ngx_im_session_waits(s))
    {
        return NGX_AGAIN;
    }

    s->ext->held = NULL;

    p = held->bytes + held->len;
    rc = NGX_OK;

    if (held->kind != 0 && s->phase < NGX_IM_ENDING) {
        message = im_str_set(held->bytes, held->len);
        rc = ngx_im_recv_message(s, held->kind, message, p, p + held->rest);
    }

    /* without a message, the decoder may be at the end of one */

    if (rc == NGX_OK && (held->rest > 0 || held->kind == 0)) {
        rc = ngx_im_recv_decode(s, p, p + held->rest,
                                im_str_set(p + held->rest, held->pong));
    }

    im_free(held);

    ngx_im_session_spare(s);

    return s->phase == NGX_IM_CLOSED ? NGX_ERROR : rc;
}


/* Behind what is held. */
static void
ngx_im_recv_behind(ngx_im_session_t *s, im_str_t frame)
{
    ngx_im_held_t  *held;

    held = s->ext->held;

    if (held->rest + frame.len > s->class->conf->max_message) {
        ngx_im_session_close(s, IM_REASON_TOO_MANY, "too many commands wait");
        return;
    }

    held = im_realloc(held, sizeof(ngx_im_held_t) + held->len + held->rest
                            + frame.len);
    if (held == NULL) {
        ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
        return;
    }

    im_copy(held->bytes + held->len + held->rest, frame.data, frame.len);
    held->rest += frame.len;
    s->ext->held = held;
}


void
ngx_im_recv_input(ngx_im_session_t *s, im_str_t message)
{
    im_buf_t  b;

    if (s->phase >= NGX_IM_ENDING) {
        return;
    }

    s->seen = ngx_im_worker->wheel.time;
    s->bytes_in += message.len;
    ngx_im_worker->counters->bytes_in += message.len;

    im_buf_init(&b, sizeof(uint32_t) + message.len);
    im_buf_add_u32(&b, (uint32_t) message.len);
    im_buf_add_str(&b, message);

    if (b.failed) {
        ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");

    } else if (s->ext != NULL && s->ext->held != NULL) {
        ngx_im_recv_behind(s, im_buf_str(&b));

    } else if (ngx_im_session_stopped(s)) {
        (void) ngx_im_recv_hold(s, 0, im_str_set(NULL, 0), im_buf_str(&b),
                                im_str_set(NULL, 0));

    } else {
        (void) ngx_im_recv_messages(s, b.data, b.data + b.len);
    }

    im_buf_cleanup(&b);
}


/*
 * A client that has left while it waited gives its place back.  What it sent
 * before is used, but for questions whose answers it can't get.
 */
static ngx_uint_t
ngx_im_recv_gone(ngx_im_session_t *s)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = s->connection;

    if (c->read->pending_eof && s->ext->wait == NGX_IM_WAIT_READ) {
        return 1;
    }

    err = 0;
    len = sizeof(int);

    return getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1
           || err != 0;
}


/* Where there is no close frame, clients leave by an end of file. */
static void
ngx_im_recv_lost(ngx_im_session_t *s, ngx_uint_t eof)
{
    s->connection->error = 1;

    if (s->close_received || (eof && s->class->transport->close == NULL)) {
        ngx_im_session_close_code(s, IM_REASON_CLIENT, 0, im_str_set("", 0),
                                  "closed by client");

    } else {
        ngx_im_session_close(s, IM_REASON_LOST, "connection lost");
    }
}


/*
 * Sessions open in turns of some: so what many clients say that have connected
 * at once doesn't keep messages, pushes and other clients waiting.
 */
static ngx_uint_t
ngx_im_recv_crowd(ngx_im_worker_t *w, ngx_im_session_t *s)
{
    if (s->phase != NGX_IM_CONNECTING) {
        return 0;
    }

    if (w->opened_at != ngx_current_msec) {
        w->opened_at = ngx_current_msec;
        w->nopened = 0;
    }

    return w->nopened++ >= NGX_IM_OPENINGS;
}


/* nginx ends the connection, as this worker ends. */
static void
ngx_im_recv_quit(ngx_im_worker_t *w, ngx_im_session_t *s, ngx_connection_t *c)
{
    c->close = 0;

    if (c->error) {
        ngx_im_session_close(s, IM_REASON_LOST, "worker_shutdown_timeout");
        return;
    }

    w->events->quit(w);
}


/* NGX_OK: the socket is empty, or others have their turn; NGX_DONE: enough. */
static ngx_int_t
ngx_im_recv_socket(ngx_im_worker_t *w, ngx_im_session_t *s,
    ngx_connection_t *c)
{
    ssize_t     n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_IM_READS; i++) {

        if (ngx_im_send_crowded(s)) {
            return NGX_DONE;
        }

        n = c->recv(c, w->in, w->in_size);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_im_recv_lost(s, n == 0);
            return NGX_DONE;
        }

        if (ngx_im_recv_bytes(s, w->in, w->in + n) != NGX_OK) {
            return NGX_DONE;
        }
    }

    return NGX_OK;
}


void
ngx_im_recv_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;
    ngx_im_worker_t   *w;
    ngx_im_session_t  *s;

    c = rev->data;
    s = c->data;
    w = ngx_im_worker;

    if (s->phase == NGX_IM_CLOSED) {
        return;
    }

    if (c->close) {
        ngx_im_recv_quit(w, s, c);
        return;
    }

    /* nothing that it has sent before can matter */

    if (rev->pending_eof && s->class->transport->decode == NULL) {
        ngx_im_recv_lost(s, 1);
        return;
    }

    if (ngx_im_session_stopped(s)) {
        if (ngx_im_recv_gone(s)) {
            ngx_im_recv_lost(s, rev->pending_eof);
        }

        return;
    }

    if (ngx_im_recv_crowd(w, s)) {
        ngx_post_event(rev, &ngx_posted_next_events);
        return;
    }

    if (ngx_im_recv_held(s) != NGX_OK
        || ngx_im_recv_socket(w, s, c) != NGX_OK)
    {
        return;
    }

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_next_events);
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_im_session_close(s, IM_REASON_LOST, "socket error");
    }
}


void
ngx_im_recv_held_only(ngx_im_session_t *s, ngx_uint_t lost)
{
    if (s->phase == NGX_IM_CLOSED) {
        return;
    }

    if (lost) {
        ngx_im_recv_lost(s, 1);

    } else if (!ngx_im_session_stopped(s)) {
        (void) ngx_im_recv_held(s);
    }
}
