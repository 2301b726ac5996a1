/*
 * Copyright (C) The im authors
 *
 * The members of a topic, over all workers that live.
 */

#ifndef IM_LOGIC_MEMBERS_H
#define IM_LOGIC_MEMBERS_H


#include "im_logic_request.h"
#include "im_member.h"


#define IM_MEMBERS_MAX  20000     /* sessions of one topic that are read */


typedef struct {
    uint64_t  count;          /* sessions, those without a user too */
    unsigned  failed:1;       /* Redis is away */
    unsigned  more:1;         /* not all of the members were read */
} im_logic_counted_t;


/* m is borrowed, from what the worker has written. */
typedef void (*im_logic_member_pt)(void *data, im_str_t worker,
    const im_member_t *m);
typedef void (*im_logic_counted_pt)(void *data,
    const im_logic_counted_t *counted);


/*
 * Calls member for each session with a user (NULL: they are only counted),
 * then done, once, perhaps before this returns.  The topic lives as long as r;
 * one without data is no memory.
 */
void im_logic_members_read(im_daemon_request_t *r, im_str_t topic,
    im_logic_member_pt member, im_logic_counted_pt done, void *data);


#endif /* IM_LOGIC_MEMBERS_H */
