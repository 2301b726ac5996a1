/*
 * Copyright (C) The im authors
 *
 * The load generator: very many WebSocket clients, a publisher, and an exact
 * check that each client got each message once and in order.  It prints a line
 * of JSON at each mark and a result.
 */

#include <signal.h>
#include <stdio.h>

#include "load_result.h"


static load_run_t  load_the_run;


int
main(int argc, char **argv)
{
    load_options_t  options;

    switch (load_options_parse(&options, argc, argv)) {

    case 0:
        break;

    case 1:
        return 0;

    default:
        return 2;
    }

    (void) signal(SIGPIPE, SIG_IGN);

    if (load_run(&load_the_run, &options) != 0) {
        return 2;
    }

    return load_result_print(&load_the_run) == 0 ? 0 : 1;
}
