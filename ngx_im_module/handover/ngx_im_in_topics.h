/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions: topics of the other one.
 */

#ifndef NGX_IM_IN_TOPICS_H
#define NGX_IM_IN_TOPICS_H


#include "ngx_im_in.h"


/* A message with names; what is wrong with it, or NULL. */
const char *ngx_im_in_topics(ngx_im_in_t *from, ngx_im_in_body_t *body);

/* Says of topics that have a position now where they are. */
void ngx_im_in_ready(ngx_im_in_t *from);

/* Members that have changed while sessions moved are asked for. */
void ngx_im_in_infos(ngx_im_in_t *from);

void ngx_im_in_topics_unpin(ngx_im_in_t *from);


#endif /* NGX_IM_IN_TOPICS_H */
