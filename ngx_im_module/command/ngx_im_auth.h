/*
 * Copyright (C) The im authors
 *
 * Who a session is.
 */

#ifndef NGX_IM_AUTH_H
#define NGX_IM_AUTH_H


#include "ngx_im_session.h"
#include "im_jwt.h"


ngx_int_t ngx_im_auth_command(ngx_im_session_t *s,
    const im_command_t *command);

/* A webhook says who it is.  NGX_ERROR: that can't be. */
ngx_int_t ngx_im_auth_granted(ngx_im_session_t *s, im_jwt_t *claims);

/* Nobody says who it is. */
void ngx_im_auth_nobody(ngx_im_session_t *s);

/* connect is answered with an error, and nothing else will do. */
void ngx_im_auth_failed(ngx_im_session_t *s);

/* Its identity is allowed that room. */
int ngx_im_auth_may(ngx_im_session_t *s, im_str_t room);


#endif /* NGX_IM_AUTH_H */
