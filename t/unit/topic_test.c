/*
 * Copyright (C) The im authors
 *
 * Topics: positions and offers, and logs under random operations, compared
 * with the whole stream of bytes that a log ever had.
 */

#include "test.h"
#include "im_topic.h"


#define NWIRES      2
#define NSUBS       16
#define MAX_STREAM  (4 * 1024 * 1024)
#define MAX_FRAMES  20000
#define CHUNK       1024


/* All of a log since it began. */
typedef struct {
    uint64_t  head;
    unsigned  nframes;
    uint64_t  ends[MAX_FRAMES];
    u_char    bytes[MAX_STREAM];
} stream_t;


typedef struct {
    im_sub_t       *sub;
    im_sub_state_e  state;       /* IDLE: live, wherever it stands */
    uint64_t        cursor;
    unsigned        wire;
} follower_t;


static stream_t     streams[NWIRES];
static uint32_t     bases[NWIRES];
static follower_t   followers[NSUBS];
static im_topic_t  *topic;
static im_logs_t    logs;


static im_sub_state_e
model_state(const follower_t *f)
{
    if (f->state != IM_SUB_IDLE) {
        return f->state;
    }

    return f->cursor < streams[f->wire].head ? IM_SUB_PENDING : IM_SUB_IDLE;
}


/* Where the frame with the byte at an offset ends. */
static uint64_t
model_end(const stream_t *s, uint64_t offset)
{
    unsigned  low, high, middle;

    low = 0;
    high = s->nframes;

    while (low < high) {
        middle = (low + high) / 2;

        if (s->ends[middle] <= offset) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low < s->nframes ? s->ends[low] : s->head;
}


static int
model_boundary(const stream_t *s, uint64_t offset)
{
    return offset == 0 || model_end(s, offset - 1) == offset;
}


static int
model_live(unsigned wire)
{
    unsigned  i;

    for (i = 0; i < NSUBS; i++) {
        if (followers[i].wire == wire && followers[i].state >= IM_SUB_IDLE) {
            return 1;
        }
    }

    return 0;
}


static im_log_t *
log_of(unsigned wire)
{
    im_log_t  *log;

    for (log = topic->logs; log != NULL; log = log->next) {
        if (log->wire == wire) {
            return log;
        }
    }

    return NULL;
}


static unsigned
list_count(const im_ring_t *list)
{
    unsigned  n;
    uint32_t  index;

    n = 0;

    for (index = list->first;
         index != IM_SLAB_NONE;
         index = im_ring_next(&logs.lists, list, index))
    {
        n++;
    }

    return n;
}


/* In the log; those of a stream begin at 0. */
static uint32_t
offset_of(unsigned wire, uint64_t offset)
{
    return bases[wire] + (uint32_t) offset;
}


static void
check_log(im_log_t *log)
{
    unsigned     i, counts[IM_SUB_BLOCKED + 1];
    uint32_t     index, behind;
    uint64_t     min;
    follower_t  *f;

    memset(counts, 0, sizeof(counts));
    min = streams[log->wire].head;

    assert_true(log->head == offset_of(log->wire, min));

    for (i = 0; i < NSUBS; i++) {
        f = &followers[i];

        if (f->wire != log->wire || f->state == IM_SUB_NONE) {
            continue;
        }

        assert_ptr_equal(f->sub->log, log);
        assert_int_equal(im_sub_state(f->sub), model_state(f));
        counts[model_state(f)]++;

        if (f->state >= IM_SUB_IDLE) {
            assert_true(f->sub->cursor == offset_of(f->wire, f->cursor));
            assert_true(im_sub_behind(f->sub)
                        == streams[f->wire].head - f->cursor);
            min = im_min(min, f->cursor);
        }
    }

    assert_int_equal(list_count(&log->joining), counts[IM_SUB_JOINING]);
    assert_int_equal(list_count(&log->live),
                     counts[IM_SUB_IDLE] + counts[IM_SUB_PENDING]);
    assert_int_equal(list_count(&log->blocked), counts[IM_SUB_BLOCKED]);

    /* the pending ones come first */

    assert_int_equal(im_log_pending(log) != NULL, counts[IM_SUB_PENDING] > 0);

    index = log->live.first;

    for (i = 0; i < counts[IM_SUB_PENDING]; i++) {
        assert_int_equal(im_sub_state(im_slab_object(&logs.subs, index)),
                         IM_SUB_PENDING);
        index = im_ring_next(&logs.lists, &log->live, index);
    }

    behind = (uint32_t) (streams[log->wire].head - min);

    if (behind == 0) {
        assert_null(im_log_slowest(&logs, log));
        return;
    }

    assert_true(log->head - log->open->tail >= behind);
    assert_true(im_sub_behind(im_log_slowest(&logs, log)) == behind);
}


/* A walk over the topic meets each subscription once. */
static void
check_walk(void)
{
    unsigned   n;
    im_sub_t  *sub;

    n = 0;

    for (sub = im_topic_next_sub(&logs, topic, NULL);
         sub != NULL;
         sub = im_topic_next_sub(&logs, topic, sub))
    {
        assert_true(sub->session < NSUBS);
        assert_ptr_equal(sub, followers[sub->session].sub);
        assert_true(n++ < NSUBS);
    }

    assert_int_equal(n, topic->nsubs);
}


static void
check_all(void)
{
    size_t     bytes;
    unsigned   nsubs;
    im_log_t  *log;

    bytes = logs.nspare * logs.chunk_size;
    nsubs = 0;

    for (log = topic->logs; log != NULL; log = log->next) {
        check_log(log);
        bytes += im_log_bytes(log);
        nsubs += log->nsubs;
    }

    assert_int_equal(logs.bytes, bytes);
    assert_int_equal(topic->nsubs, nsubs);
    check_walk();
}


static void
do_append(random_t *r, unsigned wire, uint64_t seq)
{
    size_t         i, len;
    unsigned       fail;
    uint64_t       before;
    im_int_t       rc;
    stream_t      *s;
    static u_char  frame[5000];

    if (log_of(wire) == NULL) {
        return;
    }

    s = &streams[wire];
    len = random_below(r, 20) == 0 ? random_below(r, sizeof(frame)) + 1
                                   : random_below(r, 100) + 1;

    if (s->nframes == MAX_FRAMES || s->head + len > MAX_STREAM) {
        return;
    }

    for (i = 0; i < len; i++) {
        frame[i] = random_below(r, 256);
    }

    fail = random_below(r, 4) == 0;

    if (fail) {
        alloc_fail_all();
    }

    before = topic->seq;
    rc = im_log_append(&logs, log_of(wire), im_str_set(frame, len), seq);
    alloc_fail_at(0);

    if (rc != IM_OK) {
        assert_true(fail);
        assert_true(topic->seq == before);
        return;
    }

    assert_true(topic->seq == im_max(before, seq));

    if (model_live(wire) && random_below(r, 5) == 0) {
        im_log_undo(log_of(wire));
        return;
    }

    if (model_live(wire)) {
        memcpy(s->bytes + s->head, frame, len);
        s->head += len;
        s->ends[s->nframes++] = s->head;
    }
}


static void
do_read(random_t *r, follower_t *f)
{
    size_t      total, sum, max;
    stream_t   *s;
    uint64_t    end;
    im_str_t    pieces[4];
    im_uint_t   i, n, got;

    n = 1 + random_below(r, 4);
    max = random_below(r, 8) == 0 ? SIZE_MAX : random_below(r, 4000);

    got = im_sub_read(f->sub, pieces, n, max, &total);
    assert_true(got <= n);

    if (model_state(f) < IM_SUB_PENDING) {
        assert_int_equal(got, 0);
        assert_int_equal(total, 0);
        assert_int_equal(im_sub_unfinished(f->sub), 0);
        return;
    }

    s = &streams[f->wire];
    sum = 0;

    for (i = 0; i < got; i++) {
        assert_true(pieces[i].len > 0);
        assert_memory_equal(pieces[i].data, s->bytes + f->cursor + sum,
                            pieces[i].len);
        sum += pieces[i].len;
    }

    end = f->cursor + sum;

    assert_true(got > 0);
    assert_int_equal(total, sum);
    assert_true(end <= s->head);
    assert_true(model_boundary(s, end));
    assert_true(total <= max || end == model_end(s, f->cursor));

    /* Nothing that could have been given is left out. */

    if (got < n && end < s->head) {
        assert_true(total >= max || model_end(s, end) - f->cursor > max);
    }

    assert_int_equal(im_sub_unfinished(f->sub),
                     model_boundary(s, f->cursor)
                     ? 0 : model_end(s, f->cursor) - f->cursor);

    if (random_below(r, 2)) {
        total = random_below(r, total + 1);
    }

    im_sub_advance(f->sub, total);
    f->cursor += total;

    if (f->cursor == s->head) {
        f->state = IM_SUB_IDLE;
    }
}


static void
do_join(follower_t *f)
{
    f->sub = im_sub_create(&logs);
    assert_non_null(f->sub);

    f->sub->session = (uint32_t) (f - followers);

    assert_int_equal(im_topic_subscribe(&logs, topic, f->wire, f->sub), IM_OK);
    f->state = IM_SUB_JOINING;
}


static void
do_leave(follower_t *f)
{
    im_topic_unsubscribe(&logs, f->sub);
    assert_int_equal(im_sub_state(f->sub), IM_SUB_NONE);
    im_sub_destroy(&logs, f->sub);

    f->state = IM_SUB_NONE;
}


static void
do_live(follower_t *f)
{
    im_sub_live(&logs, f->sub);

    if (f->state == IM_SUB_JOINING) {
        f->state = IM_SUB_IDLE;
        f->cursor = streams[f->wire].head;
    }
}


static void
do_block(random_t *r, follower_t *f)
{
    if (random_below(r, 2)) {
        im_sub_block(f->sub);

        if (model_state(f) == IM_SUB_PENDING) {
            f->state = IM_SUB_BLOCKED;
        }

        return;
    }

    im_sub_unblock(f->sub);

    if (f->state == IM_SUB_BLOCKED) {
        f->state = IM_SUB_IDLE;
    }
}


static void
do_trim(random_t *r, unsigned wire)
{
    int        scan;
    unsigned   i, behind;
    uint64_t   min;
    im_log_t  *log;

    log = log_of(wire);
    if (log == NULL) {
        return;
    }

    scan = random_below(r, 2);
    im_log_trim(&logs, log, scan);

    behind = 0;
    min = streams[wire].head;

    for (i = 0; i < NSUBS; i++) {
        if (followers[i].wire == wire
            && model_state(&followers[i]) >= IM_SUB_PENDING)
        {
            behind++;
            min = im_min(min, followers[i].cursor);
        }
    }

    if (behind == 0) {
        assert_null(log->open);
        assert_int_equal(im_log_bytes(log), 0);

    } else if (scan) {

        /* No more than the rest of one chunk is kept for nothing. */

        assert_true(offset_of(wire, min) - log->open->tail
                    < im_max(CHUNK, 5100));
    }
}


static void
step(random_t *r, follower_t *f)
{
    uint64_t  seq;

    if (f->state == IM_SUB_NONE) {
        do_join(f);
        return;
    }

    switch (random_below(r, 16)) {

    case 0:
        do_leave(f);
        break;

    case 1:
    case 2:
        do_live(f);
        break;

    case 3:
    case 4:
    case 5:
        do_block(r, f);
        break;

    case 6:
    case 7:
        do_trim(r, f->wire);
        break;

    case 8:
    case 9:
    case 10:
        seq = random_below(r, 3) ? topic->seq + 1 : 0;
        do_append(r, f->wire, seq);
        break;

    default:
        do_read(r, f);
        break;
    }
}


/* base: the offset where the logs begin. */
static void
run_random(uint64_t seed, uint32_t base)
{
    unsigned  i;
    random_t  r;

    random_init(&r, seed);
    memset(followers, 0, sizeof(followers));

    for (i = 0; i < NWIRES; i++) {
        streams[i].head = 0;
        streams[i].nframes = 0;
    }

    for (i = 0; i < NSUBS; i++) {
        followers[i].wire = i % NWIRES;
    }

    im_logs_init(&logs, CHUNK);
    topic = im_topic_create(im_str_z("r:1"), 3);
    assert_non_null(topic);

    for (i = 0; i < NWIRES; i++) {
        assert_int_equal(im_topic_prepare(topic, i), IM_OK);
        log_of(i)->head = base;
        bases[i] = base;
    }

    for (i = 0; i < 40000; i++) {
        step(&r, &followers[random_below(&r, NSUBS)]);
        check_all();
    }

    for (i = 0; i < NSUBS; i++) {
        if (followers[i].state != IM_SUB_NONE) {
            do_leave(&followers[i]);
            check_all();
        }
    }

    for (i = 0; i < NWIRES; i++) {
        assert_null(log_of(i)->open);
    }

    im_topic_destroy(&logs, topic);
    im_logs_cleanup(&logs);
    assert_int_equal(logs.bytes, 0);
}


static void
test_random(void **state)
{
    (void) state;

    run_random(61, 0);
    run_random(62, UINT32_MAX - 2000);
    run_random(63, UINT32_MAX - 100000);
    run_random(64, INT32_MAX - 50000);
}


static void
test_create(void **state)
{
    char      name[300];
    im_str_t  s;

    (void) state;

    memset(name, 'x', sizeof(name));

    assert_null(im_topic_create(im_str_set(name, 0), 0));
    assert_null(im_topic_create(im_str_set(name, IM_TOPIC_MAX + 1), 0));

    im_logs_init(&logs, 0);

    topic = im_topic_create(im_str_set(name, IM_TOPIC_MAX), 5);
    assert_non_null(topic);

    s = im_topic_name(topic);
    assert_int_equal(s.len, IM_TOPIC_MAX);
    assert_memory_equal(s.data, name, s.len);
    assert_int_equal(s.data[s.len], 0);
    assert_int_equal(topic->partition, 5);
    assert_int_equal(topic->state, IM_TOPIC_NEW);

    im_topic_destroy(&logs, topic);

    alloc_fail_at(1);
    assert_null(im_topic_create(im_str_z("b"), 0));
}


static im_offer_e
offer(const char *epoch, uint64_t seq)
{
    return im_topic_offer(topic, im_str_z(epoch), seq);
}


static int
continues(const char *epoch, uint64_t seq)
{
    return im_topic_continues(topic, im_str_z(epoch), seq);
}


static void
position(const char *epoch, uint64_t seq, const char *past)
{
    assert_int_equal(im_topic_position(topic, im_str_z(epoch), seq,
                                       im_str_z(past)),
                     IM_OK);
}


static void
test_position(void **state)
{
    (void) state;

    im_logs_init(&logs, CHUNK);
    topic = im_topic_create(im_str_z("b"), 0);
    assert_non_null(topic);

    assert_int_equal(offer("e1", 1), IM_OFFER_ASK);
    assert_int_equal(offer("", 1), IM_OFFER_ASK);
    assert_false(continues("", 0));

    position("e1", 7, "");
    assert_int_equal(topic->state, IM_TOPIC_LIVE);

    assert_int_equal(offer("e1", 0), IM_OFFER_DROP);
    assert_int_equal(offer("e1", 7), IM_OFFER_DROP);
    assert_int_equal(offer("e1", 8), IM_OFFER_APPEND);
    assert_int_equal(offer("e1", 9), IM_OFFER_GAP);
    assert_int_equal(offer("e1", UINT64_MAX), IM_OFFER_GAP);
    assert_int_equal(offer("e0", 8), IM_OFFER_ASK);
    assert_int_equal(offer("e", 8), IM_OFFER_ASK);
    assert_int_equal(offer("", 8), IM_OFFER_ASK);

    assert_true(continues("e1", 0));
    assert_true(continues("e1", 7));
    assert_false(continues("e1", 8));
    assert_false(continues("e0", 1));

    topic->state = IM_TOPIC_HEALING;
    position("e3", 20, "e2:15 e1:10");
    assert_int_equal(topic->state, IM_TOPIC_LIVE);

    assert_int_equal(offer("e3", 21), IM_OFFER_APPEND);
    assert_int_equal(offer("e2", 21), IM_OFFER_DROP);
    assert_int_equal(offer("e1", 10), IM_OFFER_DROP);
    assert_int_equal(offer("e1", 22), IM_OFFER_DROP);
    assert_int_equal(offer("e0", 21), IM_OFFER_ASK);
    assert_int_equal(offer("e", 21), IM_OFFER_ASK);
    assert_int_equal(offer("e2:15", 21), IM_OFFER_ASK);

    /* healing behind the end of a past epoch */

    position("e3", 12, "e2:15 e1:10");
    assert_int_equal(offer("e2", 13), IM_OFFER_APPEND);
    assert_int_equal(offer("e2", 15), IM_OFFER_GAP);
    assert_int_equal(offer("e2", 16), IM_OFFER_DROP);
    position("e3", 20, "e2:15 e1:10");

    assert_true(continues("e3", 20));
    assert_true(continues("e2", 15));
    assert_false(continues("e2", 16));
    assert_true(continues("e1", 10));
    assert_false(continues("e1", 11));
    assert_false(continues("e0", 0));

    /* Bytes of another form don't match, and do no harm. */

    position("e9", 1, " e1: :5 e2 e3:x e4:99999999999999999999 e5:3  ");
    assert_false(continues("e1", 0));
    assert_false(continues("", 0));
    assert_false(continues("e2", 0));
    assert_false(continues("e3", 0));
    assert_false(continues("e4", 0));
    assert_true(continues("e5", 3));

    position("e9", 1, "e8:18446744073709551615");
    assert_true(continues("e8", UINT64_MAX));

    im_topic_destroy(&logs, topic);
}


static void
test_position_refused(void **state)
{
    char  text[5000];

    (void) state;

    memset(text, 'e', sizeof(text));
    im_logs_init(&logs, CHUNK);
    topic = im_topic_create(im_str_z("b"), 0);
    assert_non_null(topic);

    position("e1", 5, "e0:4");

    alloc_fail_at(1);
    assert_int_equal(im_topic_position(topic, im_str_z("e2"), 9,
                                       im_str_z("e1:5")),
                     IM_ERROR);
    assert_int_equal(im_topic_position(topic,
                                       im_str_set(text, IM_EPOCH_MAX + 1), 9,
                                       im_str_z("")),
                     IM_ERROR);
    assert_int_equal(im_topic_position(topic, im_str_z("e2"), 9,
                                       im_str_set(text, sizeof(text))),
                     IM_ERROR);

    /* As before. */

    assert_true(topic->seq == 5);
    assert_true(continues("e1", 5));
    assert_true(continues("e0", 4));

    assert_int_equal(im_topic_position(topic, im_str_set(text, IM_EPOCH_MAX),
                                       9, im_str_z("")),
                     IM_OK);
    assert_int_equal(im_topic_offer(topic, im_str_set(text, IM_EPOCH_MAX), 10),
                     IM_OFFER_APPEND);

    im_topic_destroy(&logs, topic);
}


static im_sub_t *
sub_create(im_logs_t *all)
{
    im_sub_t  *sub;

    sub = im_sub_create(all);
    assert_non_null(sub);
    assert_int_equal(im_sub_state(sub), IM_SUB_NONE);

    return sub;
}


/* A topic keeps nothing for subscriptions that are joining. */
static void
test_joining(void **state)
{
    size_t     total;
    im_sub_t  *sub;
    im_str_t   piece;

    (void) state;

    im_logs_init(&logs, CHUNK);
    topic = im_topic_create(im_str_z("r:x"), 0);
    assert_non_null(topic);

    sub = sub_create(&logs);
    assert_int_equal(im_topic_prepare(topic, 1), IM_OK);

    alloc_fail_at(1);
    assert_int_equal(im_topic_subscribe(&logs, topic, 0, sub), IM_ERROR);
    assert_int_equal(topic->nsubs, 0);

    assert_int_equal(im_topic_subscribe(&logs, topic, 0, sub), IM_OK);

    assert_int_equal(im_log_append(&logs, sub->log, im_str_z("one"), 1), IM_OK);
    assert_true(topic->seq == 1);
    assert_int_equal(logs.bytes, 0);
    assert_int_equal(im_sub_read(sub, &piece, 1, 100, &total), 0);

    im_sub_live(&logs, sub);
    assert_int_equal(im_log_append(&logs, sub->log, im_str_z(""), 0), IM_OK);
    assert_int_equal(im_sub_state(sub), IM_SUB_IDLE);

    assert_int_equal(im_log_append(&logs, sub->log, im_str_z("two"), 2), IM_OK);
    assert_int_equal(im_log_append(&logs, sub->log, im_str_z("info"), 0),
                     IM_OK);
    assert_true(topic->seq == 2);
    assert_ptr_equal(im_log_pending(sub->log), sub);

    assert_int_equal(im_sub_read(sub, &piece, 1, 100, &total), 1);
    test_str(piece, "twoinfo");
    assert_int_equal(im_sub_read(sub, &piece, 1, 0, &total), 1);
    test_str(piece, "two");
    assert_int_equal(im_sub_read(sub, &piece, 0, 100, &total), 0);

    im_sub_advance(sub, 1);
    assert_int_equal(im_sub_unfinished(sub), 2);
    assert_int_equal(im_sub_read(sub, &piece, 1, 0, &total), 1);
    test_str(piece, "wo");

    im_topic_unsubscribe(&logs, sub);
    assert_int_equal(logs.nspare, 1);

    im_topic_destroy(&logs, topic);
    im_logs_cleanup(&logs);
}


/* Bytes that only the leaving subscription needed are freed. */
static void
test_leave_frees(void **state)
{
    unsigned   i;
    uint32_t   head;
    im_sub_t  *slow, *fast;

    (void) state;

    im_logs_init(&logs, CHUNK);
    topic = im_topic_create(im_str_z("r:x"), 0);
    assert_non_null(topic);

    slow = sub_create(&logs);
    fast = sub_create(&logs);

    assert_int_equal(im_topic_subscribe(&logs, topic, 0, slow), IM_OK);
    assert_int_equal(im_topic_subscribe(&logs, topic, 0, fast), IM_OK);
    im_sub_live(&logs, slow);
    im_sub_live(&logs, fast);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(im_log_append(&logs, fast->log,
                                       im_str_z("a frame of some bytes"), 0),
                         IM_OK);
    }

    im_sub_block(slow);
    head = fast->log->head;
    im_sub_advance(fast, head - 1);

    im_log_trim(&logs, fast->log, 1);
    assert_true(fast->log->open->tail == 0);
    assert_true(im_log_bytes(fast->log) >= head);

    im_topic_unsubscribe(&logs, slow);
    assert_true(head - fast->log->open->tail < CHUNK);
    assert_int_equal(im_log_bytes(fast->log), CHUNK);

    im_topic_unsubscribe(&logs, fast);
    im_topic_destroy(&logs, topic);
    im_logs_cleanup(&logs);
}


/* All that a subscription gets, as it is sent. */
static size_t
read_all(im_sub_t *sub, char *out)
{
    size_t    len, total;
    im_str_t  piece;

    len = 0;

    while (im_sub_read(sub, &piece, 1, 3, &total) > 0) {
        assert_int_equal(piece.len, total);

        memcpy(out + len, piece.data, total);
        len += total;

        im_sub_advance(sub, total);
    }

    out[len] = '\0';

    return len;
}


/* Live subscriptions read up to the cut; later ones begin behind it. */
static void
test_cut(void **state)
{
    int          i;
    char         got[64];
    im_sub_t    *sub, *late, *later;
    im_logs_t    all;
    im_topic_t  *t;

    (void) state;

    im_logs_init(&all, 256);

    t = im_topic_create(im_str_z("r:1"), 0);
    assert_non_null(t);

    sub = sub_create(&all);
    late = sub_create(&all);
    later = sub_create(&all);

    assert_int_equal(im_topic_subscribe(&all, t, 0, sub), IM_OK);

    /* without a live subscription there is nothing to cut */

    assert_int_equal(im_log_cut(&all, t->logs), IM_OK);
    assert_int_equal(t->logs->head, 0);
    im_sub_live(&all, sub);

    alloc_fail_all();
    assert_int_equal(im_log_cut(&all, t->logs), IM_ERROR);
    alloc_fail_at(0);
    assert_int_equal(im_sub_cut(sub), 0);

    for (i = 0; i < 3; i++) {
        assert_int_equal(im_log_append(&all, t->logs, im_str_z("ab"), 0),
                         IM_OK);
    }

    assert_int_equal(im_log_cut(&all, t->logs), IM_OK);
    assert_int_equal(im_sub_cut(sub), 0);

    assert_int_equal(im_topic_subscribe(&all, t, 0, late), IM_OK);
    im_sub_live(&all, late);
    assert_int_equal(im_sub_cut(late), 0);

    assert_int_equal(im_log_append(&all, t->logs, im_str_z("cdef"), 0), IM_OK);
    assert_int_equal(im_log_cut(&all, t->logs), IM_OK);
    assert_int_equal(im_log_cut(&all, t->logs), IM_OK);

    assert_int_equal(im_topic_subscribe(&all, t, 0, later), IM_OK);
    im_sub_live(&all, later);

    assert_int_equal(im_log_append(&all, t->logs, im_str_z("gh"), 0), IM_OK);

    /* cut in the middle of a frame, it is finished first */

    im_sub_advance(sub, 1);
    assert_int_equal(im_sub_cut(sub), 0);
    assert_int_equal(im_sub_unfinished(sub), 1);
    assert_int_equal(read_all(sub, got), 5);
    assert_string_equal(got, "babab");
    assert_int_equal(im_sub_cut(sub), 1);
    assert_int_equal(im_sub_unfinished(sub), 0);

    read_all(late, got);
    assert_string_equal(got, "cdef");
    assert_int_equal(im_sub_cut(late), 1);

    read_all(later, got);
    assert_string_equal(got, "gh");
    assert_int_equal(im_sub_cut(later), 0);
    assert_int_equal(im_sub_state(later), IM_SUB_IDLE);

    im_topic_unsubscribe(&all, sub);
    im_topic_unsubscribe(&all, late);

    /* empty, the log has forgotten them */

    im_log_trim(&all, t->logs, 1);
    assert_null(t->logs->open);

    im_topic_unsubscribe(&all, later);
    im_topic_destroy(&all, t);
    im_logs_cleanup(&all);
}


/* A subscription in another log is at its head, whatever state it had. */
static void
test_move(void **state)
{
    im_logs_t    all;
    im_topic_t  *t;
    im_sub_t    *joining, *idle, *behind, *other;

    (void) state;

    im_logs_init(&all, CHUNK);
    t = im_topic_create(im_str_z("u:1"), 3);
    assert_non_null(t);

    joining = sub_create(&all);
    idle = sub_create(&all);
    behind = sub_create(&all);
    other = sub_create(&all);

    assert_int_equal(im_topic_subscribe(&all, t, 7, joining), IM_OK);
    assert_int_equal(im_topic_subscribe(&all, t, 7, idle), IM_OK);
    assert_int_equal(im_topic_subscribe(&all, t, 7, behind), IM_OK);
    assert_int_equal(im_topic_subscribe(&all, t, 0x10007, other), IM_OK);
    im_sub_live(&all, idle);
    im_sub_live(&all, behind);
    im_sub_live(&all, other);

    assert_int_equal(im_log_append(&all, idle->log, im_str_z("abc"), 1), IM_OK);
    assert_int_equal(im_log_append(&all, other->log, im_str_z("xy"), 1), IM_OK);
    im_sub_advance(idle, 3);
    im_sub_advance(other, 1);
    im_sub_block(behind);

    assert_int_equal(im_topic_prepare(t, 0x10007), IM_OK);
    im_topic_move(&all, joining, 0x10007);
    im_topic_move(&all, idle, 0x10007);
    im_topic_move(&all, behind, 0x10007);

    assert_ptr_equal(joining->log, other->log);
    assert_ptr_equal(idle->log, other->log);
    assert_ptr_equal(behind->log, other->log);
    assert_int_equal(im_sub_state(joining), IM_SUB_JOINING);
    assert_int_equal(im_sub_state(idle), IM_SUB_IDLE);
    assert_int_equal(im_sub_state(behind), IM_SUB_IDLE);
    assert_int_equal(im_sub_behind(behind), 0);
    assert_int_equal(im_sub_behind(other), 1);
    assert_int_equal(t->nsubs, 4);
    assert_int_equal(other->log->nsubs, 4);

    /* what the other log kept is of no use any more */

    im_sub_advance(other, 1);
    im_log_trim(&all, other->log, 1);
    assert_int_equal(all.nspare, 2);
    assert_int_equal(all.bytes, 2 * CHUNK);

    assert_int_equal(im_log_append(&all, other->log, im_str_z("z"), 2), IM_OK);
    assert_int_equal(im_sub_state(behind), IM_SUB_PENDING);

    /* a log that can't be made is said before anything moves */

    alloc_fail_at(1);
    assert_int_equal(im_topic_prepare(t, 0x20007), IM_ERROR);
    alloc_fail_at(0);

    im_topic_unsubscribe(&all, joining);
    im_topic_unsubscribe(&all, idle);
    im_topic_unsubscribe(&all, behind);
    im_topic_unsubscribe(&all, other);

    im_topic_destroy(&all, t);
    im_logs_cleanup(&all);
}


#define NTOPICS   4
#define NSESSIONS 3


/* Where either list is shorter, it is searched, and the other one isn't. */
static void
test_find_sub(void **state)
{
    unsigned     i, k;
    im_logs_t    all;
    im_sub_t    *sub[NSESSIONS][NTOPICS], *first;
    im_topic_t  *t[NTOPICS];

    (void) state;

    im_logs_init(&all, CHUNK);

    for (k = 0; k < NTOPICS; k++) {
        t[k] = im_topic_create(im_str_z("r:x"), 0);
        assert_non_null(t[k]);

        for (i = 0; i < NSESSIONS; i++) {
            sub[i][k] = sub_create(&all);
            sub[i][k]->session = i;
            sub[i][k]->next = k > 0 ? sub[i][k - 1]->index : IM_SLAB_NONE;

            assert_int_equal(im_topic_subscribe(&all, t[k], i, sub[i][k]),
                             IM_OK);
        }
    }

    for (i = 0; i < NSESSIONS; i++) {
        first = sub[i][NTOPICS - 1];

        for (k = 0; k < NTOPICS; k++) {
            assert_ptr_equal(im_topic_find_sub(&all, t[k], first, NTOPICS),
                             sub[i][k]);
            assert_ptr_equal(im_topic_find_sub(&all, t[k], first, 1),
                             sub[i][k]);
        }
    }

    assert_null(im_topic_find_sub(&all, t[0], NULL, 0));

    /* only the session's list has it, then only the topic's */

    first = sub[1][1];
    sub[1][0]->session = NSESSIONS;

    assert_ptr_equal(im_topic_find_sub(&all, t[0], first, NSESSIONS),
                     sub[1][0]);
    assert_null(im_topic_find_sub(&all, t[0], first, NSESSIONS + 1));

    sub[1][0]->session = 1;
    first->next = IM_SLAB_NONE;

    assert_null(im_topic_find_sub(&all, t[0], first, NSESSIONS));
    assert_ptr_equal(im_topic_find_sub(&all, t[0], first, NSESSIONS + 1),
                     sub[1][0]);

    im_topic_unsubscribe(&all, sub[1][0]);
    assert_null(im_topic_find_sub(&all, t[0], first, NSESSIONS + 1));

    im_topic_unsubscribe(&all, sub[0][0]);
    im_topic_unsubscribe(&all, sub[2][0]);
    assert_null(im_topic_find_sub(&all, t[0], first, 1));

    for (k = 0; k < NTOPICS; k++) {
        for (i = 0; k > 0 && i < NSESSIONS; i++) {
            im_topic_unsubscribe(&all, sub[i][k]);
        }

        im_topic_destroy(&all, t[k]);
    }

    im_logs_cleanup(&all);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_cut),
    alloc_test(test_create),
    alloc_test(test_position),
    alloc_test(test_position_refused),
    alloc_test(test_joining),
    alloc_test(test_leave_frees),
    alloc_test(test_move),
    alloc_test(test_find_sub),
    alloc_test(test_random)
};

test_main(tests)
