/*
 * Copyright (C) The im authors
 *
 * One struct holds all that changes in a worker.
 */

#ifndef NGX_IM_WORKER_H
#define NGX_IM_WORKER_H


#include "ngx_im_conf.h"
#include "ngx_im_zone.h"
#include "ngx_im_timer.h"
#include "im_list.h"
#include "im_buf.h"
#include "im_deflate.h"
#include "im_emulation.h"
#include "im_slab.h"
#include "im_hash.h"
#include "im_accept.h"
#include "im_hub.h"


/* Names a session across turns; 0 is never valid. */
typedef uint64_t  ngx_im_handle_t;       /* generation << 32 | index */


/* The end of a worker: sessions in the order of their closing. */
typedef struct {
    ngx_event_t         event;           /* not cancelable */
    ngx_im_handle_t    *order;           /* n sessions, shuffled */
    ngx_uint_t          n;
    ngx_uint_t          size;            /* room in order */
    ngx_uint_t          next;            /* of order */
    ngx_msec_t          time;            /* of the last turn */
    ngx_msec_t          done;            /* ms of im_drain */
} ngx_im_drain_t;


#define NGX_IM_LAGS  64

/* Messages that are sent, until the clock is read for all of them. */
typedef struct {
    uint32_t            since[NGX_IM_LAGS];      /* ms */
    uint32_t            nmessages[NGX_IM_LAGS];
    ngx_uint_t          n;
} ngx_im_lags_t;


#define NGX_IM_RESERVE_MAX  64

/* Connections that are kept for links: ngx_im_reserve.c. */
typedef struct {
    ngx_connection_t   *held[NGX_IM_RESERVE_MAX];
    ngx_uint_t          nheld;
    ngx_uint_t          missing;         /* to be held when there are some */
} ngx_im_reserve_t;


/* One line of a kind was logged; n more were not. */
typedef struct {
    ngx_msec_t          start;
    ngx_uint_t          n;
    ngx_uint_t          started;
} ngx_im_silence_t;


/* What compresses frames: ngx_im_send_buffer() has which. */
typedef struct {
    im_codec_t          shared;          /* for all followers of a topic */
    im_codec_t          single;          /* for one session, up to credit */
    int64_t             credit;          /* bytes, until the next tick */
} ngx_im_deflate_t;


struct ngx_im_worker_s {
    ngx_im_main_conf_t *conf;
    ngx_log_t          *log;             /* cycle's */
    const struct ngx_im_session_events_s *events;
    im_hub_t            hub;
    im_accepts_t        accepts;         /* filters of wires */
    im_slab_t           sessions_slab;
    uint64_t            ids[2][2];       /* random: makes their ids */
    im_hash_t           classes;         /* of sessions, each once */
    im_hash_t           openings;        /* of handshakes, shared by sessions */
    im_list_t           closed;          /* to be ended by close_event */
    im_list_t           spare;           /* extensions that may go */
    im_list_t           blocked;         /* sessions, the longest so first */
    im_list_t           moving;          /* sessions in flight, by blocked */
    im_list_t           earlier;         /* workers that clients name */
    im_list_t           froms;           /* workers from which sessions come */
    im_hash_t           adopted;         /* sessions of other workers, by id */
    im_hash_t           adopted_places;  /* the same by index */
    im_list_t           flush;           /* logs with pending subscriptions */
    im_list_t           paced;           /* such ones that are not due yet */
    ngx_event_t         pace_event;
    ngx_im_wheel_t      wheel;           /* deadlines of sessions */
    ngx_im_wheel_t      expiry;          /* ends of tokens, by the clock */
    ngx_im_turn_t       ready;           /* joins to be served */
    ngx_uint_t          nsessions;
    ngx_uint_t          nunauthenticated;
    ngx_msec_t          opened_at;       /* sessions were to open then: */
    ngx_uint_t          nopened;         /* so many */
    ngx_uint_t          nusers;
    im_bucket_t         handshakes;
    im_bucket_t         new_rooms;
    ngx_im_rate_t       origins;         /* log lines about wrong ones */
    ngx_im_turn_t       throttled;       /* sessions that wait for credit */
    im_list_t           queries;         /* sessions that wait to ask */
    im_list_t           reads;           /* calls that are out for clients */
    ngx_uint_t          nreads;
    ngx_im_turn_t       loads;           /* topics that wait for a read */
    ngx_event_t         flush_event;
    uint32_t            nflushes;        /* turns of flushes, ever */
    ngx_im_lags_t       lags;
    struct ngx_im_uring_s *uring;        /* or NULL: it is not used */
    ngx_event_t         close_event;
    ngx_event_t         spare_event;
    ngx_event_t         tick;            /* 1 s, cancelable */
    ngx_event_t         kept;            /* 1 s while nkept, not cancelable */
    ngx_uint_t          nkept;           /* requests that sessions keep */
    ngx_im_drain_t      drain;
    struct ngx_im_handover_in_s *handover_in;    /* or NULL */
    ngx_uint_t          ntaking;         /* workers that hand over to it */
    struct ngx_im_handover_out_s *handover_out;  /* the same */
    size_t              reply_bytes;     /* allocated for replies */
    im_buf_t            recovery;        /* messages of an answer */
    im_buf_t            scratch;         /* frames being encoded */
    ngx_im_deflate_t    deflate;
    im_buf_t            arena;           /* decoded strings */
    u_char             *in;              /* read buffer, of all sessions */
    size_t              in_size;
    ngx_im_counters_t  *counters;        /* in the zone, if in_zone */
    ngx_im_reserve_t    reserve;
    im_hash_t           hosts;           /* addresses that have sessions */
    im_slab_t           hosts_slab;
    ngx_rbtree_t        ranks[2];        /* of hosts, by ngx_im_pool_e */
    ngx_rbtree_node_t   ranks_sentinel;
    ngx_uint_t          places[2];       /* in use, by ngx_im_pool_e */
    ngx_im_silence_t    refusals[NGX_IM_LIMITS];
    ngx_im_silence_t    unready;         /* connections closed without them */
    im_buf_t            id;              /* NODE.SLOT.START */
    u_char              name[16];        /* random: of its channel for input */
    uint64_t            ninputs;         /* of clients, by its requests */
    im_emulation_keys_t secrets;         /* of its sessions */
    struct im_link_s   *link;
    struct im_link_members_s *members;
    struct im_link_history_s *history;
    struct ngx_im_sync_s *sync;
    struct im_follow_s *follow;
    struct ngx_im_revoke_s *revoke;
    ngx_im_turn_t       infos;           /* topics whose room info is due */
    ngx_im_turn_t       suspects;        /* topics that may have changed */
    ngx_im_rate_t       suspected;
    ngx_im_rate_t       counts;          /* rooms whose followers are counted */
    struct ngx_im_backend_s *backend;
    struct ngx_im_jwt_s *jwt;
    unsigned            draining:1;
    unsigned            handing:1;       /* sessions go to another worker */
    unsigned            opening:1;       /* so may those that open meanwhile */
    unsigned            in_zone:1;
    unsigned            zone_full:1;     /* it was, and a line says so */
};


extern ngx_im_worker_t  *ngx_im_worker;  /* NULL outside workers */


#endif /* NGX_IM_WORKER_H */
