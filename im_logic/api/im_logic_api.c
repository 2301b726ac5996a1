/*
 * Copyright (C) The im authors
 *
 * POST /api/METHOD: Centrifugo's server API.  POST /api is the form that
 * libraries of its earlier versions send: {"method":"..","params":{..}}, one or
 * several, with an answer a line.
 *
 * A request is a list of commands; without a batch the list has one.  Commands
 * run one after another, or some at once in a batch that is parallel.  The
 * answers keep their order.
 */

#include <strings.h>

#include "im_logic_api.h"
#include "im_logic_print.h"


#define IM_API_AT_ONCE  16


typedef enum {
    IM_API_METHOD = 0,                  /* the path says which */
    IM_API_BATCH,
    IM_API_LINES                        /* of the earlier versions */
} im_logic_api_form_e;


/* A request. */
typedef struct {
    im_daemon_request_t  *r;
    im_logic_t           *logic;
    im_logic_command_t   *commands;
    im_uint_t             n;
    im_uint_t             next;         /* to be started */
    im_uint_t             under;        /* under way */
    im_uint_t             width;        /* at once */
    size_t                bytes;        /* of results */
    const char           *bad;          /* of the text around commands */
    im_logic_api_form_e   form;
    unsigned              transport:1;  /* errors by HTTP status */
    unsigned              running:1;
} im_logic_api_t;


typedef struct {
    im_json_strings_t  commands;
    int                parallel;
} im_logic_batch_t;


/* A command of the earlier versions. */
typedef struct {
    int64_t            id;
    im_str_t           method;
    im_str_t           params;
} im_logic_line_t;


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
    im_json_row(im_logic_batch_t, RAWS, commands),
    im_json_row(im_logic_batch_t, BOOL, parallel),
    im_json_end
};


static const im_json_field_t  im_logic_line_fields[] = {
    im_json_row(im_logic_line_t, INT, id),
    im_json_row(im_logic_line_t, STRING, method),
    im_json_row(im_logic_line_t, RAW, params),
    im_json_end
};


/* Around the answers of a form. */
static const struct {
    const char  *before;
    const char  *between;
    const char  *after;
} im_logic_api_frames[] = {
    [IM_API_METHOD] = { "", "", "\n" },
    [IM_API_BATCH] = { "{\"replies\":[", ",", "]}\n" },
    [IM_API_LINES] = { "", "\n", "\n" }
};


static void
im_logic_api_answer(im_logic_api_t *api, im_logic_command_t *c, im_buf_t *b)
{
    im_str_t  name;

    name = im_str_z(c->error != 0 ? "error" : "result");

    if (api->form == IM_API_BATCH && c->error == 0) {
        name = c->method->name;
    }

    im_buf_add_z(b, "{");

    if (c->id != 0) {
        im_logic_print(b, "\"id\":%u,", c->id);
    }

    im_logic_print(b, "\"%s\":%s}", name, im_buf_str(c->result));

    if (c->result->failed) {
        b->failed = 1;
    }
}


static void
im_logic_api_finish(im_logic_api_t *api)
{
    im_buf_t            *b;
    im_uint_t            i;
    const char          *bad;
    im_logic_command_t  *c;

    c = api->commands;
    bad = api->bad;

    if (bad == NULL && api->form == IM_API_METHOD) {
        bad = c->bad;
    }

    if (bad != NULL) {
        im_logic_reply_error(api->r, im_logic_json_status(bad), bad);
        return;
    }

    b = im_daemon_buf(api->r, 2 * IM_LOGIC_MAX_REPLY);

    if (api->transport && api->form == IM_API_METHOD && c->error != 0) {
        im_logic_print(b, "%s\n", im_buf_str(c->result));
        im_logic_reply(api->r, im_logic_command_status(c), b);
        return;
    }

    im_buf_add_z(b, im_logic_api_frames[api->form].before);

    for (i = 0; i < api->n; i++) {
        im_buf_add_z(b, i > 0 ? im_logic_api_frames[api->form].between : "");
        im_logic_api_answer(api, &api->commands[i], b);
    }

    im_buf_add_z(b, im_logic_api_frames[api->form].after);
    im_logic_reply(api->r, 200, b);
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
            (void) im_logic_command_fail(c, IM_ERROR_METHOD, NULL);
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

    if (c->error == 0 && api->bytes + c->result->len > IM_LOGIC_MAX_REPLY) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL,
                                     "the answers are too large");
        return;
    }

    api->bytes += c->result->len;
    api->under--;

    im_logic_api_run(api);
}


static im_int_t
im_logic_api_commands(im_logic_api_t *api, im_uint_t n)
{
    im_uint_t            i;
    im_logic_command_t  *c;

    api->commands = im_daemon_alloc(api->r, n * sizeof(im_logic_command_t));
    if (api->commands == NULL) {
        return IM_ERROR;
    }

    api->n = n;

    for (i = 0; i < n; i++) {
        c = &api->commands[i];
        c->r = api->r;
        c->logic = api->logic;
        c->result = im_daemon_buf(api->r, IM_LOGIC_MAX_REPLY);
        c->place = i;
        c->done = im_logic_api_done;
        c->api = api;
        c->batch = api->form != IM_API_METHOD;
    }

    return IM_OK;
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


/* {"METHOD":{..}}; without such a member, it stays without a method. */
static im_int_t
im_logic_api_batched(im_logic_command_t *c, im_str_t text)
{
    size_t     at;
    im_int_t   rc;
    im_str_t   name, value;
    im_buf_t  *strings;

    if (text.data[0] != '{') {
        return IM_OK;
    }

    at = 0;
    rc = IM_OK;
    strings = im_daemon_buf(c->r, text.len);

    while (c->method == NULL && rc == IM_OK) {
        rc = im_json_next_member(text, &at, strings, &name, &value);

        if (rc == IM_OK && value.data[0] == '{') {
            c->method = im_logic_api_method(name);
            c->params = value;
        }
    }

    return rc == IM_ERROR ? IM_ERROR : IM_OK;
}


static im_int_t
im_logic_api_batch(im_logic_api_t *api)
{
    im_uint_t         i;
    im_logic_batch_t  batch;

    memset(&batch, 0, sizeof(im_logic_batch_t));
    batch.commands.max = api->logic->conf.max_targets;

    if (im_logic_decode(api->r, api->r->body, im_logic_batch_fields, 0, &batch,
                        &api->bad)
        != IM_OK
        || im_logic_api_commands(api, batch.commands.n) != IM_OK)
    {
        return IM_ERROR;
    }

    api->width = batch.parallel ? IM_API_AT_ONCE : 1;

    for (i = 0; i < api->n; i++) {
        if (im_logic_api_batched(&api->commands[i], batch.commands.elts[i])
            != IM_OK)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* Names of methods are of any case there. */
static void
im_logic_api_line(im_logic_command_t *c, const im_logic_line_t *line)
{
    const im_logic_method_t  *method;

    c->id = line->id > 0 && line->id <= UINT32_MAX ? (uint32_t) line->id : 0;
    c->params = line->params.len > 0 && line->params.data[0] != 'n'
                ? line->params : im_str_z("{}");

    for (method = im_logic_methods; method->handler != NULL; method++) {
        if (method->name.len == line->method.len
            && strncasecmp((char *) method->name.data,
                           (char *) line->method.data, line->method.len)
               == 0)
        {
            c->method = method;
        }
    }
}


/* Nothing is done unless all of them can be read. */
static im_int_t
im_logic_api_lines(im_logic_api_t *api)
{
    size_t           at;
    im_int_t         rc;
    im_str_t         text;
    im_uint_t        n;
    im_logic_line_t  line;

    at = 0;
    n = 0;

    while ((rc = im_json_next_object(api->r->body, &at, &text)) == IM_OK) {
        n++;
    }

    if (rc == IM_ERROR || n == 0) {
        api->bad = "the body is not one or more objects with \"method\" and "
                   "\"params\"";
        return IM_ERROR;
    }

    if (n > api->logic->conf.max_targets) {
        api->bad = im_logic_json_most(api->r, im_str_z("body"),
                                      api->logic->conf.max_targets);
        return IM_ERROR;
    }

    if (im_logic_api_commands(api, n) != IM_OK) {
        return IM_ERROR;
    }

    for (at = 0, n = 0; n < api->n; n++) {
        memset(&line, 0, sizeof(im_logic_line_t));
        (void) im_json_next_object(api->r->body, &at, &text);

        if (im_logic_decode(api->r, text, im_logic_line_fields, 0, &line,
                            &api->bad)
            != IM_OK)
        {
            return IM_ERROR;
        }

        im_logic_api_line(&api->commands[n], &line);
    }

    return IM_OK;
}


static im_int_t
im_logic_api_method_of_path(im_logic_api_t *api)
{
    if (im_logic_api_commands(api, 1) != IM_OK) {
        return IM_ERROR;
    }

    api->commands[0].method = im_logic_api_method(api->r->name);
    api->commands[0].params = api->r->body;

    return IM_OK;
}


/* By im_logic_api_form_e. */
static im_int_t (*const im_logic_api_readers[])(im_logic_api_t *api) = {
    [IM_API_METHOD] = im_logic_api_method_of_path,
    [IM_API_BATCH] = im_logic_api_batch,
    [IM_API_LINES] = im_logic_api_lines
};


void
im_logic_api_handler(im_daemon_request_t *r)
{
    im_logic_api_t  *api;

    api = im_daemon_alloc(r, sizeof(im_logic_api_t));
    if (api == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    api->logic = r->data;
    api->r = r;
    api->width = 1;
    api->transport = im_str_eq(r->error_mode, im_str_z("transport"));

    if (r->name.len == 0) {
        api->form = IM_API_LINES;

    } else if (im_str_eq(r->name, im_str_z("batch"))) {
        api->form = IM_API_BATCH;
    }

    if (im_logic_api_readers[api->form](api) != IM_OK && api->bad == NULL) {
        api->bad = im_json_no_memory;
    }

    im_logic_api_run(api);
}
