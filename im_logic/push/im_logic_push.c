/*
 * Copyright (C) The im authors
 *
 * POST /im/push: one message for any number of topics, one answer.
 */

#include <strings.h>

#include "im_logic_push.h"
#include "im_logic_print.h"
#include "im_logic_publish.h"
#include "im_logic_url.h"
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


static im_uint_t im_logic_push_max(const im_daemon_request_t *r);
static im_int_t im_logic_push_read(im_logic_publish_t *publish);
static int im_logic_push_by_query(im_str_t query);
static im_int_t im_logic_push_query(im_logic_publish_t *publish);
static im_int_t im_logic_push_query_arg(im_logic_publish_t *publish,
    im_str_t name, im_str_t value);
static im_int_t im_logic_push_raw(im_logic_publish_t *publish);
static im_int_t im_logic_push_json(im_logic_publish_t *publish);
static im_int_t im_logic_push_targets(im_logic_publish_t *publish,
    const im_logic_push_body_t *body);
static im_int_t im_logic_push_from(im_logic_publish_t *publish, im_str_t from);
static im_int_t im_logic_push_id(im_logic_publish_t *publish, im_str_t id);
static void im_logic_push_done(im_logic_publish_t *publish, void *data);
static const im_logic_target_t *im_logic_push_worst(
    const im_logic_publish_t *publish);
static void im_logic_push_results(const im_logic_publish_t *publish,
    im_buf_t *b);


static const im_json_field_t  im_logic_push_fields[] = {
    im_json_row(im_logic_push_body_t, STRING, id),
    im_json_row(im_logic_push_body_t, STRINGS, rooms),
    im_json_row(im_logic_push_body_t, STRINGS, users),
    im_json_row(im_logic_push_body_t, BOOL, all),
    im_json_row(im_logic_push_body_t, OBJECT, from),
    im_json_row(im_logic_push_body_t, RAW, data),
    im_json_end
};


static const im_json_field_t  im_logic_from_fields[] = {
    im_json_row(im_logic_push_from_t, STRING, user),
    im_json_row(im_logic_push_from_t, STRING, name),
    im_json_end
};


void
im_logic_push_handler(im_daemon_request_t *r)
{
    im_logic_publish_t  *publish;

    publish = im_logic_publish_create(r, im_logic_push_max(r));
    if (publish == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    if (im_logic_push_read(publish) != IM_OK
        || im_logic_publish_start(publish, r->id, im_logic_push_done, r)
           != IM_OK)
    {
        im_logic_reply_error(r, publish->status, publish->msg);
    }
}


/* A target is 3 bytes of a body, or 6 of a query, at least. */
static im_uint_t
im_logic_push_max(const im_daemon_request_t *r)
{
    im_uint_t    max;
    im_logic_t  *logic;

    logic = r->data;
    max = 2 + (im_uint_t) (r->body.len / 3 + r->query.len / 6);

    return im_min(max, logic->conf.max_targets);
}


static im_int_t
im_logic_push_read(im_logic_publish_t *publish)
{
    im_int_t  rc;

    rc = im_logic_push_by_query(publish->r->query)
         ? im_logic_push_query(publish) : im_logic_push_json(publish);

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
im_logic_push_query(im_logic_publish_t *publish)
{
    size_t                at;
    im_buf_t             *b;
    im_str_t              name, value;
    im_daemon_request_t  *r;

    r = publish->r;
    at = 0;

    while (im_logic_url_arg(r->query, &at, &name, &value) == IM_OK) {
        b = im_daemon_buf(r, value.len);
        im_logic_url_decode(b, value, 1);

        if (b->failed) {
            return im_logic_publish_refuse(publish, 503, "no memory");
        }

        if (im_logic_push_query_arg(publish, name, im_buf_str(b)) != IM_OK) {
            return IM_ERROR;
        }
    }

    return im_logic_push_raw(publish);
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

    return im_str_eq(name, id) ? im_logic_push_id(publish, value) : IM_OK;
}


static im_int_t
im_logic_push_raw(im_logic_publish_t *publish)
{
    size_t                n;
    im_str_t              type, json = im_str("application/json");
    im_daemon_request_t  *r;

    r = publish->r;
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

        switch (im_json_check(r->body)) {

        case IM_OK:
            return IM_OK;

        case IM_DECLINED:
            return im_logic_publish_refuse(publish, 400,
                                           "the body is not JSON");

        default:
            return im_logic_publish_refuse(publish, 503, "no memory");
        }
    }

    publish->message.type = IM_PUSH_TEXT;

    return im_utf8_valid(r->body) ? IM_OK
           : im_logic_publish_refuse(publish, 400, "the body is not UTF-8");
}


static im_int_t
im_logic_push_json(im_logic_publish_t *publish)
{
    const char            *why;
    im_logic_push_body_t   body;

    memset(&body, 0, sizeof(im_logic_push_body_t));

    body.rooms.max = publish->max;
    body.users.max = publish->max;

    if (im_logic_decode(publish->r, publish->r->body, im_logic_push_fields, 0,
                        &body, &why)
        != IM_OK)
    {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    if (body.data.len == 0) {
        return im_logic_publish_refuse(publish, 400, "no data");
    }

    publish->message.type = IM_PUSH_JSON;
    publish->message.data = body.data;

    if ((body.id.data != NULL && im_logic_push_id(publish, body.id) != IM_OK)
        || im_logic_push_targets(publish, &body) != IM_OK)
    {
        return IM_ERROR;
    }

    return body.from.len != 0 ? im_logic_push_from(publish, body.from) : IM_OK;
}


static im_int_t
im_logic_push_targets(im_logic_publish_t *publish,
    const im_logic_push_body_t *body)
{
    im_uint_t  i;

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

    return body->all && im_logic_publish_all(publish) == NULL ? IM_ERROR
                                                              : IM_OK;
}


static im_int_t
im_logic_push_from(im_logic_publish_t *publish, im_str_t from)
{
    const char            *why;
    im_logic_push_from_t   sender;

    memset(&sender, 0, sizeof(im_logic_push_from_t));

    if (im_logic_decode(publish->r, from, im_logic_from_fields, 0, &sender,
                        &why)
        != IM_OK)
    {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    if (!im_logic_name_or_none(sender.user)
        || !im_logic_name_or_none(sender.name))
    {
        return im_logic_publish_refuse(publish, 400, "from holds a name that "
                                       "is not valid");
    }

    publish->message.user = sender.user;
    publish->message.name = sender.name;

    return IM_OK;
}


static im_int_t
im_logic_push_id(im_logic_publish_t *publish, im_str_t id)
{
    publish->message.id = id;

    return id.len != 0 ? IM_OK
           : im_logic_publish_refuse(publish, 400, "an id has 1 to 64 bytes");
}


static void
im_logic_push_done(im_logic_publish_t *publish, void *data)
{
    im_buf_t                 *b;
    im_daemon_request_t      *r = data;
    const im_logic_target_t  *worst;

    worst = im_logic_push_worst(publish);
    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY);

    if (worst == NULL) {
        im_buf_add_z(b, "{\"results\":[");
        im_logic_push_results(publish, b);
        im_buf_add_z(b, "]}");

        im_logic_reply_data(r, b);

    } else if (publish->ntargets == 1) {
        im_logic_reply_error(r, worst->status, worst->msg);

    } else {
        r->retry = worst->status == 503;

        im_logic_print(b, "{\"code\":%u,\"msg\":%J,\"data\":{\"results\":[",
                       worst->status, worst->msg);
        im_logic_push_results(publish, b);
        im_buf_add_z(b, "]}}\n");

        im_logic_reply(r, worst->status, b);
    }
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

        im_logic_print(b, "%z{\"topic\":%j", i == 0 ? "" : ",", t->topic);

        if (t->status == 200) {
            im_logic_print(b, ",\"epoch\":%j,\"seq\":%u}", t->epoch, t->seq);

        } else {
            im_logic_print(b, ",\"code\":%u,\"msg\":%J}", t->status, t->msg);
        }
    }
}
