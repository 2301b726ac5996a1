/*
 * Copyright (C) The im authors
 *
 * Commands of clients: one after another, in the order in which they came.
 *
 * A command that has to ask somebody else makes those behind it wait, in the
 * message or the socket, so a session has one question under way and no queue.
 * A subscription doesn't: it is answered when its topic is ready (resume).
 */

#include "ngx_im_command.h"
#include "ngx_im_auth.h"
#include "ngx_im_expiry.h"
#include "ngx_im_publish.h"
#include "ngx_im_query.h"
#include "ngx_im_reply.h"
#include "ngx_im_resume.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"
#include "ngx_im_token.h"
#include "ngx_im_webhook.h"
#include "im_key.h"


typedef ngx_int_t (*ngx_im_command_pt)(ngx_im_session_t *s,
    const im_command_t *command);


static ngx_uint_t ngx_im_command_throttle(ngx_im_session_t *s);
static ngx_int_t ngx_im_command_run(ngx_im_session_t *s, im_kind_e kind,
    const im_command_t *command, im_str_t message);
static ngx_int_t ngx_im_command_echo(ngx_im_session_t *s, im_kind_e kind,
    im_str_t message);
static ngx_int_t ngx_im_command_none(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_fault(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_refused(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_pong(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_subscribe(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_uint_t ngx_im_command_may_join(ngx_im_session_t *s,
    im_str_t topic, const im_rule_t *rule);
static ngx_int_t ngx_im_command_unsubscribe(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_unavailable(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_rpc(ngx_im_session_t *s,
    const im_command_t *command);
static ngx_int_t ngx_im_command_send(ngx_im_session_t *s,
    const im_command_t *command);


/* By im_command_e; ECHO needs more than its command. */
static const ngx_im_command_pt  ngx_im_commands[] = {
    ngx_im_command_none,
    ngx_im_auth_command,
    NULL,
    ngx_im_command_fault,
    ngx_im_command_refused,
    ngx_im_command_pong,
    ngx_im_command_subscribe,
    ngx_im_command_unsubscribe,
    ngx_im_publish_command,
    ngx_im_query_command,            /* presence */
    ngx_im_query_command,            /* presence_stats */
    ngx_im_query_command,            /* history */
    ngx_im_command_rpc,
    ngx_im_command_send,
    ngx_im_token_refresh,
    ngx_im_token_sub_refresh
};


ngx_int_t
ngx_im_command_message(ngx_im_session_t *s, im_kind_e kind, im_str_t *rest)
{
    im_str_t          message;
    ngx_int_t         rc;
    im_command_t      command;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    do {
        if (ngx_im_command_waits(s) || ngx_im_command_throttle(s)) {
            return NGX_AGAIN;
        }

        message = *rest;

        im_buf_reset(&w->arena, 65536);

        s->conf->proto->decode(rest, s->phase != NGX_IM_CONNECTING, &w->arena,
                               &command);

        rc = ngx_im_command_run(s, kind, &command, message);

        if (s->phase == NGX_IM_CLOSED) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN) {
            *rest = message;
            return NGX_AGAIN;
        }

    } while (rest->len > 0 && s->phase < NGX_IM_ENDING);

    return NGX_OK;
}


/* So many in a second, the others in the next one. */
static ngx_uint_t
ngx_im_command_throttle(ngx_im_session_t *s)
{
    uint32_t       now;
    ngx_uint_t     max;
    ngx_im_ext_t  *ext;

    ext = s->ext;
    max = s->conf->main->commands;

    if (ext == NULL || max == 0) {
        return 0;
    }

    now = ngx_time();

    if (ext->second != now) {
        ext->second = now;
        ext->ncommands = 0;
    }

    if (ext->ncommands < max) {
        ext->ncommands++;
        return 0;
    }

    im_list_insert_tail(&ngx_im_worker->throttled, &ext->throttled);

    return 1;
}


void
ngx_im_command_tick(ngx_im_worker_t *w)
{
    im_list_t     *q;
    ngx_im_ext_t  *ext;

    while (!im_list_empty(&w->throttled)) {
        q = im_list_first(&w->throttled);
        ext = im_list_data(q, ngx_im_ext_t, throttled);

        im_list_remove(q);

        ngx_im_recv_continue(ext->session);
    }
}


static ngx_int_t
ngx_im_command_run(ngx_im_session_t *s, im_kind_e kind,
    const im_command_t *command, im_str_t message)
{
    if (command->type == IM_COMMAND_ECHO) {
        return ngx_im_command_echo(s, kind, message);
    }

    if (s->ext != NULL && s->ext->failed) {
        ngx_im_session_close(s, IM_REASON_BAD_REQUEST, "connect was refused");
        return NGX_ERROR;
    }

    return ngx_im_commands[command->type](s, command);
}


static ngx_int_t
ngx_im_command_echo(ngx_im_session_t *s, im_kind_e kind, im_str_t message)
{
    size_t     start;
    im_buf_t  *b;

    b = &ngx_im_worker->scratch;

    im_buf_reset(b, 65536);

    start = im_frame_start(b, s->transport);
    im_buf_add_str(b, message);
    im_frame_end(b, s->transport, start, kind);

    if (b->failed) {
        ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
        return NGX_ERROR;
    }

    ngx_im_worker->counters->messages_out++;

    return ngx_im_send_reply(s, im_buf_str(b));
}


static ngx_int_t
ngx_im_command_none(ngx_im_session_t *s, const im_command_t *command)
{
    (void) s;
    (void) command;

    return NGX_OK;
}


static ngx_int_t
ngx_im_command_fault(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_session_close(s, command->fault, command->why);

    return NGX_ERROR;
}


static ngx_int_t
ngx_im_command_refused(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_command_error(s, command->id, command->error);
}


static ngx_int_t
ngx_im_command_pong(ngx_im_session_t *s, const im_command_t *command)
{
    (void) command;

    if (!s->pinged) {
        ngx_im_session_close(s, IM_REASON_BAD_REQUEST, "pong without a ping");
        return NGX_ERROR;
    }

    s->pinged = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_im_command_subscribe(ngx_im_session_t *s, const im_command_t *command)
{
    im_str_t          room;
    ngx_uint_t        error;
    ngx_im_grant_t    nothing;
    const im_rule_t  *rule;

    room = command->topic;

    if (room.len < 2 || room.data[0] != 'r') {
        return ngx_im_command_error(s, command->id, IM_ERROR_PERMISSION);
    }

    room.data += 2;
    room.len -= 2;

    if (!im_name_valid(room)) {
        return ngx_im_command_error(s, command->id, IM_ERROR_BAD_REQUEST);
    }

    rule = im_rules_room(&s->conf->main->rules, room);

    if (rule == NULL) {
        return ngx_im_command_error(s, command->id, IM_ERROR_UNKNOWN_CHANNEL);
    }

    if (ngx_im_session_find_sub(s, command->topic) != NULL) {
        return ngx_im_command_error(s, command->id, IM_ERROR_ALREADY);
    }

    if (ngx_im_session_full(s)) {
        return ngx_im_command_error(s, command->id, IM_ERROR_LIMIT);
    }

    /* who signed a token has decided */

    if (command->token.len > 0) {
        return ngx_im_token_subscribe(s, command);
    }

    error = ngx_im_command_may_join(s, room, rule);

    if (error) {
        return ngx_im_command_error(s, command->id, error);
    }

    if (s->conf->webhooks[IM_WEBHOOK_SUBSCRIBE].len) {
        return ngx_im_webhook_command(s, IM_WEBHOOK_SUBSCRIBE, command);
    }

    ngx_memzero(&nothing, sizeof(ngx_im_grant_t));

    return ngx_im_command_granted(s, command, &nothing);
}


/* The error; 0: it may. */
static ngx_uint_t
ngx_im_command_may_join(ngx_im_session_t *s, im_str_t room,
    const im_rule_t *rule)
{
    /* a private one is for who brings a token */

    if (room.data[0] == '$') {
        return IM_ERROR_PERMISSION;
    }

    if (rule->join_user && s->user == NULL) {
        return IM_ERROR_PERMISSION;
    }

    return ngx_im_auth_may(s, room) ? 0 : IM_ERROR_PERMISSION;
}


/* Meanwhile the server may have subscribed it. */
ngx_int_t
ngx_im_command_granted(ngx_im_session_t *s, const im_command_t *command,
    const ngx_im_grant_t *grant)
{
    im_sub_t         *sub;
    ngx_im_join_t    *join;
    const im_rule_t  *rule;

    if (ngx_im_session_find_sub(s, command->topic) != NULL) {
        return ngx_im_command_error(s, command->id, IM_ERROR_ALREADY);
    }

    if (ngx_im_session_new_room(s, command->topic) != NGX_OK) {
        return ngx_im_command_error(s, command->id, IM_ERROR_TOO_MANY);
    }

    join = im_calloc(sizeof(ngx_im_join_t) + grant->data.len);
    if (join == NULL) {
        return ngx_im_command_error(s, command->id, IM_ERROR_INTERNAL);
    }

    join->id = command->id;
    join->recover = command->recover;
    join->strict = command->strict;
    join->data = im_str_set(join + 1, grant->data.len);

    if (grant->data.len > 0) {
        ngx_memcpy(join->data.data, grant->data.data, grant->data.len);
    }

    if (command->recover) {
        ngx_im_join_since(join, &command->since);
    }

    /* who may know who is there may know who comes */

    rule = im_rules_topic(&s->conf->main->rules, command->topic);

    sub = ngx_im_session_join(s, command->topic, join,
                              command->join_leave && rule != NULL
                              && rule->presence ? NGX_IM_SUB_JOIN_LEAVE : 0);

    if (sub == NULL) {
        return ngx_im_command_error(s, command->id, IM_ERROR_INTERNAL);
    }

    ngx_im_session_set_sub_info(sub, grant->info);

    if (grant->expires) {
        if (ngx_im_session_ext(s) == NULL) {
            ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
            return NGX_ERROR;
        }

        ngx_im_token_sub_expires(s, sub, grant->expires);
    }

    return NGX_OK;
}


/* One that isn't answered yet is waited for. */
static ngx_int_t
ngx_im_command_unsubscribe(ngx_im_session_t *s, const im_command_t *command)
{
    im_sub_t    *sub;
    im_reply_t   reply;

    sub = ngx_im_session_find_sub(s, command->topic);

    if (sub != NULL) {
        if (im_sub_state(sub) == IM_SUB_JOINING) {
            return NGX_AGAIN;
        }

        ngx_im_session_leave(s, sub);
    }

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_UNSUBSCRIBE;
    reply.id = command->id;

    return ngx_im_command_reply(s, &reply);
}


static ngx_int_t
ngx_im_command_unavailable(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_command_error(s, command->id, IM_ERROR_NOT_AVAILABLE);
}


static ngx_int_t
ngx_im_command_rpc(ngx_im_session_t *s, const im_command_t *command)
{
    if (s->conf->webhooks[IM_WEBHOOK_RPC].len == 0) {
        return ngx_im_command_unavailable(s, command);
    }

    return ngx_im_webhook_command(s, IM_WEBHOOK_RPC, command);
}


static ngx_int_t
ngx_im_command_send(ngx_im_session_t *s, const im_command_t *command)
{
    (void) command;

    ngx_im_session_close(s, IM_REASON_NOT_AVAILABLE, "not available");

    return NGX_ERROR;
}
