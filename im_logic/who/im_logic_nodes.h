/*
 * Copyright (C) The im authors
 *
 * The workers that live and what they write about themselves.
 */

#ifndef IM_LOGIC_NODES_H
#define IM_LOGIC_NODES_H


#include "im_logic.h"
#include "im_rule.h"


typedef struct im_logic_poll_s  im_logic_poll_t;


/* One worker; freed with its list. */
typedef struct {
    im_logic_poll_t  *poll;       /* that reads it */
    im_str_t          id;
    im_str_t          node;       /* empty: it has no record */
    im_str_t          rooms;      /* the largest ones: im_board_decode() */
    uint64_t          sessions;
    uint64_t          users;
    uint64_t          topics;
    uint64_t          subs;
    im_buf_t          text;       /* node and rooms */
    u_char            id_data[1];
} im_logic_worker_t;


/* As of the last poll. */
struct im_logic_nodes_s {
    im_logic_worker_t  **workers;     /* sorted */
    im_uint_t            nworkers;
    im_rules_t           rules;       /* merged */
    uint64_t             sessions;
    uint64_t             users;       /* distinct ones */
    uint64_t             jobs;        /* im_job processes that live */
    im_logic_poll_t     *poll;        /* under way */
    unsigned             known:1;     /* polled since Redis came back */
};


/* IM_ERROR: no memory. */
im_int_t im_logic_nodes_init(im_logic_t *logic);
void im_logic_nodes_cleanup(im_logic_t *logic);

/* Starts to read the registry; called about once a second. */
void im_logic_nodes_poll(im_logic_t *logic);
/* Redis is away: nothing is known. */
void im_logic_nodes_forget(im_logic_t *logic);

/* NULL: ready; else why pushes can't be accepted. */
const char *im_logic_unready(const im_logic_t *logic);
/* NULL: the workers are known; else why not. */
const char *im_logic_unknown(const im_logic_t *logic);


#endif /* IM_LOGIC_NODES_H */
