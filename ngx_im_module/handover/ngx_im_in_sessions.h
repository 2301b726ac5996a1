/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions: they come.
 */

#ifndef NGX_IM_IN_SESSIONS_H
#define NGX_IM_IN_SESSIONS_H


#include "ngx_im_in.h"


/* A message with records; what is wrong with it, or NULL. */
const char *ngx_im_in_sessions(ngx_im_in_t *from, ngx_im_in_body_t *body);

/* The same, with what came up for a session in flight. */
const char *ngx_im_in_late(ngx_im_in_t *from, ngx_im_in_body_t *body);

/*
 * The topics may have come to where the sessions are.  An entry waits for those
 * before it.
 */
void ngx_im_in_unpark(ngx_im_in_t *from);


#endif /* NGX_IM_IN_SESSIONS_H */
