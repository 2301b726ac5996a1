/*
 * Copyright (C) The im authors
 *
 * Bytes from the nodes of a cluster.
 *
 * Input is chunks: a byte whose three upper bits say what happens (bytes for
 * one of six connections, time passes, a call or a channel), the five lower
 * ones how many bytes follow or how much; 31: all that is left.
 */

#include <netdb.h>

#include "link_transport.h"


#define FUZZ_CONNS  24
#define FUZZ_FED    6
#define FUZZ_TIME   6


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_connected(void);
static void fuzz_step(unsigned what, const uint8_t *data, size_t n);
static void fuzz_act(unsigned n);
static void fuzz_reply(const im_link_reply_t *reply, void *data);
static void fuzz_ready(void *data);
static void fuzz_server(void *data, im_uint_t server);
static void fuzz_up(void *data, im_uint_t partition, int anew);
static void fuzz_down(void *data, im_uint_t partition);
static void fuzz_message(void *data, im_uint_t number, im_str_t payload);


static const im_link_events_t  fuzz_events = {
    .ready = fuzz_ready,
    .server = fuzz_server,
    .up = fuzz_up,
    .down = fuzz_down,
    .message = fuzz_message
};

static const im_script_t  fuzz_script = { "s", "sha", im_str("return 1") };

static im_link_t       *fuzz_link;
static im_link_conn_t  *fuzz_conns[FUZZ_CONNS];
static uint8_t          fuzz_open[FUZZ_CONNS];    /* 1: connects; 2: is open */
static uint8_t          fuzz_parts[IM_LINK_REGISTRY + 1];
static int              fuzz_waiting;             /* calls without a reply */


/* In the place of libc's: no name is known. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
    struct addrinfo **res)
{
    return EAI_NONAME;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n;
    unsigned        what, i;
    im_link_conf_t  conf;

    memset(&conf, 0, sizeof(im_link_conf_t));
    memset(fuzz_parts, 0, sizeof(fuzz_parts));
    conf.kind = IM_LINK_CLUSTER;
    conf.nseeds = 1;
    conf.seeds[0].name = im_str_z("127.0.0.1:1");
    conf.prefix = im_str_z("im:");
    conf.timeout = 2000;

    (void) im_addr_parse(&conf.seeds[0].addr, conf.seeds[0].name,
                         IM_ADDR_CONNECT, 0);

    fuzz_time = 1;
    fuzz_waiting = 0;
    fuzz_link = im_link_create(&conf, &fuzz_transport, NULL, &fuzz_events,
                               NULL);
    if (fuzz_link == NULL) {
        return 0;
    }

    im_link_tick(fuzz_link);
    fuzz_connected();

    while (size > 0) {
        what = data[0] >> 5;
        n = data[0] & 31;
        data++;
        size--;

        n = n == 31 || n > size ? size : n;

        fuzz_step(what, data, n);
        fuzz_connected();

        if (what < FUZZ_FED) {
            data += n;
            size -= n;
        }
    }

    im_link_destroy(fuzz_link);

    for (i = 0; i < FUZZ_CONNS; i++) {
        if (fuzz_conns[i] != NULL) {
            abort();
        }
    }

    if (fuzz_waiting != 0) {
        abort();
    }

    return 0;
}


static void
fuzz_connected(void)
{
    unsigned  i;

    for (i = 0; i < FUZZ_CONNS; i++) {
        if (fuzz_conns[i] != NULL && fuzz_open[i] == 1) {
            fuzz_open[i] = 2;
            (void) im_link_connected(fuzz_conns[i]);
        }
    }
}


static void
fuzz_step(unsigned what, const uint8_t *data, size_t n)
{
    im_link_conn_t  *conn;

    if (what < FUZZ_FED) {
        conn = fuzz_conns[what];

        if (conn != NULL) {
            im_link_sent(conn, im_link_output(conn).len);
            (void) im_link_received(conn, data, n);
        }

    } else if (what == FUZZ_TIME) {
        fuzz_time += n * 15;
        im_link_tick(fuzz_link);

    } else {
        fuzz_act(n);
    }
}


static void
fuzz_act(unsigned n)
{
    int              to;
    im_str_t         name;
    im_link_call_t  *call;

    name = im_str_set(&"abcd"[n % 4], 1);

    if (n & 4) {
        (void) im_link_subscribe(fuzz_link, name, n, 0);
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

    if (n & 16) {
        im_buf_add_str(&call->bytes, name);
        im_link_call_key(call);
        im_link_call_generation(call);
    }

    to = !(n & 16) && (n & 1);

    if ((to ? im_link_send_to(fuzz_link, n & 3, fuzz_reply, NULL)
            : im_link_send(fuzz_link, fuzz_reply, NULL)) == IM_OK)
    {
        fuzz_waiting++;
    }
}


static void
fuzz_reply(const im_link_reply_t *reply, void *data)
{
    (void) reply;
    (void) data;

    fuzz_waiting--;
}


static void
fuzz_ready(void *data)
{
    (void) data;

    fuzz_act(4);
    fuzz_act(5);
    fuzz_act(16);
}


static void
fuzz_server(void *data, im_uint_t server)
{
    im_link_server_info_t  info;

    (void) data;

    if (server >= im_link_servers(fuzz_link)) {
        abort();
    }

    im_link_server_info(fuzz_link, server, &info);

    if (info.slots > 16384 || im_link_unserved(fuzz_link) > 16384) {
        abort();
    }
}


static void
fuzz_up(void *data, im_uint_t partition, int anew)
{
    (void) data;
    (void) anew;

    if (fuzz_parts[partition]++ || !im_link_ready(fuzz_link, partition)) {
        abort();
    }

    fuzz_act(16 + partition % 4);
}


static void
fuzz_down(void *data, im_uint_t partition)
{
    (void) data;

    if (--fuzz_parts[partition] || im_link_why(fuzz_link, partition) == NULL) {
        abort();
    }
}


static void
fuzz_message(void *data, im_uint_t number, im_str_t payload)
{
    (void) data;

    if (number > 31) {
        abort();
    }

    fuzz_act(payload.len % 32);
}


static void *
fuzz_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    unsigned  i;

    (void) data;
    (void) to;

    for (i = 0; i < FUZZ_CONNS; i++) {
        if (fuzz_conns[i] == NULL) {
            fuzz_conns[i] = conn;
            fuzz_open[i] = 1;
            return &fuzz_conns[i];
        }
    }

    *why = "no room";

    return NULL;
}
