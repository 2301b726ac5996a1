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
    IM_CALL_LEAVE              /* the topic has no follower here */
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


/* What is under way with a topic.  Owned by its route. */
typedef struct {
    im_list_t     changes;     /* of im_change_t, not reported yet */
    im_buf_t      held;        /* entries that wait for a page */
    size_t        asked;       /* bytes held when it was asked for */
    im_recent_t  *recent;      /* or NULL */
    uint64_t      expect;      /* the top of a reply, not seen yet; or 0 */
    uint32_t      nchanges;
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
    uint16_t          largest;     /* envelope seen, in blocks of 1 kB */
    uint16_t          partition;
    uint8_t           queue;       /* im_queue_e */
    uint8_t           call:2;      /* im_call_e */
    uint8_t           due:2;       /* im_due_e */
    uint8_t           known:2;     /* im_known_e */
    uint8_t           notify:2;    /* im_notify_e */
    uint8_t           history:2;   /* im_history_e */
    uint8_t           load:2;      /* im_load_e */
    uint8_t           poll:2;      /* im_poll_e */
    uint8_t           compare:1;   /* the next position counts at once, */
    uint8_t           comparing:1; /* or that of the call which is out */
    uint8_t           hurried:1;   /* an upper layer waits for a report */
    uint8_t           overflow:1;  /* held entries were dropped */
    uint8_t           waited:1;    /* expect is older than a tick, or the */
                                   /* queue had messages */
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

/* Its topic has ended: settled by the next pump, once no call is out. */
void im_route_end(im_route_t *route);

/*
 * Adds the change of a subscription that counts as a member.  IM_ERROR: no
 * memory, all members are due.
 */
im_int_t im_route_change(im_route_t *route, im_sub_t *sub, int joined);

/* Frees the first n changes. */
void im_route_forget(im_route_t *route, im_uint_t n);


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

/* Frees windows that are not used any more. */
void im_history_tick(im_follow_t *follow, uint64_t now);


#endif /* IM_ROUTE_H */
