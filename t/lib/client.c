/*
 * Copyright (C) The im authors
 *
 * The clients of end to end and of the drills: thousands of WebSocket
 * connections in one process that keep a record of each message they get, and
 * resume after a disconnect from where they were.
 *
 *   client [-h] PROTOCOL DRILL CLIENTS ROOMS USERS PUBLISHERS PORT...
 *
 * PROTOCOL: im, centrifuge, both, or plain, which is im without positions: each
 * disconnect is a hole.  At ports PORT, /PROTOCOL/user and /PROTOCOL/guest are
 * what it connects to.
 * Client i follows room i mod ROOMS (with centrifuge a second one too) and the
 * broadcast, the first USERS sign in and have an inbox.  A message's payload
 * is {"msg":{"d":DRILL,"t":TOPIC,"p":PUBLISHER,"n":NUMBER}}: the numbers of a
 * publisher in a topic start at 1 and have no gaps.
 *
 * Says "ready" once all have joined.  Commands, one a line, by stdin:
 *
 *   status             says how many are connected, and the counts up to now
 *   cut MS             cuts all connections; they are made again MS later
 *   forgotten [TOPIC]  Redis lost all: a client that had messages has a hole
 *   want TOPIC P N     N messages of publisher P to TOPIC were accepted
 *   end SECONDS        waits until all have all of them, says its verdict
 *   watch, gaps        from then on; says for each topic how many ms a
 *                      client of it was without a message at most
 *
 * With -h, Redis may lose what it accepted, and the verdict is by what it has
 * in the end, which these commands say instead of "want":
 *
 *   history                 forgets what these said before: all is said anew
 *   past TOPIC EPOCH N      epochs of the topic, with their last number
 *   is TOPIC NUMBER P N     the topic's history
 *   accepted TOPIC EPOCH NUMBER P N   what a push was answered with
 *
 * A position is gone when its epoch isn't one of these, or its number is behind
 * the epoch's last.  Then: a client that stood at one has heard of a hole, no
 * other client has; each has all of the history but what was in its holes, once
 * and in order; no epoch and number ever stood for two messages.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "wire.h"


#define MAX_PORTS   8
#define MAX_NUMBER  16384       /* messages of a publisher to a topic */
#define IN_SIZE     16384       /* grows */
#define IN_MAX      (8 * 1024 * 1024)
#define CONNECTING  64          /* handshakes under way at most */
#define READY_MS    60000
#define SLACK_MS    3000        /* a ping may be late by */
#define SLOTS       4
#define MAX_EPOCHS  4096

#define array(v)    ((v) != NULL && YAJL_IS_ARRAY(v) ? YAJL_GET_ARRAY(v) : NULL)


typedef enum {
    IDLE = 0,                   /* to be connected from `retry` on */
    HANDSHAKE,
    JOINING,
    JOINED
} phase_e;


/* What a client has of a publisher's messages to one topic. */
typedef struct {
    uint32_t       max;
    uint32_t       want;
    int            told;        /* of a hole, behind which nothing came yet */
    unsigned char  seen[MAX_NUMBER / 8];
} record_t;


/* What happened to a subscription: with -h, it is judged in the end. */
typedef enum {
    POSITION = 0,               /* it goes on from there, or begins there */
    HOLE,                       /* it goes on from there, and misses some */
    MESSAGE
} what_e;


typedef struct {
    what_e         what;
    int            epoch;       /* index */
    int            topic;
    uint32_t       number;
    uint32_t       p;
    uint32_t       n;
} event_t;


typedef struct {
    size_t         n;
    size_t         size;
    event_t       *events;
} events_t;


/* What Redis has of a topic in the end. */
typedef struct {
    uint32_t       top;
    uint32_t      *bounds;      /* by epoch; 0: not one of its own */
    event_t       *messages;    /* by number; of n 0 there is none */
    size_t         size;
    long           gap;         /* ms without a message */
} topic_t;


/* A topic that a client follows. */
typedef struct {
    int            topic;       /* index; -1: none */
    int            joined;
    int            known;       /* the position below */
    int            excused;     /* the hole that it is in is counted */
    int            forgotten;   /* the next one is */
    long           retry;       /* ms; 0: nothing to subscribe */
    uint64_t       offset;
    char           epoch[64];
    long           last;        /* ms: when a message came */
    record_t     **records;     /* by publisher, allocated when used */
    events_t       events;
} slot_t;


typedef struct {
    int            fd;
    phase_e        phase;
    const struct protocol_s  *protocol;
    int            attempts;
    int            cut;         /* was lost once */
    long           retry;       /* ms */
    long           heard;       /* ms */
    long           ping;        /* ms between pings; 0: not known */
    size_t         n;           /* bytes of in */
    size_t         size;
    unsigned char *in;
    slot_t         slots[SLOTS];
} client_t;


typedef struct protocol_s {
    const char    *name;
    void         (*hello)(client_t *c);
    void         (*text)(client_t *c, char *text, size_t n);
} protocol_t;


typedef struct {
    long           delivered;
    long           due;
    long           lost;
    long           missing;     /* of these, behind the last that came */
    long           duplicated;
    long           reordered;
    long           excused;     /* messages in holes that were told */
    long           real;        /* subscriptions with a hole */
    long           told;        /* holes told */
    long           recovered;   /* positions continued after a disconnect */
    long           cuts;
    long           strangers;   /* of a topic that isn't the client's */
    long           faults;      /* not understood, not allowed */

    long           gone;        /* with -h: messages that Redis has lost */
    long           untold;      /* who saw them wasn't told */
    long           forged;      /* messages other than history has them */
    long           forked;      /* one number given to two messages */
    long           forgot;      /* accepted pushes that Redis has lost */
    int            complete;    /* all have all that they can have */
    char           first[600];  /* the first fault, in words */
    char           hole[200];   /* the first hole */
} verdict_t;


static void arguments(int argc, char **argv);
static void slots_init(int i);
static void turn(void);
static void start_some(void);
static int start_client(client_t *c);
static void look_after(client_t *c, long now);
static void on_event(client_t *c, unsigned events);
static void on_handshake(client_t *c);
static void on_frames(client_t *c);
static void on_frame(client_t *c, int opcode, unsigned char *p, size_t n);
static void lost(client_t *c);
static void joined(client_t *c);
static void send_frame(client_t *c, int opcode, const void *data, size_t n);

static void im_hello(client_t *c);
static void im_text(client_t *c, char *text, size_t n);
static void im_position(client_t *c, slot_t *slot, yajl_val frame);
static void plain_hello(client_t *c);
static void plain_text(client_t *c, char *text, size_t n);
static void cf_hello(client_t *c);
static void cf_subscribe(client_t *c, int i);
static void cf_text(client_t *c, char *text, size_t n);
static void cf_reply(client_t *c, yajl_val reply);
static void cf_connected(client_t *c, yajl_val result);
static void cf_subscribed(client_t *c, slot_t *slot, yajl_val result);
static void cf_push(client_t *c, yajl_val push);
static void cf_publication(client_t *c, slot_t *slot, yajl_val pub);
static slot_t *cf_slot(client_t *c, const char *channel);
static void cf_channel(int topic, char *channel, size_t size);

static void on_number(client_t *c, slot_t *slot, uint64_t number);
static void on_message(client_t *c, slot_t *slot, uint64_t number,
    yajl_val msg);
static void on_hole(client_t *c, slot_t *slot, const char *epoch,
    uint64_t number);
static record_t *record_of(slot_t *slot, long p);
static int has(const record_t *record, uint32_t n);
static int topic_of(const char *name);
static slot_t *slot_of(client_t *c, int topic);
static void want(const char *name, long p, uint32_t n);
static void end(long seconds);
static void forget_history(void);
static int complete(void);
static int complete_history(void);
static void judge(void);
static void note(events_t *events, const event_t *event);
static void note_at(slot_t *slot, what_e what, uint64_t number);
static int epoch_of(const char *name);
static int gone(const event_t *event);
static topic_t *topic(int i);
static void past(const char *name, const char *epoch, uint32_t number);
static void is(const char *name, uint32_t number, uint32_t p, uint32_t n);
static void accepted(const char *name, const char *epoch, uint32_t number,
    uint32_t p, uint32_t n);
static void judge_history(void);
static void judge_slot(client_t *c, slot_t *slot);
static void judge_numbers(void);
static int compare(const void *one, const void *two);
static void watch(void);
static void gaps(void);
static void stranger(client_t *c, yajl_val msg);
static void tell(const char *what);
static void cut_all(long ms);
static void forgotten(int topic);

static yajl_val get(yajl_val v, const char *name, yajl_type type);
static const char *get_string(yajl_val v, const char *name);
static uint64_t get_number(yajl_val v, const char *name);
static int get_true(yajl_val v, const char *name);
static void fault(const client_t *c, const char *format, ...);


enum { IM = 0, CENTRIFUGE, PLAIN, BOTH };      /* both: im is each fourth */


static const protocol_t  protocols[] = {
    { "im", im_hello, im_text },
    { "centrifuge", cf_hello, cf_text },
    { "plain", plain_hello, plain_text },
    { "both", NULL, NULL }
};


static const char        *drill;
static client_t          *clients;
static int                nclients, nrooms, nusers, npublishers, nports;
static int                ports[MAX_PORTS];
static int                kind;
static int                njoined, nconnecting, next_start, epoll;
static int                by_history;
static int                nepochs;
static char               epochs[MAX_EPOCHS][64];
static topic_t           *topics;
static events_t           answers;
static verdict_t          verdict;


int
main(int argc, char **argv)
{
    int   p, rc;
    long  until, ms, n, number;
    char  line[256], name[128], epoch[64];

    by_history = argc > 1 && strcmp(argv[1], "-h") == 0;
    argv[by_history] = argv[0];
    arguments(argc - by_history, argv + by_history);

    until = wire_ms() + READY_MS;

    while (njoined < nclients && wire_ms() < until) {
        turn();
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
        rc = wire_line(line, sizeof(line));

        if (rc == -1) {
            exit(0);
        }

        if (rc == 0) {
            turn();
            continue;
        }

        if (strcmp(line, "status") == 0) {
            tell("status");

        } else if (sscanf(line, "cut %ld", &ms) == 1) {
            cut_all(ms);

        } else if (strcmp(line, "forgotten") == 0) {
            forgotten(-1);

        } else if (sscanf(line, "forgotten %127s", name) == 1) {
            forgotten(topic_of(name));

        } else if (sscanf(line, "want %127s %d %ld", name, &p, &n) == 3) {
            want(name, p, (uint32_t) n);

        } else if (strcmp(line, "history") == 0) {
            forget_history();

        } else if (sscanf(line, "past %127s %63s %ld", name, epoch, &n) == 3) {
            past(name, epoch, n);

        } else if (sscanf(line, "is %127s %ld %d %ld", name, &number, &p, &n)
                   == 4)
        {
            is(name, number, p, n);

        } else if (sscanf(line, "accepted %127s %63s %ld %d %ld", name, epoch,
                          &number, &p, &n) == 5)
        {
            accepted(name, epoch, number, p, n);

        } else if (strcmp(line, "watch") == 0) {
            watch();

        } else if (strcmp(line, "gaps") == 0) {
            gaps();

        } else if (sscanf(line, "end %ld", &ms) == 1) {
            end(ms);

        } else {
            return 2;
        }
    }
}


static void
arguments(int argc, char **argv)
{
    int            i;
    struct rlimit  rl;

    if (argc < 8 || argc > 7 + MAX_PORTS) {
        fprintf(stderr, "client [-h] PROTOCOL DRILL CLIENTS ROOMS USERS "
                        "PUBLISHERS PORT...\n");
        exit(2);
    }

    while (kind < BOTH && strcmp(argv[1], protocols[kind].name) != 0) {
        kind++;
    }

    drill = argv[2];
    nclients = atoi(argv[3]);
    nrooms = atoi(argv[4]);
    nusers = atoi(argv[5]);
    npublishers = atoi(argv[6]);
    nports = argc - 7;

    for (i = 0; i < nports; i++) {
        ports[i] = atoi(argv[7 + i]);
    }

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &rl);
    }

    srandom(getpid());

    epoll = epoll_create1(0);
    clients = calloc(nclients, sizeof(client_t));
    topics = calloc(nrooms + nusers + 1, sizeof(topic_t));

    if (epoll == -1 || clients == NULL || topics == NULL) {
        perror("client");
        exit(2);
    }

    for (i = 0; i < nclients; i++) {
        slots_init(i);
    }
}


static void
slots_init(int i)
{
    int        k;
    client_t  *c;

    c = &clients[i];
    c->fd = -1;
    c->protocol = &protocols[kind != BOTH ? kind : i % 4 == 3 ? IM
                                                             : CENTRIFUGE];
    c->in = malloc(IN_SIZE + 1);
    c->size = IN_SIZE;

    for (k = 0; k < SLOTS; k++) {
        c->slots[k].topic = -1;
        c->slots[k].records = calloc(npublishers, sizeof(record_t *));

        if (c->in == NULL || c->slots[k].records == NULL) {
            perror("client");
            exit(2);
        }
    }

    c->slots[0].topic = i % nrooms;

    k = (i + 1 + i / nrooms) % nrooms;

    if (c->protocol == &protocols[CENTRIFUGE] && k != i % nrooms) {
        c->slots[1].topic = k;
    }

    if (i < nusers) {
        c->slots[2].topic = nrooms + i;
    }

    c->slots[3].topic = nrooms + nusers;
}


static void
turn(void)
{
    int                 i, n;
    long                now;
    struct epoll_event  events[256];

    start_some();

    n = epoll_wait(epoll, events, 256, 10);

    for (i = 0; i < n; i++) {
        on_event(events[i].data.ptr, events[i].events);
    }

    now = wire_ms();

    for (i = 0; i < nclients; i++) {
        if (clients[i].fd != -1) {
            look_after(&clients[i], now);
        }
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
            c->retry = now + 200;
        }
    }
}


/* Each attempt takes the next port: a lost client resumes elsewhere. */
static int
start_client(client_t *c)
{
    int  i;

    i = (int) (c - clients);

    c->fd = wire_connect(ports[(i / nrooms + c->attempts++) % nports], epoll,
                         c);
    if (c->fd == -1) {
        return 0;
    }

    c->n = 0;
    c->phase = HANDSHAKE;
    c->heard = wire_ms();
    nconnecting++;

    return 1;
}


/* Ends silent connections, and subscribes again where it is time. */
static void
look_after(client_t *c, long now)
{
    int  i;

    if (c->phase != JOINED && now - c->heard > 15000) {
        lost(c);
        return;
    }

    if (c->ping > 0 && now - c->heard > c->ping + SLACK_MS) {
        lost(c);
        return;
    }

    for (i = 0; i < SLOTS && c->fd != -1; i++) {
        if (c->slots[i].retry != 0 && c->slots[i].retry <= now) {
            c->slots[i].retry = 0;
            cf_subscribe(c, i);
        }
    }
}


static void
on_event(client_t *c, unsigned events)
{
    char            path[64];
    ssize_t         n;
    unsigned char  *in;

    if (c->fd == -1) {
        return;
    }

    if (events & EPOLLOUT) {
        snprintf(path, sizeof(path), "/%s/%s", c->protocol->name,
                 c - clients < nusers ? "user" : "guest");

        if (wire_upgrade(c->fd, path, epoll, c) == -1) {
            lost(c);
            return;
        }
    }

    if (!(events & (EPOLLIN|EPOLLERR|EPOLLHUP))) {
        return;
    }

    if (c->n == c->size) {
        in = c->size < IN_MAX ? realloc(c->in, c->size * 2 + 1) : NULL;

        if (in == NULL) {
            verdict.faults++;
            fault(c, "a frame is too long");
            lost(c);
            return;
        }

        c->in = in;
        c->size *= 2;
    }

    n = recv(c->fd, c->in + c->n, c->size - c->n, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        lost(c);
        return;
    }

    c->n += n;
    c->heard = wire_ms();

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
    int  rc;

    rc = wire_upgraded(c->in, &c->n);

    if (rc == -1) {
        lost(c);
    }

    if (rc != 1) {
        return;
    }

    c->phase = JOINING;

    c->protocol->hello(c);
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

    if (c->fd != -1) {
        memmove(c->in, c->in + at, c->n - at);
        c->n -= at;
    }
}


static void
on_frame(client_t *c, int opcode, unsigned char *p, size_t n)
{
    int  code;

    if (opcode == OP_TEXT) {
        c->protocol->text(c, (char *) p, n);
        return;
    }

    if (opcode == OP_PING) {
        send_frame(c, OP_PONG, p, n);
        return;
    }

    code = n >= 2 ? p[0] << 8 | p[1] : 0;

    if (opcode != OP_CLOSE || (code >= 3500 && code < 4000)) {
        verdict.faults++;
        fault(c, "opcode %d, code %d, \"%.*s\"", opcode, code,
              n > 2 ? (int) n - 2 : 0, p + 2);
    }

    lost(c);
}


static void
lost(client_t *c)
{
    int  i;

    close(c->fd);
    c->fd = -1;
    c->retry = wire_ms() + random() % 500;
    c->ping = 0;

    if (c->phase == JOINED) {
        njoined--;
        verdict.cuts++;
        c->cut = 1;

    } else {
        nconnecting--;
    }

    for (i = 0; i < SLOTS; i++) {
        c->slots[i].joined = 0;
        c->slots[i].retry = 0;
    }

    c->phase = IDLE;
}


/* Counted as joined when all of its topics are. */
static void
joined(client_t *c)
{
    int  i;

    for (i = 0; i < SLOTS; i++) {
        if (c->slots[i].topic != -1 && !c->slots[i].joined) {
            return;
        }
    }

    if (c->phase == JOINING) {
        c->phase = JOINED;
        nconnecting--;
        njoined++;
    }
}


static void
send_frame(client_t *c, int opcode, const void *data, size_t n)
{
    if (c->fd != -1 && wire_send(c->fd, opcode, data, n) == -1) {
        lost(c);
    }
}


/* With the extension: positions, and messages that have them. */
static void
im_hello(client_t *c)
{
    int      i, n;
    char     text[1024];
    slot_t  *slot;

    i = (int) (c - clients);
    slot = c->slots;

    n = snprintf(text, sizeof(text), "{\"roomId\":%d,\"seq\":%lu,"
                 "\"epoch\":\"%s\",\"broadcast\":{\"seq\":%lu,"
                 "\"epoch\":\"%s\"}", atoi(drill) * 1000 + slot[0].topic,
                 (unsigned long) slot[0].offset, slot[0].epoch,
                 (unsigned long) slot[3].offset, slot[3].epoch);

    if (i < nusers) {
        n += snprintf(text + n, sizeof(text) - n, ",\"auth\":\"drl%013x\","
                      "\"inbox\":{\"seq\":%lu,\"epoch\":\"%s\"}", i,
                      (unsigned long) slot[2].offset, slot[2].epoch);
    }

    n += snprintf(text + n, sizeof(text) - n, "}");

    send_frame(c, OP_TEXT, text, n);
}


/* {"msg":{...},"op":3,"seq":1}, op 7: where a topic begins, or room info. */
static void
im_text(client_t *c, char *text, size_t n)
{
    int        op;
    char       bad;
    slot_t    *slot;
    yajl_val   frame;

    bad = text[n];
    text[n] = '\0';
    frame = yajl_tree_parse(text, NULL, 0);
    text[n] = bad;

    op = (int) get_number(frame, "op");

    slot = op == 2 || get_true(frame, "inbox") ? &c->slots[2]
           : get_true(frame, "broadcast") ? &c->slots[3] : &c->slots[0];

    if (op == 7) {
        im_position(c, slot, frame);

    } else if ((op != 2 && op != 3) || !slot->joined
               || get_number(frame, "seq") == 0)
    {
        if (op != 4) {
            verdict.faults++;
            fault(c, "got %.*s", (int) n, text);
        }

    } else {
        on_number(c, slot, get_number(frame, "seq"));
        on_message(c, slot, get_number(frame, "seq"),
                   get(frame, "msg", yajl_t_object));
    }

    yajl_tree_free(frame);
}


static void
im_position(client_t *c, slot_t *slot, yajl_val frame)
{
    if (slot->known && get_true(frame, "recovered")) {
        verdict.recovered++;

        if (get_number(frame, "seq") != slot->offset) {
            verdict.faults++;
            fault(c, "goes on from %lu, not %lu",
                  (unsigned long) get_number(frame, "seq"),
                  (unsigned long) slot->offset);
        }

    } else if (slot->known) {
        on_hole(c, slot, get_string(frame, "epoch"),
                get_number(frame, "seq"));
    }

    snprintf(slot->epoch, sizeof(slot->epoch), "%s",
             get_string(frame, "epoch"));
    slot->offset = get_number(frame, "seq");

    note_at(slot, slot->known && !get_true(frame, "recovered") ? HOLE
                                                               : POSITION,
            slot->offset);

    slot->known = 1;
    slot->joined = 1;

    joined(c);
}


/* Without positions a client can't know what it missed. */
static void
plain_hello(client_t *c)
{
    int   i, n;
    char  text[128], token[32];

    for (i = 0; i < SLOTS; i++) {
        if (c->slots[i].known) {
            on_hole(c, &c->slots[i], "", 0);
        }
    }

    i = (int) (c - clients);
    snprintf(token, sizeof(token), "\"drl%013x\"", i);

    n = snprintf(text, sizeof(text), "{\"auth\":%s,\"roomId\":%d}",
                 i < nusers ? token : "null",
                 atoi(drill) * 1000 + c->slots[0].topic);

    send_frame(c, OP_TEXT, text, n);
}


/* {"code":0,"msg":{...}}, or room info, by which all topics are joined */
static void
plain_text(client_t *c, char *text, size_t n)
{
    int        i;
    char       bad;
    slot_t    *slot;
    yajl_val   frame, msg;

    bad = text[n];
    text[n] = '\0';
    frame = yajl_tree_parse(text, NULL, 0);
    text[n] = bad;

    msg = get(frame, "msg", yajl_t_object);
    slot = slot_of(c, topic_of(get_string(msg, "t")));

    if (get_number(frame, "op") == 4) {
        for (i = 0; i < SLOTS; i++) {
            c->slots[i].known = c->slots[i].topic != -1;
            c->slots[i].joined = c->slots[i].known;
        }

        joined(c);

    } else if (msg == NULL) {
        verdict.faults++;
        fault(c, "got %.*s", (int) n, text);

    } else if (slot == NULL) {
        stranger(c, msg);

    } else {
        on_message(c, slot, 0, msg);
    }

    yajl_tree_free(frame);
}


static void
cf_hello(client_t *c)
{
    int      i, n;
    char     text[1024], channel[64], token[64];
    slot_t  *slot;

    i = (int) (c - clients);

    snprintf(token, sizeof(token), "\"token\":\"drl%013x\",", i);

    n = snprintf(text, sizeof(text), "{\"id\":1,\"connect\":{%s\"subs\":{",
                 i < nusers ? token : "");

    for (i = 2; i < SLOTS; i++) {
        slot = &c->slots[i];

        if (slot->topic == -1 || !slot->known) {
            continue;
        }

        cf_channel(slot->topic, channel, sizeof(channel));
        n += snprintf(text + n, sizeof(text) - n,
                      "%s\"%s\":{\"recover\":true,\"epoch\":\"%s\","
                      "\"offset\":%lu}", text[n - 1] == '{' ? "" : ",",
                      channel, slot->epoch, (unsigned long) slot->offset);
    }

    n += snprintf(text + n, sizeof(text) - n, "}}}");

    send_frame(c, OP_TEXT, text, n);

    for (i = 0; i < 2; i++) {
        if (c->slots[i].topic != -1) {
            cf_subscribe(c, i);
        }
    }
}


static void
cf_subscribe(client_t *c, int i)
{
    int      n;
    char     text[512], channel[64];
    slot_t  *slot;

    slot = &c->slots[i];

    cf_channel(slot->topic, channel, sizeof(channel));
    n = snprintf(text, sizeof(text), "{\"id\":%d,\"subscribe\":{\"channel\":"
                 "\"%s\",\"recoverable\":true", 10 + i, channel);

    if (slot->known) {
        n += snprintf(text + n, sizeof(text) - n, ",\"recover\":true,"
                      "\"epoch\":\"%s\",\"offset\":%lu", slot->epoch,
                      (unsigned long) slot->offset);
    }

    n += snprintf(text + n, sizeof(text) - n, "}}");

    send_frame(c, OP_TEXT, text, n);
}


static void
cf_text(client_t *c, char *text, size_t n)
{
    char      *p, *end, *line, bad;
    yajl_val   v;

    end = text + n;

    for (line = text; line < end && c->fd != -1; line = p + 1) {
        p = memchr(line, '\n', end - line);
        p = p != NULL ? p : end;

        if (p - line == 2 && memcmp(line, "{}", 2) == 0) {
            send_frame(c, OP_TEXT, "{}", 2);
            continue;
        }

        bad = *p;
        *p = '\0';
        v = yajl_tree_parse(line, NULL, 0);
        *p = bad;

        if (get(v, "push", yajl_t_object) != NULL) {
            cf_push(c, get(v, "push", yajl_t_object));

        } else if (get_number(v, "id") != 0) {
            cf_reply(c, v);

        } else {
            verdict.faults++;
            fault(c, "got %.*s", (int) (p - line), line);
        }

        yajl_tree_free(v);
    }
}


static void
cf_reply(client_t *c, yajl_val reply)
{
    int       i;
    yajl_val  error;

    i = (int) get_number(reply, "id") - 10;
    error = get(reply, "error", yajl_t_object);

    if (error != NULL && get_true(error, "temporary")) {

        if (i < 0) {
            lost(c);
            return;
        }

        c->slots[i].retry = wire_ms() + 200 + random() % 500;
        return;
    }

    if (error != NULL || i >= SLOTS) {
        verdict.faults++;
        fault(c, "answer %d: error %lu %s", i,
              (unsigned long) get_number(error, "code"),
              get_string(error, "message"));
        lost(c);
        return;
    }

    if (i < 0) {
        cf_connected(c, get(reply, "connect", yajl_t_object));

    } else {
        cf_subscribed(c, &c->slots[i], get(reply, "subscribe",
                                           yajl_t_object));
    }
}


static void
cf_connected(client_t *c, yajl_val result)
{
    size_t     i;
    slot_t    *slot;
    yajl_val   subs;

    c->ping = 1000 * (long) get_number(result, "ping");

    subs = get(result, "subs", yajl_t_object);

    for (i = 0; subs != NULL && i < YAJL_GET_OBJECT(subs)->len; i++) {
        slot = cf_slot(c, YAJL_GET_OBJECT(subs)->keys[i]);

        if (slot != NULL) {
            cf_subscribed(c, slot, YAJL_GET_OBJECT(subs)->values[i]);
        }
    }

    joined(c);
}


static void
cf_subscribed(client_t *c, slot_t *slot, yajl_val result)
{
    size_t    i;
    yajl_val  pubs;

    if (slot->known && !get_true(result, "was_recovering")) {
        verdict.faults++;
        fault(c, "recover was ignored");
    }

    if (get_true(result, "recovered")) {
        verdict.recovered++;

    } else {
        if (slot->known) {
            on_hole(c, slot, get_string(result, "epoch"),
                    get_number(result, "offset"));
        }

        slot->offset = get_number(result, "offset");
    }

    snprintf(slot->epoch, sizeof(slot->epoch), "%s",
             get_string(result, "epoch"));

    note_at(slot, slot->known && !get_true(result, "recovered") ? HOLE
                                                                : POSITION,
            slot->offset);

    slot->known = 1;
    slot->joined = 1;

    pubs = get(result, "publications", yajl_t_array);

    for (i = 0; pubs != NULL && i < array(pubs)->len; i++) {
        cf_publication(c, slot, array(pubs)->values[i]);
    }

    joined(c);
}


static void
cf_push(client_t *c, yajl_val push)
{
    slot_t    *slot;
    yajl_val   v;

    slot = cf_slot(c, get_string(push, "channel"));
    v = get(push, "pub", yajl_t_object);

    if (v != NULL) {
        if (slot == NULL || !slot->joined) {
            verdict.faults++;
            fault(c, "a publication of \"%s\", which it doesn't follow",
                  get_string(push, "channel"));
            return;
        }

        cf_publication(c, slot, v);
        return;
    }

    v = get(push, "subscribe", yajl_t_object);

    if (v != NULL && slot != NULL && !slot->joined) {

        /* its server was away when connect was answered */

        if (slot->known) {
            verdict.faults++;
            fault(c, "a subscription without its position");
        }

        cf_subscribed(c, slot, v);
        return;
    }

    if (v != NULL && slot != NULL) {

        /* its numbers go on under another epoch */

        if (get_number(v, "offset") != slot->offset) {
            verdict.faults++;
            fault(c, "goes on from %lu, not %lu",
                  (unsigned long) get_number(v, "offset"),
                  (unsigned long) slot->offset);
        }

        snprintf(slot->epoch, sizeof(slot->epoch), "%s",
                 get_string(v, "epoch"));
        note_at(slot, POSITION, slot->offset);
        return;
    }

    v = get(push, "unsubscribe", yajl_t_object);

    if (v == NULL || slot == NULL) {
        return;
    }

    if (get_number(v, "code") < 2500) {
        verdict.faults++;
        fault(c, "unsubscribed with %lu",
              (unsigned long) get_number(v, "code"));
    }

    slot->joined = 0;
    slot->retry = wire_ms() + 1 + random() % 300;
}


static void
cf_publication(client_t *c, slot_t *slot, yajl_val pub)
{
    on_number(c, slot, get_number(pub, "offset"));
    on_message(c, slot, get_number(pub, "offset"),
               get(get(pub, "data", yajl_t_object), "msg", yajl_t_object));
}


static slot_t *
cf_slot(client_t *c, const char *channel)
{
    int   i;
    char  name[64];

    for (i = 0; i < SLOTS; i++) {
        if (c->slots[i].topic == -1) {
            continue;
        }

        cf_channel(c->slots[i].topic, name, sizeof(name));

        if (strcmp(name, channel) == 0) {
            return &c->slots[i];
        }
    }

    return NULL;
}


static void
cf_channel(int topic, char *channel, size_t size)
{
    if (topic < nrooms) {
        snprintf(channel, size, "%d", atoi(drill) * 1000 + topic);

    } else if (topic < nrooms + nusers) {
        snprintf(channel, size, "#u%d", topic - nrooms);

    } else {
        snprintf(channel, size, "#");
    }
}


static void
on_number(client_t *c, slot_t *slot, uint64_t number)
{
    if (number > slot->offset + 1) {
        verdict.faults++;
        fault(c, "number %lu after %lu", (unsigned long) number,
              (unsigned long) slot->offset);
    }

    if (number > slot->offset) {
        slot->offset = number;
    }
}


static void
on_message(client_t *c, slot_t *slot, uint64_t number, yajl_val msg)
{
    long       p, now;
    event_t    event;
    uint32_t   n, k;
    record_t  *record;

    p = (long) get_number(msg, "p");
    n = (uint32_t) get_number(msg, "n");
    record = record_of(slot, p);

    if (record == NULL || n == 0 || n >= MAX_NUMBER
        || strcmp(get_string(msg, "d"), drill) != 0)
    {
        verdict.faults++;
        fault(c, "message %u of %ld to \"%s\" in drill \"%s\"", n, p,
              get_string(msg, "t"), get_string(msg, "d"));
        return;
    }

    if (topic_of(get_string(msg, "t")) != slot->topic) {
        stranger(c, msg);
        return;
    }

    now = wire_ms();

    if (slot->last != 0 && now - slot->last > topics[slot->topic].gap) {
        topics[slot->topic].gap = now - slot->last;
    }

    slot->last = now;

    if (by_history) {
        event = (event_t) { MESSAGE, epoch_of(slot->epoch), slot->topic,
                            (uint32_t) number, (uint32_t) p, n };
        note(&slot->events, &event);
        return;
    }

    if (has(record, n)) {
        verdict.duplicated++;
        fault(c, "message %u of %ld to \"%s\" twice", n, p,
              get_string(msg, "t"));
        return;
    }

    verdict.delivered++;

    if (n < record->max) {
        verdict.reordered++;
        fault(c, "message %u of %ld to \"%s\" after %u", n, p,
              get_string(msg, "t"), record->max);
    }

    for (k = record->max + 1; record->told && k < n; k++) {
        record->seen[k / 8] |= 1 << k % 8;
        verdict.excused++;
        verdict.real += !slot->excused;
        slot->excused = 1;
    }

    record->told = 0;
    record->seen[n / 8] |= 1 << n % 8;

    if (n > record->max) {
        record->max = n;
    }
}


static void
stranger(client_t *c, yajl_val msg)
{
    verdict.strangers++;
    verdict.faults++;
    fault(c, "a message to \"%s\"", get_string(msg, "t"));
}


/* From here on gaps are excused, up to the next message of each publisher. */
static void
on_hole(client_t *c, slot_t *slot, const char *epoch, uint64_t number)
{
    int  p;

    if (verdict.told++ == 0) {
        snprintf(verdict.hole, sizeof(verdict.hole), "client %d, topic %d: "
                 "was at %s %lu, goes on at %s %lu", (int) (c - clients),
                 slot->topic, slot->epoch, (unsigned long) slot->offset,
                 epoch, (unsigned long) number);
    }

    slot->excused = slot->forgotten;
    slot->forgotten = 0;

    for (p = 0; p < npublishers; p++) {
        record_of(slot, p)->told = 1;
    }
}


static record_t *
record_of(slot_t *slot, long p)
{
    if (p < 0 || p >= npublishers) {
        return NULL;
    }

    if (slot->records[p] == NULL) {
        slot->records[p] = calloc(1, sizeof(record_t));

        if (slot->records[p] == NULL) {
            perror("client");
            exit(2);
        }
    }

    return slot->records[p];
}


static int
has(const record_t *record, uint32_t n)
{
    return record->seen[n / 8] >> n % 8 & 1;
}


/* "r:5007", "u:u12", "b"; -1: none of these */
static int
topic_of(const char *name)
{
    int  i;

    if (strcmp(name, "b") == 0) {
        return nrooms + nusers;
    }

    if (strncmp(name, "r:", 2) == 0) {
        i = atoi(name + 2) - atoi(drill) * 1000;
        return i >= 0 && i < nrooms ? i : -1;
    }

    if (strncmp(name, "u:u", 3) == 0) {
        i = atoi(name + 3);
        return i >= 0 && i < nusers ? nrooms + i : -1;
    }

    return -1;
}


static slot_t *
slot_of(client_t *c, int topic)
{
    int  i;

    for (i = 0; i < SLOTS && topic != -1; i++) {
        if (c->slots[i].topic == topic) {
            return &c->slots[i];
        }
    }

    return NULL;
}


static void
want(const char *name, long p, uint32_t n)
{
    int      i;
    slot_t  *slot;

    if (n >= MAX_NUMBER || p >= npublishers) {
        exit(2);
    }

    for (i = 0; i < nclients; i++) {
        slot = slot_of(&clients[i], topic_of(name));

        if (slot != NULL) {
            record_of(slot, p)->want = n;
        }
    }
}


static int
complete(void)
{
    int        i, k, p;
    record_t  *record;

    if (njoined < nclients) {
        return 0;
    }

    for (i = 0; i < nclients * SLOTS; i++) {
        k = i % SLOTS;

        for (p = 0; p < npublishers; p++) {
            record = clients[i / SLOTS].slots[k].records[p];

            if (record != NULL && record->max < record->want
                && !record->told)
            {
                return 0;
            }
        }
    }

    return 1;
}


static void
judge(void)
{
    int        i, p;
    uint32_t   n;
    slot_t    *slot;
    record_t  *record;

    for (i = 0; i < nclients * SLOTS; i++) {
        slot = &clients[i / SLOTS].slots[i % SLOTS];

        for (p = 0; p < npublishers; p++) {
            record = slot->records[p];

            if (record == NULL) {
                continue;
            }

            verdict.due += record->want;

            if (record->max > record->want) {
                verdict.faults++;
                fault(&clients[i / SLOTS], "message %u of %d to topic %d, of "
                      "which %u were accepted", record->max, p, slot->topic,
                      record->want);
            }

            for (n = 1; n <= record->want; n++) {
                if (has(record, n)) {
                    continue;
                }

                if (record->told && n > record->max) {
                    verdict.excused++;
                    verdict.real += !slot->excused;
                    slot->excused = 1;
                    continue;
                }

                verdict.lost++;
                verdict.missing += n > record->max;
                fault(&clients[i / SLOTS], "message %u of %d to topic %d, of "
                      "%u, is lost", n, p, slot->topic, record->want);
            }
        }
    }
}


static void
note(events_t *events, const event_t *event)
{
    if (events->n == events->size) {
        events->size = events->size * 2 + 16;
        events->events = realloc(events->events,
                                 events->size * sizeof(event_t));

        if (events->events == NULL) {
            perror("client");
            exit(2);
        }
    }

    events->events[events->n++] = *event;
}


static void
note_at(slot_t *slot, what_e what, uint64_t number)
{
    event_t  event;

    if (!by_history) {
        return;
    }

    event = (event_t) { what, epoch_of(slot->epoch), slot->topic,
                        (uint32_t) number, 0, 0 };
    note(&slot->events, &event);
}


static int
epoch_of(const char *name)
{
    int  i;

    for (i = nepochs - 1; i >= 0; i--) {
        if (strcmp(epochs[i], name) == 0) {
            return i;
        }
    }

    if (nepochs == MAX_EPOCHS) {
        fprintf(stderr, "client: too many epochs\n");
        exit(2);
    }

    snprintf(epochs[nepochs], sizeof(epochs[0]), "%s", name);

    return nepochs++;
}


static topic_t *
topic(int i)
{
    if (i == -1) {
        fprintf(stderr, "client: no such topic\n");
        exit(2);
    }

    if (topics[i].bounds == NULL) {
        topics[i].bounds = calloc(MAX_EPOCHS, sizeof(uint32_t));

        if (topics[i].bounds == NULL) {
            perror("client");
            exit(2);
        }
    }

    return &topics[i];
}


/* Redis' history may be said again, and judged again. */
static void
end(long seconds)
{
    int        i;
    long       until;
    verdict_t  before;

    until = wire_ms() + seconds * 1000;

    for ( ;; ) {
        verdict.complete = by_history ? complete_history() : complete();

        if (verdict.complete || wire_ms() >= until) {
            break;
        }

        for (i = 0; i < 20; i++) {
            turn();
        }
    }

    before = verdict;

    if (by_history) {
        judge_history();

    } else {
        judge();
    }

    tell("verdict");

    if (by_history) {
        verdict = before;
    }
}


static void
forget_history(void)
{
    int       i;
    topic_t  *t;

    answers.n = 0;

    for (i = 0; i <= nrooms + nusers; i++) {
        t = topic(i);

        t->top = 0;
        memset(t->bounds, 0, MAX_EPOCHS * sizeof(uint32_t));

        if (t->size > 0) {
            memset(t->messages, 0, t->size * sizeof(event_t));
        }
    }
}


static void
past(const char *name, const char *epoch, uint32_t number)
{
    topic_t  *t;

    t = topic(topic_of(name));

    /* 0 stands for an epoch that isn't known */
    t->bounds[epoch_of(epoch)] = number + 1;
}


static void
is(const char *name, uint32_t number, uint32_t p, uint32_t n)
{
    size_t    size;
    topic_t  *t;

    t = topic(topic_of(name));

    if (number >= t->size) {
        size = number * 2 + 64;
        t->messages = realloc(t->messages, size * sizeof(event_t));

        if (t->messages == NULL) {
            perror("client");
            exit(2);
        }

        memset(t->messages + t->size, 0, (size - t->size) * sizeof(event_t));
        t->size = size;
    }

    t->messages[number].p = p;
    t->messages[number].n = n;

    if (number > t->top) {
        t->top = number;
    }
}


static void
accepted(const char *name, const char *epoch, uint32_t number, uint32_t p,
    uint32_t n)
{
    event_t  event;

    event = (event_t) { MESSAGE, epoch_of(epoch), topic_of(name), number, p,
                        n };
    (void) topic(event.topic);

    note(&answers, &event);
}


static int
gone(const event_t *event)
{
    uint32_t  bound;

    bound = topic(event->topic)->bounds[event->epoch];

    return bound == 0 ? event->number > 0
                      : event->number >= bound
                        || event->number > topics[event->topic].top;
}


static int
complete_history(void)
{
    int       i;
    slot_t   *slot;
    event_t   at;

    if (njoined < nclients) {
        return 0;
    }

    for (i = 0; i < nclients * SLOTS; i++) {
        slot = &clients[i / SLOTS].slots[i % SLOTS];

        if (slot->topic == -1) {
            continue;
        }

        at = (event_t) { POSITION, epoch_of(slot->epoch), slot->topic,
                         (uint32_t) slot->offset, 0, 0 };

        if (!slot->joined || slot->offset != topic(slot->topic)->top
            || gone(&at))
        {
            return 0;
        }
    }

    return 1;
}


static void
judge_history(void)
{
    int       i;
    size_t    k;
    slot_t   *slot;
    event_t  *answer, *m;

    verdict.told = 0;

    for (i = 0; i < nclients * SLOTS; i++) {
        slot = &clients[i / SLOTS].slots[i % SLOTS];

        if (slot->topic != -1) {
            judge_slot(&clients[i / SLOTS], slot);
        }
    }

    for (k = 0; k < answers.n; k++) {
        answer = &answers.events[k];

        if (gone(answer)) {
            verdict.forgot++;
            continue;
        }

        m = &topics[answer->topic].messages[answer->number];

        if (m->p != answer->p || m->n != answer->n) {
            verdict.forged++;
            fault(&clients[0], "push %u of %u to topic %d was accepted as %u "
                  "of %s, which is %u of %u", answer->n, answer->p,
                  answer->topic, answer->number, epochs[answer->epoch], m->n,
                  m->p);
        }
    }

    judge_numbers();
}


static void
judge_slot(client_t *c, slot_t *slot)
{
    int              was_gone, seen_gone;
    size_t           k;
    event_t         *e, *m;
    topic_t         *t;
    uint32_t         have, start, i;
    unsigned char   *seen;

    t = topic(slot->topic);
    seen = calloc(1, t->top + 1);
    have = start = slot->events.n > 0 ? slot->events.events[0].number : 0;
    was_gone = 0;

    for (k = 0; k < slot->events.n; k++) {
        e = &slot->events.events[k];
        seen_gone = gone(e);

        if (e->what == HOLE) {
            verdict.told++;
            verdict.real += was_gone;

            if (!was_gone) {
                fault(c, "topic %d: a hole was told before %s %u, but it had "
                      "seen nothing that is gone, up to %s %u", slot->topic,
                      epochs[e->epoch], e->number, epochs[e[-1].epoch],
                      e[-1].number);
            }

            was_gone = 0;

            for (i = have + 1; !seen_gone && i <= e->number; i++) {
                verdict.excused += !seen[i];
                seen[i] = 1;
            }

            have = !seen_gone && e->number > have ? e->number : have;
        }

        was_gone |= seen_gone;

        if (e->what != MESSAGE) {
            continue;
        }

        if (seen_gone) {
            verdict.gone++;
            continue;
        }

        m = &t->messages[e->number];

        if (m->p != e->p || m->n != e->n) {
            verdict.forged++;
            fault(c, "topic %d: %u of %s is message %u of %u, not %u of %u",
                  slot->topic, e->number, epochs[e->epoch], m->n, m->p, e->n,
                  e->p);
        }

        if (seen[e->number]) {
            verdict.duplicated++;
            fault(c, "topic %d: %u of %s twice", slot->topic, e->number,
                  epochs[e->epoch]);
            continue;
        }

        if (e->number < have) {
            verdict.reordered++;
            fault(c, "topic %d: %u of %s after %u", slot->topic, e->number,
                  epochs[e->epoch], have);
        }

        seen[e->number] = 1;
        verdict.delivered++;
        have = e->number > have ? e->number : have;
    }

    if (was_gone) {
        verdict.untold++;
        fault(c, "topic %d: it is at %s %lu, which is gone, and was told of "
              "no hole", slot->topic, slot->epoch,
              (unsigned long) slot->offset);
    }

    verdict.due += t->top > start ? t->top - start : 0;

    for (i = start + 1; i <= t->top; i++) {
        if (!seen[i]) {
            verdict.lost++;
            fault(c, "topic %d: %u is lost, of %u", slot->topic, i, t->top);
        }
    }

    free(seen);
}


/* No epoch and number stood for two messages, nor two for one. */
static void
judge_numbers(void)
{
    int         i;
    size_t      k;
    event_t    *e;
    events_t   *all, *one;

    all = &answers;

    for (i = 0; i < nclients * SLOTS; i++) {
        one = &clients[i / SLOTS].slots[i % SLOTS].events;

        for (k = 0; k < one->n; k++) {
            if (one->events[k].what == MESSAGE) {
                note(all, &one->events[k]);
            }
        }
    }

    qsort(all->events, all->n, sizeof(event_t), compare);

    for (k = 1; k < all->n; k++) {
        e = &all->events[k];

        if (e[-1].topic == e->topic && e[-1].epoch == e->epoch
            && e[-1].number == e->number
            && (e[-1].p != e->p || e[-1].n != e->n))
        {
            verdict.forked++;
            fault(&clients[0], "topic %d: %u of %s is message %u of %u and %u "
                  "of %u", e->topic, e->number, epochs[e->epoch], e->n, e->p,
                  e[-1].n, e[-1].p);
        }
    }
}


static int
compare(const void *one, const void *two)
{
    const event_t  *a, *b;

    a = one;
    b = two;

    if (a->topic != b->topic) {
        return a->topic < b->topic ? -1 : 1;
    }

    if (a->epoch != b->epoch) {
        return a->epoch < b->epoch ? -1 : 1;
    }

    return a->number < b->number ? -1 : a->number > b->number;
}


static void
watch(void)
{
    int   i;
    long  now;

    now = wire_ms();

    for (i = 0; i < nclients * SLOTS; i++) {
        clients[i / SLOTS].slots[i % SLOTS].last = now;
    }

    for (i = 0; i <= nrooms + nusers; i++) {
        topics[i].gap = 0;
    }
}


static void
gaps(void)
{
    int  i;

    printf("{\"b\":%ld", topics[nrooms + nusers].gap);

    for (i = 0; i < nrooms + nusers; i++) {
        printf(i < nrooms ? ",\"r:%d\":%ld" : ",\"u:u%d\":%ld",
               i < nrooms ? atoi(drill) * 1000 + i : i - nrooms,
               topics[i].gap);
    }

    printf("}\n");
    fflush(stdout);
}


static void
tell(const char *what)
{
    int  i, stayed;

    for (i = 0, stayed = 0; i < nclients; i++) {
        stayed += !clients[i].cut;
    }

    printf("{\"what\":\"%s\",\"clients\":%d,\"joined\":%d,\"stayed\":%d,"
           "\"due\":%ld,\"delivered\":%ld,\"lost\":%ld,\"missing\":%ld,"
           "\"duplicated\":%ld,\"reordered\":%ld,\"excused\":%ld,"
           "\"real\":%ld,\"told\":%ld,\"recovered\":%ld,\"cuts\":%ld,"
           "\"strangers\":%ld,\"faults\":%ld,\"gone\":%ld,\"untold\":%ld,"
           "\"forged\":%ld,\"forked\":%ld,\"forgot\":%ld,"
           "\"complete\":%d,"
           "\"first\":\"%s\",\"hole\":\"%s\"}\n",
           what, nclients, njoined, stayed, verdict.due, verdict.delivered,
           verdict.lost, verdict.missing, verdict.duplicated,
           verdict.reordered, verdict.excused, verdict.real, verdict.told,
           verdict.recovered, verdict.cuts, verdict.strangers, verdict.faults,
           verdict.gone, verdict.untold, verdict.forged, verdict.forked,
           verdict.forgot, verdict.complete, verdict.first, verdict.hole);
    fflush(stdout);
}


static void
cut_all(long ms)
{
    int  i;

    for (i = 0; i < nclients; i++) {
        if (clients[i].fd != -1) {
            lost(&clients[i]);
        }

        clients[i].retry = wire_ms() + ms;
    }
}


/* A client that has a message of the topic saw what Redis lost. */
static void
forgotten(int topic)
{
    int      i, p;
    slot_t  *slot;

    for (i = 0; i < nclients * SLOTS; i++) {
        slot = &clients[i / SLOTS].slots[i % SLOTS];

        if (topic != -1 && slot->topic != topic) {
            continue;
        }

        for (p = 0; p < npublishers && !slot->forgotten; p++) {
            slot->forgotten = slot->records[p] != NULL
                              && slot->records[p]->max > 0;
        }

        verdict.real += slot->forgotten;
    }
}


static yajl_val
get(yajl_val v, const char *name, yajl_type type)
{
    const char  *path[2];

    path[0] = name;
    path[1] = NULL;

    return v != NULL ? yajl_tree_get(v, path, type) : NULL;
}


static const char *
get_string(yajl_val v, const char *name)
{
    v = get(v, name, yajl_t_string);

    return v != NULL ? YAJL_GET_STRING(v) : "";
}


static uint64_t
get_number(yajl_val v, const char *name)
{
    v = get(v, name, yajl_t_number);

    return v != NULL && YAJL_IS_INTEGER(v) ? (uint64_t) YAJL_GET_INTEGER(v)
                                           : 0;
}


static int
get_true(yajl_val v, const char *name)
{
    return get(v, name, yajl_t_true) != NULL;
}


/* The first one is kept, without what would break the verdict's JSON. */
static void
fault(const client_t *c, const char *format, ...)
{
    int      n;
    char    *p;
    va_list  args;

    if (verdict.first[0] != '\0') {
        return;
    }

    n = snprintf(verdict.first, sizeof(verdict.first), "client %d: ",
                 (int) (c - clients));

    va_start(args, format);
    (void) vsnprintf(verdict.first + n, sizeof(verdict.first) - n, format,
                     args);
    va_end(args);

    for (p = verdict.first; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\' || (unsigned char) *p < ' ') {
            *p = '\'';
        }
    }
}
