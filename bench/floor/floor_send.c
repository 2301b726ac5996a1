/*
 * Copyright (C) The im authors
 *
 * The floor's sends.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "floor_send.h"
#include "floor_uring.h"


typedef struct {
    floor_sender_t  *sender;
    const u_char    *p;
    size_t           len;
} floor_fan_t;


void
floor_bytes_add(floor_bytes_t **to, const u_char *p, size_t len)
{
    size_t          old;
    floor_bytes_t  *bytes;

    old = *to != NULL ? (*to)->len : 0;
    bytes = realloc(*to, sizeof(floor_bytes_t) + old + len);

    if (bytes == NULL) {
        fputs("im_floor: no memory\n", stderr);
        exit(1);
    }

    memcpy(bytes->data + old, p, len);
    bytes->len = old + len;
    *to = bytes;
}


static void
floor_send_watch(floor_sender_t *s, int fd, uint32_t events)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.u64 = (uint64_t) fd;
    (void) epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &ee);
}


void
floor_send_keep(floor_sender_t *s, int fd, const u_char *p, size_t len)
{
    if (s->conns[fd].out == NULL) {
        floor_send_watch(s, fd, EPOLLIN | EPOLLOUT);
    }

    floor_bytes_add(&s->conns[fd].out, p, len);
}


void
floor_send(floor_sender_t *s, int fd, const u_char *p, size_t len)
{
    ssize_t  n;

    if (s->conns[fd].out != NULL) {
        floor_bytes_add(&s->conns[fd].out, p, len);
        return;
    }

    n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == (ssize_t) len || (n == -1 && errno != EAGAIN)) {
        return;                     /* the next read says what is wrong */
    }

    n = n == -1 ? 0 : n;
    floor_send_keep(s, fd, p + n, len - (size_t) n);
}


void
floor_send_rest(floor_sender_t *s, int fd)
{
    ssize_t         n;
    floor_bytes_t  *out;

    out = s->conns[fd].out;

    if (out == NULL) {
        return;
    }

    n = send(fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n == -1) {
        return;
    }

    out->len -= (size_t) n;
    memmove(out->data, out->data + n, out->len);

    if (out->len == 0) {
        free(out);
        s->conns[fd].out = NULL;
        floor_send_watch(s, fd, EPOLLIN);
    }
}


/* A swapped message goes out behind the next one. */
static void
floor_send_swapped(floor_sender_t *s, int fd, const u_char *p, size_t len)
{
    floor_bytes_t  *held;

    held = s->conns[fd].held;
    floor_send(s, fd, p, len);
    floor_send(s, fd, held->data, held->len);
    free(held);
    s->conns[fd].held = NULL;
    s->stats->held--;
    s->stats->swapped++;
}


static void
floor_send_faulty(floor_sender_t *s, int fd, const u_char *p, size_t len)
{
    if (s->conns[fd].held != NULL) {
        floor_send_swapped(s, fd, p, len);
        return;
    }

    if (s->stats->deliveries % s->every != 0) {
        floor_send(s, fd, p, len);
        return;
    }

    switch (s->fault) {

    case FLOOR_FAULT_DROP:
        s->stats->dropped++;
        break;

    case FLOOR_FAULT_DOUBLE:
        floor_send(s, fd, p, len);
        floor_send(s, fd, p, len);
        s->stats->doubled++;
        break;

    default:
        floor_bytes_add(&s->conns[fd].held, p, len);
        s->stats->held++;
    }
}


static void
floor_send_short(void *data, int fd, int n)
{
    floor_fan_t  *fan;

    fan = data;

    if (n == -EAGAIN) {
        n = 0;
    }

    if (n >= 0) {
        floor_send_keep(fan->sender, fd, fan->p + n, fan->len - (size_t) n);
    }
}


static void
floor_send_uring(floor_sender_t *s, const uint32_t *fds, size_t n,
    const u_char *p, size_t len)
{
    size_t       i;
    floor_fan_t  fan;

    fan.sender = s;
    fan.p = p;
    fan.len = len;

    for (i = 0; i < n; i++) {
        if (s->conns[fds[i]].out != NULL) {
            floor_bytes_add(&s->conns[fds[i]].out, p, len);

        } else {
            floor_uring_add(s->uring, (int) fds[i], p, len, floor_send_short,
                            &fan);
        }
    }

    floor_uring_submit(s->uring, floor_send_short, &fan);
}


void
floor_send_all(floor_sender_t *s, const uint32_t *fds, size_t n,
    const u_char *p, size_t len)
{
    size_t  i;

    if (s->fault != FLOOR_FAULT_NONE) {
        for (i = 0; i < n; i++) {
            s->stats->deliveries++;
            floor_send_faulty(s, (int) fds[i], p, len);
        }

        return;
    }

    s->stats->deliveries += n;

    if (s->uring != NULL) {
        floor_send_uring(s, fds, n, p, len);
        return;
    }

    for (i = 0; i < n; i++) {
        floor_send(s, (int) fds[i], p, len);
    }
}
