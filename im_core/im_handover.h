/*
 * Copyright (C) The im authors
 *
 * The handover: what an old worker and a new one say to each other while live
 * sessions move, and the record of a session.
 *
 * A message is a type and a body.  It travels in packets of a SOCK_SEQPACKET
 * socket: a byte for the type, a byte of flags, and a piece of the body.  A
 * body of several items is the items one behind the other up to its end, so
 * that a long list may as well come in several messages.  Numbers are
 * big-endian.
 *
 * All of it is input from outside: lengths, ranges and counts are checked
 * before anything is used, no decoder takes more memory than the packet's size
 * allows, and a record that no worker can have written is refused.
 *
 * Clocks of two workers don't matter: times are relative, in s or ms ago or
 * from now, but for those that the wall clock has (s since 1970).
 */

#ifndef IM_HANDOVER_H
#define IM_HANDOVER_H


#include "im_types.h"
#include "im_buf.h"
#include "im_emulation.h"
#include "im_key.h"
#include "im_proto.h"
#include "im_push.h"
#include "im_topic.h"
#include "im_transport.h"


/*
 * Of all that is below; it changes with any of it, and with what numbers and
 * flags in a record mean.  A record of another version can't be read.  HELLO
 * and WELCOME begin with it in each version.
 */
#define IM_HANDOVER_VERSION   4

#define IM_HANDOVER_PACKET    65536      /* bytes, with its header */
#define IM_HANDOVER_LEAST     1024       /* of one that others follow */
#define IM_HANDOVER_HEADER    2
#define IM_HANDOVER_MAX       (8 * 1024 * 1024)      /* bytes of a body */

#define IM_HANDOVER_SESSIONS_MAX  32     /* of a message: a descriptor each */
#define IM_HANDOVER_FLIGHT    256        /* sessions without a verdict */
#define IM_HANDOVER_SUBS_MAX  65535      /* of a session */
#define IM_HANDOVER_OPS_MAX   256


typedef enum {
    IM_HANDOVER_HELLO = 1,   /* old: im_handover_hello_t */
    IM_HANDOVER_WELCOME,     /* new: im_handover_hello_t */
    IM_HANDOVER_TOPICS,      /* old: items of im_handover_topic_t */
    IM_HANDOVER_READY,       /* new: items of im_handover_ready_t */
    IM_HANDOVER_SESSIONS,    /* old: items of im_handover_session_t */
    IM_HANDOVER_VERDICTS,    /* new: items of im_handover_verdict_t */
    IM_HANDOVER_LATE,        /* old: im_handover_late_t */
    IM_HANDOVER_ENTRIES,     /* old: items of im_entry_t, all that came by
                                pub/sub for sessions: those whose records come
                                before have not had them */
    IM_HANDOVER_END,         /* old: no session comes any more; no body */
    IM_HANDOVER_SETTLED,     /* new: Redis counts all of them here; no body */
    IM_HANDOVER_HEARD,       /* old: items of im_handover_heard_t, before the
                                first session */
    IM_HANDOVER_TYPES
} im_handover_type_e;

/* "sessions": for logs. */
extern const char *const  im_handover_names[IM_HANDOVER_TYPES];


/* HELLO and WELCOME. */
typedef struct {
    uint32_t          version;   /* IM_HANDOVER_VERSION */
    uint32_t          pid;
    uint32_t          workers;   /* WELCOME: of the new configuration */
    uint64_t          zone;      /* HELLO: its shared memory; 0: none */
    uint64_t          fence;     /* HELLO: im_follow_fence() */
    im_str_t          worker;    /* its id, "NODE.SLOT.START" */
} im_handover_hello_t;


/* Numbers of topics are the old worker's, and of one channel. */
typedef struct {
    uint32_t          number;
    im_str_t          name;      /* "r:NAME", "u:ID", "k:KEY" or "b" */
} im_handover_topic_t;


/*
 * The new worker has each message of the topic behind seq, and each entry
 * without a number behind mark.
 */
typedef struct {
    uint32_t          number;
    im_epoch_t        epoch;
    uint64_t          seq;
    uint64_t          mark;
} im_handover_ready_t;


/*
 * The old worker has had the control entries of a partition that were sent up
 * to that time, so its sessions have had those that the new one gets later.
 */
typedef struct {
    uint16_t          partition;
    uint64_t          time;      /* ms, by Redis' clock */
} im_handover_heard_t;


typedef enum {
    IM_HANDOVER_MOVED = 0,   /* it is the new worker's */
    IM_HANDOVER_AGAIN,       /* not yet: in some ms */
    IM_HANDOVER_ELSEWHERE,   /* the new worker ends itself: connect again */
    /* these stay, and drain */
    IM_HANDOVER_PLACE,       /* location, server or protocol: gone, changed */
    IM_HANDOVER_LIMIT,       /* no connection, no memory, a limit */
    IM_HANDOVER_KEPT_OUT,    /* the user */
    IM_HANDOVER_RECORD,      /* it can't be read */
    IM_HANDOVER_VERDICTS_MAX
} im_handover_verdict_e;

/* "kept_out": for logs and the status. */
extern const char *const  im_handover_verdicts[IM_HANDOVER_VERDICTS_MAX];

typedef struct {
    uint32_t          session;   /* its number */
    uint8_t           verdict;   /* im_handover_verdict_e */
} im_handover_verdict_t;


/* What came up for a session that is in flight or has moved. */
typedef struct {
    uint32_t          session;   /* its number */
    uint8_t           closes;    /* 1: it ends; 0: bytes are to be sent */
    im_str_t          bytes;     /* whole frames */
    uint8_t           reason;    /* im_reason_e */
    uint16_t          code;      /* 0: without a close frame */
    im_str_t          text;      /* of the close frame, at most
                                    IM_CONTROL_MAX; "": why */
    im_str_t          why;       /* for the log line, at most 255 bytes */
} im_handover_late_t;


/*
 * A subscription that is live and has read up to its topic's position.  Its
 * form follows from positions and flags, its filter from the operations, and
 * the cursor is at head.
 */
typedef struct {
    uint32_t          topic;     /* its number */
    im_epoch_t        epoch;
    uint64_t          seq;       /* the client has all up to this one, */
    uint64_t          mark;      /* and without a number up to this mark */
    uint32_t          expires;   /* s since 1970; 0: never */
    uint8_t           flags;     /* the caller's: a byte of bits */
    uint64_t          heard;     /* of the room info that the client has got
                                    last, a hash; 0: none, or not known */
    im_str_t          info;      /* JSON for others, "" none */
} im_handover_sub_t;


typedef enum {
    IM_HANDOVER_OPEN = 0,
    IM_HANDOVER_CONNECTING,      /* no command is under way */
    IM_HANDOVER_PHASES
} im_handover_phase_e;


/* Which parts a record has; those that it has not are zeros. */
#define IM_HANDOVER_HAS_KNOWN      0x01
#define IM_HANDOVER_HAS_ACCEPT     0x02  /* ops; without: all operations */
#define IM_HANDOVER_HAS_HELD       0x04
#define IM_HANDOVER_HAS_PARTIAL    0x08
#define IM_HANDOVER_HAS_OUTPUT     0x10
#define IM_HANDOVER_HAS_EMULATION  0x20
#define IM_HANDOVER_HAS_ALL        0x3f


/* Of a client that has signed in, or whose time is limited. */
typedef struct {
    im_str_t          user;      /* "": a guest */
    im_str_t          name;      /* at most 255 bytes */
    im_str_t          login;     /* "" or IM_ASK_LOGIN bytes */
    im_str_t          info;      /* JSON, "" none; as the next two */
    im_str_t          rooms;
    im_str_t          meta;
    uint32_t          refresh;   /* s since 1970; 0: never; as the next */
    uint32_t          expires;
} im_handover_known_t;


/* Input that waits. */
typedef struct {
    uint8_t           kind;      /* of the message, im_kind_e; 0: none */
    im_str_t          message;   /* the message, or what is left of it */
    im_str_t          rest;      /* bytes behind it, for the decoder; without
                                    one: messages, each behind its length in 4
                                    bytes */
    im_str_t          pong;      /* the answer to pings, at most
                                    IM_HANDOVER_PONG bytes */
} im_handover_held_t;

#define IM_HANDOVER_PONG  (4 * IM_CONTROL_MAX)


/*
 * A frame or a message of which a part came.  The decoder's control frame
 * borrows as strings do: im_input_keep() makes it the session's.
 */
typedef struct {
    im_input_t        decoder;
    im_str_t          message;   /* as many bytes as the decoder has given */
} im_handover_partial_t;


/* All bytes that the client is to get first, from within a frame or not. */
typedef struct {
    im_str_t          bytes;
    uint32_t          urgent;    /* of them: go before the rest of a frame */
    uint32_t          history;   /* of them: messages, not replies */
} im_handover_output_t;


/* The worker that the client of a one-way stream names in what it sends. */
typedef struct {
    u_char               node[16];
    im_emulation_keys_t  keys;
} im_handover_emulation_t;


/*
 * A session.  Strings borrow: an encoder's are the caller's, a decoder's lie in
 * the body of the message.  subs, resumes and ops have memory of their own:
 * im_handover_session_reserve().
 *
 * Not in it, since a session that has it doesn't move: questions and joins
 * under way (connecting, busy, busy_id, connect, nsubs of connect, data), a
 * turn to read from Redis, the end (why, reason, close_code, close_received,
 * evicted), a request that is kept (HTTP/2 and 3), TLS.
 *
 * Not in it, since it follows: places in lists (blocked, throttled, spare,
 * place, expiry), class (place, proto and transport), host (addr), key and
 * begins (connect sets them anew), nsubs, unfinished (its frame is in output),
 * cursors of subscriptions.
 */
typedef struct {
    uint32_t              number;        /* in the channel; the first bytes */
    im_str_t              place;         /* server and location, 1..255 bytes */
    const im_proto_t     *proto;         /* decoded: NULL if this binary hasn't
                                            it, and so the next one: the place
                                            is gone */
    const im_transport_t *transport;
    u_char                id[16];        /* UUID */
    im_str_t              addr;          /* 4 or 16 bytes; "": a unix socket */
    uint8_t               phase;         /* im_handover_phase_e */
    uint8_t               pinged;        /* pings without an answer, 0..7 */
    uint8_t               pong_due;      /* 0 or 1, as the next ones */
    uint8_t               positions;
    uint8_t               failed;        /* connect was refused */
    uint8_t               prepaid;       /* a block of bytes */
    uint8_t               credit;        /* what a command reads is paid */
    uint8_t               nbad;          /* tokens that were not valid */
    uint8_t               mark;          /* the caller's, 0..2 */
    uint16_t              nrooms;        /* for the log line */
    uint16_t              nnew;          /* rooms that were new, and */
    uint32_t              new_time;      /* s ago: their count began */
    uint32_t              start;         /* s since 1970 */
    uint64_t              bytes_in;      /* 48 bits, as the next */
    uint64_t              bytes_out;
    uint64_t              commands;      /* im_bucket_owed() */
    uint32_t              flow;          /* ms that it is ahead of its rate */
    int32_t               frames;        /* that are not paid for */
    uint32_t              seen;          /* s ago */
    uint32_t              deadline;      /* s from now */
    uint32_t              stuck;         /* ms ago: blocked since then */
    im_str_t              opening;       /* its form is the caller's to check */
    uint8_t               has;           /* IM_HANDOVER_HAS_*: what follows */
    im_handover_known_t   known;
    im_handover_held_t    held;
    im_handover_partial_t partial;
    im_handover_output_t  output;
    im_handover_emulation_t emulation;
    im_handover_sub_t    *subs;          /* in the session's order */
    uint32_t              nsubs;
    im_resume_t          *resumes;       /* of request protocols */
    uint32_t              nresumes;      /* at most IM_RESUMES_MAX */
    int32_t              *ops;           /* operations that it accepts */
    uint32_t              nops;          /* at most IM_HANDOVER_OPS_MAX */
    void                 *memory;        /* of the three; owned, or NULL */
} im_handover_session_t;


/*
 * Bodies are made by appending to a buffer: IM_HANDOVER_MAX is its limit, and
 * b->failed says that an item was too long, was not a valid one, or there was
 * no memory.  The caller goes back to the length before it.
 */
void im_handover_hello_encode(im_buf_t *b, const im_handover_hello_t *hello);
void im_handover_topic_encode(im_buf_t *b, const im_handover_topic_t *topic);
void im_handover_ready_encode(im_buf_t *b, const im_handover_ready_t *ready);
void im_handover_heard_encode(im_buf_t *b, const im_handover_heard_t *heard);
void im_handover_verdict_encode(im_buf_t *b, const im_handover_verdict_t *v);
void im_handover_late_encode(im_buf_t *b, const im_handover_late_t *late);
void im_handover_session_encode(im_buf_t *b, const im_handover_session_t *s);

/* The whole body.  IM_ERROR: malformed. */
im_int_t im_handover_hello_decode(im_str_t body, im_handover_hello_t *hello);
im_int_t im_handover_late_decode(im_str_t body, im_handover_late_t *late);

/* The next item.  IM_DECLINED: there is none; IM_ERROR: malformed. */
im_int_t im_handover_topic_decode(im_reader_t *r, im_handover_topic_t *topic);
im_int_t im_handover_ready_decode(im_reader_t *r, im_handover_ready_t *ready);
im_int_t im_handover_heard_decode(im_reader_t *r, im_handover_heard_t *heard);
im_int_t im_handover_verdict_decode(im_reader_t *r, im_handover_verdict_t *v);

/*
 * The same for a session; only IM_OK leaves memory to clean up.  IM_ERROR: *why
 * is static text, and s->number is the record's; the next record can be read
 * unless r->failed, which means that the message is not one of records.
 */
im_int_t im_handover_session_decode(im_reader_t *r, im_handover_session_t *s,
    const char **why);

/*
 * Makes room for so many, zeroed, in a session that has none yet, and sets the
 * counts.  IM_ERROR: no memory, or there are too many.
 */
im_int_t im_handover_session_reserve(im_handover_session_t *s, size_t nsubs,
    size_t nresumes, size_t nops);
void im_handover_session_cleanup(im_handover_session_t *s);


/* A packet to send: header and piece, in this order, as one. */
typedef struct {
    u_char            header[IM_HANDOVER_HEADER];
    im_str_t          piece;     /* borrows from the body */
    unsigned          more:1;    /* others follow; descriptors go with the
                                    last one */
} im_handover_packet_t;

/*
 * The packet of a message whose body has been sent up to at.  The next one
 * begins at + packet->piece.len.  It has so many bytes at most, which are
 * IM_HANDOVER_LEAST to IM_HANDOVER_PACKET.
 */
void im_handover_packet(im_handover_type_e type, im_str_t body, size_t at,
    size_t most, im_handover_packet_t *packet);


/* What came of a message; initially zeros. */
typedef struct {
    im_buf_t          body;
    uint8_t           type;      /* of the message under way; 0: none */
} im_handover_input_t;

/*
 * Takes a packet.
 *   IM_OK     a message is whole: type and body, which is valid until the next
 *             call and lies in the packet or in input
 *   IM_AGAIN  more packets of it follow
 *   IM_ERROR  *why is static text: the channel is of no use any more
 */
im_int_t im_handover_input(im_handover_input_t *input, im_str_t packet,
    im_handover_type_e *type, im_str_t *body, const char **why);
void im_handover_input_cleanup(im_handover_input_t *input);


#endif /* IM_HANDOVER_H */
