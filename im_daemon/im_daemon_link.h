/*
 * Copyright (C) The im authors
 *
 * The link to Redis on libevent.
 */

#ifndef IM_DAEMON_LINK_H
#define IM_DAEMON_LINK_H


#include <event2/event.h>

#include "im_link_transport.h"


#define IM_DAEMON_LINK_TIMEOUT  2000        /* ms, of each call */
#define IM_DAEMON_LINK_ADDRESS  "127.0.0.1:6379"
#define IM_DAEMON_LINK_PORT     6379


/* Connects from the loop, not within the call.  NULL: no memory. */
im_link_t *im_daemon_link_create(struct event_base *base,
    const im_link_conf_t *conf, const im_link_events_t *events, void *data);

/* An im_link_watch_pt: it writes into the log. */
void im_daemon_link_watched(void *data, const char *text, int warning);

/* May be called by a handler or an event; handlers under way get NULL. */
void im_daemon_link_destroy(im_link_t *link);


#endif /* IM_DAEMON_LINK_H */
