/*
 * Copyright (C) The im authors
 *
 * An entry of a partition's queue, and the bell that rings for it
 * (redis/queue.lua).
 */

#ifndef IM_JOB_ENTRY_H
#define IM_JOB_ENTRY_H


#include "im_types.h"
#include "im_push.h"


/* A queue with this many entries does not ring. */
#define IM_JOB_RINGS  64


/* Of an entry: Redis gives them in rising order. */
typedef struct {
    uint64_t  ms;
    uint64_t  n;
} im_job_id_t;


/* All strings are borrowed. */
typedef struct {
    im_job_id_t  id;
    im_str_t     topic;
    im_str_t     position;       /* empty, or a mark: a control entry */
    im_str_t     workers;        /* with spaces between; "*" all */
    im_str_t     envelope;
} im_job_entry_t;


/* "ms-n".  IM_ERROR: malformed. */
im_int_t im_job_id_decode(im_str_t s, im_job_id_t *id);

/* Below 0, 0 or above 0. */
int im_job_id_compare(im_job_id_t a, im_job_id_t b);

/*
 * n is the length of the queue before the entry.  IM_OK, IM_AGAIN: only n and
 * the id are there, the entry is to be read; IM_ERROR: malformed.
 */
im_int_t im_job_bell_decode(im_str_t s, uint64_t *n, im_job_entry_t *e);

/* Takes the first name off names with spaces between; empty: there is none. */
im_str_t im_job_name_next(im_str_t *names);

/* What workers get of it.  IM_ERROR: no script of ours made the entry. */
im_int_t im_job_entry_push(const im_job_entry_t *e, im_entry_t *push);


#endif /* IM_JOB_ENTRY_H */
