/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol (JSON): commands in.
 *
 * A channel NAME is the room NAME, "#USER" a user's inbox, and "#" the
 * broadcast.  Features that are not served (delta, tags filters, map and
 * shared-poll subscriptions) are refused here.
 */

#include "im_proto_centrifuge.h"
#include "im_json.h"
#include "im_key.h"


#define IM_CENTRIFUGE_STRICT  2      /* bit of flag */


/* If a command has several methods, the first in this order counts. */
typedef enum {
    IM_CENTRIFUGE_CONNECT = 0,
    IM_CENTRIFUGE_PING,
    IM_CENTRIFUGE_SUBSCRIBE,
    IM_CENTRIFUGE_UNSUBSCRIBE,
    IM_CENTRIFUGE_PUBLISH,
    IM_CENTRIFUGE_PRESENCE,
    IM_CENTRIFUGE_PRESENCE_STATS,
    IM_CENTRIFUGE_HISTORY,
    IM_CENTRIFUGE_RPC,
    IM_CENTRIFUGE_SEND,
    IM_CENTRIFUGE_REFRESH,
    IM_CENTRIFUGE_SUB_REFRESH,
    IM_CENTRIFUGE_METHODS
} im_centrifuge_method_e;


typedef struct {
    int64_t   id;
    im_str_t  methods[IM_CENTRIFUGE_METHODS];
} im_centrifuge_frame_t;


/* The parameters of all methods. */
typedef struct {
    im_str_t  channel;
    im_str_t  token;
    im_str_t  name;
    im_str_t  version;
    im_str_t  method;
    im_str_t  epoch;
    im_str_t  data;
    im_str_t  subs;
    im_str_t  since;
    im_str_t  filter;
    int64_t   offset;
    int64_t   limit;
    int64_t   flag;
    int64_t   type;
    int       recover;
    int       recoverable;
    int       positioned;
    int       join_leave;
    int       reverse;
} im_centrifuge_params_t;


/* IM_ERROR: the command says what is wrong. */
typedef im_int_t (*im_centrifuge_check_pt)(
    im_centrifuge_params_t *params, im_buf_t *arena,
    im_command_t *command);


typedef struct {
    im_command_e                   type;
    const im_json_field_t         *fields;
    im_centrifuge_check_pt   check;
    uint16_t                       own;      /* error for "#", "#USER", or 0 */
    unsigned                       channel:1;
} im_centrifuge_method_t;


#define im_centrifuge_field(name, type, member)                         \
    { im_str(name), type, offsetof(im_centrifuge_params_t, member) }

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
    im_centrifuge_field("token", IM_JSON_STRING, token),
    im_centrifuge_field("data", IM_JSON_RAW, data),
    im_centrifuge_field("name", IM_JSON_STRING, name),
    im_centrifuge_field("version", IM_JSON_STRING, version),
    im_centrifuge_field("subs", IM_JSON_RAW, subs),
    im_json_end
};


static const im_json_field_t  im_centrifuge_subscribe_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, channel),
    im_centrifuge_field("token", IM_JSON_STRING, token),
    im_centrifuge_field("data", IM_JSON_RAW, data),
    im_centrifuge_field("recover", IM_JSON_BOOL, recover),
    im_centrifuge_field("offset", IM_JSON_INT, offset),
    im_centrifuge_field("epoch", IM_JSON_STRING, epoch),
    im_centrifuge_field("recoverable", IM_JSON_BOOL, recoverable),
    im_centrifuge_field("positioned", IM_JSON_BOOL, positioned),
    im_centrifuge_field("join_leave", IM_JSON_BOOL, join_leave),
    im_centrifuge_field("flag", IM_JSON_INT, flag),
    im_centrifuge_field("type", IM_JSON_INT, type),
    im_centrifuge_field("tf", IM_JSON_RAW, filter),
    im_json_end
};


static const im_json_field_t  im_centrifuge_channel_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, channel),
    im_json_end
};


static const im_json_field_t  im_centrifuge_publish_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, channel),
    im_centrifuge_field("data", IM_JSON_RAW, data),
    im_centrifuge_field("type", IM_JSON_INT, type),
    im_json_end
};


static const im_json_field_t  im_centrifuge_history_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, channel),
    im_centrifuge_field("limit", IM_JSON_INT, limit),
    im_centrifuge_field("since", IM_JSON_RAW, since),
    im_centrifuge_field("reverse", IM_JSON_BOOL, reverse),
    im_json_end
};


static const im_json_field_t  im_centrifuge_since_fields[] = {
    im_centrifuge_field("offset", IM_JSON_INT, offset),
    im_centrifuge_field("epoch", IM_JSON_STRING, epoch),
    im_json_end
};


static const im_json_field_t  im_centrifuge_rpc_fields[] = {
    im_centrifuge_field("method", IM_JSON_STRING, method),
    im_centrifuge_field("data", IM_JSON_RAW, data),
    im_json_end
};


static const im_json_field_t  im_centrifuge_refresh_fields[] = {
    im_centrifuge_field("token", IM_JSON_STRING, token),
    im_json_end
};


static const im_json_field_t  im_centrifuge_sub_refresh_fields[] = {
    im_centrifuge_field("channel", IM_JSON_STRING, channel),
    im_centrifuge_field("token", IM_JSON_STRING, token),
    im_centrifuge_field("type", IM_JSON_INT, type),
    im_json_end
};


static const im_arg_t  im_centrifuge_unserved[] = {
    { "format", "protobuf" },
    { "cf_protocol", "protobuf" },
    { NULL, NULL }
};


/* With a code below 3500 a client connects again. */
static const uint16_t  im_centrifuge_codes[IM_REASON_MAX] = {
    [IM_REASON_DRAIN] = 3001,
    [IM_REASON_BUSY] = 3004,
    [IM_REASON_INTERNAL] = IM_WS_CLOSE_INTERNAL,
    [IM_REASON_SLOW] = 3008,
    [IM_REASON_BAD_REQUEST] = 3501,
    [IM_REASON_TOO_BIG] = IM_WS_CLOSE_TOO_BIG,
    [IM_REASON_STALE] = 3502,
    [IM_REASON_TOKEN] = 3500,
    [IM_REASON_EXPIRED] = 3005,
    [IM_REASON_SUB_EXPIRED] = 3006,
    [IM_REASON_FORBIDDEN] = 3507,
    [IM_REASON_KICKED] = 3503,
    [IM_REASON_LIMIT] = 3504,
    [IM_REASON_REPLACED] = 3504,
    [IM_REASON_NO_PONG] = 3012,
    [IM_REASON_STATE] = 3010,
    [IM_REASON_NOT_AVAILABLE] = 3508,
    [IM_REASON_TOO_MANY] = 3013
};


static const im_form_t  im_centrifuge_plain = {
    .message = im_centrifuge_message,
    .moved = im_centrifuge_moved
};


static const im_form_t  im_centrifuge_joins = {
    .message = im_centrifuge_message,
    .presence = im_centrifuge_reply,
    .moved = im_centrifuge_moved
};


static im_int_t
im_centrifuge_fault(im_command_t *command, const char *why)
{
    command->type = IM_COMMAND_FAULT;
    command->fault = why == im_json_no_memory ? IM_REASON_BUSY
                                              : IM_REASON_BAD_REQUEST;
    command->why = why;

    return IM_ERROR;
}


/* A value of the wrong type is a fault; null mostly counts as absent. */
static im_int_t
im_centrifuge_params(im_str_t text, const im_json_field_t *fields,
    im_buf_t *arena, im_centrifuge_params_t *params, im_command_t *command)
{
    const char  *why;

    if (im_json_decode(text, fields, 0, arena, params, &why) != IM_OK) {
        return im_centrifuge_fault(command, why == im_json_no_memory ? why
                                            : "a field has the wrong type");
    }

    if (params->offset < 0) {
        return im_centrifuge_fault(command, "offset is negative");
    }

    return IM_OK;
}


/* IM_DECLINED: not a valid name. */
static im_int_t
im_centrifuge_topic(im_str_t channel, im_buf_t *arena, im_str_t *topic)
{
    size_t    start;
    im_str_t  user;

    start = arena->len;

    if (channel.data[0] != '#') {
        if (!im_name_valid(channel)) {
            return IM_DECLINED;
        }

        im_topic_room(arena, channel);

    } else if (channel.len == 1) {
        im_buf_add_z(arena, "b");

    } else {
        user = im_str_set(channel.data + 1, channel.len - 1);

        if (!im_name_valid(user)) {
            return IM_DECLINED;
        }

        im_topic_user(arena, user);
    }

    *topic = im_str_set(arena->data + start, arena->len - start);

    return IM_OK;
}


static im_int_t
im_centrifuge_resume(im_str_t channel, im_str_t text, im_buf_t *arena,
    im_command_t *command)
{
    im_resume_t                   *resume;
    im_centrifuge_params_t   params;

    memset(&params, 0, sizeof(im_centrifuge_params_t));

    if (im_centrifuge_params(text, im_centrifuge_subscribe_fields,
                                   arena, &params, command)
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (!params.recover) {
        return IM_OK;
    }

    if (command->nresumes == IM_RESUMES_MAX) {
        return im_centrifuge_fault(command, "too many subs");
    }

    resume = &command->resumes[command->nresumes];

    memset(resume, 0, sizeof(im_resume_t));

    resume->recover = 1;
    resume->since.epoch = params.epoch;
    resume->since.seq = (uint64_t) params.offset;

    if (im_centrifuge_topic(channel, arena, &resume->topic) == IM_OK) {
        command->nresumes++;
    }

    return IM_OK;
}


/*
 * subs has the client's positions in channels that the server subscribes it to.
 * It may name other channels; these are ignored.
 */
static im_int_t
im_centrifuge_connect(im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    size_t    at, pad;
    im_int_t  rc;
    im_str_t  channel, text;

    if (params->subs.len == 0 || params->subs.data[0] == 'n') {
        return IM_OK;
    }

    if (params->subs.data[0] != '{') {
        return im_centrifuge_fault(command, "subs is not an object");
    }

    pad = -arena->len & (sizeof(im_resume_t *) - 1);

    command->resumes = (void *) im_buf_reserve(arena,
                                  pad + IM_RESUMES_MAX * sizeof(im_resume_t));
    if (command->resumes == NULL) {
        return im_centrifuge_fault(command, im_json_no_memory);
    }

    command->resumes = (void *) ((u_char *) command->resumes + pad);

    at = 0;

    do {
        rc = im_json_next_member(params->subs, &at, arena, &channel, &text);

        if (rc == IM_OK && channel.len > 0 && channel.data[0] == '#') {
            rc = im_centrifuge_resume(channel, text, arena, command);

            if (rc != IM_OK) {
                return rc;
            }
        }
    } while (rc == IM_OK);

    return rc == IM_DECLINED
           ? IM_OK
           : im_centrifuge_fault(command, im_json_no_memory);
}


static im_int_t
im_centrifuge_error(im_command_t *command, im_error_e error)
{
    command->type = IM_COMMAND_ERROR;
    command->error = (uint16_t) error;

    return IM_ERROR;
}


static im_int_t
im_centrifuge_subscribe(im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    if (params->filter.len > 0 && params->filter.data[0] != 'n') {
        return im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_publish(im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    return params->data.len > 0
           ? IM_OK
           : im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
}


static im_int_t
im_centrifuge_history(im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    command->limit = params->limit;

    if (params->limit < 0 || params->limit > IM_HISTORY_MAX) {
        command->limit = IM_HISTORY_MAX;
    }

    if (params->since.len == 0 || params->since.data[0] == 'n') {
        return IM_OK;
    }

    if (im_centrifuge_params(params->since,
                                   im_centrifuge_since_fields, arena,
                                   params, command)
        != IM_OK)
    {
        return IM_ERROR;
    }

    command->recover = 1;
    command->since.epoch = params->epoch;
    command->since.seq = (uint64_t) params->offset;

    if (command->reverse && params->offset == 0) {
        return im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_refresh(im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    if (params->token.len > 0) {
        return IM_OK;
    }

    return command->type == IM_COMMAND_REFRESH
           ? im_centrifuge_fault(command, "no token")
           : im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
}


static const im_centrifuge_method_t  im_centrifuge_methods[] = {

    { IM_COMMAND_CONNECT, im_centrifuge_connect_fields,
      im_centrifuge_connect, 0, 0 },

    { IM_COMMAND_NONE, NULL, NULL, 0, 0 },       /* ping: a fault */

    { IM_COMMAND_SUBSCRIBE, im_centrifuge_subscribe_fields,
      im_centrifuge_subscribe, IM_ERROR_PERMISSION, 1 },

    { IM_COMMAND_UNSUBSCRIBE, im_centrifuge_channel_fields,
      NULL, 0, 1 },

    { IM_COMMAND_PUBLISH, im_centrifuge_publish_fields,
      im_centrifuge_publish, IM_ERROR_PERMISSION, 1 },

    { IM_COMMAND_PRESENCE, im_centrifuge_channel_fields,
      NULL, IM_ERROR_NOT_AVAILABLE, 1 },

    { IM_COMMAND_PRESENCE_STATS, im_centrifuge_channel_fields,
      NULL, IM_ERROR_NOT_AVAILABLE, 1 },

    { IM_COMMAND_HISTORY, im_centrifuge_history_fields,
      im_centrifuge_history, 0, 1 },

    { IM_COMMAND_RPC, im_centrifuge_rpc_fields, NULL, 0, 0 },

    { IM_COMMAND_SEND, im_centrifuge_rpc_fields, NULL, 0, 0 },

    { IM_COMMAND_REFRESH, im_centrifuge_refresh_fields,
      im_centrifuge_refresh, 0, 0 },

    { IM_COMMAND_SUB_REFRESH, im_centrifuge_sub_refresh_fields,
      im_centrifuge_refresh, IM_ERROR_PERMISSION, 1 }
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


/* Finds method and id; IM_CENTRIFUGE_METHODS is a pong. */
static im_int_t
im_centrifuge_method(const im_centrifuge_frame_t *frame,
    im_uint_t *method, im_command_t *command)
{
    im_uint_t  i;

    if (frame->id < 0 || frame->id > UINT32_MAX) {
        return im_centrifuge_fault(command, "id is not a 32-bit number");
    }

    command->id = (uint32_t) frame->id;

    for (i = 0; i < IM_CENTRIFUGE_METHODS; i++) {
        if (frame->methods[i].len > 0 && frame->methods[i].data[0] != 'n') {
            break;
        }
    }

    *method = i;

    if (i == IM_CENTRIFUGE_METHODS) {
        return command->id == 0
               ? IM_OK
               : im_centrifuge_fault(command, "no method");
    }

    if (i == IM_CENTRIFUGE_PING) {
        return im_centrifuge_fault(command, "ping is not a command");
    }

    if (command->id == 0 && i != IM_CENTRIFUGE_SEND) {
        return im_centrifuge_fault(command, "no id");
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_set(const im_centrifuge_method_t *method,
    im_centrifuge_params_t *params, im_buf_t *arena, im_command_t *command)
{
    if (method->channel) {
        if (params->channel.len == 0) {
            return im_centrifuge_fault(command, "no channel");
        }

        if (im_centrifuge_topic(params->channel, arena, &command->topic)
            != IM_OK)
        {
            return im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
        }

        if (method->own != 0 && params->channel.data[0] == '#') {
            return im_centrifuge_error(command, (im_error_e) method->own);
        }
    }

    command->type = method->type;
    command->token = params->token;
    command->data = params->data;
    command->name = params->name;
    command->version = params->version;
    command->method = params->method;
    command->since.epoch = params->epoch;
    command->since.seq = (uint64_t) params->offset;
    command->recover = params->recover;
    command->join_leave = params->join_leave;
    command->reverse = params->reverse;
    command->strict = (params->flag & IM_CENTRIFUGE_STRICT) != 0;

    if (params->type != 0) {
        return im_centrifuge_error(command, IM_ERROR_NOT_AVAILABLE);
    }

    return method->check != NULL ? method->check(params, arena, command)
                                 : IM_OK;
}


static im_int_t
im_centrifuge_line_decode(im_str_t line, int connected, im_buf_t *arena,
    im_command_t *command)
{
    size_t                               len;
    im_uint_t                            i;
    const char                          *why;
    im_centrifuge_frame_t          frame;
    im_centrifuge_params_t         params;
    const im_centrifuge_method_t  *method;

    memset(&frame, 0, sizeof(im_centrifuge_frame_t));

    if (im_json_decode(line, im_centrifuge_frame_fields, 0, NULL, &frame,
                       &why)
        != IM_OK)
    {
        return im_centrifuge_fault(command, why == im_json_no_memory
                                            ? why : "not a JSON object");
    }

    if (im_centrifuge_method(&frame, &i, command) != IM_OK) {
        return IM_ERROR;
    }

    if (!connected && i != IM_CENTRIFUGE_CONNECT) {
        return im_centrifuge_fault(command, "the first command is not connect");
    }

    if (i == IM_CENTRIFUGE_METHODS) {
        command->type = IM_COMMAND_PONG;
        return IM_OK;
    }

    if (connected && i == IM_CENTRIFUGE_CONNECT) {
        return im_centrifuge_fault(command, "connected already");
    }

    /*
     * Reserve all at once, so that nothing moves: each string needs its
     * length once, and once more in its topic.
     */
    len = 2 * line.len + sizeof("r:");

    if (i == IM_CENTRIFUGE_CONNECT) {
        len += (IM_RESUMES_MAX + 1) * (sizeof(im_resume_t) + sizeof("u:"));
    }

    if (im_buf_reserve(arena, len) == NULL) {
        return im_centrifuge_fault(command, im_json_no_memory);
    }

    arena->len -= len;

    method = &im_centrifuge_methods[i];

    memset(&params, 0, sizeof(im_centrifuge_params_t));

    if (im_centrifuge_params(frame.methods[i], method->fields, arena,
                                   &params, command)
        != IM_OK)
    {
        return IM_ERROR;
    }

    return im_centrifuge_set(method, &params, arena, command);
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


const im_proto_t  im_proto_centrifuge = {
    .name = "centrifuge",
    .transports = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .first = { "cf_connect", NULL },
    .subprotocol = "centrifuge-json",
    .other_subprotocol = "centrifuge-protobuf",
    .unserved = im_centrifuge_unserved,
    .codes = im_centrifuge_codes,
    .forms = { [IM_FORM_PLAIN] = &im_centrifuge_plain,
               [IM_FORM_POSITIONS] = &im_centrifuge_plain,
               [IM_FORM_JOINS] = &im_centrifuge_joins },
    .topics = 1,
    .connects = 1,
    .pings = 1,
    .commands = 1,
    .decode = im_centrifuge_decode,
    .reply = im_centrifuge_reply
};
