/*
 * Copyright (C) The im authors
 *
 * How much waits in the queues of partitions, and which im_job has them: for
 * metrics, health and the admin page.
 */

#ifndef IM_DAEMON_QUEUE_H
#define IM_DAEMON_QUEUE_H


#include "im_link.h"
#include "im_metric.h"


#define IM_DAEMON_OWNER  64


typedef struct {
    uint64_t   entries;
    uint64_t   age;          /* ms, of the oldest entry */
    int        known;
    int        out;          /* a question is under way */
    size_t     owner_len;    /* 0: no im_job has it */
    u_char     owner[IM_DAEMON_OWNER];
} im_daemon_queue_t;


/* A zeroed one is empty. */
typedef struct {
    im_link_t          *link;
    uint32_t            n;
    im_daemon_queue_t  *queues;
} im_daemon_queues_t;


void im_daemon_queues_cleanup(im_daemon_queues_t *q);

/* Asks Redis.  The link has to be ready. */
void im_daemon_queue_ask(im_daemon_queues_t *q, im_link_t *link, uint32_t p);

/* It is not known any more. */
void im_daemon_queue_forget(im_daemon_queues_t *q, uint32_t p);

/* Two families with the label "partition", of the queues that are known. */
void im_daemon_queues_metrics(const im_daemon_queues_t *q, im_buf_t *b,
    const im_metric_t *entries, const im_metric_t *age);

/* The partition with the oldest entry, where one is known to be that old. */
im_int_t im_daemon_queues_older(const im_daemon_queues_t *q, uint64_t age,
    uint32_t *p);


#endif /* IM_DAEMON_QUEUE_H */
