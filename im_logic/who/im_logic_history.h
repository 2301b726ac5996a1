/*
 * Copyright (C) The im authors
 *
 * Reads a topic's history.
 */

#ifndef IM_LOGIC_HISTORY_H
#define IM_LOGIC_HISTORY_H


#include "im_logic_request.h"
#include "im_proto.h"


#define IM_HISTORY_MAX    300              /* messages of one answer */
#define IM_HISTORY_BYTES  (2 * 1024 * 1024)


/* The position of a topic. */
typedef struct {
    im_str_t  epoch;
    uint64_t  top;
    im_str_t  past;                /* "epoch:end ...", ended ones */
} im_logic_top_t;


typedef struct {
    im_str_t   topic;              /* lives as long as the request */
    uint64_t   since;              /* behind it, or before it in reverse */
    im_uint_t  limit;              /* 0: the position alone */
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
 * Calls back, perhaps before this returns.  A topic that Redis doesn't know
 * gets its epoch by this.  Messages are about IM_HISTORY_BYTES, but one at
 * least.
 */
void im_logic_history_read(im_daemon_request_t *r,
    const im_logic_range_t *range, const im_logic_history_events_t *events,
    void *data);

/*
 * Nothing behind this position was lost when epochs changed.  Whether the
 * history reaches back so far is another question.
 */
int im_logic_history_continues(const im_logic_top_t *top, im_str_t epoch,
    uint64_t seq);


#endif /* IM_LOGIC_HISTORY_H */
