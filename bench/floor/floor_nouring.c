/*
 * Copyright (C) The im authors
 *
 * In place of floor_uring.c where liburing is missing.
 */

#include "floor_uring.h"


void *
floor_uring_create(const char **error)
{
    *error = "built without io_uring; install liburing-dev and build again";

    return NULL;
}


void
floor_uring_add(void *uring, int fd, const u_char *p, size_t len,
    floor_uring_short_pt handler, void *data)
{
}


void
floor_uring_submit(void *uring, floor_uring_short_pt handler, void *data)
{
}
