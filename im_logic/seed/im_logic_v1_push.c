/*
 * Copyright (C) The im authors
 *
 * /api/v1/: what the pages of the seed system send.
 *
 * Who sends is what the token says.  A message is a push like any other; a
 * question about a room is answered to all who follow it.
 */

#include <stdlib.h>

#include "im_logic_seed.h"
#include "im_logic_control.h"
#include "im_logic_nodes.h"
#include "im_logic_publish.h"
#include "im_logic_token.h"
#include "im_logic_url.h"
#include "im_logic_v1.h"
#include "im_json.h"
#include "im_key.h"


#define IM_V1_RID  16      /* digits of an int32, and more */


typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_str_t              to;            /* user or room */
    im_str_t              user;          /* the sender */
    im_str_t              name;
    im_buf_t              message;
    u_char                to_data[IM_NAME_MAX];
    u_char                user_data[IM_NAME_MAX];
    u_char                name_data[IM_NAME_MAX];
    unsigned              room:1;
} im_logic_v1_push_t;


typedef struct {
    int64_t   code;
    im_str_t  msg;
} im_logic_v1_body_t;


typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
} im_logic_v1_asked_t;


static void im_logic_v1_send(im_logic_t *logic, im_daemon_request_t *r,
    int room);
static int im_logic_v1_read(im_logic_v1_push_t *push, im_buf_t *token);
static im_int_t im_logic_v1_rid(im_str_t query, im_buf_t *b);
static im_int_t im_logic_v1_body(im_logic_v1_push_t *push);
static void im_logic_v1_sender_handler(void *data, im_int_t rc,
    const im_logic_login_t *login);
static im_int_t im_logic_v1_receiver(im_logic_v1_push_t *push);
static void im_logic_v1_routes_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_v1_publish(im_logic_v1_push_t *push);
static void im_logic_v1_published(im_logic_publish_t *publish, void *data);
static int im_logic_v1_code(im_uint_t status);
static void im_logic_v1_end(im_logic_v1_push_t *push, int code);

static int im_logic_v1_ask(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t room);
static void im_logic_v1_told(void *data, im_uint_t status, const char *msg,
    im_uint_t workers);


/* Go's decoder, which the pages were written for, takes any case. */
static const im_json_field_t  im_logic_v1_fields[] = {
    { im_str("code"), IM_JSON_INT, offsetof(im_logic_v1_body_t, code) },
    { im_str("msg"), IM_JSON_STRING, offsetof(im_logic_v1_body_t, msg) },
    im_json_end
};


void
im_logic_v1_push(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    (void) rest;

    im_logic_v1_send(logic, r, 0);
}


void
im_logic_v1_push_room(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest)
{
    (void) rest;

    im_logic_v1_send(logic, r, 1);
}


static void
im_logic_v1_send(im_logic_t *logic, im_daemon_request_t *r, int room)
{
    int                  code;
    im_buf_t             token;
    im_logic_v1_push_t  *push;

    push = im_calloc(sizeof(im_logic_v1_push_t));
    if (push == NULL) {
        im_logic_v1_reply(logic, r, 200, IM_V1_AWAY);
        return;
    }

    push->logic = logic;
    push->r = r;
    push->room = room;

    im_buf_init(&push->message, IM_PUSH_MAX_DATA);
    im_buf_init(&token, IM_TOKEN_MAX);

    code = im_logic_v1_read(push, &token);

    if (code == IM_V1_OK
        && im_logic_token_find(logic, im_buf_str(&token),
                               im_logic_v1_sender_handler, push)
           != IM_OK)
    {
        code = IM_V1_AWAY;
    }

    im_buf_cleanup(&token);

    if (code != IM_V1_OK) {
        im_logic_v1_end(push, code);
    }
}


/* A code of /api/v1/. */
static int
im_logic_v1_read(im_logic_v1_push_t *push, im_buf_t *token)
{
    im_buf_t   to;
    im_int_t   rc;
    im_str_t   query;

    query = push->r->query;

    if (im_logic_v1_body(push) != IM_OK) {
        return IM_V1_NETWORK;
    }

    if (im_logic_url_find(query, "auth", token) != IM_OK || token->failed
        || !im_logic_token_valid(im_buf_str(token)))
    {
        return IM_V1_SEND;
    }

    im_buf_init(&to, IM_NAME_MAX);

    rc = push->room ? im_logic_v1_rid(query, &to)
                    : im_logic_url_find(query, "userId", &to);

    if (rc != IM_OK || to.failed || !im_name_valid(im_buf_str(&to))) {
        im_buf_cleanup(&to);
        return IM_V1_SEND;
    }

    memcpy(push->to_data, to.data, to.len);
    push->to = im_str_set(push->to_data, to.len);

    im_buf_cleanup(&to);

    return IM_V1_OK;
}


/* "rid": a room's number, as the name that it has; -1 is no room. */
static im_int_t
im_logic_v1_rid(im_str_t query, im_buf_t *b)
{
    size_t     i;
    uint64_t   n;
    im_buf_t   value;

    im_buf_init(&value, IM_V1_RID);

    if (im_logic_url_find(query, "rid", &value) != IM_OK || value.failed
        || value.len == 0)
    {
        im_buf_cleanup(&value);
        return IM_ERROR;
    }

    n = 0;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        n = n * 10 + (value.data[i] - '0');
    }

    /* IM_V1_RID digits fit */
    if (i < value.len || n > INT32_MAX) {
        im_buf_cleanup(&value);
        return IM_ERROR;
    }

    im_buf_cleanup(&value);
    im_buf_add_uint(b, n);

    return IM_OK;
}


/* code and msg are kept, all else isn't. */
static im_int_t
im_logic_v1_body(im_logic_v1_push_t *push)
{
    im_buf_t             arena;
    im_int_t             rc;
    const char          *why;
    im_logic_v1_body_t   body;

    memset(&body, 0, sizeof(im_logic_v1_body_t));
    im_buf_init(&arena, push->r->body.len + 1);

    rc = im_json_decode(push->r->body, im_logic_v1_fields, IM_JSON_ANY_CASE,
                        &arena, &body, &why);

    if (rc == IM_OK) {
        im_buf_add_z(&push->message, "{\"code\":");
        im_buf_add_int(&push->message, body.code);
        im_buf_add_z(&push->message, ",\"msg\":");
        im_json_add_string(&push->message, body.msg);
        im_buf_add_z(&push->message, "}");

        rc = push->message.failed ? IM_ERROR : IM_OK;
    }

    im_buf_cleanup(&arena);

    return rc;
}


static void
im_logic_v1_sender_handler(void *data, im_int_t rc,
    const im_logic_login_t *login)
{
    im_logic_v1_push_t  *push = data;

    if (rc != IM_OK) {
        im_logic_v1_end(push, rc == IM_ERROR ? IM_V1_AWAY : IM_V1_SEND);
        return;
    }

    memcpy(push->user_data, login->user.data, login->user.len);
    push->user = im_str_set(push->user_data, login->user.len);

    if (login->name.len != 0) {
        memcpy(push->name_data, login->name.data, login->name.len);
        push->name = im_str_set(push->name_data, login->name.len);
    }

    if (push->room) {
        if (!im_logic_token_room(login->rooms, push->to)) {
            im_logic_v1_end(push, IM_V1_SEND);
            return;
        }

        im_logic_v1_publish(push);
        return;
    }

    if (im_logic_v1_receiver(push) != IM_OK) {
        im_logic_v1_end(push, IM_V1_AWAY);
    }
}


/* Who is away gets nothing: the sender is told so. */
static im_int_t
im_logic_v1_receiver(im_logic_v1_push_t *push)
{
    uint16_t     p;
    im_buf_t     topic, key;
    im_int_t     rc;
    im_str_t     args[2];
    im_logic_t  *logic;

    logic = push->logic;

    if (!im_daemon_redis_ready(logic->redis) || !logic->nodes->known) {
        return IM_ERROR;
    }

    im_buf_init(&topic, IM_NAME_MAX + 2);
    im_topic_user(&topic, push->to);

    p = im_partition(im_buf_str(&topic),
                     im_daemon_redis_partitions(logic->redis));

    im_buf_init(&key, 1024);
    im_key_topic(&key, logic->prefix, p, im_buf_str(&topic), IM_KEY_ROUTES);

    args[0] = im_str_z("HKEYS");
    args[1] = im_buf_str(&key);

    rc = topic.failed || key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, p, args, 2,
                                   im_logic_v1_routes_handler, push);

    im_buf_cleanup(&key);
    im_buf_cleanup(&topic);

    return rc;
}


static void
im_logic_v1_routes_handler(const im_daemon_reply_t *reply, void *data)
{
    im_uint_t            i;
    im_logic_v1_push_t  *push = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        im_logic_v1_end(push, IM_V1_AWAY);
        return;
    }

    for (i = 0; i < im_daemon_reply_len(reply); i++) {
        if (im_logic_nodes_live(push->logic, im_daemon_reply_str(
                                    im_daemon_reply_at(reply, i))))
        {
            im_logic_v1_publish(push);
            return;
        }
    }

    im_logic_v1_end(push, IM_V1_SEND);
}


static void
im_logic_v1_publish(im_logic_v1_push_t *push)
{
    im_logic_target_t   *t;
    im_logic_publish_t  *publish;

    publish = im_logic_publish_create(push->logic, 1, IM_NAME_MAX);
    if (publish == NULL) {
        im_logic_v1_end(push, IM_V1_AWAY);
        return;
    }

    publish->message.type = IM_PUSH_JSON;
    publish->message.user = push->user;
    publish->message.name = push->name;
    publish->message.data = im_buf_str(&push->message);

    t = push->room ? im_logic_publish_room(publish, push->to)
                   : im_logic_publish_user(publish, push->to);

    if (t == NULL
        || im_logic_publish_start(publish, push->r->id, im_logic_v1_published,
                                  push)
           != IM_OK)
    {
        im_logic_v1_end(push, im_logic_v1_code(publish->status));
        im_logic_publish_free(publish);
    }
}


static void
im_logic_v1_published(im_logic_publish_t *publish, void *data)
{
    im_logic_v1_push_t  *push = data;

    im_logic_v1_end(push, im_logic_v1_code(publish->targets[0].status));
    im_logic_publish_free(publish);
}


/* What may be better the next time is not said to be refused. */
static int
im_logic_v1_code(im_uint_t status)
{
    if (status == 200) {
        return IM_V1_OK;
    }

    return status == 503 ? IM_V1_AWAY : IM_V1_SEND;
}


static void
im_logic_v1_end(im_logic_v1_push_t *push, int code)
{
    im_logic_v1_reply(push->logic, push->r, 200, code);

    im_buf_cleanup(&push->message);
    im_free(push);
}


/* count and getRoomInfo: those in the room are told who is there. */
void
im_logic_v1_room_info(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest)
{
    int       code;
    im_buf_t  rid;

    (void) rest;

    im_buf_init(&rid, IM_V1_RID);

    if (im_logic_unready(logic) != NULL) {
        code = IM_V1_AWAY;

    } else if (im_logic_v1_rid(r->query, &rid) != IM_OK
               || im_rules_room(&logic->nodes->rules, im_buf_str(&rid))
                  == NULL)
    {
        code = IM_V1_SEND;

    } else {
        code = im_logic_v1_ask(logic, r, im_buf_str(&rid));
    }

    im_buf_cleanup(&rid);

    if (code != IM_V1_OK) {
        im_logic_v1_reply(logic, r, 200, code);
    }
}


static int
im_logic_v1_ask(im_logic_t *logic, im_daemon_request_t *r, im_str_t room)
{
    im_buf_t              topic;
    im_control_t          control;
    im_logic_v1_asked_t  *asked;

    im_buf_init(&topic, IM_NAME_MAX + 2);
    im_topic_room(&topic, room);

    asked = im_alloc(sizeof(im_logic_v1_asked_t));

    if (asked == NULL || topic.failed) {
        im_buf_cleanup(&topic);
        im_free(asked);
        return IM_V1_AWAY;
    }

    asked->logic = logic;
    asked->r = r;

    im_control_init(&control, IM_CONTROL_ROOM_INFO);
    control.topic = im_buf_str(&topic);

    im_logic_control(logic, &control, im_logic_v1_told, asked);

    im_buf_cleanup(&topic);

    return IM_V1_OK;
}


static void
im_logic_v1_told(void *data, im_uint_t status, const char *msg,
    im_uint_t workers)
{
    im_logic_v1_asked_t  *asked = data;

    (void) msg;
    (void) workers;

    im_logic_v1_reply(asked->logic, asked->r, 200, im_logic_v1_code(status));
    im_free(asked);
}
