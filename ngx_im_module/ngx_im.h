/*
 * Copyright (C) The im authors
 *
 * What the files of the module share.  One struct, ngx_im_worker_t, holds all
 * that changes in a worker; configuration is read-only once workers run.
 *
 *   ngx_im_module.c     directives, variables and nothing else
 *   ngx_im_handshake.c  request -> 101 -> detached session
 *   ngx_im_session.c    phases, join and leave, close, the timer wheel
 *   ngx_im_recv.c       socket -> frames -> commands
 *   ngx_im_send.c       replies, flush, slow sessions, budget
 *   ngx_im_command.c    commands of a client, and the answers
 *   ngx_im_auth.c       connect -> identity -> open
 *   ngx_im_resume.c     subscriptions that go on from where a client was
 *   ngx_im_window.c     what they have missed, read once for all of a topic
 *   ngx_im_token.c      tokens of an open session, and their ends
 *   ngx_im_jwt.c        keys and signatures of tokens
 *   ngx_im_webhook.c    asks a backend of the operator's about commands
 *   ngx_im_backend.c    asks logic by an in-memory subrequest
 *   ngx_im_redis.c      the link: commands and pub/sub, reconnect
 *   ngx_im_sync.c       lease, batches; ngx_im_sync.h names what belongs to it
 *   ngx_im_control.c    control entries: what else a worker is told to do
 *   ngx_im_zone.c       the node's shared memory: counters, per-IP table
 *   ngx_im_drain.c      quit and reload
 *   ngx_im_status.c     im_status
 */

#ifndef NGX_IM_H
#define NGX_IM_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "im_types.h"
#include "im_list.h"
#include "im_buf.h"
#include "im_slab.h"
#include "im_ws.h"
#include "im_topic.h"
#include "im_hub.h"
#include "im_id.h"
#include "im_key.h"
#include "im_push.h"
#include "im_proto.h"
#include "im_rule.h"
#include "im_jwt.h"
#include "im_webhook.h"


#define NGX_IM_LEASE_MS        12000
#define NGX_IM_RENEW_MS        3000
#define NGX_IM_WHEEL_SLOTS     512       /* of one second each */
#define NGX_IM_TOKEN_LEN       16
#define NGX_IM_TURN            5000      /* us: of what is done in turns */
#define NGX_IM_MAX_SLOTS       256       /* worker incarnations in the zone */


/* nginx may be built without TLS */
#if (NGX_SSL || NGX_COMPAT)
#define ngx_im_tls(c)  ((c)->ssl != NULL)
#else
#define ngx_im_tls(c)  0
#endif


typedef struct ngx_im_worker_s   ngx_im_worker_t;
typedef struct ngx_im_session_s  ngx_im_session_t;
typedef struct ngx_im_redis_s    ngx_im_redis_t;
typedef struct ngx_im_sync_s     ngx_im_sync_t;


typedef struct {
    ngx_addr_t       *addr;          /* resolved at configuration */
    ngx_str_t         name;          /* as configured, for logs */
    ngx_str_t         user;
    ngx_str_t         password;
    ngx_str_t         prefix;        /* "im:" */
    ngx_uint_t        db;
    ngx_uint_t        partitions;    /* 0: what Redis has */
    ngx_msec_t        timeout;       /* connect, and PING unanswered */
    ngx_msec_t        refresh;       /* routes are told again */
} ngx_im_redis_conf_t;


/* im_jwt_key; cleaned up with the configuration's pool. */
typedef struct {
    im_jwt_alg_e         alg;
    ngx_str_t            file;           /* "file=..", as configured */
    im_str_t             kid;            /* "" none */
    im_str_t             audience;       /* "" any */
    im_str_t             issuer;
    im_str_t             secret;
    struct evp_pkey_st  *public;         /* OpenSSL's; NULL: a secret */
    unsigned             weak:1;
} ngx_im_jwt_key_t;


/* http{} */
typedef struct {
    ngx_im_redis_conf_t  redis;
    ngx_str_t            node;
    ngx_str_t            token;          /* random, of this nginx instance,
                                            the zone's after a reload */
    im_rules_t           rules;
    ngx_shm_zone_t      *zone;
    ngx_uint_t           max_sessions;         /* im_limit sessions=, worker */
    ngx_uint_t           max_sessions_per_ip;  /* per_ip=, of the node */
    ngx_uint_t           max_sessions_per_user; /* per_user=, of a worker */
    ngx_uint_t           max_unauthenticated;  /* unauthenticated=, worker */
    ngx_uint_t           handshakes;           /* a second and worker */
    ngx_uint_t           signatures;           /* a second and worker */
    ngx_uint_t           commands;             /* of a session, a second */
    ngx_uint_t           topics_per_session;   /* topics= */
    ngx_uint_t           new_rooms;            /* a second and worker */
    size_t               log_bytes;            /* topic_log=, of one topic */
    size_t               logs_bytes;           /* logs=, of a worker */
    size_t               recovery_bytes;       /* recovery=, of an answer */
    size_t               windows_bytes;        /* windows=, of a worker */
    ngx_uint_t           budget;               /* sessions a turn of a flush */
    ngx_msec_t           drain;
    ngx_array_t          comets;         /* those with topics, by pointer */
    ngx_array_t         *jwt_keys;       /* of ngx_im_jwt_key_t *, or NULL */
    unsigned             enabled:1;            /* some location has im_comet */
} ngx_im_main_conf_t;


typedef enum {
    NGX_IM_AUTH_NONE = 0,
    NGX_IM_AUTH_TOKEN,
    NGX_IM_AUTH_JWT
} ngx_im_auth_e;


/* location{} */
typedef struct {
    const im_proto_t    *proto;          /* NULL: no im_comet here */
    ngx_uint_t           auth;           /* ngx_im_auth_e */
    ngx_str_t            connect;        /* URI of im_connect */
    ngx_str_t            webhooks[IM_WEBHOOKS];  /* URIs of im_webhook */
    ngx_msec_t           ping;           /* im_ping: interval, default 25s */
    ngx_msec_t           pong;           /* im_ping timeout=: silence allowed */
    ngx_msec_t           auth_timeout;   /* im_limit auth_timeout= */
    ngx_msec_t           refresh;        /* im_limit refresh=, behind an end */
    uint32_t             grace;          /* the same in s */
    size_t               max_message;    /* im_limit message=, default 64k */
    size_t               max_replies;    /* im_limit replies=, bytes queued */
    ngx_array_t         *origins;        /* of ngx_str_t, NULL: any */
    ngx_im_main_conf_t  *main;
    ngx_http_core_loc_conf_t *clcf;
    ngx_http_core_srv_conf_t *cscf;
} ngx_im_loc_conf_t;


/* One worker's counters in the zone; gauges are absolute. */
typedef struct {
    ngx_atomic_t      pid;               /* 0: free */
    ngx_atomic_t      slot;              /* ngx_worker */
    ngx_atomic_t      start;             /* ms */
    ngx_atomic_t      draining;
    ngx_atomic_t      sessions;
    ngx_atomic_t      unauthenticated;
    ngx_atomic_t      users;
    ngx_atomic_t      topics;
    ngx_atomic_t      log_bytes;
    ngx_atomic_t      link;              /* ngx_im_link_e */
    ngx_atomic_t      accepted;          /* handshakes that gave a session */
    ngx_atomic_t      refused;
    ngx_atomic_t      closed;
    ngx_atomic_t      slow;              /* closed since too slow */
    ngx_atomic_t      messages_in;       /* from clients */
    ngx_atomic_t      messages_out;      /* delivered to sockets, by frame */
    ngx_atomic_t      bytes_in;
    ngx_atomic_t      bytes_out;
    ngx_atomic_t      pushes;            /* entries taken from pub/sub */
    ngx_atomic_t      healed;            /* entries read from history */
    ngx_atomic_t      holes;             /* gaps that history couldn't fill */
    ngx_atomic_t      recovered;         /* subscriptions that went on */
    ngx_atomic_t      unrecovered;       /* that were told of a hole */
    ngx_atomic_t      window_bytes;
    ngx_atomic_t      sends;             /* send calls */
} ngx_im_counters_t;


typedef enum {
    NGX_IM_LINK_DOWN = 0,
    NGX_IM_LINK_UP,
    NGX_IM_LINK_DEGRADED     /* Redis answers, job's heartbeats are missing */
} ngx_im_link_e;


typedef enum {
    NGX_IM_FREE = 0,
    NGX_IM_CONNECTING,       /* 101 sent, waits for the first frame */
    NGX_IM_AUTHENTICATING,   /* logic has been asked */
    NGX_IM_OPEN,
    NGX_IM_CLOSING,          /* close frame queued or sent */
    NGX_IM_CLOSED            /* to be freed in this turn */
} ngx_im_phase_e;


/* Who is at the other end, as the handshake saw it. */
typedef struct {
    u_char              id[16];          /* random, UUID of the session */
    u_char              addr[16];
    u_char              family;          /* AF_INET, AF_INET6, AF_UNIX */
} ngx_im_peer_t;


/* Names a session across turns; 0 is never valid. */
typedef uint64_t  ngx_im_handle_t;       /* generation << 32 | index */


/*
 * Bytes for one session alone: pongs, room info, the close frame, and what TLS
 * has refused once and wants to see again.
 */
typedef struct {
    u_char           *data;
    size_t            len;
    size_t            size;
    size_t            sent;
    size_t            urgent;    /* go before the rest of an unfinished frame */
    size_t            history;   /* of what waits: messages, no replies */
} ngx_im_replies_t;


/* Input that waits for the answer to a command before it. */
typedef struct {
    size_t            len;       /* of the message, or what is left of it */
    size_t            rest;      /* of the bytes behind it */
    uint8_t           opcode;
    unsigned          message:1; /* there is one */
    u_char            bytes[1];
} ngx_im_held_t;


/* What plain im clients don't need. */
typedef struct {
    im_list_t         expiry;    /* in worker->expiry */
    im_list_t         throttled; /* in worker->throttled; self when not */
    im_list_t         turn;      /* in worker->turns; self when not */
    ngx_im_session_t *session;   /* whose this is, once it is there */
    ngx_im_held_t    *held;
    im_resume_t      *resumes;   /* of connect, until it is answered */
    ngx_uint_t        nresumes;
    u_char           *info;      /* JSON of the connection, or NULL */
    u_char           *rooms;     /* JSON object: what may be joined */
    u_char           *data;      /* JSON for the client, with the reply */
    u_char           *meta;      /* JSON for webhooks */
    size_t            info_len;
    size_t            rooms_len;
    size_t            data_len;
    size_t            meta_len;
    uint32_t          connect;   /* id of the command */
    uint32_t          busy_id;   /* of the command that is under way */
    uint32_t          due;       /* s: when expiry is looked at */
    uint32_t          refresh;   /* s: when the webhook is asked; 0: never */
    uint16_t          nsubs;     /* of connect: not ready yet */
    uint32_t          second;    /* in which so many commands came */
    uint32_t          ncommands;
    unsigned          connecting:1;  /* connect isn't answered */
    unsigned          failed:1;  /* connect was refused */
    unsigned          busy:1;    /* a command is under way: input waits */
} ngx_im_more_t;


/* Who somebody is and what he may; strings are borrowed. */
typedef struct {
    im_str_t            user;            /* "": a guest */
    im_str_t            name;
    im_str_t            info;            /* JSON for others; "" none */
    im_str_t            rooms;           /* JSON object with "rooms", or "" */
    im_str_t            room;            /* to be joined; "" none */
    im_str_t            data;            /* JSON for the client */
    im_str_t            meta;            /* JSON for webhooks */
    const im_str_t     *channels;        /* more topics to be joined */
    ngx_uint_t          nchannels;
    int64_t             expires;         /* s; 0: never */
} ngx_im_identity_t;


/* What a token or a backend adds to a subscription; strings are borrowed. */
typedef struct {
    im_str_t            info;            /* JSON for others; "" none */
    im_str_t            data;            /* JSON for the client; "" none */
    int64_t             expires;         /* s; 0: never */
} ngx_im_grant_t;


struct ngx_im_session_s {
    uint32_t            free;            /* im_slab_t's */
    uint32_t            generation;
    uint32_t            index;
    uint32_t            deadline;        /* of the wheel, s of its time */
    im_list_t           wheel;
    im_list_t           all;             /* in worker->sessions */
    im_list_t           user_link;       /* in user->sessions */
    im_list_t           blocked;         /* in worker->blocked; self when not */
    ngx_connection_t   *connection;
    ngx_im_loc_conf_t  *conf;
    im_user_t          *user;            /* NULL: guest */
    im_sub_t           *subs;            /* from worker->subs, but `all` */
    im_sub_t            everybody;       /* the broadcast topic's */
    ngx_im_replies_t   *replies;         /* queued control bytes, or NULL */
    ngx_im_more_t      *more;            /* or NULL */
    im_buf_t           *message;         /* a partial message, or NULL */
    u_char             *control;         /* a partial control frame, or NULL */
    im_sub_t           *unfinished;      /* its frame is cut in the socket */
    im_ws_t             ws;
    uint64_t            bytes_in;
    uint64_t            bytes_out;
    uint32_t            start;           /* ngx_time() */
    uint32_t            seen;            /* wheel_time of last bytes */
    uint32_t            expires;         /* its identity's end; 0: never */
    uint32_t            stuck;           /* ms: blocked since then */
    uint32_t            new_time;        /* of nnew, ngx_time() */
    uint16_t            nnew;            /* rooms that nobody had here */
    uint16_t            close_code;
    uint16_t            nrooms;          /* joined, for the log line */
    uint8_t             phase;           /* ngx_im_phase_e */
    uint8_t             ncontrol;
    unsigned            close_sent:1;    /* our close frame is queued or out */
    unsigned            close_received:1;
    unsigned            pinged:1;        /* a ping of ours has no answer */
    unsigned            pong_due:1;      /* the deadline is its answer's */
    unsigned            positions:1;     /* im: with seq and epoch */
    unsigned            sending:1;       /* ngx_im_send_session() runs */
    ngx_im_peer_t       peer;
    const char         *why;             /* for the log line */
    u_char             *name;            /* u8 length and bytes, or NULL */
};


/* im_sub_t's flags */
#define NGX_IM_SUB_SERVER      0x01      /* by connect or the server */
#define NGX_IM_SUB_JOIN_LEAVE  0x02      /* is told who comes and goes */
#define NGX_IM_SUB_CONNECT     0x04      /* by connect */


/*
 * How a subscription is to begin, while it is joining: sub->data.  Without one
 * nobody waits for an answer.
 */
typedef struct {
    im_list_t           link;            /* of who waits, or is to be served */
    im_sub_t           *sub;
    uint64_t            seq;             /* where the client was */
    im_epoch_t          epoch;
    uint32_t            id;              /* of the command */
    im_str_t            data;            /* for the client; behind this */
    unsigned            recover:1;       /* seq and epoch are given */
    unsigned            strict:1;        /* no subscription with a hole */
    unsigned            connect:1;       /* answered with connect */
    unsigned            push:1;          /* by the server: told, not answered */
    unsigned            ready:1;
    unsigned            asked:1;         /* Redis, where the topic is */
    unsigned            answered:1;
} ngx_im_join_t;


/* A subscription from the worker's slab. */
typedef struct {
    uint32_t            free;            /* im_slab_t's */
    uint32_t            index;
    u_char             *info;            /* u16 length and JSON, or NULL */
    im_sub_t            sub;
} ngx_im_sub_t;


/* The end of a worker: whose turn is when. */
typedef struct {
    ngx_event_t         event;           /* not cancelable */
    ngx_im_handle_t    *order;           /* n sessions, shuffled */
    ngx_uint_t          n;
    ngx_uint_t          next;            /* of order */
    ngx_msec_t          time;            /* of the last turn */
    ngx_msec_t          done;            /* ms of im_drain */
} ngx_im_drain_t;


struct ngx_im_worker_s {
    ngx_im_main_conf_t *conf;
    ngx_log_t          *log;             /* cycle's */
    im_hub_t            hub;
    im_slab_t           sessions_slab;
    im_slab_t           subs_slab;
    im_list_t           sessions;
    im_list_t           closed;          /* to be freed by close_event */
    im_list_t           blocked;         /* sessions, the longest so first */
    im_list_t           flush;           /* logs with pending subscriptions */
    im_list_t           wheel[NGX_IM_WHEEL_SLOTS];
    im_list_t           expiry[NGX_IM_WHEEL_SLOTS];
    ngx_uint_t          nsessions;
    ngx_uint_t          nunauthenticated;
    ngx_uint_t          nusers;
    ngx_uint_t          ntopics;
    ngx_uint_t          nhandshakes;     /* in the second handshake_time */
    time_t              handshake_time;
    ngx_uint_t          nnew;            /* rooms, in the second new_time */
    time_t              new_time;
    uint32_t            wheel_time;      /* s; stands while the worker does */
    uint32_t            expiry_time;     /* ngx_time() of the last slot */
    im_list_t           throttled;       /* commands wait for a second */
    im_list_t           ready;           /* joins to be served */
    im_list_t           due;             /* sessions, as in wheel */
    ngx_event_t         due_event;
    im_list_t           expired;         /* of expiry, in turns */
    ngx_event_t         expired_event;
    im_list_t           turns;           /* who waits to ask, input held */
    ngx_uint_t          nqueries;        /* of presence and history, out */
    ngx_event_t         resume_event;
    ngx_event_t         flush_event;
    ngx_event_t         close_event;
    ngx_event_t         tick;            /* 1 s, cancelable */
    ngx_im_drain_t      drain;
    size_t              reply_bytes;     /* allocated for replies */
    im_buf_t            recovery;        /* messages of an answer */
    im_buf_t            scratch;         /* frames being encoded */
    im_buf_t            arena;           /* decoded strings */
    u_char             *in;              /* read buffer, of all sessions */
    size_t              in_size;
    ngx_im_counters_t  *counters;        /* in the zone */
    ngx_uint_t          zone_slot;
    ngx_str_t           id;              /* NODE.SLOT.START */
    ngx_im_redis_t     *redis;
    ngx_im_sync_t      *sync;
    struct ngx_im_backend_s *backend;
    struct ngx_im_jwt_s *jwt;
    unsigned            draining:1;
};


extern ngx_module_t      ngx_im_module;
extern ngx_im_worker_t  *ngx_im_worker;  /* NULL outside workers */


/* ngx_im_handshake.c */
ngx_int_t ngx_im_handshake_handler(ngx_http_request_t *r);


/* ngx_im_session.c */
ngx_int_t ngx_im_worker_init(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf);
void ngx_im_worker_exit(ngx_cycle_t *cycle);

/* 16 random bytes, or as random as this system has them. */
void ngx_im_session_random(u_char *id);

/* Why no session more can be taken now, static text; NULL: it can. */
const char *ngx_im_session_limit(ngx_im_worker_t *w);

/*
 * A room that nobody follows here costs Redis keys: NGX_BUSY, when this worker
 * or this session has come with too many of them lately.
 */
ngx_int_t ngx_im_session_new_room(ngx_im_session_t *s, im_str_t topic);

/*
 * Takes over c, detached by the caller.  NULL: no memory, c is the caller's.
 */
ngx_im_session_t *ngx_im_session_create(ngx_im_worker_t *w,
    ngx_connection_t *c, ngx_im_loc_conf_t *ilcf, ngx_im_peer_t *peer);
ngx_im_handle_t ngx_im_session_handle(ngx_im_session_t *s);
ngx_im_session_t *ngx_im_session_find(ngx_im_worker_t *w, ngx_im_handle_t h);

/* The live session that has this UUID, or NULL. */
ngx_im_session_t *ngx_im_session_by_id(ngx_im_worker_t *w,
    const u_char id[16]);

/* The only setter of phase. */
void ngx_im_session_phase(ngx_im_session_t *s, ngx_im_phase_e phase);

/*
 * Ends a session: queues a close frame where the peer can still take one
 * (code 0: none) and closes the connection once it is out, in a later turn.
 * why is static text for the log.  A second call is harmless; after it the
 * caller touches nothing of the session.
 */
void ngx_im_session_close(ngx_im_session_t *s, ngx_uint_t code,
    const char *why);

/* The same with words of somebody else's for the client; "": why. */
void ngx_im_session_close_reason(ngx_im_session_t *s, ngx_uint_t code,
    im_str_t reason, const char *why);

/* Made when it isn't there.  NULL: no memory. */
ngx_im_more_t *ngx_im_session_more(ngx_im_session_t *s);

/*
 * Identity is settled: joins broadcast, the inbox, the room and the channels;
 * the session is open.
 */
void ngx_im_session_open(ngx_im_session_t *s, const ngx_im_identity_t *id);

/*
 * join, or NULL, becomes the subscription's; it is freed on failure.  NULL: no
 * memory or too many topics.
 */
im_sub_t *ngx_im_session_join(ngx_im_session_t *s, im_str_t topic,
    ngx_im_join_t *join, ngx_uint_t flags);

/* It follows as many topics as it may. */
ngx_uint_t ngx_im_session_full(ngx_im_session_t *s);

/* NULL: it doesn't follow that. */
im_sub_t *ngx_im_session_find_sub(ngx_im_session_t *s, im_str_t topic);
void ngx_im_session_leave(ngx_im_session_t *s, im_sub_t *sub);
void ngx_im_session_leave_all(ngx_im_session_t *s);

/* Called by sync when a joining subscription's topic is live. */
void ngx_im_session_joined(ngx_im_session_t *s, im_sub_t *sub);

/* JSON of the connection for others; "" none. */
im_str_t ngx_im_session_info(ngx_im_session_t *s);

/* JSON of the subscription, for others: "" none.  Not of the broadcast. */
im_str_t ngx_im_session_sub_info(im_sub_t *sub);
void ngx_im_session_set_sub_info(im_sub_t *sub, im_str_t info);

/* Microseconds, for what is done in turns. */
uint64_t ngx_im_clock(void);

/* Sets the next look at this session, in seconds from now. */
void ngx_im_session_deadline(ngx_im_session_t *s, ngx_uint_t seconds);

/*
 * The session ends at that time (s), with the protocol's code for it, unless
 * this is called again; 0: it doesn't.
 */
void ngx_im_session_expires(ngx_im_session_t *s, int64_t when);

/* Its identity goes on until then (s; 0: for ever); info "": as it was. */
void ngx_im_session_renew(ngx_im_session_t *s, int64_t expires, im_str_t info);

/* Seconds until its identity is over, as a client is told; 0: never. */
uint32_t ngx_im_session_ttl(ngx_im_session_t *s);

/* "127.0.0.1" into buf (NGX_SOCKADDR_STRLEN); the length. */
size_t ngx_im_session_addr(ngx_im_session_t *s, u_char *buf);


/* ngx_im_recv.c */

/* Bytes that came with the upgrade, then what the socket has. */
void ngx_im_recv_start(ngx_im_session_t *s, u_char *early, size_t len);
void ngx_im_recv_handler(ngx_event_t *rev);

/* A command was answered: what waited for that goes on, in a later event. */
void ngx_im_recv_continue(ngx_im_session_t *s);


/* ngx_im_send.c */
void ngx_im_send_handler(ngx_event_t *wev);

/*
 * Queues bytes of this session alone (whole frames) and tries to send.
 * NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_send_reply(ngx_im_session_t *s, im_str_t frame);

/*
 * Queues the close frame as the last thing this session gets.  NGX_AGAIN: wait
 * for the peer's or for the deadline; else close the connection now.
 */
ngx_int_t ngx_im_send_close(ngx_im_session_t *s, im_str_t frame);

/* The same for messages that a session has missed: no reason to close it. */
ngx_int_t ngx_im_send_history(ngx_im_session_t *s, im_str_t frame);

/* Bytes that wait for this session alone. */
size_t ngx_im_send_waiting(ngx_im_session_t *s);

/* Its replies are sent, or never will be. */
void ngx_im_send_forget(ngx_im_session_t *s);

/* The next flush is to look at this log. */
void ngx_im_send_flushed(ngx_im_worker_t *w, im_log_t *log);

/* Frames m in every log of the topic and marks them for the flush. */
ngx_int_t ngx_im_send_message(ngx_im_worker_t *w, im_topic_t *topic,
    const im_message_t *m);

/* sub is about to be left: what it owes of a frame that is under way stays. */
ngx_int_t ngx_im_send_leave(ngx_im_session_t *s, im_sub_t *sub);

/* Appends a whole frame to one log and marks it for the flush. */
ngx_int_t ngx_im_send_log(ngx_im_worker_t *w, im_log_t *log, im_str_t frame,
    uint64_t seq);

/* Sends what this session has not got yet, as far as its socket takes it. */
void ngx_im_send_session(ngx_im_session_t *s);

/* More replies than a client may leave unread: stop reading from it. */
ngx_uint_t ngx_im_send_crowded(ngx_im_session_t *s);

/* Each second: closes who is too slow. */
void ngx_im_send_tick(ngx_im_worker_t *w);

/* After a batch: flushes now up to the budget, the rest in later turns. */
void ngx_im_send_flush(ngx_im_worker_t *w);
void ngx_im_flush_handler(ngx_event_t *ev);


/* ngx_im_command.c */

/*
 * The commands of a message one by one.  NGX_AGAIN: rest waits until one
 * before it is answered; NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_command_message(ngx_im_session_t *s, uint8_t opcode,
    im_str_t *rest);

/* A second has begun: who had too many commands goes on. */
void ngx_im_command_tick(ngx_im_worker_t *w);

/* Input of this session has to wait. */
ngx_uint_t ngx_im_command_waits(ngx_im_session_t *s);

/* NGX_ERROR: the session is closed. */
ngx_int_t ngx_im_command_reply(ngx_im_session_t *s, const im_reply_t *reply);
ngx_int_t ngx_im_command_error(ngx_im_session_t *s, uint32_t id,
    im_error_e error);

/* A token or a backend lets it subscribe; the answer follows. */
ngx_int_t ngx_im_command_granted(ngx_im_session_t *s,
    const im_command_t *command, const ngx_im_grant_t *grant);


/* ngx_im_resume.c */

/* A place that a client names; one that can't be is no place at all. */
void ngx_im_join_since(ngx_im_join_t *join, const im_position_t *since);

/* All topics of connect are joined: it is answered once they are ready. */
void ngx_im_resume_opened(ngx_im_session_t *s);

/* Starts what is to be told to sub, whose topic is live. */
void ngx_im_resume_add(im_sub_t *sub);

/* sub has got to where its log was cut: it ends, and is told. */
void ngx_im_resume_cut(ngx_im_session_t *s, im_sub_t *sub);

/* sub is not joining any more. */
void ngx_im_resume_forget(im_sub_t *sub);
void ngx_im_resume_handler(ngx_event_t *ev);


/* ngx_im_auth.c */
ngx_int_t ngx_im_auth_command(ngx_im_session_t *s,
    const im_command_t *command);

/* A webhook says who it is.  NGX_ERROR: that can't be. */
ngx_int_t ngx_im_auth_granted(ngx_im_session_t *s, im_jwt_t *claims);

/* Nobody says who it is. */
void ngx_im_auth_nobody(ngx_im_session_t *s);

/* connect is answered with an error, and nothing else will do. */
void ngx_im_auth_failed(ngx_im_session_t *s);

/* Its identity is allowed that room. */
int ngx_im_auth_may(ngx_im_session_t *s, im_str_t room);


/* ngx_im_jwt.c */

/* Reads the key's file; key lives as long as cf's pool. */
char *ngx_im_jwt_key_add(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_im_jwt_key_t *key);

/*
 * NGX_OK: claims are in the arena (limit IM_JWT_ARENA or more; the token must
 * not lie in it), and im_jwt_cleanup() is the caller's.  NGX_DECLINED: expired;
 * NGX_ERROR: not valid; NGX_BUSY: can't be told now.  claims->why says more.
 */
ngx_int_t ngx_im_jwt_verify(ngx_im_worker_t *w, im_str_t token,
    im_buf_t *arena, im_jwt_t *claims);


/* ngx_im_token.c */

/* Commands that bring a token. */
ngx_int_t ngx_im_token_subscribe(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_refresh(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_sub_refresh(ngx_im_session_t *s,
    const im_command_t *command);

/* The end of the session's or a subscription's token, in s; 0: none. */
void ngx_im_token_expires(ngx_im_session_t *s, int64_t when);
void ngx_im_token_sub_expires(ngx_im_session_t *s, im_sub_t *sub,
    int64_t when);

/* Seconds that a client is told; 0: it needn't renew. */
uint32_t ngx_im_token_sub_ttl(ngx_im_session_t *s, im_sub_t *sub);

/* It has ended.  NGX_ERROR: so has the session. */
ngx_int_t ngx_im_token_sub_end(ngx_im_session_t *s, im_sub_t *sub);

void ngx_im_token_schedule(ngx_im_session_t *s);
void ngx_im_token_tick(ngx_im_worker_t *w);
void ngx_im_token_handler(ngx_event_t *ev);


/* ngx_im_webhook.c */

/*
 * Asks the webhook of s->conf about the command; input waits meanwhile, but not
 * if the command has no id.  All answers are given here.  NGX_ERROR: not asked.
 */
ngx_int_t ngx_im_webhook_ask(ngx_im_session_t *s, im_webhook_e kind,
    const im_command_t *command);

/* The same, but what isn't asked is answered.  NGX_ERROR: session closed. */
ngx_int_t ngx_im_webhook_command(ngx_im_session_t *s, im_webhook_e kind,
    const im_command_t *command);


/* ngx_im_backend.c */

/*
 * When all locations are read: NGX_DECLINED if no location of the server can
 * answer the URI.  Regular expressions are given the benefit of the doubt.
 */
ngx_int_t ngx_im_backend_location(ngx_http_core_srv_conf_t *cscf,
    ngx_str_t *uri);

/* status 0: no answer.  asked, the body sent, body and data are borrowed. */
typedef void (*ngx_im_backend_pt)(ngx_im_worker_t *w, ngx_im_handle_t h,
    im_str_t asked, ngx_uint_t status, im_str_t body, void *data);

/*
 * POSTs body to the internal location uri of the server that conf belongs to;
 * handler is called once, in a later turn, unless the session is gone by then.
 * data (NULL, or by im_alloc()) is the handler's and is freed with the
 * question, whatever becomes of that.  Bounded in number (256 at once, 10000
 * waiting) and bytes.  NGX_ERROR: not asked, the handler isn't called.
 */
ngx_int_t ngx_im_backend_ask(ngx_im_worker_t *w, ngx_im_loc_conf_t *ilcf,
    const ngx_str_t *uri, im_str_t body, ngx_im_backend_pt handler,
    ngx_im_handle_t h, void *data);


/* ngx_im_publish.c */

/* NGX_AGAIN: wait for the answer to a command before it. */
ngx_int_t ngx_im_publish_command(ngx_im_session_t *s,
    const im_command_t *command);

/* It may; answer is what a webhook says of it, or NULL. */
ngx_int_t ngx_im_publish_granted(ngx_im_session_t *s,
    const im_command_t *command, const im_webhook_answer_t *answer);


/* ngx_im_query.c */

/* Presence, presence_stats and history.  NGX_AGAIN: as above. */
ngx_int_t ngx_im_query_command(ngx_im_session_t *s,
    const im_command_t *command);


/* ngx_im_sync.c */
ngx_int_t ngx_im_sync_init(ngx_im_worker_t *w);
void ngx_im_sync_exit(ngx_im_worker_t *w);

/* Why joins can't be served, static text; NULL: they can. */
const char *ngx_im_sync_unready(ngx_im_worker_t *w);

/* A topic got its first follower / its last one left (sync destroys it). */
ngx_int_t ngx_im_sync_follow(ngx_im_worker_t *w, im_topic_t *topic);
void ngx_im_sync_unfollow(ngx_im_worker_t *w, im_topic_t *topic);

/* Followers of a topic changed: count and members go out within a second. */
void ngx_im_sync_member(ngx_im_worker_t *w, im_sub_t *sub, int joined);

/* Sends one room-info frame to the session when its members are known. */
void ngx_im_sync_room_info(ngx_im_worker_t *w, im_topic_t *topic,
    ngx_im_session_t *s);

/* ngx_im_presence.c: followers who asked for it are told of the session. */
void ngx_im_presence_tell(ngx_im_worker_t *w, im_sub_t *sub, int joined);
void ngx_im_sync_draining(ngx_im_worker_t *w);
ngx_im_link_e ngx_im_sync_link(ngx_im_worker_t *w);


/* ngx_im_redis.c */

/* reply is hiredis' redisReply, or NULL: connection lost or refused. */
typedef void (*ngx_im_redis_pt)(ngx_im_worker_t *w, void *reply, void *data);

typedef struct {
    void  (*up)(ngx_im_worker_t *w);         /* usable and subscribed */
    void  (*down)(ngx_im_worker_t *w);
    void  (*message)(ngx_im_worker_t *w, uint16_t partition, im_str_t batch);
    void  (*heartbeat_lost)(ngx_im_worker_t *w, uint16_t partition, int lost);
    void  (*generation)(ngx_im_worker_t *w); /* changed under the connection */
} ngx_im_redis_events_t;

ngx_im_redis_t *ngx_im_redis_create(ngx_im_worker_t *w,
    const ngx_im_redis_events_t *events);
void ngx_im_redis_destroy(ngx_im_redis_t *redis);

/* It answers, but its settings would lose messages, or P is another one. */
ngx_uint_t ngx_im_redis_unusable(ngx_im_redis_t *redis);

/* It is away, or takes more than 50 ms for an answer: ask less. */
ngx_uint_t ngx_im_redis_slow(ngx_im_redis_t *redis);

/*
 * Queues a command for a partition's link (IM_PARTITIONS_MAX: the registry).
 * An argument whose data is NULL is replaced by the connection's generation
 * when the command is written.  NGX_ERROR: link down or queue full, and the
 * handler isn't called.
 */
ngx_int_t ngx_im_redis_command(ngx_im_redis_t *redis, uint16_t partition,
    ngx_im_redis_pt handler, void *data, ngx_uint_t argc,
    const im_str_t *argv);

/* EVALSHA with EVAL where the script is unknown.  keys and args as above. */
struct im_script_s;
ngx_int_t ngx_im_redis_script(ngx_im_redis_t *redis, uint16_t partition,
    const void *script, ngx_im_redis_pt handler, void *data,
    ngx_uint_t nkeys, ngx_uint_t argc, const im_str_t *argv);


/* ngx_im_control.c */
void ngx_im_control_entry(ngx_im_worker_t *w, uint16_t partition,
    const im_entry_t *entry);


/* ngx_im_revoke.c */

/* The user is kept out for now. */
int ngx_im_revoked(ngx_im_worker_t *w, im_str_t user);

/* 0 seconds: it may come again. */
void ngx_im_revoke(ngx_im_worker_t *w, im_str_t user, ngx_uint_t seconds);


/* ngx_im_zone.c */
ngx_int_t ngx_im_zone_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf);
ngx_int_t ngx_im_zone_attach(ngx_im_worker_t *w);
void ngx_im_zone_detach(ngx_im_worker_t *w);

/* Counts an address in; NGX_BUSY: over per_ip=; NGX_ERROR: zone is full. */
ngx_int_t ngx_im_zone_ip_add(ngx_im_worker_t *w, ngx_uint_t family,
    const u_char *addr);
void ngx_im_zone_ip_remove(ngx_im_worker_t *w, ngx_uint_t family,
    const u_char *addr);

/* NGX_IM_MAX_SLOTS of them; pid 0: nobody's. */
const ngx_im_counters_t *ngx_im_zone_slots(ngx_im_main_conf_t *imcf);


/* ngx_im_drain.c */
void ngx_im_drain_start(ngx_im_worker_t *w);


/* ngx_im_status.c */
ngx_int_t ngx_im_status_handler(ngx_http_request_t *r);


#endif /* NGX_IM_H */
