/*
 * Copyright (C) The im authors
 *
 * What the program that started a daemon wants to hear of it.  The protocol is
 * stable and a datagram each, so that no library is needed (sd_notify(3)).
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "im_daemon_log.h"
#include "im_daemon_notify.h"


/* The address of a program lasts as long as the program. */
static struct {
    struct sockaddr_un  addr;
    socklen_t           len;          /* 0: not wanted */
    int                 watched;
    int                 ready;        /* said, so that it comes first */
    int                 away;         /* logged */
} im_daemon_notify;


/* A program that can't be reached must not stop a daemon. */
static void
im_daemon_notify_send(const char *text)
{
    int  fd, away;

    if (im_daemon_notify.len == 0) {
        return;
    }

    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC, 0);

    away = fd == -1
           || sendto(fd, text, strlen(text), MSG_NOSIGNAL|MSG_DONTWAIT,
                     (struct sockaddr *) &im_daemon_notify.addr,
                     im_daemon_notify.len)
              == -1;

    if (away && !im_daemon_notify.away) {
        im_daemon_log(IM_LOG_WARN, "NOTIFY_SOCKET \"%s\" did not take %s: %m",
                      getenv("NOTIFY_SOCKET"), text);
    }

    im_daemon_notify.away = away;

    if (fd != -1) {
        (void) close(fd);
    }
}


/* WATCHDOG_PID is another process where a shell stands between. */
static int
im_daemon_notify_watched(void)
{
    const char  *pid;

    pid = getenv("WATCHDOG_PID");

    return getenv("WATCHDOG_USEC") != NULL
           && (pid == NULL || strtol(pid, NULL, 10) == (long) getpid());
}


void
im_daemon_notify_init(void)
{
    size_t               len;
    const char          *path;
    struct sockaddr_un  *addr;

    addr = &im_daemon_notify.addr;
    path = getenv("NOTIFY_SOCKET");
    len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof(addr->sun_path)
        || (path[0] != '/' && path[0] != '@'))
    {
        return;
    }

    addr->sun_family = AF_UNIX;
    memcpy(addr->sun_path, path, len + 1);

    /* an abstract address begins with a zero and has no other */

    if (path[0] == '@') {
        addr->sun_path[0] = '\0';
    }

    im_daemon_notify.len = (socklen_t) (offsetof(struct sockaddr_un, sun_path)
                                        + len + (path[0] == '/'));
    im_daemon_notify.watched = im_daemon_notify_watched();
}


void
im_daemon_notify_ready(void)
{
    im_daemon_notify.ready = 1;
    im_daemon_notify_send("READY=1");
}


void
im_daemon_notify_stopping(void)
{
    im_daemon_notify_send("STOPPING=1");
}


void
im_daemon_notify_alive(void)
{
    if (im_daemon_notify.watched && im_daemon_notify.ready) {
        im_daemon_notify_send("WATCHDOG=1");
    }
}
