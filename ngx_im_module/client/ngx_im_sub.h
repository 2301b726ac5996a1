/*
 * Copyright (C) The im authors
 *
 * Subscriptions of sessions.
 */

#ifndef NGX_IM_SUB_H
#define NGX_IM_SUB_H


#include "ngx_im_session.h"


/* data is copied.  NULL: no memory. */
ngx_im_join_t *ngx_im_sub_create_join(ngx_im_join_e kind, im_str_t data);

/* The position that a client names; an impossible one matches no epoch. */
void ngx_im_sub_since(ngx_im_join_t *join, const im_position_t *since);

/* Flags by an override of a token and the like; a malformed one has none. */
ngx_uint_t ngx_im_sub_override(im_str_t json);

/*
 * join, or NULL, becomes the subscription's; it is freed on failure.  NULL: no
 * memory or too many topics.
 */
im_sub_t *ngx_im_sub_join(ngx_im_session_t *s, im_str_t topic,
    ngx_im_join_t *join, ngx_uint_t flags);

/*
 * A subscription that another worker had, in a topic that is there, before the
 * others of the session.  It is joining, and Redis hears nothing of it.  NULL:
 * no memory.
 */
im_sub_t *ngx_im_sub_adopt(ngx_im_session_t *s, im_topic_t *topic,
    ngx_uint_t flags);

void ngx_im_sub_leave(ngx_im_session_t *s, im_sub_t *sub);

/* It is not among those of its session any more, and still in its topic. */
void ngx_im_sub_unlist(ngx_im_session_t *s, im_sub_t *sub);

/*
 * Gives its subscriptions that have a filter another one.  Messages that came
 * before stay.  NGX_DECLINED: no memory, and nothing has changed; NGX_ERROR:
 * the session is closed.
 */
ngx_int_t ngx_im_sub_filter(ngx_im_session_t *s, uint16_t filter);


#endif /* NGX_IM_SUB_H */
