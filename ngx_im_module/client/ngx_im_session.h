/*
 * Copyright (C) The im authors
 *
 * Sessions: one for each client connection of a worker.
 */

#ifndef NGX_IM_SESSION_H
#define NGX_IM_SESSION_H


#include "ngx_im_worker.h"
#include "ngx_im_budget.h"
#include "ngx_im_host.h"
#include "im_list.h"
#include "im_buf.h"
#include "im_wire.h"
#include "im_hub.h"
#include "im_id.h"
#include "im_member.h"
#include "im_push.h"


typedef struct ngx_im_session_s  ngx_im_session_t;


typedef enum {
    NGX_IM_FREE = 0,
    NGX_IM_CONNECTING,       /* 101 sent, waits for the first frame */
    NGX_IM_AUTHENTICATING,   /* a question is out: whose token? */
    NGX_IM_OPEN,
    NGX_IM_MOVING,           /* in flight to another worker */
    NGX_IM_ENDING,           /* its close frame goes out in this turn */
    NGX_IM_CLOSING,          /* the close frame is out: waits for the peer */
    NGX_IM_CLOSED            /* freed in this turn */
} ngx_im_phase_e;


/*
 * Bytes for one session alone: replies, pongs, the close frame, and bytes that
 * TLS has refused once and must get again.
 */
typedef struct {
    u_char           *data;
    size_t            len;
    size_t            size;
    size_t            sent;
    size_t            urgent;    /* go before the rest of an unfinished frame */
    size_t            history;   /* bytes of messages that wait, not replies */
} ngx_im_replies_t;


/* What sessions that speak alike have in common. */
typedef struct {
    ngx_im_loc_conf_t    *conf;
    const im_proto_t     *proto;
    const im_transport_t *transport;
    ngx_uint_t            number;    /* the protocol's and the transport's */
    ngx_uint_t            kind;      /* place in counters */
} ngx_im_class_t;


/* A frame or a message of which a part came. */
typedef struct {
    im_input_t        decoder;   /* the transport's */
    im_buf_t         *message;   /* what came of it, or NULL */
} ngx_im_partial_t;


/* Input that waits for the answer to an earlier command. */
typedef struct {
    size_t            len;       /* of the message, or its rest */
    size_t            rest;      /* of the bytes behind it */
    size_t            pong;      /* of the answer to pings before them */
    im_kind_e         kind;      /* 0: there is no message */
    u_char            bytes[1];
} ngx_im_held_t;


/* What a session waits for whose input is not read. */
typedef enum {
    NGX_IM_WAIT_FRAMES = 0,
    NGX_IM_WAIT_BYTES,
    NGX_IM_WAIT_COMMANDS,
    NGX_IM_WAIT_READ         /* bytes from Redis */
} ngx_im_wait_e;


/* A request that a session keeps: ngx_im_kept.h. */
typedef struct ngx_im_kept_s  ngx_im_kept_t;


/* Whether its client hears by messages of their own where it is. */
typedef enum {
    NGX_IM_MARK_NONE = 0,
    NGX_IM_MARK_SENT,
    NGX_IM_MARK_DUE          /* it got messages since */
} ngx_im_mark_e;


/* What a token or a backend says of some clients. */
typedef struct {
    im_str_t         *info;      /* JSON for others, behind it; or NULL */
    im_str_t         *rooms;     /* the same, as im_ask_identity_t has it */
    im_str_t         *meta;      /* the same, JSON for webhooks */
    uint32_t          refresh;   /* s: the webhook renews then; 0: never */
} ngx_im_about_t;


/* What is known of a client that has signed in, or whose time is limited. */
typedef struct {
    im_user_t        *user;      /* NULL: guest */
    im_list_t         link;      /* in user->sessions */
    ngx_im_session_t *session;   /* its owner */
    ngx_im_timer_t    expiry;    /* in worker->expiry */
    ngx_im_about_t   *about;     /* or NULL */
    uint32_t          expires;   /* the end of the identity; 0: never */
    uint8_t           login;     /* the login is behind the name */
    uint8_t           name_len;
    u_char            name[1];
} ngx_im_known_t;


/* A session in flight: ngx_im_pack.h. */
typedef struct {
    ngx_im_phase_e    phase;     /* that it had */
    size_t            packed;    /* bytes for it alone that its record has */
    uint32_t          deadline;  /* s, that were left */
    const char       *why;       /* it is to be closed; NULL: it isn't */
    im_reason_e       reason;
    ngx_uint_t        code;
    unsigned          full:1;    /* its socket was */
    unsigned          told:1;    /* that it is to be closed */
    unsigned          taken:1;   /* another worker has its places in the zone */
} ngx_im_moving_t;


/* The extension of a session: what is under way. */
typedef struct {
    im_list_t         waiting;   /* in worker->throttled or queries; or self */
    im_list_t         spare;     /* in worker->spare; or self */
    ngx_im_session_t *session;   /* its owner */
    ngx_im_held_t    *held;
    ngx_im_kept_t    *kept;      /* or NULL: the connection is its own */
    ngx_im_moving_t  *moving;    /* or NULL: it is not in flight */
    char             *why;       /* s->why as another worker said it, or NULL */
    im_resume_t      *resumes;   /* of connect, until it is answered; those of
                                    a request stay */
    ngx_uint_t        nresumes;
    im_str_t          key;       /* of connect, until it is open; owned, as
                                    the next two */
    im_str_t          data;      /* for the client, with the reply */
    im_str_t          reason;    /* of the close frame; "": s->why */
    uint32_t          connect;   /* id of the command */
    uint32_t          busy_id;   /* of the command that is under way */
    uint16_t          nsubs;     /* of connect that are not ready */
    uint16_t          nasked;    /* questions that keep nothing waiting */
    uint8_t           nbad;      /* tokens that were not valid */
    uint8_t           wait;      /* ngx_im_wait_e, while it is stopped */
    uint8_t           mark;      /* ngx_im_mark_e */
    uint8_t           logged;    /* its end is in the access log */
    unsigned          connecting:1;  /* connect isn't answered */
    unsigned          begins:1;  /* topics of connect are, each alone */
    unsigned          failed:1;  /* connect was refused */
    unsigned          busy:1;    /* a command is under way: input waits */
    unsigned          prepaid:1; /* a block of bytes */
    unsigned          credit:1;  /* what a command reads first is paid */
} ngx_im_ext_t;


/* Where a blocked session has news, as far as the flush has come to it. */
typedef enum {
    NGX_IM_NEWS_ONE = 0,                 /* where it had when it was blocked */
    NGX_IM_NEWS_MORE
} ngx_im_news_e;


/* How one of its topics is found. */
typedef enum {
    NGX_IM_LOOKUP_WALK = 0,
    NGX_IM_LOOKUP_INDEX                  /* all are in hub.index */
} ngx_im_lookup_e;


struct ngx_im_session_s {
    uint32_t            host;            /* in worker->hosts_slab; im_slab_t's
                                            while it is free */
    uint32_t            generation;
    uint32_t            index;
    uint32_t            flush;           /* worker->nflushes at its turn */
    ngx_im_timer_t      deadline;        /* in worker->wheel */
    im_list_t           place;           /* in its host's, or worker->closed */
    im_list_t           blocked;         /* in worker->blocked; self when not */
    ngx_connection_t   *connection;
    const ngx_im_class_t *class;         /* of worker->classes */
    struct ngx_im_opening_s *opening;    /* what questions bring of it */
    ngx_im_known_t     *known;           /* or NULL */
    im_sub_t           *subs;            /* from the hub's slab */
    ngx_im_replies_t   *replies;         /* queued control bytes, or NULL */
    ngx_im_ext_t       *ext;             /* or NULL */
    im_sub_t           *unfinished;      /* its frame is cut in the socket */
    ngx_im_partial_t   *partial;         /* or NULL */
    im_bucket_t         commands;
    uint64_t            bytes_in:48;
    uint64_t            nsubs:16;        /* in subs */
    uint64_t            bytes_out:48;
    uint64_t            nrooms:16;       /* joined, for the log line */
    int32_t             frames;          /* that are not paid for */
    uint32_t            start;           /* ngx_time() */
    uint32_t            seen;            /* last bytes, by the wheel's time */
    uint32_t            stuck;           /* ms: blocked since then */
    uint32_t            new_time;        /* of nnew, ngx_time() */
    uint16_t            nnew;            /* new to this worker */
    uint16_t            accept;          /* in worker->accepts, a reference;
                                            0: all */
    uint16_t            close_code;
    uint8_t             phase;           /* ngx_im_phase_e */
    unsigned            close_received:1;
    unsigned            pinged:3;        /* pings of ours without an answer */
    unsigned            pong_due:1;      /* the deadline is its answer's */
    unsigned            positions:1;     /* im: with seq and epoch */
    unsigned            evicted:1;       /* has no place any more */
    unsigned            adopted:1;       /* in worker->adopted */
    unsigned            left:1;          /* a room that has presence, and Redis
                                            may not know */
    unsigned            news:2;          /* ngx_im_news_e, of its topics */
    unsigned            lookup:2;        /* ngx_im_lookup_e, of its topics */
    ngx_im_peer_t       peer;
    uint8_t             reason;          /* im_reason_e, with why */
    const char         *why;             /* for the log line */
};


/* ms: what it has sent is worth so much of its rate */
#define ngx_im_session_flow(s)  ((s)->deadline.spare)

/* The most of pinged. */
#define NGX_IM_PINGS  7


/* im_sub_t's flags */
#define NGX_IM_SUB_SERVER      0x01 /* the client did not subscribe itself */
#define NGX_IM_SUB_JOIN_LEAVE  0x02      /* gets joins and leaves of others */
#define NGX_IM_SUB_CONNECT     0x04      /* by connect */
#define NGX_IM_SUB_GUEST_ROOM  0x08      /* a guest brought the room */
#define NGX_IM_SUB_HIDDEN      0x10      /* is not listed as a member */
#define NGX_IM_SUB_QUIET       0x20      /* others don't hear of it */
#define NGX_IM_SUB_NO_RECOVERY  0x40
#define NGX_IM_SUB_NO_POSITION  0x80

/* for ngx_im_sub_join() alone: joins and leaves, whatever the rule says */
#define NGX_IM_SUB_JOINS_ON    0x100
#define NGX_IM_SUB_JOINS_OFF   0x200


/* How the beginning of a subscription is answered. */
typedef enum {
    NGX_IM_JOIN_COMMAND = 0,
    NGX_IM_JOIN_CONNECT,                 /* with connect */
    NGX_IM_JOIN_PUSH                     /* by the server: a push */
} ngx_im_join_e;


/* A question to Redis. */
typedef enum {
    NGX_IM_NOT_ASKED = 0,
    NGX_IM_ASKED,
    NGX_IM_ANSWERED
} ngx_im_asked_e;


/*
 * How a subscription is to begin, while it is joining.  Without one no client
 * waits for an answer.
 */
typedef struct {
    im_list_t           link; /* waits for history, or in worker->ready */
    im_sub_t           *sub;
    uint64_t            seq;             /* where the client was */
    im_epoch_t          epoch;
    uint32_t            id;              /* of the command */
    im_str_t            data;            /* for the client; behind this */
    ngx_im_join_e       kind;
    ngx_im_asked_e      asked;           /* where the topic is */
    uint16_t            last;            /* messages of history to begin with */
    unsigned            recover:1;       /* seq and epoch are given */
    unsigned            strict:1;        /* no subscription with a hole */
    unsigned            ready:1;         /* to be answered */
    unsigned            late:1;          /* after connect: its topic is away */
} ngx_im_join_t;


/* What only some subscriptions have: sub->more. */
typedef struct {
    ngx_im_join_t      *join;            /* or NULL */
    im_str_t           *info;            /* JSON behind it, or NULL */
    uint32_t            expires;         /* s, 0: never */
} ngx_im_sub_more_t;


/* Events of sessions, for the layers above.  The worker brings the table. */
typedef struct ngx_im_session_events_s {

    /*
     * A message.  NGX_AGAIN: rest waits until ngx_im_session_continue();
     * NGX_ERROR: the session is closed.
     */
    ngx_int_t  (*message)(ngx_im_session_t *s, im_kind_e kind, im_str_t *rest);

    /* A command that came with the request and not in a message. */
    ngx_int_t  (*command)(ngx_im_session_t *s, const im_command_t *command);

    /* The topic of a joining subscription is live. */
    void  (*joined)(ngx_im_session_t *s, im_sub_t *sub);

    /* sub is not in s->subs any more and leaves its topic now. */
    void  (*left)(ngx_im_session_t *s, im_sub_t *sub);

    /* sub has read up to a cut of its log. */
    void  (*cut)(ngx_im_session_t *s, im_sub_t *sub);

    /* The user is kept out. */
    int  (*kept_out)(ngx_im_worker_t *w, im_str_t user);

    /* nginx wants the worker to end. */
    void  (*quit)(ngx_im_worker_t *w);

    /* A frame for it alone is due. */
    int  (*waits)(ngx_im_session_t *s);

    /*
     * An entry came by pub/sub for a session that this worker has, had or
     * hands over.  NULL: there are none such.
     */
    void  (*entry)(ngx_im_worker_t *w, const im_entry_t *entry);

    /* The session comes from another worker, with other settings perhaps. */
    void  (*adopted)(ngx_im_session_t *s);

    /* Appends what a control entry of its topic says to clients. */
    void  (*missed)(ngx_im_worker_t *w, im_sub_t *sub, im_str_t envelope,
        im_buf_t *b);

} ngx_im_session_events_t;


/* The connection of a session that has lost its own. */
extern ngx_connection_t  ngx_im_session_lost;

/* The name of a node of worker->classes. */
im_str_t ngx_im_session_class_name(const im_hash_node_t *node);

/*
 * Takes over c, which is detached, and the place at that host.  NULL: no
 * memory, and both are the caller's.
 */
ngx_im_session_t *ngx_im_session_create(ngx_im_worker_t *w,
    ngx_connection_t *c, ngx_im_loc_conf_t *ilcf, const im_proto_t *proto,
    const im_transport_t *transport, ngx_im_peer_t *peer, uint32_t host);

/* The same of a session that another worker had: an open one. */
ngx_im_session_t *ngx_im_session_adopt(ngx_im_worker_t *w,
    const ngx_im_class_t *class, const ngx_im_peer_t *peer, uint32_t host);

/* What it has in common with others.  NULL: no memory. */
const ngx_im_class_t *ngx_im_session_class(ngx_im_worker_t *w,
    ngx_im_loc_conf_t *ilcf, const im_proto_t *proto,
    const im_transport_t *transport);

ngx_im_handle_t ngx_im_session_handle(ngx_im_session_t *s);
ngx_im_session_t *ngx_im_session_find(ngx_im_worker_t *w, ngx_im_handle_t h);

/* The same, also of one that has closed: it leaves its topics in this turn. */
ngx_im_session_t *ngx_im_session_get(ngx_im_worker_t *w, ngx_im_handle_t h);

/* Walks over all that are alive; index is 0 at first.  NULL: the end. */
ngx_im_session_t *ngx_im_session_next(ngx_im_worker_t *w, uint32_t *index);

/* Its UUID, and the text of that. */
void ngx_im_session_id(ngx_im_session_t *s, u_char id[16]);
void ngx_im_session_uuid(ngx_im_session_t *s, u_char text[IM_UUID_LEN]);

/* The live session that has this UUID, or NULL. */
ngx_im_session_t *ngx_im_session_by_id(ngx_im_worker_t *w,
    const u_char id[16]);

/* The only setter of phase. */
void ngx_im_session_phase(ngx_im_session_t *s, ngx_im_phase_e phase);

/* The code that it ends with for a reason; 0: without a close frame. */
ngx_uint_t ngx_im_session_code(ngx_im_session_t *s, im_reason_e reason);

/*
 * Ends a session in this turn, by ngx_im_close_handler(): with a close frame
 * where the peer can still take one.  The protocol or the transport has the
 * code for reason.  why is static text for the client and the log.  Nothing is
 * sent and no command is run after it; a second call is harmless.  NGX_ERROR,
 * for callers that return it.
 */
ngx_int_t ngx_im_session_close(ngx_im_session_t *s, im_reason_e reason,
    const char *why);

/* The same with a code (0: no close frame) and a copy of text ("": why). */
void ngx_im_session_close_code(ngx_im_session_t *s, im_reason_e reason,
    ngx_uint_t code,
    im_str_t text, const char *why);

/* Ends it at once, in favour of a client of another address. */
void ngx_im_session_evict(ngx_im_session_t *s);

/*
 * What is known of its client, created at first use; the other one is of a user
 * with a name and a login, or "".  NULL: no memory.
 */
ngx_im_known_t *ngx_im_session_known(ngx_im_session_t *s);
ngx_im_known_t *ngx_im_session_known_as(ngx_im_session_t *s, im_str_t name,
    im_str_t login);
void ngx_im_session_known_free(ngx_im_session_t *s);

/* The same for what is said of it. */
ngx_im_about_t *ngx_im_session_about(ngx_im_session_t *s);

/* Sets a string of it to a copy. */
ngx_int_t ngx_im_session_keep(im_str_t **to, im_str_t s);

/* "": there is no copy. */
static inline im_str_t
ngx_im_session_kept(const im_str_t *s)
{
    return s != NULL ? *s : im_str_set(NULL, 0);
}

/* Info, rooms or meta; "": there is none. */
#define ngx_im_session_said(s, what)                                          \
    ngx_im_session_kept((s)->known != NULL && (s)->known->about != NULL       \
                        ? (s)->known->about->what : NULL)

/* NULL: guest */
static inline im_user_t *
ngx_im_session_user(const ngx_im_session_t *s)
{
    return s->known != NULL ? s->known->user : NULL;
}

/* "": guest */
static inline im_str_t
ngx_im_session_user_id(const ngx_im_session_t *s)
{
    im_user_t  *user;

    user = ngx_im_session_user(s);

    return user != NULL ? im_str_set(user->id, user->id_len)
                        : im_str_set("", 0);
}

/* When its identity ends; 0: never. */
static inline uint32_t
ngx_im_session_expires(const ngx_im_session_t *s)
{
    return s->known != NULL ? s->known->expires : 0;
}

/* The session of a link in user->sessions. */
static inline ngx_im_session_t *
ngx_im_session_linked(im_list_t *q)
{
    return im_list_data(q, ngx_im_known_t, link)->session;
}


/*
 * Its extension, created at first use.  NULL: no memory.  It goes in a later
 * event, if it is not needed when it was created, nor when
 * ngx_im_session_spare() was called.
 */
ngx_im_ext_t *ngx_im_session_ext(ngx_im_session_t *s);
void ngx_im_session_ext_free(ngx_im_session_t *s);
void ngx_im_session_spare(ngx_im_session_t *s);
void ngx_im_session_spare_handler(ngx_event_t *ev);

/* What came of a frame or a message is not needed any more. */
void ngx_im_session_partial_free(ngx_im_session_t *s);

/* What connect brought of topics isn't needed any more; a request stays. */
void ngx_im_session_resumed(ngx_im_session_t *s);

/* Replaces an owned string of the extension by a copy. */
ngx_int_t ngx_im_session_copy(im_str_t *to, im_str_t s);

/* Command id is running: input waits.  The session has an extension. */
void ngx_im_session_busy(ngx_im_session_t *s, uint32_t id);

/*
 * A question is out, or answered, while commands go on.  The session has an
 * extension until then.
 */
void ngx_im_session_asks(ngx_im_session_t *s);
void ngx_im_session_answered(ngx_im_session_t *s);

/* A message of this session has to wait. */
ngx_uint_t ngx_im_session_waits(ngx_im_session_t *s);

/* The session was put into worker->throttled or queries: nothing is read. */
void ngx_im_session_stop(ngx_im_session_t *s, ngx_im_wait_e why);

/* Nothing is read from it: it is in worker->throttled or queries. */
ngx_uint_t ngx_im_session_stopped(ngx_im_session_t *s);

/* Held or unread input goes on, in a later event. */
void ngx_im_session_continue(ngx_im_session_t *s);

/* The same, for at most n sessions of a list that wait in it. */
void ngx_im_session_wake(im_list_t *waiting, ngx_uint_t n);

/* It follows as many topics as it may. */
ngx_uint_t ngx_im_session_full(ngx_im_session_t *s);

/* NULL: it doesn't follow a topic of that name. */
im_sub_t *ngx_im_session_find_sub(ngx_im_session_t *s, im_str_t topic);

/*
 * The session as a member of that topic, or of none: sub NULL.  id: its UUID.
 */
void ngx_im_session_member(ngx_im_session_t *s, im_sub_t *sub, u_char *id,
    im_member_t *m);

/* That login of the session's user has opened it. */
int ngx_im_session_login(const ngx_im_session_t *s, im_str_t login);

static inline ngx_im_session_t *
ngx_im_sub_session(const im_sub_t *sub)
{
    return im_slab_object(&ngx_im_worker->sessions_slab, sub->session);
}


/* The session's next one, or NULL. */
static inline im_sub_t *
ngx_im_sub_next(const im_sub_t *sub)
{
    return sub->next != IM_SLAB_NONE
           ? im_slab_object(&ngx_im_worker->hub.logs.subs, sub->next) : NULL;
}


/* NULL: the session doesn't follow that topic. */
static inline im_sub_t *
ngx_im_session_sub(const ngx_im_session_t *s, const im_topic_t *topic)
{
    const im_hub_t  *hub;

    hub = &ngx_im_worker->hub;

    return s->lookup == NGX_IM_LOOKUP_INDEX
           ? im_sub_index_find(&hub->index, &hub->logs, s->index, topic)
           : im_topic_find_sub(&hub->logs, topic, s->subs, s->nsubs);
}


/* How it is to begin, or NULL. */
static inline ngx_im_join_t *
ngx_im_sub_joining(const im_sub_t *sub)
{
    return sub->more != NULL ? ((ngx_im_sub_more_t *) sub->more)->join : NULL;
}


/* NULL: it has begun; the join is the caller's.  NGX_ERROR: no memory. */
ngx_int_t ngx_im_session_set_join(im_sub_t *sub, ngx_im_join_t *join);

/* JSON for others; "" none. */
void ngx_im_session_set_sub_info(im_sub_t *sub, im_str_t info);

/* When it ends, s; 0: never. */
static inline uint32_t
ngx_im_sub_expires(const im_sub_t *sub)
{
    return sub->more != NULL ? ((ngx_im_sub_more_t *) sub->more)->expires : 0;
}

/* NGX_ERROR: no memory; that can't be where it had an end before. */
ngx_int_t ngx_im_session_set_sub_expires(im_sub_t *sub, uint32_t expires);

/* It is in no topic any more. */
void ngx_im_session_sub_free(im_sub_t *sub);

/*
 * Sets the deadline, in seconds from now.  It comes with a tick of the wheel,
 * so up to a second earlier.
 */
void ngx_im_session_deadline(ngx_im_session_t *s, ngx_uint_t seconds);

/* For ngx_im_session_deadline(): a client has all of im_limit auth_timeout=. */
static inline ngx_uint_t
ngx_im_session_patience(const ngx_im_loc_conf_t *conf)
{
    return (conf->auth_timeout + 999) / 1000 + 1;
}

/* Seconds until its identity ends. */
ngx_uint_t ngx_im_session_left(ngx_im_session_t *s);

/* "127.0.0.1" into buf (NGX_SOCKADDR_STRLEN); the length. */
size_t ngx_im_session_addr(ngx_im_session_t *s, u_char *buf);


#endif /* NGX_IM_SESSION_H */
