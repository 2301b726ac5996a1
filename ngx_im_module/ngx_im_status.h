/*
 * Copyright (C) The im authors
 *
 * The handler of im_status.
 */

#ifndef NGX_IM_STATUS_H
#define NGX_IM_STATUS_H


#include "ngx_im_conf.h"


ngx_int_t ngx_im_status_handler(ngx_http_request_t *r);


#endif /* NGX_IM_STATUS_H */
