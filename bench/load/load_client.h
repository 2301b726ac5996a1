/*
 * Copyright (C) The im authors
 *
 * A client: it connects, joins and receives.  It is a number; what came of a
 * frame that isn't complete is all that it has besides.
 */

#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H


#include "load_check.h"
#include "load_loop.h"
#include "load_shared.h"


typedef enum {
    LOAD_CLIENT_NEW = 0,
    LOAD_CLIENT_CONNECTING,
    LOAD_CLIENT_HANDSHAKE,          /* asked for */
    LOAD_CLIENT_JOINING,
    LOAD_CLIENT_OPEN,
    LOAD_CLIENT_STALLED,            /* joined, and reads nothing */
    LOAD_CLIENT_COLLECTED,          /* had stopped, and reads again */
    LOAD_CLIENT_ENDED
} load_client_e;


typedef struct {
    size_t  len;
    u_char  data[];
} load_rest_t;


typedef struct {
    int           fd;
    uint32_t      topic;
    union {
        uint32_t  began;            /* us after the connects began */
        uint32_t  order;            /* once joined: a hash of what came */
    } u;
    uint32_t      heard;            /* us, as began: its last message; or 0 */
    uint8_t       state;            /* load_client_e */
    uint8_t       greeted;
    uint8_t       hasty;            /* it ends before it has joined */
    load_rest_t  *rest;
} load_client_t;


typedef struct {
    load_loop_t           *loop;
    const load_options_t  *options;
    load_shared_t         *shared;
    load_block_t          *block;
    load_counts_t         *counts;      /* those of the phase */
    load_client_t         *clients;
    load_check_t           check;
    uint32_t               n;           /* and one more: the probe */
    uint32_t               first;       /* its number among all clients */
    uint32_t               next;        /* to connect */
    uint32_t               under_way;   /* handshakes */
    uint32_t               stalled;     /* now reading or not */
    uint32_t               run;         /* of whose messages it takes notice */
    unsigned               churns;      /* clients come and go */
    unsigned               completed;   /* in this turn, messages */
    uint64_t               foreign;     /* messages of another run, or room */
    uint64_t               heard;       /* ns: a byte came */
    uint32_t              began;       /* us: the phase, here */
    /* the probe has a message */
    void                 (*probed)(void *data, const load_marker_t *m,
                                   uint64_t now);
    void                  *data;
    u_char                *input;
    size_t                 size;
} load_clients_t;


/* It begins to connect. */
void load_client_connect(load_clients_t *c, load_client_t *cl, uint64_t now);

/* It ends by itself, in order or without a word. */
void load_client_end(load_clients_t *c, load_client_t *cl, int in_order);

/* us after the connects began. */
uint32_t load_client_us(const load_clients_t *c, uint64_t now);

/* Of load_loop_t: an event of a client. */
void load_client_handler(void *data, uint32_t number, uint32_t events);


#endif /* LOAD_CLIENT_H */
