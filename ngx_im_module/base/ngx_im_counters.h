/*
 * Copyright (C) The im authors
 *
 * What a worker counts, in its own part of the node's zone: plain stores by the
 * worker alone, which any worker reads.
 */

#ifndef NGX_IM_COUNTERS_H
#define NGX_IM_COUNTERS_H


#include "ngx_im_conf.h"
#include "im_metric.h"
#include "im_wire.h"


#define NGX_IM_KINDS  4              /* of transports */


/* The states of sessions that are counted. */
typedef enum {
    NGX_IM_LIVE_CONNECTING = 0,
    NGX_IM_LIVE_AUTHENTICATING,
    NGX_IM_LIVE_OPEN,
    NGX_IM_LIVE_CLOSING,
    NGX_IM_LIVE
} ngx_im_live_e;


/* Backends that workers ask: those of im_webhook, and this one. */
#define NGX_IM_HOOK_CONNECT  IM_WEBHOOKS
#define NGX_IM_HOOKS         (IM_WEBHOOKS + 1)


typedef enum {
    NGX_IM_RESULT_OK = 0,
    NGX_IM_RESULT_REFUSED,           /* 401, 403 */
    NGX_IM_RESULT_ERROR,             /* no answer that can be understood */
    NGX_IM_RESULT_TIMEOUT,
    NGX_IM_RESULT_UNANSWERED,        /* no answer, or not now */
    NGX_IM_RESULT_BUSY,              /* not asked: too many wait */
    NGX_IM_RESULTS
} ngx_im_result_e;


/* Why a session didn't move to the next worker. */
typedef enum {
    NGX_IM_STAYED_TLS = 0,
    NGX_IM_STAYED_HTTP,              /* HTTP/2 or HTTP/3 */
    NGX_IM_STAYED_TIME,              /* it was not ready for it within 5 s */
    NGX_IM_STAYED_PLACE,             /* from here on as im_handover_verdict_e */
    NGX_IM_STAYED_LIMIT,
    NGX_IM_STAYED_KEPT_OUT,
    NGX_IM_STAYED_RECORD,
    NGX_IM_STAYED
} ngx_im_stayed_e;

extern const char *const  ngx_im_stayed_names[NGX_IM_STAYED];


typedef struct ngx_im_counters_s  ngx_im_counters_t;

/* Members behind start are numbers alone, which can be added up. */
struct ngx_im_counters_s {
    ngx_im_counters_t *next;         /* the list only grows */
    ngx_queue_t       shares;        /* of the worker, by its addresses */
    uint64_t          pid;           /* 0: free */
    uint64_t          slot;          /* ngx_worker */
    uint64_t          start;         /* ms */

    /* of a worker that lives; absolute */

    uint64_t          draining;
    uint64_t          drain_left;    /* ms until the last session is closed */
    uint64_t          sessions;
    uint64_t          unauthenticated;
    uint64_t          users;
    uint64_t          topics;
    uint64_t          log_bytes;
    uint64_t          reply_bytes;
    uint64_t          window_bytes;
    uint64_t          link;          /* ngx_im_link_e */
    uint64_t          away;          /* partitions that take no calls */
    uint64_t          silent;        /* partitions without heartbeats */
    uint64_t          reads;         /* of Redis for clients, now */
    uint64_t          io_uring;      /* it is used */
    uint64_t          connections;   /* of worker_connections, in use */
    uint64_t          connections_limit;
    uint64_t          live[IM_PROTOS][NGX_IM_KINDS][NGX_IM_LIVE];

    /* from here on: they stay in the node's sum when the worker has ended */

    uint64_t          accepted;      /* handshakes that gave a session */
    uint64_t          refused;
    uint64_t          closed;
    uint64_t          slow;          /* closed since too slow */
    uint64_t          messages_in;   /* from clients */
    uint64_t          messages_out;  /* queued, once for each follower */
    uint64_t          framed;        /* once for each encoding in use */
    uint64_t          bytes_in;
    uint64_t          bytes_out;
    uint64_t          pushes;        /* entries taken from pub/sub */
    uint64_t          healed;        /* entries read from history */
    uint64_t          holes;         /* gaps that history couldn't fill */
    uint64_t          recovered;     /* subscriptions without a hole */
    uint64_t          unrecovered;   /* subscriptions with a hole */
    uint64_t          sends;         /* send calls */
    uint64_t          submits;       /* calls of io_uring for many sends */
    uint64_t          deflated;      /* messages that were compressed */
    uint64_t          deflate_saved; /* bytes of them, each once */
    uint64_t          inflated;      /* messages from clients */
    uint64_t          moved_in;      /* sessions of workers before it */
    uint64_t          moved_out;     /* to workers after it */
    uint64_t          stayed[NGX_IM_STAYED];
    uint64_t          link_losses;   /* all partitions took calls until then */
    uint64_t          lost;          /* workers that were killed */
    uint64_t          opened[IM_PROTOS][NGX_IM_KINDS];
    uint64_t          refusals[NGX_IM_REFUSALS];    /* of handshakes */
    uint64_t          limits[NGX_IM_LIMITS];
    uint64_t          closes[IM_REASONS];
    uint64_t          asked[NGX_IM_HOOKS][NGX_IM_RESULTS];
    im_metric_histogram_t answers[NGX_IM_HOOKS];    /* ms */
    im_metric_histogram_t round_trip;    /* us, of the lease */
    im_metric_histogram_t flush;     /* sessions of a turn */
    im_metric_histogram_t lag;       /* ms from acceptance to the send */
};


/* A counter of im_status: its name in JSON, and where it is. */
typedef struct {
    ngx_str_t   name;
    size_t      offset;
} ngx_im_counter_t;

/* Those of one number each; the last one has no name. */
extern const ngx_im_counter_t  ngx_im_counters[];

static inline uint64_t
ngx_im_counter(const ngx_im_counters_t *c, size_t offset)
{
    return *(const uint64_t *) ((const u_char *) c + offset);
}


/* Adds what a worker has counted, and, if it lives, what it has now. */
void ngx_im_counters_add(ngx_im_counters_t *sum, const ngx_im_counters_t *c,
    ngx_uint_t lives);

/* A worker ends: the next one that has these begins with zeros. */
void ngx_im_counters_clear(ngx_im_counters_t *c);

/* Of a kind of transport: its place in counters. */
static inline ngx_uint_t
ngx_im_counters_kind(im_transport_e kind)
{
    return (ngx_uint_t) __builtin_ctz(kind);
}


#endif /* NGX_IM_COUNTERS_H */
