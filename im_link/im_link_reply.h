/*
 * Copyright (C) The im authors
 *
 * Replies of Redis.  Every function takes NULL (a reply that will never come)
 * and any type: a wrong type reads as empty, nil or the default.
 */

#ifndef IM_LINK_REPLY_H
#define IM_LINK_REPLY_H


#include "im_types.h"


/* hiredis' own; only im_link/ looks inside. */
typedef struct redisReply  im_link_reply_t;


int im_link_reply_is_error(const im_link_reply_t *reply);
int im_link_reply_is_nil(const im_link_reply_t *reply);

/* An array of at least n elements. */
int im_link_reply_is_array(const im_link_reply_t *reply, im_uint_t n);

/* Of strings, statuses and errors; borrowed from the reply. */
im_str_t im_link_reply_str(const im_link_reply_t *reply);

/* Of integers and decimal strings. */
int64_t im_link_reply_int(const im_link_reply_t *reply, int64_t dflt);

/* Elements of an array; im_link_reply_at() beyond its end: NULL. */
im_uint_t im_link_reply_len(const im_link_reply_t *reply);
const im_link_reply_t *im_link_reply_at(const im_link_reply_t *reply,
    im_uint_t i);

/* The same of an element. */
#define im_link_reply_str_at(reply, i)                                        \
    im_link_reply_str(im_link_reply_at(reply, i))
#define im_link_reply_int_at(reply, i, dflt)                                  \
    im_link_reply_int(im_link_reply_at(reply, i), dflt)

/*
 * An entry of XRANGE "SEQ-1" with one field: its number, and the field's value.
 * 0: it is something else.
 */
uint64_t im_link_reply_entry(const im_link_reply_t *reply, im_str_t *value);

/* The reply of TIME in ms; 0: it is none. */
uint64_t im_link_reply_time(const im_link_reply_t *reply);


#endif /* IM_LINK_REPLY_H */
