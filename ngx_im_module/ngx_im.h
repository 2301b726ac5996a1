/*
 * Copyright (C) The im authors
 *
 * What the sides towards Redis offer: follow/ and link/.
 */

#ifndef NGX_IM_H
#define NGX_IM_H


#include "ngx_im_worker.h"
#include "ngx_im_send.h"
#include "ngx_im_recv.h"
#include "ngx_im_resume.h"
#include "im_id.h"
#include "im_key.h"
#include "im_push.h"


#define NGX_IM_LEASE_MS  12000
#define NGX_IM_RENEW_MS  3000


typedef struct ngx_im_redis_s  ngx_im_redis_t;
typedef struct ngx_im_sync_s   ngx_im_sync_t;


typedef enum {
    NGX_IM_LINK_DOWN = 0,
    NGX_IM_LINK_UP,
    NGX_IM_LINK_DEGRADED     /* Redis answers, job's heartbeats are missing */
} ngx_im_link_e;


/* ngx_im_sync.c */
ngx_int_t ngx_im_sync_init(ngx_im_worker_t *w);
void ngx_im_sync_exit(ngx_im_worker_t *w);

/* Why joins can't be served, static text; NULL: they can. */
const char *ngx_im_sync_unready(ngx_im_worker_t *w);

/* A topic got its first follower / its last one left (sync destroys it). */
ngx_int_t ngx_im_sync_follow(ngx_im_worker_t *w, im_topic_t *topic);
void ngx_im_sync_unfollow(ngx_im_worker_t *w, im_topic_t *topic);

/* Followers of a topic changed: count and members go out within a second. */
void ngx_im_sync_member(ngx_im_worker_t *w, im_sub_t *sub, int joined);

/* Sends one room-info frame to the session when its members are known. */
void ngx_im_sync_room_info(ngx_im_worker_t *w, im_topic_t *topic,
    ngx_im_session_t *s);

/* ngx_im_presence.c: followers who asked for it are told of the session. */
void ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined);
void ngx_im_sync_draining(ngx_im_worker_t *w);
ngx_im_link_e ngx_im_sync_link(ngx_im_worker_t *w);


/* ngx_im_redis.c */

/* reply is hiredis' redisReply, or NULL: connection lost or refused. */
typedef void (*ngx_im_redis_pt)(ngx_im_worker_t *w, void *reply, void *data);

typedef struct {
    void  (*up)(ngx_im_worker_t *w);         /* usable and subscribed */
    void  (*down)(ngx_im_worker_t *w);
    void  (*message)(ngx_im_worker_t *w, uint16_t partition, im_str_t batch);
    void  (*heartbeat_lost)(ngx_im_worker_t *w, uint16_t partition, int lost);
    void  (*generation)(ngx_im_worker_t *w); /* changed under the connection */
} ngx_im_redis_events_t;

ngx_im_redis_t *ngx_im_redis_create(ngx_im_worker_t *w,
    const ngx_im_redis_events_t *events);
void ngx_im_redis_destroy(ngx_im_redis_t *redis);

/* It answers, but its settings would lose messages, or P is another one. */
ngx_uint_t ngx_im_redis_unusable(ngx_im_redis_t *redis);

/* It is away, or takes more than 50 ms for an answer: ask less. */
ngx_uint_t ngx_im_redis_slow(ngx_im_redis_t *redis);

/*
 * Queues a command for a partition's link (IM_PARTITIONS_MAX: the registry).
 * An argument whose data is NULL is replaced by the connection's generation
 * when the command is written.  NGX_ERROR: link down or queue full, and the
 * handler isn't called.
 */
ngx_int_t ngx_im_redis_command(ngx_im_redis_t *redis, uint16_t partition,
    ngx_im_redis_pt handler, void *data, ngx_uint_t argc,
    const im_str_t *argv);

/* EVALSHA with EVAL where the script is unknown.  keys and args as above. */
struct im_script_s;
ngx_int_t ngx_im_redis_script(ngx_im_redis_t *redis, uint16_t partition,
    const void *script, ngx_im_redis_pt handler, void *data,
    ngx_uint_t nkeys, ngx_uint_t argc, const im_str_t *argv);


/* ngx_im_control.c */
void ngx_im_control_entry(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry);


/* ngx_im_revoke.c */

/* The user is kept out for now. */
int ngx_im_revoked(ngx_im_worker_t *w, im_str_t user);

/* 0 seconds: it may come again. */
void ngx_im_revoke(ngx_im_worker_t *w, im_str_t user, ngx_uint_t seconds);


#endif /* NGX_IM_H */
