/*
 * Copyright (C) The im authors
 *
 * A link to a cluster, fed by bytes: the test is the nodes, the sockets and the
 * clock.
 */

#include <arpa/inet.h>

#include "test.h"
#include "im_buf.h"
#include "im_link_transport.h"


#define SOCKETS  64
#define MAX_TEXT  4096

/* slots of the tags "0" to "3", and of the registry */
#define SLOT0    13907
#define SLOT1    9842
#define SLOT2    5649
#define SLOT3    1584
#define REG      "im:{reg}:conf"

#define A  7001
#define B  7002
#define C  7003
#define D  7004

#define GEN_A  "aaaaaaaaaaaaaaaa00000000"
#define GEN_B  "bbbbbbbbbbbbbbbb00000000"
#define GEN_C  "cccccccccccccccc00000000"
#define GEN_D  "dddddddddddddddd00000000"


typedef struct {
    im_link_conn_t  *conn;
    int              port;
    int              open;
} socket_t;


static im_link_t       *test_link;
static im_link_conf_t   conf;
static socket_t         sockets[SOCKETS];
static uint64_t         now;
static im_uint_t        timer;
static int              refused;         /* port that refuses to connect */
static im_buf_t         events;
static im_buf_t         logged;
static im_buf_t         answered;
static int              nsent;
static int              nreplies;
static int              quiet;           /* no channels */
static int              destroy;         /* with the next reply */

static const im_script_t  script = { "s", "sha", im_str("return 1") };


static void
note(const char *what, im_uint_t n)
{
    im_buf_add_z(&events, what);

    if (n == IM_LINK_REGISTRY) {
        im_buf_add_z(&events, "r");

    } else {
        im_buf_add_uint(&events, n);
    }

    im_buf_add_z(&events, " ");
}


static void
on_ready(void *data)
{
    (void) data;
    im_buf_add_z(&events, "ready ");

    if (!quiet) {
        (void) im_link_subscribe(test_link, im_str_z("{1}c"), 1, 0);
        (void) im_link_subscribe(test_link, im_str_z("{3}c"), 3, 0);
    }
}


static void
on_server(void *data, im_uint_t server)
{
    (void) data;
    note("server", server);
}


static void
on_up(void *data, im_uint_t partition, int anew)
{
    (void) data;
    note(anew ? "up" : "again", partition);
}


static void
on_down(void *data, im_uint_t partition)
{
    (void) data;
    note("down", partition);
}


static void
on_subscribed(void *data, im_uint_t number)
{
    (void) data;
    note("sub", number);
}


static void
on_message(void *data, im_uint_t number, im_str_t payload)
{
    (void) data;
    (void) payload;
    note("msg", number);
}


static void
on_fatal(void *data, const char *why)
{
    (void) data;
    (void) why;
    note("fatal", 0);
}


static const im_link_events_t  link_events = {
    on_ready, on_server, on_up, on_down, on_subscribed, on_message, NULL,
    on_fatal
};


static void *
t_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    int  i, port;

    (void) data;

    port = ntohs(((const struct sockaddr_in *) &to->sockaddr)->sin_port);

    if (port == refused) {
        *why = "Connection refused";
        return NULL;
    }

    for (i = 0; sockets[i].open; i++) {
        assert_true(i + 1 < SOCKETS);
    }

    sockets[i].conn = conn;
    sockets[i].port = port;
    sockets[i].open = 1;

    return &sockets[i];
}


static void
t_close(void *socket)
{
    socket_t  *s = socket;

    assert_true(s->open);
    s->open = 0;
}


static void
t_write(void *socket)
{
    assert_true(((socket_t *) socket)->open);
}


static void
t_timer(void *data, im_uint_t ms)
{
    (void) data;
    assert_true(ms > 0 && ms <= 10000);
    timer = ms;
}


static uint64_t
t_now(void *data)
{
    (void) data;

    return now;
}


static uint32_t
t_random(void *data)
{
    (void) data;

    return 1000003;
}


static void
t_log(void *data, im_link_log_e level, const char *text)
{
    (void) data;

    if (level != IM_LINK_LOG_DEBUG) {
        im_buf_add_z(&logged, text);
        im_buf_add_z(&logged, "\n");
    }
}


static const im_link_transport_t  transport = {
    t_connect, t_close, t_write, t_timer, t_now, t_random, t_log, NULL
};


static int
setup(void **state)
{
    im_uint_t  i;

    static const char *const  seeds[] = { "127.0.0.1:7001", "127.0.0.1:7002" };

    memset(&conf, 0, sizeof(conf));
    memset(sockets, 0, sizeof(sockets));

    conf.kind = IM_LINK_CLUSTER;
    conf.nseeds = 2;
    conf.prefix = im_str_z("im:");
    conf.timeout = 2000;

    for (i = 0; i < conf.nseeds; i++) {
        conf.seeds[i].name = im_str_z(seeds[i]);
        assert_null(im_addr_parse(&conf.seeds[i].addr, conf.seeds[i].name,
                                  IM_ADDR_CONNECT, 0));
    }

    now = 1000000;
    refused = 0;
    nsent = 0;
    nreplies = 0;
    quiet = 0;
    destroy = 0;
    test_link = NULL;

    (void) alloc_setup(state);

    im_buf_init(&events, MAX_TEXT);
    im_buf_init(&logged, MAX_TEXT);
    im_buf_init(&answered, MAX_TEXT);
    (void) im_buf_reserve(&events, MAX_TEXT);
    (void) im_buf_reserve(&logged, MAX_TEXT);
    (void) im_buf_reserve(&answered, MAX_TEXT);
    im_buf_reset(&events, MAX_TEXT);
    im_buf_reset(&logged, MAX_TEXT);
    im_buf_reset(&answered, MAX_TEXT);

    return 0;
}


static int
teardown(void **state)
{
    int  i, open;

    alloc_fail_at(0);

    if (test_link != NULL) {
        im_link_destroy(test_link);
        test_link = NULL;
    }

    im_buf_cleanup(&events);
    im_buf_cleanup(&logged);
    im_buf_cleanup(&answered);

    for (i = 0, open = 0; i < SOCKETS; i++) {
        open += sockets[i].open;
    }

    if (open || nreplies != nsent) {
        fprintf(stderr, "# %d sockets, %d calls, %d replies\n", open, nsent,
                nreplies);
        return -1;
    }

    return alloc_teardown(state);
}


/* The n-th connection to a port, from 1 on. */
static socket_t *
socket_at(int port, int n)
{
    int  i;

    for (i = 0; i < SOCKETS; i++) {
        if (sockets[i].open && sockets[i].port == port && --n == 0) {
            return &sockets[i];
        }
    }

    return NULL;
}


/* That of calls to a server, or (n 2) of its channels. */
static im_link_conn_t *
conn_at(int port, int n)
{
    socket_t  *s;

    s = socket_at(port, n);
    assert_non_null(s);

    return s->conn;
}


static void
tick(uint64_t ms)
{
    now += ms;
    im_link_tick(test_link);
}


/* What the link has written: a word for each argument, a line for each call. */
static void
wrote(int port, int n, const char *wanted)
{
    char      text[MAX_TEXT], *to;
    long      args, len;
    u_char   *p, *end;
    im_str_t  out;

    out = im_link_output(conn_at(port, n));
    to = text;

    for (p = out.data, end = p + out.len; p < end; ) {
        assert_int_equal(*p, '*');
        args = strtol((char *) p + 1, (char **) &p, 10);
        p += 2;

        for (; args > 0; args--) {
            assert_int_equal(*p, '$');
            len = strtol((char *) p + 1, (char **) &p, 10);
            to += sprintf(to, "%.*s%s", (int) len, (char *) p + 2,
                          args > 1 ? " " : "\n");
            p += len + 4;
        }
    }

    *to = '\0';
    assert_string_equal(text, wanted);

    im_link_sent(conn_at(port, n), out.len);
}


static void
wrote_any(int port, int n)
{
    im_link_conn_t  *conn;

    conn = conn_at(port, n);
    im_link_sent(conn, im_link_output(conn).len);
}


static im_int_t
feed(int port, int n, const char *bytes)
{
    return im_link_received(conn_at(port, n), bytes, strlen(bytes));
}


static void
happened(const char *wanted)
{
    test_str(im_buf_str(&events), wanted);
    im_buf_reset(&events, MAX_TEXT);
}


static void
said(const char *wanted)
{
    test_str(im_buf_str(&logged), wanted);
    im_buf_reset(&logged, MAX_TEXT);
}


/* The replies to calls: their letters, an error's first word, or "-". */
static void
replies(const char *wanted)
{
    test_str(im_buf_str(&answered), wanted);
    im_buf_reset(&answered, MAX_TEXT);
}


static void
reply_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t  s;

    nreplies++;
    s = im_link_reply_str(reply);

    im_buf_add_z(&answered, data);
    im_buf_add_z(&answered, "=");

    if (reply == NULL) {
        im_buf_add_z(&answered, "-");

    } else if (im_link_reply_is_error(reply)) {
        im_buf_add(&answered, s.data, im_str_chr(s, ' ') - s.data);

    } else {
        im_buf_add_str(&answered, s);
    }

    im_buf_add_z(&answered, " ");

    if (destroy) {
        destroy = 0;
        im_link_destroy(test_link);
        test_link = NULL;
    }
}


/* A script with two keys and the generation. */
static im_int_t
push(const char *name, const char *tag)
{
    im_int_t         rc;
    im_link_call_t  *call;

    call = im_link_script(test_link, &script);
    im_buf_add_z(&call->bytes, tag);
    im_link_call_key(call);
    im_buf_add_z(&call->bytes, tag);
    im_link_call_key(call);
    im_link_call_generation(call);
    im_link_call_z(call, name);

    rc = im_link_send(test_link, reply_handler, (void *) name);
    nsent += rc == IM_OK;

    return rc;
}


/* A command with one key. */
static im_int_t
get(const char *name, const char *tag)
{
    im_int_t         rc;
    im_link_call_t  *call;

    call = im_link_command(test_link, "GET");
    im_buf_add_z(&call->bytes, tag);
    im_link_call_key(call);

    rc = im_link_send(test_link, reply_handler, (void *) name);
    nsent += rc == IM_OK;

    return rc;
}


/* CLUSTER SLOTS: A, B and C have a third each; two have other owners. */
static const char *
slots(int a, int b, int c, int slot, int owner)
{
    static char  text[1024];

    if (slot < 0) {
        sprintf(text, "*3\r\n"
                "*3\r\n:0\r\n:5460\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
                "*3\r\n:5461\r\n:10922\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
                "*3\r\n:10923\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
                a, b, c);

    } else {
        sprintf(text, "*4\r\n"
                "*3\r\n:0\r\n:5460\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
                "*3\r\n:5461\r\n:10922\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
                "*3\r\n:10923\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"
                "*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n",
                a, b, c, slot, slot, owner);
    }

    return text;
}


#define MAP  slots(A, B, C, -1, 0)


/* The only one that is asked for the slots gives that answer. */
static void
mapped(const char *answer)
{
    int              port, n;
    im_link_conn_t  *conn;

    for (port = A, n = 0; port <= D; port++) {
        conn = socket_at(port, 1) != NULL ? conn_at(port, 1) : NULL;

        if (conn != NULL && im_link_output(conn).len > 0) {
            wrote(port, 1, "CLUSTER SLOTS\n");
            (void) feed(port, 1, answer);
            n++;
        }
    }

    assert_int_equal(n, 1);
}


static const char *
info(int port, const char *replid)
{
    char         text[256];
    static char  out[300];

    (void) port;
    snprintf(text, sizeof(text), "role:master\r\nmaster_replid2:%s\r\n",
             replid);
    snprintf(out, sizeof(out), "$%zu\r\n%s\r\n", strlen(text), text);

    return out;
}


/* All that a server is asked at first. */
static void
prepare(int port)
{
    char  text[256], id[17];

    memset(id, 'a' + port - A, 16);
    id[16] = '\0';

    assert_int_equal(im_link_connected(conn_at(port, 1)), IM_OK);
    snprintf(text, sizeof(text), "run_id:%s\r\n", id);
    wrote_any(port, 1);
    (void) feed(port, 1, "$25\r\n");
    (void) feed(port, 1, text);
    (void) feed(port, 1, "\r\n");
    (void) feed(port, 1, info(port, "00000000"));
    (void) feed(port, 1, "*0\r\n");

    if (port == B) {
        (void) feed(port, 1, "+OK\r\n$1\r\n4\r\n");
    }
}


static void
create(void)
{
    test_link = im_link_create(&conf, &transport, NULL, &link_events, NULL);
    assert_non_null(test_link);
}


/* The seed has said who is there. */
static void
start(void)
{
    create();
    tick(timer);
    (void) im_link_connected(conn_at(A, 1));
    wrote(A, 1, "CLUSTER SLOTS\n");
    (void) feed(A, 1, MAP);
    assert_null(socket_at(A, 1));
    tick(1);
}


static void
come_up(void)
{
    start();
    prepare(A);
    prepare(B);
    prepare(C);

    if (!quiet) {
        tick(1);
        (void) im_link_connected(conn_at(A, 2));
        wrote(A, 2, "SSUBSCRIBE {3}c\n");
        (void) feed(A, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{3}c\r\n:1\r\n");
        (void) im_link_connected(conn_at(B, 2));
        wrote(B, 2, "SSUBSCRIBE {1}c\n");
        (void) feed(B, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{1}c\r\n:1\r\n");
    }

    tick(200);
    im_buf_reset(&events, MAX_TEXT);
    im_buf_reset(&logged, MAX_TEXT);
}


static void
test_start(void **state)
{
    (void) state;

    create();
    assert_false(im_link_ready(test_link, 0));
    test_str(im_str_z(im_link_why(test_link, 0)),
             "redis: 127.0.0.1:7001: not connected yet");
    assert_int_equal(im_link_unserved(test_link), 16384);
    assert_int_equal(push("a", "{3}"), IM_ERROR);

    /* the first node is away, the second one knows all */

    refused = A;
    tick(timer);
    test_str(im_str_z(im_link_why(test_link, 0)),
             "redis: 127.0.0.1:7001: Connection refused");
    tick(50);
    tick(50);
    refused = 0;
    (void) im_link_connected(conn_at(B, 1));
    wrote(B, 1, "CLUSTER SLOTS\n");
    (void) feed(B, 1, MAP);
    assert_null(socket_at(B, 1));
    assert_int_equal(im_link_servers(test_link), 3);
    assert_int_equal(im_link_unserved(test_link), 16384);
    said("Redis at \"127.0.0.1:7001\" is away (commands): "
         "Connection refused\n");

    /* one that is there before the partitions are known */

    tick(1);
    prepare(A);
    happened("");
    (void) im_link_connected(conn_at(B, 1));
    wrote(B, 1, "INFO server\nINFO replication\nCONFIG GET maxmemory-policy\n"
          "SET " REG " 16e NX\nGET " REG "\n");
    (void) feed(B, 1, "$25\r\nrun_id:bbbbbbbbbbbbbbbb\r\n\r\n");
    (void) feed(B, 1, info(B, "00000000"));
    (void) feed(B, 1, "*0\r\n+OK\r\n$1\r\n4\r\n");
    happened("ready server0 server1 upr up2 ");
    assert_true(im_link_ready(test_link, 1));
    assert_false(im_link_ready(test_link, 0));
    assert_int_equal(im_link_unserved(test_link), 5461);

    tick(1);
    (void) im_link_connected(conn_at(A, 2));
    (void) feed(A, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{3}c\r\n:1\r\n");
    happened("sub3 up3 ");
    prepare(C);
    happened("server2 up0 ");
    (void) im_link_connected(conn_at(B, 2));
    (void) feed(B, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{1}c\r\n:1\r\n");
    happened("sub1 up1 ");
}


#define DOUBT  "INFO replication\n"


/* The slot is elsewhere: the call goes there, and what was sent behind it. */
static void
test_moved(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    assert_int_equal(get("b", "{3}"), IM_OK);
    wrote(A, 1, "EVALSHA sha 2 {3} {3} " GEN_A " a\nGET {3}\n");
    (void) feed(A, 1, "-MOVED 1584 127.0.0.1:7002\r\n");
    happened("down3 ");
    wrote(B, 1, "EVALSHA sha 2 {3} {3} " GEN_B " a\n");
    wrote(A, 1, DOUBT);
    wrote(B, 2, "SSUBSCRIBE {3}c\n");
    (void) feed(A, 1, "-MOVED 1584 127.0.0.1:7002\r\n");
    wrote(B, 1, "GET {3}\n");
    (void) feed(B, 1, "$1\r\n1\r\n$1\r\n2\r\n");
    replies("a=1 b=2 ");

    /* others of the server that was wrong wait until it is known better */

    assert_int_equal(push("c", "{bar}"), IM_OK);
    wrote(A, 1, "");
    (void) feed(A, 1, info(A, "00000000"));
    wrote(A, 1, DOUBT);
    (void) feed(A, 1, info(A, "00000000"));
    wrote(A, 1, "EVALSHA sha 2 {bar} {bar} " GEN_A " c\n");
    (void) feed(A, 1, "+c\r\n");
    replies("c=c ");

    (void) feed(B, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{3}c\r\n:1\r\n");
    happened("sub3 up3 ");

    /* the map of the one that was wrong is read */

    tick(1);
    wrote(A, 1, "CLUSTER SLOTS\n");
    (void) feed(A, 1, slots(A, B, C, SLOT3, B));
    happened("");
}


/* A server that gets the slot is asked for what it has already. */
static void
test_ask(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-ASK 1584 127.0.0.1:7003\r\n");
    wrote(C, 1, "ASKING\nEVALSHA sha 2 {3} {3} " GEN_C " a\n");
    assert_int_equal(push("b", "{3}"), IM_OK);
    wrote(A, 1, "EVALSHA sha 2 {3} {3} " GEN_A " b\n");
    (void) feed(C, 1, "+OK\r\n-NOSCRIPT no\r\n");
    wrote(C, 1, "ASKING\nEVAL return 1 2 {3} {3} " GEN_C " a\n");
    (void) feed(C, 1, "+OK\r\n+a\r\n");
    (void) feed(A, 1, "+b\r\n");
    replies("a=a b=b ");

    /* one that has no slots yet is connected to first */

    assert_int_equal(push("c", "{3}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-ASK 1584 127.0.0.1:7004\r\n");
    wrote(A, 1, "");
    tick(1);
    prepare(D);
    happened("server3 ");
    tick(5);
    wrote(A, 1, "EVALSHA sha 2 {3} {3} " GEN_A " c\n");
    (void) feed(A, 1, "-ASK 1584 127.0.0.1:7004\r\n");
    wrote(D, 1, "ASKING\nEVALSHA sha 2 {3} {3} " GEN_D " c\n");
    (void) feed(D, 1, "+OK\r\n+c\r\n");
    replies("c=c ");

    /* it is left when no more comes */

    assert_int_equal(im_link_servers(test_link), 4);
}


static void
test_tryagain(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    assert_int_equal(push("b", "{3}"), IM_OK);
    assert_int_equal(push("x", "{bar}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-TRYAGAIN keys\r\n");

    /* one behind it waits too, but not one with one key, nor other slots */

    assert_int_equal(push("c", "{3}"), IM_OK);
    assert_int_equal(get("d", "{3}"), IM_OK);
    wrote(A, 1, "GET {3}\n");
    (void) feed(A, 1, "-TRYAGAIN keys\r\n+x\r\n+d\r\n");
    replies("x=x d=d ");

    tick(4);
    wrote(A, 1, "");
    tick(1);
    wrote(A, 1, "EVALSHA sha 2 {3} {3} " GEN_A " a\n"
          "EVALSHA sha 2 {3} {3} " GEN_A " b\n"
          "EVALSHA sha 2 {3} {3} " GEN_A " c\n");
    (void) feed(A, 1, "-TRYAGAIN keys\r\n-TRYAGAIN keys\r\n-TRYAGAIN keys\r\n");
    tick(5);
    wrote(A, 1, "");
    tick(5);
    wrote(A, 1, "EVALSHA sha 2 {3} {3} " GEN_A " a\n"
          "EVALSHA sha 2 {3} {3} " GEN_A " b\n"
          "EVALSHA sha 2 {3} {3} " GEN_A " c\n");
    (void) feed(A, 1, "-ASK 1584 127.0.0.1:7003\r\n"
                "-ASK 1584 127.0.0.1:7003\r\n-TRYAGAIN keys\r\n");
    replies("");
}


/* Two seconds, and no more. */
static void
test_budget(void **state)
{
    im_str_t  out;
    uint64_t  end;

    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    wrote_any(A, 1);

    for (end = now + 2000; now <= end; ) {
        (void) feed(A, 1, "-TRYAGAIN keys\r\n");
        replies("");
        tick(55);
        out = im_link_output(conn_at(A, 1));

        if (out.len > 0
            && memmem(out.data, out.len, "replication", 11) != NULL)
        {
            (void) feed(A, 1, info(A, "00000000"));
        }

        wrote_any(A, 1);
    }

    replies("a=- ");
}


static void
test_down(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-CLUSTERDOWN The cluster is down\r\n");
    wrote(A, 1, DOUBT);

    /* the others are asked, and believed */

    assert_int_equal(get("b", "{3}"), IM_OK);
    tick(1);
    wrote(A, 1, "");
    wrote(B, 1, "CLUSTER SLOTS\n");
    (void) feed(B, 1, slots(C, B, C, -1, 0));
    happened("down3 ");
    tick(4);
    wrote(C, 1, "EVALSHA sha 2 {3} {3} " GEN_C " a\nGET {3}\n");
    (void) feed(C, 1, "+a\r\n+b\r\n");
    replies("a=a b=b ");
    (void) feed(A, 1, info(A, "00000000"));

    /* its server has no slot any more */

    tick(1);
    assert_null(socket_at(A, 1));
    assert_int_equal(im_link_servers(test_link), 2);
    happened("server0 ");
}


/* Demoted and promoted again: numbers it has given out may be given again. */
static void
test_doubt(void **state)
{
    int  i;

    static const char *const  hints[] = {
        "*3\r\n$12\r\nsunsubscribe\r\n$4\r\n{3}c\r\n:0\r\n",
        "-UNBLOCKED force unblock\r\n", "-READONLY no\r\n",
        "-LOADING no\r\n", "-MASTERDOWN no\r\n", "-CLUSTERDOWN no\r\n"
    };

    for (i = 0; i < (int) test_count(hints); i++) {
        setup(state);
        come_up();

        if (i > 0) {
            assert_int_equal(get("g", "{bar}"), IM_OK);
            wrote_any(A, 1);
        }

        (void) feed(A, i == 0 ? 2 : 1, hints[i]);
        wrote(A, 1, DOUBT);

        assert_int_equal(push("a", "{3}"), IM_OK);
        assert_true(im_link_ready(test_link, 3));
        wrote(A, 1, "");

        (void) feed(A, 1, info(A, "99999999"));
        assert_null(socket_at(A, 1));
        assert_false(im_link_ready(test_link, 3));
        assert_int_equal(nreplies + (i == 2 || i == 5 ? 0 : 0), nsent);
        assert_int_equal(teardown(state), 0);
    }
}


/* A master dies; the others go on, and its replica takes over. */
static void
test_failover(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    im_link_closed(conn_at(A, 1), "connection closed");
    happened("down3 ");
    replies("a=- ");
    assert_null(socket_at(A, 2));
    assert_int_equal(push("b", "{3}"), IM_ERROR);
    assert_false(im_link_ready(test_link, 3));
    test_str(im_str_z(im_link_why(test_link, 3)),
             "redis: 127.0.0.1:7001: connection closed");
    assert_true(im_link_ready(test_link, 1));
    assert_int_equal(im_link_unserved(test_link), 5461);
    said("Redis at \"127.0.0.1:7001\" is away (commands, 5461 slots): "
         "connection closed\n");

    refused = A;
    tick(1);
    mapped(MAP);
    tick(200);
    wrote(B, 1, "");
    wrote(C, 1, "");
    tick(50);
    mapped(MAP);
    tick(250);
    mapped(slots(D, B, C, -1, 0));
    happened("");

    /* while it is being connected to, calls wait */

    assert_int_equal(push("c", "{3}"), IM_OK);
    tick(1);

    /* and one that is behind does not lead back */

    tick(250);
    mapped(MAP);
    prepare(D);
    wrote(D, 1, "EVALSHA sha 2 {3} {3} " GEN_D " c\n");
    happened("server0 ");
    (void) feed(D, 1, "+c\r\n");
    replies("c=c ");

    tick(1);
    (void) im_link_connected(conn_at(D, 2));
    wrote(D, 2, "SSUBSCRIBE {3}c\n");
    (void) feed(D, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{3}c\r\n:1\r\n");
    happened("sub3 up3 ");
}


/* A channel is where its slot is. */
static void
test_channels(void **state)
{
    (void) state;

    come_up();

    (void) feed(A, 2, "*3\r\n$12\r\nsunsubscribe\r\n$4\r\n{3}c\r\n:0\r\n");
    happened("down3 ");
    wrote(A, 1, DOUBT);
    tick(1);
    wrote(A, 1, "CLUSTER SLOTS\n");
    (void) feed(A, 1, info(A, "00000000"));
    (void) feed(A, 1, slots(A, B, C, SLOT3, B));
    wrote(B, 2, "SSUBSCRIBE {3}c\n");

    /* B does not know it yet */

    (void) feed(B, 2, "-MOVED 1584 127.0.0.1:7001\r\n");
    wrote(A, 2, "SSUBSCRIBE {3}c\n");
    (void) feed(A, 2, "*3\r\n$10\r\nssubscribe\r\n$4\r\n{3}c\r\n:1\r\n");
    happened("sub3 again3 ");
    wrote(B, 1, DOUBT);

    /* messages of a server that has the slot no more are not heard */

    (void) feed(B, 2, "*3\r\n$8\r\nsmessage\r\n$4\r\n{3}c\r\n$1\r\nx\r\n");
    (void) feed(A, 2, "*3\r\n$8\r\nsmessage\r\n$4\r\n{3}c\r\n$1\r\nx\r\n");
    happened("msg3 ");
}


/* A link without channels hears of demotions by its own. */
static void
test_watch(void **state)
{
    (void) state;

    quiet = 1;
    come_up();
    happened("");

    (void) im_link_connected(conn_at(A, 2));
    (void) im_link_connected(conn_at(B, 2));
    (void) im_link_connected(conn_at(C, 2));
    wrote(A, 2, "SSUBSCRIBE im:{3}:link\n");
    wrote(B, 2, "SSUBSCRIBE im:{1}:link\nSSUBSCRIBE im:{2}:link\n");
    wrote(C, 2, "SSUBSCRIBE im:{0}:link\n");
    (void) feed(A, 2, "*3\r\n$10\r\nssubscribe\r\n$11\r\nim:{3}:link\r\n"
                ":1\r\n*3\r\n$8\r\nsmessage\r\n$11\r\nim:{3}:link\r\n"
                "$1\r\nx\r\n");
    happened("up3 ");
    (void) feed(A, 2, "*3\r\n$12\r\nsunsubscribe\r\n$11\r\nim:{3}:link\r\n"
                ":0\r\n");
    happened("down3 ");
    wrote(A, 1, DOUBT);
}


/* A seed that does not answer keeps no server from being asked. */
static void
test_seed(void **state)
{
    int  i;

    (void) state;

    conf.seeds[1].name = im_str_z("127.0.0.1:7009");
    assert_null(im_addr_parse(&conf.seeds[1].addr, conf.seeds[1].name,
                              IM_ADDR_CONNECT, 0));

    come_up();

    refused = A;
    im_link_closed(conn_at(A, 1), "x");
    im_link_closed(conn_at(B, 1), "x");
    im_link_closed(conn_at(C, 1), "x");

    for (i = 0; i < 20 && socket_at(7009, 1) == NULL; i++) {
        tick(50);
    }

    assert_non_null(socket_at(7009, 1));
    prepare(B);
    tick(100);
    assert_null(socket_at(7009, 1));
    wrote(B, 1, "CLUSTER SLOTS\n");
}


#define SINGLE  "-ERR This instance has cluster support disabled\r\n"
#define NO_NODE(port)                                                         \
    "Redis at \"127.0.0.1:" port "\" can't be used: it is not a node of a "    \
    "cluster: name nodes of one, or leave \"cluster\" away\n"


/* The next seed is asked for the slots, and gives that answer. */
static void
seed_says(int port, const char *answer)
{
    int  i;

    for (i = 0; i < 100 && socket_at(port, 1) == NULL; i++) {
        tick(50);
    }

    (void) im_link_connected(conn_at(port, 1));
    wrote(port, 1, "CLUSTER SLOTS\n");
    (void) feed(port, 1, answer);
}


/* One that is no node is left out; it is an error when there is no other. */
static void
test_wrong_seed(void **state)
{
    int  i;

    (void) state;

    create();
    seed_says(A, SINGLE);
    said(NO_NODE("7001"));
    happened("");
    assert_false(im_link_unusable(test_link));

    /* the right one is slow to come */

    seed_says(B, "-LOADING no\r\n");

    for (i = 0; i < 3; i++) {
        seed_says(A, SINGLE);
        seed_says(B, "-LOADING no\r\n");
    }

    said("");
    happened("");

    seed_says(A, SINGLE);
    seed_says(B, MAP);
    assert_false(im_link_unusable(test_link));
    tick(1);
    prepare(A);
    prepare(B);
    happened("ready server0 server1 upr up2 ");
    assert_int_equal(teardown(state), 0);

    setup(state);
    create();
    seed_says(A, SINGLE);
    happened("");
    seed_says(B, SINGLE);
    said(NO_NODE("7001") NO_NODE("7002"));
    happened("fatal0 ");
    assert_true(im_link_unusable(test_link));
}


/* All up to the settings: it evicts. */
static void
evicts(int port)
{
    (void) im_link_connected(conn_at(port, 1));
    wrote_any(port, 1);
    (void) feed(port, 1, "$25\r\nrun_id:aaaaaaaaaaaaaaaa\r\n\r\n");
    (void) feed(port, 1, info(port, "00000000"));
    (void) feed(port, 1, "*2\r\n$16\r\nmaxmemory-policy\r\n"
                "$11\r\nallkeys-lru\r\n");
    assert_null(socket_at(port, 1));
}


/* Whichever master answers first: B has the registry. */
static void
test_evicting(void **state)
{
    int  i;

    (void) state;

    for (i = 0; i < 2; i++) {
        setup(state);
        start();

        if (i == 0) {
            evicts(A);
            prepare(B);

        } else {
            prepare(B);
            evicts(A);
        }

        prepare(C);
        happened("ready server1 upr up2 server2 up0 ");
        assert_false(im_link_unusable(test_link));
        assert_false(im_link_ready(test_link, 3));
        assert_int_equal(im_link_unserved(test_link), 5461);
        assert_int_equal(teardown(state), 0);

        setup(state);
        start();

        if (i == 0) {
            evicts(B);
            prepare(A);

        } else {
            prepare(A);
            evicts(B);
        }

        happened("fatal0 ");
        assert_true(im_link_unusable(test_link));
        assert_int_equal(teardown(state), 0);
    }
}


#define DENIED(word)                                                          \
    "NOPERM User u has no permissions to run the '" word "' command"
#define CURE                                                                  \
    "; ACL SETUSER u ~im:* ~im_* &im:* +@all -@dangerous +info +config|get, " \
    "at each server\n"


/* What needs the right fails in time; the log says why. */
static void
test_denied(void **state)
{
    (void) state;

    conf.user = im_str_z("u");
    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-ASK 1584 127.0.0.1:7003\r\n");
    wrote_any(C, 1);
    (void) feed(C, 1, "-" DENIED("asking") "\r\n-MOVED 1584 127.0.0.1:7001"
                "\r\n");
    said("Redis at \"127.0.0.1:7003\" refuses a command: " DENIED("asking")
         CURE);

    /* once for all, and again each minute */

    assert_int_equal(get("b", "{1}"), IM_OK);
    wrote_any(B, 1);
    (void) feed(B, 1, "-" DENIED("get") "\r\n");
    said("");
    now += 60000;
    assert_int_equal(get("c", "{1}"), IM_OK);
    wrote_any(B, 1);
    (void) feed(B, 1, "-" DENIED("config|get") "\r\n");
    said("");
    assert_int_equal(get("d", "{1}"), IM_OK);
    wrote_any(B, 1);
    (void) feed(B, 1, "-" DENIED("get") "\r\n");
    said("Redis at \"127.0.0.1:7002\" refuses a command: " DENIED("get") CURE);

    /* of channels too */

    now += 60000;
    (void) im_link_subscribe(test_link, im_str_z("{1}d"), 4, 0);
    wrote(B, 2, "SSUBSCRIBE {1}d\n");
    (void) feed(B, 2, "-" DENIED("ssubscribe") "\r\n");
    said("Redis at \"127.0.0.1:7002\" refuses a command: "
         DENIED("ssubscribe") CURE
         "Redis at \"127.0.0.1:7002\" is away (pub/sub, 5462 slots): "
         DENIED("ssubscribe") "\n");
}


static void
test_destroy(void **state)
{
    (void) state;

    come_up();

    assert_int_equal(push("a", "{3}"), IM_OK);
    assert_int_equal(push("b", "{3}"), IM_OK);
    assert_int_equal(push("c", "{1}"), IM_OK);
    wrote_any(A, 1);
    (void) feed(A, 1, "-TRYAGAIN x\r\n");
    assert_int_equal(push("d", "{3}"), IM_OK);
    destroy = 1;
    (void) feed(A, 1, "+OK\r\n");
    assert_null(test_link);
    replies("b=OK c=- a=- d=- ");
}


static void
test_no_memory(void **state)
{
    unsigned long  n;

    for (n = 1; n < 60; n++) {
        setup(state);
        come_up();

        alloc_fail_at(n);
        (void) push("a", "{3}");
        (void) push("b", "{bar}");

        if (nsent == 2) {
            wrote_any(A, 1);
            (void) feed(A, 1, "-ASK 1584 127.0.0.1:7003\r\n"
                        "-MOVED 5061 127.0.0.1:7004\r\n");
            (void) push("c", "{bar}");
            tick(5);
        }

        if (!alloc_failed()) {
            assert_int_equal(teardown(state), 0);
            break;
        }

        assert_int_equal(teardown(state), 0);
    }

    assert_true(n > 3 && n < 60);
}


#define moves_test(fn)  cmocka_unit_test_setup_teardown(fn, setup, teardown)


static const struct CMUnitTest  tests[] = {
    moves_test(test_start),
    moves_test(test_moved),
    moves_test(test_ask),
    moves_test(test_tryagain),
    moves_test(test_budget),
    moves_test(test_down),
    cmocka_unit_test(test_doubt),
    moves_test(test_failover),
    moves_test(test_channels),
    moves_test(test_watch),
    moves_test(test_seed),
    moves_test(test_wrong_seed),
    cmocka_unit_test(test_evicting),
    moves_test(test_denied),
    moves_test(test_destroy),
    cmocka_unit_test(test_no_memory)
};


test_main(tests)
