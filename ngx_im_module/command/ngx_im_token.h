/*
 * Copyright (C) The im authors
 *
 * Tokens of an open session, and their ends.
 */

#ifndef NGX_IM_TOKEN_H
#define NGX_IM_TOKEN_H


#include "ngx_im_worker.h"


/* Commands that bring a token. */
ngx_int_t ngx_im_token_subscribe(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_refresh(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_sub_refresh(ngx_im_session_t *s,
    const im_command_t *command);

/* It has ended.  NGX_ERROR: so has the session. */
ngx_int_t ngx_im_token_sub_end(ngx_im_session_t *s, im_sub_t *sub);


/* Some of it has ended. */
void ngx_im_token_due(ngx_im_timer_t *timer);


#endif /* NGX_IM_TOKEN_H */
