/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: sessions that stay there.
 */

#ifndef NGX_IM_OUT_STAY_H
#define NGX_IM_OUT_STAY_H


#include "ngx_im_out.h"


/* The session stays for good. */
ngx_uint_t ngx_im_handover_stays(ngx_im_worker_t *w, ngx_im_session_t *s);

/* Without memory it is closed at once. */
void ngx_im_out_stay(ngx_im_handover_out_t *out, ngx_im_session_t *s,
    ngx_im_stayed_e why);

/* All that have not moved. */
void ngx_im_out_stay_all(ngx_im_handover_out_t *out);

/* How many have moved, and how many stay, and why. */
void ngx_im_out_log(ngx_im_handover_out_t *out);


#endif /* NGX_IM_OUT_STAY_H */
