/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol in Protobuf: any client message, and anything framed,
 * whose length must be right.
 */

#include <stdlib.h>

#include "im_proto_centrifuge.h"
#include "im_utf8.h"
#include "im_ws.h"


#define proto  im_proto_centrifuge_pb


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* All of s lies in the message or in the arena. */
static void
fuzz_within(im_str_t s, im_str_t message, const im_buf_t *arena)
{
    if (s.len == 0
        || (s.data >= message.data
            && s.data + s.len <= message.data + message.len)
        || (s.data >= arena->data
            && s.data + s.len <= arena->data + arena->len))
    {
        return;
    }

    abort();
}


static void
fuzz_command(const im_command_t *c, im_str_t message, const im_buf_t *arena)
{
    im_uint_t  i;

    if (c->type == IM_COMMAND_FAULT) {
        if (c->why == NULL || im_centrifuge_codes[c->fault] != 3501) {
            abort();
        }

        return;
    }

    if (c->nresumes > IM_RESUMES_MAX || c->limit < 0
        || c->limit > IM_HISTORY_MAX || c->topic.len > 255
        || !im_utf8_valid(c->token) || !im_utf8_valid(c->topic)
        || !im_utf8_valid(c->name) || !im_utf8_valid(c->version)
        || !im_utf8_valid(c->method) || !im_utf8_valid(c->since.epoch))
    {
        abort();
    }

    fuzz_within(c->token, message, arena);
    fuzz_within(c->topic, message, arena);
    fuzz_within(c->data, message, arena);
    fuzz_within(c->name, message, arena);
    fuzz_within(c->version, message, arena);
    fuzz_within(c->method, message, arena);
    fuzz_within(c->since.epoch, message, arena);

    for (i = 0; i < c->nresumes; i++) {
        fuzz_within(c->resumes[i].topic, message, arena);
        fuzz_within(c->resumes[i].since.epoch, message, arena);
    }
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
        proto.decode(&rest, connected, &arena, &c);
        fuzz_command(&c, message, &arena);

        if ((c.type == IM_COMMAND_FAULT && rest.len > 0)
            || (!connected && c.type != IM_COMMAND_CONNECT
                && c.type != IM_COMMAND_FAULT)
            || arena.size > 2 * message.len + 65536)
        {
            abort();
        }

        connected = 1;
        im_buf_cleanup(&arena);
    } while (rest.len > 0);
}


/* One message with the right length in a binary frame. */
static void
fuzz_frame(im_buf_t *b)
{
    size_t     i, header;
    u_char     wanted[IM_WS_MAX_HEADER];
    uint64_t   len;
    im_uint_t  shift;

    if (b->failed) {
        abort();
    }

    header = b->data[1] < 126 ? 2 : b->data[1] == 126 ? 4 : 10;

    if (im_ws_header(wanted, IM_WS_BINARY, b->len - header) != header
        || memcmp(wanted, b->data, header) != 0)
    {
        abort();
    }

    len = 0;
    shift = 0;
    i = header;

    do {
        len |= (uint64_t) (b->data[i] & 0x7f) << shift;
        shift += 7;
    } while (b->data[i++] & 0x80);

    if (len != b->len - i) {
        abort();
    }

    im_buf_cleanup(b);
}


static void
fuzz_replies(im_str_t s)
{
    im_buf_t         b;
    im_uint_t        type;
    im_reply_t       reply;
    im_member_t      client;
    im_message_t     m;
    im_envelope_t    e;
    im_subscribed_t  sub;

    memset(&e, 0, sizeof(im_envelope_t));
    e.data = s;
    e.user = s;
    e.session = s;
    e.info = s;
    e.tags = s;

    memset(&m, 0, sizeof(im_message_t));
    m.topic = s;
    m.seq = s.len;
    m.numbered = 1;
    m.envelope = &e;

    im_buf_init(&b, 1 << 24);
    proto.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);
    fuzz_frame(&b);

    memset(&client, 0, sizeof(im_member_t));
    client.session = s;
    client.user = s;
    client.info = s;
    client.room_info = s;

    memset(&sub, 0, sizeof(im_subscribed_t));
    sub.topic = s;
    sub.at.epoch = s;
    sub.at.seq = s.len;
    sub.messages = &m;
    sub.nmessages = 1;
    sub.data = s;
    sub.recoverable = 1;
    sub.recovering = 1;
    sub.recovered = 1;

    for (type = IM_REPLY_ERROR; type <= IM_REPLY_DISCONNECT; type++) {
        memset(&reply, 0, sizeof(im_reply_t));
        reply.type = (im_reply_e) type;
        reply.id = (uint32_t) s.len;
        reply.code = 3000;
        reply.reason = s;
        reply.topic = s;
        reply.session = s;
        reply.secret = s;
        reply.node = s;
        reply.data = s;
        reply.subs = &sub;
        reply.nsubs = 1;
        reply.clients = &client;
        reply.nclients = 1;

        im_buf_init(&b, 1 << 24);
        proto.reply(&b, &im_transport_ws, &reply);
        fuzz_frame(&b);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_commands(s, 0);
    fuzz_commands(s, 1);
    fuzz_replies(s);

    return 0;
}
