/*
 * Copyright (C) The im authors
 *
 * Where the master is: the test is three sentinels, their sockets and the
 * clock.
 */

#include <arpa/inet.h>

#include "test.h"
#include "im_buf.h"
#include "im_link_sentinel.h"


#define NODES     3

#define QUESTION  "*3\r\n$8\r\nSENTINEL\r\n$6\r\nMASTER\r\n$2\r\nim\r\n"      \
                  "*3\r\n$8\r\nSENTINEL\r\n$23\r\nGET-MASTER-ADDR-BY-NAME\r\n"\
                  "$2\r\nim\r\n"
#define AUTH      "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n"
#define HINTS     "*2\r\n$9\r\nSUBSCRIBE\r\n$14\r\n+switch-master\r\n"
#define SUBBED    "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
#define SWITCHED  "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$1\r\nx\r\n"
#define PING      "*1\r\n$4\r\nPING\r\n"
#define PONG      "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
#define NAMELESS  "-ERR No such master with that name\r\n*-1\r\n"


typedef struct {
    im_link_conn_t  *conn;
    int              open;
} socket_t;


static im_link_context_t    context;
static im_link_sentinel_t  *sentinel;
static socket_t             sockets[NODES][2];   /* questions, hints */
static int                  refuse[NODES];
static int                  nconnects;
static int                  close_at_event;
static uint64_t             now;
static im_uint_t            timer;
static im_buf_t             events;
static im_buf_t             logged;


static void *
t_connect(void *data, im_link_conn_t *conn, const im_link_address_t *to,
    const char **why)
{
    int        i;
    socket_t  *s;

    assert_ptr_equal(data, sockets);

    i = ntohs(((const struct sockaddr_in *) &to->sockaddr)->sin_port) - 26379;
    assert_in_range(i, 0, NODES - 1);

    nconnects++;

    if (refuse[i]) {
        *why = "refused";
        return NULL;
    }

    s = &sockets[i][sockets[i][0].open];
    assert_false(s->open);
    s->conn = conn;
    s->open = 1;

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
    assert_true(((socket_t *) socket)->open);
}


static void
t_timer(void *data, im_uint_t ms)
{
    assert_ptr_equal(data, sockets);
    timer = ms;
}


static uint64_t
t_now(void *data)
{
    assert_ptr_equal(data, sockets);

    return now;
}


static uint32_t
t_random(void *data)
{
    assert_ptr_equal(data, sockets);

    return 1000003;
}


static void
t_log(void *data, im_link_log_e level, const char *text)
{
    assert_ptr_equal(data, sockets);
    im_buf_add_z(&logged, level == IM_LINK_LOG_ERROR ? "E " : "N ");
    im_buf_add_z(&logged, text);
    im_buf_add_z(&logged, "\n");
}


static const im_link_transport_t  transport = {
    t_connect, t_close, t_write, t_timer, t_now, t_random, t_log, NULL
};


static void
t_handler(void *data, im_str_t addr, uint64_t epoch)
{
    assert_ptr_equal(data, &events);

    im_buf_add_str(&events, addr);
    im_buf_add_z(&events, "@");
    im_buf_add_uint(&events, epoch);
    im_buf_add_z(&events, " ");

    if (close_at_event) {
        im_link_sentinel_close(sentinel);
    }
}


static int
setup(void **state)
{
    static char      names[NODES][32];
    im_uint_t        i;
    im_link_conf_t  *conf;

    memset(&context, 0, sizeof(context));
    memset(sockets, 0, sizeof(sockets));
    memset(refuse, 0, sizeof(refuse));

    context.transport = &transport;
    context.transport_data = sockets;
    context.due = UINT64_MAX;
    im_link_clock_init(&context.clock, &transport, sockets);
    im_link_call_init(&context.own);

    conf = &context.conf;
    conf->kind = IM_LINK_SENTINEL;
    conf->nseeds = NODES;
    conf->master = im_str_z("im");
    conf->timeout = 2000;

    for (i = 0; i < NODES; i++) {
        (void) snprintf(names[i], sizeof(names[i]), "127.0.0.1:%u",
                        (unsigned) (26379 + i));
        conf->seeds[i].name = im_str_z(names[i]);
        assert_null(im_addr_parse(&conf->seeds[i].addr, conf->seeds[i].name,
                                  IM_ADDR_CONNECT, 0));
    }

    now = 1000000;
    nconnects = 0;
    close_at_event = 0;
    sentinel = NULL;

    (void) alloc_setup(state);

    im_buf_init(&events, 4096);
    im_buf_init(&logged, 8192);
    (void) im_buf_reserve(&events, 4096);
    (void) im_buf_reserve(&logged, 8192);
    im_buf_reset(&events, 4096);
    im_buf_reset(&logged, 8192);

    return 0;
}


static int
teardown(void **state)
{
    int  i, open;

    alloc_fail_at(0);

    im_link_sentinel_close(sentinel);
    im_link_sentinel_destroy(sentinel);
    im_link_call_cleanup(&context.own);

    im_buf_cleanup(&events);
    im_buf_cleanup(&logged);

    for (i = 0, open = 0; i < NODES; i++) {
        open += sockets[i][0].open + sockets[i][1].open;
    }

    return open > 0 || context.guard.busy > 0 ? -1 : alloc_teardown(state);
}


static void
create(void)
{
    sentinel = im_link_sentinel_create(&context, t_handler, &events);
}


static void
tick(uint64_t ms)
{
    uint64_t  end;

    /* the program runs: it looks at the clock meanwhile */

    for (end = now + ms; now < end; now = im_min(end, now + 500)) {
        (void) im_link_clock(&context.clock);
    }

    context.due = UINT64_MAX;
    im_link_sentinel_tick(sentinel);
}


static void
wait_ms(uint64_t ms)
{
    uint64_t  end;

    for (end = now + ms; now < end; ) {
        tick(im_min(end - now, 100));
    }
}


/* Bytes that wait are as wanted, and are taken. */
static void
written(int i, int hints, const char *wanted)
{
    im_str_t  out;

    assert_true(sockets[i][hints].open);
    out = im_link_output(sockets[i][hints].conn);
    test_str(out, wanted);
    im_link_sent(sockets[i][hints].conn, out.len);
}


static void
feed(int i, int hints, const char *bytes)
{
    assert_true(sockets[i][hints].open);
    (void) im_link_received(sockets[i][hints].conn, bytes, strlen(bytes));
}


static const char *
saying(uint64_t epoch, const char *host, const char *port)
{
    char         e[32];
    static char  text[1024];

    snprintf(e, sizeof(e), "%llu", (unsigned long long) epoch);
    snprintf(text, sizeof(text),
             "*12\r\n$4\r\nname\r\n$2\r\nim\r\n$2\r\nip\r\n$1\r\nx\r\n"
             "$12\r\nconfig-epoch\r\n$%zu\r\n%s\r\n"
             "$19\r\nnum-other-sentinels\r\n$1\r\n2\r\n"
             "$6\r\nquorum\r\n$1\r\n2\r\n"
             "$23\r\ndown-after-milliseconds\r\n$5\r\n30000\r\n"
             "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
             strlen(e), e, strlen(host), host, strlen(port), port);

    return text;
}


/* The answer to one question. */
static void
says(int i, uint64_t epoch, const char *port)
{
    feed(i, 0, saying(epoch, "10.0.0.1", port));
}


static void
connected(int i, int hints)
{
    (void) im_link_connected(sockets[i][hints].conn);
}


static void
happened(const char *wanted)
{
    test_str(im_buf_str(&events), wanted);
    im_buf_reset(&events, 4096);
}


static void
told(const char *wanted)
{
    if (!im_str_eq(im_buf_str(&logged), im_str_z(wanted))) {
        fprintf(stderr, "# %.*s", (int) logged.len, (char *) logged.data);
    }

    test_str(im_buf_str(&logged), wanted);
    im_buf_reset(&logged, 8192);
}


/* Hints of those whose questions were answered are subscribed. */
static void
hints(void)
{
    int  i;

    tick(50);

    for (i = 0; i < NODES; i++) {
        if (sockets[i][1].open) {
            connected(i, 1);
            written(i, 1, HINTS);
            feed(i, 1, SUBBED);
        }
    }
}


/* Time in which all questions are answered so. */
static void
live(uint64_t ms, uint64_t epoch, const char *port)
{
    int       i;
    im_str_t  out;
    uint64_t  end;

    for (end = now + ms; now < end; ) {
        tick(im_min(end - now, 100));

        for (i = 0; i < NODES; i++) {
            if (sockets[i][0].open) {
                out = im_link_output(sockets[i][0].conn);

                if (out.len > 0) {
                    im_link_sent(sockets[i][0].conn, out.len);
                    says(i, epoch, port);
                }
            }
        }
    }
}


/* All are connected and say the same. */
static void
start(uint64_t epoch, const char *port)
{
    int  i;

    create();
    assert_non_null(sentinel);
    tick(1);

    for (i = 0; i < NODES; i++) {
        connected(i, 0);
        written(i, 0, QUESTION);
    }

    for (i = 0; i < NODES; i++) {
        says(i, epoch, port);
    }

    hints();
    im_buf_reset(&events, 4096);
    im_buf_reset(&logged, 8192);
}


static void
test_first(void **state)
{
    const im_link_sentinels_t  *info;

    (void) state;

    create();
    tick(1);
    assert_int_equal(nconnects, 3);
    assert_string_equal(im_link_sentinel_why(sentinel), "no sentinel "
                        "answers: \"127.0.0.1:26379\": no answer yet");

    connected(0, 0);
    connected(1, 0);
    written(0, 0, QUESTION);

    /* the others have a moment: a better answer comes */

    says(0, 1, "1");
    tick(200);
    happened("");
    says(1, 2, "2");
    tick(99);
    happened("");
    assert_int_equal(timer, 50);
    tick(1);
    happened("10.0.0.1:2@2 ");
    told("N Redis: the sentinels name \"10.0.0.1:2\" as master of \"im\", "
         "epoch 2\n");

    info = im_link_sentinel_info(sentinel);
    assert_int_equal(info->configured, 3);
    assert_int_equal(info->answering, 2);
    assert_int_equal(info->epoch, 2);
    assert_int_equal(info->watching, 3);
    assert_int_equal(info->quorum, 2);
    assert_int_equal(info->replicas, 0);
    assert_int_equal(info->down_after, 30000);
    assert_string_equal(im_link_sentinel_why(sentinel), "");
}


/* Nothing is waited for when all have answered, or can't be reached. */
static void
test_all(void **state)
{
    (void) state;

    refuse[2] = 1;
    create();
    tick(1);
    connected(0, 0);
    connected(1, 0);
    says(0, 1, "1");
    says(1, 1, "1");
    happened("10.0.0.1:1@1 ");
}


static void
test_poll(void **state)
{
    (void) state;

    start(1, "1");
    tick(500);
    written(0, 0, "");
    tick(500);
    written(0, 0, QUESTION);
    written(1, 0, QUESTION);

    /* the same again is no event; a higher epoch is one at once */

    says(0, 1, "1");
    happened("");
    says(1, 2, "2");
    happened("10.0.0.1:2@2 ");

    /* lower ones never win, not even alone */

    says(2, 1, "1");
    happened("");
    tick(1000);
    written(0, 0, QUESTION);
    says(0, 1, "1");
    happened("");
    im_link_closed(sockets[1][0].conn, "gone");
    im_link_closed(sockets[2][0].conn, "gone");
    refuse[1] = refuse[2] = 1;
    wait_ms(3000);
    says(0, 1, "1");
    happened("");
    im_link_sentinel_ask(sentinel);
    says(0, 1, "1");
    wait_ms(3000);
    happened("");
    assert_string_equal(im_link_sentinel_why(sentinel), "the sentinels "
                        "that answer name a master of the epoch 1, not 2");

    /* one that knows comes back */

    refuse[1] = 0;
    wait_ms(2100);
    connected(1, 0);
    says(1, 2, "2");
    wait_ms(300);
    happened("10.0.0.1:2@2 ");
}


static void
test_ask(void **state)
{
    (void) state;

    start(1, "1");

    /* an answer to an older question does not count */

    tick(1000);
    written(0, 0, QUESTION);
    im_link_sentinel_ask(sentinel);
    im_link_sentinel_ask(sentinel);
    written(0, 0, QUESTION);
    says(0, 1, "1");
    tick(400);
    happened("");
    says(0, 1, "1");
    tick(299);
    happened("");
    tick(1);
    happened("10.0.0.1:1@1 ");
}


static void
test_hint(void **state)
{
    (void) state;

    start(1, "1");
    feed(1, 1, SWITCHED);
    written(0, 0, QUESTION);
    written(1, 0, QUESTION);
    written(2, 0, QUESTION);
    says(2, 2, "2");
    happened("10.0.0.1:2@2 ");
    says(0, 2, "2");
    says(1, 2, "2");

    live(5000, 2, "2");
    written(1, 1, PING);
    feed(1, 1, PONG);
    assert_true(sockets[1][1].open);
}


/* Equal epochs: the address that is followed wins while one names it. */
static void
test_equal(void **state)
{
    (void) state;

    start(1, "1");
    tick(1000);
    feed(0, 0, saying(1, "host.name", "1"));
    feed(1, 0, saying(1, "host.name", "1"));
    happened("");
    feed(2, 0, saying(1, "host.name", "1"));
    happened("host.name:1@1 ");
}


static void
test_unanimous(void **state)
{
    (void) state;

    start(7, "1");
    tick(1000);
    says(0, 0, "2");
    says(1, 0, "2");
    happened("");
    says(2, 0, "2");
    happened("10.0.0.1:2@0 ");
}


static void
test_addresses(void **state)
{
    (void) state;

    start(1, "1");
    tick(1000);
    feed(0, 0, saying(2, "::1", "6379"));
    happened("[::1]:6379@2 ");

    feed(1, 0, saying(3, "unix", "/tmp/x"));
    assert_false(sockets[1][0].open);
    feed(2, 0, saying(3, "10.0.0.1", "0"));
    assert_false(sockets[2][0].open);
    happened("");
}


static void
test_errors(void **state)
{
    int     i;
    size_t  n;

    static const struct {
        const char  *reply, *why;
    } errors[] = {
        { NAMELESS, "it watches no master of this name (\"sentinel=\"): im" },
        { "-NOAUTH Authentication required.\r\n",
          "it wants a password (\"sentinel_password=\")" },
        { "-WRONGPASS invalid username-password pair\r\n",
          "it refuses \"sentinel_user=\" and \"sentinel_password=\": WRONGPASS "
          "invalid username-password pair" },
        { "-ERR AUTH <password> called without any password\r\n",
          "it refuses \"sentinel_password=\": ERR AUTH <password> called "
          "without any password" },
        { "-ERR unknown command 'SENTINEL'\r\n", "it is not a sentinel" },
        { "-NOPERM no\r\n", "it answers: NOPERM no" },
        { "*0\r\n*-1\r\n", "it names no valid address" },
        { ":1\r\n:2\r\n", "it names no valid address" },
        { "what\r\n", "malformed reply: is it a Redis?" }
    };

    (void) state;

    create();

    for (n = 0; n < test_count(errors); n++) {
        wait_ms(2000);

        for (i = 0; i < NODES; i++) {
            connected(i, 0);
            feed(i, 0, errors[n].reply);
            assert_false(sockets[i][0].open);
        }

        happened("");
        assert_non_null(strstr(im_link_sentinel_why(sentinel), errors[n].why));
    }
}


/* The same reason of all is one line, and the next one comes a minute later. */
static void
test_log(void **state)
{
    int  i;

    (void) state;

    create();
    tick(1);

    for (i = 0; i < NODES; i++) {
        connected(i, 0);
        feed(i, 0, NAMELESS);
        refuse[i] = 1;
    }

    refuse[2] = 0;
    wait_ms(900);
    told("");
    wait_ms(200);
    told("E Redis: 0 of 3 sentinels answer for \"im\"; \"127.0.0.1:26379\", "
         "\"127.0.0.1:26380\": refused; \"127.0.0.1:26381\": it watches no "
         "master of this name (\"sentinel=\"): im\n");

    refuse[2] = 1;
    wait_ms(5000);
    told("E Redis: 0 of 3 sentinels answer for \"im\"; \"127.0.0.1:26379\", "
         "\"127.0.0.1:26380\", \"127.0.0.1:26381\": refused\n");
    wait_ms(55000);
    told("");
    wait_ms(5000);
    told("E Redis: 0 of 3 sentinels answer for \"im\"; \"127.0.0.1:26379\", "
         "\"127.0.0.1:26380\", \"127.0.0.1:26381\": refused\n");

    refuse[0] = refuse[1] = refuse[2] = 0;
    wait_ms(2100);

    for (i = 0; i < NODES; i++) {
        connected(i, 0);
        written(i, 0, QUESTION);
        says(i, 1, "1");
    }

    hints();
    live(900, 1, "1");
    told("N Redis: the sentinels name \"10.0.0.1:1\" as master of \"im\", "
         "epoch 1\n");
    live(200, 1, "1");
    told("N Redis: 3 of 3 sentinels answer for \"im\"\n");
}


/* One that names another master for long is wrong, and said to be so. */
static void
other_master(uint64_t epoch, const char *port)
{
    int  n;

    start(2, "1");
    live(1500, 2, "1");
    told("");

    for (n = 0; n < 7; n++) {
        tick(1000);
        says(0, epoch, port);
        says(1, 2, "1");
        says(2, 2, "1");
    }

    happened("");
}


static void
test_stale(void **state)
{
    (void) state;

    other_master(1, "9");
    told("E Redis: 3 of 3 sentinels answer for \"im\"; \"127.0.0.1:26379\": it "
         "names another master, of the epoch 1, not 2\n");
}


static void
test_same_epoch(void **state)
{
    (void) state;

    other_master(2, "9");
    told("E Redis: 3 of 3 sentinels answer for \"im\"; \"127.0.0.1:26379\": it "
         "names another master, of the same epoch: does it belong to other "
         "sentinels?\n");
}


/* The master is what matters. */
static void
test_same_master(void **state)
{
    (void) state;

    other_master(1, "1");
    told("");
}


static void
test_auth(void **state)
{
    (void) state;

    context.conf.sentinel_user = im_str_z("u");
    context.conf.sentinel_password = im_str_z("p");

    create();
    tick(1);
    connected(0, 0);
    written(0, 0, AUTH QUESTION);
    feed(0, 0, "+OK\r\n");
    says(0, 1, "1");
    tick(300);
    happened("10.0.0.1:1@1 ");
    connected(0, 1);
    written(0, 1, AUTH HINTS);
    feed(0, 1, "+OK\r\n" SUBBED);

    connected(1, 0);
    feed(1, 0, "-WRONGPASS no\r\n");
    assert_false(sockets[1][0].open);
}


static void
test_silence(void **state)
{
    (void) state;

    start(1, "1");
    tick(1000);
    written(0, 0, QUESTION);
    says(1, 1, "1");
    says(2, 1, "1");
    wait_ms(2100);
    assert_false(sockets[0][0].open);
    assert_false(sockets[0][1].open);
    happened("");
}


static void
test_close(void **state)
{
    int  i;

    (void) state;

    close_at_event = 1;
    create();
    tick(1);

    for (i = 0; i < NODES; i++) {
        connected(i, 0);
    }

    says(0, 1, "1");
    says(1, 1, "1");
    says(2, 1, "1");
    happened("10.0.0.1:1@1 ");
    assert_false(sockets[0][0].open);
    tick(1000);
    assert_int_equal(nconnects, 3);
    im_link_sentinel_close(NULL);
    im_link_sentinel_destroy(NULL);
}


static void
test_big(void **state)
{
    int   i;
    char  bytes[1001];

    (void) state;

    start(1, "1");
    tick(1000);

    memset(bytes, 'x', 1000);
    bytes[1000] = '\0';
    feed(0, 0, "$100000\r\n");

    for (i = 0; i < 100 && sockets[0][0].open; i++) {
        feed(0, 0, bytes);
    }

    assert_in_range(i, 60, 70);
}


static void
test_memory(void **state)
{
    int  i, n;

    (void) state;

    for (n = 1; n < 60; n++) {
        alloc_fail_at(n);
        create();

        if (sentinel == NULL) {
            continue;
        }

        tick(1);

        for (i = 0; i < NODES; i++) {
            if (sockets[i][0].open) {
                connected(i, 0);
                im_link_sent(sockets[i][0].conn,
                             im_link_output(sockets[i][0].conn).len);
            }

            if (sockets[i][0].open) {
                says(i, 1, "1");
            }
        }

        wait_ms(4000);
        alloc_fail_at(0);
        im_link_sentinel_close(sentinel);
        im_link_sentinel_destroy(sentinel);
        sentinel = NULL;
        im_buf_reset(&events, 4096);
        im_buf_reset(&logged, 8192);
    }
}


#define sentinel_test(f)                                                      \
    cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest  tests[] = {
    sentinel_test(test_first),
    sentinel_test(test_all),
    sentinel_test(test_poll),
    sentinel_test(test_ask),
    sentinel_test(test_hint),
    sentinel_test(test_equal),
    sentinel_test(test_unanimous),
    sentinel_test(test_addresses),
    sentinel_test(test_errors),
    sentinel_test(test_log),
    sentinel_test(test_stale),
    sentinel_test(test_same_epoch),
    sentinel_test(test_same_master),
    sentinel_test(test_auth),
    sentinel_test(test_silence),
    sentinel_test(test_close),
    sentinel_test(test_big),
    sentinel_test(test_memory)
};


test_main(tests)
