/*
 * Copyright (C) The im authors
 *
 * How often something may be tried.
 */

#ifndef IM_LOGIC_LIMIT_H
#define IM_LOGIC_LIMIT_H


#include "im_logic_request.h"


/* Kinds of limits, in their keys. */
#define IM_LIMIT_NAME      'n'
#define IM_LIMIT_NETWORK   'p'     /* at a name */
#define IM_LIMIT_TRUSTED   't'     /* at a name, from where it is known */
#define IM_LIMIT_KNOWN     'k'     /* no limit: the name is known there */
#define IM_LIMIT_ADDRESS   'i'
#define IM_LIMIT_REGISTER  'r'
#define IM_LIMIT_INFO      'c'
#define IM_LIMIT_ONLINE    'o'
#define IM_LIMIT_KEPT      'm'     /* messages to users that are away */


/* So many attempts at once; they are refilled evenly over a period. */
typedef struct {
    char       kind;
    uint64_t   n;           /* not 0 */
    uint64_t   period;      /* s */
    im_str_t   subject;
} im_logic_limit_t;


/*
 * Counts one more attempt.  The handler reads IM_OK; IM_DECLINED: too often,
 * again in so many s; IM_ERROR: Redis is away.
 */
void im_logic_limit(im_logic_t *logic, const im_logic_limit_t *limit,
    im_link_reply_pt handler, void *data);
im_int_t im_logic_limit_read(const im_link_reply_t *reply, im_uint_t *seconds);
void im_logic_limit_key(im_logic_t *logic, im_link_call_t *call, char kind,
    im_str_t subject);
/* Attempts are forgotten. */
void im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject);

/* What counts as one client: IPv6 by its first 64 bits. */
void im_logic_limit_address(im_buf_t *b, im_str_t address);
/* The same, IPv4 by its first 24 bits. */
void im_logic_limit_network(im_buf_t *b, im_str_t address);


#endif /* IM_LOGIC_LIMIT_H */
