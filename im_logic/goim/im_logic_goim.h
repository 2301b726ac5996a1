/*
 * Copyright (C) The im authors
 *
 * The HTTP API of goim's logic (github.com/Terry-Mao/goim, docs/push.md).
 *
 * Answers are {"code":0,"message":"","data":...}.  A code that isn't 0 is
 * goim's: -400 for requests that are refused for good, -500 for all others,
 * whose status (503) says that they may be repeated.
 */

#ifndef IM_LOGIC_GOIM_H
#define IM_LOGIC_GOIM_H


#include "im_logic_request.h"


#define IM_GOIM_REQUEST  -400
#define IM_GOIM_SERVER   -500

#define IM_GOIM_ROOMS    1000      /* in a question */
#define IM_GOIM_ARG      253       /* bytes */


void im_logic_goim_keys_handler(im_daemon_request_t *r);
void im_logic_goim_mids_handler(im_daemon_request_t *r);
void im_logic_goim_room_handler(im_daemon_request_t *r);
void im_logic_goim_all_handler(im_daemon_request_t *r);
void im_logic_goim_top_handler(im_daemon_request_t *r);
void im_logic_goim_rooms_handler(im_daemon_request_t *r);
void im_logic_goim_total_handler(im_daemon_request_t *r);
void im_logic_goim_weighted_handler(im_daemon_request_t *r);
void im_logic_goim_instances_handler(im_daemon_request_t *r);


/* im_logic_goim.c */

/* data may be NULL. */
void im_logic_goim_reply(im_daemon_request_t *r, const im_buf_t *data);

/* A status of HTTP, as im_logic_reply_error() takes it. */
void im_logic_goim_refuse(im_daemon_request_t *r, im_uint_t status,
    const char *msg);

/*
 * The number of an argument, and whether it is there; IM_ERROR: it is no number
 * from 0 to INT32_MAX, and has been refused.
 */
im_int_t im_logic_goim_number(im_daemon_request_t *r, const char *name,
    int required, uint64_t *n);

/* An argument that must be there; IM_ERROR: it has been refused. */
im_int_t im_logic_goim_arg(im_daemon_request_t *r, const char *name,
    im_str_t *value);

/*
 * The next value of an argument that may be repeated, decoded; *at is 0 at
 * first.  IM_DECLINED: no more; IM_ERROR: no memory.
 */
im_int_t im_logic_goim_next(im_daemon_request_t *r, const char *name,
    size_t *at, im_str_t *value);

/* "TYPE://ROOM"; no data: no memory. */
im_str_t im_logic_goim_name(im_daemon_request_t *r, im_str_t type,
    im_str_t room);


#endif /* IM_LOGIC_GOIM_H */
