/*
 * Copyright (C) The im authors
 *
 * The publisher: messages to all topics in turn, over connections of its own.
 * In a closed loop so many messages at most are under way, published and not
 * received by all followers; an open loop publishes at a rate.  A connection
 * publishes in one topic at a time and numbers its messages there.
 */

#ifndef LOAD_PUBLISH_H
#define LOAD_PUBLISH_H


#include "load_http.h"
#include "load_shared.h"


typedef enum {
    LOAD_PUBLISH_OFF = 0,
    LOAD_PUBLISH_ON,
    LOAD_PUBLISH_DRAIN              /* what is under way, and no more */
} load_publish_e;


typedef struct {
    uint64_t     published;
    uint64_t     refused;
    uint64_t     unanswered;
    uint64_t     incomplete;        /* given up: not all followers had it */
    load_hist_t  accept;
} load_published_t;


typedef struct {
    load_http_t  http;
    uint32_t     topic;             /* of the message under way, or the next */
    uint32_t     lane;
    uint32_t     slot;
} load_publishing_t;


typedef struct {
    const load_options_t  *options;
    load_shared_t         *shared;
    load_publish_e         state;
    load_publishing_t     *connections;
    uint32_t              *idle;    /* a ring of their numbers */
    uint32_t               first;
    uint32_t               nidle;
    uint64_t               began;   /* of the open loop */
    uint64_t               due;     /* its next message's number */
    uint64_t               looked;  /* for messages to give up */
    uint32_t               released;    /* no longer under way, and not
                                           completed */
    load_published_t       counts;
    char                   error[LOAD_ERROR_SIZE];
} load_publisher_t;


/* -1: errno says why. */
int load_publisher_init(load_publisher_t *p, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared);

/* Connects, so that it costs nothing later. */
void load_publisher_open(load_publisher_t *p);

void load_publisher_start(load_publisher_t *p, uint64_t now);
void load_publisher_stop(load_publisher_t *p);

/* Publishes what is due; when to call it again, ns. */
uint64_t load_publisher_tick(load_publisher_t *p, uint64_t now);

/* Nothing is under way. */
int load_publisher_done(const load_publisher_t *p);

/* Publishes a message; for the probe, too.  -1: http->error says why not. */
int load_publish_send(const load_options_t *o, load_http_t *http,
    const load_marker_t *m);

/* The first words of an answer, as an error. */
void load_publish_error(char *error, const load_http_t *h, unsigned status,
    im_str_t body);


#endif /* LOAD_PUBLISH_H */
