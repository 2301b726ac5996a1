/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME/history?since=EPOCH:SEQ&limit=N: the messages of a room.
 */

#include "im_logic_who.h"
#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_push.h"


#define IM_ROOM_HISTORY_LIMIT  100
#define IM_ROOM_HISTORY_SINCE  128


typedef struct {
    im_daemon_request_t  *r;
    im_buf_t             *b;           /* the answer */
    im_str_t              epoch;
    uint64_t              seq;         /* of the latest message */
    unsigned              resumes:1;   /* since is given */
    unsigned              wanted:1;    /* messages, not only the position */
} im_logic_room_history_t;


/* ":0" is the position that a room without an epoch has given. */
static im_int_t
im_logic_room_history_since(im_logic_room_history_t *h, im_str_t since)
{
    if (im_str_eq(since, im_str_z(":0"))) {
        h->epoch = im_str_set(since.data, 0);
        h->seq = 0;
        return IM_OK;
    }

    return im_position_decode(since, &h->epoch, &h->seq);
}


/* NULL, or what is wrong with them. */
static const char *
im_logic_room_history_args(im_logic_room_history_t *h, im_link_range_t *range)
{
    im_int_t  rc;
    im_str_t  since;
    uint64_t  limit;

    memset(range, 0, sizeof(im_link_range_t));

    rc = im_logic_query_number(h->r, "limit", IM_HISTORY_MAX, &limit);

    if (rc == IM_ERROR) {
        return "limit is 0 to 300";
    }

    range->limit = rc == IM_OK ? limit : IM_ROOM_HISTORY_LIMIT;

    rc = im_logic_query(h->r, "since", IM_ROOM_HISTORY_SINCE, &since);

    if (rc == IM_ERROR
        || (rc == IM_OK
            && im_logic_room_history_since(h, since) != IM_OK))
    {
        return "since is EPOCH:SEQ";
    }

    h->resumes = rc == IM_OK;
    h->wanted = range->limit != 0;
    range->since = h->seq;
    range->bytes = IM_HISTORY_BYTES;
    range->reverse = !h->resumes;

    return NULL;
}


static void
im_logic_room_history_message(im_buf_t *b, const im_message_t *m)
{
    const im_envelope_t  *e;

    e = m->envelope;

    im_logic_print(b, "{\"seq\":%u,\"time\":%u", m->seq, e->time);

    if (e->id.len != 0) {
        im_logic_print(b, ",\"id\":%j", e->id);
    }

    if (e->user.len != 0 || e->name.len != 0) {
        im_logic_print(b, ",\"from\":{\"user\":%j,\"name\":%j}", e->user,
                       e->name);
    }

    im_buf_add_z(b, ",\"data\":");
    im_push_add_value(b, e->type, e->data);
    im_buf_add_z(b, "}");
}


/* The latest ones are read backwards, and answered in their order. */
static void
im_logic_room_history_read_handler(const im_link_page_t *page, void *data)
{
    int                       known, hole;
    im_buf_t                 *b;
    uint64_t                  seq;
    im_uint_t                 i, n;
    const im_message_t       *m;
    im_logic_room_history_t  *h = data;

    b = h->b;

    if (page->why != NULL) {
        im_logic_reply_error(h->r, 503, page->why);
        return;
    }

    im_logic_print(b, ",\"epoch\":%j,\"seq\":%u,\"messages\":[", page->epoch,
                   page->top);

    known = !h->resumes || h->epoch.len == 0
            || im_link_page_continues(page, h->epoch, h->seq);
    n = known ? page->n : 0;

    /* or all of it has gone from the history */

    hole = h->resumes && (n > 0 ? page->messages[0].seq != h->seq + 1
                                : !known || (h->wanted && h->seq < page->top));
    seq = page->top;

    for (i = 0; i < n && b->len <= IM_LOGIC_MAX_REPLY / 2; i++) {
        m = &page->messages[h->resumes ? i : n - 1 - i];
        seq = m->seq;

        im_buf_add_z(b, i == 0 ? "" : ",");
        im_logic_room_history_message(b, m);
    }

    im_logic_print(b, "]%z%z}", hole ? ",\"hole\":true" : "",
                   seq < page->top ? ",\"more\":true" : "");

    im_logic_reply_data(h->r, b);
}


void
im_logic_room_history_handler(im_daemon_request_t *r)
{
    im_str_t                  name;
    im_logic_t               *logic;
    const char               *why;
    const im_rule_t          *rule;
    im_link_range_t           range;
    im_logic_room_history_t  *h;

    logic = r->data;
    name = r->name;

    if (!im_name_valid(name)) {
        im_logic_reply_error(r, 400, "the name is not valid");
        return;
    }

    why = im_logic_unready(logic);
    h = im_daemon_alloc(r, sizeof(im_logic_room_history_t));

    if (why != NULL || h == NULL) {
        im_logic_reply_error(r, 503, why != NULL ? why : "no memory");
        return;
    }

    rule = im_rules_room(&logic->nodes->rules, name);

    if (rule == NULL || rule->history == 0) {
        im_logic_reply_error(r, 404, rule == NULL ? "no im_room rule"
                             : "the room keeps no history");
        return;
    }

    h->r = r;
    h->b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);

    why = im_logic_room_history_args(h, &range);

    if (why != NULL) {
        im_logic_reply_error(r, 400, why);
        return;
    }

    range.topic = im_logic_topic(r, im_topic_room, name);

    im_logic_print(h->b, "{\"room\":%j", name);

    im_logic_history_read(r, &range, im_logic_room_history_read_handler, h);
}
