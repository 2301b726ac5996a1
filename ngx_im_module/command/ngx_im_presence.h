/*
 * Copyright (C) The im authors
 *
 * Joins and leaves of a room, pushed to followers that want them.
 */

#ifndef NGX_IM_PRESENCE_H
#define NGX_IM_PRESENCE_H


#include "ngx_im_session.h"
#include "im_control.h"
#include "im_follow.h"


/* A session of this worker begins to follow its topic, or leaves it. */
void ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined);

/* The same of what im_follow has put off, and of one that joins still. */
void ngx_im_presence_late(void *ctx, im_topic_t *topic,
    const im_change_t *change);
void ngx_im_presence_joins(void *ctx, im_sub_t *sub);

/* The change list of another worker, or (own) that of this one. */
void ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control, ngx_uint_t own);

/*
 * The same for a session that comes from another worker: appends what that has
 * not said.
 */
void ngx_im_presence_missed(ngx_im_worker_t *w, im_sub_t *sub,
    im_str_t envelope, im_buf_t *b);


#endif /* NGX_IM_PRESENCE_H */
