/*
 * Copyright (C) The im authors
 *
 * The hub: joins, leaves and users under random operations, compared with
 * tables.
 */

#include "test.h"
#include "im_hub.h"
#include "im_key.h"


#define NTOPICS    60
#define NUSERS     20
#define NSESSIONS  40


/* A session of the model: it may be in every topic, and have one user. */
typedef struct {
    im_sub_t   *subs[NTOPICS];
    unsigned    in[NTOPICS];
    im_list_t   link;
    im_user_t  *user;
    unsigned    id;
} session_t;


static const uint64_t  seed[2] = { 1, 2 };

static im_hub_t   hub;
static session_t  sessions[NSESSIONS];
static unsigned   followers[NTOPICS];
static unsigned   there[NTOPICS];
static unsigned   users[NUSERS];


static im_str_t
topic_name(unsigned n)
{
    static char  name[20];

    snprintf(name, sizeof(name), "r:%u", n);

    return im_str_z(name);
}


static im_str_t
user_id(unsigned n)
{
    static char  id[20];

    snprintf(id, sizeof(id), "user%u", n);

    return im_str_z(id);
}


static im_int_t
topic_count(im_topic_t *topic, void *data)
{
    unsigned  *n;

    n = data;
    (*n)++;

    assert_int_equal(topic->partition,
                     im_partition(im_topic_name(topic), hub.npartitions));

    return IM_OK;
}


static im_int_t
topic_stop(im_topic_t *topic, void *data)
{
    (void) topic;
    (void) data;

    return IM_DECLINED;
}


static void
check(void)
{
    unsigned      i, n, expected;
    im_user_t    *user;
    im_topic_t   *topic;

    n = 0;
    expected = 0;

    for (i = 0; i < NTOPICS; i++) {
        topic = im_hub_topic(&hub, topic_name(i));
        assert_int_equal(topic != NULL, there[i]);
        expected += there[i];

        if (topic != NULL) {
            assert_int_equal(topic->nsubs, followers[i]);
        }
    }

    assert_int_equal(im_hub_each_topic(&hub, topic_count, &n), IM_OK);
    assert_int_equal(n, expected);

    for (i = 0; i < NUSERS; i++) {
        user = im_hub_user(&hub, user_id(i));
        assert_int_equal(user != NULL ? user->nsessions : 0, users[i]);
    }
}


static void
do_join(session_t *s, unsigned n, unsigned wire, int failing)
{
    int          first;
    im_topic_t  *topic;

    s->subs[n] = im_sub_create(&hub.logs);
    assert_non_null(s->subs[n]);

    if (failing) {
        alloc_fail_all();
    }

    s->subs[n]->session = (uint32_t) (s - sessions);
    topic = im_hub_join(&hub, topic_name(n), wire, s->subs[n], &first);
    alloc_fail_at(0);

    if (topic == NULL) {
        assert_true(failing);
        assert_false(first);
        im_sub_destroy(&hub.logs, s->subs[n]);
        return;
    }

    assert_int_equal(first, !there[n]);
    assert_int_equal(s->subs[n]->session, s - sessions);
    assert_int_equal(im_sub_state(s->subs[n]), IM_SUB_JOINING);
    assert_int_equal(s->subs[n]->log->wire, wire);

    there[n] = 1;
    followers[n]++;
    s->in[n] = 1;

    im_sub_live(&hub.logs, s->subs[n]);
}


static void
do_leave(session_t *s, unsigned n, int destroy)
{
    int          last;
    im_topic_t  *topic;

    topic = im_hub_leave(&hub, s->subs[n], &last);
    assert_ptr_equal(topic, im_hub_topic(&hub, topic_name(n)));
    im_sub_destroy(&hub.logs, s->subs[n]);

    s->in[n] = 0;
    followers[n]--;
    assert_int_equal(last, followers[n] == 0);

    /* Or it stays until Redis has confirmed: the next join finds it. */

    if (last && destroy) {
        im_hub_topic_destroy(&hub, topic);
        there[n] = 0;
    }
}


static void
do_append(unsigned n)
{
    im_log_t    *log;
    im_topic_t  *topic;

    topic = im_hub_topic(&hub, topic_name(n));
    if (topic == NULL) {
        return;
    }

    for (log = topic->logs; log != NULL; log = log->next) {
        assert_int_equal(im_log_append(&hub.logs, log, im_str_z("frame"),
                                       topic->seq + 1),
                         IM_OK);
    }
}


static void
do_user(session_t *s, unsigned id, int failing)
{
    int  first, last;

    if (s->user != NULL) {
        im_hub_user_remove(&hub, s->user, &s->link, &last);
        assert_int_equal(last, --users[s->id] == 0);
        assert_true(im_list_empty(&s->link));
        s->user = NULL;
        return;
    }

    if (failing) {
        alloc_fail_all();
    }

    s->user = im_hub_user_add(&hub, user_id(id), &s->link, &first);
    alloc_fail_at(0);

    if (s->user == NULL) {
        assert_true(failing);
        assert_false(first);
        return;
    }

    s->id = id;
    assert_int_equal(first, users[id]++ == 0);
    assert_ptr_equal(im_list_last(&s->user->sessions), &s->link);
}


static void
clear(void)
{
    memset(sessions, 0, sizeof(sessions));
    memset(followers, 0, sizeof(followers));
    memset(there, 0, sizeof(there));
    memset(users, 0, sizeof(users));
}


static void
test_random(void **state)
{
    unsigned    i, n;
    random_t    r;
    session_t  *s;

    (void) state;

    random_init(&r, 71);
    clear();
    assert_int_equal(im_hub_init(&hub, seed, 16, 1024), IM_OK);

    for (i = 0; i < 30000; i++) {
        s = &sessions[random_below(&r, NSESSIONS)];
        n = random_below(&r, NTOPICS);

        if (random_below(&r, 4) == 0) {
            do_user(s, random_below(&r, NUSERS), random_below(&r, 5) == 0);

        } else if (random_below(&r, 4) == 0) {
            do_append(n);

        } else if (s->in[n]) {
            do_leave(s, n, random_below(&r, 2));

        } else if (random_below(&r, 4) == 0) {
            do_join(s, n, random_below(&r, 2), random_below(&r, 5) == 0);
        }

        if (i % 10000 == 5000) {
            im_hub_partitions(&hub, 1 + random_below(&r, 64));
        }

        if (i % 20 == 0) {
            check();
        }
    }

    for (i = 0; i < NSESSIONS; i++) {
        s = &sessions[i];

        for (n = 0; n < NTOPICS; n++) {
            if (s->in[n]) {
                do_leave(s, n, n % 2);
            }
        }

        if (s->user != NULL) {
            do_user(s, 0, 0);
        }
    }

    check();

    /* Half of the topics were not destroyed: cleanup does. */

    im_hub_cleanup(&hub);
    assert_int_equal(hub.logs.bytes, 0);
}


static void
test_names(void **state)
{
    int        first;
    char       name[IM_TOPIC_MAX + 1];
    im_sub_t  *sub;
    im_list_t  link;

    (void) state;

    memset(name, 'x', sizeof(name));
    assert_int_equal(im_hub_init(&hub, seed, 0, 1024), IM_OK);

    sub = im_sub_create(&hub.logs);
    assert_non_null(sub);

    assert_null(im_hub_join(&hub, im_str_set(name, 0), 0, sub, &first));
    assert_null(im_hub_join(&hub, im_str_set(name, sizeof(name)), 0, sub,
                            &first));
    assert_null(im_hub_user_add(&hub, im_str_set(name, 0), &link, &first));
    assert_null(im_hub_user_add(&hub, im_str_set(name, 256), &link, &first));
    assert_int_equal(im_hub_each_topic(&hub, topic_stop, NULL), IM_OK);

    /* The number of partitions is unknown at first. */

    assert_non_null(im_hub_join(&hub, im_str_set(name, IM_TOPIC_MAX), 0, sub,
                                &first));
    assert_int_equal(sub->log->topic->partition, 0);

    im_hub_partitions(&hub, 1000);
    assert_int_equal(sub->log->topic->partition,
                     im_partition(im_str_set(name, IM_TOPIC_MAX), 1000));
    assert_int_equal(im_hub_each_topic(&hub, topic_stop, NULL), IM_DECLINED);

    im_hub_cleanup(&hub);
}


static void
test_no_memory(void **state)
{
    int            first;
    im_sub_t      *sub;
    im_list_t      link;
    unsigned long  n;

    (void) state;

    for (n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        assert_int_equal(im_hub_init(&hub, seed, 16, 1024), IM_ERROR);
        assert_int_equal(alloc_live(), 0);
    }

    alloc_fail_at(0);
    assert_int_equal(im_hub_init(&hub, seed, 16, 1024), IM_OK);

    for (n = 1; n <= 2; n++) {
        alloc_fail_at(n);
        assert_null(im_sub_create(&hub.logs));
    }

    alloc_fail_at(0);
    sub = im_sub_create(&hub.logs);
    assert_non_null(sub);

    alloc_fail_at(1);
    assert_null(im_hub_join(&hub, im_str_z("r:1"), 0, sub, &first));
    assert_int_equal(first, 0);
    assert_null(im_hub_topic(&hub, im_str_z("r:1")));

    alloc_fail_at(0);
    assert_non_null(im_hub_join(&hub, im_str_z("r:1"), 0, sub, &first));
    assert_int_equal(first, 1);

    /* A topic that others follow survives a join that fails. */

    alloc_fail_at(1);
    assert_null(im_hub_join(&hub, im_str_z("r:1"), 1, sub, &first));
    assert_non_null(im_hub_topic(&hub, im_str_z("r:1")));

    alloc_fail_at(1);
    assert_null(im_hub_user_add(&hub, im_str_z("u"), &link, &first));
    assert_null(im_hub_user(&hub, im_str_z("u")));

    /* Cleanup frees users too, should one be left. */

    assert_non_null(im_hub_user_add(&hub, im_str_z("u"), &link, &first));

    im_hub_cleanup(&hub);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_random),
    alloc_test(test_names),
    alloc_test(test_no_memory)
};

test_main(tests)
