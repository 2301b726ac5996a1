/*
 * Copyright (C) The im authors
 *
 * What the files of im_job share.  From the top:
 *
 *   im_job_main.c       options, signals, the loop
 *   im_job_http.c       the listener, from a request to its handler
 *   im_job_metrics.c    /metrics
 *   im_job_health.c     /health
 *   im_job_registry.c   which processes live, which of them owns what
 *   im_job_partition.c  the lease of a partition
 *   im_job_queue.c      the queue of a partition that is ours: bells, reads
 *   im_job_publish.c    what goes to the channels of workers
 *   im_job_orphan.c     routes of dead workers that no message names
 *   im_job_sweep.c      routes of dead workers
 *   im_job_memory.c     what fills Redis
 *   im_job_walk.c       all keys of servers, in small steps
 *   im_job_batch.c      entries merged by worker
 *   im_job_entry.c      an entry of a queue, and its bell
 */

#ifndef IM_JOB_H
#define IM_JOB_H


#include <event2/event.h>

#include "im_types.h"
#include "im_key_kind.h"
#include "im_link.h"
#include "im_link_transport.h"
#include "im_link_watch.h"
#include "im_daemon_metrics.h"
#include "im_daemon_queue.h"
#include "im_daemon_server.h"
#include "im_job_batch.h"
#include "im_job_entry.h"


#define IM_JOB_TICK          1000     /* ms; leases are renewed, queues read */
#define IM_JOB_LEASE         5000     /* of a partition, ms */
#define IM_JOB_COUNT_FIRST   16       /* entries of a first read */
#define IM_JOB_ID_MAX        64
#define IM_JOB_SUSPECTS      64       /* workers that may be dead */
#define IM_JOB_ORPHAN_KEYS   500      /* of a step of that walk, */
#define IM_JOB_MEMORY_STEP   100      /* and of that one */
#define IM_JOB_MEMORY_TOPS   5


typedef struct im_job_s  im_job_t;


/*
 *     free -> asked -> waiting -> reading <-> following -> leaving -> free
 *
 * The lease is ours from waiting to following.  When its server goes it is
 * waiting again, when the lease is lost it is free.
 */
typedef enum {
    IM_JOB_FREE = 0,         /* another process's, or no process's yet */
    IM_JOB_ASKED,            /* asks for the lease */
    IM_JOB_WAITING,          /* for the channel of the bell, or for Redis */
    IM_JOB_READING,          /* what is in the queue is not known */
    IM_JOB_FOLLOWING,        /* it is, and bells tell what comes */
    IM_JOB_LEAVING           /* gives the lease up */
} im_job_state_e;


typedef struct {
    im_job_t        *job;
    im_job_state_e   state;
    uint16_t         p;
    im_job_batch_t   batch;      /* of it alone: im_job_batch_of() */
    im_uint_t        reads;      /* under way; only the last one counts */
    uint64_t         asked_at;   /* monotonic ms; 0: no request is under way */
    uint64_t         lease_end;
    uint64_t         held;       /* entries in the queue that were taken */
    im_job_id_t      last;       /* of the newest entry that was taken */
    im_job_id_t      heard;      /* of the newest bell while it was reading */
    uint64_t         count;      /* entries of the next read */
    uint64_t         entries;    /* taken since the lease */
    uint64_t         back;       /* monotonic ms: it was away before */
    uint64_t         lacked;     /* monotonic ms: since then it is wanted, and
                                    not served; 0: it is not so */
    unsigned         up:1;
    unsigned         down:1;     /* it was, after it had been up */
    unsigned         wanted:1;   /* it should be this process's */
} im_job_partition_t;


typedef struct {
    size_t  len;
    u_char  name[IM_WORKER_MAX];
} im_job_suspect_t;


typedef enum {
    IM_JOB_WALK_NONE = 0,
    IM_JOB_WALK_UNDER_WAY,
    IM_JOB_WALK_FAILED       /* its calls are still out */
} im_job_walk_e;


typedef struct {
    /* It may send calls by im_job_walk_call(). */
    void  (*key)(im_job_t *job, im_str_t key);
    void  (*end)(im_job_t *job, int whole);
} im_job_walk_events_t;


typedef struct {
    im_job_t                    *job;
    const im_job_walk_events_t  *events;
    struct event                *timer;
    im_buf_t                     match;      /* a glob; empty: all keys */
    im_uint_t                    count;      /* keys of a step, about */
    uint64_t                     cursor;
    uint64_t                     stepped;    /* monotonic ms */
    uint64_t                     ended;
    im_uint_t                    server;     /* that is walked, */
    im_uint_t                    end;        /* before this one, */
    im_uint_t                    nservers;   /* of so many there were */
    im_uint_t                    ncalls;     /* of this step, not answered */
    im_job_walk_e                state;
} im_job_walk_t;


/* Of the last report. */
typedef enum {
    IM_JOB_MEMORY_FINE = 0,
    IM_JOB_MEMORY_NEARLY,
    IM_JOB_MEMORY_FULL
} im_job_memory_e;


typedef struct {
    uint64_t       bytes;
    im_key_kind_e  kind;
    size_t         len;
    u_char         key[256];
} im_job_memory_top_t;


typedef struct {
    im_job_walk_t        walk;
    im_job_memory_e      state;
    int                  sampled;         /* not all keys were looked at */
    uint64_t             nkeys;
    uint64_t             bytes;
    uint64_t             kinds[IM_KINDS]; /* bytes of each */
    im_job_memory_top_t  tops[IM_JOB_MEMORY_TOPS];
} im_job_memory_t;


/* Since the process has started. */
typedef struct {
    uint64_t  entries;           /* taken from queues */
    uint64_t  malformed;         /* of these */
    uint64_t  batches;           /* publishes to workers, */
    uint64_t  unheard;           /* those that no worker heard, */
    uint64_t  failed;            /* and those that Redis refused */
    uint64_t  heartbeats;
    uint64_t  taken;             /* partitions */
    uint64_t  lost;              /* partitions, not by a hand-over */
    uint64_t  sweeps;            /* looks whether a worker lives */
    uint64_t  removed;           /* routes of dead workers */
    uint64_t  orphans;           /* routes without a live worker, by a walk */
    uint64_t  walks;             /* over all routes */
} im_job_counters_t;


struct im_job_s {
    struct event_base   *base;
    im_link_t           *link;
    im_link_watch_t     *watch;
    struct event        *tick;
    struct event        *flush;
    uint64_t             seed[2];
    im_job_partition_t  *partitions;
    uint32_t             npartitions;
    im_job_batch_t       batch;       /* of partitions that share a server */
    int                  shared;
    uint64_t             heartbeat;   /* of the last, monotonic ms */
    uint64_t             stop;        /* deadline; 0: goes on */
    int                  rc;          /* of the process */
    im_job_suspect_t     suspects[IM_JOB_SUSPECTS];
    im_uint_t            nsuspects;
    im_uint_t            replaced;    /* suspects */
    im_uint_t            nsweeps;     /* under way */
    im_job_walk_t        orphans;
    im_job_memory_t      memory;
    im_buf_t             workers;     /* that live, spaces around each */
    uint64_t             live;        /* a sum over them */
    int                  changed;     /* all routes are to be looked at */
    im_uint_t            njobs;       /* processes that live, as last read */
    im_daemon_server_t  *http;        /* NULL: none */
    const im_link_conf_t  *conf;
    uint64_t             queue_age;   /* ms that are too long for /health */
    im_daemon_metrics_t  metrics;
    im_daemon_queues_t   queues;
    im_job_counters_t    counters;
    char                 id[IM_JOB_ID_MAX];
};


/*
 * Partitions that share a server share the order of their calls too: their
 * entries go together.  Else each has a batch of its own, on its own channels,
 * so that its entries and their trim have one connection.
 */
#define im_job_batch_of(jp)                                                   \
    ((jp)->job->shared ? &(jp)->job->batch : &(jp)->batch)

/* It is ours, and is read. */
#define im_job_serves(jp)                                                     \
    ((jp)->state == IM_JOB_READING || (jp)->state == IM_JOB_FOLLOWING)

/* At the end of this turn: what it brings goes together. */
#define im_job_flush_soon(job)  event_active((job)->flush, EV_TIMEOUT, 0)


/* im_job_metrics.c, im_job_health.c */
void im_job_metrics_handler(im_daemon_request_t *r);
void im_job_health_handler(im_daemon_request_t *r);


/* im_job_http.c */

/* IM_ERROR: the fault is logged. */
im_int_t im_job_http_init(im_job_t *job, const char *address,
    const im_daemon_listen_t *listen);

/* Each second: asks how long queues are. */
void im_job_http_tick(im_job_t *job);


/*
 * im_job_registry.c: calls im_job_partition_want() for each partition.  data is
 * the job, here and in all functions that are events of the link.
 */
void im_job_registry_tick(void *data);
void im_job_registry_leave(im_job_t *job);


/* im_job_partition.c */

/* It should be this process's, or another's. */
void im_job_partition_want(im_job_partition_t *jp, int mine);

/* Renews leases, and stops where that failed for too long. */
void im_job_partition_tick(im_job_t *job);

/* Where the registry can't say what should be ours, it is what was. */
void im_job_partition_keep(im_job_t *job);


/* im_job_queue.c */

void im_job_queue_state(im_job_partition_t *jp, im_job_state_e state);
int im_job_queue_owned(const im_job_partition_t *jp);

/* How many are ours and read; *wanted: how many should be. */
im_uint_t im_job_queue_served(const im_job_t *job, im_uint_t *wanted);

/* The bell has a channel now: entries that came before are read. */
void im_job_queue_subscribed(void *data, im_uint_t p);
void im_job_queue_bell(void *data, im_uint_t p, im_str_t bell);

/* IM_ERROR: no memory. */
im_int_t im_job_queue_init(im_job_t *job, uint32_t npartitions);
void im_job_queue_cleanup(im_job_t *job);

/*
 * Entries that were taken may not have been published: all of the partition,
 * and of those that share its server, is read again.
 */
void im_job_queue_reset(im_job_partition_t *jp);

/* Reads all queues: a lost bell costs a second, never a message. */
void im_job_queue_tick(im_job_t *job);

/* Publishes the entries that were taken, trims them, and takes no more. */
void im_job_queue_finish(im_job_partition_t *jp);

/* A command on the queue, that has its key. */
im_link_call_t *im_job_queue_call(im_job_partition_t *jp, const char *word);

void im_job_queue_flush_handler(evutil_socket_t fd, short what, void *data);


/* im_job_publish.c: an im_job_publish_pt; its data is the job */
im_int_t im_job_publish(void *data, uint16_t p, im_str_t worker,
    im_str_t bytes);
void im_job_publish_heartbeats(im_job_t *job);


/* im_job_orphan.c */
extern const im_job_walk_events_t  im_job_orphan_events;
void im_job_orphan_tick(im_job_t *job);


/* im_job_memory.c */
extern const im_job_walk_events_t  im_job_memory_events;
void im_job_memory_tick(im_job_t *job);


/* im_job_walk.c */
im_int_t im_job_walk_init(im_job_walk_t *walk, im_job_t *job, im_uint_t count,
    const im_job_walk_events_t *events);
void im_job_walk_cleanup(im_job_walk_t *walk);

/* Over the servers first .. end - 1. */
void im_job_walk_start(im_job_walk_t *walk, im_uint_t first, im_uint_t end);

/* It ends with this step, as failed or as a whole. */
void im_job_walk_stop(im_job_walk_t *walk);
void im_job_walk_finish(im_job_walk_t *walk);

/* Sends a call; its handler ends with im_job_walk_release(). */
im_int_t im_job_walk_call(im_job_walk_t *walk, im_link_reply_pt handler,
    void *data);
void im_job_walk_release(im_job_walk_t *walk);


/* im_job_sweep.c: how many got a PUBLISH to a worker's channel */
void im_job_sweep_heard(im_job_t *job, im_str_t worker, int receivers);
/* Looks whether the suspects among the workers of an entry live. */
void im_job_sweep_entry(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t workers);
/* Removes the route, unless the worker lives or has written since. */
void im_job_sweep_start(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t worker);


#endif /* IM_JOB_H */
