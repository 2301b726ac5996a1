/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol in JSON: commands in, and the row.
 */

#include "im_proto_centrifuge.h"
#include "im_json.h"


typedef struct {
    int64_t   id;
    im_str_t  methods[IM_CENTRIFUGE_METHODS];
} im_centrifuge_frame_t;


/* What is JSON in it is decoded in a second step. */
typedef struct {
    im_centrifuge_params_t  params;
    im_str_t                subs;
    im_str_t                since;
} im_centrifuge_text_t;


#define im_centrifuge_field(name, type, member)                               \
    { im_str(name), type, offsetof(im_centrifuge_text_t, member) }

#define im_centrifuge_at(name, method)                                  \
    { im_str(name), IM_JSON_RAW,                                              \
      offsetof(im_centrifuge_frame_t, methods)                          \
      + IM_CENTRIFUGE_##method * sizeof(im_str_t) }


static const im_json_field_t  im_centrifuge_frame_fields[] = {
    im_json_row(im_centrifuge_frame_t, INT, id),
    im_centrifuge_at("connect", CONNECT),
    im_centrifuge_at("ping", PING),
    im_centrifuge_at("subscribe", SUBSCRIBE),
    im_centrifuge_at("unsubscribe", UNSUBSCRIBE),
    im_centrifuge_at("publish", PUBLISH),
    im_centrifuge_at("presence", PRESENCE),
    im_centrifuge_at("presence_stats", PRESENCE_STATS),
    im_centrifuge_at("history", HISTORY),
    im_centrifuge_at("rpc", RPC),
    im_centrifuge_at("send", SEND),
    im_centrifuge_at("refresh", REFRESH),
    im_centrifuge_at("sub_refresh", SUB_REFRESH),
    im_json_end
};


static const im_json_field_t  im_centrifuge_connect_fields[] = {
    im_centrifuge_field("token", IM_JSON_STRING, params.token),
    im_centrifuge_field("data", IM_JSON_RAW, params.data),
    im_centrifuge_field("name", IM_JSON_STRING, params.name),
    im_centrifuge_field("version", IM_JSON_STRING, params.version),
    im_centrifuge_field("subs", IM_JSON_RAW, subs),
    im_json_end
};


static const im_json_field_t  im_centrifuge_subscribe_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, params.channel),
    im_centrifuge_field("token", IM_JSON_STRING, params.token),
    im_centrifuge_field("data", IM_JSON_RAW, params.data),
    im_centrifuge_field("recover", IM_JSON_BOOL, params.recover),
    im_centrifuge_field("offset", IM_JSON_INT, params.offset),
    im_centrifuge_field("epoch", IM_JSON_STRING, params.epoch),
    im_centrifuge_field("recoverable", IM_JSON_BOOL, params.recoverable),
    im_centrifuge_field("positioned", IM_JSON_BOOL, params.positioned),
    im_centrifuge_field("join_leave", IM_JSON_BOOL, params.join_leave),
    im_centrifuge_field("flag", IM_JSON_INT, params.flag),
    im_centrifuge_field("type", IM_JSON_INT, params.type),
    im_centrifuge_field("tf", IM_JSON_RAW, params.filter),
    im_json_end
};


static const im_json_field_t  im_centrifuge_channel_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, params.channel),
    im_json_end
};


static const im_json_field_t  im_centrifuge_publish_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, params.channel),
    im_centrifuge_field("data", IM_JSON_RAW, params.data),
    im_centrifuge_field("type", IM_JSON_INT, params.type),
    im_json_end
};


static const im_json_field_t  im_centrifuge_history_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, params.channel),
    im_centrifuge_field("limit", IM_JSON_INT, params.limit),
    im_centrifuge_field("since", IM_JSON_RAW, since),
    im_centrifuge_field("reverse", IM_JSON_BOOL, params.reverse),
    im_json_end
};


static const im_json_field_t  im_centrifuge_since_fields[] = {
    im_centrifuge_field("offset", IM_JSON_INT, params.offset),
    im_centrifuge_field("epoch", IM_JSON_STRING, params.epoch),
    im_json_end
};


static const im_json_field_t  im_centrifuge_rpc_fields[] = {
    im_centrifuge_field("method", IM_JSON_STRING, params.method),
    im_centrifuge_field("data", IM_JSON_RAW, params.data),
    im_json_end
};


static const im_json_field_t  im_centrifuge_refresh_fields[] = {
    im_centrifuge_field("token", IM_JSON_STRING, params.token),
    im_json_end
};


static const im_json_field_t  im_centrifuge_sub_refresh_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, params.channel),
    im_centrifuge_field("token", IM_JSON_STRING, params.token),
    im_centrifuge_field("type", IM_JSON_INT, params.type),
    im_json_end
};


static im_int_t
im_centrifuge_text_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    return im_centrifuge_moved(b, transport, sub, im_centrifuge_reply);
}


static const im_form_t  im_centrifuge_plain = {
    .message = im_centrifuge_message,
    .moved = im_centrifuge_text_moved
};


static const im_form_t  im_centrifuge_joins = {
    .message = im_centrifuge_message,
    .presence = im_centrifuge_reply,
    .moved = im_centrifuge_text_moved
};


/* null mostly counts as absent. */
static int
im_centrifuge_given(im_str_t json)
{
    return json.len > 0 && json.data[0] != 'n';
}


/* A value of the wrong type is a fault. */
static im_int_t
im_centrifuge_decode_text(im_str_t json, const im_json_field_t *fields,
    im_buf_t *arena, im_centrifuge_text_t *text, im_command_t *command)
{
    const char  *why;

    if (im_json_decode(json, fields, 0, arena, text, &why) != IM_OK) {
        return im_centrifuge_fault(command, why == im_json_no_memory ? why
                                            : "a field has the wrong type");
    }

    if (text->params.offset < 0) {
        return im_centrifuge_fault(command, "offset is negative");
    }

    if (!im_centrifuge_given(text->params.filter)) {
        text->params.filter.len = 0;
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_sub(im_str_t channel, im_str_t json, int join, im_buf_t *arena,
    im_command_t *command)
{
    im_centrifuge_text_t  text;

    memset(&text, 0, sizeof(im_centrifuge_text_t));
    text.params.join = join;

    if (im_centrifuge_decode_text(json, im_centrifuge_subscribe_fields, arena,
                                  &text, command)
        != IM_OK)
    {
        return IM_ERROR;
    }

    return im_centrifuge_resume(channel, &text.params, arena, command);
}


/* join: they may be rooms. */
static im_int_t
im_centrifuge_subs(im_str_t subs, int join, im_buf_t *arena,
    im_command_t *command)
{
    size_t    at;
    im_int_t  rc;
    im_str_t  channel, json;

    if (!im_centrifuge_given(subs)) {
        return IM_OK;
    }

    if (subs.data[0] != '{') {
        return im_centrifuge_fault(command, "subs is not an object");
    }

    if (im_centrifuge_resumes(arena, command) != IM_OK) {
        return IM_ERROR;
    }

    at = 0;

    do {
        rc = im_json_next_member(subs, &at, arena, &channel, &json);

        if (rc == IM_OK && channel.len > 0 && (join || channel.data[0] == '#')
            && im_centrifuge_sub(channel, json, join, arena, command) != IM_OK)
        {
            return IM_ERROR;
        }
    } while (rc == IM_OK);

    return rc == IM_DECLINED
           ? IM_OK
           : im_centrifuge_fault(command, im_json_no_memory);
}


static im_int_t
im_centrifuge_since(im_centrifuge_text_t *text, im_buf_t *arena,
    im_command_t *command)
{
    if (!im_centrifuge_given(text->since)) {
        return IM_OK;
    }

    text->params.recover = 1;

    return im_centrifuge_decode_text(text->since, im_centrifuge_since_fields,
                                     arena, text, command);
}


/* By im_centrifuge_method_e. */
static const im_json_field_t *const  im_centrifuge_fields[] = {
    im_centrifuge_connect_fields,
    NULL,
    im_centrifuge_subscribe_fields,
    im_centrifuge_channel_fields,
    im_centrifuge_publish_fields,
    im_centrifuge_channel_fields,
    im_centrifuge_channel_fields,
    im_centrifuge_history_fields,
    im_centrifuge_rpc_fields,
    im_centrifuge_rpc_fields,
    im_centrifuge_refresh_fields,
    im_centrifuge_sub_refresh_fields
};


/* The last command may end with a newline. */
static im_str_t
im_centrifuge_line(im_str_t *rest)
{
    u_char    *lf;
    im_str_t   line;

    line = *rest;

    lf = line.len > 0 ? im_str_chr(line, '\n') : NULL;

    if (lf == NULL) {
        rest->len = 0;
        return line;
    }

    line.len = (size_t) (lf - line.data);
    *rest = im_str_set(lf + 1, rest->len - line.len - 1);

    return line;
}


static im_uint_t
im_centrifuge_mask(const im_centrifuge_frame_t *frame)
{
    im_uint_t  i, mask;

    mask = 0;

    for (i = 0; i < IM_CENTRIFUGE_METHODS; i++) {
        if (im_centrifuge_given(frame->methods[i])) {
            mask |= 1u << i;
        }
    }

    return mask;
}


/*
 * All at once, so that nothing moves: each string needs its length once, and
 * once more in its topic.
 */
static im_int_t
im_centrifuge_make_room(im_centrifuge_method_e method, im_str_t json,
    im_buf_t *arena, im_command_t *command)
{
    size_t  len;

    len = 2 * json.len + im_centrifuge_room(method);

    if (im_buf_reserve(arena, len) == NULL) {
        return im_centrifuge_fault(command, im_json_no_memory);
    }

    arena->len -= len;

    return IM_OK;
}


static im_int_t
im_centrifuge_line_decode(im_str_t line, int connected, im_buf_t *arena,
    im_command_t *command)
{
    const char              *why;
    im_centrifuge_text_t     text;
    im_centrifuge_frame_t    frame;
    im_centrifuge_method_e   method;

    memset(&frame, 0, sizeof(im_centrifuge_frame_t));

    if (im_json_decode(line, im_centrifuge_frame_fields, 0, NULL, &frame,
                       &why)
        != IM_OK)
    {
        return im_centrifuge_fault(command, why == im_json_no_memory
                                            ? why : "not a JSON object");
    }

    if (im_centrifuge_begin(command, frame.id, im_centrifuge_mask(&frame),
                            connected, &method)
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (im_centrifuge_make_room(method, line, arena, command) != IM_OK) {
        return IM_ERROR;
    }

    memset(&text, 0, sizeof(im_centrifuge_text_t));

    if (im_centrifuge_decode_text(frame.methods[method],
                                  im_centrifuge_fields[method], arena, &text,
                                  command)
        != IM_OK
        || im_centrifuge_since(&text, arena, command) != IM_OK
        || im_centrifuge_subs(text.subs, 0, arena, command) != IM_OK)
    {
        return IM_ERROR;
    }

    return im_centrifuge_end(method, &text.params, arena, command);
}


im_int_t
im_centrifuge_request(im_str_t json, im_buf_t *arena, im_command_t *command)
{
    im_centrifuge_text_t  text;

    memset(&text, 0, sizeof(im_centrifuge_text_t));

    if (im_centrifuge_make_room(IM_CENTRIFUGE_CONNECT, json, arena, command)
        != IM_OK
        || im_centrifuge_decode_text(json, im_centrifuge_connect_fields, arena,
                                     &text, command)
           != IM_OK
        || im_centrifuge_subs(text.subs, 1, arena, command) != IM_OK)
    {
        return IM_ERROR;
    }

    return im_centrifuge_end(IM_CENTRIFUGE_CONNECT, &text.params, arena,
                             command);
}


static void
im_centrifuge_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    im_str_t  line;

    memset(command, 0, sizeof(im_command_t));

    line = im_centrifuge_line(rest);

    if (im_centrifuge_line_decode(line, connected, arena, command)
        != IM_OK
        && command->type == IM_COMMAND_FAULT)
    {
        rest->len = 0;
    }
}


static const im_proto_t *const  im_centrifuge_variants[] = {
    &im_proto_centrifuge_pb,
    NULL
};


const im_proto_t  im_proto_centrifuge = {
    .name = "centrifuge",
    .transports = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .first = { "cf_connect", NULL },
    .subprotocol = "centrifuge-json",
    .variants = im_centrifuge_variants,
    .codes = im_centrifuge_codes,
    .forms = { [IM_FORM_PLAIN] = &im_centrifuge_plain,
               [IM_FORM_POSITIONS] = &im_centrifuge_plain,
               [IM_FORM_JOINS] = &im_centrifuge_joins },
    .topics = 1,
    .connects = 1,
    .pings = 1,
    .commands = IM_COMMANDS_ALL,
    .decode = im_centrifuge_decode,
    .reply = im_centrifuge_reply
};
