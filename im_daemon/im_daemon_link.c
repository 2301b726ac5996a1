/*
 * Copyright (C) The im authors
 *
 * The link to Redis on libevent: sockets and a timer.
 *
 * Output is written at the end of a turn, before epoll_wait(): most writes
 * find room, and cost no other system call.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "im_daemon_link.h"
#include "im_daemon_log.h"
#include "im_daemon_time.h"
#include "im_link_crowd.h"


#define IM_DAEMON_LINK_READ   16384
#define IM_DAEMON_LINK_READS  16        /* a turn */
#define IM_DAEMON_LINK_RENEW  1000      /* ms */


typedef struct {
    struct event_base  *base;
    struct event       *timer;
    im_link_t          *link;
    im_link_tls_ctx_t  *tls;            /* NULL: without TLS */
    uint64_t            renewed;        /* when its files were looked at */
} im_daemon_link_t;


typedef struct {
    im_link_conn_t     *conn;
    struct event       *read;
    struct event       *write;
    int                 fd;
    unsigned            connecting:1;
    unsigned            full:1;         /* waits until it can be written */
} im_daemon_socket_t;


static int
im_daemon_link_socket(const im_link_address_t *to, const char **why)
{
    int  fd, on;

    fd = socket(to->sockaddr.ss_family,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        *why = strerror(errno);
        return -1;
    }

    if (to->sockaddr.ss_family != AF_UNIX) {
        on = 1;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }

    if (connect(fd, (const struct sockaddr *) &to->sockaddr, to->len) == -1
        && errno != EINPROGRESS)
    {
        *why = strerror(errno);
        (void) close(fd);
        return -1;
    }

    return fd;
}


/* IM_ERROR: the connection is closed; IM_AGAIN: there is more. */
static im_int_t
im_daemon_link_read(im_daemon_socket_t *s)
{
    u_char     buf[IM_DAEMON_LINK_READ];
    ssize_t    n;
    im_uint_t  i;

    for (i = 0; i < IM_DAEMON_LINK_READS; i++) {
        n = recv(s->fd, buf, sizeof(buf), 0);

        if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
            return IM_OK;
        }

        if (n <= 0) {
            im_link_closed(s->conn, n == 0 ? "connection closed"
                                           : strerror(errno));
            return IM_ERROR;
        }

        if (im_link_received(s->conn, buf, n) != IM_OK) {
            return IM_ERROR;
        }

        if ((size_t) n < sizeof(buf)) {
            return IM_OK;
        }
    }

    return IM_AGAIN;
}


static void
im_daemon_link_read_handler(evutil_socket_t fd, short what, void *data)
{
    (void) im_daemon_link_read(data);
}


/* What the server said before it closed the connection is the better reason. */
static void
im_daemon_link_failed(im_daemon_socket_t *s, const char *why)
{
    if (im_daemon_link_read(s) == IM_OK) {
        im_link_closed(s->conn, why);
    }
}


static void
im_daemon_link_connect_handler(im_daemon_socket_t *s)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(err);

    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = errno;
    }

    if (err == 0 && event_add(s->read, NULL) == -1) {
        err = ENOMEM;
    }

    if (err != 0) {
        im_link_closed(s->conn, strerror(err));
        return;
    }

    s->connecting = 0;

    (void) im_link_connected(s->conn);
}


static void
im_daemon_link_write_handler(evutil_socket_t fd, short what, void *data)
{
    ssize_t              n;
    im_str_t             out;
    im_daemon_socket_t  *s = data;

    if (s->connecting) {
        im_daemon_link_connect_handler(s);
        return;
    }

    s->full = 0;

    while ((out = im_link_output(s->conn)).len > 0) {
        n = send(fd, out.data, out.len, MSG_NOSIGNAL);

        if (n >= 0) {
            im_link_sent(s->conn, n);

        } else if (errno == EAGAIN) {
            s->full = event_add(s->write, NULL) == 0;
            break;

        } else if (errno != EINTR) {
            im_daemon_link_failed(s, strerror(errno));
            return;
        }
    }
}


static void
im_daemon_link_close(void *data)
{
    im_daemon_socket_t  *s = data;

    if (s->read != NULL) {
        event_free(s->read);
    }

    if (s->write != NULL) {
        event_free(s->write);
    }

    (void) close(s->fd);
    im_free(s);
}


static void *
im_daemon_link_connect(void *data, im_link_conn_t *conn,
    const im_link_address_t *to, const char **why)
{
    im_daemon_link_t    *dl = data;
    im_daemon_socket_t  *s;

    s = im_calloc(sizeof(im_daemon_socket_t));
    if (s == NULL) {
        *why = "no memory";
        return NULL;
    }

    s->fd = im_daemon_link_socket(to, why);
    if (s->fd == -1) {
        im_free(s);
        return NULL;
    }

    s->conn = conn;
    s->connecting = 1;
    s->read = event_new(dl->base, s->fd, EV_READ|EV_PERSIST,
                        im_daemon_link_read_handler, s);
    s->write = event_new(dl->base, s->fd, EV_WRITE,
                         im_daemon_link_write_handler, s);

    if (s->read == NULL || s->write == NULL || event_add(s->write, NULL) == -1)
    {
        *why = "no memory";
        im_daemon_link_close(s);
        return NULL;
    }

    return s;
}


static void
im_daemon_link_write(void *data)
{
    im_daemon_socket_t  *s = data;

    if (!s->full) {
        event_active(s->write, EV_WRITE, 0);
    }
}


static void
im_daemon_link_timer(void *data, im_uint_t ms)
{
    struct timeval     tv;
    im_daemon_link_t  *dl = data;

    tv.tv_sec = ms / 1000;
    tv.tv_usec = ms % 1000 * 1000;

    (void) event_add(dl->timer, &tv);
}


static uint64_t
im_daemon_link_now(void *data)
{
    return im_daemon_now();
}


static uint32_t
im_daemon_link_random(void *data)
{
    uint32_t  n;

    im_daemon_random(&n, sizeof(n));

    return n;
}


static void
im_daemon_link_log(void *data, im_link_log_e level, const char *text)
{
    static const int  levels[] = { IM_LOG_ERROR, IM_LOG_NOTICE, IM_LOG_DEBUG };

    im_daemon_log(levels[level], "%s", text);
}


static im_uint_t
im_daemon_link_crowd(void *data)
{
    return im_link_crowd();
}


static const im_link_transport_t  im_daemon_link_transport = {
    im_daemon_link_connect,
    im_daemon_link_close,
    im_daemon_link_write,
    im_daemon_link_timer,
    im_daemon_link_now,
    im_daemon_link_random,
    im_daemon_link_log,
    im_daemon_link_crowd
};


/* Certificates are replaced while a daemon runs. */
static void
im_daemon_link_renew(im_daemon_link_t *dl)
{
    uint64_t             now;
    im_int_t             rc;
    im_link_tls_fault_t  fault;

    now = im_daemon_now();

    if (dl->tls == NULL || now - dl->renewed < IM_DAEMON_LINK_RENEW) {
        return;
    }

    dl->renewed = now;
    rc = im_link_tls_ctx_renew(dl->tls, &fault);

    if (fault.why[0] != '\0') {
        im_daemon_log(IM_LOG_WARN, "redis: \"%s%.*s\" %s%s", fault.word,
                      (int) fault.file.len, (char *) fault.file.data, fault.why,
                      rc == IM_ERROR ? ": what was read before is kept" : "");
    }

    if (rc == IM_OK) {
        im_daemon_log(IM_LOG_NOTICE, "redis: files of TLS have changed, and "
                      "were read again");
    }
}


static void
im_daemon_link_tick_handler(evutil_socket_t fd, short what, void *data)
{
    im_daemon_link_t  *dl = data;

    im_daemon_link_renew(dl);
    im_link_tick(dl->link);
}


im_link_t *
im_daemon_link_create(struct event_base *base, const im_link_conf_t *conf,
    const im_link_events_t *events, void *data)
{
    im_daemon_link_t  *dl;

    dl = im_calloc(sizeof(im_daemon_link_t));
    if (dl == NULL) {
        return NULL;
    }

    dl->base = base;
    dl->tls = conf->tls;
    dl->renewed = im_daemon_now();
    dl->timer = event_new(base, -1, 0, im_daemon_link_tick_handler, dl);

    if (dl->timer != NULL) {
        dl->link = im_link_create(conf, &im_daemon_link_transport, dl, events,
                                  data);
        if (dl->link != NULL) {
            return dl->link;
        }

        event_free(dl->timer);
    }

    im_free(dl);

    return NULL;
}


void
im_daemon_link_watched(void *data, const char *text, int warning)
{
    (void) data;

    im_daemon_log(warning ? IM_LOG_WARN : IM_LOG_NOTICE, "%s", text);
}


void
im_daemon_link_destroy(im_link_t *link)
{
    im_daemon_link_t  *dl;

    dl = im_link_transport_data(link);

    im_link_destroy(link);

    event_free(dl->timer);
    im_free(dl);
}
