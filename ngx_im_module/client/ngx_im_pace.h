/*
 * Copyright (C) The im authors
 *
 * Output that is not for now: messages of a room that go together, and pushes
 * that reach so many sessions a second.
 */

#ifndef NGX_IM_PACE_H
#define NGX_IM_PACE_H


#include "ngx_im_session.h"


/*
 * Before a message is appended to the topic's logs: they are flushed batch ms
 * after the first one, or to speed sessions a second.  0 and 0: at once, and
 * what was paced before it too.
 */
void ngx_im_pace_topic(ngx_im_worker_t *w, im_topic_t *topic, ngx_uint_t batch,
    ngx_uint_t speed);

void ngx_im_pace_handler(ngx_event_t *ev);


#endif /* NGX_IM_PACE_H */
