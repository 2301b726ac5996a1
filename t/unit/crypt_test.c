/*
 * Copyright (C) The im authors
 *
 * The pool of threads, and passwords in it.
 */

#include <pthread.h>
#include <time.h>

#include "test.h"
#include "im_logic_crypt.h"


/* A task that waits until it may end. */
typedef struct {
    im_logic_task_t   task;        /* first */
    pthread_mutex_t  *gate;
    int               worked;
    int               done;
} gate_t;


static void
gate_work(im_logic_task_t *task)
{
    gate_t  *g = (gate_t *) task;

    (void) pthread_mutex_lock(g->gate);
    g->worked = 1;
    (void) pthread_mutex_unlock(g->gate);
}


static void
gate_done(im_logic_task_t *task)
{
    ((gate_t *) task)->done++;
}


/* Added and taken by the thread: so that the queue is empty again. */
static void
gate_init(gate_t *g, pthread_mutex_t *gate)
{
    memset(g, 0, sizeof(gate_t));

    g->gate = gate;
    g->task.work = gate_work;
    g->task.done = gate_done;
}


static void
test_pool(void **state)
{
    im_int_t            rc;
    im_uint_t           i, taken;
    gate_t              gates[4];
    pthread_mutex_t     gate = PTHREAD_MUTEX_INITIALIZER;
    im_logic_pool_t    *pool;
    struct event_base  *base;

    (void) state;

    base = event_base_new();
    pool = im_logic_pool_create(base, 1, 2);
    assert_non_null(pool);

    (void) pthread_mutex_lock(&gate);

    /* one at work, two wait, whenever the thread takes the first */
    taken = 0;

    for (i = 0; i < 4; i++) {
        gate_init(&gates[i], &gate);

        do {
            rc = im_logic_pool_add(pool, &gates[i].task);
        } while (rc != IM_OK && i < 3);

        taken += rc == IM_OK;
    }

    assert_int_equal(rc, IM_DECLINED);
    assert_int_equal(taken, 3);

    (void) pthread_mutex_unlock(&gate);

    while (gates[2].done == 0) {
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    }

    for (i = 0; i < 3; i++) {
        assert_int_equal(gates[i].worked, 1);
        assert_int_equal(gates[i].done, 1);
        assert_false(gates[i].task.dropped);
    }

    assert_int_equal(gates[3].done, 0);
    assert_int_equal(im_logic_pool_add(pool, &gates[3].task), IM_OK);

    im_logic_pool_destroy(pool);
    assert_int_equal(gates[3].done, 1);

    event_base_free(base);
}


/* A pool that ends reports each task once: as done or as dropped. */
static void
test_pool_end(void **state)
{
    im_uint_t           i;
    gate_t              gates[20];
    pthread_mutex_t     gate = PTHREAD_MUTEX_INITIALIZER;
    im_logic_pool_t    *pool;
    struct event_base  *base;

    (void) state;

    base = event_base_new();
    pool = im_logic_pool_create(base, 3, 20);
    assert_non_null(pool);

    for (i = 0; i < 20; i++) {
        gate_init(&gates[i], &gate);
        assert_int_equal(im_logic_pool_add(pool, &gates[i].task), IM_OK);
    }

    im_logic_pool_destroy(pool);

    for (i = 0; i < 20; i++) {
        assert_int_equal(gates[i].done, 1);
        assert_int_equal(gates[i].worked, !gates[i].task.dropped);
    }

    event_base_free(base);
}


static void
test_pool_memory(void **state)
{
    struct event_base  *base;

    (void) state;

    base = event_base_new();

    alloc_fail_at(1);
    assert_null(im_logic_pool_create(base, 1, 1));
    alloc_fail_at(2);
    assert_null(im_logic_pool_create(base, 1, 1));

    event_base_free(base);
}


static im_int_t
check(const char *password, const char *hash)
{
    im_logic_crypt_t  c;

    memset(&c, 0, sizeof(im_logic_crypt_t));

    assert_int_equal(im_logic_crypt_password(&c, im_str_z(password)), IM_OK);
    assert_int_equal(im_logic_crypt_check(&c, im_str_z(hash), 1), IM_OK);

    c.task.work(&c.task);

    return c.rc;
}


static void
make(im_logic_crypt_t *c, const char *password)
{
    memset(c, 0, sizeof(im_logic_crypt_t));

    assert_int_equal(im_logic_crypt_password(c, im_str_z(password)), IM_OK);
    assert_int_equal(im_logic_crypt_make(c, 1), IM_OK);

    c->task.work(&c->task);

    assert_int_equal(c->rc, IM_OK);
}


static void
test_passwords(void **state)
{
    char              zero[sizeof(((im_logic_crypt_t *) 0)->password)] = "";
    im_logic_crypt_t  a, b;

    (void) state;

    make(&a, "secret1");
    make(&b, "secret1");

    assert_memory_equal(a.hash, "$y$", 3);
    assert_string_not_equal(a.hash, b.hash);
    assert_null(strstr(a.hash, "secret1"));
    assert_memory_equal(a.password, zero, sizeof(zero));

    assert_int_equal(check("secret1", a.hash), IM_OK);
    assert_int_equal(check("secret1", b.hash), IM_OK);
    assert_int_equal(check("secret2", a.hash), IM_DECLINED);
    assert_int_equal(check("", a.hash), IM_DECLINED);

    make(&a, "\xe5\xaf\x86\xe7\xa0\x81\xf0\x9f\x98\x80");
    assert_int_equal(check("\xe5\xaf\x86\xe7\xa0\x81\xf0\x9f\x98\x80", a.hash),
                     IM_OK);
    assert_int_equal(check("\xe5\xaf\x86\xe7\xa0\x81\xf0\x9f\x98\x81", a.hash),
                     IM_DECLINED);
}


static void
test_stored(void **state)
{
    size_t            n;
    char              cut[IM_PASSWORD_HASH];
    im_logic_crypt_t  c;

    (void) state;

    assert_int_equal(check("secret1", "$6$abcdefgh$oGoxMtczJ0/xYkNKQnGuC3pOdNo"
                           "GsZRZNs7n5JzX8KfMJWEmD2Bx4wBt/tMCPvjE87aPyrlQPEKxE"
                           "cxV6d4J6."), IM_OK);

    /* none of these is anybody's */
    assert_int_equal(check("secret1", ""), IM_DECLINED);
    assert_int_equal(check("secret1", "*0"), IM_DECLINED);
    assert_int_equal(check("secret1", "secret1"), IM_DECLINED);
    assert_int_equal(check("secret1", "e52d98c459819a11775936d8dfbb7929"),
                     IM_DECLINED);
    assert_int_equal(check("secret1", "$y$"), IM_DECLINED);
    assert_int_equal(check("secret1", "$nothing$x$y"), IM_DECLINED);

    make(&c, "secret1");

    for (n = 1; n < strlen(c.hash); n++) {
        memcpy(cut, c.hash, n);
        cut[n] = '\0';
        assert_int_equal(check("secret1", cut), IM_DECLINED);
    }

    memset(cut, 'x', sizeof(cut));
    cut[sizeof(cut) - 1] = '\0';
    assert_int_equal(check("secret1", cut), IM_DECLINED);
}


static const char *
renewed(im_logic_crypt_t *c, const char *password, const char *hash,
    im_uint_t cost)
{
    memset(c, 0, sizeof(im_logic_crypt_t));

    assert_int_equal(im_logic_crypt_password(c, im_str_z(password)), IM_OK);
    assert_int_equal(im_logic_crypt_check(c, im_str_z(hash), cost), IM_OK);

    c->task.work(&c->task);

    return c->renewed;
}


/* What was stored in another way is stored as new ones are. */
static void
test_renewed(void **state)
{
    char              hash[IM_PASSWORD_HASH];
    im_logic_crypt_t  c;

    (void) state;

    make(&c, "secret1");
    memcpy(hash, c.hash, sizeof(hash));

    assert_string_equal(renewed(&c, "secret1", hash, 1), "");
    assert_int_equal(c.rc, IM_OK);
    assert_string_equal(renewed(&c, "secret2", hash, 2), "");
    assert_int_equal(c.rc, IM_DECLINED);
    assert_string_equal(renewed(&c, "secret1", "", 2), "");
    assert_int_equal(c.rc, IM_DECLINED);
    assert_string_equal(renewed(&c, "secret1", "*0", 2), "");

    assert_string_not_equal(renewed(&c, "secret1", hash, 2), "");
    assert_int_equal(c.rc, IM_OK);
    assert_string_equal(c.hash, hash);

    memcpy(hash, c.renewed, sizeof(hash));
    assert_string_equal(renewed(&c, "secret1", hash, 2), "");
    assert_int_equal(c.rc, IM_OK);
    assert_string_equal(renewed(&c, "secret2", hash, 2), "");
    assert_int_equal(c.rc, IM_DECLINED);

    assert_string_not_equal(renewed(&c, "secret1", "$6$abcdefgh$oGoxMtczJ0/xYk"
                                    "NKQnGuC3pOdNoGsZRZNs7n5JzX8KfMJWEmD2Bx4wB"
                                    "t/tMCPvjE87aPyrlQPEKxEcxV6d4J6.", 1), "");
    assert_memory_equal(c.renewed, "$y$", 3);
}


static double
seconds(const char *hash, im_uint_t cost)
{
    im_uint_t         i;
    struct timespec   start, end;
    im_logic_crypt_t  c;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);

    for (i = 0; i < 5; i++) {
        memset(&c, 0, sizeof(im_logic_crypt_t));
        (void) im_logic_crypt_password(&c, im_str_z("secret2"));
        (void) im_logic_crypt_check(&c, im_str_z(hash), cost);
        c.task.work(&c.task);
        assert_int_equal(c.rc, IM_DECLINED);
    }

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);

    return (double) (end.tv_sec - start.tv_sec)
           + (double) (end.tv_nsec - start.tv_nsec) / 1e9;
}


/* The time of an answer does not show whether a name has an account. */
static void
test_time(void **state)
{
    double            known, unknown;
    im_logic_crypt_t  c;

    (void) state;

    memset(&c, 0, sizeof(im_logic_crypt_t));
    (void) im_logic_crypt_password(&c, im_str_z("secret1"));
    (void) im_logic_crypt_make(&c, 5);
    c.task.work(&c.task);
    assert_int_equal(c.rc, IM_OK);

    known = seconds(c.hash, 5);
    unknown = seconds("", 5);

    assert_true(unknown > known / 2);
    assert_true(unknown < known * 2);
}


static void
test_limits(void **state)
{
    char              text[IM_PASSWORD_MAX + 2];
    im_logic_crypt_t  c;

    (void) state;

    memset(&c, 0, sizeof(im_logic_crypt_t));
    memset(text, 'x', sizeof(text));

    assert_int_equal(im_logic_crypt_password(&c,
                         im_str_set(text, IM_PASSWORD_MAX)), IM_OK);
    assert_int_equal(im_logic_crypt_password(&c,
                         im_str_set(text, IM_PASSWORD_MAX + 1)), IM_ERROR);
    assert_int_equal(im_logic_crypt_make(&c, 99), IM_ERROR);
    assert_int_equal(im_logic_crypt_check(&c, im_str_z(""), 99), IM_ERROR);

    im_logic_crypt_wipe(&c);
    assert_int_equal(c.password[0], 0);
    assert_int_equal(c.password[IM_PASSWORD_TEXT - 2], 0);
}


/* Longer than libcrypt takes: each byte counts. */
static void
test_long(void **state)
{
    char              text[IM_PASSWORD_MAX], other[IM_PASSWORD_MAX];
    size_t            i;
    im_logic_crypt_t  a, b;

    static const size_t  lengths[] = { 511, 512, 513, IM_PASSWORD_MAX };

    (void) state;

    memset(text, 'x', sizeof(text));
    memset(other, 'x', sizeof(other));

    for (i = 0; i < test_count(lengths); i++) {
        memset(&a, 0, sizeof(im_logic_crypt_t));
        memset(&b, 0, sizeof(im_logic_crypt_t));

        other[lengths[i] - 1] = 'y';

        assert_int_equal(im_logic_crypt_password(&a,
                             im_str_set(text, lengths[i])), IM_OK);
        assert_int_equal(im_logic_crypt_password(&b,
                             im_str_set(other, lengths[i])), IM_OK);
        assert_true(strlen(a.password) >= 64);
        assert_string_not_equal(a.password, b.password);

        other[lengths[i] - 1] = 'x';

        assert_int_equal(im_logic_crypt_next(&b,
                             im_str_set(other, lengths[i])), IM_OK);
        assert_string_equal(a.password, b.next);
    }

    im_logic_crypt_wipe(&b);
    assert_int_equal(b.next[0], 0);
}


/* A right password, and the hash of the one that takes its place. */
static void
test_next(void **state)
{
    char              hash[IM_PASSWORD_HASH];
    im_logic_crypt_t  c;

    (void) state;

    memset(&c, 0, sizeof(im_logic_crypt_t));
    (void) im_logic_crypt_password(&c, im_str_z("secret1"));
    assert_int_equal(im_logic_crypt_make(&c, 1), IM_OK);
    c.task.work(&c.task);
    assert_int_equal(c.rc, IM_OK);
    memcpy(hash, c.hash, sizeof(hash));

    memset(&c, 0, sizeof(im_logic_crypt_t));
    (void) im_logic_crypt_password(&c, im_str_z("secret1"));
    (void) im_logic_crypt_next(&c, im_str_z("secret2"));
    assert_int_equal(im_logic_crypt_check(&c, im_str_z(hash), 1), IM_OK);
    c.task.work(&c.task);
    assert_int_equal(c.rc, IM_OK);
    memcpy(hash, c.renewed, sizeof(hash));

    memset(&c, 0, sizeof(im_logic_crypt_t));
    (void) im_logic_crypt_password(&c, im_str_z("secret2"));
    assert_int_equal(im_logic_crypt_check(&c, im_str_z(hash), 1), IM_OK);
    c.task.work(&c.task);
    assert_int_equal(c.rc, IM_OK);

    memset(&c, 0, sizeof(im_logic_crypt_t));
    (void) im_logic_crypt_password(&c, im_str_z("wrong12"));
    (void) im_logic_crypt_next(&c, im_str_z("secret2"));
    assert_int_equal(im_logic_crypt_check(&c, im_str_z(hash), 1), IM_OK);
    c.task.work(&c.task);
    assert_int_equal(c.rc, IM_DECLINED);
    assert_string_equal(c.renewed, "");
}


/* An owner has a quarter of the queue, others what is left. */
static void
test_shares(void **state)
{
    im_uint_t           i;
    gate_t              gates[10];
    pthread_mutex_t     gate = PTHREAD_MUTEX_INITIALIZER;
    im_logic_pool_t    *pool;
    struct event_base  *base;

    (void) state;

    base = event_base_new();
    pool = im_logic_pool_create(base, 1, 8);
    assert_non_null(pool);

    (void) pthread_mutex_lock(&gate);

    for (i = 0; i < 10; i++) {
        gate_init(&gates[i], &gate);
    }

    /* the thread has it, or takes it before the others */
    assert_int_equal(im_logic_pool_add(pool, &gates[0].task), IM_OK);

    for (i = 1; i < 5; i++) {
        gates[i].task.owner = 7;
        assert_int_equal(im_logic_pool_add(pool, &gates[i].task),
                         i < 3 ? IM_OK : IM_DECLINED);
    }

    gates[5].task.owner = 8;
    assert_int_equal(im_logic_pool_add(pool, &gates[5].task), IM_OK);

    (void) pthread_mutex_unlock(&gate);
    im_logic_pool_destroy(pool);

    for (i = 0; i < 10; i++) {
        assert_int_equal(gates[i].done, i < 3 || i == 5);
    }

    event_base_free(base);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_pool),
    alloc_test(test_pool_end),
    alloc_test(test_pool_memory),
    cmocka_unit_test(test_passwords),
    cmocka_unit_test(test_stored),
    cmocka_unit_test(test_renewed),
    cmocka_unit_test(test_time),
    cmocka_unit_test(test_limits),
    alloc_test(test_long),
    alloc_test(test_next),
    alloc_test(test_shares)
};

test_main(tests)
