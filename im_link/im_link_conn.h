/*
 * Copyright (C) The im authors
 *
 * One connection to a server: bytes out, replies in, and the calls that wait
 * for theirs.  It knows nothing of what calls and replies mean.
 */

#ifndef IM_LINK_CONN_H
#define IM_LINK_CONN_H


#include <hiredis/hiredis.h>

#include "im_list.h"
#include "im_link_clock.h"


#define IM_LINK_RUN_ID      16
#define IM_LINK_REPLID      8
#define IM_LINK_GENERATION  (IM_LINK_RUN_ID + IM_LINK_REPLID)


#if (HIREDIS_MAJOR < 1)
typedef int     im_link_elements_t;
#else
typedef size_t  im_link_elements_t;
#endif

typedef void *(*im_link_array_pt)(const redisReadTask *task,
    im_link_elements_t n);


typedef enum {
    IM_LINK_CLOSED = 0,
    IM_LINK_CONNECTING,
    IM_LINK_PREPARING,
    IM_LINK_READY
} im_link_conn_e;


/*
 * A call that waits for its reply, or to be sent.  What it takes to send it
 * again is kept of scripts, and of calls that errors may send to other servers:
 * all its bytes, or those that follow a script's SHA-1.
 */
typedef struct {
    im_list_t           link;
    im_link_reply_pt    handler;
    void               *data;
    uint64_t            time;          /* it was sent */
    uint64_t            since;         /* it was sent first */
    uint64_t            number;        /* errors may send it to others; or 0 */
    const im_script_t  *script;
    im_uint_t           nargs;
    im_uint_t           nkeys;
    im_uint_t           slot;
    im_uint_t           tries;         /* errors that sent it elsewhere */
    size_t              generation;    /* where in bytes; 0: nowhere */
    int                 asking;        /* the server is to get the slot */
    size_t              len;
    u_char              bytes[];
} im_link_kept_t;


/* What its owner does.  Each may close the connection, or end the owner. */
typedef struct {
    /* It takes bytes: what prepares it is sent first. */
    void  (*connected)(im_link_conn_t *conn);

    void  (*reply)(im_link_conn_t *conn, const im_link_reply_t *reply);

    /* A call is refused.  1: the owner has taken it.  NULL: never. */
    int   (*error)(im_link_conn_t *conn, im_link_kept_t *kept,
                   const im_link_reply_t *reply);

    /* It can't go on: the owner closes it. */
    void  (*lost)(im_link_conn_t *conn, const char *why);
} im_link_conn_events_t;


/*
 * Owners of connections live until the outermost function that works for them
 * is done: between enter and leave they are not freed.
 */
typedef struct {
    im_uint_t    busy;
    void       (*free)(void *data);    /* set when the owner has ended */
    void        *data;
} im_link_guard_t;

#define im_link_enter(guard)  ((guard)->busy++)

void im_link_leave(im_link_guard_t *guard);


struct im_link_conn_s {
    const im_link_conn_events_t  *events;
    void                       *owner;
    im_link_guard_t            *guard;
    im_link_clock_t            *clock;
    const im_link_transport_t  *transport;
    void                       *data;        /* the transport's */
    const char                 *name;        /* for the log */
    void                       *socket;      /* the transport's */
    const im_link_tls_ctx_t    *ctx;         /* NULL: without TLS */
    im_link_tls_t              *tls;
    redisReader                *reader;
    redisReplyObjectFunctions   functions;   /* of the reader */
    im_link_array_pt            array;       /* the one of hiredis */
    size_t                      unread;      /* bytes of the next reply */
    size_t                      max_reply;   /* limit of them */
    im_buf_t                    out;
    size_t                      sent;        /* of out */
    im_list_t                   calls;       /* in the order of replies */
    im_uint_t                   ncalls;
    im_uint_t                   closes;      /* tells connections apart */
    uint64_t                    start;       /* of connecting; due() */
    uint64_t                    silent;      /* since then; due() */
    uint64_t                    asked;       /* last question of the link */
    uint64_t                    period;      /* of such questions */
    uint64_t                    retry;       /* connects again then */
    uint64_t                    backoff;
    uint64_t                    latency;     /* of replies, in ms / 8 */
    im_link_conn_e              state;
    unsigned                    failed:1;    /* a command found no memory */
    unsigned                    local:1;     /* by a unix socket */
    unsigned                    near:1;      /* its server: on this machine */
    unsigned                    answered:1;  /* the server has said something */
    u_char                      generation[IM_LINK_GENERATION];
};


/* The rest is set by the caller before: events, owner, guard, clock, ctx. */
void im_link_conn_init(im_link_conn_t *conn, const char *name, uint64_t period,
    const im_link_transport_t *transport, void *data);

/*
 * host: of the server, as a certificate has it.  NULL: it connects; else the
 * reason why not.
 */
const char *im_link_conn_open(im_link_conn_t *conn,
    const im_link_address_t *to, im_str_t host);

/*
 * Forgets what is unsent and unread, and says when to connect again.  A closed
 * one stays as it is.
 */
void im_link_conn_close(im_link_conn_t *conn);

/* Says when to connect again, the later the more often this is so. */
void im_link_conn_delay(im_link_conn_t *conn);

/* The setter of the state. */
void im_link_conn_enter(im_link_conn_t *conn, im_link_conn_e state);

/* Calls the handlers of all calls with NULL. */
void im_link_conn_fail(im_link_conn_t *conn);

/* Without a handler that waits: for what has no reply of its own. */
im_int_t im_link_conn_write(im_link_conn_t *conn, const im_link_call_t *call);
im_int_t im_link_conn_send(im_link_conn_t *conn, const im_link_call_t *call,
    im_link_reply_pt handler, void *data);

/*
 * A call that isn't sent yet, to be freed by im_free().  NULL: no memory.  The
 * buffer is for the caller's bytes.
 */
im_link_kept_t *im_link_kept_create(const im_link_call_t *call, im_buf_t *buf,
    uint64_t now, im_link_reply_pt handler, void *data);

/* Sends it once more.  IM_ERROR: it remains the caller's. */
im_int_t im_link_conn_send_again(im_link_conn_t *conn, im_link_kept_t *kept);

/* Gives a reply to the call that has waited longest; 0: none waits. */
int im_link_conn_answer(im_link_conn_t *conn, const im_link_reply_t *reply);

/* The oldest call waits for it with this handler. */
int im_link_conn_expects(const im_link_conn_t *conn, im_link_reply_pt handler);

/* The time by which its server must have said something. */
uint64_t im_link_conn_due(const im_link_conn_t *conn);

/* How long the oldest call waits; 0: there is none. */
uint64_t im_link_conn_waits(const im_link_conn_t *conn);

/*
 * Why an open connection is to be closed: it could not be prepared within
 * timeout ms, or a reply is late; NULL: it may go on.
 */
const char *im_link_conn_late(const im_link_conn_t *conn, uint64_t timeout);

/* Its peer answers, but TLS can't be agreed on, or its certificate is bad. */
int im_link_conn_unfit(const im_link_conn_t *conn);


#endif /* IM_LINK_CONN_H */
