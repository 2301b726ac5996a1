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
    clock->near = clock->seen * 1000;
    clock->lost = 0;
    clock->looked = clock->seen;
    clock->crowd = 0;
}


static void
im_link_clock_look(im_link_clock_t *clock, uint64_t now)
{
    if (clock->transport->crowd != NULL && now - clock->looked >= IM_LINK_TICK)
    {
        clock->looked = now;
        clock->crowd = clock->transport->crowd(clock->data);
    }
}


uint64_t
im_link_clock(im_link_clock_t *clock)
{
    uint64_t   now, step;
    im_uint_t  crowd;

    now = clock->transport->now(clock->data);
    step = im_min(now - clock->seen, IM_LINK_CLOCK_STEP);

    im_link_clock_look(clock, now);

    crowd = im_max(clock->crowd, IM_LINK_CALM);
    crowd = im_min(crowd, IM_LINK_CALM * IM_LINK_SLOWEST);

    clock->lost += now - clock->seen - step;
    clock->seen = now;
    clock->time += step;
    clock->near += step * 1000 * IM_LINK_CALM / crowd;

    return clock->time;
}


uint64_t
im_link_clock_near(im_link_clock_t *clock)
{
    (void) im_link_clock(clock);

    return clock->near / 1000;
}
