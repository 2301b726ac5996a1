/*
 * Copyright (C) The im authors
 *
 * What a client publishes.
 */

#ifndef NGX_IM_PUBLISH_H
#define NGX_IM_PUBLISH_H


#include "ngx_im_session.h"


/* NGX_AGAIN: wait for the answer to a command before it. */
ngx_int_t ngx_im_publish_command(ngx_im_session_t *s,
    const im_command_t *command);

/* It may; answer is what a webhook says of it, or NULL. */
ngx_int_t ngx_im_publish_granted(ngx_im_session_t *s,
    const im_command_t *command, const im_webhook_answer_t *answer);


#endif /* NGX_IM_PUBLISH_H */
