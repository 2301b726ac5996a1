/*
 * Copyright (C) The im authors
 *
 * Keys that tokens are checked with, and the files that hold them.
 */

#ifndef NGX_IM_JWT_KEY_H
#define NGX_IM_JWT_KEY_H


#include "ngx_im_conf.h"
#include "im_jwks.h"


#define NGX_IM_JWT_DIGEST  32            /* bytes of SHA-256 */

/* The format of a file that is a JSON Web Key Set. */
#define NGX_IM_JWT_JWKS    IM_JWT_ALGS


typedef struct {
    im_str_t             kid;            /* "" none; owned, as the secret is */
    im_str_t             secret;
    struct evp_pkey_st  *public;         /* OpenSSL's; NULL: a secret */
    uint32_t             algs;           /* 1 << im_jwt_alg_e */
    u_char               id[NGX_IM_JWT_DIGEST];  /* of a public key */
} ngx_im_jwt_key_t;


/* The keys of one file, by im_alloc(). */
typedef struct {
    ngx_uint_t           n;
    ngx_im_jwt_key_t     keys[1];
} ngx_im_jwt_keys_t;


/* Tells whether a file has changed. */
typedef struct {
    struct timespec      mtime;
    off_t                size;
    ino_t                inode;
    time_t               read;
} ngx_im_jwt_stamp_t;


/* im_jwt_key.  Its keys are freed with the configuration's pool. */
typedef struct {
    ngx_uint_t           format;         /* im_jwt_alg_e or NGX_IM_JWT_JWKS */
    ngx_str_t            file;           /* as configured */
    ngx_str_t            path;
    ngx_str_t            kid;            /* "" none */
    ngx_str_t            audience;       /* "" any */
    ngx_str_t            issuer;
    ngx_uint_t           leeway;         /* s */
    ngx_uint_t           check;          /* s: a worker looks at the file */
    ngx_uint_t           weak;
    ngx_im_jwt_keys_t   *keys;
    ngx_im_jwt_stamp_t   stamp;
} ngx_im_jwt_source_t;


/* What there is to say of a file. */
typedef struct {
    ngx_err_t            err;            /* of the system, or 0 */
    ngx_uint_t           nkeys;          /* in the file */
    ngx_uint_t           nleft;          /* of them, left out as faulty */
    ngx_uint_t           left;           /* the first one's place, from 1 on */
    const char          *why;            /* it was left out */
} ngx_im_jwt_news_t;


/*
 * Reads the file's keys; at least one, to be freed.  Else why not, static
 * text.
 */
const char *ngx_im_jwt_keys_read(const ngx_im_jwt_source_t *source,
    ngx_im_jwt_keys_t **keys, ngx_im_jwt_news_t *news);
void ngx_im_jwt_keys_free(ngx_im_jwt_keys_t *keys);

/* The file may differ from what stamp says; sets it. */
ngx_uint_t ngx_im_jwt_changed(const ngx_im_jwt_source_t *source,
    ngx_im_jwt_stamp_t *stamp);

/* Reads the file of a directive; source lives as long as cf's pool. */
char *ngx_im_jwt_source_add(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_im_jwt_source_t *source);


#endif /* NGX_IM_JWT_KEY_H */
