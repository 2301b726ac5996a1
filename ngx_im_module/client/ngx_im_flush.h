/*
 * Copyright (C) The im authors
 *
 * Sends what is new in topics to their followers.
 */

#ifndef NGX_IM_FLUSH_H
#define NGX_IM_FLUSH_H


#include "ngx_im_session.h"


/* Flushes now up to the budget, and the rest in later turns. */
void ngx_im_flush(ngx_im_worker_t *w);
void ngx_im_flush_handler(ngx_event_t *ev);

/*
 * Sends to at most n followers of logs that are behind, for a few milliseconds.
 * Logs without any leave their list; 1: all did.
 */
ngx_uint_t ngx_im_flush_turn(ngx_im_worker_t *w, im_list_t *logs, ngx_uint_t n);

/* Closes sessions that are too slow; each second. */
void ngx_im_flush_tick(ngx_im_worker_t *w);


#endif /* NGX_IM_FLUSH_H */
