/*
 * Copyright (C) The im authors
 *
 * The server API's publish and broadcast.
 *
 * Numbers have no gaps: what is published where there is a history is kept in
 * it, so skip_history is refused there.
 */

#include "im_logic_api.h"
#include "im_logic_publish.h"
#include "im_base64.h"
#include "im_key.h"


typedef struct {
    im_str_t            channel;
    im_json_strings_t   channels;
    im_str_t            data;
    im_str_t            b64data;
    im_str_t            tags;
    im_str_t            key;
    int                 skip_history;
    int64_t             version;
} im_logic_api_message_t;


/* A broadcast under way. */
typedef struct {
    im_logic_command_t  *command;
    im_uint_t            n;
    im_logic_target_t   *targets[1];   /* of each channel; NULL: refused */
} im_logic_broadcast_t;


static im_int_t im_logic_api_message(im_logic_command_t *c,
    im_logic_api_message_t *m, im_envelope_t *e);
static im_int_t im_logic_api_data(im_logic_command_t *c,
    const im_logic_api_message_t *m, im_envelope_t *e);
static int im_logic_api_tags_valid(im_logic_command_t *c, im_str_t tags);
static im_logic_target_t *im_logic_api_target(im_logic_publish_t *publish,
    im_str_t channel, const im_logic_api_message_t *m);
static void im_logic_api_published(im_logic_publish_t *publish, void *data);
static void im_logic_api_broadcasted(im_logic_publish_t *publish, void *data);
static void im_logic_api_result(im_buf_t *b, const im_logic_target_t *t);


static const im_json_field_t  im_logic_api_message_fields[] = {
    { im_str("channel"), IM_JSON_STRING,
      offsetof(im_logic_api_message_t, channel) },
    { im_str("channels"), IM_JSON_STRINGS,
      offsetof(im_logic_api_message_t, channels) },
    { im_str("data"), IM_JSON_RAW, offsetof(im_logic_api_message_t, data) },
    { im_str("b64data"), IM_JSON_STRING,
      offsetof(im_logic_api_message_t, b64data) },
    { im_str("tags"), IM_JSON_OBJECT,
      offsetof(im_logic_api_message_t, tags) },
    { im_str("idempotency_key"), IM_JSON_STRING,
      offsetof(im_logic_api_message_t, key) },
    { im_str("skip_history"), IM_JSON_BOOL,
      offsetof(im_logic_api_message_t, skip_history) },
    { im_str("version"), IM_JSON_INT,
      offsetof(im_logic_api_message_t, version) },
    im_json_end
};


void
im_logic_api_publish(im_logic_command_t *c)
{
    im_envelope_t            e;
    im_logic_publish_t      *publish;
    im_logic_api_message_t   m;

    if (im_logic_api_message(c, &m, &e) != IM_OK) {
        return;
    }

    im_json_strings_free(&m.channels);

    publish = im_logic_publish_create(c->logic, 1, IM_NAME_MAX);
    if (publish == NULL) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    publish->message = e;

    if (im_logic_api_target(publish, m.channel, &m) == NULL
        || im_logic_publish_start(publish, im_logic_command_id(c),
                                  im_logic_api_published, c)
           != IM_OK)
    {
        im_logic_command_fail_status(c, publish->status, publish->msg);
        im_logic_publish_free(publish);
    }
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
        im_json_strings_free(&m.channels);
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no channels");
        return;
    }

    publish = im_logic_publish_create(c->logic, n, c->params.len);
    broadcast = im_calloc(sizeof(im_logic_broadcast_t)
                          + n * sizeof(im_logic_target_t *));

    if (publish == NULL || broadcast == NULL) {
        goto failed;
    }

    broadcast->command = c;
    broadcast->n = n;
    publish->message = e;

    for (i = 0; i < n; i++) {
        broadcast->targets[i] = im_logic_api_target(publish,
                                                    m.channels.elts[i], &m);
        if (broadcast->targets[i] == NULL && publish->status == 503) {
            goto failed;
        }
    }

    im_json_strings_free(&m.channels);

    if (im_logic_publish_start(publish, im_logic_command_id(c),
                               im_logic_api_broadcasted, broadcast)
        != IM_OK)
    {
        im_logic_command_fail_status(c, publish->status, publish->msg);
        im_logic_publish_free(publish);
        im_free(broadcast);
    }

    return;

failed:

    if (publish != NULL) {
        im_logic_publish_free(publish);
    }

    im_free(broadcast);
    im_json_strings_free(&m.channels);
    im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
}


/* On IM_ERROR the command has failed and m holds nothing. */
static im_int_t
im_logic_api_message(im_logic_command_t *c, im_logic_api_message_t *m,
    im_envelope_t *e)
{
    memset(m, 0, sizeof(im_logic_api_message_t));
    memset(e, 0, sizeof(im_envelope_t));

    m->channels.max = c->logic->conf.max_targets;

    if (im_logic_command_params(c, im_logic_api_message_fields, m) != IM_OK) {
        return IM_ERROR;
    }

    if (m->version != 0) {
        im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE, "version");
        goto failed;
    }

    if (m->tags.len != 0 && !im_logic_api_tags_valid(c, m->tags)) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                              "tags are an object of strings");
        goto failed;
    }

    e->id = m->key;
    e->tags = m->tags;

    if (im_logic_api_data(c, m, e) == IM_OK) {
        return IM_OK;
    }

failed:

    im_json_strings_free(&m->channels);

    return IM_ERROR;
}


static im_int_t
im_logic_api_data(im_logic_command_t *c, const im_logic_api_message_t *m,
    im_envelope_t *e)
{
    im_int_t  rc;

    e->type = IM_PUSH_JSON;
    e->data = m->data;

    if (m->b64data.len == 0) {

        if (m->data.len == 0) {
            im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "no data");
            return IM_ERROR;
        }

        return IM_OK;
    }

    rc = im_base64_decode(&c->arena, m->b64data, 0, &e->data);

    if (rc == IM_DECLINED) {
        im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                              "b64data is not base64");
        return IM_ERROR;
    }

    if (rc == IM_OK) {
        rc = im_json_check(e->data);
    }

    if (rc == IM_ERROR) {
        im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return IM_ERROR;
    }

    if (rc == IM_DECLINED) {
        e->type = IM_PUSH_BINARY;
    }

    return IM_OK;
}


static int
im_logic_api_tags_valid(im_logic_command_t *c, im_str_t tags)
{
    size_t    at;
    im_int_t  rc;
    im_str_t  name, value;

    at = 0;

    do {
        rc = im_json_next_member(tags, &at, &c->arena, &name, &value);
    } while (rc == IM_OK && value.data[0] == '"');

    return rc == IM_DECLINED;
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


static void
im_logic_api_published(im_logic_publish_t *publish, void *data)
{
    im_logic_target_t   *t;
    im_logic_command_t  *c = data;

    t = &publish->targets[0];

    if (t->status == 200) {
        im_logic_api_result(&c->result, t);
        im_logic_command_done(c);

    } else {
        im_logic_command_fail_status(c, t->status, t->msg);
    }

    im_logic_publish_free(publish);
}


static void
im_logic_api_broadcasted(im_logic_publish_t *publish, void *data)
{
    im_buf_t              *b;
    im_uint_t              i;
    im_logic_target_t     *t;
    im_logic_command_t    *c;
    im_logic_broadcast_t  *broadcast = data;

    c = broadcast->command;
    b = &c->result;

    im_buf_add_z(b, "{\"responses\":[");

    for (i = 0; i < broadcast->n; i++) {
        t = broadcast->targets[i];

        im_buf_add_z(b, i == 0 ? "{" : ",{");

        if (t != NULL && t->status == 200) {
            im_buf_add_z(b, "\"result\":");
            im_logic_api_result(b, t);

        } else if (t != NULL) {
            im_buf_add_z(b, "\"error\":");
            im_logic_api_add_error(b, im_logic_api_error(t->status), t->msg);

        } else {
            im_buf_add_z(b, "\"error\":");
            im_logic_api_add_error(b, IM_ERROR_BAD_REQUEST,
                                   "a channel's name is not valid");
        }

        im_buf_add_z(b, "}");
    }

    im_buf_add_z(b, "]}");

    im_logic_publish_free(publish);
    im_free(broadcast);
    im_logic_command_done(c);
}


/* A position says something only where there is a history. */
static void
im_logic_api_result(im_buf_t *b, const im_logic_target_t *t)
{
    im_buf_add_z(b, "{");

    if (t->numbered) {
        im_buf_add_z(b, "\"offset\":");
        im_buf_add_uint(b, t->seq);
        im_buf_add_z(b, ",\"epoch\":");
        im_json_add_string(b, t->epoch);
    }

    im_buf_add_z(b, "}");
}
