/*
 * Copyright (C) The im authors
 *
 * What clients say to be in a room, and how a server is asked to publish, for
 * each kind of server.  And the messages: JSON text of any size with a marker
 * in it, which is found again whatever a protocol puts around it.
 */

#ifndef LOAD_PROTO_H
#define LOAD_PROTO_H


#include "im_buf.h"


#define LOAD_MARKER       "~im:"
#define LOAD_MARKER_SIZE  48
#define LOAD_MIN_SIZE     80        /* of a message */
#define LOAD_GREET_LANE   0xffff    /* of messages that don't count */

/* what servers answer to the key that all clients send */
#define LOAD_KEY          "dGhlIHNhbXBsZSBub25jZQ=="
#define LOAD_ACCEPT       "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


typedef struct {
    im_str_t  room;                 /* empty: none */
    im_str_t  token;                /* empty: a guest */
} load_who_t;


/* How a client connects, and what the bytes are that it gets. */
typedef enum {
    LOAD_WIRE_WEBSOCKET = 0,
    LOAD_WIRE_SSE,                  /* the body of an answer, by events */
    LOAD_WIRE_GOIM                  /* goim's packets, over TCP alone */
} load_wire_e;


typedef struct {
    const char  *name;
    load_wire_e  wire;
    const char  *path;              /* %r is the room */
    const char  *api;               /* by which its publisher publishes */
    /* appends the first frame's payload; NULL: joined with the handshake */
    void       (*first)(im_buf_t *b, const load_who_t *who);
    /*
     * A frame came before the client has joined.  IM_OK: it has; IM_AGAIN: not
     * yet; IM_ERROR: it is refused.
     */
    im_int_t   (*joined)(im_str_t payload, int in_room);
    int          waits;             /* without a room an answer comes, too */
    /* {} is a ping */
    int          pings;
} load_proto_t;


#define LOAD_GOIM_HEAD   16         /* bytes, of a packet */
#define LOAD_GOIM_AUTH   7          /* operations */
#define LOAD_GOIM_AUTHED 8


typedef struct {
    const char  *name;
    const char  *paths[3];          /* by load_to_e; NULL: it can't */
    const char  *before;            /* what stands around the message */
    const char  *behind;
    const char  *key;               /* header of --api-key, or NULL */
} load_api_t;


typedef enum {
    LOAD_TO_ROOM = 0,
    LOAD_TO_USER,
    LOAD_TO_ALL
} load_to_e;


/* What a marker says. */
typedef struct {
    uint32_t  slot;
    uint32_t  topic;
    uint32_t  lane;
    uint32_t  seq;
    uint64_t  sent;                 /* ns */
} load_marker_t;


/* NULL: no such name. */
const load_proto_t *load_proto_find(const char *name);
const load_api_t *load_api_find(const char *name);

/* Appends a template in which %c is replaced. */
void load_proto_fill(im_buf_t *b, const char *template, char c, im_str_t text);

/* Appends a client's frame: masked by zeros. */
void load_proto_frame(im_buf_t *b, unsigned opcode, im_str_t payload);

/* Appends a client's packet of goim. */
void load_proto_packet(im_buf_t *b, unsigned operation, im_str_t body);

/* Appends a message of so many bytes. */
void load_marker_encode(im_buf_t *b, const load_marker_t *m, size_t size);

/* The next marker from *p on; *p moves behind it.  0: there is none. */
int load_marker_decode(const u_char **p, const u_char *end, load_marker_t *m);


#endif /* LOAD_PROTO_H */
