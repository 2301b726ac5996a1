/*
 * Copyright (C) The im authors
 *
 * Calls that wait for a server or are to be sent again, in order for each slot.
 */

#ifndef IM_LINK_HOLD_H
#define IM_LINK_HOLD_H


#include "im_link_conn.h"


#define IM_LINK_HOLD_BUCKETS  64


/* Calls of one slot. */
typedef struct {
    im_list_t  bucket;
    im_list_t  link;         /* of all */
    im_list_t  calls;        /* by their numbers */
    im_uint_t  slot;
    uint64_t   retry;        /* not before */
    int        narrow;       /* calls with one key don't wait */
} im_link_queue_t;


typedef struct {
    im_list_t  queues;
    im_list_t  buckets[IM_LINK_HOLD_BUCKETS];
    im_uint_t  ncalls;
    size_t     bytes;
} im_link_hold_t;


void im_link_hold_init(im_link_hold_t *hold);

/* NULL: no call of the slot waits. */
im_link_queue_t *im_link_hold_find(im_link_hold_t *hold, im_uint_t slot);

/*
 * Takes a call, until retry at least.  narrow: it waits for its other keys.
 * IM_ERROR: there are too many, or no memory.
 */
im_int_t im_link_hold_add(im_link_hold_t *hold, im_link_kept_t *kept,
    uint64_t retry, int narrow);

/* The first call, and off the queue; the last one frees the queue. */
im_link_kept_t *im_link_hold_take(im_link_hold_t *hold,
    im_link_queue_t *queue);

/* The first one of a queue. */
#define im_link_queue_first(queue)                                            \
    im_list_data(im_list_first(&(queue)->calls), im_link_kept_t, link)


#endif /* IM_LINK_HOLD_H */
