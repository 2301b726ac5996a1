/*
 * Copyright (C) The im authors
 *
 * Output of sessions: ngx_im_flush.h sends to many.
 */

#ifndef NGX_IM_SEND_H
#define NGX_IM_SEND_H


#include "ngx_im_session.h"


void ngx_im_send_handler(ngx_event_t *wev);

/* A session that was blocked may send again. */
void ngx_im_send_ready(ngx_im_session_t *s);

/*
 * Queues bytes of this session alone (whole frames) and tries to send.
 * NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_send_reply(ngx_im_session_t *s, im_str_t frame);

/*
 * Queues the last frame of this session; it may be empty.  NGX_AGAIN: wait for
 * the peer or for the deadline; else the connection can be closed now.
 */
ngx_int_t ngx_im_send_close(ngx_im_session_t *s, im_str_t frame);

/*
 * The peer of a session that is closing learns of it by the end of the output,
 * once all is sent: where there is no close frame, or its own can't be read.
 */
void ngx_im_send_end(ngx_im_session_t *s);

/*
 * Queues messages that a session has missed.  They do not count as replies that
 * it leaves unread.
 */
ngx_int_t ngx_im_send_history(ngx_im_session_t *s, im_str_t frame);

/* The same without sending.  NGX_ERROR: no memory. */
ngx_int_t ngx_im_send_queue_history(ngx_im_session_t *s, im_str_t frames);

/* Bytes that wait for this session alone. */
size_t ngx_im_send_waiting(ngx_im_session_t *s);

/*
 * In a log all sessions share what they lack.  One that moves has a copy of it:
 * so many bytes more may be copies.
 */
ngx_uint_t ngx_im_send_affords(ngx_im_worker_t *w, size_t len);

/* Frees the replies: they are sent, or never will be. */
void ngx_im_send_forget(ngx_im_session_t *s);

/* The next flush is to look at this log. */
void ngx_im_send_flushed(ngx_im_worker_t *w, im_log_t *log);

/* The worker's buffer for frames, empty; codec compresses them. */
im_buf_t *ngx_im_send_buffer(ngx_im_worker_t *w, const im_codec_t *codec);

/*
 * Frames m in every log of the topic and marks them for the flush.  A message
 * to an inbox isn't for the session that sent it, which may get it all the same
 * where its socket is full.
 */
ngx_int_t ngx_im_send_message(ngx_im_worker_t *w, im_topic_t *topic,
    const im_message_t *m);

/* sub leaves its topic: the rest of a frame that has begun is kept. */
ngx_int_t ngx_im_send_leave(ngx_im_session_t *s, im_sub_t *sub);

/*
 * sub goes on in another log: what it has not got yet becomes bytes of the
 * session alone.  NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_send_move(ngx_im_session_t *s, im_sub_t *sub);

/*
 * All that the session lacks becomes bytes of its own, in the order in which it
 * is to get them.  NGX_ERROR: it is closed.
 */
ngx_int_t ngx_im_send_collect(ngx_im_session_t *s);

/*
 * Such bytes of another worker, of which some go before the rest of a frame,
 * and some are messages.  The session has none yet.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_im_send_restore(ngx_im_session_t *s, im_str_t bytes,
    size_t urgent, size_t history);

/*
 * The subscription of a session that can be left out of what comes next: what
 * came before has been sent.  NULL: it can't.
 */
im_sub_t *ngx_im_send_sub(ngx_im_session_t *s, const im_topic_t *topic);

/* Appends a whole frame to one log and marks it for the flush. */
ngx_int_t ngx_im_send_log(ngx_im_worker_t *w, im_log_t *log, im_str_t frame,
    uint64_t seq);

/* Sends what this session lacks, as far as its socket takes it. */
void ngx_im_send_session(ngx_im_session_t *s);

/* The client leaves too many replies unread: nothing is read from it. */
ngx_uint_t ngx_im_send_crowded(ngx_im_session_t *s);

/* The why of sessions that do not read what they get. */
extern const char  ngx_im_send_too_slow[];

/* Closes one of them; IM_REASON_LOST: at once, or else IM_REASON_SLOW. */
void ngx_im_send_slow(ngx_im_session_t *s, im_reason_e reason);

/*
 * Sends all that a session lacks.  Subscriptions that have got to a cut of
 * their log end here, in ngx_im_send_turn(), and nowhere else, so that callers
 * that walk subscriptions may send.
 */
void ngx_im_send_due(ngx_im_session_t *s);

/*
 * It is the turn of a follower, sub.  Sends what its session lacks of only, if
 * that isn't NULL: nothing walks over the other topics then.
 */
void ngx_im_send_turn(ngx_im_session_t *s, im_sub_t *sub, im_sub_t *only);

/* The same where the session is blocked: sub waits for that, too. */
void ngx_im_send_later(ngx_im_session_t *s, im_sub_t *sub);

/*
 * A turn in two steps, where what is to be sent is one piece of one
 * subscription: between them the caller sends it, and has the session in a list
 * by its blocked.  NGX_DECLINED: it is more, or another output.
 */
ngx_int_t ngx_im_send_begin(ngx_im_session_t *s, im_sub_t *only, im_sub_t **sub,
    im_str_t *piece);

/*
 * result of len bytes: bytes, or -errno; -ECANCELED: it was not tried.  What
 * the session lacks elsewhere is sent, too, if ngx_im_send_later() said so.
 */
void ngx_im_send_finish(ngx_im_session_t *s, im_sub_t *sub, size_t len,
    int result);


#endif /* NGX_IM_SEND_H */
