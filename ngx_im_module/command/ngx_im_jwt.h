/*
 * Copyright (C) The im authors
 *
 * Tokens that a worker checks itself.
 */

#ifndef NGX_IM_JWT_H
#define NGX_IM_JWT_H


#include "ngx_im_session.h"
#include "im_buf.h"
#include "im_jwt.h"


/*
 * Checks a token that the session has brought.  NGX_OK: claims are in the arena
 * (limit IM_JWT_ARENA or more; the token must not lie in it), and the caller
 * calls im_jwt_cleanup().  NGX_DECLINED: expired, or not valid yet; NGX_ERROR:
 * not valid; NGX_BUSY: not checked now.  claims->why says more.  Bad tokens
 * cost the session and its address.
 */
ngx_int_t ngx_im_jwt_verify(ngx_im_session_t *s, im_str_t token,
    im_buf_t *arena, im_jwt_t *claims);

/* Once a second: reads files of keys that have changed. */
void ngx_im_jwt_tick(ngx_im_worker_t *w);


#endif /* NGX_IM_JWT_H */
