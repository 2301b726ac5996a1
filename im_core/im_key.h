/*
 * Copyright (C) The im authors
 *
 * Names in Redis and names from outside; no other file spells a key.
 *
 * Every function appends to b.  PREFIX is "im:" unless configured, {p} stands
 * for the tag of partition p (im_keys.h).
 */

#ifndef IM_KEY_H
#define IM_KEY_H


#include "im_types.h"
#include "im_buf.h"
#include "im_keys.h"


#define IM_NAME_MAX           253     /* with "r:" it fits IM_TOPIC_MAX */
#define IM_WORKER_MAX         (255 + 32)

#define IM_QUEUE_GROUP        "job"


/* Valid UTF-8, no control characters. */
int im_text_valid(im_str_t text);
/* The same, and 1..IM_NAME_MAX bytes. */
int im_name_valid(im_str_t name);
/* Also without '.', ':', '{', '}' and spaces; at most 200 bytes. */
int im_node_valid(im_str_t name);
/* 1..IM_PREFIX_MAX printable ASCII without '{', '}' and spaces. */
int im_prefix_valid(im_str_t prefix);

/* WHAT and a name; WHAT without a name: im_str_z("") */
void im_key_add(im_buf_t *b, const char *what, im_str_t name);
/* PREFIX{p}: or PREFIX{reg}: before them */
void im_key_in(im_buf_t *b, const im_keys_t *keys, uint16_t p, const char *what,
    im_str_t name);
void im_key_reg(im_buf_t *b, const im_keys_t *keys, const char *what,
    im_str_t name);

/* "r:NAME", "u:ID", "k:KEY" */
void im_topic_room(im_buf_t *b, im_str_t room);
void im_topic_user(im_buf_t *b, im_str_t user);
void im_topic_key(im_buf_t *b, im_str_t key);

/* Worker id NODE.SLOT.START (START: ms, base 36). */
void im_worker_id(im_buf_t *b, im_str_t node, im_uint_t slot, uint64_t start);

/* Keys of one topic: PREFIX{p}:TOPIC:m and so on (docs/redis.md). */
typedef enum {
    IM_KEY_META = 'm',
    IM_KEY_HISTORY = 'h',
    IM_KEY_ROUTES = 'w',
    IM_KEY_LOGINS = 'l'        /* of a user's inbox: the user's tokens */
} im_key_topic_e;

void im_key_topic(im_buf_t *b, const im_keys_t *keys, uint16_t p,
    im_str_t topic, im_key_topic_e what);
/* PREFIX{p}:TOPIC:k:WORKER and PREFIX{p}:TOPIC:x:WORKER */
void im_key_topic_worker(im_buf_t *b, const im_keys_t *keys, uint16_t p,
    im_str_t topic, const char *what, im_str_t worker);

#define im_key_members(b, keys, p, topic, worker)                             \
    im_key_topic_worker(b, keys, p, topic, ":k:", worker)
#define im_key_left(b, keys, p, topic, worker)                                \
    im_key_topic_worker(b, keys, p, topic, ":x:", worker)

/* PREFIX{p}:d:HASH32, the hash over topic and id */
void im_key_idem(im_buf_t *b, const im_keys_t *keys, uint16_t p, im_str_t topic,
    im_str_t id);

/*
 * PREFIX{p}:a:NAME is an account, PREFIX{p}:t:HASH a login by the hash of its
 * token, PREFIX{p}:l:KIND:SUBJECT counts attempts.  The partition is that of
 * the name, hash or subject.
 */
#define im_key_account(b, keys, p, name)  im_key_in(b, keys, p, "a:", name)
#define im_key_token(b, keys, p, hash)  im_key_in(b, keys, p, "t:", hash)
void im_key_limit(im_buf_t *b, const im_keys_t *keys, uint16_t p, char kind,
    im_str_t subject);
/* im_TOKEN: other programs read it, so it has no prefix and partition */
#define im_key_login(b, token)  im_key_add(b, "im_", token)

/*
 * Of a partition: PREFIX{p}:q, PREFIX{p}:own; channels PREFIX{p}:w:WORKER,
 * PREFIX{p}:all, PREFIX{p}:e:NODE, a worker's for what clients send to its
 * sessions by other workers (NODE is a UUID, and p its partition), and
 * PREFIX{p}:link, where nothing is published
 */
#define im_key_queue(b, keys, p)  im_key_in(b, keys, p, "q", im_str_z(""))
#define im_key_owner(b, keys, p)                                              \
    im_key_in(b, keys, p, "own", im_str_z(""))
#define im_key_channel(b, keys, p, worker)                                    \
    im_key_in(b, keys, p, "w:", worker)
#define im_key_channel_all(b, keys, p)                                        \
    im_key_in(b, keys, p, "all", im_str_z(""))
#define im_key_channel_input(b, keys, p, node)                                \
    im_key_in(b, keys, p, "e:", node)
#define im_key_channel_link(b, keys, p)                                       \
    im_key_in(b, keys, p, "link", im_str_z(""))

/*
 * PREFIX{reg}:conf (string: "16" or "16e", im_keys.h), :nodes (zset), :n:WORKER
 * (hash), :t:NODE (zset), :jobs (zset), :s:nodes and :s:jobs (hashes: what was
 * seen of leases), :revoked (zset), :names (hash)
 */
#define im_key_conf(b, keys)  im_key_reg(b, keys, "conf", im_str_z(""))
void im_key_nodes(im_buf_t *b, const im_keys_t *keys);
#define im_key_record(b, keys, worker)  im_key_reg(b, keys, "n:", worker)
#define im_key_tokens(b, keys, node)  im_key_reg(b, keys, "t:", node)
void im_key_jobs(im_buf_t *b, const im_keys_t *keys);
#define im_key_seen(b, keys, whose)  im_key_reg(b, keys, "s:", whose)
#define im_key_revoked(b, keys)                                               \
    im_key_reg(b, keys, "revoked", im_str_z(""))
#define im_key_names(b, keys)  im_key_reg(b, keys, "names", im_str_z(""))


#endif /* IM_KEY_H */
