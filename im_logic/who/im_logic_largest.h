/*
 * Copyright (C) The im authors
 *
 * The rooms that have the most followers, by the records of the workers as the
 * last poll has read them.
 *
 * A record lists a worker's largest rooms only.  The members of each of them
 * are then counted by its routes.  While sessions move to another worker, some
 * rooms are in both records, so more rooms are counted than are wanted.
 */

#ifndef IM_LOGIC_LARGEST_H
#define IM_LOGIC_LARGEST_H


#include "im_logic_request.h"


#define IM_LARGEST_MAX   1000       /* rooms in an answer */
#define IM_LARGEST_READ  10000      /* rooms of records that are considered */


typedef struct im_logic_largest_s  im_logic_largest_t;


/* Rooms whose followers have all left meanwhile have 0. */
typedef struct {
    im_hash_node_t       node;
    im_logic_largest_t  *largest;
    im_str_t             name;
    uint64_t             reported;  /* by the records */
    uint64_t             count;
} im_logic_largest_room_t;


/* NULL: they can't be read. */
typedef void (*im_logic_largest_pt)(const im_logic_largest_t *largest,
    void *data);

typedef int (*im_logic_largest_match_pt)(im_str_t pattern, im_str_t name);


/* Memory of the request. */
struct im_logic_largest_s {
    im_daemon_request_t        *r;
    im_logic_largest_pt         handler;
    void                       *data;
    im_hash_t                   names;
    im_logic_largest_room_t   **rooms;     /* the largest first */
    im_uint_t                   n;
    uint64_t                    most;      /* that are wanted */
    im_uint_t                   left;      /* replies to come */
    unsigned                    more:1;    /* there may be others */
    unsigned                    failed:1;
};


/*
 * Finds the largest rooms whose names match a pattern ("": all), at most so
 * many, up to IM_LARGEST_MAX.  The handler is called once, maybe before this
 * returns.
 */
void im_logic_largest(im_daemon_request_t *r, im_logic_largest_match_pt match,
    im_str_t pattern, uint64_t most, im_logic_largest_pt handler, void *data);


#endif /* IM_LOGIC_LARGEST_H */
