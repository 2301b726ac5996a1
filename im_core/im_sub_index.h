/*
 * Copyright (C) The im authors
 *
 * An index of subscriptions by their session and topic, for sessions that
 * follow many topics.
 *
 * It has 4 bytes for a subscription, in a table of which at most three of four
 * cells are taken.  It grows by doubling, a few cells with each call, so that
 * no call stalls.
 */

#ifndef IM_SUB_INDEX_H
#define IM_SUB_INDEX_H


#include "im_types.h"
#include "im_topic.h"


/* All 0: empty. */
typedef struct {
    uint32_t  *table;        /* indexes in the slab, or IM_SLAB_NONE */
    uint32_t  *old;          /* being emptied into table, or NULL */
    size_t     size;         /* powers of two */
    size_t     old_size;
    size_t     moved;        /* cells of old that are done */
    size_t     count;
} im_sub_index_t;


void im_sub_index_cleanup(im_sub_index_t *x);

/*
 * The subscription is in a topic, and not yet here.  IM_ERROR: no memory; it
 * isn't here.
 */
im_int_t im_sub_index_add(im_sub_index_t *x, const im_logs_t *logs,
    const im_sub_t *sub);

/* It is here, and still in its topic. */
void im_sub_index_remove(im_sub_index_t *x, const im_logs_t *logs,
    const im_sub_t *sub);

/* NULL: not here. */
im_sub_t *im_sub_index_find(const im_sub_index_t *x, const im_logs_t *logs,
    uint32_t session, const im_topic_t *topic);


#endif /* IM_SUB_INDEX_H */
