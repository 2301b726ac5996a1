/*
 * Copyright (C) The im authors
 *
 * Objects of one size: a worker has many sessions and subscriptions.
 *
 * An object has no header.  Memory is allocated in blocks and not freed before
 * cleanup: the object of an index that was used once stays readable, so that a
 * stale handle can be told from a live one.
 */

#ifndef IM_SLAB_H
#define IM_SLAB_H


#include "im_types.h"


typedef struct {
    u_char   **blocks;
    size_t     nblocks;
    size_t     size;          /* of an object, rounded up to 8 */
    size_t     per_block;     /* a power of two: 1 << shift */
    uint32_t   shift;
    size_t     used;          /* objects in use */
    size_t     given;         /* indexes ever used: 0..given - 1 */
    uint32_t   free;          /* first free index, or IM_SLAB_NONE */
} im_slab_t;


#define IM_SLAB_NONE  ((uint32_t) -1)


/* per_block is rounded up to a power of two. */
void im_slab_init(im_slab_t *slab, size_t size, size_t per_block);
void im_slab_cleanup(im_slab_t *slab);

/*
 * Gives an object and its index.  NULL: no memory.  All bytes but the first 4
 * are as the last user left them (0 initially), so a generation kept behind
 * them survives a free.
 */
void *im_slab_alloc(im_slab_t *slab, uint32_t *index);

/* Overwrites the first 4 bytes of the object. */
void im_slab_free(im_slab_t *slab, uint32_t index);

/* The object of an index that was used. */
static inline void *
im_slab_object(const im_slab_t *slab, uint32_t index)
{
    return slab->blocks[index >> slab->shift]
           + (index & (slab->per_block - 1)) * slab->size;
}


/* Gives the object of an index, free or not; NULL: never used. */
void *im_slab_get(const im_slab_t *slab, uint32_t index);


#endif /* IM_SLAB_H */
