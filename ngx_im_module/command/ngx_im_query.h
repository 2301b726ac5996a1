/*
 * Copyright (C) The im authors
 *
 * What a client asks of a topic that it follows.
 */

#ifndef NGX_IM_QUERY_H
#define NGX_IM_QUERY_H


#include "ngx_im_session.h"


/* Presence, presence_stats and history.  NGX_AGAIN: as above. */
ngx_int_t ngx_im_query_command(ngx_im_session_t *s,
    const im_command_t *command);


#endif /* NGX_IM_QUERY_H */
