/*
 * Copyright (C) The im authors
 *
 * How often something may be tried.
 */

#ifndef IM_LOGIC_LIMIT_H
#define IM_LOGIC_LIMIT_H


#include "im_logic_request.h"


/*
 * Counts one more attempt; n in conf.limit_period, not 0.  The handler reads
 * IM_OK; IM_DECLINED: too often, again in so many s; IM_ERROR: Redis is away.
 */
void im_logic_limit(im_logic_t *logic, char kind, im_str_t subject, uint64_t n,
    im_link_reply_pt handler, void *data);
im_int_t im_logic_limit_read(const im_link_reply_t *reply, im_uint_t *seconds);
/* Attempts are forgotten. */
void im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject);

/* What counts as one client: IPv6 by its first 64 bits. */
void im_logic_limit_address(im_buf_t *b, im_str_t address);


#endif /* IM_LOGIC_LIMIT_H */
