/*
 * Copyright (C) The im authors
 */

#include "test.h"
#include "im_near.h"


static im_str_t
nearest(const char *name)
{
    size_t     i;
    im_near_t  near;

    static const char  *known[] = { "id", "rooms", "users", "data", "from" };

    im_near_init(&near, im_str_z(name));

    for (i = 0; i < test_count(known); i++) {
        im_near_try(&near, im_str_z(known[i]));
    }

    return near.found;
}


static void
test_near(void **state)
{
    char  name[64];

    (void) state;

    test_str(nearest("room"), "rooms");
    test_str(nearest("roms"), "rooms");
    test_str(nearest("Rooms"), "rooms");
    test_str(nearest("roosm"), "rooms");
    test_str(nearest("user"), "users");
    test_str(nearest("dat"), "data");
    test_str(nearest("date"), "data");
    test_str(nearest("form"), "from");
    test_str(nearest("rooms"), "rooms");

    assert_null(nearest("channel").data);
    assert_null(nearest("usr").data);
    assert_null(nearest("x").data);
    assert_null(nearest("").data);

    memset(name, 'r', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_null(nearest(name).data);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_near)
};

test_main(tests)
