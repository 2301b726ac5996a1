/*
 * Copyright (C) The im authors
 *
 * The link to Redis: one connection for commands and one for pub/sub.
 *
 * hiredis gives the reader of replies alone; sockets, timers and the order of
 * calls are ours.  A command is formatted when it is queued, on the connection
 * that will carry it, and dies with that connection: so the generation in it
 * is always the one of the server that runs it.  A server whose generation
 * changes under the connection is connected to anew.
 */

#include "ngx_im.h"
#include "im_script.h"

#include <hiredis/hiredis.h>


#define NGX_IM_REDIS_TICK        500
#define NGX_IM_REDIS_ROLE        2000
#define NGX_IM_REDIS_PING        5000
#define NGX_IM_REDIS_HEARTBEAT   6000
#define NGX_IM_REDIS_BACKOFF     50
#define NGX_IM_REDIS_BACKOFF_MAX 2000
#define NGX_IM_REDIS_COMPLAIN    60000
#define NGX_IM_REDIS_MAX_CALLS   65536
#define NGX_IM_REDIS_MAX_OUT     (64 * 1024 * 1024)
#define NGX_IM_REDIS_MAX_REPLY   (128 * 1024 * 1024)
#define NGX_IM_REDIS_SLOW        50
#define NGX_IM_REDIS_KEEP        65536
#define NGX_IM_REDIS_READ        16384

#define NGX_IM_RUN_ID            16
#define NGX_IM_REPLID            8
#define NGX_IM_GENERATION        (NGX_IM_RUN_ID + NGX_IM_REPLID)


typedef enum {
    NGX_IM_CONN_CLOSED = 0,
    NGX_IM_CONN_CONNECTING,
    NGX_IM_CONN_PREPARING,
    NGX_IM_CONN_READY
} ngx_im_conn_e;


typedef struct ngx_im_conn_s  ngx_im_conn_t;

struct ngx_im_conn_s {
    ngx_im_redis_t     *redis;
    ngx_connection_t   *connection;
    redisReader        *reader;
    im_buf_t            out;
    size_t              sent;        /* of out */
    ngx_event_t         write;       /* posted: writes what a turn has queued */
    ngx_event_t         retry;       /* connects again */
    ngx_msec_t          start;       /* of connecting */
    ngx_msec_t          heard;       /* last bytes */
    ngx_msec_t          asked;       /* last PING or INFO */
    ngx_msec_t          backoff;
    ngx_im_conn_e       state;
    void              (*reply)(ngx_im_conn_t *conn, redisReply *reply);
    const char         *name;
};


/* A command whose reply is awaited; of a script, with what it takes to ask
 * once more by its text. */
typedef struct {
    im_list_t           link;
    ngx_im_redis_pt     handler;
    void               *data;
    const im_script_t  *script;
    ngx_msec_t          time;
    ngx_uint_t          nkeys;
    ngx_uint_t          argc;        /* of args, when there is a script */
    im_str_t           *args;
} ngx_im_call_t;


typedef struct {
    im_str_t            name;
    uint16_t            partition;
    unsigned            all:1;       /* of all workers, with the heartbeat */
} ngx_im_channel_t;


typedef struct {
    ngx_msec_t          heard;
    unsigned            lost:1;
} ngx_im_heartbeat_t;


struct ngx_im_redis_s {
    ngx_im_worker_t              *worker;
    ngx_im_redis_conf_t          *conf;
    const ngx_im_redis_events_t  *events;
    ngx_im_conn_t                 commands;
    ngx_im_conn_t                 pubsub;
    im_list_t                     calls;
    ngx_uint_t                    ncalls;
    ngx_msec_t                    latency;    /* of replies, in ms / 8 */
    ngx_event_t                   tick;
    ngx_msec_t                    ticked;
    ngx_msec_t                    complained;
    ngx_msec_t                    refused;
    ngx_uint_t                    npartitions;
    im_buf_t                      names;      /* of channels */
    ngx_im_channel_t             *channels;   /* sorted by name */
    ngx_uint_t                    nchannels;
    ngx_uint_t                    nsubscribed;
    ngx_im_heartbeat_t           *heartbeats;
    im_buf_t                      scratch;
    ngx_log_t                     silent;
    u_char                        generation[NGX_IM_GENERATION];
    unsigned                      up:1;       /* the events were told so */
    unsigned                      quiet:1;    /* a failure is in the log */
    unsigned                      unusable:1; /* its settings are wrong */
    unsigned                      closing:1;
};


static void ngx_im_redis_connect(ngx_im_conn_t *conn);
static ngx_int_t ngx_im_redis_get_peer(ngx_peer_connection_t *pc, void *data);
static void ngx_im_redis_connected(ngx_im_conn_t *conn);
static void ngx_im_redis_lost(ngx_im_conn_t *conn, const char *why);
static void ngx_im_redis_close(ngx_im_conn_t *conn);
static void ngx_im_redis_fail_calls(ngx_im_redis_t *redis);
static void ngx_im_redis_later(ngx_im_conn_t *conn);
static void ngx_im_redis_refuse(ngx_im_redis_t *redis, const char *why);
static void ngx_im_redis_complain(ngx_im_redis_t *redis, const char *what,
    const char *why);

static void ngx_im_redis_read_handler(ngx_event_t *rev);
static void ngx_im_redis_write_handler(ngx_event_t *wev);
static void ngx_im_redis_flush_handler(ngx_event_t *ev);
static void ngx_im_redis_retry_handler(ngx_event_t *ev);
static void ngx_im_redis_tick_handler(ngx_event_t *ev);
static ngx_int_t ngx_im_redis_socket_error(ngx_connection_t *c);
static void ngx_im_redis_write(ngx_im_conn_t *conn);
static void ngx_im_redis_read_replies(ngx_im_conn_t *conn);

static void ngx_im_redis_command_reply(ngx_im_conn_t *conn, redisReply *reply);
static ngx_int_t ngx_im_redis_again(ngx_im_redis_t *redis,
    ngx_im_call_t *call);
static ngx_int_t ngx_im_redis_call(ngx_im_redis_t *redis,
    ngx_im_call_t *call);
static void ngx_im_redis_format(ngx_im_conn_t *conn, ngx_uint_t argc,
    const im_str_t *argv);
static void ngx_im_redis_format_script(ngx_im_conn_t *conn,
    ngx_im_call_t *call, const char *verb, im_str_t what);
static void ngx_im_redis_format_count(im_buf_t *b, const char *type, size_t n);
static void ngx_im_redis_format_arg(ngx_im_conn_t *conn, im_str_t arg);
static ngx_int_t ngx_im_redis_queued(ngx_im_conn_t *conn, size_t before);
static ngx_int_t ngx_im_redis_ask(ngx_im_redis_t *redis,
    ngx_im_redis_pt handler, ngx_uint_t argc, const im_str_t *argv);

static void ngx_im_redis_prepare(ngx_im_redis_t *redis);
static ngx_int_t ngx_im_redis_introduce(ngx_im_conn_t *conn);
static void ngx_im_redis_plain_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static void ngx_im_redis_server_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static void ngx_im_redis_replication_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static void ngx_im_redis_policy_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static void ngx_im_redis_partitions_handler(ngx_im_worker_t *w, void *data,
    void *ctx);
static ngx_int_t ngx_im_redis_partitions(ngx_im_redis_t *redis,
    ngx_uint_t n);
static im_str_t ngx_im_redis_info(redisReply *reply, const char *field);

static ngx_int_t ngx_im_redis_channels(ngx_im_redis_t *redis, ngx_uint_t n);
static int ngx_libc_cdecl ngx_im_redis_compare(const void *one,
    const void *two);
static ngx_im_channel_t *ngx_im_redis_channel(ngx_im_redis_t *redis,
    im_str_t name);
static void ngx_im_redis_subscribe(ngx_im_redis_t *redis);
static void ngx_im_redis_pubsub_reply(ngx_im_conn_t *conn, redisReply *reply);
static void ngx_im_redis_subscribed(ngx_im_redis_t *redis);
static void ngx_im_redis_message(ngx_im_redis_t *redis, im_str_t channel,
    im_str_t batch);
static void ngx_im_redis_heartbeats(ngx_im_redis_t *redis);
static int ngx_im_redis_is(redisReply *reply, const char *word);
static im_str_t ngx_im_redis_str(redisReply *reply);


ngx_im_redis_t *
ngx_im_redis_create(ngx_im_worker_t *w, const ngx_im_redis_events_t *events)
{
    ngx_uint_t       i;
    ngx_im_conn_t   *conn;
    ngx_im_redis_t  *redis;

    redis = im_calloc(sizeof(ngx_im_redis_t));
    if (redis == NULL) {
        return NULL;
    }

    redis->worker = w;
    redis->conf = &w->conf->redis;
    redis->events = events;
    redis->commands.name = "commands";
    redis->commands.reply = ngx_im_redis_command_reply;
    redis->pubsub.name = "pub/sub";
    redis->pubsub.reply = ngx_im_redis_pubsub_reply;

    im_list_init(&redis->calls);
    im_buf_init(&redis->names, NGX_IM_REDIS_MAX_OUT);
    im_buf_init(&redis->scratch, NGX_IM_REDIS_MAX_OUT);

    for (i = 0; i < 2; i++) {
        conn = i == 0 ? &redis->commands : &redis->pubsub;

        conn->redis = redis;
        im_buf_init(&conn->out, NGX_IM_REDIS_MAX_OUT);

        conn->write.handler = ngx_im_redis_flush_handler;
        conn->write.data = conn;
        conn->write.log = w->log;

        conn->retry.handler = ngx_im_redis_retry_handler;
        conn->retry.data = conn;
        conn->retry.log = w->log;
        conn->retry.cancelable = 1;
    }

    redis->tick.handler = ngx_im_redis_tick_handler;
    redis->tick.data = redis;
    redis->tick.log = w->log;
    redis->tick.cancelable = 1;

    redis->ticked = ngx_current_msec;

    ngx_add_timer(&redis->tick, NGX_IM_REDIS_TICK);
    ngx_add_timer(&redis->commands.retry, 1);

    return redis;
}


void
ngx_im_redis_destroy(ngx_im_redis_t *redis)
{
    redis->closing = 1;

    /* what is queued, as giving up the lease, has its last chance here */

    if (redis->commands.state == NGX_IM_CONN_READY) {
        ngx_im_redis_write(&redis->commands);
    }

    ngx_im_redis_close(&redis->pubsub);
    ngx_im_redis_close(&redis->commands);
    ngx_im_redis_fail_calls(redis);

    if (redis->tick.timer_set) {
        ngx_del_timer(&redis->tick);
    }

    im_buf_cleanup(&redis->commands.out);
    im_buf_cleanup(&redis->pubsub.out);
    im_buf_cleanup(&redis->names);
    im_buf_cleanup(&redis->scratch);
    im_free(redis->channels);
    im_free(redis->heartbeats);
    im_free(redis);
}


ngx_int_t
ngx_im_redis_command(ngx_im_redis_t *redis, uint16_t partition,
    ngx_im_redis_pt handler, void *data, ngx_uint_t argc, const im_str_t *argv)
{
    size_t          before;
    ngx_im_conn_t  *conn;
    ngx_im_call_t  *call;

    (void) partition;

    conn = &redis->commands;

    if (conn->state != NGX_IM_CONN_READY
        || redis->ncalls == NGX_IM_REDIS_MAX_CALLS)
    {
        return NGX_ERROR;
    }

    call = im_calloc(sizeof(ngx_im_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = handler;
    call->data = data;

    before = conn->out.len;
    ngx_im_redis_format(conn, argc, argv);

    if (ngx_im_redis_queued(conn, before) != NGX_OK) {
        im_free(call);
        return NGX_ERROR;
    }

    return ngx_im_redis_call(redis, call);
}


ngx_int_t
ngx_im_redis_script(ngx_im_redis_t *redis, uint16_t partition,
    const void *script, ngx_im_redis_pt handler, void *data, ngx_uint_t nkeys,
    ngx_uint_t argc, const im_str_t *argv)
{
    size_t          size, before;
    u_char         *p;
    ngx_uint_t      i;
    ngx_im_conn_t  *conn;
    ngx_im_call_t  *call;

    (void) partition;

    conn = &redis->commands;

    if (conn->state != NGX_IM_CONN_READY
        || redis->ncalls == NGX_IM_REDIS_MAX_CALLS)
    {
        return NGX_ERROR;
    }

    size = sizeof(ngx_im_call_t) + argc * sizeof(im_str_t);

    for (i = 0; i < argc; i++) {
        size += argv[i].len;
    }

    call = im_alloc(size);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = handler;
    call->data = data;
    call->script = script;
    call->nkeys = nkeys;
    call->argc = argc;
    call->args = (im_str_t *) (call + 1);

    p = (u_char *) (call->args + argc);

    for (i = 0; i < argc; i++) {
        call->args[i].len = argv[i].len;
        call->args[i].data = NULL;

        if (argv[i].data != NULL) {
            call->args[i].data = p;
            p = ngx_cpymem(p, argv[i].data, argv[i].len);
        }
    }

    before = conn->out.len;
    ngx_im_redis_format_script(conn, call, "EVALSHA",
                               im_str_z(call->script->sha));

    if (ngx_im_redis_queued(conn, before) != NGX_OK) {
        im_free(call);
        return NGX_ERROR;
    }

    return ngx_im_redis_call(redis, call);
}


/* An argument without data is the generation of this very connection. */
static void
ngx_im_redis_format(ngx_im_conn_t *conn, ngx_uint_t argc, const im_str_t *argv)
{
    ngx_uint_t  i;

    ngx_im_redis_format_count(&conn->out, "*", argc);

    for (i = 0; i < argc; i++) {
        ngx_im_redis_format_arg(conn, argv[i]);
    }
}


static void
ngx_im_redis_format_script(ngx_im_conn_t *conn, ngx_im_call_t *call,
    const char *verb, im_str_t what)
{
    u_char      number[NGX_INT_T_LEN];
    ngx_uint_t  i;

    ngx_im_redis_format_count(&conn->out, "*", call->argc + 3);

    ngx_im_redis_format_arg(conn, im_str_z(verb));
    ngx_im_redis_format_arg(conn, what);
    ngx_im_redis_format_arg(conn,
        im_str_set(number, ngx_sprintf(number, "%ui", call->nkeys) - number));

    for (i = 0; i < call->argc; i++) {
        ngx_im_redis_format_arg(conn, call->args[i]);
    }
}


static void
ngx_im_redis_format_count(im_buf_t *b, const char *type, size_t n)
{
    im_buf_add_z(b, type);
    im_buf_add_uint(b, n);
    im_buf_add(b, "\r\n", 2);
}


static void
ngx_im_redis_format_arg(ngx_im_conn_t *conn, im_str_t arg)
{
    if (arg.data == NULL) {
        arg = im_str_set(conn->redis->generation, NGX_IM_GENERATION);
    }

    ngx_im_redis_format_count(&conn->out, "$", arg.len);
    im_buf_add_str(&conn->out, arg);
    im_buf_add(&conn->out, "\r\n", 2);
}


/* Takes a command back of which not all bytes had room. */
static ngx_int_t
ngx_im_redis_queued(ngx_im_conn_t *conn, size_t before)
{
    if (conn->out.failed) {
        conn->out.failed = 0;
        conn->out.len = before;
        return NGX_ERROR;
    }

    ngx_post_event(&conn->write, &ngx_posted_events);

    return NGX_OK;
}


static ngx_int_t
ngx_im_redis_call(ngx_im_redis_t *redis, ngx_im_call_t *call)
{
    call->time = ngx_current_msec;

    im_list_insert_tail(&redis->calls, &call->link);
    redis->ncalls++;

    return NGX_OK;
}


/* A command of our own while the connection is being prepared, or later. */
static ngx_int_t
ngx_im_redis_ask(ngx_im_redis_t *redis, ngx_im_redis_pt handler,
    ngx_uint_t argc, const im_str_t *argv)
{
    size_t          before;
    ngx_im_call_t  *call;

    call = im_calloc(sizeof(ngx_im_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = handler;
    call->data = redis;

    before = redis->commands.out.len;
    ngx_im_redis_format(&redis->commands, argc, argv);

    if (ngx_im_redis_queued(&redis->commands, before) != NGX_OK) {
        im_free(call);
        return NGX_ERROR;
    }

    return ngx_im_redis_call(redis, call);
}


static void
ngx_im_redis_connect(ngx_im_conn_t *conn)
{
    ngx_int_t               rc;
    ngx_im_redis_t         *redis;
    ngx_connection_t       *c;
    ngx_peer_connection_t   pc;

    redis = conn->redis;

    conn->start = ngx_current_msec;
    conn->heard = ngx_current_msec;
    conn->asked = ngx_current_msec;

    conn->reader = redisReaderCreate();
    if (conn->reader == NULL) {
        ngx_im_redis_lost(conn, "no memory");
        return;
    }

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = redis->conf->addr->sockaddr;
    pc.socklen = redis->conf->addr->socklen;
    pc.name = &redis->conf->name;
    pc.get = ngx_im_redis_get_peer;
    pc.log = redis->worker->log;

    /* that it is away has been said: not again with each attempt */

    if (redis->quiet) {
        redis->silent = *redis->worker->log;
        redis->silent.log_level = NGX_LOG_EMERG;
        pc.log = &redis->silent;
    }

    pc.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&pc);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_im_redis_lost(conn, "connect() failed");
        return;
    }

    c = pc.connection;

    c->data = conn;
    c->log = redis->worker->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_im_redis_read_handler;
    c->write->handler = ngx_im_redis_write_handler;

    /* a quitting worker neither waits for this connection nor minds it */

    c->read->resolver = 1;

    conn->connection = c;
    conn->state = NGX_IM_CONN_CONNECTING;

    if (rc == NGX_OK) {
        ngx_im_redis_connected(conn);
    }
}


static ngx_int_t
ngx_im_redis_get_peer(ngx_peer_connection_t *pc, void *data)
{
    (void) pc;
    (void) data;

    return NGX_OK;
}


static void
ngx_im_redis_connected(ngx_im_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;

    if (ngx_im_redis_socket_error(c) != NGX_OK) {
        ngx_im_redis_lost(conn, "connect() failed");
        return;
    }

    if (c->type == SOCK_STREAM
        && conn->redis->conf->addr->sockaddr->sa_family != AF_UNIX)
    {
        (void) ngx_tcp_nodelay(c);
    }

    conn->state = NGX_IM_CONN_PREPARING;
    conn->heard = ngx_current_msec;

    if (conn == &conn->redis->commands) {
        ngx_im_redis_prepare(conn->redis);
        return;
    }

    ngx_im_redis_subscribe(conn->redis);
}


static ngx_int_t
ngx_im_redis_socket_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err == 0) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, err, "im: connect() to Redis failed");

    return NGX_ERROR;
}


/*
 * A connection is over.  Commands take pub/sub with them: what is subscribed
 * must be subscribed at the server that answers.
 */
static void
ngx_im_redis_lost(ngx_im_conn_t *conn, const char *why)
{
    ngx_im_redis_t  *redis;

    redis = conn->redis;

    if (redis->closing) {
        return;
    }

    ngx_im_redis_complain(redis, conn->name, why);

    ngx_im_redis_close(conn);

    if (conn == &redis->commands) {
        ngx_im_redis_close(&redis->pubsub);
    }

    if (redis->up) {
        redis->up = 0;
        redis->events->down(redis->worker);
    }

    if (conn == &redis->commands) {
        ngx_im_redis_fail_calls(redis);
    }

    ngx_im_redis_later(conn);
}


static void
ngx_im_redis_close(ngx_im_conn_t *conn)
{
    if (conn->write.posted) {
        ngx_delete_posted_event(&conn->write);
    }

    if (conn->retry.timer_set) {
        ngx_del_timer(&conn->retry);
    }

    if (conn->connection != NULL) {
        ngx_close_connection(conn->connection);
        conn->connection = NULL;
    }

    if (conn->reader != NULL) {
        redisReaderFree(conn->reader);
        conn->reader = NULL;
    }

    conn->state = NGX_IM_CONN_CLOSED;
    conn->sent = 0;
    im_buf_reset(&conn->out, NGX_IM_REDIS_KEEP);
}


static void
ngx_im_redis_fail_calls(ngx_im_redis_t *redis)
{
    im_list_t       calls;
    ngx_im_call_t  *call;

    im_list_init(&calls);
    im_list_splice(&calls, &redis->calls);
    redis->ncalls = 0;

    while (!im_list_empty(&calls)) {
        call = im_list_data(im_list_first(&calls), ngx_im_call_t, link);
        im_list_remove(&call->link);

        call->handler(redis->worker, NULL, call->data);
        im_free(call);
    }
}


/* Half of the wait is random: workers must not come back in one moment. */
static void
ngx_im_redis_later(ngx_im_conn_t *conn)
{
    ngx_msec_t  wait;

    conn->backoff = conn->backoff == 0 ? NGX_IM_REDIS_BACKOFF
                                       : conn->backoff * 2;
    conn->backoff = ngx_min(conn->backoff, NGX_IM_REDIS_BACKOFF_MAX);

    wait = conn->backoff / 2 + ngx_random() % (conn->backoff / 2 + 1);

    ngx_add_timer(&conn->retry, wait);
}


static void
ngx_im_redis_complain(ngx_im_redis_t *redis, const char *what,
    const char *why)
{
    if (redis->quiet
        && ngx_current_msec - redis->complained < NGX_IM_REDIS_COMPLAIN)
    {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, redis->worker->log, 0,
                       "im redis %s: %s", what, why);
        return;
    }

    redis->quiet = 1;
    redis->complained = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, redis->worker->log, 0,
                  "im: Redis at \"%V\" is away (%s): %s",
                  &redis->conf->name, what, why);
}


ngx_uint_t
ngx_im_redis_unusable(ngx_im_redis_t *redis)
{
    return redis->unusable;
}


ngx_uint_t
ngx_im_redis_slow(ngx_im_redis_t *redis)
{
    ngx_im_call_t  *call;

    if (redis->commands.state != NGX_IM_CONN_READY
        || redis->latency / 8 > NGX_IM_REDIS_SLOW)
    {
        return 1;
    }

    if (im_list_empty(&redis->calls)) {
        return 0;
    }

    call = im_list_data(im_list_first(&redis->calls), ngx_im_call_t, link);

    return ngx_current_msec - call->time > NGX_IM_REDIS_SLOW;
}


/* It answers, but can't be used: said apart from being away. */
static void
ngx_im_redis_refuse(ngx_im_redis_t *redis, const char *why)
{
    if (redis->refused == 0
        || ngx_current_msec - redis->refused >= NGX_IM_REDIS_COMPLAIN)
    {
        redis->refused = ngx_current_msec;

        redis->quiet = 1;
        redis->complained = ngx_current_msec;

        ngx_log_error(NGX_LOG_ERR, redis->worker->log, 0,
                      "im: Redis at \"%V\" can't be used: %s",
                      &redis->conf->name, why);
    }

    ngx_im_redis_lost(&redis->commands, why);
}


static void
ngx_im_redis_retry_handler(ngx_event_t *ev)
{
    ngx_im_conn_t  *conn;

    conn = ev->data;

    if (conn->state != NGX_IM_CONN_CLOSED) {
        return;
    }

    if (conn == &conn->redis->pubsub
        && conn->redis->commands.state != NGX_IM_CONN_READY)
    {
        return;
    }

    ngx_im_redis_connect(conn);
}


static void
ngx_im_redis_write_handler(ngx_event_t *wev)
{
    ngx_im_conn_t     *conn;
    ngx_connection_t  *c;

    c = wev->data;
    conn = c->data;

    if (conn->state == NGX_IM_CONN_CONNECTING) {
        ngx_im_redis_connected(conn);
        return;
    }

    if (conn->out.len > conn->sent) {
        ngx_im_redis_write(conn);
    }
}


static void
ngx_im_redis_flush_handler(ngx_event_t *ev)
{
    ngx_im_redis_write(ev->data);
}


static void
ngx_im_redis_write(ngx_im_conn_t *conn)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = conn->connection;

    if (c == NULL || conn->state == NGX_IM_CONN_CONNECTING) {
        return;
    }

    while (conn->sent < conn->out.len) {

        n = c->send(c, conn->out.data + conn->sent,
                    conn->out.len - conn->sent);

        if (n == NGX_ERROR) {
            ngx_im_redis_lost(conn, "send() failed");
            return;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        conn->sent += n;
    }

    if (conn->sent == conn->out.len) {
        im_buf_reset(&conn->out, NGX_IM_REDIS_KEEP);
        conn->sent = 0;
        return;
    }

    if (conn->sent > NGX_IM_REDIS_KEEP && conn->sent > conn->out.len / 2) {
        ngx_memmove(conn->out.data, conn->out.data + conn->sent,
                    conn->out.len - conn->sent);
        conn->out.len -= conn->sent;
        conn->sent = 0;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_im_redis_lost(conn, "no event for the socket");
    }
}


static void
ngx_im_redis_read_handler(ngx_event_t *rev)
{
    u_char             buf[NGX_IM_REDIS_READ];
    ssize_t            n;
    ngx_im_conn_t     *conn;
    ngx_connection_t  *c;

    c = rev->data;
    conn = c->data;

    if (conn->state == NGX_IM_CONN_CONNECTING) {
        ngx_im_redis_connected(conn);
    }

    while (conn->connection == c && conn->state > NGX_IM_CONN_CONNECTING) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_im_redis_lost(conn, n == 0 ? "connection closed"
                                           : "recv() failed");
            return;
        }

        conn->heard = ngx_current_msec;

        if (conn->reader->len - conn->reader->pos > NGX_IM_REDIS_MAX_REPLY
            || redisReaderFeed(conn->reader, (char *) buf, n) != REDIS_OK)
        {
            ngx_im_redis_lost(conn, "reply is too big");
            return;
        }

        ngx_im_redis_read_replies(conn);
    }

    if (conn->connection == c && ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_im_redis_lost(conn, "no event for the socket");
    }
}


/* A reply may close the connection: then the reader is gone too. */
static void
ngx_im_redis_read_replies(ngx_im_conn_t *conn)
{
    void         *reply;
    redisReader  *reader;

    reader = conn->reader;

    while (conn->reader == reader && reader != NULL) {

        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            ngx_im_redis_lost(conn, "malformed reply");
            return;
        }

        if (reply == NULL) {
            return;
        }

        conn->reply(conn, reply);
        freeReplyObject(reply);
    }
}


static void
ngx_im_redis_command_reply(ngx_im_conn_t *conn, redisReply *reply)
{
    ngx_im_call_t   *call;
    ngx_im_redis_t  *redis;

    redis = conn->redis;

    if (im_list_empty(&redis->calls)) {
        ngx_im_redis_lost(conn, "reply without a command");
        return;
    }

    call = im_list_data(im_list_first(&redis->calls), ngx_im_call_t, link);
    im_list_remove(&call->link);
    redis->ncalls--;
    redis->latency += ngx_current_msec - call->time - redis->latency / 8;

    if (call->script != NULL && ngx_im_redis_is(reply, "NOSCRIPT")
        && ngx_im_redis_again(redis, call) == NGX_OK)
    {
        return;
    }

    call->handler(redis->worker, reply, call->data);
    im_free(call);
}


/* The server doesn't know the script: it gets the text. */
static ngx_int_t
ngx_im_redis_again(ngx_im_redis_t *redis, ngx_im_call_t *call)
{
    size_t  before;

    before = redis->commands.out.len;

    ngx_im_redis_format_script(&redis->commands, call, "EVAL",
                               call->script->text);

    if (ngx_im_redis_queued(&redis->commands, before) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_im_redis_call(redis, call);
}


/*
 * What a fresh connection is asked before it may be used.  The questions go
 * out in one write, and the last answer makes it ready.
 */
static void
ngx_im_redis_prepare(ngx_im_redis_t *redis)
{
    u_char      number[NGX_INT_T_LEN];
    im_str_t    key, argv[4];
    ngx_int_t   rc;
    ngx_uint_t  n;

    rc = ngx_im_redis_introduce(&redis->commands);

    argv[0] = im_str_z("INFO");
    argv[1] = im_str_z("server");
    rc |= ngx_im_redis_ask(redis, ngx_im_redis_server_handler, 2, argv);

    argv[1] = im_str_z("replication");
    rc |= ngx_im_redis_ask(redis, ngx_im_redis_replication_handler, 2, argv);

    argv[0] = im_str_z("CONFIG");
    argv[1] = im_str_z("GET");
    argv[2] = im_str_z("maxmemory-policy");
    rc |= ngx_im_redis_ask(redis, ngx_im_redis_policy_handler, 3, argv);

    im_buf_reset(&redis->scratch, NGX_IM_REDIS_KEEP);
    im_key_conf(&redis->scratch, im_str_set(redis->conf->prefix.data,
                                            redis->conf->prefix.len));
    key = im_buf_str(&redis->scratch);

    n = redis->npartitions;

    if (n == 0) {
        n = redis->conf->partitions != 0 ? redis->conf->partitions
                                         : IM_PARTITIONS;
    }

    argv[0] = im_str_z("SET");
    argv[1] = key;
    argv[2] = im_str_set(number, ngx_sprintf(number, "%ui", n) - number);
    argv[3] = im_str_z("NX");
    rc |= ngx_im_redis_ask(redis, ngx_im_redis_plain_handler, 4, argv);

    argv[0] = im_str_z("GET");
    rc |= ngx_im_redis_ask(redis, ngx_im_redis_partitions_handler, 2, argv);

    if (rc != NGX_OK) {
        ngx_im_redis_lost(&redis->commands, "no memory");
    }
}


/* AUTH and SELECT, where configured. */
static ngx_int_t
ngx_im_redis_introduce(ngx_im_conn_t *conn)
{
    u_char                number[NGX_INT_T_LEN];
    im_str_t              argv[3];
    ngx_uint_t            n;
    ngx_im_redis_conf_t  *conf;

    conf = conn->redis->conf;

    if (conf->password.len > 0) {
        n = 0;
        argv[n++] = im_str_z("AUTH");

        if (conf->user.len > 0) {
            argv[n++] = im_str_set(conf->user.data, conf->user.len);
        }

        argv[n++] = im_str_set(conf->password.data, conf->password.len);

        if (conn != &conn->redis->commands) {
            ngx_im_redis_format(conn, n, argv);

        } else if (ngx_im_redis_ask(conn->redis, ngx_im_redis_plain_handler,
                                    n, argv)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (conf->db == 0 || conn != &conn->redis->commands) {
        return NGX_OK;
    }

    argv[0] = im_str_z("SELECT");
    argv[1] = im_str_set(number,
                         ngx_sprintf(number, "%ui", conf->db) - number);

    return ngx_im_redis_ask(conn->redis, ngx_im_redis_plain_handler, 2, argv);
}


/* Any reply is good, but an error. */
static void
ngx_im_redis_plain_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    redisReply      *reply;
    ngx_im_redis_t  *redis;

    reply = data;
    redis = ctx;

    (void) w;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    ngx_im_redis_refuse(redis, reply->str);
}


static void
ngx_im_redis_server_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    im_str_t         id;
    redisReply      *reply;
    ngx_im_redis_t  *redis;

    reply = data;
    redis = ctx;

    (void) w;

    if (reply == NULL) {
        return;
    }

    id = ngx_im_redis_info(reply, "run_id:");

    if (id.len < NGX_IM_RUN_ID) {
        ngx_im_redis_refuse(redis, reply->type == REDIS_REPLY_ERROR
                                   ? reply->str : "no run_id in INFO");
        return;
    }

    ngx_memcpy(redis->generation, id.data, NGX_IM_RUN_ID);
}


/* Asked at first, then every 2 s: a promotion keeps connections open. */
static void
ngx_im_redis_replication_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    u_char          *kept;
    im_str_t         id, role;
    redisReply      *reply;
    ngx_im_redis_t  *redis;

    reply = data;
    redis = ctx;

    (void) w;

    if (reply == NULL) {
        return;
    }

    id = ngx_im_redis_info(reply, "master_replid2:");
    role = ngx_im_redis_info(reply, "role:");

    if (id.len < NGX_IM_REPLID) {
        ngx_im_redis_refuse(redis, reply->type == REDIS_REPLY_ERROR
                                   ? reply->str : "no master_replid2 in INFO");
        return;
    }

    if (!im_str_eq(role, im_str_z("master"))) {
        ngx_im_redis_refuse(redis, "it is a replica");
        return;
    }

    kept = redis->generation + NGX_IM_RUN_ID;

    if (redis->commands.state == NGX_IM_CONN_READY
        && ngx_memcmp(kept, id.data, NGX_IM_REPLID) != 0)
    {
        redis->commands.backoff = 0;
        ngx_im_redis_lost(&redis->commands, "another generation");
        return;
    }

    ngx_memcpy(kept, id.data, NGX_IM_REPLID);
}


/* A server that hides its settings is believed. */
static void
ngx_im_redis_policy_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    u_char           why[128];
    im_str_t         policy;
    redisReply      *reply;
    ngx_im_redis_t  *redis;

    reply = data;
    redis = ctx;

    (void) w;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements < 2
        || reply->element[1]->type != REDIS_REPLY_STRING)
    {
        return;
    }

    policy = ngx_im_redis_str(reply->element[1]);

    if (im_str_eq(policy, im_str_z("noeviction"))) {
        return;
    }

    (void) ngx_snprintf(why, sizeof(why), "its \"maxmemory-policy\" is "
                        "\"%*s\", not \"noeviction\"%Z",
                        ngx_min(policy.len, 32), policy.data);

    redis->unusable = 1;

    ngx_im_redis_refuse(redis, (char *) why);
}


static void
ngx_im_redis_partitions_handler(ngx_im_worker_t *w, void *data, void *ctx)
{
    ngx_int_t        n;
    redisReply      *reply;
    ngx_im_redis_t  *redis;

    reply = data;
    redis = ctx;

    (void) w;

    if (reply == NULL) {
        return;
    }

    n = NGX_ERROR;

    if (reply->type == REDIS_REPLY_STRING) {
        n = ngx_atoi((u_char *) reply->str, reply->len);
    }

    if (n < 1 || n > IM_PARTITIONS_MAX) {
        ngx_im_redis_refuse(redis, reply->type == REDIS_REPLY_ERROR
                            ? reply->str
                            : "its number of partitions is invalid");
        return;
    }

    if (redis->conf->partitions != 0
        && redis->conf->partitions != (ngx_uint_t) n)
    {
        redis->unusable = 1;

        ngx_im_redis_refuse(redis, "it was set up with another number of "
                            "partitions than \"partitions=\" says");
        return;
    }

    if (redis->npartitions != 0 && redis->npartitions != (ngx_uint_t) n) {
        redis->unusable = 1;

        ngx_im_redis_refuse(redis, "its number of partitions has changed: "
                            "reload nginx");
        return;
    }

    if (ngx_im_redis_partitions(redis, n) != NGX_OK) {
        ngx_im_redis_lost(&redis->commands, "no memory");
        return;
    }

    redis->commands.state = NGX_IM_CONN_READY;
    redis->commands.backoff = 0;
    redis->unusable = 0;
    redis->events->generation(redis->worker);

    if (redis->pubsub.state == NGX_IM_CONN_CLOSED) {
        redis->pubsub.backoff = 0;
        ngx_im_redis_connect(&redis->pubsub);
    }
}


static ngx_int_t
ngx_im_redis_partitions(ngx_im_redis_t *redis, ngx_uint_t n)
{
    if (redis->npartitions == n) {
        return NGX_OK;
    }

    if (ngx_im_redis_channels(redis, n) != NGX_OK) {
        redis->npartitions = 0;
        return NGX_ERROR;
    }

    redis->npartitions = n;
    im_hub_partitions(&redis->worker->hub, n);

    return NGX_OK;
}


/* The value of a line of INFO; field ends in ':'. */
static im_str_t
ngx_im_redis_info(redisReply *reply, const char *field)
{
    char      *p, *end;
    im_str_t   value;

    value = im_str_set(NULL, 0);

    if (reply->type != REDIS_REPLY_STRING) {
        return value;
    }

    end = reply->str + reply->len;

    for (p = reply->str; p < end; p++) {

        if ((size_t) (end - p) > ngx_strlen(field)
            && ngx_strncmp(p, field, ngx_strlen(field)) == 0)
        {
            p += ngx_strlen(field);
            value = im_str_set(p, strcspn(p, "\r\n"));
            return value;
        }

        p = memchr(p, '\n', end - p);
        if (p == NULL) {
            break;
        }
    }

    return value;
}


/* Names of all channels, sorted, so that a message finds its partition. */
static ngx_int_t
ngx_im_redis_channels(ngx_im_redis_t *redis, ngx_uint_t n)
{
    size_t             *at;
    im_str_t            prefix, worker;
    ngx_uint_t          i;
    ngx_im_channel_t   *channel;

    im_free(redis->channels);
    im_free(redis->heartbeats);

    redis->nchannels = 2 * n;
    redis->channels = im_calloc(redis->nchannels * sizeof(ngx_im_channel_t));
    redis->heartbeats = im_calloc(n * sizeof(ngx_im_heartbeat_t));
    at = im_calloc((redis->nchannels + 1) * sizeof(size_t));

    if (redis->channels == NULL || redis->heartbeats == NULL || at == NULL) {
        im_free(at);
        return NGX_ERROR;
    }

    prefix = im_str_set(redis->conf->prefix.data, redis->conf->prefix.len);
    worker = im_str_set(redis->worker->id.data, redis->worker->id.len);

    im_buf_reset(&redis->names, 0);

    for (i = 0; i < redis->nchannels; i++) {
        if (i % 2 == 0) {
            im_key_channel(&redis->names, prefix, i / 2, worker);

        } else {
            im_key_channel_all(&redis->names, prefix, i / 2);
        }

        at[i + 1] = redis->names.len;
    }

    for (i = 0; i < redis->nchannels; i++) {
        channel = &redis->channels[i];

        channel->name = im_str_set(redis->names.data + at[i],
                                   at[i + 1] - at[i]);
        channel->partition = i / 2;
        channel->all = i % 2;
    }

    im_free(at);

    if (redis->names.failed) {
        return NGX_ERROR;
    }

    ngx_qsort(redis->channels, redis->nchannels, sizeof(ngx_im_channel_t),
              ngx_im_redis_compare);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_im_redis_compare(const void *one, const void *two)
{
    const ngx_im_channel_t  *a, *b;

    a = one;
    b = two;

    return (int) ngx_memn2cmp(a->name.data, b->name.data, a->name.len,
                              b->name.len);
}


static ngx_im_channel_t *
ngx_im_redis_channel(ngx_im_redis_t *redis, im_str_t name)
{
    ngx_int_t          rc;
    ngx_uint_t         low, high, middle;
    ngx_im_channel_t  *channel;

    low = 0;
    high = redis->nchannels;

    while (low < high) {
        middle = low + (high - low) / 2;
        channel = &redis->channels[middle];

        rc = ngx_memn2cmp(name.data, channel->name.data, name.len,
                          channel->name.len);

        if (rc == 0) {
            return channel;
        }

        if (rc < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NULL;
}


static void
ngx_im_redis_subscribe(ngx_im_redis_t *redis)
{
    ngx_uint_t      i;
    ngx_im_conn_t  *conn;

    conn = &redis->pubsub;
    redis->nsubscribed = 0;

    (void) ngx_im_redis_introduce(conn);

    ngx_im_redis_format_count(&conn->out, "*", redis->nchannels + 1);
    ngx_im_redis_format_arg(conn, im_str_z("SUBSCRIBE"));

    for (i = 0; i < redis->nchannels; i++) {
        ngx_im_redis_format_arg(conn, redis->channels[i].name);
    }

    if (ngx_im_redis_queued(conn, conn->out.len) != NGX_OK) {
        ngx_im_redis_lost(conn, "no memory");
    }
}


static void
ngx_im_redis_pubsub_reply(ngx_im_conn_t *conn, redisReply *reply)
{
    ngx_im_redis_t  *redis;

    redis = conn->redis;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_im_redis_lost(conn, reply->str);
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return;                       /* OK of AUTH */
    }

    if (reply->elements == 3 && ngx_im_redis_is(reply->element[0], "message")
        && reply->element[1]->type == REDIS_REPLY_STRING
        && reply->element[2]->type == REDIS_REPLY_STRING)
    {
        ngx_im_redis_message(redis, ngx_im_redis_str(reply->element[1]),
                             ngx_im_redis_str(reply->element[2]));
        return;
    }

    if (ngx_im_redis_is(reply->element[0], "subscribe")
        && ++redis->nsubscribed == redis->nchannels)
    {
        ngx_im_redis_subscribed(redis);
        return;
    }

    if (ngx_im_redis_is(reply->element[0], "unsubscribe")) {
        ngx_im_redis_lost(conn, "unsubscribed by the server");
    }
}


static void
ngx_im_redis_subscribed(ngx_im_redis_t *redis)
{
    ngx_uint_t  i;

    redis->pubsub.state = NGX_IM_CONN_READY;
    redis->pubsub.backoff = 0;
    redis->up = 1;

    for (i = 0; i < redis->npartitions; i++) {
        redis->heartbeats[i].heard = ngx_current_msec;
    }

    ngx_log_error(NGX_LOG_NOTICE, redis->worker->log, 0,
                  "im: Redis at \"%V\" is there, %ui partitions",
                  &redis->conf->name, redis->npartitions);

    redis->quiet = 0;
    redis->refused = 0;

    redis->events->up(redis->worker);
}


static void
ngx_im_redis_message(ngx_im_redis_t *redis, im_str_t name, im_str_t batch)
{
    ngx_im_channel_t    *channel;
    ngx_im_heartbeat_t  *heartbeat;

    channel = ngx_im_redis_channel(redis, name);
    if (channel == NULL) {
        return;
    }

    if (channel->all) {
        heartbeat = &redis->heartbeats[channel->partition];
        heartbeat->heard = ngx_current_msec;

        if (heartbeat->lost) {
            heartbeat->lost = 0;
            redis->events->heartbeat_lost(redis->worker, channel->partition,
                                          0);
        }
    }

    if (batch.len > 0) {
        redis->events->message(redis->worker, channel->partition, batch);
    }
}


static void
ngx_im_redis_tick_handler(ngx_event_t *ev)
{
    im_str_t         argv[2];
    ngx_msec_t       now;
    ngx_uint_t       i, late;
    ngx_im_conn_t   *conn, *conns[2];
    ngx_im_call_t   *call;
    ngx_im_redis_t  *redis;

    redis = ev->data;
    now = ngx_current_msec;
    late = now - redis->ticked > 2 * NGX_IM_REDIS_TICK;
    redis->ticked = now;

    /* who stood still reads first what came meanwhile */

    ngx_add_timer(ev, late ? 1 : NGX_IM_REDIS_TICK);

    if (late) {
        return;
    }

    conns[0] = &redis->commands;
    conns[1] = &redis->pubsub;

    for (i = 0; i < 2; i++) {
        conn = conns[i];

        if ((conn->state == NGX_IM_CONN_CONNECTING
             || conn->state == NGX_IM_CONN_PREPARING)
            && now - conn->start > redis->conf->timeout)
        {
            ngx_im_redis_lost(conn, "timed out while connecting");
        }
    }

    if (!im_list_empty(&redis->calls)) {
        call = im_list_data(im_list_first(&redis->calls), ngx_im_call_t, link);

        if (now - call->time > redis->conf->timeout
            && now - redis->commands.heard > redis->conf->timeout)
        {
            ngx_im_redis_lost(&redis->commands, "no answer in time");
        }
    }

    conn = &redis->commands;

    if (conn->state == NGX_IM_CONN_READY
        && now - conn->asked >= NGX_IM_REDIS_ROLE)
    {
        conn->asked = now;

        argv[0] = im_str_z("INFO");
        argv[1] = im_str_z("replication");
        (void) ngx_im_redis_ask(redis, ngx_im_redis_replication_handler, 2,
                                argv);
    }

    conn = &redis->pubsub;

    if (conn->state != NGX_IM_CONN_READY) {
        return;
    }

    if (conn->asked > conn->heard
        && now - conn->asked > redis->conf->timeout)
    {
        ngx_im_redis_lost(conn, "no answer in time");
        return;
    }

    if (now - conn->asked >= NGX_IM_REDIS_PING) {
        conn->asked = now;

        argv[0] = im_str_z("PING");
        ngx_im_redis_format(conn, 1, argv);
        (void) ngx_im_redis_queued(conn, conn->out.len);
    }

    ngx_im_redis_heartbeats(redis);
}


static void
ngx_im_redis_heartbeats(ngx_im_redis_t *redis)
{
    ngx_uint_t           i;
    ngx_im_heartbeat_t  *heartbeat;

    for (i = 0; i < redis->npartitions; i++) {
        heartbeat = &redis->heartbeats[i];

        if (!heartbeat->lost
            && ngx_current_msec - heartbeat->heard > NGX_IM_REDIS_HEARTBEAT)
        {
            heartbeat->lost = 1;
            redis->events->heartbeat_lost(redis->worker, i, 1);
        }
    }
}


/* A string, status or error that begins with word. */
static int
ngx_im_redis_is(redisReply *reply, const char *word)
{
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS
        && reply->type != REDIS_REPLY_ERROR)
    {
        return 0;
    }

    return ngx_strncmp(reply->str, word, ngx_strlen(word)) == 0;
}


static im_str_t
ngx_im_redis_str(redisReply *reply)
{
    return im_str_set(reply->str, reply->len);
}
