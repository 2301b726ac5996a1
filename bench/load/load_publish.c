/*
 * Copyright (C) The im authors
 *
 * The publisher.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "load_publish.h"


#define LOAD_PUBLISH_MAX   (2 * 1024 * 1024)       /* a request */
#define LOAD_PUBLISH_LOOK  (50 * LOAD_MILLISECOND)
#define LOAD_PUBLISH_GONE  (INT_MIN / 2)


static void load_publisher_answered(load_http_t *h, unsigned status,
    im_str_t body);


int
load_publisher_init(load_publisher_t *p, load_loop_t *loop,
    const load_options_t *options, load_shared_t *shared)
{
    uint32_t            i;
    load_publishing_t  *c;

    memset(p, 0, sizeof(load_publisher_t));
    p->options = options;
    p->shared = shared;

    if (options->connections == 0) {
        return 0;
    }

    p->connections = calloc(options->connections, sizeof(load_publishing_t));
    p->idle = calloc(options->connections, sizeof(uint32_t));

    if (p->connections == NULL || p->idle == NULL) {
        return -1;
    }

    for (i = 0; i < options->connections; i++) {
        c = &p->connections[i];
        load_http_init(&c->http, loop, &options->push_server);
        c->http.number = i;
        c->http.answered = load_publisher_answered;
        c->http.data = p;
        c->topic = i % options->topics;
        c->lane = i / options->topics;
        p->idle[i] = i;
    }

    p->nidle = options->connections;

    return 0;
}


/* A connection has topics of its own, unless it shares its only one. */
static void
load_publisher_next_topic(const load_options_t *o, load_publishing_t *c)
{
    c->topic += o->connections;

    if (c->topic >= o->topics) {
        c->topic = c->http.number % o->topics;
    }
}


static void
load_publisher_idle(load_publisher_t *p, load_publishing_t *c)
{
    uint32_t  n;

    n = p->options->connections;
    p->idle[(p->first + p->nidle) % n] = c->http.number;
    p->nidle++;
}


/* It counts as under way no longer, whoever gets it still. */
static void
load_publisher_release(load_publisher_t *p, load_slot_t *slot)
{
    if (atomic_exchange(&slot->left, LOAD_PUBLISH_GONE) > 0) {
        p->released++;
    }
}


static void
load_publisher_give_up(load_publisher_t *p, uint64_t now)
{
    uint32_t      i, end;
    load_slot_t  *slot;

    if (now < p->looked + LOAD_PUBLISH_LOOK) {
        return;
    }

    p->looked = now;
    end = atomic_load(&p->shared->next_slot);

    for (i = atomic_load(&p->shared->first_slot); i != end; i++) {
        slot = &p->shared->slots[i & (LOAD_SLOTS - 1)];

        if (atomic_load(&slot->left) > 0) {
            if (now < slot->sent + p->options->drain * LOAD_SECOND) {
                break;
            }

            load_publisher_release(p, slot);
            p->counts.incomplete++;
        }
    }

    atomic_store(&p->shared->first_slot, i);
}


void
load_publish_error(char *error, const load_http_t *h, unsigned status,
    im_str_t body)
{
    size_t  len;

    if (error[0] != '\0') {
        return;
    }

    for (len = 0; len < body.len && body.data[len] >= ' '; len++) {
        /* one line of it */
    }

    if (status == 0) {
        (void) snprintf(error, LOAD_ERROR_SIZE, "no answer: %s",
                        h->error != NULL ? h->error : "too late");

    } else {
        (void) snprintf(error, LOAD_ERROR_SIZE, "status %u: %.*s", status,
                        (int) len, body.data);
    }
}


static void
load_publisher_answered(load_http_t *h, unsigned status, im_str_t body)
{
    uint32_t           *seq;
    load_slot_t        *slot;
    load_publisher_t   *p;
    load_publishing_t  *c;

    p = h->data;
    c = &p->connections[h->number];
    slot = &p->shared->slots[c->slot & (LOAD_SLOTS - 1)];
    seq = &p->shared->seqs[(size_t) c->topic * p->options->lanes + c->lane];

    if (status >= 200 && status < 300) {
        (*seq)++;
        p->counts.published++;
        load_hist_add(&p->counts.accept, load_now() - h->sent);

    } else {
        load_publish_error(p->error, h, status, body);
        load_publisher_release(p, slot);

        if (status == 0) {
            (*seq)++;               /* it may have been accepted */
            p->counts.unanswered++;

        } else {
            p->counts.refused++;
        }
    }

    load_publisher_next_topic(p->options, c);
    load_publisher_idle(p, c);
}


static void
load_publish_request(const load_options_t *o, im_buf_t *b,
    const load_marker_t *m)
{
    size_t             length;
    u_char             names[128], paths[256];
    im_buf_t           name, path, around;
    u_char             text[512];
    const load_api_t  *api;

    api = o->api;
    im_buf_fixed(&name, names, sizeof(names));
    im_buf_fixed(&path, paths, sizeof(paths));
    im_buf_fixed(&around, text, sizeof(text));

    load_options_name(o, &name, m->topic);
    load_proto_fill(&path,
                    api->paths[m->topic == o->topics && o->to == LOAD_TO_ALL
                               ? LOAD_TO_ROOM : o->to],
                    'r', im_buf_str(&name));
    load_proto_fill(&around, api->before, 'r', im_buf_str(&name));

    length = around.len + o->size + strlen(api->behind);
    load_http_head(b, im_buf_str(&path), api->key, o->api_key, length);
    im_buf_add_str(b, im_buf_str(&around));
    load_marker_encode(b, m, o->size);
    im_buf_add_z(b, api->behind);
}


int
load_publish_send(const load_options_t *o, load_http_t *http,
    const load_marker_t *m)
{
    int       rc;
    im_buf_t  b;

    im_buf_init(&b, LOAD_PUBLISH_MAX);
    load_publish_request(o, &b, m);
    rc = load_http_send(http, im_buf_str(&b));
    im_buf_cleanup(&b);

    return rc;
}


static void
load_publisher_publish(load_publisher_t *p, uint64_t sent)
{
    uint32_t            number;
    im_str_t            none;
    load_slot_t        *slot;
    load_marker_t       m;
    load_publishing_t  *c;

    c = &p->connections[p->idle[p->first]];
    p->first = (p->first + 1) % p->options->connections;
    p->nidle--;

    number = atomic_load(&p->shared->next_slot);
    slot = &p->shared->slots[number & (LOAD_SLOTS - 1)];
    load_publisher_release(p, slot);

    c->slot = number;
    m.slot = p->shared->run << 16 | (number & (LOAD_SLOTS - 1));
    m.topic = c->topic;
    m.lane = c->lane;
    m.seq = p->shared->seqs[(size_t) c->topic * p->options->lanes + c->lane];
    m.sent = sent;

    slot->topic = m.topic;
    slot->lane = m.lane;
    slot->seq = m.seq;
    slot->sent = sent;
    atomic_store(&slot->left, atomic_load(&p->shared->followers[m.topic]));
    atomic_store(&p->shared->next_slot, number + 1);

    /* nothing waits for a message that nobody follows */
    p->released += atomic_load(&slot->left) == 0;

    if (load_publish_send(p->options, &c->http, &m) != 0) {
        none.len = 0;
        none.data = NULL;
        load_publisher_answered(&c->http, 0, none);
    }
}


static uint32_t
load_publisher_under_way(const load_publisher_t *p)
{
    return atomic_load(&p->shared->next_slot)
           - atomic_load(&p->shared->completed) - p->released;
}


void
load_publisher_open(load_publisher_t *p)
{
    uint32_t  i;

    for (i = 0; i < p->options->connections; i++) {
        (void) load_http_open(&p->connections[i].http);
    }
}


void
load_publisher_start(load_publisher_t *p, uint64_t now)
{
    if (p->options->connections != 0) {
        memset(&p->counts, 0, sizeof(load_published_t));
        p->state = LOAD_PUBLISH_ON;
        p->began = now;
        p->due = 0;
    }
}


void
load_publisher_stop(load_publisher_t *p)
{
    if (p->state == LOAD_PUBLISH_ON) {
        p->state = LOAD_PUBLISH_DRAIN;
    }
}


uint64_t
load_publisher_tick(load_publisher_t *p, uint64_t now)
{
    uint64_t               due;
    const load_options_t  *o;

    o = p->options;
    load_publisher_give_up(p, now);

    while (p->state == LOAD_PUBLISH_ON && p->nidle != 0) {
        if (o->push_rate != 0) {
            due = p->began + p->due * LOAD_SECOND / o->push_rate;

            if (due > now) {
                return due;
            }

            p->due++;

            if (load_publisher_under_way(p) < LOAD_MAX_OUTSTANDING) {
                load_publisher_publish(p, due);
            }

        } else if (load_publisher_under_way(p) < o->outstanding) {
            load_publisher_publish(p, load_now());

        } else {
            break;
        }
    }

    return now + LOAD_PUBLISH_LOOK;
}


int
load_publisher_done(const load_publisher_t *p)
{
    return p->nidle == p->options->connections
           && load_publisher_under_way(p) == 0;
}
