/*
 * Copyright (C) The im authors
 *
 * The options that all daemons have.
 */

#ifndef IM_DAEMON_CONF_H
#define IM_DAEMON_CONF_H


#include "im_key.h"
#include "im_daemon_link.h"
#include "im_daemon_option.h"


typedef struct {
    char            *redis;
    char            *user;
    char            *password;
    char            *prefix;
    char            *log;
    im_link_conf_t   link;
} im_daemon_conf_t;


/* Their rows: struct s has an im_daemon_conf_t named daemon. */
#define im_daemon_conf_options(s)                                             \
    im_daemon_string("redis", s, daemon.redis,                                \
                     "HOST:PORT|unix:PATH  (" IM_DAEMON_LINK_ADDRESS ")"),    \
    im_daemon_string("redis-user", s, daemon.user,                            \
                     "NAME  of the ACL"),                                     \
    im_daemon_string("redis-password", s, daemon.password, "TEXT"),           \
    im_daemon_number("redis-db", s, daemon.link.db, 0, 0, 1000000, "N  (0)"), \
    im_daemon_string("prefix", s, daemon.prefix, "TEXT  of all keys (im:)"),  \
    im_daemon_number("partitions", s, daemon.link.partitions, 0, 1,           \
                     IM_PARTITIONS_MAX,                                       \
                     "N  (what Redis holds, 16 in a new one)"),               \
    im_daemon_string("log", s, daemon.log,                                    \
                     "error|warn|notice|info|debug  (notice)")


/* Sets the level of the log and the rest of link.  IM_ERROR: logged. */
im_int_t im_daemon_conf_init(im_daemon_conf_t *conf);


#endif /* IM_DAEMON_CONF_H */
