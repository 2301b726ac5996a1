/*
 * Copyright (C) The im authors
 *
 * Each process but the first: it has clients, and follows the phases.
 */

#ifndef LOAD_CHILD_H
#define LOAD_CHILD_H


#include "load_shared.h"


/* What the process returns to the system. */
int load_child_main(const load_options_t *options, load_shared_t *shared,
    unsigned process);


#endif /* LOAD_CHILD_H */
