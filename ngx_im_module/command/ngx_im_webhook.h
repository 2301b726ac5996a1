/*
 * Copyright (C) The im authors
 *
 * Webhooks: a backend of the operator decides on commands.
 */

#ifndef NGX_IM_WEBHOOK_H
#define NGX_IM_WEBHOOK_H


#include "ngx_im_session.h"


/*
 * Asks the webhook of s->conf about the command; input waits meanwhile, but not
 * if the command has no id.  All answers are given here.  NGX_ERROR: not asked.
 */
ngx_int_t ngx_im_webhook_ask(ngx_im_session_t *s, im_webhook_e kind,
    const im_command_t *command);

/* The same, but what isn't asked is answered.  NGX_ERROR: session closed. */
ngx_int_t ngx_im_webhook_command(ngx_im_session_t *s, im_webhook_e kind,
    const im_command_t *command);


#endif /* NGX_IM_WEBHOOK_H */
