/*
 * Copyright (C) The im authors
 *
 * Who follows a topic, over all workers that live.
 */

#ifndef IM_LOGIC_MEMBERS_H
#define IM_LOGIC_MEMBERS_H


#include "im_logic.h"


#define IM_MEMBERS_MAX  20000     /* sessions looked at, of one topic */


/* What a worker has written for a session; all of it borrowed. */
typedef struct {
    im_str_t  session;
    im_str_t  worker;
    im_str_t  user;
    im_str_t  name;
    im_str_t  ip;
    im_str_t  since;          /* JSON */
    im_str_t  info;           /* JSON, of the connection; "" none */
    im_str_t  room_info;      /* JSON, of the subscription; "" none */
} im_logic_member_t;


typedef struct {
    uint64_t  count;          /* sessions, those without a user too */
    unsigned  failed:1;       /* Redis is away */
    unsigned  more:1;         /* not all of the members were looked at */
} im_logic_counted_t;


typedef void (*im_logic_member_pt)(void *data, const im_logic_member_t *m);
typedef void (*im_logic_counted_pt)(void *data,
    const im_logic_counted_t *counted);


/*
 * Calls member for each session with a user (NULL: they are only counted),
 * then done, once, never before this returns.  IM_ERROR: done won't be called.
 */
im_int_t im_logic_members_read(im_logic_t *logic, im_str_t topic,
    im_logic_member_pt member, im_logic_counted_pt done, void *data);


#endif /* IM_LOGIC_MEMBERS_H */
