/*
 * Copyright (C) The im authors
 *
 * From a path to a resource and a name, of im_logic.
 */

#include "test.h"
#include "im_logic_path.h"


/* The name that the pattern's "*" stands for; NULL: another resource. */
static void
check(const char *uri, const char *sent, const char *pattern, const char *name)
{
    u_char            memory[256];
    im_int_t          rc;
    im_str_t          found;
    const char       *why;
    im_logic_path_t   path;

    why = NULL;

    rc = im_logic_path_split(&path, im_str_z(uri), im_str_z(sent), memory,
                             &why);

    assert_true(rc != IM_ERROR || why != NULL);

    if (!im_logic_path_match(&path, pattern, &found)
        || (rc != IM_OK && found.len != 0))
    {
        assert_null(name);
        return;
    }

    assert_non_null(name);
    test_str(found, name);
}


/* The same with a prefix that nginx rewrites, and as the HTTP listener's. */
static void
check_all(const char *uri, const char *sent, const char *pattern,
    const char *name)
{
    char  longer[256];

    check(uri, sent, pattern, name);
    check("", sent, pattern, name);

    (void) snprintf(longer, sizeof(longer), "/push/api%s", sent);
    check(uri, longer, pattern, name);

    (void) snprintf(longer, sizeof(longer), "/push/%s", sent + strlen("/im"));
    check(uri, longer, pattern, name);
}


static void
test_exact(void **state)
{
    (void) state;

    check_all("/im/push", "/im/push", "/im/push", "");
    check_all("/im/push", "//im///push", "/im/push", "");
    check_all("/im/push/", "/im/push/", "/im/push", "");
    check_all("/im/push/x", "/im/push/x", "/im/push", NULL);
    check_all("/im", "/im/", "/im/push", NULL);
    check("/im/push", "/im/pu%73h", "/im/push", "");
    check("", "/im%2Fpush", "/im/push", NULL);
    check("", "/", "/im/push", NULL);

    /* a path that is wrong at its end isn't what stands before that */
    check("", "/im/push/..", "/im/push", NULL);
    check("", "/im/push/../x", "/im/push", NULL);
    check("", "/im/push/%2e", "/im/push", NULL);
    check("", "/im/push/%zz", "/im/push", NULL);
    check("", "/im/push/%00", "/im/push", NULL);
    check("", "/im/push/%2F", "/im/push", NULL);
    check("/im/push/..", "/im/push/..", "/im/push", NULL);
    check("/im/push/..", "/im/push", "/im/push", NULL);
    check("/im/push/..", "", "/im/push", NULL);

    /* nginx's own questions: what the client has asked doesn't matter */
    check("/im_connect", "/ws", "/im_connect", "");
    check("/im_connect", "/ws/a%2Fb", "/im_connect", "");
    check("/im_connect", "/ws/../%zz#", "/im_connect", "");
    check("/im_connect", "", "/im_connect", "");
}


static void
test_name(void **state)
{
    static const char  rooms[] = "/im/rooms/*";
    static const char  history[] = "/im/rooms/*/history";

    (void) state;

    check_all("/im/rooms/1", "/im/rooms/1", rooms, "1");
    check_all("/im/rooms/1", "//im//rooms///1", rooms, "1");
    check_all("/im/rooms/1/", "/im/rooms/1/", rooms, "1");
    check_all("/im/rooms/1/history", "/im/rooms/1/history", rooms, NULL);
    check_all("/im/rooms/1/history", "/im/rooms/1/history", history, "1");
    check_all("/im/rooms/1/history", "//im/rooms//1//history", history, "1");
    check_all("/im/rooms/1/history", "/im/rooms/1%2Fhistory", rooms,
              "1/history");
    check_all("/im/rooms/1/history", "/im/rooms/1%2fhistory", history, NULL);
    check_all("/im/rooms/a/b/history", "/im/rooms/a%2Fb/history", history,
              "a/b");
    check_all("/im/rooms/a/b/history", "/im/rooms/a/b/history", history, NULL);
    check_all("/im/rooms/a/b", "/im/rooms/a%2F%2Fb", rooms, "a//b");
    check_all("/im/rooms/a", "/im/rooms/%2Fa", rooms, "/a");
    check_all("/im/rooms/a/", "/im/rooms/a%2F", rooms, "a/");
    check_all("/im/rooms/a%2Fb", "/im/rooms/a%252Fb", rooms, "a%2Fb");
    check_all("/im/rooms/a;b=c+d", "/im/rooms/a;b=c+d", rooms, "a;b=c+d");
    check_all("/im/rooms/a?b", "/im/rooms/a%3Fb", rooms, "a?b");
    check_all("/im/rooms/...", "/im/rooms/...", rooms, "...");
}


static void
test_refused(void **state)
{
    static const char  rooms[] = "/im/rooms/*";

    (void) state;

    check_all("/im/rooms/1", "/im/rooms/x/../1", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/x%2F..%2F1", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/x%2F%2e%2E/1", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/./1", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/%2F/1", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/1#x", rooms, NULL);
    check_all("/im/rooms/%zz", "/im/rooms/%zz", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/1%00", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/1%0Ax", rooms, NULL);
    check_all("/im/rooms/1", "/im/rooms/1%7F", rooms, NULL);
    check("/im/../rooms/1", "/x", rooms, NULL);
}


static void
test_rewritten(void **state)
{
    static const char  rooms[] = "/im/rooms/*";
    static const char  history[] = "/im/rooms/*/history";

    (void) state;

    /* what stands behind the name comes from the server in front */
    check("/im/rooms/1/history", "/h/1", history, "1");
    check("/im/rooms/1/history", "/room-1%2Fhistory", history, NULL);
    check("/im/rooms/1/history", "/room-1%2Fhistory", rooms, NULL);
    check("/im/rooms/a/b/history", "/h/a%2Fb", history, NULL);
    check("/im/rooms/1", "/other/2", rooms, "1");
    check("/im/rooms/1", "/other%2F2", rooms, NULL);

    /* what the client wrote isn't known */
    check("/im/rooms/1", "", rooms, "1");
    check("/im/rooms/1/", "", rooms, NULL);
    check("/im/rooms/1/history", "", rooms, NULL);
    check("/im/rooms/1/history", "", history, NULL);
    check("/im/rooms/history/history", "", history, NULL);
}


static void
test_many(void **state)
{
    char       sent[1 + 3 * (IM_PATH_SEGMENTS + 1)];
    im_uint_t  i;

    (void) state;

    for (i = 0; i <= IM_PATH_SEGMENTS; i++) {
        memcpy(sent + 2 * i, "/a", 3);
    }

    check("", sent, "/a", NULL);
    check(sent, "/a", "/a", NULL);
    check("/im/rooms/1", sent, "/im/rooms/*", NULL);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_exact),
    cmocka_unit_test(test_name),
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_rewritten),
    cmocka_unit_test(test_many)
};

test_main(tests)
