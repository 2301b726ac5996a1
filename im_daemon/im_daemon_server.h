/*
 * Copyright (C) The im authors
 *
 * A listener and its connections, of FastCGI or of HTTP.
 *
 * A place is found for every connection that comes: where all are taken, one
 * that waits gives way (im_daemon_peer.h).  A group leaves some places to
 * others in any case.
 */

#ifndef IM_DAEMON_SERVER_H
#define IM_DAEMON_SERVER_H


#include <event2/event.h>

#include "im_daemon_listen.h"
#include "im_daemon_transport.h"


#define IM_SERVER_MAX_CONNECTIONS  4096


typedef struct im_daemon_server_s  im_daemon_server_t;


/* What is counted. */
typedef enum {
    IM_SERVER_OPEN = 0,      /* connections now, */
    IM_SERVER_LIMIT,         /* and how many there may be */
    IM_SERVER_ACCEPTED,
    IM_SERVER_GAVE_WAY,      /* to newer ones */
    IM_SERVER_STATS
} im_daemon_server_stat_e;


typedef struct {
    const im_daemon_transport_t  *transport;
    const im_daemon_listen_t     *listen;
    size_t                        max_body;
    uint64_t                      idle_timeout;      /* s, between requests */
    uint64_t                      request_timeout;   /* s, of a request */
    const char                   *real_ip;    /* header of the client's address,
                                                or NULL */
    const uint64_t              *seed;
    im_daemon_request_pt         handler;
    void                        *data;
} im_daemon_server_conf_t;


/*
 * It listens: connections wait in the queue of the kernel until it begins.
 * NULL: the fault is logged.
 */
im_daemon_server_t *im_daemon_server_create(struct event_base *base,
    const char *address, const im_daemon_server_conf_t *conf);

/* Accepts connections from now on. */
void im_daemon_server_begin(im_daemon_server_t *server);

/* Other machines can connect. */
int im_daemon_server_remote(const im_daemon_server_t *server);
/* Logs what they can read then. */
void im_daemon_server_warn(const char *address);

void im_daemon_server_stats(const im_daemon_server_t *server,
    uint64_t stats[IM_SERVER_STATS]);

/* Stops to accept and closes idle connections; the others when answered. */
void im_daemon_server_close(im_daemon_server_t *server);

void im_daemon_server_destroy(im_daemon_server_t *server);


#endif /* IM_DAEMON_SERVER_H */
