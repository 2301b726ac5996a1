/*
 * Copyright (C) The im authors
 *
 * Greetings.
 */

#include "load_greet.h"
#include "load_publish.h"


#define LOAD_GREET_LATER  (200 * LOAD_MILLISECOND)


static void
load_greet_answered(load_http_t *h, unsigned status, im_str_t body)
{
    load_greet_t  *g;

    g = h->data;

    if (status < 200 || status > 299) {
        g->refused |= status >= 400 && status < 500;
        load_publish_error(g->shared->blocks[0].error, h, status, body);
    }
}


void
load_greet_init(load_greet_t *g, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared)
{
    unsigned  i;

    memset(g, 0, sizeof(load_greet_t));
    g->options = options;
    g->shared = shared;

    for (i = 0; i < LOAD_GREET_CONNECTIONS; i++) {
        load_http_init(&g->http[i], loop, &options->push_server);
        g->http[i].answered = load_greet_answered;
        g->http[i].data = g;
    }
}


void
load_greet_start(load_greet_t *g)
{
    g->running = 1;
}


static int32_t
load_greet_left(const load_greet_t *g, uint32_t topic)
{
    return atomic_load(&g->shared->followers[topic])
           - atomic_load(&g->shared->greeted[topic]);
}


static void
load_greet_topic(load_greet_t *g, load_http_t *http, uint32_t topic)
{
    im_str_t       none;
    load_marker_t  m;

    memset(&m, 0, sizeof(m));
    m.slot = g->shared->run << 16;
    m.topic = topic;
    m.lane = LOAD_GREET_LANE;

    if (load_publish_send(g->options, http, &m) != 0) {
        none.len = 0;
        none.data = NULL;
        load_greet_answered(http, 0, none);
    }
}


uint64_t
load_greet_tick(load_greet_t *g, uint64_t now)
{
    unsigned  i;

    if (!g->running || now < g->round) {
        return g->running ? g->round : now + LOAD_GREET_LATER;
    }

    for (i = 0; i < LOAD_GREET_CONNECTIONS; i++) {
        if (g->http[i].busy) {
            continue;
        }

        while (g->topic < g->options->topics
               && load_greet_left(g, g->topic) <= 0)
        {
            g->topic++;
        }

        if (g->topic == g->options->topics) {
            g->topic = 0;
            g->round = now + LOAD_GREET_LATER;
            return g->round;
        }

        load_greet_topic(g, &g->http[i], g->topic++);
    }

    return now + LOAD_GREET_LATER;
}


uint32_t
load_greet_missing(const load_greet_t *g)
{
    int32_t   left;
    uint32_t  topic, n;

    for (topic = 0, n = 0; topic < g->options->topics; topic++) {
        left = load_greet_left(g, topic);
        n += left > 0 ? (uint32_t) left : 0;
    }

    return n;
}


void
load_greet_stop(load_greet_t *g)
{
    g->running = 0;
}


int
load_greet_done(const load_greet_t *g)
{
    unsigned  i;

    for (i = 0; i < LOAD_GREET_CONNECTIONS; i++) {
        if (g->http[i].busy) {
            return 0;
        }
    }

    return 1;
}
