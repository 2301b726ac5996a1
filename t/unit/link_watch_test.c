/*
 * Copyright (C) The im authors
 *
 * When the settings of Redis are read, and what the log gets.
 */

#include "test.h"
#include "link_fake.h"
#include "im_link_watch.h"


#define STOCK  "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"                      \
               "$7\r\ntimeout\r\n$1\r\n0\r\n"
#define FINE   "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n"
#define EMPTY  "$0\r\n\r\n"


static im_link_watch_t  *watch;
static int               ready;
static im_uint_t         servers;
static im_link_sentinels_t  sentinels;
static size_t            width;           /* of a line in logged */
static char              logged[4096];


im_uint_t
im_link_servers(const im_link_t *link)
{
    (void) link;

    return servers;
}


im_int_t
im_link_send_to(im_link_t *link, im_uint_t server, im_link_reply_pt handler,
    void *data)
{
    (void) server;

    return ready ? im_link_send(link, handler, data) : IM_ERROR;
}


void
im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info)
{
    static const char  *names[] = { "a:1", "b:2", "c:3", "d:4", "e:5", "f:6" };

    (void) link;

    info->name = im_str_z(names[server]);
}


const im_link_sentinels_t *
im_link_sentinels(const im_link_t *link)
{
    (void) link;

    return sentinels.watching > 0 ? &sentinels : NULL;
}


im_link_call_t *
im_link_command(im_link_t *link, const char *words)
{
    static im_script_t  plain;

    (void) link;

    im_link_call_start(&call, words);

    plain.name = words;
    call.script = &plain;

    return &call;
}


static void
warned(void *data, const char *text, int warning)
{
    assert_null(data);

    strcat(logged, warning ? "! " : "- ");
    strncat(logged, text, width);
    strcat(logged, "\n");
}


/* A round; what the log got. */
static const char *
asked(uint64_t now, const char *memory, const char *config)
{
    logged[0] = '\0';

    im_link_watch_tick(watch, now);
    assert_int_equal(nout, 4);
    im_link_watch_tick(watch, now);
    assert_int_equal(nout, 4);

    answer(EMPTY);
    answer(memory);
    answer(EMPTY);
    answer(config);

    return logged;
}


static void
start(void)
{
    fake_start();

    ready = 1;
    servers = 1;
    width = 25;
    memset(&sentinels, 0, sizeof(sentinels));
    watch = im_link_watch_create(NULL, warned, NULL);
    assert_non_null(watch);
}


static void
end(void)
{
    im_link_watch_destroy(watch);
    fake_end();
}


static void
test_rounds(void **state)
{
    (void) state;

    start();

    ready = 0;
    im_link_watch_tick(watch, 1000);
    assert_int_equal(nout, 0);
    ready = 1;

    assert_string_equal(asked(1000, EMPTY, STOCK),
                        "! redis has \"appendonly no\"\n");
    assert_int_equal(im_link_watch_warnings(watch),
                     1u << IM_SETTING_APPENDONLY);

    im_link_watch_tick(watch, 10999);
    assert_int_equal(nout, 0);

    assert_string_equal(asked(11000, EMPTY, STOCK), "");
    assert_int_equal(im_link_watch_warnings(watch),
                     1u << IM_SETTING_APPENDONLY);

    im_link_watch_ready(watch, 0);
    assert_string_equal(asked(11000, EMPTY, STOCK),
                        "! redis has \"appendonly no\"\n");

    assert_string_equal(asked(21000, EMPTY, FINE),
                        "- redis' settings are as th\n");
    assert_string_equal(asked(31000, EMPTY, FINE), "");
    assert_string_equal(asked(41000, EMPTY, STOCK),
                        "! redis has \"appendonly no\"\n");

    end();
}


static void
test_values(void **state)
{
    (void) state;

    start();

    assert_string_equal(asked(1000, EMPTY,
                              "*2\r\n$7\r\ntimeout\r\n$1\r\n3\r\n"),
                        "! redis has \"timeout 3\": it\n");
    assert_string_equal(asked(11000, EMPTY,
                              "*2\r\n$7\r\ntimeout\r\n$1\r\n4\r\n"),
                        "! redis has \"timeout 4\": it\n");

    /* memory changes with each round */

    assert_string_equal(asked(21000, "$34\r\nused_memory:2000000\r\n"
                              "maxmemory:9\r\n\r\n", FINE),
                        "! redis uses 1 of 0 MB (max\n");
    assert_string_equal(asked(31000, "$34\r\nused_memory:3000000\r\n"
                              "maxmemory:9\r\n\r\n", FINE), "");
    assert_int_equal(im_link_watch_settings(watch)->used, 3000000);

    end();
}


static void
test_hidden(void **state)
{
    (void) state;

    start();

    assert_string_equal(asked(1000, EMPTY, "-NOPERM\r\n"),
                        "- redis hides its settings \n");
    assert_string_equal(asked(11000, EMPTY, "-NOPERM\r\n"), "");
    assert_string_equal(asked(21000, "-ERR\r\n", FINE), "");
    assert_int_equal(im_link_watch_warnings(watch), 0);

    end();
}


static void
test_lost(void **state)
{
    (void) state;

    start();

    assert_string_equal(asked(1000, EMPTY, STOCK),
                        "! redis has \"appendonly no\"\n");
    assert_string_equal(asked(11000, NULL, NULL), "");
    assert_string_equal(asked(21000, NULL, FINE), "");
    assert_int_equal(im_link_watch_warnings(watch),
                     1u << IM_SETTING_APPENDONLY);

    refuse = 1;
    im_link_watch_tick(watch, 31000);
    refuse = 0;
    assert_string_equal(asked(41000, EMPTY, FINE),
                        "- redis' settings are as th\n");

    end();
}


/* One server answers a round that is out. */
static void
answers(const char *config)
{
    answer(EMPTY);
    answer(EMPTY);
    answer("$20\r\nconnected_slaves:1\r\n\r\n");
    answer(config);
}


#define DIFFERENT  "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"             \
                   "$4\r\nsave\r\n$0\r\n\r\n"

/* Servers with the same warning share a line. */
static void
test_servers(void **state)
{
    im_uint_t  i;
    char       text[IM_LINK_WATCH_TEXT];

    (void) state;

    start();

    servers = 2;
    width = 60;
    logged[0] = '\0';
    im_link_watch_tick(watch, 1000);
    assert_int_equal(nout, 8);
    answers(STOCK);
    assert_string_equal(logged, "");
    answers(STOCK);
    assert_string_equal(logged, "! redis at \"a:1\", \"b:2\" has "
                        "\"appendonly no\": started again bef\n");
    assert_int_equal(im_link_watch_warnings(watch),
                     1u << IM_SETTING_APPENDONLY);
    assert_int_equal(im_link_watch_text(watch, 0, text), 1);
    assert_int_equal(im_link_watch_text(watch, 1, text), 0);

    /* a third one, and its own words */

    servers = 3;
    logged[0] = '\0';
    im_link_watch_ready(watch, 2);
    im_link_watch_tick(watch, 2000);
    assert_int_equal(nout, 4);
    answers(DIFFERENT);
    assert_string_equal(logged, "! redis at \"c:3\" has \"appendonly no\": "
                        "started again before a r\n");
    assert_int_equal(im_link_watch_text(watch, 1, text), 1);
    assert_int_equal(im_link_watch_text(watch, 2, text), 0);

    /* one that goes takes its warning with it; one is replaced */

    servers = 2;
    assert_int_equal(im_link_watch_text(watch, 1, text), 0);
    logged[0] = '\0';
    im_link_watch_ready(watch, 1);
    im_link_watch_tick(watch, 2001);
    answers(FINE);
    assert_string_equal(logged, "");
    assert_int_equal(im_link_watch_text(watch, 0, text), 1);
    assert_non_null(strstr(text, "redis at \"a:1\" has"));

    servers = 6;
    im_link_watch_tick(watch, 20000);
    logged[0] = '\0';

    for (i = 0; i < 6; i++) {
        if (nout == 0) {
            im_link_watch_tick(watch, 20001 + i);
        }

        answers(STOCK);
    }

    assert_non_null(strstr(logged, "\"d:4\" and 2 more has"));

    end();
}


static void
test_sentinels(void **state)
{
    (void) state;

    start();

    width = 90;
    sentinels.watching = 2;
    sentinels.quorum = 2;
    sentinels.down_after = 30000;
    sentinels.master = im_str_z("im");

    logged[0] = '\0';
    im_link_watch_tick(watch, 1000);
    answers(STOCK);
    assert_string_equal(logged,
        "! redis at \"a:1\" has \"appendonly no\": started again before a "
        "replica takes over, it and its \n"
        "! sentinels of \"im\" have \"down-after-milliseconds 30000\": for so "
        "long nothing is accepted wh\n"
        "! 2 sentinels watch \"im\": without one of them no other server takes "
        "over; start 3 on machine\n");

    end();
}


static void
test_no_memory(void **state)
{
    (void) state;

    alloc_fail_at(1);
    assert_null(im_link_watch_create(NULL, warned, NULL));
    alloc_fail_at(0);

    start();
    alloc_fail_at(1);
    im_link_watch_tick(watch, 1000);
    alloc_fail_at(2);
    im_link_watch_tick(watch, 1000);
    alloc_fail_at(0);
    assert_int_equal(nout, 0);
    asked(1000, EMPTY, FINE);
    end();
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_rounds),
    alloc_test(test_values),
    alloc_test(test_hidden),
    alloc_test(test_lost),
    alloc_test(test_servers),
    alloc_test(test_sentinels),
    alloc_test(test_no_memory)
};

test_main(tests)
