/*
 * Copyright (C) The im authors
 *
 * Bytes from three sentinels, for both connections to each.
 *
 * Input is chunks: a byte whose three upper bits say what happens (bytes from a
 * connection, time passes, the master is lost), the five lower ones how many
 * bytes follow or how much.
 */

#include "im_link_sentinel.h"
#include "link_transport.h"


#define FUZZ_CONNS  6
#define FUZZ_TIME   6


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_step(unsigned what, const uint8_t *data, size_t n);
static void fuzz_handler(void *data, im_str_t addr, uint64_t epoch);


static im_link_context_t    fuzz_context;
static im_link_sentinel_t  *fuzz_sentinel;
static im_link_conn_t      *fuzz_conns[FUZZ_CONNS];
static uint64_t             fuzz_epoch;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           n;
    unsigned         i, what;
    im_link_conf_t  *conf;

    memset(&fuzz_context, 0, sizeof(im_link_context_t));
    fuzz_context.transport = &fuzz_transport;
    im_link_call_init(&fuzz_context.own);
    conf = &fuzz_context.conf;
    conf->master = im_str_z("im");
    conf->timeout = 2000;
    conf->nseeds = FUZZ_CONNS / 2;

    for (i = 0; i < conf->nseeds; i++) {
        conf->seeds[i].name = im_str_z("s");
        (void) im_addr_parse(&conf->seeds[i].addr, im_str_z("127.0.0.1:1"),
                             IM_ADDR_CONNECT, 0);
        conf->seeds[i].addr.port = i;
    }

    fuzz_time = 1;
    im_link_clock_init(&fuzz_context.clock, &fuzz_transport, NULL);
    fuzz_epoch = 0;
    fuzz_sentinel = im_link_sentinel_create(&fuzz_context, fuzz_handler, NULL);
    if (fuzz_sentinel == NULL) {
        return 0;
    }

    fuzz_step(FUZZ_TIME, data, 1);

    while (size > 0) {
        what = data[0] >> 5;
        n = data[0] & 31;
        data++;
        size--;

        /* longer ones: 31 is all that is left */
        n = n == 31 || n > size ? size : n;

        fuzz_step(what, data, n);

        if (what < FUZZ_TIME) {
            data += n;
            size -= n;
        }
    }

    im_link_sentinel_close(fuzz_sentinel);
    im_link_sentinel_destroy(fuzz_sentinel);
    im_link_call_cleanup(&fuzz_context.own);

    for (i = 0; i < FUZZ_CONNS; i++) {
        if (fuzz_conns[i] != NULL) {
            abort();
        }
    }

    return 0;
}


static void
fuzz_step(unsigned what, const uint8_t *data, size_t n)
{
    int              was[FUZZ_CONNS];
    unsigned         i;
    im_link_conn_t  *conn;

    if (what < FUZZ_TIME) {
        conn = fuzz_conns[what];

        if (conn != NULL) {
            im_link_sent(conn, im_link_output(conn).len);
            (void) im_link_received(conn, data, n);
        }

        return;
    }

    if (what > FUZZ_TIME) {
        im_link_sentinel_ask(fuzz_sentinel);
        return;
    }

    for (i = 0; i < FUZZ_CONNS; i++) {
        was[i] = fuzz_conns[i] != NULL;
    }

    fuzz_time += n * 30;
    fuzz_context.due = UINT64_MAX;
    im_link_sentinel_tick(fuzz_sentinel);
    (void) im_link_sentinel_why(fuzz_sentinel);
    (void) im_link_sentinel_info(fuzz_sentinel);

    for (i = 0; i < FUZZ_CONNS; i++) {
        if (fuzz_conns[i] != NULL && !was[i]) {
            (void) im_link_connected(fuzz_conns[i]);
        }
    }
}


static void
fuzz_handler(void *data, im_str_t addr, uint64_t epoch)
{
    im_addr_t  parsed;

    (void) data;

    if (im_addr_parse(&parsed, addr, IM_ADDR_CONNECT, 0) != NULL
        || parsed.port == 0 || parsed.type == IM_ADDR_UNIX)
    {
        abort();
    }

    fuzz_epoch = epoch;
}


static void *
fuzz_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    unsigned                   i;
    const struct sockaddr_in  *sin;

    (void) data;
    (void) why;

    sin = (const struct sockaddr_in *) &to->sockaddr;
    i = ntohs(sin->sin_port) * 2;
    i += fuzz_conns[i] != NULL;

    if (fuzz_conns[i] != NULL) {
        abort();
    }

    fuzz_conns[i] = conn;

    return &fuzz_conns[i];
}
