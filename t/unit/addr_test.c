/*
 * Copyright (C) The im authors
 *
 * Addresses, by a table.
 */

#include "test.h"
#include "copy.h"
#include "im_addr.h"


#define UNIX  IM_ADDR_UNIX
#define IPV4  IM_ADDR_IPV4
#define IPV6  IM_ADDR_IPV6
#define NAME  IM_ADDR_NAME
#define ANY   IM_ADDR_ANY

#define B31  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define L63  B31 B31 "b"
#define P107 "/bbbbbbbbbbbbb" B31 B31 B31


/* With 6379 as the default. */
static const struct {
    const char  *text;
    im_addr_e    type;
    const char  *host;
    unsigned     port;
    int          loopback;
} good[] = {
    { "127.0.0.1", IPV4, "127.0.0.1", 6379, 1 },
    { "127.0.0.1:1", IPV4, "127.0.0.1", 1, 1 },
    { "127.255.0.9:65535", IPV4, "127.255.0.9", 65535, 1 },
    { "128.0.0.1:80", IPV4, "128.0.0.1", 80, 0 },
    { "0.0.0.0:80", IPV4, "0.0.0.0", 80, 0 },
    { "[::1]", IPV6, "::1", 6379, 1 },
    { "[::1]:80", IPV6, "::1", 80, 1 },
    { "[0:0:0:0:0:0:0:1]:80", IPV6, "0:0:0:0:0:0:0:1", 80, 1 },
    { "[::ffff:127.0.0.2]:80", IPV6, "::ffff:127.0.0.2", 80, 1 },
    { "[::ffff:10.0.0.2]:80", IPV6, "::ffff:10.0.0.2", 80, 0 },
    { "[::]:80", IPV6, "::", 80, 0 },
    { "[2001:DB8::7f00:1]:80", IPV6, "2001:DB8::7f00:1", 80, 0 },
    { "redis", NAME, "redis", 6379, 0 },
    { "redis:6380", NAME, "redis", 6380, 0 },
    { "my_redis-1:6380", NAME, "my_redis-1", 6380, 0 },
    { "1a.example.com.:6380", NAME, "1a.example.com.", 6380, 0 },
    { "10.example", NAME, "10.example", 6379, 0 },
    { "xn--bcher-kva.example", NAME, "xn--bcher-kva.example", 6379, 0 },
    { L63 "." L63 "." L63 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeef"
      "fffffffffg", NAME, NULL, 6379, 0 },
    { "localhost", NAME, "localhost", 6379, 1 },
    { "LocalHost.:80", NAME, "LocalHost.", 80, 1 },
    { "a.localhost:80", NAME, "a.localhost", 80, 1 },
    { "notlocalhost:80", NAME, "notlocalhost", 80, 0 },
    { "localhost.example:80", NAME, "localhost.example", 80, 0 },
    { "unix:/run/redis.sock", UNIX, "/run/redis.sock", 0, 1 },
    { "UNIX:/run/a b:c@d", UNIX, "/run/a b:c@d", 0, 1 },
    { "unix:" P107, UNIX, P107, 0, 1 },
};


static const struct {
    const char  *text;
    const char  *why;
} bad[] = {
    { "", "is empty" },
    { ":", "no host" }, { ":6379", "no host" }, { "*", "no host" },
    { "*:6379", "no host" },
    { "6379", "a port without a host" }, { "0", "no IPv4" },
    { "65536", "no IPv4" }, { "06379", "no IPv4" },
    { "h:", "valid port" }, { "h:0", "valid port" }, { "h:00", "valid port" },
    { "h:65536", "valid port" }, { "h:99999", "valid port" },
    { "h:70000", "valid port" }, { "h:100000", "valid port" },
    { "h:22222222", "valid port" }, { "h:4294973675", "valid port" },
    { "h:18446744073709557995", "valid port" }, { "h:06379", "valid port" },
    { "h:+6379", "valid port" }, { "h:-1", "valid port" },
    { "h: 6379", "valid port" }, { "h:6379 ", "valid port" },
    { "h:0x18eb", "valid port" }, { "h:redis", "valid port" },
    { "h:63.79", "valid port" }, { "h:6379k", "valid port" },
    { "[::1]:", "valid port" }, { "[::1]6379", "valid port" },
    { "[::1]:0", "valid port" }, { "[::1]:70000", "valid port" },
    { "[::1]]", "valid port" },
    { "::1", "without brackets" }, { "::", "without brackets" },
    { "2001:db8::1", "without brackets" },
    { "::1:6379", "without brackets" }, { "fe80::1%eth0", "more than one" },
    { "a:b:c", "more than one" }, { "127.0.0.1:80:80", "more than one" },
    { "bad::port", "more than one" },
    { "[", "no \"]\"" }, { "[::1", "no \"]\"" }, { "[]", "no IPv6" },
    { "[]:80", "no IPv6" }, { "[127.0.0.1]:80", "no IPv6" },
    { "[localhost]:80", "no IPv6" }, { "[::g]:80", "no IPv6" },
    { "[1::2::3]:80", "no IPv6" }, { "[ ::1]:80", "no IPv6" },
    { "[*]:80", "no IPv6" }, { "[fe80::1%eth0]:80", "a zone" },
    { "[00000000000000000000000000000000000000000000000001]", "no IPv6" },
    { "256.0.0.1", "no IPv4" }, { "1.2.3", "no IPv4" },
    { "1.2.3.4.5", "no IPv4" }, { "127.0.0.01", "no IPv4" },
    { "127.1", "no IPv4" }, { "0x7f000001", "no IPv4" },
    { "127.0.0.0x1:80", "no IPv4" }, { "127.0.0.1.:80", "no IPv4" },
    { "a.1", "no IPv4" }, { "2130706433:80", "no IPv4" },
    { ".", "no host name" }, { "a..b", "no host name" },
    { ".a", "no host name" }, { "a..", "no host name" },
    { "-a", "no host name" }, { "a-", "no host name" },
    { "a-.b", "no host name" }, { "a.-b", "no host name" },
    { "a b", "no host name" }, { " a", "no host name" },
    { "a ", "no host name" }, { "a\tb", "no host name" },
    { "b\xc3\xbc" "cher", "no host name" }, { "a,b", "no host name" },
    { "u@h", "no host name" }, { "*.a", "no host name" },
    { "\"h\"", "no host name" }, { "h;", "no host name" },
    { L63 "a", "no host name" },
    { L63 "." L63 "." L63 "." L63, "no host name" },
    { "redis://h:6379", "a URL" }, { "http://h", "a URL" },
    { "tcp://127.0.0.1:6379", "a URL" },
    { "/run/redis.sock", "no host" }, { "h/0", "no host" },
    { "./redis.sock", "no host" }, { "h:6379/0", "valid port" },
    { "unix:", "no path" }, { "unix:redis.sock", "current directory" },
    { "unix:./redis.sock", "current directory" },
    { "unix:@redis", "abstract" }, { "unix:/run/", "not one of a file" },
    { "unix:/", "not one of a file" }, { "unix:" P107 "b", "too long" },
};


static const char *
parse(im_addr_t *addr, const char *text, im_addr_use_e use, unsigned port,
    im_str_t *copy)
{
    *copy = copy_of(im_str_z(text));

    return im_addr_parse(addr, *copy, use, port);
}


static void
test_good(void **state)
{
    size_t       i;
    im_str_t     copy;
    im_addr_t    addr;
    const char  *why;

    (void) state;

    for (i = 0; i < test_count(good); i++) {
        why = parse(&addr, good[i].text, IM_ADDR_CONNECT, 6379, &copy);

        if (why != NULL || addr.type != good[i].type
            || addr.port != good[i].port
            || im_addr_loopback(&addr) != good[i].loopback)
        {
            print_message("# %s: %s\n", good[i].text, why);
            fail();
        }

        test_str(addr.host, good[i].host != NULL ? good[i].host
                                                 : good[i].text);
        free(copy.data);
    }
}


static void
test_bad(void **state)
{
    size_t       i;
    im_str_t     copy;
    im_addr_t    addr;
    const char  *why;

    (void) state;

    for (i = 0; i < test_count(bad); i++) {
        why = parse(&addr, bad[i].text, IM_ADDR_CONNECT, 6379, &copy);

        if (why == NULL || strstr(why, bad[i].why) == NULL) {
            print_message("# \"%s\": %s\n", bad[i].text, why);
            fail();
        }

        free(copy.data);
    }
}


/* All addresses, and ports that must be written. */
static void
test_listen(void **state)
{
    im_str_t     copy;
    im_addr_t    addr;
    const char  *why;

    (void) state;

    assert_null(parse(&addr, "*:8080", IM_ADDR_LISTEN, 0, &copy));
    assert_int_equal(addr.type, IM_ADDR_ANY);
    assert_int_equal(addr.port, 8080);
    assert_false(im_addr_loopback(&addr));
    free(copy.data);

    assert_null(parse(&addr, "*", IM_ADDR_LISTEN, 80, &copy));
    assert_int_equal(addr.port, 80);
    free(copy.data);

    why = parse(&addr, "127.0.0.1", IM_ADDR_LISTEN, 0, &copy);
    assert_non_null(strstr(why, "has no port"));
    free(copy.data);

    why = parse(&addr, ":80", IM_ADDR_LISTEN, 0, &copy);
    assert_non_null(strstr(why, "*:PORT"));
    free(copy.data);
}


static void
test_bytes(void **state)
{
    im_str_t             copy;
    im_addr_t            addr;
    static const u_char  v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 0x10 };

    (void) state;

    assert_null(parse(&addr, "10.1.2.255", IM_ADDR_CONNECT, 1, &copy));
    assert_memory_equal(addr.ip, "\x0a\x01\x02\xff\0\0\0\0", 8);
    free(copy.data);

    assert_null(parse(&addr, "[2001:db8::10]", IM_ADDR_CONNECT, 1, &copy));
    assert_memory_equal(addr.ip, v6, 16);
    free(copy.data);

    copy = copy_of(im_str_set("unix:/a\0b", 9));
    assert_non_null(im_addr_parse(&addr, copy, IM_ADDR_CONNECT, 1));
    free(copy.data);

    copy = copy_of(im_str_set("10.1.2.3\0", 9));
    assert_non_null(im_addr_parse(&addr, copy, IM_ADDR_CONNECT, 1));
    free(copy.data);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_good),
    alloc_test(test_bad),
    alloc_test(test_listen),
    alloc_test(test_bytes)
};

test_main(tests)
