/*
 * Copyright (C) The im authors
 *
 * The board of the largest rooms, by the hub and by itself.
 */

#include "test.h"
#include "im_board.h"
#include "im_hub.h"


#define NROOMS  300


static const uint64_t  seed[2] = { 1, 2 };

static im_hub_t  hub;
static im_sub_t  *subs[NROOMS][4];


static im_str_t
room_name(unsigned n)
{
    static char  name[20];

    snprintf(name, sizeof(name), "r:%u", n);

    return im_str_z(name);
}


static void
join(unsigned room, unsigned sub)
{
    int  first;

    subs[room][sub] = im_sub_create(&hub.logs);
    assert_non_null(subs[room][sub]);
    assert_non_null(im_hub_join(&hub, room_name(room), 0, subs[room][sub],
                                &first));
}


static void
leave(unsigned room, unsigned sub)
{
    int          last;
    im_topic_t  *topic;

    topic = im_hub_leave(&hub, subs[room][sub], &last);
    im_sub_destroy(&hub.logs, subs[room][sub]);

    if (last) {
        im_hub_topic_destroy(&hub, topic);
    }
}


/* How many lines there are with so many followers; 0: of any number. */
static unsigned
lines(unsigned wanted)
{
    size_t    at;
    unsigned  n;
    uint64_t  followers;
    im_buf_t  b;
    im_str_t  name;

    im_buf_init(&b, 100000);
    im_board_encode(&b, &hub.board);
    assert_false(b.failed);

    at = 0;
    n = 0;

    while (im_board_decode(im_buf_str(&b), &at, &followers, &name) == IM_OK) {
        assert_true(name.len >= 1 && name.len <= 3);
        n += wanted == 0 || followers == wanted;
    }

    assert_int_equal(at, b.len);
    im_buf_cleanup(&b);

    return n;
}


static void
test_all_while_few(void **state)
{
    unsigned  i;

    (void) state;

    assert_int_equal(im_hub_init(&hub, seed, 16, 4096), IM_OK);

    for (i = 0; i < IM_BOARD_MAX; i++) {
        join(i, 0);
        join(i, 1);
    }

    assert_int_equal(lines(0), IM_BOARD_MAX);
    assert_int_equal(lines(2), IM_BOARD_MAX);
    assert_int_equal(hub.nsubs, 2 * IM_BOARD_MAX);

    for (i = 0; i < IM_BOARD_MAX; i += 2) {
        leave(i, 0);
        leave(i, 1);
    }

    assert_int_equal(lines(2), IM_BOARD_MAX / 2);

    for (i = 1; i < IM_BOARD_MAX; i += 2) {
        leave(i, 1);
    }

    assert_int_equal(lines(1), IM_BOARD_MAX / 2);

    for (i = 1; i < IM_BOARD_MAX; i += 2) {
        leave(i, 0);
    }

    assert_int_equal(lines(0), 0);
    assert_int_equal(hub.nsubs, 0);
    im_hub_cleanup(&hub);
}


static void
test_larger_ones_come_in(void **state)
{
    unsigned  i, k;

    (void) state;

    assert_int_equal(im_hub_init(&hub, seed, 16, 4096), IM_OK);

    for (i = 0; i < NROOMS; i++) {
        join(i, 0);
    }

    assert_int_equal(lines(1), IM_BOARD_MAX);

    /* the last ones grow: each of them has a place in the end */

    for (i = NROOMS - 60; i < NROOMS; i++) {
        join(i, 1);
        join(i, 2);
    }

    assert_int_equal(lines(3), 60);
    assert_int_equal(lines(1), IM_BOARD_MAX - 60);

    /* they shrink, and others that grow take the places once it is seen */

    for (i = NROOMS - 60; i < NROOMS; i++) {
        leave(i, 2);
        leave(i, 1);
    }

    im_board_look(&hub.board);

    for (i = 0; i < IM_BOARD_MAX; i++) {
        join(i, 1);
    }

    assert_int_equal(lines(2), IM_BOARD_MAX);

    for (i = 0; i < NROOMS; i++) {
        for (k = 0; k < 2; k++) {
            if (k == 0 || i < IM_BOARD_MAX) {
                leave(i, k);
            }
        }
    }

    assert_int_equal(lines(0), 0);
    im_board_look(&hub.board);
    im_hub_cleanup(&hub);
}


/* Inboxes and the broadcast are no rooms. */
static void
test_rooms_only(void **state)
{
    int          first, last;
    im_sub_t    *sub;
    im_topic_t  *topic;

    (void) state;

    assert_int_equal(im_hub_init(&hub, seed, 16, 4096), IM_OK);

    sub = im_sub_create(&hub.logs);
    assert_non_null(sub);

    topic = im_hub_join(&hub, im_str_z("u:1"), 0, sub, &first);
    assert_non_null(topic);
    assert_int_equal(lines(0), 0);
    assert_int_equal(hub.nsubs, 1);

    (void) im_hub_leave(&hub, sub, &last);
    im_hub_topic_destroy(&hub, topic);
    im_hub_cleanup(&hub);
}


static void
test_text(void **state)
{
    size_t     i, at;
    uint64_t   n;
    im_str_t   name;

    static const char *const  bad[] = {
        "", "1 a", "\n", "1\n", "1 \n", "a 1\n", " a\n", "-1 a\n",
        "99999999999999999999 a\n"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        at = 0;
        assert_int_equal(im_board_decode(im_str_z(bad[i]), &at, &n, &name),
                         IM_DECLINED);
    }

    at = 0;
    assert_int_equal(im_board_decode(im_str_z("12 a b\n3 c\n"), &at, &n,
                                     &name), IM_OK);
    assert_int_equal(n, 12);
    assert_true(im_str_eq(name, im_str_z("a b")));
    assert_int_equal(im_board_decode(im_str_z("12 a b\n3 c\n"), &at, &n,
                                     &name), IM_OK);
    assert_int_equal(n, 3);
    assert_int_equal(im_board_decode(im_str_z("12 a b\n3 c\n"), &at, &n,
                                     &name), IM_DECLINED);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_all_while_few),
    alloc_test(test_larger_ones_come_in),
    alloc_test(test_rooms_only),
    alloc_test(test_text)
};

test_main(tests)
