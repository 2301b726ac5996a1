/*
 * Copyright (C) The im authors
 *
 * im_listen: addresses where sessions begin without a request.
 */

#ifndef NGX_IM_LISTEN_H
#define NGX_IM_LISTEN_H


#include "ngx_im_conf.h"


/* The directive. */
char *ngx_im_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Once all is read and merged: gives a directive its settings, those of its
 * server, and its sockets.
 */
char *ngx_im_listen_conf(ngx_conf_t *cf, ngx_im_listen_t *listen);

/* Sockets of other modules that have the same address are an error. */
ngx_int_t ngx_im_listen_check(ngx_cycle_t *cycle);


#endif /* NGX_IM_LISTEN_H */
