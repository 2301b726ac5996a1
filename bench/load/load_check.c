/*
 * Copyright (C) The im authors
 *
 * Is each message received once and in order?  What was passed over is in a
 * hash table with linear probing, which exists only once there is a gap.
 */

#include <stdlib.h>
#include <string.h>

#include "load_check.h"


#define LOAD_CHECK_FIRST_SIZE  1024
#define LOAD_CHECK_REMOVED     UINT32_MAX

/* of a stream's next message */
#define LOAD_CHECK_ENDED       UINT32_MAX
#define LOAD_CHECK_ANY         (UINT32_MAX - 1)


int
load_check_init(load_check_t *c, uint32_t nstreams)
{
    memset(c, 0, sizeof(load_check_t));

    c->next = calloc(nstreams != 0 ? nstreams : 1, sizeof(uint32_t));
    c->nstreams = nstreams;

    return c->next == NULL ? -1 : 0;
}


void
load_check_cleanup(load_check_t *c)
{
    free(c->next);
    free(c->gaps);
    c->next = NULL;
    c->gaps = NULL;
}


static uint32_t
load_check_hash(uint32_t stream, uint32_t seq)
{
    uint64_t  h;

    h = ((uint64_t) stream << 32 | seq) * 0x9e3779b97f4a7c15ULL;

    return (uint32_t) (h >> 32);
}


static load_gap_t *
load_check_find(const load_check_t *c, uint32_t stream, uint32_t seq)
{
    uint32_t  i;

    if (c->size == 0) {
        return NULL;
    }

    for (i = load_check_hash(stream, seq) & (c->size - 1);
         c->gaps[i].seq != 0;
         i = (i + 1) & (c->size - 1))
    {
        if (c->gaps[i].stream == stream && c->gaps[i].seq == seq + 1) {
            return &c->gaps[i];
        }
    }

    return NULL;
}


static void
load_check_put(load_gap_t *gaps, uint32_t size, uint32_t stream, uint32_t seq)
{
    uint32_t  i;

    i = load_check_hash(stream, seq) & (size - 1);

    while (gaps[i].seq != 0) {
        i = (i + 1) & (size - 1);
    }

    gaps[i].stream = stream;
    gaps[i].seq = seq + 1;
}


/* At most half of the table is in use. */
static int
load_check_grow(load_check_t *c)
{
    uint32_t     i, size;
    load_gap_t  *gaps;

    if (c->ngaps == LOAD_CHECK_MAX_GAPS) {
        return -1;
    }

    if (c->used < c->size / 2) {
        return 0;
    }

    size = c->size == 0 ? LOAD_CHECK_FIRST_SIZE : c->size;

    while (c->ngaps >= size / 4) {
        size *= 2;
    }

    gaps = calloc(size, sizeof(load_gap_t));
    if (gaps == NULL) {
        return -1;
    }

    for (i = 0; i < c->size; i++) {
        if (c->gaps[i].seq != 0 && c->gaps[i].seq != LOAD_CHECK_REMOVED) {
            load_check_put(gaps, size, c->gaps[i].stream, c->gaps[i].seq - 1);
        }
    }

    free(c->gaps);
    c->gaps = gaps;
    c->size = size;
    c->used = c->ngaps;

    return 0;
}


static void
load_check_pass(load_check_t *c, uint32_t stream, uint32_t seq)
{
    c->lost++;

    if (load_check_grow(c) != 0) {
        c->untracked++;
        return;
    }

    load_check_put(c->gaps, c->size, stream, seq);
    c->ngaps++;
    c->used++;
}


load_check_e
load_check_received(load_check_t *c, uint32_t stream, uint32_t seq)
{
    uint32_t    *next;
    load_gap_t  *gap;

    next = &c->next[stream];

    if (*next == LOAD_CHECK_ANY) {
        *next = seq;
    }

    if (seq >= *next) {
        while (*next < seq) {
            load_check_pass(c, stream, (*next)++);
        }

        *next = seq + 1;

        return LOAD_CHECK_FIRST;
    }

    gap = load_check_find(c, stream, seq);

    if (gap == NULL) {
        if (c->untracked != 0) {
            c->unknown++;

        } else {
            c->duplicated++;
        }

        return LOAD_CHECK_AGAIN;
    }

    gap->seq = LOAD_CHECK_REMOVED;
    c->ngaps--;
    c->lost--;
    c->reordered++;

    return LOAD_CHECK_FIRST;
}


void
load_check_end(load_check_t *c, uint32_t stream, uint32_t count)
{
    if (count > c->next[stream]) {
        c->lost += count - c->next[stream];
        c->next[stream] = count;
    }
}


void
load_check_begin(load_check_t *c, uint32_t stream)
{
    c->next[stream] = LOAD_CHECK_ANY;
}


void
load_check_forget(load_check_t *c, uint32_t stream)
{
    c->next[stream] = LOAD_CHECK_ENDED;
}


int
load_check_misses(const load_check_t *c, uint32_t stream, uint32_t seq)
{
    return seq >= c->next[stream]
           || load_check_find(c, stream, seq) != NULL;
}
