/*
 * Copyright (C) The im authors
 *
 * Is each message received once and in order?  A stream is what one client gets
 * of one publishing connection in one room; its messages are numbered from 0
 * on.  A stream costs four bytes: the number that comes next.  What was passed
 * over is remembered apart, so that a message that comes late is told from one
 * that comes twice.
 */

#ifndef LOAD_CHECK_H
#define LOAD_CHECK_H


#include <stdint.h>


/* so many passed over at a time are remembered */
#define LOAD_CHECK_MAX_GAPS  (1024 * 1024)


typedef enum {
    LOAD_CHECK_FIRST = 0,           /* received for the first time */
    LOAD_CHECK_AGAIN
} load_check_e;


typedef struct {
    uint32_t  stream;
    uint32_t  seq;
} load_gap_t;


typedef struct {
    uint32_t    *next;              /* of each stream */
    uint32_t     nstreams;
    load_gap_t  *gaps;              /* an open table; seq + 1, 0 is free */
    uint32_t     size;              /* a power of two, or 0 */
    uint32_t     ngaps;
    uint32_t     used;              /* and what was removed */
    uint64_t     lost;              /* passed over, and not here until now */
    uint64_t     duplicated;
    uint64_t     reordered;         /* came behind a later one */
    uint64_t     untracked;         /* passed over: the table was full */
    uint64_t     unknown;           /* twice, or late of those */
} load_check_t;


/* -1: no memory. */
int load_check_init(load_check_t *c, uint32_t nstreams);
void load_check_cleanup(load_check_t *c);

/* Message seq of the stream is here. */
load_check_e load_check_received(load_check_t *c, uint32_t stream,
    uint32_t seq);

/* Nothing more comes; the stream had so many messages. */
void load_check_end(load_check_t *c, uint32_t stream, uint32_t count);

/* The stream begins anew, with whatever message comes first. */
void load_check_begin(load_check_t *c, uint32_t stream);

/* The stream ends before the others: what it hasn't got isn't lost. */
void load_check_forget(load_check_t *c, uint32_t stream);

/* Is it not here yet? */
int load_check_misses(const load_check_t *c, uint32_t stream, uint32_t seq);


#endif /* LOAD_CHECK_H */
