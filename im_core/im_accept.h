/*
 * Copyright (C) The im authors
 *
 * Sets of operations that goim's clients accept.
 *
 * A set has a number, and sessions with the same operations share it: so a
 * message is framed and kept once for all of them.  The table is bounded, and a
 * set ends with its last reference.
 */

#ifndef IM_ACCEPT_H
#define IM_ACCEPT_H


#include "im_types.h"
#include "im_hash.h"


#define IM_ACCEPT_SETS  4096     /* of one table */
#define IM_ACCEPT_OPS   256      /* of one set */


typedef struct im_accept_set_s  im_accept_set_t;

typedef struct {
    im_hash_t          names;
    im_accept_set_t  **sets;     /* by number */
    uint32_t           size;     /* allocated */
    uint32_t           n;        /* in use */
} im_accepts_t;


/* IM_ERROR: no memory. */
im_int_t im_accepts_init(im_accepts_t *accepts, const uint64_t seed[2]);

/* Frees all sets, whatever references there are. */
void im_accepts_cleanup(im_accepts_t *accepts);

/*
 * A reference to the set of id (0: the empty one) with more operations, or
 * without them (add 0).  ops may have some twice.  0: no memory, or too many
 * sets or operations.
 */
uint16_t im_accepts_get(im_accepts_t *accepts, uint16_t id, const int32_t *ops,
    im_uint_t n, int add);

/* id may be 0. */
void im_accepts_unref(im_accepts_t *accepts, uint16_t id);

/* The operations of a set; id is a reference. */
const int32_t *im_accepts_ops(const im_accepts_t *accepts, uint16_t id,
    im_uint_t *n);

/* id is a reference. */
int im_accepts_has(const im_accepts_t *accepts, uint16_t id, int32_t op);


#endif /* IM_ACCEPT_H */
