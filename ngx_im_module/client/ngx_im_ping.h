/*
 * Copyright (C) The im authors
 *
 * Deadlines of sessions.
 */

#ifndef NGX_IM_PING_H
#define NGX_IM_PING_H


#include "ngx_im_worker.h"


/* The deadline of a session has come. */
void ngx_im_ping_due(ngx_im_timer_t *timer);


#endif /* NGX_IM_PING_H */
