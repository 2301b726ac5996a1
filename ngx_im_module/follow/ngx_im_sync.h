/*
 * Copyright (C) The im authors
 *
 * What the files of this folder share: the worker's side of Redis.
 *
 *   ngx_im_sync.c     events of the link, lease, batches
 *   ngx_im_route.c    routes and members of topics; join, leave, assert again
 *   ngx_im_heal.c     history: what pub/sub has lost
 *   ngx_im_window.c   history: what clients that come back have missed
 */

#ifndef NGX_IM_SYNC_H
#define NGX_IM_SYNC_H


#include "ngx_im.h"
#include "ngx_im_follow.h"
#include "im_control.h"
#include "im_member.h"
#include "im_script.h"
#include "im_id.h"
#include "im_json.h"
#include "im_window.h"

#include "ngx_im_link.h"


#define NGX_IM_RENEW_MS        3000
#define NGX_IM_ROUTE_TTL       "172800"
#define NGX_IM_META_TTL        2592000
#define NGX_IM_ROUTE_CHANGES   500             /* members in one call */
#define NGX_IM_CHANGE_BYTES    65536           /* of what others are told */
#define NGX_IM_ROUTE_QUEUE     "10000"         /* then others aren't told */
#define NGX_IM_ROUTE_AGED      100             /* told again in a second */
#define NGX_IM_ROUTE_WINDOW    256             /* calls at once */
#define NGX_IM_LEAVES_MAX      65536
#define NGX_IM_STALE_MAX       100             /* a second */
#define NGX_IM_HELD_MAX        (1024 * 1024)   /* bytes, of one topic */
#define NGX_IM_HEAL_LIMIT      64              /* entries of one call */
#define NGX_IM_HEAL_BYTES      (1024 * 1024)
#define NGX_IM_DEAD_MAX        64


typedef struct ngx_im_route_s  ngx_im_route_t;


/* The recent messages of a topic that clients resume.  Owned by its route. */
typedef struct {
    im_list_t         link;        /* in sync->windows, least used first */
    ngx_im_route_t   *route;
    im_window_t       window;
    uint64_t          floor;       /* before it, nothing is to be had */
    uint64_t          before;      /* where a call that is out began */
    ngx_msec_t        used;
    uint32_t          max;         /* entries */
    unsigned          wanted:1;    /* upper layers wait for what is read */
} ngx_im_window_t;


/*
 * A session that came or went.  It is forgotten when it is sent: where that
 * fails, all members are told again.
 */
typedef struct {
    im_list_t         link;
    ngx_im_handle_t   session;
    u_char            id[16];
    unsigned          joined:1;
    uint32_t          len;
    u_char            member[1];   /* who it was that left; in presence rooms */
} ngx_im_change_t;


/*
 * What Redis is told of one topic.  Owned by sync: it outlives its topic while
 * a call is under way or a leave isn't confirmed.
 */
struct ngx_im_route_s {
    ngx_im_sync_t    *sync;
    im_topic_t       *topic;       /* NULL: nobody follows it here any more */
    im_list_t         link;        /* in sync->urgent, due, changed or left */
    im_list_t         watch;       /* in sync->watch */
    im_list_t         aged;        /* in sync->aged, since told_at */
    ngx_msec_t        told_at;
    im_list_t         changes;     /* to be sent */
    ngx_uint_t        nchanges;
    im_buf_t          held;        /* batch entries that wait for a reply */
    ngx_im_window_t  *window;      /* or NULL */
    void             *data;        /* the upper layer's */
    uint64_t          expect;      /* top that a reply told */
    uint32_t          largest;     /* envelope seen */
    ngx_uint_t        pins;        /* it isn't freed while above 0 */
    unsigned          broadcast:1;
    unsigned          numbered:1;  /* its rule has history */
    unsigned          presence:1;  /* its rule has presence */
    unsigned          busy:1;      /* route.lua is under way */
    unsigned          leaving:1;   /* with count 0 */
    unsigned          asking:1;    /* with no count */
    unsigned          comparing:1; /* its top counts at once */
    unsigned          healing:1;   /* hist.lua is under way */
    unsigned          loading:1;   /* page.lua is under way */
    unsigned          paused:1;    /* healing, but sessions are behind */
    unsigned          heal:1;      /* to be healed with the next tick */
    unsigned          assert:1;    /* count and all members are to be told */
    unsigned          dirty:1;     /* the count has changed */
    unsigned          ask:1;       /* the position is to be compared */
    unsigned          told:1;      /* Redis may have a route of ours */
    unsigned          overflow:1;  /* held entries were dropped */
    unsigned          waited:1;    /* expect is older than a tick */
    unsigned          members:1;   /* Redis may have members of ours */
    unsigned          telling:1;   /* route.lua tells others of members */
    unsigned          untold:1;    /* it couldn't: once more */
    unsigned          urged:1;     /* to be told for a question's sake */
    unsigned          joining:1;   /* a reply makes sessions live */
    uint16_t          partition;
    uint8_t           name_len;
    u_char            name[1];
};


struct ngx_im_sync_s {
    ngx_im_worker_t  *worker;
    const ngx_im_follow_events_t  *events;
    im_buf_t          id;          /* worker->id */
    uint64_t          version;     /* of routes */
    im_list_t         urgent;      /* routes to be told now, first these */
    im_list_t         due;         /* then these */
    im_list_t         changed;     /* with the next tick */
    im_list_t         watch;       /* looked at by each tick */
    im_list_t         aged;        /* told, the longest ago first */
    im_list_t         left;        /* leaves not confirmed, no call out */
    im_list_t         windows;
    im_windows_t      windows_bytes;
    ngx_uint_t        nleft;
    ngx_uint_t        ninflight;
    ngx_uint_t        nstale;      /* entries without a topic, this second */
    ngx_uint_t        nlost;       /* partitions without heartbeat */
    ngx_uint_t        nrenewals;
    ngx_msec_t        tokens;      /* when a second token was first seen */
    ngx_event_t       tick;        /* 1 s */
    ngx_event_t       renew;
    ngx_event_t       pump;        /* posted */
    uint64_t          dead[NGX_IM_DEAD_MAX];   /* hashes of workers */
    ngx_uint_t        ndead;
    im_buf_t          users;       /* im_sketch_t, encoded */
    uint64_t          redis_ms;    /* Redis' clock at redis_at */
    ngx_msec_t        redis_at;
    unsigned          up:1;
    unsigned          ready:1;     /* was up once */
    unsigned          assert:1;    /* a new connection: tell all */
    unsigned          tokens_told:1;
    unsigned          exiting:1;
};


/* ngx_im_sync.c */
im_str_t ngx_im_sync_prefix(ngx_im_sync_t *sync);
im_str_t ngx_im_sync_id(ngx_im_sync_t *sync);

void ngx_im_sync_deliver(ngx_im_route_t *route, const im_entry_t *entry,
    int jump);
void ngx_im_sync_link_state(ngx_im_sync_t *sync);


/* ngx_im_route.c */
ngx_im_route_t *ngx_im_route_create(ngx_im_sync_t *sync, im_str_t name,
    uint16_t partition);
void ngx_im_route_destroy(ngx_im_route_t *route);
void ngx_im_route_all(ngx_im_sync_t *sync, int assert);
void ngx_im_route_partition(ngx_im_sync_t *sync, uint16_t partition);
void ngx_im_route_pump(ngx_im_sync_t *sync);
void ngx_im_route_tick(ngx_im_sync_t *sync);
void ngx_im_route_watch(ngx_im_route_t *route);
void ngx_im_route_history(ngx_im_route_t *route, ngx_im_history_e why);
void ngx_im_route_pin(ngx_im_route_t *route);
void ngx_im_route_unpin(ngx_im_route_t *route);

const im_rule_t *ngx_im_route_rule(ngx_im_route_t *route);
im_str_t ngx_im_route_name(ngx_im_route_t *route);


/* ngx_im_heal.c */

/* The topic goes on behind (epoch, seq), as upper layers hear first. */
ngx_int_t ngx_im_heal_moved(ngx_im_route_t *route, im_str_t epoch,
    uint64_t seq, ngx_uint_t continues);

/* Reads what follows the topic's position and delivers it. */
void ngx_im_heal_start(ngx_im_route_t *route);
void ngx_im_heal_hold(ngx_im_route_t *route, const im_entry_t *entry);
void ngx_im_heal_release(ngx_im_route_t *route);

/* An entry of the history; its topic and epoch are left as they are. */
ngx_int_t ngx_im_heal_entry(const im_link_reply_t *reply, im_entry_t *entry);


/* ngx_im_window.c */

void ngx_im_window_append(ngx_im_route_t *route, const im_entry_t *entry);
void ngx_im_window_restart(ngx_im_route_t *route, uint64_t seq);
void ngx_im_window_destroy(ngx_im_route_t *route);
void ngx_im_window_tick(ngx_im_sync_t *sync);


#endif /* NGX_IM_SYNC_H */
