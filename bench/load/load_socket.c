/*
 * Copyright (C) The im authors
 *
 * Sockets of clients.  Only a server on a loopback address sees them come from
 * several addresses: 127.0.1.1, 127.0.1.2 and so on.
 */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_socket.h"


#define LOAD_SOCKET_HOSTS  250      /* of a last number of an address */


static int
load_socket_bind(int fd, unsigned number)
{
    int                 one;
    unsigned            n;
    struct sockaddr_in  source;

    one = 1;
    n = number / LOAD_SOCKET_PER_ADDRESS;

    memset(&source, 0, sizeof(source));
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(0x7f000000U
                                   | (1 + n / LOAD_SOCKET_HOSTS) << 8
                                   | (1 + n % LOAD_SOCKET_HOSTS));

    /* or the port would be taken without the server's address in mind */
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one))
        == -1)
    {
        return -1;
    }

    return bind(fd, (struct sockaddr *) &source, sizeof(source));
}


int
load_socket_connect(const struct sockaddr_in *server, unsigned number,
    unsigned rcvbuf)
{
    int            fd, size;
    struct linger  reset;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return -1;
    }

    size = (int) rcvbuf;

    /* or thousands of ports would be taken for a minute after a run */
    reset.l_onoff = 1;
    reset.l_linger = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == -1
        || (rcvbuf != 0
         && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == -1)
        || (ntohl(server->sin_addr.s_addr) >> 24 == 127
            && load_socket_bind(fd, number) == -1)
        || (connect(fd, (const struct sockaddr *) server,
                    sizeof(struct sockaddr_in)) == -1
            && errno != EINPROGRESS))
    {
        (void) close(fd);
        return -1;
    }

    return fd;
}


int
load_socket_error(int fd)
{
    int        error;
    socklen_t  len;

    error = 0;
    len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1) {
        return errno;
    }

    return error;
}
