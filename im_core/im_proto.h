/*
 * Copyright (C) The im authors
 *
 * Client protocols as tables.  A protocol is one file and one row in im_wire.c.
 */

#ifndef IM_PROTO_H
#define IM_PROTO_H


#include "im_types.h"
#include "im_buf.h"
#include "im_member.h"
#include "im_push.h"
#include "im_transport.h"


/* One message at its place in a topic. */
typedef struct {
    im_str_t              topic;
    im_str_t              epoch;
    uint64_t              seq;
    const im_envelope_t  *envelope;
    unsigned              numbered:1;  /* it is in the topic's history */
    unsigned              healed:1;    /* it comes from there, late */
} im_message_t;


/* Where a client stands in a topic. */
typedef struct {
    im_str_t  epoch;
    uint64_t  seq;
} im_position_t;


/* How a topic that comes with connect begins. */
typedef struct {
    im_str_t       topic;        /* "r:..", "u:..", "b"; "u:": the own inbox */
    im_position_t  since;        /* epoch may be empty or of any length */
    uint16_t       last;         /* messages of history to begin with, where
                                    the topic doesn't go on behind since */
    unsigned       recover:1;    /* since is given */
    unsigned       join:1;       /* a room: followed because of this */
} im_resume_t;

#define IM_RESUMES_MAX  128

/* The most messages that a history command or last gives. */
#define IM_HISTORY_MAX  300


typedef enum {
    IM_COMMAND_NONE = 0,     /* nothing to do */
    IM_COMMAND_CONNECT,      /* token, room, data, name, resumes */
    IM_COMMAND_ECHO,         /* send the message back */
    IM_COMMAND_FAULT,        /* close for fault, saying why */
    IM_COMMAND_ERROR,        /* answer id with error */
    IM_COMMAND_PONG,
    IM_COMMAND_SUBSCRIBE,    /* topic, token, data, last, since where recover */
    IM_COMMAND_UNSUBSCRIBE,  /* topic */
    IM_COMMAND_PUBLISH,      /* topic, "": the room of the request; data */
    IM_COMMAND_PRESENCE,     /* topic */
    IM_COMMAND_PRESENCE_STATS,
    IM_COMMAND_HISTORY,      /* topic, limit, reverse, since where recover */
    IM_COMMAND_RPC,          /* method, data */
    IM_COMMAND_SEND,         /* data; no id, no answer */
    IM_COMMAND_REFRESH,      /* token */
    IM_COMMAND_SUB_REFRESH,  /* topic, token */
    /* with answer, which is sent whatever becomes of them */
    IM_COMMAND_ANSWER,       /* nothing else */
    IM_COMMAND_COUNT,        /* of the session's room, with the answer */
    IM_COMMAND_MOVE,         /* room, in the place of the one it has */
    IM_COMMAND_ACCEPT,       /* ops: it wants them too, */
    IM_COMMAND_REJECT        /* or not any more */
} im_command_e;


/* Strings are in the arena or borrow from the message; "": not given. */
typedef struct {
    im_command_e   type;
    uint32_t       id;           /* of the answer; 0: none is expected */
    im_str_t       token;
    im_str_t       room;         /* name; "" none */
    im_str_t       topic;
    im_str_t       data;         /* JSON as it came */
    im_str_t       name;         /* of the client's software */
    im_str_t       version;
    im_str_t       method;
    im_position_t  since;
    int64_t        limit;        /* of history; 0: only the position */
    uint16_t       last;         /* as im_resume_t has it */
    im_resume_t   *resumes;      /* in the arena; connect has id or begins */
    im_uint_t      nresumes;
    im_str_t       user;         /* CONNECT: as the client says */
    im_str_t       key;          /* CONNECT: of the topic "k:KEY" */
    im_str_t       answer;       /* whole, for the command's reply */
    int32_t       *ops;          /* operations of pushes, in the arena; not
                                    NULL in CONNECT: it wants only these */
    im_uint_t      nops;
    im_reason_e    fault;
    const char    *why;          /* static text for the fault */
    uint16_t       error;        /* im_error_e */
    unsigned       positions:1;  /* im: wants seq and epoch in messages */
    unsigned       begins:1;     /* connect: each topic has an answer of its
                                    own, REPLY_SUBSCRIBE, when it begins */
    unsigned       recover:1;    /* since is given */
    unsigned       join_leave:1;
    unsigned       strict:1;     /* no subscription if it can't recover */
    unsigned       reverse:1;
} im_command_t;


/* The codes of error replies: centrifuge's numbers. */
typedef enum {
    IM_ERROR_INTERNAL = 100,          /* temporary */
    IM_ERROR_UNAUTHORIZED = 101,
    IM_ERROR_UNKNOWN_CHANNEL = 102,
    IM_ERROR_PERMISSION = 103,
    IM_ERROR_METHOD = 104,
    IM_ERROR_ALREADY = 105,
    IM_ERROR_LIMIT = 106,
    IM_ERROR_BAD_REQUEST = 107,
    IM_ERROR_NOT_AVAILABLE = 108,
    IM_ERROR_TOKEN_EXPIRED = 109,
    IM_ERROR_EXPIRED = 110,
    IM_ERROR_TOO_MANY = 111,          /* temporary */
    IM_ERROR_POSITION = 112
} im_error_e;


/* Codes of PUSH_UNSUBSCRIBE: from 2500 on the client subscribes again. */
typedef enum {
    IM_UNSUBSCRIBED_SERVER = 2000,
    IM_UNSUBSCRIBED_STATE = 2500,     /* insufficient */
    IM_UNSUBSCRIBED_EXPIRED = 2501
} im_unsubscribed_e;


typedef enum {
    IM_REPLY_ERROR = 0,      /* error, or code and reason of a backend's */
    IM_REPLY_CONNECT,        /* session, ping, pong, ttl, data, subs */
    IM_REPLY_SUBSCRIBE,      /* sub */
    IM_REPLY_UNSUBSCRIBE,
    IM_REPLY_PUBLISH,
    IM_REPLY_PRESENCE,       /* clients */
    IM_REPLY_PRESENCE_STATS, /* nclients, nusers */
    IM_REPLY_HISTORY,        /* sub: position and messages */
    IM_REPLY_RPC,            /* data */
    IM_REPLY_REFRESH,        /* session, ttl */
    IM_REPLY_SUB_REFRESH,    /* ttl */
    IM_REPLY_PING,           /* this and all below are pushes: no id */
    IM_REPLY_PUSH_JOIN,      /* topic, client */
    IM_REPLY_PUSH_LEAVE,
    IM_REPLY_PUSH_SUBSCRIBE, /* sub */
    IM_REPLY_PUSH_UNSUBSCRIBE,   /* topic, code, reason */
    IM_REPLY_PUSH_REFRESH,   /* ttl */
    IM_REPLY_DISCONNECT,     /* code, reason; the last one, on a transport that
                                has no close frame */
    /* only to commands that have an answer, data */
    IM_REPLY_ANSWER,
    IM_REPLY_COUNT,          /* nclients */
    IM_REPLY_POSITIONS       /* a push, subs: where the client stands in each of
                                its topics, by im_proto_t.ids */
} im_reply_e;


/* How a subscription began. */
typedef struct {
    im_str_t             topic;
    im_position_t        at;         /* what the client continues from */
    const im_message_t  *messages;   /* that it has missed, in order */
    im_uint_t            nmessages;
    im_str_t             data;
    uint32_t             ttl;        /* s; 0: does not expire */
    unsigned             recoverable:1;
    unsigned             positioned:1;
    unsigned             recovering:1;   /* the client asked to */
    unsigned             recovered:1;    /* 0: messages are missing */
} im_subscribed_t;


typedef struct {
    im_reply_e              type;
    uint32_t                id;
    uint16_t                error;       /* im_error_e, or 0: code, reason */
    unsigned                temporary:1;
    unsigned                pong:1;      /* the client must answer pings */
    unsigned                positions:1; /* messages have theirs */
    uint32_t                code;
    im_str_t                reason;
    im_str_t                topic;
    im_str_t                session;     /* UUID */
    im_str_t                secret;      /* for emulation, "" none */
    im_str_t                node;
    im_str_t                data;        /* JSON, "" none */
    uint32_t                ttl;         /* s; 0: does not expire */
    uint32_t                ping;        /* s; 0: none */
    const im_subscribed_t  *subs;        /* sub: the first one */
    im_uint_t               nsubs;
    const im_member_t      *clients;
    im_uint_t               nclients;
    im_uint_t               nusers;
} im_reply_t;


typedef struct {
    im_str_t            room;        /* without "r:" */
    uint64_t            count;
    const im_member_t  *users;       /* user and name, each user once */
    im_uint_t           n;           /* may be less than count */
} im_room_info_t;


/*
 * A form in which followers of a topic get its messages.  Each callback appends
 * whole frames, or nothing: this message is not for them.  All but message may
 * be NULL: the form has no such frame.
 */
typedef struct {
    void      (*message)(im_buf_t *b, const im_transport_t *transport,
                   const im_message_t *m);
    /* PUSH_JOIN and PUSH_LEAVE */
    void      (*presence)(im_buf_t *b, const im_transport_t *transport,
                   const im_reply_t *reply);
    /*
     * The topic goes on at sub->at, with all messages if sub->recovered.
     * IM_DECLINED: the form can't say so; followers must subscribe again.
     */
    im_int_t  (*moved)(im_buf_t *b, const im_transport_t *transport,
                   const im_subscribed_t *sub);
    void      (*room_info)(im_buf_t *b, const im_transport_t *transport,
                   const im_room_info_t *info);
} im_form_t;


/* What a client wants from a topic besides its messages. */
typedef enum {
    IM_FORM_PLAIN = 0,
    IM_FORM_POSITIONS,       /* command.positions */
    IM_FORM_JOINS,           /* join_leave */
    IM_FORMS
} im_form_e;


/* Which commands clients have, with answers. */
typedef enum {
    IM_COMMANDS_NONE = 0,
    IM_COMMANDS_ALL,         /* they subscribe, ask and renew tokens */
    IM_COMMANDS_CONNECT,     /* connect is the only one */
    IM_COMMANDS_PUBLISH      /* connect and publish */
} im_commands_e;


/* What an error of connect is, where a protocol has no reply for it. */
typedef struct {
    uint16_t      error;         /* 0: all others, the last row */
    im_reason_e   reason;
    const char   *why;
} im_refusal_t;


/* With this argument of the request a client asks for another encoding. */
typedef struct {
    const char  *name;
    const char  *value;
} im_arg_t;


typedef struct im_proto_s  im_proto_t;

struct im_proto_s {
    const char       *name;      /* of im_comet protocol= */
    const char       *encoding;  /* for webhooks; NULL: json */
    const char       *subprotocol;   /* of WebSocket, if a client asks */
    /*
     * Other encodings that a location of this protocol serves too, ended by
     * NULL, or NULL.  A client asks for one by its subprotocol or by one of its
     * arguments.
     */
    const im_proto_t *const *variants;
    const im_arg_t   *args;      /* of a variant; ended by NULL, or NULL */
    /*
     * Over HTTP the first message comes with the request: in the body, or in
     * the argument name, without which it is value; value NULL: it is needed.
     * name NULL: no message comes.
     */
    im_arg_t          first;
    const char       *type;      /* of HTTP streams; NULL: text/plain */
    /*
     * Why a first message that came with the request is refused with status
     * 400; NULL: it isn't.  NULL: the stream says it.
     */
    const char     *(*check)(im_str_t first);
    const im_refusal_t *refusals;    /* NULL: connect is answered by errors */
    const uint16_t   *codes;     /* by im_reason_e; NULL: the transport's */
    const char       *claim;     /* clients say who they are by it, or NULL */
    const im_form_t  *forms[IM_FORMS];
    uint8_t           transports;    /* im_transport_e bits */
    uint8_t           usual;     /* of these, where im_comet names none */
    size_t            max_message;   /* of clients; 0: im_limit decides */
    uint16_t          ping;      /* s: im_ping where it is not configured; */
    uint16_t          pong;      /* 0: as for most */
    unsigned          topics:1;  /* has rooms, inbox, broadcast */
    unsigned          connects:1;    /* must send CONNECT before it is open */
    unsigned          guests:1;  /* a client without a good token is a guest */
    /* joins that the client may not are left out; else they end its session */
    unsigned          partial:1;
    unsigned          pings:1;   /* by messages, and clients must answer */
    /*
     * The request says all that connect has, as im_request.h has it, and the
     * rooms are those of im_join.
     */
    unsigned          request:1;
    /*
     * im_transport_e bits: there a message has its position, in the form
     * IM_FORM_POSITIONS, for sessions whose first room alone has history.  To
     * others REPLY_POSITIONS says where they are.
     */
    uint8_t           ids;
    uint8_t           commands;  /* im_commands_e */
    /*
     * Takes the first command off *rest, a whole client message or what is
     * left of it; the caller goes on until it is empty.  connected: after
     * CONNECT was accepted.  The caller resets arena.  Nothing is left after a
     * FAULT.
     */
    void            (*decode)(im_str_t *rest, int connected, im_buf_t *arena,
                         im_command_t *command);
    /*
     * Appends whole frames, or nothing if the protocol has none for it.  NULL:
     * it has none at all.
     */
    void            (*reply)(im_buf_t *b, const im_transport_t *transport,
                         const im_reply_t *reply);
};


extern const im_proto_t  im_proto_im;
extern const im_proto_t  im_proto_centrifuge;
extern const im_proto_t  im_proto_centrifuge_pb;
extern const im_proto_t  im_proto_uni;
extern const im_proto_t  im_proto_goim;
extern const im_proto_t  im_proto_plain;
extern const im_proto_t  im_proto_plain_meta;
extern const im_proto_t  im_proto_echo;


#endif /* IM_PROTO_H */
