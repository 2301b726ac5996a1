/*
 * Copyright (C) The im authors
 *
 * What the load clients of the tests share: WebSocket by hand, as a client
 * sees it, on non-blocking sockets to loopback; lines from stdin; the clock.
 */

#ifndef WIRE_H
#define WIRE_H


#include <stddef.h>


#define OP_TEXT     1
#define OP_CLOSE    8
#define OP_PING     9
#define OP_PONG     10


/* Registers the socket with epoll for both directions.  -1: an error. */
int wire_connect(int port, int epoll, void *data);

/* Asks for path once the socket is writable, from then on waits to read. */
int wire_upgrade(int fd, const char *path, int epoll, void *data);

/* 1: the answer is whole and taken off in; 0: not yet; -1: refused. */
int wire_upgraded(unsigned char *in, size_t *n);

/* Of the frame that begins at p, with its header; 0: not known yet. */
size_t wire_frame(const unsigned char *p, size_t have, size_t *header);

/* -1: the socket didn't take it, or it is too long (4 kB). */
int wire_send(int fd, int opcode, const void *data, size_t n);

/* The next line of stdin, without its end.  0: no whole one yet; -1: end. */
int wire_line(char *line, size_t size);

long wire_ms(void);


#endif /* WIRE_H */
