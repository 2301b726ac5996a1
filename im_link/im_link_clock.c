/*
 * Copyright (C) The im authors
 *
 * The time of a link.
 */

#include "im_link_clock.h"


void
im_link_clock_init(im_link_clock_t *clock, const im_link_transport_t *transport,
    void *data)
{
    clock->transport = transport;
    clock->data = data;
    clock->seen = transport->now(data);
    clock->time = clock->seen;
    clock->lost = 0;
}


uint64_t
im_link_clock(im_link_clock_t *clock)
{
    uint64_t  now, step;

    now = clock->transport->now(clock->data);
    step = im_min(now - clock->seen, IM_LINK_CLOCK_STEP);

    clock->lost += now - clock->seen - step;
    clock->seen = now;
    clock->time += step;

    return clock->time;
}
