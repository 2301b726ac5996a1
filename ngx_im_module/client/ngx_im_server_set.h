/*
 * Copyright (C) The im authors
 *
 * Variables that a server sets, for requests that start behind its rules.
 */

#ifndef NGX_IM_SERVER_SET_H
#define NGX_IM_SERVER_SET_H


#include "ngx_im_conf.h"


/*
 * Matches server_name, for its captures, and runs "set" of the server, and "if"
 * around it; nothing else of its rules.
 */
void ngx_im_server_set(ngx_http_request_t *r, ngx_im_main_conf_t *imcf);

/* Keeps the regular expressions of server_name, which nginx frees. */
ngx_int_t ngx_im_server_names(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_http_core_srv_conf_t *cscf);


#endif /* NGX_IM_SERVER_SET_H */
