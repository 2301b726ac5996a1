/*
 * Copyright (C) The im authors
 *
 * Which writes of a connection are confirmed: the test is the server.
 */

#include "test.h"
#include "im_link_confirm.h"


#define ASK(wait)  "*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n" wait
#define WAIT1      "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$3\r\n900\r\n"
#define WAIT2      "*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$3\r\n900\r\n"
#define WAIT3      "*3\r\n$4\r\nWAIT\r\n$1\r\n3\r\n$3\r\n900\r\n"


static im_link_conn_t     conn;
static im_link_clock_t    clock;
static im_link_call_t     own;
static im_link_guard_t    guard;
static im_link_confirm_t  confirm;
static im_buf_t           told;          /* to those that asked */
static int                again;         /* a handler asks once more */


static void
test_write(void *socket)
{
    (void) socket;
}


static uint64_t
test_now(void *data)
{
    (void) data;

    return 1;
}


static void *
test_connect(void *data, im_link_conn_t *c, const im_link_address_t *to,
    const char **why)
{
    (void) c;
    (void) to;
    (void) why;

    return data;
}


static void
test_close(void *socket)
{
    (void) socket;
}


static uint32_t
test_random(void *data)
{
    (void) data;

    return 0;
}


static const im_link_transport_t  transport = {
    .connect = test_connect,
    .close = test_close,
    .write = test_write,
    .now = test_now,
    .random = test_random
};


static void
test_reply(im_link_conn_t *c, const im_link_reply_t *reply)
{
    assert_true(im_link_conn_answer(c, reply));
}


static void
test_lost(im_link_conn_t *c, const char *why)
{
    fail_msg("lost: %s", why);
}


static const im_link_conn_events_t  events = {
    .reply = test_reply,
    .lost = test_lost
};


static void
handler(const char *why, void *data)
{
    im_buf_add_z(&told, data);
    im_buf_add_z(&told, why == NULL ? "+" : "-");

    if (why != NULL) {
        im_buf_add_z(&told, why);
    }

    im_buf_add_z(&told, " ");

    if (again) {
        again = 0;
        assert_int_equal(im_link_confirm_add(&confirm, handler, "again"),
                         IM_OK);
    }
}


static int
setup(void **state)
{
    im_link_address_t  to;

    (void) alloc_setup(state);

    memset(&to, 0, sizeof(to));
    memset(&conn, 0, sizeof(conn));
    memset(&guard, 0, sizeof(guard));

    conn.events = &events;
    conn.guard = &guard;
    conn.clock = &clock;

    im_buf_init(&told, 4096);
    im_link_call_init(&own);
    im_link_clock_init(&clock, &transport, &conn);
    im_link_conn_init(&conn, "test", 1000, &transport, &conn);
    im_link_confirm_init(&confirm, &conn, &own, 1, 900);

    assert_null(im_link_conn_open(&conn, &to, im_str_z("x")));
    im_link_conn_enter(&conn, IM_LINK_READY);
    again = 0;

    return 0;
}


static int
teardown(void **state)
{
    im_link_conn_close(&conn);
    im_link_conn_fail(&conn);
    im_link_call_cleanup(&own);
    im_buf_cleanup(&conn.out);
    im_buf_cleanup(&told);

    return alloc_teardown(state);
}


static void
add(const char *name)
{
    assert_int_equal(im_link_confirm_add(&confirm, handler, (void *) name),
                     IM_OK);
}


static void
sent(const char *bytes)
{
    im_str_t  out;

    out = im_link_output(&conn);
    assert_int_equal(out.len, strlen(bytes));
    assert_memory_equal(out.data, bytes, out.len);
    im_link_sent(&conn, out.len);
}


/* Of INFO with so many replicas online, and of WAIT. */
static void
replied(int online, const char *wait)
{
    int   i;
    char  info[1024], bytes[2048], *p;

    p = info + sprintf(info, "role:master\r\nconnected_slaves:9\r\n"
                       "slave0:ip=::1,port=1,state=wait_bgsave,offset=0\r\n");

    for (i = 1; i <= online; i++) {
        p += sprintf(p, "slave%d:ip=::1,port=1,state=online,offset=7\r\n", i);
    }

    sprintf(bytes, "$%d\r\n%s\r\n%s\r\n", (int) (p - info), info, wait);

    assert_int_equal(im_link_received(&conn, bytes, strlen(bytes)), IM_OK);
}


static void
heard(const char *text)
{
    assert_int_equal(told.len, strlen(text));
    assert_memory_equal(told.data, text, told.len);
    im_buf_reset(&told, 4096);
}


/* One question for all that come before its answer. */
static void
test_coalesced(void **state)
{
    (void) state;

    add("a");
    add("b");
    sent(ASK(WAIT1));
    add("c");
    sent("");
    heard("");

    replied(1, ":1");
    heard("a+ b+ c+ ");
    sent("");

    add("d");
    sent(ASK(WAIT1));
    replied(1, ":0");
    heard("d-0 of 1 replicas have it ");
}


/* All that are online, also where that is known a moment later. */
static void
test_online(void **state)
{
    (void) state;

    add("a");
    sent(ASK(WAIT1));
    replied(2, ":1");
    heard("");

    sent(ASK(WAIT2));
    replied(2, ":2");
    heard("a+ ");

    add("b");
    sent(ASK(WAIT2));
    replied(2, ":1");
    heard("b-1 of 2 replicas have it ");

    /* one is away: not demanded, not online */

    add("c");
    sent(ASK(WAIT2));
    replied(1, ":1");
    heard("c+ ");

    /* more have it than were asked for */

    add("d");
    sent(ASK(WAIT1));
    replied(2, ":2");
    heard("d+ ");
}


static void
test_demanded(void **state)
{
    (void) state;

    im_link_confirm_init(&confirm, &conn, &own, 3, 900);

    add("a");
    sent(ASK(WAIT3));
    replied(2, ":2");
    heard("a-2 of 3 replicas have it ");
}


/* What a handler asks is another question. */
static void
test_again(void **state)
{
    (void) state;

    again = 1;
    add("a");
    add("b");
    sent(ASK(WAIT1));
    replied(1, ":1");
    heard("a+ b+ ");

    sent(ASK(WAIT1));
    replied(1, ":1");
    heard("again+ ");
}


static void
test_lost_connection(void **state)
{
    (void) state;

    add("a");
    add("b");

    im_link_conn_close(&conn);
    im_link_conn_fail(&conn);
    heard("a-redis is away b-redis is away ");

    assert_int_equal(im_link_confirm_add(&confirm, handler, "c"), IM_ERROR);
    heard("");
}


static void
test_refused(void **state)
{
    (void) state;

    add("a");
    sent(ASK(WAIT1));
    replied(1, "-ERR WAIT cannot be used with replica instances");
    heard("a-WAIT is refused ");
}


static void
test_no_memory(void **state)
{
    int  i;

    (void) state;

    for (i = 1; i < 20; i++) {
        alloc_fail_at(i);

        if (im_link_confirm_add(&confirm, handler, "a") == IM_OK) {
            break;
        }
    }

    alloc_fail_at(0);
    assert_true(i > 1 && i < 20);
}


#define confirm_test(fn)                                                      \
    cmocka_unit_test_setup_teardown(fn, setup, teardown)


static const struct CMUnitTest  tests[] = {
    confirm_test(test_coalesced),
    confirm_test(test_online),
    confirm_test(test_demanded),
    confirm_test(test_again),
    confirm_test(test_lost_connection),
    confirm_test(test_refused),
    confirm_test(test_no_memory)
};

test_main(tests)
