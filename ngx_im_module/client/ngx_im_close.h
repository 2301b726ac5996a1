/*
 * Copyright (C) The im authors
 *
 * The end of sessions.
 */

#ifndef NGX_IM_CLOSE_H
#define NGX_IM_CLOSE_H


#include "ngx_im_worker.h"


/* Ends the sessions that were closed in this turn. */
void ngx_im_close_handler(ngx_event_t *ev);


#endif /* NGX_IM_CLOSE_H */
