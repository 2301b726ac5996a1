/*
 * Copyright (C) The im authors
 *
 * The link to Redis.
 *
 * The generation belongs to the connection: it is read on it before the first
 * script and again every two seconds, and put in when a command is written.
 */

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libevent.h>

#include "im_daemon_redis.h"
#include "im_daemon_addr.h"
#include "im_daemon_log.h"
#include "im_buf.h"
#include "im_key.h"
#include "im_list.h"


#define IM_REDIS_TICK         100       /* ms */
#define IM_REDIS_ROLE         2000
#define IM_REDIS_BACKOFF_MIN  50
#define IM_REDIS_BACKOFF_MAX  2000
#define IM_REDIS_GENERATION   24
#define IM_REDIS_RUN_ID       16
#define IM_REDIS_WHY          "redis: "
#define IM_REDIS_WHY_LEN      160


typedef enum {
    IM_REDIS_WAIT = 0,
    IM_REDIS_CONNECTING,
    IM_REDIS_SETUP,
    IM_REDIS_READY
} im_daemon_redis_state_e;


struct im_daemon_redis_s {
    struct event_base               *base;
    struct event                    *tick;
    redisAsyncContext               *ac;        /* NULL while it waits */
    const im_daemon_redis_conf_t    *conf;
    const im_daemon_redis_events_t  *events;
    void                            *data;
    im_list_t                        calls;     /* in the order of replies */
    uint64_t                         ncalls;    /* of lost connections too */
    uint64_t                         since;     /* of this state */
    uint64_t                         heard;     /* the last reply */
    uint64_t                         asked;     /* ROLE */
    uint64_t                         wait;      /* until reconnecting */
    uint64_t                         backoff;
    im_daemon_redis_state_e          state;
    uint32_t                         partitions;
    char                             run_id[IM_REDIS_RUN_ID + 1];
    char                             generation[IM_REDIS_GENERATION + 1];
    char                             why[IM_REDIS_WHY_LEN];
    unsigned                         used:1;    /* was ready at least once */
    unsigned                         destroyed:1;
};


/* One command under way; owned by hiredis' list of callbacks. */
typedef struct {
    im_list_t            link;
    im_daemon_redis_t   *redis;
    im_daemon_reply_pt   fn;
    void                *data;
    uint64_t             timeout;
    uint64_t             sent;
    const im_script_t   *script;      /* NULL: a plain command */
    im_str_t            *args;        /* of a script, for EVAL */
    im_uint_t            nargs;
    im_uint_t            nkeys;
} im_daemon_call_t;


static void im_daemon_redis_tick(evutil_socket_t fd, short what, void *data);
static void im_daemon_redis_connect(im_daemon_redis_t *redis);
static redisAsyncContext *im_daemon_redis_open(im_daemon_redis_t *redis);
static void im_daemon_redis_connected(const redisAsyncContext *ac,
    int status);
static void im_daemon_redis_disconnected(const redisAsyncContext *ac,
    int status);
static void im_daemon_redis_lost(im_daemon_redis_t *redis, const char *why);
static void im_daemon_redis_free(im_daemon_redis_t *redis);
static void im_daemon_redis_unusable(im_daemon_redis_t *redis,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void im_daemon_redis_setup(im_daemon_redis_t *redis);
static void im_daemon_redis_conf_claim(im_daemon_redis_t *redis);
static im_int_t im_daemon_redis_words(im_daemon_redis_t *redis,
    im_daemon_reply_pt fn, im_uint_t n, ...);
static void im_daemon_redis_auth_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_daemon_redis_role_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_daemon_redis_server_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_daemon_redis_replication_handler(
    const im_daemon_reply_t *reply, void *data);
static void im_daemon_redis_policy_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_daemon_redis_conf_handler(const im_daemon_reply_t *reply,
    void *data);
static int im_daemon_redis_info(const im_daemon_reply_t *reply,
    const char *name, char *dst, size_t len);

static im_int_t im_daemon_redis_send(im_daemon_redis_t *redis,
    const im_str_t *args, im_uint_t n, uint64_t timeout,
    im_daemon_reply_pt fn, void *data);
static im_int_t im_daemon_redis_write(im_daemon_call_t *call,
    const im_str_t *args, im_uint_t n);
static im_int_t im_daemon_redis_eval(im_daemon_call_t *call, int by_sha);
static void im_daemon_redis_call_handler(redisAsyncContext *ac, void *reply,
    void *data);
static im_daemon_call_t *im_daemon_call_create(im_daemon_redis_t *redis,
    uint64_t timeout, im_daemon_reply_pt fn, void *data);


static char  im_daemon_redis_mark[1];

const im_str_t  im_daemon_redis_generation = {
    1, (u_char *) im_daemon_redis_mark
};


im_daemon_redis_t *
im_daemon_redis_create(struct event_base *base,
    const im_daemon_redis_conf_t *conf,
    const im_daemon_redis_events_t *events, void *data)
{
    struct timeval      tv;
    im_daemon_redis_t  *redis;

    redis = calloc(1, sizeof(im_daemon_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->base = base;
    redis->conf = conf;
    redis->events = events;
    redis->data = data;
    redis->backoff = IM_REDIS_BACKOFF_MIN;

    im_list_init(&redis->calls);
    (void) snprintf(redis->why, sizeof(redis->why),
                    IM_REDIS_WHY "not connected yet");

    tv.tv_sec = 0;
    tv.tv_usec = IM_REDIS_TICK * 1000;

    redis->tick = event_new(base, -1, EV_PERSIST, im_daemon_redis_tick, redis);

    if (redis->tick == NULL || event_add(redis->tick, &tv) == -1) {
        if (redis->tick != NULL) {
            event_free(redis->tick);
        }

        free(redis);
        return NULL;
    }

    /* not by a tick: the caller has not kept the link yet */
    event_active(redis->tick, EV_TIMEOUT, 0);

    return redis;
}


void
im_daemon_redis_destroy(im_daemon_redis_t *redis)
{
    redisAsyncContext  *ac;

    ac = redis->ac;

    redis->destroyed = 1;
    redis->ac = NULL;
    redis->state = IM_REDIS_WAIT;

    event_free(redis->tick);
    redis->tick = NULL;

    redis->ncalls++;

    if (ac != NULL) {
        ac->data = NULL;
        redisAsyncFree(ac);
    }

    redis->ncalls--;
    im_daemon_redis_free(redis);
}


/* Callbacks that hiredis still holds name the link. */
static void
im_daemon_redis_free(im_daemon_redis_t *redis)
{
    if (redis->destroyed && redis->ncalls == 0) {
        free(redis);
    }
}


void
im_daemon_redis_break(im_daemon_redis_t *redis, const char *why)
{
    redisAsyncContext  *ac;

    ac = redis->ac;

    if (ac == NULL) {
        return;
    }

    im_daemon_redis_lost(redis, why);

    ac->data = NULL;
    redisAsyncFree(ac);
}


int
im_daemon_redis_ready(const im_daemon_redis_t *redis)
{
    return redis->state == IM_REDIS_READY;
}


const char *
im_daemon_redis_why(const im_daemon_redis_t *redis)
{
    return redis->why;
}


uint32_t
im_daemon_redis_partitions(const im_daemon_redis_t *redis)
{
    return redis->partitions;
}


static void
im_daemon_redis_tick(evutil_socket_t fd, short what, void *data)
{
    uint64_t            now, start;
    im_daemon_call_t   *call;
    im_daemon_redis_t  *redis = data;

    (void) fd;
    (void) what;

    now = im_daemon_now();

    switch (redis->state) {

    case IM_REDIS_WAIT:

        if (now >= redis->since + redis->wait) {
            im_daemon_redis_connect(redis);
        }

        return;

    case IM_REDIS_CONNECTING:

        if (now >= redis->since + IM_REDIS_TIMEOUT) {
            im_daemon_redis_break(redis, "connecting timed out");
        }

        return;

    default:
        break;
    }

    /* replies come in order: a late one holds up those behind it */
    if (!im_list_empty(&redis->calls)) {
        call = im_list_data(im_list_first(&redis->calls), im_daemon_call_t,
                            link);
        start = im_max(call->sent, redis->heard);

        if (now >= start + call->timeout) {
            im_daemon_redis_break(redis, "a reply timed out");
            return;
        }
    }

    if (redis->state == IM_REDIS_READY && now >= redis->asked + IM_REDIS_ROLE)
    {
        redis->asked = now;

        (void) im_daemon_redis_words(redis, im_daemon_redis_role_handler,
                                     1, "ROLE");
        (void) im_daemon_redis_words(redis,
                                     im_daemon_redis_replication_handler,
                                     2, "INFO", "replication");
        im_daemon_redis_conf_claim(redis);
    }
}


static void
im_daemon_redis_connect(im_daemon_redis_t *redis)
{
    redisAsyncContext  *ac;

    redis->since = im_daemon_now();

    ac = im_daemon_redis_open(redis);
    if (ac == NULL) {
        return;
    }

    redis->ac = ac;
    redis->state = IM_REDIS_CONNECTING;

    ac->data = redis;

    if (redisLibeventAttach(ac, redis->base) != REDIS_OK
        || redisAsyncSetConnectCallback(ac, im_daemon_redis_connected)
           != REDIS_OK
        || redisAsyncSetDisconnectCallback(ac, im_daemon_redis_disconnected)
           != REDIS_OK)
    {
        im_daemon_redis_break(redis, "no memory");
    }
}


static redisAsyncContext *
im_daemon_redis_open(im_daemon_redis_t *redis)
{
    char                     host[NI_MAXHOST], port[NI_MAXSERV];
    socklen_t                len;
    const char              *why;
    redisAsyncContext       *ac;
    struct sockaddr_storage  ss;

    if (im_daemon_addr_parse(redis->conf->address, &ss, &len, &why) != IM_OK) {
        im_daemon_redis_lost(redis, why);
        return NULL;
    }

    if (ss.ss_family == AF_UNIX) {
        ac = redisAsyncConnectUnix(((struct sockaddr_un *) &ss)->sun_path);

    } else {
        if (getnameinfo((struct sockaddr *) &ss, len, host, sizeof(host),
                        port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV)
            != 0)
        {
            im_daemon_redis_lost(redis, "bad address");
            return NULL;
        }

        ac = redisAsyncConnect(host, atoi(port));
    }

    if (ac == NULL) {
        im_daemon_redis_lost(redis, "no memory");
        return NULL;
    }

    if (ac->err) {
        im_daemon_redis_lost(redis, ac->errstr);
        redisAsyncFree(ac);
        return NULL;
    }

    return ac;
}


static void
im_daemon_redis_connected(const redisAsyncContext *ac, int status)
{
    im_daemon_redis_t  *redis = ac->data;

    if (redis == NULL || redis->ac != ac) {
        return;
    }

    if (status != REDIS_OK) {
        im_daemon_redis_lost(redis, ac->errstr);
        return;
    }

    redis->state = IM_REDIS_SETUP;
    redis->since = im_daemon_now();
    redis->heard = redis->since;

    im_daemon_redis_setup(redis);
}


static void
im_daemon_redis_disconnected(const redisAsyncContext *ac, int status)
{
    im_daemon_redis_t  *redis = ac->data;

    (void) status;

    if (redis != NULL && redis->ac == ac) {
        im_daemon_redis_lost(redis, ac->err ? ac->errstr : "closed");
    }
}


/* hiredis frees its context, or the caller does. */
static void
im_daemon_redis_lost(im_daemon_redis_t *redis, const char *why)
{
    int       was_ready;
    char      text[IM_REDIS_WHY_LEN];
    uint32_t  jitter;

    was_ready = redis->state == IM_REDIS_READY;

    /* said once, not with each try */
    (void) snprintf(text, sizeof(text), IM_REDIS_WHY "%s", why);

    if (was_ready || strcmp(redis->why, text) != 0) {
        im_daemon_log(IM_LOG_ERROR, "redis %s: %s", redis->conf->address, why);
        memcpy(redis->why, text, sizeof(text));
    }

    redis->ac = NULL;
    redis->state = IM_REDIS_WAIT;
    redis->since = im_daemon_now();

    /* those under way are told by hiredis, one by one */
    im_list_init(&redis->calls);

    im_daemon_random(&jitter, sizeof(jitter));
    redis->wait = redis->backoff / 2 + jitter % redis->backoff;
    redis->backoff = im_min(redis->backoff * 2, IM_REDIS_BACKOFF_MAX);

    if (was_ready && redis->events->down != NULL && !redis->destroyed) {
        redis->events->down(redis->data);
    }
}


/* A Redis that must not be used: the end if we start, else an outage. */
static void
im_daemon_redis_unusable(im_daemon_redis_t *redis, const char *fmt, ...)
{
    char     why[128];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);

    im_daemon_redis_break(redis, why);

    if (!redis->used && redis->events->fatal != NULL) {
        redis->events->fatal(redis->data, why);
    }
}


static void
im_daemon_redis_setup(im_daemon_redis_t *redis)
{
    char                           db[24], key[IM_PREFIX_MAX + 64];
    im_buf_t                       b;
    im_int_t                       rc;
    const im_daemon_redis_conf_t  *conf;

    conf = redis->conf;
    rc = IM_OK;

    if (conf->password != NULL && conf->user != NULL) {
        rc |= im_daemon_redis_words(redis, im_daemon_redis_auth_handler, 3,
                                    "AUTH", conf->user, conf->password);

    } else if (conf->password != NULL) {
        rc |= im_daemon_redis_words(redis, im_daemon_redis_auth_handler, 2,
                                    "AUTH", conf->password);
    }

    if (conf->db != 0) {
        (void) snprintf(db, sizeof(db), "%u", (unsigned) conf->db);
        rc |= im_daemon_redis_words(redis, im_daemon_redis_auth_handler, 2,
                                    "SELECT", db);
    }

    rc |= im_daemon_redis_words(redis, im_daemon_redis_role_handler, 1,
                                "ROLE");
    rc |= im_daemon_redis_words(redis, im_daemon_redis_server_handler, 2,
                                "INFO", "server");
    rc |= im_daemon_redis_words(redis, im_daemon_redis_replication_handler, 2,
                                "INFO", "replication");
    rc |= im_daemon_redis_words(redis, im_daemon_redis_policy_handler, 3,
                                "CONFIG", "GET", "maxmemory-policy");

    im_daemon_redis_conf_claim(redis);

    im_buf_init(&b, sizeof(key));
    im_key_conf(&b, conf->prefix);
    im_buf_add_u8(&b, 0);

    if (b.failed) {
        rc = IM_ERROR;

    } else {
        rc |= im_daemon_redis_words(redis, im_daemon_redis_conf_handler, 2,
                                    "GET", (char *) b.data);
    }

    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_daemon_redis_break(redis, "no memory");
    }
}


/* The first process that ever came sets P; again after a FLUSHALL. */
static void
im_daemon_redis_conf_claim(im_daemon_redis_t *redis)
{
    char       n[24];
    uint64_t   partitions;
    im_buf_t   b;

    partitions = redis->partitions;

    if (partitions == 0) {
        partitions = redis->conf->partitions != 0 ? redis->conf->partitions
                                                  : IM_PARTITIONS;
    }

    (void) snprintf(n, sizeof(n), "%u", (unsigned) partitions);

    im_buf_init(&b, IM_PREFIX_MAX + 64);
    im_key_conf(&b, redis->conf->prefix);
    im_buf_add_u8(&b, 0);

    if (!b.failed) {
        (void) im_daemon_redis_words(redis, NULL, 4, "SET", (char *) b.data,
                                     n, "NX");
    }

    im_buf_cleanup(&b);
}


/* For the link itself, whatever state it is in. */
static im_int_t
im_daemon_redis_words(im_daemon_redis_t *redis, im_daemon_reply_pt fn,
    im_uint_t n, ...)
{
    va_list    words;
    im_str_t   args[4];
    im_uint_t  i;

    va_start(words, n);

    for (i = 0; i < n; i++) {
        args[i] = im_str_z(va_arg(words, const char *));
    }

    va_end(words);

    return im_daemon_redis_send(redis, args, n, IM_REDIS_TIMEOUT, fn, redis);
}


static void
im_daemon_redis_auth_handler(const im_daemon_reply_t *reply, void *data)
{
    char                why[128];
    im_str_t            s;
    im_daemon_redis_t  *redis = data;

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);
        (void) snprintf(why, sizeof(why), "%.*s", (int) s.len,
                        (char *) s.data);
        im_daemon_redis_break(redis, why);
    }
}


static void
im_daemon_redis_role_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t            role, master = im_str("master");
    im_daemon_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        im_daemon_redis_auth_handler(reply, data);
        return;
    }

    role = im_daemon_reply_str(im_daemon_reply_at(reply, 0));

    if (!im_str_eq(role, master)) {
        im_daemon_redis_break(redis, "it is not a master");
    }
}


static void
im_daemon_redis_server_handler(const im_daemon_reply_t *reply, void *data)
{
    im_daemon_redis_t  *redis = data;

    if (reply != NULL
        && !im_daemon_redis_info(reply, "run_id:", redis->run_id,
                                 IM_REDIS_RUN_ID))
    {
        im_daemon_redis_break(redis, "INFO tells no run_id");
    }
}


static void
im_daemon_redis_replication_handler(const im_daemon_reply_t *reply,
    void *data)
{
    char                replid[9], generation[IM_REDIS_GENERATION + 1];
    im_daemon_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (!im_daemon_redis_info(reply, "master_replid2:", replid, 8)) {
        im_daemon_redis_break(redis, "INFO tells no master_replid2");
        return;
    }

    (void) snprintf(generation, sizeof(generation), "%.16s%.8s",
                    redis->run_id, replid);

    if (strcmp(generation, redis->generation) != 0) {
        im_daemon_log(IM_LOG_INFO, "redis %s: generation %s",
                      redis->conf->address, generation);
        memcpy(redis->generation, generation, sizeof(generation));
    }
}


/* len bytes behind "name" at the start of a line; 0: not there. */
static int
im_daemon_redis_info(const im_daemon_reply_t *reply, const char *name,
    char *dst, size_t len)
{
    char      *p;
    size_t     n;
    im_str_t   s;

    s = im_daemon_reply_str(reply);
    n = strlen(name);

    if (im_daemon_reply_is_error(reply) || s.len == 0) {
        return 0;
    }

    p = memmem(s.data, s.len, name, n);

    if (p == NULL || (size_t) ((char *) s.data + s.len - p) < n + len) {
        return 0;
    }

    memcpy(dst, p + n, len);
    dst[len] = '\0';

    return 1;
}


static void
im_daemon_redis_policy_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t            s, noeviction = im_str("noeviction");
    im_daemon_redis_t  *redis = data;

    /* a user that may not ask is trusted to have been set up with care */
    if (reply == NULL || im_daemon_reply_len(reply) < 2) {
        return;
    }

    s = im_daemon_reply_str(im_daemon_reply_at(reply, 1));

    if (!im_str_eq(s, noeviction)) {
        im_daemon_redis_unusable(redis, "maxmemory-policy is \"%.*s\" and "
                                 "would lose messages: set it to noeviction",
                                 (int) s.len, (char *) s.data);
    }
}


static void
im_daemon_redis_conf_handler(const im_daemon_reply_t *reply, void *data)
{
    int64_t             n;
    im_daemon_redis_t  *redis = data;

    if (reply == NULL || redis->state != IM_REDIS_SETUP) {
        return;
    }

    /* LOADING, NOPERM and the like */
    if (im_daemon_reply_is_error(reply)) {
        im_daemon_redis_auth_handler(reply, data);
        return;
    }

    if (im_daemon_reply_is_nil(reply)) {
        im_daemon_redis_break(redis, "the number of partitions can't be set");
        return;
    }

    n = im_daemon_reply_int(reply, 0);

    if (n < 1 || n > IM_PARTITIONS_MAX) {
        im_daemon_redis_unusable(redis, "it holds no number of partitions");
        return;
    }

    if ((redis->conf->partitions != 0
         && redis->conf->partitions != (uint64_t) n)
        || (redis->partitions != 0 && redis->partitions != (uint32_t) n))
    {
        im_daemon_redis_unusable(redis, "it has %d partitions, not %u",
                                 (int) n, (unsigned)
                                 (redis->partitions != 0 ? redis->partitions
                                  : redis->conf->partitions));
        return;
    }

    redis->partitions = (uint32_t) n;
    redis->state = IM_REDIS_READY;
    redis->used = 1;
    redis->since = im_daemon_now();
    redis->asked = redis->since;
    redis->backoff = IM_REDIS_BACKOFF_MIN;
    redis->why[0] = '\0';

    im_daemon_log(IM_LOG_INFO, "redis %s: ready", redis->conf->address);

    if (redis->events->up != NULL) {
        redis->events->up(redis->data);
    }
}


im_int_t
im_daemon_redis_command(im_daemon_redis_t *redis, uint16_t p,
    const im_str_t *args, im_uint_t n, im_daemon_reply_pt fn, void *data)
{
    (void) p;

    if (redis->state != IM_REDIS_READY) {
        return IM_ERROR;
    }

    return im_daemon_redis_send(redis, args, n, IM_REDIS_TIMEOUT, fn, data);
}


im_int_t
im_daemon_redis_blocking(im_daemon_redis_t *redis, uint16_t p,
    const im_str_t *args, im_uint_t n, uint64_t block, im_daemon_reply_pt fn,
    void *data)
{
    (void) p;

    if (redis->state != IM_REDIS_READY) {
        return IM_ERROR;
    }

    return im_daemon_redis_send(redis, args, n, IM_REDIS_TIMEOUT + block, fn,
                                data);
}


im_int_t
im_daemon_redis_script(im_daemon_redis_t *redis, uint16_t p,
    const im_script_t *script, const im_str_t *args, im_uint_t n,
    im_uint_t nkeys, im_daemon_reply_pt fn, void *data)
{
    size_t             size;
    u_char            *dst;
    im_uint_t          i;
    im_daemon_call_t  *call;

    (void) p;

    if (redis->state != IM_REDIS_READY || n + 3 > IM_REDIS_MAX_ARGS) {
        return IM_ERROR;
    }

    call = im_daemon_call_create(redis, IM_REDIS_TIMEOUT, fn, data);
    if (call == NULL) {
        return IM_ERROR;
    }

    size = n * sizeof(im_str_t);

    for (i = 0; i < n; i++) {
        size += args[i].len;
    }

    call->args = malloc(size);
    if (call->args == NULL) {
        free(call);
        return IM_ERROR;
    }

    dst = (u_char *) (call->args + n);

    for (i = 0; i < n; i++) {
        call->args[i] = args[i];

        if (args[i].data == im_daemon_redis_generation.data
            || args[i].len == 0)
        {
            continue;
        }

        call->args[i].data = dst;
        memcpy(dst, args[i].data, args[i].len);
        dst += args[i].len;
    }

    call->script = script;
    call->nargs = n;
    call->nkeys = nkeys;

    if (im_daemon_redis_eval(call, 1) != IM_OK) {
        free(call->args);
        free(call);
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_daemon_redis_eval(im_daemon_call_t *call, int by_sha)
{
    char        nkeys[24];
    im_str_t    args[IM_REDIS_MAX_ARGS];
    im_uint_t   i;

    (void) snprintf(nkeys, sizeof(nkeys), "%u", (unsigned) call->nkeys);

    args[0] = im_str_z(by_sha ? "EVALSHA" : "EVAL");
    args[1] = by_sha ? im_str_z(call->script->sha) : call->script->text;
    args[2] = im_str_z(nkeys);

    for (i = 0; i < call->nargs; i++) {
        args[i + 3] = call->args[i];

        if (args[i + 3].data == im_daemon_redis_generation.data) {
            args[i + 3] = im_str_z(call->redis->generation);
        }
    }

    return im_daemon_redis_write(call, args, call->nargs + 3);
}


static im_int_t
im_daemon_redis_send(im_daemon_redis_t *redis, const im_str_t *args,
    im_uint_t n, uint64_t timeout, im_daemon_reply_pt fn, void *data)
{
    im_daemon_call_t  *call;

    call = im_daemon_call_create(redis, timeout, fn, data);
    if (call == NULL) {
        return IM_ERROR;
    }

    if (im_daemon_redis_write(call, args, n) != IM_OK) {
        free(call);
        return IM_ERROR;
    }

    return IM_OK;
}


static im_daemon_call_t *
im_daemon_call_create(im_daemon_redis_t *redis, uint64_t timeout,
    im_daemon_reply_pt fn, void *data)
{
    im_daemon_call_t  *call;

    call = calloc(1, sizeof(im_daemon_call_t));
    if (call == NULL) {
        return NULL;
    }

    call->redis = redis;
    call->timeout = timeout;
    call->fn = fn;
    call->data = data;

    return call;
}


static im_int_t
im_daemon_redis_write(im_daemon_call_t *call, const im_str_t *args,
    im_uint_t n)
{
    size_t              lens[IM_REDIS_MAX_ARGS];
    im_uint_t           i;
    const char         *words[IM_REDIS_MAX_ARGS];
    im_daemon_redis_t  *redis;

    redis = call->redis;

    if (redis->ac == NULL || n > IM_REDIS_MAX_ARGS) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        words[i] = args[i].len != 0 ? (const char *) args[i].data : "";
        lens[i] = args[i].len;
    }

    if (redisAsyncCommandArgv(redis->ac, im_daemon_redis_call_handler, call,
                              (int) n, words, lens)
        != REDIS_OK)
    {
        return IM_ERROR;
    }

    call->sent = im_daemon_now();
    im_list_insert_tail(&redis->calls, &call->link);
    redis->ncalls++;

    return IM_OK;
}


static void
im_daemon_redis_call_handler(redisAsyncContext *ac, void *reply, void *data)
{
    im_str_t            s, noscript = im_str("NOSCRIPT");
    im_daemon_call_t   *call = data;
    im_daemon_redis_t  *redis;

    redis = call->redis;
    redis->ncalls--;

    if (reply == NULL) {

        /* the list was given up as a whole, the link must not be undone */
        if (redis->ac == ac) {
            im_daemon_redis_lost(redis, ac->err ? ac->errstr : "closed");
        }

    } else {
        im_list_remove(&call->link);
        redis->heard = im_daemon_now();
    }

    if (call->script != NULL && im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);

        if (s.len >= noscript.len
            && memcmp(s.data, noscript.data, noscript.len) == 0
            && im_daemon_redis_eval(call, 0) == IM_OK)
        {
            return;
        }
    }

    /* whoever handles it may destroy the link */
    redis->ncalls++;

    if (call->fn != NULL) {
        call->fn(reply, call->data);
    }

    free(call->args);
    free(call);

    redis->ncalls--;
    im_daemon_redis_free(redis);
}


int
im_daemon_reply_is_error(const im_daemon_reply_t *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR;
}


int
im_daemon_reply_is_nil(const im_daemon_reply_t *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_NIL;
}


im_str_t
im_daemon_reply_str(const im_daemon_reply_t *reply)
{
    im_str_t  none = im_null_str;

    if (reply == NULL || (reply->type != REDIS_REPLY_STRING
                          && reply->type != REDIS_REPLY_STATUS
                          && reply->type != REDIS_REPLY_ERROR))
    {
        return none;
    }

    return im_str_set(reply->str, reply->len);
}


int64_t
im_daemon_reply_int(const im_daemon_reply_t *reply, int64_t dflt)
{
    char       *end;
    long long   n;

    if (reply == NULL) {
        return dflt;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        return reply->integer;
    }

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0) {
        return dflt;
    }

    errno = 0;
    n = strtoll(reply->str, &end, 10);

    return errno == 0 && end == reply->str + reply->len ? n : dflt;
}


im_uint_t
im_daemon_reply_len(const im_daemon_reply_t *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY
           ? reply->elements : 0;
}


const im_daemon_reply_t *
im_daemon_reply_at(const im_daemon_reply_t *reply, im_uint_t i)
{
    return i < im_daemon_reply_len(reply) ? reply->element[i] : NULL;
}


uint64_t
im_daemon_reply_time(const im_daemon_reply_t *reply)
{
    int64_t  s, us;

    s = im_daemon_reply_int(im_daemon_reply_at(reply, 0), 0);
    us = im_daemon_reply_int(im_daemon_reply_at(reply, 1), 0);

    return s > 0 && us >= 0 ? (uint64_t) s * 1000 + (uint64_t) us / 1000 : 0;
}
