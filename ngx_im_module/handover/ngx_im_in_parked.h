/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions: sessions that are parked, and
 * entries for sessions.
 */

#ifndef NGX_IM_IN_PARKED_H
#define NGX_IM_IN_PARKED_H


#include "ngx_im_in.h"


/* A message with entries; what is wrong with it, or NULL. */
const char *ngx_im_in_entries(ngx_im_in_t *from, ngx_im_in_body_t *body);

/* Takes *fd over.  NGX_ERROR: too much is parked, or no memory. */
ngx_int_t ngx_im_in_park_session(ngx_im_in_t *from, im_str_t bytes,
    ngx_socket_t *fd);

/* It takes effect, and is parked no longer. */
void ngx_im_in_parked_entry(ngx_im_in_t *from, ngx_im_in_parked_t *parked);

void ngx_im_in_parked_free(ngx_im_in_t *from, ngx_im_in_parked_t *parked);

/*
 * Sessions that have come get what the other worker has forwarded, and then
 * what came here and not there.
 */
void ngx_im_in_entries_end(ngx_im_in_t *from);


#endif /* NGX_IM_IN_PARKED_H */
