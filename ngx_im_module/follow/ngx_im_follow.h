/*
 * Copyright (C) The im authors
 *
 * Following topics: what upper layers may ask of it, and what it tells them.
 *
 * This layer reports to Redis which topics this worker follows, takes their
 * messages from pub/sub, puts them in order and reads from history what is
 * missing.  Upper layers call the functions below; this layer calls them by
 * the table of events only.
 */

#ifndef NGX_IM_FOLLOW_H
#define NGX_IM_FOLLOW_H


#include "ngx_im_worker.h"
#include "im_id.h"
#include "im_member.h"
#include "im_push.h"
#include "im_proto.h"


typedef struct ngx_im_sync_s  ngx_im_sync_t;


typedef enum {
    NGX_IM_LINK_DOWN = 0,
    NGX_IM_LINK_UP,
    NGX_IM_LINK_DEGRADED     /* Redis answers, job's heartbeats are missing */
} ngx_im_link_e;


/* A session that follows a topic; member borrows from it. */
typedef struct {
    ngx_im_handle_t   session;
    const u_char     *id;          /* its UUID, 16 bytes */
    im_member_t       member;
    u_char            text[IM_UUID_LEN + NGX_SOCKADDR_STRLEN];
} ngx_im_followed_t;


/* Why members may be others than before. */
typedef enum {
    NGX_IM_MEMBERS_SUSPECT = 0,    /* a change may have been missed */
    NGX_IM_MEMBERS_CHANGED
} ngx_im_members_e;


/* Why waiting resumes are to be judged again. */
typedef enum {
    NGX_IM_HISTORY_POLLED = 0,     /* some time has passed */
    NGX_IM_HISTORY_READ,           /* a page for the window was asked for */
    NGX_IM_HISTORY_POSITION        /* Redis has told where the topic is */
} ngx_im_history_e;


typedef enum {
    NGX_IM_REPORT_DONE = 0,        /* Redis knows all members */
    NGX_IM_REPORT_DUE,             /* it will with the next second */
    NGX_IM_REPORT_BUSY             /* a call is out: event reported follows */
} ngx_im_report_e;


/*
 * Only flush may close sessions, so that topics end in it.  Handlers of all
 * other events neither join nor leave a topic.
 */
typedef struct {

    /* The topic has a position: subscriptions that are joining begin. */
    void  (*live)(ngx_im_worker_t *w, im_topic_t *topic);

    /* The next message, in order.  NGX_ERROR: no memory; it comes again. */
    ngx_int_t  (*message)(ngx_im_worker_t *w, im_topic_t *topic,
        const im_message_t *m);

    /*
     * The topic goes on behind (epoch, seq); without a loss if continues.
     * NGX_ERROR: no memory; it comes again.
     */
    ngx_int_t  (*moved)(ngx_im_worker_t *w, im_topic_t *topic, im_str_t epoch,
        uint64_t seq, ngx_uint_t continues);

    /* All messages of this turn have been given: they can be sent. */
    void  (*flush)(ngx_im_worker_t *w);

    void  (*history)(ngx_im_worker_t *w, im_topic_t *topic,
        ngx_im_history_e why);

    /* A report of this worker's members has been answered. */
    void  (*reported)(ngx_im_worker_t *w, im_topic_t *topic);
    void  (*members)(ngx_im_worker_t *w, im_topic_t *topic,
        ngx_im_members_e why);

    void  (*control)(ngx_im_worker_t *w, uint16_t partition,
        const im_entry_t *entry);

    /* So many workers have died since the last time. */
    void  (*dead)(ngx_im_worker_t *w, ngx_uint_t n);

    /* The revision of the list of users that are kept out; with each lease. */
    void  (*revoked)(ngx_im_worker_t *w, im_str_t revision);

    /* The worker's last follower has left: its data is freed. */
    void  (*ended)(ngx_im_worker_t *w, im_topic_t *topic, void *data);

    /* The subscription of a session; NULL: it doesn't follow that. */
    im_sub_t  *(*find)(ngx_im_worker_t *w, ngx_im_handle_t session,
        im_str_t topic);

    void  (*describe)(im_sub_t *sub, ngx_im_followed_t *f);

} ngx_im_follow_events_t;


ngx_int_t ngx_im_follow_init(ngx_im_worker_t *w,
    const ngx_im_follow_events_t *events);
void ngx_im_follow_exit(ngx_im_worker_t *w);

/* Why joins can't be served, static text; NULL: they can. */
const char *ngx_im_follow_unready(ngx_im_worker_t *w);
ngx_im_link_e ngx_im_follow_link(ngx_im_worker_t *w);

/* The worker drains: the lease record says so at once. */
void ngx_im_follow_draining(ngx_im_worker_t *w);

/* Redis' clock now, ms; 0: not known yet. */
uint64_t ngx_im_follow_clock(ngx_im_worker_t *w);

/* A topic got its first follower; its last one left: the topic is freed. */
ngx_int_t ngx_im_follow_start(ngx_im_worker_t *w, im_topic_t *topic);
void ngx_im_follow_stop(ngx_im_worker_t *w, im_topic_t *topic);

/* A subscription came or goes: Redis knows within a second. */
void ngx_im_follow_member(ngx_im_worker_t *w, im_sub_t *sub, int joined);

/* An entry came for a topic that this worker doesn't follow. */
void ngx_im_follow_stale(ngx_im_worker_t *w, im_str_t topic,
    uint16_t partition);


/* The functions below need a topic between start and stop. */

/* The upper layer's own; NULL at first. */
void **ngx_im_follow_data(im_topic_t *topic);

/* Its rule has history; presence. */
ngx_uint_t ngx_im_follow_numbered(im_topic_t *topic);
ngx_uint_t ngx_im_follow_presence(im_topic_t *topic);

ngx_im_report_e ngx_im_follow_reported(im_topic_t *topic);

/* Reports now; event reported follows. */
void ngx_im_follow_report(im_topic_t *topic);

/*
 * NGX_OK: all messages behind seq are there; NGX_AGAIN: they may be once they
 * are loaded; NGX_DECLINED: they can't be had.
 */
ngx_int_t ngx_im_follow_window(im_topic_t *topic, uint64_t seq);

/* The envelope of a message that is there. */
im_str_t ngx_im_follow_envelope(im_topic_t *topic, uint64_t seq);

/* Loads what follows since; event history comes in any case. */
void ngx_im_follow_load(im_topic_t *topic, uint64_t since);

/*
 * Asks Redis for the topic's position; event history follows.  NGX_BUSY: a
 * question is out already; NGX_ERROR: Redis can't be asked now.
 */
ngx_int_t ngx_im_follow_ask(im_topic_t *topic);

/* Event history comes in a second at the latest. */
void ngx_im_follow_poll(im_topic_t *topic);

/* History was emptied up to seq. */
void ngx_im_follow_forget(im_topic_t *topic, uint64_t seq);


#endif /* NGX_IM_FOLLOW_H */
