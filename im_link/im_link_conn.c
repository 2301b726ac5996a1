/*
 * Copyright (C) The im authors
 *
 * One connection to a server.
 *
 * A call is encoded when it is sent, on the connection that carries it, and
 * dies with that connection: so the generation in it is always the one of the
 * server that runs it.
 *
 * With TLS, bytes from the socket are decrypted before they are read here, and
 * those for the socket are encrypted when it asks for them.
 */

#include <stdio.h>

#include "im_link_conn.h"


#define IM_LINK_KEEP         65536
#define IM_LINK_MAX_CALLS    65536
#define IM_LINK_MAX_OUT      (64 * 1024 * 1024)
#define IM_LINK_MAX_REPLY    (128 * 1024 * 1024)
#define IM_LINK_MAX_ARRAY    (1024 * 1024)
#define IM_LINK_BACKOFF      50
#define IM_LINK_BACKOFF_MAX  2000
#define IM_LINK_LOST         (IM_LINK_TLS_WHY + 64)   /* bytes of a reason */


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
    im_str_t host)
{
    const char  *why;

    conn->start = im_link_conn_now(conn);
    conn->heard = conn->start;
    conn->asked = conn->start;
    conn->latency = 0;
    conn->failed = 0;
    conn->answered = 0;
    conn->local = to->sockaddr.ss_family == AF_UNIX;

    im_link_conn_enter(conn, IM_LINK_CONNECTING);

    conn->unread = 0;
    conn->reader = redisReaderCreate();
    conn->tls = conn->ctx != NULL ? im_link_tls_create(conn->ctx, host) : NULL;

    if (conn->reader == NULL || (conn->ctx != NULL && conn->tls == NULL)) {
        return "no memory";
    }

    conn->functions = *conn->reader->fn;
    conn->array = conn->functions.createArray;
    conn->functions.createArray = im_link_conn_array;
    conn->reader->fn = &conn->functions;
    conn->reader->privdata = conn;

    why = NULL;
    conn->socket = conn->transport->connect(conn->data, conn, to, &why);

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

    if (conn->tls != NULL) {
        im_link_tls_destroy(conn->tls);
        conn->tls = NULL;
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


int
im_link_conn_expects(const im_link_conn_t *conn, im_link_reply_pt handler)
{
    return !im_list_empty(&conn->calls)
           && im_list_data(im_list_first(&conn->calls), im_link_waiting_t,
                           link)->handler == handler;
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


/* TLS has begun and is not done. */
static int
im_link_conn_shaking(const im_link_conn_t *conn)
{
    return conn->state == IM_LINK_CONNECTING && conn->tls != NULL
           && im_link_tls_begun(conn->tls);
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
        return im_link_conn_shaking(conn)
               ? "timed out in the TLS handshake: does the server speak TLS "
                 "on this port?"
               : "timed out while connecting";
    }

    return now - conn->heard > timeout && im_link_conn_waits(conn) > timeout
           ? "no answer in time" : NULL;
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
static const char *
im_link_conn_read(im_link_conn_t *conn, const void *bytes, size_t n)
{
    im_uint_t         closes;
    const char       *why;
    im_link_reply_t  *reply;

    closes = conn->closes;
    conn->answered = 1;

    why = im_link_conn_feed(conn, bytes, n);

    while (why == NULL && conn->closes == closes
           && (reply = im_link_conn_next(conn, &why)) != NULL)
    {
        conn->events->reply(conn, reply);

        freeReplyObject(reply);
    }

    return why;
}


static void
im_link_conn_begin(im_link_conn_t *conn)
{
    im_link_conn_enter(conn, IM_LINK_PREPARING);

    conn->events->connected(conn);
}


/* NULL: it is done or goes on. */
static const char *
im_link_conn_handshake(im_link_conn_t *conn)
{
    im_int_t  rc;

    rc = im_link_tls_handshake(conn->tls);

    if (rc == IM_ERROR) {
        return im_link_tls_why(conn->tls);
    }

    if (im_link_tls_output(conn->tls).len > 0) {
        conn->transport->write(conn->socket);
    }

    if (rc == IM_OK) {
        im_link_conn_begin(conn);
    }

    return NULL;
}


/* What was sent to begin may close the connection, as a reply may. */
static const char *
im_link_conn_decrypt(im_link_conn_t *conn, const void *bytes, size_t n)
{
    u_char       buf[IM_LINK_TLS_READ];
    ssize_t      len;
    im_uint_t    closes;
    const char  *why;

    closes = conn->closes;

    im_link_tls_feed(conn->tls, bytes, n);

    why = im_link_tls_done(conn->tls) ? NULL : im_link_conn_handshake(conn);

    while (why == NULL && conn->closes == closes
           && im_link_tls_done(conn->tls))
    {
        len = im_link_tls_read(conn->tls, buf);

        if (len == IM_AGAIN) {

            if (im_link_tls_output(conn->tls).len > 0) {
                conn->transport->write(conn->socket);
            }

            return NULL;
        }

        why = len < 0 ? im_link_tls_why(conn->tls)
                      : im_link_conn_read(conn, buf, (size_t) len);
    }

    return why;
}


/*
 * The end of a public function.  A reason is copied, since the owner closes the
 * connection, and with it what the reason may be a part of.
 */
static im_int_t
im_link_conn_end(im_link_conn_t *conn, im_link_guard_t *guard, im_uint_t closes,
    const char *why, const char *more)
{
    char      text[IM_LINK_LOST];
    im_int_t  rc;

    if (why != NULL) {
        (void) snprintf(text, sizeof(text), "%s%s", why, more);
        conn->events->lost(conn, text);
    }

    rc = conn->closes == closes ? IM_OK : IM_ERROR;

    im_link_leave(guard);

    return rc;
}


im_int_t
im_link_connected(im_link_conn_t *conn)
{
    im_uint_t         closes;
    const char       *why;
    im_link_guard_t  *guard;

    why = NULL;
    guard = conn->guard;
    closes = conn->closes;

    im_link_enter(guard);

    conn->heard = im_link_conn_now(conn);

    if (conn->tls != NULL) {
        why = im_link_conn_handshake(conn);

    } else {
        im_link_conn_begin(conn);
    }

    return im_link_conn_end(conn, guard, closes, why, "");
}


im_int_t
im_link_received(im_link_conn_t *conn, const void *bytes, size_t n)
{
    im_uint_t         closes;
    const char       *why;
    im_link_guard_t  *guard;

    guard = conn->guard;
    closes = conn->closes;

    im_link_enter(guard);

    conn->heard = im_link_conn_now(conn);

    why = conn->tls != NULL ? im_link_conn_decrypt(conn, bytes, n)
                            : im_link_conn_read(conn, bytes, n);

    return im_link_conn_end(conn, guard, closes, why, "");
}


/* A port that wants TLS takes a command for a broken handshake. */
void
im_link_closed(im_link_conn_t *conn, const char *why)
{
    const char       *more;
    im_link_guard_t  *guard;

    guard = conn->guard;
    more = "";

    if (im_link_conn_shaking(conn)) {
        more = " in the TLS handshake";

    } else if (conn->tls == NULL && conn->state == IM_LINK_PREPARING
               && !conn->answered && !conn->local)
    {
        more = " before its first answer: does this port want TLS (tls=on)?";
    }

    im_link_enter(guard);

    (void) im_link_conn_end(conn, guard, conn->closes, why, more);
}


static void
im_link_conn_taken(im_link_conn_t *conn, size_t n)
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


static im_str_t
im_link_conn_untaken(const im_link_conn_t *conn)
{
    return im_str_set(conn->out.data + conn->sent, conn->out.len - conn->sent);
}


/* A record at a time: what the socket doesn't take stays as it is. */
static im_str_t
im_link_conn_encrypt(im_link_conn_t *conn)
{
    size_t    n;
    im_str_t  out;

    out = im_link_conn_untaken(conn);

    if (out.len > 0 && im_link_tls_done(conn->tls) && !conn->failed
        && im_link_tls_output(conn->tls).len == 0)
    {
        n = im_min(out.len, IM_LINK_TLS_READ);

        if (im_link_tls_write(conn->tls, out.data, n) == IM_OK) {
            im_link_conn_taken(conn, n);

        } else {
            conn->failed = 1;
        }
    }

    return im_link_tls_output(conn->tls);
}


im_str_t
im_link_output(im_link_conn_t *conn)
{
    return conn->tls != NULL ? im_link_conn_encrypt(conn)
                             : im_link_conn_untaken(conn);
}


void
im_link_sent(im_link_conn_t *conn, size_t n)
{
    if (conn->tls != NULL) {
        im_link_tls_sent(conn->tls, n);

    } else {
        im_link_conn_taken(conn, n);
    }
}
