/*
 * Copyright (C) The im authors
 *
 * Sessions that move between workers, beside one Redis that is slow, loses
 * calls and forgets.  At each moment Redis counts each session once, and has
 * each member once, whatever is under way; each session gets each message, and
 * each join and leave of another one, once.
 *
 *     build/t/pin_test [SEQUENCES [SEED]]
 */

#include "test.h"
#include "im_control.h"
#include "im_follow.h"
#include "im_route.h"


#define NWORKERS   4             /* 0 and 1 go to 2, and 2 goes to 3 */
#define NFLOWS     3
#define NTOPICS    5
#define NSESSIONS  16
#define NPARTS     2
#define NCALLS     1024
#define NENTRIES   4096
#define STEPS      600
#define NMARKS     1024
#define FENCES     (1ull << 32)


typedef struct {
    int            routed;
    uint64_t       count;
    uint64_t       version;
    uint64_t       lent;         /* taken from it, of this fence's versions */
    uint64_t       left;         /* version of a leave */
    unsigned       members;      /* bits of sessions */
} share_t;


/* What a control entry says. */
typedef struct {
    unsigned       from;         /* the worker */
    unsigned       n;            /* 0: it is a message */
    struct {
        unsigned   session;
        unsigned   number;       /* odd: joined */
        int        late;
    }              changes[IM_CONTROL_CHANGES_MAX];
} notice_t;


/* A topic in Redis. */
typedef struct {
    unsigned       epoch;        /* 0: none */
    uint64_t       seq;
    uint64_t       mark;         /* of the last message without a number */
    uint64_t       behind[NMARKS]; /* entries with one, by marks */
    notice_t       notices[NMARKS]; /* of control entries */
    unsigned       nchanges[NSESSIONS]; /* joins and leaves of each, ever */
    share_t        shares[NWORKERS];
} rtopic_t;


typedef struct {
    im_hub_t       hub;
    im_follow_t    follow;
    int            started;
    int            woken;
    unsigned       taken;        /* bits of workers: event taken came */
    char           id[8];
} worker_t;


typedef struct {
    unsigned       worker;
    int            flight;       /* the record is on its way to the next one */
    unsigned       topics;       /* bits */
    im_sub_t      *subs[NTOPICS];
    im_sub_t      *next[NTOPICS];
    uint64_t       got[NTOPICS];
    uint64_t       since[NTOPICS];    /* it began behind this mark */
    uint64_t       marks[NTOPICS];
    uint64_t       at[NTOPICS];  /* in the record, as the next ones */
    uint64_t       at_marks[NTOPICS];
    im_epoch_t     epochs[NTOPICS];
    unsigned       live;         /* bits */
    int            left;         /* "r:presence", and Redis may not know */
    unsigned       heard[NSESSIONS];    /* of others in "r:presence", */
    unsigned       at_heard[NSESSIONS]; /* the same in the record, */
    unsigned       since_heard[NSESSIONS]; /* and when it began */
} session_t;


typedef enum { FLOW_IDLE, FLOW_MOVING, FLOW_FREEZING, FLOW_SETTLING, FLOW_OWING,
    FLOW_DONE } flow_e;


typedef struct {
    unsigned       from;
    unsigned       to;
    flow_e         state;
    unsigned       named;        /* bits of topics */
    unsigned       ready;
    im_topic_t    *pinned[NTOPICS];
    im_topic_t    *held[NTOPICS];
    uint64_t       fence;
    int            settled;      /* the new worker knows that it has broken */
    int            dead;         /* for the old one */
} flow_t;


typedef enum { CALL_REPORT, CALL_TAKE, CALL_READ } call_e;


typedef struct {
    call_e         kind;
    unsigned       w;
    unsigned       t;
    im_route_t    *route;
    int            executed;
    im_report_t    report;
    unsigned       add;
    unsigned       del;
    notice_t       notice;
    uint64_t       own;          /* its mark, or 0 */
    unsigned       from;         /* take: the other worker */
    im_taking_t    taking;
    int            applied;
    uint64_t       stored;
    unsigned       epoch;
    uint64_t       top;
    uint64_t       mark;
    unsigned       since;
    uint64_t       seq;
    im_page_status_e status;
} call_t;


typedef struct {
    unsigned       w;
    unsigned       t;
    unsigned       epoch;
    uint64_t       seq;
    uint64_t       mark;         /* 0: it has a number */
} sent_t;


typedef struct {
    unsigned       churn;        /* one in so many steps; 0: none */
    unsigned       lose;         /* connections */
    unsigned       forget;       /* a topic's routes */
    unsigned       newer;        /* it has a later version of a report */
    unsigned       generation;   /* a new epoch */
    unsigned       broken;       /* channels */
    unsigned       memory;
} faults_t;


static const char *const  names[NTOPICS] = {
    "r:none", "r:presence", "r:history", "u:1", "b"
};

static unsigned       nsequences = 600;
static uint64_t       only;
static uint64_t       seed;
static random_t       rnd;
static faults_t       faults;
static im_rules_t     rules;
static rtopic_t       redis[NTOPICS];
static worker_t       workers[NWORKERS];
static session_t      sessions[NSESSIONS];
static flow_t         flows[NFLOWS];
static call_t         calls[NCALLS];
static unsigned       ncalls;
static sent_t         entries[NENTRIES];
static unsigned       nentries;
static unsigned       nepochs;
static uint64_t       now;
static int            exact;          /* Redis has heard of all sessions */
static int            gaps;           /* some were not routed */
static unsigned       cut[NTOPICS];   /* sessions that may still count */
static int            joins;          /* each join and leave is heard once */
static unsigned       nlate;
static unsigned       nmoved, nagain, nnotified, ncaught, nresent, nkept;
static unsigned       nbroken, nlent;


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
topic_index(im_str_t name)
{
    unsigned  t;

    for (t = 0; !im_str_eq(name, im_str_z(names[t])); t++) { /* void */ }

    return t;
}


/* Odd sessions are guests: they count where the room has presence. */
static int
is_member(unsigned t, unsigned s)
{
    return t < NTOPICS - 1 && (s % 2 == 0 || t == 1);
}


static unsigned
epoch_number(im_str_t epoch)
{
    return epoch.len > 1 ? epoch.data[1] - 'a' + 1 : 0;
}


static im_str_t
epoch_str(char *buf, unsigned epoch)
{
    buf[0] = 'e';
    buf[1] = (char) ('a' + epoch - 1);

    return im_str_set(buf, epoch > 0 ? 2 : 0);
}


/* What is on its way to a worker of a topic. */
static int
is_queued(unsigned w, unsigned t)
{
    unsigned  i;

    for (i = 0; i < nentries; i++) {
        if (entries[i].w == w && entries[i].t == t) {
            return 1;
        }
    }

    return 0;
}


/* So is a message without a number, which must not take a second. */
static int
is_marked(unsigned w)
{
    unsigned  i;

    for (i = 0; i < nentries; i++) {
        if (entries[i].w == w && entries[i].mark > 0) {
            return 1;
        }
    }

    return 0;
}


/* A session hears of the change of another one. */
static void
session_hears(unsigned s, unsigned other, unsigned number)
{
    if (s == other || number <= sessions[s].since_heard[other]) {
        return;
    }

    trace("session %u hears %c%u (%u)\n", s, number % 2 ? '+' : '-', other,
          number);

    if (joins && number != sessions[s].heard[other] + 1) {
        wrong("session %u hears %c%u, number %u behind %u", s,
              number % 2 ? '+' : '-', other, number,
              sessions[s].heard[other]);
    }

    sessions[s].heard[other] = number;
}


/* So do all that follow at a worker. */
static void
worker_hears(unsigned w, unsigned other, unsigned number)
{
    unsigned  s;

    for (s = 0; s < NSESSIONS; s++) {
        if (sessions[s].worker == w && (sessions[s].live & 2)) {
            session_hears(s, other, number);
        }
    }
}


static void
session_begins(unsigned s, unsigned t, const im_topic_t *topic)
{
    unsigned  i;

    sessions[s].live |= 1u << t;
    sessions[s].got[t] = topic->seq;
    sessions[s].marks[t] = im_follow_mark(topic);
    sessions[s].since[t] = im_follow_mark(topic);

    for (i = 0; t == 1 && i < NSESSIONS; i++) {
        sessions[s].heard[i] = redis[t].nchanges[i];
        sessions[s].since_heard[i] = redis[t].nchanges[i];
    }

    if (t == 1 && !sessions[s].subs[t]->said) {
        worker_hears(sessions[s].worker, s, redis[t].nchanges[s]);
    }
}


/* Events. */

static void
on_live(void *ctx, im_topic_t *topic)
{
    unsigned   t, s;
    im_log_t  *log;
    worker_t  *w;

    w = ctx;
    t = topic_index(im_topic_name(topic));

    for (log = topic->logs; log != NULL; log = log->next) {
        while (!im_ring_empty(&log->joining)) {
            im_sub_live(&w->hub.logs, im_slab_object(&w->hub.logs.subs,
                                                     log->joining.first));
        }
    }

    for (s = 0; s < NSESSIONS; s++) {
        if (sessions[s].worker == w - workers
            && (sessions[s].topics & (1u << t)))
        {
            session_begins(s, t, topic);
        }
    }
}


static void
session_gets(unsigned s, unsigned t, uint64_t seq)
{
    if (seq != sessions[s].got[t] + 1) {
        wrong("session %u gets number %llu of \"%s\" behind %llu", s,
              (unsigned long long) seq, names[t],
              (unsigned long long) sessions[s].got[t]);
    }

    sessions[s].got[t] = seq;
}


/*
 * A message without a number, behind the same ones as others get it.  What was
 * on its way when the session began may come to it, too.
 */
static void
session_marks(unsigned s, unsigned t, uint64_t mark)
{
    if (mark <= sessions[s].since[t]) {
        return;
    }

    if (mark <= sessions[s].marks[t]
        || (!gaps && (mark != sessions[s].marks[t] + 1
                      || redis[t].behind[mark % NMARKS] != sessions[s].got[t])))
    {
        wrong("session %u gets mark %llu of \"%s\" behind %llu, and behind "
              "number %llu in the place of %llu", s,
              (unsigned long long) mark, names[t],
              (unsigned long long) sessions[s].marks[t],
              (unsigned long long) sessions[s].got[t],
              (unsigned long long) redis[t].behind[mark % NMARKS]);
    }

    trace("session %u gets mark %u of %s\n", s, (unsigned) mark, names[t]);

    sessions[s].marks[t] = mark;
}


/* What the worker has said at once it doesn't say again. */
static void
notice_heard(const notice_t *notice, unsigned w)
{
    unsigned  i;

    for (i = 0; i < notice->n; i++) {
        if (notice->from != w || notice->changes[i].late) {
            worker_hears(w, notice->changes[i].session,
                         notice->changes[i].number);
            nlate += notice->from == w;
        }
    }
}


static im_int_t
on_message(void *ctx, im_topic_t *topic, const im_entry_t *entry, int healed)
{
    unsigned   t, s;
    worker_t  *w;

    (void) healed;

    w = ctx;
    t = topic_index(im_topic_name(topic));

    if (entry->seq > 0 && chance(faults.memory)) {
        return IM_ERROR;
    }

    if (entry->kind == IM_PUSH_CONTROL) {
        notice_heard(&redis[t].notices[im_entry_mark(entry) % NMARKS],
                     (unsigned) (w - workers));
    }

    for (s = 0; s < NSESSIONS; s++) {
        if (sessions[s].worker != w - workers || sessions[s].flight
            || (sessions[s].live & (1u << t)) == 0)
        {
            continue;
        }

        if (entry->seq > 0) {
            session_gets(s, t, entry->seq);

        } else {
            session_marks(s, t, im_entry_mark(entry));
        }
    }

    return IM_OK;
}


/* Numbers go on: what Redis has forgotten is told to followers as a hole. */
static im_int_t
on_moved(void *ctx, im_topic_t *topic, im_str_t epoch, uint64_t seq,
    int continues)
{
    unsigned   t, s;
    worker_t  *w;

    (void) epoch;

    w = ctx;
    t = topic_index(im_topic_name(topic));

    for (s = 0; !continues && s < NSESSIONS; s++) {
        if (sessions[s].worker == w - workers && !sessions[s].flight
            && (sessions[s].live & (1u << t)))
        {
            sessions[s].got[t] = seq;
        }
    }

    return IM_OK;
}


static void
on_hole(void *ctx, im_topic_t *topic, uint64_t seq)
{
    (void) ctx;
    (void) topic;
    (void) seq;
}


static void
on_flush(void *ctx)
{
    (void) ctx;
}


static void
on_history(void *ctx, im_topic_t *topic, im_follow_history_e why)
{
    (void) ctx;
    (void) topic;
    (void) why;
}


static void
on_reported(void *ctx, im_topic_t *topic)
{
    (void) ctx;
    (void) topic;
}


static void
on_members(void *ctx, im_topic_t *topic, im_follow_members_e why)
{
    (void) ctx;
    (void) topic;
    (void) why;
}


static void
on_ended(void *ctx, void *data)
{
    (void) ctx;
    (void) data;
}


static void
on_taken(void *ctx, im_str_t from)
{
    unsigned   i;
    worker_t  *w;

    w = ctx;

    for (i = 0; !im_str_eq(from, im_str_z(workers[i].id)); i++) { /* void */ }

    w->taken |= 1u << i;
}


static unsigned
change_number(const im_change_t *change)
{
    unsigned  number;

    memcpy(&number, change->id, sizeof(unsigned));

    return number;
}


static void
on_late(void *ctx, im_topic_t *topic, const im_change_t *change)
{
    assert_string_equal(topic->name, names[1]);

    nlate++;
    worker_hears((unsigned) ((worker_t *) ctx - workers),
                 (unsigned) change->session, change_number(change));
}


static void
on_joins(void *ctx, im_sub_t *sub)
{
    worker_hears((unsigned) ((worker_t *) ctx - workers), sub->session,
                 redis[1].nchanges[sub->session]);
}


/* Commands. */

static call_t *
call_new(call_e kind, void *ctx, im_route_t *route, im_str_t name)
{
    call_t  *call;

    assert_true(ncalls < NCALLS);

    call = &calls[ncalls++];
    memset(call, 0, sizeof(call_t));

    call->kind = kind;
    call->w = (worker_t *) ctx - workers;
    call->t = topic_index(name);
    call->route = route;

    return call;
}


static void
notice_add(notice_t *notice, const im_report_t *report,
    const im_change_t *change)
{
    if (!report->notify || !report->each || change->quiet) {
        return;
    }

    assert_true(notice->n < IM_CONTROL_CHANGES_MAX);

    notice->changes[notice->n].session = (unsigned) change->session;
    notice->changes[notice->n].number = change_number(change);
    notice->changes[notice->n++].late = change->late;
}


static im_int_t
do_report(void *ctx, im_route_t **routes, im_report_t *reports, im_uint_t n)
{
    call_t       *call;
    unsigned      bit;
    im_list_t    *q;
    im_uint_t     i;
    im_change_t  *change;

    if (chance(faults.memory)) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        call = call_new(CALL_REPORT, ctx, routes[i], reports[i].topic);

        for (q = im_list_first(reports[i].changes);
             q != im_list_sentinel(reports[i].changes) && !reports[i].leave
             && (reports[i].nsent < 3 || reports[i].all);
             q = im_list_next(q))
        {
            change = im_list_data(q, im_change_t, link);
            bit = 1u << change->session;
            notice_add(&call->notice, &reports[i], change);

            if (!change->joined) {
                call->add &= ~bit;
                call->del |= bit;

            } else if (sessions[change->session].worker == call->w
                       && (sessions[change->session].topics
                           & (1u << call->t)))
            {
                call->add |= bit;
                call->del &= ~bit;
            }

            reports[i].nsent++;
        }

        for (q = im_list_first(reports[i].changes);
             q != im_list_sentinel(reports[i].changes) && reports[i].leave;
             q = im_list_next(q))
        {
            notice_add(&call->notice, &reports[i],
                       im_list_data(q, im_change_t, link));

            if (++reports[i].nsent == 3) {
                break;
            }
        }

        call->notice.from = call->w;
        call->report = reports[i];
        nnotified += reports[i].notify;

        if (reports[i].notify) {
            trace("others hear of %s from %s\n", names[call->t],
                  workers[call->w].id);
        }
    }

    return IM_OK;
}


static im_int_t
do_read(void *ctx, im_route_t *route, im_topic_t *topic, const im_read_t *read)
{
    call_t  *call;

    call = call_new(CALL_READ, ctx, route, im_topic_name(topic));

    assert_false(read->back);
    call->since = epoch_number(im_str_set(topic->epoch.data,
                                          topic->epoch.len));
    call->seq = read->seq;

    return IM_OK;
}


static im_int_t
do_check(void *ctx, const im_check_t *checks, im_uint_t n)
{
    im_uint_t   i;
    rtopic_t   *rt;
    share_t    *share;
    worker_t   *w;

    w = ctx;

    for (i = 0; i < n; i++) {
        rt = &redis[topic_index(checks[i].topic)];
        share = &rt->shares[w - workers];

        if (!share->routed || (checks[i].members && share->members == 0)
            || epoch_number(checks[i].epoch) != rt->epoch)
        {
            im_follow_checked(&w->follow, checks[i].topic, IM_CHECK_GONE,
                              rt->seq);

        } else if (rt->seq > checks[i].seq) {
            im_follow_checked(&w->follow, checks[i].topic, IM_CHECK_BEHIND,
                              rt->seq);
        }
    }

    return IM_OK;
}


static im_int_t
do_change(void *ctx, im_sub_t *sub, int joined, im_change_t **change)
{
    (void) ctx;

    if (!is_member(topic_index(im_topic_name(sub->log->topic)), sub->session))
    {
        return IM_DECLINED;
    }

    *change = chance(faults.memory) ? NULL : im_calloc(sizeof(im_change_t));
    if (*change == NULL) {
        return IM_ERROR;
    }

    (*change)->session = sub->session;
    (*change)->joined = joined;

    memcpy((*change)->id,
           &redis[topic_index(im_topic_name(sub->log->topic))]
               .nchanges[sub->session],
           sizeof(unsigned));

    return IM_OK;
}


static void
do_wake(void *ctx)
{
    ((worker_t *) ctx)->woken = 1;
}


static im_int_t
do_take(void *ctx, im_str_t from, im_route_t **routes, im_taking_t *takings,
    im_uint_t n)
{
    call_t     *call;
    unsigned    bit;
    im_sub_t   *sub;
    im_list_t  *q;
    im_uint_t   i, j;
    worker_t   *w;

    w = ctx;

    if (chance(faults.memory)) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        call = call_new(CALL_TAKE, ctx, routes[i], takings[i].topic);

        takings[i].nsubs = im_min(takings[i].nsubs, 3);

        for (j = 0; j < takings[i].nsubs; j++) {
            sub = im_slab_object(&w->hub.logs.subs, takings[i].subs[j]);
            bit = 1u << sub->session;
            assert_true(sub->taken);

            if (is_member(call->t, sub->session)) {
                call->add |= bit;
                takings[i].nmembers++;
            }
        }

        for (j = 0, q = im_list_first(takings[i].left);
             j < takings[i].nleft;
             j++, q = im_list_next(q))
        {
            call->del |= 1u << im_list_data(q, im_change_t, link)->session;
        }

        for (call->from = 0;
             !im_str_eq(from, im_str_z(workers[call->from].id));
             call->from++)
        {
            /* void */
        }

        call->taking = takings[i];
    }

    return IM_OK;
}


static const im_follow_commands_t  commands = {
    do_report, do_read, do_check, do_change, do_wake, do_take
};

static const im_follow_events_t  events = {
    on_live, on_message, on_moved, on_hole, on_flush, on_history, on_reported,
    on_members, on_ended, on_taken, on_late, on_joins
};


/* Redis. */

static void
redis_begin(rtopic_t *rt)
{
    if (rt->epoch == 0) {
        rt->epoch = ++nepochs;
    }
}


/* counted() of meta.lua */
static void
redis_count(share_t *share, uint64_t count, uint64_t version)
{
    if (!share->routed || share->version / FENCES != version / FENCES) {
        share->lent = 0;
    }

    share->routed = 1;
    share->count = count - im_min(count, share->lent);
    share->version = version;
}


static void
redis_send(unsigned w, unsigned t, uint64_t seq, uint64_t mark)
{
    if (redis[t].shares[w].routed && nentries < NENTRIES) {
        entries[nentries].w = w;
        entries[nentries].t = t;
        entries[nentries].epoch = redis[t].epoch;
        entries[nentries].mark = mark;
        entries[nentries++].seq = seq;
    }
}


/* The mark of the control entry, which goes to this worker, too. */
static uint64_t
redis_tell(call_t *call)
{
    unsigned   w, others;
    rtopic_t  *rt;

    rt = &redis[call->t];

    for (w = 0, others = 0; w < NWORKERS; w++) {
        others += w != call->w && rt->shares[w].routed;
    }

    if (call->notice.n == 0 || others == 0) {
        return 0;
    }

    rt->mark++;
    rt->behind[rt->mark % NMARKS] = rt->seq;
    rt->notices[rt->mark % NMARKS] = call->notice;

    trace("%s: mark %u has changes of %s\n", names[call->t],
          (unsigned) rt->mark, workers[call->w].id);

    for (w = 0; w < NWORKERS; w++) {
        redis_send(w, call->t, 0, rt->mark);
    }

    return rt->mark;
}


/* route.lua */
static void
redis_report(call_t *call)
{
    uint64_t      old;
    rtopic_t     *rt;
    share_t      *share;
    im_report_t  *report;

    rt = &redis[call->t];
    share = &rt->shares[call->w];
    report = &call->report;

    old = share->routed ? share->version : share->left;
    call->applied = !report->ask && (old == 0 || report->version > old);

    if (call->applied && report->leave) {
        share->routed = 0;
        share->members = 0;
        share->left = report->version;

    } else if (call->applied) {
        redis_begin(rt);
        redis_count(share, report->count, report->version);
        share->members = ((report->all ? 0 : share->members) & ~call->del)
                         | call->add;
    }

    call->own = call->applied ? redis_tell(call) : 0;
    call->stored = report->ask || call->applied ? 0 : old;
    call->epoch = rt->epoch;
    call->top = rt->seq;
    call->mark = call->own > 0 ? rt->mark - 1 : rt->mark;
}


/* take.lua */
static void
redis_take(call_t *call)
{
    uint64_t      old;
    share_t      *share, *other;
    im_taking_t  *taking;

    share = &redis[call->t].shares[call->w];
    other = &redis[call->t].shares[call->from];
    taking = &call->taking;

    old = share->routed ? share->version : share->left;
    call->applied = old <= taking->version;
    call->stored = old;

    trace("take %s of %s: count %u version %u moved %u add %x del %x: %d\n",
          workers[call->w].id, names[call->t], (unsigned) taking->count,
          (unsigned) taking->version, (unsigned) taking->moved, call->add,
          call->del, old == taking->version ? 2 : call->applied);

    if (old == taking->version) {
        nresent++;
    }

    if (old >= taking->version) {
        return;
    }

    if (other->routed && other->version < taking->fence) {
        if (other->version < taking->fence - FENCES) {
            other->version = taking->fence - FENCES;
            other->lent = 0;
        }

        other->count -= im_min(other->count, taking->moved);
        other->lent += taking->moved;
    }

    redis_count(share, taking->count, taking->version);

    other->members &= ~(call->add | call->del);
    share->members |= call->add;
}


/* hist.lua of topics that keep nothing */
static void
redis_read(call_t *call)
{
    rtopic_t  *rt;

    rt = &redis[call->t];

    call->epoch = rt->epoch;
    call->top = rt->seq;
    call->mark = rt->mark;
    call->status = rt->epoch != 0 && call->seq == rt->seq
                   ? IM_PAGE_COMPLETE
                   : rt->epoch == call->since && is_queued(call->w, call->t)
                     ? IM_PAGE_WAITS : IM_PAGE_HOLE;
}


/*
 * Whatever is under way: each session counts once, and each member is there
 * once.
 */
static void
check_exact(const char *when)
{
    unsigned  t, s, w, count, ncut, seen, members;
    uint64_t  sum;
    share_t  *share;

    for (t = 0; t < NTOPICS - 1; t++) {

        for (s = 0, count = 0, members = 0; s < NSESSIONS; s++) {
            if (sessions[s].topics & (1u << t)) {
                count++;
                members |= is_member(t, s) ? 1u << s : 0;
            }
        }

        for (w = 0, sum = 0, seen = 0; w < NWORKERS; w++) {
            share = &redis[t].shares[w];
            sum += share->routed ? share->count : 0;

            nlent += share->routed && share->lent > 0;

            if (exact && (seen & share->members)) {
                wrong("%s: members %x of \"%s\" are there twice", when,
                      seen & share->members, names[t]);
            }

            seen |= share->members;
        }

        for (s = 0, ncut = 0; s < NSESSIONS; s++) {
            ncut += (cut[t] & ~members & (1u << s)) != 0;
        }

        if (exact && (sum < count || sum > count + ncut
                      || (seen & ~cut[t]) != (members & ~cut[t])
                      || (seen & members) != members))
        {
            wrong("%s: \"%s\" has %u followers, %x; Redis has %u, %x", when,
                  names[t], count, members, (unsigned) sum, seen);
        }
    }
}


static void
call_execute(call_t *call)
{
    call->executed = 1;

    switch (call->kind) {

    case CALL_REPORT:
        redis_report(call);
        trace("report %s of %s: ask %d leave %d all %d count %u version %u "
              "add %x del %x: %d\n", workers[call->w].id, names[call->t],
              call->report.ask, call->report.leave, call->report.all,
              (unsigned) call->report.count, (unsigned) call->report.version,
              call->add, call->del, call->applied);
        break;

    case CALL_TAKE:
        redis_take(call);
        break;

    default:
        redis_read(call);
    }

    if (exact) {
        check_exact("a call");
    }
}


static void
call_answer(unsigned i, int lost)
{
    char           buf[2];
    call_t         call;
    worker_t      *w;
    im_page_t      page;
    im_reported_t  reply;

    call = calls[i];
    w = &workers[call.w];

    ncalls--;
    memmove(calls + i, calls + i + 1, (ncalls - i) * sizeof(call_t));

    trace("answer %s of %s %d lost %d\n", w->id, names[call.t], call.kind,
          lost);

    if (call.kind == CALL_TAKE) {
        im_follow_taken(call.route, lost ? IM_ERROR
                                         : call.applied ? IM_OK : IM_DECLINED,
                        call.stored);
        return;
    }

    if (call.kind == CALL_REPORT) {
        memset(&reply, 0, sizeof(im_reported_t));
        reply.applied = (uint8_t) call.applied;
        reply.notified = 1;
        reply.stored = call.stored;
        reply.epoch = epoch_str(buf, call.report.leave ? 0 : call.epoch);
        reply.top = call.top;
        reply.mark = call.mark;
        reply.own = call.own;
        reply.past = im_str_z("");

        im_follow_reported(call.route, lost ? NULL : &reply);
        return;
    }

    memset(&page, 0, sizeof(im_page_t));
    page.status = call.status;
    page.epoch = epoch_str(buf, call.epoch);
    page.top = call.top;
    page.mark = call.mark;
    page.past = im_str_z("");

    im_follow_page(call.route, 0, lost ? NULL : &page);
}


static void
publish(unsigned t, int numbered)
{
    unsigned  w;

    if (redis[t].epoch == 0) {
        return;
    }

    if (numbered) {
        redis[t].seq++;

    } else {
        redis[t].mark++;
        redis[t].behind[redis[t].mark % NMARKS] = redis[t].seq;
        redis[t].notices[redis[t].mark % NMARKS].n = 0;
    }

    trace("%s: number %u mark %u\n", names[t], (unsigned) redis[t].seq,
          (unsigned) redis[t].mark);

    for (w = 0; w < NWORKERS; w++) {
        redis_send(w, t, numbered ? redis[t].seq : 0,
                   numbered ? 0 : redis[t].mark);
    }
}


/* The next one of a worker. */
static void
deliver(unsigned w)
{
    char        buf[32];
    sent_t      sent;
    unsigned    i;
    im_entry_t  entry;

    for (i = 0; i < nentries && entries[i].w != w; i++) { /* void */ }

    if (i == nentries) {
        return;
    }

    sent = entries[i];
    nentries--;
    memmove(entries + i, entries + i + 1, (nentries - i) * sizeof(sent_t));

    if (!workers[w].started) {
        return;
    }

    memset(&entry, 0, sizeof(im_entry_t));
    entry.kind = IM_PUSH_MESSAGE;
    entry.topic = im_str_z(names[sent.t]);
    entry.epoch = epoch_str(buf, sent.epoch);
    entry.seq = sent.seq;
    entry.envelope = im_str_set(&sent.seq, sizeof(uint64_t));

    if (sent.mark > 0) {
        entry.epoch = im_str_set(buf, sprintf(buf, "-%u",
                                              (unsigned) sent.mark));
        entry.envelope = im_str_set(&sent.mark, sizeof(uint64_t));

        if (redis[sent.t].notices[sent.mark % NMARKS].n > 0) {
            entry.kind = IM_PUSH_CONTROL;
            entry.seq = now;
        }
    }

    im_follow_entry(&workers[w].follow, &entry);
}


/* Calls of a worker are lost, done or not. */
static void
connection_lost(unsigned w)
{
    unsigned  p, i, n;

    for (p = 0; p < NPARTS; p++) {
        im_follow_down(&workers[w].follow, p);
    }

    for (i = 0, n = below(4); i < ncalls; /* void */) {

        if (calls[i].w != w) {
            i++;
            continue;
        }

        if (n > 0 && !calls[i].executed) {
            call_execute(&calls[i]);
            n--;
        }

        call_answer(i, 1);
    }
}


/* anew: Redis may have lost reports. */
static void
connection_made(unsigned w, int anew)
{
    unsigned  p;

    for (p = 0; p < NPARTS; p++) {
        im_follow_up(&workers[w].follow, p, anew);
    }
}


/* Sessions. */

static void
worker_start(unsigned i)
{
    unsigned   p;
    worker_t  *w;

    static const uint64_t  hash_seed[2] = { 1, 2 };

    w = &workers[i];
    memset(w, 0, sizeof(worker_t));
    sprintf(w->id, "n.0.%u", i);

    assert_int_equal(im_hub_init(&w->hub, hash_seed, NPARTS, 256), IM_OK);

    w->follow.hub = &w->hub;
    w->follow.rules = &rules;
    w->follow.commands = &commands;
    w->follow.events = &events;
    w->follow.ctx = w;
    w->follow.limits.log_bytes = 2048;
    w->follow.limits.recovery_bytes = 100;
    w->follow.limits.windows_bytes = 100000;
    w->follow.limits.refresh = 8000;

    im_follow_init(&w->follow, now);
    w->started = 1;

    for (p = 0; p < NPARTS; p++) {
        im_follow_up(&w->follow, p, 1);
    }
}


static void
leave(unsigned s, unsigned t)
{
    int          last;
    worker_t    *w;
    im_topic_t  *topic;

    w = &workers[sessions[s].worker];

    trace("session %u leaves %s at %s\n", s, names[t], w->id);

    redis[t].nchanges[s]++;
    sessions[s].left |= t == 1;

    if (t == 1 && ((sessions[s].live & 2) || sessions[s].subs[t]->said)
        && !im_follow_late(sessions[s].subs[t]->log->topic))
    {
        worker_hears(sessions[s].worker, s, redis[t].nchanges[s]);
    }

    sessions[s].topics &= ~(1u << t);
    sessions[s].live &= ~(1u << t);

    im_follow_member(&w->follow, sessions[s].subs[t], 0);
    topic = im_hub_leave(&w->hub, sessions[s].subs[t], &last);
    im_sub_destroy(&w->hub.logs, sessions[s].subs[t]);

    if (last) {
        im_follow_stop(&w->follow, topic);
    }
}


/* The subscription of a session at a worker; NULL: no memory. */
static im_sub_t *
subscribe(worker_t *w, unsigned s, unsigned t)
{
    int          first;
    im_sub_t    *sub;
    im_topic_t  *topic;

    sub = im_sub_create(&w->hub.logs);
    if (sub == NULL) {
        return NULL;
    }

    sub->session = s;
    topic = im_hub_join(&w->hub, im_str_z(names[t]), s % 2, sub, &first);

    if (topic == NULL) {
        im_sub_destroy(&w->hub.logs, sub);
        return NULL;
    }

    if (first && im_follow_start(&w->follow, topic) != IM_OK) {
        im_hub_leave(&w->hub, sub, &first);
        im_sub_destroy(&w->hub.logs, sub);
        im_follow_stop(&w->follow, topic);
        return NULL;
    }

    return sub;
}


static void
join(unsigned s, unsigned t)
{
    im_sub_t  *sub;
    worker_t  *w;

    w = &workers[sessions[s].worker];
    sub = subscribe(w, s, t);

    trace("session %u joins %s at %s\n", s, names[t], w->id);

    if (sub == NULL) {
        return;
    }

    sessions[s].subs[t] = sub;
    sessions[s].topics |= 1u << t;
    redis[t].nchanges[s]++;

    im_follow_member(&w->follow, sub, 1);

    if (sub->log->topic->state != IM_TOPIC_NEW) {
        im_sub_live(&w->hub.logs, sub);
        session_begins(s, t, sub->log->topic);
    }
}


/* Handover. */

/* A channel. */
static void
flow_begin(flow_t *flow)
{
    flow->state = FLOW_MOVING;
    flow->named = 0;
    flow->fence = im_follow_fence(&workers[flow->from].follow);

    workers[flow->to].taken &= ~(1u << flow->from);
    memset(flow->held, 0, sizeof(flow->held));
    memset(flow->pinned, 0, sizeof(flow->pinned));

    trace("%s goes to %s\n", workers[flow->from].id, workers[flow->to].id);
}


/* The topics that the old worker names. */
static void
flow_name(flow_t *flow)
{
    unsigned     t;
    im_topic_t  *topic;

    for (t = 0; t < NTOPICS; t++) {
        topic = im_hub_topic(&workers[flow->from].hub, im_str_z(names[t]));

        if (topic == NULL || topic->data == NULL
            || (flow->named & (1u << t)))
        {
            continue;
        }

        flow->pinned[t] = im_follow_pin(&workers[flow->to].follow,
                                        im_str_z(names[t]));

        if (flow->pinned[t] != NULL) {
            flow->named |= 1u << t;
        }
    }
}


static int
epoch_eq(const im_epoch_t *a, const im_epoch_t *b)
{
    return im_str_eq(im_str_set(a->data, a->len), im_str_set(b->data, b->len));
}


/* The new worker says so once. */
static int
flow_pinned_ready(flow_t *flow, unsigned t)
{
    if (im_follow_ready(flow->pinned[t]) == IM_OK) {
        flow->ready |= 1u << t;
    }

    return (flow->ready & (1u << t)) != 0;
}


/* Redis knows that it has left, before it joins again elsewhere. */
static int
flow_left(flow_t *flow, unsigned s)
{
    worker_t    *w;
    im_topic_t  *topic;

    w = &workers[flow->from];
    topic = im_hub_topic(&w->hub, im_str_z(names[1]));

    if (sessions[s].left && topic != NULL) {
        flow->held[1] = topic;
    }

    if (sessions[s].left
        && ((topic != NULL && im_follow_hold(topic) != IM_OK)
            || !im_follow_left(&w->follow)))
    {
        return 0;
    }

    sessions[s].left = 0;

    return 1;
}


/* The record goes out. */
static void
flow_pack(flow_t *flow, unsigned s)
{
    int          ready;
    unsigned     t;
    uint64_t     seq, mark;
    im_topic_t  *topic;

    for (t = 0, ready = 1; t < NTOPICS; t++) {

        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        topic = sessions[s].subs[t]->log->topic;

        if ((flow->named & (1u << t)) == 0
            || (sessions[s].live & (1u << t)) == 0)
        {
            ready = 0;
            continue;
        }

        flow->held[t] = topic;

        if (im_follow_hold(topic) != IM_OK) {
            ready = 0;
        }

        if (topic->state != IM_TOPIC_LIVE || !im_follow_settled(topic)
            || !flow_pinned_ready(flow, t)
            || im_follow_kept(flow->pinned[t], &seq, &mark) != IM_OK
            || topic->seq < seq || im_follow_mark(topic) < mark
            || !epoch_eq(&topic->epoch, &flow->pinned[t]->epoch))
        {
            ready = 0;
        }
    }

    if (!ready || !flow_left(flow, s)) {
        return;
    }

    for (t = 0; t < NTOPICS; t++) {
        if (sessions[s].topics & (1u << t)) {
            sessions[s].at[t] = sessions[s].subs[t]->log->topic->seq;
            sessions[s].epochs[t] = sessions[s].subs[t]->log->topic->epoch;
            sessions[s].at_marks[t] = im_follow_mark(sessions[s].subs[t]
                                                     ->log->topic);

            if (sessions[s].got[t] != sessions[s].at[t]) {
                wrong("session %u is behind \"%s\"", s, names[t]);
            }
        }
    }

    trace("session %u is packed\n", s);

    memcpy(sessions[s].at_heard, sessions[s].heard, sizeof(sessions[s].heard));
    sessions[s].flight = 1;

    for (t = 0; t < NTOPICS; t++) {
        if (sessions[s].topics & (1u << t)) {
            im_follow_going(sessions[s].subs[t], 1);
        }
    }
}


/* The old worker goes on with it. */
static void
session_thaw(unsigned s)
{
    unsigned  t;

    sessions[s].flight = 0;
    nagain++;

    for (t = 0; t < NTOPICS; t++) {
        if (sessions[s].topics & (1u << t)) {
            im_follow_going(sessions[s].subs[t], 0);
            sessions[s].got[t] = sessions[s].subs[t]->log->topic->seq;
            sessions[s].marks[t] = im_follow_mark(sessions[s].subs[t]
                                                  ->log->topic);
        }
    }
}


/* Undoes the first n. */
static void
session_reject(worker_t *w, unsigned s, unsigned n)
{
    int       last;
    unsigned  t;

    for (t = 0; t < n; t++) {
        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        (void) im_hub_leave(&w->hub, sessions[s].next[t], &last);
        im_sub_destroy(&w->hub.logs, sessions[s].next[t]);
        assert_false(last);
    }
}


static int
flow_fits(flow_t *flow, unsigned s)
{
    unsigned     t;
    uint64_t     seq, mark;
    im_topic_t  *topic;

    for (t = 0; t < NTOPICS; t++) {

        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        topic = flow->pinned[t];

        if (topic->state != IM_TOPIC_LIVE
            || !epoch_eq(&topic->epoch, &sessions[s].epochs[t])
            || topic->seq < sessions[s].at[t]
            || im_follow_window(topic, sessions[s].at[t]) != IM_OK
            || im_follow_mark(topic) < sessions[s].at_marks[t]
            || im_follow_kept(topic, &seq, &mark) != IM_OK
            || mark > sessions[s].at_marks[t])
        {
            return 0;
        }
    }

    return 1;
}


/* The messages of the window up to a number. */
static void
session_upto(unsigned s, unsigned t, im_topic_t *topic, uint64_t last)
{
    uint64_t  value;

    while (sessions[s].got[t] < last) {
        memcpy(&value,
               im_follow_envelope(topic, sessions[s].got[t] + 1).data,
               sizeof(uint64_t));
        session_gets(s, t, value);
        ncaught++;
    }
}


static void
session_kept(unsigned s, const notice_t *notice)
{
    unsigned  i;

    for (i = 0; i < notice->n; i++) {
        session_hears(s, notice->changes[i].session,
                      notice->changes[i].number);
    }
}


/* What came between is in the window; the old worker lets it go. */
static void
session_moved(flow_t *flow, unsigned s, int lost)
{
    int          last;
    unsigned     t;
    uint64_t     mark;
    worker_t    *old;
    im_topic_t  *topic;
    const im_kept_t  *kept;

    old = &workers[flow->from];
    sessions[s].worker = flow->to;
    sessions[s].flight = 0;
    memcpy(sessions[s].heard, sessions[s].at_heard, sizeof(sessions[s].heard));
    nmoved++;

    for (t = 0; t < NTOPICS; t++) {

        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        topic = flow->pinned[t];

        for (kept = im_follow_first_kept(topic, sessions[s].at_marks[t]);
             kept != NULL;
             kept = im_follow_next_kept(topic, kept))
        {
            memcpy(&mark, kept->envelope, sizeof(uint64_t));
            assert_int_equal(mark, kept->mark);
            assert_true(kept->seq <= topic->seq);
            session_upto(s, t, topic, kept->seq);
            session_marks(s, t, mark);
            session_kept(s, &redis[t].notices[mark % NMARKS]);
            nkept++;
        }

        session_upto(s, t, topic, topic->seq);

        im_follow_gone(&old->follow, sessions[s].subs[t], lost);
        topic = im_hub_leave(&old->hub, sessions[s].subs[t], &last);
        im_sub_destroy(&old->hub.logs, sessions[s].subs[t]);
        assert_false(last);

        sessions[s].subs[t] = sessions[s].next[t];
    }
}


/* False: it is the old one's. */
static int
flow_adopt(flow_t *flow, unsigned s, int lost)
{
    unsigned   t;
    worker_t  *w;

    w = &workers[flow->to];

    if (!flow_fits(flow, s)) {
        return 0;
    }

    for (t = 0; t < NTOPICS; t++) {

        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        sessions[s].next[t] = subscribe(w, s, t);

        if (sessions[s].next[t] == NULL) {
            session_reject(w, s, t);
            return 0;
        }

    }

    for (t = 0; t < NTOPICS; t++) {

        if ((sessions[s].topics & (1u << t)) == 0) {
            continue;
        }

        im_sub_live(&w->hub.logs, sessions[s].next[t]);

        if (im_follow_take(&w->follow, sessions[s].next[t],
                           im_str_z(workers[flow->from].id), flow->fence)
            != IM_OK)
        {
            exact = 0;
            im_follow_member(&w->follow, sessions[s].next[t], 1);
        }
    }

    trace("session %u is at %s\n", s, w->id);

    session_moved(flow, s, lost);

    return 1;
}


static void
flow_unpack(flow_t *flow, unsigned s)
{
    if (!flow_adopt(flow, s, 0)) {
        session_thaw(s);
    }
}


/* It was on its way, and is nowhere. */
static void
session_cut(flow_t *flow, unsigned s)
{
    int        last;
    unsigned   t;
    worker_t  *old;

    trace("session %u is cut\n", s);

    old = &workers[flow->from];
    sessions[s].flight = 0;

    for (t = 0; t < NTOPICS; t++) {
        if (sessions[s].topics & (1u << t)) {
            im_follow_gone(&old->follow, sessions[s].subs[t], 1);
            (void) im_hub_leave(&old->hub, sessions[s].subs[t], &last);
            im_sub_destroy(&old->hub.logs, sessions[s].subs[t]);
            assert_false(last);
            cut[t] |= 1u << s;
        }
    }

    sessions[s].topics = 0;
    sessions[s].live = 0;
}


static void
flow_sessions(flow_t *flow)
{
    unsigned  s;

    s = below(NSESSIONS);

    if (sessions[s].worker != flow->from) {
        return;
    }

    if (sessions[s].flight) {
        flow_unpack(flow, s);

    } else {
        flow_pack(flow, s);
    }
}


static int
flow_busy(flow_t *flow)
{
    unsigned  s;

    for (s = 0; s < NSESSIONS; s++) {
        if (sessions[s].worker == flow->from && sessions[s].flight) {
            return 1;
        }
    }

    return 0;
}


static void
flow_over(flow_t *flow, int moved)
{
    unsigned  t;

    trace("%s is over, moved %d\n", workers[flow->from].id, moved);

    im_follow_pass(&workers[flow->from].follow, flow->fence);

    for (t = 0; t < NTOPICS; t++) {
        if (flow->held[t] != NULL) {
            im_follow_release(&workers[flow->from].follow, flow->held[t],
                              moved);
        }

        if (flow->pinned[t] != NULL) {
            im_follow_unpin(&workers[flow->to].follow, flow->pinned[t]);
        }
    }

    flow->state = FLOW_DONE;
}


static void
flow_settle(flow_t *flow)
{
    flow->settled = 1;

    if (im_follow_settle(&workers[flow->to].follow,
                         im_str_z(workers[flow->from].id), flow->fence)
        == IM_OK)
    {
        workers[flow->to].taken |= 1u << flow->from;
    }
}


/*
 * What was on its way has come, or is lost; what was not sent yet is here.  The
 * old worker has no answer.
 */
static void
flow_break(flow_t *flow)
{
    unsigned  s;

    trace("%s is cut off\n", workers[flow->from].id);

    for (s = 0; s < NSESSIONS; s++) {
        if (sessions[s].worker != flow->from || !sessions[s].flight) {
            continue;
        }

        if (chance(3)) {
            session_thaw(s);

        } else if (chance(4) || !flow_adopt(flow, s, 1)) {
            session_cut(flow, s);
        }
    }

    nbroken++;
    flow->state = FLOW_OWING;
    flow->settled = 0;
    flow->dead = chance(4);
}


/* The two hear of it one after the other. */
static void
flow_owe(flow_t *flow)
{
    if (!flow->settled && chance(3)) {
        flow_settle(flow);
    }

    if ((workers[flow->to].taken & (1u << flow->from)) && flow->settled) {
        flow_over(flow, 1);

    } else if (flow->dead && chance(10)) {
        exact = 0;
        flow_over(flow, 0);
    }

    if (flow->state == FLOW_DONE && !flow->settled) {
        flow_settle(flow);

    } else if (flow->state == FLOW_DONE && flow->settled && !flow->dead) {
        flow_begin(flow);
    }
}


static void
flow_freeze(flow_t *flow)
{
    int       frozen;
    unsigned  t;

    for (t = 0, frozen = 1; t < NTOPICS; t++) {
        if (flow->held[t] != NULL
            && im_follow_freeze(flow->held[t]) != IM_OK)
        {
            frozen = 0;
        }
    }

    if (!frozen) {
        return;
    }

    flow->state = FLOW_SETTLING;
    flow_settle(flow);
}


static void
flow_step(flow_t *flow, int end)
{
    if (flow->state > FLOW_IDLE && flow->state < FLOW_SETTLING
        && chance(faults.broken))
    {
        flow_break(flow);
        return;
    }

    switch (flow->state) {

    case FLOW_IDLE:
        if (flow->to == 2 || workers[2].taken != 0 || end || chance(20)) {
            flow_begin(flow);
        }
        break;

    case FLOW_MOVING:
        flow_name(flow);
        flow_sessions(flow);

        if ((end || chance(60)) && !flow_busy(flow)) {
            flow->state = FLOW_FREEZING;
        }
        break;

    case FLOW_FREEZING:
        flow_freeze(flow);
        break;

    case FLOW_SETTLING:
        if (workers[flow->to].taken & (1u << flow->from)) {
            flow_over(flow, 1);
        }
        break;

    case FLOW_OWING:
        flow_owe(flow);
        break;

    default:
        break;
    }
}


static void
step_faults(void)
{
    unsigned  w, t, i;

    w = below(NWORKERS);
    t = below(NTOPICS);

    if (chance(faults.lose)) {
        connection_lost(w);
    }

    if (chance(faults.newer) && redis[t].shares[w].routed) {
        redis[t].shares[w].version += 1 + below(1000000);
    }

    if (chance(faults.forget)) {
        exact = 0;

        for (i = 0; i < NWORKERS; i++) {
            redis[t].shares[i].routed = 0;
            redis[t].shares[i].left = 0;
            redis[t].shares[i].members = 0;
        }
    }

    if (chance(faults.generation) && redis[t].epoch != 0 && nepochs < 25) {
        redis[t].epoch = ++nepochs;
    }
}


/* A session whose topic has no position yet has never been there. */
static int
is_fleeting(unsigned s, unsigned t)
{
    return (sessions[s].live & (1u << t)) == 0;
}


static void
step_churn(void)
{
    unsigned  s, t;

    s = below(NSESSIONS);
    t = below(NTOPICS);

    if (sessions[s].flight) {
        return;
    }

    exact = 0;

    if ((sessions[s].topics & (1u << t)) == 0) {
        join(s, t);

    } else if (!joins || !is_fleeting(s, t)) {
        leave(s, t);
    }
}


static void
step(void)
{
    unsigned  w, i;

    w = below(NWORKERS);

    if (faults.memory != 0) {
        alloc_fail_at(chance(faults.memory) ? 1 + below(8) : 0);
    }

    step_faults();

    if (chance(faults.churn)) {
        step_churn();
    }

    switch (below(10)) {

    case 0:
        publish(below(NTOPICS), !chance(3));
        break;

    case 1:
    case 2:
        for (i = 0; i < ncalls; i++) {
            if (calls[i].w == w && !calls[i].executed) {
                call_execute(&calls[i]);
                break;
            }
        }
        break;

    case 3:
    case 4:
        for (i = 0; i < ncalls; i++) {
            if (calls[i].w == w) {
                if (calls[i].executed) {
                    call_answer(i, 0);
                }
                break;
            }
        }
        break;

    case 5:
        deliver(w);
        break;

    case 6:
        if (!im_follow_is_up(&workers[w].follow, 0)) {
            connection_made(w, 0);

        } else if (chance(5)) {
            now += 1000;
            for (i = 0; i < NWORKERS; i++) {
                if (!is_marked(i)) {
                    im_follow_tick(&workers[i].follow, now);
                }
            }
        }
        break;

    default:
        flow_step(&flows[below(NFLOWS)], 0);
    }

    if (workers[w].woken && chance(2)) {
        workers[w].woken = 0;
        im_follow_pump(&workers[w].follow);
    }

    alloc_fail_at(0);
}


/* All that is under way comes to its end. */
static void
drain(void)
{
    unsigned  w, n;

    for (n = 0; n < 20; n++) {

        for (w = 0; w < NWORKERS; w++) {
            if (workers[w].woken) {
                workers[w].woken = 0;
                im_follow_pump(&workers[w].follow);
            }
        }

        while (ncalls > 0) {
            if (!calls[0].executed) {
                call_execute(&calls[0]);
            }

            call_answer(0, 0);
        }

        while (nentries > 0) {
            deliver(entries[0].w);
        }
    }
}


static void
settle(void)
{
    unsigned  i, w;

    for (i = 0; i < 14; i++) {
        drain();
        now += 1000;

        for (w = 0; w < NWORKERS; w++) {
            im_follow_tick(&workers[w].follow, now);
        }
    }
}


static void
begin(const faults_t *f)
{
    unsigned  w, s, t;

    static const flow_t  fresh[NFLOWS] = {
        { .from = 0, .to = 2 }, { .from = 1, .to = 2 }, { .from = 2, .to = 3 }
    };

    memset(redis, 0, sizeof(redis));
    memset(sessions, 0, sizeof(sessions));
    memset(cut, 0, sizeof(cut));
    memcpy(flows, fresh, sizeof(flows));
    memset(&faults, 0, sizeof(faults_t));

    ncalls = 0;
    nentries = 0;
    nepochs = 0;
    exact = 0;
    gaps = f->forget > 0 || f->generation > 0;
    joins = f->lose == 0 && f->newer == 0 && f->broken == 0 && f->memory == 0
            && !gaps;
    now = 1000;

    for (w = 0; w < NWORKERS; w++) {
        worker_start(w);
    }

    for (s = 0; s < NSESSIONS; s++) {
        sessions[s].worker = below(3);

        for (t = 0; t < NTOPICS; t++) {
            if (chance(2)) {
                join(s, t);
            }
        }
    }

    settle();
    exact = 1;
    check_exact("the start");

    faults = *f;
}


/* Followers have heard of all others. */
static void
check_heard(unsigned w, unsigned t)
{
    unsigned  s, i;

    for (s = 0; t == 1 && joins && s < NSESSIONS; s++) {

        for (i = 0; i < NSESSIONS; i++) {
            if (sessions[s].worker == w && (sessions[s].topics & 2) && i != s
                && sessions[s].heard[i] != redis[t].nchanges[i])
            {
                wrong("session %u has heard %u of %u joins and leaves of %u",
                      s, sessions[s].heard[i], redis[t].nchanges[i], i);
            }
        }
    }
}


static void
check_end(void)
{
    unsigned     w, t, s, count, members;
    share_t     *share;
    im_topic_t  *topic;

    for (w = 0; w < NWORKERS; w++) {
        for (t = 0; t < NTOPICS; t++) {
            share = &redis[t].shares[w];

            for (s = 0, count = 0, members = 0; s < NSESSIONS; s++) {
                if (sessions[s].worker == w
                    && (sessions[s].topics & (1u << t)))
                {
                    count++;
                    members |= is_member(t, s) ? 1u << s : 0;

                    if (sessions[s].got[t] != redis[t].seq) {
                        wrong("session %u has %llu of %llu of \"%s\"", s,
                              (unsigned long long) sessions[s].got[t],
                              (unsigned long long) redis[t].seq, names[t]);
                    }

                    if (!gaps && sessions[s].marks[t] != redis[t].mark) {
                        wrong("session %u has mark %llu of %llu of \"%s\"", s,
                              (unsigned long long) sessions[s].marks[t],
                              (unsigned long long) redis[t].mark, names[t]);
                    }
                }
            }

            check_heard(w, t);

            topic = im_hub_topic(&workers[w].hub, im_str_z(names[t]));

            if ((topic != NULL) != (count > 0)
                || share->routed != (count > 0)
                || share->members != members
                || (count > 0 && t < NTOPICS - 1 && share->count != count))
            {
                wrong("worker %u: \"%s\" has %u followers, %x; "
                      "Redis has a route %d, %u, %x", w, names[t], count,
                      members, share->routed, (unsigned) share->count,
                      share->members);
            }
        }

        assert_true(im_follow_left(&workers[w].follow));
    }
}


static void
finish(void)
{
    unsigned  w, s, t;

    for (s = 0; s < NSESSIONS; s++) {
        for (t = 0; t < NTOPICS; t++) {
            if (sessions[s].topics & (1u << t)) {
                leave(s, t);
            }
        }
    }

    settle();

    for (w = 0; w < NWORKERS; w++) {
        assert_int_equal(workers[w].follow.bytes.bytes > 0 ? 1 : 0, 0);
        assert_int_equal(workers[w].hub.topics.count, 0);
        im_follow_cleanup(&workers[w].follow);
        im_hub_cleanup(&workers[w].hub);
    }
}


static void
sequence(const faults_t *f)
{
    unsigned  i, w, n;

    begin(f);
    nnotified = 0;

    for (i = 0; i < STEPS; i++) {
        step();
    }

    memset(&faults, 0, sizeof(faults_t));

    for (w = 0; w < NWORKERS; w++) {
        connection_made(w, f->forget > 0);
    }

    for (i = 0; flows[0].state != FLOW_DONE || flows[1].state != FLOW_DONE
                || flows[2].state != FLOW_DONE; i++)
    {
        if (i > 5000) {
            wrong("the workers come to no end");
        }

        for (n = 0; n < NFLOWS; n++) {
            flow_step(&flows[n], i > 300);
        }

        if (i % 10 == 0) {
            settle();
        }
    }

    settle();
    settle();
    check_exact("the end");
    check_end();

    /* presence of others: no notice */

    if (f->churn == 0 && f->newer == 0 && f->lose == 0 && f->forget == 0
        && f->memory == 0 && f->broken == 0)
    {
        if (nnotified > 0) {
            wrong("%u reports are for others", nnotified);
        }
    }

    exact = 0;
    finish();
}


static void
sequences(const faults_t *f, uint64_t first)
{
    unsigned  i;

    nmoved = 0;
    nagain = 0;
    ncaught = 0;
    nresent = 0;
    nkept = 0;
    nbroken = 0;
    nlent = 0;

    for (i = 0; i < nsequences; i++) {
        seed = only != 0 ? only : first + i;
        rnd.state = seed * 0x9e3779b97f4a7c15 + 1;
        sequence(f);

        if (only != 0) {
            break;
        }
    }

    print_message("# %u moved, %u again, %u and %u caught up, "
                  "%u takes repeated, %u channels broken, %u lent\n", nmoved,
                  nagain, ncaught, nkept, nresent, nbroken, nlent);
}


static void
setup(void)
{
    im_rule_t  rule;

    im_rules_init(&rules);

    memset(&rule, 0, sizeof(im_rule_t));
    rule.pattern = im_str_z("presence");
    rule.presence = 1;
    assert_int_equal(im_rules_add(&rules, &rule), IM_OK);
}


/* Two workers, with no fault. */
static void
one_begin(void)
{
    unsigned  w;

    setup();

    memset(redis, 0, sizeof(redis));
    memset(sessions, 0, sizeof(sessions));
    memset(&faults, 0, sizeof(faults_t));

    seed = 0;
    ncalls = 0;
    nentries = 0;
    nepochs = 0;
    nnotified = 0;
    exact = 0;
    gaps = 0;
    joins = 0;
    now = 1000;

    for (w = 0; w < 2; w++) {
        worker_start(w);
    }
}


static void
one_drain(void)
{
    unsigned  w, n;

    for (n = 0; n < 10; n++) {
        for (w = 0; w < 2; w++) {
            im_follow_pump(&workers[w].follow);
        }

        while (ncalls > 0) {
            if (!calls[0].executed) {
                call_execute(&calls[0]);
            }

            call_answer(0, 0);
        }

        while (nentries > 0) {
            deliver(entries[0].w);
        }
    }
}


static void
one_end(void)
{
    unsigned  w;

    one_drain();

    for (w = 0; w < 2; w++) {
        assert_int_equal(workers[w].hub.topics.count, 0);
        assert_int_equal(workers[w].follow.bytes.bytes, 0);
        assert_true(im_follow_left(&workers[w].follow));
        im_follow_cleanup(&workers[w].follow);
        im_hub_cleanup(&workers[w].hub);
    }

    im_rules_cleanup(&rules);
}


/* All messages behind the first position are kept, without a history too. */
static void
test_pin(void **state)
{
    unsigned     i;
    uint64_t     seq, mark, value;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    redis[0].epoch = ++nepochs;
    redis[0].seq = 5;

    topic = im_follow_pin(&w->follow, im_str_z("r:none"));
    assert_non_null(topic);
    assert_ptr_equal(im_follow_pin(&w->follow, im_str_z("r:none")), topic);
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_AGAIN);

    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);
    assert_false(calls[0].report.leave);
    call_execute(&calls[0]);

    /* routed, and there before the reply */

    publish(0, 1);
    deliver(0);
    one_drain();
    publish(0, 1);
    deliver(0);

    assert_true(redis[0].shares[0].routed);
    assert_int_equal(redis[0].shares[0].count, 0);
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(seq, 5);
    assert_int_equal(topic->seq, 7);
    assert_int_equal(im_follow_window(topic, 5), IM_OK);
    assert_int_equal(im_follow_window(topic, 4), IM_DECLINED);

    for (i = 6; i <= 7; i++) {
        memcpy(&value, im_follow_envelope(topic, i).data, sizeof(uint64_t));
        assert_int_equal(value, i);
    }

    /* its window is used as long as it is pinned */

    for (i = 0; i < 70; i++) {
        now += 1000;
        im_follow_tick(&w->follow, now);
        one_drain();
    }

    assert_int_equal(im_follow_window(topic, 5), IM_OK);

    /* another epoch: what was before is lost, and told so */

    redis[0].epoch = ++nepochs;
    publish(0, 1);
    one_drain();
    publish(0, 1);
    one_drain();

    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(topic->seq, 9);
    assert_int_equal(im_follow_window(topic, seq), IM_OK);
    assert_int_equal(im_follow_window(topic, 5), IM_DECLINED);

    /* what doesn't fit isn't kept */

    w->follow.limits.windows_bytes = 500;

    for (i = 0; i < 50; i++) {
        publish(0, 1);
        one_drain();
    }

    assert_true(w->follow.bytes.bytes <= 500);
    assert_int_equal(im_follow_window(topic, 9), IM_DECLINED);
    assert_int_equal(im_follow_window(topic, topic->seq - 1), IM_OK);

    im_follow_unpin(&w->follow, topic);
    assert_ptr_equal(im_hub_topic(&w->hub, im_str_z("r:none")), topic);
    im_follow_unpin(&w->follow, topic);
    assert_null(im_hub_topic(&w->hub, im_str_z("r:none")));

    one_drain();
    assert_false(redis[0].shares[0].routed);
    one_end();
}


static unsigned
kept_marks(const im_topic_t *topic, uint64_t mark, char *marks)
{
    unsigned          n;
    const im_kept_t  *kept;

    *marks = '\0';

    for (n = 0, kept = im_follow_first_kept(topic, mark);
         kept != NULL;
         n++, kept = im_follow_next_kept(topic, kept))
    {
        sprintf(marks + strlen(marks), " %u:%u", (unsigned) kept->seq,
                (unsigned) kept->mark);
    }

    return n;
}


/* What has no number is kept behind the first mark, in its place. */
static void
test_marks(void **state)
{
    char         marks[4096];
    unsigned     i;
    uint64_t     seq, mark;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    redis[0].epoch = ++nepochs;
    redis[0].seq = 5;
    redis[0].mark = 7;

    topic = im_follow_pin(&w->follow, im_str_z("r:none"));
    im_follow_pump(&w->follow);
    call_execute(&calls[0]);

    /* they come before the reply, and one that was before the pin */

    publish(0, 0);
    publish(0, 1);
    publish(0, 0);
    deliver(0);
    assert_int_equal(kept_marks(topic, 0, marks), 0);
    one_drain();

    redis[0].mark = 6;
    publish(0, 0);
    one_drain();
    redis[0].mark = 9;

    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(mark, 7);
    assert_int_equal(im_follow_mark(topic), 9);
    assert_int_equal(kept_marks(topic, 0, marks), 2);
    assert_string_equal(marks, " 5:8 6:9");

    /* one that comes again isn't kept again */

    redis[0].mark = 7;
    publish(0, 0);
    publish(0, 0);
    one_drain();
    assert_int_equal(kept_marks(topic, 0, marks), 2);
    assert_string_equal(marks, " 5:8 6:9");
    assert_int_equal(kept_marks(topic, 8, marks), 1);
    assert_string_equal(marks, " 6:9");
    assert_int_equal(kept_marks(topic, 9, marks), 0);

    /* what waits in the queue comes; what is missing long after is lost */

    redis[0].mark = 20;
    im_follow_compare(&w->follow, -1, 0);
    one_drain();

    for (i = 0; i < 10; i++) {
        assert_int_equal(im_follow_mark(topic), 9);
        now += 1000;
        im_follow_tick(&w->follow, now);
    }

    one_drain();
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(mark, 20);
    assert_int_equal(im_follow_mark(topic), 20);
    assert_int_equal(kept_marks(topic, 0, marks), 0);

    /* what doesn't fit isn't kept, nor what was before it */

    w->follow.limits.windows_bytes = 500;

    for (i = 0; i < 50; i++) {
        publish(0, 0);
        one_drain();
        assert_true(w->follow.bytes.bytes <= 500);
        assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
        assert_int_equal(kept_marks(topic, 0, marks),
                         im_follow_mark(topic) - mark);
    }

    assert_true(mark > 20);

    im_follow_unpin(&w->follow, topic);
    one_end();

    /* followers know where they are, without a pin too */

    one_begin();
    join(0, 0);
    one_drain();
    publish(0, 0);
    one_drain();

    topic = im_hub_topic(&w->hub, im_str_z("r:none"));
    assert_int_equal(im_follow_mark(topic), 1);
    assert_ptr_equal(im_follow_pin(&w->follow, im_str_z("r:none")), topic);
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(mark, 1);
    publish(0, 0);
    one_drain();
    assert_int_equal(kept_marks(topic, 0, marks), 1);

    leave(0, 0);
    im_follow_unpin(&w->follow, topic);
    one_end();
}


/* Redis has lost a message: what came behind it has no place any more. */
static void
test_marks_back(void **state)
{
    char         marks[4096];
    uint64_t     seq, mark;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    redis[0].epoch = ++nepochs;
    redis[0].seq = 5;

    topic = im_follow_pin(&w->follow, im_str_z("r:none"));
    one_drain();
    publish(0, 1);
    publish(0, 0);
    one_drain();
    assert_int_equal(kept_marks(topic, 0, marks), 1);
    assert_string_equal(marks, " 6:1");

    redis[0].epoch = ++nepochs;
    redis[0].seq = 5;
    redis[0].mark = 10;
    im_follow_compare(&w->follow, -1, 0);
    one_drain();
    assert_int_equal(topic->seq, 5);
    assert_int_equal(kept_marks(topic, 0, marks), 0);
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(mark, 1);

    publish(0, 0);
    one_drain();
    assert_int_equal(kept_marks(topic, 0, marks), 1);
    assert_string_equal(marks, " 5:11");

    im_follow_unpin(&w->follow, topic);
    one_end();
}


/* Redis has lost the last mark, and gives lower ones. */
static void
test_marks_again(void **state)
{
    char         marks[4096];
    unsigned     i;
    uint64_t     seq, mark;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    /* with the numbers, and without */

    for (i = 0; i < 2; i++) {
        one_begin();
        w = &workers[0];

        redis[0].epoch = ++nepochs;
        redis[0].seq = 5;
        redis[0].mark = 100;

        topic = im_follow_pin(&w->follow, im_str_z("r:none"));
        one_drain();
        publish(0, 0);
        one_drain();
        assert_int_equal(im_follow_mark(topic), 101);

        redis[0].epoch = ++nepochs;
        redis[0].seq = 5 - i;
        redis[0].mark = 3;
        im_follow_compare(&w->follow, -1, 0);
        one_drain();
        assert_int_equal(im_follow_mark(topic), 3);
        assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
        assert_int_equal(mark, 3);
        assert_int_equal(kept_marks(topic, 0, marks), 0);

        publish(0, 0);
        one_drain();
        assert_int_equal(im_follow_mark(topic), 4);
        assert_int_equal(kept_marks(topic, 0, marks), 1);
        assert_string_equal(marks, i == 0 ? " 5:4" : " 4:4");

        im_follow_unpin(&w->follow, topic);
        one_end();
    }
}


/* Windows that nothing needs make room for what is kept. */
static void
test_marks_room(void **state)
{
    char         marks[4096];
    unsigned     i;
    im_topic_t  *topic, *other;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];
    w->follow.limits.windows_bytes = 500;

    join(0, 2);
    one_drain();
    other = im_follow_pin(&w->follow, im_str_z("r:history"));

    for (i = 0; i < 50; i++) {
        publish(2, 1);
        one_drain();
    }

    /* a topic with a history keeps its window */

    im_followed(other)->numbered = 1;
    im_follow_unpin(&w->follow, other);
    assert_true(im_follow_window_bytes(other) > 0);

    join(0, 0);
    one_drain();
    topic = im_follow_pin(&w->follow, im_str_z("r:none"));

    for (i = 1; i <= 4; i++) {
        publish(0, 0);
        one_drain();
        assert_int_equal(kept_marks(topic, 0, marks), i);
        assert_true(w->follow.bytes.bytes <= 500);
    }

    assert_int_equal(im_follow_window_bytes(other), 0);

    leave(0, 0);
    leave(0, 2);
    im_follow_unpin(&w->follow, topic);
    one_end();
}


/* One that is followed already is kept from now on. */
static void
test_pin_live(void **state)
{
    uint64_t     seq, mark;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    join(0, 0);
    one_drain();
    publish(0, 1);
    one_drain();

    topic = im_follow_pin(&w->follow, im_str_z("r:none"));
    assert_int_equal(im_follow_kept(topic, &seq, &mark), IM_OK);
    assert_int_equal(seq, 1);

    publish(0, 1);
    one_drain();
    assert_int_equal(im_follow_window(topic, 1), IM_OK);

    /* without the follower, it goes on */

    leave(0, 0);
    one_drain();
    assert_true(redis[0].shares[0].routed);
    publish(0, 1);
    one_drain();
    assert_int_equal(im_follow_window(topic, 1), IM_OK);
    assert_int_equal(topic->seq, 3);

    im_follow_unpin(&w->follow, topic);
    one_end();
}


static void
one_tick(void)
{
    now += 1000;

    im_follow_tick(&workers[0].follow, now);
    one_drain();
}


/*
 * Redis loses the routes of topics whose sessions move, and one message on the
 * way: a check finds it.
 */
static void
test_checked(void **state)
{
    unsigned     i;
    im_topic_t  *held, *pinned;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    pinned = im_follow_pin(&w->follow, im_str_z("r:none"));
    join(0, 1);
    one_drain();

    held = im_hub_topic(&w->hub, im_str_z("r:presence"));
    assert_int_equal(im_follow_hold(held), IM_OK);

    redis[0].shares[0].routed = 0;
    redis[1].shares[0].routed = 0;
    redis[1].shares[0].members = 0;
    publish(0, 1);
    publish(1, 1);

    for (i = 0; i < 4; i++) {
        one_tick();
    }

    assert_true(redis[0].shares[0].routed);
    assert_true(redis[1].shares[0].routed);
    assert_int_equal(redis[1].shares[0].members, 1);
    assert_int_equal(pinned->seq, 1);
    assert_int_equal(held->seq, 1);

    publish(0, 1);
    publish(1, 1);
    nentries = 0;

    for (i = 0; i < 6; i++) {
        one_tick();
    }

    assert_int_equal(pinned->seq, 2);
    assert_int_equal(held->seq, 2);

    /* members of the held one are another worker's by now */

    redis[1].shares[0].members = 0;
    nnotified = 0;

    for (i = 0; i < 4; i++) {
        one_tick();
    }

    assert_int_equal(redis[1].shares[0].members, 0);
    assert_int_equal(nnotified, 0);

    /* it has gone, and is counted all the same */

    im_follow_going(sessions[0].subs[1], 1);
    im_follow_gone(&w->follow, sessions[0].subs[1], 0);
    (void) im_hub_leave(&w->hub, sessions[0].subs[1], &(int) { 0 });
    im_sub_destroy(&w->hub.logs, sessions[0].subs[1]);
    sessions[0].topics = 0;
    redis[1].shares[0].routed = 0;

    for (i = 0; i < 5; i++) {
        one_tick();
    }

    assert_true(redis[1].shares[0].routed);
    assert_int_equal(redis[1].shares[0].count, 1);
    assert_int_equal(redis[1].shares[0].members, 0);
    assert_int_equal(nnotified, 0);
    assert_int_equal(im_follow_hold(held), IM_OK);

    im_follow_unpin(&w->follow, pinned);
    im_follow_release(&w->follow, held, 1);
    one_end();
}


static void
assert_heard(unsigned s, unsigned other)
{
    assert_int_equal(sessions[s].heard[other], redis[1].nchanges[other]);
}


/*
 * The last follower leaves while a call is out, and another one comes before it
 * is answered: others hear of both.
 */
static void
test_last(void **state)
{
    unsigned     call;
    worker_t    *w;
    im_topic_t  *topic;

    (void) state;

    for (call = 0; call < 3; call++) {
        one_begin();
        joins = 1;
        w = &workers[0];
        sessions[1].worker = 1;

        join(0, 1);
        join(1, 1);
        one_drain();

        topic = im_hub_topic(&w->hub, im_str_z("r:presence"));

        if (call == 0) {
            join(2, 1);
            im_follow_tick(&w->follow, now);
            leave(2, 1);

        } else if (call == 1) {
            im_follow_compare(&w->follow, -1, 0);
            im_follow_pump(&w->follow);

        } else {
            im_history_heal(topic->data);
            assert_int_equal(calls[0].kind, CALL_READ);
        }

        assert_int_equal(ncalls, 1);
        leave(0, 1);

        if (call < 2) {
            assert_false(im_follow_left(&w->follow));
        }

        im_follow_pump(&w->follow);
        join(4, 1);
        im_follow_pump(&w->follow);
        one_drain();
        one_tick();

        assert_heard(1, 0);
        assert_heard(1, 2);
        assert_heard(1, 4);
        assert_true(im_follow_left(&w->follow));
        assert_int_equal(redis[1].shares[0].members, 1u << 4);

        /* none comes */

        im_follow_compare(&w->follow, -1, 0);
        im_follow_pump(&w->follow);
        assert_int_equal(ncalls, 1);
        leave(4, 1);
        assert_false(im_follow_left(&w->follow));
        connection_lost(0);
        im_follow_pump(&w->follow);
        assert_false(im_follow_left(&w->follow));
        connection_made(0, 0);
        one_drain();

        assert_heard(1, 4);
        assert_false(redis[1].shares[0].routed);
        leave(1, 1);
        one_end();
    }
}


/* Topics are pinned before Redis has said how many partitions it has. */
static void
test_partitions(void **state)
{
    unsigned     i, n, p;
    worker_t    *w;
    im_topic_t  *topics[NTOPICS];

    (void) state;

    one_begin();
    w = &workers[0];

    for (p = 0; p < NPARTS; p++) {
        im_follow_down(&w->follow, p);
    }

    for (i = 0; i < NTOPICS; i++) {
        topics[i] = im_follow_pin(&w->follow, im_str_z(names[i]));
        assert_non_null(topics[i]);
    }

    /* one has ended before, and another one in its place */

    im_follow_unpin(&w->follow, topics[2]);
    im_follow_unpin(&w->follow, topics[3]);
    topics[3] = im_follow_pin(&w->follow, im_str_z(names[3]));

    im_follow_partitions(&w->follow, 61);

    for (p = 0; p < 61; p++) {
        im_follow_up(&w->follow, p, 1);
    }

    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, NTOPICS - 1);

    for (n = 0; n < ncalls; n++) {
        assert_int_equal(calls[n].report.partition,
                         im_partition(im_str_z(names[calls[n].t]), 61));
    }

    one_drain();

    for (i = 0; i < NTOPICS; i++) {
        assert_int_equal(redis[i].shares[0].routed, i != 2);

        if (i != 2) {
            im_follow_unpin(&w->follow, topics[i]);
        }
    }

    one_end();
}


/* What waits to be reported and is in no queue goes out all the same. */
static void
test_forgotten(void **state)
{
    unsigned     i;
    im_route_t  *route;

    (void) state;

    one_begin();

    join(0, 0);
    one_drain();

    route = im_hub_topic(&workers[0].hub, im_str_z("r:none"))->data;
    redis[0].shares[0].routed = 0;
    route->due = IM_DUE_ALL;

    for (i = 0; i < 5; i++) {
        one_tick();
    }

    assert_true(redis[0].shares[0].routed);

    leave(0, 0);
    one_end();
}


/* Reports that are out or due come first, and the link may be down. */
static void
test_hold(void **state)
{
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    join(0, 0);
    topic = im_hub_topic(&w->hub, im_str_z("r:none"));
    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);

    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    one_drain();
    assert_int_equal(im_follow_hold(topic), IM_OK);

    /* due: it goes out without a tick */

    join(2, 0);
    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);
    assert_int_equal(calls[0].add, 1u << 2);
    one_drain();
    assert_int_equal(im_follow_hold(topic), IM_OK);

    /* down */

    connection_lost(0);
    join(4, 0);
    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    one_drain();
    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    connection_made(0, 0);
    one_drain();
    assert_int_equal(im_follow_hold(topic), IM_OK);
    assert_int_equal(redis[0].shares[0].members, 0x15);

    /* one goes, and counts on; what changed while it is frozen waits */

    im_follow_going(sessions[0].subs[0], 1);
    im_follow_gone(&w->follow, sessions[0].subs[0], 0);
    (void) im_hub_leave(&w->hub, sessions[0].subs[0], &(int) { 0 });
    im_sub_destroy(&w->hub.logs, sessions[0].subs[0]);
    sessions[0].topics = 0;

    leave(2, 0);
    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    one_drain();
    assert_int_equal(redis[0].shares[0].count, 2);
    assert_int_equal(redis[0].shares[0].members, 0x11);

    assert_int_equal(im_follow_freeze(topic), IM_OK);
    assert_int_equal(im_follow_hold(topic), IM_DECLINED);
    leave(4, 0);
    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(redis[0].shares[0].count, 2);

    /* it failed: all is reported, and others hear of it */

    nnotified = 0;
    im_follow_release(&w->follow, topic, 0);
    one_drain();
    assert_false(redis[0].shares[0].routed);
    assert_int_equal(redis[0].shares[0].members, 0);
    assert_int_equal(nnotified, 1);

    one_end();
}


/* A topic that is frozen before its first report begins with that. */
static void
test_frozen(void **state)
{
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    sessions[1].worker = 1;
    join(1, 0);
    one_drain();

    join(0, 0);
    topic = im_hub_topic(&w->hub, im_str_z("r:none"));
    assert_int_equal(im_follow_hold(topic), IM_AGAIN);
    assert_int_equal(im_follow_freeze(topic), IM_OK);

    /* it is asked for: no message would come here */

    im_follow_compare(&w->follow, -1, 0);
    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);
    assert_true(calls[0].report.ask);
    one_drain();
    assert_int_equal(topic->state, IM_TOPIC_NEW);
    publish(0, 1);

    im_follow_release(&w->follow, topic, 0);
    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(topic->state, IM_TOPIC_LIVE);
    assert_int_equal(topic->seq, 1);
    assert_true(redis[0].shares[0].routed);

    leave(0, 0);
    leave(1, 0);
    one_end();
}


/* A worker whose sessions have all moved leaves, and others hear nothing. */
static void
test_quiet(void **state)
{
    unsigned     s;
    int          last;
    im_topic_t  *topic;
    worker_t    *w;

    (void) state;

    one_begin();
    w = &workers[0];

    for (s = 0; s < 4; s++) {
        join(s, 1);
    }

    one_drain();
    topic = im_hub_topic(&w->hub, im_str_z("r:presence"));
    assert_int_equal(im_follow_hold(topic), IM_OK);

    for (s = 0; s < 4; s++) {
        im_follow_going(sessions[s].subs[1], 1);
        im_follow_gone(&w->follow, sessions[s].subs[1], 0);
        assert_ptr_equal(im_hub_leave(&w->hub, sessions[s].subs[1], &last),
                         topic);
        assert_false(last);
        im_sub_destroy(&w->hub.logs, sessions[s].subs[1]);
        sessions[s].topics = 0;
    }

    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(redis[1].shares[0].count, 4);
    assert_int_equal(im_follow_freeze(topic), IM_OK);

    redis[1].shares[0].count = 0;
    redis[1].shares[0].members = 0;
    nnotified = 0;

    im_follow_release(&w->follow, topic, 1);
    assert_null(im_hub_topic(&w->hub, im_str_z("r:presence")));
    assert_false(im_follow_left(&w->follow));
    one_drain();
    assert_false(redis[1].shares[0].routed);
    assert_int_equal(nnotified, 0);

    one_end();
}


/* A worker follows a topic. */
static void
share(unsigned w, unsigned t)
{
    redis[t].shares[w].routed = 1;
    redis[t].shares[w].version = 1;
}


static void
come(unsigned s, unsigned t, unsigned from)
{
    im_sub_t  *sub;

    sessions[s].worker = 1;
    sub = subscribe(&workers[1], s, t);
    assert_non_null(sub);

    sessions[s].subs[t] = sub;
    sessions[s].topics |= 1u << t;
    assert_int_equal(im_follow_take(&workers[1].follow, sub,
                                    im_str_z(workers[from].id), FENCES),
                     IM_OK);
}


/* One whose taken sessions leave: others know of it at once, in the order. */
static void
test_changes(void **state)
{
    worker_t    *w;
    im_topic_t  *topic;

    (void) state;

    one_begin();
    w = &workers[1];
    redis[1].epoch = ++nepochs;

    topic = im_follow_pin(&w->follow, im_str_z("r:presence"));
    assert_false(im_follow_late(topic) == 0);
    one_drain();
    assert_int_equal(im_follow_ready(topic), IM_OK);

    redis[1].nchanges[0] = 1;
    come(0, 1, 0);
    im_sub_live(&w->hub.logs, sessions[0].subs[1]);
    sessions[2].worker = 1;
    join(2, 1);
    leave(0, 1);
    sessions[0].worker = 1;
    join(0, 1);

    /* there are no others: the reply says so, and followers hear of them */

    now += 1000;
    im_follow_tick(&w->follow, now);
    assert_int_equal(ncalls, 1);
    assert_int_equal(calls[0].notice.n, 3);
    assert_int_equal(calls[0].notice.changes[1].session, 0);
    assert_int_equal(calls[0].notice.changes[1].number, 2);
    assert_int_equal(calls[0].notice.changes[2].number, 3);
    assert_true(calls[0].notice.changes[0].late);
    nlate = 0;
    one_drain();
    assert_int_equal(nlate, 3);

    /* Redis still had the one that has left: others look again */

    nnotified = 0;
    assert_int_equal(im_follow_settle(&w->follow, im_str_z("n.0.0"),
                                      FENCES),
                     IM_AGAIN);
    one_drain();
    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(nnotified, 1);

    /* what has not gone out is said when sessions have moved */

    leave(0, 1);
    assert_int_equal(nlate, 3);
    im_follow_unpin(&w->follow, topic);
    assert_int_equal(nlate, 4);
    assert_int_equal(im_follow_late(topic), 0);

    /* what was said at once comes back before sessions come */

    share(0, 1);
    assert_ptr_equal(im_follow_pin(&w->follow, im_str_z("r:presence")), topic);
    assert_int_equal(im_follow_ready(topic), IM_AGAIN);
    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);
    call_execute(&calls[0]);
    call_answer(0, 0);
    assert_int_equal(nentries, 2);
    assert_int_equal(im_follow_ready(topic), IM_AGAIN);
    one_drain();
    assert_int_equal(nlate, 4);
    assert_int_equal(im_follow_ready(topic), IM_OK);

    redis[1].shares[0].routed = 0;
    leave(2, 1);
    im_follow_unpin(&w->follow, topic);
    one_end();
}


/*
 * Sessions of two workers, in parts; a call is lost and repeated, another one
 * refused.  One session leaves before Redis has moved it.
 */
static void
test_take(void **state)
{
    unsigned     s;
    share_t     *share;
    worker_t    *w;
    im_topic_t  *topic;

    (void) state;

    one_begin();
    w = &workers[1];
    share = redis[1].shares;

    workers[0].started = 0;
    strcpy(workers[2].id, "n.0.2");
    redis[1].epoch = ++nepochs;
    share[0].routed = 1;
    share[0].count = 5;
    share[0].members = 0x1f;
    share[0].version = 9;
    share[2] = share[0];
    share[2].count = 2;
    share[2].members = 0x60;

    topic = im_follow_pin(&w->follow, im_str_z("r:presence"));
    one_drain();
    assert_int_equal(im_follow_settle(&w->follow, im_str_z("n.0.9"),
                                      FENCES), IM_OK);

    for (s = 0; s < 7; s++) {
        come(s, 1, s < 5 ? 0 : 2);
    }

    assert_false(im_follow_settled(topic));
    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(share[1].count, 0);

    /* one that comes by itself is reported meanwhile */

    sessions[8].worker = 1;
    join(8, 1);
    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(share[1].count, 1);
    assert_int_equal(share[1].members, 0x100);

    leave(1, 1);

    assert_int_equal(im_follow_settle(&w->follow, im_str_z("n.0.0"),
                                      FENCES),
                     IM_AGAIN);
    im_follow_pump(&w->follow);
    assert_int_equal(ncalls, 1);
    assert_int_equal(calls[0].taking.moved, 5);
    call_execute(&calls[0]);
    assert_int_equal(share[0].count, 0);
    assert_int_equal(share[1].count, 5);

    /* lost, and the link is down */

    connection_lost(1);
    assert_int_equal(ncalls, 0);
    now += 1000;
    im_follow_tick(&w->follow, now);
    assert_int_equal(ncalls, 0);
    connection_made(1, 0);
    now += 1000;
    nresent = 0;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(nresent, 1);
    assert_int_equal(w->taken, 1u << 0);
    assert_int_equal(share[0].count, 0);
    assert_int_equal(share[0].members, 0);
    assert_false(im_follow_settled(topic));

    /* refused once */

    share[1].version += 1000000;
    assert_int_equal(im_follow_settle(&w->follow, im_str_z("n.0.2"),
                                      FENCES),
                     IM_AGAIN);
    one_drain();
    assert_int_equal(w->taken, (1u << 0) | (1u << 2));
    assert_int_equal(share[2].count, 0);
    assert_int_equal(share[2].members, 0);
    assert_true(im_follow_settled(topic));

    now += 1000;
    im_follow_tick(&w->follow, now);
    one_drain();
    assert_int_equal(share[1].count, 7);
    assert_int_equal(share[1].members, 0x17d);

    for (s = 0; s < 9; s++) {
        if (sessions[s].topics) {
            leave(s, 1);
        }
    }

    im_follow_unpin(&w->follow, topic);
    one_end();
}

static void
random_moves(const faults_t *f, uint64_t first)
{
    if (only != 0 && only / 1000000 != first / 1000000) {
        return;
    }

    setup();
    sequences(f, first);
    im_rules_cleanup(&rules);

    assert_true(only != 0 || nmoved > nsequences);
    assert_true(only != 0 || ncaught > nsequences / 10);
    assert_true(only != 0 || nkept > nsequences / 10);
}


/* Nothing goes wrong: others hear nothing at all. */
static void
test_calm(void **state)
{
    static const faults_t  calm;

    (void) state;

    random_moves(&calm, 1000000);
}


/* Redis has later versions. */
static void
test_refused(void **state)
{
    static const faults_t  refused = { .newer = 50 };

    (void) state;

    random_moves(&refused, 5000000);
}


/* Calls are lost, done or not. */
static void
test_lost(void **state)
{
    static const faults_t  lost = { .lose = 40 };

    (void) state;

    random_moves(&lost, 2000000);
    assert_true(only != 0 || nresent > 0);
}


/* Sessions come and go meanwhile: all others hear of it. */
static void
test_joins(void **state)
{
    static const faults_t  churn = { .churn = 10 };

    (void) state;

    nlate = 0;
    random_moves(&churn, 6000000);
    assert_true(only != 0 || nlate > nsequences);
}


/* The same, and calls are lost. */
static void
test_churn(void **state)
{
    static const faults_t  churn = { .churn = 10, .lose = 60 };

    (void) state;

    random_moves(&churn, 3000000);
}


/*
 * Channels break, and calls are lost: what was taken is counted once, whichever
 * worker is the first one.
 */
static void
test_broken(void **state)
{
    static const faults_t  broken = { .lose = 100, .broken = 60 };

    (void) state;

    random_moves(&broken, 6000000);
    assert_true(only != 0 || nbroken > nsequences / 2);
    assert_true(only != 0 || nlent > nsequences);
}


/* Redis forgets, epochs change, channels break, there is no memory. */
static void
test_rough(void **state)
{
    static const faults_t  rough = {
        .churn = 12, .lose = 60,
        .forget = 100, .newer = 50, .generation = 150, .broken = 200,
        .memory = 10
    };

    (void) state;

    random_moves(&rough, 4000000);
}


int
main(int argc, char **argv)
{
    static const struct CMUnitTest  tests[] = {
        alloc_test(test_pin),
        alloc_test(test_marks),
        alloc_test(test_marks_back),
        alloc_test(test_marks_again),
        alloc_test(test_marks_room),
        alloc_test(test_pin_live),
        alloc_test(test_checked),
        alloc_test(test_forgotten),
        alloc_test(test_partitions),
        alloc_test(test_last),
        alloc_test(test_hold),
        alloc_test(test_frozen),
        alloc_test(test_quiet),
        alloc_test(test_changes),
        alloc_test(test_take),
        alloc_test(test_calm),
        alloc_test(test_refused),
        alloc_test(test_lost),
        alloc_test(test_joins),
        alloc_test(test_churn),
        alloc_test(test_broken),
        alloc_test(test_rough)
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
