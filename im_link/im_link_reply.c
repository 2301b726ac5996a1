/*
 * Copyright (C) The im authors
 *
 * Replies of Redis: the type is checked before a field is read.
 */

#include <hiredis/hiredis.h>

#include "im_link_reply.h"


#define IM_LINK_DIGITS  18      /* of a decimal that can't overflow */


static int64_t im_link_reply_decimal(im_str_t s, int64_t dflt);


int
im_link_reply_is_error(const im_link_reply_t *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR;
}


int
im_link_reply_is_nil(const im_link_reply_t *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_NIL;
}


int
im_link_reply_is_array(const im_link_reply_t *reply, im_uint_t n)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY
           && reply->elements >= n;
}


im_str_t
im_link_reply_str(const im_link_reply_t *reply)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING
                          && reply->type != REDIS_REPLY_STATUS
                          && reply->type != REDIS_REPLY_ERROR))
    {
        return im_str_set("", 0);
    }

    return im_str_set(reply->str, reply->len);
}


int64_t
im_link_reply_int(const im_link_reply_t *reply, int64_t dflt)
{
    if (reply == NULL) {
        return dflt;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    return im_link_reply_decimal(im_link_reply_str(reply), dflt);
}


static int64_t
im_link_reply_decimal(im_str_t s, int64_t dflt)
{
    int       minus;
    size_t    i;
    int64_t   n;

    minus = s.len > 0 && s.data[0] == '-';
    n = 0;

    if (s.len == (size_t) minus || s.len - minus > IM_LINK_DIGITS) {
        return dflt;
    }

    for (i = minus; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return dflt;
        }

        n = n * 10 + (s.data[i] - '0');
    }

    return minus ? -n : n;
}


im_uint_t
im_link_reply_len(const im_link_reply_t *reply)
{
    return im_link_reply_is_array(reply, 0) ? reply->elements : 0;
}


const im_link_reply_t *
im_link_reply_at(const im_link_reply_t *reply, im_uint_t i)
{
    return i < im_link_reply_len(reply) ? reply->element[i] : NULL;
}


im_str_t
im_link_reply_str_at(const im_link_reply_t *reply, im_uint_t i)
{
    return im_link_reply_str(im_link_reply_at(reply, i));
}


int64_t
im_link_reply_int_at(const im_link_reply_t *reply, im_uint_t i, int64_t dflt)
{
    return im_link_reply_int(im_link_reply_at(reply, i), dflt);
}


uint64_t
im_link_reply_time(const im_link_reply_t *reply)
{
    int64_t  s, us;

    s = im_link_reply_int_at(reply, 0, 0);
    us = im_link_reply_int_at(reply, 1, 0);

    return s > 0 && us >= 0 ? (uint64_t) s * 1000 + (uint64_t) us / 1000 : 0;
}


uint64_t
im_link_reply_entry(const im_link_reply_t *reply, im_str_t *value)
{
    size_t                  i;
    im_str_t                id;
    uint64_t                seq;
    const im_link_reply_t  *fields;

    id = im_link_reply_str_at(reply, 0);
    fields = im_link_reply_at(reply, 1);

    if (!im_link_reply_is_array(fields, 2)) {
        return 0;
    }

    *value = im_link_reply_str_at(fields, 1);

    for (i = 0, seq = 0; i < id.len && i < 18; i++) {

        if (id.data[i] < '0' || id.data[i] > '9') {
            return id.data[i] == '-' ? seq : 0;
        }

        seq = seq * 10 + (uint64_t) (id.data[i] - '0');
    }

    return 0;
}
