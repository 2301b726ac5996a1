/*
 * Copyright (C) The im authors
 *
 * A topic in one worker: its numbering, and its messages as framed bytes with
 * cursors into them.
 *
 * A topic has a log for each wire that its followers use.  A message
 * is framed once for each log and copied once, into a chunk; a follower has
 * only a cursor.  The first message opens the log and allocates a chunk; chunks
 * are freed when every cursor is at head: an idle log is closed, and small.
 * Offsets count all bytes that the log ever had, modulo 2^32: it keeps less.
 *
 * A subscription is in exactly one list of its log:
 *
 *     joining --live--> idle --append--> pending --advance--> idle
 *                                          |  ^
 *                                     blocked  writable
 *
 * Those that are idle or pending share a list, the pending ones first: a cursor
 * that isn't at head tells them apart.  So append is O(1) whatever the number
 * of followers and touches none of them; a flush takes from the head until its
 * budget is used, and one that was flushed goes behind the last by a turn of
 * the ring.  Nothing needs an iterator that survives a turn.  There is no I/O
 * here: the caller sends the pieces of im_sub_read() and reports the bytes sent
 * by im_sub_advance().
 */

#ifndef IM_TOPIC_H
#define IM_TOPIC_H


#include "im_types.h"
#include "im_list.h"
#include "im_hash.h"
#include "im_ring.h"


#define IM_EPOCH_MAX  23

/* Entries of history and queue are compared by epoch first, then by seq. */
typedef struct {
    uint8_t  len;
    u_char   data[IM_EPOCH_MAX];
} im_epoch_t;


typedef struct im_topic_s  im_topic_t;
typedef struct im_log_s    im_log_t;
typedef struct im_open_s   im_open_t;
typedef struct im_sub_s    im_sub_t;
typedef struct im_chunk_s  im_chunk_t;


typedef enum {
    IM_SUB_NONE = 0,      /* not in a topic */
    IM_SUB_JOINING,       /* gets nothing yet */
    IM_SUB_IDLE,          /* live, cursor at head */
    IM_SUB_PENDING,       /* live, behind, to be flushed */
    IM_SUB_BLOCKED        /* live, behind, its session waits for its socket */
} im_sub_state_e;


/* From the slab of the logs; its session owns it. */
struct im_sub_s {
    im_ring_link_t  link;      /* in the list of log that state names */
    uint32_t        index;     /* in the slab */
    uint32_t        cursor;    /* offset of the next byte */
    im_log_t       *log;
    uint32_t        next;      /* the session's: its next subscription */
    uint32_t        prev;      /* the session's: the one before */
    void           *more;      /* the session's: what only some have, or NULL */
    uint32_t        session;   /* the session's */
    uint8_t         flags;     /* the session's */
    uint8_t         state:5;   /* read it by im_sub_state() */
    uint8_t         taken:1;   /* im_follow's: Redis counts it elsewhere */
    uint8_t         late:1;    /* im_follow's: its join is a late change */
    uint8_t         said:1;    /* im_follow's: it needs no word of its join */
};


/* What all logs of a worker share: their subscriptions and bytes. */
typedef struct {
    size_t       bytes;        /* allocated for chunks, spare ones too */
    size_t       chunk_size;   /* of an ordinary chunk, its header included */
    im_chunk_t  *spare;        /* a few ordinary chunks for reuse */
    size_t       nspare;
    im_slab_t    subs;         /* of im_sub_t */
    im_rings_t   lists;        /* of subscriptions */
} im_logs_t;


/* What a log has while it keeps bytes or waits to be flushed. */
struct im_open_s {
    im_list_t    link;         /* the caller's: logs to flush; self when not */
    im_log_t    *log;
    im_logs_t   *logs;
    im_chunk_t  *first;
    im_chunk_t  *last;
    size_t       bytes;        /* allocated for its chunks */
    uint32_t     tail;         /* offset of the first byte kept */
    uint32_t     ncuts;        /* ever, since it was empty */
    uint32_t     rate;         /* the caller's: sessions a second, 0: all */
    uint32_t     due;          /* the caller's: ms, not to be flushed before */
    uint32_t     since;        /* the caller's: ms, of the first message */
    uint32_t     nmessages;    /* the caller's: since the last flush */
    uint32_t     added;        /* the caller's: with a message for all logs */
};


struct im_log_s {
    im_log_t    *next;         /* the topic's logs of other wires */
    im_topic_t  *topic;
    im_open_t   *open;         /* NULL: it is closed */
    im_ring_t    live;         /* pending ones, then idle ones */
    im_ring_t    blocked;
    im_ring_t    joining;
    uint32_t     head;         /* offset behind the last byte */
    uint32_t     nsubs;
    im_wire_id_t wire;         /* im_wire_id() */
};


typedef enum {
    IM_TOPIC_NEW = 0,          /* no epoch: Redis has not answered yet */
    IM_TOPIC_LIVE,
    IM_TOPIC_HEALING,          /* reads history and holds entries */
    IM_TOPIC_ENDED             /* not in the hub any more: only its name */
} im_topic_state_e;


struct im_topic_s {
    im_hash_node_t  node;      /* in the hub, by name */
    im_log_t       *logs;      /* NULL at first */
    im_log_t        log;       /* the first one of them */
    im_epoch_t      epoch;
    uint64_t        seq;       /* of the last message appended or skipped */
    char           *past;      /* "epoch:top epoch:top ...", owned, or NULL */
    void           *data;      /* the caller's record of route and healing */
    uint32_t        nsubs;     /* over all logs */
    uint16_t        partition;
    uint8_t         state;     /* im_topic_state_e */
    uint8_t         listed:1;  /* im_board_t's */
    uint8_t         pinned:1;  /* im_hub_t's: it needs no subscription */
    uint8_t         name_len;  /* at most IM_TOPIC_MAX */
    u_char          name[1];   /* "r:NAME", "u:ID", "k:KEY" or "b"; and NUL */
};

/* "r:" and a name of at most 253 bytes: the length fits a byte. */
#define IM_TOPIC_MAX  255


typedef enum {
    IM_OFFER_APPEND = 0,       /* the next one: append it */
    IM_OFFER_DROP,             /* seen before, or lost by Redis */
    IM_OFFER_GAP,              /* messages are missing before it: heal */
    IM_OFFER_ASK               /* of an unknown epoch: ask Redis */
} im_offer_e;


/*
 * Only the hub (im_hub.h) calls these.  NULL: no memory, or the name is empty
 * or longer than IM_TOPIC_MAX.  A log lives as long as its topic.
 */
im_topic_t *im_topic_create(im_str_t name, uint16_t partition);
void im_topic_destroy(im_logs_t *logs, im_topic_t *topic);

/* Frees all but its name. */
void im_topic_end(im_logs_t *logs, im_topic_t *topic);
im_int_t im_topic_subscribe(im_logs_t *logs, im_topic_t *topic,
    im_wire_id_t wire, im_sub_t *sub);
void im_topic_unsubscribe(im_logs_t *logs, im_sub_t *sub);

/*
 * Makes the log of a wire, so that im_topic_move() of a subscription to it
 * can't fail.  IM_ERROR: no memory.
 */
im_int_t im_topic_prepare(im_topic_t *topic, im_wire_id_t wire);

/*
 * Takes a subscription to the topic's log of another wire, at head if it is
 * live: what it has not read yet is the caller's to keep.
 */
void im_topic_move(im_logs_t *logs, im_sub_t *sub, im_wire_id_t wire);


im_str_t im_topic_name(const im_topic_t *topic);

/*
 * Says what to do with an entry, by epoch, then seq; changes nothing.  Numbers
 * go on across epochs, so for an entry of a past epoch only seq counts; one
 * behind the end of its epoch was lost by Redis, and another message has its
 * number.
 */
im_offer_e im_topic_offer(const im_topic_t *topic, im_str_t epoch,
    uint64_t seq);

/*
 * Sets epoch, top and past ("" for none) as a script replied, and makes the
 * topic LIVE.  Does not change logs.  IM_ERROR: no memory, the epoch is longer
 * than IM_EPOCH_MAX, or past is longer than 4 kB.
 */
im_int_t im_topic_position(im_topic_t *topic, im_str_t epoch, uint64_t seq,
    im_str_t past);

/*
 * True if (epoch, seq) is a continuation under this topic's epoch and past:
 * same epoch and seq <= top, or an epoch of past with seq <= the top it had.
 */
int im_topic_continues(const im_topic_t *topic, im_str_t epoch, uint64_t seq);


void im_logs_init(im_logs_t *logs, size_t chunk_size);

/* Every log must be empty.  Frees all subscriptions. */
void im_logs_cleanup(im_logs_t *logs);

/* In no topic; what is the session's is zeroed.  NULL: no memory. */
im_sub_t *im_sub_create(im_logs_t *logs);

/* It must be in no topic. */
void im_sub_destroy(im_logs_t *logs, im_sub_t *sub);

/* Walks over all subscriptions of a topic; NULL: the first one, the end. */
im_sub_t *im_topic_next_sub(const im_logs_t *logs, const im_topic_t *topic,
    const im_sub_t *sub);

/*
 * The subscription of a session to a topic, or NULL.  subs: the first one of
 * the session's n, or NULL.  It walks over those of the session or those of the
 * topic, whichever are fewer.
 */
im_sub_t *im_topic_find_sub(const im_logs_t *logs, const im_topic_t *topic,
    im_sub_t *subs, uint32_t n);

/*
 * Opens a log, so that the caller can keep what it needs for the flush; one
 * that keeps bytes is open.  NULL: no memory.
 */
im_open_t *im_log_open(im_logs_t *logs, im_log_t *log);

/* The flush of an open log has ended: it is closed unless it keeps bytes. */
void im_log_flushed(im_log_t *log);

/* Allocated for its chunks. */
static inline size_t
im_log_bytes(const im_log_t *log)
{
    return log->open != NULL ? log->open->bytes : 0;
}


/*
 * Appends one frame (whole, ready for the wire).  All live subscriptions
 * become pending.  seq 0: not numbered (control entries such as room info);
 * another one becomes the topic's if it is higher.
 * With no live follower nothing is kept.  IM_ERROR: no memory, or the log
 * would keep 2 GB; it is as before.
 */
im_int_t im_log_append(im_logs_t *logs, im_log_t *log, im_str_t frame,
    uint64_t seq);

/*
 * Takes the last frame back, which no subscription has read, and which is kept.
 * The topic's number stays.
 */
void im_log_undo(im_log_t *log);

/*
 * Followers that are live now read up to here and no further; the caller takes
 * them out when they get here.  IM_ERROR: no memory; the log is not cut.
 */
im_int_t im_log_cut(im_logs_t *logs, im_log_t *log);

/*
 * Frees the chunks that no cursor needs: all of them if no follower is behind,
 * else those before the smallest cursor.  It is searched for only if scan is
 * set: O(subscriptions behind).
 */
void im_log_trim(im_logs_t *logs, im_log_t *log, int scan);

/* Finds the subscription that is furthest behind, or NULL; O(behind). */
im_sub_t *im_log_slowest(const im_logs_t *logs, const im_log_t *log);


/* im_log_append() changes no subscription. */
static inline im_sub_state_e
im_sub_state(const im_sub_t *sub)
{
    if (sub->state == IM_SUB_IDLE || sub->state == IM_SUB_PENDING) {
        return sub->cursor != sub->log->head ? IM_SUB_PENDING : IM_SUB_IDLE;
    }

    return (im_sub_state_e) sub->state;
}


/* The first one to flush, or NULL. */
static inline im_sub_t *
im_log_pending(const im_log_t *log)
{
    im_sub_t  *sub;

    if (log->open == NULL || im_ring_empty(&log->live)) {
        return NULL;
    }

    sub = im_slab_object(&log->open->logs->subs, log->live.first);

    return sub->cursor != log->head ? sub : NULL;
}


/* joining -> idle, at head. */
void im_sub_live(im_logs_t *logs, im_sub_t *sub);

/*
 * The bytes from the cursor to head as at most n pieces, in order; the number
 * of pieces, 0 when at head.  *total: bytes in the pieces.  Stops before a
 * frame that would make total exceed max, but gives at least one whole frame
 * (or the rest of the one that the cursor stands in).  It ends at a cut.
 */
im_uint_t im_sub_read(const im_sub_t *sub, im_str_t *pieces, im_uint_t n,
    size_t max, size_t *total);

/* True if the cursor is where the log was cut: it gets nothing more. */
int im_sub_cut(const im_sub_t *sub);

/* n bytes were sent.  At head the subscription becomes idle. */
void im_sub_advance(im_sub_t *sub, size_t n);

/* pending -> blocked and back; no-op in other states. */
void im_sub_block(im_sub_t *sub);
void im_sub_unblock(im_sub_t *sub);

/*
 * Bytes between the cursor and the end of the frame that it stands in; 0 at a
 * frame boundary.
 */
size_t im_sub_unfinished(const im_sub_t *sub);

/* Bytes between the cursor of a live subscription and head. */
static inline uint32_t
im_sub_behind(const im_sub_t *sub)
{
    return sub->log->head - sub->cursor;
}


#endif /* IM_TOPIC_H */
