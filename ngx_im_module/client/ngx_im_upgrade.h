/*
 * Copyright (C) The im authors
 *
 * WebSocket: is a request a good handshake, and the answer.
 */

#ifndef NGX_IM_UPGRADE_H
#define NGX_IM_UPGRADE_H


#include "ngx_im_handshake.h"
#include "ngx_im_refused.h"


/* NULL: the request is good, and hs has what the answer needs. */
const ngx_im_refused_t *ngx_im_upgrade_check(ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, ngx_im_handshake_t *hs);

/* Answers with 101. */
ngx_int_t ngx_im_upgrade_accept(ngx_http_request_t *r, ngx_im_handshake_t *hs);


#endif /* NGX_IM_UPGRADE_H */
