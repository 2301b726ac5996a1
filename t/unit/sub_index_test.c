/*
 * Copyright (C) The im authors
 *
 * The index of subscriptions: random operations compared with a flat array, and
 * every state of a growth.
 */

#include "test.h"
#include "im_sub_index.h"


#define NTOPICS    60
#define NSESSIONS  50
#define NITEMS     (NTOPICS * NSESSIONS)
#define NSTEPS     60000
#define CHUNK      1024


static im_logs_t        logs;
static im_topic_t      *topics[NTOPICS];
static im_sub_t        *subs[NITEMS];
static unsigned         in[NITEMS];         /* the model: it is in the index */
static unsigned         nin;


static void
begin(void)
{
    char      name[16];
    unsigned  i, k;

    im_logs_init(&logs, CHUNK);
    memset(in, 0, sizeof(in));
    nin = 0;

    for (k = 0; k < NTOPICS; k++) {
        (void) snprintf(name, sizeof(name), "r:%u", k);
        topics[k] = im_topic_create(im_str_z(name), 0);
        assert_non_null(topics[k]);

        for (i = k; i < NITEMS; i += NTOPICS) {
            subs[i] = im_sub_create(&logs);
            assert_non_null(subs[i]);
            subs[i]->session = i / NTOPICS;
            assert_int_equal(im_topic_subscribe(&logs, topics[k], 0, subs[i]),
                             IM_OK);
        }
    }
}


static void
end(im_sub_index_t *x)
{
    unsigned  i;

    im_sub_index_cleanup(x);

    for (i = 0; i < NITEMS; i++) {
        im_topic_unsubscribe(&logs, subs[i]);
        im_sub_destroy(&logs, subs[i]);
    }

    for (i = 0; i < NTOPICS; i++) {
        im_topic_destroy(&logs, topics[i]);
    }

    im_logs_cleanup(&logs);
}


static im_sub_t *
find(const im_sub_index_t *x, unsigned i)
{
    return im_sub_index_find(x, &logs, i / NTOPICS, topics[i % NTOPICS]);
}


static void
check(const im_sub_index_t *x)
{
    unsigned  i;

    for (i = 0; i < NITEMS; i++) {
        assert_ptr_equal(find(x, i), in[i] ? subs[i] : NULL);
    }

    assert_int_equal(x->count, nin);
    assert_true(x->count < x->size || x->size == 0);
}


static void
toggle(im_sub_index_t *x, unsigned i)
{
    if (in[i]) {
        im_sub_index_remove(x, &logs, subs[i]);
        in[i] = 0;
        nin--;

    } else if (im_sub_index_add(x, &logs, subs[i]) == IM_OK) {
        in[i] = 1;
        nin++;

    } else {
        assert_true(alloc_failed());
    }
}


static void
run_random(uint64_t number, int failing)
{
    unsigned        i, before, limit, refused;
    random_t        r;
    im_sub_index_t  x;

    random_init(&r, number);
    begin();
    memset(&x, 0, sizeof(x));
    refused = 0;

    for (i = 0; i < NSTEPS; i++) {

        if (failing && i % 500 == 0) {
            alloc_fail_at(0);

            if (random_below(&r, 2)) {
                alloc_fail_all();
            }
        }

        /* in waves, so that it is full and nearly empty more than once */

        limit = i % 20000 < 10000 ? NITEMS : 10 + i % 100;
        before = nin;
        toggle(&x, random_below(&r, limit));
        refused += nin == before;

        if (i % 500 == 0) {
            check(&x);
        }
    }

    alloc_fail_at(0);
    check(&x);
    assert_true(failing || refused == 0);
    end(&x);
}


static void
test_random(void **state)
{
    (void) state;

    run_random(1, 0);
    run_random(2, 0);
}


static void
test_random_no_memory(void **state)
{
    (void) state;

    run_random(3, 1);
    run_random(4, 1);
}


static void
test_growing(void **state)
{
    unsigned        i;
    im_sub_index_t  x;

    (void) state;

    begin();
    memset(&x, 0, sizeof(x));
    check(&x);

    for (i = 0; i < 500; i++) {
        toggle(&x, i);
        check(&x);
    }

    for (i = 0; i < 500; i++) {
        toggle(&x, i);
        check(&x);
    }

    end(&x);
}


/* Without memory it is filled up to the last cell but one. */
static void
test_full(void **state)
{
    unsigned        i;
    im_sub_index_t  x;

    (void) state;

    begin();
    memset(&x, 0, sizeof(x));

    alloc_fail_all();
    assert_int_equal(im_sub_index_add(&x, &logs, subs[0]), IM_ERROR);
    alloc_fail_at(0);
    toggle(&x, 0);
    assert_int_equal(nin, 1);

    alloc_fail_all();

    for (i = 1; i < NITEMS; i++) {
        toggle(&x, i);
    }

    assert_int_equal(nin, x.size - 1);
    check(&x);

    alloc_fail_at(0);

    for (i = nin; i < NITEMS; i++) {
        toggle(&x, i);
    }

    assert_int_equal(nin, NITEMS);
    check(&x);
    end(&x);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_random),
    alloc_test(test_random_no_memory),
    alloc_test(test_growing),
    alloc_test(test_full)
};

test_main(tests)
