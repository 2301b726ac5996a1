/*
 * Copyright (C) The im authors
 *
 * Output: replies and topics.
 *
 * A send call costs more than anything else, so one call sends what a session
 * lacks of all its topics.  A frame that a full socket has cut is finished
 * before any other byte.  TLS must be offered the same bytes again: they are
 * copied to the replies of the session and count as sent.
 */

#include "ngx_im_flush.h"
#include "ngx_im_send.h"
#include "ngx_im_mark.h"
#include "ngx_im_output.h"
#include "im_id.h"


#define NGX_IM_SCRATCH_KEEP  65536
#define NGX_IM_TELL          (512 * 1024)    /* of replies of a worker */
#define NGX_IM_COPIES        2               /* a part of logs= */


const char  ngx_im_send_too_slow[] = "too slow";


static void
ngx_im_send_unblock(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    im_list_remove(&s->blocked);
    s->news = NGX_IM_NEWS_ONE;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        im_sub_unblock(sub);
    }
}


void
ngx_im_send_later(ngx_im_session_t *s, im_sub_t *sub)
{
    s->news = NGX_IM_NEWS_MORE;

    im_sub_block(sub);
}


static im_sub_t *
ngx_im_send_cut(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_cut(sub)) {
            return sub;
        }
    }

    return NULL;
}


void
ngx_im_send_due(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    for ( ;; ) {
        ngx_im_send_session(s);

        if (s->phase != NGX_IM_OPEN || !im_list_empty(&s->blocked)) {
            return;
        }

        sub = ngx_im_send_cut(s);

        if (sub == NULL) {
            return;
        }

        ngx_im_worker->events->cut(s, sub);
    }
}


void
ngx_im_send_end(ngx_im_session_t *s)
{
    if (s->phase == NGX_IM_CLOSING && s->replies == NULL
        && (s->class->transport->close == NULL
            || (s->partial != NULL && s->partial->decoder.failed)))
    {
        ngx_im_output(s)->end(s);
    }
}


void
ngx_im_send_ready(ngx_im_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (s->phase == NGX_IM_CLOSED || im_list_empty(&s->blocked)) {
        return;
    }

    ngx_im_send_unblock(s);
    ngx_im_send_due(s);
    ngx_im_send_end(s);

    /* reading stopped while too much was queued, and some commands waited */

    if (s->phase != NGX_IM_CLOSED && !ngx_im_send_crowded(s)) {

        if (c->read->ready) {
            ngx_post_event(c->read, &ngx_posted_events);
        }

        ngx_im_session_continue(s);
    }
}


void
ngx_im_send_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_im_send_ready(c->data);
}


void
ngx_im_send_slow(ngx_im_session_t *s, im_reason_e reason)
{
    ngx_im_worker->counters->slow++;

    ngx_im_session_close(s, reason, ngx_im_send_too_slow);
}


/*
 * Makes room for len bytes.  Bytes that have been sent go first, else a queue
 * that never runs empty would grow for ever.
 */
static ngx_int_t
ngx_im_send_room(ngx_im_replies_t *replies, size_t len)
{
    size_t   size;
    u_char  *data;

    if (replies->sent > 0 && replies->sent >= replies->len - replies->sent) {
        replies->len -= replies->sent;
        replies->urgent -= ngx_min(replies->urgent, replies->sent);

        ngx_memmove(replies->data, replies->data + replies->sent, replies->len);

        replies->sent = 0;
    }

    if (len <= replies->size - replies->len) {
        return NGX_OK;
    }

    size = ngx_max(replies->len + len, replies->size * 2);

    data = im_realloc(replies->data, size);
    if (data == NULL) {
        return NGX_ERROR;
    }

    ngx_im_worker->reply_bytes += size - replies->size;

    replies->data = data;
    replies->size = size;

    return NGX_OK;
}


static ngx_int_t
ngx_im_send_queue(ngx_im_session_t *s, im_str_t bytes)
{
    ngx_im_replies_t  *replies;

    replies = s->replies;

    if (replies == NULL) {
        replies = im_calloc(sizeof(ngx_im_replies_t));
        if (replies == NULL) {
            return NGX_ERROR;
        }

        s->replies = replies;
    }

    if (bytes.len > replies->size - replies->len
        && ngx_im_send_room(replies, bytes.len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    im_copy(replies->data + replies->len, bytes.data, bytes.len);
    replies->len += bytes.len;

    return NGX_OK;
}


ngx_uint_t
ngx_im_send_crowded(ngx_im_session_t *s)
{
    return s->replies != NULL
           && ngx_im_send_waiting(s) - s->replies->history
              > s->class->conf->max_replies;
}


size_t
ngx_im_send_waiting(ngx_im_session_t *s)
{
    return s->replies != NULL ? s->replies->len - s->replies->sent : 0;
}


ngx_uint_t
ngx_im_send_affords(ngx_im_worker_t *w, size_t len)
{
    return len == 0
           || w->reply_bytes + len <= w->conf->logs_bytes / NGX_IM_COPIES;
}


ngx_int_t
ngx_im_send_queue_history(ngx_im_session_t *s, im_str_t frames)
{
    if (ngx_im_send_queue(s, frames) != NGX_OK) {
        return NGX_ERROR;
    }

    s->replies->history += frames.len;

    return NGX_OK;
}


/*
 * The client doesn't read.  One that is too slow for its messages may go on in
 * time to hear why it is closed: it costs the rest of a frame until then.
 */
static ngx_uint_t
ngx_im_send_tells(ngx_im_session_t *s)
{
    size_t  rest;

    rest = s->unfinished != NULL ? im_sub_unfinished(s->unfinished) : 0;

    return s->why == ngx_im_send_too_slow
           && ngx_im_worker->reply_bytes + rest <= NGX_IM_TELL;
}


ngx_int_t
ngx_im_send_close(ngx_im_session_t *s, im_str_t frame)
{
    if (im_list_empty(&s->blocked)) {
        ngx_im_send_session(s);
    }

    if (s->connection->error
        || (!im_list_empty(&s->blocked) && !ngx_im_send_tells(s)))
    {
        return NGX_OK;
    }

    if (frame.len > 0) {
        if (ngx_im_send_queue(s, frame) != NGX_OK) {
            return NGX_OK;
        }

        if (im_list_empty(&s->blocked)) {
            ngx_im_send_session(s);
        }
    }

    return s->connection->error || s->close_received ? NGX_OK : NGX_AGAIN;
}


/* After each call. */
static void
ngx_im_send_count(ngx_im_session_t *s, size_t sent)
{
    s->bytes_out += sent;
    ngx_im_worker->counters->sends++;
    ngx_im_worker->counters->bytes_out += sent;
}


/* One call.  A part of what was offered may have gone. */
static ngx_int_t
ngx_im_send_call(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    ngx_int_t  rc;

    *sent = 0;

    rc = ngx_im_output(s)->send(s, pieces, n, sent);

    ngx_im_send_count(s, *sent);

    return rc;
}


static ngx_int_t
ngx_im_send_replies(ngx_im_session_t *s, size_t end)
{
    size_t             n;
    im_str_t           piece;
    ngx_int_t          rc;
    ngx_im_replies_t  *replies;

    replies = s->replies;
    piece = im_str_set(replies->data + replies->sent, end - replies->sent);

    rc = ngx_im_send_call(s, &piece, 1, &n);

    if (rc != NGX_OK) {
        return rc;
    }

    replies->sent += n;
    replies->history -= ngx_min(replies->history, n);

    if (replies->sent == replies->len) {
        ngx_im_send_forget(s);
    }

    return NGX_OK;
}


/* Bytes of a frame that has begun go before the replies that wait for it. */
static ngx_int_t
ngx_im_send_queue_urgent(ngx_im_session_t *s, im_str_t bytes)
{
    size_t             at, waiting;
    u_char            *p;
    ngx_im_replies_t  *replies;

    replies = s->replies;
    at = 0;
    waiting = 0;

    if (replies != NULL) {
        at = ngx_max(replies->sent, replies->urgent) - replies->sent;
        waiting = replies->len - replies->sent - at;
    }

    if (ngx_im_send_queue(s, bytes) != NGX_OK) {
        return NGX_ERROR;
    }

    replies = s->replies;
    p = replies->data + replies->sent + at;

    if (waiting > 0) {
        ngx_memmove(p + bytes.len, p, waiting);
    }

    im_copy(p, bytes.data, bytes.len);

    replies->urgent = replies->sent + at + bytes.len;

    return NGX_OK;
}


/* The same bytes must be offered again: they are kept, and count as taken. */
static ngx_int_t
ngx_im_send_keep(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t max, size_t *sent)
{
    ngx_uint_t  i;

    for (i = 0; i < n && *sent < max; i++) {
        pieces[i].len = ngx_min(pieces[i].len, max - *sent);

        if (ngx_im_send_queue_urgent(s, pieces[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        *sent += pieces[i].len;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_im_send_pieces(ngx_im_session_t *s, im_str_t *pieces, ngx_uint_t n,
    size_t *sent)
{
    ngx_int_t               rc;
    const ngx_im_output_t  *output;

    output = ngx_im_output(s);

    rc = ngx_im_send_call(s, pieces, n, sent);

    return rc == NGX_AGAIN && output->repeats
           ? ngx_im_send_keep(s, pieces, n, output->max, sent) : rc;
}


static ngx_int_t
ngx_im_send_unfinished(ngx_im_session_t *s)
{
    size_t      rest, sent, total;
    im_str_t    pieces[NGX_IM_PIECES];
    ngx_int_t   rc;
    ngx_uint_t  i, n;

    rest = im_sub_unfinished(s->unfinished);

    if (rest == 0) {
        s->unfinished = NULL;
        return NGX_OK;
    }

    n = im_sub_read(s->unfinished, pieces, NGX_IM_PIECES, rest, &total);

    for (i = 0, total = 0; i < n; i++) {
        pieces[i].len = ngx_min(pieces[i].len, rest - total);
        total += pieces[i].len;
    }

    rc = ngx_im_send_pieces(s, pieces, n, &sent);

    if (sent > 0) {
        im_sub_advance(s->unfinished, sent);

        if (sent == rest) {
            s->unfinished = NULL;
        }
    }

    return rc;
}


/* What was read of a subscription for one call. */
typedef struct {
    im_sub_t  *sub;
    size_t     len;
} ngx_im_part_t;


/* For one call, of one subscription or of all. */
typedef struct {
    im_str_t       pieces[NGX_IM_PIECES];
    ngx_im_part_t  parts[NGX_IM_PIECES + 1];
    ngx_uint_t     n;                    /* pieces */
    ngx_uint_t     most;                 /* of n */
    size_t         len;
    size_t         max;                  /* of len */
    unsigned       rest:1;               /* there may be more */
} ngx_im_read_t;


/* NULL: no part was read of it. */
static ngx_im_part_t *
ngx_im_send_read_sub(ngx_im_read_t *read, im_sub_t *sub, ngx_im_part_t *part)
{
    ngx_uint_t  got;

    if (im_sub_state(sub) == IM_SUB_JOINING || im_sub_behind(sub) == 0) {
        return NULL;
    }

    got = im_sub_read(sub, read->pieces + read->n, read->most - read->n,
                      read->max - read->len, &part->len);

    read->rest |= part->len < im_sub_behind(sub);
    read->n += got;
    read->len += part->len;
    part->sub = sub;

    return got > 0 ? part : NULL;
}


/* only: a subscription of the session, or NULL: all of them. */
static void
ngx_im_send_read(ngx_im_session_t *s, im_sub_t *only, ngx_im_read_t *read,
    ngx_uint_t most)
{
    im_sub_t       *sub;
    ngx_im_part_t  *part;

    read->n = 0;
    read->most = most;
    read->len = 0;
    read->max = ngx_im_output(s)->max;
    read->rest = 0;

    part = read->parts;
    sub = only != NULL ? only : s->subs;

    while (sub != NULL) {
        if (read->n == most || read->len >= read->max) {
            read->rest = 1;
            break;
        }

        if (ngx_im_send_read_sub(read, sub, part) != NULL) {
            part++;
        }

        sub = only != NULL ? NULL : ngx_im_sub_next(sub);
    }

    part->sub = NULL;
}


/* Moves the cursors in the order in which the parts were taken. */
static void
ngx_im_send_advance(ngx_im_session_t *s, ngx_im_part_t *part, size_t n)
{
    size_t  len;

    for ( /* void */ ; part->sub != NULL && n > 0; part++) {
        len = ngx_min(n, part->len);

        im_sub_advance(part->sub, len);

        if (len < part->len && im_sub_unfinished(part->sub) > 0) {
            s->unfinished = part->sub;
            return;
        }

        n -= len;
    }
}


static ngx_int_t
ngx_im_send_topics(ngx_im_session_t *s, im_sub_t *only)
{
    size_t         sent;
    ngx_int_t      rc;
    ngx_im_read_t  read;

    ngx_im_send_read(s, only, &read, NGX_IM_PIECES);

    if (read.n == 0) {
        return NGX_DONE;
    }

    rc = ngx_im_send_pieces(s, read.pieces, read.n, &sent);

    ngx_im_send_advance(s, read.parts, sent);
    ngx_im_mark_sent(s, sent);

    return rc == NGX_OK && sent == read.len && !read.rest ? NGX_DONE : rc;
}


/*
 * One send call.  NGX_OK: go on; NGX_DONE: all is sent; NGX_AGAIN: the socket
 * is full; NGX_ERROR: the connection is lost.
 */
static ngx_int_t
ngx_im_send_step(ngx_im_session_t *s, im_sub_t *only)
{
    ngx_im_replies_t  *replies;

    replies = s->replies;

    if (s->unfinished != NULL) {
        if (replies != NULL && replies->sent < replies->urgent) {
            return ngx_im_send_replies(s, replies->urgent);
        }

        return ngx_im_send_unfinished(s);
    }

    if (replies != NULL) {
        return ngx_im_send_replies(s, replies->len);
    }

    return ngx_im_send_topics(s, only);
}


static void
ngx_im_send_block(ngx_im_session_t *s)
{
    im_sub_t  *sub;

    if (im_list_empty(&s->blocked)) {
        im_list_insert_tail(&ngx_im_worker->blocked, &s->blocked);
        s->stuck = (uint32_t) ngx_current_msec;
    }

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        im_sub_block(sub);
    }

    if (ngx_handle_write_event(s->connection->write, 0) != NGX_OK) {
        s->connection->error = 1;
        ngx_im_session_close(s, IM_REASON_LOST, "socket error");
    }
}


/*
 * All is sent.  NGX_OK: the client is to hear where it is now; NGX_DONE: its
 * session ends.
 */
static ngx_int_t
ngx_im_send_mark(ngx_im_session_t *s)
{
    im_buf_t   b;
    ngx_int_t  rc;

    im_buf_init(&b, NGX_IM_MARK_MAX);
    ngx_im_mark_encode(s, &b);

    if (b.failed) {
        rc = NGX_ERROR;

    } else {
        rc = b.len > 0 ? ngx_im_send_queue(s, im_buf_str(&b)) : NGX_DONE;
    }

    im_buf_cleanup(&b);

    return rc;
}


/* After the last call; NGX_OK and NGX_DONE: nothing is to be done. */
static void
ngx_im_send_result(ngx_im_session_t *s, ngx_int_t rc)
{
    if (rc == NGX_AGAIN) {
        ngx_im_send_block(s);
        return;
    }

    if (rc == NGX_ERROR) {
        s->connection->error = 1;
        ngx_im_session_close(s, IM_REASON_LOST, "connection lost");
    }
}


/* only: what it lacks of other topics waits, unless a mark is to follow. */
static void
ngx_im_send_some(ngx_im_session_t *s, im_sub_t *only)
{
    ngx_int_t  rc;

    if (s->ext != NULL && s->ext->mark != NGX_IM_MARK_NONE) {
        only = NULL;
    }

    do {
        rc = ngx_im_send_step(s, only);

        if (rc == NGX_DONE && ngx_im_mark_due(s)) {
            rc = ngx_im_send_mark(s);
        }

    } while (rc == NGX_OK);

    ngx_im_send_result(s, rc);
}


void
ngx_im_send_session(ngx_im_session_t *s)
{
    ngx_im_send_some(s, NULL);
}


void
ngx_im_send_turn(ngx_im_session_t *s, im_sub_t *sub, im_sub_t *only)
{
    ngx_im_send_some(s, only);

    /* others have their own turn */

    if (s->phase == NGX_IM_OPEN && im_list_empty(&s->blocked)
        && im_sub_cut(sub))
    {
        ngx_im_worker->events->cut(s, sub);
    }
}


/*
 * The session's own bytes.  What its topics have comes in their turn, so a
 * reply costs no walk over the subscriptions.  A mark comes behind all of it.
 */
static void
ngx_im_send_own(ngx_im_session_t *s)
{
    ngx_int_t  rc;

    if (ngx_im_mark_due(s)) {
        ngx_im_send_session(s);
        return;
    }

    do {
        rc = ngx_im_send_step(s, NULL);
    } while (rc == NGX_OK && (s->replies != NULL || s->unfinished != NULL));

    ngx_im_send_result(s, rc);
}


ngx_int_t
ngx_im_send_reply(ngx_im_session_t *s, im_str_t frame)
{
    if (s->phase >= NGX_IM_ENDING) {
        return NGX_ERROR;
    }

    if (ngx_im_send_crowded(s)
        && ngx_im_send_waiting(s) - s->replies->history + frame.len
           > s->class->conf->max_replies * 4)
    {
        ngx_im_send_slow(s, IM_REASON_SLOW);
        return NGX_ERROR;
    }

    if (ngx_im_send_queue(s, frame) != NGX_OK) {
        return ngx_im_session_close(s, IM_REASON_LOST, "no memory");
    }

    if (im_list_empty(&s->blocked)) {
        ngx_im_send_own(s);
    }

    return s->phase >= NGX_IM_ENDING ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_im_send_history(ngx_im_session_t *s, im_str_t frame)
{
    if (s->phase >= NGX_IM_ENDING) {
        return NGX_ERROR;
    }

    if (ngx_im_send_queue_history(s, frame) != NGX_OK) {
        return ngx_im_session_close(s, IM_REASON_LOST, "no memory");
    }

    if (im_list_empty(&s->blocked)) {
        ngx_im_send_own(s);
    }

    return s->phase >= NGX_IM_ENDING ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_im_send_begin(ngx_im_session_t *s, im_sub_t *only, im_sub_t **sub,
    im_str_t *piece)
{
    ngx_im_read_t  read;

    if (!ngx_im_output(s)->batched || s->phase != NGX_IM_OPEN
        || s->replies != NULL || s->unfinished != NULL)
    {
        return NGX_DECLINED;
    }

    ngx_im_send_read(s, only, &read, 2);

    if (read.n != 1) {
        return NGX_DECLINED;
    }

    *sub = read.parts[0].sub;
    *piece = read.pieces[0];

    im_sub_block(*sub);

    return NGX_OK;
}


void
ngx_im_send_finish(ngx_im_session_t *s, im_sub_t *sub, size_t len, int result)
{
    size_t         sent;
    im_sub_t      *only;
    ngx_int_t      rc;
    ngx_im_part_t  parts[2];

    if (s->news == NGX_IM_NEWS_ONE) {
        only = sub;
        im_list_remove(&s->blocked);
        im_sub_unblock(sub);

    } else {
        only = NULL;
        ngx_im_send_unblock(s);
    }

    if (result == -ECANCELED) {
        ngx_im_send_turn(s, sub, only);
        return;
    }

    rc = ngx_im_output_sent(s, len, result, &sent);

    parts[0].sub = sub;
    parts[0].len = len;
    parts[1].sub = NULL;

    ngx_im_send_count(s, sent);
    ngx_im_send_advance(s, parts, sent);
    ngx_im_mark_sent(s, sent);

    if (rc == NGX_OK) {
        ngx_im_send_turn(s, sub, only);

    } else {
        ngx_im_send_result(s, rc);
    }
}


void
ngx_im_send_forget(ngx_im_session_t *s)
{
    if (s->replies == NULL) {
        return;
    }

    ngx_im_worker->reply_bytes -= s->replies->size;

    im_free(s->replies->data);
    im_free(s->replies);
    s->replies = NULL;
}


/*
 * The rest of the frame goes behind the bytes that TLS has refused and before
 * all other replies.
 */
ngx_int_t
ngx_im_send_leave(ngx_im_session_t *s, im_sub_t *sub)
{
    size_t      rest, total;
    im_str_t    pieces[NGX_IM_PIECES];
    ngx_uint_t  i, n;

    if (s->unfinished != sub) {
        return NGX_OK;
    }

    s->unfinished = NULL;
    rest = im_sub_unfinished(sub);

    if (rest == 0 || s->phase == NGX_IM_CLOSED) {
        return NGX_OK;
    }

    n = im_sub_read(sub, pieces, NGX_IM_PIECES, rest, &total);

    for (i = 0; i < n && rest > 0; i++) {
        pieces[i].len = ngx_min(pieces[i].len, rest);
        rest -= pieces[i].len;

        if (ngx_im_send_queue_urgent(s, pieces[i]) != NGX_OK) {
            return ngx_im_session_close(s, IM_REASON_LOST, "no memory");
        }

        s->replies->history += pieces[i].len;
    }

    return NGX_OK;
}


im_sub_t *
ngx_im_send_sub(ngx_im_session_t *s, const im_topic_t *topic)
{
    im_sub_t  *sub;

    sub = s->phase == NGX_IM_OPEN ? ngx_im_session_sub(s, topic) : NULL;

    if (sub != NULL && im_sub_state(sub) == IM_SUB_PENDING) {
        ngx_im_send_session(s);
    }

    return sub != NULL && im_sub_state(sub) == IM_SUB_IDLE ? sub : NULL;
}


/*
 * The session that has sent this message, if it follows the inbox that the
 * message is for, and can be left out.
 */
static im_sub_t *
ngx_im_send_sender(ngx_im_worker_t *w, im_topic_t *topic,
    const im_message_t *m)
{
    u_char             id[16];
    ngx_im_session_t  *s;

    if (topic->name[0] != 'u'
        || im_id_uuid_decode(m->envelope->session, id) != IM_OK)
    {
        return NULL;
    }

    s = ngx_im_session_by_id(w, id);

    return s != NULL ? ngx_im_send_sub(s, topic) : NULL;
}


im_buf_t *
ngx_im_send_buffer(ngx_im_worker_t *w, const im_codec_t *codec)
{
    im_buf_reset(&w->scratch, NGX_IM_SCRATCH_KEEP);

    w->scratch.codec = codec;

    return &w->scratch;
}


/* What sub has not got yet, behind what waits already. */
static ngx_int_t
ngx_im_send_take(ngx_im_session_t *s, im_sub_t *sub)
{
    size_t      total;
    im_str_t    pieces[NGX_IM_PIECES];
    ngx_uint_t  i, n;

    if (s->unfinished == sub) {
        total = im_sub_unfinished(sub);

        if (ngx_im_send_leave(s, sub) != NGX_OK) {
            return NGX_ERROR;
        }

        im_sub_advance(sub, total);
    }

    while (im_sub_behind(sub) > 0) {
        n = im_sub_read(sub, pieces, NGX_IM_PIECES, im_sub_behind(sub),
                        &total);

        for (i = 0; i < n; i++) {
            if (ngx_im_send_queue_history(s, pieces[i]) != NGX_OK) {
                return ngx_im_session_close(s, IM_REASON_LOST, "no memory");
            }
        }

        if (total == 0) {
            break;
        }

        im_sub_advance(sub, total);
    }

    return NGX_OK;
}


/*
 * A session that does not read and takes another filter again and again would
 * keep all that comes: it is bounded as a log is.
 */
ngx_int_t
ngx_im_send_move(ngx_im_session_t *s, im_sub_t *sub)
{
    if (im_sub_state(sub) == IM_SUB_JOINING || im_sub_behind(sub) == 0) {
        return NGX_OK;
    }

    if (im_list_empty(&s->blocked)) {
        ngx_im_send_session(s);
    }

    if (s->phase >= NGX_IM_ENDING) {
        return NGX_ERROR;
    }

    if (ngx_im_send_waiting(s) + im_sub_behind(sub)
        > ngx_im_worker->conf->log_bytes)
    {
        ngx_im_send_slow(s, IM_REASON_SLOW);
        return NGX_ERROR;
    }

    return ngx_im_send_take(s, sub);
}


ngx_int_t
ngx_im_send_collect(ngx_im_session_t *s)
{
    size_t     before;
    im_sub_t  *sub;

    before = ngx_im_send_waiting(s);

    if (s->unfinished != NULL && ngx_im_send_take(s, s->unfinished) != NGX_OK) {
        return NGX_ERROR;
    }

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {
        if (im_sub_state(sub) != IM_SUB_JOINING
            && ngx_im_send_take(s, sub) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_im_mark_sent(s, ngx_im_send_waiting(s) - before);

    return NGX_OK;
}


ngx_int_t
ngx_im_send_restore(ngx_im_session_t *s, im_str_t bytes, size_t urgent,
    size_t history)
{
    if (bytes.len == 0) {
        return NGX_OK;
    }

    if (ngx_im_send_queue(s, bytes) != NGX_OK) {
        return NGX_ERROR;
    }

    s->replies->urgent = urgent;
    s->replies->history = history;

    return NGX_OK;
}


/* The followers of a log want such messages. */
static ngx_uint_t
ngx_im_send_wanted(ngx_im_worker_t *w, const im_log_t *log,
    const im_message_t *m)
{
    uint16_t  filter;

    filter = im_wire_filter(log->wire);

    return log->nsubs > 0
           && (filter == 0
               || im_accepts_has(&w->accepts, filter, m->envelope->operation));
}


void
ngx_im_send_flushed(ngx_im_worker_t *w, im_log_t *log)
{
    im_open_t  *open;

    open = log->open;

    if (open != NULL && im_list_empty(&open->link)) {
        im_list_insert_tail(open->due != 0 || open->rate != 0 ? &w->paced
                                                              : &w->flush,
                            &open->link);
    }
}


/* Appends it to all logs that want it.  NGX_ERROR: some may have it. */
static ngx_int_t
ngx_im_send_append(ngx_im_worker_t *w, im_topic_t *topic,
    const im_message_t *m)
{
    uint32_t       head;
    im_buf_t      *b;
    im_log_t      *log;
    im_str_t       frame;
    im_wire_t      wire;
    im_wire_id_t   id, framed;

    b = &w->scratch;
    framed = UINT32_MAX;

    for (log = topic->logs; log; log = log->next) {

        if (!ngx_im_send_wanted(w, log, m)) {
            continue;
        }

        /* logs that differ in their filter alone have the same frame */

        id = im_wire_filtered(log->wire, 0);

        if (id != framed) {
            b = ngx_im_send_buffer(w, &w->deflate.shared);
            wire = im_wire(id);
            wire.form->message(b, wire.transport, m);
            w->counters->framed += b->len > 0;
            framed = id;
        }

        if (b->failed) {
            return NGX_ERROR;
        }

        frame = im_buf_str(b);
        head = log->head;

        if (frame.len == 0) {
            continue;
        }

        if (im_log_append(&w->hub.logs, log, frame, 0) != IM_OK) {
            return NGX_ERROR;
        }

        w->counters->messages_out += log->nsubs;

        if (log->head != head) {
            log->open->added = 1;
        }
    }

    return NGX_OK;
}


/* Those logs alone have it that have room, so none gets it now. */
static void
ngx_im_send_undo(ngx_im_worker_t *w, im_topic_t *topic)
{
    im_log_t  *log;

    for (log = topic->logs; log; log = log->next) {
        if (log->open != NULL && log->open->added) {
            log->open->added = 0;
            w->counters->messages_out -= log->nsubs;
            im_log_undo(log);
        }
    }
}


static void
ngx_im_send_added(ngx_im_worker_t *w, im_log_t *log, const im_message_t *m)
{
    log->open->added = 0;

    if (!m->healed && log->open->nmessages++ == 0) {
        log->open->since = (uint32_t) m->envelope->time;
    }

    ngx_im_send_flushed(w, log);
}


ngx_int_t
ngx_im_send_message(ngx_im_worker_t *w, im_topic_t *topic,
    const im_message_t *m)
{
    im_log_t   *log;
    im_sub_t   *sender;
    ngx_int_t   rc;

    /* before the message is in the log */

    sender = m->envelope->session.len > 0 ? ngx_im_send_sender(w, topic, m)
                                          : NULL;

    rc = ngx_im_send_append(w, topic, m);

    /* one without a number doesn't come again */

    if (rc != NGX_OK && m->seq > 0) {
        ngx_im_send_undo(w, topic);
        return NGX_ERROR;
    }

    for (log = topic->logs; log; log = log->next) {

        if (log->open == NULL || !log->open->added) {
            continue;
        }

        ngx_im_send_added(w, log, m);

        if (sender != NULL && sender->log == log) {
            im_sub_advance(sender, im_sub_behind(sender));
        }
    }

    /* the numbering goes on without followers, too */

    topic->seq = ngx_max(topic->seq, m->seq);

    return rc;
}


ngx_int_t
ngx_im_send_log(ngx_im_worker_t *w, im_log_t *log, im_str_t frame, uint64_t seq)
{
    if (im_log_append(&w->hub.logs, log, frame, seq) != IM_OK) {
        return NGX_ERROR;
    }

    w->counters->messages_out += log->nsubs;

    ngx_im_send_flushed(w, log);

    return NGX_OK;
}
