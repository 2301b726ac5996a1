/*
 * Copyright (C) The im authors
 *
 * A process that stands still now and then, to be preloaded: as on a machine
 * with too few CPUs.  IM_SLOW is "N US": of N waits for events one, by chance,
 * is followed by up to US microseconds in which the process does nothing.  So
 * is one of N connections that it accepts, or of N calls of poll().
 */

#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


typedef int (*epoll_wait_pt)(int, struct epoll_event *, int, int);
typedef int (*accept4_pt)(int, struct sockaddr *, socklen_t *, int);
typedef int (*poll_pt)(struct pollfd *, nfds_t, int);


static unsigned  every;         /* 0: never */
static unsigned  longest;


__attribute__((constructor))
static void
begin(void)
{
    const char  *value;

    value = getenv("IM_SLOW");

    if (value == NULL || sscanf(value, "%u %u", &every, &longest) != 2) {
        every = 0;
    }
}


/* workers that are forked differ, so their numbers go in */

static uint64_t
chance(void)
{
    static uint64_t  x;
    static pid_t     pid;

    if (pid != getpid()) {
        pid = getpid();
        x ^= (uint64_t) time(NULL) << 32 ^ (uint64_t) pid * 0x9e3779b97f4a7c15;
    }

    x += 0x9e3779b97f4a7c15;

    return (x ^ x >> 31) * 0xbf58476d1ce4e5b9 >> 20;
}


static int
then(int rc)
{
    unsigned         us;
    struct timespec  ts;

    if (every != 0 && rc >= 0 && chance() % every == 0) {
        us = (unsigned) (chance() % (longest + 1));
        ts.tv_sec = us / 1000000;
        ts.tv_nsec = us % 1000000 * 1000;

        (void) nanosleep(&ts, NULL);
    }

    return rc;
}


int
epoll_wait(int ep, struct epoll_event *events, int n, int timeout)
{
    static epoll_wait_pt  real;

    if (real == NULL) {
        real = (epoll_wait_pt) dlsym(RTLD_NEXT, "epoll_wait");
    }

    return then(real(ep, events, n, timeout));
}


int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static poll_pt  real;

    if (real == NULL) {
        real = (poll_pt) dlsym(RTLD_NEXT, "poll");
    }

    return then(real(fds, n, timeout));
}


int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    static accept4_pt  real;

    if (real == NULL) {
        real = (accept4_pt) dlsym(RTLD_NEXT, "accept4");
    }

    return then(real(fd, sa, len, flags));
}
