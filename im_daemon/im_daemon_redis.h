/*
 * Copyright (C) The im authors
 *
 * A link to Redis on libevent: one connection that comes back by itself.
 *
 * Every call names its partition; here all partitions are one server.  Each
 * command that was taken gets its handler called once, with NULL when the
 * connection was lost or the reply is late.
 */

#ifndef IM_DAEMON_REDIS_H
#define IM_DAEMON_REDIS_H


#include <event2/event.h>

#include "im_types.h"
#include "im_daemon_time.h"
#include "im_script.h"


typedef struct im_daemon_redis_s  im_daemon_redis_t;

/* hiredis' own; looked into by im_daemon_reply_*() only, all take NULL. */
typedef struct redisReply  im_daemon_reply_t;

typedef void (*im_daemon_reply_pt)(const im_daemon_reply_t *reply, void *data);


/* Strings are borrowed and must outlive the link. */
typedef struct {
    const char  *address;      /* HOST:PORT or unix:PATH */
    const char  *user;         /* NULL: none */
    const char  *password;
    uint64_t     db;
    im_str_t     prefix;
    uint64_t     partitions;   /* 0: what is there, or the default */
} im_daemon_redis_conf_t;


typedef struct {
    void  (*up)(void *data);
    void  (*down)(void *data);
    /* this Redis can't be used and was never used: end with a message */
    void  (*fatal)(void *data, const char *why);
} im_daemon_redis_events_t;


#define IM_REDIS_MAX_ARGS   640
#define IM_REDIS_TIMEOUT    2000        /* ms */
#define IM_PARTITION_REG    ((uint16_t) -1)


/* Replaced by the connection's generation when a command is written. */
extern const im_str_t  im_daemon_redis_generation;


/* Starts to connect.  NULL: no memory. */
im_daemon_redis_t *im_daemon_redis_create(struct event_base *base,
    const im_daemon_redis_conf_t *conf,
    const im_daemon_redis_events_t *events, void *data);

/* May be called within a handler of its own; handlers under way get NULL. */
void im_daemon_redis_destroy(im_daemon_redis_t *redis);

/* Closes the connection and connects again. */
void im_daemon_redis_break(im_daemon_redis_t *redis, const char *why);

int im_daemon_redis_ready(const im_daemon_redis_t *redis);

/* Why it is not ready. */
const char *im_daemon_redis_why(const im_daemon_redis_t *redis);

/* Known once it has been ready. */
uint32_t im_daemon_redis_partitions(const im_daemon_redis_t *redis);

/* fn may be NULL.  IM_ERROR: not ready or no memory; fn won't be called. */
im_int_t im_daemon_redis_command(im_daemon_redis_t *redis, uint16_t p,
    const im_str_t *args, im_uint_t n, im_daemon_reply_pt fn, void *data);

/* A command that Redis may hold back for `block` ms. */
im_int_t im_daemon_redis_blocking(im_daemon_redis_t *redis, uint16_t p,
    const im_str_t *args, im_uint_t n, uint64_t block, im_daemon_reply_pt fn,
    void *data);

/* EVALSHA, and EVAL where Redis doesn't know the script.  args: keys first. */
im_int_t im_daemon_redis_script(im_daemon_redis_t *redis, uint16_t p,
    const im_script_t *script, const im_str_t *args, im_uint_t n,
    im_uint_t nkeys, im_daemon_reply_pt fn, void *data);


int im_daemon_reply_is_error(const im_daemon_reply_t *reply);
int im_daemon_reply_is_nil(const im_daemon_reply_t *reply);
/* Of strings, statuses and errors; else empty. */
im_str_t im_daemon_reply_str(const im_daemon_reply_t *reply);
/* Of integers and decimal strings; else dflt. */
int64_t im_daemon_reply_int(const im_daemon_reply_t *reply, int64_t dflt);
im_uint_t im_daemon_reply_len(const im_daemon_reply_t *reply);
const im_daemon_reply_t *im_daemon_reply_at(const im_daemon_reply_t *reply,
    im_uint_t i);

/* Of what TIME answers, in ms; 0: it didn't. */
uint64_t im_daemon_reply_time(const im_daemon_reply_t *reply);


#endif /* IM_DAEMON_REDIS_H */
