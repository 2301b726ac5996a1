/*
 * Copyright (C) The im authors
 *
 * Users that are kept out for a while.
 */

#ifndef NGX_IM_REVOKE_H
#define NGX_IM_REVOKE_H


#include "ngx_im_session.h"


ngx_int_t ngx_im_revoke_init(ngx_im_worker_t *w);
void ngx_im_revoke_cleanup(ngx_im_worker_t *w);

/* The user is kept out for now. */
int ngx_im_revoked(ngx_im_worker_t *w, im_str_t user);

/* Something has changed for the user: Redis says what. */
void ngx_im_revoke_look(ngx_im_worker_t *w, im_str_t user);

/* Reads the list if the revision is another one. */
void ngx_im_revoke_revision(ngx_im_worker_t *w, im_str_t revision);


#endif /* NGX_IM_REVOKE_H */
