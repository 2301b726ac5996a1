/*
 * Copyright (C) The im authors
 *
 * Which settings of a Redis are warned of.
 */

#include "test.h"
#include "im_link_settings.h"


static im_link_settings_t  s;
static char                text[IM_LINK_SETTINGS_TEXT];


static void
config(const char *name, const char *value)
{
    im_link_settings_config(&s, im_str_z(name), im_str_z(value));
}


static void
info(const char *lines)
{
    im_link_settings_info(&s, im_str_z(lines));
}


/* As docs/redis.md has them. */
static void
good(void)
{
    im_link_settings_init(&s);

    config("appendonly", "yes");
    config("appendfsync", "everysec");
    config("no-appendfsync-on-rewrite", "no");
    config("save", "3600 1 300 100");
    config("client-output-buffer-limit", "normal 0 0 0 slave 268435456 "
           "67108864 60 pubsub 268435456 67108864 60");
    config("maxmemory-policy", "noeviction");
    config("repl-backlog-ttl", "0");
    config("timeout", "0");
    info("# Persistence\r\naof_enabled:1\r\n# Memory\r\nused_memory:1000\r\n"
         "maxmemory:0\r\nmem_not_counted_for_evict:0\r\n"
         "connected_slaves:2\r\n");
}


/* Only this one; its text begins so and says the cure. */
static void
warns(im_setting_e warning, const char *begin, const char *cure)
{
    assert_int_equal(im_link_settings_judge(&s), 1u << warning);

    im_link_settings_text(&s, warning, text);

    if (strncmp(text, begin, strlen(begin)) != 0
        || strstr(text, cure) == NULL)
    {
        fail_msg("%s", text);
    }
}


static void
test_good(void **state)
{
    (void) state;

    good();
    assert_int_equal(im_link_settings_judge(&s), 0);

    config("appendfsync", "always");
    config("save", "");
    config("client-output-buffer-limit", "pubsub 0 0 0");
    config("timeout", "300");
    config("unknown", "value");
    info("maxmemory:100000\r\n");
    assert_int_equal(im_link_settings_judge(&s), 0);

    im_link_settings_init(&s);
    assert_int_equal(im_link_settings_judge(&s), 0);

    config("", "");
    config("appendonly", "");
    config("client-output-buffer-limit", "");
    config("client-output-buffer-limit", "pubsub");
    config("client-output-buffer-limit", "pubsub x y z");
    config("timeout", "99999999999999999999999");
    config("repl-backlog-ttl", "-1");
    info("");
    info("\n\n:\n::\r\nused_memory\r\nused_memory:\r\nmaxmemory:x\r\nline");
    assert_int_equal(im_link_settings_judge(&s), 0);
}


/* What Debian's redis.conf leaves as it is. */
static void
test_stock(void **state)
{
    (void) state;

    good();
    config("appendonly", "no");
    config("repl-backlog-ttl", "3600");
    config("client-output-buffer-limit", "normal 0 0 0 slave 268435456 "
           "67108864 60 pubsub 33554432 8388608 60");
    info("aof_enabled:0\r\nconnected_slaves:0\r\n");

    assert_int_equal(im_link_settings_judge(&s),
                     1u << IM_SETTING_APPENDONLY | 1u << IM_SETTING_PUBSUB);
}


static void
test_each(void **state)
{
    (void) state;

    good();
    info("aof_enabled:0\r\n");
    warns(IM_SETTING_APPENDONLY, "redis has \"appendonly no\": started again "
          "before a replica takes over, it and its replicas have lost all "
          "since its last snapshot", "CONFIG SET appendonly yes");
    config("save", "");
    warns(IM_SETTING_APPENDONLY, "redis has \"appendonly no\": started again "
          "before a replica takes over, it is empty, and so are its replicas "
          "then", "CONFIG SET appendonly yes");

    good();
    info("aof_enabled:0\r\nconnected_slaves:0\r\n");
    warns(IM_SETTING_APPENDONLY, "redis has \"appendonly no\": when it ends, "
          "all since its last snapshot is lost", "CONFIG SET appendonly yes");
    config("save", "");
    warns(IM_SETTING_APPENDONLY, "redis has \"appendonly no\": when it ends, "
          "all messages and numbers are lost", "CONFIG SET appendonly yes");
    config("appendfsync", "no");
    config("no-appendfsync-on-rewrite", "yes");
    warns(IM_SETTING_APPENDONLY, "redis has \"appendonly no\"", "redis.conf");

    good();
    config("appendfsync", "no");
    config("no-appendfsync-on-rewrite", "yes");
    warns(IM_SETTING_FSYNC, "redis has \"appendfsync no\"",
          "CONFIG SET appendfsync everysec");

    good();
    config("no-appendfsync-on-rewrite", "yes");
    warns(IM_SETTING_REWRITE, "redis has \"no-appendfsync-on-rewrite yes\"",
          "CONFIG SET no-appendfsync-on-rewrite no");

    good();
    config("client-output-buffer-limit", "pubsub 0 8388608 60");
    warns(IM_SETTING_PUBSUB, "redis has \"client-output-buffer-limit pubsub "
          "0 8388608 60\"",
          "CONFIG SET client-output-buffer-limit \"pubsub 256mb 64mb 60\"");
    config("client-output-buffer-limit", "pubsub 268435455 0 0");
    warns(IM_SETTING_PUBSUB, "redis has", "CONFIG SET");
    config("client-output-buffer-limit", "pubsub 268435456 67108864 10");
    warns(IM_SETTING_PUBSUB, "redis has", "CONFIG SET");

    good();
    config("client-output-buffer-limit", "normal 1048576 0 0");
    warns(IM_SETTING_NORMAL, "redis has \"client-output-buffer-limit normal "
          "1048576 0 0\"",
          "CONFIG SET client-output-buffer-limit \"normal 0 0 0\"");

    good();
    config("maxmemory-policy", "allkeys-lru");
    warns(IM_SETTING_POLICY, "redis has \"maxmemory-policy allkeys-lru\"",
          "CONFIG SET maxmemory-policy noeviction");
    config("maxmemory-policy", "a-policy-with-a-name-that-is-far-too-long");
    warns(IM_SETTING_POLICY, "redis has \"maxmemory-policy a-policy-with",
          "CONFIG SET maxmemory-policy noeviction");

    good();
    config("repl-backlog-ttl", "3600");
    warns(IM_SETTING_BACKLOG, "redis has \"repl-backlog-ttl 3600\"",
          "CONFIG SET repl-backlog-ttl 0");

    good();
    config("timeout", "9");
    warns(IM_SETTING_TIMEOUT, "redis has \"timeout 9\"",
          "CONFIG SET timeout 0");

    good();
    s.hidden = IM_SETTING_YES;
    warns(IM_SETTING_HIDDEN, "redis hides its settings", "CONFIG GET");
}


static void
test_memory(void **state)
{
    (void) state;

    good();
    info("used_memory:94371839\r\nmaxmemory:104857600\r\n");
    assert_int_equal(im_link_settings_judge(&s), 0);

    info("used_memory:94371840\r\n");
    warns(IM_SETTING_NEARLY, "redis uses 90 of 100 MB (maxmemory): pushes will "
          "be refused soon", "CONFIG SET maxmemory");

    info("used_memory:104857600\r\n");
    warns(IM_SETTING_FULL, "redis uses 100 of 100 MB (maxmemory): pushes are "
          "refused", "CONFIG SET maxmemory");

    info("used_memory:104857600\r\nmem_not_counted_for_evict:1\r\n");
    warns(IM_SETTING_NEARLY, "redis uses 99 of 100 MB", "im_job's log");

    info("used_memory:1000\r\nmem_not_counted_for_evict:5000\r\n");
    assert_int_equal(im_link_settings_judge(&s), 0);
}


/* What lets another server take over. */
static void
test_failover(void **state)
{
    (void) state;

    good();
    config("min-replicas-to-write", "1");
    config("cluster-node-timeout", "15000");
    config("cluster-require-full-coverage", "yes");
    assert_int_equal(im_link_settings_judge(&s), 0);

    config("min-replicas-to-write", "2");
    warns(IM_SETTING_MIN_REPLICAS, "redis has \"min-replicas-to-write 2\" and "
          "2 replicas: without one of them it refuses",
          "CONFIG SET min-replicas-to-write 0");

    good();
    config("cluster-enabled", "yes");
    config("cluster-require-full-coverage", "no");
    config("cluster-node-timeout", "5000");
    assert_int_equal(im_link_settings_judge(&s), 0);

    config("cluster-require-full-coverage", "yes");
    warns(IM_SETTING_COVERAGE, "redis has \"cluster-require-full-coverage "
          "yes\"", "CONFIG SET cluster-require-full-coverage no");

    config("cluster-require-full-coverage", "no");
    config("cluster-node-timeout", "15000");
    warns(IM_SETTING_NODE_TIMEOUT, "redis has \"cluster-node-timeout 15000\"",
          "CONFIG SET cluster-node-timeout 5000");

    config("cluster-node-timeout", "5000");
    info("connected_slaves:0\r\n");
    warns(IM_SETTING_ALONE, "redis has no replica", "add a replica");

    config("cluster-enabled", "no");
    assert_int_equal(im_link_settings_judge(&s), 0);

    s.sentinels = 3;
    warns(IM_SETTING_ALONE, "redis has no replica", "add a replica");
    info("connected_slaves:1\r\n");
    s.quorum = 2;
    s.down_after = 5000;
    s.master = im_str_z("im");
    assert_int_equal(im_link_settings_judge(&s), 0);

    s.down_after = 30000;
    warns(IM_SETTING_DOWN_AFTER, "sentinels of \"im\" have "
          "\"down-after-milliseconds 30000\"",
          "SENTINEL SET im down-after-milliseconds 5000");

    s.down_after = 5000;
    s.quorum = 4;
    warns(IM_SETTING_QUORUM, "3 sentinels watch \"im\", and its quorum is 4",
          "SENTINEL SET im quorum 2");

    s.sentinels = 2;
    warns(IM_SETTING_SENTINELS, "2 sentinels watch \"im\": without one of them "
          "no other server takes over", "start 3");
    s.sentinels = 1;
    warns(IM_SETTING_SENTINELS, "1 sentinel watches \"im\": without it",
          "start 3");
}


static void
test_replicas(void **state)
{
    (void) state;

    good();
    info("slave0:ip=::1,port=1,state=online,offset=1,lag=0\r\n"
         "slave1:ip=::1,port=2,state=send_bulk,offset=0,lag=0\r\n"
         "slave_read_only:state=online,\r\nslave:state=online\r\n");
    assert_int_equal(s.online, 1);
    assert_int_equal(im_link_settings_judge(&s), 0);

    s.demanded = 1;
    assert_int_equal(im_link_settings_judge(&s), 0);

    s.demanded = 2;
    warns(IM_SETTING_DURABLE, "redis has 1 of 2 replicas online: pushes with "
          "durability=replica are answered with 503", "--replicas=");

    info("slave1:ip=::1,port=2,state=online,offset=0,lag=0\r\n"
         "slave10:ip=::1,port=2,lag=0,state=online\r\n");
    warns(IM_SETTING_DURABLE, "redis has 3 replicas online, im_logic asks for "
          "2", "give im_logic --replicas=3");
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_good),
    alloc_test(test_stock),
    alloc_test(test_each),
    alloc_test(test_memory),
    alloc_test(test_failover),
    alloc_test(test_replicas)
};

test_main(tests)
