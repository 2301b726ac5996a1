/*
 * Copyright (C) The im authors
 *
 * Entries merged by worker: hundreds of messages become one publish each.
 *
 * A batch is of a partition, or of all partitions where these are on one
 * server.  A publish takes the channel of its first entry's partition: a worker
 * reads all of its channels there in the order in which they were published.
 */

#ifndef IM_JOB_BATCH_H
#define IM_JOB_BATCH_H


#include "im_types.h"
#include "im_hash.h"
#include "im_list.h"
#include "im_push.h"


typedef struct {
    im_hash_t   targets;     /* that take more, by worker */
    im_list_t   order;       /* of all, by their first entry */
    im_uint_t   n;
    im_uint_t   out;         /* publishes that are not answered: the caller's */
} im_job_batch_t;


/* worker "" stands for all.  Not IM_OK: the batch keeps the bytes for later. */
typedef im_int_t (*im_job_publish_pt)(void *data, uint16_t p, im_str_t worker,
    im_str_t bytes);


/* IM_ERROR: no memory. */
im_int_t im_job_batch_init(im_job_batch_t *b, const uint64_t seed[2]);
void im_job_batch_cleanup(im_job_batch_t *b);
void im_job_batch_clear(im_job_batch_t *b);

/*
 * Adds an entry of partition p for each of the workers (names with spaces
 * between), or one for all where workers is "*" or the topic b.  IM_ERROR: no
 * memory, and some of the workers may have it.
 */
im_int_t im_job_batch_add(im_job_batch_t *b, uint16_t p, im_str_t workers,
    const im_entry_t *e);

/* Publishes all, in order, until publish returns something else than IM_OK. */
im_int_t im_job_batch_flush(im_job_batch_t *b, im_job_publish_pt publish,
    void *data);


#endif /* IM_JOB_BATCH_H */
