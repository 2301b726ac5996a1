/*
 * Copyright (C) The im authors
 *
 * A connection over which requests go, one at a time.  It is opened again where
 * the server has ended it between two requests.
 */

#ifndef LOAD_HTTP_H
#define LOAD_HTTP_H


#include <netinet/in.h>

#include "im_buf.h"
#include "load_loop.h"


typedef struct load_http_s  load_http_t;

struct load_http_s {
    load_event_t               event;
    load_loop_t               *loop;
    const struct sockaddr_in  *server;
    int                        fd;          /* -1: none */
    unsigned                   number;      /* the caller's */
    unsigned                   busy;        /* a request is under way */
    uint64_t                   sent;        /* ns: it was written */
    im_buf_t                   answer;
    /* status 0: there was no answer; error says why */
    void                     (*answered)(load_http_t *h, unsigned status,
                                         im_str_t body);
    void                      *data;
    const char                *error;
};


void load_http_init(load_http_t *h, load_loop_t *loop,
    const struct sockaddr_in *server);
void load_http_cleanup(load_http_t *h);

/* Connects, unless it has; in at most 5 s.  -1: h->error says why. */
int load_http_open(load_http_t *h);

/* -1: not written; h->error says why, and there is no other answer. */
int load_http_send(load_http_t *h, im_str_t request);

/* Appends the head of a POST with a body of that length. */
void load_http_head(im_buf_t *b, im_str_t path, const char *key,
    const char *value, size_t length);


#endif /* LOAD_HTTP_H */
