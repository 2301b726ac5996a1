/*
 * Copyright (C) The im authors
 *
 * /api/v1/push and pushRoom: what the pages of the seed system send.
 *
 * The token says which user sends.  A message is a push like any other.  One to
 * a user goes to the inbox of its sender, too: that copy is for the sender's
 * other sessions.
 */

#include "im_logic_seed.h"
#include "im_logic_follows.h"
#include "im_logic_limit.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_logic_publish.h"
#include "im_logic_token.h"
#include "im_logic_v1.h"


#define IM_V1_KEPT_MAX     100     /* messages at once, of a sender */
#define IM_V1_KEPT_PERIOD  600     /* s: they are refilled in */


typedef struct {
    im_daemon_request_t  *r;
    im_str_t              to;            /* user or room */
    im_str_t              session;       /* that sends, "" unknown */
    im_logic_login_t      sender;
    im_buf_t             *message;
    unsigned              room:1;
    unsigned              kept:1;        /* the receiver is away */
} im_logic_v1_push_t;


typedef struct {
    int64_t   code;
    im_str_t  msg;
} im_logic_v1_body_t;


/* Go's decoder, which the pages were written for, takes any case. */
static const im_json_field_t  im_logic_v1_fields[] = {
    im_json_row(im_logic_v1_body_t, INT, code),
    im_json_row(im_logic_v1_body_t, STRING, msg),
    im_json_end
};


/* A code of /api/v1/.  Of the body, code and msg are kept. */
static int
im_logic_v1_read(im_logic_v1_push_t *push, im_str_t *token)
{
    u_char                id[16];
    im_int_t              rc;
    const char           *why;
    im_logic_v1_body_t    body;
    im_daemon_request_t  *r;

    r = push->r;
    push->message = im_daemon_buf(r, IM_PUSH_MAX_DATA);

    memset(&body, 0, sizeof(im_logic_v1_body_t));

    rc = im_logic_decode(r, r->body, im_logic_v1_fields, IM_JSON_ANY_CASE,
                         &body, &why);

    im_logic_print(push->message, "{\"code\":%d,\"msg\":%j}", body.code,
                   body.msg);

    if (rc != IM_OK || push->message->failed) {
        return IM_V1_NETWORK;
    }

    rc = push->room ? im_logic_v1_room(r, &push->to)
                    : im_logic_query(r, "userId", IM_NAME_MAX, &push->to);

    if (rc != IM_OK || !im_name_valid(push->to)
        || im_logic_query(r, "session", IM_UUID_LEN, &push->session)
           == IM_ERROR
        || (push->session.len > 0
            && im_id_uuid_decode(push->session, id) != IM_OK)
        || im_logic_token_shown(r, token) != IM_OK
        || !im_logic_token_valid(*token))
    {
        return IM_V1_SEND;
    }

    return IM_V1_OK;
}


/* What may succeed the next time isn't refused. */
static int
im_logic_v1_code(im_uint_t status)
{
    status = im_logic_status(status);

    return status == 200 ? IM_V1_OK
                         : status == 503 ? IM_V1_AWAY : IM_V1_SEND;
}


/* A page that names its session hears whether the receiver is away. */
static void
im_logic_v1_accepted(im_logic_v1_push_t *push)
{
    im_buf_t  *b;

    if (push->room || push->session.len == 0) {
        im_logic_v1_reply(push->r, 200, IM_V1_OK);
        return;
    }

    b = im_daemon_buf(push->r, 32);
    im_logic_print(b, "{\"kept\":%z}", push->kept ? "true" : "false");

    im_logic_v1_reply_data(push->r, b);
}


/* The message was accepted, whatever becomes of the copy. */
static void
im_logic_v1_copied(im_logic_publish_t *publish, void *data)
{
    im_logic_v1_accepted(data);
}


/* NULL: no memory. */
static im_logic_publish_t *
im_logic_v1_message(im_logic_v1_push_t *push)
{
    im_logic_publish_t  *publish;

    publish = im_logic_publish_create(push->r, 1);
    if (publish == NULL) {
        return NULL;
    }

    publish->message.type = IM_PUSH_JSON;
    publish->message.user = push->sender.user;
    publish->message.name = push->sender.name;
    publish->message.data = im_buf_str(push->message);

    return publish;
}


static void
im_logic_v1_copy(im_logic_v1_push_t *push)
{
    im_buf_t            *tags;
    im_logic_publish_t  *publish;

    tags = im_daemon_buf(push->r, 6 * IM_NAME_MAX + 16);
    im_logic_print(tags, "{\"to\":%j}", push->to);

    publish = im_logic_v1_message(push);

    if (publish != NULL && !tags->failed) {
        publish->message.tags = im_buf_str(tags);
        publish->message.session = push->session;

        if (im_logic_publish_user(publish, push->sender.user) != NULL
            && im_logic_publish_start(publish, push->r->id, im_logic_v1_copied,
                                      push)
               == IM_OK)
        {
            return;
        }
    }

    im_logic_v1_copied(publish, push);
}


static void
im_logic_v1_published(im_logic_publish_t *publish, void *data)
{
    int                  code;
    im_logic_v1_push_t  *push = data;

    code = im_logic_v1_code(publish->targets[0].status);

    if (code == IM_V1_OK && !push->room
        && !im_str_eq(push->to, push->sender.user))
    {
        im_logic_v1_copy(push);

    } else if (code == IM_V1_OK) {
        im_logic_v1_accepted(push);

    } else {
        im_logic_v1_reply(push->r, 200, code);
    }
}


static void
im_logic_v1_publish(im_logic_v1_push_t *push)
{
    im_logic_target_t   *t;
    im_logic_publish_t  *publish;

    publish = im_logic_v1_message(push);
    if (publish == NULL) {
        im_logic_v1_reply(push->r, 200, IM_V1_AWAY);
        return;
    }

    t = push->room ? im_logic_publish_room(publish, push->to)
                   : im_logic_publish_user(publish, push->to);

    if (t == NULL
        || im_logic_publish_start(publish, push->r->id, im_logic_v1_published,
                                  push)
           != IM_OK)
    {
        im_logic_v1_reply(push->r, 200, im_logic_v1_code(publish->status));
    }
}


static void
im_logic_v1_limit_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t            seconds;
    im_logic_v1_push_t  *push = data;

    if (im_logic_limit_read(reply, &seconds) == IM_OK) {
        push->kept = 1;
        im_logic_v1_publish(push);

    } else {
        im_logic_v1_reply(push->r, 200, IM_V1_AWAY);
    }
}


/*
 * A user that is away finds the message in the inbox, if that keeps any.  A
 * sender may name users that don't exist: the limit bounds what that stores.
 */
static void
im_logic_v1_keep(im_logic_v1_push_t *push)
{
    im_logic_t        *logic;
    const im_rule_t   *rule;
    im_logic_limit_t   limit;

    logic = push->r->data;
    rule = im_rules_topic(&logic->nodes->rules,
                          im_logic_topic(push->r, im_topic_user, push->to));

    if (rule == NULL || rule->history == 0) {
        im_logic_v1_reply(push->r, 200, IM_V1_SEND);
        return;
    }

    limit.kind = IM_LIMIT_KEPT;
    limit.n = IM_V1_KEPT_MAX;
    limit.period = IM_V1_KEPT_PERIOD;
    limit.subject = push->sender.user;

    im_logic_limit(logic, &limit, im_logic_v1_limit_handler, push);
}


static void
im_logic_v1_receiver_handler(const im_members_t *members, void *data)
{
    im_logic_v1_push_t  *push = data;

    if (members == NULL) {
        im_logic_v1_reply(push->r, 200, IM_V1_AWAY);

    } else if (members->nworkers > 0) {
        im_logic_v1_publish(push);

    } else {
        im_logic_v1_keep(push);
    }
}


static void
im_logic_v1_follows_handler(int follows, void *data)
{
    im_logic_v1_push_t  *push = data;

    if (follows == 1) {
        im_logic_v1_publish(push);
        return;
    }

    im_logic_v1_reply(push->r, 200, follows == 0 ? IM_V1_SEND : IM_V1_AWAY);
}


/* A room without a rule is refused by the publishing itself. */
static void
im_logic_v1_to_room(im_logic_v1_push_t *push)
{
    im_logic_t           *logic;
    const im_rule_t      *rule;
    im_daemon_request_t  *r;

    r = push->r;
    logic = r->data;
    rule = im_rules_room(&logic->nodes->rules, push->to);

    if (!im_logic_token_room(push->sender.rooms, push->to)) {
        im_logic_v1_reply(r, 200, IM_V1_SEND);
        return;
    }

    switch (rule != NULL ? im_rule_publish(rule, 1) : IM_RULE_USER) {

    case IM_RULE_NONE:
        im_logic_v1_reply(r, 200, IM_V1_SEND);
        return;

    case IM_RULE_MEMBER:
        im_logic_follows(r, push->sender.user, push->to,
                         im_logic_v1_follows_handler, push);
        return;

    default:
        im_logic_v1_publish(push);
        return;
    }
}


static void
im_logic_v1_sender_handler(im_login_e rc, const im_logic_login_t *login,
    void *data)
{
    im_logic_v1_push_t   *push = data;
    im_daemon_request_t  *r;

    r = push->r;
    push->sender = *login;

    if (rc != IM_LOGIN_FOUND) {
        im_logic_v1_reply(r, 200, rc == IM_LOGIN_AWAY ? IM_V1_AWAY
                                                      : IM_V1_SEND);

    } else if (push->room) {
        im_logic_v1_to_room(push);

    } else if (im_logic_unknown(r->data) != NULL) {
        im_logic_v1_reply(r, 200, IM_V1_AWAY);

    } else {
        im_logic_members(r->data, im_logic_topic(r, im_topic_user, push->to),
                         IM_LINK_MEMBERS_COUNTS, im_logic_v1_receiver_handler,
                         push);
    }
}


static void
im_logic_v1_push(im_daemon_request_t *r, int room)
{
    int                  code;
    im_str_t             token;
    im_logic_v1_push_t  *push;

    push = im_daemon_alloc(r, sizeof(im_logic_v1_push_t));
    if (push == NULL) {
        im_logic_v1_reply(r, 200, IM_V1_AWAY);
        return;
    }

    push->r = r;
    push->room = room != 0;

    code = im_logic_v1_read(push, &token);

    if (code == IM_V1_OK) {
        im_logic_token_find(r, token, im_logic_v1_sender_handler, push);

    } else {
        im_logic_v1_reply(r, 200, code);
    }
}


void
im_logic_v1_push_handler(im_daemon_request_t *r)
{
    im_logic_v1_push(r, 0);
}


void
im_logic_v1_room_handler(im_daemon_request_t *r)
{
    im_logic_v1_push(r, 1);
}
