/*
 * Copyright (C) The im authors
 *
 * The centrifuge protocol, whatever its encoding is: what commands mean, codes
 * and errors.
 *
 * A channel NAME is the room NAME, "#USER" a user's inbox, and "#" the
 * broadcast.  Features that are not served (delta, tags filters, map and
 * shared-poll subscriptions) are refused here.
 */

#include "im_proto_centrifuge.h"
#include "im_json.h"
#include "im_key.h"


#define IM_CENTRIFUGE_STRICT  2      /* bit of flag */


/* IM_ERROR: the command says what is wrong. */
typedef im_int_t (*im_centrifuge_check_pt)(
    const im_centrifuge_params_t *params, im_command_t *command);


typedef struct {
    im_command_e             type;
    im_centrifuge_check_pt   check;
    uint16_t                 own;        /* error for "#", "#USER", or 0 */
    unsigned                 channel:1;
} im_centrifuge_method_t;


static const struct {
    const char  *message;
    im_error_e   error;
    int          temporary;
} im_centrifuge_errors[] = {
    { "internal server error", IM_ERROR_INTERNAL, 1 },
    { "unauthorized", IM_ERROR_UNAUTHORIZED, 0 },
    { "unknown channel", IM_ERROR_UNKNOWN_CHANNEL, 0 },
    { "permission denied", IM_ERROR_PERMISSION, 0 },
    { "method not found", IM_ERROR_METHOD, 0 },
    { "already subscribed", IM_ERROR_ALREADY, 0 },
    { "limit exceeded", IM_ERROR_LIMIT, 0 },
    { "bad request", IM_ERROR_BAD_REQUEST, 0 },
    { "not available", IM_ERROR_NOT_AVAILABLE, 0 },
    { "token expired", IM_ERROR_TOKEN_EXPIRED, 0 },
    { "expired", IM_ERROR_EXPIRED, 0 },
    { "too many requests", IM_ERROR_TOO_MANY, 1 },
    { "unrecoverable position", IM_ERROR_POSITION, 0 },
    { NULL, 0, 0 }
};


const uint16_t  im_centrifuge_codes[IM_REASON_MAX] = {
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


im_int_t
im_centrifuge_fault(im_command_t *command, const char *why)
{
    command->type = IM_COMMAND_FAULT;
    command->fault = why == im_json_no_memory ? IM_REASON_BUSY
                                              : IM_REASON_BAD_REQUEST;
    command->why = why;

    return IM_ERROR;
}


static im_int_t
im_centrifuge_error(im_command_t *command, im_error_e error)
{
    command->type = IM_COMMAND_ERROR;
    command->error = (uint16_t) error;

    return IM_ERROR;
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


size_t
im_centrifuge_room(im_centrifuge_method_e method)
{
    return sizeof("r:")
           + (method == IM_CENTRIFUGE_CONNECT
              ? (IM_RESUMES_MAX + 1) * (sizeof(im_resume_t) + sizeof("u:"))
              : 0);
}


im_int_t
im_centrifuge_resumes(im_buf_t *arena, im_command_t *command)
{
    size_t   pad;
    u_char  *p;

    pad = -arena->len & (sizeof(im_resume_t *) - 1);

    p = im_buf_reserve(arena, pad + IM_RESUMES_MAX * sizeof(im_resume_t));
    if (p == NULL) {
        return im_centrifuge_fault(command, im_json_no_memory);
    }

    command->resumes = (void *) (p + pad);

    return IM_OK;
}


/*
 * subs of connect has the client's positions in channels that the server
 * subscribes it to.  Rooms are ignored, unless connect joins them.
 */
im_int_t
im_centrifuge_resume(im_str_t channel, const im_centrifuge_params_t *params,
    im_buf_t *arena, im_command_t *command)
{
    int           room;
    im_resume_t  *resume;

    room = channel.len > 0 && channel.data[0] != '#';

    if (channel.len == 0 || !(room ? params->join : params->recover)) {
        return IM_OK;
    }

    if (command->nresumes == IM_RESUMES_MAX) {
        return im_centrifuge_fault(command, "too many subs");
    }

    resume = &command->resumes[command->nresumes];

    memset(resume, 0, sizeof(im_resume_t));

    resume->join = room != 0;
    resume->recover = params->recover != 0;
    resume->since.epoch = params->epoch;
    resume->since.seq = (uint64_t) params->offset;

    if (im_centrifuge_topic(channel, arena, &resume->topic) == IM_OK) {
        command->nresumes++;

    } else if (room) {
        return im_centrifuge_fault(command, "a channel is not a valid name");
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_subscribe(const im_centrifuge_params_t *params,
    im_command_t *command)
{
    return params->filter.len == 0
           ? IM_OK
           : im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
}


static im_int_t
im_centrifuge_publish(const im_centrifuge_params_t *params,
    im_command_t *command)
{
    return params->data.len > 0
           ? IM_OK
           : im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
}


static im_int_t
im_centrifuge_history(const im_centrifuge_params_t *params,
    im_command_t *command)
{
    command->limit = params->limit;

    if (params->limit < 0 || params->limit > IM_HISTORY_MAX) {
        command->limit = IM_HISTORY_MAX;
    }

    if (params->recover && params->reverse && params->offset == 0) {
        return im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
    }

    return IM_OK;
}


static im_int_t
im_centrifuge_refresh(const im_centrifuge_params_t *params,
    im_command_t *command)
{
    if (params->token.len > 0) {
        return IM_OK;
    }

    return command->type == IM_COMMAND_REFRESH
           ? im_centrifuge_fault(command, "no token")
           : im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
}


/* By im_centrifuge_method_e. */
static const im_centrifuge_method_t  im_centrifuge_methods[] = {
    { IM_COMMAND_CONNECT, NULL, 0, 0 },
    { IM_COMMAND_NONE, NULL, 0, 0 },             /* ping: a fault */
    { IM_COMMAND_SUBSCRIBE, im_centrifuge_subscribe, IM_ERROR_PERMISSION, 1 },
    { IM_COMMAND_UNSUBSCRIBE, NULL, 0, 1 },
    { IM_COMMAND_PUBLISH, im_centrifuge_publish, IM_ERROR_PERMISSION, 1 },
    { IM_COMMAND_PRESENCE, NULL, IM_ERROR_NOT_AVAILABLE, 1 },
    { IM_COMMAND_PRESENCE_STATS, NULL, IM_ERROR_NOT_AVAILABLE, 1 },
    { IM_COMMAND_HISTORY, im_centrifuge_history, 0, 1 },
    { IM_COMMAND_RPC, NULL, 0, 0 },
    { IM_COMMAND_SEND, NULL, 0, 0 },
    { IM_COMMAND_REFRESH, im_centrifuge_refresh, 0, 0 },
    { IM_COMMAND_SUB_REFRESH, im_centrifuge_refresh, IM_ERROR_PERMISSION, 1 }
};


/* A command without a method is a pong. */
im_int_t
im_centrifuge_begin(im_command_t *command, int64_t id, im_uint_t methods,
    int connected, im_centrifuge_method_e *method)
{
    im_uint_t  i;

    if (id < 0 || id > UINT32_MAX) {
        return im_centrifuge_fault(command, "id is not a 32-bit number");
    }

    command->id = (uint32_t) id;

    for (i = 0; i < IM_CENTRIFUGE_METHODS && !(methods & 1u << i); i++) {
        /* void */
    }

    *method = (im_centrifuge_method_e) i;

    if (i == IM_CENTRIFUGE_METHODS && id != 0) {
        return im_centrifuge_fault(command, "no method");
    }

    if (i == IM_CENTRIFUGE_PING) {
        return im_centrifuge_fault(command, "ping is not a command");
    }

    if (id == 0 && i < IM_CENTRIFUGE_METHODS && i != IM_CENTRIFUGE_SEND) {
        return im_centrifuge_fault(command, "no id");
    }

    if (!connected && i != IM_CENTRIFUGE_CONNECT) {
        return im_centrifuge_fault(command, "the first command is not connect");
    }

    if (i == IM_CENTRIFUGE_METHODS) {
        command->type = IM_COMMAND_PONG;
        return IM_ERROR;
    }

    if (connected && i == IM_CENTRIFUGE_CONNECT) {
        return im_centrifuge_fault(command, "connected already");
    }

    return IM_OK;
}


im_int_t
im_centrifuge_end(im_centrifuge_method_e method,
    const im_centrifuge_params_t *params, im_buf_t *arena,
    im_command_t *command)
{
    const im_centrifuge_method_t  *m;

    m = &im_centrifuge_methods[method];

    if (m->channel) {
        if (params->channel.len == 0) {
            return im_centrifuge_fault(command, "no channel");
        }

        if (im_centrifuge_topic(params->channel, arena, &command->topic)
            != IM_OK)
        {
            return im_centrifuge_error(command, IM_ERROR_BAD_REQUEST);
        }

        if (m->own != 0 && params->channel.data[0] == '#') {
            return im_centrifuge_error(command, (im_error_e) m->own);
        }
    }

    command->type = m->type;
    command->token = params->token;
    command->data = params->data;
    command->name = params->name;
    command->version = params->version;
    command->method = params->method;
    command->since.epoch = params->epoch;
    command->since.seq = (uint64_t) params->offset;
    command->recover = params->recover != 0;
    command->join_leave = params->join_leave != 0;
    command->reverse = params->reverse != 0;
    command->strict = (params->flag & IM_CENTRIFUGE_STRICT) != 0;

    if (params->type != 0) {
        return im_centrifuge_error(command, IM_ERROR_NOT_AVAILABLE);
    }

    return m->check != NULL ? m->check(params, command) : IM_OK;
}


im_str_t
im_centrifuge_error_text(im_error_e error, int *temporary)
{
    im_uint_t  i;

    i = 0;

    while (im_centrifuge_errors[i].error != error
           && im_centrifuge_errors[i].message != NULL)
    {
        i++;
    }

    *temporary = im_centrifuge_errors[i].temporary;

    return im_centrifuge_errors[i].message == NULL
           ? im_str_set(NULL, 0) : im_str_z(im_centrifuge_errors[i].message);
}


im_str_t
im_centrifuge_channel(im_str_t topic, int *own)
{
    *own = topic.len < 2 || topic.data[0] != 'r';

    return topic.len < 2 ? im_str_set(NULL, 0)
                         : im_str_set(topic.data + 2, topic.len - 2);
}


/*
 * A client that the server has subscribed goes on if nothing is lost.  Others
 * subscribe or connect again to learn where they are.
 */
im_int_t
im_centrifuge_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub,
    void (*add)(im_buf_t *, const im_transport_t *, const im_reply_t *))
{
    im_reply_t       reply;
    im_subscribed_t  begin;

    if (!sub->recoverable) {
        return IM_OK;
    }

    if (!sub->recovered || sub->topic.data[0] == 'r') {
        return IM_DECLINED;
    }

    begin = *sub;
    begin.recovering = 0;
    begin.recovered = 0;

    memset(&reply, 0, sizeof(im_reply_t));

    reply.type = IM_REPLY_PUSH_SUBSCRIBE;
    reply.topic = begin.topic;
    reply.subs = &begin;
    reply.nsubs = 1;

    add(b, transport, &reply);

    return IM_OK;
}
