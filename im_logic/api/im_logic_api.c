/*
 * Copyright (C) The im authors
 *
 * POST /api/METHOD: Centrifugo's server API.
 *
 * A request is a list of commands, of one where it is no batch.  Those of a
 * batch run one after another, or some at once where it is parallel; the
 * answers keep their order.
 */

#include "im_logic_api.h"
#include "im_logic_api_key.h"


#define IM_API_AT_ONCE  16


/* A request under way. */
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
    const char           *bad;          /* of the batch's text */
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
static void im_logic_api_done(im_logic_command_t *c);
static void im_logic_api_finish(im_logic_api_t *api);
static void im_logic_api_answer(const im_logic_api_t *api, im_buf_t *b);
static void im_logic_api_free(im_logic_api_t *api);


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
        c->r = api->r;
        c->done = im_logic_api_done;
        c->place = i;
        c->batch = api->batch;

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


static void
im_logic_api_done(im_logic_command_t *c)
{
    im_logic_api_t  *api;

    api = c->api;

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


static void
im_logic_api_finish(im_logic_api_t *api)
{
    im_buf_t              b;
    im_uint_t             status;
    im_logic_t           *logic;
    const char           *bad;
    im_daemon_request_t  *r;

    logic = api->logic;
    r = api->r;

    bad = api->bad;

    if (bad == NULL && !api->batch) {
        bad = api->commands[0].bad;
    }

    if (bad != NULL) {
        im_logic_reply_error(logic, r, im_logic_json_status(bad), bad);
        im_logic_api_free(api);
        return;
    }

    status = api->transport && !api->batch
             ? im_logic_command_status(&api->commands[0]) : 200;

    im_buf_init(&b, 2 * IM_LOGIC_MAX_REPLY);
    im_logic_api_answer(api, &b);
    im_logic_api_free(api);

    im_logic_reply(logic, r, status, &b);
    im_buf_cleanup(&b);
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
