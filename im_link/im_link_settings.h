/*
 * Copyright (C) The im authors
 *
 * Which settings of a Redis break a promise, and what to do about it.
 *
 * The values are what INFO and CONFIG GET say; what neither has said is no
 * reason for a warning.
 */

#ifndef IM_LINK_SETTINGS_H
#define IM_LINK_SETTINGS_H


#include "im_types.h"


#define IM_LINK_SETTINGS_TEXT  352      /* bytes of a warning */

/* The arguments of CONFIG GET. */
#define IM_LINK_SETTINGS_NAMES                                                \
    "appendonly appendfsync no-appendfsync-on-rewrite save "                  \
    "client-output-buffer-limit maxmemory-policy repl-backlog-ttl timeout "   \
    "min-replicas-to-write cluster-enabled cluster-node-timeout "             \
    "cluster-require-full-coverage"


/* A warning; a set of them is a bit of each. */
typedef enum {
    IM_SETTING_APPENDONLY = 0,
    IM_SETTING_FSYNC,
    IM_SETTING_REWRITE,
    IM_SETTING_PUBSUB,           /* the output buffers of pub/sub, */
    IM_SETTING_NORMAL,           /* and of other connections */
    IM_SETTING_POLICY,
    IM_SETTING_BACKLOG,
    IM_SETTING_TIMEOUT,
    IM_SETTING_NEARLY,           /* maxmemory is used for nine tenths, */
    IM_SETTING_FULL,             /* or wholly */
    IM_SETTING_COVERAGE,         /* of a cluster's node */
    IM_SETTING_NODE_TIMEOUT,
    IM_SETTING_ALONE,            /* a master without a replica */
    IM_SETTING_MIN_REPLICAS,
    IM_SETTING_DOWN_AFTER,       /* of sentinels */
    IM_SETTING_SENTINELS,
    IM_SETTING_QUORUM,
    IM_SETTING_DURABLE,          /* other replicas than pushes ask for */
    IM_SETTING_HIDDEN,           /* CONFIG GET is refused */
    IM_SETTINGS
} im_setting_e;


typedef enum {
    IM_SETTING_UNKNOWN = 0,
    IM_SETTING_NO,
    IM_SETTING_YES
} im_setting_value_e;


typedef struct {
    uint64_t  hard;              /* bytes; 0: no limit */
    uint64_t  soft;
    uint64_t  seconds;
} im_setting_buffer_t;


typedef struct {
    im_setting_buffer_t  pubsub;
    im_setting_buffer_t  normal;
    uint64_t             backlog;      /* s */
    uint64_t             timeout;      /* s */
    uint64_t             replicas;     /* connected */
    uint64_t             online;       /* of them; the others catch up */
    uint64_t             demanded;     /* of these, by pushes */
    uint64_t             min_replicas; /* without which it takes no write */
    uint64_t             node_timeout; /* ms */
    uint64_t             down_after;   /* ms; what sentinels say */
    uint64_t             sentinels;    /* that watch it; 0: none, or unknown */
    uint64_t             quorum;
    im_str_t             master;       /* its name there, borrowed */
    uint64_t             used;         /* bytes, as they count for the limit */
    uint64_t             max;          /* 0: no limit */
    uint8_t              appendonly;   /* im_setting_value_e, as all here */
    uint8_t              fsync;
    uint8_t              rewrite;      /* an AOF rewrite stops fsync */
    uint8_t              snapshots;
    uint8_t              hidden;
    uint8_t              counted;      /* its replicas */
    uint8_t              cluster;
    uint8_t              coverage;     /* a slot without owner stops all */
    char                 policy[32];   /* empty: not known */
} im_link_settings_t;


/* All is unknown, no replica demanded. */
void im_link_settings_init(im_link_settings_t *s);

/* A pair of CONFIG GET; other names are ignored. */
void im_link_settings_config(im_link_settings_t *s, im_str_t name,
    im_str_t value);

/* An answer of INFO, of any sections. */
void im_link_settings_info(im_link_settings_t *s, im_str_t info);

/* The set of warnings. */
im_uint_t im_link_settings_judge(const im_link_settings_t *s);

/* It is about a server, not about sentinels. */
#define im_link_settings_of_server(warning)                                   \
    ((warning) < IM_SETTING_DOWN_AFTER || (warning) > IM_SETTING_QUORUM)

/* The text of one, at most IM_LINK_SETTINGS_TEXT bytes with its zero byte. */
void im_link_settings_text(const im_link_settings_t *s, im_setting_e warning,
    char *text);


#endif /* IM_LINK_SETTINGS_H */
