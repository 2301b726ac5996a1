/*
 * Copyright (C) The im authors
 *
 * Messages of clients.
 */

#ifndef NGX_IM_PUBLISH_H
#define NGX_IM_PUBLISH_H


#include "ngx_im_session.h"


/* NGX_AGAIN: an earlier command is not answered yet. */
ngx_int_t ngx_im_publish_command(ngx_im_session_t *s,
    const im_command_t *command);


#endif /* NGX_IM_PUBLISH_H */
