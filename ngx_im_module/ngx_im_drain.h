/*
 * Copyright (C) The im authors
 *
 * The end of a worker: its sessions are closed over the time of im_drain.
 */

#ifndef NGX_IM_DRAIN_H
#define NGX_IM_DRAIN_H


#include "ngx_im_worker.h"


void ngx_im_drain_start(ngx_im_worker_t *w);


#endif /* NGX_IM_DRAIN_H */
