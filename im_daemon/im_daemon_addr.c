/*
 * Copyright (C) The im authors
 *
 * Addresses to connect to.
 */

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "im_addr.h"
#include "im_daemon_addr.h"


im_int_t
im_daemon_addr_parse(const char *text, struct sockaddr_storage *ss,
    socklen_t *len, const char **why)
{
    char                 host[IM_ADDR_MAX_NAME + 2], port[sizeof("65535")];
    im_addr_t            addr;
    struct addrinfo      hints, *res;
    struct sockaddr_un  *un;

    memset(ss, 0, sizeof(struct sockaddr_storage));

    *why = im_addr_parse(&addr, im_str_z(text), IM_ADDR_CONNECT, 6379);
    if (*why != NULL) {
        return IM_ERROR;
    }

    if (addr.type == IM_ADDR_UNIX) {
        un = (struct sockaddr_un *) ss;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, addr.host.data, addr.host.len);
        *len = sizeof(struct sockaddr_un);

        return IM_OK;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    (void) snprintf(host, sizeof(host), "%.*s", (int) addr.host.len,
                    (char *) addr.host.data);
    (void) snprintf(port, sizeof(port), "%u", (unsigned) addr.port);

    if (getaddrinfo(host, port, &hints, &res) != 0) {
        *why = "host not found";
        return IM_ERROR;
    }

    memcpy(ss, res->ai_addr, res->ai_addrlen);
    *len = res->ai_addrlen;

    freeaddrinfo(res);

    return IM_OK;
}
