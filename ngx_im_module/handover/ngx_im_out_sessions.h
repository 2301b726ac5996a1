/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: its sessions go.
 */

#ifndef NGX_IM_OUT_SESSIONS_H
#define NGX_IM_OUT_SESSIONS_H


#include "ngx_im_out.h"


/* NGX_OK: none is left; NGX_AGAIN: some are. */
ngx_int_t ngx_im_out_sessions(ngx_im_handover_out_t *out);


#endif /* NGX_IM_OUT_SESSIONS_H */
