/*
 * Copyright (C) The im authors
 *
 * Who a client is.
 */

#ifndef NGX_IM_AUTH_H
#define NGX_IM_AUTH_H


#include "ngx_im_session.h"


ngx_int_t ngx_im_auth_command(ngx_im_session_t *s,
    const im_command_t *command);


#endif /* NGX_IM_AUTH_H */
