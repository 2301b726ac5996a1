/*
 * Copyright (C) The im authors
 *
 * Commands of clients.
 */

#ifndef NGX_IM_COMMAND_H
#define NGX_IM_COMMAND_H


#include "ngx_im_worker.h"


/*
 * Runs the commands of a message one by one.  NGX_AGAIN: rest waits until an
 * earlier command is answered; NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_command_message(ngx_im_session_t *s, im_kind_e kind,
    im_str_t *rest);

/* A second has begun: sessions with too many commands go on. */
void ngx_im_command_tick(ngx_im_worker_t *w);


#endif /* NGX_IM_COMMAND_H */
