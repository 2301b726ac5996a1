/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME/history?since=EPOCH:SEQ&limit=N: the messages of a room.
 */

#include "im_logic_who.h"
#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_logic_url.h"
#include "im_push.h"


#define IM_ROOM_HISTORY_LIMIT  100
#define IM_ROOM_HISTORY_SINCE  128


typedef struct {
    im_daemon_request_t  *r;
    im_buf_t             *b;           /* the answer */
    im_str_t              epoch;
    uint64_t              seq;         /* of the latest message */
    uint64_t              top;
    unsigned              resumes:1;   /* since is given */
    unsigned              wanted:1;    /* messages, not only the position */
    unsigned              messages:1;
    unsigned              hole:1;
} im_logic_room_history_t;


static void im_logic_room_history_read(im_daemon_request_t *r, im_str_t name);
static const char *im_logic_room_history_args(im_logic_room_history_t *h,
    im_logic_range_t *range);
static im_int_t im_logic_room_history_top(void *data,
    const im_logic_top_t *top);
static im_int_t im_logic_room_history_message(void *data,
    const im_message_t *m);
static void im_logic_room_history_data(im_buf_t *b, const im_envelope_t *e);
static void im_logic_room_history_done(void *data, const char *why);


static const im_logic_history_events_t  im_logic_room_history_events = {
    im_logic_room_history_top,
    im_logic_room_history_message,
    im_logic_room_history_done
};


/* By the path as it was sent: a slash of the name itself is %2F there. */
im_int_t
im_logic_room_history(im_daemon_request_t *r)
{
    im_buf_t  *b;
    im_str_t   name, end = im_str("/history");

    if (im_logic_url_behind(r->path, "/im/rooms/", &name) != IM_OK
        || name.len <= end.len
        || memcmp(name.data + name.len - end.len, end.data, end.len) != 0)
    {
        return IM_DECLINED;
    }

    name.len -= end.len;

    b = im_daemon_buf(r, IM_NAME_MAX);
    im_logic_url_decode(b, name, 0);

    if (b->failed || !im_name_valid(im_buf_str(b))) {
        im_logic_reply_error(r, 400, "the name is not valid");

    } else {
        im_logic_room_history_read(r, im_buf_str(b));
    }

    return IM_OK;
}


static void
im_logic_room_history_read(im_daemon_request_t *r, im_str_t name)
{
    im_logic_t               *logic;
    const char               *why;
    const im_rule_t          *rule;
    im_logic_range_t          range;
    im_logic_room_history_t  *h;

    logic = r->data;
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

    im_logic_history_read(r, &range, &im_logic_room_history_events, h);
}


/* NULL, or what is wrong with them. */
static const char *
im_logic_room_history_args(im_logic_room_history_t *h, im_logic_range_t *range)
{
    im_int_t  rc;
    im_str_t  since;
    uint64_t  limit;

    memset(range, 0, sizeof(im_logic_range_t));

    rc = im_logic_query_number(h->r, "limit", IM_HISTORY_MAX, &limit);

    if (rc == IM_ERROR) {
        return "limit is 0 to 300";
    }

    range->limit = rc == IM_OK ? limit : IM_ROOM_HISTORY_LIMIT;

    rc = im_logic_query(h->r, "since", IM_ROOM_HISTORY_SINCE, &since);

    if (rc == IM_ERROR
        || (rc == IM_OK
            && im_position_decode(since, &h->epoch, &h->seq) != IM_OK))
    {
        return "since is EPOCH:SEQ";
    }

    h->resumes = rc == IM_OK;
    h->wanted = range->limit != 0;
    range->since = h->seq;
    range->last = !h->resumes;

    return NULL;
}


static im_int_t
im_logic_room_history_top(void *data, const im_logic_top_t *top)
{
    im_logic_room_history_t  *h = data;

    h->top = top->top;

    im_logic_print(h->b, ",\"epoch\":%j,\"seq\":%u,\"messages\":[", top->epoch,
                   top->top);

    if (h->resumes && !im_logic_history_continues(top, h->epoch, h->seq)) {
        h->hole = 1;
        return IM_DECLINED;
    }

    return IM_OK;
}


static im_int_t
im_logic_room_history_message(void *data, const im_message_t *m)
{
    im_buf_t                 *b;
    const im_envelope_t      *e;
    im_logic_room_history_t  *h = data;

    b = h->b;
    e = m->envelope;

    if (!h->messages && h->resumes && m->seq != h->seq + 1) {
        h->hole = 1;
    }

    im_logic_print(b, "%z{\"seq\":%u,\"time\":%u", h->messages ? "," : "",
                   m->seq, e->time);

    if (e->id.len != 0) {
        im_logic_print(b, ",\"id\":%j", e->id);
    }

    if (e->user.len != 0 || e->name.len != 0) {
        im_logic_print(b, ",\"from\":{\"user\":%j,\"name\":%j}", e->user,
                       e->name);
    }

    im_buf_add_z(b, ",\"data\":");
    im_logic_room_history_data(b, e);
    im_buf_add_z(b, "}");

    h->messages = 1;
    h->seq = m->seq;

    return b->failed || b->len > IM_LOGIC_MAX_REPLY / 2 ? IM_DECLINED : IM_OK;
}


static void
im_logic_room_history_data(im_buf_t *b, const im_envelope_t *e)
{
    switch (e->type) {

    case IM_PUSH_JSON:
        im_buf_add_str(b, e->data);
        return;

    case IM_PUSH_BINARY:
        im_json_add_base64(b, e->data);
        return;

    default:
        im_json_add_string(b, e->data);
        return;
    }
}


static void
im_logic_room_history_done(void *data, const char *why)
{
    im_logic_room_history_t  *h = data;

    if (why != NULL) {
        im_logic_reply_error(h->r, 503, why);
        return;
    }

    /* all of it has gone from the history */

    if (h->resumes && !h->messages && h->wanted && h->seq < h->top) {
        h->hole = 1;
    }

    im_logic_print(h->b, "]%z%z}", h->hole ? ",\"hole\":true" : "",
                   h->messages && h->seq < h->top ? ",\"more\":true" : "");

    im_logic_reply_data(h->r, h->b);
}
