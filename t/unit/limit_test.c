/*
 * Copyright (C) The im authors
 *
 * What counts as one client.
 */

#include "test.h"
#include "im_logic_limit.h"


static void
check(const char *address, const char *subject)
{
    im_buf_t  b;

    im_buf_init(&b, 128);
    im_logic_limit_address(&b, im_str_z(address));
    test_str(im_buf_str(&b), subject);
    im_buf_cleanup(&b);
}


static void
test_address(void **state)
{
    (void) state;

    check("192.0.2.7", "192.0.2.7");
    check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    check("2001:db8:1:2::7", "2001:db8:1:2::");
    check("2001:DB8:1:2::8", "2001:db8:1:2::");
    check("2001:db8:1:3::7", "2001:db8:1:3::");
    check("::ffff:192.0.2.7", "192.0.2.7");
    check("::1", "::");
    check("unix:", "unix:");
    check("", "-");
    check("0123456789012345678901234567890123456789012345678901234567890123",
          "-");
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_address)
};

test_main(tests)
