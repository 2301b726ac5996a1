/*
 * Copyright (C) The im authors
 *
 * Waits for events of sockets by epoll.  The lowest bit of an event's data says
 * whether it is a client's number or a pointer.
 */

#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "load_loop.h"


uint64_t
load_now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * LOAD_SECOND + (uint64_t) t.tv_nsec;
}


int
load_loop_init(load_loop_t *loop, unsigned spin)
{
    loop->spin = (uint64_t) spin * 1000;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);

    return loop->epoll == -1 ? -1 : 0;
}


static int
load_loop_control(load_loop_t *loop, int op, int fd, uint32_t events,
    uint64_t data)
{
    struct epoll_event  ee;

    ee.events = events;
    ee.data.u64 = data;

    return epoll_ctl(loop->epoll, op, fd, &ee);
}


int
load_loop_add(load_loop_t *loop, int fd, uint32_t events, load_event_t *ev)
{
    return load_loop_control(loop, EPOLL_CTL_ADD, fd, events,
                             (uint64_t) (uintptr_t) ev);
}


int
load_loop_add_client(load_loop_t *loop, int fd, uint32_t events,
    uint32_t client)
{
    return load_loop_control(loop, EPOLL_CTL_ADD, fd, events,
                             (uint64_t) client << 1 | 1);
}


int
load_loop_change_client(load_loop_t *loop, int fd, uint32_t events,
    uint32_t client)
{
    return load_loop_control(loop, EPOLL_CTL_MOD, fd, events,
                             (uint64_t) client << 1 | 1);
}


void
load_loop_remove(load_loop_t *loop, int fd)
{
    (void) epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}


/*
 * Who sends to a process that sleeps pays for waking it.  One that polls for a
 * while doesn't sleep between the messages of a fan-out.
 */
static int
load_loop_wait(load_loop_t *loop, uint64_t until)
{
    int              n;
    uint64_t         now, end;
    struct timespec  t;

    now = load_now();
    end = now + loop->spin;

    while (now < end && now < until) {
        n = epoll_wait(loop->epoll, loop->events, LOAD_LOOP_EVENTS, 0);

        if (n != 0) {
            return n;
        }

        now = load_now();
    }

    now = until > now ? until - now : 0;
    t.tv_sec = (time_t) (now / LOAD_SECOND);
    t.tv_nsec = (long) (now % LOAD_SECOND);

    return epoll_pwait2(loop->epoll, loop->events, LOAD_LOOP_EVENTS, &t, NULL);
}


void
load_loop_turn(load_loop_t *loop, uint64_t until)
{
    int            i, n;
    uint64_t       data;
    load_event_t  *ev;

    n = load_loop_wait(loop, until);

    for (i = 0; i < n; i++) {
        data = loop->events[i].data.u64;

        if (data & 1) {
            loop->client(loop->data, (uint32_t) (data >> 1),
                         loop->events[i].events);

        } else {
            ev = (load_event_t *) (uintptr_t) data;
            ev->handler(ev, loop->events[i].events);
        }
    }
}
