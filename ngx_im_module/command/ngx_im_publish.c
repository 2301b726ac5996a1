/*
 * Copyright (C) The im authors
 *
 * Messages of clients: the right to publish, then logic, which treats them like
 * any other push.
 */

#include "ngx_im_command.h"
#include "ngx_im_follow.h"
#include "ngx_im_backend.h"
#include "ngx_im_identity.h"
#include "ngx_im_reply.h"
#include "ngx_im_webhook.h"
#include "im_id.h"
#include "im_ask.h"


static const struct {
    ngx_uint_t  status;
    im_error_e  error;
} ngx_im_publish_errors[] = {
    { 400, IM_ERROR_BAD_REQUEST },
    { 401, IM_ERROR_PERMISSION },
    { 403, IM_ERROR_PERMISSION },
    { 404, IM_ERROR_UNKNOWN_CHANNEL },
    { 413, IM_ERROR_LIMIT },
    { 429, IM_ERROR_TOO_MANY },
    { 0, IM_ERROR_INTERNAL }
};


/* What is no answer of logic's is not its error, whatever the status is. */
static im_error_e
ngx_im_publish_error(ngx_uint_t status, int64_t code)
{
    ngx_uint_t  i;

    if (code == -1 && im_verdict(status) == IM_VERDICT_STRANGE) {
        return IM_ERROR_INTERNAL;
    }

    for (i = 0; ngx_im_publish_errors[i].status != 0; i++) {
        if (ngx_im_publish_errors[i].status == status) {
            break;
        }
    }

    return ngx_im_publish_errors[i].error;
}


static void
ngx_im_publish_handler(ngx_im_worker_t *w, ngx_im_handle_t h, im_str_t asked,
    ngx_uint_t status, im_str_t body, void *data)
{
    int64_t            code;
    im_str_t           position;
    im_reply_t         reply;
    ngx_im_session_t  *s;

    s = ngx_im_session_find(w, h);

    if (s == NULL) {
        return;
    }

    s->ext->busy = 0;

    code = im_ask_answer_decode(body, &position);

    ngx_im_reply_init(&reply, IM_REPLY_PUBLISH, s->ext->busy_id);

    if (status != NGX_HTTP_OK || code != 0) {
        reply.type = IM_REPLY_ERROR;
        reply.error = ngx_im_publish_error(status == NGX_HTTP_OK && code > 0
                                               ? (ngx_uint_t) code : status,
                                           code);

        if (reply.error == IM_ERROR_INTERNAL && code > 0) {
            ngx_im_backend_log(w, "backend", &s->class->conf->connect, body,
                               "can't publish: status %ui, code %L", status,
                               code);

        } else if (reply.error == IM_ERROR_INTERNAL) {
            ngx_im_backend_log(w, "backend", &s->class->conf->connect, body,
                               "can't publish: status %ui, it can't be %s",
                               status, im_verdict(status) == IM_VERDICT_AWAY
                                       ? "reached" : "understood");
        }
    }

    if (ngx_im_reply_send(s, &reply) == NGX_OK) {
        ngx_im_session_continue(s);
    }
}


/* answer is what a webhook adds, or NULL. */
static ngx_int_t
ngx_im_publish_granted(ngx_im_session_t *s, const im_command_t *command,
    const im_webhook_answer_t *answer)
{
    u_char       id[IM_UUID_LEN];
    im_ask_t     ask;
    im_member_t  m;

    if (ngx_im_session_ext(s) == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    ngx_im_session_member(s, NULL, id, &m);

    ngx_memzero(&ask, sizeof(im_ask_t));
    ask.kind = IM_ASK_PUBLISH;
    ask.room = im_str_set(command->topic.data + 2, command->topic.len - 2);
    ask.session = m.session;
    ask.user = m.user;
    ask.name = m.name;
    ask.info = m.info;
    ask.data = command->data;

    if (answer != NULL) {
        ask.tags = answer->tags;
        ask.skip_history = answer->skip_history;

        if (answer->key.len > 0) {
            ask.id = answer->key;
        }
    }

    if (ngx_im_backend_logic(s, &ask, ngx_im_publish_handler) != NGX_OK) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_INTERNAL);
    }

    ngx_im_session_busy(s, command->id);

    return NGX_OK;
}


static void
ngx_im_publish_result(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    im_command_t  publish;

    publish = *command;

    if (answer->result.data.len > 0) {
        publish.data = answer->result.data;
    }

    (void) ngx_im_publish_granted(s, &publish, answer);
}


static const ngx_im_webhook_t  ngx_im_publish_webhook = {
    IM_WEBHOOK_PUBLISH, ngx_im_publish_result, NULL, NULL, NULL
};


/* It waits while the subscription is not answered yet. */
static ngx_int_t
ngx_im_publish_may(ngx_im_session_t *s, im_str_t topic, const im_rule_t *rule,
    im_error_e *error)
{
    im_str_t       room;
    im_sub_t      *sub;
    im_rule_who_e  who;

    *error = IM_ERROR_PERMISSION;

    who = im_rule_publish(rule, 0);

    if (who == IM_RULE_NONE
        || (who == IM_RULE_USER && ngx_im_session_user(s) == NULL))
    {
        return NGX_DECLINED;
    }

    if (who == IM_RULE_MEMBER) {
        sub = ngx_im_session_find_sub(s, topic);

        if (sub == NULL) {
            return NGX_DECLINED;
        }

        if (im_sub_state(sub) == IM_SUB_JOINING) {
            *error = IM_ERROR_INTERNAL;
            return ngx_im_follow_apart(ngx_im_worker, topic) ? NGX_DECLINED
                                                             : NGX_AGAIN;
        }
    }

    room = im_str_set(topic.data + 2, topic.len - 2);

    if (who != IM_RULE_MEMBER && !ngx_im_identity_may(s, room)) {
        return NGX_DECLINED;
    }

    if (s->class->conf->connect.len == 0) {
        *error = IM_ERROR_NOT_AVAILABLE;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The one that the request named; "": it named several. */
static im_str_t
ngx_im_publish_room(ngx_im_session_t *s)
{
    im_str_t       topic;
    ngx_uint_t     i;
    ngx_im_ext_t  *ext;

    topic = im_str_set("", 0);
    ext = s->ext;

    for (i = 0; ext != NULL && i < ext->nresumes; i++) {

        if (!ext->resumes[i].join) {
            continue;
        }

        if (topic.len > 0) {
            return im_str_set("", 0);
        }

        topic = ext->resumes[i].topic;
    }

    return topic;
}


static ngx_int_t
ngx_im_publish_topic(ngx_im_session_t *s, const im_command_t *command)
{
    im_str_t          room;
    ngx_int_t         rc;
    im_error_e        error;
    const im_rule_t  *rule;

    room = im_str_set(command->topic.data + 2, command->topic.len - 2);

    rule = im_rules_room(&s->class->conf->main->rules, room);

    if (rule == NULL) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_UNKNOWN_CHANNEL);
    }

    rc = ngx_im_publish_may(s, command->topic, rule, &error);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_im_reply_error(s, command->id, error)
                                  : rc;
    }

    if (s->class->conf->webhooks[IM_WEBHOOK_PUBLISH].len) {
        return ngx_im_webhook_command(s, &ngx_im_publish_webhook, command);
    }

    return ngx_im_publish_granted(s, command, NULL);
}


ngx_int_t
ngx_im_publish_command(ngx_im_session_t *s, const im_command_t *command)
{
    im_command_t  publish;

    if (command->topic.len > 0) {
        return ngx_im_publish_topic(s, command);
    }

    publish = *command;
    publish.topic = ngx_im_publish_room(s);

    return publish.topic.len > 0
           ? ngx_im_publish_topic(s, &publish)
           : ngx_im_session_close(s, IM_REASON_FORBIDDEN,
                                  "a client with several rooms can't publish");
}
