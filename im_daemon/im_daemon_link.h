/*
 * Copyright (C) The im authors
 *
 * The link to Redis on libevent.
 */

#ifndef IM_DAEMON_LINK_H
#define IM_DAEMON_LINK_H


#include <event2/event.h>

#include "im_link.h"


#define IM_DAEMON_LINK_TIMEOUT  2000        /* ms, of each call */
#define IM_DAEMON_LINK_ADDRESS  "127.0.0.1:6379"


/* Strings are borrowed and must outlive the link. */
typedef struct {
    const char  *address;      /* HOST:PORT or unix:PATH; NULL: the default */
    const char  *user;         /* NULL: none */
    const char  *password;
    uint64_t     db;
    im_str_t     prefix;
    uint64_t     partitions;   /* 0: what is there, or the default */
} im_daemon_link_conf_t;


/* Connects from the loop, not within the call.  NULL: no memory. */
im_link_t *im_daemon_link_create(struct event_base *base,
    const im_daemon_link_conf_t *conf, const im_link_events_t *events,
    void *data);

/* May be called by a handler or an event; handlers under way get NULL. */
void im_daemon_link_destroy(im_link_t *link);


#endif /* IM_DAEMON_LINK_H */
