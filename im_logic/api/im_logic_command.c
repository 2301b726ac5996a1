/*
 * Copyright (C) The im authors
 *
 * What the methods of the server API share: parameters, channels, errors.
 */

#include <stdio.h>

#include "im_logic_command.h"
#include "im_logic_control.h"
#include "im_logic_durable.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"


typedef struct {
    im_uint_t    error;
    im_uint_t    status;       /* of the answer, where the client wants it */
    const char  *message;
} im_logic_api_error_t;


const im_json_field_t  im_logic_api_since_fields[] = {
    im_json_row(im_logic_api_since_t, INT, offset),
    im_json_row(im_logic_api_since_t, STRING, epoch),
    im_json_end
};


static const im_logic_api_error_t  im_logic_api_errors[] = {
    { IM_ERROR_INTERNAL, 500, "internal server error" },
    { IM_ERROR_UNKNOWN_CHANNEL, 404, "unknown channel" },
    { IM_ERROR_METHOD, 404, "not found" },
    { IM_ERROR_BAD_REQUEST, 400, "bad request" },
    { IM_ERROR_NOT_AVAILABLE, 400, "not available" },
    { IM_ERROR_POSITION, 416, "unrecoverable position" },
    { IM_API_CONFLICT, 409, "conflict" },
    { IM_API_UNCONFIRMED, 503, "not confirmed" },
    { 0, 500, "" }
};


void
im_logic_command_done(im_logic_command_t *c)
{
    if (c->result->failed && c->error == 0) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    c->done(c);
}


im_int_t
im_logic_command_fail(im_logic_command_t *c, im_uint_t error, const char *why)
{
    c->error = error;

    im_buf_reset(c->result, 0);
    im_logic_api_add_error(c->result, error, why);

    im_logic_command_done(c);

    return IM_ERROR;
}


void
im_logic_command_fail_status(im_logic_command_t *c, im_uint_t status,
    const char *why)
{
    (void) im_logic_command_fail(c, im_logic_api_error(status), why);
}


static const im_logic_api_error_t *
im_logic_api_row(im_uint_t error)
{
    const im_logic_api_error_t  *row;

    for (row = im_logic_api_errors; row->error != 0; row++) {
        if (row->error == error) {
            break;
        }
    }

    return row;
}


im_uint_t
im_logic_command_status(const im_logic_command_t *c)
{
    return c->error == 0 ? 200 : im_logic_api_row(c->error)->status;
}


im_uint_t
im_logic_api_error(im_uint_t status)
{
    switch (status) {

    case 404:
        return IM_ERROR_UNKNOWN_CHANNEL;

    case 409:
        return IM_API_CONFLICT;

    case 400:
    case 413:
        return IM_ERROR_BAD_REQUEST;

    case IM_LOGIC_UNCONFIRMED:
        return IM_API_UNCONFIRMED;

    default:
        return IM_ERROR_INTERNAL;
    }
}


void
im_logic_api_add_error(im_buf_t *b, im_uint_t error, const char *why)
{
    char  message[1024];

    (void) snprintf(message, sizeof(message), "%s%s%s",
                    im_logic_api_row(error)->message,
                    why != NULL ? ": " : "", why != NULL ? why : "");

    im_logic_print(b, "{\"code\":%u,\"message\":%J}", error, message);
}


im_int_t
im_logic_command_decode(im_logic_command_t *c, im_str_t json,
    const im_json_field_t *fields, void *dst)
{
    const char  *why;

    if (im_logic_decode(c->r, json, fields, 0, dst, &why) == IM_OK) {
        return IM_OK;
    }

    if (json.data == c->params.data) {
        c->bad = why;
    }

    im_logic_command_fail_status(c, im_logic_json_status(why), why);

    return IM_ERROR;
}


im_str_t
im_logic_command_id(im_logic_command_t *c)
{
    im_buf_t  *b;
    im_str_t   id;

    id = c->r->id;

    if (id.len == 0 || !c->batch) {
        return id;
    }

    b = im_daemon_buf(c->r, id.len + 32);
    im_logic_print(b, "%s.%u", id, c->place);

    return b->failed ? im_str_set(NULL, 0) : im_buf_str(b);
}


im_int_t
im_logic_command_channel(im_logic_command_t *c, im_str_t channel,
    im_logic_channel_t *ch)
{
    im_str_t  name;

    ch->rule = NULL;

    if (channel.len == 0) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no channel");
    }

    name = channel;

    if (channel.data[0] != '#') {
        ch->topic = im_logic_topic(c->r, im_topic_room, name);

    } else {
        name.data++;
        name.len--;

        ch->topic = name.len != 0 ? im_logic_topic(c->r, im_topic_user, name)
                                  : im_str_z("b");
    }

    if (!im_logic_name_or_none(name)) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "a channel's name is not valid");
    }

    if (ch->topic.data == NULL) {
        return im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
    }

    ch->rule = im_rules_topic(&c->logic->nodes->rules, ch->topic);

    return IM_OK;
}


im_int_t
im_logic_command_check(im_logic_command_t *c, const char *why)
{
    return why == NULL ? IM_OK
                       : im_logic_command_fail(c, IM_ERROR_INTERNAL, why);
}


void
im_logic_command_end(im_logic_command_t *c, const char *why)
{
    if (im_logic_command_check(c, why) == IM_OK) {
        im_buf_add_z(c->result, "{}");
        im_logic_command_done(c);
    }
}


void
im_logic_command_control_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_command_end(data, im_logic_control_read(reply));
}
