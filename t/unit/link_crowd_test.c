/*
 * Copyright (C) The im authors
 *
 * How many processes run or wait for a CPU.
 */

#include "test.h"
#include "im_link_crowd.h"


static void
test_parse(void **state)
{
    size_t       i;
    static const char *const  bad[] = {
        "", " ", "1", "0.1 0.2 0.3", "0.1 0.2 0.3 ", "0.1 0.2 0.3 4",
        "0.1 0.2 0.3 /5", "0.1 0.2 0.3 -4/5", "0.1 0.2 0.3 x/5",
        "0.1 0.2  0.3 4/5", "0.1 0.2 0.3 99999999999999999999/5"
    };

    (void) state;

    assert_int_equal(im_link_crowd_parse(im_str_z("0.20 0.18 0.12 1/80 1\n")),
                     1);
    assert_int_equal(im_link_crowd_parse(im_str_z("99.20 1.18 0.12 112/241 7")),
                     112);
    assert_int_equal(im_link_crowd_parse(im_str_z("0 0 0 5000000000/5")),
                     UINT32_MAX);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(im_link_crowd_parse(im_str_z(bad[i])), 0);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_parse)
};


test_main(tests)
