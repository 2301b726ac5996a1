/*
 * Copyright (C) The im authors
 *
 * Events of follow/ and client/: which file handles which event.
 */

#ifndef NGX_IM_EVENTS_H
#define NGX_IM_EVENTS_H


#include "ngx_im_worker.h"


ngx_int_t ngx_im_events_init(ngx_im_worker_t *w);
void ngx_im_events_exit(ngx_im_worker_t *w);


#endif /* NGX_IM_EVENTS_H */
