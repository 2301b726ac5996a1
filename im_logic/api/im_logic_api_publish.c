/*
 * Copyright (C) The im authors
 *
 * The server API's publish and broadcast.
 */

#include "im_logic_api.h"
#include "im_logic_print.h"
#include "im_logic_publish.h"
#include "im_base64.h"


typedef struct {
    im_str_t            channel;
    im_json_strings_t   channels;
    im_str_t            data;
    im_str_t            b64data;
    im_str_t            tags;
    im_str_t            key;
    im_str_t            durability;
    int                 skip_history;
    int64_t             version;
} im_logic_api_message_t;


/* A broadcast under way. */
typedef struct {
    im_logic_command_t  *command;
    im_uint_t            n;
    im_logic_target_t   *targets[];     /* of each channel; NULL: refused */
} im_logic_broadcast_t;


static const im_json_field_t  im_logic_api_message_fields[] = {
    im_json_row(im_logic_api_message_t, STRING, channel),
    im_json_row(im_logic_api_message_t, STRINGS, channels),
    im_json_row(im_logic_api_message_t, RAW, data),
    im_json_row(im_logic_api_message_t, STRING, b64data),
    im_json_row(im_logic_api_message_t, OBJECT, tags),
    im_json_row_as(im_logic_api_message_t, STRING, "idempotency_key", key),
    im_json_row(im_logic_api_message_t, STRING, durability),
    im_json_row(im_logic_api_message_t, BOOL, skip_history),
    im_json_row(im_logic_api_message_t, INT, version),
    im_json_end
};


static im_int_t
im_logic_api_tags(im_logic_command_t *c, im_str_t tags)
{
    size_t     at;
    im_int_t   rc;
    im_str_t   name, value;
    im_buf_t  *names;

    at = 0;
    names = im_daemon_buf(c->r, tags.len);

    do {
        rc = im_json_next_member(tags, &at, names, &name, &value);
    } while (rc == IM_OK && value.data[0] == '"');

    if (rc == IM_OK) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "tags are an object of strings");
    }

    return im_logic_command_check(c, rc == IM_ERROR ? "no memory" : NULL);
}


static im_int_t
im_logic_api_data(im_logic_command_t *c, const im_logic_api_message_t *m,
    im_envelope_t *e)
{
    im_int_t  rc;

    e->type = IM_PUSH_JSON;
    e->data = m->data;

    if (m->b64data.len == 0 && m->data.len == 0) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no data");
    }

    if (m->b64data.len == 0) {
        return IM_OK;
    }

    rc = im_base64_decode(im_daemon_buf(c->r, m->b64data.len), m->b64data, 0,
                          &e->data);

    if (rc == IM_DECLINED) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "b64data is not base64");
    }

    if (rc == IM_OK) {
        rc = im_push_classify(e->data, &e->type);
    }

    return im_logic_command_check(c, rc == IM_ERROR ? "no memory" : NULL);
}


/* On IM_ERROR the command has failed. */
static im_int_t
im_logic_api_message(im_logic_command_t *c, im_logic_api_message_t *m,
    im_envelope_t *e)
{
    memset(m, 0, sizeof(im_logic_api_message_t));
    memset(e, 0, sizeof(im_envelope_t));

    m->channels.max = c->logic->conf.max_targets;

    if (im_logic_command_decode(c, c->params, im_logic_api_message_fields, m)
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (m->version != 0) {
        return im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE, "version");
    }

    if (m->tags.len != 0 && im_logic_api_tags(c, m->tags) != IM_OK) {
        return IM_ERROR;
    }

    e->id = m->key;
    e->tags = m->tags;

    return im_logic_api_data(c, m, e);
}


/* On IM_ERROR the command has failed. */
static im_int_t
im_logic_api_durability(im_logic_command_t *c, im_logic_publish_t *publish,
    im_str_t value)
{
    if (value.data == NULL
        || im_logic_publish_durability(publish, value) == IM_OK)
    {
        return IM_OK;
    }

    im_logic_command_fail_status(c, publish->status, publish->msg);

    return IM_ERROR;
}


static im_logic_target_t *
im_logic_api_target(im_logic_publish_t *publish, im_str_t channel,
    const im_logic_api_message_t *m)
{
    im_logic_target_t  *t;

    if (channel.len == 0) {
        (void) im_logic_publish_refuse(publish, 400, "no channel");
        return NULL;
    }

    if (channel.data[0] != '#') {
        t = im_logic_publish_room(publish, channel);

    } else if (channel.len > 1) {
        t = im_logic_publish_user(publish, im_str_set(channel.data + 1,
                                                      channel.len - 1));

    } else {
        t = im_logic_publish_all(publish);
    }

    if (t != NULL && m->skip_history) {
        t->unnumbered = 1;
    }

    return t;
}


/* Only a message of a history has a position. */
static void
im_logic_api_result(im_buf_t *b, const im_logic_target_t *t)
{
    if (t->numbered) {
        im_logic_print(b, "{\"offset\":%u,\"epoch\":%j}", t->seq, t->epoch);

    } else {
        im_buf_add_z(b, "{}");
    }
}


static void
im_logic_api_published(im_logic_publish_t *publish, void *data)
{
    im_logic_target_t   *t;
    im_logic_command_t  *c = data;

    t = &publish->targets[0];

    if (t->status == 200) {
        im_logic_api_result(c->result, t);
        im_logic_command_done(c);

    } else {
        im_logic_command_fail_status(c, t->status, t->msg);
    }
}


void
im_logic_api_publish(im_logic_command_t *c)
{
    im_envelope_t            e;
    im_logic_publish_t      *publish;
    im_logic_api_message_t   m;

    if (im_logic_api_message(c, &m, &e) != IM_OK) {
        return;
    }

    publish = im_logic_publish_create(c->r, 1);
    if (publish == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    publish->message = e;

    if (im_logic_api_durability(c, publish, m.durability) != IM_OK) {
        return;
    }

    if (im_logic_api_target(publish, m.channel, &m) == NULL
        || im_logic_publish_start(publish, im_logic_command_id(c),
                                  im_logic_api_published, c)
           != IM_OK)
    {
        im_logic_command_fail_status(c, publish->status, publish->msg);
    }
}


static void
im_logic_api_broadcasted(im_logic_publish_t *publish, void *data)
{
    im_buf_t              *b;
    im_uint_t              i;
    im_logic_target_t     *t;
    im_logic_broadcast_t  *broadcast = data;

    b = broadcast->command->result;

    im_buf_add_z(b, "{\"responses\":[");

    for (i = 0; i < broadcast->n; i++) {
        t = broadcast->targets[i];

        im_logic_print(b, "%z{\"%z\":", i == 0 ? "" : ",",
                       t != NULL && t->status == 200 ? "result" : "error");

        if (t == NULL) {
            im_logic_api_add_error(b, IM_ERROR_BAD_REQUEST,
                                   "a channel's name is not valid");

        } else if (t->status != 200) {
            im_logic_api_add_error(b, im_logic_api_error(t->status), t->msg);

        } else {
            im_logic_api_result(b, t);
        }

        im_buf_add_z(b, "}");
    }

    im_buf_add_z(b, "]}");

    im_logic_command_done(broadcast->command);
}


void
im_logic_api_broadcast(im_logic_command_t *c)
{
    im_uint_t                i, n;
    im_envelope_t            e;
    im_logic_publish_t      *publish;
    im_logic_broadcast_t    *broadcast;
    im_logic_api_message_t   m;

    if (im_logic_api_message(c, &m, &e) != IM_OK) {
        return;
    }

    n = m.channels.n;

    if (n == 0) {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no channels");
        return;
    }

    publish = im_logic_publish_create(c->r, n);
    broadcast = im_daemon_alloc(c->r, sizeof(im_logic_broadcast_t)
                                      + n * sizeof(im_logic_target_t *));

    if (publish == NULL || broadcast == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    if (im_logic_api_durability(c, publish, m.durability) != IM_OK) {
        return;
    }

    publish->message = e;
    broadcast->command = c;
    broadcast->n = n;

    for (i = 0; i < n; i++) {
        broadcast->targets[i] = im_logic_api_target(publish,
                                                    m.channels.elts[i], &m);
        if (broadcast->targets[i] == NULL && publish->status == 503) {
            (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
            return;
        }
    }

    if (im_logic_publish_start(publish, im_logic_command_id(c),
                               im_logic_api_broadcasted, broadcast)
        != IM_OK)
    {
        im_logic_command_fail_status(c, publish->status, publish->msg);
    }
}
