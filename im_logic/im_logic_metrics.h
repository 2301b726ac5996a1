/*
 * Copyright (C) The im authors
 *
 * GET /metrics: what im_logic has counted, as Prometheus reads it.
 */

#ifndef IM_LOGIC_METRICS_H
#define IM_LOGIC_METRICS_H


#include "im_logic_request.h"


void im_logic_metrics_handler(im_daemon_request_t *r);

/* Each second: asks how long queues are. */
void im_logic_metrics_tick(im_logic_t *logic);


#endif /* IM_LOGIC_METRICS_H */
