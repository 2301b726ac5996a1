/*
 * Copyright (C) The im authors
 *
 * The time of a link: what deadlines of connections, calls and channels count.
 *
 * A process that is stopped, or gets no CPU, reads nothing meanwhile: that time
 * is no silence of the server.  So each step from one look at the clock to the
 * next counts for so much at most; a process that runs looks with each tick.
 */

#ifndef IM_LINK_CLOCK_H
#define IM_LINK_CLOCK_H


#include "im_link_transport.h"


#define IM_LINK_TICK        500                     /* ms between two ticks */
#define IM_LINK_CLOCK_STEP  (IM_LINK_TICK + 100)


typedef struct {
    const im_link_transport_t  *transport;
    void                       *data;      /* the transport's */
    uint64_t                    seen;      /* its time, last */
    uint64_t                    time;
    uint64_t                    lost;      /* ms that were not counted */
} im_link_clock_t;


void im_link_clock_init(im_link_clock_t *clock,
    const im_link_transport_t *transport, void *data);

/* In ms; it begins with the transport's time and falls behind that. */
uint64_t im_link_clock(im_link_clock_t *clock);


#endif /* IM_LINK_CLOCK_H */
