/*
 * Copyright (C) The im authors
 *
 * The result of a run, as a line of JSON.
 */

#ifndef LOAD_RESULT_H
#define LOAD_RESULT_H


#include "load_run.h"


/* 0: all was as it should be. */
int load_result_print(load_run_t *run);


#endif /* LOAD_RESULT_H */
