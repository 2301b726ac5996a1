/*
 * Copyright (C) The im authors
 *
 * Checks of the whole configuration.
 */

#ifndef NGX_IM_CHECK_H
#define NGX_IM_CHECK_H


#include "ngx_im_conf.h"


/* When all locations are read and merged.  NGX_ERROR: it is refused. */
ngx_int_t ngx_im_check(ngx_conf_t *cf, ngx_im_main_conf_t *imcf);


#endif /* NGX_IM_CHECK_H */
