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
    return im_link_clock(conn->clock);
}


uint64_t
im_link_conn_due(const im_link_conn_t *conn)
{
    return conn->near ? im_link_clock_near(conn->clock)
                      : im_link_clock(conn->clock);
}


/* By a unix socket or the loopback interface. */
static int
im_link_conn_is_near(const im_link_address_t *to)
{
    const struct sockaddr_in   *in;
    const struct sockaddr_in6  *in6;

    switch (to->sockaddr.ss_family) {

    case AF_UNIX:
        return 1;

    case AF_INET:
        in = (const struct sockaddr_in *) &to->sockaddr;
        return (ntohl(in->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;

    case AF_INET6:
        in6 = (const struct sockaddr_in6 *) &to->sockaddr;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);

    default:
        return 0;
    }
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

    conn->near = im_link_conn_is_near(to);
    conn->start = im_link_conn_due(conn);
    conn->silent = conn->start;
    conn->asked = im_link_conn_now(conn);
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


static im_link_kept_t *
im_link_conn_first(im_link_conn_t *conn)
{
    im_list_t  *q;

    q = im_list_first(&conn->calls);

    im_list_remove(q);
    conn->ncalls--;

    return im_list_data(q, im_link_kept_t, link);
}


static void
im_link_conn_add(im_link_conn_t *conn, im_link_kept_t *kept)
{
    kept->time = im_link_conn_now(conn);

    if (conn->ncalls == 0) {
        conn->silent = im_link_conn_due(conn);
    }

    im_list_insert_tail(&conn->calls, &kept->link);
    conn->ncalls++;
}


/* A handler may destroy the link, which fails the rest. */
void
im_link_conn_fail(im_link_conn_t *conn)
{
    im_link_kept_t  *kept;

    while (!im_list_empty(&conn->calls)) {
        kept = im_link_conn_first(conn);

        if (kept->handler != NULL) {
            kept->handler(NULL, kept->data);
        }

        im_free(kept);
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
im_link_conn_write(im_link_conn_t *conn, const im_link_call_t *call)
{
    size_t           before;
    im_link_place_t  place;

    before = conn->out.len;

    im_link_call_encode(call, &conn->out,
                        im_str_set(conn->generation, IM_LINK_GENERATION),
                        &place);

    return im_link_conn_written(conn, before);
}


/* The bytes from start on are those of the call. */
static im_link_kept_t *
im_link_kept_copy(const im_link_call_t *call, const im_buf_t *buf, size_t start,
    const im_link_place_t *place)
{
    size_t           at;
    im_link_kept_t  *kept;

    at = buf->len;

    if (call->script != NULL) {
        at = place->tail;

    } else if (call->number != 0) {
        at = start;
    }

    kept = im_alloc(sizeof(im_link_kept_t) + buf->len - at);
    if (kept == NULL) {
        return NULL;
    }

    memset(kept, 0, sizeof(im_link_kept_t));

    kept->number = call->number;
    kept->script = call->script;
    kept->nargs = call->nargs;
    kept->nkeys = call->nkeys;
    kept->slot = call->slot;
    kept->generation = place->generation > at ? place->generation - at : 0;
    kept->len = buf->len - at;
    memcpy(kept->bytes, buf->data + at, kept->len);

    return kept;
}


im_int_t
im_link_conn_send(im_link_conn_t *conn, const im_link_call_t *call,
    im_link_reply_pt handler, void *data)
{
    size_t            before;
    im_link_kept_t   *kept;
    im_link_place_t   place;

    before = conn->out.len;

    if (conn->ncalls == IM_LINK_MAX_CALLS) {
        return IM_ERROR;
    }

    im_link_call_encode(call, &conn->out,
                        im_str_set(conn->generation, IM_LINK_GENERATION),
                        &place);

    if (im_link_conn_written(conn, before) != IM_OK) {
        return IM_ERROR;
    }

    kept = im_link_kept_copy(call, &conn->out, before, &place);
    if (kept == NULL) {
        conn->out.len = before;
        return IM_ERROR;
    }

    kept->handler = handler;
    kept->data = data;

    im_link_conn_add(conn, kept);

    kept->since = kept->time;

    return IM_OK;
}


im_link_kept_t *
im_link_kept_create(const im_link_call_t *call, im_buf_t *buf, uint64_t now,
    im_link_reply_pt handler, void *data)
{
    im_link_kept_t   *kept;
    im_link_place_t   place;

    static u_char  none[IM_LINK_GENERATION];

    im_buf_reset(buf, IM_LINK_KEEP);
    im_link_call_encode(call, buf, im_str_set(none, IM_LINK_GENERATION),
                        &place);

    kept = !buf->failed ? im_link_kept_copy(call, buf, 0, &place) : NULL;

    if (kept != NULL) {
        kept->handler = handler;
        kept->data = data;
        kept->since = now;
    }

    return kept;
}


/* ASKING counts for the next command alone. */
static im_int_t
im_link_conn_put(im_link_conn_t *conn, im_link_kept_t *kept, int text)
{
    size_t           before;
    im_link_kept_t  *asking;

    before = conn->out.len;
    asking = NULL;

    if (conn->ncalls + 2 > IM_LINK_MAX_CALLS) {
        return IM_ERROR;
    }

    if (kept->asking) {
        asking = im_calloc(sizeof(im_link_kept_t));

        if (asking == NULL) {
            return IM_ERROR;
        }

        im_buf_add_z(&conn->out, "*1\r\n$6\r\nASKING\r\n");
    }

    if (kept->generation != 0) {
        memcpy(kept->bytes + kept->generation, conn->generation,
               IM_LINK_GENERATION);
    }

    if (text) {
        im_link_call_encode_text(kept->script, kept->nargs,
                                 im_str_set(kept->bytes, kept->len),
                                 &conn->out);

    } else {

        if (kept->script != NULL) {
            im_link_call_encode_sha(kept->script, kept->nargs, &conn->out);
        }

        im_buf_add(&conn->out, kept->bytes, kept->len);
    }

    if (im_link_conn_written(conn, before) != IM_OK) {
        im_free(asking);
        return IM_ERROR;
    }

    if (asking != NULL) {
        im_link_conn_add(conn, asking);
    }

    im_link_conn_add(conn, kept);

    return IM_OK;
}


im_int_t
im_link_conn_send_again(im_link_conn_t *conn, im_link_kept_t *kept)
{
    return im_link_conn_put(conn, kept, 0);
}


/* A server that does not know a script gets its text. */
static int
im_link_conn_refused(im_link_conn_t *conn, im_link_kept_t *kept,
    const im_link_reply_t *reply)
{
    if (!im_link_reply_is_error(reply)) {
        return 0;
    }

    if (kept->script != NULL && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        return im_link_conn_put(conn, kept, 1) == IM_OK;
    }

    return conn->events->error != NULL
           && conn->events->error(conn, kept, reply);
}


int
im_link_conn_answer(im_link_conn_t *conn, const im_link_reply_t *reply)
{
    im_link_kept_t  *kept;

    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    kept = im_link_conn_first(conn);

    conn->latency += im_link_conn_now(conn) - kept->time - conn->latency / 8;

    if (im_link_conn_refused(conn, kept, reply)) {
        return 1;
    }

    if (kept->handler != NULL) {
        kept->handler(reply, kept->data);
    }

    im_free(kept);

    return 1;
}


int
im_link_conn_expects(const im_link_conn_t *conn, im_link_reply_pt handler)
{
    return !im_list_empty(&conn->calls)
           && im_list_data(im_list_first(&conn->calls), im_link_kept_t,
                           link)->handler == handler;
}


uint64_t
im_link_conn_waits(const im_link_conn_t *conn)
{
    if (im_list_empty(&conn->calls)) {
        return 0;
    }

    return im_link_conn_now(conn)
           - im_list_data(im_list_first(&conn->calls), im_link_kept_t,
                          link)->time;
}


/* TLS has begun and is not done. */
static int
im_link_conn_shaking(const im_link_conn_t *conn)
{
    return conn->state == IM_LINK_CONNECTING && conn->tls != NULL
           && im_link_tls_begun(conn->tls);
}


int
im_link_conn_unfit(const im_link_conn_t *conn)
{
    return im_link_conn_shaking(conn)
           && im_link_tls_why(conn->tls)[0] != '\0';
}


/* Replies that come, however slowly, are not late. */
const char *
im_link_conn_late(const im_link_conn_t *conn, uint64_t timeout)
{
    uint64_t  now;

    now = im_link_conn_due(conn);

    if (conn->failed) {
        return "no memory";
    }

    if (conn->state < IM_LINK_READY && now - conn->start > timeout) {
        return im_link_conn_shaking(conn)
               ? "timed out in the TLS handshake: does the server speak TLS "
                 "on this port?"
               : "timed out while connecting";
    }

    return now - conn->silent > timeout && conn->ncalls > 0
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
        *why = "malformed reply: is it a Redis?";
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

    conn->silent = im_link_conn_due(conn);

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

    conn->silent = im_link_conn_due(conn);

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
