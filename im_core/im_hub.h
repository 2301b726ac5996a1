/*
 * Copyright (C) The im authors
 *
 * The hub: which sessions of this worker follow which topics, and which users
 * they belong to.
 *
 * It does no I/O.  Subscriptions and user links are embedded in their sessions
 * and never freed here; a topic lives while it has subscriptions or is pinned.
 * Join and leave report the first and the last follower, for Redis.
 */

#ifndef IM_HUB_H
#define IM_HUB_H


#include "im_types.h"
#include "im_list.h"
#include "im_hash.h"
#include "im_topic.h"
#include "im_sub_index.h"
#include "im_board.h"


typedef struct {
    im_hash_t       topics;
    im_hash_t       users;
    im_logs_t       logs;
    im_sub_index_t  index;      /* the caller's */
    im_board_t      board;
    uint64_t        nsubs;
    uint32_t        npartitions;
} im_hub_t;


/* A signed-in identity with at least one session here; the hub owns it. */
typedef struct {
    im_hash_node_t  node;
    im_list_t       sessions;   /* the links given to im_hub_user_add() */
    uint32_t        nsessions;
    uint8_t         id_len;
    u_char          id[1];      /* NUL-terminated */
} im_user_t;


/* IM_ERROR: no memory. */
im_int_t im_hub_init(im_hub_t *hub, const uint64_t seed[2],
    uint32_t npartitions, size_t chunk_size);

/* All sessions must have left. */
void im_hub_cleanup(im_hub_t *hub);

/*
 * The number of partitions is known only after Redis has answered.  Sets it and
 * computes the partition of every existing topic again.
 */
void im_hub_partitions(im_hub_t *hub, uint32_t npartitions);

/* NULL: no session here follows it, and it isn't pinned. */
im_topic_t *im_hub_topic(im_hub_t *hub, im_str_t name);

/*
 * Subscribes: sub is JOINING; the caller has set its session.  *first: this
 * call created the topic (state NEW).  NULL: no memory, or the name is empty or
 * longer than IM_TOPIC_MAX.  The caller makes sure that a session joins a topic
 * only once.
 */
im_topic_t *im_hub_join(im_hub_t *hub, im_str_t name, im_wire_id_t wire,
    im_sub_t *sub, int *first);

/*
 * Unsubscribes, and frees chunks that only this one needed.  Gives the topic;
 * *last: it has no follower any more and isn't pinned, and the caller calls
 * im_hub_topic_destroy(), at once or when Redis has confirmed.
 */
im_topic_t *im_hub_leave(im_hub_t *hub, im_sub_t *sub, int *last);

/*
 * The topic stays until im_hub_unpin(), with or without subscriptions.  *first:
 * as in im_hub_join().  NULL: no memory, or a wrong name.
 */
im_topic_t *im_hub_pin(im_hub_t *hub, im_str_t name, int *first);

/* *last: as in im_hub_leave(). */
void im_hub_unpin(im_topic_t *topic, int *last);

/* The topic must have no subscription; the caller frees topic->data. */
void im_hub_topic_destroy(im_hub_t *hub, im_topic_t *topic);

/* The same, but the topic is the caller's to destroy: it has its name. */
void im_hub_topic_end(im_hub_t *hub, im_topic_t *topic);

/* Walks all topics; fn must neither join nor leave. */
im_int_t im_hub_each_topic(im_hub_t *hub,
    im_int_t (*fn)(im_topic_t *topic, void *data), void *data);


/* NULL: no session of that user here. */
im_user_t *im_hub_user(im_hub_t *hub, im_str_t id);

/* *first: the user's first session here.  NULL: no memory, or bad length. */
im_user_t *im_hub_user_add(im_hub_t *hub, im_str_t id, im_list_t *link,
    int *first);

/* *last: it was the user's last session; the user is freed. */
void im_hub_user_remove(im_hub_t *hub, im_user_t *user, im_list_t *link,
    int *last);


#endif /* IM_HUB_H */
