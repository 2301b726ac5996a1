/*
 * Copyright (C) The im authors
 *
 * Tokens that a worker checks itself.
 */

#ifndef NGX_IM_JWT_H
#define NGX_IM_JWT_H


#include "ngx_im_conf.h"
#include "im_buf.h"
#include "im_jwt.h"


/* im_jwt_key; cleaned up with the configuration's pool. */
typedef struct {
    im_jwt_alg_e         alg;
    ngx_str_t            file;           /* as configured */
    ngx_str_t            kid;            /* "" none */
    ngx_str_t            audience;       /* "" any */
    ngx_str_t            issuer;
    im_str_t             secret;
    struct evp_pkey_st  *public;         /* OpenSSL's; NULL: a secret */
    ngx_uint_t           weak;
} ngx_im_jwt_key_t;


/* Reads the key's file; key lives as long as cf's pool. */
char *ngx_im_jwt_key_add(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_im_jwt_key_t *key);

/*
 * NGX_OK: claims are in the arena (limit IM_JWT_ARENA or more; the token must
 * not lie in it), and the caller calls im_jwt_cleanup().  NGX_DECLINED:
 * expired; NGX_ERROR: not valid; NGX_BUSY: not checked now.  claims->why says
 * more.
 */
ngx_int_t ngx_im_jwt_verify(ngx_im_worker_t *w, im_str_t token,
    im_buf_t *arena, im_jwt_t *claims);


#endif /* NGX_IM_JWT_H */
