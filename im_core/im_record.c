/*
 * Copyright (C) The im authors
 *
 * Lease records: names, values, and back.
 */

#include "im_record.h"


/* Places in im_record_names[]. */
enum {
    IM_RECORD_NODE = 0,
    IM_RECORD_RULES,
    IM_RECORD_USERS,
    IM_RECORD_ROOMS,
    IM_RECORD_SESSIONS,
    IM_RECORD_TOPICS,
    IM_RECORD_SUBS,
    IM_RECORD_DRAINING
};


static uint64_t im_record_number(im_str_t value);


const im_str_t  im_record_names[IM_RECORD_FIELDS] = {
    im_str("node"),
    im_str("rules"),
    im_str("users"),
    im_str("rooms"),
    im_str("sessions"),
    im_str("topics"),
    im_str("subs"),
    im_str("draining")
};


void
im_record_encode(im_buf_t *b, const im_record_t *record,
    im_str_t values[IM_RECORD_FIELDS])
{
    size_t     ends[4];
    u_char    *p;
    im_uint_t  i;

    values[IM_RECORD_NODE] = record->node;
    values[IM_RECORD_RULES] = record->rules;
    values[IM_RECORD_USERS] = record->users;
    values[IM_RECORD_ROOMS] = record->rooms;

    im_buf_add_uint(b, record->sessions);
    ends[0] = b->len;
    im_buf_add_uint(b, record->topics);
    ends[1] = b->len;
    im_buf_add_uint(b, record->subs);
    ends[2] = b->len;
    im_buf_add_uint(b, record->draining != 0);
    ends[3] = b->len;

    for (i = 0, p = b->data; i < 4; i++) {
        values[IM_RECORD_SESSIONS + i] = im_str_set(p, b->data + ends[i] - p);
        p = b->data + ends[i];
    }
}


void
im_record_decode(const im_str_t values[IM_RECORD_FIELDS], im_record_t *record)
{
    record->node = values[IM_RECORD_NODE];
    record->rules = values[IM_RECORD_RULES];
    record->users = values[IM_RECORD_USERS];
    record->rooms = values[IM_RECORD_ROOMS];
    record->sessions = im_record_number(values[IM_RECORD_SESSIONS]);
    record->topics = im_record_number(values[IM_RECORD_TOPICS]);
    record->subs = im_record_number(values[IM_RECORD_SUBS]);
    record->draining = im_record_number(values[IM_RECORD_DRAINING]) != 0;
}


/* What is no number, or too large a one, is 0. */
static uint64_t
im_record_number(im_str_t value)
{
    size_t    i;
    uint64_t  n;

    if (value.len > 18) {
        return 0;
    }

    for (i = 0, n = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }

        n = n * 10 + value.data[i] - '0';
    }

    return n;
}
