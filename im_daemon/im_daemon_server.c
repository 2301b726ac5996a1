/*
 * Copyright (C) The im authors
 *
 * A listener and its connections.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "im_daemon_server.h"
#include "im_daemon_peer.h"
#include "im_json.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"


#define IM_SERVER_TICK        500                /* ms */
#define IM_SERVER_LINGER      5000               /* ms */
#define IM_SERVER_LOG         10000              /* ms between equal lines */
#define IM_SERVER_READ        (64 * 1024)        /* that waits, at most */
#define IM_SERVER_ONCE        (16 * 1024)        /* of one read */
#define IM_SERVER_MAX_HEAD    2048
#define IM_SERVER_MAX_REPLY   (8 * 1024 * 1024)
#define IM_SERVER_MAX_HELD    (256 * 1024 * 1024)   /* requests that come in */
#define IM_SERVER_OWN         64                 /* descriptors for others */
#define IM_SERVER_LEAST       16                 /* connections */
#define IM_SERVER_ADDRESS     64


typedef enum {
    IM_CONN_NEW = 0,          /* nothing has come */
    IM_CONN_IDLE,             /* between two requests */
    IM_CONN_READING,          /* a request has begun */
    IM_CONN_ANSWERING,        /* the handler has it */
    IM_CONN_SENDING,          /* the last answer goes out */
    IM_CONN_LINGERING,        /* the peer may read it before we close */
    IM_CONN_GONE,             /* the handler has a request without a peer */
    IM_CONN_STATES
} im_daemon_conn_e;


struct im_daemon_server_s {
    struct evconnlistener   *listeners[IM_DAEMON_LISTEN_MAX];
    im_uint_t                nlisteners;
    struct event_base       *base;
    struct event            *tick;
    im_daemon_server_conf_t  conf;
    im_daemon_peers_t        peers;
    im_list_t                conns[IM_CONN_STATES];   /* the oldest first */
    uint64_t                 timeouts[IM_CONN_STATES];   /* ms; 0: none */
    im_uint_t                max;
    size_t                   held;
    uint64_t                 logged;
    uint64_t                 unlogged;
    uint64_t                 failed;        /* accept(), since then; 0: no */
    uint64_t                 accepted;      /* connections */
    uint64_t                 gave_way;
    unsigned                 closing:1;
    unsigned                 paused:1;
    unsigned                 begun:1;
    unsigned                 remote:1;
};


typedef struct {
    im_daemon_request_t   request;       /* first: the handler returns it */
    im_list_t             link;          /* of a state */
    im_list_t             waits;         /* of its peer, where it may go */
    im_daemon_server_t   *server;
    im_daemon_peer_t     *peer;
    struct event         *read;
    struct evbuffer      *in;
    struct bufferevent   *bev;           /* writes alone */
    im_daemon_conn_e      state;
    uint64_t              since;         /* ms, in this state */
    size_t                held;
    im_daemon_codec_t     codec;
    char                  address[IM_SERVER_ADDRESS];
    unsigned              last:1;        /* no request comes behind this one */
    unsigned              ended:1;       /* the peer sends no more */
} im_daemon_conn_t;


static int
im_daemon_conn_waits(im_daemon_conn_e state)
{
    return state != IM_CONN_ANSWERING && state != IM_CONN_GONE;
}


static void
im_daemon_conn_set(im_daemon_conn_t *c, im_daemon_conn_e state)
{
    if (c->state == state && !im_list_empty(&c->link)) {
        return;
    }

    c->state = state;
    c->since = im_daemon_now();

    im_list_remove(&c->link);
    im_list_insert_tail(&c->server->conns[state], &c->link);

    im_list_remove(&c->waits);

    if (im_daemon_conn_waits(state)) {
        im_list_insert_tail(&c->peer->waiting, &c->waits);
    }
}


static void
im_daemon_conn_hold(im_daemon_conn_t *c, size_t held)
{
    c->server->held += held - c->held;
    c->held = held;
}


/* The socket and what belongs to it. */
static void
im_daemon_conn_shut(im_daemon_conn_t *c)
{
    if (c->read != NULL) {
        event_free(c->read);
        c->read = NULL;
    }

    if (c->in != NULL) {
        evbuffer_free(c->in);
        c->in = NULL;
    }

    if (c->bev != NULL) {
        bufferevent_free(c->bev);
        c->bev = NULL;
    }
}


static void
im_daemon_conn_close(im_daemon_conn_t *c)
{
    im_daemon_conn_shut(c);

    if (c->state == IM_CONN_ANSWERING) {
        im_daemon_conn_set(c, IM_CONN_GONE);
        return;
    }

    im_list_remove(&c->link);
    im_list_remove(&c->waits);

    im_daemon_conn_hold(c, 0);
    im_daemon_end(&c->request);
    c->server->conf.transport->cleanup(&c->codec);

    im_daemon_peers_remove(&c->server->peers, c->peer);
    im_free(c);
}


static void
im_daemon_conn_add_header(void *data, const char *name, const char *value)
{
    im_buf_add_z(data, name);
    im_buf_add_z(data, ": ");
    im_buf_add_z(data, value);
    im_buf_add_z(data, "\r\n");
}


/* Most answers find room in the socket, and cost no other system call. */
static im_int_t
im_daemon_conn_write(im_daemon_conn_t *c, im_str_t bytes)
{
    ssize_t  n;

    n = 0;

    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
        n = send(bufferevent_getfd(c->bev), bytes.data, bytes.len,
                 MSG_NOSIGNAL);
        n = im_max(n, 0);
    }

    if ((size_t) n == bytes.len) {
        return IM_OK;
    }

    return bufferevent_write(c->bev, bytes.data + n, bytes.len - n) == 0
           ? IM_OK : IM_ERROR;
}


static im_int_t
im_daemon_conn_answer(im_daemon_conn_t *c, im_uint_t status, im_str_t json)
{
    im_int_t                      rc;
    im_buf_t                      b, head;
    im_daemon_answer_t            answer;
    const im_daemon_transport_t  *t;

    t = c->server->conf.transport;

    c->last = c->last || !t->keep(&c->codec) || c->server->closing;

    im_buf_init(&head, IM_SERVER_MAX_HEAD);
    im_daemon_headers(&c->request, im_daemon_conn_add_header, &head);

    answer.status = status;
    answer.reason = im_daemon_status(status);
    answer.headers = im_buf_str(&head);
    answer.body = json;
    answer.last = c->last;

    im_buf_init(&b, IM_SERVER_MAX_REPLY);
    t->encode(&c->codec, &b, &answer);

    rc = head.failed || b.failed ? IM_ERROR
                                 : im_daemon_conn_write(c, im_buf_str(&b));

    im_buf_cleanup(&head);
    im_buf_cleanup(&b);

    return rc;
}


/* Calls the handler in a turn of its own. */
static void
im_daemon_conn_trigger(im_daemon_conn_t *c)
{
    bufferevent_trigger(c->bev, c->last ? EV_WRITE : EV_READ,
                        BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}


static void
im_daemon_conn_reply(im_daemon_request_t *r, im_uint_t status, im_str_t json)
{
    im_int_t                      rc;
    im_daemon_conn_t             *c;
    const im_daemon_transport_t  *t;

    c = (im_daemon_conn_t *) r;
    t = c->server->conf.transport;

    if (c->state == IM_CONN_GONE) {
        im_daemon_conn_set(c, IM_CONN_SENDING);
        im_daemon_conn_close(c);
        return;
    }

    rc = im_daemon_conn_answer(c, status, json);

    im_daemon_end(r);
    t->next(&c->codec);
    im_daemon_conn_hold(c, t->held(&c->codec));

    im_daemon_conn_set(c, c->last ? IM_CONN_SENDING : IM_CONN_IDLE);

    if (rc != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "an answer could not be written");
        im_daemon_conn_close(c);
        return;
    }

    /* bytes that were read already give no event, nor do bytes that are sent */
    if (c->last || c->ended || evbuffer_get_length(c->in) != 0)
    {
        im_daemon_conn_trigger(c);
    }
}


static void
im_daemon_conn_request(im_daemon_conn_t *c)
{
    im_daemon_request_t  *r;

    r = &c->request;

    memset(r, 0, sizeof(im_daemon_request_t));

    r->reply = im_daemon_conn_reply;
    r->data = c->server->conf.data;
    r->address = im_str_z(c->address);

    im_daemon_conn_set(c, IM_CONN_ANSWERING);
}


/* A request that no handler gets. */
static void
im_daemon_conn_refuse(im_daemon_conn_t *c, im_uint_t status, const char *why)
{
    im_buf_t  b;

    im_buf_init(&b, IM_SERVER_MAX_HEAD);
    im_buf_add_z(&b, "{\"code\":");
    im_buf_add_uint(&b, status);
    im_buf_add_z(&b, ",\"msg\":");
    im_json_add_string(&b, im_str_z(why));
    im_buf_add_z(&b, "}\n");

    c->last = 1;

    im_daemon_conn_reply(&c->request, status, im_buf_str(&b));

    im_buf_cleanup(&b);
}


/* The peer won't finish its request. */
static void
im_daemon_conn_break(im_daemon_conn_t *c, im_uint_t status, const char *why)
{
    if (c->state != IM_CONN_READING || !c->server->conf.transport->refuses) {
        im_daemon_conn_close(c);
        return;
    }

    im_daemon_conn_request(c);
    im_daemon_conn_refuse(c, status, why);
}


/* A request is complete, or broken. */
static void
im_daemon_conn_handle(im_daemon_conn_t *c)
{
    im_int_t                        rc;
    im_str_t                        proxied;
    const im_daemon_server_conf_t  *conf;

    conf = &c->server->conf;
    proxied = im_str_z(conf->real_ip != NULL ? conf->real_ip : "");

    im_daemon_conn_request(c);

    rc = conf->transport->fill(&c->codec, &c->request, proxied);

    if (rc == IM_ERROR) {
        im_daemon_log(IM_LOG_INFO, "malformed parameters of a request");
        im_daemon_conn_set(c, IM_CONN_SENDING);
        im_daemon_conn_close(c);

    } else if (rc == IM_DECLINED) {
        im_daemon_conn_refuse(c, c->request.fault, c->request.why);

    } else {
        conf->handler(&c->request);
    }
}


/* A line about what gives way is due; else it is counted. */
static int
im_daemon_server_logs(im_daemon_server_t *server)
{
    uint64_t  now;

    now = im_daemon_now();

    if (server->logged != 0 && now - server->logged < IM_SERVER_LOG) {
        server->unlogged++;
        return 0;
    }

    server->logged = now;

    return 1;
}


/* Memory is for those that come first. */
static void
im_daemon_server_shed(im_daemon_server_t *server)
{
    im_list_t  *q;

    while (server->held > IM_SERVER_MAX_HELD) {
        q = im_list_last(&server->conns[IM_CONN_READING]);

        if (q == im_list_sentinel(&server->conns[IM_CONN_READING])) {
            return;
        }

        if (im_daemon_server_logs(server)) {
            im_daemon_log(IM_LOG_WARN, "requests that come in hold too much "
                          "memory: the newest gives way (%u such since the "
                          "last line)", (unsigned) server->unlogged);
            server->unlogged = 0;
        }

        im_daemon_conn_close(im_list_data(q, im_daemon_conn_t, link));
    }
}


/* It reads on when there is room for more. */
static void
im_daemon_conn_drain(im_daemon_conn_t *c, size_t n)
{
    (void) evbuffer_drain(c->in, n);

    if (!c->ended && evbuffer_get_length(c->in) < IM_SERVER_READ) {
        (void) event_add(c->read, NULL);
    }
}


static im_int_t
im_daemon_conn_decode(im_daemon_conn_t *c)
{
    size_t                        len;
    im_int_t                      rc;
    im_str_t                      interim;
    const u_char                 *p, *start;
    const im_daemon_transport_t  *t;

    t = c->server->conf.transport;

    len = evbuffer_get_contiguous_space(c->in);
    start = evbuffer_pullup(c->in, (ev_ssize_t) len);
    p = start;

    rc = t->decode(&c->codec, &p, start + len);
    im_daemon_conn_drain(c, (size_t) (p - start));

    im_daemon_conn_hold(c, t->held(&c->codec));

    if (rc == IM_AGAIN && evbuffer_get_length(c->in) == 0) {
        interim = t->interim(&c->codec);

        if (interim.len != 0 && im_daemon_conn_write(c, interim) != IM_OK) {
            return IM_ERROR;
        }
    }

    return rc;
}


/* A peer that has sent all may wait for its answers. */
static void
im_daemon_conn_end(im_daemon_conn_t *c)
{
    if (c->state == IM_CONN_READING) {
        im_daemon_conn_break(c, 400, "the request ends before its end");
        return;
    }

    c->last = 1;

    im_daemon_conn_set(c, IM_CONN_SENDING);
    im_daemon_conn_trigger(c);
}


static void
im_daemon_conn_read_handler(struct bufferevent *bev, void *data)
{
    im_int_t             rc;
    im_daemon_conn_t    *c = data;
    im_daemon_server_t  *server;

    server = c->server;

    if (c->state == IM_CONN_SENDING || c->state == IM_CONN_LINGERING) {
        im_daemon_conn_drain(c, evbuffer_get_length(c->in));
        return;
    }

    while (c->state != IM_CONN_ANSWERING && evbuffer_get_length(c->in) != 0) {
        rc = im_daemon_conn_decode(c);

        if (rc == IM_ERROR) {
            im_daemon_log(IM_LOG_INFO, "a connection broke the protocol, "
                          "asked too much or gave up");
            im_daemon_conn_close(c);
            return;
        }

        if (rc == IM_OK) {
            im_daemon_conn_handle(c);
            return;
        }

        if (!server->conf.transport->idle(&c->codec)) {
            im_daemon_conn_set(c, IM_CONN_READING);
        }
    }

    if (c->ended && c->state != IM_CONN_ANSWERING) {
        im_daemon_conn_end(c);
    }

    im_daemon_server_shed(server);
}


static void
im_daemon_conn_write_handler(struct bufferevent *bev, void *data)
{
    im_daemon_conn_t  *c = data;

    if (c->state != IM_CONN_SENDING
        || evbuffer_get_length(bufferevent_get_output(bev)) != 0)
    {
        return;
    }

    if (!c->server->conf.transport->refuses || c->ended || c->server->closing)
    {
        im_daemon_conn_close(c);
        return;
    }

    /* closed with bytes unread, the answer could be lost */
    (void) shutdown(bufferevent_getfd(bev), SHUT_WR);
    im_daemon_conn_set(c, IM_CONN_LINGERING);
}


/* An answer finds no way. */
static void
im_daemon_conn_event_handler(struct bufferevent *bev, short what, void *data)
{
    im_daemon_conn_close(data);
}


static void
im_daemon_conn_eof(im_daemon_conn_t *c)
{
    if (c->state == IM_CONN_LINGERING) {
        im_daemon_conn_close(c);
        return;
    }

    c->ended = 1;
    (void) event_del(c->read);

    if (c->state != IM_CONN_ANSWERING && c->state != IM_CONN_SENDING) {
        im_daemon_conn_end(c);
    }
}


/* A bufferevent would ask first how much there is. */
static void
im_daemon_conn_readable(evutil_socket_t fd, short what, void *data)
{
    u_char             buf[IM_SERVER_ONCE];
    ssize_t            n;
    im_daemon_conn_t  *c = data;

    n = recv(fd, buf, sizeof(buf), 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }

    if (n == 0) {
        im_daemon_conn_eof(c);
        return;
    }

    if (n == -1 || evbuffer_add(c->in, buf, (size_t) n) == -1) {
        im_daemon_conn_close(c);
        return;
    }

    if (evbuffer_get_length(c->in) >= IM_SERVER_READ) {
        (void) event_del(c->read);
    }

    im_daemon_conn_read_handler(c->bev, c);
}


static void
im_daemon_server_give_way(im_daemon_server_t *server, im_list_t *waits)
{
    im_daemon_conn_t  *c;

    c = im_list_data(waits, im_daemon_conn_t, waits);
    server->gave_way++;

    if (im_daemon_server_logs(server)) {
        im_daemon_log(IM_LOG_WARN, "%u connections are open, %u of them of "
                      "one peer%s%s: its oldest one gives way (%u such "
                      "since the last line)", (unsigned) server->peers.n,
                      (unsigned) c->peer->group->n,
                      c->address[0] != '\0' ? ", " : "", c->address,
                      (unsigned) server->unlogged);
        server->unlogged = 0;
    }

    im_daemon_conn_close(c);
}


/* The newcomer is counted, but doesn't wait yet. */
static im_int_t
im_daemon_server_place(im_daemon_server_t *server, im_daemon_peer_t *peer)
{
    im_list_t  *waits;

    if (peer->group->n > server->max - server->max / 8) {
        waits = im_daemon_peers_victim(&server->peers, peer->group);

    } else if (server->peers.n > server->max) {
        waits = im_daemon_peers_victim(&server->peers, NULL);

    } else {
        return IM_OK;
    }

    if (waits == NULL) {
        return IM_ERROR;
    }

    im_daemon_server_give_way(server, waits);

    return IM_OK;
}


static void
im_daemon_conn_name(im_daemon_conn_t *c, const struct sockaddr *sa)
{
    const void                 *in;
    const struct sockaddr_in6  *in6;

    in6 = (const struct sockaddr_in6 *) sa;

    if (sa->sa_family == AF_INET) {
        in = &((const struct sockaddr_in *) sa)->sin_addr;

    } else if (sa->sa_family == AF_INET6) {
        in = &in6->sin6_addr;

    } else {
        return;
    }

    if (inet_ntop(sa->sa_family, in, c->address, sizeof(c->address)) == NULL) {
        c->address[0] = '\0';
    }
}


/* IM_ERROR: the descriptor remains the caller's. */
static im_int_t
im_daemon_conn_open(im_daemon_conn_t *c, int fd)
{
    c->in = evbuffer_new();
    c->read = event_new(c->server->base, fd, EV_READ|EV_PERSIST,
                        im_daemon_conn_readable, c);

    if (c->in == NULL || c->read == NULL || event_add(c->read, NULL) == -1) {
        return IM_ERROR;
    }

    c->bev = bufferevent_socket_new(c->server->base, fd,
                                    BEV_OPT_CLOSE_ON_FREE);

    return c->bev != NULL ? IM_OK : IM_ERROR;
}


static im_daemon_conn_t *
im_daemon_conn_create(im_daemon_server_t *server, int fd,
    const struct sockaddr *sa)
{
    im_daemon_conn_t     *c;
    im_daemon_peer_key_t  key;

    im_daemon_peer_key(&key, fd, sa);

    c = im_calloc(sizeof(im_daemon_conn_t));
    if (c == NULL) {
        return NULL;
    }

    c->server = server;

    im_list_init(&c->link);
    im_list_init(&c->waits);
    im_daemon_conn_name(c, sa);

    c->peer = im_daemon_peers_add(&server->peers, &key);

    if (c->peer == NULL) {
        im_free(c);
        return NULL;
    }

    if (im_daemon_server_place(server, c->peer) != IM_OK
        || im_daemon_conn_open(c, fd) != IM_OK)
    {
        im_daemon_conn_shut(c);
        im_daemon_peers_remove(&server->peers, c->peer);
        im_free(c);
        return NULL;
    }

    server->conf.transport->init(&c->codec, server->conf.max_body);
    im_daemon_conn_set(c, IM_CONN_NEW);

    return c;
}


static void
im_daemon_server_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *addr, int len, void *data)
{
    im_daemon_conn_t    *c;
    struct timeval       tv;
    im_daemon_server_t  *server = data;

    c = im_daemon_conn_create(server, fd, addr);

    if (c == NULL) {
        (void) close(fd);
        return;
    }

    server->accepted++;

    tv.tv_sec = (time_t) server->conf.request_timeout;
    tv.tv_usec = 0;

    bufferevent_set_timeouts(c->bev, NULL, &tv);
    bufferevent_setcb(c->bev, im_daemon_conn_read_handler,
                      im_daemon_conn_write_handler,
                      im_daemon_conn_event_handler, c);
}


/*
 * Mostly for want of descriptors: a connection that waits gives one back.
 * However often it fails in a row, it is one line.
 */
static void
im_daemon_server_accept_error(struct evconnlistener *listener, void *data)
{
    im_uint_t            i;
    im_list_t           *waits;
    im_daemon_server_t  *server = data;

    waits = im_daemon_peers_victim(&server->peers, NULL);

    if (waits != NULL) {
        im_daemon_server_give_way(server, waits);
        return;
    }

    if (server->failed == 0) {
        server->failed = im_daemon_now();

        im_daemon_log(IM_LOG_ERROR, "accept() failed, and is tried again: %s",
                      evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    }

    for (i = 0; i < server->nlisteners; i++) {
        (void) evconnlistener_disable(server->listeners[i]);
    }

    server->paused = 1;
}


void
im_daemon_server_begin(im_daemon_server_t *server)
{
    im_uint_t  i;

    server->begun = 1;
    server->paused = 0;

    for (i = 0; i < server->nlisteners; i++) {
        (void) evconnlistener_enable(server->listeners[i]);
    }
}


/* Listeners that have been on since the last tick have no fault. */
static void
im_daemon_server_accept_tick(im_daemon_server_t *server, uint64_t now)
{
    if (server->paused && server->begun) {
        im_daemon_server_begin(server);

    } else if (!server->paused && server->failed != 0) {
        im_daemon_log(IM_LOG_NOTICE, "accept() succeeds again, after %lu ms",
                      (unsigned long) (now - server->failed));
        server->failed = 0;
    }
}


static void
im_daemon_server_tick(evutil_socket_t fd, short what, void *data)
{
    uint64_t             now;
    im_uint_t            i;
    im_list_t           *q;
    im_daemon_conn_t    *c;
    im_daemon_server_t  *server = data;

    now = im_daemon_now();

    for (i = 0; i < IM_CONN_STATES; i++) {

        while (server->timeouts[i] != 0 && !im_list_empty(&server->conns[i])) {
            q = im_list_first(&server->conns[i]);
            c = im_list_data(q, im_daemon_conn_t, link);

            if (now - c->since < server->timeouts[i]) {
                break;
            }

            im_daemon_conn_break(c, 408, "the request did not end in time");
        }
    }

    im_daemon_server_accept_tick(server, now);
}


/* A socket that other machines can reach. */
static int
im_daemon_server_far(int fd)
{
    socklen_t                 len;
    struct sockaddr_storage   ss;
    const struct in6_addr    *in6;

    len = sizeof(ss);
    memset(&ss, 0, len);

    if (getsockname(fd, (struct sockaddr *) &ss, &len) == -1) {
        return 1;
    }

    if (ss.ss_family == AF_INET) {
        return ntohl(((struct sockaddr_in *) &ss)->sin_addr.s_addr) >> 24
               != 127;
    }

    if (ss.ss_family == AF_INET6) {
        in6 = &((struct sockaddr_in6 *) &ss)->sin6_addr;

        return !IN6_IS_ADDR_LOOPBACK(in6)
               && !(IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
    }

    return 0;
}


/* Takes over the descriptors.  IM_ERROR: no memory. */
static im_int_t
im_daemon_server_listen(im_daemon_server_t *server, const int *fds, int n)
{
    int                     i;
    struct evconnlistener  *listener;

    for (i = 0; i < n; i++) {
        server->remote |= im_daemon_server_far(fds[i]);

        listener = evconnlistener_new(server->base, im_daemon_server_accept,
                                      server, LEV_OPT_CLOSE_ON_FREE
                                      | LEV_OPT_CLOSE_ON_EXEC
                                      | LEV_OPT_DISABLED, 0, fds[i]);

        if (listener == NULL) {
            while (i < n) {
                (void) close(fds[i++]);
            }

            return IM_ERROR;
        }

        evconnlistener_set_error_cb(listener, im_daemon_server_accept_error);
        server->listeners[server->nlisteners++] = listener;
    }

    return IM_OK;
}


/* Half of the descriptors at most, since there may be another listener. */
static im_uint_t
im_daemon_server_max(void)
{
    im_uint_t      n;
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1
        || limit.rlim_cur >= 2 * IM_SERVER_MAX_CONNECTIONS + IM_SERVER_OWN)
    {
        return IM_SERVER_MAX_CONNECTIONS;
    }

    n = limit.rlim_cur > IM_SERVER_OWN
        ? (im_uint_t) (limit.rlim_cur - IM_SERVER_OWN) / 2 : 0;

    return im_max(n, IM_SERVER_LEAST);
}


static im_int_t
im_daemon_server_init(im_daemon_server_t *server)
{
    im_uint_t       i;
    struct timeval  tv = { 0, IM_SERVER_TICK * 1000 };

    for (i = 0; i < IM_CONN_STATES; i++) {
        im_list_init(&server->conns[i]);
    }

    server->max = im_daemon_server_max();
    server->timeouts[IM_CONN_NEW] = server->conf.request_timeout * 1000;
    server->timeouts[IM_CONN_READING] = server->conf.request_timeout * 1000;
    server->timeouts[IM_CONN_IDLE] = server->conf.idle_timeout * 1000;
    server->timeouts[IM_CONN_LINGERING] = IM_SERVER_LINGER;

    if (im_daemon_peers_init(&server->peers, server->conf.seed) != IM_OK) {
        return IM_ERROR;
    }

    server->tick = event_new(server->base, -1, EV_PERSIST,
                             im_daemon_server_tick, server);

    return server->tick != NULL && event_add(server->tick, &tv) == 0
           ? IM_OK : IM_ERROR;
}


im_daemon_server_t *
im_daemon_server_create(struct event_base *base, const char *address,
    const im_daemon_server_conf_t *conf)
{
    int                  n, fds[IM_DAEMON_LISTEN_MAX];
    im_daemon_server_t  *server;

    server = im_calloc(sizeof(im_daemon_server_t));
    if (server == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return NULL;
    }

    server->base = base;
    server->conf = *conf;

    if (im_daemon_server_init(server) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        im_daemon_server_destroy(server);
        return NULL;
    }

    n = im_daemon_listen(address, conf->listen, fds);

    if (n != -1 && im_daemon_server_listen(server, fds, n) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        n = -1;
    }

    if (n == -1) {
        im_daemon_server_destroy(server);
        return NULL;
    }

    return server;
}


int
im_daemon_server_remote(const im_daemon_server_t *server)
{
    return server->remote;
}


void
im_daemon_server_warn(const char *address)
{
    im_daemon_log(IM_LOG_WARN, "--http=%s: /health and /metrics need no key, "
                  "and other machines can read them, without addresses of "
                  "Redis: let only Prometheus reach it, or listen on "
                  "127.0.0.1, [::1] or unix:PATH", address);
}


void
im_daemon_server_stats(const im_daemon_server_t *server,
    uint64_t stats[IM_SERVER_STATS])
{
    stats[IM_SERVER_OPEN] = server->peers.n;
    stats[IM_SERVER_LIMIT] = server->max;
    stats[IM_SERVER_ACCEPTED] = server->accepted;
    stats[IM_SERVER_GAVE_WAY] = server->gave_way;
}


/* Closes those of one state. */
static void
im_daemon_server_empty(im_daemon_server_t *server, im_daemon_conn_e state)
{
    im_list_t  *conns, *q;

    conns = &server->conns[state];

    while (!im_list_empty(conns)) {
        q = im_list_first(conns);
        im_daemon_conn_close(im_list_data(q, im_daemon_conn_t, link));
    }
}


void
im_daemon_server_close(im_daemon_server_t *server)
{
    server->closing = 1;

    while (server->nlisteners > 0) {
        evconnlistener_free(server->listeners[--server->nlisteners]);
    }

    im_daemon_server_empty(server, IM_CONN_NEW);
    im_daemon_server_empty(server, IM_CONN_IDLE);
    im_daemon_server_empty(server, IM_CONN_LINGERING);
}


void
im_daemon_server_destroy(im_daemon_server_t *server)
{
    im_uint_t  i;

    im_daemon_server_close(server);

    /* those that are answered leave their requests behind: free these too */

    im_daemon_server_empty(server, IM_CONN_ANSWERING);

    while (!im_list_empty(&server->conns[IM_CONN_GONE])) {
        im_daemon_conn_set(im_list_data(im_list_first(&server->
                                                      conns[IM_CONN_GONE]),
                                        im_daemon_conn_t, link),
                           IM_CONN_SENDING);
    }

    for (i = 0; i < IM_CONN_STATES; i++) {
        im_daemon_server_empty(server, i);
    }

    if (server->tick != NULL) {
        event_free(server->tick);
    }

    im_daemon_peers_cleanup(&server->peers);
    im_free(server);
}
