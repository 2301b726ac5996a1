/*
 * Copyright (C) The im authors
 *
 * Small buffers of unix sockets with packets, to be preloaded: as where
 * net.core.wmem_default and wmem_max are small.
 */

#include <dlfcn.h>
#include <sys/socket.h>


#define SMALL_SNDBUF  4096


typedef int (*setsockopt_pt)(int, int, int, const void *, socklen_t);
typedef int (*socket_pt)(int, int, int);
typedef int (*accept4_pt)(int, struct sockaddr *, socklen_t *, int);


static int
packets(int fd)
{
    int        domain, type;
    socklen_t  len;

    len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0
           && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0
           && domain == AF_UNIX && type == SOCK_SEQPACKET;
}


static void
shrink(int fd)
{
    int            size;
    setsockopt_pt  real;

    size = SMALL_SNDBUF;
    real = (setsockopt_pt) dlsym(RTLD_NEXT, "setsockopt");

    if (fd != -1 && packets(fd)) {
        (void) real(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));
    }
}


int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    setsockopt_pt  real;

    real = (setsockopt_pt) dlsym(RTLD_NEXT, "setsockopt");

    if (level == SOL_SOCKET && name == SO_SNDBUF && packets(fd)) {
        return 0;
    }

    return real(fd, level, name, value, len);
}


int
socket(int domain, int type, int protocol)
{
    int        fd;
    socket_pt  real;

    real = (socket_pt) dlsym(RTLD_NEXT, "socket");
    fd = real(domain, type, protocol);

    shrink(fd);

    return fd;
}


int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    int         s;
    accept4_pt  real;

    real = (accept4_pt) dlsym(RTLD_NEXT, "accept4");
    s = real(fd, sa, len, flags);

    shrink(s);

    return s;
}
