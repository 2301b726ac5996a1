/*
 * Copyright (C) The im authors
 *
 * Which workers live, and what they say of themselves.
 */

#ifndef IM_LOGIC_NODES_H
#define IM_LOGIC_NODES_H


#include "im_logic.h"
#include "im_rule.h"


typedef struct im_logic_look_s  im_logic_look_t;


/* The workers that live and what they say, as of the last look. */
struct im_logic_nodes_s {
    im_str_t  *workers;       /* sorted; owned */
    im_uint_t  nworkers;
    im_rules_t rules;         /* merged */
    uint64_t   sessions;
    uint64_t   users;
    uint64_t   jobs;          /* im_job processes that live */
    im_logic_look_t  *look;   /* under way */
    unsigned   known:1;       /* looked at since Redis came back */
};


/* IM_ERROR: no memory. */
im_int_t im_logic_nodes_init(im_logic_t *logic);
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


#endif /* IM_LOGIC_NODES_H */
