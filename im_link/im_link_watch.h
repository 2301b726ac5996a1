/*
 * Copyright (C) The im authors
 *
 * The settings of each server, read with each connection and each ten seconds,
 * and what is wrong with them.
 */

#ifndef IM_LINK_WATCH_H
#define IM_LINK_WATCH_H


#include "im_link.h"
#include "im_link_settings.h"


#define IM_LINK_WATCH_TEXT  800        /* bytes of a warning and of names */


typedef struct im_link_watch_s  im_link_watch_t;


/*
 * For the log: a warning that is new, that another connection gets again, or
 * whose values have changed, once for all servers that it is about; or (warning
 * 0) that there is none any more, or that nothing can be known.
 */
typedef void (*im_link_watch_pt)(void *data, const char *text, int warning);


/* NULL: no memory.  To be destroyed after the link. */
im_link_watch_t *im_link_watch_create(im_link_t *link, im_link_watch_pt handler,
    void *data);
void im_link_watch_destroy(im_link_watch_t *watch);

/* The link has a new connection to a server. */
void im_link_watch_ready(im_link_watch_t *watch, im_uint_t server);

/* Pushes are only accepted with so many replicas. */
void im_link_watch_demand(im_link_watch_t *watch, uint64_t replicas);

/* About each second. */
void im_link_watch_tick(im_link_watch_t *watch, uint64_t now);

/* The server that is fullest; as last read of it. */
im_uint_t im_link_watch_fullest(const im_link_watch_t *watch);
const im_link_settings_t *im_link_watch_settings(const im_link_watch_t *watch);

/* Of all servers, a set as im_link_settings_judge() gives it. */
im_uint_t im_link_watch_warnings(const im_link_watch_t *watch);

/*
 * The n-th warning, at most IM_LINK_WATCH_TEXT bytes with its zero byte; 0:
 * there are less.
 */
int im_link_watch_text(const im_link_watch_t *watch, im_uint_t n, char *text);


#endif /* IM_LINK_WATCH_H */
