/*
 * Copyright (C) The im authors
 *
 * The members of a topic, over all live workers.  They are read by members.lua,
 * page by page, and kept for half a second, so that many readers of a topic
 * cost one read.
 */

#ifndef IM_LINK_MEMBERS_H
#define IM_LINK_MEMBERS_H


#include "im_link.h"
#include "im_members.h"


#define IM_LINK_MEMBERS_MAX  20000     /* that are read, of one topic */


typedef struct im_link_members_s  im_link_members_t;

/* members is borrowed; NULL: they couldn't be read. */
typedef void (*im_link_members_pt)(const im_members_t *members, void *data);


typedef enum {
    IM_LINK_MEMBERS_FRESH = 0,   /* as Redis has them from now on */
    IM_LINK_MEMBERS_KEPT,        /* as of the last half a second */
    IM_LINK_MEMBERS_COUNTS,      /* only count and nworkers, from now on */
    IM_LINK_MEMBERS_FIND         /* of im_link_members_find() */
} im_link_members_e;


/* Sessions that are looked for among the members of a topic. */
typedef struct {
    im_str_t          topic;
    const im_str_t   *sessions;
    im_uint_t         n;
} im_link_find_t;


/* NULL: no memory. */
im_link_members_t *im_link_members_create(im_link_t *link);
/* Its handlers have been called: the link is destroyed before.  Takes NULL. */
void im_link_members_destroy(im_link_members_t *members);

/*
 * The reply of live.lua about workers, from a caller that asks once a second:
 * they are asked for here only where a route has one that isn't known.
 */
void im_link_members_workers(im_link_members_t *members,
    const im_link_reply_t *reply);

/* What was read in the last half a second, or NULL; now: monotonic ms. */
const im_members_t *im_link_members_kept(im_link_members_t *members,
    im_str_t topic, uint64_t now);

/* A question that asks for what is kept, too, costs no call. */
int im_link_members_near(im_link_members_t *members, im_str_t topic,
    uint64_t now);

/*
 * The handler is called once, later, even if something is kept; it may ask.
 * IM_ERROR: it won't be called.
 */
im_int_t im_link_members_ask(im_link_members_t *members, im_str_t topic,
    im_link_members_e how, uint64_t now, im_link_members_pt handler,
    void *data);

/* The same of those sessions alone, from now on, wherever they are. */
im_int_t im_link_members_find(im_link_members_t *members,
    const im_link_find_t *find, uint64_t now, im_link_members_pt handler,
    void *data);

/* Forgets what is older than half a second; called now and then. */
void im_link_members_tick(im_link_members_t *members, uint64_t now);


#endif /* IM_LINK_MEMBERS_H */
