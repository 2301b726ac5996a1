/*
 * Copyright (C) The im authors
 *
 * POST /im/push: one message for any number of topics, one answer.
 */

#include "im_logic_push.h"
#include "im_logic_print.h"
#include "im_logic_publish.h"
#include "im_logic_type.h"
#include "im_logic_url.h"
#include "im_utf8.h"


/* The JSON form. */
typedef struct {
    im_str_t           id;
    im_json_strings_t  rooms;
    im_json_strings_t  users;
    im_json_strings_t  keys;
    int                all;
    int64_t            operation;
    im_str_t           from;
    im_str_t           durability;
    im_str_t           data;
} im_logic_push_body_t;


typedef struct {
    im_str_t  user;
    im_str_t  name;
} im_logic_push_from_t;


static const im_json_field_t  im_logic_push_fields[] = {
    im_json_row(im_logic_push_body_t, STRING, id),
    im_json_row(im_logic_push_body_t, STRINGS, rooms),
    im_json_row(im_logic_push_body_t, STRINGS, users),
    im_json_row(im_logic_push_body_t, STRINGS, keys),
    im_json_row(im_logic_push_body_t, BOOL, all),
    im_json_row(im_logic_push_body_t, INT, operation),
    im_json_row(im_logic_push_body_t, OBJECT, from),
    im_json_row(im_logic_push_body_t, STRING, durability),
    im_json_row(im_logic_push_body_t, RAW, data),
    im_json_end
};


static const im_json_field_t  im_logic_from_fields[] = {
    im_json_row(im_logic_push_from_t, STRING, user),
    im_json_row(im_logic_push_from_t, STRING, name),
    im_json_end
};


static im_int_t
im_logic_push_id(im_logic_publish_t *publish, im_str_t id)
{
    publish->message.id = id;

    return id.len != 0 ? IM_OK
           : im_logic_publish_refuse(publish, 400, "an id has 1 to 64 bytes");
}


static im_int_t
im_logic_push_operation(im_logic_publish_t *publish, int64_t operation)
{
    publish->message.operation = (int32_t) operation;

    return operation >= INT32_MIN && operation <= INT32_MAX ? IM_OK
           : im_logic_publish_refuse(publish, 400, "operation must be an "
                                     "integer of 32 bits");
}


static im_int_t
im_logic_push_query_arg(im_logic_publish_t *publish, im_str_t name,
    im_str_t value)
{
    uint64_t            operation;
    im_logic_target_t  *t;

    if (im_str_eq(name, im_str_z("id"))) {
        return im_logic_push_id(publish, value);
    }

    if (im_str_eq(name, im_str_z("operation"))) {
        return im_logic_push_operation(publish,
                   im_decimal_decode(value, &operation) == IM_OK
                   && operation <= INT32_MAX ? (int64_t) operation
                                             : INT64_MAX);
    }

    if (im_str_eq(name, im_str_z("durability"))) {
        return im_logic_publish_durability(publish, value);
    }

    if (im_str_eq(name, im_str_z("room"))) {
        t = im_logic_publish_room(publish, value);

    } else if (im_str_eq(name, im_str_z("user"))) {
        t = im_logic_publish_user(publish, value);

    } else if (im_str_eq(name, im_str_z("key"))) {
        t = im_logic_publish_key(publish, value);

    } else if (!im_str_eq(name, im_str_z("all"))) {
        return IM_OK;

    } else if (im_str_eq(value, im_str_z("1"))
               || im_str_eq(value, im_str_z("true")))
    {
        t = im_logic_publish_all(publish);

    } else {
        return im_logic_publish_refuse(publish, 400, "all is 1 or not there");
    }

    return t != NULL ? IM_OK : IM_ERROR;
}


/* Bytes are JSON or text if they can be, as those of clients are. */
static im_int_t
im_logic_push_bytes(im_logic_publish_t *publish)
{
    return im_push_classify(publish->r->body, &publish->message.type) == IM_OK
           ? IM_OK : im_logic_publish_refuse(publish, 503, "no memory");
}


static im_int_t
im_logic_push_raw(im_logic_publish_t *publish)
{
    im_int_t              rc;
    im_daemon_request_t  *r;

    r = publish->r;

    if (r->body.len == 0) {
        return im_logic_publish_refuse(publish, 400, "the body is empty");
    }

    publish->message.data = r->body;

    if (im_logic_type(r->type) == IM_TYPE_JSON) {
        publish->message.type = IM_PUSH_JSON;

        rc = im_json_check(r->body);

        if (rc == IM_DECLINED) {
            return im_logic_publish_refuse(publish, 400,
                                           "the body is not JSON");
        }

        return rc == IM_OK ? IM_OK
               : im_logic_publish_refuse(publish, 503, "no memory");
    }

    if (im_logic_type(r->type) == IM_TYPE_BYTES) {
        return im_logic_push_bytes(publish);
    }

    publish->message.type = IM_PUSH_TEXT;

    return im_utf8_valid(r->body) ? IM_OK
           : im_logic_publish_refuse(publish, 400, "the body is not UTF-8");
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
im_logic_push_from(im_logic_publish_t *publish, im_str_t from)
{
    const char            *why;
    im_logic_push_from_t   sender;

    memset(&sender, 0, sizeof(im_logic_push_from_t));

    if (im_logic_decode_member(publish->r, "from", from, im_logic_from_fields,
                               &sender, &why)
        != IM_OK)
    {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    why = im_logic_json_known(publish->r, from, im_logic_from_fields,
                              "a push", "from");

    if (why != NULL) {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    if (!im_logic_name_or_none(sender.user)
        || !im_logic_name_or_none(sender.name))
    {
        why = im_logic_text(publish->r, "\"from.%s\" is not a valid name: 1 to "
                            "253 bytes of UTF-8 without control characters",
                            im_str_z(im_logic_name_or_none(sender.user)
                                     ? "name" : "user"));
        return im_logic_publish_refuse(publish, 400, why);
    }

    publish->message.user = sender.user;
    publish->message.name = sender.name;

    return IM_OK;
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

    for (i = 0; i < body->keys.n; i++) {
        if (im_logic_publish_key(publish, body->keys.elts[i]) == NULL) {
            return IM_ERROR;
        }
    }

    return body->all && im_logic_publish_all(publish) == NULL ? IM_ERROR
                                                              : IM_OK;
}


static im_int_t
im_logic_push_json(im_logic_publish_t *publish)
{
    const char            *why;
    im_logic_push_body_t   body;

    memset(&body, 0, sizeof(im_logic_push_body_t));

    body.rooms.max = publish->max;
    body.users.max = publish->max;
    body.keys.max = publish->max;

    if (im_logic_decode(publish->r, publish->r->body, im_logic_push_fields, 0,
                        &body, &why)
        != IM_OK)
    {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    why = im_logic_json_known(publish->r, publish->r->body,
                              im_logic_push_fields, "a push", NULL);

    if (why != NULL) {
        return im_logic_publish_refuse(publish, im_logic_json_status(why), why);
    }

    if (body.data.len == 0) {
        return im_logic_publish_refuse(publish, 400, "no data: a push has a "
                                       "member \"data\"");
    }

    publish->message.type = IM_PUSH_JSON;
    publish->message.data = body.data;

    if (body.id.data != NULL && im_logic_push_id(publish, body.id) != IM_OK) {
        return IM_ERROR;
    }

    if (body.durability.data != NULL
        && im_logic_publish_durability(publish, body.durability) != IM_OK)
    {
        return IM_ERROR;
    }

    if (im_logic_push_operation(publish, body.operation) != IM_OK
        || im_logic_push_targets(publish, &body) != IM_OK)
    {
        return IM_ERROR;
    }

    return body.from.len != 0 ? im_logic_push_from(publish, body.from) : IM_OK;
}


static const char *const  im_logic_push_known[] = {
    "room", "user", "key", "all", "id", "durability", "operation", NULL
};


/* *query: it has targets, which say that the body is the message itself. */
static im_int_t
im_logic_push_args(im_logic_publish_t *publish, int *query)
{
    size_t       at;
    im_str_t     name, value, with;
    const char  *why;

    at = 0;
    *query = 0;
    with.len = 0;

    while (im_logic_url_arg(publish->r->query, &at, &name, &value) == IM_OK) {

        if (im_str_eq(name, im_str_z("room"))
            || im_str_eq(name, im_str_z("user"))
            || im_str_eq(name, im_str_z("key"))
            || im_str_eq(name, im_str_z("all")))
        {
            *query = 1;

        } else if (im_str_eq(name, im_str_z("id"))
                   || im_str_eq(name, im_str_z("durability"))
                   || im_str_eq(name, im_str_z("operation")))
        {
            with = name;

        } else if (!im_str_eq(name, im_str_z("api_key"))) {
            why = im_logic_query_strange(publish->r, name,
                                         im_logic_push_known);
            return im_logic_publish_refuse(publish, 400, why);
        }
    }

    if (with.len != 0 && !*query) {
        why = im_logic_text(publish->r, "%s= in the query goes with room=, "
                            "user=, key= or all=1 there; here it is a member "
                            "of the body", with);
        return im_logic_publish_refuse(publish, 400, why);
    }

    return IM_OK;
}


static im_int_t
im_logic_push_read(im_logic_publish_t *publish)
{
    int          query;
    im_uint_t    status;
    const char  *why;

    if (im_logic_push_args(publish, &query) != IM_OK) {
        return IM_ERROR;
    }

    status = im_logic_body(publish->r, query, &why);

    if (status != 0) {
        return im_logic_publish_refuse(publish, status, why);
    }

    if ((query ? im_logic_push_query(publish) : im_logic_push_json(publish))
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (publish->ntargets == 0) {
        return im_logic_publish_refuse(publish, 400, "no target: name rooms, "
                                       "users, keys or all");
    }

    return IM_OK;
}


/* Where none was accepted, a 503 counts most: trying again may help. */
static void
im_logic_push_done(im_logic_publish_t *publish, void *data)
{
    im_buf_t                 *b;
    im_uint_t                 i, status;
    im_daemon_request_t      *r = data;
    const im_logic_target_t  *t, *worst;

    worst = &publish->targets[0];
    status = 0;

    for (i = 0; i < publish->ntargets && status != 200; i++) {
        t = &publish->targets[i];
        status = t->status;

        if (status == 200 || status > worst->status) {
            worst = t;
        }
    }

    status = worst->status;

    if (status != 200 && publish->ntargets == 1) {
        im_logic_reply_error(r, status, worst->msg);
        return;
    }

    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY + 64);

    im_logic_print(b, "{\"code\":%u,\"msg\":%J,\"data\":{\"results\":[",
                   status == 200 ? 0 : status,
                   status == 200 ? "success" : worst->msg);

    for (i = 0; i < publish->ntargets; i++) {
        t = &publish->targets[i];

        im_logic_print(b, "%z{\"topic\":%j", i == 0 ? "" : ",", t->topic);

        if (t->status == 200) {
            im_logic_print(b, ",\"epoch\":%j,\"seq\":%u}", t->epoch, t->seq);

        } else {
            im_logic_print(b, ",\"code\":%u,\"msg\":%J}", t->status, t->msg);
        }
    }

    im_buf_add_z(b, "]}}\n");
    im_logic_reply(r, im_logic_status(status), b);
}


void
im_logic_push_handler(im_daemon_request_t *r)
{
    im_uint_t            max;
    im_logic_t          *logic;
    im_logic_publish_t  *publish;

    logic = r->data;

    /* a target is 3 bytes of a body, or 6 of a query, at least */
    max = 2 + (im_uint_t) (r->body.len / 3 + r->query.len / 6);

    publish = im_logic_publish_create(r, im_min(max, logic->conf.max_targets));
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
