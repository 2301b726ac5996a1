/*
 * Copyright (C) The im authors
 *
 * Intrusive doubly linked lists: a head is a link that points to itself when
 * the list is empty.  All operations are O(1) and cannot fail.
 */

#ifndef IM_LIST_H
#define IM_LIST_H


#include "im_types.h"


typedef struct im_list_s  im_list_t;

struct im_list_s {
    im_list_t  *prev;
    im_list_t  *next;
};


#define im_list_data(q, type, member)                                         \
    ((type *) ((u_char *) (q) - offsetof(type, member)))

#define im_list_first(h)     ((h)->next)
#define im_list_last(h)      ((h)->prev)
#define im_list_next(q)      ((q)->next)
#define im_list_sentinel(h)  (h)

/* The body must not remove q; to do so, walk with a copy of its next. */
#define im_list_each(q, h)                                                    \
    for (q = im_list_first(h); q != im_list_sentinel(h); q = im_list_next(q))


static inline void
im_list_init(im_list_t *h)
{
    h->prev = h;
    h->next = h;
}


static inline int
im_list_empty(const im_list_t *h)
{
    return h->next == h;
}


static inline void
im_list_insert_head(im_list_t *h, im_list_t *q)
{
    q->next = h->next;
    q->prev = h;
    h->next->prev = q;
    h->next = q;
}


static inline void
im_list_insert_tail(im_list_t *h, im_list_t *q)
{
    q->prev = h->prev;
    q->next = h;
    h->prev->next = q;
    h->prev = q;
}


/* Leaves q pointing to itself, so that removing it again is harmless. */
static inline void
im_list_remove(im_list_t *q)
{
    q->prev->next = q->next;
    q->next->prev = q->prev;
    im_list_init(q);
}


/* Moves all of src behind the last of dst; src is empty then. */
static inline void
im_list_splice(im_list_t *dst, im_list_t *src)
{
    if (im_list_empty(src)) {
        return;
    }

    src->next->prev = dst->prev;
    dst->prev->next = src->next;
    src->prev->next = dst;
    dst->prev = src->prev;

    im_list_init(src);
}


#endif /* IM_LIST_H */
