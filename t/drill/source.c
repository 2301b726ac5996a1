/*
 * Copyright (C) The im authors
 *
 * A host of its own, to be preloaded: TCP connections to 127.0.0.1 come from
 * the address that IM_SOURCE names, by which t/lib/Test/Im/Net.pm knows them.
 */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>


static struct in_addr  source;


/* before a program clears its environment */
__attribute__((constructor))
static void
init(void)
{
    const char  *name;

    name = getenv("IM_SOURCE");

    if (name != NULL) {
        (void) inet_pton(AF_INET, name, &source);
    }
}


int
connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int                        one;
    static int               (*real)(int, const struct sockaddr *, socklen_t);
    struct sockaddr_in         from;
    const struct sockaddr_in  *to;

    if (real == NULL) {
        real = (int (*)(int, const struct sockaddr *, socklen_t))
               dlsym(RTLD_NEXT, "connect");
    }

    to = (const struct sockaddr_in *) (const void *) addr;

    if (source.s_addr != 0 && addr->sa_family == AF_INET
        && to->sin_addr.s_addr == htonl(INADDR_LOOPBACK))
    {
        one = 1;
        from = (struct sockaddr_in) { .sin_family = AF_INET,
                                      .sin_addr = source };

        (void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                          sizeof(one));
        (void) bind(fd, (struct sockaddr *) &from, sizeof(from));
    }

    return real(fd, addr, len);
}
