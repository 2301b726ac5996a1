/*
 * Copyright (C) The im authors
 *
 * Which list of users each follower of a room has got, as a hash.
 */

#ifndef NGX_IM_HEARD_H
#define NGX_IM_HEARD_H


#include "ngx_im_topic.h"


/* 0: none, or it isn't known. */
uint64_t ngx_im_heard(const ngx_im_topic_t *t, ngx_im_session_t *s);

/* The follower has this one now; 0: which one isn't known. */
void ngx_im_heard_set(ngx_im_topic_t *t, ngx_im_session_t *s,
    uint64_t hash);

/* The follower has none. */
void ngx_im_heard_forget(ngx_im_topic_t *t, ngx_im_session_t *s);

/* All have this one; 0: none. */
void ngx_im_heard_all(ngx_im_topic_t *t, uint64_t hash);

/* Not all have this one. */
ngx_uint_t ngx_im_heard_differs(const ngx_im_topic_t *t, uint64_t hash);

/*
 * Around a frame for all followers: those that have this list don't read it,
 * but where their socket is full.
 */
void ngx_im_heard_before(ngx_im_topic_t *t, uint64_t hash);
void ngx_im_heard_behind(ngx_im_topic_t *t, uint64_t hash);

/*
 * Most have this one: the next follower that lacks it, from *index on.  It is
 * sent by the caller, so that all have it in the end.  NULL: there is none.
 */
ngx_im_session_t *ngx_im_heard_next(ngx_im_topic_t *t, uint64_t hash,
    ngx_uint_t *index);


#endif /* NGX_IM_HEARD_H */
