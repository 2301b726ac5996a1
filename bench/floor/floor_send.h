/*
 * Copyright (C) The im authors
 *
 * The floor's connections, and sends: exactly one for each delivery, of bytes
 * that are ready.  Where a socket doesn't take all, the rest waits.  Faults can
 * be planted here, for tests of what measures.
 */

#ifndef FLOOR_SEND_H
#define FLOOR_SEND_H


#include "im_types.h"


typedef enum {
    FLOOR_CONN_NONE = 0,
    FLOOR_CONN_LISTEN,
    FLOOR_CONN_SIGNAL,
    FLOOR_CONN_HTTP,                /* requests come */
    FLOOR_CONN_CLIENT,
    FLOOR_CONN_PEER                 /* another worker */
} floor_conn_e;


typedef struct {
    size_t  len;
    u_char  data[];
} floor_bytes_t;


/* By descriptor. */
typedef struct {
    floor_bytes_t  *in;             /* of a request that isn't complete */
    floor_bytes_t  *out;            /* what the socket didn't take */
    floor_bytes_t  *held;           /* swapped with the next one */
    uint32_t        room;
    uint32_t        place;          /* among the room's clients */
    uint8_t         kind;           /* floor_conn_e */
} floor_conn_t;


typedef enum {
    FLOOR_FAULT_NONE = 0,
    FLOOR_FAULT_DROP,
    FLOOR_FAULT_DOUBLE,
    FLOOR_FAULT_SWAP
} floor_fault_e;


typedef struct {
    uint64_t  deliveries;
    uint64_t  published;
    uint64_t  dropped;
    uint64_t  doubled;
    uint64_t  swapped;
    uint64_t  held;                 /* and not sent, as no next one came */
} floor_stats_t;


typedef struct {
    int             epoll;
    floor_conn_t   *conns;
    unsigned        nconns;
    floor_fault_e   fault;
    unsigned        every;          /* delivery has the fault */
    void           *uring;          /* or NULL */
    floor_stats_t  *stats;
} floor_sender_t;


/* Appends to a piece, which may be NULL; ends the process without memory. */
void floor_bytes_add(floor_bytes_t **to, const u_char *p, size_t len);

/* Sends to a connection. */
void floor_send(floor_sender_t *s, int fd, const u_char *p, size_t len);

/* The same bytes to each of n connections. */
void floor_send_all(floor_sender_t *s, const uint32_t *fds, size_t n,
    const u_char *p, size_t len);

/* The socket takes more. */
void floor_send_rest(floor_sender_t *s, int fd);

/* What a socket didn't take of bytes. */
void floor_send_keep(floor_sender_t *s, int fd, const u_char *p, size_t len);


#endif /* FLOOR_SEND_H */
