/*
 * Copyright (C) The im authors
 *
 * A window of a topic's recent messages: envelopes, numbered without a gap.
 *
 * It grows at its end with what is delivered, and at its front with what is
 * read from history, newest first.  The bytes of all windows of a worker are
 * counted together.
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


/* What an entry costs besides its own bytes. */
#define IM_WINDOW_OVERHEAD  24


/* Empty, behind seq.  Allocates nothing. */
void im_window_init(im_window_t *w, im_windows_t *all, uint64_t seq);
void im_window_reset(im_window_t *w, uint64_t seq);
void im_window_cleanup(im_window_t *w);

/* The number of the last one. */
static inline uint64_t
im_window_top(const im_window_t *w)
{
    return w->from + w->n;
}

/* All that follows seq is there, up to the top. */
static inline int
im_window_covers(const im_window_t *w, uint64_t seq)
{
    return seq >= w->from && seq <= im_window_top(w);
}

/*
 * The next one; a number that isn't makes the window begin with it.  IM_ERROR:
 * no memory, and it is empty behind seq.
 */
im_int_t im_window_append(im_window_t *w, uint64_t seq, im_str_t entry);

/* The one before the first.  IM_DECLINED: seq isn't that; IM_ERROR: memory. */
im_int_t im_window_prepend(im_window_t *w, uint64_t seq, im_str_t entry);

/* Drops the oldest until it is no larger than both. */
void im_window_trim(im_window_t *w, size_t bytes, size_t n);

/* Borrowed; seq must be in the window. */
im_str_t im_window_get(const im_window_t *w, uint64_t seq);


#endif /* IM_WINDOW_H */
