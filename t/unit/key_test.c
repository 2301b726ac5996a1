/*
 * Copyright (C) The im authors
 *
 * Keys, topics and names.
 */

#include "test.h"
#include "im_key.h"
#include "im_key_kind.h"


static im_buf_t   b;
static im_keys_t  keys = { im_str("im:"), 1024, IM_TAGS_DECIMAL, { 0 } };
static im_keys_t  even = { im_str("im:"), 64, IM_TAGS_EVEN, { 117, 42 } };


static im_str_t
fresh(void)
{
    im_str_t  s;

    s = im_buf_str(&b);
    assert_false(b.failed);

    return s;
}


#define assert_key(call, text)                                                \
    do {                                                                      \
        im_buf_reset(&b, 4096);                                               \
        call;                                                                 \
        test_str(fresh(), text);                                            \
    } while (0)


static void
test_names(void **state)
{
    size_t  i;
    u_char  longest[300];

    static const char *const  good[] = {
        "1", "chat:a", "a b", "{x}", "\xc3\xa4", "\xc2\xa0", "*", "."
    };
    static const char *const  bad[] = {
        "", "\n", "a\x7f", "a\x1f", "\xff", "\xc3", "\xc2\x80", "\xc2\x9f",
        "\xed\xa0\x80", "\xc0\xaf"
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        assert_true(im_name_valid(im_str_z(good[i])));
    }

    for (i = 0; i < test_count(bad); i++) {
        assert_false(im_name_valid(im_str_z(bad[i])));
        assert_false(im_node_valid(im_str_z(bad[i])));
    }

    assert_false(im_name_valid(im_str_set("a\0b", 3)));

    memset(longest, 'x', sizeof(longest));
    assert_true(im_name_valid(im_str_set(longest, IM_NAME_MAX)));
    assert_false(im_name_valid(im_str_set(longest, IM_NAME_MAX + 1)));
    assert_true(im_node_valid(im_str_set(longest, 200)));
    assert_false(im_node_valid(im_str_set(longest, 201)));
}


static void
test_nodes_and_prefixes(void **state)
{
    size_t  i;

    static const char *const  nodes[] = { "a.b", "a:b", "a{", "a}", "a b" };
    static const char *const  prefixes[] = {
        "", "a b", "a{", "}a", "\x7f", "\xc3\xa4",
        "123456789012345678901234567890123"
    };

    (void) state;

    assert_true(im_node_valid(im_str_z("comet-1")));
    assert_true(im_node_valid(im_str_z("\xc3\xa4_1")));
    assert_true(im_prefix_valid(im_str_z("im:")));
    assert_true(im_prefix_valid(im_str_z("12345678901234567890123456789012")));

    for (i = 0; i < test_count(nodes); i++) {
        assert_false(im_node_valid(im_str_z(nodes[i])));
    }

    for (i = 0; i < test_count(prefixes); i++) {
        assert_false(im_prefix_valid(im_str_z(prefixes[i])));
    }
}


static void
test_keys(void **state)
{
    im_str_t  room, worker;

    (void) state;

    room = im_str_z("r:1");
    worker = im_str_z("n.0.a1");

    im_buf_init(&b, 4096);

    assert_key(im_topic_room(&b, im_str_z("chat:1")), "r:chat:1");
    assert_key(im_topic_user(&b, im_str_z("ann")), "u:ann");
    assert_key(im_worker_id(&b, im_str_z("n"), 12, 371), "n.12.ab");
    assert_key(im_key_topic(&b, &keys, 7, room, IM_KEY_META), "im:{7}:r:1:m");
    assert_key(im_key_topic(&b, &keys, 7, room, IM_KEY_HISTORY),
               "im:{7}:r:1:h");
    assert_key(im_key_topic(&b, &keys, 7, room, IM_KEY_ROUTES), "im:{7}:r:1:w");
    assert_key(im_key_members(&b, &keys, 0, room, worker),
               "im:{0}:r:1:k:n.0.a1");
    assert_key(im_key_left(&b, &keys, 0, room, worker), "im:{0}:r:1:x:n.0.a1");
    assert_key(im_key_queue(&b, &keys, 1023), "im:{1023}:q");
    assert_key(im_key_owner(&b, &keys, 15), "im:{15}:own");
    assert_key(im_key_channel(&b, &keys, 2, worker), "im:{2}:w:n.0.a1");
    assert_key(im_key_channel_all(&b, &keys, 2), "im:{2}:all");
    assert_key(im_key_conf(&b, &keys), "im:{reg}:conf");
    assert_key(im_key_nodes(&b, &keys), "im:{reg}:nodes");
    assert_key(im_key_record(&b, &keys, worker), "im:{reg}:n:n.0.a1");
    assert_key(im_key_tokens(&b, &keys, im_str_z("n")), "im:{reg}:t:n");
    assert_key(im_key_jobs(&b, &even), "im:{reg}:jobs");
    assert_key(im_key_seen(&b, &even, im_str_z("jobs")), "im:{reg}:s:jobs");
    assert_key(im_key_revoked(&b, &keys), "im:{reg}:revoked");
    assert_key(im_key_queue(&b, &even, 0), "im:{0-117}:q");
    assert_key(im_key_topic(&b, &even, 1, room, IM_KEY_META),
               "im:{1-42}:r:1:m");

    im_buf_cleanup(&b);
}


static void
idem(u_char key[64], const char *topic, const char *id)
{
    im_buf_reset(&b, 4096);
    im_key_idem(&b, &keys, 3, im_str_z(topic), im_str_z(id));

    assert_int_equal(b.len, 9 + 32);
    memcpy(key, b.data, b.len);
}


static void
test_idem(void **state)
{
    u_char  x[64], y[64];

    (void) state;

    im_buf_init(&b, 4096);

    idem(x, "r:1", "abc");
    assert_memory_equal(x, "im:{3}:d:", 9);
    assert_int_equal(strspn((char *) x + 9, "0123456789abcdef") >= 32, 1);

    idem(y, "r:1", "abc");
    assert_memory_equal(x, y, 41);

    idem(y, "r:1", "abd");
    assert_memory_not_equal(x, y, 41);
    idem(y, "r:2", "abc");
    assert_memory_not_equal(x, y, 41);
    idem(y, "r:1a", "bc");
    assert_memory_not_equal(x, y, 41);
    idem(y, "r:1", "");
    assert_memory_not_equal(x, y, 41);

    im_buf_cleanup(&b);
}


static void
test_accounts(void **state)
{
    im_str_t  name = im_str("a{}b");
    im_str_t  user = im_str("u:1");

    (void) state;

    im_buf_init(&b, 256);

    im_key_account(&b, &keys, 7, name);
    test_str(im_buf_str(&b), "im:{7}:a:a{}b");
    im_buf_reset(&b, 256);

    im_key_limit(&b, &keys, 7, 'n', name);
    test_str(im_buf_str(&b), "im:{7}:l:n:a{}b");
    im_buf_reset(&b, 256);

    im_key_topic(&b, &keys, 7, user, IM_KEY_LOGINS);
    test_str(im_buf_str(&b), "im:{7}:u:1:l");
    im_buf_reset(&b, 256);

    im_key_login(&b, name);
    test_str(im_buf_str(&b), "im_a{}b");

    im_buf_cleanup(&b);
}


static void
test_kinds(void **state)
{
    size_t         i;
    uint16_t       p;
    im_str_t       topic;
    im_keys_t      other;
    im_key_kind_e  kind;

    static const struct {
        const char     *key;
        im_key_kind_e   kind;
        uint16_t        p;
        const char     *topic;
    } kinds[] = {
        { "im:{7}:r:1:m", IM_KIND_META, 7, "r:1" },
        { "im:{0}:r:1:h", IM_KIND_HISTORY, 0, "r:1" },
        { "im:{15}:u:1:w", IM_KIND_ROUTES, 15, "u:1" },
        { "im:{4}:b:w", IM_KIND_ROUTES, 4, "b" },
        { "im:{4}:b:m", IM_KIND_META, 4, "b" },
        { "im:{7}:r:1:k:n.0.x", IM_KIND_MEMBERS, 7, "r:1" },
        { "im:{7}:r:1:x:n.0.x", IM_KIND_LEFT, 7, "r:1" },
        { "im:{7}:r:a:m:k:n.0.x", IM_KIND_MEMBERS, 7, "r:a:m" },
        { "im:{7}:r:a:k:b:m", IM_KIND_META, 7, "r:a:k:b" },
        { "im:{7}:r:}:{:w", IM_KIND_ROUTES, 7, "r:}:{" },
        { "im:{7}:u:1:l", IM_KIND_ACCOUNT, 7, "u:1" },
        { "im:{7}:r:1:z", IM_KIND_FOREIGN, 7, NULL },
        { "im:{7}:r:1:y:n.0.x", IM_KIND_FOREIGN, 7, NULL },
        { "im:{7}:r", IM_KIND_FOREIGN, 7, "" },
        { "im:{7}:r:", IM_KIND_FOREIGN, 7, NULL },
        { "im:{7}:k:n.0.x", IM_KIND_FOREIGN, 7, "" },
        { "im:{7}:k:key:w", IM_KIND_ROUTES, 7, "k:key" },
        { "im:{7}:d:0123", IM_KIND_IDEM, 7, "" },
        { "im:{7}:a:ann", IM_KIND_ACCOUNT, 7, "" },
        { "im:{7}:a:r:1:w", IM_KIND_ACCOUNT, 7, "" },
        { "im:{7}:t:0123", IM_KIND_ACCOUNT, 7, "" },
        { "im:{reg}:names", IM_KIND_ACCOUNT, 0, "" },
        { "im:{reg}:t:n", IM_KIND_PROCESS, 0, "" },
        { "im:{7}:l:n:ann", IM_KIND_LIMIT, 7, "" },
        { "im:{7}:q", IM_KIND_QUEUE, 7, "" },
        { "im:{7}:own", IM_KIND_PROCESS, 7, "" },
        { "im:{7}:", IM_KIND_FOREIGN, 7, "" },
        { "im:{reg}:nodes", IM_KIND_PROCESS, 0, "" },
        { "im:{reg}:n:n.0.x", IM_KIND_PROCESS, 0, "" },
        { "im:{7-1}:r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "im:{07}:r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "im:{x}:r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "im:{1024}:r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "im:{7}r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "im:{7", IM_KIND_FOREIGN, 0, "" },
        { "im:{7}", IM_KIND_FOREIGN, 0, "" },
        { "im:{", IM_KIND_FOREIGN, 0, "" },
        { "im:", IM_KIND_FOREIGN, 0, "" },
        { "", IM_KIND_FOREIGN, 0, "" },
        { "im_0123", IM_KIND_ACCOUNT, 0, "" },
        { "chat:{7}:r:1:m", IM_KIND_FOREIGN, 0, "" },
        { "session:1", IM_KIND_FOREIGN, 0, "" }
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        kind = im_key_kind(&keys, im_str_z(kinds[i].key), &p, &topic);

        if (kind != kinds[i].kind) {
            print_error("%s: %s\n", kinds[i].key, im_key_kind_name(kind));
        }

        assert_int_equal(kind, kinds[i].kind);
        assert_int_equal(p, kinds[i].p);

        if (kinds[i].topic != NULL) {
            test_str(topic, kinds[i].topic);
        }
    }

    assert_int_equal(im_key_kind(&even, im_str_z("im:{1-42}:r:1:h"), &p,
                                 &topic), IM_KIND_HISTORY);
    assert_int_equal(p, 1);
    assert_int_equal(im_key_kind(&even, im_str_z("im:{1-43}:r:1:h"), &p,
                                 &topic), IM_KIND_FOREIGN);
    assert_int_equal(im_key_kind(&even, im_str_z("im:{1}:r:1:h"), &p,
                                 &topic), IM_KIND_FOREIGN);

    other = keys;
    other.prefix = im_str_z("c*t:");
    assert_int_equal(im_key_kind(&other, im_str_z("c*t:{1}:r:1:h"), &p,
                                 &topic), IM_KIND_HISTORY);

    im_buf_init(&b, 256);
    other.prefix = im_str_z("c*[\\?t^]:");
    im_key_glob_routes(&b, &other);
    test_str(im_buf_str(&b), "c\\*\\[\\\\\\?t\\^\\]:{*}:*:w");
    im_buf_reset(&b, 256);
    im_key_glob_accounts(&b, &keys);
    test_str(im_buf_str(&b), "im:{*}:a:*");
    im_buf_cleanup(&b);
}


static void
test_limits(void **state)
{
    size_t    max;
    im_str_t  room;

    (void) state;

    room = im_str_z("r:1");

    /* a key that doesn't fit fails whole, wherever the limit is */
    for (max = 0; max < 12; max++) {
        im_buf_init(&b, max);
        im_key_topic(&b, &keys, 7, room, IM_KEY_META);
        assert_true(b.failed);
        im_buf_cleanup(&b);

        im_buf_init(&b, max);
        im_key_idem(&b, &keys, 7, room, room);
        assert_true(b.failed);
        im_buf_cleanup(&b);
    }

    im_buf_init(&b, 12);
    im_key_topic(&b, &keys, 7, room, IM_KEY_META);
    assert_false(b.failed);
    im_buf_cleanup(&b);

    im_buf_init(&b, 4096);
    alloc_fail_at(1);
    im_key_idem(&b, &keys, 7, room, room);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_names),
    alloc_test(test_nodes_and_prefixes),
    alloc_test(test_keys),
    alloc_test(test_idem),
    alloc_test(test_accounts),
    alloc_test(test_kinds),
    alloc_test(test_limits)
};

test_main(tests)
