/*
 * Copyright (C) The im authors
 *
 * The link: connections are prepared, watched and replaced.
 *
 * A server whose generation changes under a connection, or that is no longer a
 * master, is connected to anew: numbers that it has given may be given again.
 */

#include <stdarg.h>
#include <stdio.h>

#include "im_hash.h"
#include "im_key.h"
#include "im_link_conn.h"


#define IM_LINK_TICK        500        /* ms, as all below */
#define IM_LINK_RETRY       50
#define IM_LINK_POLL        2000
#define IM_LINK_PING        5000
#define IM_LINK_HEARTBEAT   6000
#define IM_LINK_COMPLAIN    60000
#define IM_LINK_SLOW        50

#define IM_LINK_SERVERS     1
#define IM_LINK_WHY         160

#define im_link_event(link, event, ...)                                       \
    ((link)->events->event != NULL                                            \
     ? (link)->events->event((link)->data, ##__VA_ARGS__) : (void) 0)


typedef enum {
    IM_LINK_FINE = 0,
    IM_LINK_AWAY,
    IM_LINK_REFUSED            /* it answers, but can't be used */
} im_link_trouble_e;


typedef struct {
    im_link_t       *link;
    im_link_peer_t   peer;
    im_uint_t        nup;          /* registry and partitions that are up */
    unsigned         anew:1;       /* another connection for calls since */
    im_link_conn_t   calls;
    im_link_conn_t   pubsub;
} im_link_server_t;


/* It outlives connections. */
typedef struct {
    im_hash_node_t   node;
    im_list_t        link;
    uint64_t         heard;
    im_uint_t        number;
    im_uint_t        sent;           /* number of its SUBSCRIBE; 0: none */
    unsigned         heartbeats:1;
    unsigned         lost:1;         /* its silence has been reported */
    size_t           len;
    u_char           name[];
} im_link_channel_t;


struct im_link_s {
    im_link_conf_t              conf;
    const im_link_transport_t  *transport;
    void                       *transport_data;
    const im_link_events_t     *events;
    void                       *data;
    im_link_server_t            servers[IM_LINK_SERVERS];   /* by slot */
    im_link_call_t              call;        /* of callers */
    im_link_call_t              own;         /* of the link itself */
    im_hash_t                   names;       /* of channels */
    im_list_t                   channels;
    im_uint_t                   nsent;       /* commands about channels */
    im_uint_t                   nconfirmed;  /* of them, in their order */
    uint64_t                    ticked;
    uint64_t                    complained;
    im_link_guard_t             guard;
    im_keys_t                   keys;
    im_link_trouble_e           trouble;     /* in the log since it was up */
    char                        why[IM_LINK_WHY];
    unsigned                    unready:1;   /* it never was */
    unsigned                    unusable:1;
    unsigned                    destroyed:1;
};


static const im_link_conn_events_t  im_link_conn_events;

static void im_link_ask_partitions(im_link_server_t *server);


static uint64_t
im_link_now(const im_link_t *link)
{
    return link->transport->now(link->transport_data);
}


static im_str_t
im_link_name(const im_hash_node_t *node)
{
    const im_link_channel_t  *ch;

    ch = im_list_data(node, im_link_channel_t, node);

    return im_str_set(ch->name, ch->len);
}


static void
im_link_prepare(im_link_server_t *server, im_link_conn_t *conn,
    const char *name, uint64_t period)
{
    im_link_t  *link;

    link = server->link;

    conn->events = &im_link_conn_events;
    conn->owner = server;
    conn->guard = &link->guard;
    conn->ctx = link->conf.tls;

    im_link_conn_init(conn, name, period, link->transport,
                      link->transport_data);
}


im_link_t *
im_link_create(const im_link_conf_t *conf, const im_link_transport_t *transport,
    void *transport_data, const im_link_events_t *events, void *data)
{
    uint64_t           seed[2];
    im_uint_t          i;
    im_link_t         *link;
    im_link_server_t  *server;

    link = im_calloc(sizeof(im_link_t));
    if (link == NULL) {
        return NULL;
    }

    link->conf = *conf;
    link->keys.prefix = conf->prefix;
    link->transport = transport;
    link->transport_data = transport_data;
    link->events = events;
    link->data = data;
    link->ticked = im_link_now(link);
    link->unready = 1;

    seed[0] = transport->random(transport_data);
    seed[1] = transport->random(transport_data);

    if (im_hash_init(&link->names, im_link_name, seed) != IM_OK) {
        im_free(link);
        return NULL;
    }

    im_list_init(&link->channels);
    im_link_call_init(&link->call);
    im_link_call_init(&link->own);

    for (i = 0; i < IM_LINK_SERVERS; i++) {
        server = &link->servers[i];

        server->link = link;
        im_link_peer_init(&server->peer, &conf->seeds[0].addr);
        im_link_prepare(server, &server->calls, "commands", IM_LINK_POLL);
        im_link_prepare(server, &server->pubsub, "pub/sub", IM_LINK_PING);
    }

    (void) snprintf(link->why, IM_LINK_WHY, "redis: not connected yet");

    transport->timer(transport_data, 1);

    return link;
}


static void
im_link_remove(im_link_t *link, im_link_channel_t *ch)
{
    im_hash_remove(&link->names, &ch->node);
    im_list_remove(&ch->link);
    im_free(ch);
}


static void
im_link_free(void *data)
{
    im_uint_t   i;
    im_link_t  *link = data;

    for (i = 0; i < IM_LINK_SERVERS; i++) {
        im_link_peer_cleanup(&link->servers[i].peer);
        im_buf_cleanup(&link->servers[i].calls.out);
        im_buf_cleanup(&link->servers[i].pubsub.out);
    }

    while (!im_list_empty(&link->channels)) {
        im_link_remove(link, im_list_data(im_list_first(&link->channels),
                                          im_link_channel_t, link));
    }

    im_hash_cleanup(&link->names);
    im_link_call_cleanup(&link->call);
    im_link_call_cleanup(&link->own);
    im_free(link);
}


void
im_link_destroy(im_link_t *link)
{
    im_uint_t          i;
    im_link_server_t  *server;

    im_link_enter(&link->guard);

    link->destroyed = 1;
    link->guard.free = im_link_free;
    link->guard.data = link;

    for (i = 0; i < IM_LINK_SERVERS; i++) {
        server = &link->servers[i];

        im_link_conn_close(&server->pubsub);
        im_link_conn_close(&server->calls);
        im_link_conn_fail(&server->pubsub);
        im_link_conn_fail(&server->calls);
    }

    im_link_leave(&link->guard);
}


void *
im_link_transport_data(const im_link_t *link)
{
    return link->transport_data;
}


im_link_call_t *
im_link_command(im_link_t *link, const char *words)
{
    im_link_call_start(&link->call, words);

    return &link->call;
}


im_link_call_t *
im_link_script(im_link_t *link, const im_script_t *script)
{
    im_link_call_start_script(&link->call, script);

    return &link->call;
}


static im_link_server_t *
im_link_server(im_link_t *link, im_uint_t slot)
{
    return &link->servers[slot * IM_LINK_SERVERS / IM_LINK_SLOTS];
}


static im_int_t
im_link_send_by(im_link_t *link, im_link_conn_t *conn, im_link_reply_pt handler,
    void *data)
{
    if (conn->state != IM_LINK_READY) {
        return IM_ERROR;
    }

    return im_link_conn_send(conn, &link->call, handler, data);
}


im_int_t
im_link_send(im_link_t *link, im_link_reply_pt handler, void *data)
{
    return im_link_send_by(link, &im_link_server(link, link->call.slot)->calls,
                           handler, data);
}


im_int_t
im_link_send_to(im_link_t *link, im_uint_t server, im_link_reply_pt handler,
    void *data)
{
    return server < IM_LINK_SERVERS
           ? im_link_send_by(link, &link->servers[server].calls, handler, data)
           : IM_ERROR;
}


im_uint_t
im_link_servers(const im_link_t *link)
{
    (void) link;

    return IM_LINK_SERVERS;
}


void
im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info)
{
    info->name = link->conf.seeds[server].name;
}


const im_link_sentinels_t *
im_link_sentinels(const im_link_t *link)
{
    return NULL;
}

int
im_link_ready(const im_link_t *link, im_uint_t partition)
{
    (void) partition;

    return link->servers[0].calls.state == IM_LINK_READY;
}


const char *
im_link_why(const im_link_t *link, im_uint_t partition)
{
    (void) partition;

    return link->why;
}


int
im_link_unusable(const im_link_t *link)
{
    return link->unusable;
}


int
im_link_slow(const im_link_t *link, im_uint_t partition)
{
    const im_link_conn_t  *conn;

    (void) partition;

    conn = &link->servers[0].calls;

    return conn->state != IM_LINK_READY
           || conn->latency / 8 > IM_LINK_SLOW
           || im_link_conn_waits(conn) > IM_LINK_SLOW;
}


uint32_t
im_link_partitions(const im_link_t *link)
{
    return link->keys.partitions;
}


const im_keys_t *
im_link_keys(const im_link_t *link)
{
    return &link->keys;
}


/* A trouble is an error at first and again each minute. */
static void
im_link_log(im_link_t *link, im_link_trouble_e trouble, const char *fmt, ...)
{
    int            n;
    char           text[3 * IM_LINK_WHY];
    va_list        args;
    uint64_t       now;
    im_link_log_e  level;

    now = im_link_now(link);
    level = IM_LINK_LOG_ERROR;

    if (trouble == IM_LINK_FINE) {
        level = IM_LINK_LOG_NOTICE;
        link->trouble = trouble;

    } else if (trouble > link->trouble
               || now - link->complained >= IM_LINK_COMPLAIN)
    {
        link->trouble = im_max(link->trouble, trouble);
        link->complained = now;

    } else {
        level = IM_LINK_LOG_DEBUG;
    }

    n = snprintf(text, IM_LINK_WHY, "Redis at \"%.*s\" ",
                 (int) link->conf.seeds[0].name.len,
                 (char *) link->conf.seeds[0].name.data);
    n = im_min(n, IM_LINK_WHY - 1);

    va_start(args, fmt);
    (void) vsnprintf(text + n, sizeof(text) - n, fmt, args);
    va_end(args);

    link->transport->log(link->transport_data, level, text);
}


/* It takes calls, and all channels are subscribed. */
static int
im_link_whole(im_link_server_t *server)
{
    return server->calls.state == IM_LINK_READY
           && (server->pubsub.state == IM_LINK_READY
               || im_list_empty(&server->link->channels));
}


/* Those that were told; an event may bring the server back or end the link. */
static void
im_link_check_down(im_link_server_t *server)
{
    im_uint_t   n;
    im_link_t  *link;

    link = server->link;

    while (server->nup > 0 && !im_link_whole(server) && !link->destroyed) {
        n = --server->nup;
        im_link_event(link, down, n == 0 ? IM_LINK_REGISTRY : n - 1);
    }
}


/* A lost connection for calls closes pub/sub too. */
static void
im_link_lost(im_link_server_t *server, im_link_conn_t *conn, const char *why)
{
    char        text[IM_LINK_PEER_TEXT];
    im_link_t  *link;

    link = server->link;
    im_link_enter(&link->guard);

    (void) im_link_peer_text(&server->peer, text);

    im_link_log(link, IM_LINK_AWAY, "is away (%s%s%s): %s", conn->name,
                text[0] != '\0' ? ", at " : "", text, why);
    im_link_conn_close(&server->pubsub);

    if (conn == &server->calls) {
        (void) snprintf(link->why, IM_LINK_WHY, "redis: %s", why);
        im_link_conn_close(conn);

        if (im_link_peer_more(&server->peer)) {
            conn->retry = 0;
        }
    }

    link->transport->timer(link->transport_data, IM_LINK_RETRY);

    im_link_check_down(server);

    im_link_conn_fail(&server->pubsub);

    if (conn == &server->calls) {
        im_link_conn_fail(conn);
    }

    im_link_leave(&link->guard);
}


void
im_link_break(im_link_t *link, const char *why)
{
    im_uint_t  i;

    im_link_enter(&link->guard);

    for (i = 0; i < IM_LINK_SERVERS && !link->destroyed; i++) {
        if (link->servers[i].calls.state != IM_LINK_CLOSED) {
            im_link_lost(&link->servers[i], &link->servers[i].calls, why);
        }
    }

    im_link_leave(&link->guard);
}


/* A connection that can't be prepared is replaced with the next tick. */
static void
im_link_own(im_link_server_t *server, im_link_conn_t *conn,
    im_link_reply_pt handler)
{
    if (im_link_conn_send(conn, &server->link->own, handler, server) != IM_OK
        && conn->state == IM_LINK_PREPARING)
    {
        conn->failed = 1;
    }
}


/* The server answers but can't be used.  An error in the reply says why. */
static void
im_link_refuse(im_link_server_t *server, const im_link_reply_t *reply,
    const char *why, int unusable)
{
    im_link_t  *link;

    link = server->link;

    if (im_link_reply_is_error(reply)) {
        why = reply->str;
        unusable = 0;
    }

    link->unusable = unusable;

    im_link_log(link, IM_LINK_REFUSED, "can't be used: %s", why);
    im_link_lost(server, &server->calls, why);

    if (unusable && link->keys.partitions == 0 && !link->destroyed) {
        im_link_event(link, fatal, why);
    }
}


/* Any reply is good, but an error. */
static void
im_link_plain_handler(const im_link_reply_t *reply, void *data)
{
    if (im_link_reply_is_error(reply)) {
        im_link_refuse(data, reply, NULL, 0);
    }
}


/* AUTH and SELECT, where configured. */
static void
im_link_introduce(im_link_server_t *server, im_link_conn_t *conn)
{
    im_link_call_t  *own;
    im_link_conf_t  *conf;

    own = &server->link->own;
    conf = &server->link->conf;

    if (conf->password.len > 0) {
        im_link_call_start(own, "AUTH");

        if (conf->user.len > 0) {
            im_link_call_str(own, conf->user);
        }

        im_link_call_str(own, conf->password);
        im_link_own(server, conn, im_link_plain_handler);
    }

    if (conf->db != 0) {
        im_link_call_start(own, "SELECT");
        im_link_call_uint(own, conf->db);
        im_link_own(server, conn, im_link_plain_handler);
    }
}


static void
im_link_ask(im_link_server_t *server, im_link_conn_t *conn, const char *words,
    im_link_reply_pt handler)
{
    im_link_call_start(&server->link->own, words);
    im_link_own(server, conn, handler);
}


/* The value of a line of INFO; field ends in ':'. */
static im_str_t
im_link_info(const im_link_reply_t *reply, const char *field)
{
    size_t    len;
    u_char   *p, *end, *eol;
    im_str_t  s;

    s = im_link_reply_str(reply);
    len = strlen(field);

    for (p = s.data, end = s.data + s.len; p < end; p = eol + 1) {
        eol = memchr(p, '\n', end - p);
        eol = eol != NULL ? eol : end;

        if ((size_t) (eol - p) > len && memcmp(p, field, len) == 0) {
            eol -= eol[-1] == '\r';
            return im_str_set(p + len, eol - p - len);
        }
    }

    return im_str_set("", 0);
}


/*
 * Of INFO server and INFO replication, which a connection must answer at first
 * and every 2 s: a promotion keeps connections open.
 */
static void
im_link_info_handler(const im_link_reply_t *reply, void *data)
{
    u_char            *kept;
    im_str_t           id;
    im_link_server_t  *server = data;

    if (reply == NULL) {
        return;
    }

    kept = server->calls.generation;
    id = im_link_info(reply, "run_id:");

    if (id.len >= IM_LINK_RUN_ID) {
        memcpy(kept, id.data, IM_LINK_RUN_ID);
        return;
    }

    kept += IM_LINK_RUN_ID;
    id = im_link_info(reply, "master_replid2:");

    if (id.len < IM_LINK_REPLID) {
        im_link_refuse(server, reply, "INFO has no generation", 0);

    } else if (!im_str_eq(im_link_info(reply, "role:"), im_str_z("master"))) {
        im_link_refuse(server, reply, "it is a replica", 0);

    } else if (server->calls.state == IM_LINK_READY
               && memcmp(kept, id.data, IM_LINK_REPLID) != 0)
    {
        im_link_lost(server, &server->calls, "another generation");

    } else {
        memcpy(kept, id.data, IM_LINK_REPLID);
    }
}


/* A server that hides its settings is believed. */
static void
im_link_policy_handler(const im_link_reply_t *reply, void *data)
{
    char      why[IM_LINK_WHY];
    im_str_t  policy;

    policy = im_link_reply_str_at(reply, 1);

    if (policy.len == 0 || im_str_eq(policy, im_str_z("noeviction"))) {
        return;
    }

    (void) snprintf(why, sizeof(why), "its \"maxmemory-policy\" is \"%.*s\", "
                    "not \"noeviction\"", (int) im_min(policy.len, 32),
                    (char *) policy.data);

    im_link_refuse(data, reply, why, 1);
}


/*
 * The connection is closed and is needed.  Pub/sub follows the connection for
 * calls, so that both have the same server.
 */
static int
im_link_wanted(im_link_server_t *server, im_link_conn_t *conn)
{
    return conn->state == IM_LINK_CLOSED
           && !server->link->destroyed
           && (conn == &server->calls
               || (server->calls.state == IM_LINK_READY
                   && !im_list_empty(&server->link->channels)));
}


/*
 * Pub/sub goes to the address that calls have.  NULL: it connects, or a name is
 * being looked up.
 */
static const char *
im_link_open(im_link_server_t *server, im_link_conn_t *conn)
{
    im_int_t     rc;
    const char  *why;

    why = NULL;
    rc = IM_OK;

    if (conn == &server->calls) {
        rc = im_link_peer_try(&server->peer, im_link_now(server->link),
                              server->link->conf.timeout, &why);
    }

    if (rc == IM_OK) {
        return im_link_conn_open(conn, im_link_peer_current(&server->peer),
                                 server->peer.addr.host);
    }

    if (rc == IM_ERROR) {
        im_link_conn_delay(conn);
    }

    return why;
}


static void
im_link_check(im_link_server_t *server, im_link_conn_t *conn)
{
    uint64_t     now;
    const char  *why;

    now = im_link_now(server->link);

    if (conn->state == IM_LINK_CLOSED) {
        why = im_link_wanted(server, conn) && now >= conn->retry
              ? im_link_open(server, conn) : NULL;

    } else {
        why = im_link_conn_late(conn, server->link->conf.timeout);
    }

    if (why != NULL) {
        im_link_lost(server, conn, why);
        return;
    }

    if (conn->state != IM_LINK_READY || now - conn->asked < conn->period) {
        return;
    }

    conn->asked = now;

    if (conn == &server->calls) {
        im_link_ask(server, conn, "INFO replication", im_link_info_handler);
        im_link_ask_partitions(server);

    } else {
        im_link_ask(server, conn, "PING", NULL);
    }
}


static void
im_link_check_up(im_link_server_t *server)
{
    int         anew;
    im_uint_t   n;
    im_link_t  *link;

    link = server->link;

    if (server->pubsub.state == IM_LINK_PREPARING
        && link->nconfirmed == link->nsent)
    {
        im_link_conn_enter(&server->pubsub, IM_LINK_READY);
    }

    if (server->nup > 0 || !im_link_whole(server)) {
        return;
    }

    im_link_log(link, IM_LINK_FINE, "is there, %u partitions",
                (unsigned) link->keys.partitions);

    anew = server->anew;
    server->anew = 0;

    while (server->nup <= link->keys.partitions && im_link_whole(server)) {
        n = server->nup++;
        im_link_event(link, up, n == 0 ? IM_LINK_REGISTRY : n - 1, anew);
    }
}


static void
im_link_prepared(im_link_server_t *server)
{
    int         first;
    im_link_t  *link;

    link = server->link;

    first = link->unready;
    link->unready = 0;
    link->unusable = 0;
    server->anew = 1;
    link->why[0] = '\0';
    server->calls.asked = im_link_now(link);

    im_link_conn_enter(&server->calls, IM_LINK_READY);
    im_link_peer_good(&server->peer);

    server->pubsub.backoff = 0;
    server->pubsub.retry = 0;

    if (first) {
        im_link_event(link, ready);
    }

    if (server->calls.state == IM_LINK_READY) {
        im_link_event(link, server, (im_uint_t) (server - link->servers));
    }

    if (server->calls.state == IM_LINK_READY) {
        im_link_check(server, &server->pubsub);
        im_link_check_up(server);
    }
}


/* Why the partitions that Redis has can't be those of this link; NULL: good. */
static const char *
im_link_partitions_why(const im_link_t *link, uint32_t n, im_tags_e tags)
{
    uint32_t  known;

    known = link->keys.partitions;

    if (link->conf.partitions != 0 && link->conf.partitions != n) {
        return "it was set up with another number of partitions than "
               "\"partitions=\" says";
    }

    if (known != 0 && known != n) {
        return "its number of partitions has changed: reload nginx, restart "
               "the rest";
    }

    if (known != 0 && link->keys.tags != tags) {
        return "the hash tags of its partitions have changed: reload nginx, "
               "restart the rest";
    }

    return NULL;
}


/* Nil on a connection in use changes nothing. */
static void
im_link_partitions_handler(const im_link_reply_t *reply, void *data)
{
    uint32_t           n;
    im_tags_e          tags;
    im_link_t         *link;
    const char        *why;
    im_link_server_t  *server = data;

    link = server->link;

    if (reply == NULL
        || (server->calls.state == IM_LINK_READY
            && im_link_reply_is_nil(reply)))
    {
        return;
    }

    if (im_keys_decode(im_link_reply_str(reply), &n, &tags) != IM_OK) {
        why = im_link_reply_is_nil(reply)
              ? "its number of partitions can't be set"
              : "its number of partitions is invalid";

    } else {
        why = im_link_partitions_why(link, n, tags);
    }

    if (why != NULL) {
        im_link_refuse(server, reply, why, !im_link_reply_is_nil(reply));
        return;
    }

    if (link->keys.partitions == 0) {
        im_keys_set(&link->keys, n, tags);
    }

    if (server->calls.state == IM_LINK_PREPARING) {
        im_link_prepared(server);
    }
}


/*
 * The first program that ever came sets the number, with even tags; again after
 * a FLUSHALL, what was there.
 */
static void
im_link_ask_partitions(im_link_server_t *server)
{
    uint64_t         n;
    im_link_t       *link;
    im_link_call_t  *own;

    link = server->link;
    own = &link->own;
    n = link->conf.partitions ? link->conf.partitions : IM_PARTITIONS;

    im_link_call_start(own, "SET");
    im_key_conf(&own->bytes, &link->keys);
    im_link_call_key(own);

    if (link->keys.partitions != 0) {
        im_keys_encode(&own->bytes, link->keys.partitions, link->keys.tags);

    } else {
        im_keys_encode(&own->bytes, n, IM_TAGS_EVEN);
    }

    im_link_call_arg(own);
    im_link_call_z(own, "NX");
    im_link_own(server, &server->calls, NULL);

    im_link_call_start(own, "GET");
    im_key_conf(&own->bytes, &link->keys);
    im_link_call_key(own);
    im_link_own(server, &server->calls, im_link_partitions_handler);
}


/* One command for each channel: in a cluster their slots differ. */
static void
im_link_tell(im_link_server_t *server, const char *word, im_link_channel_t *ch)
{
    size_t           tail;
    im_link_call_t  *own;

    own = &server->link->own;

    im_link_call_start(own, word);
    im_link_call_str(own, im_str_set(ch->name, ch->len));

    ch->sent = ++server->link->nsent;
    ch->lost = 0;

    if (im_link_conn_write(&server->pubsub, own, &tail) != IM_OK) {
        server->pubsub.failed = 1;
    }
}


static void
im_link_conn_connected(im_link_conn_t *conn)
{
    im_list_t         *q, *head;
    im_link_server_t  *server;

    server = conn->owner;

    im_link_introduce(server, conn);

    /* all of it goes out in one write; the last reply makes it ready */

    if (conn == &server->calls) {
        im_link_ask(server, conn, "INFO server", im_link_info_handler);
        im_link_ask(server, conn, "INFO replication", im_link_info_handler);
        im_link_ask(server, conn, "CONFIG GET maxmemory-policy",
                    im_link_policy_handler);
        im_link_ask_partitions(server);

    } else {
        head = &server->link->channels;
        server->link->nsent = 0;
        server->link->nconfirmed = 0;

        for (q = im_list_first(head); q != head; q = im_list_next(q)) {
            im_link_tell(server, "SUBSCRIBE",
                         im_list_data(q, im_link_channel_t, link));
        }

        im_link_check_up(server);
    }
}


/* NULL: not there. */
static im_link_channel_t *
im_link_channel(im_link_t *link, im_str_t name)
{
    im_hash_node_t  *node;

    node = im_hash_find(&link->names, name);

    return node != NULL ? im_list_data(node, im_link_channel_t, node) : NULL;
}


/* Confirmations come in the order of commands. */
static int
im_link_joined(const im_link_t *link, const im_link_channel_t *ch)
{
    return link->servers[0].pubsub.state >= IM_LINK_PREPARING
           && ch->sent > 0 && ch->sent <= link->nconfirmed;
}


static void
im_link_message(im_link_t *link, im_str_t name, im_str_t payload)
{
    im_link_channel_t  *ch;

    ch = im_link_channel(link, name);

    if (ch == NULL || !im_link_joined(link, ch)) {
        return;
    }

    ch->heard = im_link_now(link);

    if (ch->lost) {
        ch->lost = 0;
        im_link_event(link, heartbeat, ch->number, 0);

        ch = link->destroyed ? NULL : im_link_channel(link, name);
    }

    if (ch != NULL && (payload.len > 0 || !ch->heartbeats)) {
        im_link_event(link, message, ch->number, payload);
    }
}


/* A channel that left and came back is joined by its last confirmation. */
static void
im_link_confirmed(im_link_server_t *server, im_str_t name)
{
    im_link_t          *link;
    im_link_channel_t  *ch;

    link = server->link;

    if (link->nconfirmed == link->nsent) {
        im_link_lost(server, &server->pubsub, "unsubscribed by the server");
        return;
    }

    link->nconfirmed++;
    ch = im_link_channel(link, name);

    if (ch != NULL && ch->sent == link->nconfirmed) {
        ch->heard = im_link_now(link);
        im_link_event(link, subscribed, ch->number);
    }

    im_link_check_up(server);
}


static void
im_link_pubsub_reply(im_link_server_t *server, const im_link_reply_t *reply)
{
    im_str_t  word, name;

    word = im_link_reply_str_at(reply, 0);
    name = im_link_reply_str_at(reply, 1);

    if (im_str_eq(word, im_str_z("message"))) {
        im_link_message(server->link, name, im_link_reply_str_at(reply, 2));

    } else if (im_str_eq(word, im_str_z("subscribe"))
               || im_str_eq(word, im_str_z("unsubscribe")))
    {
        im_link_confirmed(server, name);

    } else if ((server->pubsub.state == IM_LINK_READY
                && im_link_reply_is_error(reply))
               || !im_link_conn_answer(&server->pubsub, reply))
    {
        im_link_lost(server, &server->pubsub, "unexpected reply");
    }
}


static void
im_link_conn_replied(im_link_conn_t *conn, const im_link_reply_t *reply)
{
    im_link_server_t  *server;

    server = conn->owner;

    if (conn == &server->pubsub) {
        im_link_pubsub_reply(server, reply);

    } else if (!im_link_conn_answer(conn, reply)) {
        im_link_lost(server, conn, "reply without a command");
    }
}


static void
im_link_conn_lost(im_link_conn_t *conn, const char *why)
{
    im_link_lost(conn->owner, conn, why);
}


static const im_link_conn_events_t  im_link_conn_events = {
    im_link_conn_connected,
    im_link_conn_replied,
    im_link_conn_lost
};


/* The event may change the channels: the list is read anew. */
static void
im_link_check_heartbeats(im_link_t *link)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    q = &link->channels;

    while ((q = im_list_next(q)) != &link->channels) {
        ch = im_list_data(q, im_link_channel_t, link);

        if (ch->heartbeats && !ch->lost && im_link_joined(link, ch)
            && im_link_now(link) - ch->heard > IM_LINK_HEARTBEAT)
        {
            ch->lost = 1;
            q = &link->channels;
            im_link_event(link, heartbeat, ch->number, 1);
        }
    }
}


/* After a standstill, the replies that came meanwhile are read first. */
void
im_link_tick(im_link_t *link)
{
    int                idle;
    uint64_t           late;
    im_uint_t          i;
    im_link_server_t  *server;

    late = im_link_now(link) - link->ticked;
    link->ticked += late;

    if (late > 2 * IM_LINK_TICK) {
        link->transport->timer(link->transport_data, 1);
        return;
    }

    idle = 1;
    im_link_enter(&link->guard);

    for (i = 0; i < IM_LINK_SERVERS; i++) {
        server = &link->servers[i];

        im_link_check(server, &server->calls);
        im_link_check(server, &server->pubsub);

        idle = idle && !im_link_wanted(server, &server->calls)
               && !im_link_wanted(server, &server->pubsub);
    }

    im_link_check_heartbeats(link);

    if (!link->destroyed) {
        link->transport->timer(link->transport_data,
                               idle ? IM_LINK_TICK : IM_LINK_RETRY);
    }

    im_link_leave(&link->guard);
}


im_int_t
im_link_subscribe(im_link_t *link, im_str_t channel, im_uint_t number,
    int heartbeats)
{
    im_link_server_t   *server;
    im_link_channel_t  *ch;

    if (im_link_channel(link, channel) != NULL) {
        return IM_OK;
    }

    ch = im_calloc(sizeof(im_link_channel_t) + channel.len);
    if (ch == NULL) {
        return IM_ERROR;
    }

    ch->number = number;
    ch->heartbeats = heartbeats;
    ch->len = channel.len;
    im_copy(ch->name, channel.data, channel.len);

    im_hash_add(&link->names, &ch->node);
    im_list_insert_tail(&link->channels, &ch->link);

    server = im_link_server(link, im_link_slot(channel));

    if (server->pubsub.state >= IM_LINK_PREPARING) {
        im_link_tell(server, "SUBSCRIBE", ch);

    } else if (server->pubsub.state == IM_LINK_CLOSED) {
        link->transport->timer(link->transport_data, 1);
    }

    return IM_OK;
}


void
im_link_unsubscribe(im_link_t *link, im_str_t channel)
{
    im_link_server_t   *server;
    im_link_channel_t  *ch;

    server = im_link_server(link, im_link_slot(channel));
    ch = im_link_channel(link, channel);

    if (ch == NULL) {
        return;
    }

    if (server->pubsub.state >= IM_LINK_PREPARING) {
        im_link_tell(server, "UNSUBSCRIBE", ch);
    }

    im_link_remove(link, ch);
}
