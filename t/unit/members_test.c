/*
 * Copyright (C) The im authors
 *
 * Members of one topic: pages put together, sorted, users counted; compared
 * with a naive count.
 */

#include "test.h"
#include "im_members.h"


static im_members_t  ms;


static void
add(const char *worker, const char *session, const char *json)
{
    assert_int_equal(im_members_add(&ms, im_str_z(worker), im_str_z(session),
                                    im_str_z(json)),
                     IM_OK);
}


static void
test_sorted(void **state)
{
    im_member_t  users[2];

    (void) state;

    im_members_init(&ms);

    add("w1", "s3", "{\"user\":\"b\",\"info\":[1]}");
    add("w2", "s2", "{\"user\":\"a\",\"name\":\"\\u0041nn\"}");
    add("w1", "s1", "{\"user\":\"b\"}");
    add("w1", "s0", "{}");
    add("w1", "s9", "no member");
    add("w2", "s8", "{\"user\":\"ab\"}");
    im_members_sort(&ms);

    assert_int_equal(ms.n, 5);
    test_str(ms.elts[0].session, "s0");
    test_str(ms.elts[1].session, "s2");
    test_str(ms.elts[1].name, "Ann");
    test_str(ms.elts[1].worker, "w2");
    test_str(ms.elts[2].user, "ab");
    test_str(ms.elts[3].session, "s1");
    test_str(ms.elts[4].session, "s3");
    test_str(ms.elts[4].info, "[1]");
    test_str(ms.elts[4].worker, "w1");

    assert_int_equal(im_members_users(ms.elts, ms.n, NULL, 0), 3);
    assert_int_equal(ms.users, 3);
    assert_int_equal(im_members_users(ms.elts, ms.n, users, 2), 3);
    test_str(users[0].user, "a");
    test_str(users[1].user, "ab");
    assert_int_equal(im_members_users(ms.elts, 0, users, 2), 0);

    im_members_cleanup(&ms);
}


static void
test_routes(void **state)
{
    (void) state;

    im_members_init(&ms);

    im_members_add_route(&ms, im_str_z("3:17"));
    im_members_add_route(&ms, im_str_z(""));
    im_members_add_route(&ms, im_str_z("x"));
    im_members_add_route(&ms, im_str_z("40"));

    assert_int_equal(ms.count, 43);
    assert_int_equal(ms.nworkers, 2);

    im_members_add_route(&ms, im_str_z("0:9"));
    assert_int_equal(ms.count, 43);
    assert_int_equal(ms.nworkers, 2);

    im_members_cleanup(&ms);
}


static void
test_worker_order(void **state)
{
    size_t  i, j;
    int     rc;

    static const char *const  order[] = {
        "", "a", "b", "n.0.9", "a.1.z", "n.0.z", "n.0.10", "a.0.mf2k",
        "b.7.zzzz"
    };

    (void) state;

    for (i = 0; i < test_count(order); i++) {
        for (j = 0; j < test_count(order); j++) {
            rc = im_worker_compare(im_str_z(order[i]), im_str_z(order[j]));
            assert_int_equal((rc > 0) - (rc < 0), (i > j) - (i < j));
        }
    }
}


/* A session that was read at several workers is the youngest one's. */
static void
test_once(void **state)
{
    (void) state;

    im_members_init(&ms);

    add("n.0.9", "s1", "{\"user\":\"b\"}");
    add("n.0.11", "s1", "{\"user\":\"b\"}");
    add("n.0.10", "s1", "{\"user\":\"b\"}");
    add("n.0.9", "s1", "{\"user\":\"a\"}");
    add("n.0.12", "g", "{}");
    add("n.0.9", "g", "{}");
    add("n.0.9", "s2", "{\"user\":\"b\"}");
    im_members_sort(&ms);

    assert_int_equal(ms.n, 4);
    assert_int_equal(ms.users, 2);
    assert_int_equal(ms.named, 3);
    test_str(ms.elts[0].session, "g");
    test_str(ms.elts[0].worker, "n.0.12");
    test_str(ms.elts[1].user, "a");
    test_str(ms.elts[2].session, "s1");
    test_str(ms.elts[2].worker, "n.0.11");
    test_str(ms.elts[3].session, "s2");

    im_members_cleanup(&ms);
}


static void
test_bounds(void **state)
{
    u_char    *p;
    im_str_t   big, w;

    (void) state;

    im_members_init(&ms);
    w = im_str_z("w");

    big.len = IM_MEMBERS_BYTES / 2;
    big.data = p = malloc(big.len);
    assert_non_null(p);
    memset(p, ' ', big.len);
    memcpy(p, "{}", 2);

    assert_int_equal(im_members_add(&ms, w, w, big), IM_DECLINED);
    big.len--;
    assert_int_equal(im_members_add(&ms, w, w, big), IM_OK);
    assert_int_equal(ms.n, 1);
    assert_int_equal(ms.bytes, IM_MEMBERS_BYTES);
    assert_int_equal(im_members_add(&ms, w, w, w), IM_DECLINED);

    free(p);
    im_members_cleanup(&ms);

    w.len = 0;
    assert_int_equal(im_members_add(&ms, w, w, w), IM_OK);
    assert_int_equal(ms.n, 0);
    im_members_cleanup(&ms);
}


static void
test_random(void **state)
{
    int             seen[20];
    char            json[64], session[16];
    size_t          i, n, round, number;
    random_t        random;
    im_uint_t       user, wanted, sessions;
    static uint8_t  pairs[20][1000];

    (void) state;

    random_init(&random, 1);

    for (round = 0; round < 50; round++) {
        im_members_init(&ms);
        memset(seen, 0, sizeof(seen));
        memset(pairs, 0, sizeof(pairs));
        wanted = 0;
        sessions = 0;
        n = random_below(&random, 200);

        for (i = 0; i < n; i++) {
            user = random_below(&random, 20);
            wanted += user > 0 && !seen[user];
            seen[user] = 1;

            number = random_below(&random, 1000);
            sessions += !pairs[user][number];
            pairs[user][number] = 1;

            sprintf(session, "s%d", (int) number);
            sprintf(json, user > 0 ? "{\"user\":\"u%d\"}" : "{}", (int) user);
            add("w", session, json);
        }

        im_members_sort(&ms);

        assert_int_equal(ms.n, sessions);
        assert_int_equal(im_members_users(ms.elts, ms.n, NULL, 0), wanted);
        assert_int_equal(ms.users, wanted);

        for (i = 1; i < ms.n; i++) {
            assert_true(im_member_compare(&ms.elts[i - 1], &ms.elts[i]) < 0);
        }

        im_members_cleanup(&ms);
    }
}


static void
test_no_memory(void **state)
{
    im_int_t       rc;
    unsigned long  n;

    (void) state;

    for (n = 1; ; n++) {
        im_members_init(&ms);
        alloc_fail_at(n);

        rc = im_members_add(&ms, im_str_z("w"), im_str_z("s"),
                            im_str_z("{\"user\":\"u\"}"));

        if (!alloc_failed()) {
            break;
        }

        assert_int_equal(ms.n, 0);
        im_members_cleanup(&ms);
    }

    alloc_fail_at(0);
    assert_int_equal(rc, IM_OK);
    assert_int_equal(ms.n, 1);
    im_members_cleanup(&ms);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_sorted),
    alloc_test(test_routes),
    alloc_test(test_worker_order),
    alloc_test(test_once),
    alloc_test(test_bounds),
    alloc_test(test_random),
    alloc_test(test_no_memory)
};

test_main(tests)
