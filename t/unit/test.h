/*
 * Copyright (C) The im authors
 *
 * What every unit test includes: cmocka and what it wants before it.
 */

#ifndef TEST_H
#define TEST_H


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "im_types.h"
#include "alloc.h"
#include "random.h"


#define test_count(a)  (sizeof(a) / sizeof((a)[0]))

#define test_str(s, z)  assert_true(im_str_eq(s, im_str_z(z)))

/* main() of a test file: its table, TAP out, 0 if all passed. */
#define test_main(tests)                                                      \
    int                                                                       \
    main(void)                                                                \
    {                                                                         \
        cmocka_set_message_output(CM_OUTPUT_TAP);                             \
                                                                              \
        return cmocka_run_group_tests(tests, NULL, NULL);                     \
    }


#endif /* TEST_H */
