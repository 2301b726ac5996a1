/*
 * Copyright (C) The im authors
 *
 * POST /im_connect: calls of nginx for its sessions.
 *
 * "call" names what it wants; without it, the user of a token.  nginx has
 * checked the client's right to what it does.
 */

#include "im_logic_push.h"
#include "im_logic_print.h"
#include "im_logic_publish.h"
#include "im_logic_who.h"


typedef struct {
    im_str_t  call;
    im_str_t  room;
    im_str_t  data;
    im_str_t  id;
    im_str_t  user;
    im_str_t  name;
    im_str_t  session;
    im_str_t  info;
    im_str_t  tags;
} im_logic_call_body_t;


typedef void (*im_logic_call_pt)(im_daemon_request_t *r,
    const im_logic_call_body_t *body);


typedef struct {
    im_str_t          name;
    im_logic_call_pt  handler;
} im_logic_call_name_t;


static void im_logic_call_connect(im_daemon_request_t *r,
    const im_logic_call_body_t *body);
static void im_logic_call_publish(im_daemon_request_t *r,
    const im_logic_call_body_t *body);
static im_int_t im_logic_call_message(im_logic_publish_t *publish,
    const im_logic_call_body_t *body);
static void im_logic_call_published(im_logic_publish_t *publish, void *data);


static const im_logic_call_name_t  im_logic_calls[] = {
    { im_str("connect"), im_logic_call_connect },
    { im_str("publish"), im_logic_call_publish },
    { im_null_str, NULL }
};


static const im_json_field_t  im_logic_call_fields[] = {
    { im_str("call"), IM_JSON_STRING, offsetof(im_logic_call_body_t, call) },
    { im_str("room"), IM_JSON_STRING, offsetof(im_logic_call_body_t, room) },
    { im_str("data"), IM_JSON_RAW, offsetof(im_logic_call_body_t, data) },
    { im_str("id"), IM_JSON_STRING, offsetof(im_logic_call_body_t, id) },
    { im_str("user"), IM_JSON_STRING, offsetof(im_logic_call_body_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(im_logic_call_body_t, name) },
    { im_str("session"), IM_JSON_STRING,
      offsetof(im_logic_call_body_t, session) },
    { im_str("info"), IM_JSON_RAW, offsetof(im_logic_call_body_t, info) },
    { im_str("tags"), IM_JSON_OBJECT, offsetof(im_logic_call_body_t, tags) },
    im_json_end
};


void
im_logic_call_handler(im_daemon_request_t *r)
{
    const char                  *why;
    im_logic_call_body_t         body;
    const im_logic_call_name_t  *call;

    memset(&body, 0, sizeof(im_logic_call_body_t));

    if (im_logic_decode(r, r->body, im_logic_call_fields, 0, &body, &why)
        != IM_OK)
    {
        im_logic_reply_error(r, im_logic_json_status(why), why);
        return;
    }

    if (body.call.len == 0) {
        body.call = im_logic_calls[0].name;
    }

    for (call = im_logic_calls; call->handler != NULL; call++) {
        if (im_str_eq(call->name, body.call)) {
            call->handler(r, &body);
            return;
        }
    }

    im_logic_reply_error(r, 400, "no such call");
}


static void
im_logic_call_connect(im_daemon_request_t *r,
    const im_logic_call_body_t *body)
{
    im_logic_connect(r);
}


static void
im_logic_call_publish(im_daemon_request_t *r,
    const im_logic_call_body_t *body)
{
    im_logic_publish_t  *publish;

    publish = im_logic_publish_create(r, 1);
    if (publish == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    if (im_logic_call_message(publish, body) != IM_OK
        || im_logic_publish_room(publish, body->room) == NULL
        || im_logic_publish_start(publish, r->id, im_logic_call_published, r)
           != IM_OK)
    {
        im_logic_reply_error(r, publish->status, publish->msg);
    }
}


static im_int_t
im_logic_call_message(im_logic_publish_t *publish,
    const im_logic_call_body_t *body)
{
    im_str_t        null = im_str("null");
    im_envelope_t  *message;

    message = &publish->message;

    if (body->data.len == 0) {
        return im_logic_publish_refuse(publish, 400, "no data");
    }

    if (!im_logic_name_or_none(body->user)
        || !im_logic_name_or_none(body->name)
        || !im_logic_name_or_none(body->session))
    {
        return im_logic_publish_refuse(publish, 400,
                                       "a name of the sender is not valid");
    }

    message->type = IM_PUSH_JSON;
    message->id = body->id;
    message->user = body->user;
    message->name = body->name;
    message->session = body->session;
    message->data = body->data;
    message->tags = body->tags;

    if (!im_str_eq(body->info, null)) {
        message->info = body->info;
    }

    return IM_OK;
}


static void
im_logic_call_published(im_logic_publish_t *publish, void *data)
{
    im_buf_t             *b;
    im_logic_target_t    *t;
    im_daemon_request_t  *r = data;

    t = &publish->targets[0];

    if (t->status != 200) {
        im_logic_reply_error(r, t->status, t->msg);
        return;
    }

    b = im_daemon_buf(r, 256);

    im_logic_print(b, "{\"epoch\":%j,\"seq\":%u}", t->epoch, t->seq);
    im_logic_reply_data(r, b);
}
