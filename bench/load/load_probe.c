/*
 * Copyright (C) The im authors
 *
 * The probe.
 */

#include <string.h>

#include "load_probe.h"
#include "load_publish.h"


#define LOAD_PROBE_LATER  (100 * LOAD_MILLISECOND)


static void
load_probe_answered(load_http_t *h, unsigned status, im_str_t body)
{
    load_probe_t  *p;

    p = h->data;

    if (status < 200 || status > 299) {
        p->refused++;
        load_publish_error(p->error, h, status, body);
    }
}


void
load_probe_init(load_probe_t *p, load_loop_t *loop,
    const load_options_t *options, const load_shared_t *shared)
{
    unsigned  i;

    memset(p, 0, sizeof(load_probe_t));
    p->options = options;
    p->run = shared->run;

    for (i = 0; i < LOAD_PROBE_LANES; i++) {
        load_http_init(&p->http[i], loop, &options->push_server);
        p->http[i].answered = load_probe_answered;
        p->http[i].data = p;
    }
}


void
load_probe_start(load_probe_t *p, uint64_t now)
{
    unsigned  i;

    /* in a storm it would have to wait for connections */
    for (i = 0; i < LOAD_PROBE_LANES; i++) {
        (void) load_http_open(&p->http[i]);
    }

    p->running = 1;
    p->began = now;
}


void
load_probe_measure(load_probe_t *p, uint64_t now)
{
    p->measured = now;
}


void
load_probe_stop(load_probe_t *p)
{
    p->running = 0;
}


static load_probed_t *
load_probe_phase(load_probe_t *p, uint64_t sent)
{
    return &p->phases[p->measured != 0 && sent >= p->measured];
}


static void
load_probe_publish(load_probe_t *p, unsigned lane, uint64_t due)
{
    im_str_t       none;
    load_marker_t  m;

    m.slot = p->run << 16;
    m.topic = p->options->topics;
    m.lane = lane;
    m.seq = p->seqs[lane]++;
    m.sent = due;

    load_probe_phase(p, due)->sent++;

    if (load_publish_send(p->options, &p->http[lane], &m) != 0) {
        none.len = 0;
        none.data = NULL;
        load_probe_answered(&p->http[lane], 0, none);
    }
}


uint64_t
load_probe_tick(load_probe_t *p, uint64_t now)
{
    unsigned  lane;
    uint64_t  due;

    if (!p->running) {
        return now + LOAD_PROBE_LATER;
    }

    for (lane = 0; lane < LOAD_PROBE_LANES; lane++) {
        due = p->began + p->due * LOAD_SECOND / p->options->probe;

        if (due > now) {
            return due;
        }

        if (!p->http[lane].busy) {
            p->due++;
            load_probe_publish(p, lane, due);
        }
    }

    return now + LOAD_MILLISECOND;
}


void
load_probe_received(void *data, const load_marker_t *m, uint64_t now)
{
    load_probe_t   *p;
    load_probed_t  *phase;

    p = data;
    phase = load_probe_phase(p, m->sent);
    phase->received++;
    load_hist_add(&phase->us, now - m->sent);
}


int
load_probe_measures(const load_probe_t *p)
{
    return p->phases[1].sent != 0;
}


int
load_probe_done(const load_probe_t *p)
{
    return p->phases[0].received == p->phases[0].sent
           && p->phases[1].received == p->phases[1].sent;
}
