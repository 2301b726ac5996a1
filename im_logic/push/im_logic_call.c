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
#include "im_logic_revoked.h"
#include "im_logic_who.h"
#include "im_ask.h"


static im_int_t
im_logic_call_message(im_logic_publish_t *publish, const im_ask_t *ask)
{
    im_envelope_t  *message;

    message = &publish->message;

    if (ask->data.len == 0) {
        return im_logic_publish_refuse(publish, 400, "no data");
    }

    if (!im_logic_name_or_none(ask->user)
        || !im_logic_name_or_none(ask->name)
        || !im_logic_name_or_none(ask->session))
    {
        return im_logic_publish_refuse(publish, 400,
                                       "a name of the sender is not valid");
    }

    if (im_push_classify(ask->data, &message->type) != IM_OK) {
        return im_logic_publish_refuse(publish, 503, "no memory");
    }

    message->id = ask->id;
    message->user = ask->user;
    message->name = ask->name;
    message->session = ask->session;
    message->data = ask->data;
    message->info = ask->info;
    message->tags = ask->tags;

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


static void
im_logic_call_start(im_logic_publish_t *publish)
{
    im_daemon_request_t  *r;

    r = publish->r;

    if (im_logic_publish_start(publish, r->id, im_logic_call_published, r)
        != IM_OK)
    {
        im_logic_reply_error(r, publish->status, publish->msg);
    }
}


/* A session may be open still whose user was kept out a moment ago. */
static void
im_logic_call_kept_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_publish_t  *publish = data;

    switch (im_logic_revoked_read(reply)) {

    case 0:
        im_logic_call_start(publish);
        return;

    case 1:
        im_logic_reply_error(publish->r, 403, "the user is kept out");
        return;

    default:
        im_logic_reply_error(publish->r, 503, "redis is away");
        return;
    }
}


static void
im_logic_call_publish(im_daemon_request_t *r, const im_ask_t *ask)
{
    im_logic_target_t   *t;
    im_logic_publish_t  *publish;

    publish = im_logic_publish_create(r, 1);

    if (publish == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    if (im_logic_call_message(publish, ask) != IM_OK) {
        im_logic_reply_error(r, publish->status, publish->msg);
        return;
    }

    t = im_logic_publish_room(publish, ask->room);

    if (t == NULL) {
        im_logic_reply_error(r, publish->status, publish->msg);
        return;
    }

    t->unnumbered = ask->skip_history != 0;

    if (ask->user.len == 0) {
        im_logic_call_start(publish);

    } else {
        im_logic_revoked(r->data, ask->user, im_logic_call_kept_handler,
                         publish);
    }
}


void
im_logic_call_handler(im_daemon_request_t *r)
{
    im_ask_t     ask;
    im_int_t     rc;
    const char  *why;

    rc = im_ask_decode(r->body, im_daemon_buf(r, r->body.len), &ask, &why);

    if (rc == IM_ERROR) {
        im_logic_reply_error(r, im_logic_json_status(why), why);

    } else if (rc == IM_DECLINED) {
        im_logic_reply_error(r, 400, "no such call");

    } else if (ask.kind == IM_ASK_PUBLISH) {
        im_logic_call_publish(r, &ask);

    } else {
        im_logic_connect(r, ask.token);
    }
}
