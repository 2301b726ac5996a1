/*
 * Copyright (C) The im authors
 *
 * Webhooks: before a command of a client takes effect, the worker asks a
 * backend of the operator, at an internal location.
 *
 * The question keeps the command.  Input of the session waits for the answer,
 * so a session has one question out at most.
 */

#include "ngx_im_webhook.h"
#include "ngx_im_backend.h"
#include "ngx_im_opening.h"
#include "ngx_im_reply.h"
#include "im_id.h"
#include "im_json.h"


/* A question that is out: a command and copies of its strings. */
typedef struct {
    const ngx_im_webhook_t  *webhook;
    im_command_t             command;
    u_char                   bytes[1];
} ngx_im_webhook_ask_t;


static void
ngx_im_webhook_copy(u_char **p, im_str_t *s)
{
    if (s->len > 0) {
        ngx_memcpy(*p, s->data, s->len);
    }

    s->data = *p;
    *p += s->len;
}


static ngx_im_webhook_ask_t *
ngx_im_webhook_create(const ngx_im_webhook_t *webhook,
    const im_command_t *command)
{
    size_t                 len;
    u_char                *p;
    ngx_im_webhook_ask_t  *wh;

    len = command->token.len + command->topic.len + command->data.len
          + command->name.len + command->version.len + command->method.len
          + command->since.epoch.len;

    wh = im_alloc(sizeof(ngx_im_webhook_ask_t) + len);
    if (wh == NULL) {
        return NULL;
    }

    wh->webhook = webhook;
    wh->command = *command;

    p = wh->bytes;

    ngx_im_webhook_copy(&p, &wh->command.token);
    ngx_im_webhook_copy(&p, &wh->command.topic);
    ngx_im_webhook_copy(&p, &wh->command.data);
    ngx_im_webhook_copy(&p, &wh->command.name);
    ngx_im_webhook_copy(&p, &wh->command.version);
    ngx_im_webhook_copy(&p, &wh->command.method);
    ngx_im_webhook_copy(&p, &wh->command.since.epoch);

    /* the session keeps those of connect, and other commands have none */

    ngx_memzero(&wh->command.room, sizeof(im_str_t));
    wh->command.resumes = NULL;
    wh->command.nresumes = 0;

    return wh;
}


/* The text of the backend, else the usual text of the code. */
static void
ngx_im_webhook_error(ngx_im_session_t *s, ngx_im_webhook_ask_t *wh,
    im_webhook_answer_t *answer)
{
    im_reply_t  reply;

    /* no client waits for it, and the worker asks again */

    if (wh->command.id == 0) {
        return;
    }

    if (wh->webhook->failed != NULL) {
        wh->webhook->failed(s);
    }

    if (answer->reason.len == 0 && answer->code <= IM_ERROR_POSITION) {
        (void) ngx_im_reply_error(s, wh->command.id, answer->code);
        return;
    }

    ngx_im_reply_init(&reply, IM_REPLY_ERROR, wh->command.id);
    reply.code = answer->code;
    reply.reason = answer->reason;
    reply.temporary = answer->temporary;

    (void) ngx_im_reply_send(s, &reply);
}


static void
ngx_im_webhook_answered(ngx_im_session_t *s, ngx_im_webhook_ask_t *wh,
    im_webhook_answer_t *answer)
{
    switch (answer->type) {

    case IM_WEBHOOK_RESULT:
        wh->webhook->result(s, &wh->command, answer);
        break;

    case IM_WEBHOOK_DISCONNECT:
        ngx_im_session_close_code(s, IM_REASON_WEBHOOK, answer->code,
                                  answer->reason, "disconnected by a webhook");
        break;

    case IM_WEBHOOK_NOTHING:
        if (wh->webhook->nothing != NULL) {
            wh->webhook->nothing(s);
            break;
        }

        answer->code = IM_ERROR_PERMISSION;

        /* fall through */

    default:
        ngx_im_webhook_error(s, wh, answer);
        break;
    }
}


/* Errors of clients' commands; what is asked for nobody is asked again. */
static void
ngx_im_webhook_judged(ngx_im_session_t *s, ngx_im_webhook_ask_t *wh,
    im_error_e error)
{
    im_webhook_answer_t  answer;

    ngx_memzero(&answer, sizeof(im_webhook_answer_t));

    answer.type = IM_WEBHOOK_ERROR;
    answer.code = error;

    ngx_im_webhook_answered(s, wh, &answer);
}


static void
ngx_im_webhook_taken(ngx_im_session_t *s, ngx_im_webhook_ask_t *wh,
    im_str_t body)
{
    im_buf_t              arena;
    const char           *why;
    im_webhook_answer_t   answer;

    im_buf_init(&arena, IM_WEBHOOK_ARENA);

    if (im_webhook_decode(body, &arena, &answer, &why) == IM_OK) {
        ngx_im_webhook_answered(s, wh, &answer);
        im_webhook_cleanup(&answer);

    } else {
        ngx_im_backend_log(ngx_im_worker, "webhook",
                           &s->class->conf->webhooks[wh->webhook->kind], body,
                           "can't be understood: %s (status 200)", why);

        ngx_im_webhook_judged(s, wh, IM_ERROR_INTERNAL);
    }

    im_buf_cleanup(&arena);
}


static void
ngx_im_webhook_handler(ngx_im_worker_t *w, ngx_im_handle_t h, im_str_t asked,
    ngx_uint_t status, im_str_t body, void *data)
{
    im_webhook_e           kind;
    ngx_im_session_t      *s;
    ngx_im_webhook_ask_t  *wh;

    s = ngx_im_session_find(w, h);
    wh = data;
    kind = wh->webhook->kind;

    if (s == NULL) {
        return;
    }

    if (wh->command.id != 0) {
        s->ext->busy = 0;

    } else {
        ngx_im_session_answered(s);
    }

    if (s->phase != (kind == IM_WEBHOOK_CONNECT ? NGX_IM_AUTHENTICATING
                                                : NGX_IM_OPEN))
    {
        return;
    }

    switch (im_verdict(status)) {

    case IM_VERDICT_TAKEN:
        ngx_im_webhook_taken(s, wh, body);
        break;

    case IM_VERDICT_REFUSED:
        if (wh->webhook->refused != NULL) {
            wh->webhook->refused(s, &wh->command);

        } else {
            ngx_im_webhook_judged(s, wh, IM_ERROR_PERMISSION);
        }

        break;

    default:
        ngx_im_backend_log(w, "webhook", &s->class->conf->webhooks[kind], body,
                           "can't be understood: the status is not 200 "
                           "(status %ui)", status);

        ngx_im_webhook_judged(s, wh, IM_ERROR_INTERNAL);
    }

    ngx_im_session_continue(s);
}


/* The question owns wh. */
static ngx_int_t
ngx_im_webhook_send(ngx_im_session_t *s, ngx_im_webhook_ask_t *wh)
{
    u_char             id[IM_UUID_LEN];
    im_buf_t          *b;
    im_str_t           name;
    im_command_t      *command;
    im_webhook_ask_t   ask;

    command = &wh->command;

    ngx_im_session_uuid(s, id);

    ngx_memzero(&ask, sizeof(im_webhook_ask_t));

    ask.kind = wh->webhook->kind;
    ask.client = im_str_set(id, IM_UUID_LEN);
    ask.transport = im_str_z(s->class->transport->name);
    ask.protocol = im_str_z(s->class->proto->encoding != NULL
                                ? s->class->proto->encoding : "json");
    ask.name = command->name;
    ask.version = command->version;
    ask.token = command->token;
    ask.method = command->method;
    ask.data = command->data;

    ask.meta = ngx_im_session_said(s, meta);

    /* before the session is open, im_user alone knows its user */

    ngx_im_opening_user(s->opening, &ask.user, &name);

    if (ngx_im_session_user(s) != NULL) {
        ask.user = ngx_im_session_user_id(s);
    }

    /* the room, without "r:" */

    if (command->topic.len > 2) {
        ask.channel = im_str_set(command->topic.data + 2,
                                 command->topic.len - 2);
    }

    b = &ngx_im_worker->scratch;

    im_buf_reset(b, 65536);
    im_webhook_encode(b, &ask);

    if (b->failed) {
        im_free(wh);
        return NGX_ERROR;
    }

    return ngx_im_backend_ask(s, ask.kind, im_buf_str(b),
                              ngx_im_webhook_handler, wh);
}


ngx_int_t
ngx_im_webhook_ask(ngx_im_session_t *s, const ngx_im_webhook_t *webhook,
    const im_command_t *command)
{
    ngx_im_webhook_ask_t  *wh;

    if (ngx_im_session_ext(s) == NULL) {
        return NGX_ERROR;
    }

    wh = ngx_im_webhook_create(webhook, command);

    if (wh == NULL || ngx_im_webhook_send(s, wh) != NGX_OK) {
        return NGX_ERROR;
    }

    if (command->id != 0) {
        ngx_im_session_busy(s, command->id);

    } else {
        ngx_im_session_asks(s);
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_webhook_command(ngx_im_session_t *s, const ngx_im_webhook_t *webhook,
    const im_command_t *command)
{
    if (ngx_im_webhook_ask(s, webhook, command) != NGX_OK) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_TOO_MANY);
    }

    return NGX_OK;
}
