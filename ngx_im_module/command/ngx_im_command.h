/*
 * Copyright (C) The im authors
 *
 * Commands of clients.
 */

#ifndef NGX_IM_COMMAND_H
#define NGX_IM_COMMAND_H


#include "ngx_im_worker.h"


/* What a token or a backend adds to a subscription; strings are borrowed. */
typedef struct {
    im_str_t            info;            /* JSON for others; "" none */
    im_str_t            data;            /* JSON for the client; "" none */
    int64_t             expires;         /* s; 0: never */
} ngx_im_grant_t;


/*
 * The commands of a message one by one.  NGX_AGAIN: rest waits until one
 * before it is answered; NGX_ERROR: the session is closed.
 */
ngx_int_t ngx_im_command_message(ngx_im_session_t *s, im_kind_e kind,
    im_str_t *rest);

/* A second has begun: who had too many commands goes on. */
void ngx_im_command_tick(ngx_im_worker_t *w);

/* A token or a backend lets it subscribe; the answer follows. */
ngx_int_t ngx_im_command_granted(ngx_im_session_t *s,
    const im_command_t *command, const ngx_im_grant_t *grant);


#endif /* NGX_IM_COMMAND_H */
