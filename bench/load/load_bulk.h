/*
 * Copyright (C) The im authors
 *
 * One caller that pushes to very many users at once, again and again.  Nobody
 * follows them: it is what other pushes have to bear.
 */

#ifndef LOAD_BULK_H
#define LOAD_BULK_H


#include "load_http.h"
#include "load_shared.h"


typedef struct {
    load_http_t  http;
    im_buf_t     request;
    unsigned     running;
    uint64_t     calls;
    uint64_t     refused;
    load_hist_t  us;
    char         error[LOAD_ERROR_SIZE];
} load_bulk_t;


void load_bulk_init(load_bulk_t *bulk, load_loop_t *loop,
    const load_options_t *options);
void load_bulk_start(load_bulk_t *bulk);
void load_bulk_stop(load_bulk_t *bulk);


#endif /* LOAD_BULK_H */
