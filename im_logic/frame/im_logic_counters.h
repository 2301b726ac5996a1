/*
 * Copyright (C) The im authors
 *
 * What im_logic counts since it has started, for GET /metrics.
 */

#ifndef IM_LOGIC_COUNTERS_H
#define IM_LOGIC_COUNTERS_H


#include "im_metric.h"


#define IM_LOGIC_ROUTES   64          /* paths, with one for all others */
#define IM_LOGIC_CODES    10          /* of accounts: im_logic_v1.h */


typedef enum {
    IM_RESULT_OK = 0,                 /* 2xx */
    IM_RESULT_REFUSED,                /* 4xx */
    IM_RESULT_FAILED,                 /* 5xx */
    IM_RESULTS
} im_logic_result_e;


/* Why a message, or a push as a whole, was not accepted. */
typedef enum {
    IM_REFUSED_BAD_REQUEST = 0,
    IM_REFUSED_NO_RULE,
    IM_REFUSED_ID_REUSED,
    IM_REFUSED_TOO_LARGE,
    IM_REFUSED_QUEUE_FULL,
    IM_REFUSED_REDIS_AWAY,
    IM_REFUSED_REDIS_ERROR,
    IM_REFUSED_NO_WORKER,
    IM_REFUSED_UNCONFIRMED,           /* by replicas */
    IM_REFUSED_STOPPING,
    IM_REFUSED_NO_MEMORY,
    IM_REFUSALS
} im_logic_refused_e;


typedef enum {
    IM_HIT_REQUESTS = 0,
    IM_HIT_HASH_QUEUE,
    IM_HIT_LOGINS_OF_ADDRESS,
    IM_HIT_LOGINS_OF_NAME,
    IM_HIT_LOGINS_OF_NETWORK,
    IM_HIT_LOGINS_OF_TRUSTED,
    IM_HIT_ACCOUNTS_OF_ADDRESS,
    IM_HITS
} im_logic_hit_e;


typedef struct {
    const char             *path;     /* as in the table of paths */
    uint64_t                results[IM_RESULTS];
    uint64_t                codes[IM_LOGIC_CODES];
} im_logic_route_counts_t;


typedef struct {
    im_uint_t                nroutes;
    im_logic_route_counts_t  routes[IM_LOGIC_ROUTES];

    uint64_t                 pushes;             /* accepted, for one topic */
    uint64_t                 pushes_refused[IM_REFUSALS];
    uint64_t                 messages;           /* accepted: one a topic */
    uint64_t                 messages_refused[IM_REFUSALS];
    uint64_t                 repeated;           /* of those accepted */
    uint64_t                 bytes;              /* of those accepted */
    im_metric_histogram_t    calls;              /* messages of a call */
    uint64_t                 waits;              /* for replicas */
    uint64_t                 unconfirmed;        /* of these */
    uint64_t                 hits[IM_HITS];
} im_logic_counters_t;


#endif /* IM_LOGIC_COUNTERS_H */
