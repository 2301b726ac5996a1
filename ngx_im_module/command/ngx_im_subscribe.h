/*
 * Copyright (C) The im authors
 *
 * Clients subscribe to rooms.
 */

#ifndef NGX_IM_SUBSCRIBE_H
#define NGX_IM_SUBSCRIBE_H


#include "ngx_im_session.h"


ngx_int_t ngx_im_subscribe_command(ngx_im_session_t *s,
    const im_command_t *command);

/* NGX_AGAIN: the subscription is not answered yet. */
ngx_int_t ngx_im_subscribe_end(ngx_im_session_t *s,
    const im_command_t *command);


#endif /* NGX_IM_SUBSCRIBE_H */
