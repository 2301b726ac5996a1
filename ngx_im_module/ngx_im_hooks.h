/*
 * Copyright (C) The im authors
 *
 * The hooks of the module: the life of a worker, im_redis and im_status.
 */

#ifndef NGX_IM_HOOKS_H
#define NGX_IM_HOOKS_H


#include "ngx_im_worker.h"


ngx_int_t ngx_im_worker_init(ngx_cycle_t *cycle, ngx_im_main_conf_t *imcf);
void ngx_im_worker_exit(ngx_cycle_t *cycle);

/* It accepts connections once it has reached Redis. */
void ngx_im_begin(ngx_im_worker_t *w, ngx_cycle_t *cycle);

ngx_int_t ngx_im_events_init(ngx_im_worker_t *w);
void ngx_im_events_exit(ngx_im_worker_t *w);

/* The worker ends: its sessions are closed over the time of im_drain. */
void ngx_im_drain_start(ngx_im_worker_t *w);

/* In front of all header filters, for all requests of this nginx. */
void ngx_im_guard_init(void);

/* At a start and each reload: is the file still what is loaded? */
void ngx_im_stale_check(ngx_cycle_t *cycle);

ngx_int_t ngx_im_status_handler(ngx_http_request_t *r);

/* The directive. */
char *ngx_im_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_IM_HOOKS_H */
