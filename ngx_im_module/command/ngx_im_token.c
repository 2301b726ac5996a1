/*
 * Copyright (C) The im authors
 *
 * Tokens of an open session: tokens of subscriptions, renewals, and ends.
 *
 * A client has some seconds more to bring a token.  Where a webhook renews, the
 * worker asks it at the end itself.
 */

#include "ngx_im_token.h"
#include "ngx_im_expiry.h"
#include "ngx_im_jwt.h"
#include "ngx_im_reply.h"
#include "ngx_im_sub.h"
#include "ngx_im_webhook.h"
#include "ngx_im_command.h"
#include "im_id.h"


#define NGX_IM_TOKEN_RETRY  60 /* s: until the next question to a webhook */
#define NGX_IM_TOKEN_BAD    3  /* invalid ones that close the session */


/* Without a later end it has ended. */
static void
ngx_im_token_refreshed(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    if (answer->expired || answer->result.expires <= ngx_time()) {
        ngx_im_session_close(s, IM_REASON_EXPIRED,
                             "the webhook lets it expire");
        return;
    }

    ngx_im_expiry_session(s, answer->result.expires);
}


static void
ngx_im_token_refused(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_session_close(s, IM_REASON_FORBIDDEN, "refused by the backend");
}


static const ngx_im_webhook_t  ngx_im_token_webhook = {
    IM_WEBHOOK_REFRESH, ngx_im_token_refreshed, NULL, NULL,
    ngx_im_token_refused
};


/* NGX_ERROR: the session is closed. */
static ngx_int_t
ngx_im_token_sub_end(ngx_im_session_t *s, im_sub_t *sub)
{
    if (sub->flags & NGX_IM_SUB_SERVER) {
        return ngx_im_session_close(s, IM_REASON_SUB_EXPIRED,
                                    "subscription expired");
    }

    return ngx_im_reply_unsubscribe(s, sub, IM_UNSUBSCRIBED_EXPIRED,
                                    im_str_z("subscription expired"));
}


static void
ngx_im_token_sub_refreshed(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    im_sub_t  *sub;

    sub = ngx_im_session_find_sub(s, command->topic);

    if (sub == NULL) {
        return;
    }

    if (answer->expired || answer->result.expires <= ngx_time()) {
        (void) ngx_im_token_sub_end(s, sub);
        return;
    }

    ngx_im_expiry_sub(s, sub, answer->result.expires);
}


/* For good: the client doesn't subscribe again. */
static void
ngx_im_token_sub_refused(ngx_im_session_t *s, const im_command_t *command)
{
    im_sub_t  *sub;

    sub = ngx_im_session_find_sub(s, command->topic);

    if (sub == NULL) {
        return;
    }

    if (sub->flags & NGX_IM_SUB_SERVER) {
        ngx_im_session_close(s, IM_REASON_FORBIDDEN, "refused by the backend");
        return;
    }

    (void) ngx_im_reply_unsubscribe(s, sub, IM_UNSUBSCRIBED_SERVER,
                                    im_str_z("refused by the backend"));
}


static const ngx_im_webhook_t  ngx_im_token_sub_webhook = {
    IM_WEBHOOK_SUB_REFRESH, ngx_im_token_sub_refreshed, NULL, NULL,
    ngx_im_token_sub_refused
};


ngx_int_t
ngx_im_token_sub_refresh(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t     arena;
    im_jwt_t     claims;
    im_sub_t    *sub;
    ngx_int_t    rc;
    im_reply_t   reply;

    sub = ngx_im_session_find_sub(s, command->topic);

    if (sub == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_PERMISSION);
    }

    im_buf_init(&arena, IM_JWT_ARENA);

    rc = ngx_im_token_verify(s, command, &arena, &claims);

    if (rc == NGX_DONE) {
        ngx_im_expiry_sub(s, sub, claims.expires);

        ngx_im_reply_init(&reply, IM_REPLY_SUB_REFRESH, command->id);
        reply.ttl = ngx_im_expiry_sub_ttl(s, sub);

        rc = ngx_im_reply_send(s, &reply);

        im_jwt_cleanup(&claims);
    }

    im_buf_cleanup(&arena);

    return rc;
}


static ngx_uint_t
ngx_im_token_same_user(ngx_im_session_t *s, im_str_t user)
{
    return im_str_eq(user, ngx_im_session_user_id(s));
}


static const char *
ngx_im_token_foreign(ngx_im_session_t *s, im_str_t topic,
    const im_jwt_t *claims)
{
    u_char  id[IM_UUID_LEN];

    if (!im_str_eq(claims->channel, im_str_set(topic.data + 2, topic.len - 2)))
    {
        return "the token is for another channel";
    }

    if (!ngx_im_token_same_user(s, claims->user)) {
        return "the token is another user's";
    }

    ngx_im_session_uuid(s, id);

    if (claims->client.len > 0
        && !im_str_eq(claims->client, im_str_set(id, IM_UUID_LEN)))
    {
        return "the token is another client's";
    }

    return NULL;
}


ngx_int_t
ngx_im_token_verify(ngx_im_session_t *s, const im_command_t *command,
    im_buf_t *arena, im_jwt_t *claims)
{
    const char  *why;

    ngx_memzero(claims, sizeof(im_jwt_t));

    if (ngx_im_session_ext(s) == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    switch (ngx_im_jwt_verify(s, command->token, arena, claims)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_im_reply_error(s, command->id, IM_ERROR_TOKEN_EXPIRED);

    case NGX_BUSY:
        return ngx_im_reply_error(s, command->id, IM_ERROR_TOO_MANY);

    default:
        return s->ext->nbad < NGX_IM_TOKEN_BAD
               ? ngx_im_reply_error(s, command->id, IM_ERROR_PERMISSION)
               : ngx_im_session_close(s, IM_REASON_TOKEN,
                                      "too many invalid tokens");
    }

    why = ngx_im_token_foreign(s, command->topic, claims);

    if (why != NULL) {
        im_jwt_cleanup(claims);
        return ngx_im_session_close(s, IM_REASON_TOKEN, why);
    }

    return NGX_DONE;
}


/* Those that came with connect are all in the token, and no others. */
static ngx_uint_t
ngx_im_token_same_channels(ngx_im_session_t *s, const im_jwt_t *claims)
{
    im_str_t     topic;
    im_sub_t    *sub;
    ngx_uint_t   i, n;

    n = 0;

    for (sub = s->subs; sub; sub = ngx_im_sub_next(sub)) {

        topic = im_topic_name(sub->log->topic);

        if (!(sub->flags & NGX_IM_SUB_CONNECT) || topic.data[0] != 'r') {
            continue;
        }

        topic.data += 2;
        topic.len -= 2;

        for (i = 0; i < claims->nsubs; i++) {
            if (im_str_eq(claims->subs[i].channel, topic)) {
                break;
            }
        }

        if (i == claims->nsubs) {
            return 0;
        }

        n++;
    }

    return n == claims->nsubs;
}


static ngx_int_t
ngx_im_token_renew(ngx_im_session_t *s, const im_command_t *command,
    const im_jwt_t *claims)
{
    u_char      id[IM_UUID_LEN];
    im_reply_t  reply;

    if (claims->channel.data != NULL
        || !ngx_im_token_same_user(s, claims->user))
    {
        return ngx_im_session_close(s, IM_REASON_TOKEN,
                                    claims->channel.data != NULL
                                        ? "the token is for a subscription"
                                        : "the token is another user's");
    }

    if (!ngx_im_token_same_channels(s, claims)) {
        return ngx_im_session_close(s, IM_REASON_STATE,
                                    "the token is for other channels");
    }

    ngx_im_expiry_session(s, claims->expires);

    ngx_im_session_uuid(s, id);

    ngx_im_reply_init(&reply, IM_REPLY_REFRESH, command->id);
    reply.session = im_str_set(id, IM_UUID_LEN);
    reply.ttl = ngx_im_expiry_ttl(s);

    return ngx_im_reply_send(s, &reply);
}


ngx_int_t
ngx_im_token_refresh(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t   arena;
    im_jwt_t   claims;
    ngx_int_t  rc;

    if (s->class->conf->auth != NGX_IM_AUTH_JWT || command->token.len == 0) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_NOT_AVAILABLE);
    }

    im_buf_init(&arena, IM_JWT_ARENA);

    switch (ngx_im_jwt_verify(s, command->token, &arena, &claims))
    {

    case NGX_OK:
        rc = ngx_im_token_renew(s, command, &claims);
        im_jwt_cleanup(&claims);
        break;

    case NGX_BUSY:
        rc = ngx_im_reply_error(s, command->id, IM_ERROR_TOO_MANY);
        break;

    case NGX_DECLINED:
        rc = ngx_im_session_close(s, IM_REASON_EXPIRED, claims.why);
        break;

    default:
        rc = ngx_im_session_close(s, IM_REASON_TOKEN, claims.why);
    }

    im_buf_cleanup(&arena);

    return rc;
}


/* A command without an id: the client can go on meanwhile. */
static void
ngx_im_token_ask(ngx_im_session_t *s, const ngx_im_webhook_t *webhook,
    im_str_t topic)
{
    im_command_t  command;

    ngx_memzero(&command, sizeof(im_command_t));
    command.topic = topic;

    (void) ngx_im_webhook_ask(s, webhook, &command);
}


/* NGX_ERROR: the session is closed. */
static ngx_int_t
ngx_im_token_sub_due(ngx_im_session_t *s, im_sub_t *sub)
{
    if (s->class->conf->webhooks[IM_WEBHOOK_SUB_REFRESH].len) {
        (void) ngx_im_session_set_sub_expires(sub, ngx_time()
                                                   + NGX_IM_TOKEN_RETRY);
        ngx_im_token_ask(s, &ngx_im_token_sub_webhook,
                         im_topic_name(sub->log->topic));
        return NGX_OK;
    }

    /* a subscription that has not begun waits for its beginning */

    if (im_sub_state(sub) == IM_SUB_JOINING) {
        (void) ngx_im_session_set_sub_expires(sub, ngx_time() + 1);
        return NGX_OK;
    }

    return ngx_im_token_sub_end(s, sub);
}


void
ngx_im_token_due(ngx_im_timer_t *timer)
{
    uint32_t           end, now;
    im_sub_t          *sub;
    ngx_im_about_t    *about;
    ngx_im_known_t    *known;
    ngx_im_session_t  *s;

    known = im_list_data(timer, ngx_im_known_t, expiry);
    s = known->session;

    if (s->phase != NGX_IM_OPEN) {
        return;
    }

    now = ngx_time();

    if (known->expires && known->expires <= now) {
        ngx_im_session_close(s, IM_REASON_EXPIRED, "the token has expired");
        return;
    }

    about = known->about;

    if (about != NULL && about->refresh && about->refresh <= now) {
        about->refresh = now + NGX_IM_TOKEN_RETRY;
        ngx_im_expiry_set(s, about->refresh + s->class->conf->grace);
        ngx_im_token_ask(s, &ngx_im_token_webhook, im_str_set(NULL, 0));
    }

    /* a reply may end other subscriptions: start again after each */

    sub = s->subs;

    while (sub != NULL) {

        end = ngx_im_sub_expires(sub);

        if (end == 0 || end > now) {
            sub = ngx_im_sub_next(sub);
            continue;
        }

        if (ngx_im_token_sub_due(s, sub) != NGX_OK) {
            return;
        }

        sub = s->subs;
    }

    ngx_im_expiry_schedule(s);
}
