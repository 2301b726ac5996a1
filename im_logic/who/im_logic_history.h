/*
 * Copyright (C) The im authors
 *
 * What a topic's history holds.
 */

#ifndef IM_LOGIC_HISTORY_H
#define IM_LOGIC_HISTORY_H


#include "im_logic.h"
#include "im_proto.h"


#define IM_HISTORY_MAX    300              /* messages of one answer */
#define IM_HISTORY_BYTES  (2 * 1024 * 1024)


/* Where a topic stands. */
typedef struct {
    im_str_t  epoch;
    uint64_t  top;
    im_str_t  past;                /* "epoch:end ...", ended ones */
} im_logic_top_t;


typedef struct {
    im_str_t   topic;              /* copied */
    uint64_t   since;              /* behind it, or before it in reverse */
    im_uint_t  limit;              /* 0: only where it stands */
    unsigned   reverse:1;          /* since 0: from the end */
    unsigned   last:1;             /* the last ones, in order; no since */
} im_logic_range_t;


/* All strings are good within the call. */
typedef struct {
    /* IM_DECLINED: no messages are wanted */
    im_int_t  (*top)(void *data, const im_logic_top_t *top);
    /* IM_DECLINED: enough */
    im_int_t  (*message)(void *data, const im_message_t *m);
    /* once, last; why NULL: all went well */
    void      (*done)(void *data, const char *why);
} im_logic_history_events_t;


/*
 * Calls back later, never before this returns.  IM_ERROR: it won't.  A topic
 * that nothing is known of gets its epoch by this.  Messages are about
 * IM_HISTORY_BYTES, but one at least.
 */
im_int_t im_logic_history_read(im_logic_t *logic,
    const im_logic_range_t *range, const im_logic_history_events_t *events,
    void *data);

/*
 * That nothing behind it was lost when epochs changed; whether the history
 * reaches back so far is another question.
 */
int im_logic_history_continues(const im_logic_top_t *top, im_str_t epoch,
    uint64_t seq);


#endif /* IM_LOGIC_HISTORY_H */
