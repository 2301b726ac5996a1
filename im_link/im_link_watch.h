/*
 * Copyright (C) The im authors
 *
 * The settings of Redis, read with each connection and each ten seconds, and
 * what is wrong with them.
 */

#ifndef IM_LINK_WATCH_H
#define IM_LINK_WATCH_H


#include "im_link.h"
#include "im_link_settings.h"


typedef struct im_link_watch_s  im_link_watch_t;


/*
 * For the log: a warning that is new, that another connection gets again, or
 * whose values have changed; or (warning 0) that there is none any more, or
 * that nothing can be known.
 */
typedef void (*im_link_watch_pt)(void *data, const char *text, int warning);


/* NULL: no memory.  To be destroyed after the link. */
im_link_watch_t *im_link_watch_create(im_link_t *link, im_link_watch_pt handler,
    void *data);
void im_link_watch_destroy(im_link_watch_t *watch);

/* The link has a new connection. */
void im_link_watch_ready(im_link_watch_t *watch);

/* About each second. */
void im_link_watch_tick(im_link_watch_t *watch, uint64_t now);

/* As last read; a set of warnings as im_link_settings_judge() gives it. */
const im_link_settings_t *im_link_watch_settings(const im_link_watch_t *watch);
im_uint_t im_link_watch_warnings(const im_link_watch_t *watch);


#endif /* IM_LINK_WATCH_H */
