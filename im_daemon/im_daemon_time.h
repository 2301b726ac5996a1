/*
 * Copyright (C) The im authors
 *
 * Time and randomness of the daemons.
 */

#ifndef IM_DAEMON_TIME_H
#define IM_DAEMON_TIME_H


#include <stddef.h>
#include <stdint.h>


/* Monotonic, in ms and in microseconds. */
uint64_t im_daemon_now(void);
uint64_t im_daemon_now_us(void);

void im_daemon_random(void *dst, size_t len);


#endif /* IM_DAEMON_TIME_H */
