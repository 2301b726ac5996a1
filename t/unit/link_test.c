/*
 * Copyright (C) The im authors
 *
 * The link, fed by bytes: the test is the server, the sockets and the clock.
 */

#include "test.h"
#include "names.h"
#include "im_buf.h"
#include "im_link_transport.h"


#define RUN_ID   "0123456789abcdefRUN"
#define REPLID2  "fedcba98765"

#define PREPARE  "*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n"                       \
                 "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n"                 \
                 "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n"                        \
                 "$16\r\nmaxmemory-policy\r\n"                                \
                 "*4\r\n$3\r\nSET\r\n$13\r\nim:{reg}:conf\r\n$3\r\n16e\r\n"   \
                 "$2\r\nNX\r\n"                                               \
                 "*2\r\n$3\r\nGET\r\n$13\r\nim:{reg}:conf\r\n"

#define POLL     "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n"                 \
                 "*4\r\n$3\r\nSET\r\n$13\r\nim:{reg}:conf\r\n$1\r\n4\r\n"     \
                 "$2\r\nNX\r\n"                                               \
                 "*2\r\n$3\r\nGET\r\n$13\r\nim:{reg}:conf\r\n"


typedef enum {
    CALLS = 0,
    PUBSUB
} which_e;


typedef enum {
    NONE = 0,
    READY,
    UP,
    DOWN,
    SUBSCRIBED,
    MESSAGE,
    HEARTBEAT,
    FATAL,
    REPLY
} event_e;


typedef struct {
    im_link_conn_t  *conn;
    int              open;
    int              writes;
    int              nopened;
} socket_t;


static im_link_t        *test_link;
static im_link_conf_t    conf;
static socket_t          sockets[2];
static uint64_t          now;
static im_uint_t         crowd;
static im_uint_t         timer;
static char              connected_to[IM_LINK_PEER_TEXT];
static int               refuse_connect;
static int               nrefused;
static event_e           destroy_at;     /* the event that destroys the link */
static event_e           break_at;
static int               quiet_channels;  /* none at `ready` */
static int               calls_at_ready;
static im_uint_t         nup;             /* registry and partitions */
static int               is_up[IM_LINK_REGISTRY + 1];
static int               drop_channel;    /* with its heartbeat */
static im_buf_t          events;         /* what came up */
static im_buf_t          logged;
static int               nsent;
static int               nreplies;
static int               nnull;

static const im_script_t  script = { "s", "sha", im_str("return 1") };


static void
reply_handler(const im_link_reply_t *reply, void *data);


static void
happens(event_e what)
{
    if (what == destroy_at) {
        destroy_at = NONE;
        im_link_destroy(test_link);
        test_link = NULL;

    } else if (what == break_at) {
        break_at = NONE;
        im_link_break(test_link, "the test");
    }
}


static void
note(const char *what, im_uint_t number, im_str_t text)
{
    im_buf_add_z(&events, what);
    im_buf_add_uint(&events, number);
    im_buf_add_str(&events, text);
    im_buf_add_z(&events, " ");
}


static void
call(const char *words)
{
    (void) im_link_command(test_link, words);

    if (im_link_send(test_link, reply_handler, &nreplies) == IM_OK) {
        nsent++;
    }
}


static void
call_script(void)
{
    im_link_call_t  *c;

    c = im_link_script(test_link, &script);
    im_buf_add_z(&c->bytes, "key");
    im_link_call_key(c);
    im_link_call_generation(c);
    im_link_call_z(c, "arg");

    if (im_link_send(test_link, reply_handler, &nreplies) == IM_OK) {
        nsent++;
    }
}


static void
reply_handler(const im_link_reply_t *reply, void *data)
{
    assert_ptr_equal(data, &nreplies);

    nreplies++;
    nnull += reply == NULL;

    happens(REPLY);
}


static void
on_ready(void *data)
{
    assert_ptr_equal(data, &events);
    note("partitions", im_link_partitions(test_link), im_str_set("", 0));

    if (!quiet_channels) {
        (void) im_link_subscribe(test_link, im_str_z("{1}"), 1, 0);
        (void) im_link_subscribe(test_link, im_str_z("{2}"), 2, 1);
    }
}


static void
on_server(void *data, im_uint_t server)
{
    assert_ptr_equal(data, &events);
    assert_int_equal(server, 0);
    note("server", im_link_partitions(test_link), im_str_set("", 0));

    if (calls_at_ready) {
        call("TIME");
        call_script();
        call("PING");
    }

    happens(READY);
}


/* Once all are up. */
static void
on_up(void *data, im_uint_t partition, int anew)
{
    assert_ptr_equal(data, &events);
    assert_true(partition == IM_LINK_REGISTRY
                || partition < im_link_partitions(test_link));
    assert_false(is_up[partition]);
    assert_true(im_link_ready(test_link, partition));

    is_up[partition] = 1;

    if (++nup == im_link_partitions(test_link) + 1) {
        note("up", anew, im_str_set("", 0));
        happens(UP);
    }
}


/* The first of them. */
static void
on_down(void *data, im_uint_t partition)
{
    assert_ptr_equal(data, &events);
    assert_true(is_up[partition]);

    is_up[partition] = 0;

    if (nup-- == im_link_partitions(test_link) + 1) {
        note("down", 0, im_str_set("", 0));
        happens(DOWN);
    }
}


static void
on_subscribed(void *data, im_uint_t number)
{
    assert_ptr_equal(data, &events);
    note("sub", number, im_str_set("", 0));
    happens(SUBSCRIBED);
}


static void
on_message(void *data, im_uint_t number, im_str_t payload)
{
    assert_ptr_equal(data, &events);
    note("msg", number, payload);
    happens(MESSAGE);
}


static void
on_heartbeat(void *data, im_uint_t number, int lost)
{
    assert_ptr_equal(data, &events);
    note(lost ? "lost" : "back", number, im_str_set("", 0));

    if (drop_channel) {
        im_link_unsubscribe(test_link, im_str_z("{2}"));
    }

    happens(HEARTBEAT);
}


static void
on_fatal(void *data, const char *why)
{
    assert_ptr_equal(data, &events);
    assert_non_null(why);
    note("fatal", 0, im_str_set("", 0));
    happens(FATAL);
}


static const im_link_events_t  link_events = {
    on_ready, on_server, on_up, on_down, on_subscribed, on_message,
    on_heartbeat, on_fatal
};


static void *
t_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    socket_t  *s;

    assert_ptr_equal(data, sockets);

    if (refuse_connect) {
        nrefused++;
        *why = "refused";
        return NULL;
    }

    s = &sockets[sockets[CALLS].open ? PUBSUB : CALLS];
    assert_false(s->open);

    s->conn = conn;
    s->open = 1;
    s->nopened++;

    if (to->sockaddr.ss_family == AF_INET) {
        (void) getnameinfo((const struct sockaddr *) &to->sockaddr, to->len,
                           connected_to, sizeof(connected_to), NULL, 0,
                           NI_NUMERICHOST);
    }

    return s;
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
    socket_t  *s = socket;

    assert_true(s->open);
    s->writes++;
}


static void
t_timer(void *data, im_uint_t ms)
{
    assert_ptr_equal(data, sockets);
    assert_true(ms > 0 && ms <= 500);
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


static im_uint_t
t_crowd(void *data)
{
    assert_ptr_equal(data, sockets);

    return crowd;
}


static const im_link_transport_t  transport = {
    t_connect, t_close, t_write, t_timer, t_now, t_random, t_log, t_crowd
};


static int
setup(void **state)
{
    memset(&conf, 0, sizeof(conf));
    memset(sockets, 0, sizeof(sockets));

    conf.nseeds = 1;
    conf.seeds[0].name = im_str_z("there");
    conf.prefix = im_str_z("im:");
    conf.timeout = 2000;

    now = 1000000;
    crowd = 0;
    refuse_connect = 0;
    destroy_at = NONE;
    break_at = NONE;
    quiet_channels = 0;
    calls_at_ready = 0;
    nup = 0;
    memset(is_up, 0, sizeof(is_up));
    drop_channel = 0;
    nsent = 0;
    nreplies = 0;
    nnull = 0;
    test_link = NULL;

    names_addresses = "127.0.0.1";
    names_rc = 0;
    names_hang = 0;

    (void) alloc_setup(state);

    /* no allocation of the test itself is to fail */
    im_buf_init(&events, 4096);
    im_buf_init(&logged, 4096);
    (void) im_buf_reserve(&events, 4096);
    (void) im_buf_reserve(&logged, 4096);
    im_buf_reset(&events, 4096);
    im_buf_reset(&logged, 4096);

    return 0;
}


static int
teardown(void **state)
{
    alloc_fail_at(0);

    if (test_link != NULL) {
        im_link_destroy(test_link);
    }

    im_buf_cleanup(&events);
    im_buf_cleanup(&logged);

    if (sockets[CALLS].open || sockets[PUBSUB].open || nreplies != nsent) {
        fprintf(stderr, "# sockets %d %d, %d calls, %d replies\n",
                sockets[CALLS].open, sockets[PUBSUB].open, nsent, nreplies);
        return -1;
    }

    return alloc_teardown(state);
}


static void
create(void)
{
    test_link = im_link_create(&conf, &transport, sockets, &link_events,
                               &events);
}


static void
tick(uint64_t ms)
{
    now += ms;
    im_link_tick(test_link);
}


/* So that no tick is late. */
static void
wait_ms(uint64_t ms)
{
    uint64_t  end;

    for (end = now + ms; now < end && test_link != NULL; ) {
        tick(im_min(end - now, 500));
    }
}


static void
until_open(which_e which)
{
    int  i;

    for (i = 0; i < 100 && !sockets[which].open; i++) {
        tick(timer);
    }

    assert_true(sockets[which].open);
}


static void
written(which_e which, const char *wanted)
{
    im_str_t  out;

    out = im_link_output(sockets[which].conn);
    test_str(out, wanted);
    im_link_sent(sockets[which].conn, out.len);
}


static void
written_any(which_e which)
{
    if (sockets[which].open) {
        im_link_sent(sockets[which].conn,
                     im_link_output(sockets[which].conn).len);
    }
}


static im_int_t
feed(which_e which, const char *bytes)
{
    return im_link_received(sockets[which].conn, bytes, strlen(bytes));
}


static void
happened(const char *wanted)
{
    test_str(im_buf_str(&events), wanted);
    im_buf_reset(&events, 4096);
}


static void
said(const char *wanted)
{
    test_str(im_buf_str(&logged), wanted);
    im_buf_reset(&logged, 4096);
}


/* What a server answers to PREPARE. */
static const char *
answers(const char *role, const char *policy, const char *partitions)
{
    char         server[256], replication[256];
    static char  text[2048];

    snprintf(server, sizeof(server), "# Server\r\nredis_version:7.0.15\r\n"
             "run_id:" RUN_ID "\r\ntcp_port:1\r\n");
    snprintf(replication, sizeof(replication), "# Replication\r\nrole:%s\r\n"
             "x_master_replid2:no\r\nmaster_replid:0000000000\r\n"
             "master_replid2:" REPLID2 "\r\n", role);

    snprintf(text, sizeof(text), "$%zu\r\n%s\r\n$%zu\r\n%s\r\n"
             "*2\r\n$16\r\nmaxmemory-policy\r\n$%zu\r\n%s\r\n"
             "$-1\r\n$%zu\r\n%s\r\n",
             strlen(server), server, strlen(replication), replication,
             strlen(policy), policy, strlen(partitions), partitions);

    return text;
}


static void
good_answers(void)
{
    (void) feed(CALLS, answers("master", "noeviction", "4"));
}


/* From nothing to up. */
static void
come_up(void)
{
    if (test_link == NULL) {
        create();
    }

    assert_non_null(test_link);

    until_open(CALLS);
    assert_int_equal(im_link_connected(sockets[CALLS].conn), IM_OK);
    written_any(CALLS);
    good_answers();

    if (quiet_channels) {
        return;
    }

    tick(1);
    assert_int_equal(im_link_connected(sockets[PUBSUB].conn), IM_OK);
    written_any(PUBSUB);
    assert_int_equal(feed(PUBSUB,
                          "*3\r\n$10\r\nssubscribe\r\n$3\r\n{1}\r\n:1\r\n"
                          "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:2\r\n"),
                     IM_OK);
}


static void
test_prepare(void **state)
{
    (void) state;

    create();
    test_str(im_str_z(im_link_why(test_link, 0)), "redis: not connected yet");
    assert_int_equal(im_link_partitions(test_link), 0);
    assert_int_equal(sockets[CALLS].nopened, 0);

    tick(timer);
    assert_int_equal(sockets[CALLS].nopened, 1);
    assert_int_equal(im_link_output(sockets[CALLS].conn).len, 0);

    assert_int_equal(im_link_connected(sockets[CALLS].conn), IM_OK);
    written(CALLS, PREPARE);
    assert_false(im_link_ready(test_link, 0));
    call("PING");
    assert_int_equal(nsent, 0);
    happened("");

    good_answers();
    happened("partitions4 server4 ");
    assert_true(im_link_ready(test_link, 0));
    assert_int_equal(im_link_partitions(test_link), 4);
    test_str(im_str_z(im_link_why(test_link, 0)), "");
    said("");

    tick(1);
    assert_int_equal(im_link_connected(sockets[PUBSUB].conn), IM_OK);
    written(PUBSUB, "*2\r\n$10\r\nSSUBSCRIBE\r\n$3\r\n{1}\r\n"
                    "*2\r\n$10\r\nSSUBSCRIBE\r\n$3\r\n{2}\r\n");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{1}\r\n:1\r\n");
    happened("sub1 ");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:1\r\n");
    happened("sub2 up1 ");
    said("Redis at \"there\" is there, 4 partitions\n");
}


static void
test_info(void **state)
{
    im_link_server_info_t  info;

    (void) state;

    create();
    assert_int_equal(im_link_servers(test_link), 1);
    assert_int_equal(im_link_unserved(test_link), 16384);
    im_link_server_info(test_link, 0, &info);
    assert_int_equal(info.state, IM_LINK_SERVER_AWAY);
    assert_int_equal(info.role, IM_LINK_ROLE_UNKNOWN);
    assert_int_equal(info.since, now);
    test_str(info.name, "there");
    test_str(info.address, "");
    test_str(info.generation, "");
    assert_string_equal(info.why, "not connected yet");

    tick(timer);
    (void) im_link_connected(sockets[CALLS].conn);
    good_answers();
    assert_int_equal(im_link_unserved(test_link), 0);
    im_link_server_info(test_link, 0, &info);
    assert_int_equal(info.state, IM_LINK_SERVER_READY);
    assert_int_equal(info.role, IM_LINK_ROLE_MASTER);
    assert_int_equal(info.listening, 0);
    assert_int_equal(info.slots, 16384);
    assert_int_equal(info.since, now);
    test_str(info.generation, "0123456789abcdeffedcba98");
    assert_string_equal(info.why, "");

    now += 100;
    im_link_closed(sockets[CALLS].conn, "gone");
    im_link_server_info(test_link, 0, &info);
    assert_int_equal(info.state, IM_LINK_SERVER_AWAY);
    assert_int_equal(info.since, now);
    assert_string_equal(info.why, "gone");
}


static void
test_auth(void **state)
{
    (void) state;

    conf.user = im_str_z("me");
    conf.password = im_str_z("secret");
    conf.db = 3;
    conf.partitions = 16;

    create();
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    written(CALLS, "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$6\r\nsecret\r\n"
                   "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n" PREPARE);

    (void) feed(CALLS, "-WRONGPASS invalid\r\n");
    assert_false(sockets[CALLS].open);
    said("Redis at \"there\" can't be used: WRONGPASS invalid\n");
    test_str(im_str_z(im_link_why(test_link, 0)), "redis: WRONGPASS invalid");
    assert_false(im_link_unusable(test_link));

    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    written_any(CALLS);
    (void) feed(CALLS, "+OK\r\n+OK\r\n");
    (void) feed(CALLS, answers("master", "noeviction", "16"));
    happened("partitions16 server16 ");

    until_open(PUBSUB);
    (void) im_link_connected(sockets[PUBSUB].conn);
    (void) feed(PUBSUB, "+OK\r\n+OK\r\n");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{1}\r\n:1\r\n"
                "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:1\r\n");
    happened("sub1 sub2 up1 ");
}


static void
test_calls(void **state)
{
    (void) state;

    come_up();
    (void) im_link_subscribe(test_link, im_str_z("{1}"), 1, 0);

    call("TIME");
    call_script();
    (void) im_link_command(test_link, "PING");
    assert_int_equal(im_link_send(test_link, NULL, NULL), IM_OK);
    written(CALLS, "*1\r\n$4\r\nTIME\r\n"
                   "*6\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n$1\r\n1\r\n"
                   "$3\r\nkey\r\n$24\r\n0123456789abcdeffedcba98\r\n"
                   "$3\r\narg\r\n"
                   "*1\r\n$4\r\nPING\r\n");

    (void) feed(CALLS, "*2\r\n:1\r\n:2\r\n:7\r\n+PONG\r\n");
    assert_int_equal(nreplies, 2);
    assert_int_equal(nnull, 0);

    (void) feed(CALLS, "+MORE\r\n");
    assert_false(sockets[CALLS].open);
    said("Redis at \"there\" is there, 4 partitions\n"
         "Redis at \"there\" is away (commands): reply without a command\n");
}


static void
test_noscript(void **state)
{
    (void) state;

    come_up();
    call_script();
    written_any(CALLS);

    (void) feed(CALLS, "-NOSCRIPT No matching script\r\n");
    assert_int_equal(nreplies, 0);
    written(CALLS, "*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n"
                   "$3\r\nkey\r\n$24\r\n0123456789abcdeffedcba98\r\n"
                   "$3\r\narg\r\n");

    /* a plain command's NOSCRIPT is its reply */
    call("TIME");
    (void) feed(CALLS, ":1\r\n-NOSCRIPT x\r\n");
    assert_int_equal(nreplies, 2);

    /* without memory the error is the reply */
    call_script();
    im_link_sent(sockets[CALLS].conn,
                 im_link_output(sockets[CALLS].conn).len);
    alloc_fail_all();
    (void) feed(CALLS, "-NOSCRIPT No matching script\r\n");
    alloc_fail_at(0);

    if (nreplies == 2) {
        (void) feed(CALLS, ":1\r\n");
    }

    assert_int_equal(nreplies, 3);
    assert_int_equal(nnull, 0);
}


/* What the server says in a life of the connection for calls. */
static const char *
life(void)
{
    static char  text[4096];

    snprintf(text, sizeof(text), "%s%s",
             answers("master", "noeviction", "4"),
             "*2\r\n$1\r\n1\r\n$1\r\n2\r\n-NOSCRIPT no\r\n+PONG\r\n"
             "*3\r\n:1\r\n*1\r\n$3\r\na\r\n\r\n$-1\r\n");

    return text;
}


/* Cut at each point: each handler is called once. */
static void
test_cut(void **state)
{
    size_t       i, n;
    const char  *text;

    (void) state;

    text = life();
    n = strlen(text);

    for (i = 0; i <= n; i++) {
        setup(state);
        calls_at_ready = 1;
        create();
        until_open(CALLS);
        (void) im_link_connected(sockets[CALLS].conn);

        if (i > 0) {
            assert_int_equal(im_link_received(sockets[CALLS].conn, text, i),
                             IM_OK);
        }

        assert_int_equal(nnull, 0);
        assert_int_equal(nreplies, i == n ? 3 : nreplies);
        im_link_closed(sockets[CALLS].conn, "cut");
        assert_int_equal(nreplies, nsent);
        assert_int_equal(nsent, im_link_partitions(test_link) ? 3 : 0);
        assert_false(im_link_ready(test_link, 0));

        assert_int_equal(teardown(state), 0);
    }
}


static void
test_bytes(void **state)
{
    size_t       i;
    const char  *text;

    (void) state;

    text = life();
    calls_at_ready = 1;
    create();
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);

    for (i = 0; text[i] != '\0'; i++) {
        assert_int_equal(im_link_received(sockets[CALLS].conn, text + i, 1),
                         IM_OK);
    }

    assert_int_equal(nsent, 3);
    assert_int_equal(nreplies, 3);
    assert_int_equal(nnull, 0);
}


static void
test_malformed(void **state)
{
    (void) state;

    come_up();
    call("TIME");

    assert_int_equal(feed(CALLS, "?what\r\n"), IM_ERROR);
    assert_false(sockets[CALLS].open);
    assert_false(sockets[PUBSUB].open);
    assert_int_equal(nnull, 1);
    happened("partitions4 server4 sub1 sub2 up1 down0 ");
    said("Redis at \"there\" is there, 4 partitions\n"
         "Redis at \"there\" is away (commands): malformed reply: is it a "
         "Redis?\n");
}


/* What one reply may take: elements of an array, and bytes in all. */
static void
test_limits(void **state)
{
    int    i;
    char  *bytes;

    (void) state;

    come_up();
    call("TIME");
    assert_int_equal(feed(CALLS, "*1048577\r\n"), IM_ERROR);
    assert_int_equal(nnull, 1);

    come_up();
    call("TIME");
    bytes = malloc(1024 * 1024);
    assert_non_null(bytes);
    memset(bytes, 'x', 1024 * 1024);
    (void) feed(CALLS, "*2\r\n$67108864\r\n");

    for (i = 0; i < 64; i++) {
        assert_int_equal(im_link_received(sockets[CALLS].conn, bytes,
                                          1024 * 1024),
                         IM_OK);
    }

    (void) feed(CALLS, "\r\n$67108864\r\n");

    for (i = 0; i < 63; i++) {
        assert_int_equal(im_link_received(sockets[CALLS].conn, bytes,
                                          1024 * 1024),
                         IM_OK);
    }

    assert_int_equal(im_link_received(sockets[CALLS].conn, bytes,
                                      1024 * 1024),
                     IM_ERROR);
    assert_int_equal(nnull, 2);
    free(bytes);
    test_str(im_str_z(im_link_why(test_link, 0)), "redis: reply is too big");
}


static void
test_timeouts(void **state)
{
    (void) state;

    create();

    /* connecting */
    until_open(CALLS);
    wait_ms(2000);
    assert_true(sockets[CALLS].open);
    tick(1);
    assert_false(sockets[CALLS].open);
    said("Redis at \"there\" is away (commands): timed out while connecting\n");

    /* preparing */
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    wait_ms(2001);
    assert_false(sockets[CALLS].open);
    said("");

    come_up();
    said("Redis at \"there\" is there, 4 partitions\n");

    /* bytes that come, however few, are no silence */
    call("TIME");
    wait_ms(1500);
    (void) feed(CALLS, "*");
    wait_ms(1500);
    assert_true(sockets[CALLS].open);
    wait_ms(1000);
    assert_false(sockets[CALLS].open);
    assert_int_equal(nnull, 1);

    /* a standstill of ours is no silence of theirs */
    im_buf_reset(&events, 4096);
    come_up();
    call("TIME");
    tick(30000);
    assert_int_equal(timer, 1);
    assert_true(sockets[CALLS].open);
    (void) feed(CALLS, "+OK\r\n");
    tick(1);
    assert_true(sockets[CALLS].open);
}


static void
test_generation(void **state)
{
    (void) state;

    come_up();
    wait_ms(1998);
    assert_int_equal(im_link_output(sockets[CALLS].conn).len, 0);
    tick(1);
    written(CALLS, POLL);

    (void) feed(CALLS, "$43\r\nrole:master\r\nmaster_replid2:" REPLID2 "\r\n  "
                "\r\n$-1\r\n$1\r\n4\r\n");
    assert_true(sockets[CALLS].open);

    /* FLUSHALL, while the number can't be set */
    wait_ms(2000);
    written(CALLS, POLL);
    (void) feed(CALLS, "$41\r\nrole:master\r\nmaster_replid2:" REPLID2 "\r\n"
                "\r\n-OOM no\r\n$-1\r\n");
    assert_true(sockets[CALLS].open);
    im_buf_reset(&logged, 4096);

    wait_ms(2000);
    call("TIME");
    (void) feed(CALLS, "$41\r\nrole:master\r\nmaster_replid2:12345678765\r\n"
                "\r\n$-1\r\n$1\r\n4\r\n");
    assert_false(sockets[CALLS].open);
    assert_int_equal(nnull, 1);
    said("Redis at \"there\" is away (commands): another generation\n");
    assert_true(timer <= 50);

    come_up();
    im_buf_reset(&logged, 4096);
    wait_ms(2000);
    (void) feed(CALLS, "$40\r\nrole:slave\r\nmaster_replid2:" REPLID2 "\r\n"
                "\r\n");
    assert_false(sockets[CALLS].open);
    said("Redis at \"there\" can't be used: it is a replica\n");
}


/* Sharded channels came with Redis 7.0. */
static void
test_old(void **state)
{
    (void) state;

    create();
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, "$47\r\nredis_version:6.2.7\r\nrun_id:" RUN_ID);
    assert_true(sockets[CALLS].open);
    (void) feed(CALLS, "\r\n");
    assert_false(sockets[CALLS].open);
    assert_true(im_link_unusable(test_link));
    test_str(im_str_z(im_link_why(test_link, 0) + 7), "its version is 6.2.7: "
             "Redis 7.0 or newer is needed, or Valkey");
    happened("fatal0 ");
}


static void
test_unusable(void **state)
{
    size_t  i;

    static const struct {
        const char  *policy;
        const char  *partitions;
        const char  *why;
    } rows[] = {
        { "allkeys-lru", "4", "its \"maxmemory-policy\" is \"allkeys-lru\", "
          "not \"noeviction\"" },
        { "noeviction", "5", "it was set up with another number of partitions: "
          "leave \"partitions=\" out to take that one" },
        { "noeviction", "0", "its number of partitions is invalid" },
        { "noeviction", "1025", "its number of partitions is invalid" },
        { "noeviction", "x", "its number of partitions is invalid" }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        setup(state);
        conf.partitions = 4;
        create();
        until_open(CALLS);
        (void) im_link_connected(sockets[CALLS].conn);
        (void) feed(CALLS, answers("master", rows[i].policy,
                                   rows[i].partitions));
        assert_false(sockets[CALLS].open);
        assert_true(im_link_unusable(test_link));
        test_str(im_str_z(im_link_why(test_link, 0) + 7), rows[i].why);
        happened("fatal0 ");

        /* later it is an outage */
        come_up();
        assert_false(im_link_unusable(test_link));
        im_link_closed(sockets[CALLS].conn, "x");
        tick(timer);
        im_buf_reset(&events, 4096);
        (void) im_link_connected(sockets[CALLS].conn);
        (void) feed(CALLS, answers("master", rows[i].policy,
                                   rows[i].partitions));
        happened("");
        assert_true(im_link_unusable(test_link));
        assert_int_equal(teardown(state), 0);
    }

    /* the number changes under us */
    setup(state);
    come_up();
    im_link_closed(sockets[CALLS].conn, "x");
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    im_buf_reset(&logged, 4096);
    (void) feed(CALLS, answers("master", "noeviction", "8"));
    assert_true(im_link_unusable(test_link));
    assert_non_null(strstr(im_link_why(test_link, 0),
                           "its number of partitions has changed"));
    assert_int_equal(im_link_partitions(test_link), 4);
    assert_int_equal(teardown(state), 0);

    /* the tags change under us */
    setup(state);
    come_up();
    im_link_closed(sockets[CALLS].conn, "x");
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, answers("master", "noeviction", "4e"));
    assert_true(im_link_unusable(test_link));
    assert_non_null(strstr(im_link_why(test_link, 0),
                           "the hash tags of its partitions have changed"));
    assert_int_equal(im_link_keys(test_link)->tags, IM_TAGS_DECIMAL);
    assert_int_equal(teardown(state), 0);
}


/* An error names itself; a server that hides its settings is believed. */
static void
test_errors(void **state)
{
    (void) state;

    create();
    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, "-LOADING Redis is loading\r\n");
    said("Redis at \"there\" can't be used: LOADING Redis is loading\n");

    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, "$7\r\nrun_id:\r\n");
    test_str(im_str_z(im_link_why(test_link, 0)),
             "redis: INFO has no generation");

    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, "$23\r\nrun_id:" "0123456789abcdef\r\n:1\r\n");
    test_str(im_str_z(im_link_why(test_link, 0)),
             "redis: INFO has no generation");

    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    (void) feed(CALLS, "$23\r\nrun_id:" "0123456789abcdef\r\n"
                "$36\r\nrole:master\r\nmaster_replid2:01234567\r\n"
                "-NOPERM\r\n-NOPERM x\r\n$1\r\n7\r\n");
    happened("partitions7 server7 ");
    assert_true(im_link_ready(test_link, 0));
}


static void
test_again(void **state)
{
    int       i, n;
    uint64_t  start;

    (void) state;

    refuse_connect = 1;
    create();

    /* twice the wait each time, half of it random; the log says it once */
    for (i = 0; i < 7; i++) {
        start = now;

        for (n = nrefused; nrefused == n; ) {
            tick(timer);
        }

        assert_true(i == 0 || now - start >= 25u << (i - 1));
        assert_true(i == 0 || now - start <= (50u << (i - 1)) + 50);
    }

    said("Redis at \"there\" is away (commands): refused\n");

    wait_ms(55000);
    said("");
    wait_ms(10000);
    said("Redis at \"there\" is away (commands): refused\n");

    refuse_connect = 0;
    come_up();
}


static void
test_pubsub(void **state)
{
    (void) state;

    come_up();
    im_buf_reset(&events, 4096);

    (void) feed(PUBSUB, "*3\r\n$8\r\nsmessage\r\n$3\r\n{1}\r\n$5\r\nhello\r\n"
                "*3\r\n$8\r\nsmessage\r\n$3\r\n{1}\r\n$0\r\n\r\n"
                "*3\r\n$8\r\nsmessage\r\n$3\r\n{2}\r\n$0\r\n\r\n"
                "*3\r\n$8\r\nsmessage\r\n$3\r\n{2}\r\n$1\r\nx\r\n"
                "*3\r\n$8\r\nsmessage\r\n$3\r\n{3}\r\n$1\r\nx\r\n");
    happened("msg1hello msg1 msg2x ");

    /* later ones, and one that comes back at once */
    assert_int_equal(im_link_subscribe(test_link, im_str_z("{3}"), 3, 0),
                     IM_OK);
    im_link_unsubscribe(test_link, im_str_z("{3}"));
    im_link_unsubscribe(test_link, im_str_z("{3}"));
    im_link_unsubscribe(test_link, im_str_z("none"));
    assert_int_equal(im_link_subscribe(test_link, im_str_z("{3}"), 33, 0),
                     IM_OK);
    assert_int_equal(im_link_subscribe(test_link, im_str_z("{3}"), 34, 0),
                     IM_OK);
    written(PUBSUB, "*2\r\n$10\r\nSSUBSCRIBE\r\n$3\r\n{3}\r\n"
                    "*2\r\n$12\r\nSUNSUBSCRIBE\r\n$3\r\n{3}\r\n"
                    "*2\r\n$10\r\nSSUBSCRIBE\r\n$3\r\n{3}\r\n");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{3}\r\n:3\r\n"
                "*3\r\n$12\r\nsunsubscribe\r\n$3\r\n{3}\r\n:2\r\n");
    happened("");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{3}\r\n:3\r\n"
                "*3\r\n$8\r\nsmessage\r\n$3\r\n{3}\r\n$1\r\nx\r\n");
    happened("sub33 msg33x ");

    im_link_unsubscribe(test_link, im_str_z("{3}"));
    written_any(PUBSUB);
    (void) feed(PUBSUB, "*3\r\n$8\r\nsmessage\r\n$3\r\n{3}\r\n$1\r\nx\r\n"
                "*3\r\n$12\r\nsunsubscribe\r\n$3\r\n{3}\r\n:2\r\n");
    happened("");

    /* lost: calls go on, and all come back */
    im_link_unsubscribe(test_link, im_str_z("{1}"));
    im_link_closed(sockets[PUBSUB].conn, "x");
    happened("down0 ");
    assert_true(im_link_ready(test_link, 0));
    call("TIME");
    (void) feed(CALLS, "+OK\r\n");
    until_open(PUBSUB);
    (void) im_link_connected(sockets[PUBSUB].conn);
    written(PUBSUB, "*2\r\n$10\r\nSSUBSCRIBE\r\n$3\r\n{2}\r\n");
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:1\r\n");
    happened("sub2 up0 ");

    /* the server takes one away */
    (void) feed(PUBSUB, "*3\r\n$12\r\nsunsubscribe\r\n$3\r\n{2}\r\n:0\r\n");
    assert_false(sockets[PUBSUB].open);
    happened("down0 ");

    until_open(PUBSUB);
    (void) im_link_connected(sockets[PUBSUB].conn);
    (void) feed(PUBSUB, "-NOPERM\r\n");
    assert_false(sockets[PUBSUB].open);
    assert_true(im_link_ready(test_link, 0));
}


/* Without channels there is no second connection, and none is missed. */
static void
test_no_channels(void **state)
{
    (void) state;

    quiet_channels = 1;
    come_up();
    happened("partitions4 server4 up1 ");
    wait_ms(1000);
    assert_false(sockets[PUBSUB].open);

    (void) im_link_subscribe(test_link, im_str_z("c"), 5, 0);
    tick(1);
    assert_true(sockets[PUBSUB].open);
    (void) im_link_connected(sockets[PUBSUB].conn);
    (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n");
    happened("sub5 ");

    im_link_unsubscribe(test_link, im_str_z("c"));
    (void) feed(PUBSUB, "*3\r\n$12\r\nsunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    im_link_closed(sockets[PUBSUB].conn, "x");
    happened("");
    tick(500);
    assert_false(sockets[PUBSUB].open);

    /* gone again before the connection is there */
    (void) im_link_subscribe(test_link, im_str_z("c"), 5, 0);
    tick(500);
    assert_true(sockets[PUBSUB].open);
    im_link_unsubscribe(test_link, im_str_z("c"));
    assert_int_equal(im_link_connected(sockets[PUBSUB].conn), IM_OK);
    happened("");
    assert_int_equal(im_link_output(sockets[PUBSUB].conn).len, 0);
}


/* The server answers what the link asks. */
static void
answer_questions(void)
{
    if (im_link_output(sockets[CALLS].conn).len > 0) {
        written(CALLS, POLL);
        (void) feed(CALLS, "$41\r\nrole:master\r\nmaster_replid2:" REPLID2
                    "\r\n\r\n$-1\r\n$1\r\n4\r\n");
    }
}


/* Time goes on. */
static void
quiet_calls(uint64_t ms)
{
    for (; ms > 0 && test_link != NULL; ms -= 500) {
        tick(500);

        if (test_link != NULL && sockets[CALLS].open) {
            answer_questions();
        }
    }
}


static void
test_heartbeats(void **state)
{
    (void) state;

    come_up();
    im_buf_reset(&events, 4096);

    quiet_calls(5000);
    written(PUBSUB, "*1\r\n$4\r\nPING\r\n");
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    quiet_calls(1000);
    happened("");
    quiet_calls(500);
    happened("lost2 ");
    quiet_calls(3000);
    happened("");

    (void) feed(PUBSUB, "*3\r\n$8\r\nsmessage\r\n$3\r\n{2}\r\n$0\r\n\r\n");
    happened("back2 ");
    quiet_calls(2000);
    happened("");

    /* no answer to PING */
    written_any(PUBSUB);
    quiet_calls(3000);
    assert_int_equal(sockets[PUBSUB].nopened, 2);
    happened("down0 ");
}


/* The event gives up the channel that it is about. */
static void
test_heartbeat_drops(void **state)
{
    (void) state;

    drop_channel = 1;
    come_up();
    im_buf_reset(&events, 4096);

    quiet_calls(5000);
    written_any(PUBSUB);
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    quiet_calls(1500);
    happened("lost2 ");
    written(PUBSUB, "*2\r\n$12\r\nSUNSUBSCRIBE\r\n$3\r\n{2}\r\n");
    quiet_calls(1000);
    happened("");
}


/* The program is stopped, or gets no CPU: that is no silence of the server. */
static void
test_standstill(void **state)
{
    int  i;

    (void) state;

    come_up();
    im_buf_reset(&events, 4096);
    im_buf_reset(&logged, 4096);

    /* what is written after a long turn has had no time for an answer */

    call("TIME");
    now += 8000;
    written_any(CALLS);
    tick(0);
    assert_int_equal(timer, 1);
    tick(1);
    assert_true(sockets[CALLS].open);
    (void) feed(CALLS, "+OK\r\n");

    /* the heartbeats of that time come late */

    tick(1);
    happened("");

    /* turns that take seconds, and in each one the answers of the last one */

    for (i = 0; i < 100; i++) {
        call("TIME");
        written_any(CALLS);
        tick(3000);
        (void) feed(CALLS, "+OK\r\n");
        answer_questions();

        if (im_link_output(sockets[PUBSUB].conn).len > 0) {
            written(PUBSUB, "*1\r\n$4\r\nPING\r\n");
            (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        }

        (void) feed(PUBSUB,
                    "*3\r\n$8\r\nsmessage\r\n$3\r\n{2}\r\n$0\r\n\r\n");
    }

    assert_int_equal(sockets[CALLS].nopened, 1);
    assert_int_equal(sockets[PUBSUB].nopened, 1);
    assert_int_equal(nnull, 0);
    happened("");
    said("");

    /* a server that says nothing while the program runs is away */

    call("TIME");
    wait_ms(2000);
    assert_true(sockets[CALLS].open);
    wait_ms(500);
    assert_false(sockets[CALLS].open);
    assert_int_equal(nnull, 1);
    said("Redis at \"there\" is away (commands): no answer in time\n");
}


/* The server says nothing until its connection is closed: ms. */
static uint64_t
until_cut(void)
{
    uint64_t  start;

    for (start = now; sockets[CALLS].open && now - start < 120000; ) {
        tick(100);
    }

    assert_false(sockets[CALLS].open);

    return now - start;
}


/* Up, with a call that waits. */
static void
wait_for_answer(im_uint_t processes)
{
    crowd = processes;
    come_up();
    wait_ms(500);
    written_any(CALLS);
    im_buf_reset(&events, 4096);
    im_buf_reset(&logged, 4096);
    call("TIME");
    written_any(CALLS);
}


/* Where processes wait for a CPU, a server of this machine may wait for one. */
static void
test_crowd(void **state)
{
    uint64_t  ms;

    (void) state;

    /* a few are no crowd */

    wait_for_answer(8);
    assert_int_equal(until_cut(), 2100);

    /* four times as many: it takes four times as long */

    wait_for_answer(32);
    assert_int_equal(until_cut(), 8100);
    said("Redis at \"there\" is away (commands): no answer in time\n");
    happened("down0 ");

    /* to be ready, too */

    until_open(CALLS);
    (void) im_link_connected(sockets[CALLS].conn);
    written_any(CALLS);
    ms = until_cut();
    assert_in_range(ms, 8000, 8100);

    /* time in a crowd counts for less, also when the crowd has gone */

    wait_for_answer(32);
    wait_ms(6000);
    crowd = 1;
    ms = until_cut();
    assert_in_range(ms, 500, 1000);

    /* however large the crowd, a dead server is noticed */

    wait_for_answer(1000000);
    ms = until_cut();
    assert_in_range(ms, 24000, 24200);
}


/* Heartbeats come by way of the server. */
static void
test_crowd_heartbeats(void **state)
{
    (void) state;

    wait_for_answer(32);
    (void) feed(CALLS, "+OK\r\n");
    quiet_calls(4500);
    written(PUBSUB, "*1\r\n$4\r\nPING\r\n");
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    quiet_calls(5000);
    written_any(PUBSUB);
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    quiet_calls(5000);
    written_any(PUBSUB);
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    quiet_calls(5000);
    written_any(PUBSUB);
    (void) feed(PUBSUB, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    happened("");
    quiet_calls(5000);
    happened("lost2 ");
    said("");
}


/* A closed connection is no silence. */
static void
test_crowd_closed(void **state)
{
    (void) state;

    wait_for_answer(1000);
    im_link_closed(sockets[CALLS].conn, "connection closed");
    assert_false(sockets[CALLS].open);
    said("Redis at \"there\" is away (commands): connection closed\n");
}


static void
test_slow(void **state)
{
    int  i;

    (void) state;

    create();
    assert_true(im_link_slow(test_link, 0));
    come_up();
    assert_false(im_link_slow(test_link, 0));

    call("TIME");
    now += 50;
    assert_false(im_link_slow(test_link, 0));
    now += 1;
    assert_true(im_link_slow(test_link, 0));
    (void) feed(CALLS, "+OK\r\n");
    assert_false(im_link_slow(test_link, 0));

    for (i = 0; i < 10; i++) {
        call("TIME");
        now += 120;
        (void) feed(CALLS, "+OK\r\n");
    }

    assert_true(im_link_slow(test_link, 0));
}


static void
test_too_many(void **state)
{
    int  i;

    (void) state;

    come_up();

    for (i = 0; i < 65536; i++) {
        call("TIME");
    }

    assert_int_equal(nsent, 65536);
    call("TIME");
    assert_int_equal(nsent, 65536);

    /* what the link itself asks finds no room, and doesn't harm */
    wait_ms(1500);
    (void) feed(CALLS, "+OK\r\n");
    call("TIME");
    assert_int_equal(nsent, 65537);
    wait_ms(5000);
    assert_int_equal(nreplies, 65537);
    assert_int_equal(nnull, 65536);
}


static void
test_too_much(void **state)
{
    im_uint_t        n;
    im_link_call_t  *c;

    (void) state;

    come_up();

    for (n = 0; n < 20; n++) {
        c = im_link_command(test_link, "PUBLISH x");
        assert_non_null(im_buf_reserve(&c->bytes, 4000000));
        im_link_call_arg(c);

        if (im_link_send(test_link, NULL, NULL) != IM_OK) {
            break;
        }
    }

    assert_int_equal(n, 16);

    /* what is sent makes room; what was refused left no half */
    im_link_sent(sockets[CALLS].conn, 40000000);
    assert_int_equal(im_link_output(sockets[CALLS].conn).len,
                     16 * (4000000 + 36) - 40000000);
    call("TIME");
    assert_int_equal(nsent, 1);
}


/* Every event and reply may destroy the link, or break it. */
static void
test_destroy(void **state)
{
    int      breaks;
    event_e  e;

    (void) state;

    for (breaks = 0; breaks < 2; breaks++) {
        for (e = READY; e <= REPLY; e++) {
            setup(state);
            calls_at_ready = 1;

            if (breaks) {
                break_at = e;

            } else {
                destroy_at = e;
            }

            conf.partitions = e == FATAL ? 5 : 0;
            create();
            until_open(CALLS);
            (void) im_link_connected(sockets[CALLS].conn);
            (void) feed(CALLS, life());
            written_any(CALLS);

            if (test_link != NULL && sockets[CALLS].open) {
                tick(1);
                (void) im_link_connected(sockets[PUBSUB].conn);
                (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{1}\r\n"
                            ":1\r\n"
                            "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:2\r\n"
                            "*3\r\n$8\r\nsmessage\r\n$3\r\n{2}\r\n$0\r\n\r\n"
                            "*3\r\n$8\r\nsmessage\r\n$3\r\n{1}\r\n$1\r\nx\r\n");
            }

            if (test_link != NULL && sockets[PUBSUB].open) {
                now += 400;
                call("TIME");
                written_any(CALLS);
                (void) feed(CALLS, "+OK\r\n");
                quiet_calls(8000);
            }

            if (test_link != NULL && sockets[CALLS].open) {
                im_link_closed(sockets[CALLS].conn, "x");
            }

            assert_int_equal(breaks ? break_at : destroy_at, NONE);
            assert_true(breaks || test_link == NULL);
            assert_int_equal(teardown(state), 0);
        }
    }
}


/* Whatever allocation fails: no leak, each handler once, and it comes up. */
static void
test_no_memory(void **state)
{
    unsigned long  n;

    for (n = 1; n < 200; n++) {
        setup(state);
        calls_at_ready = 1;
        alloc_fail_at(n);
        create();

        if (test_link == NULL) {
            assert_true(alloc_failed());
            assert_int_equal(teardown(state), 0);
            continue;
        }

        tick(timer);

        if (sockets[CALLS].open) {
            (void) im_link_connected(sockets[CALLS].conn);
        }

        if (sockets[CALLS].open) {
            (void) feed(CALLS, life());
        }

        if (sockets[CALLS].open) {
            tick(1);
        }

        if (sockets[PUBSUB].open) {
            (void) im_link_connected(sockets[PUBSUB].conn);
            (void) feed(PUBSUB, "*3\r\n$10\r\nssubscribe\r\n$3\r\n{1}\r\n:1\r\n"
                        "*3\r\n$10\r\nssubscribe\r\n$3\r\n{2}\r\n:2\r\n");
        }

        if (!alloc_failed()) {
            assert_int_equal(teardown(state), 0);
            break;
        }

        /* a connection that did not get all subscriptions is replaced */
        alloc_fail_at(0);
        calls_at_ready = 0;

        if (!im_link_ready(test_link, 0)) {
            come_up();

        } else {
            tick(1);
        }

        assert_true(im_link_ready(test_link, 0));
        assert_int_equal(teardown(state), 0);
    }

    assert_true(n > 5 && n < 200);
}


static void
named(void)
{
    assert_null(im_addr_parse(&conf.seeds[0].addr, im_str_z("redis"),
                              IM_ADDR_CONNECT, 6379));
    create();
}


/* Ticks until the lookup is done and the connection opened. */
static void
connects_to(const char *address)
{
    int  i;

    for (i = 0; i < 10000 && !sockets[CALLS].open; i++) {
        tick(1);
        (void) usleep(100);
    }

    assert_true(sockets[CALLS].open);
    assert_string_equal(connected_to, address);
}


static void
test_names(void **state)
{
    (void) state;

    names_addresses = "127.0.0.2 127.0.0.3 127.0.0.4";
    named();

    /* a refused one, one that does not answer, one that can't be used */

    connects_to("127.0.0.2");
    im_link_closed(sockets[CALLS].conn, "refused");
    said("Redis at \"there\" is away (commands, at 127.0.0.2): refused\n");

    connects_to("127.0.0.3");
    wait_ms(2001);
    assert_false(sockets[CALLS].open);
    connects_to("127.0.0.4");
    assert_int_equal(im_link_connected(sockets[CALLS].conn), IM_OK);
    (void) feed(CALLS, answers("slave", "noeviction", "4"));
    assert_false(sockets[CALLS].open);

    /* all again, by a new lookup */

    names_addresses = "127.0.0.5 127.0.0.6 127.0.0.7";
    connects_to("127.0.0.5");
    im_link_closed(sockets[CALLS].conn, "refused");
    connects_to("127.0.0.6");
    come_up();
    assert_string_equal(connected_to, "127.0.0.6");

    /* pub/sub comes back to where calls are, without a lookup */

    im_link_closed(sockets[PUBSUB].conn, "cut");
    names_addresses = "127.0.0.8";
    connected_to[0] = '\0';
    until_open(PUBSUB);
    assert_string_equal(connected_to, "127.0.0.6");

    /* and a lost connection for calls is looked for anew */

    im_link_closed(sockets[CALLS].conn, "cut");
    connects_to("127.0.0.8");
}


/* A server of another machine waits for other CPUs. */
static void
test_crowd_here(void **state)
{
    (void) state;

    names_addresses = "10.0.0.1";
    named();
    connects_to("10.0.0.1");
    wait_for_answer(1000);
    assert_int_equal(until_cut(), 2100);
}


/* Lookups that fail are not made one after the other. */
static void
test_unknown(void **state)
{
    int  i;

    (void) state;

    names_rc = EAI_NONAME;
    names_lookups = 0;
    named();

    for (i = 0; i < 10000 && logged.len == 0; i++) {
        tick(1);
        (void) usleep(100);
    }

    said("Redis at \"there\" is away (commands): Name or service not known\n");
    test_str(im_str_z(im_link_why(test_link, 0)),
             "redis: Name or service not known");

    for (i = 0; i < 200; i++) {
        (void) usleep(1000);
        tick(50);
    }

    assert_in_range(names_lookups, 2, 20);

    names_rc = 0;
    connects_to("127.0.0.1");
}


static void
test_lookup_hangs(void **state)
{
    unsigned long  live;

    (void) state;

    names_hang = 1;
    names_lookups = 0;
    named();
    wait_ms(2600);

    said("Redis at \"there\" is away (commands): its name could not be "
         "looked up in time\n");

    wait_ms(10000);

    while (__atomic_load_n(&names_lookups, __ATOMIC_ACQUIRE) == 0) {
        (void) usleep(1000);
    }

    assert_int_equal(names_lookups, 1);

    __atomic_store_n(&names_hang, 0, __ATOMIC_RELEASE);
    connects_to("127.0.0.1");
    come_up();

    /* the address that is known, and what comes late is not used */

    names_hang = 1;
    names_addresses = "127.0.0.2";
    im_link_closed(sockets[CALLS].conn, "cut");
    wait_ms(900);
    assert_false(sockets[CALLS].open);
    connects_to("127.0.0.1");
    come_up();

    live = alloc_live();
    __atomic_store_n(&names_hang, 0, __ATOMIC_RELEASE);

    while (alloc_live() == live) {
        (void) usleep(1000);
    }

    names_addresses = "127.0.0.3";
    im_link_closed(sockets[CALLS].conn, "cut");
    connects_to("127.0.0.3");
}


#define link_test(fn)  cmocka_unit_test_setup_teardown(fn, setup, teardown)


static const struct CMUnitTest  tests[] = {
    link_test(test_prepare),
    link_test(test_info),
    link_test(test_auth),
    link_test(test_calls),
    link_test(test_noscript),
    cmocka_unit_test(test_cut),
    link_test(test_bytes),
    link_test(test_malformed),
    link_test(test_limits),
    link_test(test_timeouts),
    link_test(test_generation),
    link_test(test_old),
    cmocka_unit_test(test_unusable),
    link_test(test_errors),
    link_test(test_again),
    link_test(test_pubsub),
    link_test(test_no_channels),
    link_test(test_heartbeats),
    link_test(test_heartbeat_drops),
    link_test(test_standstill),
    link_test(test_crowd),
    link_test(test_crowd_heartbeats),
    link_test(test_crowd_closed),
    link_test(test_slow),
    link_test(test_too_many),
    link_test(test_too_much),
    link_test(test_names),
    link_test(test_crowd_here),
    link_test(test_unknown),
    link_test(test_lookup_hangs),
    cmocka_unit_test(test_destroy),
    cmocka_unit_test(test_no_memory)
};


test_main(tests)
