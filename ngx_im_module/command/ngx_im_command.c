/*
 * Copyright (C) The im authors
 *
 * Commands of clients: one after another, in the order in which they came.
 *
 * A command that asks logic, a backend or Redis makes later commands wait, in
 * the message or the socket.  So a session has one question out and no queue.
 * A subscription is different: it is answered when its topic is ready
 * (ngx_im_resume.c).
 */

#include "ngx_im_command.h"
#include "ngx_im_flow.h"
#include "ngx_im_reply.h"
#include "ngx_im_send.h"
#include "ngx_im_token.h"
#include "ngx_im_webhook.h"


typedef ngx_int_t (*ngx_im_command_pt)(ngx_im_session_t *s,
    const im_command_t *command);


static void
ngx_im_command_rpc_result(ngx_im_session_t *s, const im_command_t *command,
    im_webhook_answer_t *answer)
{
    im_reply_t  reply;

    ngx_im_reply_init(&reply, IM_REPLY_RPC, command->id);
    reply.data = answer->result.data;

    (void) ngx_im_reply_send(s, &reply);
}


static const ngx_im_webhook_t  ngx_im_command_rpc_webhook = {
    IM_WEBHOOK_RPC, ngx_im_command_rpc_result, NULL, NULL, NULL
};


static ngx_int_t
ngx_im_command_none(ngx_im_session_t *s, const im_command_t *command)
{
    return NGX_OK;
}


static ngx_int_t
ngx_im_command_fault(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_session_close(s, command->fault, command->why);
}


static ngx_int_t
ngx_im_command_refused(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_reply_error(s, command->id, command->error);
}


static ngx_int_t
ngx_im_command_pong(ngx_im_session_t *s, const im_command_t *command)
{
    if (!s->pinged) {
        return ngx_im_session_close(s, IM_REASON_BAD_REQUEST,
                                    "pong without a ping");
    }

    s->pinged--;

    return NGX_OK;
}


static ngx_int_t
ngx_im_command_rpc(ngx_im_session_t *s, const im_command_t *command)
{
    if (s->class->conf->webhooks[IM_WEBHOOK_RPC].len == 0) {
        return ngx_im_reply_error(s, command->id, IM_ERROR_NOT_AVAILABLE);
    }

    return ngx_im_webhook_command(s, &ngx_im_command_rpc_webhook, command);
}


static ngx_int_t
ngx_im_command_send(ngx_im_session_t *s, const im_command_t *command)
{
    return ngx_im_session_close(s, IM_REASON_NOT_AVAILABLE, "not available");
}


/* By im_command_e; ECHO needs the message. */
static const ngx_im_command_pt  ngx_im_commands[] = {
    ngx_im_command_none,
    ngx_im_auth_command,
    NULL,
    ngx_im_command_fault,
    ngx_im_command_refused,
    ngx_im_command_pong,
    ngx_im_subscribe_command,
    ngx_im_subscribe_end,
    ngx_im_publish_command,
    ngx_im_query_command,            /* presence */
    ngx_im_query_command,            /* presence_stats */
    ngx_im_query_command,            /* history */
    ngx_im_command_rpc,
    ngx_im_command_send,
    ngx_im_token_refresh,
    ngx_im_token_sub_refresh,
    ngx_im_move_answer,
    ngx_im_move_count,
    ngx_im_move_command,
    ngx_im_move_accept,
    ngx_im_move_accept               /* reject */
};


static ngx_int_t
ngx_im_command_echo(ngx_im_session_t *s, im_kind_e kind, im_str_t message)
{
    size_t     start;
    im_buf_t  *b;

    b = ngx_im_send_buffer(ngx_im_worker, &ngx_im_worker->deflate.single);

    start = im_frame_start(b, s->class->transport);
    im_buf_add_str(b, message);
    im_frame_end(b, s->class->transport, start, kind);

    if (b->failed) {
        return ngx_im_session_close(s, IM_REASON_INTERNAL, "no memory");
    }

    ngx_im_worker->counters->messages_out++;

    return ngx_im_send_reply(s, im_buf_str(b));
}


ngx_int_t
ngx_im_command_begin(ngx_im_session_t *s, const im_command_t *command)
{
    return s->ext != NULL && s->ext->failed
           ? ngx_im_session_close(s, IM_REASON_BAD_REQUEST,
                                  "connect was refused")
           : ngx_im_commands[command->type](s, command);
}


ngx_int_t
ngx_im_command_message(ngx_im_session_t *s, im_kind_e kind, im_str_t *rest)
{
    im_str_t          message;
    ngx_int_t         rc;
    ngx_uint_t        max;
    im_command_t      command;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    do {
        if (ngx_im_session_waits(s)) {
            return NGX_AGAIN;
        }

        max = s->class->conf->main->commands;

        if (s->class->proto->commands && s->phase != NGX_IM_CONNECTING
            && im_bucket_take(&s->commands, max, max, ngx_current_msec, 1)
               != IM_OK)
        {
            return ngx_im_flow_wait(s, NGX_IM_WAIT_COMMANDS);
        }

        message = *rest;

        im_buf_reset(&w->arena, 65536);

        s->class->proto->decode(rest, s->phase != NGX_IM_CONNECTING, &w->arena,
                               &command);

        rc = command.type == IM_COMMAND_ECHO
             ? ngx_im_command_echo(s, kind, message)
             : ngx_im_command_begin(s, &command);

        if (s->phase == NGX_IM_CLOSED) {
            return NGX_ERROR;
        }

        if (rc == NGX_AGAIN) {
            *rest = message;
            return NGX_AGAIN;
        }

        /* a frame may have many of them: each counts as a frame */

        s->frames += rest->len > 0;

    } while (rest->len > 0 && s->phase < NGX_IM_ENDING);

    return NGX_OK;
}
