/*
 * Copyright (C) The im authors
 *
 * Replies of Redis: the type is checked before a field is read.
 */

#include <hiredis/hiredis.h>

#include "im_link_reply.h"
#include "im_buf.h"


#define IM_LINK_DIGITS  18      /* of a decimal that can't overflow */


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
    size_t    minus;
    im_str_t  s;
    uint64_t  n;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    s = im_link_reply_str(reply);
    minus = s.len > 0 && s.data[0] == '-';
    s = im_str_set(s.data + minus, s.len - minus);

    if (s.len > IM_LINK_DIGITS || im_decimal_decode(s, &n) != IM_OK) {
        return dflt;
    }

    return minus ? -(int64_t) n : (int64_t) n;
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
    u_char                 *dash;
    im_str_t                id;
    uint64_t                seq;
    const im_link_reply_t  *fields;

    id = im_link_reply_str_at(reply, 0);
    dash = memchr(id.data, '-', im_min(id.len, IM_LINK_DIGITS));
    fields = im_link_reply_at(reply, 1);
    *value = im_link_reply_str_at(fields, 1);

    if (!im_link_reply_is_array(fields, 2) || dash == NULL
        || im_decimal_decode(im_str_set(id.data, dash - id.data), &seq)
           != IM_OK)
    {
        return 0;
    }

    return seq;
}
