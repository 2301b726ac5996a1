/*
 * Copyright (C) The im authors
 *
 * The process, as all of im_logic sees it.
 *
 * One thread, one loop.  A request is a small state machine on replies of
 * Redis.  Each call to Redis ends within a time, so each request ends.
 */

#ifndef IM_LOGIC_H
#define IM_LOGIC_H


#include <event2/event.h>

#include "im_types.h"
#include "im_buf.h"
#include "im_key.h"
#include "im_link_history.h"
#include "im_link_members.h"
#include "im_link_watch.h"
#include "im_daemon_conf.h"
#include "im_daemon_listen.h"
#include "im_daemon_log.h"
#include "im_daemon_metrics.h"
#include "im_daemon_queue.h"
#include "im_daemon_server.h"
#include "im_logic_counters.h"


/* Listeners. */
typedef enum {
    IM_LISTENER_FCGI = 0,
    IM_LISTENER_HTTP,
    IM_LISTENERS
} im_logic_listener_e;


typedef struct im_logic_nodes_s    im_logic_nodes_t;
typedef struct im_logic_pool_s     im_logic_pool_t;
typedef struct im_logic_looks_s    im_logic_looks_t;
typedef struct im_logic_durable_s  im_logic_durable_t;
typedef struct im_logic_accept_s   im_logic_accept_t;


typedef struct {
    im_daemon_conf_t     daemon;
    im_daemon_listen_t   listen;
    char                *fcgi;
    char                *http;
    char                *api_key_file;
    char                *allow_origin;
    char                *allow_host;
    char                *real_ip_header;
    char                *durability;
    uint64_t             replicas;
    uint64_t             replica_timeout; /* ms */
    int                  durable;         /* pushes that don't say */
    uint64_t             idle_timeout;    /* s */
    uint64_t             request_timeout;
    uint64_t             max_body;
    uint64_t             max_targets;
    uint64_t             max_requests;
    uint64_t             queue_cap;
    uint64_t             idem_ttl;
    uint64_t             token_life;     /* s */
    uint64_t             user_tokens;
    uint64_t             foreign_tokens;
    uint64_t             hash_threads;
    uint64_t             hash_queue;
    uint64_t             hash_cost;
    uint64_t             login_limit;    /* attempts in a period; 0: no limit */
    uint64_t             name_limit;
    uint64_t             address_limit;
    uint64_t             register_limit;
    uint64_t             limit_period;   /* s */
    char                *goim_domain;    /* NULL: not told */
    char                *goim_host_domain;
    uint64_t             goim_tcp_port;  /* 0: none, as the next two */
    uint64_t             goim_ws_port;
    uint64_t             goim_wss_port;
    uint64_t             goim_heartbeat; /* s */
} im_logic_conf_t;


typedef struct {
    struct event_base       *base;
    im_logic_conf_t          conf;
    im_link_t               *link;
    im_link_members_t       *members;
    im_link_history_t       *history;
    im_link_watch_t         *watch;
    im_logic_pool_t         *pool;         /* hashes passwords */
    im_logic_looks_t        *looks;        /* of names are being taken */
    im_logic_durable_t      *durable;      /* links that wait for replicas */
    im_logic_accept_t       *accept;       /* messages on their way to Redis */
    im_buf_t                 api_keys;     /* a line each */
    im_logic_nodes_t        *nodes;        /* workers that live */
    im_daemon_server_t      *servers[IM_LISTENERS];   /* NULL: none */
    im_daemon_metrics_t      metrics;
    im_daemon_queues_t       queues;
    im_logic_counters_t      counters;
    uint64_t                 seconds;      /* ticks */
    uint64_t                 nrequests;    /* under way */
    uint64_t                 started;      /* monotonic ms */
    uint64_t                 seed[2];
    unsigned                 stopping:1;
    unsigned                 failed:1;
} im_logic_t;


/* Ends the loop where the process is stopping and the last request is over. */
void im_logic_stop(im_logic_t *logic);

/* ms since 1970. */
uint64_t im_logic_time(void);


/* im_logic_redis.c */

/*
 * Sends the call under construction.  The handler is called once: later, or at
 * once with NULL where Redis is away.  It may be NULL.
 */
void im_logic_send(im_logic_t *logic, im_link_reply_pt handler, void *data);

/* Adds the key of a topic. */
void im_logic_key(im_logic_t *logic, im_link_call_t *call, im_str_t topic,
    im_key_topic_e what);
uint16_t im_logic_partition(const im_logic_t *logic, im_str_t name);

/*
 * The members of a topic.  The handler is called once, perhaps before this
 * returns; with NULL where they can't be read, or the topic has no data.
 */
void im_logic_members(im_logic_t *logic, im_str_t topic,
    im_link_members_e how, im_link_members_pt handler, void *data);

/* Those of some sessions, from now on; the same otherwise. */
void im_logic_find(im_logic_t *logic, const im_link_find_t *find,
    im_link_members_pt handler, void *data);

/* Why there is no answer in a reply; NULL: there is one.  Logs errors. */
const char *im_logic_fault(const im_link_reply_t *reply, const char *what);


#endif /* IM_LOGIC_H */
