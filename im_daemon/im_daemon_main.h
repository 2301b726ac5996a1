/*
 * Copyright (C) The im authors
 *
 * What a daemon does from its start to its end: command line, file, test of
 * both, the loop, the status.
 */

#ifndef IM_DAEMON_MAIN_H
#define IM_DAEMON_MAIN_H


#include "im_daemon_option.h"


/* conf is zeroed before.  Functions log their faults. */
typedef struct {
    const char                *name;
    const char                *purpose;      /* for --help */
    const im_daemon_option_t  *options;
    void                      *conf;

    /* Options that don't go together, files that are named.  Opens nothing. */
    im_int_t                 (*check)(void *conf);

    /* Until it was ended by a signal. */
    im_int_t                 (*run)(void *conf);

    /* run() does one thing and ends by itself; the log says nothing of it */
    unsigned                   tool:1;
} im_daemon_program_t;


/*
 * The status of main(): 0 it was ended, 1 it failed, 2 an option or the file
 * can't be right.
 */
int im_daemon_main(const im_daemon_program_t *program, int argc, char **argv);


#endif /* IM_DAEMON_MAIN_H */
