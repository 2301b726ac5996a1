/*
 * Copyright (C) The im authors
 *
 * Reads the history of a topic, by page.lua.
 */

#ifndef IM_LINK_HISTORY_H
#define IM_LINK_HISTORY_H


#include "im_link.h"
#include "im_proto.h"


/* Which messages; strings of it are copied. */
typedef struct {
    im_str_t       topic;
    uint64_t       since;      /* behind it, or before it; 0: from the end
                                  where reading begins */
    im_uint_t      limit;      /* 0: only the position */
    size_t         bytes;      /* about so many, but one message at least */
    int            reverse;    /* the newest ones first */
} im_link_range_t;


/* All of it is borrowed. */
typedef struct {
    const char    *why;        /* it couldn't be read, and the rest is empty */
    im_str_t       error;      /* of Redis, for the log; "": none */
    im_str_t       epoch;      /* "": Redis doesn't know the topic */
    uint64_t       top;
    im_str_t       past;       /* "EPOCH:END ...", ended ones */
    im_message_t  *messages;   /* in the order in which they were read */
    im_uint_t      n;
} im_link_page_t;


typedef struct im_link_history_s  im_link_history_t;

typedef void (*im_link_page_pt)(const im_link_page_t *page, void *data);


/* NULL: no memory. */
im_link_history_t *im_link_history_create(im_link_t *link);
/* Its handlers have been called: the link is destroyed before.  Takes NULL. */
void im_link_history_destroy(im_link_history_t *history);

/*
 * The handler is called once, later; it may read.  Questions for the same
 * range that come while one is out wait for it, and are one question then: each
 * sees what Redis had when it was asked.  IM_ERROR: the handler isn't called.
 */
im_int_t im_link_history_read(im_link_history_t *history,
    const im_link_range_t *range, im_link_page_pt handler, void *data);

/*
 * Nothing behind this position was lost when epochs changed.  Whether the
 * history reaches back so far is another question.
 */
int im_link_page_continues(const im_link_page_t *page, im_str_t epoch,
    uint64_t seq);


#endif /* IM_LINK_HISTORY_H */
