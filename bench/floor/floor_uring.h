/*
 * Copyright (C) The im authors
 *
 * The sends of a fan-out as submissions of io_uring: one system call for very
 * many.  Without liburing, floor_nouring.c stands in.
 */

#ifndef FLOOR_URING_H
#define FLOOR_URING_H


#include "im_types.h"


/* The socket took n bytes only, or none (n < 0: -errno). */
typedef void (*floor_uring_short_pt)(void *data, int fd, int n);


/* NULL: *error says why, with the cure. */
void *floor_uring_create(const char **error);

/* Adds a send; the bytes stay until floor_uring_submit() is back. */
void floor_uring_add(void *uring, int fd, const u_char *p, size_t len,
    floor_uring_short_pt handler, void *data);
void floor_uring_submit(void *uring, floor_uring_short_pt handler, void *data);


#endif /* FLOOR_URING_H */
