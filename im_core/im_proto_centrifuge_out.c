/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol in JSON: replies and pushes out.
 *
 * Members that are zero, false or empty are left out, unless clients rely on
 * them.  No object contains a raw newline, since clients split frames there.
 */

#include "im_proto_centrifuge.h"
#include "im_json.h"


typedef struct {
    const char  *name;
    void       (*add)(im_buf_t *b, const im_reply_t *reply);
    unsigned     push:1;
} im_centrifuge_reply_t;


/* No value ends with '{', so '{' means that no comma is needed. */
static void
im_centrifuge_key(im_buf_t *b, const char *name)
{
    if (b->len > 0 && b->data[b->len - 1] != '{') {
        im_buf_add_z(b, ",");
    }

    im_buf_add_z(b, "\"");
    im_buf_add_z(b, name);
    im_buf_add_z(b, "\":");
}


static void
im_centrifuge_uint(im_buf_t *b, const char *name, uint64_t value)
{
    if (value > 0) {
        im_centrifuge_key(b, name);
        im_buf_add_uint(b, value);
    }
}


static void
im_centrifuge_str(im_buf_t *b, const char *name, im_str_t value)
{
    if (value.len > 0) {
        im_centrifuge_key(b, name);
        im_json_add_string(b, value);
    }
}


static void
im_centrifuge_true(im_buf_t *b, const char *name, im_uint_t value)
{
    if (value) {
        im_centrifuge_key(b, name);
        im_buf_add_z(b, "true");
    }
}


static void
im_centrifuge_add_error(im_buf_t *b, const im_reply_t *reply)
{
    int        temporary;
    uint32_t   code;
    im_str_t   message;

    code = reply->code;
    message = reply->reason;
    temporary = reply->temporary;

    if (reply->error != 0) {
        code = reply->error;
        message = im_centrifuge_error_text(reply->error, &temporary);
    }

    im_centrifuge_uint(b, "code", code);
    im_centrifuge_str(b, "message", message);
    im_centrifuge_true(b, "temporary", temporary);
}


static void
im_centrifuge_add_expiry(im_buf_t *b, const im_reply_t *reply)
{
    im_centrifuge_true(b, "expires", reply->ttl > 0);
    im_centrifuge_uint(b, "ttl", reply->ttl);
}


static void
im_centrifuge_add_refresh(im_buf_t *b, const im_reply_t *reply)
{
    im_centrifuge_str(b, "client", reply->session);
    im_centrifuge_str(b, "version", im_str_z(IM_CENTRIFUGE_VERSION));
    im_centrifuge_add_expiry(b, reply);
}


/*
 * In valid JSON a raw line end is white space.  A carriage return ends a line
 * of an event stream.
 */
static void
im_centrifuge_add_json(im_buf_t *b, im_str_t json)
{
    size_t         n;
    const u_char  *p, *end;

    p = json.data;
    end = p + json.len;

    while (p < end) {
        for (n = 0; p + n < end && p[n] != '\n' && p[n] != '\r'; n++) {
            /* void */
        }

        im_buf_add(b, p, n);
        p += im_min(n + 1, (size_t) (end - p));
    }
}


/* Invalid JSON is left out. */
static void
im_centrifuge_json(im_buf_t *b, const char *name, im_str_t value)
{
    im_int_t  rc;

    if (value.len == 0) {
        return;
    }

    rc = im_json_check(value);

    if (rc == IM_ERROR) {
        b->failed = 1;
        return;
    }

    if (rc == IM_OK) {
        im_centrifuge_key(b, name);
        im_centrifuge_add_json(b, value);
    }
}


static void
im_centrifuge_add_value(im_buf_t *b, uint8_t type, im_str_t value)
{
    if (type == IM_PUSH_JSON) {
        im_centrifuge_add_json(b, value);

    } else {
        im_push_add_value(b, type, value);
    }
}


/* Of a token or a backend: JSON, text or binary. */
static void
im_centrifuge_bytes(im_buf_t *b, const char *name, im_str_t value)
{
    uint8_t  type;

    if (value.len == 0) {
        return;
    }

    if (im_push_classify(value, &type) != IM_OK) {
        b->failed = 1;
        return;
    }

    im_centrifuge_key(b, name);
    im_centrifuge_add_value(b, type, value);
}


static void
im_centrifuge_add_channel(im_buf_t *b, im_str_t topic)
{
    int       own;
    size_t    at;
    im_str_t  name;

    name = im_centrifuge_channel(topic, &own);

    if (!own) {
        im_json_add_string(b, name);
        return;
    }

    at = b->len;

    im_buf_add_z(b, "#");
    im_json_add_string(b, name);

    if (!b->failed) {
        b->data[at] = '"';
        b->data[at + 1] = '#';
    }
}


static void
im_centrifuge_add_position(im_buf_t *b, const im_subscribed_t *sub)
{
    if (!sub->recoverable && !sub->positioned) {
        return;
    }

    im_centrifuge_true(b, "recoverable", sub->recoverable);
    im_centrifuge_str(b, "epoch", sub->at.epoch);
    im_centrifuge_uint(b, "offset", sub->at.seq);
    im_centrifuge_true(b, "positioned", sub->positioned);
}


static void
im_centrifuge_add_messages(im_buf_t *b, const im_subscribed_t *sub)
{
    im_uint_t  i;

    im_buf_add_z(b, "[");

    for (i = 0; i < sub->nmessages; i++) {
        im_buf_add_z(b, i > 0 ? "," : "");
        im_centrifuge_add_message(b, &sub->messages[i]);
    }

    im_buf_add_z(b, "]");
}


static void
im_centrifuge_add_sub(im_buf_t *b, const im_subscribed_t *sub)
{
    im_centrifuge_true(b, "expires", sub->ttl > 0);
    im_centrifuge_uint(b, "ttl", sub->ttl);
    im_centrifuge_add_position(b, sub);

    if (sub->recovering) {
        im_centrifuge_true(b, "was_recovering", 1);
        im_centrifuge_true(b, "recovered", sub->recovered);
    }

    if (sub->nmessages > 0) {
        im_centrifuge_key(b, "publications");
        im_centrifuge_add_messages(b, sub);
    }

    im_centrifuge_bytes(b, "data", sub->data);
}


static void
im_centrifuge_add_connect(im_buf_t *b, const im_reply_t *reply)
{
    im_uint_t  i;

    im_centrifuge_add_refresh(b, reply);
    im_centrifuge_bytes(b, "data", reply->data);

    if (reply->nsubs > 0) {
        im_centrifuge_key(b, "subs");
        im_buf_add_z(b, "{");

        for (i = 0; i < reply->nsubs; i++) {
            im_buf_add_z(b, i > 0 ? "," : "");
            im_centrifuge_add_channel(b, reply->subs[i].topic);
            im_buf_add_z(b, ":{");
            im_centrifuge_add_sub(b, &reply->subs[i]);
            im_buf_add_z(b, "}");
        }

        im_buf_add_z(b, "}");
    }

    im_centrifuge_uint(b, "ping", reply->ping);
    im_centrifuge_true(b, "pong", reply->pong);
    im_centrifuge_str(b, "session", reply->secret);
    im_centrifuge_str(b, "node", reply->node);
}


static void
im_centrifuge_add_subscribe(im_buf_t *b, const im_reply_t *reply)
{
    im_centrifuge_add_sub(b, reply->subs);
}


static void
im_centrifuge_add_nothing(im_buf_t *b, const im_reply_t *reply)
{
}


static void
im_centrifuge_add_presence(im_buf_t *b, const im_reply_t *reply)
{
    im_uint_t  i;

    im_centrifuge_key(b, "presence");
    im_buf_add_z(b, "{");

    for (i = 0; i < reply->nclients; i++) {
        im_buf_add_z(b, i > 0 ? "," : "");
        im_json_add_string(b, reply->clients[i].session);
        im_buf_add_z(b, ":");
        im_centrifuge_add_client(b, &reply->clients[i]);
    }

    im_buf_add_z(b, "}");
}


static void
im_centrifuge_add_presence_stats(im_buf_t *b, const im_reply_t *reply)
{
    im_buf_add_z(b, "\"num_clients\":");
    im_buf_add_uint(b, reply->nclients);
    im_buf_add_z(b, ",\"num_users\":");
    im_buf_add_uint(b, reply->nusers);
}


static void
im_centrifuge_add_history(im_buf_t *b, const im_reply_t *reply)
{
    im_buf_add_z(b, "\"publications\":");
    im_centrifuge_add_messages(b, reply->subs);
    im_buf_add_z(b, ",\"epoch\":");
    im_json_add_string(b, reply->subs->at.epoch);
    im_buf_add_z(b, ",\"offset\":");
    im_buf_add_uint(b, reply->subs->at.seq);
}


static void
im_centrifuge_add_rpc(im_buf_t *b, const im_reply_t *reply)
{
    im_centrifuge_bytes(b, "data", reply->data);
}


static void
im_centrifuge_add_info(im_buf_t *b, const im_reply_t *reply)
{
    im_buf_add_z(b, "\"info\":");
    im_centrifuge_add_client(b, reply->clients);
}


static void
im_centrifuge_add_code(im_buf_t *b, const im_reply_t *reply)
{
    im_centrifuge_uint(b, "code", reply->code);
    im_centrifuge_str(b, "reason", reply->reason);
}


/* By im_reply_e. */
static const im_centrifuge_reply_t  im_centrifuge_replies[] = {
    { "error", im_centrifuge_add_error, 0 },
    { "connect", im_centrifuge_add_connect, 0 },
    { "subscribe", im_centrifuge_add_subscribe, 0 },
    { "unsubscribe", im_centrifuge_add_nothing, 0 },
    { "publish", im_centrifuge_add_nothing, 0 },
    { "presence", im_centrifuge_add_presence, 0 },
    { "presence_stats", im_centrifuge_add_presence_stats, 0 },
    { "history", im_centrifuge_add_history, 0 },
    { "rpc", im_centrifuge_add_rpc, 0 },
    { "refresh", im_centrifuge_add_refresh, 0 },
    { "sub_refresh", im_centrifuge_add_expiry, 0 },
    { NULL, NULL, 0 },                           /* ping */
    { "join", im_centrifuge_add_info, 1 },
    { "leave", im_centrifuge_add_info, 1 },
    { "subscribe", im_centrifuge_add_subscribe, 1 },
    { "unsubscribe", im_centrifuge_add_code, 1 },
    { "refresh", im_centrifuge_add_expiry, 1 },
    { "disconnect", im_centrifuge_add_code, 1 }
};


void
im_centrifuge_add_pub(im_buf_t *b, const im_message_t *m)
{
    im_buf_add_z(b, "{\"channel\":");
    im_centrifuge_add_channel(b, m->topic);
    im_buf_add_z(b, ",\"pub\":");
    im_centrifuge_add_message(b, m);
    im_buf_add_z(b, "}");
}


/* The last member of an object, and its end. */
static void
im_centrifuge_add_result(im_buf_t *b, const im_reply_t *reply)
{
    const im_centrifuge_reply_t  *r;

    r = &im_centrifuge_replies[reply->type];

    im_centrifuge_key(b, r->name);
    im_buf_add_z(b, "{");
    r->add(b, reply);
    im_buf_add_z(b, "}}");
}


void
im_centrifuge_add_push(im_buf_t *b, const im_reply_t *reply)
{
    im_buf_add_z(b, "{");

    if (reply->topic.len > 0) {
        im_centrifuge_key(b, "channel");
        im_centrifuge_add_channel(b, reply->topic);
    }

    im_centrifuge_add_result(b, reply);
}


void
im_centrifuge_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    size_t  start;

    start = im_frame_start(b, transport);

    im_buf_add_z(b, "{\"push\":");
    im_centrifuge_add_pub(b, m);
    im_buf_add_z(b, "}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


void
im_centrifuge_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    size_t                              start;
    const im_centrifuge_reply_t  *r;

    start = im_frame_start(b, transport);

    r = &im_centrifuge_replies[reply->type];

    if (r->name == NULL) {
        im_buf_add_z(b, "{}");
        im_frame_end(b, transport, start, IM_KIND_TEXT);
        return;
    }

    im_buf_add_z(b, "{");

    if (r->push) {
        im_centrifuge_key(b, "push");
        im_centrifuge_add_push(b, reply);
        im_buf_add_z(b, "}");

    } else {
        im_centrifuge_uint(b, "id", reply->id);
        im_centrifuge_add_result(b, reply);
    }

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


/* Invalid JSON must not break the frame. */
static void
im_centrifuge_add_data(im_buf_t *b, const im_envelope_t *e)
{
    uint8_t  type;

    type = e->type;

    if (type == IM_PUSH_JSON && im_push_classify(e->data, &type) != IM_OK) {
        b->failed = 1;

    } else {
        im_centrifuge_add_value(b, type, e->data);
    }
}


/* Only publications of clients have info. */
void
im_centrifuge_add_message(im_buf_t *b, const im_message_t *m)
{
    im_member_t           client;
    const im_envelope_t  *e;

    e = m->envelope;

    im_buf_add_z(b, "{\"data\":");
    im_centrifuge_add_data(b, e);

    if (e->session.len > 0) {
        memset(&client, 0, sizeof(im_member_t));
        client.session = e->session;
        client.user = e->user;
        client.info = e->info;

        im_centrifuge_key(b, "info");
        im_centrifuge_add_client(b, &client);
    }

    im_centrifuge_uint(b, "offset", m->numbered ? m->seq : 0);
    im_centrifuge_json(b, "tags", e->tags);

    im_buf_add_z(b, "}");
}


void
im_centrifuge_add_client(im_buf_t *b, const im_member_t *client)
{
    im_buf_add_z(b, "{\"user\":");
    im_json_add_string(b, client->user);
    im_buf_add_z(b, ",\"client\":");
    im_json_add_string(b, client->session);
    im_centrifuge_bytes(b, "conn_info", client->info);
    im_centrifuge_bytes(b, "chan_info", client->room_info);
    im_buf_add_z(b, "}");
}
