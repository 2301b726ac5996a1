/*
 * Copyright (C) The im authors
 *
 * Commands of clients.
 */

#ifndef NGX_IM_COMMAND_H
#define NGX_IM_COMMAND_H


#include "ngx_im_session.h"


/*
 * Runs the commands of a message one by one.  NGX_AGAIN: rest waits until an
 * earlier command is answered; NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_command_message(ngx_im_session_t *s, im_kind_e kind,
    im_str_t *rest);

/* Runs a command that came with the request; ECHO needs a message. */
ngx_int_t ngx_im_command_begin(ngx_im_session_t *s,
    const im_command_t *command);


/*
 * Handlers of commands.  NGX_AGAIN: an earlier command must be answered first;
 * NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_auth_command(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_subscribe_command(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_subscribe_end(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_publish_command(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_query_command(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_move_answer(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_move_count(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_move_command(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_move_accept(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_refresh(ngx_im_session_t *s,
    const im_command_t *command);
ngx_int_t ngx_im_token_sub_refresh(ngx_im_session_t *s,
    const im_command_t *command);

/* For ngx_im_session_events_t. */
void ngx_im_move_adopted(ngx_im_session_t *s);


#endif /* NGX_IM_COMMAND_H */
