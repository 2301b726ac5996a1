/*
 * Copyright (C) The im authors
 *
 * The server API's presence, presence_stats, history and history_remove.
 */

#include "im_logic_api.h"
#include "im_logic_control.h"
#include "im_logic_nodes.h"
#include "im_logic_history.h"
#include "im_logic_members.h"
#include "im_key.h"
#include "im_proto_centrifuge.h"
#include "im_sketch.h"


typedef struct {
    im_str_t   channel;
    int64_t    limit;
    im_str_t   since;
    int        reverse;
} im_logic_api_query_t;


/* A command about presence or history under way. */
typedef struct {
    im_logic_command_t    *command;
    im_sketch_t            users;
    im_logic_api_since_t   since;
    im_str_t               epoch;       /* that the topic has; in the arena */
    im_str_t               topic;       /* in the arena */
    uint64_t               top;
    im_uint_t              n;           /* members or messages so far */
    unsigned               hole:1;
    unsigned               failed:1;
} im_logic_asked_t;


static im_logic_asked_t *im_logic_api_ask(im_logic_command_t *c,
    im_logic_api_query_t *q, im_logic_channel_t *ch);
static im_logic_asked_t *im_logic_api_ask_presence(im_logic_command_t *c,
    im_logic_channel_t *ch);
static im_logic_asked_t *im_logic_api_ask_history(im_logic_command_t *c,
    im_logic_api_query_t *q, im_logic_channel_t *ch);
static void im_logic_asked_free(im_logic_asked_t *asked);
static void im_logic_api_present(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_api_presence_done(void *data,
    const im_logic_counted_t *counted);
static void im_logic_api_user(void *data, im_str_t worker,
    const im_member_t *m);
static void im_logic_api_stats_done(void *data,
    const im_logic_counted_t *counted);
static im_int_t im_logic_api_range(im_logic_asked_t *asked,
    const im_logic_api_query_t *q, im_logic_range_t *range);
static im_int_t im_logic_api_history_top(void *data,
    const im_logic_top_t *top);
static im_int_t im_logic_api_history_message(void *data,
    const im_message_t *m);
static void im_logic_api_history_done(void *data, const char *why);
static im_int_t im_logic_api_forget(im_logic_asked_t *asked,
    const im_logic_channel_t *ch, im_buf_t *b);
static void im_logic_api_forget_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_api_forgotten(void *data, im_uint_t status,
    const char *msg, im_uint_t workers);


static const im_json_field_t  im_logic_api_query_fields[] = {
    { im_str("channel"), IM_JSON_STRING,
      offsetof(im_logic_api_query_t, channel) },
    { im_str("limit"), IM_JSON_INT, offsetof(im_logic_api_query_t, limit) },
    { im_str("since"), IM_JSON_OBJECT,
      offsetof(im_logic_api_query_t, since) },
    { im_str("reverse"), IM_JSON_BOOL,
      offsetof(im_logic_api_query_t, reverse) },
    im_json_end
};


static const im_logic_history_events_t  im_logic_api_history_events = {
    im_logic_api_history_top,
    im_logic_api_history_message,
    im_logic_api_history_done
};


void
im_logic_api_presence(im_logic_command_t *c)
{
    im_int_t             rc;
    im_logic_asked_t    *asked;
    im_logic_channel_t   ch;

    asked = im_logic_api_ask_presence(c, &ch);

    if (asked != NULL) {
        im_buf_add_z(&c->result, "{\"presence\":{");

        rc = im_logic_members_read(c->logic, im_buf_str(&ch.topic),
                                   im_logic_api_present,
                                   im_logic_api_presence_done, asked);
        if (rc != IM_OK) {
            im_logic_asked_free(asked);
            im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        }
    }

    im_buf_cleanup(&ch.topic);
}


void
im_logic_api_presence_stats(im_logic_command_t *c)
{
    im_int_t             rc;
    im_logic_asked_t    *asked;
    im_logic_channel_t   ch;

    asked = im_logic_api_ask_presence(c, &ch);

    if (asked != NULL) {
        rc = im_logic_members_read(c->logic, im_buf_str(&ch.topic),
                                   im_logic_api_user, im_logic_api_stats_done,
                                   asked);
        if (rc != IM_OK) {
            im_logic_asked_free(asked);
            im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        }
    }

    im_buf_cleanup(&ch.topic);
}


void
im_logic_api_history(im_logic_command_t *c)
{
    im_int_t               rc;
    im_logic_range_t       range;
    im_logic_asked_t      *asked;
    im_logic_channel_t     ch;
    im_logic_api_query_t   q;

    asked = im_logic_api_ask_history(c, &q, &ch);

    if (asked == NULL) {
        goto done;
    }

    if (im_logic_api_range(asked, &q, &range) != IM_OK) {
        im_logic_asked_free(asked);
        goto done;
    }

    im_buf_add_z(&c->result, "{\"publications\":[");

    range.topic = im_buf_str(&ch.topic);
    rc = im_logic_history_read(c->logic, &range, &im_logic_api_history_events,
                               asked);
    if (rc != IM_OK) {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
    }

done:

    im_buf_cleanup(&ch.topic);
}


/*
 * The epoch and the numbers go on; a reader that was behind has a hole.
 * Workers that hold the topic forget what they keep for those who come back.
 */
void
im_logic_api_history_remove(im_logic_command_t *c)
{
    im_buf_t               b;
    im_int_t               rc;
    im_logic_asked_t      *asked;
    im_logic_channel_t     ch;
    im_logic_api_query_t   q;

    asked = im_logic_api_ask_history(c, &q, &ch);

    if (asked == NULL) {
        goto done;
    }

    im_buf_init(&b, 2048);
    rc = im_logic_api_forget(asked, &ch, &b);
    im_buf_cleanup(&b);

    if (rc != IM_OK) {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
    }

done:

    im_buf_cleanup(&ch.topic);
}


static im_int_t
im_logic_api_forget(im_logic_asked_t *asked, const im_logic_channel_t *ch,
    im_buf_t *b)
{
    size_t       end;
    im_str_t     keys[2], topic;
    im_buf_t    *arena;
    im_logic_t  *logic;

    logic = asked->command->logic;
    arena = &asked->command->arena;
    topic = im_buf_str(&ch->topic);

    im_key_topic(b, logic->prefix, ch->p, topic, IM_KEY_META);
    end = b->len;
    im_key_topic(b, logic->prefix, ch->p, topic, IM_KEY_HISTORY);

    /* needed when the answer is there */

    asked->topic = im_str_set(arena->data + arena->len, topic.len);
    im_buf_add_str(arena, topic);

    if (b->failed || arena->failed) {
        return IM_ERROR;
    }

    keys[0] = im_str_set(b->data, end);
    keys[1] = im_str_set(b->data + end, b->len - end);

    return im_daemon_redis_script(logic->redis, ch->p, &im_script_forget, keys,
                                  2, 2, im_logic_api_forget_handler, asked);
}


static void
im_logic_api_forget_handler(const im_daemon_reply_t *reply, void *data)
{
    int64_t              top;
    im_control_t         control;
    im_logic_asked_t    *asked = data;
    im_logic_command_t  *c;

    c = asked->command;
    top = im_daemon_reply_int(im_daemon_reply_at(reply, 0), -1);

    if (top <= 0) {
        im_logic_asked_free(asked);
        im_logic_api_forgotten(c, top == 0 ? 200 : 503, "redis is away", 0);
        return;
    }

    im_control_init(&control, IM_CONTROL_FORGET);

    control.topic = asked->topic;
    control.seq = top;

    im_logic_control(c->logic, &control, im_logic_api_forgotten, c);

    im_logic_asked_free(asked);
}


static void
im_logic_api_forgotten(void *data, im_uint_t status, const char *msg,
    im_uint_t workers)
{
    im_logic_command_t  *c = data;

    (void) workers;

    if (status != 200) {
        im_logic_command_fail_status(c, status, msg);
        return;
    }

    im_buf_add_z(&c->result, "{}");
    im_logic_command_done(c);
}


/*
 * Parameters, channel and rule.  NULL: the command has failed.  The topic is
 * to be cleaned up in either case.
 */
static im_logic_asked_t *
im_logic_api_ask(im_logic_command_t *c, im_logic_api_query_t *q,
    im_logic_channel_t *ch)
{
    const char        *why;
    im_logic_asked_t  *asked;

    memset(q, 0, sizeof(im_logic_api_query_t));
    memset(ch, 0, sizeof(im_logic_channel_t));

    if (im_logic_command_params(c, im_logic_api_query_fields, q) != IM_OK
        || im_logic_command_channel(c, q->channel, ch) != IM_OK)
    {
        return NULL;
    }

    why = im_logic_unready(c->logic);

    if (why != NULL) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, why);
        return NULL;
    }

    if (ch->rule == NULL && ch->topic.data[0] == 'r') {
        im_logic_command_fail(c, IM_ERROR_UNKNOWN_CHANNEL, NULL);
        return NULL;
    }

    asked = im_calloc(sizeof(im_logic_asked_t));
    if (asked == NULL) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return NULL;
    }

    asked->command = c;
    im_sketch_init(&asked->users);

    return asked;
}


/* Of rooms by their rule, of inboxes always, of the broadcast never. */
static im_logic_asked_t *
im_logic_api_ask_presence(im_logic_command_t *c, im_logic_channel_t *ch)
{
    im_logic_asked_t      *asked;
    im_logic_api_query_t   q;

    asked = im_logic_api_ask(c, &q, ch);

    if (asked != NULL
        && (ch->topic.data[0] == 'b'
            || (ch->topic.data[0] == 'r' && !ch->rule->presence)))
    {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                              "the channel has no presence");
        return NULL;
    }

    return asked;
}


static im_logic_asked_t *
im_logic_api_ask_history(im_logic_command_t *c, im_logic_api_query_t *q,
    im_logic_channel_t *ch)
{
    im_logic_asked_t  *asked;

    asked = im_logic_api_ask(c, q, ch);

    if (asked != NULL && (ch->rule == NULL || ch->rule->history == 0)) {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                              "the channel keeps no history");
        return NULL;
    }

    return asked;
}


static void
im_logic_asked_free(im_logic_asked_t *asked)
{
    im_sketch_cleanup(&asked->users);
    im_free(asked);
}


static void
im_logic_api_present(void *data, im_str_t worker,
    const im_member_t *m)
{
    im_buf_t           *b;
    im_logic_asked_t   *asked = data;

    (void) worker;

    b = &asked->command->result;

    im_buf_add_z(b, asked->n++ == 0 ? "" : ",");
    im_json_add_string(b, m->session);
    im_buf_add_z(b, ":");
    im_proto_centrifuge_add_client(b, m);
}


static void
im_logic_api_presence_done(void *data, const im_logic_counted_t *counted)
{
    im_logic_asked_t    *asked = data;
    im_logic_command_t  *c;

    c = asked->command;

    im_logic_asked_free(asked);

    if (counted->failed) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    im_buf_add_z(&c->result, counted->more ? "},\"more\":true}" : "}}");
    im_logic_command_done(c);
}


static void
im_logic_api_user(void *data, im_str_t worker,
    const im_member_t *m)
{
    im_logic_asked_t  *asked = data;

    (void) worker;

    if (im_sketch_add(&asked->users, m->user) != IM_OK) {
        asked->failed = 1;
    }
}


static void
im_logic_api_stats_done(void *data, const im_logic_counted_t *counted)
{
    im_buf_t            *b;
    uint64_t             users;
    unsigned             failed;
    im_logic_asked_t    *asked = data;
    im_logic_command_t  *c;

    c = asked->command;
    b = &c->result;

    failed = counted->failed || asked->failed;
    users = im_sketch_count(&asked->users);

    im_logic_asked_free(asked);

    if (failed) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    im_buf_add_z(b, "{\"num_clients\":");
    im_buf_add_uint(b, counted->count);
    im_buf_add_z(b, ",\"num_users\":");
    im_buf_add_uint(b, users);
    im_buf_add_z(b, counted->more ? ",\"more\":true}" : "}");

    im_logic_command_done(c);
}


/* On IM_ERROR the command has failed. */
static im_int_t
im_logic_api_range(im_logic_asked_t *asked, const im_logic_api_query_t *q,
    im_logic_range_t *range)
{
    const char            *why;
    im_logic_command_t    *c;
    im_logic_api_since_t  *since;

    c = asked->command;
    since = &asked->since;

    memset(range, 0, sizeof(im_logic_range_t));

    range->limit = q->limit < 0 || q->limit > IM_HISTORY_MAX
                   ? IM_HISTORY_MAX : (im_uint_t) q->limit;
    range->reverse = q->reverse;

    if (q->since.len == 0) {
        return IM_OK;
    }

    if (im_json_decode(q->since, im_logic_api_since_fields, 0, &c->arena,
                       since, &why)
        != IM_OK)
    {
        im_logic_command_fail_status(c, im_logic_json_status(why), why);
        return IM_ERROR;
    }

    if (since->offset < 0 || (q->reverse && since->offset == 0)) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "since");
        return IM_ERROR;
    }

    range->since = (uint64_t) since->offset;

    return IM_OK;
}


static im_int_t
im_logic_api_history_top(void *data, const im_logic_top_t *top)
{
    size_t               start;
    im_buf_t            *arena;
    im_logic_asked_t    *asked = data;

    arena = &asked->command->arena;
    start = arena->len;

    im_buf_add_str(arena, top->epoch);

    if (arena->failed) {
        asked->failed = 1;
        return IM_DECLINED;
    }

    asked->epoch = im_str_set(arena->data + start, top->epoch.len);
    asked->top = top->top;

    if (asked->since.epoch.len != 0
        && !im_str_eq(asked->since.epoch, top->epoch)
        && !im_logic_history_continues(top, asked->since.epoch,
                                       (uint64_t) asked->since.offset))
    {
        asked->hole = 1;
        return IM_DECLINED;
    }

    return IM_OK;
}


static im_int_t
im_logic_api_history_message(void *data, const im_message_t *m)
{
    im_buf_t          *b;
    im_logic_asked_t  *asked = data;

    b = &asked->command->result;

    im_buf_add_z(b, asked->n++ == 0 ? "" : ",");
    im_proto_centrifuge_add_message(b, m);

    return b->failed || b->len > IM_LOGIC_MAX_REPLY / 2 ? IM_DECLINED : IM_OK;
}


static void
im_logic_api_history_done(void *data, const char *why)
{
    im_buf_t            *b;
    im_logic_asked_t    *asked = data;
    im_logic_command_t  *c;

    c = asked->command;
    b = &c->result;

    if (why == NULL && asked->failed) {
        why = "no memory";
    }

    if (why != NULL) {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, why);
        return;
    }

    if (asked->hole) {
        im_logic_asked_free(asked);
        im_logic_command_fail(c, IM_ERROR_POSITION, NULL);
        return;
    }

    im_buf_add_z(b, "],\"epoch\":");
    im_json_add_string(b, asked->epoch);
    im_buf_add_z(b, ",\"offset\":");
    im_buf_add_uint(b, asked->top);
    im_buf_add_z(b, "}");

    im_logic_asked_free(asked);
    im_logic_command_done(c);
}
