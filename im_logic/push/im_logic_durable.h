/*
 * Copyright (C) The im authors
 *
 * Durable pushes: links of their own, whose connections WAIT for replicas.
 *
 * A partition has one of the links, so pushes to a topic keep their order.
 */

#ifndef IM_LOGIC_DURABLE_H
#define IM_LOGIC_DURABLE_H


#include "im_list.h"
#include "im_logic.h"


/* A partition has the link of its number, modulo this. */
#define IM_DURABLE_LINKS  2

/* Code of an answer: its first three digits are the HTTP status. */
#define IM_LOGIC_UNCONFIRMED  5031


/* why is NULL: the link may be ready now, or another one; else it is not. */
typedef void (*im_logic_durable_pt)(const char *why, void *data);


/* The caller's, until the handler is called. */
typedef struct {
    im_list_t            link;
    uint64_t             since;      /* ms; 0: it has not waited yet */
    im_logic_durable_pt  handler;
    void                *data;
} im_logic_durable_wait_t;


/* IM_ERROR: no value of durability. */
im_int_t im_logic_durable_decode(im_str_t value, int *durable);

/* NULL: good; else what is wrong with the value of an option. */
const char *im_logic_durable_check(const char *value);

/* Opens the links where all pushes are durable.  IM_ERROR: no memory. */
im_int_t im_logic_durable_init(im_logic_t *logic);
void im_logic_durable_cleanup(im_logic_t *logic);

/* About each second. */
void im_logic_durable_tick(im_logic_t *logic, uint64_t now);

/*
 * The link by which a durable push to a partition goes, opened if need be.
 * NULL: it isn't ready, and w->handler will be called, perhaps before this
 * returns.
 */
im_link_t *im_logic_durable_link(im_logic_t *logic, im_uint_t partition,
    im_logic_durable_wait_t *w);

/* A push wasn't accepted, or (why is NULL) it was: for the log. */
void im_logic_durable_log(im_logic_t *logic, const char *why);


#endif /* IM_LOGIC_DURABLE_H */
