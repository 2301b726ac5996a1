/*
 * Copyright (C) The im authors
 *
 * The unidirectional form of the centrifuge protocol: any request, and any data
 * in a push, which stays one line of JSON.
 */

#include <stdlib.h>

#include "im_json.h"
#include "im_proto.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(im_str_t message);
static void fuzz_push(im_str_t data, im_push_data_e type);
static void fuzz_reply(im_str_t s);
static void fuzz_line(im_buf_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_request(s);
    fuzz_push(s, IM_PUSH_JSON);
    fuzz_push(s, IM_PUSH_TEXT);
    fuzz_push(s, IM_PUSH_BINARY);
    fuzz_reply(s);

    return 0;
}


static void
fuzz_request(im_str_t message)
{
    im_str_t      rest;
    im_buf_t      arena, b;
    im_uint_t     i;
    im_command_t  c;

    rest = message;

    im_buf_init(&arena, 1 << 24);
    im_buf_init(&b, 1 << 24);

    im_proto_uni.decode(&rest, 0, &arena, &c);

    if (rest.len > 0
        || (c.type != IM_COMMAND_CONNECT && c.type != IM_COMMAND_FAULT)
        || (im_proto_uni.check(message) == NULL)
           != (c.type == IM_COMMAND_CONNECT))
    {
        abort();
    }

    if (c.type == IM_COMMAND_CONNECT) {
        if (c.id == 0 || c.nresumes > IM_RESUMES_MAX) {
            abort();
        }

        im_buf_add_str(&b, c.token);
        im_buf_add_str(&b, c.data);
        im_buf_add_str(&b, c.name);
        im_buf_add_str(&b, c.version);

        for (i = 0; i < c.nresumes; i++) {
            im_buf_add_str(&b, c.resumes[i].topic);
            im_buf_add_str(&b, c.resumes[i].since.epoch);

            if (c.resumes[i].topic.len == 0
                || c.resumes[i].join != (c.resumes[i].topic.data[0] == 'r'))
            {
                abort();
            }
        }
    }

    im_buf_cleanup(&arena);
    im_buf_cleanup(&b);

    rest = message;

    im_proto_uni.decode(&rest, 1, &arena, &c);

    if (rest.len > 0 || c.type != IM_COMMAND_NONE) {
        abort();
    }
}


static void
fuzz_push(im_str_t data, im_push_data_e type)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    memset(&m, 0, sizeof(im_message_t));
    memset(&e, 0, sizeof(im_envelope_t));

    e.type = type;
    e.data = data;
    m.topic = im_str_z("r:room");
    m.seq = 1;
    m.envelope = &e;

    im_buf_init(&b, 1 << 26);
    im_proto_uni.forms[IM_FORM_PLAIN]->message(&b, &im_transport_stream, &m);
    fuzz_line(&b);
    im_buf_cleanup(&b);
}


static void
fuzz_reply(im_str_t s)
{
    im_buf_t         b;
    im_reply_t       reply;
    im_subscribed_t  sub;

    memset(&reply, 0, sizeof(im_reply_t));
    memset(&sub, 0, sizeof(im_subscribed_t));

    sub.topic = im_str_z("r:room");
    sub.data = s;
    sub.recoverable = 1;
    sub.at.epoch = s;

    reply.session = s;
    reply.secret = s;
    reply.data = s;
    reply.reason = s;
    reply.subs = &sub;
    reply.nsubs = 1;
    reply.clients = NULL;

    im_buf_init(&b, 1 << 26);

    reply.type = IM_REPLY_CONNECT;
    im_proto_uni.reply(&b, &im_transport_stream, &reply);
    fuzz_line(&b);

    im_buf_reset(&b, 1 << 26);

    reply.type = IM_REPLY_DISCONNECT;
    im_proto_uni.reply(&b, &im_transport_stream, &reply);
    fuzz_line(&b);

    im_buf_cleanup(&b);
}


/* One line, which is one JSON object. */
static void
fuzz_line(im_buf_t *b)
{
    im_str_t  line;

    line = im_buf_str(b);

    if (b->failed || line.len == 0 || line.data[line.len - 1] != '\n') {
        abort();
    }

    line.len--;

    if (im_str_chr(line, '\n') != NULL || im_str_chr(line, '\r') != NULL
        || !im_json_valid(line))
    {
        abort();
    }
}
