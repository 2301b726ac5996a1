/*
 * Copyright (C) The im authors
 *
 * A server is prepared, watched and replaced.
 *
 * One whose generation changes under a connection, or that is no longer a
 * master, is connected to anew: numbers that it has given may be given again.
 */

#include <stdarg.h>
#include <stdio.h>

#include "im_link_server.h"


#define IM_LINK_RETRY     50           /* ms, as all here */
#define IM_LINK_POLL      2000
#define IM_LINK_PING      5000


static const im_link_conn_events_t  im_link_server_conn_events;

static void im_link_server_doubt_ask(im_link_server_t *server);


void
im_link_due(im_link_context_t *context, im_uint_t ms)
{
    uint64_t  at;

    at = im_link_time(context) + ms;

    if (at < context->due) {
        context->due = at;
        context->transport->timer(context->transport_data, ms);
    }
}


static void
im_link_server_prepare(im_link_server_t *server, im_link_conn_t *conn,
    const char *name, uint64_t period)
{
    im_link_context_t  *context;

    context = server->context;

    conn->events = &im_link_server_conn_events;
    conn->owner = server;
    conn->guard = &context->guard;
    conn->clock = &context->clock;
    conn->ctx = context->conf.tls;

    im_link_conn_init(conn, name, period, context->transport,
                      context->transport_data);
}


im_link_server_t *
im_link_server_create(im_link_context_t *context)
{
    im_addr_t          none;
    im_link_server_t  *server;

    server = im_calloc(sizeof(im_link_server_t));
    if (server == NULL) {
        return NULL;
    }

    memset(&none, 0, sizeof(im_addr_t));

    server->context = context;
    server->since = im_link_moment(context);

    im_link_peer_init(&server->peer, &none);
    im_link_server_prepare(server, &server->calls, "commands", IM_LINK_POLL);
    im_link_server_prepare(server, &server->pubsub, "pub/sub", IM_LINK_PING);

    im_link_confirm_init(&server->confirm, &server->calls, &context->own,
                         context->conf.replicas, context->conf.wait);

    (void) snprintf(server->why, IM_LINK_SERVER_WHY, "not connected yet");

    return server;
}


/* A text that is too long is cut: none is, of those that were parsed. */
static im_str_t
im_link_server_text(char *text, im_str_t s)
{
    size_t  n;

    n = im_min(s.len, IM_LINK_SERVER_NAME - 1);

    im_copy(text, s.data, n);
    text[n] = '\0';

    return im_str_set(text, n);
}


void
im_link_server_set(im_link_server_t *server, im_str_t name,
    const im_addr_t *addr)
{
    im_addr_t  copy;

    copy = *addr;
    copy.host = im_link_server_text(server->host, addr->host);

    server->name = im_link_server_text(server->text, name);

    im_link_peer_cleanup(&server->peer);
    im_link_peer_init(&server->peer, &copy);
}


void
im_link_server_close(im_link_server_t *server)
{
    im_link_conn_close(&server->pubsub);
    im_link_conn_close(&server->calls);
    im_link_conn_fail(&server->pubsub);
    im_link_conn_fail(&server->calls);
}


void
im_link_server_free(im_link_server_t *server)
{
    im_link_peer_cleanup(&server->peer);
    im_buf_cleanup(&server->calls.out);
    im_buf_cleanup(&server->pubsub.out);
    im_free(server);
}


/* A trouble is an error at first and again each minute. */
static void
im_link_server_log(im_link_server_t *server, im_link_trouble_e trouble,
    const char *fmt, ...)
{
    int                 n;
    char                text[3 * IM_LINK_SERVER_WHY];
    va_list             args;
    uint64_t            now;
    im_link_log_e       level;
    im_link_context_t  *context;

    context = server->context;
    now = im_link_moment(context);
    level = IM_LINK_LOG_ERROR;

    if (trouble == IM_LINK_FINE) {
        level = IM_LINK_LOG_NOTICE;
        server->trouble = trouble;

    } else if (trouble > server->trouble
               || now - server->complained >= IM_LINK_COMPLAIN)
    {
        server->trouble = im_max(server->trouble, trouble);
        server->complained = now;

    } else {
        level = IM_LINK_LOG_DEBUG;
    }

    n = snprintf(text, IM_LINK_SERVER_WHY, "Redis at \"%.*s\" ",
                 (int) server->name.len, (char *) server->name.data);
    n = im_min(n, IM_LINK_SERVER_WHY - 1);

    va_start(args, fmt);
    (void) vsnprintf(text + n, sizeof(text) - n, fmt, args);
    va_end(args);

    im_link_say(context, level, text);
}


/*
 * The user lacks a right: what needs it fails in many places, and the cure is
 * one.  Settings that can't be read are a warning of their own.
 */
static void
im_link_server_denied(im_link_server_t *server, const im_link_reply_t *reply)
{
    char                text[4 * IM_LINK_SERVER_WHY];
    uint64_t            now;
    im_link_conf_t     *conf;
    im_link_context_t  *context;

    context = server->context;
    conf = &context->conf;
    now = im_link_moment(context);

    if (!im_link_reply_is_error(reply)
        || strncmp(reply->str, "NOPERM", 6) != 0
        || strstr(reply->str, "'config") != NULL
        || (context->denied != 0 && now - context->denied < IM_LINK_COMPLAIN))
    {
        return;
    }

    context->denied = now;

    (void) snprintf(text, sizeof(text), "Redis at \"%.*s\" refuses a command: "
                    "%.*s; ACL SETUSER %.*s ~%.*s* ~im_* &%.*s* +@all "
                    "-@dangerous +info +config|get, at each server",
                    (int) im_min(server->name.len, IM_LINK_SERVER_WHY),
                    (char *) server->name.data, IM_LINK_SERVER_WHY, reply->str,
                    (int) (conf->user.len > 0 ? im_min(conf->user.len, 64) : 7),
                    conf->user.len > 0 ? (char *) conf->user.data : "default",
                    (int) conf->prefix.len, (char *) conf->prefix.data,
                    (int) conf->prefix.len, (char *) conf->prefix.data);

    im_link_say(context, IM_LINK_LOG_ERROR, text);
}


int
im_link_server_whole(const im_link_server_t *server)
{
    return server->calls.state == IM_LINK_READY
           && (server->pubsub.state == IM_LINK_READY || server->nchannels == 0);
}


void
im_link_server_check_whole(im_link_server_t *server, const char *what)
{
    if (!server->whole && im_link_server_whole(server)) {
        server->whole = 1;
        im_link_server_log(server, IM_LINK_FINE, "is there, %s", what);
    }
}


/* A lost connection for calls closes pub/sub too. */
void
im_link_server_lost(im_link_server_t *server, im_link_conn_t *conn,
    const char *why)
{
    int                 failed;
    char                text[IM_LINK_PEER_TEXT], slots[32];
    im_link_context_t  *context;

    context = server->context;
    failed = conn == &server->calls && !server->failed;
    im_link_enter(&context->guard);

    (void) im_link_peer_text(&server->peer, text);
    (void) snprintf(slots, sizeof(slots), ", %u slots",
                    (unsigned) server->nslots);

    im_link_server_log(server, im_link_conn_unfit(conn)
                               ? IM_LINK_REFUSED : IM_LINK_AWAY,
                       "is away (%s%s%s%s): %s",
                       conn->name, text[0] != '\0' ? ", at " : "", text,
                       context->conf.kind == IM_LINK_CLUSTER
                       && server->nslots > 0 ? slots : "", why);

    server->whole = 0;
    im_link_conn_close(&server->pubsub);

    if (conn == &server->calls) {
        if (im_link_server_takes(server)) {
            server->since = im_link_moment(context);
        }

        (void) snprintf(server->why, IM_LINK_SERVER_WHY, "%s", why);
        server->failed = 1;
        server->doubt = IM_LINK_TRUSTED;
        im_link_conn_close(conn);

        if (im_link_peer_more(&server->peer)) {
            conn->retry = 0;
        }
    }

    im_link_due(context, IM_LINK_RETRY);

    if (!context->ended) {
        context->events->lost(server, failed);
    }

    im_link_conn_fail(&server->pubsub);

    if (conn == &server->calls) {
        im_link_conn_fail(conn);
    }

    im_link_leave(&context->guard);
}


/* The addresses of a host's name go on where they were. */
void
im_link_server_place(im_link_server_t *server, im_str_t addr)
{
    im_addr_t  parsed;

    if (im_str_eq(im_str_z(server->text), addr)) {
        server->wanted = 1;
        im_link_due(server->context, 1);
        return;
    }

    if (im_addr_parse(&parsed, addr, IM_ADDR_CONNECT, 0) != NULL) {
        return;
    }

    if (server->calls.state != IM_LINK_CLOSED) {
        im_link_server_lost(server, &server->calls, "another one is master");
    }

    im_link_server_set(server, addr, &parsed);

    server->calls.retry = 0;
    server->calls.backoff = 0;
    server->wanted = 1;
    im_link_due(server->context, 1);
}


void
im_link_server_refuse(im_link_server_t *server, const im_link_reply_t *reply,
    const char *why, int unusable)
{
    im_link_context_t  *context;

    if (reply != NULL && im_link_reply_is_error(reply)) {
        why = reply->str;
        unusable = 0;
    }

    context = server->context;
    server->unusable = unusable;

    im_link_server_log(server, IM_LINK_REFUSED, "can't be used: %s", why);
    im_link_server_lost(server, &server->calls, why);

    if (!context->ended) {
        context->events->refused(server);
    }
}


static im_int_t
im_link_server_send(im_link_server_t *server, im_link_conn_t *conn,
    im_link_reply_pt handler)
{
    im_int_t  rc;

    rc = im_link_conn_send(conn, &server->context->own, handler, server);

    if (rc != IM_OK && conn->state == IM_LINK_PREPARING) {
        conn->failed = 1;
    }

    return rc;
}


im_int_t
im_link_server_ask(im_link_server_t *server, im_link_reply_pt handler)
{
    return im_link_server_send(server, &server->calls, handler);
}


static void
im_link_server_question(im_link_server_t *server, im_link_conn_t *conn,
    const char *words, im_link_reply_pt handler)
{
    im_link_call_start(&server->context->own, words);
    (void) im_link_server_send(server, conn, handler);
}


/* Any reply is good, but an error. */
static void
im_link_server_plain_handler(const im_link_reply_t *reply, void *data)
{
    if (im_link_reply_is_error(reply)) {
        im_link_server_refuse(data, reply, NULL, 0);
    }
}


/* AUTH and SELECT, where configured. */
static void
im_link_server_introduce(im_link_server_t *server, im_link_conn_t *conn)
{
    im_link_call_t  *own;
    im_link_conf_t  *conf;

    own = &server->context->own;
    conf = &server->context->conf;

    if (conf->password.len > 0) {
        im_link_call_start(own, "AUTH");

        if (conf->user.len > 0) {
            im_link_call_str(own, conf->user);
        }

        im_link_call_str(own, conf->password);
        (void) im_link_server_send(server, conn, im_link_server_plain_handler);
    }

    if (conf->db != 0 && !server->probe) {
        im_link_call_start(own, "SELECT");
        im_link_call_uint(own, conf->db);
        (void) im_link_server_send(server, conn, im_link_server_plain_handler);
    }
}


/* The value of a line of INFO; field ends in ':'. */
static im_str_t
im_link_server_info_field(const im_link_reply_t *reply, const char *field)
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


/* Before 7.0 there is no SSUBSCRIBE.  Valkey says what it is compatible to. */
static int
im_link_server_old(im_link_server_t *server, const im_link_reply_t *reply)
{
    char      why[IM_LINK_SERVER_WHY];
    im_str_t  version;

    version = im_link_server_info_field(reply, "redis_version:");

    if (version.len < 2 || version.data[0] >= '7' || version.data[1] != '.') {
        return 0;
    }

    (void) snprintf(why, sizeof(why), "its version is %.*s: Redis 7.0 or "
                    "newer is needed, or Valkey", (int) im_min(version.len, 16),
                    (char *) version.data);

    im_link_server_refuse(server, reply, why, 1);

    return 1;
}


/* A node of a cluster that has all slots can be used as one server. */
static void
im_link_server_slots_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t                id, first = im_str("");
    im_uint_t               i;
    const im_link_reply_t  *range;

    for (i = 0; i < im_link_reply_len(reply); i++) {
        range = im_link_reply_at(reply, i);
        id = im_link_reply_str_at(im_link_reply_at(range, 2), 2);

        if (i == 0) {
            first = id;
        }

        if (!im_str_eq(id, first)) {
            im_link_server_refuse(data, NULL, IM_LINK_NOT_ALONE, 1);
            return;
        }
    }
}


/* A server that does not say what it is counts as the right one. */
static void
im_link_server_check_mode(im_link_server_t *server,
    const im_link_reply_t *reply)
{
    im_str_t  mode;

    mode = im_link_server_info_field(reply, "redis_mode:");

    if (im_str_eq(mode, im_str_z("sentinel"))) {
        im_link_server_refuse(server, NULL, "it is a sentinel, not a Redis: "
                              "begin with \"sentinel=NAME\"", 1);

    } else if (im_str_eq(mode, im_str_z("standalone"))
               && server->context->conf.kind == IM_LINK_CLUSTER)
    {
        im_link_server_refuse(server, NULL, IM_LINK_NOT_CLUSTER, 1);

    } else if (im_str_eq(mode, im_str_z("cluster"))
               && server->context->conf.kind != IM_LINK_CLUSTER)
    {
        im_link_server_question(server, &server->calls, "CLUSTER SLOTS",
                                im_link_server_slots_handler);
    }
}


/*
 * Of INFO server and INFO replication, which a connection must answer at first
 * and every 2 s: a promotion keeps connections open.
 */
static void
im_link_server_info_handler(const im_link_reply_t *reply, void *data)
{
    u_char            *kept;
    im_str_t           id;
    im_link_server_t  *server = data;

    if (reply == NULL) {
        return;
    }

    if (im_link_server_old(server, reply)) {
        return;
    }

    kept = server->calls.generation;
    id = im_link_server_info_field(reply, "run_id:");

    if (id.len >= IM_LINK_RUN_ID) {
        memcpy(kept, id.data, IM_LINK_RUN_ID);
        im_link_server_check_mode(server, reply);
        return;
    }

    kept += IM_LINK_RUN_ID;
    id = im_link_server_info_field(reply, "master_replid2:");

    if (id.len < IM_LINK_REPLID) {
        im_link_server_refuse(server, reply, "INFO has no generation", 0);
        return;
    }

    server->role = im_str_eq(im_link_server_info_field(reply, "role:"),
                             im_str_z("master"))
                   ? IM_LINK_ROLE_MASTER : IM_LINK_ROLE_REPLICA;

    if (im_decimal_decode(im_link_server_info_field(reply, "connected_slaves:"),
                          &server->replicas)
        != IM_OK)
    {
        server->replicas = 0;
    }

    if (server->role == IM_LINK_ROLE_REPLICA) {
        im_link_server_refuse(server, reply, "it is a replica", 0);

    } else if (server->calls.state == IM_LINK_READY
               && memcmp(kept, id.data, IM_LINK_REPLID) != 0)
    {
        im_link_server_lost(server, &server->calls, "another generation");

    } else {
        memcpy(kept, id.data, IM_LINK_REPLID);
        server->failed = 0;
    }
}


static void
im_link_server_doubt_handler(const im_link_reply_t *reply, void *data)
{
    im_link_server_t  *server = data;

    im_link_server_info_handler(reply, server);

    if (reply == NULL || !im_link_server_takes(server)) {
        return;
    }

    if (server->doubt == IM_LINK_DOUBTED_AGAIN) {
        im_link_server_doubt_ask(server);
        return;
    }

    server->doubt = IM_LINK_TRUSTED;
    server->context->events->trusted(server);
}


/* The run id is that of the connection: the process at its other end. */
static void
im_link_server_doubt_ask(im_link_server_t *server)
{
    server->doubt = IM_LINK_DOUBTED;

    im_link_call_start(&server->context->own, "INFO replication");

    if (im_link_conn_send(&server->calls, &server->context->own,
                          im_link_server_doubt_handler, server)
        != IM_OK)
    {
        im_link_server_lost(server, &server->calls, "no memory");
    }
}


void
im_link_server_doubt(im_link_server_t *server)
{
    if (!im_link_server_takes(server)) {
        return;
    }

    if (server->doubt != IM_LINK_TRUSTED) {
        server->doubt = IM_LINK_DOUBTED_AGAIN;
        return;
    }

    im_link_server_doubt_ask(server);
}


/* A server that refuses CONFIG counts as well configured. */
static void
im_link_server_policy_handler(const im_link_reply_t *reply, void *data)
{
    char      why[IM_LINK_SERVER_WHY];
    im_str_t  policy;

    policy = im_link_reply_str_at(reply, 1);

    if (policy.len == 0 || im_str_eq(policy, im_str_z("noeviction"))) {
        return;
    }

    (void) snprintf(why, sizeof(why), "its \"maxmemory-policy\" is \"%.*s\", "
                    "not \"noeviction\"", (int) im_min(policy.len, 32),
                    (char *) policy.data);

    im_link_server_refuse(data, reply, why, 1);
}


void
im_link_server_describe(im_link_server_t *server, im_link_server_info_t *info)
{
    im_link_conn_t  *conn;

    conn = &server->calls;

    info->state = IM_LINK_SERVER_AWAY;

    if (im_link_server_takes(server)) {
        info->state = server->doubt == IM_LINK_TRUSTED
                      ? IM_LINK_SERVER_READY : IM_LINK_SERVER_DOUBTED;
    }

    info->slots = server->nslots;
    info->role = server->role;
    info->listening = im_link_server_whole(server);
    info->replicas = server->replicas;
    info->since = server->since;
    info->name = server->name;
    info->address = im_str_z(im_link_peer_text(&server->peer, server->address));
    info->generation = im_str_set(conn->generation,
                                  conn->generation[0] != '\0'
                                  ? IM_LINK_GENERATION : 0);
    info->why = server->why;
}


/*
 * The connection is closed and is needed.  Pub/sub follows the connection for
 * calls, so that both have the same server.
 */
static int
im_link_server_wants(im_link_server_t *server, im_link_conn_t *conn)
{
    return conn->state == IM_LINK_CLOSED
           && !server->context->ended
           && (conn == &server->calls
               ? server->wanted
               : (server->calls.state == IM_LINK_READY
                   && server->nchannels > 0));
}


/*
 * Pub/sub goes to the address that calls have.  NULL: it connects, or a name is
 * being looked up.
 */
static const char *
im_link_server_open(im_link_server_t *server, im_link_conn_t *conn)
{
    im_int_t            rc;
    const char         *why;
    im_link_context_t  *context;

    why = NULL;
    rc = IM_OK;
    context = server->context;

    if (conn == &server->calls) {
        rc = im_link_peer_try(&server->peer, im_link_time(context),
                              context->conf.timeout, &why);
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
im_link_server_check(im_link_server_t *server, im_link_conn_t *conn)
{
    uint64_t            now;
    const char         *why;
    im_link_context_t  *context;

    context = server->context;
    now = im_link_time(context);

    if (conn->state == IM_LINK_CLOSED) {
        why = im_link_server_wants(server, conn) && now >= conn->retry
              ? im_link_server_open(server, conn) : NULL;

    } else {
        why = im_link_conn_late(conn, context->conf.timeout);
    }

    if (why != NULL) {
        im_link_server_lost(server, conn, why);
        return;
    }

    if (conn->state != IM_LINK_READY || now - conn->asked < conn->period) {
        return;
    }

    conn->asked = now;

    if (server->probe) {
        return;
    }

    if (conn == &server->calls) {
        im_link_server_question(server, conn, "INFO replication",
                                im_link_server_info_handler);
        context->events->poll(server);

    } else {
        im_link_server_question(server, conn, "PING", NULL);
    }
}


void
im_link_server_tick(im_link_server_t *server)
{
    im_link_server_check(server, &server->calls);
    im_link_server_check(server, &server->pubsub);

    if (im_link_server_wants(server, &server->calls)
        || im_link_server_wants(server, &server->pubsub))
    {
        im_link_due(server->context, IM_LINK_RETRY);
    }
}


static void
im_link_server_ready(im_link_server_t *server)
{
    im_link_context_t  *context;

    context = server->context;

    server->unusable = 0;
    server->failed = 0;
    server->why[0] = '\0';
    server->serial = ++context->serials;
    server->since = im_link_moment(context);
    server->calls.asked = im_link_time(context);
    server->pubsub.backoff = 0;
    server->pubsub.retry = 0;

    im_link_peer_good(&server->peer);

    context->events->ready(server);

    if (server->calls.state == IM_LINK_READY) {
        im_link_server_check(server, &server->pubsub);
    }
}


/* All that was asked at first may be answered. */
static void
im_link_server_prepared(im_link_server_t *server, im_link_conn_t *conn)
{
    if (conn->state != IM_LINK_PREPARING || conn->failed || conn->ncalls > 0) {
        return;
    }

    im_link_conn_enter(conn, IM_LINK_READY);

    if (conn == &server->calls) {
        im_link_server_ready(server);

    } else {
        server->context->events->listening(server);
    }
}


/* All of it goes out in one write. */
static void
im_link_server_connected(im_link_conn_t *conn)
{
    im_link_server_t               *server;
    const im_link_server_events_t  *events;

    server = conn->owner;
    events = server->context->events;

    im_link_server_introduce(server, conn);

    if (server->probe) {
        events->connected(server);

    } else if (conn == &server->calls) {
        im_link_server_question(server, conn, "INFO server",
                                im_link_server_info_handler);
        im_link_server_question(server, conn, "INFO replication",
                                im_link_server_info_handler);
        im_link_server_question(server, conn, "CONFIG GET maxmemory-policy",
                                im_link_server_policy_handler);
        events->connected(server);

    } else {
        server->nsent = 0;
        server->nconfirmed = 0;

        events->listen(server);
        im_link_server_prepared(server, conn);
    }
}


static void
im_link_server_replied(im_link_conn_t *conn, const im_link_reply_t *reply)
{
    im_link_server_t   *server;
    im_link_context_t  *context;

    server = conn->owner;
    context = server->context;

    im_link_server_denied(server, reply);

    if (conn == &server->pubsub) {
        context->events->pushed(server, reply);

    } else {
        context->answers = server;

        if (!im_link_conn_answer(conn, reply)) {
            im_link_server_lost(server, conn, "reply without a command");
        }

        context->answers = NULL;
    }

    im_link_server_prepared(server, conn);
}


static int
im_link_server_error(im_link_conn_t *conn, im_link_kept_t *kept,
    const im_link_reply_t *reply)
{
    im_link_server_t  *server;

    server = conn->owner;

    return conn == &server->calls
           && server->context->events->error(server, kept, reply);
}


static void
im_link_server_conn_lost(im_link_conn_t *conn, const char *why)
{
    im_link_server_lost(conn->owner, conn, why);
}


static const im_link_conn_events_t  im_link_server_conn_events = {
    im_link_server_connected,
    im_link_server_replied,
    im_link_server_error,
    im_link_server_conn_lost
};
