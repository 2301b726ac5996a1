/*
 * Copyright (C) The im authors
 *
 * im_logic: what its files share.
 *
 * One thread, one loop.  A request is a small state machine on Redis replies;
 * each call to Redis ends within IM_REDIS_TIMEOUT, so each request ends.
 */

#ifndef IM_LOGIC_H
#define IM_LOGIC_H


#include <event2/event.h>

#include "im_types.h"
#include "im_buf.h"
#include "im_hash.h"
#include "im_push.h"
#include "im_rule.h"
#include "im_daemon_log.h"
#include "im_daemon_redis.h"
#include "im_daemon_request.h"
#include "im_logic_pool.h"


#define IM_LOGIC_LEASE        "12000"   /* ms, of a worker */
#define IM_LOGIC_JOB_LEASE    "6000"
#define IM_LOGIC_MAX_WORKERS  "4096"
#define IM_LOGIC_MAX_USERS    1000      /* in the answer about a room */
#define IM_LOGIC_MAX_REPLY    (4 * 1024 * 1024)

#define IM_TOKEN_MAX          128
#define IM_CONNECT_ROOMS      64        /* patterns of a token */
#define IM_TOKEN_MARK         "Im"      /* field of the tokens made here */


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


/* The workers that live and what they say, as of the last look. */
typedef struct {
    im_str_t  *workers;       /* sorted; owned */
    im_uint_t  nworkers;
    im_rules_t rules;         /* merged */
    uint64_t   sessions;
    uint64_t   users;
    uint64_t   jobs;          /* im_job processes that live */
    unsigned   known:1;       /* looked at since Redis came back */
} im_logic_nodes_t;


typedef struct im_logic_look_s  im_logic_look_t;


typedef struct {
    struct event_base       *base;
    im_logic_conf_t          conf;
    im_daemon_redis_conf_t   redis_conf;
    im_daemon_redis_t       *redis;
    im_logic_pool_t         *pool;         /* hashes passwords */
    im_str_t                 prefix;
    im_buf_t                 api_keys;     /* a line each */
    im_logic_nodes_t         nodes;
    im_logic_look_t         *look;         /* under way */
    uint64_t                 nrequests;    /* under way */
    uint64_t                 seed[2];
    unsigned                 revoked:1;    /* somebody is kept out */
    unsigned                 stopping:1;
    unsigned                 failed:1;
} im_logic_t;


/* im_logic_request.c */

/* Takes a request over from its transport; data is im_logic_t. */
void im_logic_handler(im_daemon_request_t *r, void *data);

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

/* The loop may end: nothing is under way any more. */
void im_logic_stopped(im_logic_t *logic);


/* im_logic_token.c */

/* Empty where there is none; good within the call. */
typedef struct {
    im_str_t  user;
    im_str_t  name;
    im_str_t  rooms;      /* patterns; data NULL: all */
} im_logic_login_t;

/* IM_OK; IM_DECLINED: nobody's token; IM_ERROR: Redis is away. */
typedef void (*im_logic_token_pt)(void *data, im_int_t rc,
    const im_logic_login_t *login);

/* The token must be valid.  IM_ERROR: Redis is away, fn won't be called. */
im_int_t im_logic_token_find(im_logic_t *logic, im_str_t token,
    im_logic_token_pt fn, void *data);
int im_logic_token_valid(im_str_t token);

/* The next pattern of rooms, which gets shorter; IM_DECLINED: no more. */
im_int_t im_logic_token_pattern(im_str_t *rooms, im_str_t *pattern);
/* The login may be in the room. */
int im_logic_token_room(im_str_t rooms, im_str_t room);


/* im_logic_limit.c */

/* IM_OK; IM_DECLINED: too often, again in so many s; IM_ERROR: Redis. */
typedef void (*im_logic_limit_pt)(void *data, im_int_t rc, im_uint_t seconds);

/* One more attempt; n in conf.limit_period, not 0.  As above. */
im_int_t im_logic_limit(im_logic_t *logic, char kind, im_str_t subject,
    uint64_t n, im_logic_limit_pt fn, void *data);
/* Attempts are forgotten. */
void im_logic_limit_clear(im_logic_t *logic, char kind, im_str_t subject);

/* What counts as one client: IPv6 by its first 64 bits. */
void im_logic_limit_address(im_buf_t *b, im_str_t address);


/* im_logic_v1.c: the forms that pages of the seed system read */

typedef enum {
    IM_FORM_OWN = 0,
    IM_FORM_V1,              /* /api/v1/ */
    IM_FORM_ACCOUNT          /* /v1/user/ */
} im_logic_form_e;

/* Headers of all answers of this form. */
void im_logic_v1_headers(im_daemon_request_t *r, im_logic_form_e form);
void im_logic_v1_preflight(im_logic_t *logic, im_daemon_request_t *r,
    im_logic_form_e form);
/* What is refused before it reaches its handler. */
void im_logic_v1_refuse(im_logic_t *logic, im_daemon_request_t *r,
    im_logic_form_e form, im_uint_t status);


/* im_logic_v1_push.c */

void im_logic_v1_push(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_v1_push_room(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_v1_room_info(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);


/* im_logic_account.c */

void im_logic_register(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_login(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_check_auth(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_logout(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);


/* im_logic_push.c, im_logic_call.c, im_logic_connect.c, im_logic_query.c,
   im_logic_room.c */

void im_logic_push(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_call(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_connect(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_online(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_health(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_room(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);
void im_logic_user(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);


/* im_logic_room_history.c */

/* IM_DECLINED: the path isn't that of a room's history. */
im_int_t im_logic_room_history(im_logic_t *logic, im_daemon_request_t *r);


/* im_logic_control.c */

/*
 * status 200: queued for so many workers, 0 where nobody holds the topic;
 * 503: msg says why not.
 */
typedef void (*im_logic_control_pt)(void *data, im_uint_t status,
    const char *msg, im_uint_t workers);

/*
 * Queues a control entry (im_control_e) for the workers that hold the topic,
 * or everywhere: then the topic, "u:USER" or "s:SESSION", only says in which
 * partition.  Its kind, time and type are filled in.  The handler is called
 * once, perhaps before this returns.
 */
void im_logic_control(im_logic_t *logic, im_str_t topic,
    const im_envelope_t *e, int everywhere, im_logic_control_pt handler,
    void *data);


/* im_logic_kick.c */

/* DELETE of a user's sessions, or one */
void im_logic_kick_user(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);
void im_logic_kick_session(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest);

/* Whether anybody is kept out: about once a second. */
void im_logic_revoked_look(im_logic_t *logic);

/* revoked: the user is kept out; -1: Redis is away. */
typedef void (*im_logic_revoked_pt)(void *data, int revoked);

/* fn is called once, at once where nobody is kept out. */
void im_logic_revoked(im_logic_t *logic, im_str_t user,
    im_logic_revoked_pt fn, void *data);


/* im_logic_api.c */

/* Centrifugo's server API; rest is the method. */
void im_logic_api(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest);


/* im_logic_api_key.c */

/* IM_ERROR: logged. */
im_int_t im_logic_api_keys_load(im_logic_t *logic);
int im_logic_api_allowed(const im_logic_t *logic,
    const im_daemon_request_t *r);


/* im_logic_nodes.c */

/* Starts to look at the registry; called about once a second. */
void im_logic_nodes_look(im_logic_t *logic);
int im_logic_nodes_live(const im_logic_t *logic, im_str_t worker);
/* Redis is away: nothing is known. */
void im_logic_nodes_forget(im_logic_t *logic);
void im_logic_nodes_cleanup(im_logic_t *logic);


/* NULL: ready; else why pushes can't be accepted. */
const char *im_logic_unready(const im_logic_t *logic);
/* NULL: known; else why it can't be told who is where. */
const char *im_logic_unknown(const im_logic_t *logic);


#endif /* IM_LOGIC_H */
