/*
 * Copyright (C) The im authors
 *
 * Names in Redis and names from outside; no other file spells a key.
 *
 * Every function appends to b.  prefix is "im:" unless configured.
 */

#ifndef IM_KEY_H
#define IM_KEY_H


#include "im_types.h"
#include "im_buf.h"


#define IM_NAME_MAX           253     /* with "r:" it fits IM_TOPIC_MAX */
#define IM_PARTITIONS_MAX     1024
#define IM_PARTITIONS         16      /* default */
#define IM_PREFIX_MAX         32
#define IM_WORKER_MAX         (255 + 32)

#define IM_QUEUE_GROUP        "job"


/* CRC16-XMODEM(topic) mod n */
uint16_t im_partition(im_str_t topic, uint32_t n);

/* 1..IM_NAME_MAX bytes, valid UTF-8, no control characters. */
int im_name_valid(im_str_t name);
/* Also without '.', ':', '{', '}' and spaces; at most 200 bytes. */
int im_node_valid(im_str_t name);
/* 1..IM_PREFIX_MAX printable ASCII without '{', '}' and spaces. */
int im_prefix_valid(im_str_t prefix);

/* "r:NAME", "u:ID" */
void im_topic_room(im_buf_t *b, im_str_t room);
void im_topic_user(im_buf_t *b, im_str_t user);

/* Worker id NODE.SLOT.START (START: ms, base 36). */
void im_worker_id(im_buf_t *b, im_str_t node, im_uint_t slot, uint64_t start);

/* Keys of one topic: PREFIX{p}:TOPIC:m and so on (docs/redis.md). */
typedef enum {
    IM_KEY_META = 'm',
    IM_KEY_HISTORY = 'h',
    IM_KEY_ROUTES = 'w',
    IM_KEY_LOGINS = 'l'        /* of a user's inbox: the user's tokens */
} im_key_topic_e;

void im_key_topic(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t topic,
    im_key_topic_e what);
/* PREFIX{p}:TOPIC:k:WORKER and PREFIX{p}:TOPIC:x:WORKER */
void im_key_members(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t topic,
    im_str_t worker);
void im_key_left(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t topic,
    im_str_t worker);
/* PREFIX{p}:d:HASH32, the hash over topic and id */
void im_key_idem(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t topic,
    im_str_t id);

/*
 * PREFIX{p}:a:NAME is an account, PREFIX{p}:l:KIND:SUBJECT counts attempts.
 * The partition is that of the name or subject.
 */
void im_key_account(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t name);
void im_key_limit(im_buf_t *b, im_str_t prefix, uint16_t p, char kind,
    im_str_t subject);
/* im_TOKEN: other programs read it, so it has no prefix and partition */
void im_key_login(im_buf_t *b, im_str_t token);

/*
 * Of a partition: PREFIX{p}:q, PREFIX{p}:own; channels PREFIX{p}:w:WORKER,
 * PREFIX{p}:all
 */
void im_key_queue(im_buf_t *b, im_str_t prefix, uint16_t p);
void im_key_owner(im_buf_t *b, im_str_t prefix, uint16_t p);
void im_key_channel(im_buf_t *b, im_str_t prefix, uint16_t p, im_str_t worker);
void im_key_channel_all(im_buf_t *b, im_str_t prefix, uint16_t p);

/*
 * PREFIX{reg}:conf (string: number of partitions), :nodes (zset), :n:WORKER
 * (hash), :t:NODE (zset), :jobs (zset), :revoked (zset)
 */
void im_key_conf(im_buf_t *b, im_str_t prefix);
void im_key_nodes(im_buf_t *b, im_str_t prefix);
void im_key_record(im_buf_t *b, im_str_t prefix, im_str_t worker);
void im_key_tokens(im_buf_t *b, im_str_t prefix, im_str_t node);
void im_key_jobs(im_buf_t *b, im_str_t prefix);
void im_key_revoked(im_buf_t *b, im_str_t prefix);


#endif /* IM_KEY_H */
