/*
 * Copyright (C) The im authors
 *
 * The queue of a partition against a fake Redis, in which commands, replies and
 * bells take their time: whatever the order, each entry is published, in order,
 * and none is trimmed before that.
 */

#include <hiredis/hiredis.h>

#include "test.h"
#include "im_job.h"
#include "im_daemon_time.h"


#define ROUNDS   300
#define STEPS    600
#define ENTRIES  4096
#define CALLS    4096


typedef struct {
    im_str_t          args[8];       /* in bytes */
    im_uint_t         n;
    u_char           *bytes;
    im_link_reply_pt  handler;
    void             *data;
    char             *reply;         /* of Redis; NULL: not executed yet */
} fake_call_t;


typedef struct {
    random_t      random;
    im_job_t      job;
    uint64_t      now;
    uint64_t      pushed;            /* entries 1 .. pushed were made */
    uint64_t      trimmed;           /* entries 1 .. trimmed are gone */
    uint64_t      published;         /* all of them, by Redis, in order */
    uint64_t      taken;             /* by PUBLISHes that were executed */
    fake_call_t   calls[CALLS];      /* sent, not answered */
    im_uint_t     sent, executed, answered;
    im_str_t      bells[ENTRIES];
    im_uint_t     rung, heard;
    im_uint_t     lost;              /* bells: 1 in so many */
    const char   *away;              /* keys that begin so are not sent */
    int           lucky;             /* its buffer is never full */
    int           subscribed;
    int           control;           /* every 10th entry is one */
} fake_t;


static fake_t          fake;
static im_link_call_t  building;


/* What the queue uses of a link and of a clock. */

im_link_call_t *
im_link_command(im_link_t *link, const char *words)
{
    (void) link;

    im_link_call_start(&building, words);

    return &building;
}


im_link_call_t *
im_link_script(im_link_t *link, const im_script_t *script)
{
    (void) link;

    im_link_call_start_script(&building, script);

    return &building;
}


im_int_t
im_link_send(im_link_t *link, im_link_reply_pt handler, void *data)
{
    size_t        at;
    uint32_t     *lens;
    im_uint_t     i;
    fake_call_t  *call;

    (void) link;

    assert_false(building.bytes.failed);

    /* the link's buffer is full */

    if (!fake.lucky && random_below(&fake.random, 40) == 0) {
        return IM_ERROR;
    }

    if (fake.away != NULL && building.bytes.len > 16
        && memmem(building.bytes.data, building.bytes.len, fake.away,
                  strlen(fake.away))
           != NULL)
    {
        return IM_ERROR;
    }

    call = &fake.calls[fake.sent++ % CALLS];
    assert_true(fake.sent - fake.answered < CALLS);

    call->n = building.nargs;
    call->bytes = malloc(building.bytes.len + 1);
    call->handler = handler;
    call->data = data;
    call->reply = NULL;

    assert_non_null(call->bytes);
    assert_true(call->n <= test_count(call->args));
    memcpy(call->bytes, building.bytes.data, building.bytes.len);

    lens = (uint32_t *) building.lens.data;

    for (i = 0, at = 0; i < call->n; i++) {
        call->args[i] = im_str_set(call->bytes + at, lens[i]);
        at += lens[i];
    }

    return IM_OK;
}


const im_keys_t *
im_link_keys(const im_link_t *link)
{
    static im_keys_t  keys;

    (void) link;

    keys.prefix = im_str_z("im:");
    keys.partitions = 1;

    return &keys;
}


im_int_t
im_link_subscribe(im_link_t *link, im_str_t channel, im_uint_t number,
    int heartbeats)
{
    (void) link;

    assert_true(channel.data[4] == '0' + number && !heartbeats);
    fake.subscribed = 1;

    return IM_OK;
}


void
im_link_unsubscribe(im_link_t *link, im_str_t channel)
{
    (void) link;
    (void) channel;

    fake.subscribed = 0;
}


uint64_t
im_daemon_now(void)
{
    return fake.now;
}


/* Redis: an entry is its number, and its id is "NUMBER-0". */

static int
is_control(uint64_t n)
{
    return fake.control && n % 10 == 0;
}


static void
push(void)
{
    int        rings;
    char       id[24], position[24], envelope[24];
    im_buf_t   b;
    uint64_t   before;

    before = fake.pushed - fake.trimmed;
    fake.pushed++;

    rings = before < IM_JOB_RINGS && fake.subscribed
            && (fake.lost == 0 || random_below(&fake.random, fake.lost) != 0);

    if (!rings) {
        return;
    }

    snprintf(id, sizeof(id), "%llu-0", (unsigned long long) fake.pushed);
    snprintf(position, sizeof(position), "e:%llu",
             (unsigned long long) fake.pushed);
    snprintf(envelope, sizeof(envelope), "%llu",
             (unsigned long long) fake.pushed);

    im_buf_init(&b, 1024);
    im_buf_add_u32(&b, (uint32_t) before);
    im_buf_add_u8(&b, (uint8_t) strlen(id));
    im_buf_add_z(&b, id);

    if (random_below(&fake.random, 10) != 0) {
        im_buf_add_u8(&b, 3);
        im_buf_add_z(&b, "r:1");

        if (is_control(fake.pushed)) {
            im_buf_add_u8(&b, 0);

        } else {
            im_buf_add_u8(&b, (uint8_t) strlen(position));
            im_buf_add_z(&b, position);
        }

        im_buf_add_u32(&b, 2);
        im_buf_add_z(&b, "w1");
        im_buf_add_z(&b, envelope);
    }

    fake.bells[fake.rung++ % ENTRIES] = im_buf_str(&b);
}


static uint64_t
number(im_str_t s)
{
    size_t    i;
    uint64_t  n;

    for (i = 0, n = 0; i < s.len && s.data[i] >= '0' && s.data[i] <= '9'; i++)
    {
        n = n * 10 + s.data[i] - '0';
    }

    return n;
}


static char *
range(const fake_call_t *call)
{
    char      *reply, *p, position[24];
    uint64_t   n, first, last;

    test_str(call->args[1], "im:{0}:q");

    first = fake.trimmed + 1;

    if (call->args[2].data[0] == '(') {
        n = number(im_str_set(call->args[2].data + 1, call->args[2].len - 1));
        first = im_max(first, n + 1);
    }

    n = number(call->args[5]);
    last = im_min(first + n - 1, fake.pushed);
    n = last >= first ? last - first + 1 : 0;

    p = reply = malloc(200 * n + 20);
    assert_non_null(reply);
    p += sprintf(p, "*%llu\r\n", (unsigned long long) n);

    for (n = first; n <= last; n++) {
        snprintf(position, sizeof(position), is_control(n) ? "" : "e:%llu",
                 (unsigned long long) n);
        p += sprintf(p, "*2\r\n+%llu-0\r\n*8\r\n+t\r\n+r:1\r\n+i\r\n"
                     "$%zu\r\n%s\r\n+w\r\n+w1\r\n+d\r\n+%llu\r\n",
                     (unsigned long long) n, strlen(position), position,
                     (unsigned long long) n);
    }

    return reply;
}


/* A worker gets entries: twice perhaps, but none out of order. */
static void
published(const fake_call_t *call)
{
    uint64_t     n;
    im_entry_t   e;
    im_reader_t  r;

    test_str(call->args[1], "im:{0}:w:w1");
    im_reader_init(&r, call->args[2]);

    while (im_entry_decode(&r, &e) == IM_OK) {
        n = number(e.envelope);

        assert_true(n <= fake.published + 1);
        assert_int_equal(e.kind, is_control(n) ? IM_PUSH_CONTROL
                                               : IM_PUSH_MESSAGE);
        assert_true(e.seq == n);

        fake.published = im_max(fake.published, n);
    }

    assert_false(r.failed);
}


static void
execute(void)
{
    uint64_t      n;
    fake_call_t  *call;

    if (fake.executed == fake.sent) {
        return;
    }

    call = &fake.calls[fake.executed++ % CALLS];

    if (im_str_eq(call->args[0], im_str_z("XRANGE"))) {
        call->reply = range(call);
        return;
    }

    if (im_str_eq(call->args[0], im_str_z("SPUBLISH"))) {
        published(call);

    } else {
        test_str(call->args[0], "XTRIM");
        test_str(call->args[2], "MINID");
        assert_int_equal(call->args[3].data[call->args[3].len - 1], '1');

        n = number(call->args[3]);

        assert_true(n <= fake.published);
        fake.trimmed = im_max(fake.trimmed, n);
    }

    call->reply = strdup(":1\r\n");
    assert_non_null(call->reply);
}


/* An earlier owner that stood still: it trims what was published. */
static void
trim_late(void)
{
    if (fake.published > fake.trimmed) {
        fake.trimmed += 1 + random_below(&fake.random, (uint32_t)
                                         (fake.published - fake.trimmed));
    }
}


static void
answer(void)
{
    void         *reply;
    fake_call_t  *call;
    redisReader  *reader;

    if (fake.answered == fake.executed) {
        return;
    }

    call = &fake.calls[fake.answered++ % CALLS];

    reader = redisReaderCreate();
    redisReaderFeed(reader, call->reply, strlen(call->reply));
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);

    if (call->handler != NULL) {
        call->handler(reply, call->data);
    }

    freeReplyObject(reply);
    redisReaderFree(reader);
    free(call->reply);
    free(call->bytes);
}


static void
ring(void)
{
    im_str_t  bell;

    if (fake.heard == fake.rung) {
        return;
    }

    bell = fake.bells[fake.heard++ % ENTRIES];

    im_job_queue_bell(&fake.job, 0, bell);
    im_free(bell.data);
}


/* Redis may have executed what was sent; pub/sub alone may be lost. */
static void
lose(int calls)
{
    fake_call_t  *call;

    while (fake.heard < fake.rung) {
        im_free(fake.bells[fake.heard++ % ENTRIES].data);
    }

    if (calls) {
        while (fake.executed < fake.sent && random_below(&fake.random, 3)) {
            execute();
        }
    }

    im_job_queue_reset(&fake.job.partitions[0]);

    while (calls && fake.answered < fake.sent) {
        call = &fake.calls[fake.answered++ % CALLS];

        if (call->handler != NULL) {
            call->handler(NULL, call->data);
        }

        free(call->reply);
        free(call->bytes);
    }

    fake.executed = im_max(fake.executed, fake.answered);

    if (fake.job.partitions[0].state == IM_JOB_WAITING) {
        im_job_queue_subscribed(&fake.job, 0);
    }
}


static void
flush(void)
{
    im_job_queue_flush_handler(-1, 0, &fake.job);
}


static void
init(uint32_t npartitions, int shared)
{
    random_t  random;
    uint32_t  p;

    random = fake.random;
    memset(&fake, 0, sizeof(fake_t));

    fake.random = random;
    fake.now = 1000;
    fake.job.shared = shared;
    fake.job.base = event_base_new();
    assert_non_null(fake.job.base);
    assert_int_equal(im_job_queue_init(&fake.job, npartitions), IM_OK);

    fake.job.flush = evtimer_new(fake.job.base, im_job_queue_flush_handler,
                                 &fake.job);
    im_link_call_init(&building);

    for (p = 0; p < npartitions; p++) {
        fake.job.partitions[p].lease_end = UINT64_MAX;
        im_job_queue_state(&fake.job.partitions[p], IM_JOB_WAITING);
        assert_true(fake.subscribed);
        im_job_queue_subscribed(&fake.job, p);
    }
}


static void
start(void)
{
    init(1, random_below(&fake.random, 2) == 0);
}


static void
settle(void)
{
    while (fake.answered < fake.sent) {
        execute();
        answer();
    }
}


/* Without pushes all that is left arrives. */
static void
finish(void)
{
    im_uint_t  i;

    for (i = 0; i < 400; i++) {
        im_job_queue_tick(&fake.job);
        settle();
        while (fake.heard < fake.rung) { ring(); }
        flush();
    }

    assert_true(fake.published == fake.pushed);
    assert_true(fake.trimmed == fake.pushed);
    assert_int_equal(fake.job.partitions[0].held, 0);

    lose(1);
    im_job_queue_state(&fake.job.partitions[0], IM_JOB_FREE);
    assert_false(fake.subscribed);

    for ( /* void */ ; fake.answered < fake.sent; fake.answered++) {
        free(fake.calls[fake.answered % CALLS].reply);
        free(fake.calls[fake.answered % CALLS].bytes);
    }

    event_free(fake.job.flush);
    event_base_free(fake.job.base);
    im_job_queue_cleanup(&fake.job);
    im_link_call_cleanup(&building);
}


/* How often something happens, in a thousand steps; lost: of bells, 1 in .. */
static void
run(im_uint_t round, im_uint_t pushes, im_uint_t lost, im_uint_t losses,
    im_uint_t late)
{
    im_uint_t  i, k, what;

    start();
    fake.lost = lost;
    fake.control = round % 2;

    for (i = 0; i < STEPS; i++) {
        what = random_below(&fake.random, 1000);

        if (what < pushes) {
            for (k = random_below(&fake.random, round % 3 ? 3 : 40); k; k--) {
                push();
            }

        } else if (what < pushes + losses) {
            lose(random_below(&fake.random, 2));

        } else if (what < pushes + losses + late) {
            trim_late();

        } else {
            switch (random_below(&fake.random, 8)) {
            case 0:
                flush();
                break;
            case 1:
                im_job_queue_tick(&fake.job);
                break;
            case 2:
            case 3:
                ring();
                break;
            case 4:
            case 5:
                execute();
                break;
            default:
                answer();
            }
        }
    }

    finish();
}


static void
test_order(void **state)
{
    im_uint_t  i;

    (void) state;
    random_init(&fake.random, 1);

    for (i = 1; i <= ROUNDS; i++) {
        run(i, 100 + i % 4 * 200, 0, 0, 0);
    }
}


static void
test_lost_bells(void **state)
{
    im_uint_t  i;

    (void) state;
    random_init(&fake.random, 1);

    for (i = 1; i <= ROUNDS; i++) {
        run(i, 200, 1 + i % 5, 0, 0);
    }
}


static void
test_lost_connections(void **state)
{
    im_uint_t  i;

    (void) state;
    random_init(&fake.random, 1);

    for (i = 1; i <= ROUNDS; i++) {
        run(i, 200, i % 3, 20, 0);
    }
}


static void
test_late_owner(void **state)
{
    im_uint_t  i;

    (void) state;
    random_init(&fake.random, 1);

    for (i = 1; i <= ROUNDS; i++) {
        run(i, 200, 0, i % 2 * 20, 30);
    }
}


/* How many of the calls that are out name a word and a key. */
static im_uint_t
out(const char *word, const char *key)
{
    im_uint_t           i, n;
    const fake_call_t  *call;

    for (i = fake.answered, n = 0; i < fake.sent; i++) {
        call = &fake.calls[i % CALLS];
        n += im_str_eq(call->args[0], im_str_z(word))
             && im_str_eq(call->args[1], im_str_z(key));
    }

    return n;
}


static void
bell(im_uint_t p, const char *id)
{
    im_buf_t  b;

    im_buf_init(&b, 1024);
    im_buf_add_u32(&b, (uint32_t) fake.job.partitions[p].held);
    im_buf_add_u8(&b, (uint8_t) strlen(id));
    im_buf_add_z(&b, id);
    im_buf_add_u8(&b, 3);
    im_buf_add_z(&b, "r:1");
    im_buf_add_u8(&b, 3);
    im_buf_add_z(&b, "e:1");
    im_buf_add_u32(&b, 2);
    im_buf_add_z(&b, "w1");
    im_buf_add_z(&b, "hello");

    assert_false(b.failed);
    im_job_queue_bell(&fake.job, p, im_buf_str(&b));
    im_buf_cleanup(&b);
}


/* Redis is done with what was published. */
static void
answer_publishes(void)
{
    im_uint_t     i;
    fake_call_t  *call;

    for (i = fake.answered; i < fake.sent; i++) {
        call = &fake.calls[i % CALLS];

        if (call->handler != NULL
            && im_str_eq(call->args[0], im_str_z("SPUBLISH")))
        {
            call->handler(NULL, call->data);
            call->handler = NULL;
        }
    }
}


/* Ends what init() began, with calls that are not answered. */
static void
drop(void)
{
    uint32_t  p;

    for (p = 0; p < fake.job.npartitions; p++) {
        im_job_queue_state(&fake.job.partitions[p], IM_JOB_FREE);
    }

    for ( /* void */ ; fake.answered < fake.sent; fake.answered++) {
        if (fake.calls[fake.answered].handler != NULL) {
            fake.calls[fake.answered].handler(NULL,
                                         fake.calls[fake.answered].data);
        }

        free(fake.calls[fake.answered].bytes);
    }

    event_free(fake.job.flush);
    event_base_free(fake.job.base);
    im_job_queue_cleanup(&fake.job);
    im_link_call_cleanup(&building);
}


/* A lone entry goes and is trimmed at once, those of a round trip together. */
static void
test_gather(void **state)
{
    im_uint_t  shared;

    (void) state;

    for (shared = 0; shared < 2; shared++) {
        random_init(&fake.random, 1);
        init(1, (int) shared);
        fake.lucky = 1;
        im_job_queue_state(&fake.job.partitions[0], IM_JOB_FOLLOWING);

        bell(0, "1-0");
        flush();

        assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 1);
        assert_int_equal(out("XTRIM", "im:{0}:q"), 1);
        assert_int_equal(fake.job.partitions[0].held, 0);

        bell(0, "2-0");
        flush();
        bell(0, "3-0");
        flush();

        assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 1);
        assert_int_equal(out("XTRIM", "im:{0}:q"), 1);
        assert_int_equal(fake.job.partitions[0].held, 2);

        answer_publishes();
        flush();

        assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 2);
        assert_int_equal(out("XTRIM", "im:{0}:q"), 2);
        assert_int_equal(fake.job.partitions[0].held, 0);

        /* one that gives its partition up waits for no answer */

        bell(0, "4-0");
        im_job_queue_finish(&fake.job.partitions[0]);

        assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 3);
        assert_int_equal(out("XTRIM", "im:{0}:q"), 3);
        assert_int_equal(fake.job.partitions[0].state, IM_JOB_LEAVING);

        drop();
    }
}


/* One of several servers goes: the partitions of the others go on. */
static void
test_servers(void **state)
{
    im_uint_t     i, p, trims;
    fake_call_t  *call;

    (void) state;

    random_init(&fake.random, 1);
    init(3, 0);
    fake.lucky = 1;

    for (p = 0; p < 3; p++) {
        im_job_queue_state(&fake.job.partitions[p], IM_JOB_FOLLOWING);
    }

    /* each has its own channel */

    bell(0, "1-0");
    bell(1, "1-0");
    flush();

    assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 1);
    assert_int_equal(out("SPUBLISH", "im:{1}:w:w1"), 1);

    /* a server that takes no calls holds up its own ones only */

    fake.away = "im:{1}:";
    trims = out("XTRIM", "im:{1}:q");
    answer_publishes();
    bell(1, "2-0");
    bell(0, "2-0");
    bell(2, "1-0");
    flush();

    assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 2);
    assert_int_equal(out("SPUBLISH", "im:{1}:w:w1"), 1);
    assert_int_equal(out("SPUBLISH", "im:{2}:w:w1"), 1);
    assert_true(out("XTRIM", "im:{0}:q") > 0);
    assert_int_equal(out("XTRIM", "im:{1}:q"), trims);
    assert_true(fake.job.partitions[1].held > 0);

    /* it is known to be away: what was taken is read again, there alone */

    bell(0, "3-0");
    im_job_queue_reset(&fake.job.partitions[1]);

    assert_int_equal(fake.job.partitions[0].state, IM_JOB_FOLLOWING);
    assert_int_equal(fake.job.partitions[1].state, IM_JOB_WAITING);
    assert_int_equal(fake.job.partitions[1].held, 0);

    fake.away = NULL;
    answer_publishes();
    flush();

    assert_int_equal(out("SPUBLISH", "im:{0}:w:w1"), 3);
    assert_int_equal(out("SPUBLISH", "im:{1}:w:w1"), 1);

    do {
        im_job_queue_subscribed(&fake.job, 1);
    } while (fake.job.partitions[1].state != IM_JOB_READING);

    /* a read that comes to nothing is made again */

    for (i = fake.answered; i < fake.sent; i++) {
        call = &fake.calls[i];

        if (call->handler != NULL && im_str_eq(call->args[0],
                                               im_str_z("XRANGE")))
        {
            call->handler(NULL, call->data);
            call->handler = NULL;
        }
    }

    assert_int_equal(fake.job.partitions[1].state, IM_JOB_WAITING);

    im_job_queue_tick(&fake.job);
    assert_int_equal(fake.job.partitions[1].state, IM_JOB_READING);

    drop();
}


/* An owner whose lease is over takes and trims nothing. */
static void
test_lease(void **state)
{
    im_uint_t  i, round;

    (void) state;

    random_init(&fake.random, 1);

    for (round = 0; round < 20; round++) {
        start();

        for (i = 0; i < 100; i++) {
            push();
            ring();
            flush();
            settle();
        }

        while (fake.job.partitions[0].state != IM_JOB_FOLLOWING
               || fake.job.batch.n != 0)
        {
            im_job_queue_tick(&fake.job);
            flush();
            settle();
        }

        fake.lucky = 1;
        im_job_queue_flush_handler(-1, 0, &fake.job);
        settle();
        fake.lucky = 0;

        fake.now = fake.job.partitions[0].lease_end = 2000;

        for (i = 0; i < 5; i++) {
            push();
            ring();
            flush();
            im_job_queue_tick(&fake.job);
        }

        assert_true(fake.executed == fake.sent);
        assert_int_equal(fake.job.partitions[0].state, IM_JOB_WAITING);

        fake.job.partitions[0].lease_end = UINT64_MAX;
        finish();
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_order),
    alloc_test(test_lost_bells),
    alloc_test(test_lost_connections),
    alloc_test(test_late_owner),
    alloc_test(test_gather),
    alloc_test(test_servers),
    alloc_test(test_lease)
};

test_main(tests)
