/*
 * Copyright (C) The im authors
 *
 * Overrides of a subscription.
 */

#include "test.h"
#include "copy.h"
#include "im_override.h"


static void
test_decode(void **state)
{
    size_t         i;
    im_override_t  o;

    static const struct {
        const char  *json;
        uint8_t      on;
        uint8_t      off;
    } good[] = {
        { "", 0, 0 },
        { "{}", 0, 0 },
        { "{\"other\":1,\"presence\":{\"value\":true}}",
          IM_OVERRIDE_PRESENCE, 0 },
        { "{\"presence\":{\"value\":false},\"join_leave\":{}}",
          0, IM_OVERRIDE_PRESENCE|IM_OVERRIDE_JOIN_LEAVE },
        { "{\"force_push_join_leave\":{\"value\":true},"
          "\"force_recovery\":{\"value\":false},"
          "\"force_positioning\":{\"value\":false,\"x\":[]}}",
          IM_OVERRIDE_PUSH_JOINS,
          IM_OVERRIDE_RECOVERY|IM_OVERRIDE_POSITIONING }
    };

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        assert_int_equal(im_override_decode(im_str_z(good[i].json), &o),
                         IM_OK);
        assert_int_equal(o.on, good[i].on);
        assert_int_equal(o.off, good[i].off);
    }
}


static void
test_bad(void **state)
{
    size_t         i;
    im_str_t       s;
    im_override_t  o;

    static const char *const  bad[] = {
        "1", "[]", "null", "{\"presence\":true}", "{\"presence\":[]}",
        "{\"presence\":{\"value\":1}}", "{\"presence\":{\"value\":\"true\"}}",
        "{\"presence\":{\"value\":true}"
    };

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        s = copy_of(im_str_z(bad[i]));
        assert_int_equal(im_override_decode(s, &o), IM_DECLINED);
        free(s.data);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_decode),
    alloc_test(test_bad)
};

test_main(tests)
