/*
 * Copyright (C) The im authors
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"


int
wire_connect(int port, int epoll, void *data)
{
    int                 fd, one;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    one = 1;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    if (fd == -1) {
        return -1;
    }

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(port);

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    ev.events = EPOLLIN|EPOLLOUT;
    ev.data.ptr = data;

    if ((connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
         && errno != EINPROGRESS)
        || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
    {
        close(fd);
        return -1;
    }

    return fd;
}


int
wire_upgrade(int fd, const char *path, int epoll, void *data)
{
    int                 len;
    char                head[256];
    struct epoll_event  ev;

    ev.events = EPOLLIN;
    ev.data.ptr = data;
    (void) epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &ev);

    len = snprintf(head, sizeof(head),
                   "GET %s HTTP/1.1\r\nHost: localhost\r\n"
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n\r\n", path);

    return send(fd, head, len, MSG_NOSIGNAL) == len ? 0 : -1;
}


int
wire_upgraded(unsigned char *in, size_t *n)
{
    size_t          used;
    unsigned char  *end;

    end = memmem(in, *n, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    if (memcmp(in, "HTTP/1.1 101", 12) != 0) {
        return -1;
    }

    used = end + 4 - in;
    memmove(in, in + used, *n - used);
    *n -= used;

    return 1;
}


size_t
wire_frame(const unsigned char *p, size_t have, size_t *header)
{
    int     i;
    size_t  n;

    if (have < 2) {
        return 0;
    }

    n = p[1] & 127;
    *header = n < 126 ? 2 : n == 126 ? 4 : 10;

    if (have < *header) {
        return 0;
    }

    if (n >= 126) {
        for (i = 2, n = 0; i < (int) *header; i++) {
            n = n << 8 | p[i];
        }
    }

    return *header + n;
}


int
wire_send(int fd, int opcode, const void *data, size_t n)
{
    size_t                i, at;
    unsigned char         frame[4096];
    const unsigned char  *p;

    if (n > sizeof(frame) - 8) {
        return -1;
    }

    p = data;
    at = 2;
    frame[0] = 0x80 | opcode;

    if (n < 126) {
        frame[1] = 0x80 | n;

    } else {
        frame[1] = 0x80 | 126;
        frame[2] = n >> 8;
        frame[3] = n & 255;
        at = 4;
    }

    memcpy(frame + at, "\x37\xfa\x21\x3d", 4);

    for (i = 0; i < n; i++) {
        frame[at + 4 + i] = p[i] ^ frame[at + i % 4];
    }

    at += 4 + n;

    return send(fd, frame, at, MSG_NOSIGNAL) == (ssize_t) at ? 0 : -1;
}


/* Keeps its place between calls. */
int
wire_line(char *line, size_t size)
{
    static char    buf[65536];
    static size_t  n;
    char          *end;
    ssize_t        got;

    got = read(0, buf + n, sizeof(buf) - n);

    if (got > 0) {
        n += got;
    }

    if (got == 0 && n == 0) {
        return -1;
    }

    end = memchr(buf, '\n', n);

    if (end == NULL) {
        return 0;
    }

    if ((size_t) (end - buf) >= size) {
        exit(2);
    }

    memcpy(line, buf, end - buf);
    line[end - buf] = '\0';
    n -= end + 1 - buf;
    memmove(buf, end + 1, n);

    return 1;
}


long
wire_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
