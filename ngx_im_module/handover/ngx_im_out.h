/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: its state.
 */

#ifndef NGX_IM_OUT_H
#define NGX_IM_OUT_H


#include "ngx_im_channel.h"
#include "ngx_im_entries.h"
#include "ngx_im_follow.h"
#include "ngx_im_session.h"


#define NGX_IM_OUT_WAVE     5000     /* ms, without progress */
#define NGX_IM_OUT_STEP     1000     /* ms: of them, at most, at a time */
#define NGX_IM_OUT_BODY     57344    /* bytes: a packet, if one can be */


typedef struct ngx_im_handover_out_s  ngx_im_handover_out_t;
typedef struct ngx_im_out_topic_s  ngx_im_out_topic_t;


typedef struct {

    /* A session stays here for good. */
    void  (*stays)(ngx_im_worker_t *w, ngx_im_session_t *s);

    /* All others have moved, and no event comes any more. */
    void  (*done)(ngx_im_worker_t *w);

} ngx_im_handover_events_t;


typedef enum {
    NGX_IM_OUT_CONNECTING = 0,   /* it looks for the other worker */
    NGX_IM_OUT_GREETING,         /* HELLO is out */
    NGX_IM_OUT_MOVING,           /* sessions go */
    NGX_IM_OUT_OWING,            /* the channel has broken */
    NGX_IM_OUT_FREEZING,         /* reports to Redis come to their end */
    NGX_IM_OUT_ENDING,           /* END is out */
    NGX_IM_OUT_LEAVING,          /* the topics are left */
    NGX_IM_OUT_DONE
} ngx_im_out_state_e;


typedef struct {
    ngx_im_handle_t     session;
    uint64_t            entry;           /* the last one before */
    uint32_t            number;          /* in the channel */
} ngx_im_out_flight_t;


struct ngx_im_handover_out_s {
    ngx_im_worker_t    *worker;
    const ngx_im_handover_events_t *events;
    ngx_im_out_state_e  state;
    ngx_uint_t          slot;            /* of the other worker */
    ino_t               ino;             /* of its socket's file */
    ngx_uint_t          tries;
    ngx_im_channel_t   *channel;         /* or NULL */
    ngx_pid_t           pid;             /* of the other worker */
    ngx_im_lease_lend_t *lend;           /* what it gets; NULL: no Redis */
    uint64_t            fence;           /* of the channel, */
    ngx_uint_t          went;            /* and sessions before it */
    ngx_msec_t          owed;            /* since then */
    ngx_msec_t          asked;           /* Redis, then, */
    ngx_msec_t          pause;           /* and again behind this */
    ngx_event_t         event;           /* not cancelable */
    ngx_event_t         turn;            /* posted */
    ngx_msec_t          begin;
    ngx_msec_t          moved;           /* a session, or the begin */
    ngx_msec_t          waited;          /* without progress */
    ngx_msec_t          looked;          /* up to then */
    ngx_msec_t          left;            /* the topics, then */
    im_hash_t           topics;          /* of ngx_im_out_topic_t */
    ngx_im_out_topic_t **numbers;        /* the same by their numbers */
    ngx_uint_t          ntopics;
    ngx_uint_t          size;            /* of numbers */
    im_buf_t            names;           /* of topics, to be sent */
    ngx_im_out_flight_t flights[IM_HANDOVER_FLIGHT];
    ngx_uint_t          nflights;
    ngx_im_entries_t    entries;         /* the last ones, and since flights */
    uint64_t            nentries;
    uint64_t            unkept;          /* number of the last such one */
    uint32_t            number;          /* of the last session */
    uint32_t            cursor;          /* over sessions */
    ngx_uint_t          nmoved;
    ngx_uint_t          nlost;           /* in flight */
    ngx_uint_t          nstayed[NGX_IM_STAYED];
    uint32_t           *stays;           /* generations, by index */
    uint32_t            nstays;
    const char         *why;             /* the channel has broken */
    unsigned            same:1;          /* the other one has the same zone */
    unsigned            quits:1;         /* it ends itself */
};


/* The only setter of state. */
void ngx_im_out_state(ngx_im_handover_out_t *out, ngx_im_out_state_e state);

/* What waits is looked at in some ms, and earlier if something has changed. */
void ngx_im_out_look(ngx_im_handover_out_t *out, ngx_msec_t ms);

/*
 * There was no progress for NGX_IM_OUT_WAVE.  Time in which this worker has
 * stood still itself doesn't count.
 */
ngx_uint_t ngx_im_out_late(ngx_im_handover_out_t *out);

void ngx_im_out_progress(ngx_im_handover_out_t *out);


#endif /* NGX_IM_OUT_H */
