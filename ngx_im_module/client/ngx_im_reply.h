/*
 * Copyright (C) The im authors
 *
 * Replies of the protocol of a session.
 */

#ifndef NGX_IM_REPLY_H
#define NGX_IM_REPLY_H


#include "ngx_im_worker.h"


/* NGX_ERROR: the session is closed. */
ngx_int_t ngx_im_reply_send(ngx_im_session_t *s, const im_reply_t *reply);
ngx_int_t ngx_im_reply_error(ngx_im_session_t *s, uint32_t id,
    im_error_e error);


#endif /* NGX_IM_REPLY_H */
