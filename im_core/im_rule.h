/*
 * Copyright (C) The im authors
 *
 * Rules of topics: what im_room, im_inbox and im_broadcast configure.  Every
 * worker publishes its rules in its lease record as JSON; im_logic reads and
 * merges them.
 */

#ifndef IM_RULE_H
#define IM_RULE_H


#include "im_types.h"
#include "im_buf.h"


#define IM_RULE_HISTORY_MAX  100000
#define IM_RULES_MAX         1024
#define IM_RULE_BATCH_MAX    10000       /* ms */


/* Which clients may publish or ask; the later, the stricter. */
typedef enum {
    IM_RULE_API = 0,         /* of publish: users, by /api/v1/ alone */
    IM_RULE_ANYONE,          /* guests too */
    IM_RULE_USER,            /* signed in, with a token for the room */
    IM_RULE_MEMBER,          /* those that follow the room */
    IM_RULE_NONE
} im_rule_who_e;


/* Which clients may join; the later, the stricter. */
typedef enum {
    IM_RULE_JOIN_ANYONE = 0,
    IM_RULE_JOIN_USER,       /* signed-in users */
    IM_RULE_JOIN_TOKEN       /* by a token for the room, or as a backend says */
} im_rule_join_e;


/* What a client gets that comes back. */
typedef enum {
    IM_RULE_STREAM = 0,      /* all that it has missed */
    IM_RULE_CACHE,           /* the last message alone */
    IM_RULE_LATEST           /* the same, and so does each that subscribes */
} im_rule_recovery_e;


typedef struct {
    im_str_t   pattern;      /* exact name, or prefix with '*' as last byte */
    im_uint_t  bare;         /* 1: only names without a namespace */
    im_uint_t  history;      /* entries; 0 none */
    im_uint_t  ttl;          /* s; of history */
    im_uint_t  publish;      /* im_rule_who_e, as the next two */
    im_uint_t  history_for;
    im_uint_t  presence_for;
    im_uint_t  join;         /* im_rule_join_e */
    im_uint_t  presence;
    im_uint_t  joins_all;    /* 1: all followers get joins and leaves */
    im_uint_t  recovery;     /* im_rule_recovery_e */
    im_uint_t  batch;        /* ms: messages of so long go together; of the
                                module alone, not in the JSON */
} im_rule_t;


typedef struct {
    im_rule_t  *rooms;       /* owned, patterns too */
    im_uint_t   nrooms;
    im_rule_t   inbox;       /* pattern unused */
    im_rule_t   broadcast;
    unsigned    has_inbox:1;
    unsigned    has_broadcast:1;
} im_rules_t;


/* No history, no presence; followers may ask, clients may not publish. */
void im_rule_init(im_rule_t *rule);

void im_rules_init(im_rules_t *rules);
void im_rules_cleanup(im_rules_t *rules);

/*
 * Copies the rule.  IM_DECLINED: a duplicate or invalid pattern ('*' not last,
 * or a bare one that has none or a ':'), or too large a history; IM_ERROR: no
 * memory, or too many rules.
 */
im_int_t im_rules_add(im_rules_t *rules, const im_rule_t *rule);

/* An exact name wins, then the longest prefix, then bare; NULL: no rule. */
const im_rule_t *im_rules_room(const im_rules_t *rules, im_str_t room);

/*
 * Who may publish in a room, by a session or (api) by /api/v1/; never
 * IM_RULE_API.  All that publishes for clients asks here.
 */
im_rule_who_e im_rule_publish(const im_rule_t *rule, int api);

/* The rule of a topic "r:..", "u:..", "b"; NULL: none. */
const im_rule_t *im_rules_topic(const im_rules_t *rules, im_str_t topic);

void im_rules_encode(im_buf_t *b, const im_rules_t *rules);          /* JSON */
/* Initializes rules; on IM_ERROR they are empty. */
im_int_t im_rules_decode(im_str_t json, im_rules_t *rules);

/*
 * Takes, for each pattern, the larger history and ttl and the stricter
 * permission.  IM_ERROR: no memory, or too many rules.
 */
im_int_t im_rules_merge(im_rules_t *into, const im_rules_t *from);

/* How long a topic's meta lives, in s: max(30 d, ttl + 1 d). */
uint32_t im_rule_meta_ttl(const im_rule_t *rule);


#endif /* IM_RULE_H */
