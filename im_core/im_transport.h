/*
 * Copyright (C) The im authors
 *
 * Transports as tables: they turn the bytes of a connection into messages, and
 * messages into bytes.  A transport is one file and one row in im_wire.c.
 */

#ifndef IM_TRANSPORT_H
#define IM_TRANSPORT_H


#include "im_types.h"
#include "im_buf.h"
#include "im_deflate.h"
#include "im_ws.h"


typedef enum {
    IM_KIND_TEXT = 1,
    IM_KIND_BINARY
} im_kind_e;


/* What a location may serve: bits. */
typedef enum {
    IM_TRANSPORT_WEBSOCKET = 0x01,
    IM_TRANSPORT_SSE = 0x02,
    IM_TRANSPORT_STREAM = 0x04,      /* HTTP streaming */
    IM_TRANSPORT_TCP = 0x08
} im_transport_e;

/* Those that begin with a request. */
#define IM_TRANSPORTS_HTTP                                                    \
    (IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM)


/* Why a connection ends.  Transports and protocols have a code for each. */
typedef enum {
    IM_REASON_LOST = 0,      /* nothing can be sent any more */
    IM_REASON_DRAIN,         /* the worker ends: connect again */
    IM_REASON_BUSY,          /* try again later */
    IM_REASON_INTERNAL,
    IM_REASON_SLOW,
    IM_REASON_BAD_REQUEST,
    IM_REASON_TOO_BIG,
    IM_REASON_STALE,         /* no first message in time */
    IM_REASON_TOKEN,         /* invalid, or another client's */
    IM_REASON_EXPIRED,
    IM_REASON_SUB_EXPIRED,
    IM_REASON_FORBIDDEN,
    IM_REASON_KICKED,
    IM_REASON_LIMIT,         /* too many sessions of a user */
    IM_REASON_REPLACED,      /* by a newer session of the user */
    IM_REASON_NO_PONG,
    IM_REASON_STATE,         /* insufficient: messages are missing */
    IM_REASON_NOT_AVAILABLE,
    IM_REASON_TOO_MANY,      /* commands wait: connect again */
    IM_REASON_MAX,

    /* the code comes with the event */
    IM_REASON_CLIENT = IM_REASON_MAX,
    IM_REASON_PROTOCOL,      /* the client broke the transport's rules */
    IM_REASON_WEBHOOK,       /* a webhook says so */
    IM_REASONS
} im_reason_e;


/* close, ping and pong append at most so many bytes. */
#define IM_CONTROL_MAX  256


/* What a message has besides its bytes. */
typedef struct {
    im_str_t         id;     /* of its place, "" none */
    im_str_t         event;  /* its type, "" none */
    uint32_t         retry;  /* ms until the client connects again; 0: none */
    unsigned         alone:1;    /* no frame follows them */
} im_fields_t;


typedef enum {
    IM_INPUT_PIECE = 1,      /* data is a piece of a message */
    IM_INPUT_MESSAGE,        /* the message is complete */
    IM_INPUT_PING,           /* data is for the pong */
    IM_INPUT_PONG,
    IM_INPUT_CLOSE           /* code is what to answer with; why */
} im_input_type_e;


typedef struct {
    im_input_type_e  type;
    im_kind_e        kind;   /* of the message */
    unsigned         packed:1;   /* MESSAGE: it is to be unpacked */
    im_str_t         data;
    uint16_t         code;   /* CLOSE, or IM_ERROR: what to close with */
    const char      *why;    /* the same, as static text */
} im_input_event_t;


/* A packet that says its length at its beginning: what has come of it. */
typedef struct {
    uint32_t  length;    /* of the packet, once got has four bytes of it */
    uint32_t  got;
} im_packet_t;


/* The state of a decoder between two reads; initially zeros. */
typedef struct {
    union {
        im_ws_t      ws;
        im_packet_t  packet;
    };
    u_char   *control;       /* a control frame that was cut, or NULL */
    uint8_t   ncontrol;
    uint8_t   failed;        /* nothing more can be read */
    int32_t   frames;        /* added to by the decoder, whatever they hold */
} im_input_t;


typedef struct im_transport_s  im_transport_t;

struct im_transport_s {
    const char      *name;
    im_transport_e   kind;
    const uint16_t  *codes;      /* by im_reason_e; 0: no close frame */
    size_t           header;     /* most bytes that stand before a message */
    const char      *type;       /* of an HTTP answer; NULL: the protocol's */
    const char      *begin;      /* the first bytes of a body, or NULL */
    unsigned         args:1;     /* the first message may be an argument */
    unsigned         window;     /* of permessage-deflate; 0: without it */
    unsigned         bare:1;     /* a message says itself where it ends */
    /*
     * Makes a frame of the message that stands behind header unused bytes at
     * start.  b has not failed.
     */
    void           (*frame)(im_buf_t *b, size_t start, im_kind_e kind);
    /* Appends what goes before a frame.  NULL: there is no place for it. */
    void           (*fields)(im_buf_t *b, const im_fields_t *fields);
    /*
     * Decodes from *p, at most to end, and moves *p behind what was used.  The
     * input may be written to.
     *   IM_OK     ev says what came; call again
     *   IM_AGAIN  all input is used, more is needed
     *   IM_ERROR  the client broke the protocol, or there is no memory; ev has
     *             code and why, and every further call says the same
     * ev->data is valid until the next call.  A message longer than max is an
     * error.  NULL: what a client sends means nothing.
     */
    im_int_t       (*decode)(im_input_t *input, u_char **p, u_char *end,
                        uint64_t max, im_input_event_t *ev);
    /*
     * Nothing of a frame or a message is under way and more can be read: the
     * decoder is as with zeros.  NULL: as decode.
     */
    int            (*idle)(const im_input_t *input);
    /*
     * The state of a decoder that has not failed, for another process, and
     * back, with a control frame that borrows.  IM_ERROR: no decoder comes to
     * such a state.  Then how many bytes of the message under way it has given
     * out.  NULL: as decode.
     */
    void           (*save)(im_buf_t *b, const im_input_t *input);
    im_int_t       (*load)(im_reader_t *r, im_input_t *input);
    uint64_t       (*given)(const im_input_t *input);
    /*
     * The message of an event that says packed, or IM_ERROR: ev has code and
     * why.  cost is what it is worth in bytes, in both cases.  The message is
     * valid until the next call.  NULL: the transport has no such events.
     */
    im_int_t       (*unpack)(im_deflate_t *deflate, im_str_t *message,
                        uint64_t max, size_t *cost, im_input_event_t *ev);
    /*
     * Appends the frame that ends a connection; why may be empty.  NULL: the
     * protocol has a message for it, and the end of the body follows.
     */
    void           (*close)(im_buf_t *b, uint16_t code, im_str_t why);
    void           (*ping)(im_buf_t *b);     /* NULL: there is none */
    void           (*pong)(im_buf_t *b, im_str_t data);  /* if decode isn't */
};


/* Of the next frame. */
void im_frame_fields(im_buf_t *b, const im_transport_t *transport,
    const im_fields_t *fields);

/* The bytes appended between the two become one frame. */
size_t im_frame_start(im_buf_t *b, const im_transport_t *transport);
void im_frame_end(im_buf_t *b, const im_transport_t *transport, size_t start,
    im_kind_e kind);

void im_input_cleanup(im_input_t *input);

/*
 * The state of a decoder as bytes, and back.  b fails if the decoder has
 * failed, or the transport has none.  IM_ERROR: the bytes are no state.
 */
void im_input_encode(im_buf_t *b, const im_transport_t *transport,
    const im_input_t *input);
im_int_t im_input_decode(im_str_t bytes, const im_transport_t *transport,
    im_input_t *input);

/* A control frame that borrows becomes its own.  IM_ERROR: no memory. */
im_int_t im_input_keep(im_input_t *input);


/* "slow": for logs and metrics. */
extern const char *const  im_reason_names[IM_REASONS];

/* For transports whose connections end with codes of WebSocket's. */
extern const uint16_t  im_transport_codes[IM_REASON_MAX];

/* What the rows of WebSocket share. */
int im_transport_ws_idle(const im_input_t *input);
void im_transport_ws_save(im_buf_t *b, const im_input_t *input);
im_int_t im_transport_ws_load(im_reader_t *r, im_input_t *input);
uint64_t im_transport_ws_given(const im_input_t *input);
void im_transport_ws_close(im_buf_t *b, uint16_t code, im_str_t why);
void im_transport_ws_ping(im_buf_t *b);
void im_transport_ws_pong(im_buf_t *b, im_str_t data);

extern const im_transport_t  im_transport_ws;
extern const im_transport_t  im_transport_ws_deflate;
extern const im_transport_t  im_transport_ws_deflate_small;
extern const im_transport_t  im_transport_sse;
extern const im_transport_t  im_transport_stream;
extern const im_transport_t  im_transport_tcp;


#endif /* IM_TRANSPORT_H */
