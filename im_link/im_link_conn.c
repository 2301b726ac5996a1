/*
 * Copyright (C) The im authors
 *
 * One connection to a server.
 *
 * A call is encoded when it is sent, on the connection that carries it, and
 * dies with that connection: so the generation in it is always the one of the
 * server that runs it.
 */

#include <hiredis/hiredis.h>

#include "im_link_conn.h"


#define IM_LINK_KEEP         65536
#define IM_LINK_MAX_CALLS    65536
#define IM_LINK_MAX_OUT      (64 * 1024 * 1024)
#define IM_LINK_MAX_REPLY    (128 * 1024 * 1024)
#define IM_LINK_MAX_ARRAY    (1024 * 1024)
#define IM_LINK_BACKOFF      50
#define IM_LINK_BACKOFF_MAX  2000


#if (HIREDIS_MAJOR < 1)
typedef int     im_link_elements_t;
#else
typedef size_t  im_link_elements_t;
#endif


/* hiredis' reader, with a limit of the elements of an array. */
typedef struct im_link_reader_s {
    redisReader                *reader;
    redisReplyObjectFunctions   functions;
    void                     *(*array)(const redisReadTask *task,
                                  im_link_elements_t n);
} im_link_reader_t;


/* A call that waits for its reply; of a script, with its arguments. */
typedef struct {
    im_list_t          link;
    im_link_reply_pt   handler;
    void              *data;
    uint64_t           time;
    im_link_call_t     call;
} im_link_waiting_t;


static im_link_reader_t *im_link_reader_create(void);
static void im_link_reader_destroy(im_link_reader_t *reader);
static void *im_link_reader_array(const redisReadTask *task,
    im_link_elements_t n);
static im_int_t im_link_conn_encode(im_link_conn_t *conn,
    const im_link_call_t *call, int text);
static void im_link_conn_wait(im_link_conn_t *conn, im_link_waiting_t *waiting,
    uint64_t now);
static im_link_waiting_t *im_link_conn_first(im_link_conn_t *conn);


void
im_link_conn_init(im_link_conn_t *conn, const char *name,
    const im_link_transport_t *transport, void *server)
{
    memset(conn, 0, sizeof(im_link_conn_t));

    conn->name = name;
    conn->transport = transport;
    conn->server = server;

    im_list_init(&conn->calls);
    im_buf_init(&conn->out, IM_LINK_MAX_OUT);
}


void
im_link_conn_cleanup(im_link_conn_t *conn)
{
    im_buf_cleanup(&conn->out);
}


const char *
im_link_conn_open(im_link_conn_t *conn, void *data, uint64_t now)
{
    const char  *why;

    conn->start = now;
    conn->heard = now;
    conn->asked = now;
    conn->latency = 0;
    conn->failed = 0;

    im_link_conn_enter(conn, IM_LINK_CONNECTING);

    conn->unread = 0;
    conn->reader = im_link_reader_create();

    if (conn->reader == NULL) {
        return "no memory";
    }

    why = NULL;
    conn->socket = conn->transport->connect(data, conn, &why);

    return conn->socket != NULL ? NULL : why;
}


static im_link_reader_t *
im_link_reader_create(void)
{
    im_link_reader_t  *reader;

    reader = im_alloc(sizeof(im_link_reader_t));
    if (reader == NULL) {
        return NULL;
    }

    reader->reader = redisReaderCreate();
    if (reader->reader == NULL) {
        im_free(reader);
        return NULL;
    }

    reader->functions = *reader->reader->fn;
    reader->array = reader->functions.createArray;
    reader->functions.createArray = im_link_reader_array;
    reader->reader->fn = &reader->functions;
    reader->reader->privdata = reader;

    return reader;
}


static void
im_link_reader_destroy(im_link_reader_t *reader)
{
    redisReaderFree(reader->reader);
    im_free(reader);
}


static void *
im_link_reader_array(const redisReadTask *task, im_link_elements_t n)
{
    im_link_reader_t  *reader = task->privdata;

    return (size_t) n <= IM_LINK_MAX_ARRAY ? reader->array(task, n) : NULL;
}


/* Half of the wait is random: programs must not come back in one moment. */
void
im_link_conn_close(im_link_conn_t *conn, uint64_t now, uint32_t random)
{
    if (conn->socket != NULL) {
        conn->transport->close(conn->socket);
        conn->socket = NULL;
    }

    if (conn->reader != NULL) {
        im_link_reader_destroy(conn->reader);
        conn->reader = NULL;
    }

    conn->closes++;
    conn->sent = 0;
    im_buf_reset(&conn->out, IM_LINK_KEEP);

    conn->backoff = im_min(im_max(conn->backoff * 2, IM_LINK_BACKOFF),
                           IM_LINK_BACKOFF_MAX);
    conn->retry = now + conn->backoff / 2 + random % (conn->backoff / 2 + 1);

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


static im_link_waiting_t *
im_link_conn_first(im_link_conn_t *conn)
{
    im_list_t  *q;

    q = im_list_first(&conn->calls);

    im_list_remove(q);
    conn->ncalls--;

    return im_list_data(q, im_link_waiting_t, link);
}


im_int_t
im_link_conn_write(im_link_conn_t *conn, const im_link_call_t *call)
{
    return im_link_conn_encode(conn, call, 0);
}


im_int_t
im_link_conn_send(im_link_conn_t *conn, const im_link_call_t *call,
    im_link_reply_pt handler, void *data, uint64_t now)
{
    size_t              size;
    im_link_waiting_t  *waiting;

    if (conn->ncalls == IM_LINK_MAX_CALLS || call->bytes.failed) {
        return IM_ERROR;
    }

    size = sizeof(im_link_waiting_t);

    if (call->script != NULL) {
        size += im_link_call_size(call);
    }

    waiting = im_alloc(size);

    if (waiting == NULL || im_link_conn_encode(conn, call, 0) != IM_OK) {
        im_free(waiting);
        return IM_ERROR;
    }

    waiting->handler = handler;
    waiting->data = data;
    waiting->call.script = NULL;

    if (call->script != NULL) {
        im_link_call_copy(&waiting->call, call, waiting + 1);
    }

    im_link_conn_wait(conn, waiting, now);

    return IM_OK;
}


/* A call that finds no room leaves no bytes. */
static im_int_t
im_link_conn_encode(im_link_conn_t *conn, const im_link_call_t *call, int text)
{
    size_t  before;

    before = conn->out.len;

    im_link_call_encode(call, &conn->out,
                        im_str_set(conn->generation, IM_LINK_GENERATION),
                        text);

    if (conn->out.failed) {
        conn->out.failed = 0;
        conn->out.len = before;
        return IM_ERROR;
    }

    conn->transport->write(conn->socket);

    return IM_OK;
}


static void
im_link_conn_wait(im_link_conn_t *conn, im_link_waiting_t *waiting,
    uint64_t now)
{
    waiting->time = now;

    im_list_insert_tail(&conn->calls, &waiting->link);
    conn->ncalls++;
}


const char *
im_link_conn_feed(im_link_conn_t *conn, const void *bytes, size_t n)
{
    conn->unread += n;

    if (conn->unread > IM_LINK_MAX_REPLY) {
        return "reply is too big";
    }

    return redisReaderFeed(conn->reader->reader, bytes, n) == REDIS_OK ? NULL
                                                               : "no memory";
}


im_link_reply_t *
im_link_conn_next(im_link_conn_t *conn, const char **why)
{
    void  *reply;

    reply = NULL;

    if (redisReaderGetReply(conn->reader->reader, &reply) != REDIS_OK) {
        *why = "malformed reply";
        return NULL;
    }

    if (reply != NULL) {
        conn->unread = conn->reader->reader->len - conn->reader->reader->pos;
    }

    return reply;
}


/* A server that does not know a script gets its text. */
int
im_link_conn_answer(im_link_conn_t *conn, const im_link_reply_t *reply,
    uint64_t now)
{
    im_link_waiting_t  *waiting;

    static const char  noscript[] = "NOSCRIPT";

    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    waiting = im_link_conn_first(conn);

    conn->latency += now - waiting->time - conn->latency / 8;

    if (waiting->call.script != NULL && im_link_reply_is_error(reply)
        && strncmp(reply->str, noscript, sizeof(noscript) - 1) == 0
        && im_link_conn_encode(conn, &waiting->call, 1) == IM_OK)
    {
        im_link_conn_wait(conn, waiting, now);
        return 1;
    }

    if (waiting->handler != NULL) {
        waiting->handler(reply, waiting->data);
    }

    im_free(waiting);

    return 1;
}


uint64_t
im_link_conn_waits(const im_link_conn_t *conn, uint64_t now)
{
    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    return now - im_list_data(im_list_first(&conn->calls), im_link_waiting_t,
                              link)->time;
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
        return;
    }

    if (conn->sent > IM_LINK_KEEP && conn->sent > conn->out.len / 2) {
        conn->out.len -= conn->sent;
        memmove(conn->out.data, conn->out.data + conn->sent, conn->out.len);
        conn->sent = 0;
    }
}
