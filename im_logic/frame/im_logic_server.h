/*
 * Copyright (C) The im authors
 *
 * The FastCGI listener.
 */

#ifndef IM_LOGIC_SERVER_H
#define IM_LOGIC_SERVER_H


#include <event2/event.h>

#include "im_daemon_listen.h"
#include "im_daemon_request.h"


#define IM_SERVER_MAX_CONNECTIONS  4096


typedef struct im_logic_server_s  im_logic_server_t;


/* NULL: the fault is logged. */
im_logic_server_t *im_logic_server_create(struct event_base *base,
    const char *address, const im_daemon_listen_t *conf, size_t max_body,
    im_daemon_request_pt handler, void *data);

/* Stops to accept and closes idle connections; the others when answered. */
void im_logic_server_close(im_logic_server_t *server);

void im_logic_server_destroy(im_logic_server_t *server);


#endif /* IM_LOGIC_SERVER_H */
