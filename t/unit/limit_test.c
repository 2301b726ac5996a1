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
    check("192.0.2.7:1234", "192.0.2.7");
    check("[2001:db8:1:2::7]:1234", "2001:db8:1:2::");
    check("[2001:db8:1:2::7]", "2001:db8:1:2::");
    check("[::ffff:192.0.2.7]:1", "192.0.2.7");
    check("2001:db8:1:2::7%eth0", "2001:db8:1:2::");
    check("[2001:db8", "[2001:db8");
    check("", "-");
    check("0123456789012345678901234567890123456789012345678901234567890123",
          "-");
}


static void
check_network(const char *address, const char *subject)
{
    im_buf_t  b;

    im_buf_init(&b, 128);
    im_buf_add_z(&b, "a.b:");
    im_logic_limit_network(&b, im_str_z(address));
    test_str(im_buf_str(&b), subject);
    im_buf_cleanup(&b);
}


static void
test_network(void **state)
{
    (void) state;

    check_network("192.0.2.7", "a.b:192.0.2.0/24");
    check_network("192.0.2.255", "a.b:192.0.2.0/24");
    check_network("::ffff:192.0.2.7", "a.b:192.0.2.0/24");
    check_network("192.0.2.7:1234", "a.b:192.0.2.0/24");
    check_network("2001:db8:1:2:3:4:5:6", "a.b:2001:db8:1:2::");
    check_network("::1", "a.b:::");
    check_network("unix:", "a.b:unix:");
    check_network("", "a.b:-");
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_address),
    cmocka_unit_test(test_network)
};

test_main(tests)
