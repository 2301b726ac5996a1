/*
 * Copyright (C) The im authors
 *
 * Which workers live, as the registry says now and then.
 *
 * A worker has a lease before it has a route.  So a reader of routes that finds
 * a worker which the list doesn't have waits for a later list: the worker may
 * be a new one, and have sessions that others had before.  What no later list
 * has either is dead, and is not asked for again.
 */

#ifndef IM_LINK_LIVING_H
#define IM_LINK_LIVING_H


#include "im_link.h"


#define IM_LINK_STRANGERS  64


/* Workers, the older ones first; one block. */
typedef struct {
    im_uint_t           refs;
    im_uint_t           n;
    im_str_t            elts[1];
} im_link_names_t;


/* A worker that a list didn't have. */
typedef struct {
    uint64_t            hash;     /* of its name; 0: none */
    uint64_t            list;     /* the first one that was asked for then */
} im_link_stranger_t;


typedef struct {
    im_link_t          *link;
    im_link_names_t    *names;    /* or NULL */
    uint64_t            at;       /* when these were asked for, ms */
    uint64_t            out_at;   /* when those that are asked for were */
    uint64_t            asked;    /* lists that were asked for here */
    uint64_t            lists;    /* and have been answered */
    int                 given;    /* the caller polls them */
    im_uint_t           next;     /* of strangers */
    im_link_stranger_t  strangers[IM_LINK_STRANGERS];
    void              (*handler)(void *data);
    void               *data;
} im_link_living_t;


/* The handler is called with each list that was asked for here. */
void im_link_living_init(im_link_living_t *living, im_link_t *link,
    void (*handler)(void *data), void *data);
void im_link_living_cleanup(im_link_living_t *living);

/* The reply of live.lua about workers, from a caller that polls it. */
void im_link_living_given(im_link_living_t *living,
    const im_link_reply_t *reply);

/*
 * Workers are known, by a list that is younger than age; one of a caller that
 * polls is young.
 */
int im_link_living_known(const im_link_living_t *living, uint64_t now,
    uint64_t age);

/* A list is asked for. */
#define im_link_living_out(living)  ((living)->asked > (living)->lists)

/* Asks for a list, unless one is out.  IM_ERROR: its handler isn't called. */
im_int_t im_link_living_ask(im_link_living_t *living, uint64_t now);

int im_link_living_has(const im_link_living_t *living, im_str_t worker);

/*
 * A worker that the list doesn't have was found by a call that was sent when
 * so many lists had been answered: the number of the list to wait for, or 0:
 * it is dead.
 */
uint64_t im_link_living_stranger(im_link_living_t *living, im_str_t worker,
    uint64_t lists);

/*
 * Of each step'th string of a reply those that live (among NULL: all).  NULL:
 * no memory, or it is no array.
 */
im_link_names_t *im_link_names_create(const im_link_reply_t *reply,
    im_uint_t step, const im_link_living_t *among);
void im_link_names_unref(im_link_names_t *names);
int im_link_names_have(const im_link_names_t *names, im_str_t name);


#endif /* IM_LINK_LIVING_H */
