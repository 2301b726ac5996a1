/*
 * Copyright (C) The im authors
 *
 * Room info: followers of a room get the list of its users.
 */

#ifndef NGX_IM_INFO_H
#define NGX_IM_INFO_H


#include "ngx_im_topic.h"


void ngx_im_info_init(ngx_im_worker_t *w);
void ngx_im_info_exit(ngx_im_worker_t *w);

/* Sends one frame to the session when the members are known. */
void ngx_im_info_session(im_topic_t *topic, ngx_im_session_t *s);

/* Members may have changed, here or elsewhere: followers get a new frame. */
void ngx_im_info_refresh(im_topic_t *topic, int force);

/* A change may have been missed: the room is looked at, in time. */
void ngx_im_info_suspect(im_topic_t *topic);

/* The report that was under way is answered. */
void ngx_im_info_reported(void *ctx, im_topic_t *topic);

/* n workers have died: all rooms are suspect. */
void ngx_im_info_dead(ngx_im_worker_t *w, ngx_uint_t n);

/* Frees data, an ngx_im_topic_t. */
void ngx_im_info_ended(void *ctx, void *data);


#endif /* NGX_IM_INFO_H */
