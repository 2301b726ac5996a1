/*
 * Copyright (C) The im authors
 *
 * An intrusive hash table of objects that have a name (bytes).
 *
 * SipHash-2-4 under a seed of the caller's, since names come from outside.
 * It grows by doubling, a few buckets with each call, so that no call stalls.
 * Objects are owned by the caller; the table holds links only.
 */

#ifndef IM_HASH_H
#define IM_HASH_H


#include "im_types.h"


typedef struct im_hash_node_s  im_hash_node_t;

struct im_hash_node_s {
    im_hash_node_t  *next;
    uint64_t         hash;
};


/* The name of the object that a node is embedded in. */
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

/* Frees the table; the objects are the caller's to free first. */
void im_hash_cleanup(im_hash_t *h);

/* NULL: not there. */
im_hash_node_t *im_hash_find(im_hash_t *h, im_str_t name);

/*
 * The caller has made sure that the name is not there.  Cannot fail: where
 * memory for growing is missing, chains become longer and it is tried again.
 */
void im_hash_add(im_hash_t *h, im_hash_node_t *node);

/* The node must be in the table. */
void im_hash_remove(im_hash_t *h, im_hash_node_t *node);

/*
 * Walks all objects in no order; fn must not add or remove, but it may free the
 * objects if im_hash_cleanup() is what comes next.  A fn result other than
 * IM_OK ends the walk and is returned.
 */
im_int_t im_hash_each(im_hash_t *h,
    im_int_t (*fn)(im_hash_node_t *node, void *data), void *data);

/* SipHash-2-4 (Aumasson, Bernstein, 2012). */
uint64_t im_siphash(const uint64_t seed[2], const void *data, size_t len);


#endif /* IM_HASH_H */
