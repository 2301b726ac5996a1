/*
 * Copyright (C) The im authors
 *
 * POST /api/METHOD: Centrifugo's server API.
 *
 * A request is a list of commands, of one where it is no batch.  Those of a
 * batch run one after another, or some at once where it is parallel; the
 * answers keep their order.
 */

#include <stdio.h>

#include "im_logic_api.h"
#include "im_key.h"


#define IM_API_AT_ONCE  16
#define IM_API_ARENA    256


struct im_logic_api_s {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_command_t   *commands;
    im_json_strings_t     texts;        /* of a batch; borrow from the body */
    im_uint_t             n;
    im_uint_t             next;         /* to be started */
    im_uint_t             under;        /* under way */
    im_uint_t             width;        /* at once */
    size_t                bytes;        /* of results */
    const char           *bad;          /* the body is not what it should be */
    unsigned              batch:1;
    unsigned              transport:1;  /* errors by HTTP status */
    unsigned              running:1;
};


typedef struct {
    im_json_strings_t  commands;
    int                parallel;
} im_logic_batch_t;


static void im_logic_api_start(im_logic_api_t *api, im_str_t method);
static im_int_t im_logic_api_commands(im_logic_api_t *api, im_uint_t n);
static im_int_t im_logic_api_batch(im_logic_api_t *api);
static im_int_t im_logic_api_batched(im_logic_command_t *c, im_str_t text);
static const im_logic_method_t *im_logic_api_method(im_str_t name);
static void im_logic_api_run(im_logic_api_t *api);
static void im_logic_api_finish(im_logic_api_t *api);
static im_uint_t im_logic_api_status(const im_logic_api_t *api);
static void im_logic_api_answer(const im_logic_api_t *api, im_buf_t *b);
static void im_logic_api_free(im_logic_api_t *api);


const im_json_field_t  im_logic_api_since_fields[] = {
    { im_str("offset"), IM_JSON_INT, offsetof(im_logic_api_since_t, offset) },
    { im_str("epoch"), IM_JSON_STRING,
      offsetof(im_logic_api_since_t, epoch) },
    im_json_end
};


static const im_logic_method_t  im_logic_methods[] = {
    { im_str("publish"), im_logic_api_publish },
    { im_str("broadcast"), im_logic_api_broadcast },
    { im_str("subscribe"), im_logic_api_subscribe },
    { im_str("unsubscribe"), im_logic_api_unsubscribe },
    { im_str("disconnect"), im_logic_api_disconnect },
    { im_str("refresh"), im_logic_api_refresh },
    { im_str("presence"), im_logic_api_presence },
    { im_str("presence_stats"), im_logic_api_presence_stats },
    { im_str("history"), im_logic_api_history },
    { im_str("history_remove"), im_logic_api_history_remove },
    { im_str("channels"), im_logic_api_channels },
    { im_str("info"), im_logic_api_info },
    { im_null_str, NULL }
};


static const im_json_field_t  im_logic_batch_fields[] = {
    { im_str("commands"), IM_JSON_RAWS, offsetof(im_logic_batch_t, commands) },
    { im_str("parallel"), IM_JSON_BOOL, offsetof(im_logic_batch_t, parallel) },
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
im_logic_api(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t         nothing;
    im_str_t         transport = im_str("transport");
    im_logic_api_t  *api;

    if (memchr(rest.data, '/', rest.len) != NULL) {
        im_logic_reply_error(logic, r, 404, "no such path");
        return;
    }

    if (!im_logic_api_allowed(logic, r)) {
        im_buf_init(&nothing, 0);
        im_logic_reply(logic, r, 401, &nothing);
        return;
    }

    api = im_calloc(sizeof(im_logic_api_t));
    if (api == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    api->logic = logic;
    api->r = r;
    api->width = 1;
    api->transport = im_str_eq(r->error_mode, transport);

    im_logic_api_start(api, rest);
}


static void
im_logic_api_start(im_logic_api_t *api, im_str_t method)
{
    im_int_t  rc;
    im_str_t  batch = im_str("batch");

    if (im_str_eq(method, batch)) {
        api->batch = 1;
        rc = im_logic_api_batch(api);

    } else {
        rc = im_logic_api_commands(api, 1);

        if (rc == IM_OK) {
            api->commands[0].method = im_logic_api_method(method);
            api->commands[0].params = api->r->body;
        }
    }

    if (rc != IM_OK && api->bad == NULL) {
        api->bad = im_json_no_memory;
    }

    im_logic_api_run(api);
}


static im_int_t
im_logic_api_commands(im_logic_api_t *api, im_uint_t n)
{
    im_uint_t            i;
    im_logic_command_t  *c;

    api->commands = im_calloc(im_max(n, 1) * sizeof(im_logic_command_t));
    if (api->commands == NULL) {
        return IM_ERROR;
    }

    api->n = n;

    for (i = 0; i < n; i++) {
        c = &api->commands[i];
        c->api = api;
        c->logic = api->logic;

        im_buf_init(&c->result, IM_LOGIC_MAX_REPLY);
        im_buf_init(&c->arena, 2 * api->r->body.len + IM_API_ARENA);
    }

    return IM_OK;
}


static im_int_t
im_logic_api_batch(im_logic_api_t *api)
{
    im_uint_t         i;
    im_logic_batch_t  batch;

    memset(&batch, 0, sizeof(im_logic_batch_t));
    batch.commands.max = api->logic->conf.max_targets;

    if (im_json_decode(api->r->body, im_logic_batch_fields, 0, NULL, &batch,
                       &api->bad)
        != IM_OK)
    {
        return IM_ERROR;
    }

    api->texts = batch.commands;
    api->width = batch.parallel ? IM_API_AT_ONCE : 1;

    if (im_logic_api_commands(api, batch.commands.n) != IM_OK) {
        return IM_ERROR;
    }

    for (i = 0; i < api->n; i++) {
        if (im_logic_api_batched(&api->commands[i], api->texts.elts[i])
            != IM_OK)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* {"METHOD":{..}}; what is no such thing stays without a method. */
static im_int_t
im_logic_api_batched(im_logic_command_t *c, im_str_t text)
{
    size_t    at;
    im_buf_t  arena;
    im_int_t  rc;
    im_str_t  name, value;

    if (text.data[0] != '{') {
        return IM_OK;
    }

    at = 0;
    rc = IM_OK;

    im_buf_init(&arena, text.len);

    while (c->method == NULL && rc == IM_OK) {
        rc = im_json_next_member(text, &at, &arena, &name, &value);

        if (rc == IM_OK && value.data[0] == '{') {
            c->method = im_logic_api_method(name);
            c->params = value;
        }
    }

    im_buf_cleanup(&arena);

    return rc == IM_ERROR ? IM_ERROR : IM_OK;
}


static const im_logic_method_t *
im_logic_api_method(im_str_t name)
{
    const im_logic_method_t  *method;

    for (method = im_logic_methods; method->handler != NULL; method++) {
        if (im_str_eq(method->name, name)) {
            return method;
        }
    }

    return NULL;
}


static void
im_logic_api_run(im_logic_api_t *api)
{
    im_logic_command_t  *c;

    if (api->running) {
        return;
    }

    api->running = 1;

    while (api->bad == NULL && api->next < api->n && api->under < api->width) {
        c = &api->commands[api->next++];
        api->under++;

        if (c->method != NULL) {
            c->method->handler(c);

        } else {
            im_logic_command_fail(c, IM_ERROR_METHOD, NULL);
        }
    }

    api->running = 0;

    if (api->under == 0) {
        im_logic_api_finish(api);
    }
}


void
im_logic_command_done(im_logic_command_t *c)
{
    im_logic_api_t  *api;

    api = c->api;

    im_buf_cleanup(&c->arena);

    if (c->result.failed && c->error == 0) {
        im_buf_reset(&c->result, 0);
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    api->bytes += c->result.len;

    if (api->bytes > IM_LOGIC_MAX_REPLY && c->error == 0) {
        api->bytes -= c->result.len;
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "the answers are too "
                              "large");
        return;
    }

    api->under--;
    im_logic_api_run(api);
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
    const char      *why;
    im_logic_api_t  *api;

    api = c->api;
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

    if (!api->batch) {
        api->bad = why;
    }

    im_logic_command_fail_status(c, im_logic_json_status(why), why);

    return IM_ERROR;
}


im_str_t
im_logic_command_id(im_logic_command_t *c)
{
    size_t           start;
    im_str_t         id;
    im_logic_api_t  *api;

    api = c->api;
    id = api->r->id;

    if (id.len == 0 || !api->batch) {
        return id;
    }

    start = c->arena.len;

    im_buf_add_str(&c->arena, id);
    im_buf_add_z(&c->arena, ".");
    im_buf_add_uint(&c->arena, (uint64_t) (c - api->commands));

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

    ch->rule = im_rules_topic(&logic->nodes.rules, im_buf_str(&ch->topic));
    ch->p = im_partition(im_buf_str(&ch->topic),
                         im_daemon_redis_partitions(logic->redis));

    return IM_OK;
}


static void
im_logic_api_finish(im_logic_api_t *api)
{
    im_buf_t              b;
    im_uint_t             status;
    im_logic_t           *logic;
    im_daemon_request_t  *r;

    logic = api->logic;
    r = api->r;

    if (api->bad != NULL) {
        status = im_logic_json_status(api->bad);
        im_logic_reply_error(logic, r, status, api->bad);
        im_logic_api_free(api);
        return;
    }

    status = im_logic_api_status(api);

    im_buf_init(&b, 2 * IM_LOGIC_MAX_REPLY);
    im_logic_api_answer(api, &b);
    im_logic_api_free(api);

    im_logic_reply(logic, r, status, &b);
    im_buf_cleanup(&b);
}


static im_uint_t
im_logic_api_status(const im_logic_api_t *api)
{
    im_uint_t  i;

    if (!api->transport || api->batch || api->commands[0].error == 0) {
        return 200;
    }

    for (i = 0; im_logic_api_errors[i].error != 0; i++) {
        if (im_logic_api_errors[i].error == api->commands[0].error) {
            break;
        }
    }

    return im_logic_api_errors[i].status;
}


static void
im_logic_api_answer(const im_logic_api_t *api, im_buf_t *b)
{
    im_uint_t                  i;
    const im_logic_command_t  *c;

    if (api->transport && !api->batch && api->commands[0].error != 0) {
        im_buf_add_str(b, im_buf_str(&api->commands[0].result));
        im_buf_add_z(b, "\n");
        return;
    }

    if (api->batch) {
        im_buf_add_z(b, "{\"replies\":[");
    }

    for (i = 0; i < api->n; i++) {
        c = &api->commands[i];

        im_buf_add_z(b, i == 0 ? "{\"" : ",{\"");

        if (c->error != 0) {
            im_buf_add_z(b, "error");

        } else if (api->batch) {
            im_buf_add_str(b, c->method->name);

        } else {
            im_buf_add_z(b, "result");
        }

        im_buf_add_z(b, "\":");
        im_buf_add_str(b, im_buf_str(&c->result));
        im_buf_add_z(b, "}");

        if (c->result.failed) {
            b->failed = 1;
        }
    }

    im_buf_add_z(b, api->batch ? "]}\n" : "\n");
}


static void
im_logic_api_free(im_logic_api_t *api)
{
    im_uint_t  i;

    for (i = 0; i < api->n; i++) {
        im_buf_cleanup(&api->commands[i].arena);
        im_buf_cleanup(&api->commands[i].result);
    }

    im_json_strings_free(&api->texts);
    im_free(api->commands);
    im_free(api);
}
