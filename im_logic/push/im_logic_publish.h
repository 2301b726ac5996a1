/*
 * Copyright (C) The im authors
 *
 * One message for a number of topics.  Of many topics some are under way at a
 * time, so that other requests have their turn between them.
 *
 *     publish = im_logic_publish_create(r, max);
 *     publish->message = ...;
 *     im_logic_publish_room(publish, name); ...
 *     im_logic_publish_start(publish, id, handler, data);
 *
 * All of it is memory of the request.  The handler finds the results in the
 * targets.
 */

#ifndef IM_LOGIC_PUBLISH_H
#define IM_LOGIC_PUBLISH_H


#include "im_logic_durable.h"
#include "im_logic_request.h"
#include "im_id.h"
#include "im_push.h"


typedef struct im_logic_publish_s  im_logic_publish_t;

typedef struct im_logic_target_s   im_logic_target_t;

typedef void (*im_logic_publish_pt)(im_logic_publish_t *publish, void *data);


/* A topic, and what became of its message. */
struct im_logic_target_s {
    im_hash_node_t        node;
    im_list_t             link;         /* while it waits for its call */
    im_logic_publish_t   *publish;
    im_str_t              topic;
    im_uint_t             status;       /* 0: under way, 200: accepted, or
                                           IM_LOGIC_UNCONFIRMED, or HTTP's */
    const char           *msg;          /* of one that failed */
    im_logic_refused_e    reason;       /* the same, as it is counted */
    im_str_t              epoch;        /* of one that was accepted */
    uint64_t              seq;
    char                  position[64];
    im_link_t            *on;           /* that has its call */
    uint64_t              history;      /* of the topic's rule */
    uint64_t              ttl;
    uint64_t              meta_ttl;
    im_logic_durable_wait_t  wait;
    unsigned              numbered:1;   /* it goes into a history */
    unsigned              unnumbered:1; /* it is not to, set by the caller */
};


struct im_logic_publish_s {
    im_daemon_request_t  *r;
    im_logic_t           *logic;
    im_envelope_t         message;      /* set by the caller */
    im_logic_target_t    *targets;
    im_uint_t             ntargets;
    int                   durable;      /* the caller may change it */
    im_uint_t             status;       /* of what was refused, and why */
    const char           *msg;
    im_logic_refused_e    reason;       /* of the last target that was */
    im_uint_t             accepted;     /* targets */

    im_logic_publish_pt   handler;
    void                 *data;
    im_uint_t             max;
    void                (*done)(im_logic_target_t *t);  /* of each target */
    im_logic_target_t   **order;        /* by partition; NULL: as they are */
    im_uint_t             next;         /* target to send */
    im_uint_t             out;          /* under way */
    im_uint_t             left;         /* not answered */
    im_buf_t             *envelope;
    im_hash_t             seen;
    im_str_t              id;           /* the idempotency key; empty: none */
    uint64_t              life;         /* of it, s */
    int                   sending;
    u_char                hash[IM_PUSH_HASH];
};


/* For up to max targets.  NULL: no memory. */
im_logic_publish_t *im_logic_publish_create(im_daemon_request_t *r,
    im_uint_t max);

/* Its member or argument "durability". */
im_int_t im_logic_publish_durability(im_logic_publish_t *publish,
    im_str_t value);

/* Sets status and msg; IM_ERROR, so that it can be returned. */
im_int_t im_logic_publish_refuse(im_logic_publish_t *publish,
    im_uint_t status, const char *msg);

/* A topic that is named twice is one target.  NULL: refused. */
im_logic_target_t *im_logic_publish_room(im_logic_publish_t *publish,
    im_str_t name);
im_logic_target_t *im_logic_publish_user(im_logic_publish_t *publish,
    im_str_t id);
im_logic_target_t *im_logic_publish_key(im_logic_publish_t *publish,
    im_str_t key);
im_logic_target_t *im_logic_publish_all(im_logic_publish_t *publish);

/*
 * id names the request: where the message has no id it is the idempotency key,
 * for as long as nginx repeats the request.  IM_ERROR: refused, the handler
 * won't be called.  Otherwise it is called once, maybe before this returns.
 */
im_int_t im_logic_publish_start(im_logic_publish_t *publish, im_str_t id,
    im_logic_publish_pt handler, void *data);


#endif /* IM_LOGIC_PUBLISH_H */
