/*
 * Copyright (C) The im authors
 *
 * The server API's presence, presence_stats, history and history_remove.
 */

#include "im_logic_api.h"
#include "im_logic_control.h"
#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_proto_centrifuge.h"


/* A command about presence or history: its parameters and its state. */
typedef struct {
    im_logic_command_t    *command;
    im_str_t               channel;
    int64_t                limit;
    im_str_t               from;        /* {"offset","epoch"} */
    int                    reverse;
    im_logic_api_since_t   since;
    im_logic_channel_t     ch;
} im_logic_api_query_t;


static const im_json_field_t  im_logic_api_query_fields[] = {
    im_json_row(im_logic_api_query_t, STRING, channel),
    im_json_row(im_logic_api_query_t, INT, limit),
    im_json_row_as(im_logic_api_query_t, OBJECT, "since", from),
    im_json_row(im_logic_api_query_t, BOOL, reverse),
    im_json_end
};


/* Parameters, channel and rule.  NULL: the command has failed. */
static im_logic_api_query_t *
im_logic_api_query(im_logic_command_t *c, int history)
{
    im_logic_api_query_t  *q;

    q = im_daemon_alloc(c->r, sizeof(im_logic_api_query_t));
    if (q == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return NULL;
    }

    q->command = c;

    if (im_logic_command_decode(c, c->params, im_logic_api_query_fields, q)
        != IM_OK
        || im_logic_command_channel(c, q->channel, &q->ch) != IM_OK
        || im_logic_command_check(c, im_logic_unready(c->logic)) != IM_OK)
    {
        return NULL;
    }

    if (q->ch.rule == NULL && q->ch.topic.data[0] == 'r') {
        (void) im_logic_command_fail(c, IM_ERROR_UNKNOWN_CHANNEL, NULL);
        return NULL;
    }

    if (history && (q->ch.rule == NULL || q->ch.rule->history == 0)) {
        (void) im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                                     "the channel keeps no history");
        return NULL;
    }

    return q;
}


/* Of rooms by their rule, of inboxes always, of the broadcast never. */
static void
im_logic_api_query_members(im_logic_command_t *c, im_link_members_pt handler)
{
    im_logic_api_query_t  *q;

    q = im_logic_api_query(c, 0);
    if (q == NULL) {
        return;
    }

    if (q->ch.topic.data[0] == 'b'
        || (q->ch.topic.data[0] == 'r' && !q->ch.rule->presence))
    {
        (void) im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                                     "the channel has no presence");

    } else {
        im_logic_members(c->logic, q->ch.topic, IM_LINK_MEMBERS_KEPT, handler,
                         c);
    }
}


static void
im_logic_api_presence_handler(const im_members_t *members, void *data)
{
    im_uint_t            i;
    im_logic_command_t  *c = data;

    if (members == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    im_buf_add_z(c->result, "{\"presence\":{");

    for (i = 0; i < members->n; i++) {
        im_logic_print(c->result, i == 0 ? "%j:" : ",%j:",
                       members->elts[i].session);
        im_centrifuge_add_client(c->result, &members->elts[i]);
    }

    im_buf_add_z(c->result, members->rest > 0 ? "},\"more\":true}" : "}}");
    im_logic_command_done(c);
}


void
im_logic_api_presence(im_logic_command_t *c)
{
    im_logic_api_query_members(c, im_logic_api_presence_handler);
}


/* All guests are one user; sessions that aren't listed don't count. */
static void
im_logic_api_stats_handler(const im_members_t *members, void *data)
{
    im_uint_t            users;
    im_logic_command_t  *c = data;

    if (members == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    users = members->users + (members->n > members->named);

    im_logic_print(c->result, "{\"num_clients\":%u,\"num_users\":%u%z}",
                   members->n + members->rest, users,
                   members->rest > 0 ? ",\"more\":true" : "");

    im_logic_command_done(c);
}


void
im_logic_api_presence_stats(im_logic_command_t *c)
{
    im_logic_api_query_members(c, im_logic_api_stats_handler);
}


static void
im_logic_api_history_handler(const im_link_page_t *page, void *data)
{
    im_buf_t              *b;
    im_uint_t              i;
    im_logic_command_t    *c;
    im_logic_api_query_t  *q = data;

    c = q->command;
    b = c->result;

    if (page->why != NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, page->why);
        return;
    }

    if (q->since.epoch.len != 0
        && !im_str_eq(q->since.epoch, page->epoch)
        && !im_link_page_continues(page, q->since.epoch,
                                   (uint64_t) q->since.offset))
    {
        (void) im_logic_command_fail(c, IM_ERROR_POSITION, NULL);
        return;
    }

    im_buf_add_z(b, "{\"publications\":[");

    for (i = 0; i < page->n && b->len <= IM_LOGIC_MAX_REPLY / 2; i++) {
        im_buf_add_z(b, i == 0 ? "" : ",");
        im_centrifuge_add_message(b, &page->messages[i]);
    }

    im_logic_print(b, "],\"epoch\":%j,\"offset\":%u}", page->epoch, page->top);

    im_logic_command_done(c);
}


void
im_logic_api_history(im_logic_command_t *c)
{
    im_link_range_t        range;
    im_logic_api_query_t  *q;

    q = im_logic_api_query(c, 1);

    if (q == NULL
        || (q->from.len != 0
            && im_logic_command_decode(c, q->from, im_logic_api_since_fields,
                                       &q->since)
               != IM_OK))
    {
        return;
    }

    if (q->since.offset < 0
        || (q->from.len != 0 && q->reverse && q->since.offset == 0))
    {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "since");
        return;
    }

    memset(&range, 0, sizeof(im_link_range_t));

    range.topic = q->ch.topic;
    range.limit = q->limit < 0 || q->limit > IM_HISTORY_MAX
                  ? IM_HISTORY_MAX : (im_uint_t) q->limit;
    range.bytes = IM_HISTORY_BYTES;
    range.reverse = q->reverse;
    range.since = (uint64_t) q->since.offset;

    im_logic_history_read(c->r, &range, im_logic_api_history_handler, q);
}


static void
im_logic_api_forget_handler(const im_link_reply_t *reply, void *data)
{
    int64_t                top;
    im_control_t           control;
    im_logic_command_t    *c;
    im_logic_api_query_t  *q = data;

    c = q->command;
    top = im_link_reply_int_at(reply, 0, -1);

    if (top <= 0) {
        im_logic_command_end(c, top == 0 ? NULL : "redis is away");
        return;
    }

    im_control_init(&control, IM_CONTROL_FORGET);

    control.topic = q->ch.topic;
    control.seq = top;

    im_logic_control(c->r, &control, im_logic_command_control_handler, c);
}


/*
 * The epoch and the numbers go on; a reader that was behind has a hole.
 * Workers that hold the topic forget what they keep for clients that come
 * back.
 */
void
im_logic_api_history_remove(im_logic_command_t *c)
{
    im_link_call_t        *call;
    im_logic_api_query_t  *q;

    q = im_logic_api_query(c, 1);
    if (q == NULL) {
        return;
    }

    call = im_link_script(c->logic->link, &im_script_forget);

    im_logic_key(c->logic, call, q->ch.topic, IM_KEY_META);
    im_logic_key(c->logic, call, q->ch.topic, IM_KEY_HISTORY);

    im_logic_send(c->logic, im_logic_api_forget_handler, q);
}
