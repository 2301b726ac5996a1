/*
 * Copyright (C) The im authors
 *
 * A window of a topic's recent messages: envelopes, numbered without a gap.
 *
 * Delivered messages are added at its end; messages read from history, newest
 * first, at its front.  All windows of a worker share an account of bytes.
 */

#ifndef IM_WINDOW_H
#define IM_WINDOW_H


#include "im_types.h"


typedef struct {
    size_t  bytes;
} im_windows_t;


typedef struct {
    im_windows_t  *all;
    u_char       **entries;   /* a ring */
    size_t         size;      /* of it, a power of two, or 0 */
    size_t         first;
    size_t         n;
    size_t         bytes;
    uint64_t       from;      /* the number before the first one */
} im_window_t;


/* The overhead of an entry, in bytes. */
#define IM_WINDOW_OVERHEAD  24


/* An empty window that continues after seq.  Allocates nothing. */
void im_window_init(im_window_t *w, im_windows_t *all, uint64_t seq);
void im_window_reset(im_window_t *w, uint64_t seq);
void im_window_cleanup(im_window_t *w);

/* The number of the last one. */
static inline uint64_t
im_window_top(const im_window_t *w)
{
    return w->from + w->n;
}

/* True if the window has all messages after seq. */
static inline int
im_window_covers(const im_window_t *w, uint64_t seq)
{
    return seq >= w->from && seq <= im_window_top(w);
}

/*
 * Adds the next entry; if seq is not the next number, the window starts anew
 * with it.  IM_ERROR: no memory; the window is empty and continues after seq.
 */
im_int_t im_window_append(im_window_t *w, uint64_t seq, im_str_t entry);

/* Adds the entry before the first.  IM_DECLINED: seq is not that one. */
im_int_t im_window_prepend(im_window_t *w, uint64_t seq, im_str_t entry);

/* Drops the oldest entries until the window keeps to both limits. */
void im_window_trim(im_window_t *w, size_t bytes, size_t n);

/* Borrowed; seq must be in the window. */
im_str_t im_window_get(const im_window_t *w, uint64_t seq);


#endif /* IM_WINDOW_H */
