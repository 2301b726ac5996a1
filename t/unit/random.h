/*
 * Copyright (C) The im authors
 *
 * Random numbers for tests: the same ones for the same seed (xorshift64*).
 */

#ifndef RANDOM_H
#define RANDOM_H


#include <stdint.h>
#include <stdio.h>


typedef struct {
    uint64_t  state;
} random_t;


/* The seed is printed, so that a failure can be repeated. */
static inline void
random_init(random_t *r, uint64_t seed)
{
    printf("# seed %llu\n", (unsigned long long) seed);

    r->state = seed * 0x9e3779b97f4a7c15 + 1;
}


/* 0..n - 1 */
static inline uint32_t
random_below(random_t *r, uint32_t n)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;

    return (uint32_t) ((r->state * 0x2545f4914f6cdd1d) >> 33) % n;
}


#endif /* RANDOM_H */
