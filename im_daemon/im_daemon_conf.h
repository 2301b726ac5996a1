/*
 * Copyright (C) The im authors
 *
 * The options that all daemons have.
 */

#ifndef IM_DAEMON_CONF_H
#define IM_DAEMON_CONF_H


#include "im_key.h"
#include "im_link_words.h"
#include "im_daemon_link.h"
#include "im_daemon_listen.h"
#include "im_daemon_option.h"


typedef struct {
    char            *redis;
    char            *user;
    char            *password;
    char            *password_file;
    char            *prefix;
    char            *log;
    im_link_conf_t   link;
    char             secret[IM_LINK_SECRET + 1];
    char             sentinel_secret[IM_LINK_SECRET + 1];
} im_daemon_conf_t;


/* Their rows: struct s has an im_daemon_conf_t named daemon. */
#define im_daemon_conf_options(s)                                             \
    im_daemon_words("redis", s, daemon.redis, im_daemon_conf_redis,           \
                    "WORDS  ADDRESS; sentinel=NAME ADDRESS ...; or cluster "  \
                    "ADDRESS ...; an address is HOST[:PORT], [IPV6][:PORT] "  \
                    "or unix:/PATH; then, as of im_redis, user= "             \
                    "password_file= password= sentinel_user= "                \
                    "sentinel_password_file= sentinel_password= tls=on ca= "  \
                    "cert= key= name= db= prefix= partitions= timeout= "      \
                    "refresh= (" IM_DAEMON_LINK_ADDRESS ")"),                 \
    im_daemon_string("redis-user", s, daemon.user, NULL,                      \
                     "NAME  user of Redis' ACL"),                             \
    im_daemon_string("redis-password-file", s, daemon.password_file, NULL,    \
                     "FILE  has the password, as its only line"),             \
    im_daemon_secret("redis-password", s, daemon.password,                    \
                     "TEXT  on a command line any local user can see it"),    \
    im_daemon_number("redis-db", s, daemon.link.db, 0, 0, 1000000,            \
                     "N  number of the database"),                            \
    im_daemon_string("prefix", s, daemon.prefix, im_daemon_conf_prefix,       \
                     "TEXT  of all keys, as in im_redis (im:)"),              \
    im_daemon_number("partitions", s, daemon.link.partitions, 0, 1,           \
                     IM_PARTITIONS_MAX,                                       \
                     "N  that Redis must have, 16 in a new one"),              \
    im_daemon_string("log", s, daemon.log, im_daemon_conf_log,                \
                     "LEVEL  error, warn, notice, info or debug (notice)")


/* The same for listeners: struct s has an im_daemon_listen_t named listen. */
#define im_daemon_conf_listen(s)                                              \
    im_daemon_string("socket-group", s, listen.group, im_daemon_listen_group, \
                     "GROUP  of nginx's workers, for unix sockets (nginx or " \
                     "www-data, where root starts this)"),                    \
    im_daemon_string("socket-mode", s, listen.mode, im_daemon_listen_mode,    \
                     "MODE  of unix sockets (0660)"),                         \
    im_daemon_flag("reuseport", s, listen.reuseport, 0,                       \
                   "other programs that have it too may share the port")


/* Checks of values: NULL, or what is wrong. */
const char *im_daemon_conf_redis(const char *value, im_str_t *at);
const char *im_daemon_conf_prefix(const char *value);
const char *im_daemon_conf_log(const char *value);

/*
 * Sets the level of the log and the rest of link, and reads the files of
 * passwords and certificates.  IM_ERROR: logged.
 */
im_int_t im_daemon_conf_init(im_daemon_conf_t *conf);

/* Of a zeroed conf too. */
void im_daemon_conf_cleanup(im_daemon_conf_t *conf);


#endif /* IM_DAEMON_CONF_H */
