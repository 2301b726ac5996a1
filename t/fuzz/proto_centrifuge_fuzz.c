/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol: any client message, and anything framed.
 */

#include <stdlib.h>

#include "im_proto_centrifuge.h"
#include "im_json.h"
#include "im_ws.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_commands(im_str_t message, int connected);
static void fuzz_command(const im_command_t *c);
static void fuzz_push(im_str_t data, im_push_data_e type);
static void fuzz_replies(im_str_t s);
static void fuzz_frame(im_buf_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_commands(s, 0);
    fuzz_commands(s, 1);
    fuzz_push(s, IM_PUSH_JSON);
    fuzz_push(s, IM_PUSH_TEXT);
    fuzz_push(s, IM_PUSH_BINARY);
    fuzz_replies(s);

    return 0;
}


static void
fuzz_commands(im_str_t message, int connected)
{
    im_str_t      rest;
    im_buf_t      arena;
    im_command_t  c;

    rest = message;

    do {
        im_buf_init(&arena, 1 << 24);
        im_proto_centrifuge.decode(&rest, connected, &arena, &c);
        fuzz_command(&c);

        if (c.type == IM_COMMAND_FAULT && rest.len > 0) {
            abort();
        }

        if (!connected && c.type != IM_COMMAND_CONNECT
            && c.type != IM_COMMAND_FAULT)
        {
            abort();
        }

        connected = 1;
        im_buf_cleanup(&arena);
    } while (rest.len > 0);
}


/* Reads all that a command points to. */
static void
fuzz_command(const im_command_t *c)
{
    im_buf_t   b;
    im_uint_t  i;

    if (c->type == IM_COMMAND_FAULT) {
        if (c->why == NULL || im_proto_centrifuge.codes[c->fault] < 3000) {
            abort();
        }

        return;
    }

    if (c->nresumes > IM_RESUMES_MAX || c->limit < 0
        || c->limit > IM_HISTORY_MAX || c->topic.len > 255)
    {
        abort();
    }

    im_buf_init(&b, 1 << 24);
    im_buf_add_str(&b, c->token);
    im_buf_add_str(&b, c->topic);
    im_buf_add_str(&b, c->data);
    im_buf_add_str(&b, c->name);
    im_buf_add_str(&b, c->version);
    im_buf_add_str(&b, c->method);
    im_buf_add_str(&b, c->since.epoch);

    for (i = 0; i < c->nresumes; i++) {
        im_buf_add_str(&b, c->resumes[i].topic);
        im_buf_add_str(&b, c->resumes[i].since.epoch);
    }

    if (b.failed || (c->data.len > 0 && !im_json_valid(c->data))) {
        abort();
    }

    im_buf_cleanup(&b);
}


static void
fuzz_push(im_str_t data, im_push_data_e type)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = (uint8_t) type;
    e.data = data;
    e.user = data;
    e.session = data;
    e.info = data;
    e.tags = data;

    memset(&m, 0, sizeof(im_message_t));
    m.topic = data;
    m.envelope = &e;

    im_buf_init(&b, 1 << 24);
    im_centrifuge_message(&b, &im_transport_ws, &m);
    fuzz_frame(&b);
}


static void
fuzz_replies(im_str_t s)
{
    im_buf_t         b;
    im_uint_t        type;
    im_reply_t       reply;
    im_member_t      client;
    im_subscribed_t  sub;

    client.session = s;
    client.user = s;
    client.info = s;
    client.room_info = s;

    memset(&sub, 0, sizeof(im_subscribed_t));
    sub.topic = s;
    sub.at.epoch = s;
    sub.data = s;
    sub.positioned = 1;

    memset(&reply, 0, sizeof(im_reply_t));
    reply.reason = s;
    reply.topic = s;
    reply.session = s;
    reply.data = s;
    reply.subs = &sub;
    reply.nsubs = 1;
    reply.clients = &client;
    reply.nclients = 1;

    for (type = IM_REPLY_ERROR; type <= IM_REPLY_PUSH_REFRESH; type++) {
        reply.type = (im_reply_e) type;

        im_buf_init(&b, 1 << 24);
        im_centrifuge_reply(&b, &im_transport_ws, &reply);
        fuzz_frame(&b);
    }
}


/* One frame of valid JSON on one line, whatever was put in. */
static void
fuzz_frame(im_buf_t *b)
{
    size_t    header;
    im_str_t  s;

    if (b->failed || b->len < 2) {
        abort();
    }

    header = b->data[1] < 126 ? 2 : b->data[1] == 126 ? 4 : 10;
    s = im_str_set(b->data + header, b->len - header);

    if (!im_json_valid(s) || memchr(s.data, '\n', s.len) != NULL) {
        abort();
    }

    im_buf_cleanup(b);
}
