/*
 * Copyright (C) The im authors
 *
 * Intrusive doubly linked lists of the objects of a slab: links are indexes of
 * 32 bits, so that a link takes half of im_list_t and a head a quarter.
 *
 * The objects of a list form a ring; its head is the index of the first one.
 * All operations are O(1) and cannot fail.  Other than im_list_t's, they need
 * the list that an object is in.
 */

#ifndef IM_RING_H
#define IM_RING_H


#include "im_types.h"
#include "im_slab.h"


/* A list. */
typedef struct {
    uint32_t  first;           /* IM_SLAB_NONE: it is empty */
} im_ring_t;


/* In an object; IM_SLAB_NONE both: it is in no list. */
typedef struct {
    uint32_t  prev;            /* of the first one: the last */
    uint32_t  next;            /* of the last one: the first */
} im_ring_link_t;


/* All lists through the same link of the objects of a slab. */
typedef struct {
    const im_slab_t  *slab;
    size_t            offset;  /* of the link in an object */
} im_rings_t;


static inline void
im_ring_init(im_ring_t *ring)
{
    ring->first = IM_SLAB_NONE;
}


static inline int
im_ring_empty(const im_ring_t *ring)
{
    return ring->first == IM_SLAB_NONE;
}


static inline void
im_ring_link_init(im_ring_link_t *link)
{
    link->prev = IM_SLAB_NONE;
    link->next = IM_SLAB_NONE;
}


/* The object is in a list. */
static inline int
im_ring_linked(const im_ring_link_t *link)
{
    return link->next != IM_SLAB_NONE;
}


static inline im_ring_link_t *
im_ring_link(const im_rings_t *rings, uint32_t index)
{
    return (im_ring_link_t *) ((u_char *) im_slab_object(rings->slab, index)
                               + rings->offset);
}


/* Behind the last one.  The object must be in no list. */
static inline void
im_ring_insert(const im_rings_t *rings, im_ring_t *ring, uint32_t index)
{
    im_ring_link_t  *link, *first;

    link = im_ring_link(rings, index);

    if (im_ring_empty(ring)) {
        link->prev = index;
        link->next = index;
        ring->first = index;
        return;
    }

    first = im_ring_link(rings, ring->first);

    link->prev = first->prev;
    link->next = ring->first;

    im_ring_link(rings, first->prev)->next = index;
    first->prev = index;
}


/* Before the first one. */
static inline void
im_ring_insert_head(const im_rings_t *rings, im_ring_t *ring, uint32_t index)
{
    im_ring_insert(rings, ring, index);
    ring->first = index;
}


/* The object must be in this list. */
static inline void
im_ring_remove(const im_rings_t *rings, im_ring_t *ring, uint32_t index)
{
    im_ring_link_t  *link;

    link = im_ring_link(rings, index);

    im_ring_link(rings, link->prev)->next = link->next;
    im_ring_link(rings, link->next)->prev = link->prev;

    if (ring->first == index) {
        ring->first = link->next == index ? IM_SLAB_NONE : link->next;
    }

    im_ring_link_init(link);
}


/* Moves all of src behind the last of dst; src is empty then. */
static inline void
im_ring_splice(const im_rings_t *rings, im_ring_t *dst, im_ring_t *src)
{
    uint32_t         last;
    im_ring_link_t  *to, *from;

    if (im_ring_empty(src)) {
        return;
    }

    if (im_ring_empty(dst)) {
        dst->first = src->first;
        im_ring_init(src);
        return;
    }

    to = im_ring_link(rings, dst->first);
    from = im_ring_link(rings, src->first);
    last = from->prev;

    im_ring_link(rings, to->prev)->next = src->first;
    im_ring_link(rings, last)->next = dst->first;

    from->prev = to->prev;
    to->prev = last;

    im_ring_init(src);
}


/* Moves the first one, which this link is of, behind the last one. */
static inline void
im_ring_rotate(im_ring_t *ring, const im_ring_link_t *link)
{
    ring->first = link->next;
}


/* The object behind this one, or IM_SLAB_NONE. */
static inline uint32_t
im_ring_next(const im_rings_t *rings, const im_ring_t *ring, uint32_t index)
{
    uint32_t  next;

    next = im_ring_link(rings, index)->next;

    return next != ring->first ? next : IM_SLAB_NONE;
}


#endif /* IM_RING_H */
