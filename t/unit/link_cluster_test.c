/*
 * Copyright (C) The im authors
 *
 * What nodes of a cluster say: slots, and errors that lead elsewhere.
 */

#include <hiredis/hiredis.h>

#include "test.h"
#include "im_link_cluster.h"


static im_link_map_t  map;
static redisReader   *reader;
static void          *reply;


static const im_link_reply_t *
parse(const char *bytes)
{
    if (reply != NULL) {
        freeReplyObject(reply);
        reply = NULL;
    }

    assert_int_equal(redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);

    return reply;
}


static int
setup(void **state)
{
    (void) alloc_setup(state);

    reader = redisReaderCreate();
    im_link_map_init(&map);

    return 0;
}


static int
teardown(void **state)
{
    if (reply != NULL) {
        freeReplyObject(reply);
        reply = NULL;
    }

    redisReaderFree(reader);
    im_link_map_cleanup(&map);

    return alloc_teardown(state);
}


static const char *
read_map(const char *bytes)
{
    return im_link_map_read(&map, parse(bytes), im_str_z("10.0.0.9"));
}


static const char *
of(im_uint_t slot)
{
    return map.slots[slot] != 0 ? im_link_map_name(&map, map.slots[slot]) : "";
}


#define ID       "$4\r\nabcd\r\n"
#define HOST(s)  "*3\r\n" s ":7000\r\n" ID


static void
test_map(void **state)
{
    (void) state;

    assert_null(read_map("*4\r\n"
        "*4\r\n:0\r\n:100\r\n" HOST("$8\r\n10.0.0.1\r\n")
            HOST("$8\r\n10.0.0.2\r\n")
        "*3\r\n:101\r\n:101\r\n*4\r\n$2\r\n::\r\n:7001\r\n" ID "*0\r\n"
        "*3\r\n:200\r\n:16383\r\n" HOST("$7\r\nredis-1\r\n")
        "*3\r\n:150\r\n:160\r\n" HOST("$8\r\n10.0.0.1\r\n")));
    assert_int_equal(map.nnodes, 3);
    assert_string_equal(of(0), "10.0.0.1:7000");
    assert_string_equal(of(100), "10.0.0.1:7000");
    assert_string_equal(of(101), "[::]:7001");
    assert_string_equal(of(102), "");
    assert_string_equal(of(155), "10.0.0.1:7000");
    assert_string_equal(of(199), "");
    assert_string_equal(of(16383), "redis-1:7000");

    /* one that does not know where it is */

    assert_null(read_map("*3\r\n*3\r\n:0\r\n:1\r\n" HOST("$0\r\n\r\n")
                         "*3\r\n:2\r\n:3\r\n" HOST("$1\r\n?\r\n")
                         "*3\r\n:4\r\n:5\r\n" HOST("$-1\r\n")));
    assert_int_equal(map.nnodes, 1);
    assert_string_equal(of(0), "10.0.0.9:7000");
    assert_string_equal(of(6), "");
}


static void
test_bad_map(void **state)
{
    size_t  i;

    static const struct {
        const char  *bytes;
        const char  *why;
    } rows[] = {
        { "*0\r\n", "it knows of no slots: is it in the cluster?" },
        { ":1\r\n", "it knows of no slots: is it in the cluster?" },
        { "*1\r\n:1\r\n", "its slot map has an invalid range" },
        { "*1\r\n*3\r\n:-1\r\n:1\r\n" HOST("$1\r\na\r\n"),
          "its slot map has an invalid range" },
        { "*1\r\n*3\r\n:2\r\n:1\r\n" HOST("$1\r\na\r\n"),
          "its slot map has an invalid range" },
        { "*1\r\n*3\r\n:2\r\n:16384\r\n" HOST("$1\r\na\r\n"),
          "its slot map has an invalid range" },
        { "*1\r\n*2\r\n:2\r\n:3\r\n", "its slot map has an invalid address" },
        { "*1\r\n*3\r\n:2\r\n:3\r\n*2\r\n$1\r\na\r\n:0\r\n",
          "its slot map has an invalid address" },
        { "*1\r\n*3\r\n:2\r\n:3\r\n*2\r\n$1\r\na\r\n:65536\r\n",
          "its slot map has an invalid address" },
        { "*1\r\n*3\r\n:2\r\n:3\r\n*2\r\n$3\r\na b\r\n:1\r\n",
          "its slot map has an invalid address" },
        { "*1\r\n*3\r\n:2\r\n:3\r\n*2\r\n$6\r\nunix:/\r\n:1\r\n",
          "its slot map has an invalid address" },
        { "*1\r\n*3\r\n:2\r\n:3\r\n*2\r\n$3\r\nx:y\r\n:1\r\n",
          "its slot map has an invalid address" }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_string_equal(read_map(rows[i].bytes), rows[i].why);
    }
}


/* As many as a cluster may have; and too many. */
static void
test_many(void **state)
{
    int     n;
    char   *bytes, *p;

    (void) state;

    bytes = malloc(600 * 64);
    assert_non_null(bytes);

    for (n = 512; n <= 513; n++) {
        int  i;

        p = bytes + sprintf(bytes, "*%d\r\n", n);

        for (i = 0; i < n; i++) {
            p += sprintf(p, "*3\r\n:%d\r\n:%d\r\n*2\r\n$4\r\nhost\r\n:%d\r\n",
                         i, i, i + 1);
        }

        if (n == 512) {
            assert_null(read_map(bytes));
            assert_string_equal(of(511), "host:512");

        } else {
            assert_string_equal(read_map(bytes),
                                "its slot map has more than 512 masters");
        }
    }

    free(bytes);
}


static void
test_no_memory(void **state)
{
    const im_link_reply_t  *r;

    (void) state;

    r = parse("*1\r\n*3\r\n:0\r\n:9\r\n" HOST("$1\r\na\r\n"));
    alloc_fail_all();
    assert_string_equal(im_link_map_read(&map, r, im_str_z("x")), "no memory");
    alloc_fail_at(0);
    assert_null(im_link_map_read(&map, r, im_str_z("x")));
}


static void
test_errors(void **state)
{
    size_t  i;

    static const struct {
        const char       *bytes;
        im_link_error_e   error;
    } rows[] = {
        { "-MOVED 1 a:1\r\n", IM_LINK_MOVED },
        { "-ASK 1 a:1\r\n", IM_LINK_ASK },
        { "-ASKING\r\n", IM_LINK_OTHER },
        { "-TRYAGAIN Multiple keys request\r\n", IM_LINK_TRYAGAIN },
        { "-CLUSTERDOWN The cluster is down\r\n", IM_LINK_CLUSTERDOWN },
        { "-READONLY You can't write\r\n", IM_LINK_READONLY },
        { "-UNBLOCKED force unblock\r\n", IM_LINK_UNBLOCKED },
        { "-LOADING Redis is loading\r\n", IM_LINK_LOADING },
        { "-MASTERDOWN Link with MASTER is down\r\n", IM_LINK_MASTERDOWN },
        { "-NOREPLICAS Not enough\r\n", IM_LINK_OTHER },
        { "-\r\n", IM_LINK_OTHER },
        { "+MOVED 1 a:1\r\n", IM_LINK_OTHER },
        { "$5\r\nMOVED\r\n", IM_LINK_OTHER },
        { "$-1\r\n", IM_LINK_OTHER }
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        assert_int_equal(im_link_error(parse(rows[i].bytes)), rows[i].error);
    }

    assert_int_equal(im_link_error(NULL), IM_LINK_OTHER);
}


static void
test_redirect(void **state)
{
    char        node[IM_LINK_NODE];
    size_t      i;
    im_uint_t   slot;

    static const struct {
        const char  *error;
        im_uint_t    slot;
        const char  *node;
    } good[] = {
        { "MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1:6381" },
        { "ASK 0 127.0.0.1:6381", 0, "127.0.0.1:6381" },
        { "MOVED 16383 ::1:6381", 16383, "[::1]:6381" },
        { "MOVED 1 fe80::a:b:6381", 1, "[fe80::a:b]:6381" },
        { "MOVED 1 redis-2.example.com:6381", 1, "redis-2.example.com:6381" },
        { "MOVED 1 :6381", 1, "here:6381" },
        { "MOVED 1 ?:6381", 1, "here:6381" }
    };

    static const char *const  bad[] = {
        "", "MOVED", "MOVED ", "MOVED 1", "MOVED 1 ", "MOVED 1 a", "MOVED 1 a:",
        "MOVED 1 a:0", "MOVED 1 a:65536", "MOVED 1 a:1x", "MOVED x a:1",
        "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED  a:1", "MOVED 1 a b:1",
        "MOVED 1 unix:/x:1", "MOVED 99999999999999999999 a:1", " : "
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        assert_int_equal(im_link_redirect_read(im_str_z(good[i].error),
                                               im_str_z("here"), &slot, node),
                         IM_OK);
        assert_int_equal(slot, good[i].slot);
        assert_string_equal(node, good[i].node);
    }

    for (i = 0; i < test_count(bad); i++) {
        assert_int_equal(im_link_redirect_read(im_str_z(bad[i]),
                                               im_str_z("here"), &slot, node),
                         IM_ERROR);
    }
}


#define cluster_test(fn)  cmocka_unit_test_setup_teardown(fn, setup, teardown)


static const struct CMUnitTest  tests[] = {
    cluster_test(test_map),
    cluster_test(test_bad_map),
    cluster_test(test_many),
    cluster_test(test_no_memory),
    cluster_test(test_errors),
    cluster_test(test_redirect)
};


test_main(tests)
