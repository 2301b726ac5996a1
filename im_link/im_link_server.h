/*
 * Copyright (C) The im authors
 *
 * One server: a connection for calls and one for pub/sub, prepared, watched and
 * replaced.
 */

#ifndef IM_LINK_SERVER_H
#define IM_LINK_SERVER_H


#include "im_link_confirm.h"


#define IM_LINK_SERVER_WHY   160
#define IM_LINK_SERVER_NAME  (IM_ADDR_MAX_NAME + sizeof("[]:65535"))


typedef struct im_link_server_s  im_link_server_t;


/* Each may close the server's connections, or end the link. */
typedef struct {
    /* The connection for calls is open: questions may be added. */
    void  (*connected)(im_link_server_t *server);

    /* It has answered all of them, and takes calls. */
    void  (*ready)(im_link_server_t *server);

    /* Each 2 s: questions may be added. */
    void  (*poll)(im_link_server_t *server);

    /* Pub/sub is open: its channels are to be subscribed. */
    void  (*listen)(im_link_server_t *server);

    /* It has answered what was sent there at first. */
    void  (*listening)(im_link_server_t *server);

    /* Pub/sub has got a reply. */
    void  (*pushed)(im_link_server_t *server, const im_link_reply_t *reply);

    /*
     * Pub/sub is closed; the connection for calls may be, too.  failed: it is
     * for the first time since it was good.
     */
    void  (*lost)(im_link_server_t *server, int failed);

    /* It answers but can't be used; its connections are closed. */
    void  (*refused)(im_link_server_t *server);

    /* It was doubted, and still is the master that it was. */
    void  (*trusted)(im_link_server_t *server);

    /* It refuses a call.  1: the link has taken the call. */
    int   (*error)(im_link_server_t *server, im_link_kept_t *kept,
                   const im_link_reply_t *reply);
} im_link_server_events_t;


/* What the servers of a link share. */
typedef struct {
    im_link_conf_t                  conf;
    const im_link_transport_t      *transport;
    void                           *transport_data;
    const im_link_server_events_t  *events;
    const im_link_events_t         *owner;    /* who uses the link */
    void                           *data;
    im_link_call_t                  own;      /* of the link itself */
    im_link_guard_t                 guard;
    im_link_clock_t                 clock;
    im_link_server_t               *answers;  /* its reply is being handled */
    uint64_t                        due;      /* the next tick */
    uint64_t                        serials;  /* connections for calls so far */
    uint64_t                        denied;   /* a missing right was logged */
    struct im_link_nodes_s         *nodes;
    unsigned                        ended:1;
} im_link_context_t;


typedef enum {
    IM_LINK_FINE = 0,
    IM_LINK_AWAY,
    IM_LINK_REFUSED              /* it answers, but can't be used */
} im_link_trouble_e;


/* Whether it is the master that it was: no call goes there meanwhile. */
typedef enum {
    IM_LINK_TRUSTED = 0,
    IM_LINK_DOUBTED,             /* it has been asked */
    IM_LINK_DOUBTED_AGAIN        /* since it was asked, too */
} im_link_doubt_e;


struct im_link_server_s {
    im_link_context_t  *context;
    im_link_server_t   *next;          /* of those that have gone */
    im_link_peer_t      peer;
    im_uint_t           index;         /* among all */
    im_uint_t           nslots;
    im_uint_t           nchannels;     /* without any pub/sub isn't needed */
    im_uint_t           nsent;         /* commands about channels */
    im_uint_t           nconfirmed;    /* of them, in their order */
    uint64_t            serial;        /* of the connection for calls */
    uint64_t            complained;
    uint64_t            since;         /* moment: it takes calls, or doesn't */
    uint64_t            replicas;      /* as it said last */
    im_link_trouble_e   trouble;       /* in the log since it was up */
    im_link_role_e      role;
    im_link_doubt_e     doubt;
    uint64_t            used;          /* it was asked for others' slots */
    uint64_t            disputed;      /* its cluster was down; 0: never */
    uint64_t            announced;     /* the serial that the owner knows */
    unsigned            whole:1;       /* so it is in the log */
    unsigned            unusable:1;    /* its settings or data are wrong */
    unsigned            wanted:1;      /* is to be connected */
    unsigned            probe:1;       /* is asked for the slots alone */
    unsigned            failed:1;      /* since it was ready, or never was */
    im_link_conn_t      calls;
    im_link_conn_t      pubsub;
    im_link_confirm_t   confirm;       /* of calls */
    im_str_t            name;          /* as configured or announced */
    char                why[IM_LINK_SERVER_WHY];    /* not ready; or "" */
    char                text[IM_LINK_SERVER_NAME];  /* of the name */
    char                host[IM_LINK_SERVER_NAME];
    char                address[IM_LINK_PEER_TEXT];
};


/* It isn't wanted yet, and has no address.  NULL: no memory. */
im_link_server_t *im_link_server_create(im_link_context_t *context);

/* Where it is; both are copied.  Its connections are closed. */
void im_link_server_set(im_link_server_t *server, im_str_t name,
    const im_addr_t *addr);

/*
 * Where it is now, HOST:PORT or [IPV6]:PORT: it is wanted there.  One that was
 * somewhere else is left.
 */
void im_link_server_place(im_link_server_t *server, im_str_t addr);

/* Closes its connections; the handlers of calls get NULL. */
void im_link_server_close(im_link_server_t *server);

/* It is closed, and no function works for it. */
void im_link_server_free(im_link_server_t *server);

/* Deadlines, questions, connections that are to be opened. */
void im_link_server_tick(im_link_server_t *server);

/* It takes calls, and its channels are subscribed. */
int im_link_server_whole(const im_link_server_t *server);

/* Says in the log that it is so, once. */
void im_link_server_check_whole(im_link_server_t *server, const char *what);

/* Closes a connection, of calls both. */
void im_link_server_lost(im_link_server_t *server, im_link_conn_t *conn,
    const char *why);

/* why, or the error that the reply is; unusable: it is not such an error. */
void im_link_server_refuse(im_link_server_t *server,
    const im_link_reply_t *reply, const char *why, int unusable);

/*
 * Something hints that it is no longer the master that it was: asks it, and
 * closes its connections if so.
 */
void im_link_server_doubt(im_link_server_t *server);

/*
 * Sends the link's own call, over the connection for calls.  While it is being
 * prepared, one that can't be sent lets it be replaced.
 */
im_int_t im_link_server_ask(im_link_server_t *server, im_link_reply_pt handler);

/* All but its slots. */
void im_link_server_describe(im_link_server_t *server,
    im_link_server_info_t *info);

#define IM_LINK_COMPLAIN  60000        /* ms: then a trouble is logged again */

#define IM_LINK_NOT_CLUSTER                                                   \
    "it is not a node of a cluster: name nodes of one, or leave "             \
    "\"cluster\" away"
#define IM_LINK_NOT_ALONE                                                     \
    "it is a node of a cluster: configure it with \"cluster\""

/* A tick is due in ms, if none is before. */
void im_link_due(im_link_context_t *context, im_uint_t ms);

#define im_link_event(context, event, ...)                                    \
    ((context)->owner->event != NULL                                          \
     ? (context)->owner->event((context)->data, ##__VA_ARGS__) : (void) 0)

/* Of a quiet link only details are logged. */
#define im_link_say(context, level, text)                                     \
    (context)->transport->log((context)->transport_data,                      \
                              (context)->conf.quiet ? IM_LINK_LOG_DEBUG       \
                                                    : (level), text)

#define im_link_time(context)  im_link_clock(&(context)->clock)

/* Of the program's own clock: of what it shows, or logs. */
#define im_link_moment(context)                                               \
    (context)->transport->now((context)->transport_data)

#define im_link_server_takes(server)  ((server)->calls.state == IM_LINK_READY)

#define im_link_server_trusted(server)                                        \
    (im_link_server_takes(server) && (server)->doubt == IM_LINK_TRUSTED)


#endif /* IM_LINK_SERVER_H */
