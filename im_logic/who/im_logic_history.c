/*
 * Copyright (C) The im authors
 *
 * Position and messages by page.lua; route.lua where there is no position.
 */

#include <stdio.h>

#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_key.h"
#include "im_push.h"


#define IM_HISTORY_TTL  86400       /* s, of routes that nobody has here */


typedef struct {
    im_logic_t                 *logic;
    im_logic_history_events_t   events;
    void                       *data;
    im_buf_t                    topic;
    im_logic_range_t            range;
    uint16_t                    p;
} im_logic_history_t;


static im_int_t im_logic_history_keys(const im_logic_history_t *h,
    im_buf_t *b, const char *kinds, im_str_t *keys);
static im_int_t im_logic_history_page(im_logic_history_t *h);
static void im_logic_history_page_handler(const im_daemon_reply_t *reply,
    void *data);
static im_int_t im_logic_history_begin(im_logic_history_t *h);
static void im_logic_history_begin_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_history_messages(im_logic_history_t *h,
    const im_logic_top_t *top, const im_daemon_reply_t *entries);
static im_int_t im_logic_history_message(im_logic_history_t *h,
    const im_logic_top_t *top, const im_daemon_reply_t *entry);
static im_int_t im_logic_history_seq(im_str_t id, uint64_t *seq);
static int im_logic_history_failed(im_logic_history_t *h,
    const im_daemon_reply_t *reply, const char *what);
static void im_logic_history_done(im_logic_history_t *h, const char *why);
static void im_logic_history_free(im_logic_history_t *h);


im_int_t
im_logic_history_read(im_logic_t *logic, const im_logic_range_t *range,
    const im_logic_history_events_t *events, void *data)
{
    im_logic_history_t  *h;

    h = im_calloc(sizeof(im_logic_history_t));
    if (h == NULL) {
        return IM_ERROR;
    }

    h->logic = logic;
    h->events = *events;
    h->data = data;
    h->range = *range;
    h->p = im_partition(range->topic,
                        im_daemon_redis_partitions(logic->redis));

    im_buf_init(&h->topic, range->topic.len);
    im_buf_add_str(&h->topic, range->topic);

    h->range.topic = im_buf_str(&h->topic);

    if (h->topic.failed || im_logic_history_page(h) != IM_OK) {
        im_logic_history_free(h);
        return IM_ERROR;
    }

    return IM_OK;
}


/* A key for each letter of kinds (im_key_topic_e). */
static im_int_t
im_logic_history_keys(const im_logic_history_t *h, im_buf_t *b,
    const char *kinds, im_str_t *keys)
{
    size_t     ends[8];
    im_uint_t  i, n;

    n = strlen(kinds);

    for (i = 0; i < n; i++) {
        im_key_topic(b, h->logic->prefix, h->p, h->range.topic,
                     (im_key_topic_e) kinds[i]);
        ends[i] = b->len;
    }

    if (b->failed) {
        return IM_ERROR;
    }

    for (i = 0; i < n; i++) {
        keys[i].data = b->data + (i == 0 ? 0 : ends[i - 1]);
        keys[i].len = ends[i] - (i == 0 ? 0 : ends[i - 1]);
    }

    return IM_OK;
}


static im_int_t
im_logic_history_page(im_logic_history_t *h)
{
    char      since[24], limit[24], bytes[24];
    im_buf_t  b;
    im_int_t  rc;
    im_str_t  args[6];
    unsigned  down;

    down = h->range.reverse || h->range.last;

    (void) snprintf(since, sizeof(since), "%llu",
                    (unsigned long long) h->range.since);
    (void) snprintf(limit, sizeof(limit), "%u", (unsigned) h->range.limit);
    (void) snprintf(bytes, sizeof(bytes), "%d", IM_HISTORY_BYTES);

    im_buf_init(&b, 2048);

    args[2] = im_str_z(down ? "1" : "");
    args[3] = im_str_z(down && h->range.since == 0 ? "" : since);
    args[4] = im_str_z(limit);
    args[5] = im_str_z(bytes);

    rc = im_logic_history_keys(h, &b, "mh", args);

    if (rc == IM_OK) {
        rc = im_daemon_redis_script(h->logic->redis, h->p, &im_script_page,
                                    args, 6, 2, im_logic_history_page_handler,
                                    h);
    }

    im_buf_cleanup(&b);

    return rc;
}


static void
im_logic_history_page_handler(const im_daemon_reply_t *reply, void *data)
{
    int64_t              seq;
    im_logic_top_t       top;
    im_logic_history_t  *h = data;

    if (im_logic_history_failed(h, reply, "page.lua")) {
        return;
    }

    seq = im_daemon_reply_int(im_daemon_reply_at(reply, 1), -1);

    if (seq < 0 || im_daemon_reply_len(reply) != 4) {
        im_logic_history_done(h, "redis answered nonsense");
        return;
    }

    top.epoch = im_daemon_reply_str(im_daemon_reply_at(reply, 0));
    top.top = (uint64_t) seq;
    top.past = im_daemon_reply_str(im_daemon_reply_at(reply, 2));

    if (top.epoch.len != 0) {
        im_logic_history_messages(h, &top, im_daemon_reply_at(reply, 3));
        return;
    }

    if (im_logic_history_begin(h) != IM_OK) {
        im_logic_history_done(h, "redis is away");
    }
}


/*
 * Nothing is known of the topic.  The position that is told must stay good, so
 * it is written down, as a join does.
 */
static im_int_t
im_logic_history_begin(im_logic_history_t *h)
{
    char              ttl[24], meta_ttl[24];
    im_buf_t          b;
    im_int_t          rc;
    im_str_t          args[11];
    const im_rule_t  *rule;

    rule = im_rules_topic(&h->logic->nodes->rules, h->range.topic);

    (void) snprintf(ttl, sizeof(ttl), "%d", IM_HISTORY_TTL);
    (void) snprintf(meta_ttl, sizeof(meta_ttl), "%u",
                    (unsigned) (rule != NULL ? im_rule_meta_ttl(rule)
                                             : IM_HISTORY_TTL));

    im_buf_init(&b, 4096);

    /* asking reads neither the members nor the mark of a leave */
    rc = im_logic_history_keys(h, &b, "wwmhw", args);

    args[5] = im_str_z("");
    args[6] = im_str_z("0");
    args[7] = im_str_z("0");
    args[8] = im_str_z(ttl);
    args[9] = im_str_z(meta_ttl);
    args[10] = im_daemon_redis_generation;

    if (rc == IM_OK) {
        rc = im_daemon_redis_script(h->logic->redis, h->p, &im_script_route,
                                    args, 11, 5,
                                    im_logic_history_begin_handler, h);
    }

    im_buf_cleanup(&b);

    return rc;
}


/* It answers {applied, epoch, top, past, ...}. */
static void
im_logic_history_begin_handler(const im_daemon_reply_t *reply, void *data)
{
    im_logic_top_t       top;
    im_logic_history_t  *h = data;

    if (im_logic_history_failed(h, reply, "route.lua")) {
        return;
    }

    top.epoch = im_daemon_reply_str(im_daemon_reply_at(reply, 1));
    top.top = (uint64_t) im_daemon_reply_int(im_daemon_reply_at(reply, 2), 0);
    top.past = im_daemon_reply_str(im_daemon_reply_at(reply, 3));

    im_logic_history_messages(h, &top, NULL);
}


static void
im_logic_history_messages(im_logic_history_t *h, const im_logic_top_t *top,
    const im_daemon_reply_t *entries)
{
    im_int_t   rc;
    im_uint_t  i, n;

    n = im_daemon_reply_len(entries);
    rc = h->events.top(h->data, top);

    for (i = 0; i < n && rc == IM_OK; i++) {
        rc = im_logic_history_message(h, top,
                                      im_daemon_reply_at(entries, h->range.last
                                                         ? n - 1 - i : i));
    }

    im_logic_history_done(h, rc == IM_ERROR ? "the history holds nonsense"
                             : NULL);
}


static im_int_t
im_logic_history_message(im_logic_history_t *h, const im_logic_top_t *top,
    const im_daemon_reply_t *entry)
{
    im_str_t                  id, d;
    im_message_t              m;
    im_envelope_t             e;
    const im_daemon_reply_t  *fields;

    memset(&m, 0, sizeof(im_message_t));

    id = im_daemon_reply_str(im_daemon_reply_at(entry, 0));
    fields = im_daemon_reply_at(entry, 1);
    d = im_daemon_reply_str(im_daemon_reply_at(fields, 1));

    if (im_logic_history_seq(id, &m.seq) != IM_OK
        || im_envelope_decode(d, &e) != IM_OK)
    {
        im_daemon_log(IM_LOG_ERROR, "the history of a topic holds nonsense");
        return IM_ERROR;
    }

    m.topic = h->range.topic;
    m.epoch = top->epoch;
    m.envelope = &e;
    m.numbered = 1;

    return h->events.message(h->data, &m);
}


/* "SEQ-1" */
static im_int_t
im_logic_history_seq(im_str_t id, uint64_t *seq)
{
    size_t  i;

    *seq = 0;

    for (i = 0; i < id.len && id.data[i] != '-'; i++) {
        if (id.data[i] < '0' || id.data[i] > '9' || i == 18) {
            return IM_ERROR;
        }

        *seq = *seq * 10 + (uint64_t) (id.data[i] - '0');
    }

    return i > 0 && i < id.len ? IM_OK : IM_ERROR;
}


int
im_logic_history_continues(const im_logic_top_t *top, im_str_t epoch,
    uint64_t seq)
{
    size_t     at, end;
    uint64_t   last;
    im_str_t   pair, name;
    u_char    *space;

    if (im_str_eq(epoch, top->epoch)) {
        return seq <= top->top;
    }

    for (at = 0; at < top->past.len; at = end + 1) {
        space = memchr(top->past.data + at, ' ', top->past.len - at);
        end = space != NULL ? (size_t) (space - top->past.data)
                            : top->past.len;

        pair = im_str_set(top->past.data + at, end - at);

        if (im_position_decode(pair, &name, &last) == IM_OK
            && im_str_eq(name, epoch))
        {
            return seq <= last;
        }
    }

    return 0;
}


static int
im_logic_history_failed(im_logic_history_t *h,
    const im_daemon_reply_t *reply, const char *what)
{
    im_str_t  s;

    if (reply == NULL) {
        im_logic_history_done(h, "redis is away");
        return 1;
    }

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "%s failed: %.*s", what, (int) s.len,
                      (char *) s.data);
        im_logic_history_done(h, "redis refused it");
        return 1;
    }

    return 0;
}


static void
im_logic_history_done(im_logic_history_t *h, const char *why)
{
    h->events.done(h->data, why);

    im_logic_history_free(h);
}


static void
im_logic_history_free(im_logic_history_t *h)
{
    im_buf_cleanup(&h->topic);
    im_free(h);
}
