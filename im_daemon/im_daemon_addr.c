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

#include "im_daemon_addr.h"


static im_int_t
im_daemon_addr_inet(const char *text, struct sockaddr_storage *ss,
    socklen_t *len, const char **why)
{
    char              host[256];
    size_t            n;
    const char       *port;
    struct addrinfo   hints, *res;

    port = strrchr(text, ':');

    if (port == NULL) {
        n = 0;
        port = text;

    } else {
        n = (size_t) (port - text);
        port++;
    }

    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }

    if (n >= sizeof(host) || *port == '\0'
        || port[strspn(port, "0123456789")] != '\0')
    {
        *why = "not HOST:PORT or unix:PATH";
        return IM_ERROR;
    }

    memcpy(host, text, n);
    host[n] = '\0';

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    if (getaddrinfo(n == 0 ? "127.0.0.1" : host, port, &hints, &res) != 0) {
        *why = "host not found";
        return IM_ERROR;
    }

    memcpy(ss, res->ai_addr, res->ai_addrlen);
    *len = res->ai_addrlen;

    freeaddrinfo(res);

    return IM_OK;
}


im_int_t
im_daemon_addr_parse(const char *text, struct sockaddr_storage *ss,
    socklen_t *len, const char **why)
{
    size_t               n;
    struct sockaddr_un  *un;

    memset(ss, 0, sizeof(struct sockaddr_storage));

    if (strncmp(text, "unix:", 5) != 0) {
        return im_daemon_addr_inet(text, ss, len, why);
    }

    un = (struct sockaddr_un *) ss;
    n = strlen(text + 5);

    if (n == 0 || n >= sizeof(un->sun_path)) {
        *why = "the path is empty or too long";
        return IM_ERROR;
    }

    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text + 5, n + 1);

    *len = sizeof(struct sockaddr_un);

    return IM_OK;
}
