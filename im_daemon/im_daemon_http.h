/*
 * Copyright (C) The im authors
 *
 * Plain HTTP, by libevent's evhttp: for loopback and private networks, since
 * it has no limit of connections and is lax where nginx is not.
 */

#ifndef IM_DAEMON_HTTP_H
#define IM_DAEMON_HTTP_H


#include <event2/event.h>

#include "im_daemon_listen.h"
#include "im_daemon_request.h"


typedef struct im_daemon_http_s  im_daemon_http_t;


/* NULL: the fault is logged. */
im_daemon_http_t *im_daemon_http_create(struct event_base *base,
    const char *address, const im_daemon_listen_t *conf, size_t max_body,
    im_daemon_request_pt handler, void *data);

/* New connections are refused from now on; requests under way go on. */
void im_daemon_http_close(im_daemon_http_t *http);

void im_daemon_http_destroy(im_daemon_http_t *http);


#endif /* IM_DAEMON_HTTP_H */
