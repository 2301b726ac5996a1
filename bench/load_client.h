/*
 * Copyright (C) The im authors
 *
 * The clients of a process: they connect, join and receive.  A client is a
 * number; what came of a frame that isn't complete is all that it has besides.
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
    uint8_t       state;            /* load_client_e */
    uint8_t       greeted;
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
    uint32_t               under_way;   /* connecting, joining */
    uint32_t               stalled;     /* now reading or not */
    uint32_t               run;         /* of whose messages it takes notice */
    unsigned               completed;   /* in this turn, messages */
    uint64_t               foreign;     /* messages of another run, or room */
    uint64_t               heard;       /* ns: a byte came */
    /* the probe has a message */
    void                 (*probed)(void *data, const load_marker_t *m,
                                   uint64_t now);
    void                  *data;
    u_char                *input;
    size_t                 size;
} load_clients_t;


/* Process 0 has the probe, too.  -1: errno says why. */
int load_clients_init(load_clients_t *c, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared, unsigned process);

/* Begins to connect what is due; when to call it again, ns. */
uint64_t load_clients_tick(load_clients_t *c, uint64_t now);

/* The probe connects; is it ready? */
void load_clients_probe(load_clients_t *c);
int load_clients_probe_ready(const load_clients_t *c);

/* Those that had stopped read again; have they got all? */
void load_clients_resume(load_clients_t *c);
int load_clients_resumed(load_clients_t *c, uint64_t now);

/* Counts what was lost and who is still there, in the block. */
void load_clients_report(load_clients_t *c);


#endif /* LOAD_CLIENT_H */
