/*
 * Copyright (C) The im authors
 *
 * What transports of fuzz targets have in common: a socket is a place for the
 * connection that uses it.  Each target has its own fuzz_connect().
 */

#ifndef FUZZ_TRANSPORT_H
#define FUZZ_TRANSPORT_H


#include <stdlib.h>

#include "im_link_transport.h"


#define FUZZ_LOG  4096               /* no line of the log is longer */


static void *fuzz_connect(void *data, im_link_conn_t *conn,
    const im_link_address_t *to, const char **why);


static uint64_t  fuzz_time;


static void
fuzz_close(void *socket)
{
    *(im_link_conn_t **) socket = NULL;
}


static void
fuzz_write(void *socket)
{
    if (*(im_link_conn_t **) socket == NULL) {
        abort();
    }
}


static void
fuzz_timer(void *data, im_uint_t ms)
{
    (void) data;

    if (ms == 0) {
        abort();
    }
}


static uint64_t
fuzz_now(void *data)
{
    (void) data;

    return fuzz_time;
}


static uint32_t
fuzz_random(void *data)
{
    (void) data;

    return 7;
}


static void
fuzz_log(void *data, im_link_log_e level, const char *text)
{
    (void) data;
    (void) level;

    if (strlen(text) > FUZZ_LOG) {
        abort();
    }
}


static const im_link_transport_t  fuzz_transport = {
    fuzz_connect, fuzz_close, fuzz_write, fuzz_timer, fuzz_now, fuzz_random,
    fuzz_log, NULL
};


#endif /* FUZZ_TRANSPORT_H */
