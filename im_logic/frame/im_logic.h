/*
 * Copyright (C) The im authors
 *
 * What a request of im_logic needs: the process, and the forms of answers.
 *
 * One thread, one loop.  A request is a small state machine on Redis replies;
 * each call to Redis ends within IM_REDIS_TIMEOUT, so each request ends.
 */

#ifndef IM_LOGIC_H
#define IM_LOGIC_H


#include <event2/event.h>

#include "im_types.h"
#include "im_buf.h"
#include "im_daemon_log.h"
#include "im_daemon_redis.h"
#include "im_daemon_request.h"


#define IM_LOGIC_MAX_REPLY    (4 * 1024 * 1024)


typedef struct im_logic_nodes_s  im_logic_nodes_t;
typedef struct im_logic_pool_s   im_logic_pool_t;


typedef struct {
    char      *redis;
    char      *user;
    char      *password;
    char      *prefix;
    char      *fcgi;
    char      *http;
    char      *log;
    char      *api_key_file;
    uint64_t   db;
    uint64_t   partitions;
    uint64_t   max_body;
    uint64_t   max_targets;
    uint64_t   max_requests;
    uint64_t   queue_cap;
    uint64_t   idem_ttl;
    uint64_t   token_life;         /* s */
    uint64_t   user_tokens;
    uint64_t   foreign_tokens;
    uint64_t   hash_threads;
    uint64_t   hash_queue;
    uint64_t   hash_cost;
    uint64_t   login_limit;        /* attempts in a period; 0: no limit */
    uint64_t   address_limit;
    uint64_t   register_limit;
    uint64_t   limit_period;       /* s */
} im_logic_conf_t;


typedef struct {
    struct event_base       *base;
    im_logic_conf_t          conf;
    im_daemon_redis_conf_t   redis_conf;
    im_daemon_redis_t       *redis;
    im_logic_pool_t         *pool;         /* hashes passwords */
    im_str_t                 prefix;
    im_buf_t                 api_keys;     /* a line each */
    im_logic_nodes_t        *nodes;        /* who lives */
    uint64_t                 nrequests;    /* under way */
    uint64_t                 seed[2];
    unsigned                 revoked:1;    /* users are kept out */
    unsigned                 stopping:1;
    unsigned                 failed:1;
} im_logic_t;


/* {"code":0,"msg":"success","data":DATA} */
void im_logic_reply_data(im_logic_t *logic, im_daemon_request_t *r,
    const im_buf_t *data);
/* {"code":STATUS,"msg":"..."} */
void im_logic_reply_error(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, const char *msg);
void im_logic_reply(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, const im_buf_t *json);

/* Of a body that im_json_decode() has refused. */
im_uint_t im_logic_json_status(const char *why);

/* A valid name, or empty. */
int im_logic_name_or_none(im_str_t name);

/* Ends the loop where the process is stopping and the last request is over. */
void im_logic_stop(im_logic_t *logic);


#endif /* IM_LOGIC_H */
