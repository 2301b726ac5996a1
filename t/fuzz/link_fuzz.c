/*
 * Copyright (C) The im authors
 *
 * Bytes from Redis, for both connections of a link.
 *
 * Input is chunks: a byte whose two upper bits say what happens (bytes for
 * calls, bytes for pub/sub, time passes, a call or a channel), the six lower
 * ones how many bytes follow or how much.
 */

#include "link_transport.h"


#define FUZZ_CALLS    0
#define FUZZ_PUBSUB   1
#define FUZZ_TIME     2


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_step(unsigned what, const uint8_t *data, size_t n);
static void fuzz_act(unsigned n);
static void fuzz_reply(const im_link_reply_t *reply, void *data);
static void fuzz_event(void *data);
static void fuzz_number(void *data, im_uint_t n);
static void fuzz_up(void *data, im_uint_t partition, int anew);
static void fuzz_message(void *data, im_uint_t number, im_str_t payload);
static void fuzz_heartbeat(void *data, im_uint_t number, int lost);
static void fuzz_fatal(void *data, const char *why);


static const im_link_events_t  fuzz_events = {
    fuzz_event, fuzz_number, fuzz_up, fuzz_number, NULL, fuzz_message,
    fuzz_heartbeat, fuzz_fatal
};

static const im_script_t  fuzz_script = { "s", "sha", im_str("return 1") };

static im_link_t       *fuzz_link;
static im_link_conn_t  *fuzz_conns[2];
static int              fuzz_waiting;      /* calls without a reply */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n;
    unsigned        what;
    im_link_conf_t  conf;

    memset(&conf, 0, sizeof(im_link_conf_t));
    conf.nseeds = 1;
    conf.prefix = im_str_z("im:");
    conf.timeout = 2000;

    fuzz_time = 1;
    fuzz_waiting = 0;
    fuzz_link = im_link_create(&conf, &fuzz_transport, NULL, &fuzz_events,
                               NULL);
    if (fuzz_link == NULL) {
        return 0;
    }

    im_link_tick(fuzz_link);

    if (fuzz_conns[0] != NULL) {
        (void) im_link_connected(fuzz_conns[0]);
    }

    while (size > 0) {
        what = data[0] >> 6;
        n = data[0] & 63;
        data++;
        size--;

        /* longer ones: 63 is all that is left */
        n = n == 63 || n > size ? size : n;

        fuzz_step(what, data, n);

        if (what <= FUZZ_PUBSUB) {
            data += n;
            size -= n;
        }
    }

    im_link_destroy(fuzz_link);

    if (fuzz_waiting != 0 || fuzz_conns[0] != NULL || fuzz_conns[1] != NULL) {
        abort();
    }

    return 0;
}


static void
fuzz_step(unsigned what, const uint8_t *data, size_t n)
{
    int              was;
    im_link_conn_t  *conn;

    switch (what) {

    case FUZZ_CALLS:
    case FUZZ_PUBSUB:
        conn = fuzz_conns[what];

        if (conn != NULL) {
            im_link_sent(conn, im_link_output(conn).len);
            (void) im_link_received(conn, data, n);
        }

        break;

    case FUZZ_TIME:
        was = fuzz_conns[1] != NULL;
        fuzz_time += n * 15;
        im_link_tick(fuzz_link);

        if (fuzz_conns[1] != NULL && !was) {
            (void) im_link_connected(fuzz_conns[1]);
        }

        break;

    default:
        fuzz_act(n);
        break;
    }
}


static void
fuzz_act(unsigned n)
{
    im_str_t         name;
    im_link_call_t  *call;

    name = im_str_set(&"abcd"[n % 4], 1);

    if (n & 4) {
        (void) im_link_subscribe(fuzz_link, name, n, n & 8);
        return;
    }

    if (n & 8) {
        im_link_unsubscribe(fuzz_link, name);
        return;
    }

    call = n & 16 ? im_link_script(fuzz_link, &fuzz_script)
                  : im_link_command(fuzz_link, "GET");
    im_buf_add_str(&call->bytes, name);
    im_link_call_key(call);

    if (im_link_send(fuzz_link, fuzz_reply, NULL) == IM_OK) {
        fuzz_waiting++;
    }
}


static void
fuzz_reply(const im_link_reply_t *reply, void *data)
{
    (void) data;
    (void) im_link_reply_time(reply);
    (void) im_link_reply_int_at(reply, 0, 0);

    fuzz_waiting--;
}


static void
fuzz_event(void *data)
{
    (void) data;

    fuzz_act(4);
    fuzz_act(16);
}


static void
fuzz_number(void *data, im_uint_t n)
{
    if (n == 0 || n == IM_LINK_REGISTRY) {
        fuzz_event(data);
    }
}


static void
fuzz_up(void *data, im_uint_t partition, int anew)
{
    (void) anew;

    fuzz_number(data, partition);
}


static void
fuzz_message(void *data, im_uint_t number, im_str_t payload)
{
    (void) data;

    if (number > 63 || payload.len > 65536) {
        abort();
    }

    fuzz_act(payload.len % 64);
}


static void
fuzz_heartbeat(void *data, im_uint_t number, int lost)
{
    (void) data;

    fuzz_act(number + lost);
}


static void
fuzz_fatal(void *data, const char *why)
{
    (void) data;

    if (why[0] == '\0') {
        abort();
    }
}


static void *
fuzz_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    im_link_conn_t  **slot;

    (void) data;
    (void) why;

    slot = &fuzz_conns[fuzz_conns[0] != NULL];

    if (*slot != NULL) {
        abort();
    }

    *slot = conn;

    return slot;
}
