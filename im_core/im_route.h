/*
 * Copyright (C) The im authors
 *
 * The record of a topic that this worker follows: what Redis knows of it, what
 * is due, and how whole its messages are.  Only files of im_follow use it.
 *
 * A worker has a record for each topic, and almost all are idle: what is needed
 * only while something is under way is allocated then (im_route_work_t).
 */

#ifndef IM_ROUTE_H
#define IM_ROUTE_H


#include "im_follow.h"
#include "im_ring.h"
#include "im_window.h"


/* The call that is out. */
typedef enum {
    IM_CALL_NONE = 0,
    IM_CALL_ASK,               /* only the position */
    IM_CALL_REPORT,            /* followers and members */
    IM_CALL_LEAVE,             /* the topic has no follower here */
    IM_CALL_TAKE               /* what came from another worker */
} im_call_e;


/* What the next report has to say besides changes of members. */
typedef enum {
    IM_DUE_NOTHING = 0,
    IM_DUE_COUNT,
    IM_DUE_ALL                 /* count and all members */
} im_due_e;


/* What Redis may know of this worker. */
typedef enum {
    IM_KNOWN_NOTHING = 0,
    IM_KNOWN_ROUTE,
    IM_KNOWN_MEMBERS
} im_known_e;


/* Other workers' knowledge of changes of members. */
typedef enum {
    IM_NOTIFY_DONE = 0,
    IM_NOTIFY_OUT,             /* the call that is out says it */
    IM_NOTIFY_AGAIN            /* the last one could not say it */
} im_notify_e;


/* How other clients hear of a change. */
typedef enum {
    IM_WORD_SAID = 0,          /* those of this worker have */
    IM_WORD_LATE,              /* all by the report's entry */
    IM_WORD_NONE               /* they know of it */
} im_word_e;


typedef enum {
    IM_HISTORY_WHOLE = 0,      /* as far as is known, nothing is missing */
    IM_HISTORY_AGAIN,          /* to be read with the next poll */
    IM_HISTORY_READING,        /* entries are held */
    IM_HISTORY_PAUSED          /* entries are held, sessions are behind */
} im_history_e;


/* Where an entry comes from. */
typedef enum {
    IM_FROM_QUEUE = 0,
    IM_FROM_HELD,              /* it came before the page was asked for */
    IM_FROM_HISTORY
} im_history_from_e;


typedef enum {
    IM_LOAD_NONE = 0,
    IM_LOAD_WANTED,            /* upper layers wait, no call is out */
    IM_LOAD_READING
} im_load_e;


/* Sessions go to another worker. */
typedef enum {
    IM_HOLD_NONE = 0,
    IM_HOLD_COUNTED,           /* those that have gone count on */
    IM_HOLD_FROZEN             /* nothing is reported */
} im_hold_e;


/* The tick that looks at it. */
typedef enum {
    IM_POLL_NONE = 0,
    IM_POLL_EVEN,
    IM_POLL_ODD
} im_poll_e;


/* The recent messages of a topic.  Owned by its route. */
typedef struct {
    im_list_t     link;        /* in follow->windows, least used first */
    im_route_t   *route;
    im_window_t   window;
    uint64_t      floor;       /* before it, nothing is to be had */
    uint64_t      before;      /* where the call that is out began */
    uint64_t      used;        /* ms */
    uint32_t      max;         /* entries */
} im_recent_t;


/* A channel through which sessions have come here.  Owned by follow. */
typedef struct {
    im_list_t     link;        /* in follow->sources */
    im_list_t     takes;       /* im_take_t by mates */
    uint64_t      fence;       /* of the channel */
    int           settling;    /* no more come */
    size_t        len;
    u_char        id[1];       /* of the worker */
} im_source_t;


typedef enum {
    IM_TAKE_OPEN = 0,          /* more may come */
    IM_TAKE_DUE,
    IM_TAKE_OUT,               /* a call is out */
    IM_TAKE_LATER              /* it has failed: with the next tick */
} im_take_e;


/*
 * What a topic has of a source.  A call says how many followers have moved, all
 * at once, and moves so many members, the first ones; one that was lost is
 * repeated as it was.  Owned by its route.
 */
typedef struct {
    im_list_t     link;        /* in the takes of its route's work */
    im_list_t     mates;       /* in those of its source */
    im_list_t     due;         /* in those of its partition */
    im_route_t   *route;
    im_source_t  *source;
    im_buf_t      subs;        /* uint32_t: those that are here and taken */
    im_list_t     left;        /* of im_change_t: those that have left */
    uint64_t      version;     /* of the call that is out or lost, or 0 */
    uint64_t      count;       /* that it gives */
    uint64_t      moved;       /* followers that it doesn't speak of, */
    uint64_t      told;        /* and those that it does */
    uint32_t      nsent;       /* subs that it moves, */
    uint32_t      nsaid;       /* those that count when it is done, */
    uint32_t      ncounted;    /* and those that do before */
    uint32_t      nleft;
    uint32_t      nleft_sent;
    int           members;     /* some of nsent are members */
    im_take_e     state;
} im_take_t;


/* What is under way with a topic.  Owned by its route. */
typedef struct {
    im_list_t     changes;     /* of im_change_t, not reported yet, */
    im_list_t     out;         /* and late ones whose report is out; */
    im_list_t     past;        /* before all members, those of an earlier */
                               /* route of the topic */
    im_list_t     lost;        /* of im_change_t, until the release */
    im_list_t     takes;       /* of im_take_t */
    im_list_t     kept;        /* of im_kept_t; of a pinned topic: entries */
                               /* without a number, all behind this mark: */
    uint64_t      kept_from;
    uint64_t      pinned_at;   /* the mark when it was pinned, or began */
    im_buf_t      held;        /* entries that wait for a page */
    size_t        asked;       /* bytes held when it was asked for */
    im_recent_t  *recent;      /* or NULL */
    uint64_t      expect;      /* the top of a reply, not seen yet; or 0 */
    uint64_t      lacks;       /* the same of the mark of a reply, */
    uint64_t      later;       /* and of one behind that */
    uint32_t      late;        /* ticks since lacks */
    uint64_t      own;         /* the mark of the last report's entry, and */
    uint64_t      late_own;    /* of the last with late ones; 0: it has come */
    uint32_t      nlate;       /* of changes: the last ones */
    uint32_t      nchanges;
    uint32_t      npins;
    uint32_t      ngoing;      /* followers that may be elsewhere, */
    uint32_t      ngone;       /* and those that Redis has to count on */
    uint32_t      ntaken;      /* those that it must not count yet */
    int           unsure;      /* a take may have been done, or not */
} im_route_work_t;


/*
 * From follow->routes.  It owns its topic once that has ended, outlives the
 * topic's followers while a call is out or a leave isn't confirmed, and is
 * freed by im_follow_pump() only.
 */
struct im_route_s {
    im_followed_t     upper;       /* first: what upper layers see of it */
    im_ring_link_t    link;        /* in the queue */
    im_ring_link_t    polls;       /* in one of follow->polls */
    uint32_t          index;
    uint32_t          reported_at; /* s */
    im_follow_t      *follow;
    im_topic_t       *topic;       /* NULL: free */
    const im_rule_t  *rule;        /* NULL: none */
    im_route_work_t  *work;        /* NULL: nothing is under way */
    uint64_t          mark;        /* of the last entry without a number */
    uint16_t          largest;     /* envelope seen, in blocks of 1 kB */
    uint16_t          partition;
    uint8_t           queue;       /* im_queue_e */
    uint8_t           due:2;       /* im_due_e */
    uint8_t           known:2;     /* im_known_e */
    uint8_t           notify:2;    /* im_notify_e */
    uint8_t           history:2;   /* im_history_e */
    uint8_t           load:2;      /* im_load_e */
    uint8_t           poll:2;      /* im_poll_e */
    uint8_t           hold:2;      /* im_hold_e */
    uint8_t           compare:1;   /* the next position counts at once, */
    uint8_t           comparing:1; /* or that of the call which is out */
    uint8_t           call:3;      /* im_call_e */
    uint8_t           hurried:1;   /* an upper layer waits for a report */
    uint8_t           overflow:1;  /* held entries were dropped */
    uint8_t           waited:1;    /* expect is older than a tick, or the */
                                   /* queue had messages */
    uint8_t           leaving:1;   /* it is stopped once the call is */
                                   /* answered, if nothing needs it then */
};


/* Of a topic, which it doesn't own.  NULL: no memory. */
im_route_t *im_route_create(im_follow_t *follow, im_topic_t *topic);

/* Frees the topic, too, if it has ended. */
void im_route_destroy(im_route_t *route);

/* The object of an index, or NULL: it is free. */
im_route_t *im_route_get(im_follow_t *follow, uint32_t index);

/* Its topic has no follower here any more. */
#define im_route_ended(route)  ((route)->topic->state == IM_TOPIC_ENDED)

/* Of the topic "b". */
#define im_route_broadcast(route)  ((route)->topic->name_len == 1)

/* Gives what is under way, which may be nothing yet.  NULL: no memory. */
im_route_work_t *im_route_work(im_route_t *route);

/* Frees it if nothing is under way. */
void im_route_rest(im_route_t *route);

/*
 * Its topic stays as long as something is under way with other workers.  True:
 * it is of no use any more, and is to be stopped.
 */
int im_route_unused(im_route_t *route);

/* Its topic is pinned. */
static inline int
im_route_pinned(const im_route_t *route)
{
    return route->work != NULL && route->work->npins > 0;
}


/* Some of its followers may be elsewhere: not all members can be reported. */
static inline int
im_route_parted(const im_route_t *route)
{
    return route->work != NULL && route->work->ngone + route->work->ngoing > 0;
}


/* Redis may get to know of its followers now. */
static inline int
im_route_open(const im_route_t *route)
{
    return route->hold != IM_HOLD_FROZEN
           && (route->work == NULL || !route->work->unsure)
           && (route->due != IM_DUE_ALL || !im_route_parted(route));
}


/* The followers that Redis has to count here. */
static inline uint64_t
im_route_count(const im_route_t *route)
{
    im_route_work_t  *work;

    work = route->work;

    return work == NULL ? route->topic->nsubs
                        : route->topic->nsubs + work->ngone - work->ntaken;
}


static inline im_uint_t
im_route_nchanges(const im_route_t *route)
{
    return route->work != NULL ? route->work->nchanges : 0;
}


static inline im_recent_t *
im_route_recent(const im_route_t *route)
{
    return route->work != NULL ? route->work->recent : NULL;
}


/* Moves it to a queue, or (IM_QUEUE_NONE) out of its queue. */
void im_route_queue(im_route_t *route, im_queue_e queue);

/* It belongs to that partition, and waits there. */
void im_route_place(im_route_t *route, uint16_t partition);

/* Takes the first one of a queue.  NULL: it is empty. */
im_route_t *im_route_next(im_follow_t *follow, im_ring_t *queue);

/* So many reports more may be out. */
im_uint_t im_route_room(const im_follow_t *follow,
    const im_follow_partition_t *part);

/* The partition can send, if it has what to send. */
void im_route_ready(im_follow_t *follow, im_follow_partition_t *part);

/* Calls about it can be sent. */
int im_route_up(const im_route_t *route);

/* The next tick looks at it, or (off) none does. */
void im_route_poll(im_route_t *route);
void im_route_poll_off(im_route_t *route);

/* All of it is reported again at once, and the position compared. */
void im_route_again(im_route_t *route);

/* Its report goes out in the next turn. */
void im_route_hurry(im_route_t *route);

/* Its topic has ended: settled by the next pump, once no call is out. */
void im_route_end(im_route_t *route);

/* A page of its history is on its way. */
int im_route_reading(const im_route_t *route);

/*
 * Adds the change of a subscription that counts as a member.  IM_ERROR: no
 * memory, all members are due.
 */
im_int_t im_route_change(im_route_t *route, im_sub_t *sub, int joined,
    im_word_e word);

/* Frees the first n changes. */
void im_route_forget(im_route_t *route, im_uint_t n);

/*
 * The first n changes are out: late ones are kept until that is answered.
 * True: some have joined.
 */
int im_route_sent(im_route_t *route, im_uint_t n);
void im_route_forget_out(im_route_t *route);

/*
 * Those of a route whose topic has ended go with the first report of the next
 * one: they are past there, and listed before all of its members.
 */
void im_route_inherit(im_route_t *route, im_route_t *ended);
void im_route_past(im_route_t *route);


/* im_late.c */

/* Sessions of the topic are about to move: followers hear of who is joining. */
void im_late_begin(im_route_t *route);

/* The next change is late. */
int im_late_due(const im_route_t *route);

/* Followers get to know of late changes that wait to be reported, */
void im_late_tell(im_route_t *route);

/* if no session moves any more and nothing before them is on its way. */
void im_late_end(im_route_t *route);

/* A report is answered; NULL: it has failed, and its changes may be lost. */
void im_late_answered(im_route_t *route, const im_reported_t *reply);

/* What followers have heard at once has come back. */
int im_late_ready(const im_route_t *route);


/* im_follow.c */

/* What waits to be reported goes out with the next tick, if not before. */
void im_follow_resume(im_route_t *route);


/* im_take.c */

/* A subscription that was taken goes before Redis has moved it. */
void im_take_leave(im_route_t *route, im_sub_t *sub);

/* Sends what is due of a partition, as one call; the number of topics. */
im_uint_t im_take_send(im_follow_t *follow, im_follow_partition_t *part);

/*
 * The call that is out is answered, as in im_follow_taken().  Gives the source
 * if that was the last one of it: the caller frees it.
 */
im_source_t *im_take_answered(im_route_t *route, im_int_t rc, uint64_t stored);

/* What has failed is due again. */
void im_take_tick(im_follow_t *follow);
void im_take_cleanup(im_follow_t *follow);


/* im_history.c */

/*
 * Appends an entry in its order, or holds it until what is missing before it
 * was read.
 */
void im_history_put(im_route_t *route, const im_entry_t *entry,
    im_history_from_e from);

/* Reads what follows the topic's position and delivers it. */
void im_history_heal(im_route_t *route);

/* The same with the next poll. */
void im_history_later(im_route_t *route);

/* Delivers the entries that were held. */
void im_history_release(im_route_t *route);

/* The topic has ended, or begins. */
void im_history_end(im_route_t *route);

/* Raises the event for waiting upper layers. */
void im_history_event(im_route_t *route, im_follow_history_e why);

void im_history_poll(im_route_t *route);

/* All behind the position is kept from now on, or (unpinned) no more. */
void im_history_pinned(im_route_t *route);
void im_history_unpinned(im_route_t *route);

/* The topic begins behind that mark. */
void im_history_marked(im_route_t *route, uint64_t mark);

/*
 * Redis has that mark.  It is on its way, most likely; else followers never get
 * it.
 */
void im_history_lacks(im_route_t *route, uint64_t mark);

/* Frees windows that are not used any more. */
void im_history_tick(im_follow_t *follow, uint64_t now);


#endif /* IM_ROUTE_H */
