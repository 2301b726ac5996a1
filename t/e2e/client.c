/*
 * Copyright (C) The im authors
 *
 * The clients of the end-to-end test: thousands of WebSocket connections in
 * one process.  Each checks that what it gets of its room, its inbox and the
 * broadcast is numbered without a gap and without a repetition.
 *
 *   client CLIENTS ROOMS USERS PORT...
 *
 * Client i joins room i mod ROOMS at PORT i mod ports, the first USERS with a
 * token.  Says "ready" once all have joined.  Then reads from stdin the last
 * number of each topic ("r:7 160"), ended by "end", waits for these, and says
 * its verdict as JSON.  A connection that is cut is made again; what it then
 * gets needs no beginning, but no gap either.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"


#define MAX_PORTS   8
#define IN_SIZE     65536
#define CONNECTING  64          /* handshakes under way at most */
#define SETTLE_MS   45000       /* for the last messages to arrive */
#define READY_MS    60000
#define RETRY_MS    200


typedef enum {
    IDLE = 0,                   /* to be connected from `retry` on */
    HANDSHAKE,
    JOINING,
    JOINED
} phase_e;


enum { ROOM = 0, INBOX, ALL, TOPICS };


typedef struct {
    int        fd;
    phase_e    phase;
    int        cut;             /* was lost once */
    long       retry;           /* ms */
    long       last[TOPICS];    /* numbers; -1: any may come first */
    size_t     n;               /* bytes of in */
    unsigned char *in;
} client_t;


typedef struct {
    long       messages;
    long       gaps;
    long       repeated;
    long       strangers;       /* of a topic that isn't the client's */
    long       faults;          /* not understood */
    long       cuts;
    long       missing;         /* stayed and didn't get the last */
    char       first[400];      /* the first fault, in words */
} verdict_t;


static void wait_events(long ms);
static void start_some(void);
static int start_client(client_t *c);
static void on_event(client_t *c, unsigned events);
static void on_handshake(client_t *c);
static void on_frames(client_t *c);
static void on_frame(client_t *c, int opcode, unsigned char *p, size_t n);
static void on_text(client_t *c, char *text, size_t n);
static void on_number(client_t *c, int topic, long number);
static void lost(client_t *c);
static void send_frame(client_t *c, int opcode, const void *data, size_t n);
static void fault(const char *what, const client_t *c, long number);
static int settled(void);
static int complete(const client_t *c);


static client_t   *clients;
static int         nclients, nrooms, nusers, nports, ports[MAX_PORTS];
static int         njoined, nconnecting, next_start, epoll;
static long       *want[TOPICS];    /* by room, by user, one */
static verdict_t   verdict;


int
main(int argc, char **argv)
{
    int            i, rc, topic, index;
    long           end, number, stayed;
    char           line[256], name[200];
    struct rlimit  rl;

    if (argc < 5 || argc > 4 + MAX_PORTS) {
        fprintf(stderr, "client CLIENTS ROOMS USERS PORT...\n");
        return 2;
    }

    nclients = atoi(argv[1]);
    nrooms = atoi(argv[2]);
    nusers = atoi(argv[3]);
    nports = argc - 4;

    for (i = 0; i < nports; i++) {
        ports[i] = atoi(argv[4 + i]);
    }

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    epoll = epoll_create1(0);
    clients = calloc(nclients, sizeof(client_t));
    want[ROOM] = calloc(nrooms + 1, sizeof(long));
    want[INBOX] = calloc(nusers + 1, sizeof(long));
    want[ALL] = calloc(1, sizeof(long));

    if (epoll == -1 || clients == NULL || want[ROOM] == NULL
        || want[INBOX] == NULL || want[ALL] == NULL)
    {
        perror("client");
        return 2;
    }

    for (i = 0; i < nclients; i++) {
        clients[i].fd = -1;
        clients[i].in = malloc(IN_SIZE);

        if (clients[i].in == NULL) {
            perror("client");
            return 2;
        }
    }

    end = wire_ms() + READY_MS;

    while (njoined < nclients && wire_ms() < end) {
        start_some();
        wait_events(20);
    }

    if (njoined < nclients) {
        printf("only %d of %d have joined; %s\n", njoined, nclients,
               verdict.first);
        return 1;
    }

    printf("ready\n");
    fflush(stdout);

    (void) fcntl(0, F_SETFL, O_NONBLOCK);

    for ( ;; ) {
        start_some();
        wait_events(20);

        rc = wire_line(line, sizeof(line));

        if (rc == -1) {
            exit(2);
        }

        if (rc == 0) {
            continue;
        }

        if (strcmp(line, "end") == 0) {
            break;
        }

        if (sscanf(line, "%199s %ld", name, &number) != 2) {
            return 2;
        }

        topic = name[0] == 'r' ? ROOM : name[0] == 'u' ? INBOX : ALL;
        index = topic == ROOM ? atoi(name + 2)
                : topic == INBOX ? atoi(name + 3) : 0;

        if (index < 0 || (topic == ROOM && index >= nrooms)
            || (topic == INBOX && index >= nusers))
        {
            return 2;
        }

        want[topic][index] = number;
    }

    end = wire_ms() + SETTLE_MS;

    while (!settled() && wire_ms() < end) {
        start_some();
        wait_events(20);
    }

    for (i = 0, stayed = 0; i < nclients; i++) {
        stayed += !clients[i].cut;

        if (!complete(&clients[i])) {
            verdict.missing++;
            fault("did not get the last message", &clients[i], 0);
        }
    }

    printf("{\"clients\":%d,\"joined\":%d,\"stayed\":%ld,\"cuts\":%ld,"
           "\"messages\":%ld,\"gaps\":%ld,\"repeated\":%ld,\"strangers\":%ld,"
           "\"faults\":%ld,\"missing\":%ld,\"first\":\"%s\"}\n",
           nclients, njoined, stayed, verdict.cuts, verdict.messages,
           verdict.gaps, verdict.repeated, verdict.strangers, verdict.faults,
           verdict.missing, verdict.first);
    fflush(stdout);

    /* the counts are looked at while all are there, until stdin ends */

    for ( ;; ) {
        ssize_t  n;

        start_some();
        wait_events(20);

        n = read(0, line, sizeof(line));

        if (n == 0 || (n == -1 && errno != EAGAIN)) {
            return 0;
        }
    }
}


static void
wait_events(long ms)
{
    int                 i, n;
    struct epoll_event  events[256];

    n = epoll_wait(epoll, events, 256, (int) ms);

    for (i = 0; i < n; i++) {
        on_event(events[i].data.ptr, events[i].events);
    }
}


static void
start_some(void)
{
    int        i;
    long       now;
    client_t  *c;

    now = wire_ms();

    for (i = 0; i < nclients && nconnecting < CONNECTING; i++) {
        c = &clients[next_start];
        next_start = (next_start + 1) % nclients;

        if (c->phase == IDLE && c->retry <= now && !start_client(c)) {
            c->retry = now + RETRY_MS;
        }
    }
}


static int
start_client(client_t *c)
{
    int  i;

    i = (int) (c - clients);

    c->fd = wire_connect(ports[i / nrooms % nports], epoll, c);
    if (c->fd == -1) {
        return 0;
    }

    c->n = 0;
    c->phase = HANDSHAKE;
    nconnecting++;

    return 1;
}


static void
on_event(client_t *c, unsigned events)
{
    ssize_t  n;

    if (c->fd == -1) {
        return;
    }

    if (events & (EPOLLERR|EPOLLHUP)) {
        events |= EPOLLIN;
    }

    if ((events & EPOLLOUT) && wire_upgrade(c->fd, "/ws", epoll, c) == -1) {
        lost(c);
        return;
    }

    if (!(events & EPOLLIN)) {
        return;
    }

    n = recv(c->fd, c->in + c->n, IN_SIZE - c->n, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        lost(c);
        return;
    }

    c->n += n;

    if (c->phase == HANDSHAKE) {
        on_handshake(c);
    }

    if (c->phase > HANDSHAKE) {
        on_frames(c);
    }
}


static void
on_handshake(client_t *c)
{
    int   i, rc, len;
    char  first[128], token[32];

    rc = wire_upgraded(c->in, &c->n);

    if (rc == -1) {
        lost(c);
    }

    if (rc != 1) {
        return;
    }

    c->phase = JOINING;

    i = (int) (c - clients);
    snprintf(token, sizeof(token), "\"e2e%013x\"", i);
    len = snprintf(first, sizeof(first), "{\"auth\":%s,\"roomId\":%d}",
                   i < nusers ? token : "null", i % nrooms);
    send_frame(c, OP_TEXT, first, len);
}


static void
on_frames(client_t *c)
{
    size_t  at, header, n;

    for (at = 0; c->fd != -1; at += n) {
        n = wire_frame(c->in + at, c->n - at, &header);

        if (n == 0 || n > c->n - at) {
            break;
        }

        on_frame(c, c->in[at] & 15, c->in + at + header, n - header);
    }

    if (c->fd == -1) {
        return;
    }

    memmove(c->in, c->in + at, c->n - at);
    c->n -= at;

    if (c->n == IN_SIZE) {
        fault("a frame is too long", c, 0);
        verdict.faults++;
        lost(c);
    }
}


static void
on_frame(client_t *c, int opcode, unsigned char *p, size_t n)
{
    if (opcode == OP_TEXT) {
        on_text(c, (char *) p, n);
        return;
    }

    if (opcode == OP_PING) {
        send_frame(c, OP_PONG, p, n);
        return;
    }

    if (opcode == OP_CLOSE) {
        lost(c);
        return;
    }

    verdict.faults++;
    fault("an unexpected opcode", c, opcode);
}


/* {"code":0,"msg":{"t":"r:7","n":12},"fuid":...}, or room info */
static void
on_text(client_t *c, char *text, size_t n)
{
    int    i;
    char  *t, *number, own[32];

    i = (int) (c - clients);

    if (memmem(text, n, "\"op\":4", 6) != NULL) {
        if (c->phase == JOINING) {
            c->phase = JOINED;
            nconnecting--;
            njoined++;
        }

        return;
    }

    t = memmem(text, n, "{\"t\":\"", 6);
    number = memmem(text, n, "\",\"n\":", 6);

    if (t == NULL || number == NULL || number < t) {
        verdict.faults++;
        fault("a frame that is no message", c, 0);
        return;
    }

    t += 6;
    *number = '\0';
    verdict.messages++;

    if (strcmp(t, "b") == 0) {
        on_number(c, ALL, atol(number + 6));
        return;
    }

    snprintf(own, sizeof(own), "r:%d", i % nrooms);

    if (strcmp(t, own) == 0) {
        on_number(c, ROOM, atol(number + 6));
        return;
    }

    snprintf(own, sizeof(own), "u:u%d", i);

    if (i < nusers && strcmp(t, own) == 0) {
        on_number(c, INBOX, atol(number + 6));
        return;
    }

    verdict.strangers++;
    fault("a message for somebody else", c, 0);
}


static void
on_number(client_t *c, int topic, long number)
{
    long  last;

    last = c->last[topic];
    c->last[topic] = number;

    if (last == -1 || number == last + 1) {
        return;
    }

    if (number <= last) {
        verdict.repeated++;
        fault("repeated or out of order", c, number);
        return;
    }

    verdict.gaps++;
    fault("a gap before", c, number);
}


static void
lost(client_t *c)
{
    int  i;

    close(c->fd);
    c->fd = -1;
    c->retry = wire_ms() + RETRY_MS;

    if (c->phase == JOINED) {
        njoined--;
        verdict.cuts++;
        c->cut = 1;

    } else {
        nconnecting--;
    }

    for (i = 0; c->cut && i < TOPICS; i++) {
        c->last[i] = -1;
    }

    c->phase = IDLE;
}


static void
send_frame(client_t *c, int opcode, const void *data, size_t n)
{
    if (c->fd != -1 && wire_send(c->fd, opcode, data, n) == -1) {
        lost(c);
    }
}


static void
fault(const char *what, const client_t *c, long number)
{
    if (verdict.first[0] != '\0') {
        return;
    }

    snprintf(verdict.first, sizeof(verdict.first),
             "client %d: %s %ld (has %ld, %ld, %ld)", (int) (c - clients),
             what, number, c->last[ROOM], c->last[INBOX], c->last[ALL]);
}


static int
settled(void)
{
    int  i;

    if (njoined < nclients) {
        return 0;
    }

    for (i = 0; i < nclients; i++) {
        if (!complete(&clients[i])) {
            return 0;
        }
    }

    return 1;
}


static int
complete(const client_t *c)
{
    int  i;

    i = (int) (c - clients);

    if (c->cut) {
        return 1;
    }

    return c->last[ROOM] == want[ROOM][i % nrooms]
           && c->last[ALL] == want[ALL][0]
           && (i >= nusers || c->last[INBOX] == want[INBOX][i]);
}
