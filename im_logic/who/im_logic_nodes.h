/*
 * Copyright (C) The im authors
 *
 * The workers that live and what they write about themselves.
 */

#ifndef IM_LOGIC_NODES_H
#define IM_LOGIC_NODES_H


#include "im_logic.h"
#include "im_record.h"
#include "im_rule.h"


typedef struct im_logic_poll_s  im_logic_poll_t;


/* One worker; freed with its list. */
typedef struct {
    im_logic_poll_t  *poll;       /* that reads it */
    im_str_t          id;
    im_record_t       record;     /* without rules and users; node is empty:
                                     it has none */
    uint64_t          users;
    im_buf_t          text;       /* of the record */
    im_buf_t          protocols;  /* of the record, too */
    u_char            id_data[1];
} im_logic_worker_t;


/* As of the last poll. */
struct im_logic_nodes_s {
    im_logic_worker_t  **workers;     /* sorted */
    im_uint_t            nworkers;
    im_rules_t           rules;       /* merged */
    uint64_t             sessions;
    uint64_t             users;       /* distinct ones */
    uint64_t             addresses;   /* of each worker */
    uint64_t             jobs;        /* im_job processes that live */
    im_buf_t             job_names;   /* a line each */
    im_logic_poll_t     *poll;        /* under way */
    uint64_t             polled;      /* monotonic ms, when it began */
    uint64_t             up;          /* since when the registry is there */
    uint64_t             lived;       /* when a poll saw workers; 0: never */
    unsigned             known:1;     /* polled since Redis came back */
};


/* IM_ERROR: no memory. */
im_int_t im_logic_nodes_init(im_logic_t *logic);
void im_logic_nodes_cleanup(im_logic_t *logic);

/* s since a worker's start, which its id says; now: im_logic_time(). */
uint64_t im_logic_worker_uptime(im_str_t id, uint64_t now);

/* Starts to read the registry; called about once a second. */
void im_logic_nodes_poll(im_logic_t *logic);

/* The registry is there, or away. */
void im_logic_nodes_up(im_logic_t *logic);
void im_logic_nodes_down(im_logic_t *logic);

/*
 * NULL: ready; else why no push can be accepted.  What can be stored is, by the
 * rules that were known last: while the registry is away, and while workers may
 * live that have no lease yet.
 */
const char *im_logic_unready(const im_logic_t *logic);

/*
 * NULL: it is known which workers live; else why not.  While the registry is
 * away that holds for as long as their leases.
 */
const char *im_logic_unknown(const im_logic_t *logic);


#endif /* IM_LOGIC_NODES_H */
