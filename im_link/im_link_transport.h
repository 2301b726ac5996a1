/*
 * Copyright (C) The im authors
 *
 * What a program brings to a link: sockets, a timer, the clock, randomness and
 * the log.
 */

#ifndef IM_LINK_TRANSPORT_H
#define IM_LINK_TRANSPORT_H


#include "im_link.h"
#include "im_link_peer.h"
#include "im_link_tls.h"


#define IM_LINK_SEEDS  16


typedef struct im_link_conn_s  im_link_conn_t;

typedef enum {
    IM_LINK_LOG_ERROR = 0,
    IM_LINK_LOG_NOTICE,
    IM_LINK_LOG_DEBUG
} im_link_log_e;


/* No function calls the link before it returns. */
typedef struct {
    /* Begins to connect; close() ends the socket.  NULL: *why is set. */
    void     *(*connect)(void *data, im_link_conn_t *conn,
                         const im_link_address_t *to, const char **why);
    void      (*close)(void *socket);

    /* There is output: write it later in this turn. */
    void      (*write)(void *socket);

    /* im_link_tick() is due in ms; this replaces an earlier time. */
    void      (*timer)(void *data, im_uint_t ms);

    /* Monotonic ms. */
    uint64_t  (*now)(void *data);
    uint32_t  (*random)(void *data);
    void      (*log)(void *data, im_link_log_e level, const char *text);

    /* Processes that run or wait for a CPU, for each; 0 or NULL: unknown. */
    im_uint_t  (*crowd)(void *data);
} im_link_transport_t;


typedef enum {
    IM_LINK_ONE = 0,           /* one server */
    IM_LINK_SENTINEL,          /* one server, whose address sentinels know */
    IM_LINK_CLUSTER            /* masters that share the slots */
} im_link_kind_e;


typedef struct {
    im_str_t    name;          /* as configured, for the log */
    im_addr_t   addr;          /* the same, parsed */
} im_link_seed_t;


/* Strings are borrowed and must outlive the link; empty: none. */
typedef struct {
    im_link_kind_e  kind;
    im_uint_t       nseeds;
    im_link_seed_t  seeds[IM_LINK_SEEDS];  /* the server, sentinels, nodes */
    im_str_t        master;            /* its name at the sentinels */
    im_str_t        user;
    im_str_t        password;
    im_str_t        sentinel_user;
    im_str_t        sentinel_password;
    im_str_t        prefix;
    uint64_t        db;
    uint64_t        partitions;        /* 0: what is there, or the default */
    uint64_t        timeout;           /* ms, of connecting and of replies */
    uint64_t        replicas;          /* that confirm; 0: one */
    uint64_t        wait;              /* ms, for them, less than timeout */
    unsigned        quiet:1;           /* another link has the same server and
                                          says what is wrong with it */
    im_link_tls_ctx_t  *tls;           /* NULL: without TLS */
} im_link_conf_t;


/*
 * transport_data is for the transport, data for the events.  It connects with
 * the first tick, which is due at once.  NULL: no memory.
 */
im_link_t *im_link_create(const im_link_conf_t *conf,
    const im_link_transport_t *transport, void *transport_data,
    const im_link_events_t *events, void *data);
void im_link_destroy(im_link_t *link);

void *im_link_transport_data(const im_link_t *link);

void im_link_tick(im_link_t *link);

/*
 * The socket is connected; it has read bytes.
 * IM_ERROR: the connection is closed, and the link may be destroyed: the
 * caller touches neither again, nor the socket.
 */
im_int_t im_link_connected(im_link_conn_t *conn);
im_int_t im_link_received(im_link_conn_t *conn, const void *bytes, size_t n);

/* The socket failed, or the server has closed it. */
void im_link_closed(im_link_conn_t *conn, const char *why);

/* Bytes that wait for the socket; n of them were written. */
im_str_t im_link_output(im_link_conn_t *conn);
void im_link_sent(im_link_conn_t *conn, size_t n);


#endif /* IM_LINK_TRANSPORT_H */
