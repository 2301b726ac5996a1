/*
 * Copyright (C) The im authors
 *
 * What the files of sync share: the worker's side of Redis.
 *
 *   ngx_im_sync.c   events of the link, lease, batches
 *   ngx_im_route.c  routes and members of topics; join, leave, assert again
 *   ngx_im_heal.c   history: what pub/sub has lost
 *   ngx_im_members.c  who is in a topic, over all workers
 *   ngx_im_info.c   room info: followers are told who is there
 *   ngx_im_query.c  presence and history for who asks
 *   ngx_im_presence.c  who asked for it is told who comes and goes
 *   ngx_im_revoke.c  users that are kept out
 *   ngx_im_window.c history: what clients who come back have missed
 */

#ifndef NGX_IM_SYNC_H
#define NGX_IM_SYNC_H


#include "ngx_im.h"
#include "im_control.h"
#include "im_member.h"
#include "im_script.h"
#include "im_id.h"
#include "im_json.h"
#include "im_window.h"

#include <hiredis/hiredis.h>


#define NGX_IM_ROUTE_TTL       "172800"
#define NGX_IM_META_TTL        2592000
#define NGX_IM_ROUTE_CHANGES   500             /* members in one call */
#define NGX_IM_CHANGE_BYTES    65536           /* of what others are told */
#define NGX_IM_ROUTE_QUEUE     "10000"         /* then others aren't told */
#define NGX_IM_ROUTE_AGED      100             /* told again in a second */
#define NGX_IM_ROUTE_WINDOW    256             /* calls at once */
#define NGX_IM_LEAVES_MAX      65536
#define NGX_IM_GHOSTS          100             /* a second */
#define NGX_IM_HELD_MAX        (1024 * 1024)   /* bytes, of one topic */
#define NGX_IM_HEAL_LIMIT      64              /* entries of one call */
#define NGX_IM_HEAL_BYTES      (1024 * 1024)
#define NGX_IM_INFO_MAX        1000            /* users of one frame */
#define NGX_IM_INFO_WAITING    4096            /* sessions, of one topic */
#define NGX_IM_ARGS_MAX        (6 + 9 + 2 + 2 * NGX_IM_ROUTE_CHANGES)
#define NGX_IM_ARGS_BYTES      (4 * 1024 * 1024)
#define NGX_IM_LIVE_FRESH      500
#define NGX_IM_LIVE_MAX        4096
#define NGX_IM_DEAD_MAX        64


typedef struct ngx_im_route_s  ngx_im_route_t;
typedef struct ngx_im_info_s   ngx_im_info_t;


/* The recent messages of a topic that clients resume.  Owned by its route. */
typedef struct {
    im_list_t         link;        /* in sync->windows, least used first */
    ngx_im_route_t   *route;
    im_window_t       window;
    uint64_t          floor;       /* before it, nothing is to be had */
    uint64_t          before;      /* where a call that is out began */
    ngx_msec_t        used;
    uint32_t          max;         /* entries */
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
    im_list_t         joins;       /* ngx_im_join_t that wait for history */
    ngx_im_window_t  *window;      /* or NULL */
    ngx_im_info_t    *info;        /* being collected */
    im_list_t         info_link;   /* in sync->infos or sync->lazy */
    ngx_im_handle_t  *waiting;     /* sessions that want room info */
    ngx_uint_t        nwaiting;
    ngx_uint_t        waiting_size;
    ngx_msec_t        info_all;    /* not before: to all followers */
    ngx_msec_t        info_some;   /* not before: to those who wait */
    time_t            push_time;   /* the second in which there were */
    ngx_uint_t        npushes;     /* of who came and went */
    uint64_t          info_hash;   /* of what was told last; 0: nothing */
    uint64_t          expect;      /* top that a reply told */
    uint32_t          largest;     /* envelope seen */
    ngx_uint_t        pins;        /* it isn't freed while above 0 */
    unsigned          broadcast:1;
    unsigned          numbered:1;  /* its rule has history */
    unsigned          presence:1;  /* its rule has presence */
    unsigned          hurry:1;     /* a guest waits for room info */
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
    unsigned          refresh:1;   /* members have changed: tell all here */
    unsigned          force:1;     /* tell them in any case */
    unsigned          suspect:1;   /* members may have changed */
    unsigned          mixed:1;     /* not to all, some got another */
    unsigned          urged:1;     /* to be told for a question's sake */
    unsigned          rounds:2;    /* of that */
    unsigned          joining:1;   /* a reply makes sessions live */
    uint16_t          partition;
    uint8_t           name_len;
    u_char            name[1];
};


struct ngx_im_sync_s {
    ngx_im_worker_t  *worker;
    im_buf_t          id;          /* worker->id */
    uint64_t          version;     /* of routes */
    im_list_t         urgent;      /* routes to be told now, first these */
    im_list_t         due;         /* then these */
    im_list_t         changed;     /* with the next tick */
    im_list_t         watch;       /* looked at by each tick */
    im_list_t         aged;        /* told, the longest ago first */
    im_list_t         left;        /* leaves not confirmed, no call out */
    im_list_t         infos;       /* rooms that are due to be told of */
    im_list_t         lazy;        /* rooms that may have changed */
    im_list_t         windows;
    im_windows_t      windows_bytes;
    ngx_uint_t        nleft;
    ngx_uint_t        ninflight;
    ngx_uint_t        nghosts;     /* in this second */
    ngx_uint_t        nlost;       /* partitions without heartbeat */
    ngx_uint_t        nrenewals;
    ngx_msec_t        tokens;      /* when a second token was first seen */
    ngx_event_t       tick;        /* 1 s */
    ngx_event_t       renew;
    ngx_event_t       pump;        /* posted */
    ngx_event_t       info;        /* while infos has some */
    uint64_t          dead[NGX_IM_DEAD_MAX];   /* hashes of workers */
    ngx_uint_t        ndead;
    im_hash_t         revoked;     /* users that are kept out */
    im_buf_t          revision;    /* of that, as lease.lua tells it */
    ngx_msec_t        revoked_at;  /* when it was asked for */
    uint64_t          revoked_ms;  /* the same by Redis' clock */
    im_buf_t          keys;
    im_buf_t          users;       /* im_sketch_t, encoded */
    im_str_t          argv[NGX_IM_ARGS_MAX];   /* of the call being made */
    ngx_uint_t        argc;
    im_buf_t          args;        /* their bytes */
    size_t            arg;         /* where the last one began */
    im_buf_t          live;        /* names of live workers, each with NUL */
    ngx_msec_t        live_time;
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

/*
 * Arguments of a script: append one to sync->args, then end it.  Their number;
 * 0: no memory.
 */
void ngx_im_args_start(ngx_im_sync_t *sync);
void ngx_im_args_end(ngx_im_sync_t *sync);
void ngx_im_args_add(ngx_im_sync_t *sync, im_str_t arg);
void ngx_im_args_generation(ngx_im_sync_t *sync);
ngx_uint_t ngx_im_args_done(ngx_im_sync_t *sync);

/* Fields of replies; a wrong type is 0 or "". */
im_str_t ngx_im_reply_str(redisReply *reply, size_t i);
uint64_t ngx_im_reply_int(redisReply *reply, size_t i);
int ngx_im_reply_array(redisReply *reply, size_t n);
void ngx_im_reply_complain(ngx_im_sync_t *sync, redisReply *reply,
    const char *what);


/* ngx_im_route.c */
ngx_im_route_t *ngx_im_route_create(ngx_im_sync_t *sync, im_str_t name,
    uint16_t partition);
void ngx_im_route_destroy(ngx_im_route_t *route);
void ngx_im_route_all(ngx_im_sync_t *sync, int assert);
void ngx_im_route_partition(ngx_im_sync_t *sync, uint16_t partition);
void ngx_im_route_pump(ngx_im_sync_t *sync);
void ngx_im_route_tick(ngx_im_sync_t *sync);
void ngx_im_route_urgent(ngx_im_route_t *route);
void ngx_im_route_watch(ngx_im_route_t *route);
void ngx_im_route_pin(ngx_im_route_t *route);
void ngx_im_route_unpin(ngx_im_route_t *route);
void ngx_im_route_ghost(ngx_im_sync_t *sync, im_str_t topic,
    uint16_t partition);

/* Who has joined and is still there, or NULL. */
im_sub_t *ngx_im_route_joined(ngx_im_route_t *route, ngx_im_change_t *change);

/* Appends what others may know of a member, a JSON object. */
void ngx_im_route_describe(im_buf_t *b, ngx_im_route_t *route, im_sub_t *sub);

/* The topic has a position now: who waits to follow it does. */
void ngx_im_route_live(ngx_im_route_t *route);
const im_rule_t *ngx_im_route_rule(ngx_im_route_t *route);
im_str_t ngx_im_route_name(ngx_im_route_t *route);


/* ngx_im_heal.c */

/* Reads what follows the topic's position and delivers it. */
void ngx_im_heal_start(ngx_im_route_t *route);
void ngx_im_heal_hold(ngx_im_route_t *route, const im_entry_t *entry);
void ngx_im_heal_release(ngx_im_route_t *route);

/* An entry of the history; its topic and epoch are left as they are. */
ngx_int_t ngx_im_heal_entry(redisReply *reply, im_entry_t *entry);


/* ngx_im_window.c */

/*
 * NGX_OK: all behind seq is there; NGX_AGAIN: it may be once it is loaded;
 * NGX_DECLINED: it can't be had.
 */
ngx_int_t ngx_im_window_have(ngx_im_route_t *route, uint64_t seq);

/* Reads what follows since; ngx_im_resume_run() is called then. */
void ngx_im_window_load(ngx_im_route_t *route, uint64_t since);
void ngx_im_window_append(ngx_im_route_t *route, const im_entry_t *entry);
void ngx_im_window_restart(ngx_im_route_t *route, uint64_t seq);
void ngx_im_window_forget(ngx_im_route_t *route, uint64_t seq);
void ngx_im_window_destroy(ngx_im_route_t *route);
void ngx_im_window_tick(ngx_im_sync_t *sync);


/* ngx_im_resume.c */

/* Looks again at who waits, and does what they need. */
void ngx_im_resume_run(ngx_im_route_t *route);
void ngx_im_resume_answered(ngx_im_route_t *route);
ngx_int_t ngx_im_resume_told(ngx_im_route_t *route, im_str_t epoch,
    uint64_t seq, ngx_uint_t continues);


/* ngx_im_members.c */

typedef struct {
    im_member_t      *elts;        /* in no order; may be sorted */
    ngx_uint_t        n;
    uint64_t          rest;        /* sessions that were only counted */
    ngx_uint_t        nworkers;    /* that have them */
} ngx_im_members_t;


/* members is borrowed; NULL: couldn't be read. */
typedef void (*ngx_im_members_pt)(ngx_im_sync_t *sync, void *data,
    ngx_im_members_t *members);

/*
 * Reads the members that live workers have told Redis of, this one too where
 * own is set; the handler is called once, in a later turn.  NGX_ERROR: it
 * isn't.
 */
ngx_int_t ngx_im_members_ask(ngx_im_sync_t *sync, im_str_t topic,
    uint16_t partition, ngx_uint_t own, ngx_im_members_pt handler,
    void *data);


/* ngx_im_info.c */

/* Members may have changed, here or elsewhere: who follows is to be told. */
void ngx_im_info_refresh(ngx_im_route_t *route, int force);

/* Something may have been missed: all rooms are looked at, in time. */
void ngx_im_info_suspect(ngx_im_route_t *route);

/* The call that a route had under way is over: what waits can go on. */
void ngx_im_info_start(ngx_im_route_t *route);
void ngx_im_info_detach(ngx_im_route_t *route);
void ngx_im_info_tick(ngx_im_sync_t *sync);
void ngx_im_info_handler(ngx_event_t *ev);

/* Workers that have died, as lease.lua tells; rooms are looked at if news. */
void ngx_im_info_dead(ngx_im_sync_t *sync, redisReply *dead, int news);


/* ngx_im_presence.c */

/* Appends the control entry by which other workers learn of its changes. */
void ngx_im_presence_encode(im_buf_t *b, ngx_im_route_t *route);
void ngx_im_presence_changed(ngx_im_worker_t *w, im_topic_t *topic,
    const im_control_t *control);


/* ngx_im_revoke.c */
ngx_int_t ngx_im_revoke_init(ngx_im_sync_t *sync);
void ngx_im_revoke_cleanup(ngx_im_sync_t *sync);

/* What lease.lua tells: reads who is kept out where that has changed. */
void ngx_im_revoke_revision(ngx_im_sync_t *sync, im_str_t revision);


/* ngx_im_control.c: closes the sessions of a user that is kept out */
void ngx_im_control_kick(ngx_im_worker_t *w, im_str_t user);


#endif /* NGX_IM_SYNC_H */
