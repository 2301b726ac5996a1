/*
 * Copyright (C) The im authors
 *
 * Greetings: messages that don't count, to each topic again and again until
 * each follower has got one.  Some protocols don't tell when a client has
 * joined, and none tells it of inboxes and of the broadcast.
 */

#ifndef LOAD_GREET_H
#define LOAD_GREET_H


#include "load_http.h"
#include "load_shared.h"


#define LOAD_GREET_CONNECTIONS  16


typedef struct {
    const load_options_t  *options;
    load_shared_t         *shared;
    load_http_t            http[LOAD_GREET_CONNECTIONS];
    uint32_t               topic;       /* the next one */
    uint64_t               round;       /* ns: the next round begins */
    unsigned               running;
    unsigned               refused;     /* no use to go on */
} load_greet_t;


void load_greet_init(load_greet_t *g, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared);
void load_greet_start(load_greet_t *g);

/* Greets topics; when to call it again, ns. */
uint64_t load_greet_tick(load_greet_t *g, uint64_t now);

/* So many followers have got none. */
uint32_t load_greet_missing(const load_greet_t *g);

/* It has stopped, and each greeting was answered. */
void load_greet_stop(load_greet_t *g);
int load_greet_done(const load_greet_t *g);


#endif /* LOAD_GREET_H */
