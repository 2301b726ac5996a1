/*
 * Copyright (C) The im authors
 *
 * Joins and leaves of a room, pushed to followers that want them.
 */

#ifndef NGX_IM_PRESENCE_H
#define NGX_IM_PRESENCE_H


#include "ngx_im_session.h"
#include "im_control.h"


/* A session of this worker. */
void ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined);

/*
 * It came from another worker, where it didn't hear of the changes that other
 * workers don't know yet.
 */
void ngx_im_presence_adopted(ngx_im_session_t *s);

/* The change list of another worker. */
void ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control);


#endif /* NGX_IM_PRESENCE_H */
