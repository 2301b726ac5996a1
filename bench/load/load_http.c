/*
 * Copyright (C) The im authors
 *
 * A connection over which requests go, one at a time.
 */

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "load_http.h"


#define LOAD_HTTP_MAX    (4 * 1024 * 1024)
#define LOAD_HTTP_PIECE  16384
#define LOAD_HTTP_WAIT   5000       /* ms: to connect, to write a request */


static void load_http_handler(load_event_t *ev, uint32_t events);


void
load_http_init(load_http_t *h, load_loop_t *loop,
    const struct sockaddr_in *server)
{
    memset(h, 0, sizeof(load_http_t));
    h->loop = loop;
    h->server = server;
    h->fd = -1;
    h->event.handler = load_http_handler;
    h->event.data = h;
    im_buf_init(&h->answer, LOAD_HTTP_MAX);
}


static void
load_http_close(load_http_t *h)
{
    if (h->fd != -1) {
        (void) close(h->fd);
        h->fd = -1;
    }
}


void
load_http_cleanup(load_http_t *h)
{
    load_http_close(h);
    im_buf_cleanup(&h->answer);
}


int
load_http_open(load_http_t *h)
{
    int             one;
    struct timeval  limit;

    if (h->fd != -1) {
        return 0;
    }

    one = 1;
    limit.tv_sec = LOAD_HTTP_WAIT / 1000;
    limit.tv_usec = 0;
    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (h->fd == -1
        || setsockopt(h->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit))
           == -1
        || connect(h->fd, (const struct sockaddr *) h->server,
                   sizeof(struct sockaddr_in)) == -1
        || setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1
        || load_loop_add(h->loop, h->fd, EPOLLIN, &h->event) == -1)
    {
        h->error = strerror(errno);
        load_http_close(h);
        return -1;
    }

    return 0;
}


static int
load_http_write(load_http_t *h, im_str_t request)
{
    size_t         done;
    ssize_t        n;
    struct pollfd  pfd;

    for (done = 0; done < request.len; done += (size_t) n) {
        n = send(h->fd, request.data + done, request.len - done,
                 MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            continue;
        }

        pfd.fd = h->fd;
        pfd.events = POLLOUT;

        if (errno != EAGAIN || poll(&pfd, 1, LOAD_HTTP_WAIT) != 1) {
            return -1;
        }

        n = 0;
    }

    return 0;
}


int
load_http_send(load_http_t *h, im_str_t request)
{
    int  trial;

    im_buf_reset(&h->answer, LOAD_HTTP_PIECE);

    /* the server may have ended the connection since the last answer */
    for (trial = 0; trial < 2; trial++) {
        if (load_http_open(h) != 0) {
            return -1;
        }

        if (load_http_write(h, request) == 0) {
            h->busy = 1;
            h->sent = load_now();
            return 0;
        }

        h->error = strerror(errno);
        load_http_close(h);
    }

    return -1;
}


static void
load_http_answered(load_http_t *h, unsigned status, im_str_t body)
{
    if (h->busy) {
        h->busy = 0;
        h->answered(h, status, body);
    }
}


/* The value of a header of the head; or an empty text. */
static im_str_t
load_http_header(im_str_t head, const char *name)
{
    size_t    len;
    u_char   *p, *end, *line;
    im_str_t  value;

    value.len = 0;
    value.data = NULL;
    len = strlen(name);
    end = head.data + head.len;

    for (p = head.data; p < end; p = line + 1) {
        line = memchr(p, '\n', (size_t) (end - p));

        if (line == NULL) {
            break;
        }

        if ((size_t) (line - p) > len + 1 && p[len] == ':'
            && strncasecmp((char *) p, name, len) == 0)
        {
            for (p += len + 1; p < line && *p == ' '; p++) { /* void */ }
            value.data = p;
            value.len = (size_t) (line - p) - (line[-1] == '\r');
            break;
        }
    }

    return value;
}


static int
load_http_is(im_str_t value, const char *text)
{
    return value.len == strlen(text)
           && strncasecmp((char *) value.data, text, value.len) == 0;
}


/* Is the body there?  A chunked one ends with what JSON can't have in it. */
static int
load_http_complete(im_str_t head, im_str_t body)
{
    im_str_t  value;

    static const char  last[] = "\r\n0\r\n\r\n";

    value = load_http_header(head, "Transfer-Encoding");

    if (load_http_is(value, "chunked")) {
        return (body.len == 5 && memcmp(body.data, last + 2, 5) == 0)
               || (body.len > 7
                   && memcmp(body.data + body.len - 7, last, 7) == 0);
    }

    value = load_http_header(head, "Content-Length");

    return value.len == 0
           || body.len >= strtoul((char *) value.data, NULL, 10);
}


static void
load_http_read_answer(load_http_t *h)
{
    u_char    *behind;
    unsigned   status;
    im_str_t   head, body;

    head = im_buf_str(&h->answer);
    behind = memmem(head.data, head.len, "\r\n\r\n", 4);

    if (behind == NULL || head.len < 16) {
        return;
    }

    body.data = behind + 4;
    body.len = head.len - (size_t) (body.data - head.data);
    head.len -= body.len;

    if (!load_http_complete(head, body)) {
        return;
    }

    status = (unsigned) strtoul((char *) head.data + 9, NULL, 10);

    if (load_http_is(load_http_header(head, "Connection"), "close")) {
        load_http_close(h);
    }

    load_http_answered(h, status, body);
}


static void
load_http_handler(load_event_t *ev, uint32_t events)
{
    u_char        piece[LOAD_HTTP_PIECE];
    ssize_t       n;
    im_str_t      none;
    load_http_t  *h;

    h = ev->data;

    if (h->fd == -1) {
        return;
    }

    n = recv(h->fd, piece, sizeof(piece), MSG_DONTWAIT);

    if (n > 0) {
        im_buf_add(&h->answer, piece, (size_t) n);
        load_http_read_answer(h);
        return;
    }

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    h->error = n == 0 ? "the server has ended the connection"
                      : strerror(errno);
    load_http_close(h);
    none.len = 0;
    none.data = NULL;
    load_http_answered(h, 0, none);
}


void
load_http_head(im_buf_t *b, im_str_t path, const char *key, const char *value,
    size_t length)
{
    im_buf_add_z(b, "POST ");
    im_buf_add_str(b, path);
    im_buf_add_z(b, " HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: application/json\r\nContent-Length: ");
    im_buf_add_uint(b, length);

    if (key != NULL && value != NULL) {
        im_buf_add_z(b, "\r\n");
        im_buf_add_z(b, key);
        im_buf_add_z(b, ": ");
        im_buf_add_z(b, value);
    }

    im_buf_add_z(b, "\r\n\r\n");
}
