/*
 * Copyright (C) The im authors
 *
 * Calls that wait, in order for each slot.
 */

#include "test.h"
#include "im_link_hold.h"


static im_link_hold_t  hold;


static int
setup(void **state)
{
    memset(&hold, 0, sizeof(hold));
    im_link_hold_init(&hold);

    return alloc_setup(state);
}


static im_link_kept_t *
kept(im_uint_t slot, uint64_t number, size_t len)
{
    im_link_kept_t  *k;

    k = im_calloc(sizeof(im_link_kept_t) + len);
    assert_non_null(k);

    k->slot = slot;
    k->number = number;
    k->len = len;

    return k;
}


/* The numbers of a slot's calls, which are freed. */
static void
taken(im_uint_t slot, const char *wanted)
{
    char              text[256], *p;
    im_link_kept_t   *k;
    im_link_queue_t  *queue;

    p = text;
    *p = '\0';

    while ((queue = im_link_hold_find(&hold, slot)) != NULL) {
        k = im_link_hold_take(&hold, queue);
        p += sprintf(p, "%u ", (unsigned) k->number);
        im_free(k);
    }

    assert_string_equal(text, wanted);
}


static void
add(im_uint_t slot, uint64_t number, uint64_t retry, int narrow)
{
    assert_int_equal(im_link_hold_add(&hold, kept(slot, number, 10), retry,
                                      narrow),
                     IM_OK);
}


/* Two slots of one bucket. */
static void
test_order(void **state)
{
    im_link_queue_t  *queue;

    (void) state;

    assert_null(im_link_hold_find(&hold, 5));
    add(5, 1, 10, 1);
    add(5, 4, 30, 1);
    add(5, 2, 20, 1);
    add(5 + IM_LINK_HOLD_BUCKETS, 3, 0, 0);
    add(5, 5, 0, 1);
    assert_int_equal(hold.ncalls, 5);

    queue = im_link_hold_find(&hold, 5);
    assert_non_null(queue);
    assert_int_equal(queue->retry, 30);
    assert_true(queue->narrow);
    assert_int_equal(im_link_queue_first(queue)->number, 1);

    /* one that waits for its server lets nothing by */

    add(5, 6, 0, 0);
    assert_false(queue->narrow);

    taken(5, "1 2 4 5 6 ");
    taken(5 + IM_LINK_HOLD_BUCKETS, "3 ");
    assert_int_equal(hold.ncalls, 0);
    assert_int_equal(hold.bytes, 0);
    assert_true(im_list_empty(&hold.queues));
}


static void
test_limits(void **state)
{
    im_uint_t        n;
    im_link_kept_t  *k;

    (void) state;

    for (n = 1; n <= 65536; n++) {
        k = kept(n % 16, n, 0);
        assert_int_equal(im_link_hold_add(&hold, k, 0, 0), IM_OK);
    }

    k = kept(0, n, 0);
    assert_int_equal(im_link_hold_add(&hold, k, 0, 0), IM_ERROR);
    im_free(k);

    while (!im_list_empty(&hold.queues)) {
        im_free(im_link_hold_take(&hold,
                                  im_list_data(im_list_first(&hold.queues),
                                               im_link_queue_t, link)));
    }

    /* and bytes */

    for (n = 1; n <= 7; n++) {
        k = kept(1, n, 4 * 1024 * 1024);
        assert_int_equal(im_link_hold_add(&hold, k, 0, 0), IM_OK);
    }

    k = kept(1, n, 4 * 1024 * 1024);
    assert_int_equal(im_link_hold_add(&hold, k, 0, 0), IM_ERROR);
    im_free(k);
    taken(1, "1 2 3 4 5 6 7 ");
}


static void
test_no_memory(void **state)
{
    im_link_kept_t  *k;

    (void) state;

    k = kept(1, 1, 0);
    alloc_fail_all();
    assert_int_equal(im_link_hold_add(&hold, k, 0, 0), IM_ERROR);
    alloc_fail_at(0);
    assert_int_equal(hold.ncalls, 0);
    im_free(k);
}


#define hold_test(fn)                                                         \
    cmocka_unit_test_setup_teardown(fn, setup, alloc_teardown)


static const struct CMUnitTest  tests[] = {
    hold_test(test_order),
    hold_test(test_limits),
    hold_test(test_no_memory)
};


test_main(tests)
