/*
 * Copyright (C) The im authors
 *
 * The allocator of unit tests, in the place of im_core/im_alloc.c: it counts,
 * and fails on demand.  It fills all memory with 0xa5, except im_calloc()'s.
 */

#ifndef ALLOC_H
#define ALLOC_H


#include <stddef.h>


/* 1: the next allocation fails, 2: the one after it, ...; 0: none does. */
void alloc_fail_at(unsigned long n);

/* Every allocation fails from now on, until alloc_fail_at(0). */
void alloc_fail_all(void);

/* True once an allocation has been refused since the last of these two. */
int alloc_failed(void);

/* Allocations up to now; those that were not freed. */
unsigned long alloc_count(void);
unsigned long alloc_live(void);

/* cmocka's setup and teardown: a test that leaks fails, saying how much. */
int alloc_setup(void **state);
int alloc_teardown(void **state);


/* A row of a table of tests with both. */
#define alloc_test(fn)                                                        \
    cmocka_unit_test_setup_teardown(fn, alloc_setup, alloc_teardown)


#endif /* ALLOC_H */
