/*
 * Copyright (C) The im authors
 *
 * The server API's subscribe, unsubscribe, disconnect and refresh: control
 * entries to every worker.  A command succeeds when its entry is sent, with
 * or without a session that it concerns.
 */

#include "im_logic_api.h"
#include "im_logic_control.h"
#include "im_logic_nodes.h"
#include "im_base64.h"
#include "im_override.h"


#define IM_API_DISCONNECT   3503
#define IM_API_UNSUBSCRIBE  2000
#define IM_API_REASON       123         /* what a close frame can hold */


typedef struct {
    im_str_t            user;
    im_str_t            client;
    im_str_t            session;
    im_str_t            channel;
    im_str_t            disconnect;     /* {"code","reason"} */
    im_json_strings_t   whitelist;
    im_str_t            info;
    im_str_t            data;
    im_str_t            since;          /* {"offset","epoch"} */
    im_str_t            override;
    im_str_t            b64info;
    im_str_t            b64data;
    int                 expired;
    int64_t             expire_at;
} im_logic_api_target_t;


typedef struct {
    int64_t             code;
    im_str_t            reason;
} im_logic_api_reason_t;


static const im_json_field_t  im_logic_api_target_fields[] = {
    im_json_row(im_logic_api_target_t, STRING, user),
    im_json_row(im_logic_api_target_t, STRING, client),
    im_json_row(im_logic_api_target_t, STRING, session),
    im_json_row(im_logic_api_target_t, STRING, channel),
    im_json_row(im_logic_api_target_t, RAW, info),
    im_json_row(im_logic_api_target_t, RAW, data),
    im_json_row_as(im_logic_api_target_t, OBJECT, "recover_since", since),
    im_json_row(im_logic_api_target_t, OBJECT, override),
    im_json_row(im_logic_api_target_t, STRING, b64info),
    im_json_row(im_logic_api_target_t, STRING, b64data),
    im_json_row(im_logic_api_target_t, BOOL, expired),
    im_json_row(im_logic_api_target_t, INT, expire_at),
    im_json_end
};


static const im_json_field_t  im_logic_api_disconnect_fields[] = {
    im_json_row(im_logic_api_target_t, STRING, user),
    im_json_row(im_logic_api_target_t, STRING, client),
    im_json_row(im_logic_api_target_t, STRING, session),
    im_json_row(im_logic_api_target_t, OBJECT, disconnect),
    im_json_row(im_logic_api_target_t, STRINGS, whitelist),
    im_json_end
};


static const im_json_field_t  im_logic_api_reason_fields[] = {
    im_json_row(im_logic_api_reason_t, INT, code),
    im_json_row(im_logic_api_reason_t, STRING, reason),
    im_json_end
};


/* The user or session that a command concerns.  On IM_ERROR it has failed. */
static im_int_t
im_logic_api_control_params(im_logic_command_t *c,
    const im_json_field_t *fields, im_logic_api_target_t *t)
{
    memset(t, 0, sizeof(im_logic_api_target_t));

    t->whitelist.max = IM_CONTROL_EXCEPT_MAX;

    if (im_logic_command_decode(c, c->params, fields, t) != IM_OK) {
        return IM_ERROR;
    }

    if (t->client.len == 0) {
        t->client = t->session;
    }

    if (im_str_eq(t->info, im_str_z("null"))) {
        t->info.len = 0;
    }

    if (im_str_eq(t->data, im_str_z("null"))) {
        t->data.len = 0;
    }

    if ((t->user.len != 0 || t->client.len != 0)
        && im_logic_name_or_none(t->user) && im_logic_name_or_none(t->client))
    {
        return IM_OK;
    }

    return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                 "no user, or one that is not valid");
}


/*
 * The rule of a room; NULL: the command has failed.  Sessions follow inboxes
 * and the broadcast always.
 */
static const im_rule_t *
im_logic_api_control_room(im_logic_command_t *c, im_str_t channel)
{
    im_logic_channel_t  ch;

    if (im_logic_command_channel(c, channel, &ch) != IM_OK) {
        return NULL;
    }

    if (channel.data[0] == '#') {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "the channel is not a room");
        return NULL;
    }

    if (ch.rule == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_UNKNOWN_CHANNEL, NULL);
    }

    return ch.rule;
}


/* It can take from what the rule gives, not add to it. */
static im_int_t
im_logic_api_control_override(im_logic_command_t *c, im_str_t json,
    const im_rule_t *rule)
{
    im_int_t       rc;
    im_override_t  o;

    rc = im_override_decode(json, &o);

    if (rc == IM_DECLINED) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "override has members like "
                                     "\"presence\":{\"value\":false}");
    }

    if (rc == IM_OK && !rule->presence
        && (o.on & (IM_OVERRIDE_PRESENCE|IM_OVERRIDE_JOIN_LEAVE
                    |IM_OVERRIDE_PUSH_JOINS)))
    {
        return im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                                     "override: the rule of the room has no "
                                     "presence");
    }

    if (rc == IM_OK && rule->history == 0
        && (o.on & (IM_OVERRIDE_RECOVERY|IM_OVERRIDE_POSITIONING)))
    {
        return im_logic_command_fail(c, IM_ERROR_NOT_AVAILABLE,
                                     "override: the rule of the room has no "
                                     "history");
    }

    return im_logic_command_check(c, rc == IM_OK ? NULL : "no memory");
}


static im_int_t
im_logic_api_control_position(im_logic_command_t *c,
    const im_logic_api_target_t *t, im_logic_api_since_t *since)
{
    memset(since, 0, sizeof(im_logic_api_since_t));

    if (t->since.len != 0
        && im_logic_command_decode(c, t->since, im_logic_api_since_fields,
                                   since)
           != IM_OK)
    {
        return IM_ERROR;
    }

    if (since->offset < 0 || t->expire_at < 0) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "recover_since, expire_at");
    }

    return IM_OK;
}


/* On IM_ERROR the command has failed. */
static im_int_t
im_logic_api_control_base64(im_logic_command_t *c, im_str_t text,
    im_str_t *bytes)
{
    im_int_t  rc;

    if (text.len == 0) {
        return IM_OK;
    }

    rc = im_base64_decode(im_daemon_buf(c->r, text.len), text, 0, bytes);

    if (rc == IM_DECLINED) {
        return im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "b64info and b64data are base64");
    }

    return im_logic_command_check(c, rc == IM_OK ? NULL : "no memory");
}


static void
im_logic_api_control(im_logic_command_t *c, const im_logic_api_target_t *t,
    im_control_t *control)
{
    if (im_logic_command_check(c, im_logic_unready(c->logic)) == IM_OK) {
        control->user = t->user;
        control->session = t->client;

        im_logic_control(c->r, control, im_logic_command_control_handler, c);
    }
}


void
im_logic_api_subscribe(im_logic_command_t *c)
{
    im_control_t            control;
    const im_rule_t        *rule;
    im_logic_api_since_t    since;
    im_logic_api_target_t   t;

    if (im_logic_api_control_params(c, im_logic_api_target_fields, &t)
        != IM_OK)
    {
        return;
    }

    rule = im_logic_api_control_room(c, t.channel);

    if (rule == NULL
        || im_logic_api_control_override(c, t.override, rule) != IM_OK
        || im_logic_api_control_position(c, &t, &since) != IM_OK
        || im_logic_api_control_base64(c, t.b64info, &t.info) != IM_OK
        || im_logic_api_control_base64(c, t.b64data, &t.data) != IM_OK)
    {
        return;
    }

    if (t.info.len > UINT16_MAX) {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "info is too large");
        return;
    }

    im_control_init(&control, IM_CONTROL_SUBSCRIBE);

    control.room = t.channel;
    control.info = t.info;
    control.data = t.data;
    control.override = t.override;
    control.expire_at = t.expire_at > 0 ? t.expire_at : -1;

    if (t.since.len != 0) {
        control.epoch = since.epoch;
        control.seq = since.offset;
    }

    im_logic_api_control(c, &t, &control);
}


void
im_logic_api_unsubscribe(im_logic_command_t *c)
{
    im_control_t            control;
    im_logic_api_target_t   t;

    if (im_logic_api_control_params(c, im_logic_api_target_fields, &t)
        != IM_OK)
    {
        return;
    }

    /* as in Centrifugo: without a channel nothing happens */

    if (t.channel.len == 0) {
        im_logic_command_end(c, NULL);
        return;
    }

    if (im_logic_api_control_room(c, t.channel) == NULL) {
        return;
    }

    im_control_init(&control, IM_CONTROL_UNSUBSCRIBE);

    control.room = t.channel;
    control.code = IM_API_UNSUBSCRIBE;
    control.reason = im_str_z("server unsubscribe");

    im_logic_api_control(c, &t, &control);
}


void
im_logic_api_disconnect(im_logic_command_t *c)
{
    im_control_t            control;
    im_logic_api_reason_t   reason;
    im_logic_api_target_t   t;

    if (im_logic_api_control_params(c, im_logic_api_disconnect_fields, &t)
        != IM_OK)
    {
        return;
    }

    memset(&reason, 0, sizeof(im_logic_api_reason_t));

    if (t.disconnect.len == 0) {
        reason.code = IM_API_DISCONNECT;
        reason.reason = im_str_z("force disconnect");

    } else if (im_logic_command_decode(c, t.disconnect,
                                       im_logic_api_reason_fields, &reason)
               != IM_OK)
    {
        return;
    }

    if (reason.code < 3000 || reason.code > 4999
        || reason.reason.len > IM_API_REASON)
    {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, "a disconnect's "
                                     "code is 3000 to 4999, its reason 123 "
                                     "bytes");
        return;
    }

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    control.code = reason.code;
    control.reason = reason.reason;
    control.except = t.whitelist;

    im_logic_api_control(c, &t, &control);
}


void
im_logic_api_refresh(im_logic_command_t *c)
{
    im_control_t            control;
    im_logic_api_target_t   t;

    if (im_logic_api_control_params(c, im_logic_api_target_fields, &t)
        != IM_OK)
    {
        return;
    }

    if (t.expire_at < 0 || t.info.len > UINT16_MAX) {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST, t.expire_at < 0
                                     ? "expire_at" : "info is too large");
        return;
    }

    im_control_init(&control, IM_CONTROL_REFRESH);

    control.expired = t.expired;
    control.expire_at = t.expire_at > 0 ? t.expire_at : -1;
    control.info = t.info;

    im_logic_api_control(c, &t, &control);
}
