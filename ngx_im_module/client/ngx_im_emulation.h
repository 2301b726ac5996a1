/*
 * Copyright (C) The im authors
 *
 * Emulation: messages of sessions whose transport has no way back come by
 * requests of their own, at any worker of any node.
 */

#ifndef NGX_IM_EMULATION_H
#define NGX_IM_EMULATION_H


#include "ngx_im_from.h"
#include "ngx_im_session.h"
#include "im_emulation.h"
#include "im_id.h"
#include "im_push.h"


/* What a client must name in its requests. */
typedef struct {
    u_char  session[IM_EMULATION_SESSION];   /* a secret */
    u_char  node[IM_UUID_LEN];
} ngx_im_emulation_t;


/* Its client may send by requests of their own. */
ngx_uint_t ngx_im_emulation_used(const ngx_im_session_t *s);

/* NGX_DECLINED: the session's transport has a way back. */
ngx_int_t ngx_im_emulation_name(ngx_im_session_t *s, ngx_im_emulation_t *e);

/* A message for a session of this worker that another worker has got. */
void ngx_im_emulation_entry(ngx_im_worker_t *w, const im_entry_t *entry);

/* The same, by any way. */
void ngx_im_emulation_input(ngx_im_worker_t *w, const im_entry_t *entry,
    const ngx_im_reach_t *reach);

ngx_int_t ngx_im_emulation_handler(ngx_http_request_t *r);


#endif /* NGX_IM_EMULATION_H */
