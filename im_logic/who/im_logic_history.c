/*
 * Copyright (C) The im authors
 *
 * page.lua reads position and messages; route.lua begins an epoch where there
 * is no position.
 */

#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_push.h"


#define IM_HISTORY_TTL  86400       /* s, of routes that no worker has */


typedef struct {
    im_logic_t                 *logic;
    im_logic_history_events_t   events;
    void                       *data;
    im_logic_range_t            range;
} im_logic_history_t;


static void im_logic_history_page_handler(const im_link_reply_t *reply,
    void *data);
static void im_logic_history_begin(im_logic_history_t *h);
static void im_logic_history_begin_handler(const im_link_reply_t *reply,
    void *data);
static void im_logic_history_messages(im_logic_history_t *h,
    const im_logic_top_t *top, const im_link_reply_t *entries);
static im_int_t im_logic_history_message(im_logic_history_t *h,
    const im_logic_top_t *top, const im_link_reply_t *entry);
static im_int_t im_logic_history_seq(im_str_t id, uint64_t *seq);


void
im_logic_history_read(im_daemon_request_t *r, const im_logic_range_t *range,
    const im_logic_history_events_t *events, void *data)
{
    unsigned             down;
    im_logic_t          *logic;
    im_link_call_t      *call;
    im_logic_history_t  *h;

    h = im_daemon_alloc(r, sizeof(im_logic_history_t));

    if (h == NULL || range->topic.data == NULL) {
        events->done(data, "no memory");
        return;
    }

    logic = r->data;

    h->logic = logic;
    h->events = *events;
    h->data = data;
    h->range = *range;

    down = range->reverse || range->last;

    call = im_link_script(logic->link, &im_script_page);

    im_logic_key(logic, call, range->topic, IM_KEY_META);
    im_logic_key(logic, call, range->topic, IM_KEY_HISTORY);
    im_link_call_z(call, down ? "1" : "");

    if (down && range->since == 0) {
        im_link_call_z(call, "");

    } else {
        im_link_call_uint(call, range->since);
    }

    im_link_call_uint(call, range->limit);
    im_link_call_uint(call, IM_HISTORY_BYTES);

    im_logic_send(logic, im_logic_history_page_handler, h);
}


static void
im_logic_history_page_handler(const im_link_reply_t *reply, void *data)
{
    int64_t              seq;
    const char          *why;
    im_logic_top_t       top;
    im_logic_history_t  *h = data;

    why = im_logic_fault(reply, "page.lua");
    seq = im_link_reply_int_at(reply, 1, -1);

    if (why == NULL && (seq < 0 || im_link_reply_len(reply) != 4)) {
        why = "redis answered nonsense";
    }

    if (why != NULL) {
        h->events.done(h->data, why);
        return;
    }

    top.epoch = im_link_reply_str_at(reply, 0);
    top.top = (uint64_t) seq;
    top.past = im_link_reply_str_at(reply, 2);

    if (top.epoch.len != 0) {
        im_logic_history_messages(h, &top, im_link_reply_at(reply, 3));

    } else {
        im_logic_history_begin(h);
    }
}


/*
 * Redis knows nothing of the topic.  The position in the answer must stay
 * good, so it is written down, as a join does.  Members and the mark of a
 * leave, whose keys stand first and last, are not read.
 */
static void
im_logic_history_begin(im_logic_history_t *h)
{
    im_str_t          topic;
    im_logic_t       *logic;
    im_link_call_t   *call;
    const im_rule_t  *rule;

    logic = h->logic;
    topic = h->range.topic;
    rule = im_rules_topic(&logic->nodes->rules, topic);

    call = im_link_script(logic->link, &im_script_route);

    im_logic_key(logic, call, topic, IM_KEY_ROUTES);
    im_logic_key(logic, call, topic, IM_KEY_ROUTES);
    im_logic_key(logic, call, topic, IM_KEY_META);
    im_logic_key(logic, call, topic, IM_KEY_HISTORY);
    im_logic_key(logic, call, topic, IM_KEY_ROUTES);
    im_link_call_z(call, "");
    im_link_call_z(call, "0");
    im_link_call_z(call, "0");
    im_link_call_uint(call, IM_HISTORY_TTL);
    im_link_call_uint(call, rule != NULL ? im_rule_meta_ttl(rule)
                                         : IM_HISTORY_TTL);
    im_link_call_generation(call);

    im_logic_send(logic, im_logic_history_begin_handler, h);
}


/* The reply is {applied, epoch, top, past, ...}. */
static void
im_logic_history_begin_handler(const im_link_reply_t *reply, void *data)
{
    const char          *why;
    im_logic_top_t       top;
    im_logic_history_t  *h = data;

    why = im_logic_fault(reply, "route.lua");

    if (why != NULL) {
        h->events.done(h->data, why);
        return;
    }

    top.epoch = im_link_reply_str_at(reply, 1);
    top.top = (uint64_t) im_link_reply_int_at(reply, 2, 0);
    top.past = im_link_reply_str_at(reply, 3);

    im_logic_history_messages(h, &top, NULL);
}


static void
im_logic_history_messages(im_logic_history_t *h, const im_logic_top_t *top,
    const im_link_reply_t *entries)
{
    im_int_t   rc;
    im_uint_t  i, n;

    n = im_link_reply_len(entries);
    rc = h->events.top(h->data, top);

    for (i = 0; i < n && rc == IM_OK; i++) {
        rc = im_logic_history_message(h, top,
                                      im_link_reply_at(entries, h->range.last
                                                       ? n - 1 - i : i));
    }

    h->events.done(h->data, rc == IM_ERROR ? "the history holds nonsense"
                            : NULL);
}


static im_int_t
im_logic_history_message(im_logic_history_t *h, const im_logic_top_t *top,
    const im_link_reply_t *entry)
{
    im_str_t       id, d;
    im_message_t   m;
    im_envelope_t  e;

    memset(&m, 0, sizeof(im_message_t));

    id = im_link_reply_str_at(entry, 0);
    d = im_link_reply_str_at(im_link_reply_at(entry, 1), 1);

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
