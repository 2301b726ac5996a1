/*
 * Copyright (C) The im authors
 *
 * Tokens of an open session, and what happens at their ends.
 */

#ifndef NGX_IM_TOKEN_H
#define NGX_IM_TOKEN_H


#include "ngx_im_session.h"
#include "im_jwt.h"


/*
 * The token of a subscription.  NGX_DONE: it is good, and the caller cleans up
 * the claims; else it was answered: NGX_OK, or NGX_ERROR if the session is
 * closed.
 */
ngx_int_t ngx_im_token_verify(ngx_im_session_t *s,
    const im_command_t *command, im_buf_t *arena, im_jwt_t *claims);

/* Some of it has ended. */
void ngx_im_token_due(ngx_im_timer_t *timer);


#endif /* NGX_IM_TOKEN_H */
