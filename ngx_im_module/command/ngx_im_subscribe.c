/*
 * Copyright (C) The im authors
 *
 * Clients subscribe to rooms: by a token, by the rule of the room and the
 * identity of the client, or by a webhook.  The answer follows when the topic
 * is ready (ngx_im_resume.c).
 */

#include "ngx_im_command.h"
#include "ngx_im_admit.h"
#include "ngx_im_expiry.h"
#include "ngx_im_follow.h"
#include "ngx_im_identity.h"
#include "ngx_im_read.h"
#include "ngx_im_reply.h"
#include "ngx_im_sub.h"
#include "ngx_im_token.h"
#include "ngx_im_webhook.h"
#include "im_key.h"


/* Meanwhile the server may have subscribed it.  claims: "" and 0 if none. */
static ngx_int_t
ngx_im_subscribe_granted(ngx_im_session_t *s, const im_command_t *command,
    const im_jwt_t *claims)
{
    im_sub_t       *sub;
    ngx_im_join_t  *join;

    if (ngx_im_session_find_sub(s, command->topic) != NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_ALREADY);
    }

    /* a temporary error: the client comes again */

    if (ngx_im_follow_apart(ngx_im_worker, command->topic)) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    if (ngx_im_admit_room(s, command->topic) != NGX_OK) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_TOO_MANY);
    }

    join = ngx_im_sub_create_join(NGX_IM_JOIN_COMMAND, claims->data);
    if (join == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    join->id = command->id;
    join->strict = command->strict;

    join->last = command->last;

    if (command->recover) {
        ngx_im_sub_since(join, &command->since);
    }

    sub = ngx_im_sub_join(s, command->topic, join,
                          ngx_im_sub_override(claims->override)
                          | (command->join_leave ? NGX_IM_SUB_JOIN_LEAVE : 0));

    if (sub == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    ngx_im_session_set_sub_info(sub, claims->info);

    if (claims->expires) {
        ngx_im_expiry_sub(s, sub, claims->expires);
    }

    return NGX_OK;
}


static void
ngx_im_subscribe_result(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    (void) ngx_im_subscribe_granted(s, command, &answer->result);
}


static const ngx_im_webhook_t  ngx_im_subscribe_webhook = {
    IM_WEBHOOK_SUBSCRIBE, ngx_im_subscribe_result, NULL, NULL, NULL
};


static ngx_int_t
ngx_im_subscribe_token(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t   arena;
    im_jwt_t   claims;
    ngx_int_t  rc;

    im_buf_init(&arena, IM_JWT_ARENA);

    rc = ngx_im_token_verify(s, command, &arena, &claims);

    if (rc == NGX_DONE) {
        rc = ngx_im_subscribe_granted(s, command, &claims);
        im_jwt_cleanup(&claims);
    }

    im_buf_cleanup(&arena);

    return rc;
}


/* Whatever its token or a webhook says.  NGX_DECLINED: *error is why not. */
static ngx_int_t
ngx_im_subscribe_can(ngx_im_session_t *s, im_str_t topic,
    const im_rule_t **rule, im_error_e *error)
{
    im_str_t  room;

    if (topic.len < 2 || topic.data[0] != 'r') {
        *error = IM_ERROR_PERMISSION;
        return NGX_DECLINED;
    }

    room = im_str_set(topic.data + 2, topic.len - 2);

    if (!im_name_valid(room)) {
        *error = IM_ERROR_BAD_REQUEST;
        return NGX_DECLINED;
    }

    *rule = im_rules_room(&s->class->conf->main->rules, room);

    if (*rule == NULL) {
        *error = IM_ERROR_UNKNOWN_CHANNEL;
        return NGX_DECLINED;
    }

    if (ngx_im_session_find_sub(s, topic) != NULL) {
        *error = IM_ERROR_ALREADY;
        return NGX_DECLINED;
    }

    if (ngx_im_session_full(s)) {
        *error = IM_ERROR_LIMIT;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_subscribe_command(ngx_im_session_t *s, const im_command_t *command)
{
    im_str_t          room;
    im_jwt_t          nothing;
    ngx_int_t         rc;
    im_error_e        error;
    ngx_uint_t        webhook;
    const im_rule_t  *rule;

    if (ngx_im_subscribe_can(s, command->topic, &rule, &error) != NGX_OK) {
        return ngx_im_reply_error(s, command->id, error);
    }

    if (command->recover || command->last > 0) {
        rc = ngx_im_read_pay(s);

        if (rc != NGX_OK) {
            return rc;
        }

        ngx_im_read_paid(s);
    }

    /* a token decides alone */

    if (command->token.len > 0) {
        return ngx_im_subscribe_token(s, command);
    }

    webhook = s->class->conf->webhooks[IM_WEBHOOK_SUBSCRIBE].len > 0;
    room = im_str_set(command->topic.data + 2, command->topic.len - 2);

    /* a private one is for clients with a token */

    if (room.data[0] == '$'
        || (rule->join == IM_RULE_JOIN_USER && ngx_im_session_user(s) == NULL)
        || (rule->join == IM_RULE_JOIN_TOKEN && !webhook)
        || !ngx_im_identity_may(s, room))
    {
        return ngx_im_reply_error(s, command->id, IM_ERROR_PERMISSION);
    }

    if (webhook) {
        return ngx_im_webhook_command(s, &ngx_im_subscribe_webhook, command);
    }

    ngx_memzero(&nothing, sizeof(im_jwt_t));

    return ngx_im_subscribe_granted(s, command, &nothing);
}


/* It waits while the subscription is not answered yet. */
ngx_int_t
ngx_im_subscribe_end(ngx_im_session_t *s, const im_command_t *command)
{
    im_sub_t    *sub;
    im_reply_t   reply;

    sub = ngx_im_session_find_sub(s, command->topic);

    if (sub != NULL) {
        if (im_sub_state(sub) == IM_SUB_JOINING
            && !ngx_im_follow_apart(ngx_im_worker, command->topic))
        {
            return NGX_AGAIN;
        }

        ngx_im_sub_leave(s, sub);
    }

    ngx_im_reply_init(&reply, IM_REPLY_UNSUBSCRIBE, command->id);

    return ngx_im_reply_send(s, &reply);
}
