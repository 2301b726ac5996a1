/*
 * Copyright (C) The im authors
 *
 * The link to Redis.
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


typedef struct ngx_im_redis_s  ngx_im_redis_t;


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


#endif /* NGX_IM_H */
