/*
 * Copyright (C) The im authors
 *
 * Addresses: "unix:PATH", "HOST:PORT", "[V6]:PORT" or "PORT".
 */

#ifndef IM_DAEMON_ADDR_H
#define IM_DAEMON_ADDR_H


#include <sys/socket.h>

#include "im_types.h"


/* IM_ERROR: not an address, or the host is unknown; *why is static text. */
im_int_t im_daemon_addr_parse(const char *text, struct sockaddr_storage *ss,
    socklen_t *len, const char **why);


#endif /* IM_DAEMON_ADDR_H */
