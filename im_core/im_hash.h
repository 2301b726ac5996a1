/*
 * Copyright (C) The im authors
 *
 * An intrusive hash table of objects that have a name (bytes).
 *
 * Names come from outside, so they are hashed by SipHash-2-4 with a seed.
 * It grows by doubling, a few buckets with each call, so that no call stalls.
 * Objects are owned by the caller; the table holds links only.
 */

#ifndef IM_HASH_H
#define IM_HASH_H


#include "im_types.h"


typedef struct im_hash_node_s  im_hash_node_t;

struct im_hash_node_s {
    im_hash_node_t  *next;
};


/* Gives the name of the object that embeds the node. */
typedef im_str_t (*im_hash_name_pt)(const im_hash_node_t *node);


typedef struct {
    im_hash_node_t  **table;      /* table[size] */
    im_hash_node_t  **old;        /* being emptied into table, or NULL */
    size_t            size;       /* powers of two */
    size_t            old_size;
    size_t            moved;      /* buckets of old that are done */
    size_t            count;
    uint64_t          seed[2];
    im_hash_name_pt   name;
} im_hash_t;


/* IM_ERROR: no memory. */
im_int_t im_hash_init(im_hash_t *h, im_hash_name_pt name,
    const uint64_t seed[2]);

/* Frees the table; the caller has freed the objects. */
void im_hash_cleanup(im_hash_t *h);

/* NULL: not there. */
im_hash_node_t *im_hash_find(im_hash_t *h, im_str_t name);

/*
 * The name must not be in the table.  Cannot fail: without memory to grow, the
 * chains become longer, and a later call tries again.
 */
void im_hash_add(im_hash_t *h, im_hash_node_t *node);

/* The node must be in the table, with the name that it had. */
void im_hash_remove(im_hash_t *h, im_hash_node_t *node);

/*
 * Calls fn for each object, in no order.  fn must not add or remove objects; it
 * may free them if im_hash_cleanup() comes next.  A result other than IM_OK
 * ends the walk and is returned.
 */
im_int_t im_hash_each(im_hash_t *h,
    im_int_t (*fn)(im_hash_node_t *node, void *data), void *data);

/* SipHash-2-4 (Aumasson, Bernstein, 2012). */
uint64_t im_siphash(const uint64_t seed[2], const void *data, size_t len);


#endif /* IM_HASH_H */
