/*
 * Copyright (C) The im authors
 *
 * Threads for work that would hold up the loop: a bounded queue to them, and
 * back into the loop.
 */

#ifndef IM_LOGIC_POOL_H
#define IM_LOGIC_POOL_H


#include <event2/event.h>

#include "im_types.h"
#include "im_list.h"
#include "im_logic.h"


typedef struct im_logic_task_s  im_logic_task_t;


/* Part of the caller's object, which is the pool's until done is called. */
struct im_logic_task_s {
    im_list_t   link;
    void      (*work)(im_logic_task_t *task);   /* in a thread */
    void      (*done)(im_logic_task_t *task);   /* in the loop, once */
    uint64_t    owner;                          /* who it is for; 0: nobody */
    unsigned    dropped:1;                      /* the pool ended before it */
};


/* At most max tasks wait.  NULL: no memory or no thread. */
im_logic_pool_t *im_logic_pool_create(struct event_base *base,
    im_uint_t threads, im_uint_t max);

/* Waits for tasks that are at work; calls done for all. */
void im_logic_pool_destroy(im_logic_pool_t *pool);

/*
 * IM_DECLINED: the queue is full, or a quarter of it waits for this owner; done
 * won't be called.
 */
im_int_t im_logic_pool_add(im_logic_pool_t *pool, im_logic_task_t *task);


#endif /* IM_LOGIC_POOL_H */
