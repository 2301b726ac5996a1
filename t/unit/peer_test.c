/*
 * Copyright (C) The im authors
 *
 * Which connection gives way, of im_logic.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "test.h"
#include "im_daemon_peer.h"


typedef struct {
    im_list_t          waits;
    im_daemon_peer_t  *peer;
} conn_t;


static const uint64_t  seed[2] = { 1, 2 };


static void
key(im_daemon_peer_key_t *k, uint8_t group, uint8_t process)
{
    memset(k, 0, sizeof(im_daemon_peer_key_t));
    k->group[0] = group;
    k->process[0] = process;
}


static void
take(im_daemon_peers_t *peers, conn_t *c, uint8_t group, uint8_t process)
{
    im_daemon_peer_key_t  k;

    key(&k, group, process);
    c->peer = im_daemon_peers_add(peers, &k);
    assert_non_null(c->peer);
    im_list_insert_tail(&c->peer->waiting, &c->waits);
}


static void
drop(im_daemon_peers_t *peers, conn_t *c)
{
    im_list_remove(&c->waits);
    im_daemon_peers_remove(peers, c->peer);
}


static void
test_victim(void **state)
{
    conn_t             a[3], b[4], other[2];
    im_uint_t          i;
    im_daemon_peers_t  peers;

    (void) state;

    assert_int_equal(im_daemon_peers_init(&peers, seed), IM_OK);
    assert_null(im_daemon_peers_victim(&peers, NULL));

    /* a user with two processes, and another one */
    for (i = 0; i < 2; i++) {
        take(&peers, &other[i], 2, 1);
    }

    for (i = 0; i < 3; i++) {
        take(&peers, &a[i], 1, 1);
    }

    for (i = 0; i < 4; i++) {
        take(&peers, &b[i], 1, 2);
    }

    assert_int_equal(peers.n, 9);
    assert_int_equal(a[0].peer->group->n, 7);
    assert_ptr_equal(a[0].peer->group, b[0].peer->group);

    /* the oldest one of the process that has most */
    assert_ptr_equal(im_daemon_peers_victim(&peers, NULL), &b[0].waits);
    drop(&peers, &b[0]);
    drop(&peers, &b[1]);

    assert_ptr_equal(im_daemon_peers_victim(&peers, NULL), &a[0].waits);
    assert_ptr_equal(im_daemon_peers_victim(&peers, other[0].peer->group),
                     &other[0].waits);

    /* those that don't wait stay */
    im_list_remove(&a[0].waits);
    assert_ptr_equal(im_daemon_peers_victim(&peers, NULL), &a[1].waits);

    for (i = 0; i < 3; i++) {
        drop(&peers, &a[i]);
    }

    for (i = 2; i < 4; i++) {
        drop(&peers, &b[i]);
    }

    assert_ptr_equal(im_daemon_peers_victim(&peers, NULL), &other[0].waits);

    for (i = 0; i < 2; i++) {
        drop(&peers, &other[i]);
    }

    assert_int_equal(peers.n, 0);
    assert_null(im_daemon_peers_victim(&peers, NULL));

    im_daemon_peers_cleanup(&peers);
}


static void
test_key(void **state)
{
    int                   fds[2];
    struct sockaddr       none;
    struct sockaddr_in    in;
    struct sockaddr_in6   in6;
    im_daemon_peer_key_t  a, b;

    (void) state;

    memset(&in, 0, sizeof(in));
    memset(&in6, 0, sizeof(in6));
    memset(&none, 0, sizeof(none));

    in.sin_family = AF_INET;
    in6.sin6_family = AF_INET6;

    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr),
                     1);

    in.sin_port = 1;
    im_daemon_peer_key(&a, -1, (struct sockaddr *) &in);
    in.sin_port = 2;
    im_daemon_peer_key(&b, -1, (struct sockaddr *) &in);
    assert_memory_equal(&a, &b, sizeof(a));

    /* a network of IPv6 is one group */
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2::7", &in6.sin6_addr), 1);
    im_daemon_peer_key(&a, -1, (struct sockaddr *) &in6);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:2:f::", &in6.sin6_addr),
                     1);
    im_daemon_peer_key(&b, -1, (struct sockaddr *) &in6);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:1:3::7", &in6.sin6_addr), 1);
    im_daemon_peer_key(&b, -1, (struct sockaddr *) &in6);
    assert_memory_not_equal(&a, &b, sizeof(a));

    /* the user and the process at the other end */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    im_daemon_peer_key(&a, fds[0], &none);
    assert_int_equal(a.group[0], AF_UNIX);
    key(&b, AF_UNIX, 0);
    memcpy(b.group + 4, &(uid_t) { getuid() }, 4);
    memcpy(b.process, &(pid_t) { getpid() }, 4);
    assert_memory_equal(&a, &b, sizeof(a));

    (void) close(fds[0]);
    (void) close(fds[1]);
}


static void
test_memory(void **state)
{
    im_uint_t             n;
    im_daemon_peer_t     *peer;
    im_daemon_peers_t     peers;
    im_daemon_peer_key_t  k;

    (void) state;

    key(&k, 1, 1);

    for (n = 0; n < 4; n++) {
        alloc_fail_at(n + 1);

        if (im_daemon_peers_init(&peers, seed) == IM_OK) {
            peer = im_daemon_peers_add(&peers, &k);
            assert_null(peer);
            assert_int_equal(peers.n, 0);
        }

        alloc_fail_at(0);
        im_daemon_peers_cleanup(&peers);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_victim),
    cmocka_unit_test(test_key),
    cmocka_unit_test(test_memory)
};

test_main(tests)
