/*
 * Copyright (C) The im authors
 *
 * The link to Redis: one connection for calls and one for pub/sub, that come
 * back by themselves.
 *
 * The link has the protocol, and no sockets, no loop, no clock and no log: a
 * program brings them (im_link_transport.h).  A call goes to the server that
 * has its first key.
 *
 * Each call that was sent has its handler called once: with the reply, or with
 * NULL when the connection was lost, the reply is late, or the link is
 * destroyed.  Handlers and events may send calls, break the link and destroy
 * it.
 */

#ifndef IM_LINK_H
#define IM_LINK_H


#include "im_types.h"
#include "im_keys.h"
#include "im_link_call.h"
#include "im_link_reply.h"


typedef struct im_link_s  im_link_t;

typedef void (*im_link_reply_pt)(const im_link_reply_t *reply, void *data);

/* why is NULL: confirmed. */
typedef void (*im_link_confirm_pt)(const char *why, void *data);


/*
 * Partitions have the numbers 0 to P - 1.  What all programs know of each other
 * is in a slot of its own: it counts as one more.
 */
#define IM_LINK_REGISTRY  IM_PARTITIONS_MAX


/* Each may be NULL. */
typedef struct {
    /* The number of partitions is known: channels can be subscribed.  Once. */
    void  (*ready)(void *data);

    /* A server takes calls, over a new connection. */
    void  (*server)(void *data, im_uint_t server);

    /*
     * The partition, or the registry, takes calls, and the channels in its slot
     * are subscribed.  anew: the server, its process or its data are others
     * than before; what was stored may be lost.  The registry comes before
     * partitions of the same server.
     */
    void  (*up)(void *data, im_uint_t partition, int anew);

    /* It was up, and has lost a connection. */
    void  (*down)(void *data, im_uint_t partition);

    /* Redis confirms a channel, also after each new connection. */
    void  (*subscribed)(void *data, im_uint_t number);

    void  (*message)(void *data, im_uint_t number, im_str_t payload);

    /* A channel with heartbeats is silent for 6 s (lost), or is heard again. */
    void  (*heartbeat)(void *data, im_uint_t number, int lost);

    /* This Redis can't be used and never was: the program should end. */
    void  (*fatal)(void *data, const char *why);
} im_link_events_t;


typedef enum {
    IM_LINK_SERVER_AWAY = 0,   /* being connected to, over and over again */
    IM_LINK_SERVER_DOUBTED,    /* is asked whether it still is a master */
    IM_LINK_SERVER_READY       /* takes calls */
} im_link_server_e;


typedef enum {
    IM_LINK_ROLE_UNKNOWN = 0,
    IM_LINK_ROLE_MASTER,
    IM_LINK_ROLE_REPLICA
} im_link_role_e;


typedef struct {
    im_link_server_e  state;
    im_link_role_e    role;         /* as it said last */
    int               listening;    /* all its channels are subscribed */
    im_uint_t         slots;
    uint64_t          replicas;     /* connected to it, as it said last */
    uint64_t          since;        /* ms of the transport's clock: of state */
    im_str_t          name;         /* as configured or announced */
    im_str_t          address;      /* in use, if name is a host's; or "" */
    im_str_t          generation;   /* the last one that was seen, or "" */
    const char       *why;          /* it is away, or "" */
} im_link_server_info_t;


/* As the sentinel says whose answer has won; 0: not known. */
typedef struct {
    im_str_t   master;         /* its name */
    im_uint_t  configured;
    im_uint_t  answering;      /* of them, now */
    uint64_t   watching;       /* as sentinels know of each other */
    uint64_t   epoch;
    uint64_t   quorum;
    uint64_t   replicas;
    uint64_t   down_after;     /* ms */
} im_link_sentinels_t;


/*
 * What callers use: start a call, add its arguments, send it.  A link has one
 * call under construction; starting another drops it.
 */
im_link_call_t *im_link_command(im_link_t *link, const char *words);
im_link_call_t *im_link_script(im_link_t *link, const im_script_t *script);

/* handler may be NULL.  IM_ERROR: not sent, the handler isn't called. */
im_int_t im_link_send(im_link_t *link, im_link_reply_pt handler, void *data);

/* The same, to a server by its number: for calls without a key. */
im_int_t im_link_send_to(im_link_t *link, im_uint_t server,
    im_link_reply_pt handler, void *data);

/*
 * Within the handler of a call that wrote something: has the writing reached
 * the replicas of the server that ran it, conf->replicas of them, or more where
 * more are online?  The handler is called once, later.  All calls to that
 * server wait meanwhile: it is for a link of such calls.  IM_ERROR: the handler
 * won't be called.
 */
im_int_t im_link_confirm(im_link_t *link, im_link_confirm_pt handler,
    void *data);

/* How many servers there are now: one, or the masters of a cluster. */
im_uint_t im_link_servers(const im_link_t *link);


/* Borrowed from the link, until one of its events. */
void im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info);

/* How many slots have no master that takes calls. */
im_uint_t im_link_unserved(const im_link_t *link);

/* NULL: the link has no sentinels. */
const im_link_sentinels_t *im_link_sentinels(const im_link_t *link);

/* All partitions are on one server, and stay together. */
int im_link_shared(const im_link_t *link);

/* Calls to a partition, or to the registry, can be sent. */
int im_link_ready(const im_link_t *link, im_uint_t partition);

/* Why it is not ready; kept by the link. */
const char *im_link_why(const im_link_t *link, im_uint_t partition);

/* The server of the registry can't be reached; 0: it isn't known yet, too. */
int im_link_failed(const im_link_t *link);

/* The same of any server that has slots. */
int im_link_failing(const im_link_t *link);

/* In a handler that got NULL: why.  It holds until the next call. */
const char *im_link_excuse(const im_link_t *link);

/* It isn't ready, or takes more than 50 ms for a reply: send less. */
int im_link_slow(const im_link_t *link, im_uint_t partition);

/*
 * Redis evicts, or it has another number of partitions, or other tags; of a
 * cluster the server of the registry alone counts.
 */
int im_link_unusable(const im_link_t *link);

/* 0 until it is ready. */
uint32_t im_link_partitions(const im_link_t *link);

/* What keys are made of: im_key.h. */
const im_keys_t *im_link_keys(const im_link_t *link);

/* Closes the connections and connects again. */
void im_link_break(im_link_t *link, const char *why);


/*
 * Channels, from the event `ready` on.  The link keeps them and subscribes
 * again with each connection.  number comes back with each message.  A channel
 * with heartbeats reports its silence, and its empty messages end there.
 */
im_int_t im_link_subscribe(im_link_t *link, im_str_t channel,
    im_uint_t number, int heartbeats);
void im_link_unsubscribe(im_link_t *link, im_str_t channel);


#endif /* IM_LINK_H */
