/*
 * Copyright (C) The im authors
 *
 * Listening sockets.
 */

#ifndef IM_DAEMON_LISTEN_H
#define IM_DAEMON_LISTEN_H


#include "im_addr.h"


#define IM_DAEMON_LISTEN_MAX  16      /* addresses of a name */


/* group and mode are those of unix sockets. */
typedef struct {
    char      *group;       /* NULL: nginx's, where it is known */
    char      *mode;        /* NULL: 0660 */
    uint64_t   reuseport;   /* several programs share a port */
} im_daemon_listen_t;


/* Checks of options: NULL, or what is wrong with the value. */
const char *im_daemon_listen_address(const char *value);
const char *im_daemon_listen_group(const char *value);
const char *im_daemon_listen_mode(const char *value);

/*
 * Listening, non-blocking sockets, one for each address that text stands for.
 * The number of them; -1: the fault is logged, and none is open.  A unix socket
 * is replaced if no program listens on it; its folder is made if only that is
 * missing.
 */
int im_daemon_listen(const char *text, const im_daemon_listen_t *conf,
    int *fds);


#endif /* IM_DAEMON_LISTEN_H */
