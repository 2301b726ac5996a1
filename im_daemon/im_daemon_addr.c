/*
 * Copyright (C) The im authors
 *
 * Addresses and listening sockets.
 */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "im_daemon_addr.h"
#include "im_daemon_log.h"


#define IM_ADDR_BACKLOG  511


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


/* A killed process leaves its unix socket behind: no process answers there. */
static void
im_daemon_addr_clear(const struct sockaddr_storage *ss, socklen_t len)
{
    int          fd;
    struct stat  st;
    const char  *path;

    path = ((const struct sockaddr_un *) ss)->sun_path;

    if (stat(path, &st) == -1 || !S_ISSOCK(st.st_mode)) {
        return;
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return;
    }

    if (connect(fd, (const struct sockaddr *) ss, len) == -1
        && errno == ECONNREFUSED)
    {
        (void) unlink(path);
    }

    (void) close(fd);
}


int
im_daemon_addr_listen(const char *text)
{
    int                      fd, on;
    socklen_t                len;
    const char              *why;
    struct sockaddr_storage  ss;

    if (im_daemon_addr_parse(text, &ss, &len, &why) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "can't listen on \"%s\": %s", text, why);
        return -1;
    }

    fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == -1) {
        im_daemon_log(IM_LOG_ERROR, "socket() failed: %s", strerror(errno));
        return -1;
    }

    on = 1;

    if (ss.ss_family == AF_UNIX) {
        im_daemon_addr_clear(&ss, len);

    } else {
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }

    if (bind(fd, (struct sockaddr *) &ss, len) == -1
        || listen(fd, IM_ADDR_BACKLOG) == -1)
    {
        im_daemon_log(IM_LOG_ERROR, "can't listen on \"%s\": %s", text,
                      strerror(errno));
        (void) close(fd);
        return -1;
    }

    /* nginx' workers run as another user */
    if (ss.ss_family == AF_UNIX
        && chmod(((struct sockaddr_un *) &ss)->sun_path, 0666) == -1)
    {
        im_daemon_log(IM_LOG_WARN, "chmod() of \"%s\" failed: %s", text,
                      strerror(errno));
    }

    return fd;
}
