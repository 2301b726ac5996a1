/*
 * Copyright (C) The im authors
 *
 * What nginx and Angie have in different forms; `config` chooses the file.
 */

#ifndef NGX_IM_NGINX_H
#define NGX_IM_NGINX_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* Of a node in the tree of locations: its exact one first, if that counts. */
ngx_http_core_loc_conf_t *ngx_im_nginx_location(
    ngx_http_location_tree_node_t *node, ngx_uint_t exact);

/* This binary has the sockets of another one, which it takes over from. */
ngx_uint_t ngx_im_nginx_upgraded(void);

/* The handler of a log whose data is ngx_http_log_ctx_t. */
u_char *ngx_im_nginx_log(ngx_log_t *log, u_char *buf, size_t len);


#endif /* NGX_IM_NGINX_H */
