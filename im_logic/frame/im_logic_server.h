/*
 * Copyright (C) The im authors
 *
 * A listener and its connections, of FastCGI or of HTTP.
 *
 * A place is found for every connection that comes: where all are taken, one
 * that waits gives way (im_logic_peer.h).  A group leaves some places to
 * others in any case.
 */

#ifndef IM_LOGIC_SERVER_H
#define IM_LOGIC_SERVER_H


#include <event2/event.h>

#include "im_daemon_listen.h"
#include "im_logic_transport.h"


#define IM_SERVER_MAX_CONNECTIONS  4096


typedef struct im_logic_server_s  im_logic_server_t;


typedef struct {
    const im_logic_transport_t  *transport;
    const im_daemon_listen_t    *listen;
    size_t                       max_body;
    uint64_t                     idle_timeout;      /* s, between requests */
    uint64_t                     request_timeout;   /* s, of a request */
    const char                  *real_ip;    /* header of the client's address,
                                                or NULL */
    const uint64_t              *seed;
    im_daemon_request_pt         handler;
    void                        *data;
} im_logic_server_conf_t;


/* NULL: the fault is logged. */
im_logic_server_t *im_logic_server_create(struct event_base *base,
    const char *address, const im_logic_server_conf_t *conf);

/* Other machines can connect. */
int im_logic_server_remote(const im_logic_server_t *server);

/* Stops to accept and closes idle connections; the others when answered. */
void im_logic_server_close(im_logic_server_t *server);

void im_logic_server_destroy(im_logic_server_t *server);


#endif /* IM_LOGIC_SERVER_H */
