/*
 * Copyright (C) The im authors
 *
 * Following topics, under random operations, beside a Redis that loses,
 * delays, repeats and forgets.  After any sequence, every follower got every
 * message once and in order, or got a notice of a hole.  Redis knows the
 * followers, and other workers know that it does.
 *
 *     build/t/follow_test [SEQUENCES [SEED]]
 */

#include "test.h"
#include "follow_redis.h"
#include "im_route.h"


#define NSESSIONS  8
#define NCALLS     4096
#define NLATES     64
#define NENTRIES   8192
#define STEPS      400
#define BIG        200000        /* of an envelope */


/* What one step may do goes wrong with a chance of one in so many; 0: not. */
typedef struct {
    unsigned  memory;
    unsigned  lose;              /* of pub/sub */
    unsigned  repeat;
    unsigned  reorder;
    unsigned  broken;            /* connections */
    unsigned  late;              /* calls are, whose connection is broken */
    unsigned  restart;           /* of Redis */
    unsigned  forget;            /* of history */
    unsigned  lapse;             /* of the lease */
    unsigned  full;              /* the queue of Redis */
    unsigned  newer;             /* it has a later version of a report */
    unsigned  big;               /* envelopes */
    unsigned  empty;             /* a topic without messages is forgotten */
    unsigned  vanish;            /* keys of a topic */
} faults_t;


typedef enum { CALL_REPORT, CALL_READ, CALL_BACK, CALL_CHECK } call_e;


/* A call that is out: executed in order, answered in order. */
typedef struct {
    call_e         kind;
    unsigned       t;
    im_route_t    *route;
    int            executed;
    im_report_t    report;
    uint64_t       add;
    uint64_t       del;
    unsigned       from;         /* epoch */
    im_read_t      read;
    uint64_t       seq;          /* checked */
    int            members;
    int            what;         /* im_check_e; -1: nothing differs */
    im_reported_t  reported;
    im_page_t      page;
    unsigned       epoch;
    unsigned       past_of;
    char           past[1024];
} call_t;


/* A topic as its followers see it. */
typedef struct {
    im_topic_t  *topic;
    im_sub_t    *subs[NSESSIONS];
    unsigned     members;        /* bits of sessions */
    int          live;
    unsigned     next;           /* all before it were got, or are in a hole */
    unsigned     got;            /* behind the last message */
    int          waiting;        /* for event history */
    uint64_t     since;
    unsigned     last;         /* messages that a resume wants; 0: by since */
    uint64_t     forgotten;      /* what clients may not get any more */
    unsigned     reading;        /* reports waited for */
} follower_t;


static const char *const  names[NTOPICS] = {
    "r:a", "r:b", "r:presence", "r:none", "u:1", "b"
};

static const faults_t  calm;
static const faults_t  rough = {
    0, 12, 12, 12, 60, 4, 150, 60, 150, 8, 99, 0, 9, 90
};
static const faults_t  poor = {
    6, 20, 30, 30, 60, 4, 200, 100, 200, 8, 99, 0, 9, 90
};
static const faults_t  large = {
    0, 10, 20, 20, 80, 4, 200, 100, 200, 8, 99, 3, 9, 90
};

static unsigned        nsequences = 1500;
static uint64_t        only;           /* a seed, traced */
static uint64_t        seed;
static random_t        rnd;
static faults_t        faults;
static im_follow_t     follow;
static im_hub_t        hub;
static im_rules_t      rules;
static follower_t      followers[NTOPICS];
static call_t         *calls;
static unsigned        ncalls;
static call_t          lates[NLATES];  /* lost, and not read by Redis yet */
static unsigned        nlates;
static im_entry_t      entries[NENTRIES];
static unsigned        values[NENTRIES];
static unsigned        nentries;
static uint64_t        now;
static int             woken;
static int             lapsed;         /* unknown yet: the registry is away */
static int             closing;
static unsigned        nholes, nhealed, nmessages, nloaded, nsuspects, nlives;
static im_route_t     *outs[300];      /* their reports are not answered */
static unsigned        nasks;          /* of reports: they only ask */
static unsigned        out;
static u_char          bytes[BIG + 64];


#define trace(...)                                                            \
    do {                                                                      \
        if (only != 0) {                                                      \
            fprintf(stderr, "# " __VA_ARGS__);                                \
        }                                                                     \
    } while (0)

#define wrong(...)                                                            \
    do {                                                                      \
        print_error("seed %llu: ", (unsigned long long) seed);                \
        fail_msg(__VA_ARGS__);                                                \
    } while (0)


static unsigned
below(unsigned n)
{
    return random_below(&rnd, n);
}


static int
chance(unsigned n)
{
    return n != 0 && below(n) == 0;
}


static unsigned
topic_index(const im_topic_t *topic)
{
    unsigned  t;

    for (t = 0; !im_str_eq(im_topic_name(topic), im_str_z(names[t])); t++) {
        /* void */
    }

    return t;
}


/* The envelope of a value: borrowed until the next call. */
static im_str_t
envelope(unsigned t, unsigned value)
{
    memcpy(bytes, &t, 4);
    memcpy(bytes + 4, &value, 4);

    return im_str_set(bytes, pubs[t][value].len);
}


static unsigned
value_of(im_str_t envelope)
{
    unsigned  value;

    assert_true(envelope.len >= 8);
    memcpy(&value, envelope.data + 4, 4);

    return value;
}


static unsigned
epoch_number(im_str_t epoch)
{
    char  buf[IM_EPOCH_MAX + 1];

    memcpy(buf, epoch.data, epoch.len);
    buf[epoch.len] = '\0';

    return epoch.len > 0 ? (unsigned) atoi(buf + 1) : 0;
}


/*
 * Followers hear that they stand behind (epoch, seq).  Without memory that
 * comes twice, and the second place may be the earlier one.
 */
static void
follower_at(unsigned t, im_str_t epoch, uint64_t seq)
{
    unsigned     v, e;
    follower_t  *f;

    f = &followers[t];
    e = epoch_number(epoch);

    f->next = f->got;

    for (v = f->next; v < npubs[t]; v++) {
        if (pubs[t][v].epoch <= e && pubs[t][v].seq <= seq) {
            f->next = v + 1;
        }
    }
}


/* Events. */

static void
on_live(void *ctx, im_topic_t *topic)
{
    im_log_t   *log;
    unsigned    t;

    (void) ctx;

    t = topic_index(topic);

    if (followers[t].live) {
        wrong("\"%s\" is live twice", names[t]);
    }

    followers[t].live = 1;
    followers[t].got = 0;
    follower_at(t, im_str_set(topic->epoch.data, topic->epoch.len),
                topic->seq);

    for (log = topic->logs; log != NULL; log = log->next) {
        while (!im_ring_empty(&log->joining)) {
            im_sub_live(&hub.logs, im_slab_object(&hub.logs.subs,
                                                  log->joining.first));
        }
    }
}


static im_int_t
on_message(void *ctx, im_topic_t *topic, const im_entry_t *entry, int healed)
{
    im_log_t    *log;
    unsigned     t, v, i;
    follower_t  *f;

    (void) ctx;

    t = topic_index(topic);
    f = &followers[t];

    if (chance(faults.memory)) {
        return IM_ERROR;
    }

    /* one that is in no history comes between any others */

    if (entry->seq == 0) {
        if (!f->live || healed) {
            wrong("\"%s\": a message without a number", names[t]);
        }

        nlives++;
        return IM_OK;
    }

    v = value_of(entry->envelope);

    for (log = topic->logs; log != NULL; log = log->next) {
        if (im_log_append(&hub.logs, log, im_str_z("01234567890123456789"), 0)
            != IM_OK)
        {
            return IM_ERROR;
        }
    }

    if (!f->live || v >= npubs[t]) {
        wrong("\"%s\": a message that can't be", names[t]);
    }

    if (v < f->next) {
        wrong("\"%s\": message %u comes where %u is next", names[t], v,
              f->next);
    }

    for (i = f->next; i < v; i++) {
        if (!pubs[t][i].lost) {
            wrong("\"%s\": %u comes before %u, and no hole was reported",
                  names[t], v, i);
        }
    }

    trace("message %s %u, number %llu healed %d\n", names[t], v,
          (unsigned long long) entry->seq, healed);

    f->next = v + 1;
    f->got = v + 1;
    nmessages++;
    nhealed += healed;

    return IM_OK;
}


/* A follower hears of a hole only where history has one, too. */
static void
check_hole(unsigned t, im_topic_t *topic)
{
    unsigned   epoch;
    im_page_t  page;

    redis_hist(t, epoch_number(im_str_set(topic->epoch.data,
                                          topic->epoch.len)),
               topic->seq, IM_FOLLOW_ENTRIES, &page, &epoch);

    if (page.status != IM_PAGE_HOLE) {
        wrong("\"%s\": a hole is reported, but history has none", names[t]);
    }
}


static im_int_t
on_moved(void *ctx, im_topic_t *topic, im_str_t epoch, uint64_t seq,
    int continues)
{
    unsigned  t, next;

    (void) ctx;

    trace("moved %s %.*s:%llu continues %d\n", names[topic_index(topic)],
          (int) epoch.len, epoch.data, (unsigned long long) seq, continues);

    if (chance(faults.memory)) {
        return IM_ERROR;
    }

    if (!continues && faults.memory == 0 && im_followed(topic)->numbered) {
        check_hole(topic_index(topic), topic);
    }

    t = topic_index(topic);
    next = followers[t].next;

    follower_at(t, epoch, seq);

    if (continues) {
        followers[t].next = im_min(followers[t].next, next);

    } else {
        followers[t].forgotten = 0;
    }

    return IM_OK;
}


static void
on_hole(void *ctx, im_topic_t *topic, uint64_t seq)
{
    (void) ctx;
    (void) topic;
    (void) seq;

    nholes++;
}


static void
leave(unsigned t, unsigned s)
{
    int          last;
    im_topic_t  *topic;
    follower_t  *f;

    f = &followers[t];

    im_follow_member(&follow, f->subs[s], 0);

    f->members &= ~(1u << s);
    topic = im_hub_leave(&hub, f->subs[s], &last);
    im_sub_destroy(&hub.logs, f->subs[s]);

    if (last) {
        im_follow_stop(&follow, topic);
    }
}


/* Some sockets take all, some nothing, and some sessions end with it. */
static void
on_flush(void *ctx)
{
    unsigned     t, s;
    im_sub_t    *sub;
    follower_t  *f;

    (void) ctx;

    for (t = 0; t < NTOPICS; t++) {
        f = &followers[t];

        for (s = 0; s < NSESSIONS; s++) {
            sub = f->subs[s];

            if ((f->members & (1u << s)) == 0
                || im_sub_state(sub) < IM_SUB_PENDING)
            {
                continue;
            }

            if (faults.lose == 0 || chance(2)) {
                im_sub_advance(sub, im_sub_behind(sub));
                im_log_trim(&hub.logs, sub->log, 1);

            } else if (chance(50)) {
                leave(t, s);
            }
        }
    }
}


/* A client that resumes: what the window has is what was published. */
static void
resume(unsigned t)
{
    im_int_t     rc;
    uint64_t     seq;
    unsigned     v, last;
    follower_t  *f;

    f = &followers[t];

    f->waiting = 0;
    if (f->last > 0) {
        rc = im_follow_last(f->topic, f->last, &f->since);

        if (rc == IM_DECLINED
            || f->topic->seq - f->since > im_min(f->last, redis.topics[t].max))
        {
            wrong("\"%s\": the last %u begin behind %llu", names[t], f->last,
                  (unsigned long long) f->since);
        }

    } else {
        f->since = im_min(f->since, f->topic->seq);
        rc = im_follow_window(f->topic, f->since);
    }

    trace("resume %s %llu: %d\n", names[t], (unsigned long long) f->since,
          (int) rc);

    if (rc == IM_AGAIN) {
        f->waiting = 1;
        im_follow_load(f->topic, f->since);
        return;
    }

    if (rc == IM_OK && f->since < im_min(f->forgotten, f->topic->seq)) {
        wrong("\"%s\": what was forgotten is there", names[t]);
    }

    for (last = 0, seq = f->since + 1;
         rc == IM_OK && seq <= f->topic->seq;
         seq++)
    {
        v = value_of(im_follow_envelope(f->topic, seq));

        if (pubs[t][v].seq != seq || v + 1 <= last) {
            wrong("\"%s\": %u is not number %llu", names[t], v,
                  (unsigned long long) seq);
        }

        last = v + 1;
        nloaded++;
    }
}


static void
on_history(void *ctx, im_topic_t *topic, im_follow_history_e why)
{
    unsigned  t;

    (void) ctx;
    (void) why;

    t = topic_index(topic);

    if (followers[t].waiting) {
        resume(t);
    }
}


static void
on_reported(void *ctx, im_topic_t *topic)
{
    (void) ctx;

    followers[topic_index(topic)].reading = 0;
}


static void
on_members(void *ctx, im_topic_t *topic, im_follow_members_e why)
{
    (void) ctx;
    (void) topic;

    nsuspects += why == IM_MEMBERS_SUSPECT;
}


static void
on_ended(void *ctx, void *data)
{
    (void) ctx;

    memset(&followers[*(u_char *) data], 0, sizeof(follower_t));
    free(data);
}


static void
on_taken(void *ctx, im_str_t from)
{
    (void) ctx;
    (void) from;
}


static void
on_late(void *ctx, im_topic_t *topic, const im_change_t *change)
{
    (void) ctx;
    (void) topic;
    (void) change;

    fail_msg("no session moves");
}


static void
on_joins(void *ctx, im_sub_t *sub)
{
    (void) ctx;
    (void) sub;

    fail_msg("no session moves");
}


/* Commands. */

static call_t *
call_new(call_e kind, im_route_t *route, im_str_t name)
{
    call_t    *call;
    unsigned   t;

    assert_true(ncalls < NCALLS);

    call = &calls[ncalls];
    memset(call, 0, sizeof(call_t));

    for (t = 0; !im_str_eq(name, im_str_z(names[t])); t++) { /* void */ }

    call->kind = kind;
    call->route = route;
    call->t = t;

    return call;
}


static void
do_report_one(im_route_t *route, im_report_t *report)
{
    call_t       *call;
    uint64_t      bit;
    im_list_t    *q;
    im_change_t  *change;

    call = call_new(CALL_REPORT, route, report->topic);

    if (report->leave) {
        report->nsent = im_min(report->nchanges, 3);
    }

    for (q = im_list_first(report->changes);
         q != im_list_sentinel(report->changes) && !report->leave
         && report->nsent < 3;
         q = im_list_next(q))
    {
        change = im_list_data(q, im_change_t, link);
        bit = 1ull << change->session;

        if (!change->joined) {
            call->add &= ~bit;
            call->del |= bit;

        } else if (followers[call->t].members & bit) {
            call->add |= bit;
            call->del &= ~bit;
        }

        report->nsent++;
    }

    call->report = *report;
    ncalls++;
}


static im_int_t
do_report(void *ctx, im_route_t **routes, im_report_t *reports, im_uint_t n)
{
    im_uint_t  i;

    (void) ctx;

    if (chance(faults.memory) || ncalls + n > NCALLS) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        do_report_one(routes[i], &reports[i]);
    }

    return IM_OK;
}


static im_int_t
do_read(void *ctx, im_route_t *route, im_topic_t *topic, const im_read_t *read)
{
    call_t  *call;

    (void) ctx;

    if (chance(faults.memory) || ncalls == NCALLS) {
        return IM_ERROR;
    }

    call = call_new(read->back ? CALL_BACK : CALL_READ, route,
                    im_topic_name(topic));

    call->from = epoch_number(im_str_set(topic->epoch.data,
                                         topic->epoch.len));
    call->read = *read;
    ncalls++;

    return IM_OK;
}


static im_int_t
do_check(void *ctx, const im_check_t *checks, im_uint_t n)
{
    call_t     *call;
    im_uint_t   i;

    (void) ctx;

    if (chance(faults.memory)) {
        return IM_DECLINED;
    }

    for (i = 0; i < n && ncalls < NCALLS; i++) {
        call = call_new(CALL_CHECK, NULL, checks[i].topic);

        call->from = epoch_number(checks[i].epoch);
        call->seq = checks[i].seq;
        call->members = checks[i].members;
        ncalls++;
    }

    return IM_OK;
}


/* Odd sessions are guests: they count where the room has presence. */
static im_int_t
do_change(void *ctx, im_sub_t *sub, int joined, im_change_t **change)
{
    unsigned  s;

    (void) ctx;

    s = sub->session;

    if (s % 2 == 1 && !im_followed(sub->log->topic)->presence) {
        return IM_DECLINED;
    }

    if (chance(faults.memory)) {
        return IM_ERROR;
    }

    *change = im_calloc(sizeof(im_change_t));
    if (*change == NULL) {
        return IM_ERROR;
    }

    (*change)->session = s;
    (*change)->joined = joined;

    return IM_OK;
}


static void
do_wake(void *ctx)
{
    (void) ctx;

    woken = 1;
}


static im_int_t
do_take(void *ctx, im_str_t from, im_route_t **routes,
    im_taking_t *takings, im_uint_t n)
{
    (void) ctx;
    (void) from;
    (void) routes;
    (void) takings;
    (void) n;

    return IM_ERROR;
}


static const im_follow_commands_t  commands = {
    do_report, do_read, do_check, do_change, do_wake, do_take
};

static const im_follow_events_t  events = {
    on_live, on_message, on_moved, on_hole, on_flush, on_history, on_reported,
    on_members, on_ended, on_taken, on_late, on_joins
};


/* Redis and the network. */

/* Messages of a topic without a history wait in the queue. */
static int
queued(unsigned t)
{
    unsigned  i;

    for (i = 0; i < nentries; i++) {
        if (entries[i].topic.data == (u_char *) names[t]) {
            return 1;
        }
    }

    return 0;
}


static void
call_execute(call_t *call)
{
    call->executed = 1;

    if (call->kind == CALL_REPORT) {
        redis_report(call->t, &call->report, call->add, call->del,
                     chance(faults.full), &call->reported);
        trace("report %s ask %d count %u all %d notify %d add %x del %x: "
              "applied %d, notified %d, members %x\n", names[call->t],
              call->report.ask, (unsigned) call->report.count,
              call->report.all, call->report.notify, (unsigned) call->add,
              (unsigned) call->del, call->reported.applied,
              call->reported.notified,
              (unsigned) redis.topics[call->t].members);
        call->epoch = redis.topics[call->t].meta
                      ? redis.topics[call->t].epoch : 0;

    } else if (call->kind == CALL_CHECK) {
        call->what = redis_check(call->t, call->from, call->seq,
                                 call->members, &call->page.top);

    } else if (call->kind == CALL_READ) {
        redis_hist(call->t, call->from, call->read.seq, call->read.limit,
                   &call->page, &call->epoch);

        if (redis.topics[call->t].max == 0 && call->from == call->epoch
            && call->page.status == IM_PAGE_HOLE
            && call->read.seq < call->page.top && queued(call->t))
        {
            call->page.status = IM_PAGE_WAITS;
        }

    } else {
        redis_page(call->t, call->read.seq, call->read.limit,
                   call->read.bytes, &call->page, &call->epoch);
    }

    (void) redis_past(&redis.topics[call->t], call->past);
}


/* The envelopes of a page are copies of their own. */
static void
call_page(call_t *call, int back)
{
    u_char          *copies;
    size_t           len;
    unsigned         v;
    im_uint_t        i;
    im_page_entry_t *entry;

    len = 0;

    for (i = 0; i < call->page.n; i++) {
        len += pubs[call->t][call->page.entries[i].envelope.len].len;
    }

    copies = malloc(len + 1);
    assert_non_null(copies);
    len = 0;

    for (i = 0; i < call->page.n; i++) {
        entry = &call->page.entries[i];
        v = entry->envelope.len;
        entry->envelope = envelope(call->t, v);
        memcpy(copies + len, bytes, entry->envelope.len);
        entry->envelope.data = copies + len;
        len += entry->envelope.len;
    }

    im_follow_page(call->route, back, &call->page);

    free(copies);
}


static void
call_answer(unsigned i, int lost)
{
    char     epoch[16];
    call_t  *call;

    call = malloc(sizeof(call_t));
    assert_non_null(call);

    *call = calls[i];
    ncalls--;
    memmove(calls + i, calls + i + 1, (ncalls - i) * sizeof(call_t));

    redis_epoch(epoch, call->epoch);

    trace("answer %d %s, %s:%llu past \"%s\" status %d n %u lost %d\n",
          call->kind, names[call->t], epoch,
          (unsigned long long) (call->kind == CALL_REPORT ? call->reported.top
                                                          : call->page.top),
          call->past, call->page.status, (unsigned) call->page.n, lost);

    call->reported.epoch = im_str_z(epoch);
    call->reported.past = im_str_z(call->past);
    call->page.epoch = im_str_z(epoch);
    call->page.past = call->epoch == 0 ? im_str_z("") : im_str_z(call->past);

    if (call->kind == CALL_CHECK) {
        if (!lost && call->what >= 0) {
            im_follow_checked(&follow, im_str_z(names[call->t]),
                              (im_check_e) call->what, call->page.top);
        }

    } else if (call->kind == CALL_REPORT) {
        im_follow_reported(call->route, lost ? NULL : &call->reported);

    } else if (lost) {
        im_follow_page(call->route, call->kind == CALL_BACK, NULL);

    } else {
        call_page(call, call->kind == CALL_BACK);
    }

    free(call);
}


static void
publish(unsigned t)
{
    unsigned  v;

    if (npubs[t] == NPUBS) {
        return;
    }

    v = redis_pub(t, chance(faults.big) ? BIG : 8);

    if ((redis.topics[t].routed || t == NTOPICS - 1) && nentries < NENTRIES) {
        values[nentries] = v;
        entries[nentries].seq = pubs[t][v].seq;
        entries[nentries].topic = im_str_z(names[t]);
        nentries++;
    }
}


static unsigned
entry_topic(unsigned i)
{
    unsigned  t;

    for (t = 0; entries[i].topic.data != (u_char *) names[t]; t++) {
        /* void */
    }

    return t;
}


static void
entry_remove(unsigned i)
{
    memmove(entries + i, entries + i + 1,
            (nentries - i - 1) * sizeof(im_entry_t));
    memmove(values + i, values + i + 1, (nentries - i - 1) * sizeof(unsigned));
    nentries--;
}


static void
entry_deliver(unsigned i, int keep)
{
    char        epoch[16];
    unsigned    t, v;
    im_entry_t  entry;

    t = entry_topic(i);
    v = values[i];
    entry = entries[i];

    redis_epoch(epoch, pubs[t][v].epoch);
    entry.kind = IM_PUSH_MESSAGE;
    entry.epoch = im_str_z(epoch);
    entry.envelope = envelope(t, v);

    trace("entry %s %u, number %s:%llu lost %d\n", names[t], v, epoch,
          (unsigned long long) entry.seq, pubs[t][v].lost);

    if (!keep) {
        entry_remove(i);
    }

    im_follow_entry(&follow, &entry);
}


/* A message that is in no history. */
static void
live_deliver(unsigned t)
{
    im_entry_t  entry;

    memset(&entry, 0, sizeof(im_entry_t));

    entry.kind = IM_PUSH_MESSAGE;
    entry.topic = im_str_z(names[t]);
    entry.epoch = im_str_z("-");
    entry.envelope = im_str_set(bytes, 8);

    im_follow_entry(&follow, &entry);
}


static void
entries_deliver(unsigned n)
{
    while (n-- > 0 && nentries > 0) {

        if (chance(8)) {
            live_deliver(below(NTOPICS));
        }

        if (chance(faults.lose)) {
            entry_remove(0);

        } else if (chance(faults.repeat)) {
            entry_deliver(0, 1);

        } else if (nentries > 1 && chance(faults.reorder)) {
            entry_deliver(1, 0);

        } else {
            entry_deliver(0, 0);
        }
    }

    on_flush(NULL);
}


/* That of the registry has the lease. */
static int
server_up(unsigned server)
{
    return im_follow_is_up(&follow, server);
}


static void
connection_made(unsigned server)
{
    unsigned  p;

    for (p = server; p < NPARTS; p += NSERVERS) {
        im_follow_up(&follow, p, 1);
    }

    if (server == 0 && lapsed) {
        lapsed = 0;
        im_follow_compare(&follow, -1, 1);
    }
}


/* Redis may read what was sent when the connection has been replaced. */
static void
late_add(const call_t *call)
{
    if (call->kind == CALL_REPORT && nlates < NLATES && chance(faults.late)) {
        lates[nlates++] = *call;
    }
}


static void
late_execute(void)
{
    if (nlates > 0) {
        call_execute(&lates[0]);
        memmove(lates, lates + 1, --nlates * sizeof(call_t));
    }
}


/* Another Redis has no earlier connections. */
static void
late_forget(unsigned server)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < nlates; i++) {
        if (redis_server(lates[i].t) != server) {
            lates[n++] = lates[i];
        }
    }

    nlates = n;
}


/* calls: the connection for calls, too; else that of pub/sub alone. */
static void
connection_lost(unsigned server, int all)
{
    unsigned  n, i, p;

    for (p = server; p < NPARTS; p += NSERVERS) {
        im_follow_down(&follow, p);
    }

    n = below(ncalls + 1);
    i = 0;

    while (all && i < ncalls) {

        if (redis_server(calls[i].t) != server) {
            i++;
            continue;
        }

        if (n > 0 && !calls[i].executed) {
            call_execute(&calls[i]);

        } else if (!calls[i].executed) {
            late_add(&calls[i]);
        }

        n -= n > 0;
        call_answer(i, 1);
    }

    for (i = nentries; i > 0; i--) {
        if (redis_server(entry_topic(i - 1)) == server && chance(2)) {
            entry_remove(i - 1);
        }
    }
}


/* Sessions. */

static void
join(unsigned t, unsigned s)
{
    int          first;
    im_sub_t    *sub;
    follower_t  *f;

    f = &followers[t];
    sub = im_sub_create(&hub.logs);
    if (sub == NULL) {
        return;
    }

    sub->session = s;
    f->subs[s] = sub;

    f->topic = im_hub_join(&hub, im_str_z(names[t]), s % 2, sub, &first);

    if (f->topic == NULL) {
        f->topic = im_hub_topic(&hub, im_str_z(names[t]));
        im_sub_destroy(&hub.logs, sub);
        return;
    }

    if (first && im_follow_start(&follow, f->topic) != IM_OK) {
        im_hub_leave(&hub, sub, &first);
        im_sub_destroy(&hub.logs, sub);
        im_follow_stop(&follow, f->topic);
        memset(f, 0, sizeof(follower_t));
        return;
    }

    f->members |= 1u << s;

    if (first) {
        im_followed(f->topic)->data = malloc(1);
        *(u_char *) im_followed(f->topic)->data = (u_char) t;
    }

    im_follow_member(&follow, sub, 1);

    if (f->topic->state != IM_TOPIC_NEW) {
        im_sub_live(&hub.logs, sub);
    }
}


static void
step_session(unsigned t)
{
    unsigned  s;

    s = below(NSESSIONS);

    if (followers[t].members & (1u << s)) {
        leave(t, s);

    } else {
        join(t, s);
    }
}


static void
step_upper(unsigned t)
{
    follower_t  *f;

    f = &followers[t];

    if (f->topic == NULL || f->topic->state == IM_TOPIC_NEW) {
        return;
    }

    if (chance(4)) {
        (void) im_follow_ask(f->topic);

    } else if (chance(4)) {

        f->reading = im_follow_report(f->topic, 1) != IM_OK;

    } else if (im_followed(f->topic)->numbered && !f->waiting) {
        f->since = below((unsigned) f->topic->seq + 1);
        f->last = chance(50) ? 1 + below(10) : 0;
        resume(t);
    }
}


static void
step_faults(unsigned t)
{
    unsigned   n, i, server;
    uint64_t   seq;
    rtopic_t  *rt;

    rt = &redis.topics[t];
    server = below(NSERVERS);

    if (chance(faults.newer) && rt->routed) {
        rt->version += 20;
    }

    if (chance(faults.broken)) {
        connection_lost(server, chance(2));
    }

    if (chance(faults.restart)) {
        redis_restart(server, below(3));
        snapshot = redis;
        connection_lost(server, 1);
        late_forget(server);

        for (i = 0; i < NTOPICS; i++) {
            if (redis_server(i) == server) {
                followers[i].forgotten = 0;
            }
        }

    } else if (chance(40)) {
        snapshot = redis;
    }

    if (chance(faults.forget) && rt->n > 0 && rt->meta) {
        n = 1 + below(rt->n);
        seq = pubs[t][rt->history[n - 1]].seq;
        rt->n -= n;
        memmove(rt->history, rt->history + n, rt->n * sizeof(unsigned));

        if (followers[t].topic != NULL && chance(2)) {
            trace("forget %s %llu\n", names[t], (unsigned long long) seq);
            im_follow_forget(followers[t].topic, seq);
            followers[t].forgotten = im_min(seq, followers[t].topic->seq);
        }
    }

    if (chance(faults.vanish)) {
        redis_vanish(t, below(4));
        snapshot = redis;
    }

    if (chance(faults.empty)) {
        redis_empty(t);
    }

    if (chance(faults.lapse)) {
        redis_sweep();

        lapsed = !server_up(0);

        if (!lapsed) {
            im_follow_compare(&follow, -1, 1);
        }
    }
}


/* Servers answer in an order of their own. */
static void
answer_one(unsigned server)
{
    unsigned  i;

    for (i = 0; i < ncalls; i++) {
        if (redis_server(calls[i].t) == server) {
            break;
        }
    }

    if (i < ncalls && calls[i].executed) {
        call_answer(i, 0);
    }
}


static void
step(void)
{
    unsigned  t, i;

    t = below(NTOPICS);

    if (faults.memory != 0) {
        alloc_fail_at(chance(faults.memory) ? 1 + below(8) : 0);
    }

    step_faults(t);

    if (chance(faults.late * 10)) {
        late_execute();
    }

    switch (below(10)) {

    case 0:
        step_session(t);
        break;

    case 1:
    case 2:
        for (i = below(6); i > 0; i--) {
            publish(t);
        }
        break;

    case 3:
        for (i = 0; i < ncalls; i++) {
            if (!calls[i].executed) {
                call_execute(&calls[i]);
                break;
            }
        }
        break;

    case 4:
    case 5:
        if (ncalls > 0) {
            answer_one(below(NSERVERS));
        }
        break;

    case 6:
    case 7:
        entries_deliver(below(6));
        break;

    case 8:
        step_upper(t);
        break;

    default:
        i = below(NSERVERS);

        if (!server_up(i) && chance(3)) {
            connection_made(i);

        } else if (chance(10)) {
            im_follow_compare(&follow, below(NPARTS), 0);

        } else {
            now += 1000;
            im_follow_tick(&follow, now);
        }
    }

    if (woken && chance(2)) {
        woken = 0;
        im_follow_pump(&follow);
    }

    alloc_fail_at(0);
}


/* All that is under way comes to its end. */
static void
drain(void)
{
    unsigned  n;

    for (n = 0; ncalls > 0 || nentries > 0 || woken; n++) {

        if (n > 20000) {
            wrong("it comes to no end");
        }

        if (woken) {
            woken = 0;
            im_follow_pump(&follow);
        }

        if (ncalls > 0) {
            if (!calls[0].executed) {
                call_execute(&calls[0]);
            }

            call_answer(0, 0);
        }

        entries_deliver(1);
    }
}


/* Nothing goes wrong any more. */
static void
settle(void)
{
    unsigned  i;

    faults = calm;

    for (i = 0; i < 12; i++) {
        drain();

        now += 1000;
        im_follow_tick(&follow, now);
    }
}


static void
check_messages(void)
{
    unsigned  t, v;

    for (t = 0; t < NTOPICS; t++) {
        for (v = followers[t].next;
             followers[t].topic != NULL && v < npubs[t];
             v++)
        {
            if (!pubs[t][v].lost) {
                wrong("\"%s\": message %u is missing, and no hole was reported",
                      names[t], v);
            }
        }
    }
}


/*
 * More messages come during a read of history than the buffer holds: it reads
 * the dropped ones at once, and not by chance later.
 */
static void
check_overflow(void)
{
    unsigned  t, i;

    for (t = 0; t < NTOPICS; t++) {

        if (followers[t].topic == NULL
            || !im_followed(followers[t].topic)->numbered)
        {
            continue;
        }

        assert_int_equal(im_follow_ask(followers[t].topic), IM_OK);
        call_execute(&calls[0]);

        faults.big = 1;

        for (i = 0; i < 7; i++) {
            publish(t);
        }

        faults.big = 0;

        entries_deliver(7);
        drain();
        check_messages();
    }
}


static void
check_topic(unsigned t)
{
    uint64_t     expect;
    rtopic_t    *rt;
    follower_t  *f;

    f = &followers[t];
    rt = &redis.topics[t];

    /* no message of the broadcast says that a restored route is stale */

    if (f->topic == NULL) {
        if (rt->routed && (t < NTOPICS - 1 || !rt->restored)) {
            wrong("\"%s\": Redis has a route without followers", names[t]);
        }

        return;
    }

    if (!f->live || f->topic->state != IM_TOPIC_LIVE) {
        wrong("\"%s\" isn't live", names[t]);
    }

    if (f->waiting || f->reading) {
        wrong("\"%s\": an event didn't come", names[t]);
    }

    if (t == NTOPICS - 1) {
        if (!rt->routed || rt->members != 0) {
            wrong("\"%s\": Redis has no route, or members", names[t]);
        }

        return;
    }

    expect = im_followed(f->topic)->presence ? f->members : f->members & 0x55;

    if (!rt->routed || rt->count != f->topic->nsubs || rt->members != expect) {
        wrong("\"%s\": Redis has %llu followers, members %llx of %llx",
              names[t], (unsigned long long) rt->count,
              (unsigned long long) rt->members, (unsigned long long) expect);
    }

    if (names[t][0] == 'r' && rt->unnotified) {
        wrong("\"%s\": others don't know of members", names[t]);
    }
}


/* What others have deleted is noticed without another sign of it. */
static void
check_vanished(void)
{
    unsigned  t;

    for (t = 0; t < NTOPICS; t++) {
        if (followers[t].topic != NULL) {
            redis_vanish(t, below(4));
            publish(t);
            publish(t);
        }
    }

    settle();
    check_messages();

    for (t = 0; t < NTOPICS; t++) {
        check_topic(t);
    }
}


static void
begin(const faults_t *f)
{
    unsigned  t, s;

    static const uint64_t  hash_seed[2] = { 1, 2 };

    assert_int_equal(im_hub_init(&hub, hash_seed, NPARTS, 256), IM_OK);

    for (t = 0; t < NTOPICS; t++) {
        npubs[t] = 0;
    }

    nepochs = 0;
    lapsed = 0;

    memset(followers, 0, sizeof(followers));

    for (s = 0; s < NSERVERS; s++) {
        generations[s] = 0;
        redis_restart(s, 2);
    }

    snapshot = redis;

    ncalls = 0;
    nlates = 0;
    nentries = 0;
    woken = 0;
    closing = 0;
    now = 1000;
    faults = *f;

    im_follow_init(&follow, now);

    for (s = 0; s < NSERVERS; s++) {
        connection_made(s);
    }
}


static void
end(void)
{
    unsigned  t, s;

    for (t = 0; t < NTOPICS; t++) {
        for (s = 0; s < NSESSIONS; s++) {
            if (followers[t].members & (1u << s)) {
                leave(t, s);
            }
        }
    }

    settle();
    im_follow_cleanup(&follow);

    for (t = 0; t < NTOPICS; t++) {
        check_topic(t);
    }

    assert_int_equal(follow.bytes.bytes, 0);
    assert_int_equal(hub.topics.count, 0);

    im_hub_cleanup(&hub);
}


static void
sequence(const faults_t *f)
{
    unsigned  i, t, s;

    begin(f);

    for (i = 0; i < STEPS; i++) {
        step();
    }

    faults = calm;

    for (s = 0; s < NSERVERS; s++) {
        connection_made(s);
    }

    if (below(2)) {
        drain();
    }

    while (nlates > 0) {
        late_execute();
    }

    settle();
    check_messages();

    for (t = 0; t < NTOPICS; t++) {
        publish(t);
    }

    settle();
    check_messages();

    for (t = 0; t < NTOPICS; t++) {
        check_topic(t);
    }

    check_vanished();

    if (f->big) {
        check_overflow();
    }

    end();
}


static void
setup(void)
{
    unsigned  t;

    static const unsigned     max[NTOPICS] = { 8, 40, 60, 0, 20, 30 };
    im_rule_t                 rule;

    im_rules_init(&rules);

    for (t = 0; t < 3; t++) {
        memset(&rule, 0, sizeof(im_rule_t));
        rule.pattern = im_str_z(names[t] + 2);
        rule.history = max[t];
        rule.presence = t == 2;
        assert_int_equal(im_rules_add(&rules, &rule), IM_OK);
    }

    rules.has_inbox = 1;
    rules.inbox.history = max[4];
    rules.has_broadcast = 1;
    rules.broadcast.history = max[5];

    memset(&follow, 0, sizeof(im_follow_t));
    follow.hub = &hub;
    follow.rules = &rules;
    follow.commands = &commands;
    follow.events = &events;
    follow.limits.log_bytes = 2048;
    follow.limits.recovery_bytes = 1000;
    follow.limits.windows_bytes = 2000;
    follow.limits.refresh = 8000;

    for (t = 0; t < NTOPICS; t++) {
        redis.topics[t].name = names[t];
        redis.topics[t].max = max[t];
    }

    calls = malloc(NCALLS * sizeof(call_t));
    assert_non_null(calls);
}


static void
cleanup(void)
{
    free(calls);
    im_rules_cleanup(&rules);
}


static void
sequences(const faults_t *f, uint64_t first)
{
    unsigned  i;

    setup();

    for (i = 0; i < nsequences; i++) {
        seed = first + i;

        if (only != 0 && seed != only) {
            continue;
        }

        rnd.state = seed * 0x9e3779b97f4a7c15 + 1;
        sequence(f);
    }

    cleanup();

    print_message("# seeds %llu to %llu: %u messages, %u healed, %u holes, "
                  "%u from windows, %u live\n", (unsigned long long) first,
                  (unsigned long long) seed, nmessages, nhealed, nholes,
                  nloaded, nlives);

    assert_true(nlives > 0);
}


/* Topics of servers that are there go on while one is away. */
static void
test_away(void **state)
{
    unsigned  t, server;

    (void) state;

    setup();

    for (server = 0; server < NSERVERS; server++) {
        begin(&calm);

        join(0, 0);
        join(1, 0);
        settle();

        connection_lost(server, 1);

        for (t = 0; t < NTOPICS; t++) {
            join(t, 2);
            publish(t);
        }

        settle();

        for (t = 0; t < NTOPICS; t++) {
            if (redis_server(t) != server) {
                check_topic(t);
                assert_int_equal(followers[t].next, npubs[t]);

            } else if (t > 1) {
                assert_false(followers[t].live);
                assert_false(redis.topics[t].routed);
            }
        }

        /* what is left meanwhile is said later */

        for (t = 0; t < NTOPICS; t++) {
            leave(t, 2);
        }

        settle();
        connection_made(server);
        settle();

        for (t = 0; t < NTOPICS; t++) {
            check_topic(t);
        }

        end();
    }

    cleanup();
}


/*
 * Something of all that can be under way with a topic: members change, a
 * message is missing, one is expected, a client resumes, a topic ends.
 */
static void
scenario(void)
{
    unsigned  t, i;

    for (t = 0; t < NTOPICS; t++) {
        join(t, 0);
        join(t, 2);
        join(t, 4);
    }

    drain();

    for (t = 0; t < NTOPICS; t++) {
        for (i = 0; i < 3; i++) {
            publish(t);
        }
    }

    for (t = 0; t < NTOPICS && nentries > 0; t++) {
        entry_remove(0);
        entries_deliver(2);
    }

    drain();

    for (t = 0; t < NTOPICS; t++) {
        publish(t);

        if (nentries > 0) {
            entry_remove(nentries - 1);
        }

        if (followers[t].members & 1) {
            leave(t, 0);
        }

        if (followers[t].topic != NULL && !followers[t].waiting
            && followers[t].live && im_followed(followers[t].topic)->numbered)
        {
            followers[t].since = 0;
            resume(t);
        }
    }

    for (i = 0; i < 3; i++) {
        now += 1000;
        im_follow_tick(&follow, now);
        drain();
    }

    for (i = 2; i < 5; i += 2) {
        if (followers[4].members & (1u << i)) {
            leave(4, i);
        }
    }

    im_follow_stale(&follow, im_str_z("u:1"));
    drain();
}


/*
 * Each allocation fails once: what was due still is, and comes without a
 * connection that breaks or a report that is repeated anyway.
 */
static void
test_each_allocation(void **state)
{
    int            failed;
    unsigned       t;
    unsigned long  n;

    (void) state;

    setup();

    for (n = 1, failed = 1; failed; n++) {
        begin(&calm);

        alloc_fail_at(n);
        scenario();

        failed = alloc_failed();
        alloc_fail_at(0);

        settle();
        check_messages();

        for (t = 0; t < NTOPICS; t++) {
            check_topic(t);
        }

        end();
    }

    print_message("# %lu allocations\n", n - 1);
    assert_true(n > 50);

    cleanup();
}


static im_int_t
count_report(void *ctx, im_route_t **routes, im_report_t *reports, im_uint_t n)
{
    (void) ctx;

    while (n-- > 0) {
        assert_true(out < test_count(outs));
        outs[out++] = *routes++;
        nasks += reports++->ask;
    }

    return IM_OK;
}


static im_int_t
count_change(void *ctx, im_sub_t *sub, int joined, im_change_t **change)
{
    (void) ctx;
    (void) sub;
    (void) joined;
    (void) change;

    return IM_DECLINED;
}


static const im_follow_commands_t  counting = {
    count_report, do_read, do_check, count_change, do_wake, do_take
};


/* A server that hangs, and isn't known to be away, has no other one's calls. */
static void
test_hangs(void **state)
{
    char         name[16];
    unsigned     i, hung;
    im_sub_t   **subs;
    im_topic_t  *topic;
    int          first;

    static const uint64_t  hash_seed[2] = { 1, 2 };

    (void) state;

    setup();
    assert_int_equal(im_hub_init(&hub, hash_seed, NPARTS, 256), IM_OK);

    im_follow_init(&follow, 1000);
    ncalls = 0;

    im_follow_up(&follow, 1, 1);
    im_follow_up(&follow, 2, 1);

    subs = calloc(2000, sizeof(im_sub_t *));
    assert_non_null(subs);

    /* hung: reports that are out, of topics of partition 1 */

    for (i = 0, hung = 0; i < 2000; i++) {
        sprintf(name, "u:%u", i);

        if (im_partition(im_str_z(name), NPARTS) == 1) {
            subs[i] = im_sub_create(&hub.logs);
            topic = im_hub_join(&hub, im_str_z(name), 0, subs[i], &first);
            assert_int_equal(im_follow_start(&follow, topic), IM_OK);
            hung++;
        }
    }

    faults = calm;
    out = 0;
    follow.commands = &counting;
    im_follow_pump(&follow);

    assert_true(hung > 300);
    assert_int_equal(out, 256 / NPARTS);

    topic = NULL;

    for (i = 0; topic == NULL; i++) {
        sprintf(name, "u:%u", i);

        if (im_partition(im_str_z(name), NPARTS) == 2) {
            subs[i] = im_sub_create(&hub.logs);
            topic = im_hub_join(&hub, im_str_z(name), 0, subs[i], &first);
            assert_int_equal(im_follow_start(&follow, topic), IM_OK);
        }
    }

    im_follow_pump(&follow);

    assert_int_equal(out, 256 / NPARTS + 1);

    /* one walk for all partitions of a server: each topic is seen once */

    nsuspects = 0;

    im_follow_down(&follow, 1);
    im_follow_down(&follow, 2);
    im_follow_up(&follow, 1, 1);
    im_follow_up(&follow, 2, 1);
    im_follow_pump(&follow);
    im_follow_pump(&follow);

    assert_int_equal(nsuspects, hung + 1);

    im_follow_down(&follow, 1);
    im_follow_down(&follow, 2);

    for (i = 0; i < 2000; i++) {
        if (subs[i] != NULL) {
            topic = im_hub_leave(&hub, subs[i], &first);
            im_follow_stop(&follow, topic);
        }
    }

    for (i = 0; i < out; i++) {
        im_follow_reported(outs[i], NULL);
    }

    im_follow_cleanup(&follow);
    im_hub_cleanup(&hub);
    free(subs);
    cleanup();
}


static im_int_t
slow_check(void *ctx, const im_check_t *checks, im_uint_t n)
{
    (void) ctx;
    (void) checks;
    (void) n;

    return IM_DECLINED;
}


static const im_follow_commands_t  slow = {
    count_report, do_read, slow_check, count_change, do_wake, do_take
};


static void
no_topic(void *ctx, im_topic_t *topic)
{
    (void) ctx;
    (void) topic;
}


static void
no_history(void *ctx, im_topic_t *topic, im_follow_history_e why)
{
    (void) why;

    no_topic(ctx, topic);
}


static void
no_members(void *ctx, im_topic_t *topic, im_follow_members_e why)
{
    (void) why;

    no_topic(ctx, topic);
}


static void
no_flush(void *ctx)
{
    (void) ctx;
}


static const im_follow_events_t  quiet = {
    .live = no_topic, .flush = no_flush, .history = no_history,
    .reported = no_topic, .members = no_members
};


/* Reports go out until all that are due are answered; topics have more. */
static void
answer_reports(unsigned *reported)
{
    unsigned       i, n;
    im_route_t    *routes[test_count(outs)];
    im_reported_t  reply;

    memset(&reply, 0, sizeof(im_reported_t));
    reply.applied = 1;
    reply.notified = 1;
    reply.epoch = im_str_z("1");
    reply.past = im_str_z("");

    for (im_follow_pump(&follow); out > 0; im_follow_pump(&follow)) {
        n = out;
        out = 0;
        memcpy(routes, outs, sizeof(outs));

        for (i = 0; i < n; i++) {
            reported[routes[i]->index]++;
            im_follow_reported(routes[i], &reply);
        }
    }
}


static char         wait_holes[1000];   /* "5;" is a hole up to 5 */
static char         wait_messages[1000];
static unsigned     wait_reads;


static im_int_t
wait_read(void *ctx, im_route_t *route, im_topic_t *topic,
    const im_read_t *read)
{
    (void) ctx;
    (void) route;
    (void) topic;

    assert_false(read->back);
    wait_reads++;

    return IM_OK;
}


static void
wait_hole(void *ctx, im_topic_t *topic, uint64_t seq)
{
    (void) ctx;
    (void) topic;

    sprintf(wait_holes + strlen(wait_holes), "%u;", (unsigned) seq);
}


static im_int_t
wait_message(void *ctx, im_topic_t *topic, const im_entry_t *entry, int healed)
{
    (void) ctx;
    (void) topic;
    (void) healed;

    sprintf(wait_messages + strlen(wait_messages), "%u;",
            (unsigned) entry->seq);

    return IM_OK;
}


static im_int_t
wait_moved(void *ctx, im_topic_t *topic, im_str_t epoch, uint64_t seq,
    int continues)
{
    (void) ctx;
    (void) topic;
    (void) epoch;
    (void) seq;
    (void) continues;

    return IM_OK;
}


static const im_follow_commands_t  waiting = {
    count_report, wait_read, slow_check, count_change, do_wake, do_take
};


static const im_follow_events_t  waited = {
    .live = no_topic, .flush = no_flush, .history = no_history,
    .reported = no_topic, .members = no_members, .hole = wait_hole,
    .message = wait_message, .moved = wait_moved
};


/* Ticks until the next page is asked for, and that page. */
static void
wait_page(im_route_t *route, im_page_status_e status, uint64_t top)
{
    unsigned   n;
    im_page_t  page;

    for (n = 0; wait_reads == 0 && n < 5; n++) {
        now += 1000;
        im_follow_tick(&follow, now);
    }

    assert_int_equal(wait_reads, 1);
    wait_reads = 0;

    memset(&page, 0, sizeof(im_page_t));
    page.status = status;
    page.epoch = im_str_z("1");
    page.past = im_str_z("");
    page.top = top;

    im_follow_page(route, 0, &page);
}


/* All pages that were asked for. */
static unsigned
wait_pages(im_topic_t **topics, unsigned n, im_page_t *page)
{
    unsigned     i, reads;
    im_route_t  *route;

    for (i = 0, reads = 0; i < n; i++) {
        route = topics[i]->data;

        if (route->history == IM_HISTORY_READING) {
            reads++;
            im_follow_page(route, 0, page);
        }
    }

    return reads;
}


static void
wait_entry(uint64_t seq)
{
    im_entry_t  entry;

    memset(&entry, 0, sizeof(im_entry_t));
    entry.kind = IM_PUSH_MESSAGE;
    entry.topic = im_str_z("u:1");
    entry.epoch = im_str_z("1");
    entry.seq = seq;
    entry.envelope = im_str_z("{}");

    im_follow_entry(&follow, &entry);
}


/* Gives inboxes u:1 ..., without a history, that have a position. */
static void
wait_start(im_sub_t **subs, im_topic_t **topics, unsigned n)
{
    int             first;
    char            name[16];
    unsigned        i, u;
    im_route_t     *route;
    im_reported_t   reply;

    static const uint64_t  hash_seed[2] = { 1, 2 };

    setup();
    assert_int_equal(im_hub_init(&hub, hash_seed, NPARTS, 256), IM_OK);

    now = 1000;
    out = 0;
    ncalls = 0;
    faults = calm;
    follow.commands = &waiting;
    follow.events = &waited;
    wait_holes[0] = '\0';
    wait_messages[0] = '\0';
    wait_reads = 0;

    im_follow_init(&follow, now);
    im_follow_up(&follow, im_partition(im_str_z("u:1"), NPARTS), 1);

    memset(&reply, 0, sizeof(im_reported_t));
    reply.applied = 1;
    reply.notified = 1;
    reply.epoch = im_str_z("1");
    reply.past = im_str_z("");
    reply.top = 5;

    for (i = 0, u = 1; i < n; u++) {
        sprintf(name, "u:%u", u);

        if (im_partition(im_str_z(name), NPARTS)
            != im_partition(im_str_z("u:1"), NPARTS))
        {
            continue;
        }

        subs[i] = im_sub_create(&hub.logs);
        topics[i] = im_hub_join(&hub, im_str_z(name), 0, subs[i], &first);
        assert_int_equal(im_follow_start(&follow, topics[i]), IM_OK);

        route = topics[i++]->data;
        route->upper.numbered = 0;
    }

    for (im_follow_pump(&follow); out > 0; im_follow_pump(&follow)) {
        im_follow_reported(outs[--out], &reply);
    }
}


static void
wait_stop(im_sub_t **subs, unsigned n)
{
    int             first;
    unsigned        i;
    im_reported_t   reply;

    memset(&reply, 0, sizeof(im_reported_t));
    reply.applied = 1;
    reply.epoch = im_str_z("");
    reply.past = im_str_z("");

    for (i = 0; i < n; i++) {
        im_follow_stop(&follow, im_hub_leave(&hub, subs[i], &first));
    }

    for (im_follow_pump(&follow); out > 0; im_follow_pump(&follow)) {
        im_follow_reported(outs[--out], &reply);
    }

    im_follow_cleanup(&follow);
    im_hub_cleanup(&hub);
    cleanup();
}


/*
 * Messages without a history that the queue has are not lost.  What is missing
 * when it is empty, twice since the last batch may be on its way, is a hole.
 */
static void
test_waits(void **state)
{
    im_sub_t    *sub;
    im_topic_t  *topic;
    im_route_t  *route;

    (void) state;

    wait_start(&sub, &topic, 1);
    route = topic->data;

    /* im_job is back, and what waits up to 8 is in the queue */

    im_history_heal(route);
    wait_entry(6);                         /* while the page is read */
    wait_page(route, IM_PAGE_WAITS, 8);
    wait_page(route, IM_PAGE_WAITS, 8);
    wait_page(route, IM_PAGE_HOLE, 8);
    wait_entry(7);
    wait_entry(8);
    wait_page(route, IM_PAGE_COMPLETE, 8);

    assert_string_equal(wait_messages, "6;7;8;");
    assert_string_equal(wait_holes, "");

    /* what does not come is told */

    im_history_heal(route);
    wait_page(route, IM_PAGE_WAITS, 9);
    wait_page(route, IM_PAGE_HOLE, 9);
    assert_string_equal(wait_holes, "");
    wait_page(route, IM_PAGE_HOLE, 9);
    assert_string_equal(wait_holes, "9;");

    wait_entry(10);
    assert_string_equal(wait_messages, "6;7;8;10;");

    wait_stop(&sub, 1);
}


/* Messages that came while a page was read are kept where it never comes. */
static void
test_no_page(void **state)
{
    im_sub_t    *sub;
    im_topic_t  *topic;
    im_route_t  *route;

    (void) state;

    wait_start(&sub, &topic, 1);
    route = topic->data;

    im_history_heal(route);
    assert_int_equal(wait_reads, 1);
    wait_reads = 0;

    wait_entry(6);
    wait_entry(7);
    im_follow_page(route, 0, NULL);
    wait_entry(8);

    /* it is asked for again by the clock, and not by each message */

    assert_int_equal(wait_reads, 0);
    wait_page(route, IM_PAGE_HOLE, 8);

    assert_string_equal(wait_messages, "6;7;8;");

    wait_entry(9);
    assert_string_equal(wait_messages, "6;7;8;9;");
    assert_string_equal(wait_holes, "");

    wait_stop(&sub, 1);
}


/* While a queue waits, one topic of its partition asks for all of them. */
static void
test_waits_together(void **state)
{
    unsigned     i, reads, asked;
    im_page_t    page;
    im_sub_t    *subs[50];
    im_topic_t  *topics[50];

    (void) state;

    wait_start(subs, topics, 50);

    memset(&page, 0, sizeof(im_page_t));
    page.epoch = im_str_z("1");
    page.past = im_str_z("");
    page.top = 8;
    page.status = IM_PAGE_WAITS;

    for (i = 0; i < 50; i++) {
        im_history_heal(topics[i]->data);
    }

    assert_int_equal(wait_pages(topics, 50, &page), 50);

    for (i = 0, asked = 0; i < 20; i++) {
        now += 1000;
        im_follow_tick(&follow, now);

        reads = wait_pages(topics, 50, &page);
        assert_in_range(reads, 0, 1);
        asked += reads;
    }

    assert_in_range(asked, 10, 20);

    /* the queue is empty: all ask, twice, and what they lack is a hole */

    page.status = IM_PAGE_HOLE;

    for (i = 0; i < 8; i++) {
        now += 1000;
        im_follow_tick(&follow, now);
        wait_pages(topics, 50, &page);
    }

    for (i = 0; i < 50; i++) {
        assert_int_equal(topics[i]->seq, 8);
    }

    wait_stop(subs, 50);
}


/* What each topic waits for comes: soon all of them know. */
static void
test_waits_end(void **state)
{
    unsigned     i, left;
    im_page_t    page;
    im_sub_t    *subs[50];
    im_route_t  *route;
    im_topic_t  *topics[50];

    (void) state;

    wait_start(subs, topics, 50);

    memset(&page, 0, sizeof(im_page_t));
    page.epoch = im_str_z("1");
    page.past = im_str_z("");
    page.top = 5;
    page.status = IM_PAGE_WAITS;

    for (i = 0; i < 50; i++) {
        im_history_heal(topics[i]->data);
    }

    wait_pages(topics, 50, &page);
    page.status = IM_PAGE_COMPLETE;

    for (i = 0; i < 10; i++) {
        now += 1000;
        im_follow_tick(&follow, now);
        wait_pages(topics, 50, &page);
    }

    for (i = 0, left = 0; i < 50; i++) {
        route = topics[i]->data;
        left += route->history != IM_HISTORY_WHOLE;
    }

    assert_int_equal(left, 0);

    wait_stop(subs, 50);
}


static unsigned  checked[1000];


/* One is sent, and no other one in this second. */
static im_int_t
scarce_check(void *ctx, const im_check_t *checks, im_uint_t n)
{
    unsigned  i;

    (void) ctx;

    for (i = 0; i < n; i++) {
        checked[atoi((char *) checks[i].topic.data + 2)]++;
    }

    return IM_AGAIN;
}


static const im_follow_commands_t  scarce = {
    count_report, do_read, scarce_check, count_change, do_wake, do_take
};


/* A thousand topics that Redis knows. */
static void
slow_begin(const im_follow_commands_t *calling, im_sub_t **subs,
    unsigned *reported)
{
    char         name[16];
    int          first;
    unsigned     i;
    im_topic_t  *topic;

    static const uint64_t  hash_seed[2] = { 1, 2 };

    setup();
    assert_int_equal(im_hub_init(&hub, hash_seed, NPARTS, 256), IM_OK);

    now = 1000;
    out = 0;
    ncalls = 0;
    faults = calm;
    follow.commands = calling;
    follow.events = &quiet;
    memset(reported, 0, 1000 * sizeof(unsigned));

    im_follow_init(&follow, now);

    for (i = 0; i < NPARTS; i++) {
        im_follow_up(&follow, i, 1);
    }

    for (i = 0; i < 1000; i++) {
        sprintf(name, "u:%u", i);

        subs[i] = im_sub_create(&hub.logs);
        topic = im_hub_join(&hub, im_str_z(name), 0, subs[i], &first);
        assert_int_equal(im_follow_start(&follow, topic), IM_OK);
    }

    answer_reports(reported);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(reported[i], 1);
    }
}


static void
slow_end(im_sub_t **subs, unsigned *reported)
{
    int          last;
    unsigned     i;
    im_topic_t  *topic;

    for (i = 0; i < 1000; i++) {
        topic = im_hub_leave(&hub, subs[i], &last);
        im_follow_stop(&follow, topic);
    }

    answer_reports(reported);

    im_follow_cleanup(&follow);
    im_hub_cleanup(&hub);
    cleanup();
}


/* Where checks can't be sent, what Redis has is renewed all the same. */
static void
test_slow(void **state)
{
    unsigned   i, reported[1000];
    im_sub_t  *subs[1000];

    (void) state;

    slow_begin(&slow, subs, reported);

    now += follow.limits.refresh;

    for (i = 0; i < 20; i++) {
        now += 100;
        im_follow_tick(&follow, now);
        answer_reports(reported);
    }

    for (i = 0; i < 1000; i++) {
        assert_int_equal(reported[i], 2);
    }

    slow_end(subs, reported);
}


/* Where one is sent in a second, all are checked in turn, and renewed. */
static void
test_scarce(void **state)
{
    unsigned   i, n, reported[1000];
    im_sub_t  *subs[1000];

    (void) state;

    slow_begin(&scarce, subs, reported);
    memset(checked, 0, sizeof(checked));

    for (n = 0; n < 5; n++) {
        now += 1000;
        im_follow_tick(&follow, now);
    }

    for (i = 0; i < 1000; i++) {
        assert_int_equal(checked[i], 1);
    }

    now += follow.limits.refresh;

    for (n = 0; n < 20; n++) {
        now += 100;
        im_follow_tick(&follow, now);
        answer_reports(reported);
    }

    for (i = 0; i < 1000; i++) {
        assert_int_equal(reported[i], 2);
    }

    slow_end(subs, reported);
}


static void
cut(int anew)
{
    unsigned  i;

    for (i = 0; i < NPARTS; i++) {
        im_follow_down(&follow, i);
    }

    for (i = 0; i < NPARTS; i++) {
        im_follow_up(&follow, i, anew);
    }
}


/*
 * After a cut, positions are compared.  All is reported again only where Redis
 * may have lost it.
 */
static void
test_reconnected(void **state)
{
    char         name[16];
    int          first;
    unsigned     i, reported[101];
    im_sub_t    *subs[101];
    im_topic_t  *topics[101];

    static const uint64_t  hash_seed[2] = { 1, 2 };

    (void) state;

    setup();
    assert_int_equal(im_hub_init(&hub, hash_seed, NPARTS, 256), IM_OK);

    out = 0;
    faults = calm;
    follow.commands = &slow;
    follow.events = &quiet;
    memset(reported, 0, sizeof(reported));

    im_follow_init(&follow, 1000);
    cut(1);

    for (i = 0; i < 101; i++) {
        sprintf(name, "u:%u", i);

        subs[i] = im_sub_create(&hub.logs);
        topics[i] = im_hub_join(&hub, im_str_z(name), 0, subs[i], &first);

        if (i < 100) {
            assert_int_equal(im_follow_start(&follow, topics[i]), IM_OK);
        }
    }

    nasks = 0;
    answer_reports(reported);
    assert_int_equal(nasks, 0);

    /* the same process: one was not reported yet, the others ask */

    assert_int_equal(im_follow_start(&follow, topics[100]), IM_OK);
    cut(0);
    answer_reports(reported);

    assert_int_equal(nasks, 100);
    assert_int_equal(reported[100], 1);

    for (i = 0; i < 100; i++) {
        assert_int_equal(reported[i], 2);
    }

    /* a report that was under way is repeated */

    im_follow_member(&follow, subs[0], 0);
    im_follow_tick(&follow, 2000);
    assert_int_equal(out, 1);
    out = 0;
    im_follow_reported(outs[0], NULL);
    cut(0);
    answer_reports(reported);
    assert_int_equal(nasks, 200);

    /* another process */

    cut(1);
    answer_reports(reported);
    assert_int_equal(nasks, 200);

    for (i = 0; i < 101; i++) {
        assert_true(reported[i] >= 3);
        im_follow_stop(&follow, im_hub_leave(&hub, subs[i], &first));
    }

    answer_reports(reported);

    im_follow_cleanup(&follow);
    im_hub_cleanup(&hub);
    cleanup();
}


static void
test_calm(void **state)
{
    (void) state;

    nholes = 0;
    sequences(&calm, 1000000);
}


static void
test_rough(void **state)
{
    (void) state;

    sequences(&rough, 2000000);
}


static void
test_no_memory(void **state)
{
    (void) state;

    sequences(&poor, 3000000);
}


static void
test_large(void **state)
{
    (void) state;

    nsequences = im_max(nsequences / 20, 1);
    sequences(&large, 4000000);
}


int
main(int argc, char **argv)
{
    static const struct CMUnitTest  tests[] = {
        alloc_test(test_away),
        alloc_test(test_hangs),
        alloc_test(test_waits),
        alloc_test(test_no_page),
        alloc_test(test_waits_together),
        alloc_test(test_waits_end),
        alloc_test(test_slow),
        alloc_test(test_scarce),
        alloc_test(test_reconnected),
        alloc_test(test_each_allocation),
        alloc_test(test_calm),
        alloc_test(test_rough),
        alloc_test(test_no_memory),
        alloc_test(test_large)
    };

    if (argc > 1) {
        nsequences = (unsigned) atoi(argv[1]);
    }

    if (argc > 2) {
        only = strtoull(argv[2], NULL, 10);
    }

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
