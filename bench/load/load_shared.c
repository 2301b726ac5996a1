/*
 * Copyright (C) The im authors
 *
 * What the processes of the load generator share: one anonymous mapping, made
 * before the first fork, and an eventfd for each process.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "load_shared.h"


static size_t
load_shared_part(size_t *size, size_t bytes)
{
    size_t  at;

    at = *size;
    *size = (at + bytes + 63) & ~(size_t) 63;

    return at;
}


static int
load_shared_wakes(load_shared_t *shared, const load_options_t *options)
{
    unsigned  i;

    shared->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shared->wake == -1) {
        return -1;
    }

    for (i = 1; i < options->processes; i++) {
        shared->wakes[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (shared->wakes[i] == -1) {
            return -1;
        }
    }

    return 0;
}


load_shared_t *
load_shared_create(const load_options_t *options)
{
    char           *p;
    size_t          size, blocks, followers, greeted, orders, seqs, slots;
    load_shared_t  *shared;

    size = 0;
    (void) load_shared_part(&size, sizeof(load_shared_t));
    blocks = load_shared_part(&size, options->processes * sizeof(load_block_t));
    followers = load_shared_part(&size, options->topics * sizeof(int32_t));
    greeted = load_shared_part(&size, options->topics * sizeof(int32_t));
    orders = load_shared_part(&size, options->topics * sizeof(uint64_t));
    seqs = load_shared_part(&size, (size_t) options->topics * options->lanes
                                   * sizeof(uint32_t));
    slots = load_shared_part(&size, LOAD_SLOTS * sizeof(load_slot_t));

    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
             -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }

    shared = (load_shared_t *) p;
    shared->run = (uint32_t) getpid() & 0xffff;
    shared->blocks = (load_block_t *) (p + blocks);
    shared->followers = (_Atomic int32_t *) (p + followers);
    shared->greeted = (_Atomic int32_t *) (p + greeted);
    shared->orders = (_Atomic uint64_t *) (p + orders);
    shared->seqs = (uint32_t *) (p + seqs);
    shared->slots = (load_slot_t *) (p + slots);

    return load_shared_wakes(shared, options) == 0 ? shared : NULL;
}


void
load_shared_phase(load_shared_t *shared, const load_options_t *options,
    load_phase_e phase)
{
    unsigned  i;
    uint64_t  one;

    one = 1;
    atomic_store(&shared->phase, phase);

    for (i = 1; i < options->processes; i++) {
        if (write(shared->wakes[i], &one, sizeof(one)) == -1) {
            continue;               /* it has been woken already */
        }
    }
}


void
load_shared_code(load_code_t *codes, uint32_t code, uint32_t count)
{
    unsigned  i;

    for (i = 0; i < LOAD_MAX_CODES - 1; i++) {
        if (codes[i].count == 0 || codes[i].code == code) {
            break;
        }
    }

    codes[i].code = code;
    codes[i].count += count;
}


void
load_shared_error(load_block_t *block, const char *format, ...)
{
    va_list  args;

    if (block->error[0] != '\0') {
        return;
    }

    va_start(args, format);
    (void) vsnprintf(block->error, sizeof(block->error), format, args);
    va_end(args);
}
