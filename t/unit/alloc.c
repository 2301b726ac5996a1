/*
 * Copyright (C) The im authors
 *
 * The allocator of unit tests.
 */

#include <stdio.h>
#include <stdlib.h>

#include "im_types.h"
#include "alloc.h"


#define ALLOC_FILL  0xa5


static unsigned long  alloc_nasked;
static unsigned long  alloc_nlive;     /* a thread may free too */
static unsigned long  alloc_fail;      /* counts down to 1 */
static int            alloc_all;
static int            alloc_refused;


static int
alloc_refuse(void)
{
    alloc_nasked++;

    if (alloc_all || (alloc_fail != 0 && --alloc_fail == 0)) {
        alloc_refused = 1;
        return 1;
    }

    return 0;
}


void *
im_alloc(size_t size)
{
    void  *p;

    if (alloc_refuse()) {
        return NULL;
    }

    p = malloc(size);

    if (p != NULL) {
        (void) __atomic_add_fetch(&alloc_nlive, 1, __ATOMIC_RELAXED);
        memset(p, ALLOC_FILL, size);
    }

    return p;
}


void *
im_calloc(size_t size)
{
    void  *p;

    if (alloc_refuse()) {
        return NULL;
    }

    p = calloc(1, size);

    if (p != NULL) {
        (void) __atomic_add_fetch(&alloc_nlive, 1, __ATOMIC_RELAXED);
    }

    return p;
}


/* Always to another place, so that a pointer kept to the old one shows. */
void *
im_realloc(void *p, size_t size)
{
    void  *moved, *grown;

    if (p == NULL) {
        return im_alloc(size);
    }

    if (alloc_refuse()) {
        return NULL;
    }

    grown = realloc(p, size);
    if (grown == NULL) {
        return NULL;
    }

    moved = malloc(size);
    if (moved == NULL) {
        return grown;
    }

    memcpy(moved, grown, size);
    free(grown);

    return moved;
}


void
im_free(void *p)
{
    if (p != NULL) {
        (void) __atomic_sub_fetch(&alloc_nlive, 1, __ATOMIC_RELAXED);
        free(p);
    }
}


void
alloc_fail_at(unsigned long n)
{
    alloc_fail = n;
    alloc_all = 0;
    alloc_refused = 0;
}


void
alloc_fail_all(void)
{
    alloc_fail = 0;
    alloc_all = 1;
    alloc_refused = 0;
}


int
alloc_failed(void)
{
    return alloc_refused;
}


unsigned long
alloc_count(void)
{
    return alloc_nasked;
}


unsigned long
alloc_live(void)
{
    return __atomic_load_n(&alloc_nlive, __ATOMIC_RELAXED);
}


int
alloc_setup(void **state)
{
    (void) state;

    alloc_nasked = 0;
    alloc_nlive = 0;
    alloc_fail_at(0);

    return 0;
}


int
alloc_teardown(void **state)
{
    (void) state;

    alloc_fail_at(0);

    if (alloc_nlive != 0) {
        fprintf(stderr, "# %lu allocations were not freed\n", alloc_nlive);
        return -1;
    }

    return 0;
}
