/*
 * Copyright (C) The im authors
 *
 * The options of the floor.
 */

#ifndef FLOOR_OPTIONS_H
#define FLOOR_OPTIONS_H


#include "floor_send.h"


typedef struct {
    const char     *address;
    unsigned        port;
    unsigned        workers;
    unsigned        coalesced;
    unsigned        uring;
    unsigned        every[FLOOR_FAULT_SWAP + 1];    /* by fault */
    floor_fault_e   fault;
} floor_options_t;


/* Ends the process: says what is wrong and what to do. */
void floor_fault(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* Ends the process after --help, and where an option is wrong. */
void floor_options_parse(floor_options_t *o, int argc, char **argv);


#endif /* FLOOR_OPTIONS_H */
