/*
 * Copyright (C) The im authors
 *
 * FastCGI connections on bufferevents.
 *
 * A request outlives its connection: closing one whose request is under way
 * frees the socket at once and the rest when the request is answered.
 */

#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "im_logic_server.h"
#include "im_logic_fcgi.h"
#include "im_logic_param.h"
#include "im_logic_print.h"
#include "im_daemon_log.h"
#include "im_list.h"


#define IM_SERVER_TIMEOUT     15                 /* s, within a request */
#define IM_SERVER_READ        (64 * 1024)
#define IM_SERVER_MAX_HEAD    2048
#define IM_SERVER_MAX_REPLY   (8 * 1024 * 1024)


struct im_logic_server_s {
    struct evconnlistener  *listeners[IM_DAEMON_LISTEN_MAX];
    im_uint_t               nlisteners;
    struct event_base      *base;
    im_list_t               connections;
    im_uint_t               nconnections;
    size_t                  max_body;
    im_daemon_request_pt    handler;
    void                   *data;
    unsigned                closing:1;
};


typedef struct {
    im_daemon_request_t   request;       /* first: the handler returns it */
    im_list_t             link;
    im_logic_server_t    *server;
    struct bufferevent   *bev;           /* NULL: the connection is gone */
    im_logic_fcgi_t       fcgi;
    unsigned              answering:1;   /* the request is with the handler */
    unsigned              last:1;        /* close when all is written */
} im_logic_conn_t;


/* Connections wait in the kernel while there are too many. */
static void
im_logic_server_accepts(im_logic_server_t *server, int on)
{
    im_uint_t  i;

    for (i = 0; i < server->nlisteners; i++) {
        (void) (on ? evconnlistener_enable(server->listeners[i])
                   : evconnlistener_disable(server->listeners[i]));
    }
}


static void
im_logic_conn_free(im_logic_conn_t *c)
{
    im_logic_server_t  *server;

    server = c->server;

    im_list_remove(&c->link);
    im_daemon_end(&c->request);
    im_logic_fcgi_cleanup(&c->fcgi);
    im_free(c);

    if (server->nconnections-- == IM_SERVER_MAX_CONNECTIONS) {
        im_logic_server_accepts(server, 1);
    }
}


static void
im_logic_conn_add_header(void *data, const char *name, const char *value)
{
    im_logic_print(data, "%z: %z\r\n", name, value);
}


/* Most answers find room in the socket, and cost no other system call. */
static im_int_t
im_logic_conn_write(im_logic_conn_t *c, im_str_t bytes)
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


static void
im_logic_conn_close(im_logic_conn_t *c)
{
    if (c->bev != NULL) {
        bufferevent_free(c->bev);
        c->bev = NULL;
    }

    if (!c->answering) {
        im_logic_conn_free(c);
    }
}


/* Reading has a time limit only within a request. */
static void
im_logic_conn_timeout(im_logic_conn_t *c)
{
    int             idle;
    struct timeval  tv = { IM_SERVER_TIMEOUT, 0 };

    idle = c->answering || im_logic_fcgi_idle(&c->fcgi);

    bufferevent_set_timeouts(c->bev, idle ? NULL : &tv, &tv);
}


static void
im_logic_conn_reply(im_daemon_request_t *r, im_uint_t status, im_str_t json)
{
    im_buf_t          b, head;
    im_logic_conn_t  *c;

    c = (im_logic_conn_t *) r;
    c->answering = 0;

    if (c->bev == NULL) {
        im_logic_conn_free(c);
        return;
    }

    im_buf_init(&head, IM_SERVER_MAX_HEAD);
    im_logic_print(&head, "Status: %u %z\r\n", status,
                   im_daemon_status(status));
    im_daemon_headers(r, im_logic_conn_add_header, &head);
    im_buf_add_z(&head, "\r\n");

    im_buf_init(&b, IM_SERVER_MAX_REPLY);
    im_logic_fcgi_encode(&b, c->fcgi.id, im_buf_str(&head), json);

    if (head.failed) {
        b.failed = 1;
    }

    im_buf_cleanup(&head);
    im_daemon_end(r);

    if (b.failed || im_logic_conn_write(c, im_buf_str(&b)) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "an answer could not be written");
        im_buf_cleanup(&b);
        im_logic_conn_close(c);
        return;
    }

    c->last = !c->fcgi.keep || c->server->closing;

    im_buf_cleanup(&b);
    im_logic_fcgi_next(&c->fcgi);
    im_logic_conn_timeout(c);

    /* bytes that were read already give no event, nor do bytes that are sent */
    if (c->last || evbuffer_get_length(bufferevent_get_input(c->bev)) != 0) {
        bufferevent_trigger(c->bev, c->last ? EV_WRITE : EV_READ,
                            BEV_TRIG_IGNORE_WATERMARKS
                            | BEV_TRIG_DEFER_CALLBACKS);
    }
}


static im_int_t
im_logic_conn_fill(im_logic_conn_t *c)
{
    size_t                at;
    im_int_t              rc;
    im_str_t              name, value, params;
    uint64_t              length;
    im_daemon_request_t  *r;

    r = &c->request;

    memset(r, 0, sizeof(im_daemon_request_t));

    r->reply = im_logic_conn_reply;
    r->data = c->server->data;
    r->internal = 1;
    r->body = im_buf_str(&c->fcgi.body);

    at = 0;
    params = im_buf_str(&c->fcgi.params);

    while ((rc = im_logic_fcgi_param(params, &at, &name, &value)) == IM_OK) {
        im_logic_param(r, name, value);
    }

    if (rc == IM_ERROR) {
        im_daemon_log(IM_LOG_INFO, "malformed FastCGI parameters");
        return IM_ERROR;
    }

    im_logic_param_target(r);

    if (c->fcgi.too_large) {
        im_logic_param_fault(r, 413, "the body is too large");
        return IM_OK;
    }

    rc = im_logic_param_length(r->length, &length);

    if (rc == IM_ERROR) {
        im_logic_param_fault(r, 400, "Content-Length is not a number");

    } else if (rc == IM_OK && length != r->body.len) {
        im_logic_param_fault(r, 400, "the body is not as long as "
                             "Content-Length says");
    }

    return IM_OK;
}


static void
im_logic_conn_read_handler(struct bufferevent *bev, void *data)
{
    size_t            len;
    im_int_t          rc;
    const u_char     *p, *start;
    im_logic_conn_t  *c = data;
    struct evbuffer  *in;

    in = bufferevent_get_input(bev);

    while (!c->answering && !c->last && evbuffer_get_length(in) != 0) {
        len = evbuffer_get_contiguous_space(in);
        start = evbuffer_pullup(in, (ev_ssize_t) len);
        p = start;

        rc = im_logic_fcgi_decode(&c->fcgi, &p, start + len);
        (void) evbuffer_drain(in, (size_t) (p - start));

        if (rc == IM_ERROR) {
            im_daemon_log(IM_LOG_INFO, "a FastCGI connection broke the "
                          "protocol, asked too much or gave up");

        } else if (rc == IM_OK) {
            rc = im_logic_conn_fill(c);
        }

        if (rc == IM_ERROR) {
            im_logic_conn_close(c);
            return;
        }

        if (rc == IM_OK) {
            c->answering = 1;
            im_logic_conn_timeout(c);
            c->server->handler(&c->request);
            return;
        }
    }

    im_logic_conn_timeout(c);
}


static void
im_logic_conn_write_handler(struct bufferevent *bev, void *data)
{
    im_logic_conn_t  *c = data;

    if (c->last && evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
        im_logic_conn_close(c);
    }
}


static void
im_logic_conn_event_handler(struct bufferevent *bev, short what, void *data)
{
    im_logic_conn_close(data);
}


static void
im_logic_server_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *addr, int len, void *data)
{
    im_logic_conn_t    *c;
    im_logic_server_t  *server = data;

    c = im_calloc(sizeof(im_logic_conn_t));

    if (c != NULL) {
        c->bev = bufferevent_socket_new(server->base, fd,
                                        BEV_OPT_CLOSE_ON_FREE);
    }

    if (c == NULL || c->bev == NULL) {
        (void) close(fd);
        im_free(c);
        return;
    }

    c->server = server;
    im_logic_fcgi_init(&c->fcgi, server->max_body);

    im_list_insert_tail(&server->connections, &c->link);

    if (++server->nconnections == IM_SERVER_MAX_CONNECTIONS) {
        im_logic_server_accepts(server, 0);
    }

    bufferevent_setwatermark(c->bev, EV_READ, 0, IM_SERVER_READ);
    bufferevent_setcb(c->bev, im_logic_conn_read_handler,
                      im_logic_conn_write_handler,
                      im_logic_conn_event_handler, c);

    (void) bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}


/* Mostly for want of descriptors: connections that close give some back. */
static void
im_logic_server_accept_error(struct evconnlistener *listener, void *data)
{
    im_daemon_log(IM_LOG_ERROR, "accept() failed: %s",
                  evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}


void
im_logic_server_close(im_logic_server_t *server)
{
    im_list_t        *q, *next;
    im_logic_conn_t  *c;

    server->closing = 1;

    while (server->nlisteners > 0) {
        evconnlistener_free(server->listeners[--server->nlisteners]);
    }

    for (q = im_list_first(&server->connections);
         q != im_list_sentinel(&server->connections);
         q = next)
    {
        next = im_list_next(q);
        c = im_list_data(q, im_logic_conn_t, link);

        if (!c->answering && !c->last && im_logic_fcgi_idle(&c->fcgi)) {
            im_logic_conn_close(c);
        }
    }
}


void
im_logic_server_destroy(im_logic_server_t *server)
{
    im_logic_conn_t  *c;

    im_logic_server_close(server);

    while (!im_list_empty(&server->connections)) {
        c = im_list_data(im_list_first(&server->connections),
                         im_logic_conn_t, link);
        c->answering = 0;
        im_logic_conn_close(c);
    }

    im_free(server);
}


/* Takes the descriptors over. */
static im_int_t
im_logic_server_listen(im_logic_server_t *server, const int *fds, int n)
{
    int                     i;
    struct evconnlistener  *listener;

    for (i = 0; i < n; i++) {
        listener = evconnlistener_new(server->base, im_logic_server_accept,
                                      server,
                                      LEV_OPT_CLOSE_ON_FREE
                                      | LEV_OPT_CLOSE_ON_EXEC, 0, fds[i]);
        if (listener == NULL) {
            break;
        }

        evconnlistener_set_error_cb(listener, im_logic_server_accept_error);
        server->listeners[server->nlisteners++] = listener;
    }

    if (i == n) {
        return IM_OK;
    }

    while (i < n) {
        (void) close(fds[i++]);
    }

    return IM_ERROR;
}


im_logic_server_t *
im_logic_server_create(struct event_base *base, const char *address,
    const im_daemon_listen_t *conf, size_t max_body,
    im_daemon_request_pt handler, void *data)
{
    int                 n, fds[IM_DAEMON_LISTEN_MAX];
    im_logic_server_t  *server;

    server = im_calloc(sizeof(im_logic_server_t));
    if (server == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        return NULL;
    }

    server->base = base;
    server->max_body = max_body;
    server->handler = handler;
    server->data = data;

    im_list_init(&server->connections);

    n = im_daemon_listen(address, conf, fds);

    if (n != -1 && im_logic_server_listen(server, fds, n) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        n = -1;
    }

    if (n == -1) {
        im_logic_server_destroy(server);
        return NULL;
    }

    return server;
}
