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
static char              logged[1024];


int
im_link_ready(const im_link_t *link, im_uint_t partition)
{
    (void) link;
    (void) partition;

    return ready;
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
    strncat(logged, text, 25);
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

    im_link_watch_ready(watch);
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


static void
test_no_memory(void **state)
{
    (void) state;

    alloc_fail_at(1);
    assert_null(im_link_watch_create(NULL, warned, NULL));
    alloc_fail_at(0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_rounds),
    alloc_test(test_values),
    alloc_test(test_hidden),
    alloc_test(test_lost),
    alloc_test(test_no_memory)
};

test_main(tests)
