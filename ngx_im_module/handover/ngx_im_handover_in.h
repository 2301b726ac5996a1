/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions.
 */

#ifndef NGX_IM_HANDOVER_IN_H
#define NGX_IM_HANDOVER_IN_H


#include "ngx_im_worker.h"


/* Workers that end find this one.  NGX_ERROR: no memory or no connection. */
ngx_int_t ngx_im_handover_in_init(ngx_im_worker_t *w);

/* This worker ends itself: it takes no session any more. */
void ngx_im_handover_in_quit(ngx_im_worker_t *w);

/* Topics have moved on: what waits may be taken. */
void ngx_im_handover_in_look(ngx_im_worker_t *w);

/* This worker's record counts sessions that came. */
void ngx_im_handover_in_counted(ngx_im_worker_t *w);

/* Redis has moved all that came from the worker with that id. */
void ngx_im_handover_in_taken(ngx_im_worker_t *w, im_str_t id);


#endif /* NGX_IM_HANDOVER_IN_H */
