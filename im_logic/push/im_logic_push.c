/*
 * Copyright (C) The im authors
 *
 * POST /im/push: one message for any number of topics, one answer.
 */

#include <stdlib.h>
#include <strings.h>

#include "im_logic_push.h"
#include "im_logic_publish.h"
#include "im_logic_url.h"
#include "im_json.h"
#include "im_key.h"
#include "im_utf8.h"


/* The JSON form. */
typedef struct {
    im_str_t           id;
    im_json_strings_t  rooms;
    im_json_strings_t  users;
    int                all;
    im_str_t           from;
    im_str_t           data;
} im_logic_push_body_t;


typedef struct {
    im_str_t  user;
    im_str_t  name;
} im_logic_push_from_t;


static im_uint_t im_logic_push_max(const im_logic_t *logic,
    const im_daemon_request_t *r);
static im_int_t im_logic_push_read(im_logic_publish_t *publish,
    const im_daemon_request_t *r);
static int im_logic_push_by_query(im_str_t query);
static im_int_t im_logic_push_query(im_logic_publish_t *publish,
    const im_daemon_request_t *r);
static im_int_t im_logic_push_query_arg(im_logic_publish_t *publish,
    im_str_t name, im_str_t value);
static im_int_t im_logic_push_raw(im_logic_publish_t *publish,
    const im_daemon_request_t *r);
static im_int_t im_logic_push_json(im_logic_publish_t *publish,
    im_str_t json);
static im_int_t im_logic_push_body(im_logic_publish_t *publish,
    const im_logic_push_body_t *body);
static im_int_t im_logic_push_from(im_logic_publish_t *publish,
    im_str_t from);
static void im_logic_push_done(im_logic_publish_t *publish, void *data);
static const im_logic_target_t *im_logic_push_worst(
    const im_logic_publish_t *publish);
static void im_logic_push_results(const im_logic_publish_t *publish,
    im_buf_t *b);


static const im_json_field_t  im_logic_push_fields[] = {
    { im_str("id"), IM_JSON_STRING, offsetof(im_logic_push_body_t, id) },
    { im_str("rooms"), IM_JSON_STRINGS,
      offsetof(im_logic_push_body_t, rooms) },
    { im_str("users"), IM_JSON_STRINGS,
      offsetof(im_logic_push_body_t, users) },
    { im_str("all"), IM_JSON_BOOL, offsetof(im_logic_push_body_t, all) },
    { im_str("from"), IM_JSON_OBJECT, offsetof(im_logic_push_body_t, from) },
    { im_str("data"), IM_JSON_RAW, offsetof(im_logic_push_body_t, data) },
    im_json_end
};


static const im_json_field_t  im_logic_from_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(im_logic_push_from_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(im_logic_push_from_t, name) },
    im_json_end
};


void
im_logic_push(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_publish_t  *publish;

    (void) rest;

    publish = im_logic_publish_create(logic, im_logic_push_max(logic, r),
                                      2 * (r->body.len + r->query.len)
                                      + 1024);
    if (publish == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    if (im_logic_push_read(publish, r) != IM_OK
        || im_logic_publish_start(publish, r->id, im_logic_push_done, r)
           != IM_OK)
    {
        im_logic_reply_error(logic, r, publish->status, publish->msg);
        im_logic_publish_free(publish);
    }
}


/* A target is 3 bytes of a body, or 6 of a query, at least. */
static im_uint_t
im_logic_push_max(const im_logic_t *logic, const im_daemon_request_t *r)
{
    im_uint_t  max;

    max = 2 + (im_uint_t) (r->body.len / 3 + r->query.len / 6);

    return im_min(max, logic->conf.max_targets);
}


static im_int_t
im_logic_push_read(im_logic_publish_t *publish, const im_daemon_request_t *r)
{
    im_int_t  rc;

    rc = im_logic_push_by_query(r->query) ? im_logic_push_query(publish, r)
                                          : im_logic_push_json(publish,
                                                               r->body);
    if (rc != IM_OK) {
        return IM_ERROR;
    }

    if (publish->ntargets == 0) {
        return im_logic_publish_refuse(publish, 400, "no target: name rooms, "
                                       "users or all");
    }

    return IM_OK;
}


/* Targets in the query say that the body is the message itself. */
static int
im_logic_push_by_query(im_str_t query)
{
    size_t    at;
    im_str_t  name, value, room = im_str("room"), user = im_str("user");
    im_str_t  all = im_str("all");

    at = 0;

    while (im_logic_url_arg(query, &at, &name, &value) == IM_OK) {
        if (im_str_eq(name, room) || im_str_eq(name, user)
            || im_str_eq(name, all))
        {
            return 1;
        }
    }

    return 0;
}


static im_int_t
im_logic_push_query(im_logic_publish_t *publish, const im_daemon_request_t *r)
{
    size_t     at, start;
    im_str_t   name, value;
    im_buf_t  *arena;

    arena = &publish->arena;
    at = 0;

    while (im_logic_url_arg(r->query, &at, &name, &value) == IM_OK) {
        start = arena->len;
        im_logic_url_decode(arena, value, 1);

        value = im_str_set(arena->data + start, arena->len - start);

        if (im_logic_push_query_arg(publish, name, value) != IM_OK) {
            return IM_ERROR;
        }
    }

    return im_logic_push_raw(publish, r);
}


static im_int_t
im_logic_push_query_arg(im_logic_publish_t *publish, im_str_t name,
    im_str_t value)
{
    im_str_t  room = im_str("room"), user = im_str("user"), id = im_str("id");
    im_str_t  all = im_str("all"), one = im_str("1"), yes = im_str("true");

    if (im_str_eq(name, room)) {
        return im_logic_publish_room(publish, value) != NULL ? IM_OK
                                                             : IM_ERROR;
    }

    if (im_str_eq(name, user)) {
        return im_logic_publish_user(publish, value) != NULL ? IM_OK
                                                             : IM_ERROR;
    }

    if (im_str_eq(name, all)) {
        if (!im_str_eq(value, one) && !im_str_eq(value, yes)) {
            return im_logic_publish_refuse(publish, 400,
                                           "all is 1 or not there");
        }

        return im_logic_publish_all(publish) != NULL ? IM_OK : IM_ERROR;
    }

    if (im_str_eq(name, id)) {
        if (value.len == 0) {
            return im_logic_publish_refuse(publish, 400,
                                           "an id has 1 to 64 bytes");
        }

        publish->message.id = value;
    }

    return IM_OK;
}


static im_int_t
im_logic_push_raw(im_logic_publish_t *publish, const im_daemon_request_t *r)
{
    size_t      n;
    im_str_t    type, json = im_str("application/json");

    type = r->type;
    n = json.len;

    if (r->body.len == 0) {
        return im_logic_publish_refuse(publish, 400, "the body is empty");
    }

    publish->message.data = r->body;

    if (type.len >= n && strncasecmp((char *) type.data, (char *) json.data, n)
                         == 0
        && (type.len == n || type.data[n] == ';' || type.data[n] == ' '))
    {
        publish->message.type = IM_PUSH_JSON;

        return im_json_valid(r->body) ? IM_OK
               : im_logic_publish_refuse(publish, 400,
                                         "the body is not JSON");
    }

    publish->message.type = IM_PUSH_TEXT;

    return im_utf8_valid(r->body) ? IM_OK
           : im_logic_publish_refuse(publish, 400, "the body is not UTF-8");
}


static im_int_t
im_logic_push_json(im_logic_publish_t *publish, im_str_t json)
{
    im_int_t              rc;
    const char           *why;
    im_logic_push_body_t  body;

    memset(&body, 0, sizeof(im_logic_push_body_t));

    body.rooms.max = publish->max;
    body.users.max = publish->max;

    if (im_json_decode(json, im_logic_push_fields, 0, &publish->arena, &body,
                       &why)
        != IM_OK)
    {
        return im_logic_publish_refuse(publish, im_logic_json_status(why),
                                       why);
    }

    rc = im_logic_push_body(publish, &body);

    im_json_strings_free(&body.rooms);
    im_json_strings_free(&body.users);

    return rc;
}


static im_int_t
im_logic_push_body(im_logic_publish_t *publish,
    const im_logic_push_body_t *body)
{
    im_uint_t  i;

    if (body->data.len == 0) {
        return im_logic_publish_refuse(publish, 400, "no data");
    }

    publish->message.type = IM_PUSH_JSON;
    publish->message.data = body->data;

    if (body->id.data != NULL) {
        if (body->id.len == 0) {
            return im_logic_publish_refuse(publish, 400,
                                           "an id has 1 to 64 bytes");
        }

        publish->message.id = body->id;
    }

    for (i = 0; i < body->rooms.n; i++) {
        if (im_logic_publish_room(publish, body->rooms.elts[i]) == NULL) {
            return IM_ERROR;
        }
    }

    for (i = 0; i < body->users.n; i++) {
        if (im_logic_publish_user(publish, body->users.elts[i]) == NULL) {
            return IM_ERROR;
        }
    }

    if (body->all && im_logic_publish_all(publish) == NULL) {
        return IM_ERROR;
    }

    return body->from.len != 0 ? im_logic_push_from(publish, body->from)
                               : IM_OK;
}


static im_int_t
im_logic_push_from(im_logic_publish_t *publish, im_str_t from)
{
    size_t                start;
    im_buf_t              strings, *arena;
    const char           *why;
    im_logic_push_from_t  sender;

    memset(&sender, 0, sizeof(im_logic_push_from_t));
    im_buf_init(&strings, from.len + 1);

    if (im_json_decode(from, im_logic_from_fields, 0, &strings, &sender, &why)
        != IM_OK)
    {
        im_buf_cleanup(&strings);
        return im_logic_publish_refuse(publish, im_logic_json_status(why),
                                       why);
    }

    arena = &publish->arena;
    start = arena->len;

    im_buf_add_str(arena, sender.user);
    im_buf_add_str(arena, sender.name);

    im_buf_cleanup(&strings);

    if (arena->failed) {
        return im_logic_publish_refuse(publish, 503, "no memory");
    }

    publish->message.user = im_str_set(arena->data + start, sender.user.len);
    publish->message.name = im_str_set(arena->data + start + sender.user.len,
                                       sender.name.len);

    if (!im_logic_name_or_none(publish->message.user)
        || !im_logic_name_or_none(publish->message.name))
    {
        return im_logic_publish_refuse(publish, 400, "from holds a name that "
                                       "is not valid");
    }

    return IM_OK;
}


static void
im_logic_push_done(im_logic_publish_t *publish, void *data)
{
    im_buf_t                  b;
    im_logic_t               *logic;
    im_daemon_request_t      *r = data;
    const im_logic_target_t  *worst;

    logic = publish->logic;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY);

    worst = im_logic_push_worst(publish);

    if (worst == NULL) {
        im_buf_add_z(&b, "{\"results\":[");
        im_logic_push_results(publish, &b);
        im_buf_add_z(&b, "]}");

        im_logic_reply_data(logic, r, &b);

    } else if (publish->ntargets == 1) {
        im_logic_reply_error(logic, r, worst->status, worst->msg);

    } else {
        r->retry = worst->status == 503;

        im_buf_add_z(&b, "{\"code\":");
        im_buf_add_uint(&b, worst->status);
        im_buf_add_z(&b, ",\"msg\":");
        im_json_add_string(&b, im_str_z(worst->msg));
        im_buf_add_z(&b, ",\"data\":{\"results\":[");
        im_logic_push_results(publish, &b);
        im_buf_add_z(&b, "]}}\n");

        im_logic_reply(logic, r, worst->status, &b);
    }

    im_buf_cleanup(&b);
    im_logic_publish_free(publish);
}


/* NULL: one was accepted.  A 503 counts most: trying again may help. */
static const im_logic_target_t *
im_logic_push_worst(const im_logic_publish_t *publish)
{
    im_uint_t                 i;
    const im_logic_target_t  *t, *worst;

    worst = &publish->targets[0];

    for (i = 0; i < publish->ntargets; i++) {
        t = &publish->targets[i];

        if (t->status == 200) {
            return NULL;
        }

        if (t->status > worst->status) {
            worst = t;
        }
    }

    return worst;
}


static void
im_logic_push_results(const im_logic_publish_t *publish, im_buf_t *b)
{
    im_uint_t                 i;
    const im_logic_target_t  *t;

    for (i = 0; i < publish->ntargets; i++) {
        t = &publish->targets[i];

        im_buf_add_z(b, i == 0 ? "{\"topic\":" : ",{\"topic\":");
        im_json_add_string(b, t->topic);

        if (t->status == 200) {
            im_buf_add_z(b, ",\"epoch\":");
            im_json_add_string(b, t->epoch);
            im_buf_add_z(b, ",\"seq\":");
            im_buf_add_uint(b, t->seq);

        } else {
            im_buf_add_z(b, ",\"code\":");
            im_buf_add_uint(b, t->status);
            im_buf_add_z(b, ",\"msg\":");
            im_json_add_string(b, im_str_z(t->msg));
        }

        im_buf_add_z(b, "}");
    }
}
