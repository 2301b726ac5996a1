/*
 * Copyright (C) The im authors
 *
 * The floor: a server that accepts WebSockets and publishes, and does nothing
 * but one send for each delivery.  What others cost is measured against it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "floor_input.h"
#include "floor_options.h"
#include "floor_uring.h"


#define FLOOR_EVENTS   512
#define FLOOR_ACCEPTS  64           /* in a turn */
#define FLOOR_BACKLOG  65535


typedef struct {
    int              listen;
    int              signal;
    floor_sender_t   sender;
    floor_rooms_t    rooms;
    floor_input_t    input;
} floor_worker_t;


static floor_worker_t  floor_worker;


static int
floor_listen(const floor_options_t *o)
{
    int                 fd, one;
    struct sockaddr_in  address;

    one = 1;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) o->port);

    if (inet_pton(AF_INET, o->address, &address.sin_addr) != 1) {
        floor_fault("--address=%s: must be an IPv4 address", o->address);
    }

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1
        || (o->workers > 1
            && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))
               == -1)
        || bind(fd, (struct sockaddr *) &address, sizeof(address)) == -1
        || listen(fd, FLOOR_BACKLOG) == -1)
    {
        floor_fault("%s:%u: %s; give another --port", o->address, o->port,
                    strerror(errno));
    }

    return fd;
}


static void
floor_watch(floor_worker_t *w, int fd, floor_conn_e kind)
{
    struct epoll_event  ee;

    ee.events = EPOLLIN;
    ee.data.u64 = (uint64_t) fd;
    w->sender.conns[fd].kind = kind;

    if (epoll_ctl(w->sender.epoll, EPOLL_CTL_ADD, fd, &ee) == -1) {
        floor_fault("epoll_ctl() failed: %s", strerror(errno));
    }
}


static void
floor_accept(floor_worker_t *w)
{
    int       fd;
    unsigned  i;

    for (i = 0; i < FLOOR_ACCEPTS; i++) {
        fd = accept4(w->listen, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == -1) {
            if (errno == EMFILE) {
                floor_fault("%u open files are too few: give --workers=, or "
                            "raise the limit (ulimit -n)", w->sender.nconns);
            }

            return;
        }

        floor_watch(w, fd, FLOOR_CONN_HTTP);
    }
}


static int
floor_event(floor_worker_t *w, int fd, uint32_t events)
{
    switch (w->sender.conns[fd].kind) {

    case FLOOR_CONN_LISTEN:
        floor_accept(w);
        return 0;

    case FLOOR_CONN_SIGNAL:
        return 1;

    case FLOOR_CONN_NONE:
        return 0;

    default:
        break;
    }

    if (events & EPOLLOUT) {
        floor_send_rest(&w->sender, fd);
    }

    if (events & ~(uint32_t) EPOLLOUT) {
        floor_input_read(&w->input, fd);
    }

    return 0;
}


static void
floor_run(floor_worker_t *w)
{
    int                 i, n, ended;
    struct epoll_event  events[FLOOR_EVENTS];

    ended = 0;

    while (!ended) {
        n = epoll_wait(w->sender.epoll, events, FLOOR_EVENTS, -1);

        for (i = 0; i < n; i++) {
            ended |= floor_event(w, (int) events[i].data.u64,
                                 events[i].events);
        }

        floor_rooms_flush(&w->rooms);
    }
}


static void
floor_worker_init(floor_worker_t *w, const floor_options_t *o,
    floor_stats_t *stats, const int *peers)
{
    unsigned       i;
    const char    *error;
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        floor_fault("getrlimit() failed: %s", strerror(errno));
    }

    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);

    w->sender.nconns = (unsigned) limit.rlim_max;
    w->sender.conns = calloc(limit.rlim_max, sizeof(floor_conn_t));
    w->sender.epoll = epoll_create1(EPOLL_CLOEXEC);
    w->sender.fault = o->fault;
    w->sender.every = o->every[o->fault];
    w->sender.stats = stats;

    if (w->sender.conns == NULL || w->sender.epoll == -1) {
        floor_fault("no memory, or no files: %s", strerror(errno));
    }

    if (o->uring) {
        w->sender.uring = floor_uring_create(&error);

        if (w->sender.uring == NULL) {
            floor_fault("--uring: %s", error);
        }
    }

    floor_rooms_init(&w->rooms, &w->sender, o->coalesced);
    floor_input_init(&w->input, &w->sender, &w->rooms);
    floor_watch(w, w->listen, FLOOR_CONN_LISTEN);
    floor_watch(w, w->signal, FLOOR_CONN_SIGNAL);

    for (i = 0; i < o->workers; i++) {
        if (peers[i] != -1) {
            floor_watch(w, peers[i], FLOOR_CONN_PEER);
            w->input.peers[w->input.npeers++] = peers[i];
        }
    }
}


static void
floor_signals(floor_worker_t *w)
{
    sigset_t  set;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    (void) sigaddset(&set, SIGINT);
    (void) sigprocmask(SIG_BLOCK, &set, NULL);
    w->signal = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}


/* A pair of sockets for each two workers. */
static void
floor_pairs(int pairs[FLOOR_MAX_WORKERS][FLOOR_MAX_WORKERS], unsigned n)
{
    int       fds[2];
    unsigned  i, j;

    for (i = 0; i < n; i++) {
        pairs[i][i] = -1;

        for (j = i + 1; j < n; j++) {
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                           0, fds) == -1)
            {
                floor_fault("socketpair() failed: %s", strerror(errno));
            }

            pairs[i][j] = fds[0];
            pairs[j][i] = fds[1];
        }
    }
}


static void
floor_report(const floor_stats_t *stats, unsigned n)
{
    unsigned       i;
    floor_stats_t  sum;

    memset(&sum, 0, sizeof(sum));

    for (i = 0; i < n; i++) {
        sum.published += stats[i].published;
        sum.deliveries += stats[i].deliveries;
        sum.dropped += stats[i].dropped;
        sum.doubled += stats[i].doubled;
        sum.swapped += stats[i].swapped;
        sum.held += stats[i].held;
    }

    printf("{\"mark\":\"end\",\"published\":%llu,\"deliveries\":%llu,"
           "\"dropped\":%llu,\"doubled\":%llu,\"swapped\":%llu,\"held\":%llu}"
           "\n", (unsigned long long) sum.published,
           (unsigned long long) sum.deliveries,
           (unsigned long long) sum.dropped, (unsigned long long) sum.doubled,
           (unsigned long long) sum.swapped, (unsigned long long) sum.held);
}


/* Returns in the workers; only the first one has children. */
static unsigned
floor_fork(const floor_options_t *o, pid_t *pids)
{
    pid_t     parent;
    unsigned  i;

    parent = getpid();
    pids[0] = parent;

    for (i = 1; i < o->workers; i++) {
        pids[i] = fork();

        if (pids[i] == -1) {
            floor_fault("fork() failed: %s", strerror(errno));
        }

        if (pids[i] == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != parent) {
                _exit(1);
            }

            return i;
        }
    }

    return 0;
}


static void
floor_ready(const floor_options_t *o, const pid_t *pids)
{
    unsigned  i;

    printf("{\"mark\":\"ready\",\"port\":%u,\"pids\":[", o->port);

    for (i = 0; i < o->workers; i++) {
        printf("%s%d", i == 0 ? "" : ",", (int) pids[i]);
    }

    printf("]}\n");
    (void) fflush(stdout);
}


int
main(int argc, char **argv)
{
    int              listens[FLOOR_MAX_WORKERS];
    pid_t            pids[FLOOR_MAX_WORKERS];
    unsigned         i, me;
    floor_stats_t   *stats;
    floor_options_t  o;

    static int  pairs[FLOOR_MAX_WORKERS][FLOOR_MAX_WORKERS];

    memset(listens, 0, sizeof(listens));
    floor_options_parse(&o, argc, argv);
    stats = mmap(NULL, sizeof(floor_stats_t) * o.workers,
                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (stats == MAP_FAILED) {
        floor_fault("no memory: %s", strerror(errno));
    }

    floor_signals(&floor_worker);
    floor_pairs(pairs, o.workers);

    for (i = 0; i < o.workers; i++) {
        listens[i] = floor_listen(&o);
    }

    me = floor_fork(&o, pids);

    for (i = 0; i < o.workers; i++) {
        if (i != me) {
            (void) close(listens[i]);
        }
    }

    floor_worker.listen = listens[me];
    floor_worker_init(&floor_worker, &o, &stats[me], pairs[me]);

    if (me == 0) {
        floor_ready(&o, pids);
    }

    floor_run(&floor_worker);

    if (me != 0) {
        _exit(0);
    }

    for (i = 1; i < o.workers; i++) {
        (void) kill(pids[i], SIGTERM);
        (void) waitpid(pids[i], NULL, 0);
    }

    floor_report(stats, o.workers);

    return 0;
}
