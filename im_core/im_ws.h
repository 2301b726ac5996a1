/*
 * Copyright (C) The im authors
 *
 * WebSocket frames, RFC 6455 section 5: a decoder for what clients send, an
 * encoder for what servers send.
 *
 * The decoder keeps its place between calls, accepts input cut anywhere, and
 * allocates nothing: it unmasks payload in place and gives it out in pieces.
 */

#ifndef IM_WS_H
#define IM_WS_H


#include "im_types.h"
#include "im_buf.h"
#include "im_utf8.h"


#define IM_WS_CONT    0x0
#define IM_WS_TEXT    0x1
#define IM_WS_BINARY  0x2
#define IM_WS_CLOSE   0x8
#define IM_WS_PING    0x9
#define IM_WS_PONG    0xa

#define IM_WS_RSV1    0x40      /* the first frame of a compressed message */

#define IM_WS_MAX_HEADER   10      /* of a server's frame */
#define IM_WS_MAX_CONTROL  125

/* RFC 6455 section 7.4.1 and its registry */
#define IM_WS_CLOSE_NORMAL       1000
#define IM_WS_CLOSE_GOING_AWAY   1001
#define IM_WS_CLOSE_PROTOCOL     1002
#define IM_WS_CLOSE_UNSUPPORTED  1003
#define IM_WS_CLOSE_NO_STATUS    1005      /* never on the wire */
#define IM_WS_CLOSE_ABNORMAL     1006      /* never on the wire */
#define IM_WS_CLOSE_INVALID      1007
#define IM_WS_CLOSE_POLICY       1008
#define IM_WS_CLOSE_TOO_BIG      1009
#define IM_WS_CLOSE_INTERNAL     1011
#define IM_WS_CLOSE_RESTART      1012
#define IM_WS_CLOSE_TRY_LATER    1013


typedef struct {
    uint64_t   left;             /* payload of this frame still to come */
    uint64_t   message;          /* payload of this message so far */
    u_char     header[14];
    uint8_t    nheader;
    uint8_t    opcode;           /* of this frame */
    uint8_t    message_opcode;   /* of the message under way, or 0 */
    uint8_t    mask_at;
    im_utf8_t  utf8;
    unsigned   fin:1;
    unsigned   in_payload:1;
    unsigned   deflate:1;        /* messages may be compressed: the caller's */
    unsigned   packed:1;         /* the message under way is */
    unsigned   failed:4;         /* the fault, or 0 */
    uint32_t   frames;           /* so many have begun */
} im_ws_t;


typedef enum {
    IM_WS_EVENT_DATA = 1,        /* a piece of payload */
    IM_WS_EVENT_END              /* the message or control frame is complete */
} im_ws_event_e;


typedef struct {
    im_ws_event_e  type;
    uint8_t        opcode;       /* TEXT, BINARY, CLOSE, PING or PONG */
    uint8_t        packed;       /* the message is compressed */
    im_str_t       data;         /* DATA: unmasked, inside the input */
    uint16_t       close_code;   /* IM_ERROR: what to close with */
    const char    *reason;       /* IM_ERROR: static text, at most 100 bytes */
} im_ws_event_t;


/* A message that doesn't compress is a bit longer compressed. */
static inline uint64_t
im_ws_packed_max(uint64_t max)
{
    uint64_t  more;

    more = max / 16 + 64;

    return max > UINT64_MAX - more ? UINT64_MAX : max + more;
}


void im_ws_init(im_ws_t *ws);

/*
 * Decodes from *p, at most to end, and moves *p behind what was used.  The
 * input is written to (unmasked in place).
 *   IM_OK     ev says what happened; call again
 *   IM_AGAIN  all input is used, more is needed
 *   IM_ERROR  the peer broke the protocol; ev->close_code and reason are set
 *             and every further call says the same
 * A message longer than max is refused (1009) as soon as a header says so.
 * Text is checked as it arrives (1007), across fragments; a compressed message
 * is neither unpacked nor checked here.  Masks are required.
 * A control frame gives at most IM_WS_MAX_CONTROL bytes in all DATA events and
 * may stand between the fragments of a message.
 */
im_int_t im_ws_decode(im_ws_t *ws, u_char **p, u_char *end, uint64_t max,
    im_ws_event_t *ev);

/* True between two messages: nothing of a frame or message is under way. */
int im_ws_idle(const im_ws_t *ws);

/* Payload that was given out: of the message and of the control frame. */
uint64_t im_ws_message(const im_ws_t *ws);
uint64_t im_ws_control(const im_ws_t *ws);

/*
 * The state of a decoder that has not failed, for another process, and back;
 * ws is initialized, and deflate is the caller's.  IM_ERROR: no decoder comes
 * to such a state.
 */
void im_ws_save(im_buf_t *b, const im_ws_t *ws);
im_int_t im_ws_load(im_reader_t *r, im_ws_t *ws);

/*
 * The payload of a close frame: *code (IM_WS_CLOSE_NO_STATUS when empty) and
 * reason.  IM_ERROR: invalid (length 1, reserved code, reason not UTF-8);
 * *code is then what to answer with.
 */
im_int_t im_ws_close_decode(im_str_t payload, uint16_t *code, im_str_t *reason);

/* Writes a header of an unfragmented server frame; its length, 2..10. */
size_t im_ws_header(u_char *dst, uint8_t opcode, uint64_t len);

/*
 * Writes a whole close frame into dst (at least 127 bytes); the reason is cut
 * to 123 bytes at a character boundary.  The length of the frame.
 */
size_t im_ws_close(u_char *dst, uint16_t code, const char *reason);


#endif /* IM_WS_H */
