/*
 * Copyright (C) The im authors
 *
 * The plain protocol: a message is its payload and nothing else, so that pages
 * need no library.  The request says all: rooms, position, token.  What a
 * client sends later is published in its room.
 *
 * Server-sent events have the position as their id, and event: reset says that
 * messages are missing.  The variant ws+meta.nchan has the position before each
 * message, for clients of nchan.
 */

#include "im_proto.h"
#include "im_json.h"
#include "im_request.h"


#define IM_PLAIN_COMMAND  1              /* no client sees this id */

/* ms until an EventSource connects again */
#define IM_PLAIN_RETRY       2000
#define IM_PLAIN_RETRY_SOON  1000        /* another worker is there */
#define IM_PLAIN_RETRY_LATE  10000       /* there is too much to do */
#define IM_PLAIN_RETRY_NO    60000       /* it will be refused again */

#define IM_PLAIN_ID_MAX  300


typedef struct {
    im_str_t  event;
} im_plain_tags_t;


static const im_json_field_t  im_plain_tags_fields[] = {
    im_json_row(im_plain_tags_t, STRING, event),
    im_json_end
};


static const im_refusal_t  im_plain_refusals[] = {
    { IM_ERROR_PERMISSION, IM_REASON_FORBIDDEN, "publishing is not allowed" },
    { IM_ERROR_UNKNOWN_CHANNEL, IM_REASON_FORBIDDEN, "no such room" },
    { IM_ERROR_NOT_AVAILABLE, IM_REASON_FORBIDDEN,
      "publishing is not available" },
    { IM_ERROR_BAD_REQUEST, IM_REASON_BAD_REQUEST, "the message was refused" },
    { IM_ERROR_LIMIT, IM_REASON_TOO_BIG, "the message is too long" },
    { IM_ERROR_TOKEN_EXPIRED, IM_REASON_EXPIRED, "the token has expired" },
    { IM_ERROR_EXPIRED, IM_REASON_EXPIRED, "the token has expired" },
    { IM_ERROR_TOO_MANY, IM_REASON_TOO_MANY, "too many requests" },
    { 0, IM_REASON_BUSY, "the backend can't do it now" }
};


static void
im_plain_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    im_str_t      message;
    im_request_t  request;

    memset(command, 0, sizeof(im_command_t));

    message = *rest;
    rest->len = 0;

    if (connected && message.len == 0) {
        return;                              /* it keeps the link alive */
    }

    if (connected) {
        command->type = IM_COMMAND_PUBLISH;
        command->id = IM_PLAIN_COMMAND;
        command->data = message;
        return;
    }

    if (im_request_decode(message, &request) != IM_OK) {
        command->type = IM_COMMAND_FAULT;
        command->fault = IM_REASON_BAD_REQUEST;
        command->why = "malformed request";
        return;
    }

    im_request_connect(&request, IM_PLAIN_COMMAND, arena, command);
}


/* HTTP streams have text alone: a line feed ends each message. */
static im_kind_e
im_plain_kind(const im_transport_t *transport, const im_envelope_t *e)
{
    return e->type == IM_PUSH_BINARY
           && transport->kind == IM_TRANSPORT_WEBSOCKET
           ? IM_KIND_BINARY : IM_KIND_TEXT;
}


/* "event" of the publisher's tags, for transports that have it. */
static void
im_plain_event(im_buf_t *arena, const im_envelope_t *e, im_str_t *event)
{
    const char       *why;
    im_plain_tags_t   tags;

    memset(&tags, 0, sizeof(im_plain_tags_t));

    if (e->tags.len > 0
        && im_json_decode(e->tags, im_plain_tags_fields, IM_JSON_LAX, arena,
                          &tags, &why)
           == IM_OK)
    {
        *event = tags.event;
    }
}


static void
im_plain_add(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m, im_str_t id)
{
    size_t        start;
    im_buf_t      arena;
    im_fields_t   fields;

    if (transport->fields != NULL) {
        memset(&fields, 0, sizeof(im_fields_t));
        im_buf_init(&arena, UINT16_MAX);

        fields.id = id;
        im_plain_event(&arena, m->envelope, &fields.event);

        im_frame_fields(b, transport, &fields);
        im_buf_cleanup(&arena);
    }

    start = im_frame_start(b, transport);
    im_buf_add_str(b, m->envelope->data);
    im_frame_end(b, transport, start, im_plain_kind(transport, m->envelope));
}


static void
im_plain_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    im_plain_add(b, transport, m, im_str_set(NULL, 0));
}


/* "" where the message has no number. */
static im_str_t
im_plain_id(im_buf_t *id, const im_message_t *m)
{
    im_subscribed_t  sub;

    if (!m->numbered) {
        return im_str_set(NULL, 0);
    }

    memset(&sub, 0, sizeof(im_subscribed_t));
    sub.positioned = 1;
    sub.at.epoch = m->epoch;
    sub.at.seq = m->seq;

    im_request_positions(id, &sub, 1);

    return im_buf_str(id);
}


static void
im_plain_message_at(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    u_char    bytes[IM_PLAIN_ID_MAX];
    im_buf_t  id;

    im_buf_fixed(&id, bytes, sizeof(bytes));

    im_plain_add(b, transport, m, im_plain_id(&id, m));
}


/* The position alone, without an event. */
static void
im_plain_at(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *subs, im_uint_t n)
{
    im_buf_t     id;
    im_fields_t  fields;

    if (transport->fields == NULL) {
        return;
    }

    memset(&fields, 0, sizeof(im_fields_t));
    im_buf_init(&id, (n + 1) * IM_PLAIN_ID_MAX);

    im_request_positions(&id, subs, n);

    if (id.failed) {
        b->failed = 1;
    }

    fields.id = im_buf_str(&id);
    fields.alone = 1;

    im_frame_fields(b, transport, &fields);
    im_buf_cleanup(&id);
}


/* An event without data would not reach the page. */
static void
im_plain_reset(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    size_t       start;
    im_str_t     name;
    im_fields_t  fields;

    memset(&fields, 0, sizeof(im_fields_t));
    fields.event = im_str_z("reset");

    im_frame_fields(b, transport, &fields);

    start = im_frame_start(b, transport);
    name = sub->topic;

    im_buf_add_z(b, "{\"reset\":\"messages are missing\"");

    if (name.len > 2 && name.data[0] == 'r') {
        im_buf_add_z(b, ",\"room\":");
        im_json_add_string(b, im_str_set(name.data + 2, name.len - 2));

    } else {
        im_buf_add_z(b, name.len > 0 && name.data[0] == 'b'
                        ? ",\"broadcast\":true" : ",\"inbox\":true");
    }

    im_buf_add_z(b, "}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


/*
 * Where there are no fields, a hole ends the session: the client connects again
 * and may ask for the last messages.
 */
static im_int_t
im_plain_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    int  hole;

    hole = sub->recoverable && !sub->recovered;

    if (transport->fields == NULL) {
        return hole ? IM_DECLINED : IM_OK;
    }

    if (hole) {
        im_plain_reset(b, transport, sub);

    } else if (transport->ping != NULL) {
        transport->ping(b);                  /* positions follow it */
    }

    return IM_OK;
}


static im_int_t
im_plain_moved_at(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    if (transport->fields == NULL) {
        return im_plain_moved(b, transport, sub);
    }

    if (!sub->recoverable) {
        return IM_OK;
    }

    if (!sub->recovered) {
        im_plain_reset(b, transport, sub);
    }

    im_plain_at(b, transport, sub, 1);

    return IM_OK;
}


static const im_form_t  im_plain_form = {
    .message = im_plain_message,
    .moved = im_plain_moved
};


static const im_form_t  im_plain_form_at = {
    .message = im_plain_message_at,
    .moved = im_plain_moved_at
};


/* At what the code says, the client should come back. */
static uint32_t
im_plain_retry(uint32_t code)
{
    switch (code) {

    case IM_WS_CLOSE_RESTART:
        return IM_PLAIN_RETRY_SOON;

    case IM_WS_CLOSE_TRY_LATER:
    case IM_WS_CLOSE_INTERNAL:
        return IM_PLAIN_RETRY_LATE;

    default:
        return IM_PLAIN_RETRY_NO;
    }
}


/* Before the end of a body: why, and when to come back. */
static void
im_plain_disconnect(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    size_t       start;
    im_fields_t  fields;

    if (transport->fields == NULL || reply->code == 0) {
        return;
    }

    memset(&fields, 0, sizeof(im_fields_t));
    fields.event = im_str_z("close");
    fields.retry = im_plain_retry(reply->code);

    im_frame_fields(b, transport, &fields);

    start = im_frame_start(b, transport);

    im_buf_add_z(b, "{\"code\":");
    im_buf_add_uint(b, reply->code);
    im_buf_add_z(b, ",\"reason\":");
    im_json_add_string(b, reply->reason);
    im_buf_add_z(b, "}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


static void
im_plain_begin(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply, const im_form_t *form)
{
    im_uint_t               i, k;
    im_fields_t             fields;
    const im_subscribed_t  *sub;

    memset(&fields, 0, sizeof(im_fields_t));
    fields.retry = IM_PLAIN_RETRY;
    fields.alone = 1;

    im_frame_fields(b, transport, &fields);

    for (i = 0; i < reply->nsubs; i++) {
        sub = &reply->subs[i];

        if (transport->fields != NULL && sub->recovering && !sub->recovered) {
            im_plain_reset(b, transport, sub);
        }

        for (k = 0; k < sub->nmessages; k++) {
            form->message(b, transport, &sub->messages[k]);
        }

        if (reply->positions && sub->positioned && sub->nmessages == 0) {
            im_plain_at(b, transport, sub, 1);
        }
    }
}


/* Of a transport that has no other one: a message without bytes. */
static void
im_plain_ping(im_buf_t *b, const im_transport_t *transport)
{
    size_t  start;

    if (transport->ping == NULL) {
        start = im_frame_start(b, transport);
        im_frame_end(b, transport, start, IM_KIND_TEXT);
    }
}


static void
im_plain_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    switch (reply->type) {

    case IM_REPLY_CONNECT:
        im_plain_begin(b, transport, reply,
                       reply->positions ? &im_plain_form_at : &im_plain_form);
        break;

    case IM_REPLY_PING:
        im_plain_ping(b, transport);
        break;

    case IM_REPLY_DISCONNECT:
        im_plain_disconnect(b, transport, reply);
        break;

    case IM_REPLY_POSITIONS:
        im_plain_at(b, transport, reply->subs, reply->nsubs);
        break;

    default:
        break;
    }
}


/* A client that comes with a position gets what the history has behind it. */
static void
im_plain_meta_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    im_uint_t  i;

    im_plain_decode(rest, connected, arena, command);

    for (i = 0; i < command->nresumes; i++) {
        if (command->resumes[i].recover) {
            command->resumes[i].last = IM_HISTORY_MAX;
        }
    }
}


static void
im_plain_meta_add(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m, int numbered)
{
    size_t                start;
    im_subscribed_t       at;
    const im_envelope_t  *e;

    e = m->envelope;

    memset(&at, 0, sizeof(im_subscribed_t));

    at.positioned = numbered && m->numbered;
    at.at.epoch = m->epoch;
    at.at.seq = m->seq;

    start = im_frame_start(b, transport);

    im_buf_add_z(b, "id: ");
    im_request_positions(b, &at, 1);
    im_buf_add_z(b, "\n");

    if (e->type != IM_PUSH_TEXT) {
        im_buf_add_z(b, "content-type: ");
        im_buf_add_z(b, e->type == IM_PUSH_JSON ? "application/json\n"
                                                : "application/octet-stream\n");
    }

    im_buf_add_z(b, "\n");
    im_buf_add_str(b, e->data);

    im_frame_end(b, transport, start, im_plain_kind(transport, e));
}


/* A position of one of several topics would be of no use: there is none. */
static void
im_plain_meta_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    im_plain_meta_add(b, transport, m, 0);
}


static void
im_plain_meta_message_at(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    im_plain_meta_add(b, transport, m, 1);
}


static const im_form_t  im_plain_meta_form = {
    .message = im_plain_meta_message,
    .moved = im_plain_moved
};


static const im_form_t  im_plain_meta_form_at = {
    .message = im_plain_meta_message_at,
    .moved = im_plain_moved
};


static void
im_plain_meta_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    if (reply->type == IM_REPLY_CONNECT) {
        im_plain_begin(b, transport, reply,
                       reply->positions ? &im_plain_meta_form_at
                                        : &im_plain_meta_form);
    }
}


const im_proto_t  im_proto_plain_meta = {
    .name = "plain",
    .subprotocol = "ws+meta.nchan",
    .transports = IM_TRANSPORT_WEBSOCKET,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .refusals = im_plain_refusals,
    .forms = { [IM_FORM_PLAIN] = &im_plain_meta_form,
               [IM_FORM_POSITIONS] = &im_plain_meta_form_at },
    .topics = 1,
    .connects = 1,
    .request = 1,
    .ids = IM_TRANSPORT_WEBSOCKET,
    .commands = IM_COMMANDS_PUBLISH,
    .decode = im_plain_meta_decode,
    .reply = im_plain_meta_reply
};


static const im_proto_t *const  im_plain_variants[] = {
    &im_proto_plain_meta,
    NULL
};


const im_proto_t  im_proto_plain = {
    .name = "plain",
    .variants = im_plain_variants,
    .transports = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .usual = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .refusals = im_plain_refusals,
    .forms = { [IM_FORM_PLAIN] = &im_plain_form,
               [IM_FORM_POSITIONS] = &im_plain_form_at },
    .topics = 1,
    .connects = 1,
    .request = 1,
    .ids = IM_TRANSPORT_SSE,
    .commands = IM_COMMANDS_PUBLISH,
    .decode = im_plain_decode,
    .reply = im_plain_reply
};
