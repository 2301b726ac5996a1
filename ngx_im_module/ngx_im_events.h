/*
 * Copyright (C) The im authors
 *
 * What following topics says, to the files that it concerns.
 */

#ifndef NGX_IM_EVENTS_H
#define NGX_IM_EVENTS_H


#include "ngx_im_worker.h"


ngx_int_t ngx_im_events_init(ngx_im_worker_t *w);
void ngx_im_events_exit(ngx_im_worker_t *w);


#endif /* NGX_IM_EVENTS_H */
