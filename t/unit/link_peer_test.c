/*
 * Copyright (C) The im authors
 *
 * The addresses of a server, with a resolver of the test's own.
 */

#include "test.h"
#include "names.h"
#include "im_link_peer.h"


static im_link_peer_t  peer;


static int
setup(void **state)
{
    names_addresses = "127.0.0.1";
    names_rc = 0;
    names_hang = 0;
    names_lookups = 0;

    return alloc_setup(state);
}


static int
teardown(void **state)
{
    im_link_peer_cleanup(&peer);

    return alloc_teardown(state);
}


static void
init(const char *text)
{
    im_addr_t  addr;

    assert_null(im_addr_parse(&addr, im_str_z(text), IM_ADDR_CONNECT, 6379));
    im_link_peer_init(&peer, &addr);
}


/* Waits for the thread. */
static im_int_t
next(const char **why)
{
    im_int_t  rc;

    while ((rc = im_link_peer_next(&peer, why)) == IM_AGAIN) {
        (void) usleep(1000);
    }

    return rc;
}


static void
leads(const char *wanted)
{
    char         text[IM_LINK_PEER_TEXT];
    const char  *why;

    assert_int_equal(next(&why), IM_OK);
    assert_string_equal(im_link_peer_text(&peer, text), wanted);
}


static void
fails(const char *wanted)
{
    char         text[IM_LINK_PEER_TEXT];
    const char  *why;

    assert_int_equal(next(&why), IM_ERROR);
    assert_string_equal(why, wanted);
    assert_string_equal(im_link_peer_text(&peer, text), "");
}


/* Nothing is looked up, and there is always one. */
static void
test_known(void **state)
{
    const char               *why;
    const im_link_address_t  *to;

    (void) state;

    init("[::1]:7");
    assert_int_equal(im_link_peer_next(&peer, &why), IM_OK);
    to = im_link_peer_current(&peer);
    assert_int_equal(to->sockaddr.ss_family, AF_INET6);
    assert_int_equal(to->len, sizeof(struct sockaddr_in6));

    init("unix:/run/redis.sock");
    assert_int_equal(im_link_peer_next(&peer, &why), IM_OK);
    assert_int_equal(im_link_peer_current(&peer)->sockaddr.ss_family, AF_UNIX);

    init("10.0.0.1");
    im_link_peer_good(&peer);
    assert_int_equal(im_link_peer_next(&peer, &why), IM_OK);
    assert_int_equal(im_link_peer_next(&peer, &why), IM_OK);
    to = im_link_peer_current(&peer);
    assert_int_equal(to->sockaddr.ss_family, AF_INET);
    assert_int_equal(((const struct sockaddr_in *) &to->sockaddr)->sin_port,
                     htons(6379));

    assert_false(im_link_peer_more(&peer));
    assert_int_equal(names_lookups, 0);
}


static void
test_turns(void **state)
{
    (void) state;

    names_addresses = "::1 127.0.0.1 127.0.0.2";
    init("redis");

    leads("::1");
    assert_true(im_link_peer_more(&peer));
    leads("127.0.0.1");
    leads("127.0.0.2");
    assert_false(im_link_peer_more(&peer));
    assert_int_equal(names_lookups, 1);

    /* then anew */

    names_addresses = "127.0.0.3";
    leads("127.0.0.3");
    assert_int_equal(names_lookups, 2);

    /* and so behind a good one, whatever else there was */

    names_addresses = "127.0.0.4 127.0.0.5";
    leads("127.0.0.4");
    im_link_peer_good(&peer);
    names_addresses = "127.0.0.6";
    leads("127.0.0.6");
}


static void
test_fails(void **state)
{
    (void) state;

    init("redis");

    names_rc = EAI_AGAIN;
    fails(gai_strerror(EAI_AGAIN));

    names_rc = 0;
    leads("127.0.0.1");

    /* the resolver is away: what was known */

    names_rc = EAI_AGAIN;
    leads("127.0.0.1");
    leads("127.0.0.1");

    /* the name is no more */

    names_rc = EAI_NONAME;
    fails(gai_strerror(EAI_NONAME));
    names_rc = EAI_AGAIN;
    fails(gai_strerror(EAI_AGAIN));
}


static void
test_many(void **state)
{
    int  i;

    (void) state;

    names_addresses = "127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 "
                      "127.0.0.6 127.0.0.7 127.0.0.8 127.0.0.9 127.0.0.10 "
                      "127.0.0.11 127.0.0.12 127.0.0.13 127.0.0.14 "
                      "127.0.0.15 127.0.0.16 127.0.0.17";
    init("redis");

    leads("127.0.0.1");

    for (i = 0; i < 15; i++) {
        assert_true(im_link_peer_more(&peer));
        assert_int_equal(im_link_peer_next(&peer, NULL), IM_OK);
    }

    leads("127.0.0.1");
}


/* It is left alone, and frees what it has when it ends. */
static void
test_hangs(void **state)
{
    const char  *why;

    (void) state;

    names_hang = 1;
    init("redis");

    assert_int_equal(im_link_peer_next(&peer, &why), IM_AGAIN);
    assert_int_equal(im_link_peer_next(&peer, &why), IM_AGAIN);

    while (__atomic_load_n(&names_lookups, __ATOMIC_ACQUIRE) == 0) {
        (void) usleep(1000);
    }

    assert_int_equal(names_lookups, 1);

    /* one that ends in time is the peer's to free */

    __atomic_store_n(&names_hang, 0, __ATOMIC_RELEASE);
    leads("127.0.0.1");
    im_link_peer_cleanup(&peer);

    names_hang = 1;
    im_link_peer_good(&peer);
    assert_int_equal(im_link_peer_next(&peer, &why), IM_AGAIN);
    im_link_peer_cleanup(&peer);
    __atomic_store_n(&names_hang, 0, __ATOMIC_RELEASE);

    while (alloc_live() > 0) {
        (void) usleep(1000);
    }
}


static void
test_memory(void **state)
{
    (void) state;

    init("redis");
    alloc_fail_at(1);
    fails("no thread to look its name up");
    alloc_fail_at(0);
    leads("127.0.0.1");
}


#define peer_test(fn)                                                         \
    cmocka_unit_test_setup_teardown(fn, setup, teardown)

static const struct CMUnitTest  tests[] = {
    peer_test(test_known),
    peer_test(test_turns),
    peer_test(test_fails),
    peer_test(test_many),
    peer_test(test_hangs),
    peer_test(test_memory)
};

test_main(tests)
