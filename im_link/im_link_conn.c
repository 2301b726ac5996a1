/*
 * Copyright (C) The im authors
 *
 * One connection to a server.
 *
 * A call is encoded when it is sent, on the connection that carries it, and
 * dies with that connection: so the generation in it is always the one of the
 * server that runs it.
 */

#include "im_link_conn.h"


#define IM_LINK_KEEP         65536
#define IM_LINK_MAX_CALLS    65536
#define IM_LINK_MAX_OUT      (64 * 1024 * 1024)
#define IM_LINK_MAX_REPLY    (128 * 1024 * 1024)
#define IM_LINK_MAX_ARRAY    (1024 * 1024)
#define IM_LINK_BACKOFF      50
#define IM_LINK_BACKOFF_MAX  2000


/* A call that waits for its reply; of a script, with the tail of its bytes. */
typedef struct {
    im_list_t           link;
    im_link_reply_pt    handler;
    void               *data;
    uint64_t            time;
    const im_script_t  *script;
    im_uint_t           nargs;
    size_t              len;
    u_char              tail[];
} im_link_waiting_t;


void
im_link_leave(im_link_guard_t *guard)
{
    if (--guard->busy == 0 && guard->free != NULL) {
        guard->free(guard->data);
    }
}


void
im_link_conn_init(im_link_conn_t *conn, const char *name, uint64_t period,
    const im_link_transport_t *transport, void *data)
{
    conn->name = name;
    conn->period = period;
    conn->transport = transport;
    conn->data = data;
    conn->max_reply = IM_LINK_MAX_REPLY;

    im_list_init(&conn->calls);
    im_buf_init(&conn->out, IM_LINK_MAX_OUT);
}


static uint64_t
im_link_conn_now(const im_link_conn_t *conn)
{
    return conn->transport->now(conn->data);
}


/* As hiredis does, up to a limit. */
static void *
im_link_conn_array(const redisReadTask *task, im_link_elements_t n)
{
    im_link_conn_t  *conn = task->privdata;

    return (size_t) n <= IM_LINK_MAX_ARRAY ? conn->array(task, n) : NULL;
}


const char *
im_link_conn_open(im_link_conn_t *conn, const im_link_address_t *to,
    im_str_t name)
{
    const char  *why;

    conn->start = im_link_conn_now(conn);
    conn->heard = conn->start;
    conn->asked = conn->start;
    conn->latency = 0;
    conn->failed = 0;

    im_link_conn_enter(conn, IM_LINK_CONNECTING);

    conn->unread = 0;
    conn->reader = redisReaderCreate();

    if (conn->reader == NULL) {
        return "no memory";
    }

    conn->functions = *conn->reader->fn;
    conn->array = conn->functions.createArray;
    conn->functions.createArray = im_link_conn_array;
    conn->reader->fn = &conn->functions;
    conn->reader->privdata = conn;

    why = NULL;
    conn->socket = conn->transport->connect(conn->data, conn, to, name, &why);

    return conn->socket != NULL ? NULL : why;
}


/* Half of the wait is random: programs must not come back in one moment. */
void
im_link_conn_delay(im_link_conn_t *conn)
{
    uint64_t  half;

    conn->backoff = im_min(im_max(conn->backoff * 2, IM_LINK_BACKOFF),
                           IM_LINK_BACKOFF_MAX);
    half = conn->backoff / 2;
    conn->retry = im_link_conn_now(conn) + half
                  + conn->transport->random(conn->data) % (half + 1);
}


void
im_link_conn_close(im_link_conn_t *conn)
{
    if (conn->state == IM_LINK_CLOSED) {
        return;
    }

    if (conn->socket != NULL) {
        conn->transport->close(conn->socket);
        conn->socket = NULL;
    }

    if (conn->reader != NULL) {
        redisReaderFree(conn->reader);
        conn->reader = NULL;
    }

    conn->closes++;
    conn->sent = 0;
    im_buf_reset(&conn->out, IM_LINK_KEEP);

    im_link_conn_delay(conn);
    im_link_conn_enter(conn, IM_LINK_CLOSED);
}


void
im_link_conn_enter(im_link_conn_t *conn, im_link_conn_e state)
{
    conn->state = state;

    if (state == IM_LINK_READY) {
        conn->backoff = 0;
    }
}


static im_link_waiting_t *
im_link_conn_first(im_link_conn_t *conn)
{
    im_list_t  *q;

    q = im_list_first(&conn->calls);

    im_list_remove(q);
    conn->ncalls--;

    return im_list_data(q, im_link_waiting_t, link);
}


/* A handler may destroy the link, which fails the rest. */
void
im_link_conn_fail(im_link_conn_t *conn)
{
    im_link_waiting_t  *waiting;

    while (!im_list_empty(&conn->calls)) {
        waiting = im_link_conn_first(conn);

        if (waiting->handler != NULL) {
            waiting->handler(NULL, waiting->data);
        }

        im_free(waiting);
    }
}


/* A call that finds no room leaves no bytes. */
static im_int_t
im_link_conn_written(im_link_conn_t *conn, size_t before)
{
    if (conn->out.failed) {
        conn->out.failed = 0;
        conn->out.len = before;
        return IM_ERROR;
    }

    conn->transport->write(conn->socket);

    return IM_OK;
}


im_int_t
im_link_conn_write(im_link_conn_t *conn, const im_link_call_t *call,
    size_t *tail)
{
    size_t  before;

    before = conn->out.len;

    im_link_call_encode(call, &conn->out,
                        im_str_set(conn->generation, IM_LINK_GENERATION), tail);

    return im_link_conn_written(conn, before);
}


im_int_t
im_link_conn_send(im_link_conn_t *conn, const im_link_call_t *call,
    im_link_reply_pt handler, void *data)
{
    size_t              before, tail;
    im_link_waiting_t  *waiting;

    before = conn->out.len;

    if (conn->ncalls == IM_LINK_MAX_CALLS
        || im_link_conn_write(conn, call, &tail) != IM_OK)
    {
        return IM_ERROR;
    }

    tail = call->script != NULL ? tail : conn->out.len;

    waiting = im_alloc(sizeof(im_link_waiting_t) + conn->out.len - tail);
    if (waiting == NULL) {
        conn->out.len = before;
        return IM_ERROR;
    }

    waiting->handler = handler;
    waiting->data = data;
    waiting->time = im_link_conn_now(conn);
    waiting->script = call->script;
    waiting->nargs = call->nargs;
    waiting->len = conn->out.len - tail;
    memcpy(waiting->tail, conn->out.data + tail, waiting->len);

    im_list_insert_tail(&conn->calls, &waiting->link);
    conn->ncalls++;

    return IM_OK;
}


/* A server that does not know a script gets its text. */
int
im_link_conn_answer(im_link_conn_t *conn, const im_link_reply_t *reply)
{
    size_t              before;
    uint64_t            now;
    im_link_waiting_t  *waiting;

    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    now = im_link_conn_now(conn);
    waiting = im_link_conn_first(conn);

    conn->latency += now - waiting->time - conn->latency / 8;

    if (waiting->script != NULL && im_link_reply_is_error(reply)
        && strncmp(reply->str, "NOSCRIPT", 8) == 0)
    {
        before = conn->out.len;

        im_link_call_encode_text(waiting->script, waiting->nargs,
                                 im_str_set(waiting->tail, waiting->len),
                                 &conn->out);

        if (im_link_conn_written(conn, before) == IM_OK) {
            waiting->time = now;
            im_list_insert_tail(&conn->calls, &waiting->link);
            conn->ncalls++;

            return 1;
        }
    }

    if (waiting->handler != NULL) {
        waiting->handler(reply, waiting->data);
    }

    im_free(waiting);

    return 1;
}


uint64_t
im_link_conn_waits(const im_link_conn_t *conn)
{
    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    return im_link_conn_now(conn)
           - im_list_data(im_list_first(&conn->calls), im_link_waiting_t,
                          link)->time;
}


/* Replies that come, however slowly, are not late. */
const char *
im_link_conn_late(const im_link_conn_t *conn, uint64_t timeout)
{
    uint64_t  now;

    now = im_link_conn_now(conn);

    if (conn->failed) {
        return "no memory";
    }

    if (conn->state < IM_LINK_READY && now - conn->start > timeout) {
        return "timed out while connecting";
    }

    return now - conn->heard > timeout && im_link_conn_waits(conn) > timeout
           ? "no answer in time" : NULL;
}


im_int_t
im_link_connected(im_link_conn_t *conn)
{
    im_int_t          rc;
    im_uint_t         closes;
    im_link_guard_t  *guard;

    guard = conn->guard;
    closes = conn->closes;

    im_link_enter(guard);

    conn->heard = im_link_conn_now(conn);
    im_link_conn_enter(conn, IM_LINK_PREPARING);

    conn->events->connected(conn);

    rc = conn->closes == closes ? IM_OK : IM_ERROR;

    im_link_leave(guard);

    return rc;
}


static const char *
im_link_conn_feed(im_link_conn_t *conn, const void *bytes, size_t n)
{
    conn->unread += n;

    if (conn->unread > conn->max_reply) {
        return "reply is too big";
    }

    return redisReaderFeed(conn->reader, bytes, n) == REDIS_OK ? NULL
                                                               : "no memory";
}


/* The next reply; NULL: none, or *why as above. */
static im_link_reply_t *
im_link_conn_next(im_link_conn_t *conn, const char **why)
{
    void  *reply;

    reply = NULL;

    if (redisReaderGetReply(conn->reader, &reply) != REDIS_OK) {
        *why = "malformed reply";
        return NULL;
    }

    if (reply != NULL) {
        conn->unread = conn->reader->len - conn->reader->pos;
    }

    return reply;
}


/* A reply may close the connection: then the reader is gone too. */
im_int_t
im_link_received(im_link_conn_t *conn, const void *bytes, size_t n)
{
    im_int_t          rc;
    im_uint_t         closes;
    const char       *why;
    im_link_guard_t  *guard;
    im_link_reply_t  *reply;

    guard = conn->guard;
    closes = conn->closes;

    im_link_enter(guard);

    conn->heard = im_link_conn_now(conn);
    why = im_link_conn_feed(conn, bytes, n);

    while (why == NULL && conn->closes == closes
           && (reply = im_link_conn_next(conn, &why)) != NULL)
    {
        conn->events->reply(conn, reply);

        freeReplyObject(reply);
    }

    if (why != NULL) {
        conn->events->lost(conn, why);
    }

    rc = conn->closes == closes ? IM_OK : IM_ERROR;

    im_link_leave(guard);

    return rc;
}


void
im_link_closed(im_link_conn_t *conn, const char *why)
{
    im_link_guard_t  *guard;

    guard = conn->guard;

    im_link_enter(guard);
    conn->events->lost(conn, why);
    im_link_leave(guard);
}


im_str_t
im_link_output(const im_link_conn_t *conn)
{
    return im_str_set(conn->out.data + conn->sent, conn->out.len - conn->sent);
}


void
im_link_sent(im_link_conn_t *conn, size_t n)
{
    conn->sent += n;

    if (conn->sent == conn->out.len) {
        im_buf_reset(&conn->out, IM_LINK_KEEP);
        conn->sent = 0;

    } else if (conn->sent > IM_LINK_KEEP && conn->sent > conn->out.len / 2) {
        conn->out.len -= conn->sent;
        memmove(conn->out.data, conn->out.data + conn->sent, conn->out.len);
        conn->sent = 0;
    }
}
