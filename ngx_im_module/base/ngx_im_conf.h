/*
 * Copyright (C) The im authors
 *
 * The configuration of the module: read-only once workers run.
 */

#ifndef NGX_IM_CONF_H
#define NGX_IM_CONF_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "im_types.h"
#include "im_link_words.h"
#include "im_proto.h"
#include "im_rule.h"
#include "im_webhook.h"


#define NGX_IM_TOKEN_LEN  16


/* nginx may be built without TLS */
#if (NGX_SSL || NGX_COMPAT)
#define ngx_im_tls(c)  ((c)->ssl != NULL)
#else
#define ngx_im_tls(c)  0
#endif


#define ngx_im_str(s)  im_str_set((s).data, (s).len)


/* What an address pays for: a token bucket for each. */
typedef enum {
    NGX_IM_COST_HANDSHAKE = 0,
    NGX_IM_COST_ROOM,        /* that no session of the worker follows yet */
    NGX_IM_COST_FAILURE,     /* bad signatures, unknown tokens */
    NGX_IM_COST_READ,        /* bytes of history and recovery */
    NGX_IM_COST_FRAME,       /* from clients, control frames too */
    NGX_IM_COST_BYTE,        /* from clients */
    NGX_IM_COSTS
} ngx_im_cost_e;


typedef enum {
    NGX_IM_URING_AUTO = 0,   /* where the kernel allows it */
    NGX_IM_URING_ON,
    NGX_IM_URING_OFF
} ngx_im_uring_e;


typedef enum {
    NGX_IM_HANDOVER_UNSET = 0,
    NGX_IM_HANDOVER_ON,
    NGX_IM_HANDOVER_OFF
} ngx_im_handover_e;


/*
 * Why a client is refused: what its address, then a worker or node has, and
 * then what is wrong with a handshake, or with this node.
 */
typedef enum {
    NGX_IM_REFUSED_HANDSHAKES = 0,
    NGX_IM_REFUSED_ROOMS,
    NGX_IM_REFUSED_FAILURES,
    NGX_IM_REFUSED_READ,
    NGX_IM_REFUSED_FRAMES,
    NGX_IM_REFUSED_BYTES,
    NGX_IM_REFUSED_SESSIONS,
    NGX_IM_REFUSED_PENDING,
    NGX_IM_REFUSED_GUEST_ROOMS,
    NGX_IM_REFUSED_ALL_SESSIONS,
    NGX_IM_REFUSED_ALL_PENDING,
    NGX_IM_REFUSED_ALL_HANDSHAKES,
    NGX_IM_REFUSED_CONNECTIONS,
    NGX_IM_REFUSED_ALL_ROOMS,
    NGX_IM_REFUSED_ALL_GUEST_ROOMS,
    NGX_IM_REFUSED_SESSION_ROOMS,
    NGX_IM_REFUSED_SIGNATURES,
    NGX_IM_REFUSED_JOINS,    /* no client: a word of one */
    NGX_IM_REFUSED_EVICTED,  /* closed for a client of another address */
    NGX_IM_LIMITS,
    NGX_IM_REFUSED_DRAINING = NGX_IM_LIMITS,
    NGX_IM_REFUSED_UNUSABLE,     /* Redis */
    NGX_IM_REFUSED_UNREACHED,
    NGX_IM_REFUSED_METHOD,
    NGX_IM_REFUSED_REQUEST,      /* malformed */
    NGX_IM_REFUSED_UPGRADE,      /* none: a browser, or a wrong proxy */
    NGX_IM_REFUSED_ORIGIN,
    NGX_IM_REFUSED_TOO_BIG,
    NGX_IM_REFUSED_ROOM,
    NGX_IM_REFUSED_TOKEN,        /* there is none, and one is needed */
    NGX_IM_REFUSED_USER,         /* of im_user */
    NGX_IM_REFUSED_KEPT_OUT,
    NGX_IM_REFUSED_MEMORY,
    NGX_IM_REFUSALS
} ngx_im_refusal_e;


/* What changes in a worker: ngx_im_worker.h. */
typedef struct ngx_im_worker_s  ngx_im_worker_t;


/* im_per_address, of this nginx; 0: no limit */
typedef struct {
    ngx_uint_t           sessions;
    ngx_uint_t           pending;              /* not signed in yet */
    ngx_uint_t           guest_rooms;          /* that its guests hold */
    ngx_uint_t           handshakes;           /* a second, as the rest */
    ngx_uint_t           rooms;
    ngx_uint_t           failures;
    ngx_uint_t           read;
    ngx_uint_t           frames;
    ngx_uint_t           bytes;
    ngx_array_t         *except;               /* of ngx_cidr_t, or NULL */
    ngx_uint_t           off;
} ngx_im_per_address_t;


/* http{} */
typedef struct {
    im_link_words_t      redis;
    ngx_str_t            node;
    ngx_str_t            token;          /* random, of this nginx instance,
                                            the zone's after a reload */
    im_rules_t           rules;
    ngx_shm_zone_t      *zone;
    size_t               zone_size;
    ngx_im_per_address_t per_address;
    ngx_uint_t           max_sessions;         /* im_limit sessions=, worker */
    ngx_uint_t           max_sessions_per_user; /* per_user=, of a worker */
    ngx_uint_t           max_unauthenticated;  /* unauthenticated=, worker */
    ngx_uint_t           handshakes;           /* a second and worker */
    ngx_uint_t           signatures;           /* a second and worker */
    ngx_uint_t           commands;             /* of a session, a second */
    ngx_uint_t           topics_per_session;   /* topics= */
    ngx_uint_t           new_rooms;            /* a second and worker */
    ngx_uint_t           guest_rooms;          /* of the node */
    ngx_uint_t           joins;                /* told, a second and room */
    size_t               log_bytes;            /* topic_log=, of one topic */
    size_t               logs_bytes;           /* logs=, of a worker */
    size_t               recovery_bytes;       /* recovery=, of an answer */
    size_t               windows_bytes;        /* windows=, of a worker */
    size_t               deflate_min;          /* im_deflate min= */
    ngx_uint_t           deflate_level;        /* im_deflate level= */
    ngx_uint_t           budget;               /* sessions a turn of a flush */
    ngx_msec_t           drain;
    ngx_uint_t           io_uring;             /* ngx_im_uring_e */
    ngx_uint_t           handover_mode;        /* ngx_im_handover_e */
    ngx_str_t            handover_path;        /* of im_handover, or "" */
    struct ngx_im_handover_s *handover;        /* NULL: no session moves */
    ngx_array_t          comets;         /* locations, by pointer */
    ngx_array_t          listens;        /* of ngx_im_listen_t * */
    ngx_array_t          server_names;   /* regular expressions */
    ngx_module_t        *rewrite;        /* nginx's, or NULL */
    ngx_array_t         *jwt_keys;       /* of ngx_im_jwt_source_t *, or NULL */
    ngx_array_t         *jwt_marks;      /* of uint32_t, as ngx_im_place.h has
                                            them; or NULL */
    unsigned             enabled:1;            /* some im_comet has topics */
    unsigned             emulation:1;          /* some location has it */
} ngx_im_main_conf_t;


/* What im_status answers. */
typedef enum {
    NGX_IM_STATUS_JSON = 0,
    NGX_IM_STATUS_PROMETHEUS,
    NGX_IM_STATUS_READY
} ngx_im_status_e;


/* What happens to a session above im_limit per_user=. */
typedef enum {
    NGX_IM_POLICY_REFUSE = 0,
    NGX_IM_POLICY_NEWEST                 /* the oldest one makes room */
} ngx_im_policy_e;


typedef enum {
    NGX_IM_AUTH_NONE = 0,
    NGX_IM_AUTH_TOKEN,
    NGX_IM_AUTH_JWT,
    NGX_IM_AUTH_MID                      /* the client says who it is */
} ngx_im_auth_e;


/* location{} */
typedef struct {
    const im_proto_t    *proto;          /* NULL: no im_comet here */
    ngx_uint_t           transports;     /* im_transport_e bits */
    ngx_uint_t           auth;           /* ngx_im_auth_e */
    ngx_array_t         *joins;          /* im_join: of
                                            ngx_http_complex_value_t, or NULL */
    ngx_http_complex_value_t *token;     /* im_auth from=, or NULL */
    ngx_http_complex_value_t *user;      /* im_user, or NULL */
    ngx_http_complex_value_t *user_name; /* name=, or NULL */
    ngx_array_t         *forward;        /* im_forward: of ngx_str_t in lower
                                            case, or NULL */
    ngx_str_t            connect;        /* URI of im_connect */
    ngx_msec_t           connect_timeout;
    ngx_str_t            webhooks[IM_WEBHOOKS];  /* URIs of im_webhook */
    ngx_msec_t           webhook_timeouts[IM_WEBHOOKS];
    ngx_msec_t           ping;           /* im_ping: interval, default 25s */
    ngx_msec_t           pong;           /* im_ping timeout=: silence allowed */
    ngx_msec_t           auth_timeout;   /* im_limit auth_timeout= */
    ngx_msec_t           refresh;        /* im_limit refresh=, behind an end */
    uint32_t             grace;          /* the same in s */
    ngx_uint_t           policy;         /* im_limit policy= */
    size_t               max_message;    /* im_limit message=, default 64k */
    size_t               max_replies;    /* im_limit replies=, bytes queued */
    ngx_uint_t           deflate;        /* im_deflate */
    ngx_array_t         *origins;        /* of im_origin_t */
    ngx_uint_t           emulation;      /* im_emulation is here */
    ngx_uint_t           status;         /* ngx_im_status_e */
    ngx_flag_t           session_log;    /* im_session_log */
    ngx_str_t            place;          /* as ngx_im_place.h has it */
    ngx_im_main_conf_t  *main;
    ngx_http_core_loc_conf_t *clcf;
    ngx_http_core_srv_conf_t *cscf;
} ngx_im_loc_conf_t;


/* im_listen: sockets whose sessions begin without a request. */
typedef struct {
    ngx_http_addr_conf_t addr;           /* for nginx's TLS: its server */
    ngx_im_loc_conf_t   *conf;           /* the server's, with its protocol */
    const im_proto_t    *proto;
    const im_transport_t *transport;
    ngx_str_t            text;           /* as it is configured, and where */
    ngx_str_t            file;
    ngx_uint_t           line;
    ngx_str_t            protocol;
    ngx_addr_t          *addrs;
    ngx_uint_t           naddrs;
    ngx_uint_t           ssl;
    ngx_uint_t           backlog;
    ngx_uint_t           rcvbuf;
    ngx_uint_t           sndbuf;
    ngx_uint_t           reuseport;
    ngx_uint_t           ipv6only;
} ngx_im_listen_t;


extern ngx_module_t  ngx_im_module;


#endif /* NGX_IM_CONF_H */
