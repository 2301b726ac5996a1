/*
 * Copyright (C) The im authors
 *
 * A client: it connects, joins and receives.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_client.h"
#include "load_frame.h"
#include "load_socket.h"
#include "load_token.h"


#define LOAD_CLIENT_REQUEST  16384
#define LOAD_CLIENT_HASH     0x9e3779b1U


static uint32_t
load_client_number(const load_clients_t *c, const load_client_t *cl)
{
    return (uint32_t) (cl - c->clients);
}


static int
load_client_is_probe(const load_clients_t *c, const load_client_t *cl)
{
    return load_client_number(c, cl) == c->n;
}


/* Each lane of a topic is a stream of the client. */
static uint32_t
load_client_stream(const load_clients_t *c, const load_client_t *cl)
{
    return load_client_number(c, cl) * c->options->lanes;
}


uint32_t
load_client_us(const load_clients_t *c, uint64_t now)
{
    return (uint32_t) ((now - c->shared->connect_begin) / 1000);
}


/* Since it began to connect; us of a run of hours begin again at 0. */
static uint64_t
load_client_ns(const load_clients_t *c, const load_client_t *cl, uint64_t now)
{
    return (uint32_t) (load_client_us(c, now) - cl->u.began) * 1000ULL;
}


static void
load_client_free_rest(load_client_t *cl)
{
    free(cl->rest);
    cl->rest = NULL;
}


static void
load_client_shut(load_client_t *cl)
{
    if (cl->fd != -1) {
        (void) close(cl->fd);
        cl->fd = -1;
    }

    cl->state = LOAD_CLIENT_ENDED;
    load_client_free_rest(cl);
}


/* It isn't there before it has joined. */
static void
load_client_fail(load_clients_t *c, load_client_t *cl)
{
    c->under_way -= cl->state != LOAD_CLIENT_JOINING;
    load_client_shut(cl);

    if (c->churns) {
        c->block->churned.failed++;
        return;
    }

    atomic_fetch_add(&c->block->failed, 1);
}


/* No message waits for it any longer. */
static void
load_client_leave(load_clients_t *c, load_client_t *cl)
{
    uint32_t      i, end, stream;
    load_slot_t  *slot;

    atomic_fetch_sub(&c->shared->followers[cl->topic], 1);

    stream = load_client_stream(c, cl);
    end = atomic_load(&c->shared->next_slot);

    for (i = atomic_load(&c->shared->first_slot); i != end; i++) {
        slot = &c->shared->slots[i & (LOAD_SLOTS - 1)];

        if (slot->topic == cl->topic
            && load_check_misses(&c->check, stream + slot->lane, slot->seq))
        {
            c->completed += load_shared_received(c->shared, slot);
        }
    }

    for (i = 0; i < c->options->lanes; i++) {
        load_check_forget(&c->check, stream + i);
    }
}


/* The server has ended it; code 0: without a close frame. */
static void
load_client_closed(load_clients_t *c, load_client_t *cl, unsigned code)
{
    switch (cl->state) {

    case LOAD_CLIENT_OPEN:
        atomic_fetch_add(&c->block->closed, 1);
        load_shared_code(c->block->codes, code, 1);

        if (!load_client_is_probe(c, cl) && c->options->churn == 0) {
            load_client_leave(c, cl);
        }

        load_client_shut(cl);
        break;

    case LOAD_CLIENT_COLLECTED:
        c->block->stalled_closed++;
        c->stalled--;
        load_shared_code(c->block->stalled_codes, code, 1);
        load_client_shut(cl);
        break;

    default:
        load_shared_error(c->block, code != 0
                          ? "the server has ended a connection with code %u "
                            "before the client had joined"
                          : "the server has ended a connection before the "
                            "client had joined", code);
        load_client_fail(c, cl);
    }
}


static void
load_client_send(load_clients_t *c, load_client_t *cl, unsigned opcode,
    im_str_t payload)
{
    u_char    memory[LOAD_CLIENT_REQUEST];
    im_buf_t  b;

    im_buf_fixed(&b, memory, sizeof(memory));

    if (c->options->proto->wire == LOAD_WIRE_GOIM) {
        load_proto_packet(&b, LOAD_GOIM_AUTH, payload);

    } else {
        load_proto_frame(&b, opcode, payload);
    }

    /* where that fails, the next read says why */
    (void) send(cl->fd, b.data, b.len, MSG_NOSIGNAL);
}


/* No message waits for one that comes and goes. */
static void
load_client_came(load_clients_t *c, load_client_t *cl)
{
    uint32_t  i, stream;

    stream = load_client_stream(c, cl);

    for (i = 0; i < c->options->lanes; i++) {
        load_check_begin(&c->check, stream + i);
    }

    if (c->churns) {
        c->block->churned.came++;
        return;
    }

    atomic_fetch_add(&c->block->ready, 1);
}


static void
load_client_joined(load_clients_t *c, load_client_t *cl, uint64_t now)
{
    uint32_t  number;

    cl->state = LOAD_CLIENT_OPEN;

    if (load_client_is_probe(c, cl)) {
        return;
    }

    number = load_client_number(c, cl);
    load_hist_add(&c->block->joined, load_client_ns(c, cl, now));
    c->block->connect_end = now;

    if (c->options->churn != 0) {
        load_client_came(c, cl);
        return;
    }

    cl->u.order = 0;

    if (c->options->stalled != 0
        && load_options_stalled(c->options, c->first + number))
    {
        cl->state = LOAD_CLIENT_STALLED;
        c->stalled++;
        load_loop_remove(c->loop, cl->fd);

    } else {
        atomic_fetch_add(&c->shared->followers[cl->topic], 1);
    }

    atomic_fetch_add(&c->block->ready, 1);
}


static int
load_client_in_room(const load_clients_t *c, const load_client_t *cl)
{
    return c->options->rooms != 0 || load_client_is_probe(c, cl);
}


/* The room that the client joins; users follow their inbox besides. */
static void
load_client_who(const load_clients_t *c, const load_client_t *cl,
    im_buf_t *room, im_buf_t *token, load_who_t *who)
{
    uint32_t               number;
    const load_options_t  *o;

    o = c->options;
    number = c->first + load_client_number(c, cl);

    if (load_client_is_probe(c, cl)) {
        load_options_room_name(o, room, o->rooms);
        load_token_add(o, token, o->users);

    } else {
        if (o->rooms != 0) {
            load_options_room_name(o, room, load_options_room(o, number));
        }

        load_token_add(o, token, load_options_user(o, number));
    }

    who->room = im_buf_str(room);
    who->token = im_buf_str(token);
}


static void
load_client_first_frame(load_clients_t *c, load_client_t *cl)
{
    u_char      names[128], tokens[8192], memory[LOAD_CLIENT_REQUEST];
    im_buf_t    room, token, b;
    load_who_t  who;

    im_buf_fixed(&room, names, sizeof(names));
    im_buf_fixed(&token, tokens, sizeof(tokens));
    im_buf_fixed(&b, memory, sizeof(memory));

    load_client_who(c, cl, &room, &token, &who);
    c->options->proto->first(&b, &who);
    load_client_send(c, cl, 1, im_buf_str(&b));
}


static im_int_t
load_client_handshake(load_clients_t *c, load_client_t *cl, u_char **p,
    u_char *end, uint64_t now)
{
    im_int_t              rc;
    unsigned              status;
    const load_proto_t   *proto;

    proto = c->options->proto;
    rc = load_frame_handshake(proto->wire, p, end, &status);

    if (rc == IM_AGAIN) {
        return IM_AGAIN;
    }

    if (rc != IM_OK) {
        load_shared_code(c->block->statuses, status, 1);
        load_shared_error(c->block, "a handshake was answered with status %u"
                          "%s", status, status == 101 ? " and no key" : "");
        load_client_fail(c, cl);
        return IM_ERROR;
    }

    if (!load_client_is_probe(c, cl)) {
        load_hist_add(&c->block->handshake, load_client_ns(c, cl, now));
    }

    c->under_way--;
    cl->state = LOAD_CLIENT_JOINING;

    if (proto->first != NULL) {
        load_client_first_frame(c, cl);

        if (load_client_in_room(c, cl) || proto->waits) {
            return IM_OK;
        }
    }

    load_client_joined(c, cl, now);

    return IM_OK;
}


/* The first message shows that the client follows its topic. */
static void
load_client_greeted(load_clients_t *c, load_client_t *cl)
{
    if (!cl->greeted) {
        cl->greeted = 1;
        atomic_fetch_add(&c->shared->greeted[cl->topic], 1);
        c->completed++;
    }
}


/* Since its last message in this phase. */
static void
load_client_heard(load_clients_t *c, load_client_t *cl, uint64_t now)
{
    uint32_t  us;

    us = load_client_us(c, now);

    if (cl->heard > c->began) {
        load_hist_add(&c->counts->gap, (uint64_t) (us - cl->heard) * 1000);
    }

    cl->heard = us;
}


static void
load_client_message(load_clients_t *c, load_client_t *cl,
    const load_marker_t *m, uint64_t now)
{
    uint32_t      stream;
    load_slot_t  *slot;

    if (m->lane == LOAD_GREET_LANE && m->slot >> 16 == c->run
        && m->topic == cl->topic)
    {
        load_client_greeted(c, cl);
        return;
    }

    if (m->slot >> 16 != c->run || m->topic != cl->topic
        || m->lane >= (load_client_is_probe(c, cl) ? LOAD_PROBE_LANES
                                                   : c->options->lanes))
    {
        c->foreign++;
        return;
    }

    stream = load_client_stream(c, cl) + m->lane;

    if (load_check_received(&c->check, stream, m->seq) != LOAD_CHECK_FIRST) {
        return;
    }

    if (load_client_is_probe(c, cl)) {
        c->probed(c->data, m, now);
        return;
    }

    load_client_heard(c, cl, now);

    c->counts->deliveries++;
    load_hist_add(&c->counts->delivery, now - m->sent);

    if (c->options->churn != 0) {
        cl->greeted = 1;
        return;
    }

    cl->u.order = ((cl->u.order ^ (m->lane << 24 ^ m->seq)) + 1)
                  * LOAD_CLIENT_HASH;

    slot = &c->shared->slots[m->slot & (LOAD_SLOTS - 1)];

    if (slot->topic == m->topic && slot->lane == m->lane
        && slot->seq == m->seq && load_shared_received(c->shared, slot))
    {
        load_hist_add(&c->counts->complete, now - m->sent);
        c->completed++;
    }
}


static void
load_client_text(load_clients_t *c, load_client_t *cl, im_str_t payload,
    uint64_t now)
{
    im_int_t        rc;
    unsigned        n;
    const u_char   *p;
    load_marker_t   m;

    static const im_str_t  pong = im_str("{}");

    if (c->options->proto->pings && payload.len == 2) {
        load_client_send(c, cl, 1, pong);
        return;
    }

    if (cl->state == LOAD_CLIENT_JOINING) {
        rc = c->options->proto->joined(payload, load_client_in_room(c, cl));

        if (rc == IM_OK) {
            load_client_joined(c, cl, now);

        } else if (rc == IM_ERROR) {
            load_shared_error(c->block, "a client was refused: %.*s",
                              (int) payload.len, payload.data);
            load_client_fail(c, cl);
        }

        return;
    }

    if (cl->state != LOAD_CLIENT_OPEN) {
        return;
    }

    p = payload.data;
    n = 0;

    while (load_marker_decode(&p, payload.data + payload.len, &m)) {
        load_client_message(c, cl, &m, now);
        n++;
    }

    c->counts->others += n == 0;
}


static void
load_client_packet(load_clients_t *c, load_client_t *cl,
    const load_frame_t *packet, uint64_t now)
{
    if (cl->state != LOAD_CLIENT_JOINING) {
        load_client_text(c, cl, packet->payload, now);

    } else if (packet->opcode == LOAD_GOIM_AUTHED) {
        load_client_joined(c, cl, now);
    }
}


static im_int_t
load_client_frame(load_clients_t *c, load_client_t *cl, u_char **p,
    u_char *end, uint64_t now)
{
    im_int_t      rc;
    load_frame_t  frame;

    rc = load_frame_decode(c->options->proto->wire, p, end, &frame);

    if (rc == IM_AGAIN) {
        return IM_AGAIN;
    }

    if (rc == IM_ERROR) {
        load_client_closed(c, cl, 1002);
        return IM_ERROR;
    }

    if (c->options->proto->wire == LOAD_WIRE_GOIM) {
        load_client_packet(c, cl, &frame, now);
        return cl->state == LOAD_CLIENT_ENDED ? IM_ERROR : IM_OK;
    }

    switch (frame.opcode) {

    case LOAD_FRAME_CLOSE:
        load_client_closed(c, cl, load_frame_code(frame.payload));
        return IM_ERROR;

    case LOAD_FRAME_PING:
        load_client_send(c, cl, LOAD_FRAME_PONG, frame.payload);
        break;

    case LOAD_FRAME_PONG:
        break;

    default:
        load_client_text(c, cl, frame.payload, now);
    }

    return cl->state == LOAD_CLIENT_ENDED ? IM_ERROR : IM_OK;
}


/* Keeps what came of something that isn't complete. */
static void
load_client_keep(load_clients_t *c, load_client_t *cl, u_char *p, u_char *end)
{
    size_t  len;

    load_client_free_rest(cl);
    len = (size_t) (end - p);

    if (len == 0) {
        return;
    }

    cl->rest = malloc(sizeof(load_rest_t) + len);

    if (cl->rest == NULL || len > c->size / 2) {
        load_shared_error(c->block, "no memory for a frame of a client");
        load_client_closed(c, cl, 1009);
        return;
    }

    cl->rest->len = len;
    memcpy(cl->rest->data, p, len);
}


/* When that was, ns. */
static uint64_t
load_client_input(load_clients_t *c, load_client_t *cl, u_char *end)
{
    u_char    *p;
    im_int_t   rc;
    uint64_t   now;

    now = load_now();
    p = c->input;

    do {
        rc = cl->state == LOAD_CLIENT_HANDSHAKE
             ? load_client_handshake(c, cl, &p, end, now)
             : load_client_frame(c, cl, &p, end, now);

        /* joined, and reads nothing from here on */
        if (cl->state == LOAD_CLIENT_STALLED) {
            break;
        }
    } while (rc == IM_OK);

    if (rc != IM_ERROR) {
        load_client_keep(c, cl, p, end);
    }

    return now;
}


/* Of the phase that is now; it began before what comes in it was published. */
static load_counts_t *
load_client_counts(load_clients_t *c)
{
    load_counts_t  *counts;

    counts = atomic_load(&c->shared->phase) < LOAD_PHASE_MEASURE
             ? &c->block->warm : &c->block->measured;

    if (counts != c->counts) {
        c->began = load_client_us(c, load_now());
    }

    return counts;
}


static void
load_client_read(load_clients_t *c, load_client_t *cl)
{
    size_t   kept;
    ssize_t  n;

    kept = 0;

    if (cl->rest != NULL) {
        kept = cl->rest->len;
        memcpy(c->input, cl->rest->data, kept);
    }

    n = recv(cl->fd, c->input + kept, c->size - kept, 0);

    if (n > 0) {
        c->counts = load_client_counts(c);
        c->counts->bytes += (uint64_t) n;
        c->heard = load_client_input(c, cl, c->input + kept + n);
        return;
    }

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    load_client_closed(c, cl, 0);
}


static void
load_client_request(load_clients_t *c, load_client_t *cl, uint32_t number)
{
    u_char       names[128], memory[1024];
    im_buf_t     room, b;
    const char  *path;

    static const char  websocket[] =
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: " LOAD_KEY "\r\n\r\n";

    static const char  sse[] = "Accept: text/event-stream\r\n\r\n";

    im_buf_fixed(&room, names, sizeof(names));
    im_buf_fixed(&b, memory, sizeof(memory));
    load_options_room_name(c->options, &room, number == c->n
                           ? c->options->rooms
                           : load_options_room(c->options, c->first + number));

    path = c->options->path != NULL ? c->options->path
                                    : c->options->proto->path;

    im_buf_add_z(&b, "GET ");
    load_proto_fill(&b, path, 'r', im_buf_str(&room));
    im_buf_add_z(&b, " HTTP/1.1\r\nHost: localhost\r\n");
    im_buf_add_z(&b, c->options->proto->wire == LOAD_WIRE_SSE ? sse
                                                              : websocket);

    cl->state = LOAD_CLIENT_HANDSHAKE;
    (void) send(cl->fd, b.data, b.len, MSG_NOSIGNAL);
}


void
load_client_end(load_clients_t *c, load_client_t *cl, int in_order)
{
    struct linger  wait;

    static const im_str_t  normal = im_str("\x03\xe8");

    if (in_order) {
        wait.l_onoff = 0;
        wait.l_linger = 0;

        if (c->options->proto->wire == LOAD_WIRE_WEBSOCKET) {
            load_client_send(c, cl, LOAD_FRAME_CLOSE, normal);
        }

        /* where that fails, it is cut */
        (void) setsockopt(cl->fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
    }

    c->under_way -= cl->state == LOAD_CLIENT_CONNECTING
                    || cl->state == LOAD_CLIENT_HANDSHAKE;
    load_client_shut(cl);
}


static void
load_client_connected(load_clients_t *c, load_client_t *cl)
{
    int       error;
    uint32_t  number;

    error = load_socket_error(cl->fd);

    if (error != 0) {
        load_shared_error(c->block, "connect() to %s:%u failed: %s; is the "
                          "server there?", c->options->host, c->options->port,
                          strerror(error));
        load_client_fail(c, cl);
        return;
    }

    number = load_client_number(c, cl);

    if (c->options->proto->wire == LOAD_WIRE_GOIM) {
        c->under_way--;
        cl->state = LOAD_CLIENT_JOINING;
        load_client_first_frame(c, cl);

    } else {
        load_client_request(c, cl, number);
    }

    if (cl->hasty) {
        cl->hasty = 0;
        c->block->churned.hasty++;
        load_client_end(c, cl, 0);
        return;
    }

    (void) load_loop_change_client(c->loop, cl->fd, EPOLLIN, number);
}


void
load_client_handler(void *data, uint32_t number, uint32_t events)
{
    load_client_t   *cl;
    load_clients_t  *c;

    c = data;
    cl = &c->clients[number];

    switch (cl->state) {

    case LOAD_CLIENT_CONNECTING:
        load_client_connected(c, cl);
        break;

    case LOAD_CLIENT_HANDSHAKE:
    case LOAD_CLIENT_JOINING:
    case LOAD_CLIENT_OPEN:
    case LOAD_CLIENT_COLLECTED:
        load_client_read(c, cl);
        break;

    default:
        break;
    }
}


void
load_client_connect(load_clients_t *c, load_client_t *cl, uint64_t now)
{
    uint32_t  number;
    unsigned  rcvbuf;

    number = load_client_number(c, cl);
    rcvbuf = load_client_is_probe(c, cl)
             || !load_options_stalled(c->options, c->first + number)
             ? 0 : c->options->rcvbuf;

    cl->u.began = load_client_us(c, now);
    cl->heard = 0;
    cl->greeted = 0;
    cl->state = LOAD_CLIENT_CONNECTING;
    c->under_way++;

    cl->fd = load_socket_connect(&c->options->server, c->first + number,
                                 rcvbuf);

    if (cl->fd == -1
        || load_loop_add_client(c->loop, cl->fd, EPOLLOUT, number) == -1)
    {
        load_shared_error(c->block, "client %u has no socket: %s",
                          c->first + number, strerror(errno));
        load_client_fail(c, cl);
    }
}
