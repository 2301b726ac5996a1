/*
 * Copyright (C) The im authors
 *
 * Where the master is, as the sentinels say.
 */

#include <stdio.h>

#include "im_link_said.h"
#include "im_link_sentinel.h"


#define IM_SENTINEL_POLL       1000     /* ms, as all below */
#define IM_SENTINEL_PING       5000
#define IM_SENTINEL_OTHERS     300      /* for more answers than one */
#define IM_SENTINEL_TICK       500
#define IM_SENTINEL_RETRY      50
#define IM_SENTINEL_SETTLE     1000     /* then troubles are logged together */
#define IM_SENTINEL_COMPLAIN   60000

#define IM_SENTINEL_QUESTIONS  8        /* that one has not answered yet */
#define IM_SENTINEL_MAX_REPLY  65536
#define IM_SENTINEL_STALE      5        /* answers that name another master */
#define IM_SENTINEL_TEXT       2048


typedef struct {
    im_link_sentinel_t    *sentinel;
    const im_link_seed_t  *seed;
    im_link_peer_t         peer;
    im_link_conn_t         calls;
    im_link_conn_t         hints;
    im_uint_t              asked;      /* questions of this connection, */
    im_uint_t              answered;   /* and answers */
    im_uint_t              mark;       /* up to this one answers are old */
    im_uint_t              stale;      /* answers that name another
                                          master, no newer one */
    im_link_said_t         said;
    im_link_said_t         next;       /* being read */
    char                   why[IM_LINK_SAID_WHY];
} im_link_sentinel_node_t;


typedef enum {
    IM_SENTINEL_KNOWN = 0,     /* the master may be connected to */
    IM_SENTINEL_ASKED,         /* no answer since then */
    IM_SENTINEL_HEARD          /* an answer; others may have a better one */
} im_link_sentinel_e;


struct im_link_sentinel_s {
    im_link_context_t          *context;
    im_link_sentinel_pt         handler;
    void                       *data;
    im_link_sentinel_e          state;
    uint64_t                    heard;       /* when the state was entered */
    im_link_said_t              best;        /* that has won */
    im_link_sentinels_t         info;
    uint64_t                    news;        /* not logged yet, since */
    uint64_t                    complained;
    char                        why[2 * IM_LINK_SAID_WHY];
    char                        trouble[IM_SENTINEL_TEXT];   /* last logged */
    unsigned                    closed:1;
    unsigned                    troubled:1;  /* the log says so */
    im_uint_t                   nnodes;
    im_link_sentinel_node_t     nodes[];
};


static const im_link_conn_events_t  im_link_sentinel_events;


static void
im_link_sentinel_prepare(im_link_sentinel_node_t *node, im_link_conn_t *conn,
    const char *name, uint64_t period)
{
    im_link_context_t  *context;

    context = node->sentinel->context;

    conn->events = &im_link_sentinel_events;
    conn->owner = node;
    conn->guard = &context->guard;
    conn->clock = &context->clock;
    conn->ctx = context->conf.tls;

    im_link_conn_init(conn, name, period, context->transport,
                      context->transport_data);

    conn->max_reply = IM_SENTINEL_MAX_REPLY;
}


im_link_sentinel_t *
im_link_sentinel_create(im_link_context_t *context,
    im_link_sentinel_pt handler, void *data)
{
    im_uint_t                 i, n;
    im_link_sentinel_t       *sentinel;
    im_link_sentinel_node_t  *node;

    n = context->conf.nseeds;

    sentinel = im_calloc(sizeof(im_link_sentinel_t)
                         + n * sizeof(im_link_sentinel_node_t));
    if (sentinel == NULL) {
        return NULL;
    }

    sentinel->context = context;
    sentinel->handler = handler;
    sentinel->data = data;
    sentinel->state = IM_SENTINEL_ASKED;
    sentinel->nnodes = n;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        node->sentinel = sentinel;
        node->seed = &context->conf.seeds[i];
        im_link_peer_init(&node->peer, &node->seed->addr);
        im_link_sentinel_prepare(node, &node->calls, "questions",
                                 IM_SENTINEL_POLL);
        im_link_sentinel_prepare(node, &node->hints, "hints",
                                 IM_SENTINEL_PING);
    }

    return sentinel;
}


void
im_link_sentinel_close(im_link_sentinel_t *sentinel)
{
    im_uint_t                 i;
    im_link_sentinel_node_t  *node;

    if (sentinel == NULL) {
        return;
    }

    sentinel->closed = 1;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        im_link_conn_close(&node->hints);
        im_link_conn_close(&node->calls);
        im_link_conn_fail(&node->hints);
        im_link_conn_fail(&node->calls);
    }
}


void
im_link_sentinel_destroy(im_link_sentinel_t *sentinel)
{
    im_uint_t                 i;
    im_link_sentinel_node_t  *node;

    if (sentinel == NULL) {
        return;
    }

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        im_link_peer_cleanup(&node->peer);
        im_buf_cleanup(&node->hints.out);
        im_buf_cleanup(&node->calls.out);
    }

    im_free(sentinel);
}


/* The setter of the state. */
static void
im_link_sentinel_enter(im_link_sentinel_t *sentinel, im_link_sentinel_e state)
{
    sentinel->state = state;
    sentinel->heard = im_link_time(sentinel->context);

    if (state != IM_SENTINEL_KNOWN) {
        im_link_due(sentinel->context, IM_SENTINEL_RETRY);
    }
}


/* Its last answer counts. */
static int
im_link_sentinel_fresh(const im_link_sentinel_node_t *node)
{
    return node->calls.state == IM_LINK_READY && node->answered > node->mark;
}


static int
im_link_sentinel_fine(const im_link_sentinel_node_t *node)
{
    return im_link_sentinel_fresh(node) && node->hints.state == IM_LINK_READY
           && node->stale < IM_SENTINEL_STALE;
}


static im_uint_t
im_link_sentinel_answering(const im_link_sentinel_t *sentinel)
{
    im_uint_t  i, n;

    for (i = 0, n = 0; i < sentinel->nnodes; i++) {
        n += im_link_sentinel_fresh(&sentinel->nodes[i]);
    }

    return n;
}


static void
im_link_sentinel_news(im_link_sentinel_t *sentinel)
{
    if (sentinel->news == 0) {
        sentinel->news = im_link_time(sentinel->context);
    }
}


/* A reason of several sentinels stands once, behind their names. */
static void
im_link_sentinel_troubles(const im_link_sentinel_t *sentinel, char *text)
{
    size_t                          n;
    im_uint_t                       i, j;
    const char                     *comma;
    const im_link_sentinel_node_t  *node, *other;

    n = 0;
    text[0] = '\0';

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];
        comma = "; ";

        for (j = 0; j < sentinel->nnodes && n < IM_SENTINEL_TEXT; j++) {
            other = &sentinel->nodes[j];

            if (im_link_sentinel_fine(node) || im_link_sentinel_fine(other)
                || strcmp(node->why, other->why) != 0)
            {
                continue;
            }

            if (j < i) {
                break;
            }

            n += snprintf(text + n, IM_SENTINEL_TEXT - n, "%s\"%.*s\"", comma,
                          (int) other->seed->name.len,
                          (char *) other->seed->name.data);
            comma = ", ";
        }

        if (comma[0] == ',' && n < IM_SENTINEL_TEXT) {
            n += snprintf(text + n, IM_SENTINEL_TEXT - n, ": %s",
                          node->why[0] != '\0' ? node->why : "no answer yet");
        }
    }
}


/*
 * What is wrong is logged when it has not changed for a second, and again each
 * minute; that all is well, once.
 */
static void
im_link_sentinel_report(im_link_sentinel_t *sentinel)
{
    char            text[IM_SENTINEL_TEXT];
    char            line[IM_SENTINEL_TEXT + 2 * IM_LINK_SAID_WHY];
    uint64_t        now;
    im_link_log_e   level;

    now = im_link_time(sentinel->context);

    if (sentinel->news == 0) {

        if (!sentinel->troubled
            || now - sentinel->complained < IM_SENTINEL_COMPLAIN)
        {
            return;
        }

    } else if (now - sentinel->news < IM_SENTINEL_SETTLE) {
        return;
    }

    sentinel->news = 0;
    level = IM_LINK_LOG_NOTICE;

    im_link_sentinel_troubles(sentinel, text);

    if (text[0] == '\0') {

        if (!sentinel->troubled) {
            return;
        }

        sentinel->troubled = 0;

    } else if (strcmp(text, sentinel->trouble) != 0
               || now - sentinel->complained >= IM_SENTINEL_COMPLAIN)
    {
        level = IM_LINK_LOG_ERROR;
        sentinel->troubled = 1;
        sentinel->complained = now;
        memcpy(sentinel->trouble, text, sizeof(text));

    } else {
        return;
    }

    (void) snprintf(line, sizeof(line), "Redis: %u of %u sentinels answer for "
                    "\"%.*s\"%s",
                    (unsigned) im_link_sentinel_answering(sentinel),
                    (unsigned) sentinel->nnodes,
                    (int) im_min(sentinel->context->conf.master.len,
                                 IM_LINK_SAID_WHY),
                    (char *) sentinel->context->conf.master.data, text);

    im_link_say(sentinel->context, level, line);
}


/* A connection for questions that is lost closes the one for hints. */
static void
im_link_sentinel_lost(im_link_conn_t *conn, const char *why)
{
    im_link_sentinel_t       *sentinel;
    im_link_sentinel_node_t  *node;

    node = conn->owner;
    sentinel = node->sentinel;

    if (strncmp(node->why, why, sizeof(node->why) - 1) != 0
        || im_link_sentinel_fine(node))
    {
        im_link_sentinel_news(sentinel);
    }

    (void) snprintf(node->why, sizeof(node->why), "%s", why);

    im_link_conn_close(&node->hints);
    im_link_conn_fail(&node->hints);

    if (conn == &node->calls) {
        im_link_conn_close(conn);
        im_link_conn_fail(conn);

        node->answered = 0;
        node->stale = 0;

        if (im_link_peer_more(&node->peer)) {
            conn->retry = 0;
        }
    }

    im_link_due(sentinel->context, IM_SENTINEL_RETRY);
}


static void
im_link_sentinel_refused(im_link_sentinel_node_t *node, im_link_conn_t *conn,
    const im_link_reply_t *reply)
{
    char  why[IM_LINK_SAID_WHY];

    im_link_said_error(reply, node->sentinel->context->conf.master, why);
    im_link_sentinel_lost(conn, why);
}


/* The better one of two answers; of equals the one that is followed. */
static int
im_link_sentinel_better(const im_link_sentinel_t *sentinel,
    const im_link_said_t *one, const im_link_said_t *two)
{
    return two == NULL || one->epoch > two->epoch
           || (one->epoch == two->epoch
               && strcmp(one->addr, sentinel->best.addr) == 0);
}


/*
 * All that are configured name it, with an epoch that was lowered.  One name
 * may stand for several sentinels.
 */
static int
im_link_sentinel_unanimous(const im_link_sentinel_t *sentinel,
    const im_link_said_t *said)
{
    im_uint_t                       i;
    const im_link_sentinel_node_t  *node;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        if (!im_link_sentinel_fresh(node)
            || strcmp(node->said.addr, said->addr) != 0
            || (sentinel->nnodes == 1
                && node->seed->addr.type == IM_ADDR_NAME))
        {
            return 0;
        }
    }

    return 1;
}


static const im_link_said_t *
im_link_sentinel_best(const im_link_sentinel_t *sentinel)
{
    im_uint_t                       i;
    const im_link_said_t           *best;
    const im_link_sentinel_node_t  *node;

    best = NULL;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        if (im_link_sentinel_fresh(node)
            && im_link_sentinel_better(sentinel, &node->said, best))
        {
            best = &node->said;
        }
    }

    return best != NULL && (best->epoch >= sentinel->best.epoch
                            || im_link_sentinel_unanimous(sentinel, best))
           ? best : NULL;
}


/* An answer may come soon. */
static int
im_link_sentinel_pending(const im_link_sentinel_t *sentinel)
{
    im_uint_t                       i;
    const im_link_sentinel_node_t  *node;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        if (!im_link_sentinel_fresh(node)
            && (node->calls.state != IM_LINK_CLOSED
                || im_link_peer_waits(&node->peer)))
        {
            return 1;
        }
    }

    return 0;
}


static void
im_link_sentinel_follow(im_link_sentinel_t *sentinel,
    const im_link_said_t *said, int other)
{
    char  text[IM_LINK_SAID_ADDR + 2 * IM_LINK_SAID_WHY];

    sentinel->best = *said;

    if (other) {
        (void) snprintf(text, sizeof(text), "Redis: the sentinels name \"%s\" "
                        "as master of \"%.*s\", epoch %llu",
                        sentinel->best.addr,
                        (int) im_min(sentinel->context->conf.master.len,
                                     IM_LINK_SAID_WHY),
                        (char *) sentinel->context->conf.master.data,
                        (unsigned long long) said->epoch);

        im_link_say(sentinel->context, IM_LINK_LOG_NOTICE, text);
    }

    im_link_sentinel_enter(sentinel, IM_SENTINEL_KNOWN);
    sentinel->handler(sentinel->data, im_str_z(sentinel->best.addr),
                      said->epoch);
}


/* Does the best answer change anything, and is it final? */
static void
im_link_sentinel_judge(im_link_sentinel_t *sentinel)
{
    int                    other;
    const im_link_said_t  *best;

    best = im_link_sentinel_best(sentinel);

    if (best == NULL || sentinel->closed) {
        return;
    }

    other = strcmp(best->addr, sentinel->best.addr) != 0;

    if (sentinel->state == IM_SENTINEL_KNOWN && !other) {
        sentinel->best = *best;
        return;
    }

    if (sentinel->state == IM_SENTINEL_ASKED) {
        im_link_sentinel_enter(sentinel, IM_SENTINEL_HEARD);
    }

    if (sentinel->state == IM_SENTINEL_HEARD
        && im_link_sentinel_pending(sentinel)
        && im_link_time(sentinel->context) - sentinel->heard
           < IM_SENTINEL_OTHERS)
    {
        return;
    }

    im_link_sentinel_follow(sentinel, best, other);
}


/* One that names another master for long, and not a newer one, is wrong. */
static void
im_link_sentinel_compare(im_link_sentinel_t *sentinel,
    im_link_sentinel_node_t *node)
{
    if (node->said.epoch > sentinel->best.epoch
        || sentinel->best.addr[0] == '\0'
        || strcmp(node->said.addr, sentinel->best.addr) == 0)
    {
        node->stale = 0;
        return;
    }

    if (++node->stale == IM_SENTINEL_STALE) {
        (void) snprintf(node->why, sizeof(node->why), "it names another "
                        "master, of the epoch %llu, not %llu",
                        (unsigned long long) node->said.epoch,
                        (unsigned long long) sentinel->best.epoch);

        if (node->said.epoch == sentinel->best.epoch) {
            (void) snprintf(node->why, sizeof(node->why), "it names another "
                            "master, of the same epoch: does it belong to "
                            "other sentinels?");
        }

        im_link_sentinel_news(sentinel);
    }
}


static void
im_link_sentinel_master_handler(const im_link_reply_t *reply, void *data)
{
    im_link_sentinel_node_t  *node = data;

    if (im_link_reply_is_error(reply)) {
        im_link_sentinel_refused(node, &node->calls, reply);
        return;
    }

    im_link_said_master(&node->next, reply);
}


/* The last one of a question. */
static void
im_link_sentinel_addr_handler(const im_link_reply_t *reply, void *data)
{
    im_link_sentinel_t       *sentinel;
    im_link_sentinel_node_t  *node = data;

    sentinel = node->sentinel;

    if (reply == NULL || sentinel->closed) {
        return;
    }

    if (im_link_reply_is_error(reply)) {
        im_link_sentinel_refused(node, &node->calls, reply);
        return;
    }

    if (im_link_said_addr(&node->next, reply) != IM_OK) {
        im_link_sentinel_lost(&node->calls, "it names no valid address");
        return;
    }

    node->said = node->next;
    node->answered++;

    if (node->calls.state == IM_LINK_PREPARING) {
        im_link_conn_enter(&node->calls, IM_LINK_READY);
        im_link_peer_good(&node->peer);
        node->hints.backoff = 0;
        node->hints.retry = 0;
        im_link_sentinel_news(sentinel);
    }

    im_link_sentinel_compare(sentinel, node);
    im_link_sentinel_judge(sentinel);
}


static void
im_link_sentinel_send(im_link_sentinel_node_t *node, im_link_conn_t *conn,
    im_link_reply_pt handler)
{
    if (im_link_conn_send(conn, &node->sentinel->context->own, handler, node)
        != IM_OK)
    {
        conn->failed = 1;
    }
}


static void
im_link_sentinel_question(im_link_sentinel_node_t *node)
{
    im_link_call_t      *call;
    im_link_sentinel_t  *sentinel;

    sentinel = node->sentinel;
    call = &sentinel->context->own;

    node->asked++;
    node->calls.asked = im_link_time(sentinel->context);

    im_link_call_start(call, "SENTINEL MASTER");
    im_link_call_str(call, sentinel->context->conf.master);
    im_link_sentinel_send(node, &node->calls, im_link_sentinel_master_handler);

    im_link_call_start(call, "SENTINEL GET-MASTER-ADDR-BY-NAME");
    im_link_call_str(call, sentinel->context->conf.master);
    im_link_sentinel_send(node, &node->calls, im_link_sentinel_addr_handler);
}


/* One that does not answer is not asked for ever. */
static void
im_link_sentinel_questions(im_link_sentinel_t *sentinel)
{
    im_uint_t                 i;
    im_link_sentinel_node_t  *node;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        if (node->calls.state >= IM_LINK_PREPARING
            && node->asked - node->answered < IM_SENTINEL_QUESTIONS)
        {
            im_link_sentinel_question(node);
        }
    }
}


void
im_link_sentinel_ask(im_link_sentinel_t *sentinel)
{
    im_uint_t  i;

    if (sentinel->state != IM_SENTINEL_KNOWN) {
        return;
    }

    for (i = 0; i < sentinel->nnodes; i++) {
        sentinel->nodes[i].mark = sentinel->nodes[i].asked;
    }

    im_link_sentinel_enter(sentinel, IM_SENTINEL_ASKED);
    im_link_sentinel_questions(sentinel);
}


static void
im_link_sentinel_auth_handler(const im_link_reply_t *reply, void *data)
{
    im_link_sentinel_node_t  *node = data;

    if (im_link_reply_is_error(reply)) {
        im_link_sentinel_refused(node, &node->calls, reply);
    }
}


static void
im_link_sentinel_connected(im_link_conn_t *conn)
{
    im_link_call_t           *call;
    im_link_sentinel_t       *sentinel;
    const im_link_conf_t     *conf;
    im_link_sentinel_node_t  *node;

    node = conn->owner;
    sentinel = node->sentinel;
    conf = &sentinel->context->conf;
    call = &sentinel->context->own;

    if (conf->sentinel_password.len > 0) {
        im_link_call_start(call, "AUTH");

        if (conf->sentinel_user.len > 0) {
            im_link_call_str(call, conf->sentinel_user);
        }

        im_link_call_str(call, conf->sentinel_password);
        im_link_sentinel_send(node, conn, im_link_sentinel_auth_handler);
    }

    if (conn == &node->calls) {
        node->asked = 0;
        node->answered = 0;
        node->mark = 0;
        node->stale = 0;
        im_link_sentinel_question(node);
        return;
    }

    im_link_call_start(call, "SUBSCRIBE +switch-master");

    if (im_link_conn_write(conn, call) != IM_OK) {
        conn->failed = 1;
    }
}


/* Any hint is a reason to ask. */
static void
im_link_sentinel_hint(im_link_sentinel_node_t *node,
    const im_link_reply_t *reply)
{
    im_str_t             word;
    im_link_sentinel_t  *sentinel;

    sentinel = node->sentinel;
    word = im_link_reply_str_at(reply, 0);

    if (im_str_eq(word, im_str_z("message"))) {
        im_link_sentinel_questions(sentinel);

    } else if (im_str_eq(word, im_str_z("subscribe"))) {
        im_link_conn_enter(&node->hints, IM_LINK_READY);
        im_link_sentinel_news(sentinel);

    } else if (im_link_reply_is_error(reply)) {
        im_link_sentinel_refused(node, &node->hints, reply);

    } else if (!im_link_conn_answer(&node->hints, reply)) {
        im_link_sentinel_lost(&node->hints, "unexpected reply");
    }
}


static void
im_link_sentinel_reply(im_link_conn_t *conn, const im_link_reply_t *reply)
{
    im_link_sentinel_node_t  *node;

    node = conn->owner;

    if (conn == &node->hints) {
        im_link_sentinel_hint(node, reply);

    } else if (!im_link_conn_answer(conn, reply)) {
        im_link_sentinel_lost(conn, "reply without a command");
    }
}


static const im_link_conn_events_t  im_link_sentinel_events = {
    im_link_sentinel_connected, im_link_sentinel_reply, NULL,
    im_link_sentinel_lost
};


/* Hints come from the address that is asked. */
static const char *
im_link_sentinel_open(im_link_sentinel_node_t *node, im_link_conn_t *conn)
{
    im_int_t               rc;
    const char            *why;
    const im_link_conf_t  *conf;

    rc = IM_OK;
    why = NULL;
    conf = &node->sentinel->context->conf;

    if (conn == &node->calls) {
        rc = im_link_peer_try(&node->peer,
                              im_link_time(node->sentinel->context),
                              conf->timeout, &why);
    }

    if (rc == IM_OK) {
        return im_link_conn_open(conn, im_link_peer_current(&node->peer),
                                 node->seed->addr.host);
    }

    if (rc == IM_ERROR) {
        im_link_conn_delay(conn);
    }

    return why;
}


static int
im_link_sentinel_wanted(const im_link_sentinel_node_t *node,
    const im_link_conn_t *conn)
{
    return conn->state == IM_LINK_CLOSED && !node->sentinel->closed
           && (conn == &node->calls || node->calls.state == IM_LINK_READY);
}


static void
im_link_sentinel_check(im_link_sentinel_node_t *node, im_link_conn_t *conn)
{
    uint64_t             now;
    const char          *why;
    im_link_sentinel_t  *sentinel;

    sentinel = node->sentinel;
    now = im_link_time(sentinel->context);

    if (conn->state == IM_LINK_CLOSED) {
        why = im_link_sentinel_wanted(node, conn) && now >= conn->retry
              ? im_link_sentinel_open(node, conn) : NULL;

    } else {
        why = im_link_conn_late(conn, sentinel->context->conf.timeout);
    }

    if (why != NULL) {
        im_link_sentinel_lost(conn, why);
        return;
    }

    if (conn->state != IM_LINK_READY || now - conn->asked < conn->period) {
        return;
    }

    if (conn == &node->hints) {
        conn->asked = now;
        im_link_call_start(&sentinel->context->own, "PING");
        im_link_sentinel_send(node, conn, NULL);

    } else if (node->asked == node->answered) {
        im_link_sentinel_question(node);
    }
}


void
im_link_sentinel_tick(im_link_sentinel_t *sentinel)
{
    int                       busy;
    im_uint_t                 i;
    im_link_sentinel_node_t  *node;

    busy = sentinel->state != IM_SENTINEL_KNOWN;

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        im_link_sentinel_check(node, &node->calls);
        im_link_sentinel_check(node, &node->hints);

        busy = busy || im_link_sentinel_wanted(node, &node->calls)
               || im_link_sentinel_wanted(node, &node->hints);
    }

    im_link_sentinel_judge(sentinel);
    im_link_sentinel_report(sentinel);

    im_link_due(sentinel->context, busy ? IM_SENTINEL_RETRY : IM_SENTINEL_TICK);
}


const char *
im_link_sentinel_why(im_link_sentinel_t *sentinel)
{
    im_uint_t                       i;
    const im_link_sentinel_node_t  *node;

    sentinel->why[0] = '\0';

    if (sentinel->state != IM_SENTINEL_ASKED) {
        return sentinel->why;
    }

    for (i = 0; i < sentinel->nnodes; i++) {
        node = &sentinel->nodes[i];

        if (im_link_sentinel_fresh(node)) {
            (void) snprintf(sentinel->why, sizeof(sentinel->why),
                            "the sentinels that answer name a master of the "
                            "epoch %llu, not %llu",
                            (unsigned long long) node->said.epoch,
                            (unsigned long long) sentinel->best.epoch);
            return sentinel->why;
        }

        if (node->calls.state == IM_LINK_READY) {
            return sentinel->why;
        }
    }

    node = &sentinel->nodes[0];

    (void) snprintf(sentinel->why, sizeof(sentinel->why), "no sentinel "
                    "answers: \"%.*s\": %s",
                    (int) im_min(node->seed->name.len, 60),
                    (char *) node->seed->name.data,
                    node->why[0] != '\0' ? node->why : "no answer yet");

    return sentinel->why;
}


const im_link_sentinels_t *
im_link_sentinel_info(im_link_sentinel_t *sentinel)
{
    im_link_sentinels_t  *info;

    info = &sentinel->info;

    info->master = sentinel->context->conf.master;
    info->configured = sentinel->nnodes;
    info->answering = im_link_sentinel_answering(sentinel);
    info->watching = sentinel->best.sentinels;
    info->epoch = sentinel->best.epoch;
    info->quorum = sentinel->best.quorum;
    info->replicas = sentinel->best.replicas;
    info->down_after = sentinel->best.down_after;

    return info;
}
