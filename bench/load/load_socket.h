/*
 * Copyright (C) The im authors
 *
 * Sockets of clients: each 10,000 have a source address of their own, as an
 * address has about 28,000 ports.
 */

#ifndef LOAD_SOCKET_H
#define LOAD_SOCKET_H


#include <netinet/in.h>


#define LOAD_SOCKET_PER_ADDRESS  10000


/*
 * Begins to connect client `number`; its socket, or -1, errno says why.
 * rcvbuf 0: the system's.
 */
int load_socket_connect(const struct sockaddr_in *server, unsigned number,
    unsigned rcvbuf);

/* 0: connected; or the error. */
int load_socket_error(int fd);


#endif /* LOAD_SOCKET_H */
