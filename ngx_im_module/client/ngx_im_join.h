/*
 * Copyright (C) The im authors
 *
 * Requests that say all: the rooms of im_join, a position, a token.
 */

#ifndef NGX_IM_JOIN_H
#define NGX_IM_JOIN_H


#include "ngx_im_handshake.h"


/*
 * Makes the first message of such a request, as im_request.h has it.  The
 * opening is there.  NULL: it did; else why the request is refused.
 */
const ngx_im_refused_t *ngx_im_join(ngx_http_request_t *r,
    ngx_im_loc_conf_t *ilcf, ngx_im_handshake_t *hs);


#endif /* NGX_IM_JOIN_H */
