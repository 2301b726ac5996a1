/*
 * Copyright (C) The im authors
 *
 * What the files of im_job share.
 *
 *   im_job_main.c       options, signals, the loop
 *   im_job_registry.c   which processes live, who should own what
 *   im_job_partition.c  a partition: lease, take-over, read, publish, ack
 *   im_job_batch.c      entries merged into one PUBLISH per worker
 *   im_job_sweep.c      routes of dead workers
 */

#ifndef IM_JOB_H
#define IM_JOB_H


#include <event2/event.h>

#include "im_types.h"
#include "im_buf.h"
#include "im_hash.h"
#include "im_list.h"
#include "im_key.h"
#include "im_push.h"
#include "im_daemon_redis.h"


#define IM_JOB_TICK          1000     /* ms; a lease is renewed each */
#define IM_JOB_LEASE         5000     /* of a partition, ms */
#define IM_JOB_HEARTBEAT     2000
#define IM_JOB_BLOCK         1000     /* below lease minus tick */
#define IM_JOB_COUNT         256      /* entries of one read */
#define IM_JOB_BATCH_BYTES   (4 * 1024 * 1024)
#define IM_JOB_STOP          8000     /* ms for a hand-over */
#define IM_JOB_ID_MAX        64
#define IM_JOB_ENTRY_ID_MAX  48
#define IM_JOB_SUSPECTS      64       /* workers that may be dead */
#define IM_JOB_GONE          60000    /* ms; a consumer that is no more */


typedef struct im_job_s            im_job_t;
typedef struct im_job_partition_s  im_job_partition_t;


/* One PUBLISH to be: what a worker, or all of them, get of a batch. */
typedef struct {
    im_hash_node_t  node;
    im_list_t       link;
    im_buf_t        bytes;
    im_str_t        worker;       /* "" all; behind the struct */
} im_job_target_t;


typedef struct {
    im_hash_t       targets;
    im_list_t       order;
    im_uint_t       n;
} im_job_batch_t;


/* Gets a batch's next PUBLISH.  worker "" is everybody. */
typedef void (*im_job_publish_pt)(void *data, im_str_t worker, im_str_t bytes);


typedef enum {
    IM_JOB_FREE = 0,         /* another's, or nobody's yet */
    IM_JOB_ASKED,            /* the lease has been asked for */
    IM_JOB_OWNED,            /* ours; its link connects */
    IM_JOB_CLAIMING,         /* takes over what others left unfinished */
    IM_JOB_READING,
    IM_JOB_LEAVING           /* reads no more; gives the lease up when done */
} im_job_state_e;


struct im_job_partition_s {
    im_job_t            *job;
    im_daemon_redis_t   *link;
    struct event        *retry;
    im_job_batch_t       batch;
    im_job_state_e       state;
    uint16_t             p;
    unsigned             reading:1;      /* a read or claim is out */
    unsigned             renewing:1;
    unsigned             claimed:1;      /* also the second time: may trim */
    uint64_t             asked_at;       /* monotonic ms */
    uint64_t             lease_end;
    uint64_t             claim_again;    /* monotonic ms; 0 done */
    uint64_t             count;          /* of the next read */
    char                 cursor[IM_JOB_ENTRY_ID_MAX];
    char                 last[IM_JOB_ENTRY_ID_MAX];   /* acked */
    uint64_t             entries;        /* published since the lease */
};


struct im_job_s {
    struct event_base       *base;
    im_daemon_redis_conf_t   redis;
    im_daemon_redis_t       *link;       /* leases, registry, heartbeats */
    struct event            *tick;
    im_job_partition_t      *partitions;
    uint32_t                 npartitions;
    uint64_t                 seed[2];
    uint64_t                 heartbeat;  /* of the last, monotonic ms */
    uint64_t                 stop;       /* deadline; 0: goes on */
    int                      rc;         /* of the process */
    im_str_t                 suspects[IM_JOB_SUSPECTS];   /* owned */
    im_uint_t                nsuspects;
    im_uint_t                nsweeps;    /* under way */
    char                     id[IM_JOB_ID_MAX];
};


/* im_job_registry.c: one turn of it; calls im_job_partition_want() for each */
void im_job_registry_tick(im_job_t *job);
void im_job_registry_leave(im_job_t *job);


/* im_job_partition.c */
void im_job_partition_init(im_job_t *job, im_job_partition_t *jp, uint16_t p);

/* It should be this process's, or another's. */
void im_job_partition_want(im_job_partition_t *jp, int mine);

/* Renews the lease, or stops where it could not be. */
void im_job_partition_tick(im_job_partition_t *jp);
void im_job_partition_heartbeat(im_job_partition_t *jp);
int im_job_partition_idle(const im_job_partition_t *jp);

/* At once, the lease is left to end. */
void im_job_partition_stop(im_job_partition_t *jp);


/* im_job_batch.c: IM_ERROR: no memory */
im_int_t im_job_batch_init(im_job_batch_t *b, const uint64_t seed[2]);
void im_job_batch_cleanup(im_job_batch_t *b);

/*
 * Adds an entry for each of the workers (names with spaces between), or one
 * for all where workers is "*" or the topic b.  A batch that would be too long
 * is handed to publish first.
 */
im_int_t im_job_batch_add(im_job_batch_t *b, im_str_t workers,
    const im_entry_t *e, im_job_publish_pt publish, void *data);

/* Hands all that is left to publish, in the order of arrival. */
void im_job_batch_flush(im_job_batch_t *b, im_job_publish_pt publish,
    void *data);


/* im_job_sweep.c: how many got a PUBLISH to a worker's channel */
void im_job_sweep_heard(im_job_t *job, im_str_t worker, int receivers);
/* Looks whether the suspects among the workers of an entry live. */
void im_job_sweep_entry(im_job_t *job, uint16_t p, im_str_t topic,
    im_str_t workers);
void im_job_sweep_cleanup(im_job_t *job);


#endif /* IM_JOB_H */
