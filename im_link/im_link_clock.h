/*
 * Copyright (C) The im authors
 *
 * The time of a link: what deadlines of connections, calls and channels count.
 *
 * A process that is stopped, or gets no CPU, reads nothing meanwhile: that time
 * is no silence of the server.  So each step from one look at the clock to the
 * next counts for so much at most; a process that runs looks with each tick.
 *
 * Neither is it a silence if a server of this machine waits for a CPU.  Where
 * many processes want one, the time that its deadlines count runs slower: by as
 * much as they are more than a few for each CPU, but never slower than a
 * twelfth.  So a server that is dead is noticed in the end.
 */

#ifndef IM_LINK_CLOCK_H
#define IM_LINK_CLOCK_H


#include "im_link_transport.h"


#define IM_LINK_TICK        500                     /* ms between two ticks */
#define IM_LINK_CLOCK_STEP  (IM_LINK_TICK + 100)
#define IM_LINK_CALM        8                       /* processes for each CPU */
#define IM_LINK_SLOWEST     12


typedef struct {
    const im_link_transport_t  *transport;
    void                       *data;      /* the transport's */
    uint64_t                    seen;      /* its time, last */
    uint64_t                    time;
    uint64_t                    near;      /* us, of servers of this machine */
    uint64_t                    lost;      /* ms that were not counted */
    uint64_t                    looked;    /* its time, at the crowd */
    im_uint_t                   crowd;     /* processes for each CPU */
} im_link_clock_t;


void im_link_clock_init(im_link_clock_t *clock,
    const im_link_transport_t *transport, void *data);

/* In ms; it begins with the transport's time and falls behind that. */
uint64_t im_link_clock(im_link_clock_t *clock);

/* The same for what a server of this machine owes us. */
uint64_t im_link_clock_near(im_link_clock_t *clock);


#endif /* IM_LINK_CLOCK_H */
