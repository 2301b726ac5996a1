/*
 * Copyright (C) The im authors
 *
 * The options of the load generator, and what follows from them.
 */

#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H


#include <netinet/in.h>
#include <stdint.h>

#include "load_proto.h"


#define LOAD_PROBE_LANES  8         /* publishing connections of the probe */
#define LOAD_MAX_OUTSTANDING  16384


typedef enum {
    LOAD_SPREAD_ROUND = 0,
    LOAD_SPREAD_BLOCK
} load_spread_e;


typedef struct {
    const char          *host;
    unsigned             port;
    unsigned             push_port;
    const char          *protocol;
    const char          *path;
    unsigned             clients;
    unsigned             processes;
    unsigned             rooms;
    const char          *prefix;
    const char          *spread_name;
    unsigned             users;
    const char          *jwt_secret;
    const char          *token;
    unsigned             rate;
    unsigned             parallel;
    unsigned             stalled;
    unsigned             churn;      /* a second */
    unsigned             rcvbuf;
    const char          *api_name;
    const char          *api_key;
    const char          *to_name;
    unsigned             outstanding;
    unsigned             push_rate;
    unsigned             connections;
    unsigned             size;
    unsigned             probe;
    unsigned             bulk;
    unsigned             measured_ms;
    unsigned             warm_ms;
    unsigned             connect_timeout;
    unsigned             drain;
    unsigned             spin;       /* us */
    unsigned             ungreeted;
    unsigned             wait;

    /* what follows */
    const load_proto_t  *proto;
    const load_api_t    *api;
    load_to_e            to;
    load_spread_e        spread;
    unsigned             topics;    /* rooms, users or one */
    unsigned             lanes;     /* publishing connections of a topic */
    struct sockaddr_in   server;
    struct sockaddr_in   push_server;
} load_options_t;


/*
 * 0: all is well; 1: it has printed the help; -1: it has printed what is wrong
 * and what to do.
 */
int load_options_parse(load_options_t *o, int argc, char **argv);

/* The clients of a process are those from its first to that of the next one. */
unsigned load_options_first(const load_options_t *o, unsigned process);

/* The room, the user and the topic of a client. */
unsigned load_options_room(const load_options_t *o, unsigned client);
unsigned load_options_user(const load_options_t *o, unsigned client);
unsigned load_options_topic(const load_options_t *o, unsigned client);
int load_options_stalled(const load_options_t *o, unsigned client);

/* Appends the name of a topic; o->topics is the probe's. */
void load_options_name(const load_options_t *o, im_buf_t *b, unsigned topic);

/* Appends the name of a room; o->rooms is the probe's. */
void load_options_room_name(const load_options_t *o, im_buf_t *b,
    unsigned room);


#endif /* LOAD_OPTIONS_H */
