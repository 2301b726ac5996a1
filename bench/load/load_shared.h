/*
 * Copyright (C) The im authors
 *
 * What the processes of the load generator share: the phase, the messages under
 * way, and what each process has counted.
 */

#ifndef LOAD_SHARED_H
#define LOAD_SHARED_H


#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "load_hist.h"
#include "load_options.h"


#define LOAD_MAX_PROCESSES  256
#define LOAD_SLOTS          65536   /* messages under way, a power of two */
#define LOAD_MAX_CODES      16
#define LOAD_ERROR_SIZE     160


/* A process waits for the next one of these. */
typedef enum {
    LOAD_PHASE_START = 0,
    LOAD_PHASE_CONNECT,
    LOAD_PHASE_WARM,
    LOAD_PHASE_MEASURE,
    LOAD_PHASE_COLLECT,             /* those that had stopped read on */
    LOAD_PHASE_REPORT
} load_phase_e;


/* A message under way. */
typedef struct {
    _Atomic int32_t  left;          /* so many followers don't have it */
    uint32_t         topic;
    uint32_t         seq;
    uint32_t         lane;
    uint64_t         sent;          /* ns */
} load_slot_t;


typedef struct {
    uint32_t  code;                 /* of a close frame or an HTTP status */
    uint32_t  count;
} load_code_t;


/* What is measured in the warm phase and in the measured one, apart. */
typedef struct {
    uint64_t     deliveries;
    uint64_t     bytes;
    uint64_t     others;            /* that are no messages of this tool */
    load_hist_t  gap;               /* between two messages of a client */
    load_hist_t  delivery;
    load_hist_t  complete;          /* the last follower was here */
} load_counts_t;


/* Clients that come and go. */
typedef struct {
    uint64_t     came;              /* joined, after all had connected */
    uint64_t     left;              /* in order */
    uint64_t     cut;               /* joined, without a word */
    uint64_t     hasty;             /* before they had joined */
    uint64_t     failed;            /* to connect or to join */
    uint64_t     silent;            /* so long without a message */
} load_churned_t;


/* Of one process; it alone writes here. */
typedef struct {
    _Atomic uint32_t  ready;        /* joined */
    _Atomic uint32_t  failed;       /* not connected, or not joined */
    _Atomic uint32_t  closed;       /* ended after they were ready */
    _Atomic uint32_t  collected;    /* the stalled ones: to the end */
    _Atomic uint32_t  ended;        /* has reported */
    uint32_t          stalled_closed;
    uint32_t          stalled_open;
    uint64_t          memory;       /* bytes for its clients */
    uint64_t          connect_end;  /* ns: the last one was ready */
    uint64_t          lost;
    uint64_t          duplicated;
    uint64_t          reordered;
    uint64_t          other_order;  /* clients: another one than the first */
    uint64_t          unknown;
    uint64_t          foreign;      /* messages of another run or room */
    load_code_t       statuses[LOAD_MAX_CODES];
    load_code_t       codes[LOAD_MAX_CODES];
    load_code_t       stalled_codes[LOAD_MAX_CODES];
    load_hist_t       handshake;
    load_hist_t       joined;
    load_churned_t    churned;
    load_counts_t     warm;
    load_counts_t     measured;
    char              error[LOAD_ERROR_SIZE];
} load_block_t;


typedef struct {
    _Atomic uint32_t  phase;        /* load_phase_e */
    _Atomic uint32_t  completed;    /* messages that all followers have */
    _Atomic uint32_t  first_slot;   /* the oldest that may be under way */
    _Atomic uint32_t  next_slot;
    uint64_t          connect_begin;
    int               wake;         /* an eventfd: the first process */
    int               wakes[LOAD_MAX_PROCESSES];    /* the others */
    uint32_t          run;          /* 16 bits that messages carry */
    load_block_t     *blocks;       /* of each process */
    _Atomic int32_t  *followers;    /* of each topic */
    _Atomic int32_t  *greeted;      /* of them */
    _Atomic uint64_t *orders;       /* what its first follower got; or 0 */
    uint32_t         *seqs;         /* published in each lane of each topic */
    load_slot_t      *slots;
} load_shared_t;


/* NULL: no memory, or no descriptors; errno says why. */
load_shared_t *load_shared_create(const load_options_t *options);

/* Moves all processes to a phase. */
void load_shared_phase(load_shared_t *shared, const load_options_t *options,
    load_phase_e phase);

/* Counts one of a code in a table of LOAD_MAX_CODES. */
void load_shared_code(load_code_t *codes, uint32_t code, uint32_t count);

/* The first error is kept. */
void load_shared_error(load_block_t *block, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One follower has the message of a slot: 1 if it was the last one. */
static inline int
load_shared_received(load_shared_t *shared, load_slot_t *slot)
{
    if (atomic_fetch_sub(&slot->left, 1) != 1) {
        return 0;
    }

    atomic_fetch_add(&shared->completed, 1);

    return 1;
}


#endif /* LOAD_SHARED_H */
