/*
 * Copyright (C) The im authors
 *
 * What the methods of the server API share: parameters, channels, errors.
 */

#include "im_logic_command.h"
#include "im_logic_nodes.h"
#include "im_key.h"


const im_json_field_t  im_logic_api_since_fields[] = {
    { im_str("offset"), IM_JSON_INT, offsetof(im_logic_api_since_t, offset) },
    { im_str("epoch"), IM_JSON_STRING,
      offsetof(im_logic_api_since_t, epoch) },
    im_json_end
};


static const struct {
    im_uint_t    error;
    im_uint_t    status;       /* where errors are told by it */
    const char  *message;
} im_logic_api_errors[] = {
    { IM_ERROR_INTERNAL, 500, "internal server error" },
    { IM_ERROR_UNKNOWN_CHANNEL, 404, "unknown channel" },
    { IM_ERROR_METHOD, 404, "not found" },
    { IM_ERROR_BAD_REQUEST, 400, "bad request" },
    { IM_ERROR_NOT_AVAILABLE, 400, "not available" },
    { IM_ERROR_POSITION, 416, "unrecoverable position" },
    { IM_API_CONFLICT, 409, "conflict" },
    { 0, 500, NULL }
};


void
im_logic_command_done(im_logic_command_t *c)
{
    im_buf_cleanup(&c->arena);

    if (c->result.failed && c->error == 0) {
        im_buf_reset(&c->result, 0);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    c->done(c);
}


void
im_logic_command_fail(im_logic_command_t *c, im_uint_t error, const char *why)
{
    c->error = error;

    im_buf_reset(&c->result, 0);
    im_logic_api_add_error(&c->result, error, why);

    im_logic_command_done(c);
}


void
im_logic_command_fail_status(im_logic_command_t *c, im_uint_t status,
    const char *why)
{
    im_logic_command_fail(c, im_logic_api_error(status), why);
}


im_uint_t
im_logic_command_status(const im_logic_command_t *c)
{
    im_uint_t  i;

    if (c->error == 0) {
        return 200;
    }

    for (i = 0; im_logic_api_errors[i].error != 0; i++) {
        if (im_logic_api_errors[i].error == c->error) {
            break;
        }
    }

    return im_logic_api_errors[i].status;
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

    case 501:
        return IM_ERROR_NOT_AVAILABLE;

    default:
        return IM_ERROR_INTERNAL;
    }
}


void
im_logic_api_add_error(im_buf_t *b, im_uint_t error, const char *why)
{
    im_buf_t   message;
    im_uint_t  i;

    im_buf_init(&message, 1024);

    for (i = 0; im_logic_api_errors[i].error != 0; i++) {
        if (im_logic_api_errors[i].error == error) {
            im_buf_add_z(&message, im_logic_api_errors[i].message);
            break;
        }
    }

    if (why != NULL) {
        im_buf_add_z(&message, ": ");
        im_buf_add_z(&message, why);
    }

    im_buf_add_z(b, "{\"code\":");
    im_buf_add_uint(b, error);
    im_buf_add_z(b, ",\"message\":");
    im_json_add_string(b, im_buf_str(&message));
    im_buf_add_z(b, "}");

    im_buf_cleanup(&message);
}


im_int_t
im_logic_command_params(im_logic_command_t *c, const im_json_field_t *fields,
    void *dst)
{
    const char  *why;

    why = im_json_no_memory;

    /* it must not move under its strings when something is added */

    if (im_buf_reserve(&c->arena, 2 * c->params.len + IM_API_ARENA) != NULL) {
        c->arena.len = 0;

        if (im_json_decode(c->params, fields, 0, &c->arena, dst, &why)
            == IM_OK)
        {
            return IM_OK;
        }
    }

    c->bad = why;

    im_logic_command_fail_status(c, im_logic_json_status(why), why);

    return IM_ERROR;
}


im_str_t
im_logic_command_id(im_logic_command_t *c)
{
    size_t    start;
    im_str_t  id;

    id = c->r->id;

    if (id.len == 0 || !c->batch) {
        return id;
    }

    start = c->arena.len;

    im_buf_add_str(&c->arena, id);
    im_buf_add_z(&c->arena, ".");
    im_buf_add_uint(&c->arena, c->place);

    if (c->arena.failed) {
        return im_str_set(NULL, 0);
    }

    return im_str_set(c->arena.data + start, c->arena.len - start);
}


im_int_t
im_logic_command_channel(im_logic_command_t *c, im_str_t channel,
    im_logic_channel_t *ch)
{
    im_logic_t  *logic;

    logic = c->logic;

    ch->name = channel;
    ch->rule = NULL;

    im_buf_init(&ch->topic, IM_NAME_MAX + 2);

    if (channel.len == 0) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no channel");
        return IM_ERROR;
    }

    if (channel.data[0] != '#') {
        im_topic_room(&ch->topic, channel);

    } else {
        ch->name = im_str_set(channel.data + 1, channel.len - 1);

        if (ch->name.len != 0) {
            im_topic_user(&ch->topic, ch->name);

        } else {
            im_buf_add_z(&ch->topic, "b");
        }
    }

    if (!im_logic_name_or_none(ch->name)) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "a channel's name is "
                              "not valid");
        return IM_ERROR;
    }

    if (ch->topic.failed) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return IM_ERROR;
    }

    ch->rule = im_rules_topic(&logic->nodes->rules, im_buf_str(&ch->topic));
    ch->p = im_partition(im_buf_str(&ch->topic),
                         im_daemon_redis_partitions(logic->redis));

    return IM_OK;
}
