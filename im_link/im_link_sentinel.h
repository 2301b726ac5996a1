/*
 * Copyright (C) The im authors
 *
 * Where the master is, as the sentinels say: all of them are asked, each
 * second, when one of them tells of a switch, and whenever the caller wants to
 * connect.
 *
 * The answer with the highest config-epoch wins.  A lower one than was seen
 * before never does, so a sentinel that was cut off together with an old master
 * can't lead back to it.  (All that are configured may agree on a lower one:
 * then they were set up anew.)  A process that was started later and reaches no
 * other sentinel than such a one has no way to know better: it follows it.
 */

#ifndef IM_LINK_SENTINEL_H
#define IM_LINK_SENTINEL_H


#include "im_link_server.h"


typedef struct im_link_sentinel_s  im_link_sentinel_t;

/* addr: HOST:PORT or [IPV6]:PORT, kept until the next event. */
typedef void (*im_link_sentinel_pt)(void *data, im_str_t addr, uint64_t epoch);


/*
 * The sentinels are the seeds.  The handler is called when the master is
 * another one than before, and at the end of each im_link_sentinel_ask().
 * NULL: no memory.
 */
im_link_sentinel_t *im_link_sentinel_create(im_link_context_t *context,
    im_link_sentinel_pt handler, void *data);

/* Closes the connections; the handler is not called any more.  Takes NULL. */
void im_link_sentinel_close(im_link_sentinel_t *sentinel);

/* Not before the guard is free.  Takes NULL. */
void im_link_sentinel_destroy(im_link_sentinel_t *sentinel);

/*
 * What was said before does not count any more: the handler is called once one
 * sentinel has answered, and the others have too, or a moment has passed.
 */
void im_link_sentinel_ask(im_link_sentinel_t *sentinel);

/* The handler may be called. */
void im_link_sentinel_tick(im_link_sentinel_t *sentinel);

/* Why none can be followed, or ""; kept by the sentinel. */
const char *im_link_sentinel_why(im_link_sentinel_t *sentinel);

/* Kept by the sentinel. */
const im_link_sentinels_t *im_link_sentinel_info(im_link_sentinel_t *sentinel);


#endif /* IM_LINK_SENTINEL_H */
