/*
 * Copyright (C) The im authors
 *
 * The lease record: what a worker says of itself in Redis, a hash that lives as
 * long as the worker's lease.  Fields that are not there read as empty or 0, so
 * that workers of several versions may run side by side.
 */

#ifndef IM_RECORD_H
#define IM_RECORD_H


#include "im_types.h"
#include "im_buf.h"
#include "im_json.h"


#define IM_LEASE_WORKER   12000       /* ms */
#define IM_LEASE_JOB      6000        /* ms, of an im_job process */
#define IM_WORKERS_MAX    4096        /* that live */

#define IM_RECORD_FIELDS  18


typedef struct {
    im_str_t  node;
    im_str_t  rules;         /* JSON of im_rules_encode() */
    im_str_t  users;         /* of im_sketch_encode() */
    im_str_t  rooms;         /* of im_board_encode(), the largest ones */
    im_str_t  version;
    im_str_t  protocols;     /* "NAME SESSIONS", with commas between */
    int64_t   sessions;
    int64_t   topics;
    int64_t   subs;
    int64_t   draining;      /* 0 or 1 */
    int64_t   addresses;     /* that have sessions */
    int64_t   time;          /* ms since 1970, when it was written */
    int64_t   away;          /* partitions that take no calls */
    /* since the worker's start */
    int64_t   accepted;      /* handshakes */
    int64_t   refused;
    int64_t   messages_in;   /* from clients */
    int64_t   messages_out;  /* once for each follower */
    int64_t   bytes_out;
} im_record_t;


/* What a worker counts of its sessions: lease.lua moves it with them. */
typedef enum {
    IM_COUNT_SESSIONS = 0,
    IM_COUNT_SUBS,
    IM_COUNT_ADDRESSES,
    IM_COUNT_PROTOCOLS,
    IM_COUNTS
} im_count_e;


/* The fields of the hash, by name; strings and integers. */
extern const im_json_field_t  im_record_fields[IM_RECORD_FIELDS];
extern const im_json_field_t  im_record_counts[IM_COUNTS];

/*
 * The value of each field, borrowed from the record or from b, which gets the
 * numbers; b->failed: no memory.  The value of a string without data (NULL) has
 * no data: the field is to stay as it is in Redis.
 */
void im_record_encode(im_buf_t *b, const im_record_t *record,
    im_str_t values[IM_RECORD_FIELDS]);

/* Strings are borrowed. */
void im_record_decode(const im_str_t values[IM_RECORD_FIELDS],
    im_record_t *record);

/* Sets the counts, and nothing else. */
void im_record_count(const im_str_t values[IM_COUNTS], im_record_t *record);

/* The field depends on the sessions: a count, their users, their rooms. */
int im_record_moves(im_uint_t field);


#endif /* IM_RECORD_H */
