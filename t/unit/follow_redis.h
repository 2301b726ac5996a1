/*
 * Copyright (C) The im authors
 *
 * A Redis for tests of following: what pub.lua, route.lua, hist.lua and
 * page.lua do, for a few topics and one worker, and what Redis may lose.
 */

#ifndef FOLLOW_REDIS_H
#define FOLLOW_REDIS_H


#include "test.h"
#include "im_follow.h"


#define NTOPICS   6
#define NPUBS     2000           /* of a topic, in a sequence */
#define NHISTORY  64
#define NEPOCHS   16
#define NPARTS    4
#define NSERVERS  3              /* partition p lives on p % NSERVERS */


/* A message that was accepted: its index in its topic is its value. */
typedef struct {
    uint64_t   seq;
    unsigned   epoch;
    size_t     len;              /* of its envelope */
    int        lost;             /* by Redis */
} pub_t;


typedef struct {
    const char  *name;
    unsigned     max;            /* entries of history */
    int          meta;
    unsigned     generation;
    unsigned     epoch;
    uint64_t     seq;
    unsigned     past[NEPOCHS];
    uint64_t     tops[NEPOCHS];
    unsigned     npast;
    unsigned     history[NHISTORY];    /* values, oldest first */
    unsigned     n;
    int          routed;         /* the worker has a route */
    uint64_t     count;
    uint64_t     version;
    uint64_t     left;           /* version of a leave */
    uint64_t     members;        /* bits of sessions */
    int          unnotified;     /* others don't know of a change */
    int          restored;       /* nor does the worker */
} rtopic_t;


typedef struct {
    rtopic_t   topics[NTOPICS];
} rstate_t;


static rstate_t  redis;
static rstate_t  snapshot;
static unsigned  generations[NSERVERS];
static unsigned  nepochs;

static pub_t     pubs[NTOPICS][NPUBS];
static unsigned  npubs[NTOPICS];


static unsigned
redis_server(unsigned t)
{
    return im_partition(im_str_z(redis.topics[t].name), NPARTS) % NSERVERS;
}


static void
redis_epoch(char *buf, unsigned epoch)
{
    sprintf(buf, epoch == 0 ? "" : "e%u", epoch);
}


/* meta.lua */
static void
redis_meta(rtopic_t *rt)
{
    unsigned  i, generation;

    generation = generations[redis_server(rt - redis.topics)];

    if (rt->meta && rt->generation == generation) {
        return;
    }

    if (rt->meta) {
        for (i = im_min(rt->npast, NEPOCHS - 1); i > 0; i--) {
            rt->past[i] = rt->past[i - 1];
            rt->tops[i] = rt->tops[i - 1];
        }

        rt->past[0] = rt->epoch;
        rt->tops[0] = rt->seq;
        rt->npast = im_min(rt->npast + 1, NEPOCHS);

    } else {
        rt->seq = 0;
        rt->npast = 0;
    }

    if (rt->n > 0) {
        rt->seq = im_max(rt->seq, pubs[rt - redis.topics]
                                      [rt->history[rt->n - 1]].seq);
    }

    rt->meta = 1;
    rt->generation = generation;
    rt->epoch = ++nepochs;
}


/* pub.lua; the value */
static unsigned
redis_pub(unsigned t, size_t len)
{
    pub_t     *pub;
    rtopic_t  *rt;

    rt = &redis.topics[t];

    redis_meta(rt);

    pub = &pubs[t][npubs[t]];
    pub->seq = ++rt->seq;
    pub->epoch = rt->epoch;
    pub->len = len;
    pub->lost = 0;

    if (rt->max > 0) {
        if (rt->n == rt->max) {
            memmove(rt->history, rt->history + 1,
                    (rt->n - 1) * sizeof(unsigned));
            rt->n--;
        }

        rt->history[rt->n++] = npubs[t];
    }

    return npubs[t]++;
}


static im_str_t
redis_past(rtopic_t *rt, char *buf)
{
    char      *p;
    unsigned   i;

    p = buf;

    for (i = 0; i < rt->npast; i++) {
        p += sprintf(p, "%se%u:%llu", i > 0 ? " " : "", rt->past[i],
                     (unsigned long long) rt->tops[i]);
    }

    return im_str_set(buf, p - buf);
}


/* route.lua; add, del: bits of sessions.  notified: 0 if the queue is full. */
static void
redis_report(unsigned t, const im_report_t *report, uint64_t add, uint64_t del,
    int full, im_reported_t *reply)
{
    uint64_t   old;
    rtopic_t  *rt;

    rt = &redis.topics[t];

    reply->applied = 0;
    reply->notified = 1;
    reply->stored = 0;

    if (report->ask && (rt->meta || rt->n > 0)) {
        redis_meta(rt);
    }

    old = rt->routed ? rt->version : rt->left;

    if (report->ask || (old != 0 && report->version <= old)) {
        reply->top = rt->meta ? rt->seq : 0;
        reply->stored = report->ask ? 0 : old;
        return;
    }

    if (!report->leave) {
        redis_meta(rt);
    }

    reply->top = rt->meta ? rt->seq : 0;
    reply->applied = 1;
    old = rt->members;

    if (report->leave) {
        rt->routed = 0;
        rt->members = 0;
        rt->left = report->version;

    } else {
        rt->routed = 1;
        rt->count = report->count;
        rt->version = report->version;
        rt->members = ((report->all ? 0 : old) & ~del) | add;
    }

    if (rt->members != old && !rt->restored) {
        rt->unnotified = 1;
    }

    rt->restored &= !report->all;

    /* the last one that leaves says it once, and no more */

    full = full && !report->leave;

    if (report->notify) {
        reply->notified = !full;
        rt->unnotified &= full;
    }
}


/* hist.lua; from 0: no position */
static void
redis_hist(unsigned t, unsigned from, uint64_t seq, unsigned limit,
    im_page_t *page, unsigned *epoch)
{
    pub_t     *pub;
    int64_t    bound;
    unsigned   i;
    uint64_t   first, last;
    rtopic_t  *rt;

    rt = &redis.topics[t];

    page->n = 0;
    page->top = 0;
    page->status = from == 0 ? IM_PAGE_COMPLETE : IM_PAGE_HOLE;
    *epoch = 0;

    if (!rt->meta) {
        return;
    }

    page->top = rt->seq;
    *epoch = rt->epoch;
    bound = (int64_t) rt->seq;

    if (from != 0 && from != rt->epoch) {
        bound = -1;

        for (i = 0; i < rt->npast; i++) {
            if (rt->past[i] == from) {
                bound = (int64_t) rt->tops[i];
            }
        }
    }

    page->status = IM_PAGE_HOLE;

    if ((int64_t) seq > bound) {
        return;
    }

    if (seq == rt->seq) {
        page->status = IM_PAGE_COMPLETE;
        return;
    }

    for (i = 0; i < rt->n && page->n < limit; i++) {
        pub = &pubs[t][rt->history[i]];

        if (pub->seq > seq) {
            page->entries[page->n].envelope.len = rt->history[i];
            page->entries[page->n++].seq = pub->seq;
        }
    }

    if (page->n == 0) {
        page->status = from == 0 ? IM_PAGE_COMPLETE : IM_PAGE_HOLE;
        return;
    }

    first = page->entries[0].seq;
    last = page->entries[page->n - 1].seq;

    if (last - first + 1 != page->n || (from != 0 && first != seq + 1)) {
        page->n = from == 0 ? page->n : 0;
        return;
    }

    page->status = last == rt->seq ? IM_PAGE_COMPLETE : IM_PAGE_MORE;
}


/* page.lua, downwards */
static void
redis_page(unsigned t, uint64_t seq, unsigned limit, size_t bytes,
    im_page_t *page, unsigned *epoch)
{
    pub_t     *pub;
    unsigned   i;
    rtopic_t  *rt;

    rt = &redis.topics[t];

    page->n = 0;
    page->top = rt->meta ? rt->seq : 0;
    *epoch = rt->meta ? rt->epoch : 0;

    for (i = rt->n; rt->meta && i > 0 && page->n < limit; i--) {
        pub = &pubs[t][rt->history[i - 1]];

        if (pub->seq >= seq) {
            continue;
        }

        page->entries[page->n].envelope.len = rt->history[i - 1];
        page->entries[page->n++].seq = pub->seq;

        if (bytes <= pub->len) {
            break;
        }

        bytes -= pub->len;
    }
}


/* check.lua; -1: nothing differs. */
static int
redis_check(unsigned t, unsigned from, uint64_t seq, int members,
    uint64_t *top)
{
    rtopic_t  *rt;

    rt = &redis.topics[t];
    *top = rt->meta ? rt->seq : 0;

    if (!rt->routed || (members && rt->members == 0) || !rt->meta
        || rt->epoch != from)
    {
        return IM_CHECK_GONE;
    }

    return rt->seq == seq ? -1 : rt->seq > seq ? IM_CHECK_BEHIND
                                               : IM_CHECK_AHEAD;
}


/*
 * Somebody deletes the routes, the members, meta, or all of it.  What history
 * doesn't have is lost with meta.
 */
static void
redis_vanish(unsigned t, unsigned what)
{
    unsigned   v;
    uint64_t   last;
    rtopic_t  *rt;

    rt = &redis.topics[t];

    if (what == 0 || what == 3) {
        rt->routed = 0;
        rt->left = 0;
    }

    if (what == 1 || what == 3) {
        rt->members = 0;
        rt->unnotified = 0;
    }

    if (what >= 2) {
        last = rt->n > 0 ? pubs[t][rt->history[rt->n - 1]].seq : 0;
        rt->meta = 0;

        for (v = 0; v < npubs[t]; v++) {
            pubs[t][v].lost |= pubs[t][v].seq > last;
        }
    }
}


/* A topic that never had a message and has no route is forgotten. */
static void
redis_empty(unsigned t)
{
    rtopic_t  *rt;

    rt = &redis.topics[t];

    if (rt->seq == 0 && !rt->routed) {
        rt->meta = 0;
        rt->left = 0;
    }
}


/*
 * The lease has lapsed: the worker's routes are removed.  Others know by the
 * list of dead workers.
 */
static void
redis_sweep(void)
{
    unsigned  t;

    for (t = 0; t < NTOPICS; t++) {
        redis.topics[t].routed = 0;
        redis.topics[t].members = 0;
        redis.topics[t].unnotified = 0;
    }
}


/*
 * Another server instead of one: with all, with what it had some time ago, or
 * with nothing.
 */
static void
redis_restart(unsigned server, int how)
{
    unsigned      t, v;
    rtopic_t     *rt;
    const char   *name;
    unsigned      max;

    generations[server]++;

    for (t = 0; how > 0 && t < NTOPICS; t++) {

        if (redis_server(t) != server) {
            continue;
        }

        rt = &redis.topics[t];
        name = rt->name;
        max = rt->max;

        if (how == 1) {
            *rt = snapshot.topics[t];

        } else {
            memset(rt, 0, sizeof(rtopic_t));
            rt->name = name;
            rt->max = max;
        }

        rt->unnotified = 0;
        rt->restored = 1;

        for (v = 0; v < npubs[t]; v++) {
            if (!rt->meta || pubs[t][v].seq > rt->seq) {
                pubs[t][v].lost = 1;
            }
        }
    }
}


#endif /* FOLLOW_REDIS_H */
