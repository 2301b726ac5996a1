/*
 * Copyright (C) The im authors
 *
 * Replies of the protocol of a session.
 */

#ifndef NGX_IM_REPLY_H
#define NGX_IM_REPLY_H


#include "ngx_im_session.h"


void ngx_im_reply_init(im_reply_t *reply, im_reply_e type, uint32_t id);

/* NGX_ERROR, as of those below: the session is closed. */
ngx_int_t ngx_im_reply_send(ngx_im_session_t *s, const im_reply_t *reply);
ngx_int_t ngx_im_reply_error(ngx_im_session_t *s, uint32_t id,
    im_error_e error);

/* sub leaves its topic and the client hears why. */
ngx_int_t ngx_im_reply_unsubscribe(ngx_im_session_t *s, im_sub_t *sub,
    ngx_uint_t code, im_str_t reason);


#endif /* NGX_IM_REPLY_H */
