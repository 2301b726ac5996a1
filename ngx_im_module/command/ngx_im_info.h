/*
 * Copyright (C) The im authors
 *
 * Room info: followers of a room get the list of its users.
 */

#ifndef NGX_IM_INFO_H
#define NGX_IM_INFO_H


#include "ngx_im_topic.h"


/* Serve worker->infos and worker->suspects; data is the worker. */
ngx_int_t ngx_im_info_serve(im_list_t *q, void *data);
ngx_int_t ngx_im_info_serve_suspect(im_list_t *q, void *data);

/* Sends one frame to the session when the members are known. */
void ngx_im_info_session(im_topic_t *topic, ngx_im_session_t *s);

/* Such a frame is due to followers of one of its rooms. */
int ngx_im_info_waits(ngx_im_session_t *s);

/*
 * The list that a follower has, for another worker; 0: none, or that isn't
 * known.
 */
uint64_t ngx_im_info_known(im_sub_t *sub);

/* A follower has come from another worker, where it got that list. */
void ngx_im_info_came(im_sub_t *sub, uint64_t known);

/* All have come: what has changed meanwhile is asked for. */
void ngx_im_info_look(im_topic_t *topic);

/* Members may have changed, here or elsewhere: followers get a new frame. */
void ngx_im_info_refresh(im_topic_t *topic, int force);

/* Events of following topics; ctx is the worker. */
void ngx_im_info_members(void *ctx, im_topic_t *topic, im_follow_members_e why);
void ngx_im_info_reported(void *ctx, im_topic_t *topic);

/* n workers have died: a change may have been missed in any room. */
void ngx_im_info_dead(ngx_im_worker_t *w, ngx_uint_t n);

/* Frees data, an ngx_im_topic_t. */
void ngx_im_info_ended(void *ctx, void *data);


#endif /* NGX_IM_INFO_H */
