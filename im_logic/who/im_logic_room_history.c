/*
 * Copyright (C) The im authors
 *
 * GET /im/rooms/NAME/history?since=EPOCH:SEQ&limit=N: what was said.
 */

#include "im_logic_who.h"
#include "im_logic_history.h"
#include "im_logic_nodes.h"
#include "im_logic_url.h"
#include "im_json.h"
#include "im_key.h"
#include "im_push.h"


#define IM_ROOM_HISTORY_LIMIT  100
#define IM_ROOM_HISTORY_SINCE  128


typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_buf_t              b;           /* the answer */
    im_buf_t              since;       /* EPOCH:SEQ, decoded */
    im_str_t              epoch;
    uint64_t              seq;         /* of what came last */
    uint64_t              top;
    unsigned              resumes:1;   /* since is given */
    unsigned              asked:1;     /* for messages, not only where */
    unsigned              messages:1;
    unsigned              hole:1;
} im_logic_said_t;


static im_int_t im_logic_said_name(im_daemon_request_t *r, im_str_t *name);
static void im_logic_said_read(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t name);
static im_int_t im_logic_said_args(im_logic_said_t *said,
    im_logic_range_t *range);
static im_int_t im_logic_said_limit(im_str_t value, im_uint_t *limit);
static void im_logic_said_refuse(im_logic_said_t *said, im_uint_t status,
    const char *msg);
static im_int_t im_logic_said_top(void *data, const im_logic_top_t *top);
static im_int_t im_logic_said_message(void *data, const im_message_t *m);
static void im_logic_said_add_data(im_buf_t *b, const im_envelope_t *e);
static void im_logic_said_done(void *data, const char *why);
static void im_logic_said_free(im_logic_said_t *said);


static const im_logic_history_events_t  im_logic_said_events = {
    im_logic_said_top,
    im_logic_said_message,
    im_logic_said_done
};


im_int_t
im_logic_room_history(im_logic_t *logic, im_daemon_request_t *r)
{
    im_buf_t  b;
    im_str_t  name;

    if (im_logic_said_name(r, &name) != IM_OK) {
        return IM_DECLINED;
    }

    im_buf_init(&b, IM_NAME_MAX);
    im_logic_url_decode(&b, name, 0);

    if (b.failed || !im_name_valid(im_buf_str(&b))) {
        im_logic_reply_error(logic, r, 400, "the name is not valid");

    } else {
        im_logic_said_read(logic, r, im_buf_str(&b));
    }

    im_buf_cleanup(&b);

    return IM_OK;
}


/* As it was sent: a slash of the name itself is %2F there. */
static im_int_t
im_logic_said_name(im_daemon_request_t *r, im_str_t *name)
{
    im_str_t  end = im_str("/history");

    if (im_logic_url_behind(r->path, "/im/rooms/", name) != IM_OK
        || name->len <= end.len
        || memcmp(name->data + name->len - end.len, end.data, end.len) != 0)
    {
        return IM_DECLINED;
    }

    name->len -= end.len;

    return IM_OK;
}


static void
im_logic_said_read(im_logic_t *logic, im_daemon_request_t *r, im_str_t name)
{
    im_buf_t            topic;
    im_int_t            rc;
    const char         *why;
    im_logic_said_t    *said;
    const im_rule_t    *rule;
    im_logic_range_t    range;

    why = im_logic_unready(logic);

    if (why != NULL) {
        im_logic_reply_error(logic, r, 503, why);
        return;
    }

    rule = im_rules_room(&logic->nodes->rules, name);

    if (rule == NULL || rule->history == 0) {
        im_logic_reply_error(logic, r, 404, rule == NULL ? "no im_room rule"
                             : "the room keeps no history");
        return;
    }

    said = im_calloc(sizeof(im_logic_said_t));
    if (said == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    said->logic = logic;
    said->r = r;

    im_buf_init(&said->b, IM_LOGIC_MAX_REPLY);
    im_buf_init(&said->since, IM_ROOM_HISTORY_SINCE);
    im_buf_init(&topic, IM_NAME_MAX + 2);

    if (im_logic_said_args(said, &range) != IM_OK) {
        im_buf_cleanup(&topic);
        return;
    }

    im_topic_room(&topic, name);
    range.topic = im_buf_str(&topic);

    im_buf_add_z(&said->b, "{\"room\":");
    im_json_add_string(&said->b, name);

    rc = topic.failed ? IM_ERROR
         : im_logic_history_read(logic, &range, &im_logic_said_events, said);

    im_buf_cleanup(&topic);

    if (rc != IM_OK) {
        im_logic_said_refuse(said, 503, "redis is away");
    }
}


/* On IM_ERROR the request is answered. */
static im_int_t
im_logic_said_args(im_logic_said_t *said, im_logic_range_t *range)
{
    size_t    at;
    im_str_t  name, value, since = im_str("since"), limit = im_str("limit");

    memset(range, 0, sizeof(im_logic_range_t));

    range->limit = IM_ROOM_HISTORY_LIMIT;
    at = 0;

    while (im_logic_url_arg(said->r->query, &at, &name, &value) == IM_OK) {

        if (im_str_eq(name, limit)
            && im_logic_said_limit(value, &range->limit) != IM_OK)
        {
            im_logic_said_refuse(said, 400, "limit is 0 to 300");
            return IM_ERROR;
        }

        if (!im_str_eq(name, since)) {
            continue;
        }

        im_buf_reset(&said->since, IM_ROOM_HISTORY_SINCE);
        im_logic_url_decode(&said->since, value, 1);

        if (said->since.failed
            || im_position_decode(im_buf_str(&said->since), &said->epoch,
                                  &said->seq)
               != IM_OK)
        {
            im_logic_said_refuse(said, 400, "since is EPOCH:SEQ");
            return IM_ERROR;
        }

        said->resumes = 1;
    }

    range->since = said->seq;
    range->last = !said->resumes;
    said->asked = range->limit != 0;

    return IM_OK;
}


static im_int_t
im_logic_said_limit(im_str_t value, im_uint_t *limit)
{
    size_t  i;

    if (value.len == 0 || value.len > 3) {
        return IM_ERROR;
    }

    *limit = 0;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return IM_ERROR;
        }

        *limit = *limit * 10 + (im_uint_t) (value.data[i] - '0');
    }

    return *limit <= IM_HISTORY_MAX ? IM_OK : IM_ERROR;
}


static void
im_logic_said_refuse(im_logic_said_t *said, im_uint_t status, const char *msg)
{
    im_logic_reply_error(said->logic, said->r, status, msg);
    im_logic_said_free(said);
}


static im_int_t
im_logic_said_top(void *data, const im_logic_top_t *top)
{
    im_buf_t         *b;
    im_logic_said_t  *said = data;

    b = &said->b;
    said->top = top->top;

    im_buf_add_z(b, ",\"epoch\":");
    im_json_add_string(b, top->epoch);
    im_buf_add_z(b, ",\"seq\":");
    im_buf_add_uint(b, top->top);
    im_buf_add_z(b, ",\"messages\":[");

    if (said->resumes
        && !im_logic_history_continues(top, said->epoch, said->seq))
    {
        said->hole = 1;
        return IM_DECLINED;
    }

    return IM_OK;
}


static im_int_t
im_logic_said_message(void *data, const im_message_t *m)
{
    im_buf_t             *b;
    im_logic_said_t      *said = data;
    const im_envelope_t  *e;

    b = &said->b;
    e = m->envelope;

    if (!said->messages && said->resumes && m->seq != said->seq + 1) {
        said->hole = 1;
    }

    im_buf_add_z(b, said->messages ? ",{\"seq\":" : "{\"seq\":");
    im_buf_add_uint(b, m->seq);
    im_buf_add_z(b, ",\"time\":");
    im_buf_add_uint(b, e->time);

    if (e->id.len != 0) {
        im_buf_add_z(b, ",\"id\":");
        im_json_add_string(b, e->id);
    }

    if (e->user.len != 0 || e->name.len != 0) {
        im_buf_add_z(b, ",\"from\":{\"user\":");
        im_json_add_string(b, e->user);
        im_buf_add_z(b, ",\"name\":");
        im_json_add_string(b, e->name);
        im_buf_add_z(b, "}");
    }

    im_buf_add_z(b, ",\"data\":");
    im_logic_said_add_data(b, e);
    im_buf_add_z(b, "}");

    said->messages = 1;
    said->seq = m->seq;

    return b->failed || b->len > IM_LOGIC_MAX_REPLY / 2 ? IM_DECLINED : IM_OK;
}


static void
im_logic_said_add_data(im_buf_t *b, const im_envelope_t *e)
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
im_logic_said_done(void *data, const char *why)
{
    im_buf_t         *b;
    im_logic_said_t  *said = data;

    if (why != NULL) {
        im_logic_said_refuse(said, 503, why);
        return;
    }

    b = &said->b;

    im_buf_add_z(b, "]");

    /* all of it has gone from the history */

    if (said->resumes && !said->messages && said->asked
        && said->seq < said->top)
    {
        said->hole = 1;
    }

    if (said->hole) {
        im_buf_add_z(b, ",\"hole\":true");
    }

    if (said->messages && said->seq < said->top) {
        im_buf_add_z(b, ",\"more\":true");
    }

    im_buf_add_z(b, "}");

    im_logic_reply_data(said->logic, said->r, b);
    im_logic_said_free(said);
}


static void
im_logic_said_free(im_logic_said_t *said)
{
    im_buf_cleanup(&said->b);
    im_buf_cleanup(&said->since);
    im_free(said);
}
