/*
 * Copyright (C) The im authors
 *
 * The unidirectional form of the centrifuge protocol, in JSON.
 *
 * A client says once, with its request or its first message, who it is and
 * which rooms it follows; what else it says is ignored.  It gets bare pushes:
 * the first one answers the request, the last one says why all ends.
 */

#include "im_proto_centrifuge.h"


#define IM_UNI_CONNECT    1              /* no client sees this id */
#define IM_UNI_ARENA      (16 * 1024 * 1024)


static const im_refusal_t  im_uni_refusals[] = {
    { IM_ERROR_PERMISSION, IM_REASON_FORBIDDEN, "permission denied" },
    { IM_ERROR_TOKEN_EXPIRED, IM_REASON_EXPIRED, "connection expired" },
    { IM_ERROR_EXPIRED, IM_REASON_EXPIRED, "connection expired" },
    { IM_ERROR_TOO_MANY, IM_REASON_TOO_MANY, "too many requests" },
    { 0, IM_REASON_BUSY, "connect was refused" }
};


static int
im_uni_null(im_str_t json)
{
    static const char  space[] = " \t\r\n";

    while (json.len > 0 && strchr(space, json.data[0]) != NULL) {
        json.data++;
        json.len--;
    }

    while (json.len > 0 && strchr(space, json.data[json.len - 1]) != NULL) {
        json.len--;
    }

    return im_str_eq(json, im_str_z("null"));
}


static void
im_uni_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    im_str_t  json;

    memset(command, 0, sizeof(im_command_t));

    json = *rest;
    rest->len = 0;

    if (connected) {
        return;
    }

    if (im_uni_null(json)) {
        json = im_str_z("{}");
    }

    command->id = IM_UNI_CONNECT;

    (void) im_centrifuge_request(json, arena, command);
}


static const char *
im_uni_first(im_str_t first)
{
    im_buf_t      arena;
    im_command_t  command;

    im_buf_init(&arena, IM_UNI_ARENA);
    im_uni_decode(&first, 0, &arena, &command);
    im_buf_cleanup(&arena);

    return command.type == IM_COMMAND_FAULT ? command.why : NULL;
}


static void
im_uni_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    size_t  start;

    start = im_frame_start(b, transport);
    im_centrifuge_add_pub(b, m);
    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


/* Errors have no form here, nor have answers to commands. */
static void
im_uni_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    size_t      start;
    im_reply_t  push;

    if (reply->type != IM_REPLY_CONNECT && reply->type < IM_REPLY_PING) {
        return;
    }

    start = im_frame_start(b, transport);

    if (reply->type == IM_REPLY_PING) {
        im_buf_add_z(b, "{}");

    } else {
        push = *reply;
        push.pong = 0;
        push.node.len = 0;

        im_centrifuge_add_push(b, &push);
    }

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


static im_int_t
im_uni_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    return im_centrifuge_moved(b, transport, sub, im_uni_reply);
}


static const im_form_t  im_uni_plain = {
    .message = im_uni_message,
    .moved = im_uni_moved
};


static const im_form_t  im_uni_joins = {
    .message = im_uni_message,
    .presence = im_uni_reply,
    .moved = im_uni_moved
};


const im_proto_t  im_proto_uni = {
    .name = "centrifuge_uni",
    .transports = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .usual = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .first = { "cf_connect", "{}" },
    .check = im_uni_first,
    .refusals = im_uni_refusals,
    .codes = im_centrifuge_codes,
    .forms = { [IM_FORM_PLAIN] = &im_uni_plain,
               [IM_FORM_POSITIONS] = &im_uni_plain,
               [IM_FORM_JOINS] = &im_uni_joins },
    .topics = 1,
    .connects = 1,
    .partial = 1,
    .commands = IM_COMMANDS_CONNECT,
    .decode = im_uni_decode,
    .reply = im_uni_reply
};
