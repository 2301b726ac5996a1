/*
 * Copyright (C) The im authors
 *
 * What waits in the queues, and which im_job process has each of them.
 */

#ifndef IM_LOGIC_QUEUES_H
#define IM_LOGIC_QUEUES_H


#include "im_logic_request.h"


/* Of one partition.  owner is empty: no process has it. */
typedef struct {
    struct im_logic_queues_s  *queues;
    im_str_t                   owner;
    uint64_t                   length;
    uint64_t                   age;        /* of the oldest entry, ms */
    int                        away;       /* it can't be asked */
} im_logic_queue_t;


typedef struct im_logic_queues_s  im_logic_queues_t;

typedef void (*im_logic_queues_pt)(const im_logic_queues_t *queues,
    void *data);


/* Memory of the request. */
struct im_logic_queues_s {
    im_daemon_request_t  *r;
    im_logic_queues_pt    handler;
    void                 *data;
    im_logic_queue_t     *elts;       /* by partition */
    im_uint_t             n;
    im_uint_t             left;       /* replies to come */
    uint64_t              length;     /* of all */
    uint64_t              age;        /* of the oldest entry of all, ms */
};


/*
 * Asks for all partitions.  The handler is called once, maybe before this
 * returns; with NULL where there is no memory.
 */
void im_logic_queues(im_daemon_request_t *r, im_logic_queues_pt handler,
    void *data);


#endif /* IM_LOGIC_QUEUES_H */
