/*
 * Copyright (C) The im authors
 *
 * Is a request a handshake that may become a session?
 */

#ifndef NGX_IM_UPGRADE_H
#define NGX_IM_UPGRADE_H


#include "ngx_im_conf.h"


#define NGX_IM_UPGRADE_REQUIRED   426
#define NGX_IM_HEADERS_TOO_LARGE  431


/* What the answer needs of a good one. */
typedef struct {
    im_str_t     key;
    const im_proto_t *proto;         /* of the location, or a variant of it */
    const char  *subprotocol;        /* NULL: the client has not asked for it */
} ngx_im_upgrade_t;


/* Why a handshake is refused, and a header of the answer or NULL. */
typedef struct {
    ngx_uint_t   status;
    const char  *header;
    const char  *value;
    const char  *why;                /* for the log and the client */
} ngx_im_refused_t;


/* NULL: the request is good, and u is set. */
const ngx_im_refused_t *ngx_im_upgrade_check(ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, ngx_im_upgrade_t *u);


#endif /* NGX_IM_UPGRADE_H */
