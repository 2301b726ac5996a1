/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: sessions that are in flight, and what
 * comes for them meanwhile.
 */

#ifndef NGX_IM_OUT_FLIGHT_H
#define NGX_IM_OUT_FLIGHT_H


#include "ngx_im_out.h"


/* The other worker has said what becomes of one. */
void ngx_im_out_verdict(ngx_im_handover_out_t *out, im_handover_verdict_t *v);

/*
 * The sessions in flight that the other worker may have are its own.  If it has
 * died, their clients come again.
 */
void ngx_im_out_abandon(ngx_im_handover_out_t *out);

/* An entry for sessions came by pub/sub. */
void ngx_im_out_keep(ngx_im_handover_out_t *out, const im_buf_t *b);

/* Which control entries this worker has had. */
void ngx_im_out_heard_send(ngx_im_handover_out_t *out);

/* The last entries go: they may still be on their way to the other worker. */
void ngx_im_out_entries_send(ngx_im_handover_out_t *out);


#endif /* NGX_IM_OUT_FLIGHT_H */
