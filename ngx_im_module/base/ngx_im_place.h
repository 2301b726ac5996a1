/*
 * Copyright (C) The im authors
 *
 * Places where sessions begin, as another configuration can find them again:
 * locations of im_comet and sockets of im_listen.
 */

#ifndef NGX_IM_PLACE_H
#define NGX_IM_PLACE_H


#include "ngx_im_conf.h"


/*
 * A key that tokens are checked with, and what it is checked for.  NGX_ERROR:
 * no memory.
 */
ngx_int_t ngx_im_place_key(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    const im_str_t *texts, ngx_uint_t n);

/* Sets conf->place of all; when the configuration is read. */
ngx_int_t ngx_im_place_init(ngx_conf_t *cf, ngx_im_main_conf_t *imcf);

/*
 * The settings that sessions of a place have in this configuration.  NULL: it
 * has no such location or socket, or lets in others than it did.
 */
ngx_im_loc_conf_t *ngx_im_place_find(const ngx_im_main_conf_t *imcf,
    im_str_t place);


#endif /* NGX_IM_PLACE_H */
