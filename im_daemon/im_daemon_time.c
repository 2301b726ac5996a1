/*
 * Copyright (C) The im authors
 *
 * Time and randomness of the daemons.
 */

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "im_daemon_time.h"


uint64_t
im_daemon_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


uint64_t
im_daemon_now_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


void
im_daemon_random(void *dst, size_t len)
{
    /* up to 256 bytes are never cut short */
    if (getrandom(dst, len, 0) != (ssize_t) len) {
        abort();
    }
}
