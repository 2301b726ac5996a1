/*
 * Copyright (C) The im authors
 *
 * Members of a topic: calls, replies of each form, what is kept.
 */

#include "test.h"
#include "link_fake.h"
#include "im_link_members.h"


#define TOPIC  "r:x"


static im_link_members_t  *asker;
static im_members_t        got;        /* only its numbers */
static size_t              nfailed, ngot;
static int                 away;       /* the registry */
static char                users[1 << 17];


int
im_link_ready(const im_link_t *link, im_uint_t partition)
{
    (void) link;
    (void) partition;

    return !away;
}


static void
handler(const im_members_t *members, void *data)
{
    char       *p;
    im_uint_t   i;

    (void) data;

    if (members == NULL) {
        nfailed++;
        return;
    }

    ngot++;
    got = *members;
    users[0] = 0;

    for (i = 0, p = users; i < members->n; i++) {
        p += sprintf(p, "%.*s@%.*s ", (int) members->elts[i].user.len,
                     (char *) members->elts[i].user.data,
                     (int) members->elts[i].worker.len,
                     (char *) members->elts[i].worker.data);
    }
}


static im_int_t
ask(im_link_members_e how, uint64_t now)
{
    return im_link_members_ask(asker, im_str_z(TOPIC), how, now, handler,
                               NULL);
}


static void
start(void)
{
    fake_start();
    ngot = 0;
    nfailed = 0;
    away = 0;

    asker = im_link_members_create(NULL);
    assert_non_null(asker);
}


static void
end(void)
{
    im_link_members_destroy(asker);
    fake_end();
}


#define LIVE  "*2\r\n$2\r\nw1\r\n$2\r\nw2\r\n"
#define ASK  "live im:{reg}:nodes im:{reg}:s:nodes 12000  4096 "
#define CALL  "members im:{0}:r:x:w im:{0}:r:x:k:w1 im:{0}:r:x:k:w2 1000 "   \
              "1048576 "
#define ROUTES                                                                \
    "*6\r\n$2\r\nw2\r\n$3\r\n2:1\r\n$4\r\ndead\r\n$3\r\n9:9\r\n"              \
    "$2\r\nw1\r\n$3\r\n3:7\r\n"
#define ONE(key, session, user)                                               \
    "*2\r\n:" key "\r\n*2\r\n$2\r\n" session "\r\n$12\r\n{\"user\":\"" user   \
    "\"}\r\n"


static void
test_page(void **state)
{
    (void) state;

    start();

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    assert_int_equal(nout, 1);
    test_str(im_str_z(out[0].text), ASK);
    answer(LIVE);

    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer("*5\r\n" ROUTES ":2\r\n:0\r\n$1\r\n0\r\n"
           "*2\r\n" ONE("2", "s1", "b") ONE("3", "s2", "a"));

    /* a worker that isn't known is looked for once */

    test_str(im_str_z(out[0].text), ASK);
    answer(LIVE);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer("*5\r\n" ROUTES ":2\r\n:0\r\n$1\r\n0\r\n"
           "*2\r\n" ONE("2", "s1", "b") ONE("3", "s2", "a"));

    assert_int_equal(ngot, 1);
    test_str(im_str_z(users), "a@w2 b@w1 ");
    assert_int_equal(got.count, 5);
    assert_int_equal(got.nworkers, 2);
    assert_int_equal(got.rest, 0);

    /* the living are known for a while */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1400), IM_OK);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    assert_int_equal(ngot, 2);
    assert_int_equal(got.n, 0);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1500), IM_OK);
    test_str(im_str_z(out[0].text), ASK);

    /* they stay so where the registry is lost, for as long as leases last */

    answer(NULL);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer(NULL);
    assert_int_equal(nfailed, 1);

    away = 1;
    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 12999), IM_OK);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    assert_int_equal(ngot, 3);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 13000), IM_OK);
    test_str(im_str_z(out[0].text), ASK);
    answer(NULL);
    assert_int_equal(nfailed, 2);

    end();
}


static void
test_pages(void **state)
{
    (void) state;

    start();

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer(LIVE);
    answer("*5\r\n*2\r\n$2\r\nw1\r\n$3\r\n5:1\r\n:2\r\n:2\r\n"
           "$2\r\n17\r\n*1\r\n" ONE("2", "s1", "b"));

    test_str(im_str_z(out[0].text),
             "members im:{0}:r:x:w im:{0}:r:x:k:w1 im:{0}:r:x:k:w2 1000 "
             "1048576 2 17 w1 w2");
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*1\r\n" ONE("2", "s2", "a"));

    assert_int_equal(ngot, 1);
    test_str(im_str_z(users), "a@w1 b@w1 ");
    assert_int_equal(got.count, 5);
    assert_int_equal(got.rest, 0);

    /* a page that fails fails all */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer("*5\r\n*2\r\n$2\r\nw1\r\n$3\r\n5:1\r\n:2\r\n:2\r\n"
           "$2\r\n17\r\n*0\r\n");
    answer("-ERR no\r\n");
    assert_int_equal(nfailed, 1);

    end();
}


static void
workers_handler(const im_link_reply_t *reply, void *data)
{
    im_link_members_workers(data, reply);
}


/* It comes before answers of calls that are out. */
static void
workers(const char *text)
{
    memmove(&out[1], &out[0], nout++ * sizeof(out_t));

    out[0].handler = workers_handler;
    out[0].data = asker;
    answer(text);
}


/* A caller that polls says which workers live: nothing else asks. */
static void
test_workers(void **state)
{
    (void) state;

    start();

    workers(LIVE);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2");
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");

    workers("*1\r\n$2\r\nw1\r\n");
    workers(NULL);
    workers("-ERR no\r\n");

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 9000), IM_OK);
    test_str(im_str_z(out[0].text),
             "members im:{0}:r:x:w im:{0}:r:x:k:w1 1000 1048576 2 0 w1");
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");

    assert_int_equal(ngot, 2);

    end();
}


/* A route of a worker that isn't known: a later list says whether it lives. */
static void
test_strangers(void **state)
{
    (void) state;

    start();

#define PAGE(routes)                                                          \
    "*5\r\n" routes ":0\r\n:0\r\n$1\r\n0\r\n*0\r\n"
#define TWO  "*4\r\n$2\r\nw1\r\n$3\r\n0:7\r\n$2\r\nw9\r\n$3\r\n3:1\r\n"
#define WITH9  "*2\r\n$2\r\nw1\r\n$2\r\nw9\r\n"
#define CALL9  "members im:{0}:r:x:w im:{0}:r:x:k:w1 im:{0}:r:x:k:w9 1000 "   \
               "1048576 2 0 w1 w9"

    workers("*1\r\n$2\r\nw1\r\n");

    /* the list that is asked for now has it */

    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    answer(PAGE(TWO));
    test_str(im_str_z(out[0].text), ASK);
    answer(WITH9);
    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w 1000 1048576 2 0");
    answer(PAGE(TWO));
    assert_int_equal(ngot, 1);
    assert_int_equal(got.count, 3);
    assert_int_equal(got.nworkers, 1);

    /* now it is known, and its keys are named */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    test_str(im_str_z(out[0].text), CALL9);
    answer(PAGE(TWO));
    assert_int_equal(got.count, 3);

    /* it is gone, for those that asked before, too: once */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    workers("*1\r\n$2\r\nw1\r\n");
    answer(PAGE(TWO));
    answer("*1\r\n$2\r\nw1\r\n");
    answer(PAGE(TWO));
    assert_int_equal(ngot, 3);
    assert_int_equal(got.count, 0);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer(PAGE(TWO));
    assert_int_equal(ngot, 4);
    assert_int_equal(nout, 0);

    /* while the list is out another question has a new one: the next list */

    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    answer(PAGE("*2\r\n$2\r\nw7\r\n$3\r\n1:1\r\n"));
    assert_int_equal(nout, 2);
    answer(PAGE("*2\r\n$2\r\nw8\r\n$3\r\n2:1\r\n"));
    assert_int_equal(nout, 1);
    test_str(im_str_z(out[0].text), ASK);
    answer("*1\r\n$2\r\nw7\r\n");
    assert_int_equal(nout, 2);
    answer(PAGE("*2\r\n$2\r\nw7\r\n$3\r\n1:1\r\n"));
    assert_int_equal(ngot, 5);
    assert_int_equal(got.count, 1);
    test_str(im_str_z(out[0].text), ASK);
    answer("*2\r\n$2\r\nw7\r\n$2\r\nw8\r\n");
    answer(PAGE("*2\r\n$2\r\nw8\r\n$3\r\n2:1\r\n"));
    assert_int_equal(ngot, 6);
    assert_int_equal(got.count, 2);

    /* a list that doesn't come: what is known is good enough */

    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    answer(PAGE("*2\r\n$2\r\nw6\r\n$3\r\n1:1\r\n"));
    answer(NULL);
    answer(PAGE("*4\r\n$2\r\nw6\r\n$3\r\n1:1\r\n$2\r\nw8\r\n$3\r\n2:1\r\n"));
    assert_int_equal(ngot, 7);
    assert_int_equal(got.count, 2);

    away = 1;
    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    answer(PAGE("*4\r\n$2\r\nw5\r\n$3\r\n1:1\r\n$2\r\nw8\r\n$3\r\n2:1\r\n"));
    assert_int_equal(ngot, 8);
    assert_int_equal(got.count, 2);
    assert_int_equal(nout, 0);

    end();
}


/* Routes that have another stranger each time: an answer comes in the end. */
static void
test_many_strangers(void **state)
{
    int   i;
    char  page[128];

    (void) state;

    start();
    workers("*1\r\n$2\r\nw1\r\n");

    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);

    for (i = 0; ngot == 0 && i < 20; i++) {
        snprintf(page, sizeof(page), PAGE("*4\r\n$2\r\nw1\r\n$3\r\n1:1\r\n"
                                          "$3\r\nx%02d\r\n$3\r\n1:1\r\n"), i);
        answer(page);

        if (ngot == 0) {
            answer("*1\r\n$2\r\nw1\r\n");
        }
    }

    assert_int_equal(i, 9);
    assert_int_equal(got.count, 1);
    assert_int_equal(nout, 0);

    end();
}


/* Between two pages a session moved to a younger worker: it is read twice. */
static void
test_moves(void **state)
{
    (void) state;

    start();

    workers("*2\r\n$7\r\nn.1.zz1\r\n$5\r\nn.0.9\r\n");
    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    test_str(im_str_z(out[0].text),
             "members im:{0}:r:x:w im:{0}:r:x:k:n.0.9 im:{0}:r:x:k:n.1.zz1 "
             "1000 1048576 2 0 n.0.9 n.1.zz1");

    answer("*5\r\n*2\r\n$5\r\nn.0.9\r\n$3\r\n3:1\r\n:3\r\n:3\r\n$1\r\n0\r\n"
           "*1\r\n" ONE("2", "s1", "b"));
    answer("*5\r\n*4\r\n$5\r\nn.0.9\r\n$3\r\n1:1\r\n"
           "$7\r\nn.1.zz1\r\n$3\r\n2:1\r\n:0\r\n:0\r\n$1\r\n0\r\n"
           "*2\r\n" ONE("3", "s1", "b") ONE("3", "s2", "a"));

    assert_int_equal(ngot, 1);
    test_str(im_str_z(users), "a@n.1.zz1 b@n.1.zz1 ");
    assert_int_equal(got.count, 3);

    /* the last page has a worker that the first one didn't name */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer("*5\r\n*2\r\n$5\r\nn.0.9\r\n$3\r\n2:1\r\n:2\r\n:3\r\n$1\r\n0\r\n"
           "*1\r\n" ONE("2", "s1", "b"));
    answer("*5\r\n*4\r\n$5\r\nn.0.9\r\n$3\r\n1:1\r\n$6\r\nn.0.aa\r\n"
           "$3\r\n1:1\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    test_str(im_str_z(out[0].text), ASK);
    answer("*3\r\n$6\r\nn.0.aa\r\n$7\r\nn.1.zz1\r\n$5\r\nn.0.9\r\n");
    test_str(im_str_z(out[0].text),
             "members im:{0}:r:x:w im:{0}:r:x:k:n.0.9 im:{0}:r:x:k:n.0.aa "
             "im:{0}:r:x:k:n.1.zz1 1000 1048576 2 0 n.0.9 n.0.aa n.1.zz1");
    answer("*5\r\n*4\r\n$5\r\nn.0.9\r\n$3\r\n1:1\r\n$6\r\nn.0.aa\r\n"
           "$3\r\n1:1\r\n:2\r\n:0\r\n$1\r\n0\r\n"
           "*2\r\n" ONE("2", "s1", "b") ONE("3", "s2", "a"));
    assert_int_equal(ngot, 2);
    test_str(im_str_z(users), "a@n.0.aa b@n.0.9 ");

    end();
}


/* Sessions that are looked for. */
static void
test_find(void **state)
{
    im_str_t        sessions[3];
    im_link_find_t  find;

#define UUID1  "01234567-89ab-4cde-8f01-23456789abcd"
#define UUID2  "01234567-89ab-4cde-8f01-23456789abce"

    (void) state;

    start();

    sessions[0] = im_str_z(UUID1);
    sessions[1] = im_str_z("odd");
    sessions[2] = im_str_z(UUID2);

    find.topic = im_str_z(TOPIC);
    find.sessions = sessions;
    find.n = 3;

    workers(LIVE);
    assert_int_equal(im_link_members_find(asker, &find, 1000, handler, NULL),
                     IM_OK);
    test_str(im_str_z(out[0].text), CALL "2 0 w1 w2 " UUID1 " " UUID2);
    answer("*5\r\n*2\r\n$2\r\nw2\r\n$3\r\n3:1\r\n:3\r\n:0\r\n$1\r\n0\r\n"
           "*1\r\n*2\r\n:3\r\n*2\r\n$36\r\n" UUID2 "\r\n$12\r\n"
           "{\"user\":\"b\"}\r\n");

    assert_int_equal(ngot, 1);
    test_str(im_str_z(users), "b@w2 ");
    assert_null(im_link_members_kept(asker, im_str_z(TOPIC), 1000));

    refuse = 1;
    assert_int_equal(im_link_members_find(asker, &find, 1000, handler, NULL),
                     IM_ERROR);

    end();
}


/* Too many for one answer: the others are counted. */
static void
test_rest(void **state)
{
    size_t     i;
    im_buf_t   b;

    (void) state;

    start();

    im_buf_init(&b, 1 << 24);
    im_buf_add_z(&b, "*5\r\n*2\r\n$2\r\nw1\r\n$3\r\n5:1\r\n:30000\r\n"
                     ":2\r\n$2\r\n17\r\n*1\r\n*2\r\n:2\r\n*");
    im_buf_add_uint(&b, 2 * IM_LINK_MEMBERS_MAX);
    im_buf_add_z(&b, "\r\n");

    for (i = 0; i < IM_LINK_MEMBERS_MAX; i++) {
        im_buf_add_z(&b, "$6\r\n");
        im_buf_add_uint(&b, 100000 + i);
        im_buf_add_z(&b, "\r\n$2\r\n{}\r\n");
    }

    im_buf_add(&b, "", 1);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer(LIVE);
    answer((char *) b.data);

    assert_int_equal(ngot, 1);
    assert_int_equal(got.n, IM_LINK_MEMBERS_MAX);
    assert_int_equal(got.rest, 30000 - IM_LINK_MEMBERS_MAX);

    im_buf_cleanup(&b);
    end();
}


static void
test_many_workers(void **state)
{
    int       i;
    im_buf_t  b;

    (void) state;

    start();

    im_buf_init(&b, 1 << 16);
    im_buf_add_z(&b, "*100\r\n");

    for (i = 99; i >= 0; i--) {
        im_buf_add_z(&b, "$2\r\n");
        im_buf_add_uint(&b, i / 10);
        im_buf_add_uint(&b, i % 10);
        im_buf_add_z(&b, "\r\n");
    }

    im_buf_add(&b, "", 1);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer((char *) b.data);

    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w 1000 1048576 2 0");
    answer("*5\r\n*4\r\n$2\r\n42\r\n$3\r\n1:1\r\n$2\r\nxx\r\n$3\r\n1:1\r\n"
           ":0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    test_str(im_str_z(out[0].text), ASK);
    answer((char *) b.data);
    im_buf_cleanup(&b);

    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w 1000 1048576 2 0");
    answer("*5\r\n*4\r\n$2\r\n42\r\n$3\r\n1:1\r\n$2\r\nxx\r\n$3\r\n1:1\r\n"
           ":0\r\n:0\r\n$1\r\n0\r\n*0\r\n");

    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w im:{0}:r:x:k:42 "
                                    "1000 1048576 2 0 42");

    /* now another worker has a route */

    answer("*5\r\n*4\r\n$2\r\n42\r\n$3\r\n1:1\r\n$2\r\n43\r\n$3\r\n4:1\r\n"
           ":1\r\n:0\r\n$1\r\n0\r\n*1\r\n" ONE("2", "s1", "a"));

    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w im:{0}:r:x:k:42 "
             "im:{0}:r:x:k:43 1000 1048576 2 0 42 43");
    answer("*5\r\n*4\r\n$2\r\n42\r\n$3\r\n1:1\r\n$2\r\n43\r\n$3\r\n4:1\r\n"
           ":2\r\n:0\r\n$1\r\n0\r\n"
           "*2\r\n" ONE("2", "s1", "a") ONE("3", "s2", "b"));

    assert_int_equal(ngot, 1);
    test_str(im_str_z(users), "a@42 b@43 ");
    assert_int_equal(got.count, 5);

    /* only routes are needed to count */

    assert_int_equal(ask(IM_LINK_MEMBERS_COUNTS, 1000), IM_OK);
    test_str(im_str_z(out[0].text), "members im:{0}:r:x:w 1000 1048576 2 0");
    answer("*5\r\n*4\r\n$2\r\n42\r\n$3\r\n1:1\r\n$2\r\nxx\r\n$3\r\n1:1\r\n"
           ":0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    assert_int_equal(ngot, 2);
    assert_int_equal(got.count, 1);

    /* none has a route */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    answer("*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n");
    assert_int_equal(ngot, 3);

    end();
}


#define EMPTY  "*5\r\n*0\r\n:0\r\n:0\r\n$1\r\n0\r\n*0\r\n"


static void
test_kept(void **state)
{
    size_t    i;
    char      name[8];
    im_str_t  topic;

    (void) state;

    start();
    topic = im_str_z(TOPIC);

    assert_null(im_link_members_kept(asker, topic, 1000));
    assert_int_equal(ask(IM_LINK_MEMBERS_KEPT, 1000), IM_OK);
    answer(LIVE);

    /* questions during a call wait for its answer */

    assert_int_equal(ask(IM_LINK_MEMBERS_KEPT, 1100), IM_OK);
    assert_int_equal(ask(IM_LINK_MEMBERS_KEPT, 1499), IM_OK);
    assert_int_equal(nout, 1);
    assert_null(im_link_members_kept(asker, topic, 1100));
    assert_true(im_link_members_near(asker, topic, 1499));
    assert_false(im_link_members_near(asker, im_str_z("r:y"), 1499));

    /* but not those that want it fresh, or newer */

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1200), IM_OK);
    assert_int_equal(nout, 2);

    answer(EMPTY);
    assert_int_equal(ngot, 3);
    assert_non_null(im_link_members_kept(asker, topic, 1499));
    assert_null(im_link_members_kept(asker, im_str_z("r:y"), 1499));
    answer(EMPTY);
    assert_int_equal(ngot, 4);

    assert_non_null(im_link_members_kept(asker, topic, 1699));
    assert_null(im_link_members_kept(asker, topic, 1700));
    assert_true(im_link_members_near(asker, topic, 1699));
    assert_false(im_link_members_near(asker, topic, 1700));

    im_link_members_tick(asker, 1699);
    assert_non_null(im_link_members_kept(asker, topic, 1699));
    im_link_members_tick(asker, 1700);
    assert_null(im_link_members_kept(asker, topic, 1699));

    /* some topics are kept at once */

    for (i = 0; i < 40; i++) {
        sprintf(name, "r:%d", (int) i);
        assert_int_equal(im_link_members_ask(asker, im_str_z(name),
                                             IM_LINK_MEMBERS_KEPT, 1450,
                                             handler, NULL),
                         IM_OK);
        answer(EMPTY);
    }

    assert_null(im_link_members_kept(asker, im_str_z("r:7"), 1450));
    assert_non_null(im_link_members_kept(asker, im_str_z("r:8"), 1450));
    assert_non_null(im_link_members_kept(asker, im_str_z("r:39"), 1450));

    end();
}


/* A handler that asks again, when the answer comes and when it doesn't. */
static void
again(const im_members_t *members, void *data)
{
    handler(members, data);

    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 5000), IM_OK);
}


static void
test_again(void **state)
{
    (void) state;

    start();

    assert_int_equal(im_link_members_ask(asker, im_str_z(TOPIC),
                                         IM_LINK_MEMBERS_FRESH, 1000, again,
                                         NULL),
                     IM_OK);
    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
    assert_int_equal(nout, 1);
    answer("-ERR no\r\n");
    assert_int_equal(nfailed, 2);
    assert_int_equal(nout, 1);
    answer(LIVE);
    answer(EMPTY);
    assert_int_equal(ngot, 1);

    assert_int_equal(im_link_members_ask(asker, im_str_z(TOPIC),
                                         IM_LINK_MEMBERS_FRESH, 5000, again,
                                         NULL),
                     IM_OK);
    answer(EMPTY);
    assert_int_equal(nout, 1);
    answer(EMPTY);
    assert_int_equal(ngot, 3);

    refuse = 1;
    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 5000), IM_ERROR);
    assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 9000), IM_ERROR);
    assert_int_equal(ngot + nfailed, 5);

    end();
}


/* Replies of other forms; none may be taken for more than it is. */
static void
test_forms(void **state)
{
    size_t  i;

    static const char *const  forms[] = {
        ":1\r\n", "*0\r\n", "*4\r\n*0\r\n*0\r\n:0\r\n$1\r\n0\r\n"
    };
    static const char *const  odd[] = {
        "*5\r\n:1\r\n:1\r\n:0\r\n:0\r\n:1\r\n",
        "*5\r\n*1\r\n$2\r\nw1\r\n*0\r\n$1\r\nx\r\n*0\r\n*1\r\n:2\r\n",
        "*5\r\n" ROUTES "*1\r\n$1\r\nx\r\n:0\r\n$1\r\n0\r\n"
        "*3\r\n*2\r\n:1\r\n*0\r\n*2\r\n:99\r\n*0\r\n*2\r\n:2\r\n*1\r\n"
        "$2\r\ns1\r\n"
    };

    (void) state;

    start();

    for (i = 0; i < test_count(forms); i++) {
        assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);

        if (i == 0) {
            answer(LIVE);
        }

        answer(forms[i]);
        assert_int_equal(nfailed, i + 1);
    }

    for (i = 0; i < test_count(odd); i++) {
        assert_int_equal(ask(IM_LINK_MEMBERS_FRESH, 1000), IM_OK);
        answer(odd[i]);

        if (nout > 0) {
            answer(LIVE);
            answer(odd[i]);
        }

        assert_int_equal(ngot, i + 1);
        assert_int_equal(got.n, 0);
    }

    end();
}


static void
test_no_memory(void **state)
{
    unsigned long  n;

    (void) state;

    for (n = 1; ; n++) {
        start();
        alloc_fail_at(n);

        if (ask(IM_LINK_MEMBERS_FRESH, 1000) == IM_OK) {

            while (nout > 0) {
                answer(out[0].text[0] == 'l'
                       ? LIVE : "*5\r\n" ROUTES ":2\r\n:0\r\n$1\r\n0\r\n"
                                "*1\r\n" ONE("2", "s1", "b"));
            }

            assert_int_equal(ngot + nfailed, 1);
        }

        if (!alloc_failed()) {
            break;
        }

        alloc_fail_at(0);
        end();
    }

    alloc_fail_at(0);
    assert_int_equal(ngot, 1);
    end();
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_page),
    alloc_test(test_pages),
    alloc_test(test_workers),
    alloc_test(test_strangers),
    alloc_test(test_many_strangers),
    alloc_test(test_moves),
    alloc_test(test_find),
    alloc_test(test_rest),
    alloc_test(test_many_workers),
    alloc_test(test_kept),
    alloc_test(test_again),
    alloc_test(test_forms),
    alloc_test(test_no_memory)
};

test_main(tests)
