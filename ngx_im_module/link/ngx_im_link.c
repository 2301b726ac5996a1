/*
 * Copyright (C) The im authors
 *
 * The link to Redis on nginx: sockets and a timer.
 *
 * What a turn has sent is written at its end, by a posted event.
 */

#include <ngx_event_connect.h>
#include <poll.h>

#include "ngx_im_link.h"
#include "ngx_im_reserve.h"
#include "im_link_crowd.h"
#include "im_link_transport.h"


#define NGX_IM_LINK_READ   16384
#define NGX_IM_LINK_READS  16        /* between two calls of read() */
#define NGX_IM_LINK_TRIES  16
#define NGX_IM_LINK_WAIT   100       /* ms each, at the end */
#define NGX_IM_LINK_FDS    128       /* that are waited for */


typedef struct {
    im_list_t             link;          /* in sockets of its owner */
    struct ngx_im_link_s *owner;
    im_link_conn_t       *conn;
    ngx_connection_t     *connection;
    unsigned              connected:1;
    unsigned              local:1;       /* a unix socket */
} ngx_im_link_socket_t;


typedef struct ngx_im_link_s {
    im_link_t            *link;
    ngx_im_link_read_pt   read;
    void                 *data;
    ngx_log_t            *log;
    ngx_log_t             silent;        /* the link says what fails */
    ngx_event_t           timer;
    im_list_t             sockets;
} ngx_im_link_t;


static ngx_str_t  ngx_im_link_name = ngx_string("redis");


/* NGX_ERROR: the connection is closed, and the link may be destroyed. */
static ngx_int_t
ngx_im_link_connected(ngx_im_link_socket_t *s)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = s->connection;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err != 0) {
        im_link_closed(s->conn, strerror(err));
        return NGX_ERROR;
    }

    if (!s->local) {
        (void) ngx_tcp_nodelay(c);
    }

    s->connected = 1;

    return im_link_connected(s->conn);
}


/* All that there is.  NGX_ERROR: as above. */
static ngx_int_t
ngx_im_link_recv(ngx_im_link_socket_t *s)
{
    u_char             buf[NGX_IM_LINK_READ];
    ssize_t            n;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = s->connection;

    for (i = 1; /* void */ ; i++) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            return NGX_OK;
        }

        if (n == NGX_ERROR || n == 0) {
            im_link_closed(s->conn, n == 0 ? "connection closed"
                                           : strerror(ngx_socket_errno));
            return NGX_ERROR;
        }

        if (im_link_received(s->conn, buf, n) != IM_OK) {
            return NGX_ERROR;
        }

        if (i % NGX_IM_LINK_READS == 0) {
            s->owner->read(s->owner->data);
        }
    }
}


static ngx_int_t
ngx_im_link_read(ngx_im_link_socket_t *s)
{
    ngx_int_t       rc;
    ngx_im_link_t  *nl;

    nl = s->owner;

    rc = ngx_im_link_recv(s);

    nl->read(nl->data);

    return rc;
}


static void
ngx_im_link_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_im_link_socket_t  *s;

    c = rev->data;
    s = c->data;

    if ((!s->connected && ngx_im_link_connected(s) != NGX_OK)
        || ngx_im_link_read(s) != NGX_OK)
    {
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        im_link_closed(s->conn, "no event for the socket");
    }
}


/* NGX_ERROR: the socket has failed, and the link doesn't know it yet. */
static ngx_int_t
ngx_im_link_flush(ngx_im_link_socket_t *s)
{
    ssize_t            n;
    im_str_t           out;
    ngx_connection_t  *c;

    c = s->connection;

    while ((out = im_link_output(s->conn)).len > 0) {
        n = c->send(c, out.data, out.len);

        if (n == NGX_ERROR || n == NGX_AGAIN) {
            return n;
        }

        im_link_sent(s->conn, n);
    }

    return NGX_OK;
}


/* What the server said before it closed the connection is the better reason. */
static void
ngx_im_link_write(ngx_im_link_socket_t *s)
{
    const char  *why;

    if (ngx_im_link_flush(s) == NGX_ERROR) {
        why = strerror(ngx_socket_errno);

        /* or nginx would not read without an event */

        s->connection->read->pending_eof = 1;

        if (ngx_im_link_read(s) == NGX_OK) {
            im_link_closed(s->conn, why);
        }

        return;
    }

    if (ngx_handle_write_event(s->connection->write, 0) != NGX_OK) {
        im_link_closed(s->conn, "no event for the socket");
    }
}


static void
ngx_im_link_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_im_link_socket_t  *s;

    c = wev->data;
    s = c->data;

    if (s->connected) {
        ngx_im_link_write(s);

    } else {
        (void) ngx_im_link_connected(s);
    }
}


static void
ngx_im_link_post(void *data)
{
    ngx_im_link_socket_t  *s = data;

    ngx_post_event(s->connection->write, &ngx_posted_events);
}


static void *
ngx_im_link_connect(void *data, im_link_conn_t *conn,
    const im_link_address_t *to, const char **why)
{
    ngx_int_t               rc;
    ngx_im_link_t          *nl = data;
    ngx_connection_t       *c;
    ngx_im_link_socket_t   *s;
    ngx_peer_connection_t   pc;

    s = im_calloc(sizeof(ngx_im_link_socket_t));
    if (s == NULL) {
        *why = "no memory";
        return NULL;
    }

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = (struct sockaddr *) &to->sockaddr;
    pc.socklen = to->len;
    pc.name = &ngx_im_link_name;
    pc.get = ngx_event_get_peer;
    pc.log = &nl->silent;
    pc.log_error = NGX_ERROR_INFO;

    ngx_im_reserve_give(ngx_im_worker);

    rc = ngx_event_connect_peer(&pc);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        *why = strerror(ngx_socket_errno);
        ngx_im_reserve_take(ngx_im_worker);
        im_free(s);
        return NULL;
    }

    im_list_insert_tail(&nl->sockets, &s->link);

    s->owner = nl;
    s->conn = conn;
    s->connection = pc.connection;
    s->local = to->sockaddr.ss_family == AF_UNIX;

    c = pc.connection;
    c->data = s;
    c->log = nl->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_im_link_read_handler;
    c->write->handler = ngx_im_link_write_handler;

    /* a quitting worker doesn't wait for this connection */

    c->read->resolver = 1;

    if (rc == NGX_OK) {
        ngx_im_link_post(s);
    }

    return s;
}


static void
ngx_im_link_close(void *data)
{
    ngx_im_link_socket_t  *s = data;

    ngx_close_connection(s->connection);
    ngx_im_reserve_take(ngx_im_worker);

    im_list_remove(&s->link);
    im_free(s);
}


static void
ngx_im_link_timer(void *data, im_uint_t ms)
{
    ngx_im_link_t  *nl = data;

    /* a timer that is set isn't moved by less than 300 ms */

    if (nl->timer.timer_set) {
        ngx_del_timer(&nl->timer);
    }

    ngx_add_timer(&nl->timer, ms);
}


static uint64_t
ngx_im_link_now(void *data)
{
    return ngx_current_msec;
}


static uint32_t
ngx_im_link_random(void *data)
{
    return ngx_random();
}


static void
ngx_im_link_log(void *data, im_link_log_e level, const char *text)
{
    ngx_uint_t      n;
    ngx_im_link_t  *nl = data;

    if (level == IM_LINK_LOG_DEBUG) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, nl->log, 0, "im %s", text);
        return;
    }

    n = level == IM_LINK_LOG_ERROR ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(n, nl->log, 0, "im: %s", text);
}


static im_uint_t
ngx_im_link_crowd(void *data)
{
    return im_link_crowd();
}


static const im_link_transport_t  ngx_im_link_transport = {
    ngx_im_link_connect,
    ngx_im_link_close,
    ngx_im_link_post,
    ngx_im_link_timer,
    ngx_im_link_now,
    ngx_im_link_random,
    ngx_im_link_log,
    ngx_im_link_crowd
};


static void
ngx_im_link_timer_handler(ngx_event_t *ev)
{
    ngx_im_link_t  *nl;

    nl = ev->data;

    im_link_tick(nl->link);
}


im_link_t *
ngx_im_link_create(const im_link_conf_t *conf, ngx_log_t *log,
    const im_link_events_t *events, ngx_im_link_read_pt read, void *data)
{
    ngx_im_link_t  *nl;

    nl = im_calloc(sizeof(ngx_im_link_t));
    if (nl == NULL) {
        return NULL;
    }

    im_list_init(&nl->sockets);

    nl->read = read;
    nl->data = data;
    nl->log = log;
    nl->silent = *log;
    nl->silent.log_level = NGX_LOG_EMERG;

    nl->timer.handler = ngx_im_link_timer_handler;
    nl->timer.data = nl;
    nl->timer.log = log;
    nl->timer.cancelable = 1;

    nl->link = im_link_create(conf, &ngx_im_link_transport, nl, events, data);

    if (nl->link == NULL) {
        im_free(nl);
        return NULL;
    }

    return nl->link;
}


/* Two of each server and sentinel; how many masters there are is unknown. */
ngx_uint_t
ngx_im_link_conns(const im_link_conf_t *conf)
{
    switch (conf->kind) {

    case IM_LINK_SENTINEL:
        return 2 + 2 * conf->nseeds;

    case IM_LINK_CLUSTER:
        return 2 * IM_LINK_SEEDS;

    default:
        return 2;
    }
}


/*
 * Waits until Redis has read all and closes the connections.  A socket that is
 * closed with unread replies takes back what Redis has not read.  A worker that
 * ends has nothing else to do: it may wait for a moment.
 */
static void
ngx_im_link_finish(struct pollfd *fds, ngx_uint_t n)
{
    u_char      buf[NGX_IM_LINK_READ];
    ssize_t     size;
    ngx_uint_t  i, k, open;

    for (i = 0; i < NGX_IM_LINK_TRIES && n > 0; i++) {
        if (poll(fds, n, NGX_IM_LINK_WAIT) < 1) {
            return;
        }

        open = 0;

        for (k = 0; k < n; k++) {
            size = fds[k].fd != -1 && fds[k].revents != 0
                   ? recv(fds[k].fd, buf, sizeof(buf), 0) : 1;

            if (size == 0 || (size == -1 && ngx_socket_errno != NGX_EAGAIN)) {
                fds[k].fd = -1;
            }

            open += fds[k].fd != -1;
        }

        if (open == 0) {
            return;
        }
    }
}


void
ngx_im_link_destroy(im_link_t *link)
{
    im_list_t             *q;
    ngx_uint_t             n;
    ngx_socket_t           fd;
    ngx_im_link_t         *nl;
    struct pollfd          fds[NGX_IM_LINK_FDS];
    ngx_im_link_socket_t  *s;

    nl = im_link_transport_data(link);
    n = 0;

    for (q = im_list_first(&nl->sockets); q != &nl->sockets;
         q = im_list_next(q))
    {
        s = im_list_data(q, ngx_im_link_socket_t, link);
        fd = s->connection->fd;

        if (s->connected && n < NGX_IM_LINK_FDS
            && ngx_im_link_flush(s) != NGX_ERROR
            && ngx_shutdown_socket(fd, NGX_WRITE_SHUTDOWN) != -1)
        {
            fds[n].fd = fd;
            fds[n++].events = POLLIN;
        }
    }

    ngx_im_link_finish(fds, n);

    im_link_destroy(link);

    if (nl->timer.timer_set) {
        ngx_del_timer(&nl->timer);
    }

    im_free(nl);
}


void
ngx_im_link_complain(ngx_log_t *log, const im_link_reply_t *reply,
    const char *script)
{
    im_str_t  s;

    if (im_link_reply_is_error(reply)) {
        s = im_link_reply_str(reply);

        ngx_log_error(NGX_LOG_ERR, log, 0, "im: %s script failed: \"%*s\"",
                      script, s.len, s.data);

    } else if (reply != NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "im: %s script gave an unknown reply", script);
    }
}
