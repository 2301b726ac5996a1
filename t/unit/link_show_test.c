/*
 * Copyright (C) The im authors
 *
 * How a program sees Redis, as JSON.
 */

#include "test.h"
#include "im_link_show.h"


#define NOW  100000


static im_link_server_info_t  infos[IM_LINK_SHOWN + 8];
static im_uint_t              nservers;
static im_uint_t              unserved;
static im_link_sentinels_t   *sentinels;
static im_link_show_e         what;


im_uint_t
im_link_servers(const im_link_t *link)
{
    (void) link;

    return nservers;
}


void
im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info)
{
    (void) link;

    *info = infos[server];
}


im_uint_t
im_link_unserved(const im_link_t *link)
{
    (void) link;

    return unserved;
}


const im_link_sentinels_t *
im_link_sentinels(const im_link_t *link)
{
    (void) link;

    return sentinels;
}


static void
server(const char *name, im_link_server_e state, im_uint_t slots,
    const char *why)
{
    im_link_server_info_t  *info;

    info = &infos[nservers++];
    memset(info, 0, sizeof(im_link_server_info_t));

    info->state = state;
    info->role = state == IM_LINK_SERVER_READY ? IM_LINK_ROLE_MASTER
                                               : IM_LINK_ROLE_UNKNOWN;
    info->slots = slots;
    info->since = NOW - 12345;
    info->name = im_str_z(name);
    info->address = im_str_z("");
    info->generation = im_str_z(state == IM_LINK_SERVER_READY ? "0123abcd"
                                                              : "");
    info->why = why;
}


static int
begin(void **state)
{
    (void) state;

    nservers = 0;
    unserved = 0;
    sentinels = NULL;
    what = IM_LINK_SHOW_ALL;

    return 0;
}


static void
shown(im_link_kind_e kind, int tls, const char *json)
{
    im_buf_t        b;
    im_link_conf_t  conf;

    memset(&conf, 0, sizeof(im_link_conf_t));
    conf.kind = kind;
    conf.tls = tls ? (void *) &conf : NULL;

    im_buf_init(&b, IM_LINK_SHOW_MAX);
    im_link_show(&b, NULL, &conf, NOW, what);
    im_buf_add(&b, "", 1);

    assert_false(b.failed);
    assert_string_equal((char *) b.data, json);
    im_buf_cleanup(&b);
}


static void
reasons(const char *json)
{
    im_buf_t  b;

    im_buf_init(&b, IM_LINK_SHOW_MAX);
    im_link_show_reasons(&b, NULL, what);
    im_buf_add(&b, "", 1);

    assert_false(b.failed);
    assert_string_equal((char *) b.data, json);
    im_buf_cleanup(&b);
}


static void
one_test(void **state)
{
    (void) state;

    server("unix:/a\"b", IM_LINK_SERVER_READY, IM_LINK_SLOTS, "");
    infos[0].replicas = 2;

    shown(IM_LINK_ONE, 1, "{\"kind\":\"one\",\"tls\":true,\"unserved\":0,"
          "\"servers\":[{\"name\":\"unix:/a\\\"b\",\"state\":\"ready\","
          "\"seconds\":12,\"role\":\"master\",\"slots\":16384,\"replicas\":2,"
          "\"generation\":\"0123abcd\"}]}");
    reasons("[]");
}


static void
sentinel_test(void **state)
{
    im_link_sentinels_t  s = { im_str("mymaster"), 3, 2, 3, 7, 2, 1, 1000 };

    (void) state;

    sentinels = &s;
    unserved = IM_LINK_SLOTS;
    server("redis.example.com:6379", IM_LINK_SERVER_AWAY, IM_LINK_SLOTS,
           "Connection refused");
    infos[0].address = im_str_z("192.0.2.1:6379");
    infos[0].since = NOW + 1;

    shown(IM_LINK_SENTINEL, 0, "{\"kind\":\"sentinel\",\"tls\":false,"
          "\"unserved\":16384,\"servers\":["
          "{\"name\":\"redis.example.com:6379\","
          "\"address\":\"192.0.2.1:6379\",\"state\":\"away\",\"seconds\":0,"
          "\"role\":\"unknown\",\"slots\":16384,\"replicas\":0,"
          "\"generation\":\"\",\"why\":\"Connection refused\"}],"
          "\"sentinels\":{\"master\":\"mymaster\",\"configured\":3,"
          "\"answering\":2,\"watching\":3,\"quorum\":2,\"epoch\":7,"
          "\"replicas\":1}}");
    reasons("[\"16384 slots: Redis at \\\"redis.example.com:6379\\\" is away: "
            "Connection refused\"]");
}


/* Strangers read states and numbers: no name, address, generation or cause. */
static void
states_test(void **state)
{
    im_link_sentinels_t  s = { im_str("mymaster"), 3, 2, 3, 7, 2, 1, 1000 };

    (void) state;

    what = IM_LINK_SHOW_STATES;
    sentinels = &s;
    unserved = IM_LINK_SLOTS;
    server("redis.example.com:6379", IM_LINK_SERVER_AWAY, IM_LINK_SLOTS,
           "Connection refused");
    infos[0].address = im_str_z("192.0.2.1:6379");
    infos[0].generation = im_str_z("0123abcd");

    shown(IM_LINK_SENTINEL, 0, "{\"kind\":\"sentinel\",\"tls\":false,"
          "\"unserved\":16384,\"servers\":[{\"state\":\"away\","
          "\"seconds\":12,\"role\":\"unknown\",\"slots\":16384,"
          "\"replicas\":0}],\"sentinels\":{\"configured\":3,"
          "\"answering\":2,\"watching\":3,\"quorum\":2,\"epoch\":7,"
          "\"replicas\":1}}");
    reasons("[\"16384 slots: Redis is away\"]");
}


/* Servers that are away are in front; slots without a server are a reason. */
static void
cluster_test(void **state)
{
    (void) state;

    server("a:1", IM_LINK_SERVER_READY, 10000, "");
    server("b:1", IM_LINK_SERVER_DOUBTED, 6382, "");
    server("c:1", IM_LINK_SERVER_AWAY, 1, "gone");
    unserved = 2;

    shown(IM_LINK_CLUSTER, 0, "{\"kind\":\"cluster\",\"tls\":false,"
          "\"unserved\":2,\"servers\":["
          "{\"name\":\"b:1\",\"state\":\"doubted\",\"seconds\":12,"
          "\"role\":\"unknown\",\"slots\":6382,\"replicas\":0,"
          "\"generation\":\"\"},"
          "{\"name\":\"c:1\",\"state\":\"away\",\"seconds\":12,"
          "\"role\":\"unknown\",\"slots\":1,\"replicas\":0,"
          "\"generation\":\"\",\"why\":\"gone\"},"
          "{\"name\":\"a:1\",\"state\":\"ready\",\"seconds\":12,"
          "\"role\":\"master\",\"slots\":10000,\"replicas\":0,"
          "\"generation\":\"0123abcd\"}]}");
    reasons("[\"1 slot: Redis at \\\"c:1\\\" is away: gone\","
            "\"1 slot has no master\"]");

    unserved = 3;
    reasons("[\"1 slot: Redis at \\\"c:1\\\" is away: gone\","
            "\"2 slots have no master\"]");

    nservers = 0;
    unserved = IM_LINK_SLOTS;
    reasons("[\"16384 slots have no master\"]");
}


/* The longest names and reasons, of more servers than are shown. */
static void
bounds_test(void **state)
{
    char            name[300], why[200];
    im_buf_t        b;
    im_uint_t       i;
    im_link_conf_t  conf;

    (void) state;

    memset(&conf, 0, sizeof(im_link_conf_t));
    memset(name, 1, sizeof(name) - 1);
    memset(why, 1, sizeof(why) - 1);
    name[sizeof(name) - 1] = '\0';
    why[sizeof(why) - 1] = '\0';

    for (i = 0; i < IM_LINK_SHOWN + 8; i++) {
        server(name, IM_LINK_SERVER_AWAY, 1, why);
    }

    unserved = IM_LINK_SLOTS;

    im_buf_init(&b, IM_LINK_SHOW_MAX);
    im_link_show(&b, NULL, &conf, NOW, IM_LINK_SHOW_ALL);
    assert_false(b.failed);
    im_buf_cleanup(&b);

    im_buf_init(&b, IM_LINK_SHOW_MAX);
    im_link_show_reasons(&b, NULL, IM_LINK_SHOW_ALL);
    assert_false(b.failed);
    im_buf_cleanup(&b);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test_setup(one_test, begin),
    cmocka_unit_test_setup(sentinel_test, begin),
    cmocka_unit_test_setup(states_test, begin),
    cmocka_unit_test_setup(cluster_test, begin),
    cmocka_unit_test_setup(bounds_test, begin)
};

test_main(tests)
