/*
 * Copyright (C) The im authors
 *
 * The metrics of a node in Prometheus' text format.
 */

#ifndef NGX_IM_METRICS_H
#define NGX_IM_METRICS_H


#include "ngx_im_worker.h"


void ngx_im_metrics(im_buf_t *b, ngx_im_node_t *node);


#endif /* NGX_IM_METRICS_H */
