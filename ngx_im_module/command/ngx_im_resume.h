/*
 * Copyright (C) The im authors
 *
 * How subscriptions begin, and how they go on after a hole.
 */

#ifndef NGX_IM_RESUME_H
#define NGX_IM_RESUME_H


#include "ngx_im_session.h"
#include "ngx_im_follow.h"
#include "ngx_im_topic.h"


/* All topics of connect are joined: it is answered once they are ready. */
void ngx_im_resume_opened(ngx_im_session_t *s);

/* The topic of a joining subscription is live: it begins, or is answered. */
void ngx_im_resume_joined(ngx_im_session_t *s, im_sub_t *sub);
void ngx_im_resume_left(ngx_im_session_t *s, im_sub_t *sub);

/*
 * Servers of some topics are away: clients don't wait for them.  Of a session,
 * or of all.
 */
void ngx_im_resume_apart_session(ngx_im_session_t *s);
void ngx_im_resume_apart(ngx_im_worker_t *w);

/* sub has read up to a cut of its log: it ends, and the client hears why. */
void ngx_im_resume_cut(ngx_im_session_t *s, im_sub_t *sub);

/*
 * Events of following topics; ctx is the worker.  history: waiting
 * subscriptions are judged again.  moved: followers with a position hear that
 * the topic goes on behind (epoch, seq).  IM_ERROR: no memory; frames that
 * were appended are true all the same.
 */
void ngx_im_resume_history(void *ctx, im_topic_t *topic,
    im_follow_history_e why);
ngx_int_t ngx_im_resume_moved(void *ctx, im_topic_t *topic, im_str_t epoch,
    uint64_t seq, int continues);

/*
 * Fills in the messages, nmessages behind at.seq of each, that are all in the
 * windows of their topics.  They are good until the next call.
 */
ngx_int_t ngx_im_resume_messages(ngx_im_worker_t *w, im_subscribed_t *subs,
    ngx_uint_t n);

/* The topic ends, and t is to be freed. */
void ngx_im_resume_ended(ngx_im_topic_t *t);

/* A topic of worker->loads, as there may be credit now; data is the worker. */
ngx_int_t ngx_im_resume_serve_load(im_list_t *q, void *data);

/* Answers a join of worker->ready; data is the worker. */
ngx_int_t ngx_im_resume_serve(im_list_t *q, void *data);


#endif /* NGX_IM_RESUME_H */
