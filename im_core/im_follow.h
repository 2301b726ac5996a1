/*
 * Copyright (C) The im authors
 *
 * Following topics: what a worker reports to Redis about its topics, and how
 * it brings their messages in order.
 *
 *   im_pin.c      topics whose sessions go to another worker, or come from it
 *   im_follow.c   reports of topics and members, and their replies
 *   im_take.c     counts and members that came from another worker
 *   im_history.c  the order of messages: holes are read from history
 *   im_late.c     changes that followers hear of in the order of messages
 *   im_route.c    the record of a topic
 *
 * No I/O, no clock: calls to Redis go out by a table of commands, their
 * replies come in as neutral structs, and upper layers hear what happens by a
 * table of events.  Pub/sub is a hint: what it loses is found by comparing
 * positions.
 *
 * A topic has one report under way.  A worker's versions only grow and Redis
 * takes no older one, so a report that is lost or late does no harm: what
 * failed is reported again, whole.
 */

#ifndef IM_FOLLOW_H
#define IM_FOLLOW_H


#include "im_types.h"
#include "im_list.h"
#include "im_buf.h"
#include "im_hub.h"
#include "im_key.h"
#include "im_push.h"
#include "im_ring.h"
#include "im_rule.h"
#include "im_topic.h"
#include "im_window.h"


#define IM_FOLLOW_CHANGES  500       /* members in one report */
#define IM_FOLLOW_REPORTS  32        /* in one call */
#define IM_FOLLOW_ENTRIES  64        /* of one page of history */


typedef struct im_follow_s  im_follow_t;
typedef struct im_route_s   im_route_t;


/*
 * A session that came or went.  It is forgotten when it is sent: where that
 * fails, all members are reported again.
 */
typedef struct {
    im_list_t     link;
    uint64_t      session;     /* the caller's name of it */
    u_char        id[16];
    uint8_t       joined;
    uint8_t       quiet;       /* other clients don't hear of it */
    uint8_t       late;        /* those of this worker don't know of it yet */
    uint32_t      len;
    u_char        member[1];   /* JSON of a member that left or is late */
} im_change_t;


/* A report of one topic; without a worker it only asks for the position. */
typedef struct {
    im_str_t          topic;
    const im_rule_t  *rule;      /* NULL: none */
    uint16_t          partition;
    uint8_t           ask;       /* only the position */
    uint8_t           all;       /* Redis forgets all members first */
    uint8_t           renew;     /* what Redis has lives on */
    uint8_t           notify;    /* other workers get to know of changes, */
    uint8_t           each;      /* and which they are: at most so many that */
                                 /* aren't quiet as an entry may have */
    uint8_t           leave;     /* the topic has no follower here */
    uint64_t          count;     /* of followers */
    uint64_t          version;
    const im_list_t  *changes;   /* of im_change_t */
    im_uint_t         nchanges;
    im_uint_t         most;      /* of them may go; report() may set fewer */
    im_uint_t         nsent;     /* set by report(): the first ones went, */
                                 /* 1 at least */
} im_report_t;


typedef struct {
    uint8_t           applied;
    uint8_t           notified;
    uint64_t          stored;    /* version in Redis, where not applied */
    im_str_t          epoch;
    uint64_t          top;
    im_str_t          past;      /* "epoch:top epoch:top" */
    uint64_t          mark;      /* of the last entry without a number, */
    uint64_t          own;       /* and of that of this report; 0: it has */
                                 /* none, or others need not hear of it */
} im_reported_t;


/*
 * Sessions of another worker have come here, and the topic's share of that
 * worker's count and members is to come after them, in one step.
 */
typedef struct {
    im_str_t          topic;
    uint16_t          partition;
    uint64_t          count;     /* of followers here, these too */
    uint64_t          version;   /* a call that is repeated has the same */
    uint64_t          fence;     /* of the channel that they came through */
    uint64_t          moved;     /* so many followers has the other less */
    const uint32_t   *subs;      /* indexes of subscriptions that are here: */
    im_uint_t         nsubs;     /* take() may set fewer, but not 0, */
    im_uint_t         nmembers;  /* and sets how many of them are members */
    const im_list_t  *left;      /* of im_change_t: members that have left */
    im_uint_t         nleft;     /* meanwhile, the first ones of the list */
} im_taking_t;


/* What Redis should have of a topic. */
typedef struct {
    im_str_t          topic;
    im_str_t          epoch;
    uint64_t          seq;
    uint16_t          partition;
    uint8_t           members;   /* some were reported */
} im_check_t;


/* Where it has something else. */
typedef enum {
    IM_CHECK_GONE = 0,           /* the route, its members, or the epoch */
    IM_CHECK_BEHIND,             /* there are messages behind the position */
    IM_CHECK_AHEAD               /* the position is behind the last message */
} im_check_e;


/* What is to be read of a topic's history. */
typedef struct {
    uint8_t           back;      /* what precedes seq, else what follows it */
    uint64_t          seq;
    im_uint_t         limit;     /* entries, at most IM_FOLLOW_ENTRIES */
    size_t            bytes;     /* about so many; backwards only */
} im_read_t;


typedef struct {
    uint64_t          seq;       /* 0: malformed */
    im_str_t          envelope;
} im_page_entry_t;


typedef enum {
    IM_PAGE_COMPLETE = 0,
    IM_PAGE_MORE,
    IM_PAGE_HOLE,                /* it doesn't go on behind seq, */
    IM_PAGE_WAITS                /* but the queue may have what does */
} im_page_status_e;


/* status, past and mark are for pages that follow seq. */
typedef struct {
    im_page_status_e  status;
    im_str_t          epoch;
    uint64_t          top;
    uint64_t          mark;
    im_str_t          past;
    im_uint_t         n;
    im_page_entry_t   entries[IM_FOLLOW_ENTRIES];
} im_page_t;


/* ctx is the caller's. */
typedef struct {

    /*
     * Of n topics of a partition, at most IM_FOLLOW_REPORTS.
     * im_follow_reported() follows for each, unless IM_ERROR: not sent.
     */
    im_int_t  (*report)(void *ctx, im_route_t **routes, im_report_t *reports,
        im_uint_t n);

    /* im_follow_page() follows, unless IM_ERROR: not sent. */
    im_int_t  (*read)(void *ctx, im_route_t *route, im_topic_t *topic,
        const im_read_t *read);

    /*
     * im_follow_checked() follows for those that differ, or nothing.  All is
     * borrowed.  IM_DECLINED: not now; IM_AGAIN: it is sent, and no other one
     * in this second.
     */
    im_int_t  (*check)(void *ctx, const im_check_t *checks, im_uint_t n);

    /*
     * The change of a subscription, by im_alloc().  IM_DECLINED: it doesn't
     * count as a member; IM_ERROR: no memory.
     */
    im_int_t  (*change)(void *ctx, im_sub_t *sub, int joined,
        im_change_t **change);

    /* im_follow_pump() is to be called in a later turn. */
    void      (*wake)(void *ctx);

    /*
     * Of n topics of a partition, from another worker.  im_follow_taken()
     * follows for each, unless IM_ERROR: not sent.
     */
    im_int_t  (*take)(void *ctx, im_str_t from, im_route_t **routes,
        im_taking_t *takings, im_uint_t n);

} im_follow_commands_t;


/* Why members may be others than before. */
typedef enum {
    IM_MEMBERS_SUSPECT = 0,      /* a change may have been missed */
    IM_MEMBERS_CHANGED
} im_follow_members_e;


/* Why waiting resumes are to be judged again. */
typedef enum {
    IM_HISTORY_POLLED = 0,       /* some time has passed */
    IM_HISTORY_LOADED,           /* a page for the window was asked for */
    IM_HISTORY_POSITION          /* Redis has said where the topic is */
} im_follow_history_e;


/*
 * Topics may end in flush and taken.  Handlers of all other events neither join
 * nor leave a topic.
 */
typedef struct {

    /* The topic has a position: subscriptions that are joining begin. */
    void      (*live)(void *ctx, im_topic_t *topic);

    /*
     * The next message, in order; healed: from history.  IM_DECLINED: it is
     * malformed, and skipped; IM_ERROR: no memory, and it comes again.
     */
    im_int_t  (*message)(void *ctx, im_topic_t *topic, const im_entry_t *entry,
        int healed);

    /*
     * The topic goes on behind (epoch, seq); without a loss if continues.
     * IM_ERROR: no memory, and it comes again.
     */
    im_int_t  (*moved)(void *ctx, im_topic_t *topic, im_str_t epoch,
        uint64_t seq, int continues);

    /* Messages behind the topic's position up to seq are lost. */
    void      (*hole)(void *ctx, im_topic_t *topic, uint64_t seq);

    /* All messages of this turn have been given: they can be sent. */
    void      (*flush)(void *ctx);

    void      (*history)(void *ctx, im_topic_t *topic,
        im_follow_history_e why);

    /* A report has been answered. */
    void      (*reported)(void *ctx, im_topic_t *topic);
    void      (*members)(void *ctx, im_topic_t *topic,
        im_follow_members_e why);

    /* The upper layer's data of the topic, not NULL, is to be freed. */
    void      (*ended)(void *ctx, void *data);

    /* Redis has moved all that came from a worker: im_follow_settle(). */
    void      (*taken)(void *ctx, im_str_t from);

    /* Followers get to know of a change that was late. */
    void      (*late)(void *ctx, im_topic_t *topic, const im_change_t *change);

    /* The same of a subscription that isn't live yet, and not late. */
    void      (*joins)(void *ctx, im_sub_t *sub);

} im_follow_events_t;


typedef struct {
    size_t            log_bytes;       /* of a log of a topic */
    size_t            recovery_bytes;  /* of a window */
    size_t            windows_bytes;   /* of all */
    uint64_t          refresh;         /* ms: reports are repeated */
} im_follow_limits_t;


/* What upper layers see of a followed topic. */
typedef struct {
    void                        *data;     /* theirs; NULL at first */
    uint8_t                      numbered; /* its rule has history */
    uint8_t                      presence; /* its rule has presence */
    uint8_t                      cached;   /* the last message says all */
    uint16_t                     batch;    /* ms: its messages go together */
} im_followed_t;


/* A route waits in one of them; the first two are its partition's. */
typedef enum {
    IM_QUEUE_URGENT = 0,         /* to be reported now, first these */
    IM_QUEUE_DUE,                /* then these */
    IM_QUEUE_CHANGED,            /* with the next tick */
    IM_QUEUE_ENDED,              /* topics that have ended */
    IM_QUEUE_NONE                /* in no queue */
} im_queue_e;

#define IM_QUEUES  IM_QUEUE_NONE


/*
 * Partitions live on different servers: routes of one that is away wait here,
 * and those of others go on.
 */
typedef struct {
    im_list_t                    link;     /* in follow->ready */
    im_ring_t                    queues[IM_QUEUE_CHANGED];
    im_list_t                    takes;    /* im_take_t to be sent */
    uint64_t                     asked;    /* ms: in that tick */
    uint32_t                     left;     /* so many may still ask, */
    uint32_t                     most;     /* and in each one so many */
    uint32_t                     ncalls;   /* reports that are out */
    unsigned                     up:1;     /* it takes calls */
    unsigned                     compare:1; /* by the next walk, */
    unsigned                     assert:1; /* which repeats all reports */
} im_follow_partition_t;


struct im_follow_s {
    im_hub_t                    *hub;
    const im_rules_t            *rules;
    const im_follow_commands_t  *commands;
    const im_follow_events_t    *events;
    void                        *ctx;
    im_follow_limits_t           limits;
    uint64_t                     now;      /* ms, of the last tick */
    uint64_t                     version;  /* of reports */
    im_slab_t                    routes;   /* of im_route_t */
    im_rings_t                   queued;   /* routes, */
    im_ring_t                    queues[IM_QUEUES];
    im_rings_t                   polled;   /* and those that ticks look at: */
    im_ring_t                    polls[2]; /* by even and odd ones */
    uint32_t                     odd;      /* the next tick is odd */
    uint32_t                     visited;  /* the route to be checked next, */
    uint32_t                     renewed;  /* or where no check can be sent */
    im_list_t                    none;     /* without changes */
    im_list_t                    ready;    /* partitions that can send */
    im_list_t                    windows;
    im_list_t                    sources;  /* of im_source_t */
    im_windows_t                 bytes;    /* of all windows */
    im_uint_t                    nstale;   /* entries without a topic */
    im_uint_t                    nup;      /* partitions that take calls */
    im_uint_t                    nleaving; /* routes that are */
    int                          walk;     /* some are to be compared */
    im_follow_partition_t        partitions[IM_PARTITIONS_MAX];
};


/*
 * Zeroes follow but for hub, rules, commands, events, ctx and limits, which
 * the caller has set, and which must outlive it.
 */
void im_follow_init(im_follow_t *follow, uint64_t now);

/* No call is out any more. */
void im_follow_cleanup(im_follow_t *follow);

/*
 * Redis has said how many partitions it has: topics that were pinned before go
 * to theirs.  All are still away.
 */
void im_follow_partitions(im_follow_t *follow, uint32_t n);

/*
 * A partition takes calls, or doesn't: all are away at first.  anew: Redis may
 * have lost reports, and all are repeated; else positions are compared.
 */
void im_follow_up(im_follow_t *follow, im_uint_t partition, int anew);
void im_follow_down(im_follow_t *follow, im_uint_t partition);

static inline int
im_follow_is_up(const im_follow_t *follow, im_uint_t partition)
{
    return follow->partitions[partition].up;
}

/*
 * Messages may be lost, of a partition or (-1) of all: positions are compared
 * by the next pump, one that is away when it is back.  assert: Redis may have
 * missed reports or lost them, and all are repeated.
 */
void im_follow_compare(im_follow_t *follow, int partition, int assert);

/* Each second. */
void im_follow_tick(im_follow_t *follow, uint64_t now);
void im_follow_pump(im_follow_t *follow);

/* reply NULL: none will come. */
void im_follow_reported(im_route_t *route, const im_reported_t *reply);

/*
 * IM_DECLINED: it wasn't done, since Redis has a later version: stored;
 * IM_ERROR: it failed, or no reply will come.
 */
void im_follow_taken(im_route_t *route, im_int_t rc, uint64_t stored);

/* top: of the topic in Redis. */
void im_follow_checked(im_follow_t *follow, im_str_t topic, im_check_e what,
    uint64_t top);

/* back as it was in the call; page NULL: none will come. */
void im_follow_page(im_route_t *route, int back, const im_page_t *page);

/* An entry without a number that came while its topic was pinned. */
typedef struct {
    im_list_t         link;
    uint64_t          seq;       /* it came behind this message */
    uint64_t          mark;
    uint8_t           kind;      /* im_push_kind_e */
    size_t            len;
    u_char            envelope[1];
} im_kept_t;


/*
 * A topic got its first follower; its last one left, and it is destroyed, or
 * stays until a call is answered.
 * IM_ERROR: no memory.
 */
im_int_t im_follow_start(im_follow_t *follow, im_topic_t *topic);
void im_follow_stop(im_follow_t *follow, im_topic_t *topic);

/* The subscription came (after start) or goes (before stop). */
void im_follow_member(im_follow_t *follow, im_sub_t *sub, int joined);

/* A message, or a control entry with a mark, that pub/sub brought. */
void im_follow_entry(im_follow_t *follow, const im_entry_t *entry);

/* An entry came for a topic without a follower here: Redis gets to know. */
void im_follow_stale(im_follow_t *follow, im_str_t topic);


/* The functions below need a topic between start and stop. */

static inline im_followed_t *
im_followed(const im_topic_t *topic)
{
    return topic->data;
}

/*
 * IM_OK: Redis knows all members; IM_DECLINED: it will within a second, or at
 * once if now; IM_AGAIN: a report is out or will be at once.  After the last
 * two event reported follows.
 */
im_int_t im_follow_report(im_topic_t *topic, int now);

/*
 * IM_OK: all messages behind seq are there; IM_AGAIN: they may be once they
 * are loaded; IM_DECLINED: they can't be had.
 */
im_int_t im_follow_window(im_topic_t *topic, uint64_t seq);

/*
 * The last n messages, or as many as can be had: *seq is the number before
 * them.  IM_OK: they are there; IM_AGAIN: they may be once what follows *seq is
 * loaded.
 */
im_int_t im_follow_last(im_topic_t *topic, im_uint_t n, uint64_t *seq);

/* The envelope of a message that is there. */
im_str_t im_follow_envelope(im_topic_t *topic, uint64_t seq);

/* Loads what follows seq; event history comes in any case. */
void im_follow_load(im_topic_t *topic, uint64_t seq);

/* A call of im_follow_load() is out. */
int im_follow_loading(im_topic_t *topic);

/* Bytes of the recent messages that are there. */
size_t im_follow_window_bytes(im_topic_t *topic);

/*
 * Asks for the topic's position; event history comes in any case.  IM_OK: the
 * question goes out with this call; IM_AGAIN: another is out.
 */
im_int_t im_follow_ask(im_topic_t *topic);

/* History was emptied up to seq. */
void im_follow_forget(im_topic_t *topic, uint64_t seq);


/*
 * Sessions go from one worker to another, and Redis is told of it once, at the
 * end: so counts and members stay right all the time.
 *
 * The old worker holds a topic before its first session goes.  From then on
 * it counts those that have gone as its own.  It freezes the topic when the
 * last one has gone, and releases it when Redis counts all of them elsewhere.
 *
 * The new worker pins a topic before the first session comes.  It takes the
 * subscriptions, which it doesn't count, and settles when the last one has
 * come.
 *
 * If the channel between them breaks, the new worker settles at once.  Redis
 * subtracts what it takes from what the old one reports, whichever comes first,
 * until the old worker passes the fence of the channel and releases.
 */

/* A fence for a channel: above the versions of all reports until it passes. */
uint64_t im_follow_fence(const im_follow_t *follow);
void im_follow_pass(im_follow_t *follow, uint64_t fence);

/*
 * Follows a topic, with or without a follower here, until as many unpins.
 * While it is pinned, all messages behind its first position are there for
 * im_follow_window(), whatever its rule says of history, as far as all windows
 * have room.  NULL: no memory, or a wrong name.
 */
im_topic_t *im_follow_pin(im_follow_t *follow, im_str_t name);

/* The topic may end. */
void im_follow_unpin(im_follow_t *follow, im_topic_t *topic);

/*
 * All messages of a pinned topic behind *seq, of the topic's epoch, are kept,
 * and all entries without a number behind *mark.  IM_AGAIN: it has no position
 * yet.
 */
im_int_t im_follow_kept(im_topic_t *topic, uint64_t *seq, uint64_t *mark);

/*
 * Joins and leaves of this worker's sessions are late while sessions move: its
 * followers hear of them when the report's entry comes back, and so in the
 * order of their marks.  Else upper layers say them at once.  True: the next
 * one is late.
 */
int im_follow_late(im_topic_t *topic);

/*
 * IM_OK: what followers of a pinned topic have heard at once has come back;
 * IM_AGAIN: it will.
 */
im_int_t im_follow_ready(im_topic_t *topic);

/* Followers have all entries without a number up to this mark. */
uint64_t im_follow_mark(const im_topic_t *topic);

/*
 * The entries without a number of a pinned topic behind that mark, which rise
 * by seq and mark.  NULL: the end.
 */
const im_kept_t *im_follow_first_kept(const im_topic_t *topic, uint64_t mark);
const im_kept_t *im_follow_next_kept(const im_topic_t *topic,
    const im_kept_t *kept);

/*
 * A session is to go: IM_OK: Redis has all that it must know of the topic, and
 * no call is out; IM_AGAIN: event reported follows, and then it is asked
 * again; IM_DECLINED: what was taken isn't settled, or none can go from here
 * before the release.  In any case the topic stays until the release, with or
 * without a follower.
 */
im_int_t im_follow_hold(im_topic_t *topic);

/*
 * After im_follow_hold(): it is on its way, until it stays (0) or has gone.
 * Meanwhile not all members are reported.
 */
void im_follow_going(im_sub_t *sub, int goes);

/*
 * Instead of im_follow_member(): it is another worker's now.  lost: if that one
 * has got it, and it has ended else.
 */
void im_follow_gone(im_follow_t *follow, im_sub_t *sub, int lost);

/*
 * Redis hears nothing more of a topic that is held, so that the new worker can
 * settle.  IM_AGAIN: a call is still out, or what was taken isn't settled;
 * event reported follows.
 */
im_int_t im_follow_freeze(im_topic_t *topic);

/*
 * Reports go on.  moved: Redis counts all that have gone elsewhere, and others
 * don't hear of them; those that were lost are no members here any more.  Not
 * moved: all is reported again, without them.  The topic may end.
 */
void im_follow_release(im_follow_t *follow, im_topic_t *topic, int moved);

/*
 * Instead of im_follow_member(): it came from another worker, which has
 * reported it, through the channel of that fence.  IM_ERROR: no memory.
 */
im_int_t im_follow_take(im_follow_t *follow, im_sub_t *sub, im_str_t from,
    uint64_t fence);

/*
 * No more come through that channel: Redis moves what was taken, one topic
 * after the other.  IM_OK: there is nothing left; IM_AGAIN: event taken
 * follows.
 */
im_int_t im_follow_settle(im_follow_t *follow, im_str_t from, uint64_t fence);

/* Redis has moved all that was taken. */
int im_follow_settled(const im_topic_t *topic);

/* Redis knows that all topics that have ended were left. */
int im_follow_left(const im_follow_t *follow);


#endif /* IM_FOLLOW_H */
